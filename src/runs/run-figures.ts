// Figures of a run: the loss curve, the Credit X-ray and a grid of what a step saw: pairs of views, pictures or patches.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { patchesPerSide } from "../data/augmentation.ts";
import type { Encoder } from "../encoders/encoder.ts";
import type { HeldOutReadOut } from "../evaluation/held-out.ts";
import { type Accuracies, lossCurve } from "../figures/loss-curve.ts";
import { pictureGrid } from "../figures/picture-grid.ts";
import { svgToPng } from "../figures/png.ts";
import { writeFigure } from "../figures/write-figure.ts";
import { xrayFigure } from "../figures/xray.ts";
import { type Evaluation, ofLastBlock } from "../record/metrics.ts";
import type { Config } from "../training/config.ts";
import type { Trainer } from "../training/trainer.ts";
import { type RunFolder, readMetrics } from "./run-folder.ts";

/** Boxes in the grid. */
export const boxes = 24;

/** Draws them all, the grid from the last step, and returns them as PNGs by name. */
export async function drawRunFigures(
  run: RunFolder,
  config: Config,
  trainer: Trainer,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const pngs = new Map<string, Uint8Array>();
  const write = async (name: string, svg: string, png: Uint8Array): Promise<void> => {
    await writeFigure(run.figures, name, svg, png);
    pngs.set(name, png);
  };
  const metrics = readMetrics(run);
  const points = metrics.filter((metric) => metric.kind === "step");
  const interventions = metrics.filter((metric) => metric.kind === "intervention").map(({ epoch }) => epoch);
  const evaluations = metrics.filter((metric) => metric.kind === "evaluation");
  const title = `${config.name}: loss${evaluations.length > 0 ? " and accuracy" : ""}`;
  const curve = await lossCurve({ title, points, interventions, ...accuraciesOf(evaluations) });
  await write("loss", curve, await svgToPng(curve));

  const looks = metrics.filter((metric) => metric.kind === "xray");
  if (looks.length > 0) {
    const xray = await xrayFigure({ title: `${config.name}: Credit X-ray`, points: looks });
    await write("xray", xray, await svgToPng(xray));
  }

  const grid = await viewsGrid(config, trainer, boxes);
  await write("views", grid.svg, grid.png);
  return pngs;
}

const readOutNames: Readonly<Record<HeldOutReadOut, string>> = { kNN: "kNN", scaleFree: "linear, scale-free" };

/** Of the last block, over the run; nothing where nothing was evaluated. */
function accuraciesOf(evaluations: readonly Evaluation[]): { accuracies?: Accuracies } {
  const last = evaluations.at(-1);
  if (last === undefined) return {};
  const lines = ofLastBlock(last).map(({ readOut, random }) => ({
    name: readOutNames[readOut],
    points: evaluations.flatMap((evaluation) =>
      ofLastBlock(evaluation)
        .filter((score) => score.readOut === readOut)
        .map(({ accuracy }) => ({ epoch: evaluation.epoch, accuracy })),
    ),
    random,
  }));
  return { accuracies: { caption: `accuracy on ${last.held} pictures held out, in %`, lines } };
}

/** Whether they have been drawn: the grid is the last. */
export const hasFigures = (run: RunFolder): boolean => existsSync(join(run.figures, "views.png"));

/** What the last step saw, `most` images of it. */
export const viewsGrid = async (config: Config, trainer: Trainer, most: number): ReturnType<typeof pictureGrid> =>
  viewsFigure(config, trainer.model.encoder, await trainer.views(), { images: config.batch, most });

/** What stands beside what in `views` [rows, h, w, c] of `images` images: the first `most` of them, a box each. */
export async function viewsFigure(
  config: Config,
  { height, width, channels }: Pick<Encoder, "height" | "width" | "channels">,
  views: Float32Array,
  { images, most }: { readonly images: number; readonly most: number },
): ReturnType<typeof pictureGrid> {
  const size = height * width * channels;
  const { title, caption } = shown(config, views.length / size / images);
  return pictureGrid({
    title: `${config.name}: ${title}`,
    caption,
    boxes: viewBoxes(config, size, views, { images, most }),
    height,
    width,
    channels,
    range: [config.valueRange[0], config.valueRange[1]],
  });
}

/** The views of each of the first `most` images that stand side by side, [h, w, c] of `size` numbers, as they are before they are normalised. */
export function viewBoxes(
  config: Config,
  size: number,
  views: Float32Array,
  { images, most }: { readonly images: number; readonly most: number },
): Float32Array[][] {
  const { seen } = shown(config, views.length / size / images);
  const { normalise } = config;
  const undone = (value: number, i: number): number =>
    normalise ? value * normalise.std[i % normalise.std.length] + normalise.mean[i % normalise.mean.length] : value;
  const view = (row: number): Float32Array => views.subarray(row * size, (row + 1) * size).map(undone);
  return Array.from({ length: Math.min(most, images) }, (_, s) => seen.map((number) => view(number * images + s)));
}

/** Which of an image's `count` pictures stand in its box, by their numbers. */
function shown({ augmentation, loss }: Config, count: number): { title: string; caption: string; seen: number[] } {
  if (augmentation.kind === "patches" && loss.kind === "clappPatches") {
    const side = patchesPerSide(augmentation);
    const middle = Math.floor(side / 2);
    const caption = "each box: a patch of the top row | the first below that it predicts";
    return { title: "patches", caption, seen: [middle, (1 + loss.skip) * side + middle] };
  }
  if (count === 1) return { title: "pictures", caption: "what the network saw", seen: [0] };
  return { title: "pairs of views", caption: "each box: anchor | view", seen: [0, 1] };
}

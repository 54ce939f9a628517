// The picture of a comparison: what a rule is shown, which pictures its code holds to be alike beside the random encoder's, and the accuracies.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { createModel, initialise } from "../encoders/model.ts";
import { networks } from "../encoders/networks.ts";
import { type Condition, conditions, type Verdict } from "../program/audit.ts";
import type { Config } from "../training/config.ts";
import { firstViews } from "../training/data-figures.ts";
import { comparisonFigure } from "../training/figures/comparison.ts";
import { svgToPng, writeFigure } from "../training/figures.ts";
import { viewBoxes } from "../training/run-figures.ts";
import { encoderFeatures, type Features } from "./features.ts";
import type { ReadOut } from "./probe.ts";

export interface CodeFigure {
  /** The rule whose code is looked into. */
  readonly name: string;
  readonly config: Config;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly encoders: readonly string[];
  readonly readOuts: readonly { readonly readOut: ReadOut; readonly accuracies: readonly number[] }[];
  readonly labels: number | "all";
  readonly verdicts: Readonly<Record<Condition, Verdict>> | undefined;
}

const [pairsShown, picturesShown, neighbours] = [6, 4, 4];
const numerals: Readonly<Record<Condition, string>> = {
  activities: "(i)",
  arithmetic: "(ii)",
  transport: "(iii)",
  labels: "(iv)",
};
const names: Readonly<Record<ReadOut, string>> = {
  paper: "the paper's linear probe",
  scaleFree: "scale-free linear probe",
  kNN: "k nearest neighbours",
};

/** Writes compare.svg and compare.png into `folder`. */
export async function drawComparison(
  folder: string,
  { name, config, weights, encoders, readOuts, labels, verdicts }: CodeFigure,
  { dataset, train, test }: { readonly dataset: ImageSet; readonly train: ImageSet; readonly test: ImageSet },
  backend: Backend,
): Promise<void> {
  const model = createModel(networks[config.encoder]);
  const random = new Map([...initialise(model, config.seed)].map(([tensor, values]) => [tensor.name, values]));
  const codes = [random, weights];
  const queries = firstOfClasses(test, picturesShown);
  const nearest: number[][][] = [];
  for (const of of codes) {
    const { features } = await encoderFeatures(
      { network: config.encoder, valueRange: config.valueRange, normalise: config.normalise, weights: of },
      [train, test],
      backend,
    );
    nearest.push(nearestRows(features[0], features[1], queries, neighbours));
  }
  const { views, images } = await firstViews(config, dataset, backend);
  const { height, width, channels } = model.encoder;
  const size = height * width * channels;
  const passed = verdicts
    ? conditions.filter((one) => verdicts[one].verdict === "pass").map((one) => numerals[one])
    : [];
  const svg = await comparisonFigure({
    title: `${name}: learning without labels`,
    caption:
      passed.length === conditions.length
        ? "It satisfies the paper's four conditions of biological plausibility, (i) to (iv)."
        : `Of the paper's four conditions it satisfies ${passed.join(", ") || "none"} in full.`,
    views: {
      height,
      width,
      channels,
      ...seenBy(config),
      range: config.valueRange,
      boxes: viewBoxes(config, size, views, { images, most: pairsShown }),
    },
    alike: {
      height: test.height,
      width: test.width,
      channels: test.channels,
      codes: ["untrained", name],
      rows: queries.map((query, q) => ({
        picture: pictureOf(test, query),
        nearest: nearest.map((rows) =>
          rows[q].map((row) => ({ picture: pictureOf(train, row), right: train.labels[row] === test.labels[query] })),
        ),
      })),
    },
    readOuts: readOuts.map(({ readOut, accuracies }) => ({ name: names[readOut], accuracies })),
    encoders,
    readOutCaption: `Accuracy in % on ${test.count} new pictures, ${labels} labels a class; dashed: chance`,
    chance: 1 / test.classes.length,
  });
  await writeFigure(folder, "compare", svg, await svgToPng(svg));
}

/** What a configuration learns from, as a heading and a note. */
function seenBy({ augmentation: { kind }, loss, pairing }: Config): { heading: string; note: string } {
  if (loss.kind === "crossEntropy" || loss.kind === "amitHinge")
    return { heading: "It sees pictures and their labels", note: "The other rules see no label" };
  if (kind === "patches")
    return { heading: "It sees patches of pictures, and no label", note: "A patch, and one below that it predicts" };
  const change = {
    simclr: ", cropped, flipped and tinted at random",
    affine: ", moved, turned and stretched at random",
    none: "",
  }[kind];
  const pair = {
    augmentation: "Two views of one picture",
    frames: "Two frames of one object",
    shuffledImages: "A control: views of pictures that do not belong together",
    shuffledFrames: "A control: frames that do not belong together",
  }[pairing ?? "augmentation"];
  return { heading: "It sees pairs of views, and no label", note: pair + change };
}

/** The first picture of each of the first so many classes. */
function firstOfClasses({ labels, classes }: ImageSet, count: number): number[] {
  return Array.from({ length: Math.min(count, classes.length) }, (_, label) => labels.indexOf(label)).filter(
    (i) => i >= 0,
  );
}

function pictureOf({ pixels, height, width, channels }: ImageSet, i: number): Float32Array {
  const size = height * width * channels;
  return Float32Array.from(pixels.subarray(i * size, (i + 1) * size), (value) => value / 255);
}

/** Rows of `pool` with the largest cosine to each of some rows of `set`, after the pool's mean is taken off; largest first. */
export function nearestRows(pool: Features, set: Features, rows: readonly number[], count: number): number[][] {
  const { width } = pool;
  const mean = new Float64Array(width);
  for (let i = 0; i < pool.count; i++) for (let k = 0; k < width; k++) mean[k] += pool.rows[i * width + k] / pool.count;
  const centred = ({ rows: all }: Features, i: number): Float64Array => {
    const row = new Float64Array(width);
    for (let k = 0; k < width; k++) row[k] = all[i * width + k] - mean[k];
    return row;
  };
  const queries = rows.map((row) => centred(set, row));
  const similarities = queries.map(() => new Float64Array(pool.count));
  for (let i = 0; i < pool.count; i++) {
    const row = centred(pool, i);
    let squares = 0;
    for (const value of row) squares += value * value;
    for (const [q, query] of queries.entries()) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += row[k] * query[k];
      similarities[q][i] = squares > 0 ? sum / Math.sqrt(squares) : 0;
    }
  }
  return similarities.map((values) =>
    Array.from(values.keys())
      .sort((a, b) => values[b] - values[a])
      .slice(0, count),
  );
}

// The picture of a comparison: what a rule is shown, which pictures its representation finds similar beside the random encoder's, and the accuracies.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { networkOf } from "../encoders/networks.ts";
import { type Features, selectRows } from "../evaluation/features.ts";
import { largestIndices } from "../evaluation/knn.ts";
import { dot } from "../evaluation/lbfgs.ts";
import type { ReadOut } from "../evaluation/probe.ts";
import { meanOf } from "../evaluation/standardise.ts";
import { comparisonFigure } from "../figures/comparison.ts";
import { svgToPng } from "../figures/png.ts";
import { writeFigure } from "../figures/write-figure.ts";
import { type Condition, conditions, type Verdict } from "../program/audit.ts";
import type { Config } from "../training/config.ts";
import { madeLoss } from "../training/registry.ts";
import { firstViews } from "./data-figures.ts";
import { viewBoxes } from "./run-figures.ts";

export interface CodeFigure {
  /** The rule whose code is looked into. */
  readonly name: string;
  readonly config: Config;
  /** Before training and after. */
  readonly codes: readonly [Alike, Alike];
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

/** Which pictures a representation finds similar: of each picture that is asked for, the nearest ones of a pool. */
export interface Alike {
  readonly pool: ImageSet;
  readonly nearest: readonly (readonly number[])[];
}

/** Of the pictures of a test set that the figure shows, `pool` and `test` with their features in one code. */
export function alikeIn(pool: ImageSet, features: Features, test: ImageSet, tested: Features): Alike {
  const asked = selectRows(tested, Int32Array.from(firstOfClasses(test, picturesShown)));
  return { pool, nearest: nearestRows(features, asked, neighbours) };
}

/** Writes compare.svg and compare.png into `folder`. */
export async function drawComparison(
  folder: string,
  { name, config, codes, encoders, readOuts, labels, verdicts }: CodeFigure,
  { dataset, test }: { readonly dataset: ImageSet; readonly test: ImageSet },
  backend: Backend,
): Promise<void> {
  const queries = firstOfClasses(test, picturesShown);
  const { views, images } = await firstViews(config, dataset, backend);
  const { height, width, channels } = networkOf(config.encoder);
  const size = height * width * channels;
  const passed = verdicts
    ? conditions.filter((one) => verdicts[one].verdict === "pass").map((one) => numerals[one])
    : [];
  const svg = await comparisonFigure({
    title: `${name}: learning without labels`,
    caption:
      passed.length === conditions.length
        ? "It satisfies all four of the paper's conditions, (i) to (iv)."
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
        nearest: codes.map(({ pool, nearest }) =>
          nearest[q].map((row) => ({ picture: pictureOf(pool, row), right: pool.labels[row] === test.labels[query] })),
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
function seenBy(config: Config): { heading: string; note: string } {
  const { augmentation, pairing } = config;
  const { kind } = augmentation;
  if (madeLoss(config).labelled)
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

/** Rows of `pool` with the largest cosine to each row of `asked`, after the pool's mean is taken off; largest first. */
export function nearestRows(pool: Features, asked: Features, count: number): number[][] {
  const { width } = pool;
  const mean = meanOf(pool.rows, width, Int32Array.from(pool.labels.keys()));
  const centred = ({ rows }: Features, i: number): Float64Array => mean.map((value, k) => rows[i * width + k] - value);
  const queries = Array.from({ length: asked.count }, (_, q) => centred(asked, q));
  const similarities = queries.map(() => new Float64Array(pool.count));
  for (let i = 0; i < pool.count; i++) {
    const row = centred(pool, i);
    const square = dot(row, row);
    if (square > 0)
      for (const [q, query] of queries.entries()) similarities[q][i] = dot(row, query) / Math.sqrt(square);
  }
  return similarities.map((values) => largestIndices(values, count));
}

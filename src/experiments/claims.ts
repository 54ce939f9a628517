// The orders that the paper claims of Table 1, each held against accuracies: holds, does not hold, or not decided, with the numbers.

import type { Score } from "../evaluation/probe.ts";
import { mean } from "../program/mean.ts";
import { rowName, type Table1Row, table1 } from "./table1.ts";

export type Side = "random" | string;

/** `above` reads out above `below` by at least `by` per cent points; `alike`: within `by` of each other. */
export interface Claim {
  readonly text: string;
  readonly pairs: readonly (readonly [better: Side, worse: Side])[];
  readonly kind: "above" | "alike";
  /** Per cent points. */
  readonly by: number;
}

const rowOf = (learning: Table1Row["learning"], update: Table1Row["update"], constrained: boolean): string => {
  const row = table1.find(
    (one) => one.loss === "contrastiveHinge" && one.learning === learning && one.update === update,
  );
  if (row === undefined) throw new Error(`Table 1 has no row ${learning} ${update}`);
  return rowName(row, constrained);
};
const both = (make: (constrained: boolean) => readonly [Side, Side][]): (readonly [Side, Side])[] => [
  ...make(true),
  ...make(false),
];

export const table1Claims: readonly Claim[] = [
  {
    text: "trained encoders read out above the random one",
    kind: "above",
    by: 0,
    pairs: both((constrained) =>
      table1
        .filter(({ freeOnly = false, loss }) => loss === "contrastiveHinge" && !(constrained && freeOnly))
        .map((row) => [rowName(row, constrained), "random"]),
    ),
  },
  {
    text: "URF is as good as BP",
    kind: "alike",
    by: 1.5,
    pairs: both((c) => (["E2E", "GLL", "RLL"] as const).map((l) => [rowOf(l, "URF", c), rowOf(l, "BP", c)])),
  },
  {
    text: "RF is below BP",
    kind: "above",
    by: 0,
    pairs: both((c) => (["E2E", "GLL", "RLL"] as const).map((l) => [rowOf(l, "BP", c), rowOf(l, "RF", c)])),
  },
  {
    text: "under RF layer-wise learning is above end-to-end learning",
    kind: "above",
    by: 0,
    pairs: both((c) => (["GLL", "RLL"] as const).map((l) => [rowOf(l, "RF", c), rowOf("E2E", "RF", c)])),
  },
  {
    text: "under BP layer-wise learning is as good as end-to-end learning, or better",
    kind: "above",
    by: -1.5,
    pairs: both((c) => (["GLL", "RLL"] as const).map((l) => [rowOf(l, "BP", c), rowOf("E2E", "BP", c)])),
  },
  {
    text: "DTP with pooling is as good as BP",
    kind: "alike",
    by: 1.5,
    pairs: [[rowOf("E2E", "DTP", false), rowOf("E2E", "BP", false)]],
  },
  {
    text: "gradient block and 5 negatives cost 1 to 2 points under BP",
    kind: "alike",
    by: 2.5,
    pairs: (["E2E", "GLL", "RLL"] as const).map((l) => [rowOf(l, "BP", true), rowOf(l, "BP", false)]),
  },
];

export type Decision = "holds" | "does not hold" | "not decided";

/** Two sides under one read-out: difference of their means in per cent points, and its standard error. */
export interface Difference {
  readonly readOut: string;
  readonly labelsPerClass: number | "all";
  readonly difference: number;
  readonly error: number;
  readonly decision: Decision;
}

/** Scores of one side: one group for each seed of training. */
export type Runs = readonly (readonly Score[])[];

/**
 * The difference under every read-out and number of labels that both sides have. Its error is that of the difference of the two means over
 * seeds of training; with one seed, that of shares of `testImages`. A claim holds where the difference passes its bound by twice the error,
 * does not hold where it misses it by as much, and else is not decided.
 */
export function differences(
  a: Runs,
  b: Runs,
  { kind, by }: Pick<Claim, "kind" | "by">,
  testImages: number,
): Difference[] {
  const keys = new Map(
    a.flat().map(({ readOut, labelsPerClass }) => [`${readOut}/${labelsPerClass}`, { readOut, labelsPerClass }]),
  );
  return [...keys.values()].flatMap(({ readOut, labelsPerClass }) => {
    const [left, right] = [a, b].map((runs) =>
      runs
        .map((scores) => scores.filter((one) => one.readOut === readOut && one.labelsPerClass === labelsPerClass))
        .filter((scores) => scores.length > 0)
        .map((scores) => mean(scores.map(({ accuracy }) => accuracy))),
    );
    if (left.length === 0 || right.length === 0) return [];
    const difference = 100 * (mean(left) - mean(right));
    const error = 100 * Math.sqrt(squaredError(left, testImages) + squaredError(right, testImages));
    return [{ readOut, labelsPerClass, difference, error, decision: decide(difference, error, kind, by) }];
  });
}

function decide(difference: number, error: number, kind: Claim["kind"], by: number): Decision {
  const margin = 2 * error;
  if (kind === "above")
    return difference - by > margin ? "holds" : difference - by < -margin ? "does not hold" : "not decided";
  const distance = Math.abs(difference);
  return distance + margin < by ? "holds" : distance - margin > by ? "does not hold" : "not decided";
}

/** Squared standard error of a mean of accuracies: over seeds where there are several, else of a share of the test set. */
function squaredError(accuracies: readonly number[], testImages: number): number {
  const centre = mean(accuracies);
  const sampling = (centre * (1 - centre)) / testImages;
  if (accuracies.length === 1) return sampling;
  const variance = accuracies.reduce((sum, one) => sum + (one - centre) ** 2, 0) / (accuracies.length - 1);
  return Math.max(variance, sampling) / accuracies.length;
}

/** Of several differences: what most of them say, where none says the opposite. */
export function overall(decisions: readonly Decision[]): Decision {
  const count = (wanted: Decision): number => decisions.filter((one) => one === wanted).length;
  const [holds, not] = [count("holds"), count("does not hold")];
  if (holds > decisions.length / 2 && not === 0) return "holds";
  if (not > decisions.length / 2 && holds === 0) return "does not hold";
  return "not decided";
}

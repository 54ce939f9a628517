// Claims of the paper, held against accuracies: each holds, does not hold, or is not decided, with the numbers.

import type { Score } from "../evaluation/probe.ts";
import { mean } from "../program/mean.ts";
import type { Decision, ReportedClaim } from "./report.ts";
import { readOutTitles } from "./rows.ts";

/** `above` reads out above `below` by at least `by` per cent points; `alike`: within `by` of each other. */
export interface Claim {
  readonly text: string;
  readonly source: string;
  /** Titles of rows, or `random`. */
  readonly pairs: readonly (readonly [better: string, worse: string])[];
  readonly kind: "above" | "alike";
  /** Per cent points. */
  readonly by: number;
}

/** Two sides under one read-out: difference of their means in per cent points, and its standard error. */
export interface Difference {
  readonly readOut: Score["readOut"];
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

/** Claims with their decisions; a claim of which nothing was measured has none. */
export function judge(claims: readonly Claim[], runsOf: (title: string) => Runs, testImages: number): ReportedClaim[] {
  return claims.map(({ text, source, pairs, kind, by }) => {
    const found = pairs.flatMap(([a, b]) =>
      differences(runsOf(a), runsOf(b), { kind, by }, testImages).map((difference) => ({ a, b, difference })),
    );
    return {
      text,
      source,
      decision: found.length === 0 ? undefined : overall(found.map(({ difference }) => difference.decision)),
      evidence: found.map(({ a, b, difference: { readOut, labelsPerClass, difference, error, decision } }) => {
        const labels = labelsPerClass === "all" ? "all labels" : `${labelsPerClass} labels a class`;
        const sign = difference >= 0 ? "+" : "−";
        return `${a} against ${b}, ${readOutTitles[readOut]}, ${labels}: ${sign}${Math.abs(difference).toFixed(1)} ± ${error.toFixed(1)} points (${decision})`;
      }),
    };
  });
}

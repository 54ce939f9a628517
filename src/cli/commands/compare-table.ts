// The table of saccade compare: a row for each encoder, with the audit's verdicts beside its accuracies, and what each training took.

import { join } from "node:path";
import { type Mean, type ReadOut, type Score, summarise } from "../../evaluation/probe.ts";
import { type Condition, conditions, type Verdict } from "../../program/audit.ts";
import { duration } from "../../program/duration.ts";
import type { ProbeConfig } from "../../training/config.ts";
import { formatTable, wrap } from "../table.ts";
import type { ProbeSets } from "./probe.ts";

/** A row of the table. */
export interface Row {
  readonly name: string;
  readonly verdicts: Readonly<Record<Condition, Verdict>> | undefined;
  readonly scores: readonly (Score & { readonly trainingSeed: number })[];
}

/** What a training takes. */
export interface Cost {
  /** Floating-point operations, counted. */
  readonly teraflops: number;
  readonly pairs: number;
  readonly steps: number;
}

const shortReadOuts: Readonly<Record<ReadOut, string>> = { paper: "paper's", scaleFree: "scale-free", kNN: "kNN" };

/** A cell of several numbers of labels: "38.3 / 66.2". */
function cellOf(scores: readonly Score[], readOut: ReadOut, labels: readonly (number | "all")[]): string {
  const means = summarise(scores);
  const texts = labels.map((wanted) =>
    means.find((mean: Mean) => mean.readOut === readOut && mean.labelsPerClass === wanted),
  );
  return texts.map((mean) => (mean ? (100 * mean.mean).toFixed(1) : "–")).join(" / ");
}

/** Prints the table with what it is of. */
export function printComparison(
  rows: readonly Row[],
  costs: readonly (Cost & { readonly name: string; readonly seconds?: number })[],
  { probe: wanted }: { readonly probe: ProbeConfig },
  { train, test }: ProbeSets,
  { out, seeds }: { readonly out: string; readonly seeds: number },
): void {
  const { readOuts, labelsPerClass } = wanted;
  const table = [
    ["", "(i)", "(ii)", "(iii)", "(iv)", ...readOuts.map((one) => shortReadOuts[one])],
    ...rows.map(({ name, verdicts, scores }) => [
      name,
      ...conditions.map((condition) => verdicts?.[condition].word ?? "–"),
      ...readOuts.map((one) => cellOf(scores, one, labelsPerClass)),
    ]),
  ];
  const labels = labelsPerClass.map((one) => (one === "all" ? "all" : String(one))).join(" / ");
  const lines = [
    "",
    formatTable(table, 5),
    "",
    wrap(
      `Accuracy in % with ${labels} labels a class: the paper's linear probe, a scale-free linear probe, k nearest neighbours.`,
    ),
    ...(seeds > 1 ? [wrap(spreadOf(rows, seeds))] : []),
    wrap(`Labels from ${train.name} (${train.count} images), tested on ${test.name} (${test.count}).`),
    wrap(
      "Conditions of the paper: (i) only activities at the synapse, (ii) no normalisation, inner product or division, (iii) no weight transport, (iv) no labels; saccade audit says why.",
    ),
    ...costs.map(({ name, teraflops, pairs, steps, seconds }) =>
      wrap(
        `${name}: ${teraflops.toFixed(1)} TFLOP, ${pairs.toLocaleString("en-US")} pairs of views in ${steps} steps${seconds === undefined ? "" : `, ${duration(seconds)}`}.`,
      ),
    ),
    "",
    `The picture is ${join(out, "compare.png")}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** What the table's means are over, and how far apart the seeds are. */
function spreadOf(rows: readonly Row[], seeds: number): string {
  const largest = Math.max(...rows.flatMap(({ scores }) => summarise(scores).map(({ sd }) => sd)));
  return `Means over ${seeds} seeds of training, whose standard deviation is at most ${(100 * largest).toFixed(1)}.`;
}

// Table 1 of the paper: CIFAR-100 → CIFAR-10, every rule without constraints, and with gradient block and 5 negatives.

import { type Claim, judge } from "./claims.ts";
import type { Experiment } from "./experiment.ts";
import { planRows, type Row, ruleTitle } from "./rows.ts";
import { type Cell, cellConfig, probeConfig, repeatCommand, rolesOf, type Study } from "./study.ts";

type Rule = Pick<Cell, "loss" | "learning" | "update">;

/** One row; `published` in per cent: all negatives and no gradient block, then 5 negatives and gradient block. */
export interface Table1Row extends Rule {
  readonly published: { readonly free?: number; readonly constrained?: number };
  /** The row has no second column. */
  readonly freeOnly?: boolean;
}

const hinge = "contrastiveHinge";

/** The paper prints one number for BP and URF of a layer that learns alone; URF end to end is ours. */
export const table1Rows: readonly Table1Row[] = [
  { loss: hinge, learning: "E2E", update: "BP", published: { free: 71.44, constrained: 70.35 } },
  { loss: hinge, learning: "E2E", update: "URF", published: {} },
  { loss: hinge, learning: "E2E", update: "DTP", published: { free: 71.29, constrained: 67.74 } },
  { loss: hinge, learning: "E2E", update: "RF", published: { free: 61.7, constrained: 63.61 } },
  { loss: hinge, learning: "GLL", update: "BP", published: { free: 72.76, constrained: 71.14 } },
  { loss: hinge, learning: "GLL", update: "URF", published: { free: 72.76, constrained: 71.14 } },
  { loss: hinge, learning: "GLL", update: "RF", published: { free: 67.83, constrained: 66.52 } },
  { loss: hinge, learning: "RLL", update: "BP", published: { free: 71.35, constrained: 71.17 } },
  { loss: hinge, learning: "RLL", update: "URF", published: { free: 71.35, constrained: 71.17 } },
  { loss: hinge, learning: "RLL", update: "RF", published: { free: 65.94, constrained: 65.49 } },
  { loss: "simclr", learning: "E2E", update: "BP", published: { free: 72.44 }, freeOnly: true },
  { loss: "clapp", learning: "E2E", update: "BP", published: { free: 69.05 }, freeOnly: true },
  { loss: "clapp", learning: "GLL", update: "BP", published: { free: 68.93 }, freeOnly: true },
];

/** The untrained encoder under the same classifier, in per cent. */
export const table1Random = 61.23;

/** "hinge, GLL, URF, block and 5 negatives". */
export const rowTitle = (rule: Rule, constrained: boolean): string =>
  `${ruleTitle(rule)}${constrained ? ", block and 5 negatives" : ""}`;

/** A cell of Table 1, as any other experiment on CIFAR may ask for it. */
export const table1Cell = (rule: Rule, constrained: boolean): Cell => ({
  ...{ loss: rule.loss, learning: rule.learning, update: rule.update },
  ...{ setting: "cifar", negatives: constrained ? 5 : "all", block: constrained },
});

/** Constrained rows first: they are cheaper, and most claims are about them. */
export function table1Columns(study: Study): Row[] {
  return [true, false].flatMap((constrained) =>
    table1Rows
      .filter(({ freeOnly = false }) => !(constrained && freeOnly))
      .map((row): Row => {
        const published = row.published[constrained ? "constrained" : "free"];
        return {
          title: rowTitle(row, constrained),
          published: published === undefined ? undefined : [published],
          config: (seed) => cellConfig(study, table1Cell(row, constrained), seed),
        };
      }),
  );
}

const titleOf = (learning: Rule["learning"], update: Rule["update"], constrained: boolean): string =>
  rowTitle({ loss: hinge, learning, update }, constrained);
const both = (make: (constrained: boolean) => readonly (readonly [string, string])[]) => [
  ...make(true),
  ...make(false),
];
const source = "Table 1";

export const table1Claims: readonly Claim[] = [
  {
    text: "trained encoders read out above the random one",
    ...{ source, kind: "above", by: 0 },
    pairs: both((constrained) =>
      table1Rows
        .filter(({ freeOnly = false, loss }) => loss === hinge && !(constrained && freeOnly))
        .map((row) => [rowTitle(row, constrained), "random"] as const),
    ),
  },
  {
    text: "URF is as good as BP",
    ...{ source, kind: "alike", by: 1.5 },
    pairs: both((c) =>
      (["E2E", "GLL", "RLL"] as const).map((l) => [titleOf(l, "URF", c), titleOf(l, "BP", c)] as const),
    ),
  },
  {
    text: "RF is below BP",
    ...{ source, kind: "above", by: 0 },
    pairs: both((c) =>
      (["E2E", "GLL", "RLL"] as const).map((l) => [titleOf(l, "BP", c), titleOf(l, "RF", c)] as const),
    ),
  },
  {
    text: "under RF layer-wise learning is above end-to-end learning",
    ...{ source, kind: "above", by: 0 },
    pairs: both((c) => (["GLL", "RLL"] as const).map((l) => [titleOf(l, "RF", c), titleOf("E2E", "RF", c)] as const)),
  },
  {
    text: "under BP layer-wise learning is as good as end-to-end learning, or better",
    ...{ source, kind: "above", by: -1.5 },
    pairs: both((c) => (["GLL", "RLL"] as const).map((l) => [titleOf(l, "BP", c), titleOf("E2E", "BP", c)] as const)),
  },
  {
    text: "DTP with pooling is as good as BP",
    ...{ source, kind: "alike", by: 1.5 },
    pairs: [[titleOf("E2E", "DTP", false), titleOf("E2E", "BP", false)]],
  },
  {
    text: "gradient block and 5 negatives cost 1 to 2 points under BP",
    ...{ source, kind: "alike", by: 2.5 },
    pairs: (["E2E", "GLL", "RLL"] as const).map((l) => [titleOf(l, "BP", true), titleOf(l, "BP", false)] as const),
  },
];

export const table1: Experiment = {
  name: "table1",
  title: "Table 1: linear evaluation on CIFAR-10 of encoders trained on CIFAR-100",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const probe = probeConfig(study, "cifar");
    const planned = await planRows(study, plan, {
      experiment: "table1",
      command: (title) => repeatCommand(study, "table1", title),
      rows: table1Columns(study),
      probe,
      publishedRandom: table1Random,
      audited: true,
    });
    return async (read) => ({
      text: [],
      training: planned.methods(read),
      tables: [
        planned.table(read, {
          name: "table1",
          caption:
            "Every rule of Table 1 under three read-outs, with so many labels. The paper prints single runs of its own probe with all labels.",
        }),
      ],
      claims: judge(table1Claims, (title) => planned.runsOf(read, title), study.scale.settings.cifar.tested),
      figures: [],
      ledger: planned.ledger(read),
    });
  },
};

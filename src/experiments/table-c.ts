// Supplement C of the paper: SimCLR's loss with the plausible rules. Its numbers are not at hand; the table is ours.

import { type Claim, judge } from "./claims.ts";
import type { Experiment } from "./experiment.ts";
import { planRows, type Row, ruleTitle } from "./rows.ts";
import { type Cell, cellConfig, probeConfig, repeatCommand, rolesOf, type Study } from "./study.ts";

const simclr = { setting: "cifar", loss: "simclr", negatives: "all", block: false } as const;

const cells: readonly Cell[] = [
  { ...simclr, learning: "E2E", update: "BP" },
  { ...simclr, learning: "E2E", update: "URF" },
  { ...simclr, learning: "E2E", update: "RF" },
  { ...simclr, learning: "E2E", update: "DTP" },
  { ...simclr, learning: "GLL", update: "BP" },
  { ...simclr, learning: "GLL", update: "URF" },
  { ...simclr, learning: "GLL", update: "RF" },
  { ...simclr, learning: "RLL", update: "BP" },
  { ...simclr, learning: "RLL", update: "URF" },
  { ...simclr, learning: "RLL", update: "RF" },
];

const rowsOf = (study: Study): Row[] =>
  cells.map((cell) => ({ title: ruleTitle(cell), config: (seed) => cellConfig(study, cell, seed) }));

const title = (learning: Cell["learning"], update: Cell["update"]): string =>
  ruleTitle({ ...simclr, learning, update });
const source = "Supplement C";

/** What the hinge's table claims of the rules, asked of SimCLR's loss. */
const claims: readonly Claim[] = [
  {
    text: "with SimCLR's loss URF is as good as BP",
    ...{ source, kind: "alike", by: 1.5 },
    pairs: (["E2E", "GLL", "RLL"] as const).map((learning) => [title(learning, "URF"), title(learning, "BP")] as const),
  },
  {
    text: "with SimCLR's loss RF is below BP",
    ...{ source, kind: "above", by: 0 },
    pairs: (["E2E", "GLL", "RLL"] as const).map((learning) => [title(learning, "BP"), title(learning, "RF")] as const),
  },
];

export const tableC: Experiment = {
  name: "tableC",
  title: "Supplement C: SimCLR's loss with every rule, CIFAR-100 → CIFAR-10",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const probe = probeConfig(study, "cifar");
    const planned = await planRows(study, plan, {
      experiment: "tableC",
      command: (title) => repeatCommand(study, "tableC", title),
      rows: rowsOf(study),
      probe,
    });
    return async (read) => ({
      text: ["The supplement's numbers are not at hand: what its rules do is checked by order."],
      training: planned.methods(read),
      tables: [planned.table(read, { name: "tableC", caption: "SimCLR's loss with all negatives, under every rule." })],
      claims: judge(claims, (name) => planned.runsOf(read, name), study.scale.settings.cifar.tested),
      figures: [],
      ledger: [],
    });
  },
};

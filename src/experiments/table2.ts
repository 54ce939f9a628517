// Table 2 of the paper: STL-10 with VGG6 and 5 negatives (GLL also with one), and CLAPP on patches.

import { type Claim, judge } from "./claims.ts";
import type { Experiment } from "./experiment.ts";
import { planRows, type Row, ruleTitle } from "./rows.ts";
import { type Cell, cellConfig, probeConfig, repeatCommand, rolesOf, type Study } from "./study.ts";

const stl = { setting: "stl", loss: "contrastiveHinge", negatives: 5, block: true } as const;
const patches = { setting: "stl", loss: "clappPatches", update: "BP", negatives: 1, block: false } as const;

/** The text copy of the paper drops which of two numbers is the one with a single negative. */
const cells: readonly { readonly cell: Cell; readonly published: readonly number[] }[] = [
  { cell: { ...stl, learning: "E2E", update: "BP" }, published: [70.13] },
  { cell: { ...stl, learning: "E2E", update: "RF" }, published: [55.01] },
  { cell: { ...stl, learning: "GLL", update: "BP" }, published: [68.26, 68.8] },
  { cell: { ...stl, learning: "GLL", update: "URF" }, published: [68.26, 68.8] },
  { cell: { ...stl, learning: "GLL", update: "URF", negatives: 1 }, published: [68.26, 68.8] },
  { cell: { ...stl, learning: "GLL", update: "RF" }, published: [60.0, 60.5] },
  { cell: { ...stl, learning: "GLL", update: "RF", negatives: 1 }, published: [60.0, 60.5] },
  { cell: { ...stl, learning: "RLL", update: "BP" }, published: [64.61] },
  { cell: { ...stl, learning: "RLL", update: "URF" }, published: [64.61] },
  { cell: { ...stl, learning: "RLL", update: "RF" }, published: [55.14] },
  { cell: { ...patches, learning: "E2E" }, published: [71.88] },
  { cell: { ...patches, learning: "GLL" }, published: [68.74] },
];

const titleOf = (cell: Cell): string =>
  `${ruleTitle(cell)}${cell.loss === "contrastiveHinge" ? `, ${cell.negatives === 1 ? "1 negative" : "5 negatives"}` : ""}`;

const rowsOf = (study: Study): Row[] =>
  cells.map(({ cell, published }) => ({
    title: titleOf(cell),
    published,
    config: (seed) => cellConfig(study, cell, seed),
    // Its network reads grey pictures.
    ...(cell.loss === "clappPatches" ? { probe: probeConfig(study, "stl", { grey: true }) } : {}),
  }));

const title = (learning: Cell["learning"], update: Cell["update"]): string => titleOf({ ...stl, learning, update });
const source = "Table 2";

/** What the table shows; its text compares the same. */
export const table2Claims: readonly Claim[] = [
  {
    text: "on STL-10 trained encoders read out above the random one",
    ...{ source, kind: "above", by: 0 },
    pairs: cells
      .filter(({ cell }) => cell.loss === "contrastiveHinge")
      .map(({ cell }) => [titleOf(cell), "random"] as const),
  },
  {
    text: "on STL-10 URF is as good as BP, layer by layer",
    ...{ source, kind: "alike", by: 1.5 },
    pairs: (["GLL", "RLL"] as const).map((learning) => [title(learning, "URF"), title(learning, "BP")] as const),
  },
  {
    text: "on STL-10 RF is below BP",
    ...{ source, kind: "above", by: 0 },
    pairs: (["E2E", "GLL", "RLL"] as const).map((learning) => [title(learning, "BP"), title(learning, "RF")] as const),
  },
  {
    text: "one negative is as good as five",
    ...{ source, kind: "alike", by: 1.5 },
    pairs: (["URF", "RF"] as const).map(
      (update) =>
        [
          titleOf({ ...stl, learning: "GLL", update, negatives: 1 }),
          titleOf({ ...stl, learning: "GLL", update }),
        ] as const,
    ),
  },
];

export const table2: Experiment = {
  name: "table2",
  title: "Table 2: linear evaluation on STL-10 of VGG6 trained on its unlabelled pictures",
  roles: rolesOf("stl"),
  plan: async (study, plan) => {
    const planned = await planRows(study, plan, {
      experiment: "table2",
      command: (title) => repeatCommand(study, "table2", title),
      rows: rowsOf(study),
      probe: probeConfig(study, "stl"),
      publishedRandom: 46.78,
    });
    return async (read) => ({
      text: [],
      training: planned.methods(read),
      tables: [
        planned.table(read, {
          name: "table2",
          caption:
            "With gradient block. The paper prints two numbers where it trained with 5 negatives and with 1; the copy at hand does not say which is which.",
        }),
      ],
      claims: judge(table2Claims, (name) => planned.runsOf(read, name), study.scale.settings.stl.tested),
      figures: [],
      ledger: [],
    });
  },
};

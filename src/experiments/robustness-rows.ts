// Rows of Tables 3 and 4: self-supervised encoders with classifiers on a few labels and on all, beside networks that learnt from those labels
// alone; on pictures as they are, and deformed.

import { type Recipe, type SingleKind, singles } from "../data/deformations.ts";
import type { Curve, RobustnessScore } from "../evaluation/robustness.ts";
import { robustnessFigure } from "../figures/robustness-figures.ts";
import { mean } from "../program/mean.ts";
import type { Config, ProbeConfig } from "../training/config.ts";
import type { Runs } from "./claims.ts";
import type { Plan, Promised, Read } from "./plan.ts";
import type { Measured, ReportFigure, ReportTable, TableRow } from "./report.ts";
import { readOutTitles } from "./rows.ts";
import type { SettingName } from "./scales.ts";
import type { Study } from "./study.ts";

/** Self-supervised: all numbers of labels are read out of one encoder. Supervised: a network for each number of labels. */
export interface RobustRow {
  readonly title: string;
  readonly config: (seed: number) => Promise<Config>;
  /** Of a supervised network: the labels a class that it learnt from. */
  readonly labelsPerClass?: number | "all";
}

export interface PlannedRobustness {
  readonly table: (read: Read, facts: Pick<ReportTable, "name" | "caption">) => ReportTable;
  /** Of a row with so many labels on pictures as they are or deformed, seed by seed; a supervised network's own answers stand under every read-out. */
  readonly runsOf: (read: Read, title: string, labels: number | "all", strength: number) => Runs;
  readonly figures: (read: Read, facts: { readonly name: string; readonly caption: string }) => Promise<ReportFigure[]>;
}

/** Strengths of the recipe in a curve; 1 is the recipe. */
const strengths = [0.5, 1, 1.5, 2];

export async function planRobustness(
  { seeds, scale }: Study,
  plan: Plan,
  {
    experiment,
    rows,
    setting,
    probe: whole,
    recipe,
    single,
  }: {
    readonly experiment: string;
    readonly rows: readonly RobustRow[];
    readonly setting: SettingName;
    readonly probe: ProbeConfig;
    readonly recipe: Recipe;
    readonly single: readonly SingleKind[];
  },
): Promise<PlannedRobustness> {
  const probe = { ...whole, test: { ...whole.test, limit: scale.settings[setting].deformed } };
  const short = scale.name === "smoke";
  const curves: Curve[] = [
    { deformation: recipe, strengths: short ? [1] : strengths },
    ...(short ? single.slice(0, 1) : single).map((kind) => ({
      deformation: { kind, outside: recipe.outside },
      strengths: short ? singles[kind].strengths.slice(0, 1) : singles[kind].strengths,
    })),
  ];
  const asked = new Map<string, Promised<"robustness">[]>();
  const ask = async (title: string, row: RobustRow, trained: boolean): Promise<void> => {
    const list: Promised<"robustness">[] = [];
    for (const seed of seeds) {
      const config = await row.config(seed);
      const task = { kind: "robustness", of: { config, trained }, probe, curves, seed: 0 } as const;
      list.push(plan.add(`${experiment}: ${title}, seed ${seed}, on deformed pictures`, task));
    }
    asked.set(title, list);
  };
  for (const row of rows) await ask(row.title, row, true);
  await ask("random", rows[0], false);

  const scoresOf = (read: Read, title: string): (readonly RobustnessScore[])[] =>
    (asked.get(title) ?? []).flatMap((promised) => {
      const result = read(promised);
      return result === undefined ? [] : [result.scores];
    });
  const accuraciesOf = (
    read: Read,
    { title, subject = "trained" }: { readonly title: string; readonly subject?: string },
    readOut: RobustnessScore["readOut"],
    labels: number | "all",
    strength: number,
  ): number[] =>
    scoresOf(read, title).flatMap((scores) => {
      const own = scores.filter(
        (score) =>
          score.subject === subject &&
          score.deformation === recipe.kind &&
          score.strength === strength &&
          score.readOut === readOut &&
          (readOut === "own" || score.labelsPerClass === labels),
      );
      return own.length === 0 ? [] : [mean(own.map(({ accuracy }) => accuracy))];
    });

  const { readOuts, labelsPerClass } = probe;
  const columns = [0, 1].flatMap((strength) => [...readOuts, "own" as const].map((readOut) => ({ strength, readOut })));
  const labelsText = (labels: number | "all"): string => (labels === "all" ? "all labels" : `${labels} labels a class`);
  /** A row's title, with its labels where rows differ in them. */
  const titled = (title: string, labels: number | "all"): string =>
    labelsPerClass.length > 1 ? `${title}, ${labelsText(labels)}` : title;

  return {
    runsOf: (read, title, labels, strength) => {
      const row = rows.find((one) => one.title === title);
      return scoresOf(read, title).map((_, i) =>
        readOuts.flatMap((readOut) => {
          const from = row?.labelsPerClass === undefined ? readOut : "own";
          const accuracy = accuraciesOf(read, { title }, from, labels, strength)[i];
          return accuracy === undefined
            ? []
            : [{ subject: "trained", readOut, labelsPerClass: labels, seed: 0, accuracy, details: {} }];
        }),
      );
    },
    table: (read, facts) => {
      const cells = (title: string, subject: string, labels: number | "all"): TableRow["cells"] =>
        columns.map(({ strength, readOut }): Measured | string => {
          const values = accuraciesOf(read, { title, subject }, readOut, labels, strength);
          return values.length === 0 ? "–" : { values };
        });
      const floor = (title: string, subject: string): TableRow[] =>
        labelsPerClass.map((labels) => ({
          title: titled(title, labels),
          floor: true,
          notes: [],
          cells: cells("random", subject, labels),
        }));
      return {
        ...facts,
        columns: columns.map(({ strength, readOut }) => ({
          title: readOut === "own" ? "own classifier" : readOutTitles[readOut],
          group: strength === 0 ? "pictures as they are" : "deformed",
        })),
        rows: [
          ...floor("random encoder", "random"),
          ...floor("pixels", "pixels"),
          ...rows.flatMap(({ title, labelsPerClass: own }): TableRow[] =>
            (own === undefined ? labelsPerClass : [own]).map((labels) => ({
              title: own === undefined ? titled(title, labels) : title,
              notes: [],
              cells: cells(title, "trained", labels),
            })),
          ),
        ],
      };
    },
    figures: async (read, { name, caption }) => {
      const first = [...asked].flatMap(([title, list]) => list.map((promised) => ({ title, result: read(promised) })));
      const known = first.flatMap(({ title, result }) => (result ? [{ title, result }] : []));
      if (known.length === 0) return [];
      const [{ result }] = known;
      const report = {
        ...result,
        options: { ...probe, curves: result.curves, seed: 0 },
        scores: known.flatMap(({ title, result: { scores } }) =>
          scores.map((score) => ({ ...score, subject: score.subject === "trained" ? title : score.subject })),
        ),
      };
      const figures: ReportFigure[] = [];
      for (const readOut of readOuts) {
        const svg = await robustnessFigure(
          report,
          readOut,
          `${readOutTitles[readOut]}, ${labelsText(labelsPerClass.at(-1) ?? "all")}; supervised networks with their own classifier`,
        );
        figures.push({
          name: `${name}-${readOut}`,
          caption: `${caption} Read-out: ${readOutTitles[readOut]}.`,
          svg,
        });
      }
      return figures;
    },
  };
}

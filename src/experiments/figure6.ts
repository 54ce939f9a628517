// Figure 6 of the paper: losses over training, end to end and layer by layer.

import { networkOf } from "../encoders/networks.ts";
import { lossCurves } from "../figures/loss-curve.ts";
import { learnings } from "../rules/learning.ts";
import type { Config } from "../training/config.ts";
import type { Experiment } from "./experiment.ts";
import type { Promised } from "./plan.ts";
import type { ReportFigure } from "./report.ts";
import { ruleTitle } from "./rows.ts";
import { type Cell, cellConfig, rolesOf } from "./study.ts";
import { table1Cell } from "./table1.ts";
import type { TrainResult } from "./task.ts";

type Rule = Pick<Cell, "loss" | "learning" | "update">;
const hinge = "contrastiveHinge";

const panels: readonly {
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly rules: readonly Rule[];
}[] = [
  {
    name: "end-to-end",
    title: "Loss, end to end",
    caption: "Loss over the epochs of rules that learn end to end (left half of the figure).",
    rules: (["BP", "URF", "RF", "DTP"] as const).map((update) => ({ loss: hinge, learning: "E2E", update })),
  },
  {
    name: "layer-wise",
    title: "Loss, layer by layer",
    caption:
      "Loss over the epochs of rules whose layers learn alone (right half). Under GLL every layer has its epochs in turn, under RLL a random layer learns at every step; their losses are of different layers and are not compared.",
    rules: (["GLL", "RLL"] as const).flatMap((learning) =>
      (["BP", "URF", "RF"] as const).map((update) => ({ loss: hinge, learning, update })),
    ),
  },
];

export const figure6: Experiment = {
  name: "figure6",
  title: "Figure 6: losses over training",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const [seed] = study.seeds;
    const planned = new Map<Rule, { readonly config: Config; readonly promised: Promised<"train"> }>();
    for (const rule of panels.flatMap(({ rules }) => rules)) {
      const config = await cellConfig(study, table1Cell(rule, false), seed);
      const promised = plan.add(`figure6: ${ruleTitle(rule)}, seed ${seed}`, {
        kind: "train",
        of: { config, trained: true },
      });
      planned.set(rule, { config, promised });
    }
    return async (read) => {
      const figures: ReportFigure[] = [];
      for (const { name, title, caption, rules } of panels) {
        const runs = rules.flatMap((rule) => {
          const { config, promised } = planned.get(rule) ?? {};
          const result = promised && read(promised);
          return config && result ? [{ name: ruleTitle(rule), points: pointsOf(result, config) }] : [];
        });
        if (runs.length === 0) continue;
        const svg = await lossCurves({ title, runs });
        figures.push({ name, caption, svg });
      }
      return { text: [], tables: [], claims: [], figures, ledger: [] };
    };
  },
};

/** Noted losses with their epochs, a fraction of them where a step lies within one. */
function pointsOf({ curve, steps }: TrainResult, { learning, encoder, epochs }: Config) {
  const lessons = learnings[learning].lessons(networkOf(encoder).blocks.length).length;
  const points = curve.map(({ step, loss }) => ({ step, loss, epoch: (step * epochs * lessons) / steps }));
  return points.sort((a, b) => a.step - b.step);
}

// Figure 5 of the paper: distances between embeddings before training, beside the margins.

import { plotMarkup } from "../figures/plot.ts";
import { areaColours, colours, sheet, sheetWidth } from "../figures/sheet.ts";
import type { Experiment } from "./experiment.ts";
import { cellConfig, rolesOf, settings } from "./study.ts";
import { table1Cell } from "./table1.ts";
import type { DistancesResult } from "./task.ts";

export const figure5: Experiment = {
  name: "figure5",
  title: "Figure 5: distances of positive and negative pairs before training",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const [seed] = study.seeds;
    const cell = table1Cell({ loss: "contrastiveHinge", learning: "E2E", update: "BP" }, false);
    const config = await cellConfig(study, cell, seed);
    const promised = plan.add(`figure5: distances at the start, seed ${seed}`, {
      kind: "distances",
      of: { config, trained: false },
    });
    return async (read) => {
      const result = read(promised);
      const { m1, m2 } = settings.cifar.margins;
      if (result === undefined) return { text: [], tables: [], claims: [], figures: [], ledger: [] };
      const shares = [result.activePositives, result.activeNegatives].map((share) => (100 * share).toFixed(1));
      const svg = await distancesFigure(result, settings.cifar.margins);
      return {
        text: [
          `Of one batch of ${config.batch} images, inputs in [${config.valueRange.join(", ")}]: ${shares[0]} % of the positive pairs are further apart than m1 = ${m1}, and ${shares[1]} % of the negative pairs are closer than m2 = ${m2}. These are the pairs that the loss learns from.`,
        ],
        tables: [],
        claims: [],
        figures: [
          {
            name: "distances",
            caption:
              "L1 distances between the embeddings of one batch before training. Dashed: m1, above: m2, the margins.",
            svg,
          },
        ],
        ledger: [],
      };
    };
  },
};

const height = 300;

export async function distancesFigure(
  { width, positives, negatives }: DistancesResult,
  { m1, m2 }: { readonly m1: number; readonly m2: number },
): Promise<string> {
  const share = (counts: readonly number[]): { x1: number; x2: number; y: number }[] => {
    const all = counts.reduce((sum, one) => sum + one, 0);
    return counts.map((count, i) => ({ x1: i * width, x2: (i + 1) * width, y: (100 * count) / all }));
  };
  const [blue, orange] = areaColours;
  const picture = await plotMarkup((plot) => ({
    width: sheetWidth,
    height,
    marginLeft: 70,
    marginBottom: 56,
    x: { label: null, domain: [0, width * positives.length] },
    y: { label: null, grid: true },
    marks: [
      plot.rectY(share(positives), { x1: "x1", x2: "x2", y: "y", fill: blue, fillOpacity: 0.75 }),
      plot.rectY(share(negatives), { x1: "x1", x2: "x2", y: "y", fill: orange, fillOpacity: 0.6 }),
      plot.ruleX([m1], { stroke: colours.ink, strokeWidth: 2.5, strokeDasharray: "7,5" }),
      plot.ruleX([m2], { stroke: colours.ink, strokeWidth: 2.5 }),
      plot.text(["L1 distance between embeddings"], { frameAnchor: "bottom", dy: 50, fill: colours.quiet }),
    ],
  }));
  return sheet({
    title: "Distances before training",
    caption: "% of the pairs",
    keys: [
      { text: "positive pairs", colour: blue, thickness: 12 },
      { text: "negative pairs", colour: orange, thickness: 12 },
      { text: "m1", colour: colours.ink, thickness: 2.5, dashed: true },
      { text: "m2", colour: colours.ink, thickness: 2.5 },
    ],
    picture,
    pictureHeight: height,
  });
}

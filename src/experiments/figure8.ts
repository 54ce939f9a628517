// Figure 8 of the paper: embeddings of every layer of VGG6 by t-SNE, and whether clusters sharpen with depth, measured.

import { tsneSvg } from "../figures/tsne-figure.ts";
import type { DataConfig } from "../training/config.ts";
import type { Experiment } from "./experiment.ts";
import type { Decision, ReportedClaim, ReportTable } from "./report.ts";
import { type Cell, cellConfig, pictures, rolesOf } from "./study.ts";
import type { EmbeddingResult } from "./task.ts";

const cell: Cell = {
  ...{ setting: "stl", loss: "contrastiveHinge", learning: "GLL", update: "BP" },
  ...{ negatives: 5, block: true },
};
/** Pictures of the figure. */
const mostPoints = 1_000;

export const figure8: Experiment = {
  name: "figure8",
  title: "Figure 8: embeddings of every layer by t-SNE",
  roles: rolesOf("stl"),
  plan: async (study, plan) => {
    const [seed] = study.seeds;
    const config = await cellConfig(study, cell, seed);
    const { tested, small } = study.scale.settings.stl;
    const data = dataOf(pictures("stl-10", "test", Math.min(tested, mostPoints), study, small?.side));
    const perplexity = study.scale.name === "smoke" ? 10 : 30;
    const promised = plan.add(`figure8: hinge, GLL, BP, 5 negatives, seed ${seed}, t-SNE`, {
      kind: "embedding",
      of: { config, trained: true },
      data,
      perplexity,
    });
    return async (read) => {
      const result = read(promised);
      if (result === undefined) return { text: [], tables: [], claims: [], figures: [], ledger: [] };
      const svg = drawn(result);
      return {
        text: [
          "t-SNE is a picture; the numbers are of the representation itself. Purity: the share of a picture's 10 nearest neighbours that are of its class, or of its group.",
        ],
        tables: [numbers(result)],
        claims: [sharpening(result)],
        figures: [
          {
            name: "layers",
            caption: `Global-average-pooled embeddings of ${result.test} in every layer, by class and by group, and of the random encoder's last layer.`,
            svg,
          },
        ],
        ledger: [],
      };
    };
  },
};

const dataOf = (raw: object): DataConfig => ({ grey: false, seed: 0, ...raw }) as DataConfig;

const drawn = ({ test, pictures: layers, colourings }: EmbeddingResult): string =>
  tsneSvg({
    title: "Every layer by t-SNE",
    caption: `pictures of ${test}, each a dot`,
    pictures: layers.map((layer) => ({ ...layer, coordinates: Float64Array.from(layer.coordinates) })),
    colourings: Object.fromEntries(
      Object.entries(colourings).map(([name, one]) => [name, { ...one, labels: Int32Array.from(one.labels) }]),
    ),
  });

function numbers({ pictures: layers, colourings }: EmbeddingResult): ReportTable {
  const names = Object.keys(colourings);
  const percent = (share: number): string => (100 * share).toFixed(1);
  return {
    name: "figure8",
    caption:
      "Numbers of each layer's embeddings: of the trained encoder, and of the random one where the column says so.",
    columns: names.flatMap((name) =>
      ["purity, %", "purity, random, %", "between/within", "silhouette"].map((title) => ({ title, group: name })),
    ),
    rows: layers.map(({ layer, subject, numbers: { labellings }, random }) => ({
      title: subject === "random" ? `${layer}, random encoder` : layer,
      floor: subject === "random",
      notes: [],
      cells: names.flatMap((name) => {
        const { purity, betweenWithin, silhouette } = labellings[name].representation;
        return [percent(purity), percent(random[name].purity), betweenWithin.toFixed(3), silhouette.toFixed(3)];
      }),
    })),
  };
}

/** "Clusters sharpen with depth": purity of the last layer above that of the first, with the error of shares of so many pictures. */
function sharpening({ pictures: layers, colourings }: EmbeddingResult): ReportedClaim {
  const trained = layers.filter(({ subject }) => subject === "trained");
  const [first, last] = [trained[0], trained[trained.length - 1]];
  const n = first.coordinates.length / 2;
  const found = Object.keys(colourings).map((name) => {
    const [low, high] = [first, last].map(({ numbers: { labellings } }) => labellings[name].representation.purity);
    const error = Math.sqrt((low * (1 - low) + high * (1 - high)) / n);
    return { name, low, high, error };
  });
  const all = (test: (one: (typeof found)[number]) => boolean): boolean => found.every(test);
  const decision: Decision = all(({ low, high, error }) => high - low > 2 * error)
    ? "holds"
    : all(({ low, high, error }) => low - high > 2 * error)
      ? "does not hold"
      : "not decided";
  return {
    text: "clusters sharpen with depth: neighbours are purer in the last layer than in the first",
    source: "Figure 8",
    decision,
    evidence: found.map(
      ({ name, low, high, error }) =>
        `by ${name}: ${(100 * low).toFixed(1)} % in ${first.layer}, ${(100 * high).toFixed(1)} % in ${last.layer} (± ${(100 * error).toFixed(1)})`,
    ),
  };
}

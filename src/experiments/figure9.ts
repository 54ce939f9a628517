// Figure 9 of the paper: pictures of CIFAR-10's test set, and the same deformed.

import { cifarDeformation } from "../data/deformations.ts";
import { loadDataset } from "../datasets/datasets.ts";
import { drawDeformed } from "../figures/robustness-figures.ts";
import type { DataConfig } from "../training/config.ts";
import type { Experiment } from "./experiment.ts";
import { pictures } from "./study.ts";

/** Pictures that are read; the figure shows as many as fit. */
const most = 64;

export const figure9: Experiment = {
  name: "figure9",
  title: "Figure 9: deformed CIFAR-10",
  roles: ["cifar-10"],
  plan: async (study) => async (_, backend) => {
    const set = await loadDataset(pictures("cifar-10", "test", most, study) as DataConfig);
    const { svg, png } = await drawDeformed(set, cifarDeformation, { strength: 1, seed: 0 }, backend);
    return {
      text: [],
      tables: [],
      claims: [],
      figures: [
        {
          name: "deformed",
          caption: "Odd rows: pictures of the test set; even rows: the same, deformed as for Table 3.",
          svg,
          png,
        },
      ],
      ledger: [],
    };
  },
};

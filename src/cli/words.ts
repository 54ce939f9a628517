// Words that options take, known before the command that uses them is loaded.

import type { PresetName } from "../experiments/recipes.ts";
import type { ScaleName } from "../experiments/scales.ts";

export const scaleNames = ["smoke", "small", "medium", "paper"] as const satisfies readonly ScaleName[];
export const presetNames = ["ours", "paper-text", "authors-code"] as const satisfies readonly PresetName[];
export const launcherNames = ["local", "slurm"] as const;
export type LauncherName = (typeof launcherNames)[number];

/** Names of the experiments, as src/experiments/experiments.ts has them. */
export const experimentNames = [
  "table1",
  "dtp",
  "table2",
  "table3",
  "table4",
  "tableC",
  "figure2",
  "figure5",
  "figure6",
  "figure7",
  "figure8",
  "figure9",
] as const;

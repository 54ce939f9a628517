// Presets: what of a training is the paper's text, its authors' code, or our own recipe. They never share a column of a table.

import type { Combination } from "../training/registry.ts";
import type { SettingName } from "./scales.ts";

export type PresetName = "ours" | "paper-text" | "authors-code";

/** What a preset sets of a configuration. */
export interface Recipe {
  readonly preset: "paper-text" | "authors-code";
  readonly valueRange: readonly [number, number];
  readonly optimiser: object;
}

const adam = (learningRate: number): object => ({
  kind: "adam",
  learningRate,
  schedule: { kind: "cosine", warmup: 20 },
});

/**
 * Ours: inputs in [−1, 1], and the learning rates under which rules learn best on rendered solids (docs/recipes.md), a little smaller where
 * layers learn alone; on CIFAR-100 only RLL URF has been searched, on STL-10 and EMNIST none.
 */
function ours({ loss, learning, update }: Combination, constrained: boolean): number {
  if (loss === "simclr" || loss === "clapp" || loss === "clappPatches") return 3e-4;
  if (update === "RF") return 1e-4;
  if (update === "DTP") return constrained ? 3e-4 : 1e-4;
  return learning === "E2E" ? 1e-3 : 5e-4;
}

/** `constrained`: with gradient block and a few negatives. */
export function recipe(
  preset: PresetName,
  setting: SettingName,
  combination: Combination,
  constrained: boolean,
): Recipe {
  if (preset === "ours")
    return { preset: "paper-text", valueRange: [-1, 1], optimiser: adam(ours(combination, constrained)) };
  // The paper chooses between 1e-4 and 1e-3 for letters and does not say for which rule it took which.
  const { learning, update } = combination;
  const learningRate = setting === "letters" && (learning !== "E2E" || update === "DTP") ? 1e-3 : 1e-4;
  return { preset, valueRange: [0, 1], optimiser: { kind: "adam", learningRate } };
}

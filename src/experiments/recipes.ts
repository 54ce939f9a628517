// Recipes: the optimiser for each rule of Table 1. The rates are those under which rules learn best on rendered solids (docs/recipes.md), a little
// smaller where layers learn alone; on CIFAR-100 only RLL URF has been searched.

import type { Combination } from "../rules/combinations.ts";

/** What a recipe sets of a configuration. */
export interface Recipe {
  readonly optimiser: object;
}

const cosine = { kind: "cosine", warmup: 20 };
const adam = (learningRate: number): Recipe => ({ optimiser: { kind: "adam", learningRate, schedule: cosine } });

/** For the CIFAR network on CIFAR-100 in batches of 250, inputs in [−1, 1], about 4,000 steps end to end. */
export function cifarRecipe({ loss, learning, update }: Combination, constrained: boolean): Recipe {
  if (loss === "simclr" || loss === "clapp") return adam(3e-4);
  if (update === "RF") return adam(1e-4);
  if (update === "DTP") return adam(constrained ? 3e-4 : 1e-4);
  return adam(learning === "E2E" ? 1e-3 : 5e-4);
}

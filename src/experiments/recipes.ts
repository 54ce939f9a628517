// Recipes: the optimiser under which each rule learns best at a small budget, found by tools/search.ts on validation splits; the numbers stand
// in docs/recipes.md.

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

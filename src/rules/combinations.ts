// Which Learning × Update × Loss make sense together; the others are refused with the reason.

import type { Learning } from "./learning.ts";

export type LearningName = Learning["name"];
export type UpdateName = "BP" | "RF" | "URF" | "DTP" | "DFA" | "SSF" | "KP";
export type LossName = "contrastiveHinge" | "simclr" | "crossEntropy" | "amitHinge" | "clapp" | "clappPatches" | "scff";

export interface Combination {
  readonly learning: LearningName;
  readonly update: UpdateName;
  readonly loss: LossName;
}

export const learningNames = ["E2E", "GLL", "RLL"] as const satisfies readonly LearningName[];
export const updateNames = ["BP", "RF", "URF", "DTP", "DFA", "SSF", "KP"] as const satisfies readonly UpdateName[];
export const lossNames = [
  "contrastiveHinge",
  "simclr",
  "crossEntropy",
  "amitHinge",
  "clapp",
  "clappPatches",
  "scff",
] as const satisfies readonly LossName[];

/** Why a combination is refused; undefined where it makes sense. */
export function refusal({ learning, update, loss }: Combination): string | undefined {
  const layerWise = learning !== "E2E";
  if (layerWise && update === "DTP")
    return `learning ${learning} with update DTP: targets travel between layers, and a layer that learns alone has none below it; use learning E2E`;
  if (layerWise && update === "DFA")
    return `learning ${learning} with update DFA: for a layer that learns alone direct feedback is RF; use update RF`;
  if (loss === "scff" && !layerWise)
    return `loss scff with learning ${learning}: goodness is a layer's own, and each layer learns from its own alone; use learning GLL or RLL`;
  const headless = loss === "clapp" || loss === "clappPatches" || loss === "scff";
  if (headless && update === "DFA")
    return `loss ${loss} with update DFA: the loss reads a layer's picture, and DFA sends down the error of a head; use another loss`;
  if (headless && layerWise && update !== "BP")
    return `loss ${loss} with learning ${learning} and update ${update}: between the loss and a layer that learns alone there is no weight for feedback to stand in for, so this would be BP; use update BP`;
  return undefined;
}

/** Every combination that makes sense. */
export const combinations: readonly Combination[] = learningNames.flatMap((learning) =>
  updateNames.flatMap((update) =>
    lossNames.map((loss) => ({ learning, update, loss })).filter((combination) => refusal(combination) === undefined),
  ),
);

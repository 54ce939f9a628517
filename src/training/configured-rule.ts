// From a configuration to its rule: the Learning, Update and Loss that its words name.

import type { Model } from "../encoders/model.ts";
import { clapp } from "../losses/clapp.ts";
import { amitHinge, crossEntropy } from "../losses/classification.ts";
import { contrastiveHinge } from "../losses/contrastive-hinge.ts";
import type { Loss } from "../losses/loss.ts";
import { simclr } from "../losses/simclr.ts";
import { wrong } from "../program/errors.ts";
import type { Negatives } from "../program/operations.ts";
import { backpropagation } from "../rules/backpropagation.ts";
import { differenceTargetPropagation, dtpDefaults } from "../rules/difference-target-propagation.ts";
import { directFeedbackAlignment } from "../rules/direct-feedback.ts";
import { randomFeedback, updatedRandomFeedback } from "../rules/feedback.ts";
import { kolenPollack } from "../rules/kolen-pollack.ts";
import { learnings } from "../rules/learning.ts";
import { type RecordedRule, recordRule } from "../rules/rule.ts";
import { signSymmetricFeedback } from "../rules/sign-symmetry.ts";
import type { Update } from "../rules/update.ts";
import { type Config, kolenPollackDefaults } from "./config.ts";

export function configuredLoss({ loss }: Pick<Config, "loss">): Loss {
  switch (loss.kind) {
    case "contrastiveHinge":
      return contrastiveHinge({ ...loss, negatives: configuredNegatives(loss) });
    case "simclr":
      return simclr(loss);
    case "crossEntropy":
      return crossEntropy;
    case "amitHinge":
      return amitHinge(loss);
    case "clapp":
      return clapp;
    default:
      return loss satisfies never;
  }
}

function configuredNegatives({
  negatives,
  negativesReading,
}: Extract<Config["loss"], { kind: "contrastiveHinge" }>): Negatives {
  if (negatives === "all") return { kind: "all" };
  return { kind: negativesReading === "paper-text" ? "next" : "authorsCode", count: negatives };
}

export function configuredUpdate({ update, dtp, kolenPollack: kp, seed }: Config): Update {
  switch (update) {
    case "BP":
      return backpropagation;
    case "RF":
      return randomFeedback;
    case "URF":
      return updatedRandomFeedback;
    case "DTP":
      return differenceTargetPropagation({ ...dtpDefaults, ...dtp, seed });
    case "DFA":
      return directFeedbackAlignment;
    case "SSF":
      return signSymmetricFeedback;
    case "KP":
      return kolenPollack({ ...kolenPollackDefaults, ...kp });
    default:
      return update satisfies never;
  }
}

/** What the recording needs to know of a dataset. */
export type TrainingShape = { readonly [K in "count" | "height" | "width" | "channels" | "classes"]: number };

/** Writes the steps of a configuration down, without a backend. */
export function recordConfigured(config: Config, model: Model, dataset: TrainingShape): RecordedRule {
  const { encoder } = model;
  if (dataset.channels !== encoder.channels)
    throw wrong("train", "data", `pictures of ${encoder.channels} channels for ${encoder.name}`, dataset.channels);
  if (dataset.count < config.batch)
    throw wrong("train", "batch", `at most the ${dataset.count} images of the dataset`, config.batch);
  return recordRule({
    model,
    learning: learnings[config.learning],
    update: configuredUpdate(config),
    loss: configuredLoss(config),
    adam: config.adam,
    batch: config.batch,
    dataset,
    valueRange: config.valueRange,
  });
}

// From a configuration to its rule: the Learning, Update and Loss that its words name.

import { meanTaps } from "../data/augmentation.ts";
import type { ImageSet } from "../data/images.ts";
import { type Pairs, pairings } from "../data/pairing.ts";
import { createModel, type Model } from "../encoders/model.ts";
import { networkOf } from "../encoders/networks.ts";
import type { Loss } from "../losses/loss.ts";
import { wrong } from "../program/errors.ts";
import { learnings } from "../rules/learning.ts";
import type { OptimiserOptions } from "../rules/optimiser.ts";
import { type RecordedRule, type RuleOptions, recordRule } from "../rules/rule.ts";
import type { Update } from "../rules/update.ts";
import type { Config } from "./config.ts";
import { madeAugmentation, madeLoss, madeUpdate } from "./registry.ts";
import { probeImages } from "./xray.ts";

/** The network that a run trains: on the whole picture, or on patches of it. */
export function configuredModel({ encoder, augmentation }: Pick<Config, "encoder" | "augmentation">): Model {
  const network = networkOf(encoder);
  if (augmentation.kind !== "patches") return createModel(network);
  return createModel({ ...network, height: augmentation.size, width: augmentation.size });
}

/** The smallest pictures that a configuration can train on, where no dataset is at hand. */
export function smallestPicture({ encoder, augmentation }: Pick<Config, "encoder" | "augmentation">) {
  const { height, width, channels } = networkOf(encoder);
  return augmentation.kind === "patches"
    ? { height: augmentation.crop, width: augmentation.crop, channels }
    : { height, width, channels };
}

/** What a configuration says of the optimiser, as rules take it. */
export function configuredOptimiser(optimiser: Config["optimiser"]): OptimiserOptions {
  const { learningRate } = optimiser;
  if (optimiser.kind === "sgd") {
    const { momentum, nesterov, weightDecay: decay } = optimiser;
    return { kind: "sgd", learningRate, momentum, nesterov, decay };
  }
  const { beta1, beta2, epsilon } = optimiser;
  const decay = optimiser.kind === "adamw" ? optimiser.weightDecay : 0;
  return { kind: "adam", learningRate, beta1, beta2, epsilon, decay };
}

/** The pairs that a configuration makes of a dataset. */
export const configuredPairs = (
  { pairing = "augmentation", framesApart = 1, seed }: Pick<Config, "pairing" | "framesApart" | "seed">,
  dataset: Pick<ImageSet, "name" | "count" | "clips">,
): Pairs => pairings[pairing].pairs(dataset, framesApart, seed);

/** An Update and a Loss that a program brings itself. */
export interface OwnParts {
  readonly update?: Update;
  readonly loss?: Loss;
}

/** What the recording needs to know of a dataset. */
export type TrainingShape = { readonly [K in "count" | "height" | "width" | "channels" | "classes"]: number } & {
  readonly clips?: Int32Array;
  readonly streamed?: boolean;
};

/** Writes the steps of a configuration down, without a backend. */
export const recordConfigured = (
  config: Config,
  model: Model,
  dataset: TrainingShape,
  frozen?: ReadonlySet<string>,
): RecordedRule => recordRule({ ...configuredRule(config, model, dataset), ...(frozen ? { frozen } : {}) });

/** `own` stands in for what the configuration names. */
export function configuredRule(config: Config, model: Model, dataset: TrainingShape, own: OwnParts = {}): RuleOptions {
  const { encoder } = model;
  if (dataset.channels !== encoder.channels)
    throw wrong(
      "train",
      "data",
      `pictures of ${encoder.channels} ${encoder.channels === 1 ? "channel" : "channels"} for ${encoder.name}`,
      dataset.channels,
      encoder.channels === 1 ? "set data.grey: true" : undefined,
    );
  const { augmentation } = config;
  if (augmentation.kind === "patches" && Math.min(dataset.height, dataset.width) < augmentation.crop)
    throw wrong(
      "train",
      "augmentation.crop",
      `at most ${Math.min(dataset.height, dataset.width)}, the side of the dataset's pictures`,
      augmentation.crop,
    );
  const { count } = dataset;
  if (count < config.batch) throw wrong("train", "batch", `at most the ${count} images of the dataset`, config.batch);
  // The last frames of a clip have none to be paired with.
  const pairs = dataset.clips ? configuredPairs(config, { name: "a movie", ...dataset }).anchors.length : count;
  if (pairs < config.batch)
    throw wrong("train", "batch", `at most the ${pairs} pairs of frames of the movie`, config.batch);
  return {
    model,
    learning: learnings[config.learning],
    update: own.update ?? madeUpdate(config),
    loss: own.loss ?? madeLoss(config),
    optimiser: configuredOptimiser(config.optimiser),
    factors: config.optimiser,
    batch: config.batch,
    // Of a streamed dataset the batch, and behind it the probe batch of the X-ray.
    dataset: dataset.streamed ? { ...dataset, held: config.batch + probeImages(config) } : dataset,
    valueRange: config.valueRange,
    normalise: config.normalise,
    taps: meanTaps(madeAugmentation(config), { from: dataset, to: encoder }),
  };
}

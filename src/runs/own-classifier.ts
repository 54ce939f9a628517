// The classifier that a supervised run has trained itself, as a linear classifier of its encoder's features.

import { createModel } from "../encoders/model.ts";
import { networkOf } from "../encoders/networks.ts";
import type { Linear } from "../evaluation/standardise.ts";
import { wrong } from "../program/errors.ts";
import { type Checkpoint, requireTensors } from "../record/checkpoint-file.ts";
import type { Config } from "../training/config.ts";
import { recordConfigured } from "../training/configured-rule.ts";
import { madeLoss } from "../training/registry.ts";

/** Whether a configuration trains with labels, and so a classifier. */
export const isSupervised = (config: Parameters<typeof madeLoss>[0]): boolean => madeLoss(config).labelled;

/**
 * The head of the last layer that learnt, weight [features, classes] → [classes, features]: under E2E that of the network, under GLL and RLL
 * the one on the last block. Features are in the order row, column, channel in both.
 */
export function ownClassifier(
  config: Config,
  checkpoint: Pick<Checkpoint, "path" | "state" | "shapes">,
  classes: number,
): Linear {
  if (!isSupervised(config))
    throw wrong("robustness", "loss.kind", "crossEntropy or amitHinge for a classifier of its own", config.loss.kind);
  const network = networkOf(config.encoder);
  const { lessons } = recordConfigured(config, createModel(network), { ...network, count: config.batch, classes });
  const head = lessons[lessons.length - 1].parts.learners.head;
  if (head === undefined) throw new Error("a supervised loss without a head");
  if (head.hidden.length > 0)
    throw wrong(
      "robustness",
      `${config.name}'s encoder.head.hidden`,
      "none, for a classifier that is linear in the encoder's features",
      network.head.hidden ?? [],
      "its features can be probed",
    );
  const { weight, bias } = head.synapses;
  requireTensors(checkpoint, bias ? [weight, bias] : [weight]);
  const [width] = weight.shape;
  const numbers = (name: string): Float32Array => checkpoint.state.get(name) ?? new Float32Array();
  const columns = numbers(weight.name);
  return {
    weight: Float64Array.from(
      { length: classes * width },
      (_, i) => columns[(i % width) * classes + Math.floor(i / width)],
    ),
    bias: bias ? Float64Array.from(numbers(bias.name)) : new Float64Array(classes),
  };
}

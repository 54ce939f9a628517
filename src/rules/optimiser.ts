// Optimisers: from a change to what becomes of its synapses. Each keeps its state per synapse; the host tells it the time.

import type { Change } from "../losses/loss.ts";
import type { Attributes } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";

/** `decay` is Adam's weight decay apart from the gradient (AdamW), and SGD's as a part of it, as in PyTorch. */
export type OptimiserOptions =
  | ({ readonly kind: "adam" } & Attributes<"adam">)
  | ({ readonly kind: "sgd" } & Attributes<"sgd">);

/** A fresh one has no state yet; recording a change makes it. */
export interface Optimiser {
  readonly options: OptimiserOptions;
  /** i32 [1], counts this optimiser's updates from 1. */
  readonly step: Tensor;
  /** f32 [1], multiplies every learning rate: the schedule. */
  readonly rate: Tensor;
  /** Adam's m and v, SGD's velocity, by synapse tensor. */
  readonly state: Map<Tensor, readonly Tensor[]>;
}

export const createOptimiser = (options: OptimiserOptions, name = "optimiser"): Optimiser => ({
  options,
  step: persistent(`${name}.step`, [1], "input", "i32"),
  rate: persistent(`${name}.rate`, [1], "input"),
  state: new Map(),
});

/** Writes down what an optimiser makes of changes. */
export function recordUpdates(record: Recorder, optimiser: Optimiser, changes: readonly Change[]): void {
  const { options, step, rate } = optimiser;
  for (const { weight, gradient, learningRate = options.learningRate, factor = 1, decay = 0 } of changes) {
    if (factor === 0) continue;
    const own = { learningRate: learningRate * factor, decay: options.decay + decay };
    if (options.kind === "adam") {
      const [m, v] = stateOf(optimiser, weight, ["m", "v"]);
      const { beta1, beta2, epsilon } = options;
      record.adam({ gradient, step, rate, weight, m, v }, { beta1, beta2, epsilon, ...own }, {});
    } else {
      const [velocity] = stateOf(optimiser, weight, ["velocity"]);
      const { momentum, nesterov } = options;
      record.sgd({ gradient, rate, weight, velocity }, { momentum, nesterov, ...own }, {});
    }
  }
}

/** The state of a synapse tensor, made when it is first asked for. */
function stateOf({ state }: Optimiser, weight: Tensor, names: readonly string[]): readonly Tensor[] {
  const made = state.get(weight) ?? names.map((name) => persistent(`${weight.name}.${name}`, weight.shape, "state"));
  state.set(weight, made);
  return made;
}

// Adam with its state per synapse: first and second moment, and a step counter that the host advances.

import type { Change } from "../losses/loss.ts";
import type { Attributes } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";

export type AdamOptions = Omit<Attributes<"adam">, "decay">;

/** One optimiser: a fresh one has no moments yet; recording a change makes them. */
export interface Adam {
  readonly options: AdamOptions;
  /** i32 [1], counts this optimiser's steps from 1. */
  readonly step: Tensor;
  readonly moments: Map<Tensor, { readonly m: Tensor; readonly v: Tensor }>;
}

export const createAdam = (options: AdamOptions, name = "adam"): Adam => ({
  options,
  step: persistent(`${name}.step`, [1], "input", "i32"),
  moments: new Map(),
});

export function recordAdam(record: Recorder, { options, step, moments }: Adam, changes: readonly Change[]): void {
  for (const { weight, gradient, learningRate = options.learningRate, decay = 0 } of changes) {
    const state = moments.get(weight) ?? {
      m: persistent(`${weight.name}.m`, weight.shape, "state"),
      v: persistent(`${weight.name}.v`, weight.shape, "state"),
    };
    moments.set(weight, state);
    record.adam({ gradient, step, weight, ...state }, { ...options, learningRate, decay }, {});
  }
}

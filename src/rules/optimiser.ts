// Adam with its state per synapse: first and second moment, and a step counter that the host advances.

import type { Attributes } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";
import type { Change } from "./update.ts";

export type AdamOptions = Attributes<"adam">;

export interface Adam {
  readonly options: AdamOptions;
  /** i32 [1], counts from 1. */
  readonly step: Tensor;
  readonly moments: ReadonlyMap<Tensor, { readonly m: Tensor; readonly v: Tensor }>;
}

export function createAdam(weights: readonly Tensor[], options: AdamOptions): Adam {
  const moments = new Map(
    weights.map((weight) => [
      weight,
      {
        m: persistent(`${weight.name}.m`, weight.shape, "state"),
        v: persistent(`${weight.name}.v`, weight.shape, "state"),
      },
    ]),
  );
  return { options, step: persistent("adam.step", [1], "input", "i32"), moments };
}

export function recordAdam(record: Recorder, { options, step, moments }: Adam, changes: readonly Change[]): void {
  for (const { weight, gradient } of changes) {
    const { m, v } = moments.get(weight) ?? missing(weight);
    record.adam({ gradient, step, weight, m, v }, options, {});
  }
}

function missing(weight: Tensor): never {
  throw new Error(`adam has no moments for ${weight.name}`);
}

// What an Update is: it says where each layer's error comes from, and so what change every synapse receives.

import type { BlockTrace, HeadTrace } from "../encoders/forward.ts";
import type { Recorder } from "../program/program.ts";
import { rows, type Tensor } from "../program/tensor.ts";

/** The trace of a forward pass through the layers that learn. */
export interface Trace {
  readonly blocks: readonly BlockTrace[];
  readonly head: HeadTrace;
}

/** A synapse tensor and its gradient. */
export interface Change {
  readonly weight: Tensor;
  readonly gradient: Tensor;
}

export interface Update {
  readonly name: string;
  /**
   * `error` is δ = ∂L/∂embedding for the trace's rows from `firstRow` to the end.
   * Returns one change for every synapse tensor of the trace.
   */
  readonly record: (record: Recorder, trace: Trace, error: Tensor, firstRow: number) => Change[];
}

/** The rows of an activity that carry an error: from `firstRow` to the end. */
export const learningRows = (activity: Tensor, firstRow: number): Tensor =>
  rows(activity, firstRow, activity.shape[0] - firstRow);

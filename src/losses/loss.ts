// What a loss is: it reads embeddings and writes down a value and the error signals that start the way back.

import type { Recorder } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";

export interface Loss {
  readonly name: string;
  /** embeddings [2n, d]: row s is anchor A_s, row n + s is its view B_s. */
  readonly record: (record: Recorder, embeddings: Tensor) => LossTrace;
}

export interface LossTrace {
  /** [1]. */
  readonly value: Tensor;
  /** δ = ∂L/∂embedding for rows `firstRow` to the end, [2n − firstRow, d]. */
  readonly error: Tensor;
  /** 0, or n where the gradient block keeps the anchors from learning. */
  readonly firstRow: number;
  /** Small tensors worth a line in the metrics. */
  readonly metrics: Readonly<Record<string, Tensor>>;
}

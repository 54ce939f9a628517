// What a loss is: it reads embeddings and writes down a value and the error signals that start the way back.

import type { Head } from "../encoders/encoder.ts";
import type { Parameter } from "../encoders/model.ts";
import type { Recorder } from "../program/program.ts";
import type { Shape, Tensor } from "../program/tensor.ts";

export interface Loss {
  readonly name: string;
  /** Rows of a step per image: two views, or the picture alone. */
  readonly views: 1 | 2;
  /** Whether it reads labels. */
  readonly labelled: boolean;
  /** `sum`: the value adds up over the batch; `mean`: it is divided by the rows. Targets of DTP step accordingly. */
  readonly reduction: "sum" | "mean";
  /** The head that it reads, from the encoder's own; undefined: it reads the last block's picture. */
  readonly head: (own: Head, classes: number) => Head | undefined;
  /** Makes the activity that enters the layers that learn, of the views' activity [rows, ...] there; undefined: that itself. */
  readonly mix?: (record: Recorder, x: Tensor) => Tensor;
  /** Makes what the loss itself learns. `picture` [h, w, c] leaves block number `block`. */
  readonly prepare: (picture: Shape, block: number) => PreparedLoss;
}

export interface PreparedLoss {
  readonly parameters: readonly Parameter[];
  readonly record: (record: Recorder, input: LossInput) => LossTrace;
}

export interface LossInput {
  /** Embeddings or logits [rows, d], or a picture [rows, h, w, c]. With two views, row s is A_s and row n + s its view B_s, or what the loss itself has mixed. */
  readonly output: Tensor;
  /** i32 [n], where the loss is labelled. */
  readonly labels?: Tensor;
}

export interface LossTrace {
  /** [1]. */
  readonly value: Tensor;
  /** δ = ∂L/∂output for rows `firstRow` to the end. */
  readonly error: Tensor;
  /** 0, or n where the gradient block keeps the anchors from learning. */
  readonly firstRow: number;
  /** Numbers worth a place in the metrics. */
  readonly metrics: readonly LossMetric[];
  /** Changes of the loss's own parameters. */
  readonly changes: readonly Change[];
}

/** Element `index` of `tensor`, divided by `per`. */
export interface LossMetric {
  readonly name: string;
  readonly tensor: Tensor;
  readonly index: number;
  readonly per: number;
}

/** A synapse tensor and its gradient; the optimiser's options hold unless a change has its own. */
export interface Change {
  readonly weight: Tensor;
  readonly gradient: Tensor;
  readonly learningRate?: number;
  /** Weight decay, apart from the gradient: weight −= learningRate · decay · weight. */
  readonly decay?: number;
}

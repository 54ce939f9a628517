// What a loss is: it reads embeddings and writes down a value and the error signals that start the way back.

import type { Head } from "../encoders/encoder.ts";
import type { Parameter } from "../encoders/model.ts";
import type { Recorder } from "../program/program.ts";
import type { Stream } from "../program/random.ts";
import type { Shape, Tensor } from "../program/tensor.ts";

/** Where learning begins: from embeddings, logits or a picture to a value and its error δ. */
export interface Loss {
  readonly name: string;
  /** Rows of a step per image: two views, the picture alone, or all patches of it. */
  readonly views: number;
  /** Whether it reads labels. */
  readonly labelled: boolean;
  /** `sum`: the value adds up over the batch; `mean`: it is divided by the rows. Targets of DTP step accordingly. */
  readonly reduction: "sum" | "mean";
  /** Where the host draws pairs of rows for every step. */
  readonly pairs?: {
    readonly perImage: number;
    /** Rows and weights of the pairs of one step. */
    readonly draw: (images: number, random: Stream) => PairDraw;
  };
  /** The head that it reads, from the encoder's own; undefined: it reads the last block's picture. */
  readonly head: (own: Head, classes: number) => Head | undefined;
  /** Makes the activity that enters the layers that learn, of the views' activity [rows, ...] there; undefined: that itself. */
  readonly mix?: (record: Recorder, x: Tensor) => Tensor;
  /** Makes what the loss itself learns. `picture` [h, w, c] leaves block number `block`. */
  readonly prepare: (picture: Shape, block: number) => PreparedLoss;
}

/** Rows [pairs, 2] of a step, and what each pair weighs. */
export interface PairDraw {
  readonly rows: Int32Array;
  readonly weights: Float32Array;
}

/** A loss at the place where it reads. */
export interface PreparedLoss {
  readonly parameters: readonly Parameter[];
  /** Writes its value and its error down. */
  readonly record: (record: Recorder, input: LossInput) => LossTrace;
}

/** What a loss reads. */
export interface LossInput {
  /** Embeddings or logits [rows, d], or a picture [rows, h, w, c]. With two views, row s is A_s and row n + s its view B_s, or what the loss itself has mixed. */
  readonly output: Tensor;
  /** i32 [n], where the loss is labelled. */
  readonly labels?: Tensor;
  /** i32 [pairs, 2] and f32 [pairs], where the host draws pairs. */
  readonly pairs?: { readonly rows: Tensor; readonly weights: Tensor };
}

/** What a loss has written down. */
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
  /** Multiplies the learning rate. */
  readonly factor?: number;
  /** Of feedback that receives a weight's own increments: that weight. */
  readonly beside?: Tensor;
  /** Weight decay, apart from the gradient: weight −= learningRate · decay · weight. */
  readonly decay?: number;
}

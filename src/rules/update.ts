// What an Update is: it says where each layer's error comes from, and so what change every synapse receives.

import type { Block } from "../encoders/encoder.ts";
import type { BlockTrace, HeadTrace } from "../encoders/forward.ts";
import type { HeadModel, Parameter, Synapses } from "../encoders/model.ts";
import type { Change, Loss } from "../losses/loss.ts";
import type { Recorder } from "../program/program.ts";
import { rows, type Shape, type Tensor } from "../program/tensor.ts";
import type { Optimiser } from "./optimiser.ts";

/** Blocks that learn together, bottom first, and the head above them, where the loss has one. */
export interface Learners {
  /** Number of the lowest block that learns. */
  readonly first: number;
  readonly blocks: readonly Block[];
  readonly synapses: readonly Synapses[];
  /** Picture [h, w, c] that enters each block, and the one that leaves the last. */
  readonly pictures: readonly Shape[];
  readonly head: HeadModel | undefined;
}

/** The trace of a forward pass through the layers that learn. */
export interface Trace {
  readonly blocks: readonly BlockTrace[];
  readonly head: HeadTrace | undefined;
}

/** What starts the way back. */
export interface Signal {
  /** δ = ∂L/∂output for the trace's rows from `firstRow` to the end. */
  readonly error: Tensor;
  readonly firstRow: number;
  readonly reduction: Loss["reduction"];
  /** Images of the batch. */
  readonly images: number;
}

/** A step being written down: operations, and the optimiser for changes that must happen before the others. */
export interface StepRecorder {
  readonly record: Recorder;
  /** Undefined in a step that only looks: nothing learns. */
  readonly optimiser: Optimiser | undefined;
}

/** Where a layer's error comes from: BP, RF, URF, DTP, DFA, SSF, KP, or a rule of your own. */
export interface Update {
  readonly name: string;
  /** Makes what the update itself owns for the layers that learn: feedback weights, inverses. */
  readonly prepare: (learners: Learners) => PreparedUpdate;
}

/** An update for the layers that learn together. */
export interface PreparedUpdate {
  readonly parameters: readonly Parameter[];
  /** Returns one change for every synapse tensor of the trace, and for what else learns with them. */
  readonly record: (step: StepRecorder, trace: Trace, signal: Signal) => Change[];
  /** For the X-ray, where the update owns something that can be held against the weights. */
  readonly inspect?: (record: Recorder, trace: Trace) => Inspection;
}

/** Both by the forward weight of the layer. */
export interface Inspection {
  /** What carries the error down in place of the weight, of the weight's shape. */
  readonly feedback: ReadonlyMap<Tensor, Tensor>;
  /** The layer's input, as the layer's inverse makes it from the output. */
  readonly rebuilt?: ReadonlyMap<Tensor, Tensor>;
}

/** The rows of an activity that carry an error: from `firstRow` to the end. */
export const learningRows = (activity: Tensor, firstRow: number): Tensor =>
  rows(activity, firstRow, activity.shape[0] - firstRow);

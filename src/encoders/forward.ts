// The forward pass of an encoder, written into a program; what it leaves behind is the trace that learning reads.

import type { ActivationKind } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { flatten, type Tensor } from "../program/tensor.ts";
import type { Block, Head } from "./encoder.ts";
import type { Model, Synapses } from "./model.ts";

/** What one step after a convolution leaves for the way back. */
export type StepTrace =
  | { readonly kind: "activation"; readonly activation: ActivationKind; readonly y: Tensor }
  | { readonly kind: "maxPool"; readonly argmax: Tensor; readonly height: number; readonly width: number };

export interface BlockTrace {
  readonly block: Block;
  readonly synapses: Synapses;
  /** Pre-synaptic activity [n, h, w, c]. */
  readonly input: Tensor;
  readonly steps: readonly StepTrace[];
  readonly output: Tensor;
}

export interface HeadTrace {
  readonly synapses: Synapses;
  /** [n, features], after pooling and flattening. */
  readonly input: Tensor;
  readonly head: Head;
  /** [n, h, w, c] before them. */
  readonly picture: Tensor;
  /** [n, embedding]. */
  readonly output: Tensor;
}

/** x [n, h, w, c] → the block's output. */
export function recordBlock(record: Recorder, block: Block, synapses: Synapses, x: Tensor): BlockTrace {
  const { name, stride, padding, after } = block;
  let value = record.conv2d({ x, w: synapses.weight }, { stride, padding }, { y: `${name}.convolution` }).y;
  if (synapses.bias) value = record.addBias({ x: value, b: synapses.bias }, {}, { y: `${name}.biased` }).y;
  const steps: StepTrace[] = [];
  for (const step of after) {
    if (step === "maxPool") {
      const [, height, width] = value.shape;
      const pooled = record.maxPool({ x: value }, { size: 2 }, { y: `${name}.pooled`, argmax: `${name}.argmax` });
      steps.push({ kind: "maxPool", argmax: pooled.argmax, height, width });
      value = pooled.y;
    } else {
      value = record.activation({ x: value }, { kind: step }, { y: `${name}.${step}` }).y;
      steps.push({ kind: "activation", activation: step, y: value });
    }
  }
  return { block, synapses, input: x, steps, output: value };
}

/** x [n, h, w, c] → embeddings [n, 64]. */
export function recordHead(record: Recorder, { encoder: { head }, head: synapses }: Model, x: Tensor): HeadTrace {
  const input = recordFeatures(record, head, x);
  const output = record.linear({ x: input, w: synapses.weight }, {}, { y: "embeddings" }).y;
  return { synapses, head, picture: x, input, output };
}

/** What a head or a classifier reads: average pooled where the network says so, then flattened. */
export function recordFeatures(record: Recorder, { averagePool }: Head, x: Tensor): Tensor {
  return flatten(averagePool === 1 ? x : record.averagePool({ x }, { size: averagePool }, { y: "features" }).y);
}

/** All blocks from x on. */
export function recordBlocks(record: Recorder, model: Model, x: Tensor): BlockTrace[] {
  const traces: BlockTrace[] = [];
  let value = x;
  model.encoder.blocks.forEach((block, i) => {
    const trace = recordBlock(record, block, model.blocks[i], value);
    traces.push(trace);
    value = trace.output;
  });
  return traces;
}

// The forward pass of an encoder, written into a program; what it leaves behind is the trace that learning reads.

import type { ActivationKind } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { flatten, type Tensor } from "../program/tensor.ts";
import type { Block, Head } from "./encoder.ts";
import type { HeadModel, Model, Synapses } from "./model.ts";

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

/** x [n, h, w, c] → the block's output. `name` begins the names of its tensors. */
export function recordBlock(
  record: Recorder,
  block: Block,
  synapses: Synapses,
  x: Tensor,
  name: string = block.name,
): BlockTrace {
  const { stride, padding, after } = block;
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

/** x [n, h, w, c] → embeddings or logits [n, outputs]. */
export function recordHead(record: Recorder, { head, synapses }: HeadModel, x: Tensor): HeadTrace {
  const input = recordFeatures(record, head, x);
  const product = record.linear({ x: input, w: synapses.weight }, {}, { y: "embeddings" }).y;
  const output = synapses.bias
    ? record.addBias({ x: product, b: synapses.bias }, {}, { y: "embeddings.biased" }).y
    : product;
  return { synapses, head, picture: x, input, output };
}

/** What a head or a read-out reads: average pooled where the network says so, then flattened. */
export function recordFeatures(record: Recorder, { averagePool }: Pick<Head, "averagePool">, x: Tensor): Tensor {
  return flatten(averagePool === 1 ? x : record.averagePool({ x }, { size: averagePool }, { y: "features" }).y);
}

/** Blocks `first` … `end` − 1 from x on; all of them unless told. */
export function recordBlocks(
  record: Recorder,
  { encoder, blocks }: Model,
  x: Tensor,
  first = 0,
  end = blocks.length,
): BlockTrace[] {
  const traces: BlockTrace[] = [];
  let value = x;
  for (let i = first; i < end; i++) {
    const trace = recordBlock(record, encoder.blocks[i], blocks[i], value);
    traces.push(trace);
    value = trace.output;
  }
  return traces;
}

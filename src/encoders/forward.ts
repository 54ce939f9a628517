// The forward pass of an encoder, written into a program; what it leaves behind is the trace that learning reads.

import type { ActivationKind } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { flatten, type Tensor } from "../program/tensor.ts";
import { type Block, type Head, hiddenName, poolingOf, stepName } from "./encoder.ts";
import type { HeadModel, Model, Synapses } from "./model.ts";

/** What one step after a convolution leaves for the way back; `name` is its own within the block. */
export type StepTrace = { readonly name: string } & (
  | { readonly kind: "activation"; readonly activation: ActivationKind; readonly y: Tensor }
  | { readonly kind: "triangle"; readonly y: Tensor }
  | ({ readonly kind: "maxPool"; readonly argmax: Tensor } & PooledTrace)
  | ({ readonly kind: "averagePool" } & PooledTrace)
);

interface PooledTrace {
  readonly size: number;
  /** Of what was pooled. */
  readonly height: number;
  readonly width: number;
}

/** What a block has done in a forward pass, and what its way back needs. */
export interface BlockTrace {
  readonly block: Block;
  readonly synapses: Synapses;
  /** Pre-synaptic activity [n, h, w, c]. */
  readonly input: Tensor;
  readonly steps: readonly StepTrace[];
  readonly output: Tensor;
}

/** A linear layer: x [n, inputs] → y [n, outputs], in a hidden layer after its ReLU. */
export interface LinearTrace {
  readonly synapses: Synapses;
  readonly input: Tensor;
  readonly output: Tensor;
}

/** What a head has done in a forward pass. */
export interface HeadTrace extends LinearTrace {
  /** Bottom first; the first one's input is [n, features], after pooling and flattening. */
  readonly hidden: readonly LinearTrace[];
  readonly head: Head;
  /** [n, h, w, c] before them. */
  readonly picture: Tensor;
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
  for (const [i, step] of after.entries()) {
    const kind = stepName(step);
    const before = after.slice(0, i).filter((one) => stepName(one) === kind).length;
    const again = before === 0 ? "" : String(before + 1);
    const called = { name: `${kind}${again}` };
    const [, height, width] = value.shape;
    const pooling = poolingOf(step);
    if (pooling) {
      const { pool, size } = pooling;
      if (pool === "max") {
        const names = { y: `${name}.pooled${again}`, argmax: `${name}.argmax${again}` };
        const { y, argmax } = record.maxPool({ x: value }, { size }, names);
        steps.push({ ...called, kind: "maxPool", argmax, size, height, width });
        value = y;
      } else {
        value = record.averagePool({ x: value }, { size }, { y: `${name}.averaged${again}` }).y;
        steps.push({ ...called, kind: "averagePool", size, height, width });
      }
    } else if (step === "triangle") {
      value = record.triangle({ x: value }, {}, { y: `${name}.${called.name}` }).y;
      steps.push({ ...called, kind: "triangle", y: value });
    } else {
      const activation = step as ActivationKind;
      value = record.activation({ x: value }, { kind: activation }, { y: `${name}.${called.name}` }).y;
      steps.push({ ...called, kind: "activation", activation, y: value });
    }
  }
  return { block, synapses, input: x, steps, output: value };
}

/** x [n, h, w, c] → embeddings or logits [n, outputs]. */
export function recordHead(record: Recorder, { name, head, hidden, synapses }: HeadModel, x: Tensor): HeadTrace {
  let input = recordFeatures(record, head, x);
  const traces = hidden.map((layer, i): LinearTrace => {
    const called = hiddenName(name, i);
    const summed = recordLinear(record, layer, input, called);
    const output = record.activation({ x: summed }, { kind: "relu" }, { y: `${called}.relu` }).y;
    const trace = { synapses: layer, input, output };
    input = output;
    return trace;
  });
  return {
    synapses,
    head,
    picture: x,
    hidden: traces,
    input,
    output: recordLinear(record, synapses, input, "embeddings"),
  };
}

function recordLinear(record: Recorder, { weight, bias }: Synapses, x: Tensor, name: string): Tensor {
  const product = record.linear({ x, w: weight }, {}, { y: name }).y;
  return bias ? record.addBias({ x: product, b: bias }, {}, { y: `${name}.biased` }).y : product;
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

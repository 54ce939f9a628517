// Encoders as plain data: blocks of convolution, activation and pooling in the paper's order, and a linear projection head.

import { wrong } from "../program/errors.ts";
import type { ActivationKind } from "../program/operations.ts";
import type { Shape } from "../program/tensor.ts";

/** What follows a convolution, in order: an activation, or 2×2 max pooling with stride 2. */
export type After = ActivationKind | "maxPool";

/** A convolution and what follows it: one layer in the paper's sense. */
export interface Block {
  readonly name: string;
  /** Channels out. */
  readonly outputs: number;
  /** Side of the square kernel, in pixels. */
  readonly kernel: number;
  readonly stride: number;
  /** Zeros around the picture, in pixels. */
  readonly padding: number;
  readonly bias: boolean;
  readonly after: readonly After[];
}

/** A network as data: the size of its pictures, its blocks and its head. */
export interface Encoder {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly blocks: readonly Block[];
  readonly head: Head;
}

/** A head: (average pooling →) flatten → linear, nothing after it. The paper's projection heads have no bias. */
export interface Head {
  /** Side of the average pooling before the linear layer; 1 is none. */
  readonly averagePool: number;
  /** Width of the embedding, or classes. */
  readonly outputs: number;
  readonly bias: boolean;
}

/** Picture [h, w, c] that enters each block, and after them the one that leaves the last. */
export function pictures({ height, width, channels, blocks }: Encoder): Shape[] {
  let picture = [height, width, channels] as [number, number, number];
  const all: Shape[] = [picture];
  for (const { name, outputs, kernel, stride, padding, after } of blocks) {
    const side = (extent: number): number => {
      const slid = Math.floor((extent + 2 * padding - kernel) / stride) + 1;
      return after.includes("maxPool") ? Math.floor(slid / 2) : slid;
    };
    picture = [side(picture[0]), side(picture[1]), outputs];
    if (picture[0] < 1 || picture[1] < 1) throw wrong("encoder", name, "left with at least one pixel", picture);
    all.push(picture);
  }
  return all;
}

/** Numbers that the head's linear layer reads from the picture [h, w, c] before it. */
export const headInputs = ({ averagePool }: Head, [h, w, c]: Shape): number =>
  Math.floor(h / averagePool) * Math.floor(w / averagePool) * c;

/** Place of a block by its name; the last one's unless told. */
export function blockPlace(operation: string, { name, blocks }: Encoder, layer?: string): number {
  if (layer === undefined) return blocks.length - 1;
  const place = blocks.findIndex((block) => block.name === layer);
  if (place < 0)
    throw wrong(operation, "layer", `a block of ${name}: ${blocks.map((block) => block.name).join(", ")}`, layer);
  return place;
}

/** What read-outs do before they flatten a picture [h, w, c]: the head's average pooling, where the picture is as large as its window. */
export const featurePool = ({ averagePool }: Pick<Head, "averagePool">, [h, w]: Shape): number =>
  Math.min(h, w) < averagePool ? 1 : averagePool;

/** Numbers that a read-out reads of a block's output, the last one's unless told. */
export function layerWidth(encoder: Encoder, layer?: string): number {
  const picture = pictures(encoder)[blockPlace("features", encoder, layer) + 1];
  return headInputs({ ...encoder.head, averagePool: featurePool(encoder.head, picture) }, picture);
}

export interface EncoderCounts {
  /** Weights and biases of the blocks, without the head. */
  readonly blocks: readonly number[];
  readonly head: number;
  readonly total: number;
  /** Multiply–accumulates of one image's forward pass, head included. */
  readonly forwardMacs: number;
  /** Numbers that a linear probe reads: the last block's output, flattened (and average pooled like the head). */
  readonly features: number;
}

/** Synapses of an encoder by block, and the multiply–accumulates of one picture. Throws where a block leaves no pixel. */
export function countParameters(encoder: Encoder): EncoderCounts {
  const shapes = pictures(encoder);
  const blocks = encoder.blocks.map(
    ({ kernel, outputs, bias }, i) => kernel * kernel * shapes[i][2] * outputs + (bias ? outputs : 0),
  );
  const convolutionMacs = encoder.blocks.map(({ kernel, outputs, stride, padding }, i) => {
    const [h, w, c] = shapes[i];
    const slid = (extent: number): number => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
    return slid(h) * slid(w) * kernel * kernel * c * outputs;
  });
  const features = headInputs(encoder.head, shapes[shapes.length - 1]);
  const head = features * encoder.head.outputs;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return { blocks, head, total: sum(blocks) + head, forwardMacs: sum(convolutionMacs) + head, features };
}

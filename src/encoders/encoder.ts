// Encoders as plain data: blocks of a convolution and what follows it, in order, and a projection head.

import { wrong } from "../program/errors.ts";
import type { ActivationKind } from "../program/operations.ts";
import type { Shape } from "../program/tensor.ts";

/** Square windows of `size` pixels that stand side by side; a remainder at the right or bottom is dropped. */
export interface Pooling {
  readonly pool: "max" | "average";
  readonly size: number;
}

/** An activation: of every unit by itself, or the triangle, [x − the mean over the units of the place]₊. */
export type Activation = ActivationKind | "triangle";

/** What follows a convolution, in order: an activation or a pooling. `maxPool` is max pooling of size 2, as the paper has it. */
export type After = Activation | "maxPool" | Pooling;

export const activationNames = ["hardtanh", "tanh", "relu", "triangle"] as const satisfies readonly Activation[];

/** The pooling that a step is; undefined where it is an activation. */
export const poolingOf = (step: After): Pooling | undefined =>
  step === "maxPool" ? { pool: "max", size: 2 } : typeof step === "string" ? undefined : step;

/** The last activation behind a convolution, which shapes what leaves the block. */
export const activationOf = ({ after }: Pick<Block, "after">): Activation | undefined =>
  after.filter((step): step is Activation => poolingOf(step) === undefined).at(-1);

/** `hardtanh`, `maxPool`, `averagePool`. */
export const stepName = (step: After): string => (typeof step === "string" ? step : `${step.pool}Pool`);

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

/** A head: (average pooling →) flatten → (linear → ReLU, for each hidden layer →) linear, nothing after it. The paper's have no bias and no hidden layer. */
export interface Head {
  /** Side of the average pooling before the linear layer; 1 is none. */
  readonly averagePool: number;
  /** Width of the embedding, or classes. */
  readonly outputs: number;
  readonly bias: boolean;
  /** Widths of hidden layers, bottom first; default none. */
  readonly hidden?: readonly number[] | undefined;
}

/** Picture [h, w, c] that enters each block, and after them the one that leaves the last. `where` begins the sentence of a refusal. */
export function pictures({ height, width, channels, blocks }: Encoder, where = "encoder"): Shape[] {
  const all: Shape[] = [[height, width, channels]];
  for (const block of blocks) all.push(blockPictures(block, all[all.length - 1], where).at(-1) as Shape);
  return all;
}

/** Pictures [h, w, c] behind a block's convolution and behind each of its steps. */
function blockPictures(
  { name, outputs, kernel, stride, padding, after }: Block,
  [h, w, c]: Shape,
  where: string,
): Shape[] {
  const padded = Math.min(h, w) + 2 * padding;
  if (kernel > padded)
    throw wrong(
      where,
      `${name}'s kernel`,
      `at most ${padded}, the side of its picture [${h}, ${w}, ${c}] with padding ${padding}`,
      kernel,
      "pool or stride less below it, or pad more",
    );
  if (padding >= kernel)
    throw wrong(
      where,
      `${name}'s padding`,
      `below its kernel of ${kernel}, or a window would see zeros alone`,
      padding,
    );
  const slid = (extent: number): number => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
  let picture: Shape = [slid(h), slid(w), outputs];
  const all = [picture];
  for (const step of after) {
    const pooling = poolingOf(step);
    if (pooling) {
      const [height, width] = picture;
      if (pooling.size > Math.min(height, width))
        throw wrong(
          where,
          `${name}'s ${stepName(step)} of size ${pooling.size}`,
          "left with at least one pixel",
          `a picture of [${picture.join(", ")}]`,
          "leave it out, or pool or stride less below it",
        );
      picture = [Math.floor(height / pooling.size), Math.floor(width / pooling.size), outputs];
    }
    all.push(picture);
  }
  return all;
}

/** Refuses an encoder whose head has nothing to read; and, as `pictures`, one whose blocks have. */
export function requireShapes(encoder: Encoder, where: string): void {
  const [h, w] = pictures(encoder, where).at(-1) as Shape;
  const { averagePool } = encoder.head;
  if (averagePool > Math.min(h, w))
    throw wrong(
      where,
      "head.averagePool",
      `at most ${Math.min(h, w)}, the side of the last block's picture`,
      averagePool,
    );
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

/** What one layer is and takes. */
export interface LayerCost {
  readonly name: string;
  /** `5 × 5, hardtanh, max pool 2` */
  readonly does: string;
  /** [h, w, c], or [units]. */
  readonly input: Shape;
  readonly output: Shape;
  /** Weights and biases. */
  readonly parameters: number;
  /** Multiply–accumulates of one image's forward pass. */
  readonly macs: number;
}

/** Of every block. */
export function blockCosts(encoder: Encoder): LayerCost[] {
  const shapes = pictures(encoder);
  return encoder.blocks.map((block, i) => {
    const { name, outputs, kernel, stride, padding, bias, after } = block;
    const [h, w] = blockPictures(block, shapes[i], "encoder")[0];
    const weights = kernel * kernel * shapes[i][2] * outputs;
    const does = [
      `${kernel} × ${kernel}`,
      ...(stride === 1 ? [] : [`stride ${stride}`]),
      ...(2 * padding === kernel - 1 ? [] : [`padding ${padding}`]),
      ...(bias ? ["bias"] : []),
      ...after.map((step) => {
        const pooling = poolingOf(step);
        return pooling ? `${pooling.pool} pool ${pooling.size}` : stepName(step);
      }),
    ];
    return {
      name,
      does: does.join(", "),
      input: shapes[i],
      output: shapes[i + 1],
      parameters: weights + (bias ? outputs : 0),
      macs: h * w * weights,
    };
  });
}

/** Of every linear layer of a head on a picture [h, w, c]. */
export function headCosts(head: Head, picture: Shape, name = "head"): LayerCost[] {
  const widths = [headInputs(head, picture), ...(head.hidden ?? []), head.outputs];
  return widths.slice(1).map((outputs, i) => {
    const inputs = widths[i];
    const last = i === widths.length - 2;
    const does = [
      ...(i === 0 && head.averagePool > 1 ? [`average pool ${head.averagePool}`] : []),
      "linear",
      ...(head.bias ? ["bias"] : []),
      ...(last ? [] : ["relu"]),
    ];
    return {
      name: last ? name : hiddenName(name, i),
      does: does.join(", "),
      input: i === 0 ? picture : [inputs],
      output: [outputs],
      parameters: inputs * outputs + (head.bias ? outputs : 0),
      macs: inputs * outputs,
    };
  });
}

/** Name of a head's hidden layer, from 0 at the bottom. */
export const hiddenName = (head: string, layer: number): string => `${head}.hidden${layer + 1}`;

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
  const last = shapes[shapes.length - 1];
  const [blocks, heads] = [blockCosts(encoder), headCosts(encoder.head, last)];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const head = sum(heads.map(({ parameters }) => parameters));
  const each = blocks.map(({ parameters }) => parameters);
  return {
    blocks: each,
    head,
    total: sum(each) + head,
    forwardMacs: sum([...blocks, ...heads].map(({ macs }) => macs)),
    features: headInputs(encoder.head, last),
  };
}

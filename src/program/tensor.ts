// Tensors of a program: a shape, an element type, a name and a role. They hold no numbers; a backend does.

import { wrong } from "./errors.ts";

export type DType = "f32" | "i32" | "u8";
/** Extents of a tensor, the slowest first. */
export type Shape = readonly number[];

/**
 * What a tensor is to the network. The locality audit and the memory plan read it.
 * `input` comes from the host, `weight` and `feedback` are synapses, `state` is the optimiser's,
 * `activity` travels forward, `error` travels back, `update` is a change of a synapse, `metric` is for reading.
 */
export type Role = "input" | "weight" | "feedback" | "state" | "activity" | "error" | "update" | "metric";

/** A named array with a shape, a type and a role, without values. */
export interface Tensor {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly role: Role;
  /** `run`: keeps its value from step to step. `step`: lives from its first writer to its last reader. */
  readonly lifetime: "run" | "step";
  /** A window on another tensor's elements, contiguous, starting at element `offset`. */
  readonly window?: { readonly of: Tensor; readonly offset: number };
}

const bytesPerElement = { f32: 4, i32: 4, u8: 1 } as const satisfies Record<DType, number>;

/** Elements of a shape. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

export const bytesOf = (tensor: Tensor): number => sizeOf(tensor.shape) * bytesPerElement[tensor.dtype];

/** The tensor that owns the elements: itself, or what its window looks at. */
export const ownerOf = (tensor: Tensor): Tensor => tensor.window?.of ?? tensor;

/** First element of the tensor inside its owner. */
export const offsetOf = (tensor: Tensor): number => tensor.window?.offset ?? 0;

/** A tensor that keeps its value from step to step: inputs, synapses, optimiser state. The host writes it. */
export function persistent(
  name: string,
  shape: Shape,
  role: "input" | "weight" | "feedback" | "state",
  dtype: DType = "f32",
): Tensor {
  checkShape(name, shape);
  return { name, shape, dtype, role, lifetime: "run" };
}

/** Rows `start … start + count − 1` of a tensor, without a copy. */
export function rows(tensor: Tensor, start: number, count: number): Tensor {
  const total = tensor.shape[0] ?? 0;
  if (!(Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count > 0 && start + count <= total))
    throw wrong("rows", tensor.name, `${count} rows from ${start}`, tensor.shape);
  if (start === 0 && count === total) return tensor;
  const stride = sizeOf(tensor.shape) / total;
  return {
    ...tensor,
    name: `${tensor.name}[${start}:${start + count}]`,
    shape: [count, ...tensor.shape.slice(1)],
    window: { of: ownerOf(tensor), offset: offsetOf(tensor) + start * stride },
  };
}

/** The same elements in the same order under another shape, without a copy. */
export function reshape(tensor: Tensor, shape: Shape): Tensor {
  if (sizeOf(shape) !== sizeOf(tensor.shape))
    throw wrong("reshape", tensor.name, `${sizeOf(shape)} elements for [${shape.join(", ")}]`, tensor.shape);
  return {
    ...tensor,
    name: `${tensor.name}:${shape.join("x")}`,
    shape,
    window: { of: ownerOf(tensor), offset: offsetOf(tensor) },
  };
}

/** `[n, h, w, c]` as `[n, h·w·c]`: what a head or a classifier reads. */
export const flatten = (tensor: Tensor): Tensor =>
  tensor.shape.length === 2
    ? tensor
    : reshape(tensor, [tensor.shape[0] ?? 0, sizeOf(tensor.shape) / (tensor.shape[0] ?? 1)]);

export function checkShape(name: string, shape: Shape): void {
  if (shape.length === 0 || !shape.every((extent) => Number.isInteger(extent) && extent > 0))
    throw wrong("tensor", name, "a shape of positive whole numbers", shape);
}

// PyTorch's layout of synapses, in files that others read: [out, in, height, width] and [out, in], pictures with their channels first.

import type { Shape } from "../program/tensor.ts";

export interface Array32 {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/**
 * [k, k, in, out] → [out, in, k, k]; [h · w · channels, out] → [out, channels · h · w]. A bias is a bias. `channels` are those of the
 * picture that a matrix reads.
 */
export function toTorch({ shape, data }: Array32, channels = 1): Array32 {
  const turned = torchShape(shape);
  if (shape.length === 4) {
    const [height, width, from, to] = shape;
    return { shape: turned, data: reversed(data, [height * width, from, to]) };
  }
  if (shape.length !== 2) return { shape, data };
  const [from, to] = shape;
  return { shape: turned, data: reversed(data, [from / channels, channels, to]) };
}

export const torchShape = (shape: Shape): Shape =>
  shape.length === 4 ? [shape[3], shape[2], shape[0], shape[1]] : shape.toReversed();

/** The way back. */
export function fromTorch({ shape, data }: Array32, channels = 1): Array32 {
  if (shape.length === 4) {
    const [to, from, height, width] = shape;
    return { shape: [height, width, from, to], data: reversed(data, [to, from, height * width]) };
  }
  if (shape.length !== 2) return { shape, data };
  const [to, from] = shape;
  return { shape: [from, to], data: reversed(data, [to, channels, from / channels]) };
}

/** [a, b, c] → [c, b, a], sixteen of c at a time: a line of the cache is read whole, and as many are written side by side. */
function reversed(data: Float32Array, [a, b, c]: readonly [number, number, number]): Float32Array {
  const out = new Float32Array(data.length);
  for (let first = 0; first < c; first += 16) {
    const end = Math.min(first + 16, c);
    for (let j = 0; j < b; j++)
      for (let i = 0; i < a; i++)
        for (let k = first; k < end; k++) out[(k * b + j) * a + i] = data[(i * b + j) * c + k];
  }
  return out;
}

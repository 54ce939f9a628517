// Receptive fields: which pixels a unit in the middle of a layer's map can see, and the spike-triggered average over white noise within them.

import type { ImageSet } from "../../data/images.ts";
import { blockPlace, type Encoder, featurePool, pictures, poolingOf } from "../../encoders/encoder.ts";

/** A square of the picture, in pixels; a part of it may lie outside, in the padding. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly side: number;
}

/** Where the unit in the middle of what is read of a layer [rows, columns, channels] stands, and what it sees. */
export interface MiddleUnit {
  /** Number of its first channel among the layer's features. */
  readonly first: number;
  readonly channels: number;
  readonly window: Window;
}

export function middleUnit(encoder: Encoder, layer: string): MiddleUnit {
  const end = blockPlace("receptiveField", encoder, layer) + 1;
  const picture = pictures(encoder)[end];
  const pool = featurePool(encoder.head, picture);
  const [rows, columns] = picture.slice(0, 2).map((extent) => Math.floor(extent / pool));
  const steps = encoder.blocks.slice(0, end).flatMap(({ kernel, stride, padding, after }) => [
    { kernel, stride, padding },
    ...after.flatMap((step) => {
      const { size } = poolingOf(step) ?? { size: 1 };
      return size === 1 ? [] : [{ kernel: size, stride: size, padding: 0 }];
    }),
  ]);
  // Where the first unit's field begins, how large it is, and how far the next unit's is from it.
  let [start, side, jump] = [0, 1, 1];
  for (const { kernel, stride, padding } of [...steps, { kernel: pool, stride: pool, padding: 0 }]) {
    start -= padding * jump;
    side += (kernel - 1) * jump;
    jump *= stride;
  }
  const [row, column] = [rows, columns].map((extent) => Math.floor(extent / 2));
  const channels = picture[2];
  return {
    first: (row * columns + column) * channels,
    channels,
    window: { top: start + row * jump, left: start + column * jump, side },
  };
}

/**
 * Σ r·s/Σ r − mean of s over the pictures of noise, for each unit: r its rectified response [count, units] above that to the grey picture, which
 * is the set's last, s the window's values from −1 to 1. [units, side, side, channels]; zeros where a unit never answers.
 */
export function triggeredAverages(
  { pixels, count, height, width, channels }: ImageSet,
  responses: Float32Array,
  { top, left, side }: Window,
  /** Which of the noise is taken: every one unless told. */
  taken: (picture: number) => boolean = () => true,
): Float64Array[] {
  const units = responses.length / count;
  const size = side * side * channels;
  const noise = count - 1;
  const sums = Array.from({ length: units }, () => new Float64Array(size));
  const totals = new Float64Array(units);
  const mean = new Float64Array(size);
  let pictures = 0;
  const seen = new Float64Array(size);
  for (let i = 0; i < noise; i++) {
    if (!taken(i)) continue;
    pictures++;
    for (let y = 0, at = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const [row, column] = [top + y, left + x];
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        const from = ((i * height + row) * width + column) * channels;
        for (let c = 0; c < channels; c++, at++) seen[at] = inside ? pixels[from + c] / 127.5 - 1 : 0;
      }
    for (let k = 0; k < size; k++) mean[k] += seen[k];
    for (let unit = 0; unit < units; unit++) {
      const r = responses[i * units + unit] - responses[noise * units + unit];
      if (!(r > 0)) continue;
      totals[unit] += r;
      const sum = sums[unit];
      for (let k = 0; k < size; k++) sum[k] += r * seen[k];
    }
  }
  return sums.map((sum, unit) =>
    sum.map((value, k) => (totals[unit] > 0 ? value / totals[unit] - mean[k] / pictures : 0)),
  );
}

/** The filter [kernel, kernel, channels in] of every channel out, from weights [kernel, kernel, channels in, channels out]. */
export function filtersOf(weight: Float32Array, channels: number): Float64Array[] {
  return Array.from({ length: channels }, (_, channel) =>
    Float64Array.from({ length: weight.length / channels }, (_, k) => weight[k * channels + channel]),
  );
}

/**
 * The spatial part of a field [side, side, channels]: of all products of a picture and a colour the one that is nearest to it, as the first
 * singular vectors are. The larger part of its colour is positive.
 */
export function spatialPart(field: Float64Array, channels: number): Float64Array {
  let colour = Float64Array.from({ length: channels }, () => 1);
  const pixels = field.length / channels;
  const space = new Float64Array(pixels);
  for (let turn = 0; turn < 50; turn++) {
    for (let p = 0; p < pixels; p++) {
      space[p] = 0;
      for (let c = 0; c < channels; c++) space[p] += field[p * channels + c] * colour[c];
    }
    const next = new Float64Array(channels);
    for (let p = 0; p < pixels; p++) for (let c = 0; c < channels; c++) next[c] += field[p * channels + c] * space[p];
    const length = Math.hypot(...next);
    // The first turn sees nothing where the colours cancel.
    colour =
      length > 0 ? next.map((value) => value / length) : Float64Array.from(colour, (_, c) => (c === turn ? 1 : 0));
  }
  const sign = colour.reduce((sum, value) => sum + value, 0) < 0 ? -1 : 1;
  return space.map((value) => sign * value);
}

// One augmented view of one image, from its row of parameters: the specification of makeViews. Columns: program/views.ts.

import { orders, view } from "../../program/views.ts";

interface Picture {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

const clamp = (x: number): number => Math.min(1, Math.max(0, x));

/** ITU-R 601 luma, as torchvision's rgb_to_grayscale. */
const luma = (r: number, g: number, b: number): number => 0.2989 * r + 0.587 * g + 0.114 * b;

/** Values in [0, 1], channels last, `height · width · channels` of them. */
export function makeView(picture: Picture, row: Float64Array, height: number, width: number): Float64Array {
  const { channels } = picture;
  const result = sample(picture, row, height, width);
  if (row[view.colour] === 1) {
    for (const step of orders[row[view.order]]) {
      if (step === "brightness") forPixels(result, channels, (values) => values.map((x) => x * row[view.brightness]));
      if (step === "contrast") {
        const grey = meanLuma(result, channels);
        forPixels(result, channels, (values) => values.map((x) => blend(x, grey, row[view.contrast])));
      }
      if (step === "saturation" && channels === 3)
        forPixels(result, 3, ([r, g, b]) => [r, g, b].map((x) => blend(x, luma(r, g, b), row[view.saturation])));
      if (step === "hue" && channels === 3)
        forPixels(result, 3, ([r, g, b]) => {
          const [h, s, v] = toHsv(r, g, b);
          return fromHsv(h + row[view.hue], s, v);
        });
    }
  }
  if (row[view.colour] === 2 && channels === 3)
    forPixels(result, 3, ([r, g, b]) => {
      const [h, s, v] = toHsv(r, g, b);
      return fromHsv(h + row[view.hue], clamp(s * row[view.saturation]), v);
    });
  if (row[view.grey] === 1 && channels === 3)
    forPixels(result, 3, ([r, g, b]) => [luma(r, g, b), luma(r, g, b), luma(r, g, b)]);
  return result;
}

/** Sampling at the affine image of every output pixel: means of the pixels around it, weighted by tents along x and along y. */
function sample(
  { pixels, height: h, width: w, channels: c }: Picture,
  row: Float64Array,
  height: number,
  width: number,
) {
  const result = new Float64Array(height * width * c);
  const at = (y: number, x: number, k: number): number =>
    y < 0 || y >= h || x < 0 || x >= w ? 0 : pixels[(y * w + x) * c + k] / 255;
  const along = (place: number, axis: 0 | 1): Taps => {
    const support = Math.max(1, row[view.support + axis]);
    if (row[view.outside] === 1) return tent(place, support);
    const [first, last] = [row[view.box + axis], row[view.box + 2 + axis]];
    return tent(Math.min(last, Math.max(first, place)), support, first, last);
  };
  for (let Y = 0; Y < height; Y++)
    for (let X = 0; X < width; X++) {
      const x = row[view.affine] * X + row[view.affine + 1] * Y + row[view.affine + 2];
      const y = row[view.affine + 3] * X + row[view.affine + 4] * Y + row[view.affine + 5];
      const [columns, rows] = [along(x, 0), along(y, 1)];
      const to = (Y * width + X) * c;
      for (const [i, rowShare] of rows.shares.entries())
        for (const [j, columnShare] of columns.shares.entries()) {
          for (let k = 0; k < c; k++)
            result[to + k] += rowShare * columnShare * at(rows.first + i, columns.first + j, k);
        }
    }
  return result;
}

/** Pixels along one side from `first` on, and what each weighs in a sample. */
interface Taps {
  readonly first: number;
  readonly shares: readonly number[];
}

/** Shares of the pixels least … most that fall evenly from the place to nothing at `support` pixels from it; they sum to 1. */
function tent(place: number, support: number, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): Taps {
  const first = Math.max(least, Math.floor(place - support) + 1);
  const last = Math.min(most, Math.ceil(place + support) - 1);
  const weights = Array.from({ length: last - first + 1 }, (_, i) => 1 - Math.abs(first + i - place) / support);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return { first, shares: weights.map((weight) => weight / sum) };
}

const blend = (x: number, other: number, amount: number): number => amount * x + (1 - amount) * other;

/** Replaces every pixel by what `change` makes of it, clamped to [0, 1]. */
function forPixels(values: Float64Array, channels: number, change: (pixel: number[]) => number[]): void {
  for (let i = 0; i < values.length; i += channels)
    change([...values.subarray(i, i + channels)]).forEach((x, k) => {
      values[i + k] = clamp(x);
    });
}

function meanLuma(values: Float64Array, channels: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += channels)
    sum += channels === 3 ? luma(values[i], values[i + 1], values[i + 2]) : values[i];
  return (sum * channels) / values.length;
}

/** Hue in turns, saturation and value in [0, 1]. */
function toHsv(r: number, g: number, b: number): [number, number, number] {
  const most = Math.max(r, g, b);
  const range = most - Math.min(r, g, b);
  if (range === 0) return [0, 0, most];
  const sixth = most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range;
  return [sixth / 6, range / most, most];
}

/** Each channel is v − v·s·clamp(min(k, 4 − k)) with k = (n + 6h) mod 6 and n = 5, 3, 1. */
function fromHsv(h: number, s: number, v: number): number[] {
  return [5, 3, 1].map((n) => {
    const k = (((n + 6 * h) % 6) + 6) % 6;
    return v - v * s * clamp(Math.min(k, 4 - k));
  });
}

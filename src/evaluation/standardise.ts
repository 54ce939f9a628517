// Columns with mean 0 and variance 1: what makes a linear model that is penalised not mind the scale of its features.

import type { Features } from "./features.ts";

/** Of every column; `scale` is 1 / standard deviation, and 0 for a constant column. */
export interface Moments {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** Moments over some rows. */
export function momentsOf({ rows, width }: Features, chosen: Int32Array): Moments {
  const mean = meanOf(rows, width, chosen);
  const squares = new Float64Array(width);
  for (const row of chosen) {
    const at = row * width;
    for (let k = 0; k < width; k++) {
      const rest = rows[at + k] - mean[k];
      squares[k] += rest * rest;
    }
  }
  const scale = squares.map((sum, k) => {
    const variance = sum / chosen.length;
    return variance > 1e-12 * (mean[k] * mean[k]) && variance > 0 ? 1 / Math.sqrt(variance) : 0;
  });
  return { mean, scale };
}

/** Mean of every column over some rows. */
export function meanOf(rows: Float32Array, width: number, chosen: Int32Array): Float64Array {
  const sum = new Float64Array(width);
  for (const row of chosen) {
    const at = row * width;
    for (let k = 0; k < width; k++) sum[k] += rows[at + k];
  }
  return sum.map((value) => value / chosen.length);
}

/** Some rows, standardised, from the first place of `into` on. */
export function standardise(
  { rows, width }: Features,
  chosen: Int32Array,
  { mean, scale }: Moments,
  into: Float32Array = new Float32Array(chosen.length * width),
): Float32Array {
  let to = 0;
  for (const row of chosen) {
    const at = row * width;
    for (let k = 0; k < width; k++) into[to++] = (rows[at + k] - mean[k]) * scale[k];
  }
  return into.subarray(0, to);
}

/** Weights [classes, width] and biases of a linear classifier. */
export interface Linear {
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

/** The classifier of rows as they are that answers as this one does of standardised rows. */
export function ofRawRows({ weight, bias }: Linear, { mean, scale }: Moments): Linear {
  const width = mean.length;
  const raw = weight.map((value, i) => value * scale[i % width]);
  return {
    weight: raw,
    bias: bias.map((value, c) => {
      let sum = value;
      for (let k = 0; k < width; k++) sum -= raw[c * width + k] * mean[k];
      return sum;
    }),
  };
}

/** The classifier of standardised rows that answers as this one does of the rows as they are, but for columns that are constant here. */
export function ofStandardRows({ weight, bias }: Linear, { mean, scale }: Moments): Linear {
  const width = mean.length;
  return {
    weight: weight.map((value, i) => (scale[i % width] === 0 ? 0 : value / scale[i % width])),
    bias: bias.map((value, c) => {
      let sum = value;
      for (let k = 0; k < width; k++) sum += weight[c * width + k] * mean[k];
      return sum;
    }),
  };
}

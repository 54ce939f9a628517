// The plane in which rows spread most: their first two principal components, by orthogonal iteration (Golub & Van Loan 2013, section 8.2.4).

import { randomStream } from "../program/random.ts";
import { dot, lengthOf } from "./lbfgs.ts";
import { meanOf } from "./standardise.ts";

/** First word of the path of random numbers that iteration starts from. */
const directionsDraw = 0x9ca1;
/** An axis has settled when it turns by less; iterations at most, after which any plane is as good whose rows spread as much. */
const [settled, mostIterations] = [1e-8, 100];

/**
 * Coordinates [n, 2] of rows [n, width] along the two axes, less their mean. The largest entry of an axis, by size, is positive, as
 * scikit-learn has it. A coordinate along which rows do not differ is 0.
 */
export function principalPlane(rows: Float32Array, n: number, width: number, seed: number): Float64Array {
  const mean = meanOf(
    rows,
    width,
    Int32Array.from({ length: n }, (_, i) => i),
  );
  const centred = Float64Array.from(rows, (value, at) => value - mean[at % width]);
  const random = randomStream(seed, directionsDraw);
  const axes = [0, 1].map(() => Float64Array.from({ length: width }, random.normal));
  let along = coordinates(centred, n, axes);
  for (let iteration = 0; iteration < mostIterations; iteration++) {
    // Covariance times each axis, up to a factor.
    const turned = axes.map(() => new Float64Array(width));
    for (let i = 0; i < n; i++)
      for (const [a, sum] of turned.entries()) {
        const weight = along[2 * i + a];
        for (let k = 0; k < width; k++) sum[k] += weight * centred[i * width + k];
      }
    const overlap = dot(turned[1], turned[0]) / (dot(turned[0], turned[0]) || 1);
    turned[1].forEach((value, k) => {
      turned[1][k] = value - overlap * turned[0][k];
    });
    let moved = 0;
    for (const [a, vector] of turned.entries()) {
      const length = lengthOf(vector);
      vector.forEach((value, k) => {
        const next = length > 0 ? value / length : 0;
        moved = Math.max(moved, Math.abs(next - axes[a][k]));
        axes[a][k] = next;
      });
    }
    along = coordinates(centred, n, axes);
    if (moved < settled) break;
  }
  const signs = axes.map((axis) => Math.sign(axis.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a))));
  return along.map((value, at) => value * signs[at % 2]);
}

function coordinates(centred: Float64Array, n: number, axes: readonly Float64Array[]): Float64Array {
  const along = new Float64Array(2 * n);
  const { length: width } = axes[0];
  for (let i = 0; i < n; i++)
    for (const [a, axis] of axes.entries()) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += axis[k] * centred[i * width + k];
      along[2 * i + a] = sum;
    }
  return along;
}

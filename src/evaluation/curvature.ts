// A guess of a logistic regression's Hessian, to precondition L-BFGS with: the one at zero, where every class is as probable as any other.
//
// At zero it is (1 − 1/classes)/classes · FᵀF/n + λ for each class. FᵀF/n is taken as it is along the few directions in which the features
// vary most, found by subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4), and as its mean across them.

import { randomStream } from "../program/random.ts";
import { add, dot, lengthOf, type Preconditioner } from "./lbfgs.ts";

/** FᵀF/n of features F [n, width], as far as it is known. */
export interface Covariance {
  readonly width: number;
  /** [count, width], orthonormal rows, some of which may be zeros. */
  readonly directions: Float64Array;
  readonly count: number;
  /** directions · FᵀF/n · directionsᵀ [count, count]. */
  readonly along: Float64Array;
  /** Mean variance of the directions across these. */
  readonly across: number;
}

const mostDirections = 32;
/** First word of the path of random numbers of the directions that the iteration starts from. */
const startDirections = 0xd12e;

/** Directions that are multiplied side by side, for a class's weights come from far. */
const abreast = 4;

/** How many directions are looked for: at most half as many as there are. */
export const directionsOf = (n: number, width: number): number =>
  Math.min(mostDirections, abreast * Math.floor(Math.min(n, width) / 2 / abreast));

/** `multiply` is Q [count, width] → Q·FᵀF/n; `trace` is FᵀF/n's. */
export async function covarianceOf(
  multiply: (directions: Float64Array) => Promise<Float64Array>,
  { width, count, trace }: { readonly width: number; readonly count: number; readonly trace: number },
): Promise<Covariance> {
  let directions = orthonormal(
    Float64Array.from({ length: count * width }, randomStream(0, startDirections).normal),
    width,
  );
  for (let turn = 0; turn < 2; turn++) directions = orthonormal(await multiply(directions), width);
  const multiplied = await multiply(directions);
  const along = new Float64Array(count * count);
  let known = 0;
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      const value = dot(row(multiplied, i, width), row(directions, j, width));
      along[i * count + j] = value;
      along[j * count + i] = value;
      if (i === j) known += value;
    }
  return { width, directions, count, along, across: Math.max(0, trace - known) / Math.max(1, width - count) };
}

const row = (matrix: Float64Array, i: number, width: number): Float64Array =>
  matrix.subarray(i * width, (i + 1) * width);

/** Orthonormal rows that span what these span, by Gram–Schmidt, twice for the rounding's sake; zeros for a row that lies among those before. */
function orthonormal(rows: Float64Array, width: number): Float64Array {
  const kept = rows.slice();
  for (let i = 0; i * width < rows.length; i++) {
    const own = row(kept, i, width);
    const length = lengthOf(own);
    for (let turn = 0; turn < 2; turn++)
      for (let j = 0; j < i; j++) add(own, -dot(own, row(kept, j, width)), row(kept, j, width));
    const rest = lengthOf(own);
    for (let k = 0; k < width; k++) own[k] = rest > 1e-6 * length ? own[k] / rest : 0;
  }
  return kept;
}

/** The curvature of the biases at zero, which nothing penalises, and with `across` and λ that of the weights. */
export const spreadOf = (classes: number): number => (1 - 1 / classes) / classes;

/** Of weights [classes, width] and then biases [classes], under the penalty `strength`/2·‖W‖². */
export function preconditionerOf(
  { width, directions, count, along, across }: Covariance,
  classes: number,
  strength: number,
): Preconditioner {
  const spread = spreadOf(classes);
  const elsewhere = spread * across + strength;
  /** What the inverse along the directions has beyond that elsewhere. */
  const beyond = inverse(
    along.map((value, i) => spread * value + (i % (count + 1) === 0 ? strength : 0)),
    count,
  );
  for (let i = 0; i < count; i++) beyond[i * (count + 1)] -= 1 / elsewhere;

  /** Components of each class's weights along the directions, [count, classes]. */
  function components(v: Float64Array): Float64Array {
    const own = new Float64Array(count * classes);
    for (let i = 0; i < count; i += abreast)
      for (let c = 0; c < classes; c++) {
        let s0 = 0;
        let s1 = 0;
        let s2 = 0;
        let s3 = 0;
        for (let k = 0, d = i * width, at = c * width; k < width; k++, d++, at++) {
          s0 += directions[d] * v[at];
          s1 += directions[d + width] * v[at];
          s2 += directions[d + 2 * width] * v[at];
          s3 += directions[d + 3 * width] * v[at];
        }
        const to = i * classes + c;
        own[to] = s0;
        own[to + classes] = s1;
        own[to + 2 * classes] = s2;
        own[to + 3 * classes] = s3;
      }
    return own;
  }

  /** beyond · components. */
  function times(own: Float64Array): Float64Array {
    const product = new Float64Array(own.length);
    for (let i = 0; i < count; i++)
      for (let j = 0; j < count; j++)
        for (let c = 0; c < classes; c++) product[i * classes + c] += beyond[i * count + j] * own[j * classes + c];
    return product;
  }

  return {
    solve: (v) => {
      const solved = new Float64Array(v.length);
      for (let i = 0; i < v.length; i++) solved[i] = v[i] / (i < classes * width ? elsewhere : spread);
      const factors = times(components(v));
      for (let i = 0; i < count; i += abreast)
        for (let c = 0; c < classes; c++) {
          const from = i * classes + c;
          const f0 = factors[from];
          const f1 = factors[from + classes];
          const f2 = factors[from + 2 * classes];
          const f3 = factors[from + 3 * classes];
          for (let k = 0, d = i * width, at = c * width; k < width; k++, d++, at++)
            solved[at] +=
              f0 * directions[d] +
              f1 * directions[d + width] +
              f2 * directions[d + 2 * width] +
              f3 * directions[d + 3 * width];
        }
      return solved;
    },
    square: (v) => {
      const weights = v.subarray(0, classes * width);
      const biases = v.subarray(classes * width);
      const own = components(v);
      return dot(weights, weights) / elsewhere + dot(biases, biases) / spread + dot(own, times(own));
    },
  };
}

/** Of a symmetric positive definite matrix [n, n], by Gauss–Jordan elimination, which needs no pivots here. */
function inverse(matrix: Float64Array, n: number): Float64Array {
  const left = matrix.slice();
  const right = new Float64Array(n * n);
  for (let i = 0; i < n; i++) right[i * n + i] = 1;
  for (let j = 0; j < n; j++) {
    const pivot = left[j * n + j];
    for (let k = 0; k < n; k++) {
      left[j * n + k] /= pivot;
      right[j * n + k] /= pivot;
    }
    for (let i = 0; i < n; i++) {
      const factor = left[i * n + j];
      if (i === j || factor === 0) continue;
      for (let k = 0; k < n; k++) {
        left[i * n + k] -= factor * left[j * n + k];
        right[i * n + k] -= factor * right[j * n + k];
      }
    }
  }
  return right;
}

// Effective rank (RankMe, Garrido et al. 2023, arXiv 2210.02885): exp of the entropy of the singular values' shares, exp(−Σ p ln p), p = σ/Σσ.

import { SaccadeError } from "../../program/errors.ts";
import type { Geometry } from "./geometry.ts";

/** Eigenvalues below this share of the largest are float32's rounding of the responses, not theirs. */
const rounding = 1e-9;

/** Of the responses as they are, not centred, as RankMe has it. From 1 to the smaller of stimuli and units; 0 where there is no response. */
export function effectiveRank({ gram, count }: Geometry): number {
  const eigenvalues = symmetricEigenvalues(gram, count);
  const largest = eigenvalues.reduce((a, b) => Math.max(a, b), 0);
  const singular = [...eigenvalues].filter((value) => value > rounding * largest).map(Math.sqrt);
  const total = singular.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 0;
  return Math.exp(-singular.reduce((sum, value) => sum + (value / total) * Math.log(value / total), 0));
}

/** All eigenvalues of a symmetric matrix [n, n], in no order: Householder's tridiagonal form, then QL with implicit shifts (Golub & Van Loan, 8.3). */
export function symmetricEigenvalues(matrix: Float64Array, n: number): Float64Array {
  const { diagonal, beside } = tridiagonal(matrix, n);
  for (let first = 0; first < n; first++)
    for (let turn = 0; ; turn++) {
      let end = first;
      for (; end < n - 1; end++) {
        const size = Math.abs(diagonal[end]) + Math.abs(diagonal[end + 1]);
        if (Math.abs(beside[end]) <= Number.EPSILON * size) break;
      }
      if (end === first) break;
      if (turn === 60) throw new SaccadeError("symmetricEigenvalues: the matrix must hold finite numbers, got others");
      sweep(diagonal, beside, first, end);
    }
  return diagonal;
}

/** One QL step with Wilkinson's shift on rows `first` … `end`. */
function sweep(diagonal: Float64Array, beside: Float64Array, first: number, end: number): void {
  const half = (diagonal[first + 1] - diagonal[first]) / (2 * beside[first]);
  const root = Math.hypot(half, 1);
  let g = diagonal[end] - diagonal[first] + beside[first] / (half + (half < 0 ? -root : root));
  let [sine, cosine, p] = [1, 1, 0];
  for (let i = end - 1; i >= first; i--) {
    const f = sine * beside[i];
    const b = cosine * beside[i];
    const length = Math.hypot(f, g);
    beside[i + 1] = length;
    if (length === 0) {
      diagonal[i + 1] -= p;
      beside[end] = 0;
      return;
    }
    sine = f / length;
    cosine = g / length;
    g = diagonal[i + 1] - p;
    const turned = (diagonal[i] - g) * sine + 2 * cosine * b;
    p = sine * turned;
    diagonal[i + 1] = g + p;
    g = cosine * turned - b;
  }
  diagonal[first] -= p;
  beside[first] = g;
  beside[end] = 0;
}

/** The diagonal [n] and what stands beside it [n], its last number 0, of a similar tridiagonal matrix. */
function tridiagonal(matrix: Float64Array, n: number): { diagonal: Float64Array; beside: Float64Array } {
  /** On and below the diagonal. */
  const a = matrix.slice();
  const beside = new Float64Array(n);
  const [v, p] = [new Float64Array(n), new Float64Array(n)];
  for (let last = n - 1; last > 0; last--) {
    // Row `last` left of its diagonal is reflected onto its last place.
    const row = last * n;
    let square = 0;
    for (let k = 0; k < last; k++) square += a[row + k] * a[row + k];
    const end = a[row + last - 1];
    const length = Math.sqrt(square);
    const reflected = end > 0 ? -length : length;
    beside[last - 1] = reflected;
    const scale = square - end * reflected;
    if (!(scale > 0)) continue;
    for (let k = 0; k < last; k++) v[k] = a[row + k];
    v[last - 1] -= reflected;
    p.fill(0, 0, last);
    multiply(a, n, v, p, last);
    let product = 0;
    for (let k = 0; k < last; k++) {
      p[k] /= scale;
      product += p[k] * v[k];
    }
    const share = product / (2 * scale);
    for (let k = 0; k < last; k++) p[k] -= share * v[k];
    for (let i = 0; i < last; i++) {
      const at = i * n;
      const vi = v[i];
      const pi = p[i];
      for (let k = 0; k <= i; k++) a[at + k] -= vi * p[k] + pi * v[k];
    }
  }
  return { diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]), beside };
}

/** p += A·v for the first `count` rows and columns of A [n, n], of which what is on and below the diagonal is read. Two rows at a time. */
function multiply(a: Float64Array, n: number, v: Float64Array, p: Float64Array, count: number): void {
  let i = 0;
  for (; i + 1 < count; i += 2) {
    const first = i * n;
    const second = first + n;
    const v0 = v[i];
    const v1 = v[i + 1];
    let s0 = 0;
    let s1 = 0;
    for (let k = 0; k < i; k++) {
      const a0 = a[first + k];
      const a1 = a[second + k];
      s0 += a0 * v[k];
      s1 += a1 * v[k];
      p[k] += a0 * v0 + a1 * v1;
    }
    const between = a[second + i];
    p[i] += s0 + a[first + i] * v0 + between * v1;
    p[i + 1] += s1 + between * v0 + a[second + i + 1] * v1;
  }
  if (i === count) return;
  let sum = a[i * n + i] * v[i];
  for (let k = 0; k < i; k++) {
    sum += a[i * n + k] * v[k];
    p[k] += a[i * n + k] * v[i];
  }
  p[i] += sum;
}

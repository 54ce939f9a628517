// Coordinates in the space that rows span: the same inner products in fewer columns, where there are fewer rows than columns.
//
// An L2-regularised linear model finds its weights in the span of the training rows (representer theorem), and its penalty does not see
// rotations, so in these coordinates it has the same minimum and gives every row the same logits. The basis is the one of a pivoted
// Cholesky factorisation of the Gram matrix K = X·Xᵀ ≈ L·Lᵀ (Higham 2002, section 10.3): a row's coordinates are its row of L, and with the
// pivots' rows X_P, which span all others, the basis is X_Pᵀ·L_P⁻ᵀ.

import type { Engine } from "../backends/backend.ts";
import { type Program, recordProgram } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";

/** Rows up to which it is worth its factorisation, which takes rows³/6 multiplications, here. */
const mostRows = 2048;

/** Whether rows are few enough, and half as many as columns at most. */
export const isWorthwhile = (n: number, width: number): boolean => n <= mostRows && 2 * n <= width;

/** The programs that lead from rows [n, width] into their span and back. */
export interface SpanPrograms {
  readonly programs: readonly Program[];
  /** [n, n]. */
  readonly gram: Tensor;
  /** [classes, width], and the rows' products with it [n, classes]. */
  readonly weight: Tensor;
  readonly products: Tensor;
  /** [n, classes], and the rows so weighed [classes, width]. */
  readonly rowWeights: Tensor;
  readonly sum: Tensor;
}

export function recordSpan(rows: Tensor, classes: number): SpanPrograms {
  const [n, width] = rows.shape;
  const weight = persistent(`weight of ${n} rows`, [classes, width], "input");
  const weighing = persistent(`row weights of ${n}`, [n, classes], "input");
  const [first, second, third] = ["gram", "products", "sum"].map((name) => recordProgram(`${name} of ${n} rows`));
  const gram = first.linearInputGradient({ dy: rows, w: rows }, {}, { dx: "gram" }).dx;
  const products = second.linearInputGradient({ dy: rows, w: weight }, {}, { dx: "products" }).dx;
  const sum = third.linearWeightGradient({ x: weighing, dy: rows }, {}, { dw: "sum" }).dw;
  const programs = [first.finish([gram]), second.finish([products]), third.finish([sum])];
  return { programs, gram, weight, products, rowWeights: weighing, sum };
}

/** The span of rows that the engine holds, and still holds when weights enter or leave it. */
export interface Span {
  /** Of the rows [n, n]. */
  readonly coordinates: Float64Array;
  /** Weights [classes, width] → coordinates [classes, n] of their part in the span. */
  readonly enter: (weight: Float64Array) => Promise<Float64Array>;
  /** Coordinates → the weights that they mean. */
  readonly leave: (coordinates: Float64Array) => Promise<Float64Array>;
}

export async function spanOf(engine: Engine, { programs, ...tensors }: SpanPrograms): Promise<Span> {
  const [n, classes] = tensors.rowWeights.shape;
  const [gram, products, sum] = programs;
  await engine.run(gram);
  const space = pivotedCholesky(await engine.read(tensors.gram), n);
  return {
    coordinates: space.factor,
    enter: async (weight) => {
      engine.write(tensors.weight, weight);
      await engine.run(products);
      return coordinatesOf(space, await engine.read(tensors.products), classes);
    },
    leave: async (coordinates) => {
      engine.write(tensors.rowWeights, rowWeights(space, coordinates, classes));
      await engine.run(sum);
      return new Float64Array(await engine.read(tensors.sum));
    },
  };
}

interface Factorised {
  /** L [n, n], rows in K's order, columns in the pivots'; columns beyond the rank are zero. */
  readonly factor: Float64Array;
  readonly pivots: readonly number[];
}

/** What is left of a row outside the span of the pivots is rounding when its square is below this share of the largest row's. */
const rounding = 1e-6;
/** Columns of L after which what they explain is taken from K, so that a column asks for no more than these. */
const block = 32;

/** L with K ≈ L·Lᵀ for K [n, n], symmetric. */
export function pivotedCholesky(gram: ArrayLike<number>, n: number): Factorised {
  const factor = new Float64Array(n * n);
  /** Below and on the diagonal: K without what whole blocks explain. */
  const rest = new Float64Array(gram);
  /** What the pivots so far do not explain of each row's square; −1 for a pivot. */
  const left = Float64Array.from({ length: n }, (_, i) => rest[i * n + i]);
  const least = rounding * left.reduce((a, b) => Math.max(a, b), 0);
  const pivots: number[] = [];
  /** Columns of L, those of one block, [n, block]: in L a column's numbers are far apart. */
  const columns = new Float64Array(n * block);
  const keep = (first: number, count: number): void => {
    for (let i = 0; i < n; i++) factor.set(columns.subarray(i * block, i * block + count), i * n + first);
  };
  for (let rank = 0; ; rank++) {
    const within = rank % block;
    if (within === 0 && rank > 0) {
      keep(rank - block, block);
      takeProducts(rest, columns, left);
    }
    let pivot = 0;
    for (let i = 1; i < n; i++) if (left[i] > left[pivot]) pivot = i;
    if (rank === n || !(left[pivot] > least)) {
      keep(rank - within, within);
      return { factor, pivots };
    }
    pivots.push(pivot);
    const root = Math.sqrt(left[pivot]);
    for (let i = 0; i < n; i++) {
      const to = i * block + within;
      columns[to] = 0;
      if (left[i] < 0) continue;
      const product = i < pivot ? rest[pivot * n + i] : rest[i * n + pivot];
      const value = (product - dotOf(columns, i * block, pivot * block, within)) / root;
      columns[to] = value;
      left[i] = Math.max(0, left[i] - value * value);
    }
    columns[pivot * block + within] = root;
    left[pivot] = -1;
  }
}

/** K −= C·Cᵀ for the columns C of a block, below and on the diagonal, where neither row nor column is a pivot's. */
function takeProducts(rest: Float64Array, columns: Float64Array, left: Float64Array): void {
  const n = left.length;
  const others = Int32Array.from(left.keys()).filter((i) => left[i] >= 0);
  for (let a = 0; a < others.length; a++) {
    const row = others[a] * n;
    const at = others[a] * block;
    let b = 0;
    // Two at a time, for the row's numbers are then read half as often.
    for (; b < a; b += 2) {
      const first = others[b] * block;
      const second = others[b + 1] * block;
      let s = 0;
      let t = 0;
      for (let k = 0; k < block; k++) {
        const value = columns[at + k];
        s += value * columns[first + k];
        t += value * columns[second + k];
      }
      rest[row + others[b]] -= s;
      rest[row + others[b + 1]] -= t;
    }
    if (b === a) rest[row + others[a]] -= dotOf(columns, at, at, block);
  }
}

/** Σ of `count` products of numbers from `a` and from `b` on. Four sums at a time, for each waits for itself. */
function dotOf(numbers: Float64Array, a: number, b: number, count: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 4 <= count; k += 4) {
    s0 += numbers[a + k] * numbers[b + k];
    s1 += numbers[a + k + 1] * numbers[b + k + 1];
    s2 += numbers[a + k + 2] * numbers[b + k + 2];
    s3 += numbers[a + k + 3] * numbers[b + k + 3];
  }
  for (; k < count; k++) s0 += numbers[a + k] * numbers[b + k];
  return s0 + s1 + (s2 + s3);
}

/** What to weigh the rows with so that they add up to what coordinates [classes, n] mean: L_P⁻ᵀ times them at the pivots, [n, classes]. */
function rowWeights({ factor, pivots }: Factorised, coordinates: Float64Array, classes: number): Float64Array {
  const n = coordinates.length / classes;
  const weights = new Float64Array(n * classes);
  for (let c = 0; c < classes; c++) {
    const left = coordinates.slice(c * n, (c + 1) * n);
    for (let j = pivots.length - 1; j >= 0; j--) {
      const at = pivots[j] * n;
      const weight = left[j] / factor[at + j];
      weights[pivots[j] * classes + c] = weight;
      for (let k = 0; k < j; k++) left[k] -= factor[at + k] * weight;
    }
  }
  return weights;
}

/** Coordinates [classes, n] of weights of which the rows' products with them are told, [n, classes]: L_P⁻¹ times the pivots' products. */
function coordinatesOf({ factor, pivots }: Factorised, products: ArrayLike<number>, classes: number): Float64Array {
  const n = products.length / classes;
  const coordinates = new Float64Array(classes * n);
  for (let c = 0; c < classes; c++)
    for (const [j, pivot] of pivots.entries()) {
      let sum = products[pivot * classes + c];
      for (let k = 0; k < j; k++) sum -= factor[pivot * n + k] * coordinates[c * n + k];
      coordinates[c * n + j] = sum / factor[pivot * n + j];
    }
  return coordinates;
}

// Coordinates in the space that a set's rows span: the same inner products in fewer columns, where there are fewer rows than columns.
//
// An L2-regularised linear model finds its weights in the span of the training rows (representer theorem), and its penalty does not see
// rotations, so in these coordinates it has the same minimum and gives every row the same logits. The basis is the one of a pivoted
// Cholesky factorisation of the Gram matrix K = X·Xᵀ ≈ L·Lᵀ (Higham 2002, section 10.3): a training row's coordinates are its row of L, and
// any row s has the coordinates (s·X_Pᵀ)·L_P⁻ᵀ, where P are the pivots, rows of X that span all the others.

import type { Backend } from "../backends/backend.ts";
import { recordProgram } from "../program/program.ts";
import { persistent } from "../program/tensor.ts";
import type { Features } from "./features.ts";

/** Most rows that are changed: the factorisation is plain JavaScript and takes rows³/6 multiplications. */
const mostRows = 2048;
/** Rows per matrix product. */
const chunk = 500;
/** What is left of a row outside the span of the pivots is rounding when its square is below this share of the largest row's. */
const rounding = 1e-6;

/** The first set's rows span the space. Sets come back as they are when that would not halve their columns, or takes too long. */
export async function inRowSpace(sets: readonly Features[], backend: Backend): Promise<readonly Features[]> {
  const [{ rows, count: n, width }, ...others] = sets;
  if (n > mostRows || 2 * n > width) return sets;
  const spanning = persistent("spanning", [n, width], "input");
  const some = persistent("rows", [chunk, width], "input");
  const change = persistent("change", [n, n], "input");
  const first = recordProgram("inner products");
  const gram = first.linearInputGradient({ dy: some, w: spanning }, {}, { dx: "gram" }).dx;
  const second = recordProgram("coordinates");
  const products = second.linearInputGradient({ dy: some, w: spanning }, {}, { dx: "products" }).dx;
  const { y } = second.linear({ x: products, w: change }, {}, { y: "coordinates" });
  const innerProducts = first.finish([gram]);
  const coordinates = second.finish([y]);
  const engine = await backend.prepare([innerProducts, coordinates]);

  async function inChunks({ rows: from, count }: Features, program: typeof coordinates): Promise<Float32Array> {
    const result = new Float32Array(count * n);
    const padded = new Float32Array(chunk * width);
    for (let start = 0; start < count; start += chunk) {
      const size = Math.min(chunk, count - start);
      padded.set(from.subarray(start * width, (start + size) * width));
      engine.write(some, padded);
      await engine.run(program);
      const numbers = await engine.read(program.results[0]);
      result.set(numbers.subarray(0, size * n), start * n);
    }
    return result;
  }

  try {
    engine.write(spanning, rows);
    const { factor, pivots } = pivotedCholesky(await inChunks(sets[0], innerProducts), n);
    engine.write(change, changeOfBasis(factor, pivots, n));
    const changed: Features[] = [{ ...sets[0], rows: Float32Array.from(factor), width: n }];
    for (const set of others) changed.push({ ...set, rows: await inChunks(set, coordinates), width: n });
    return changed;
  } finally {
    await engine.dispose();
  }
}

/** L [n, n] with K ≈ L·Lᵀ, rows in K's order, columns in the pivots'; columns beyond the rank are zero. */
export function pivotedCholesky(gram: ArrayLike<number>, n: number): { factor: Float64Array; pivots: number[] } {
  const factor = new Float64Array(n * n);
  /** What the pivots so far do not explain of each row's square; −1 for a pivot. */
  const left = Float64Array.from({ length: n }, (_, i) => gram[i * n + i]);
  const least = rounding * left.reduce((a, b) => Math.max(a, b), 0);
  const pivots: number[] = [];
  for (let j = 0; j < n; j++) {
    let pivot = 0;
    for (let i = 1; i < n; i++) if (left[i] > left[pivot]) pivot = i;
    if (!(left[pivot] > least)) break;
    const root = Math.sqrt(left[pivot]);
    pivots.push(pivot);
    factor[pivot * n + j] = root;
    left[pivot] = -1;
    for (let i = 0; i < n; i++) {
      if (left[i] < 0) continue;
      let sum = gram[pivot * n + i];
      for (let k = 0; k < j; k++) sum -= factor[i * n + k] * factor[pivot * n + k];
      factor[i * n + j] = sum / root;
      left[i] = Math.max(0, left[i] - (sum / root) ** 2);
    }
  }
  return { factor, pivots };
}

/** [n, n] whose pivot rows are L_P⁻ᵀ and whose other rows are zero. */
function changeOfBasis(factor: Float64Array, pivots: readonly number[], n: number): Float32Array {
  const rank = pivots.length;
  /** L_P⁻¹, row by row: row i of L_P·inverse is row i of the identity. */
  const inverse = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    const from = pivots[i] * n;
    for (let k = 0; k < i; k++) {
      const weight = factor[from + k];
      for (let j = 0; j <= k; j++) inverse[i * rank + j] -= weight * inverse[k * rank + j];
    }
    inverse[i * rank + i] = 1;
    for (let j = 0; j <= i; j++) inverse[i * rank + j] /= factor[from + i];
  }
  const change = new Float32Array(n * n);
  for (let i = 0; i < rank; i++) for (let j = 0; j <= i; j++) change[pivots[j] * n + i] = inverse[i * rank + j];
  return change;
}

// How similar t-SNE holds rows to be (van der Maaten & Hinton 2008, eq. 1 and section 3.1; van der Maaten 2014, eq. 6 and 7): a Gaussian of its
// own width around every row, over its nearest neighbours, made symmetric.

import { nearestRowsOf, visitDistances } from "./distances.ts";

/** A sparse symmetric matrix P [n, n] that sums to 1, row by row: row i has `values` at `columns`, from starts[i] to starts[i + 1]. */
export interface Similarities {
  readonly starts: Int32Array;
  /** Ascending within a row. */
  readonly columns: Int32Array;
  readonly values: Float64Array;
  /** Of every row's neighbours before they are made symmetric: 2 to the entropy in bits. */
  readonly perplexities: Float64Array;
}

/** Of rows [n, width], over the 3 · perplexity + 1 nearest neighbours of each (all there are, where these are fewer), as scikit-learn takes. */
export function similarities(rows: ArrayLike<number>, n: number, width: number, perplexity: number): Similarities {
  const k = Math.min(n - 1, Math.floor(3 * perplexity + 1));
  const neighbours = new Int32Array(n * k);
  const shares = new Float64Array(n * k);
  const perplexities = new Float64Array(n);
  visitDistances(rows, n, width, (i, squares) => {
    const nearest = nearestRowsOf(i, squares, k);
    neighbours.set(nearest, i * k);
    perplexities[i] = gaussian(
      nearest.map((j) => squares[j]),
      perplexity,
      shares.subarray(i * k, (i + 1) * k),
    );
  });
  return { ...symmetric(n, k, neighbours, shares), perplexities };
}

/** Entropies may miss by so many nats; halvings and doublings of a width at most. */
const [tolerance, mostSteps] = [1e-9, 200];

/**
 * p_j ∝ exp(−β·squares_j), ascending squares, with the β whose perplexity is the one asked for, by bisection. Returns the perplexity reached:
 * more than asked for where more neighbours than that are equally near, which no β tells apart.
 */
export function gaussian(squares: readonly number[], perplexity: number, p: Float64Array): number {
  // The nearest one's distance is taken from all, which changes no share, and keeps a sum above 0.
  const spread = squares.map((square) => square - squares[0]);
  const mean = spread.reduce((sum, square) => sum + square, 0) / spread.length;
  const target = Math.log(perplexity);
  let [beta, low, high] = [mean > 0 ? 1 / mean : 1, 0, Number.POSITIVE_INFINITY];
  let entropy = 0;
  for (let step = 0; step < mostSteps; step++) {
    let sum = 0;
    let weighted = 0;
    for (let j = 0; j < spread.length; j++) {
      p[j] = Math.exp(-beta * spread[j]);
      sum += p[j];
      weighted += spread[j] * p[j];
    }
    for (let j = 0; j < spread.length; j++) p[j] /= sum;
    entropy = Math.log(sum) + (beta * weighted) / sum;
    if (Math.abs(entropy - target) < tolerance) break;
    if (entropy > target) low = beta;
    else high = beta;
    beta = high === Number.POSITIVE_INFINITY ? 2 * beta : (low + high) / 2;
  }
  return Math.exp(entropy);
}

/** p_ij = (p_j|i + p_i|j) / 2n, the rows' shares [n, k] being of `neighbours` [n, k]. */
function symmetric(
  n: number,
  k: number,
  neighbours: Int32Array,
  shares: Float64Array,
): Omit<Similarities, "perplexities"> {
  const entries: Map<number, number>[] = Array.from({ length: n }, () => new Map());
  for (let at = 0; at < n * k; at++) {
    const [i, j] = [Math.floor(at / k), neighbours[at]];
    const share = shares[at] / (2 * n);
    entries[i].set(j, (entries[i].get(j) ?? 0) + share);
    entries[j].set(i, (entries[j].get(i) ?? 0) + share);
  }
  const starts = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) starts[i + 1] = starts[i] + entries[i].size;
  const columns = new Int32Array(starts[n]);
  const values = new Float64Array(starts[n]);
  for (let i = 0; i < n; i++) {
    columns.set(Int32Array.from(entries[i].keys()).sort(), starts[i]);
    for (let at = starts[i]; at < starts[i + 1]; at++) values[at] = entries[i].get(columns[at]) ?? 0;
  }
  return { starts, columns, values };
}

// t-SNE in the plane (van der Maaten & Hinton 2008), with Barnes and Hut's approximation (van der Maaten 2014), in float64.
//
// Start, step sizes and stopping are scikit-learn's (TSNE(init="pca", learning_rate="auto")): so a picture of the same rows has about the same
// divergence. A picture it is: which points are neighbours is worth looking at, distances between clusters and their sizes are not.

import { wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";
import { principalPlane } from "./principal-plane.ts";
import { Quadtree } from "./quadtree.ts";
import { type Similarities, similarities } from "./tsne-similarities.ts";

/** How the picture is made; scikit-learn's defaults. */
export interface TsneOptions {
  /** Neighbours that a row has in effect; below (n − 1) / 3. Default 30. */
  readonly perplexity?: number;
  /** How small a cell must look to be taken as a whole, 0 to 0.7; 0 is exact. Default 0.5. */
  readonly theta?: number;
  /** `pca`: the first two principal components; `random`: a normal draw. The first has a standard deviation of 1e-4. Default `pca`. */
  readonly start?: "pca" | "random";
  /** Of the random start, and of a coordinate along which rows do not differ; 0 to 4294967295. Default 0. */
  readonly seed?: number;
  /** At most, the first 250 among them, in which similarities are exaggerated twelvefold. Default 1000. */
  readonly iterations?: number;
  /** Told every 50 iterations, and waited for. */
  readonly onIterations?: (done: number, of: number) => void | Promise<void>;
}

/** A picture of rows in the plane, and how good it is. */
export interface Tsne {
  /** [n, 2], row-major. */
  readonly coordinates: Float64Array;
  /** Kullback–Leibler divergence of the picture's similarities from the rows', in nats, with the sum over pairs exact. */
  readonly divergence: number;
  /** Iterations that it took. */
  readonly iterations: number;
}

/** First word of the path of random numbers that points start from. */
const startDraw = 0x75e0;
const startSize = 1e-4;
const [exaggeration, exaggerated] = [12, 250];
/** Iterations between looks, and so many without a lower divergence, or a gradient this short, end it. */
const [lookEvery, patience, flat] = [50, 300, 1e-7];
/** A point's own cell is never taken as a whole below this. */
const largestTheta = 0.7;

/** The picture of rows [n, width]. The same rows and options give the same bytes. */
export async function tsne(rows: Float32Array, width: number, options: TsneOptions = {}): Promise<Tsne> {
  const { perplexity = 30, theta = 0.5, start = "pca", seed = 0, iterations = 1000, onIterations } = options;
  const n = rows.length / width;
  requireRows(rows, n, width);
  if (!(perplexity >= 1 && perplexity < (n - 1) / 3))
    throw wrong("tsne", "perplexity", `from 1 to below (n − 1) / 3 = ${(n - 1) / 3}, of ${n} rows`, perplexity);
  if (!(theta >= 0 && theta <= largestTheta)) throw wrong("tsne", "theta", `from 0 to ${largestTheta}`, theta);
  if (!(Number.isInteger(iterations) && iterations > exaggerated))
    throw wrong("tsne", "iterations", `a whole number above ${exaggerated}, those of exaggeration`, iterations);

  const p = similarities(rows, n, width, perplexity);
  const points = start === "pca" ? principalStart(rows, n, width, seed) : randomStart(n, seed);
  const tree = new Quadtree();
  const common = { p, points, tree, theta, rate: Math.max(n / exaggeration / 4, 50) };
  const look = (done: number): void | Promise<void> => onIterations?.(done, iterations);
  await descend(common, { from: 0, to: exaggerated, momentum: 0.5, exaggeration }, look);
  const done = await descend(common, { from: exaggerated, to: iterations, momentum: 0.8, exaggeration: 1 }, look);
  const divergence = divergenceOf(p, points, { theta: 0, exaggeration: 1, tree });
  return { coordinates: points, divergence, iterations: done };
}

function requireRows(rows: Float32Array, n: number, width: number): void {
  if (!(Number.isInteger(n) && n >= 4)) throw wrong("tsne", "rows", `4 or more of ${width} numbers`, `${n} rows`);
  const bad = rows.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw wrong("tsne", `row ${Math.floor(bad / width)}`, "finite", rows[bad]);
  if (rows.every((value, at) => value === rows[at % width]))
    throw wrong("tsne", "rows", "different from each other", `${n} equal ones`, "the encoder has collapsed");
}

function randomStart(n: number, seed: number): Float64Array {
  const random = randomStream(seed, startDraw);
  return Float64Array.from({ length: 2 * n }, () => startSize * random.normal());
}

function principalStart(rows: Float32Array, n: number, width: number, seed: number): Float64Array {
  const plane = principalPlane(rows, n, width, seed);
  const deviation = [0, 1].map((axis) => {
    let sum = 0;
    for (let at = axis; at < plane.length; at += 2) sum += plane[at] * plane[at];
    return Math.sqrt(sum / n);
  });
  // Rows on a line would stay on it, for nothing pulls points off it.
  const thin = deviation[1] < 1e-6 * deviation[0] ? randomStart(n, seed) : undefined;
  return plane.map((value, at) => (thin && at % 2 === 1 ? thin[at] : (value / deviation[0]) * startSize));
}

interface Descent {
  readonly p: Similarities;
  /** Moved in place. */
  readonly points: Float64Array;
  readonly tree: Quadtree;
  readonly theta: number;
  readonly rate: number;
}

interface Phase {
  readonly from: number;
  readonly to: number;
  readonly momentum: number;
  readonly exaggeration: number;
}

/** Gradient descent with momentum and a gain for each coordinate (Jacobs 1988). Returns the iterations done since the very first. */
async function descend(
  { p, points, tree, theta, rate }: Descent,
  { from, to, momentum, exaggeration: factor }: Phase,
  look: (done: number) => void | Promise<void>,
): Promise<number> {
  const forces = { theta, exaggeration: factor, tree };
  const moves = new Float64Array(points.length);
  const gains = new Float64Array(points.length).fill(1);
  let [best, bestAt] = [Number.POSITIVE_INFINITY, from];
  for (let iteration = from; iteration < to; iteration++) {
    const gradient = gradientOf(p, points, forces);
    let square = 0;
    for (let at = 0; at < points.length; at++) {
      const slope = gradient[at];
      square += slope * slope;
      gains[at] = slope * moves[at] < 0 ? gains[at] + 0.2 : Math.max(0.01, 0.8 * gains[at]);
      moves[at] = momentum * moves[at] - rate * gains[at] * slope;
    }
    for (let at = 0; at < points.length; at++) points[at] += moves[at];
    if ((iteration + 1) % lookEvery !== 0) continue;
    await look(iteration + 1);
    const divergence = divergenceOf(p, points, forces);
    if (divergence < best) [best, bestAt] = [divergence, iteration];
    if (iteration - bestAt > patience || Math.sqrt(square) <= flat) return iteration + 1;
  }
  return to;
}

export interface ForceOptions {
  readonly theta: number;
  /** Factor on the similarities of rows. */
  readonly exaggeration: number;
  readonly tree: Quadtree;
}

/**
 * ∂C/∂y_i = 4 Σ_j (p_ij − q_ij) w_ij (y_i − y_j) [n, 2], with w_ij = 1 / (1 + |y_i − y_j|²) and q_ij = w_ij / Σ_kl w_kl (van der Maaten 2014,
 * eq. 3 to 5).
 */
export function gradientOf(
  { starts, columns, values }: Similarities,
  points: Float64Array,
  { theta, exaggeration: factor, tree }: ForceOptions,
): Float64Array {
  const gradient = new Float64Array(points.length);
  tree.build(points);
  const z = tree.repel(points, theta, gradient);
  for (let i = 0; i < starts.length - 1; i++) {
    const x = points[2 * i];
    const y = points[2 * i + 1];
    let fx = 0;
    let fy = 0;
    for (let at = starts[i]; at < starts[i + 1]; at++) {
      const j = 2 * columns[at];
      const dx = x - points[j];
      const dy = y - points[j + 1];
      const share = values[at] / (1 + dx * dx + dy * dy);
      fx += share * dx;
      fy += share * dy;
    }
    gradient[2 * i] = 4 * (factor * fx - gradient[2 * i] / z);
    gradient[2 * i + 1] = 4 * (factor * fy - gradient[2 * i + 1] / z);
  }
  return gradient;
}

/** C = Σ_ij p_ij log(p_ij / q_ij), eq. 2. */
export function divergenceOf(
  { starts, columns, values }: Similarities,
  points: Float64Array,
  { theta, exaggeration: factor, tree }: ForceOptions,
): number {
  tree.build(points);
  const z = tree.repel(points, theta, new Float64Array(points.length));
  let divergence = 0;
  for (let i = 0; i < starts.length - 1; i++)
    for (let at = starts[i]; at < starts[i + 1]; at++) {
      const dx = points[2 * i] - points[2 * columns[at]];
      const dy = points[2 * i + 1] - points[2 * columns[at] + 1];
      const share = factor * values[at];
      if (share > 0) divergence += share * Math.log(share * z * (1 + dx * dx + dy * dy));
    }
  return divergence;
}

// Numbers beside a picture of embeddings: how far classes keep apart in the representation itself and in its picture, and what the picture kept
// of the representation. Distances are Euclidean throughout.

import { wrong } from "../program/errors.ts";
import { nearestRowsOf, visitDistances } from "./distances.ts";

/** How far rows of one class keep apart from those of others in one space. */
export interface Separation {
  /** Share of a row's k nearest neighbours that are of its class, mean over rows: kNN purity. */
  readonly purity: number;
  /** Squared distances of class means from the mean, weighted by their rows, over those of rows from their class's mean. */
  readonly betweenWithin: number;
  /** Mean over rows of (b − a) / max(a, b): a the mean distance to rows of the own class, b that to the nearest other (Rousseeuw 1987). */
  readonly silhouette: number;
}

/** What stands beside a picture of embeddings, so that it is not believed on its looks. */
export interface EmbeddingNumbers {
  /** k. */
  readonly neighbours: number;
  /**
   * 1 − 2 / (nk(2n − 3k − 1)) · Σ_i Σ_j max(0, r(i, j) − k), j over the k nearest of i in the picture, r its rank among all in the
   * representation (Venna & Kaski 2001): 1 where no neighbour in the picture is a false one.
   */
  readonly trustworthiness: number;
  /** Share of the k nearest in the representation that are among the k nearest in the picture. */
  readonly preserved: number;
  /** For each labelling, by its name. */
  readonly labellings: Readonly<
    Record<
      string,
      {
        /** Purity among neighbours drawn at random. */
        readonly chance: number;
        readonly representation: Separation;
        readonly picture: Separation;
      }
    >
  >;
}

/** Classes of rows by number, from 0, for each of several ways to class them: "classes", "groups". */
export type Labellings = Readonly<Record<string, Int32Array>>;

/** Of rows [n, width] and the picture [n, 2] made of them; k is below n / 2. */
export function embeddingNumbers(
  rows: Float32Array,
  width: number,
  picture: Float64Array,
  labellings: Labellings,
  k = 10,
): EmbeddingNumbers {
  const n = picture.length / 2;
  if (rows.length !== n * width)
    throw wrong("embeddingNumbers", "rows", `${n} of ${width}, one for each point`, `${rows.length} numbers`);
  if (!(Number.isInteger(k) && k >= 1 && k < n / 2))
    throw wrong("embeddingNumbers", "k", `a whole number from 1 to below n / 2 = ${n / 2}`, k);
  for (const [name, labels] of Object.entries(labellings)) requireClasses(name, labels, n);

  const inPicture: number[][] = [];
  const ofPicture = separations(picture, n, 2, labellings, k, (nearest) => inPicture.push(nearest));
  let [penalty, kept] = [0, 0];
  const ofRows = separations(rows, n, width, labellings, k, (nearest, squares, i) => {
    const own = new Set(nearest);
    for (const j of inPicture[i])
      if (own.has(j)) kept++;
      else penalty += rankOf(j, i, squares) - k;
  });
  return {
    neighbours: k,
    trustworthiness: 1 - (2 * penalty) / (n * k * (2 * n - 3 * k - 1)),
    preserved: kept / (n * k),
    labellings: Object.fromEntries(
      Object.entries(labellings).map(([name, labels]) => [
        name,
        { chance: chanceOf(labels), representation: ofRows[name], picture: ofPicture[name] },
      ]),
    ),
  };
}

/** The same numbers of rows [n, width] alone. */
export function separationOf(
  rows: Float32Array,
  width: number,
  labellings: Labellings,
  k = 10,
): Readonly<Record<string, Separation>> {
  const n = rows.length / width;
  if (!(Number.isInteger(k) && k >= 1 && k < n))
    throw wrong("separationOf", "k", `a whole number from 1 to below n = ${n}`, k);
  for (const [name, labels] of Object.entries(labellings)) requireClasses(name, labels, n);
  return separations(rows, n, width, labellings, k, () => {});
}

function requireClasses(name: string, labels: Int32Array, n: number): void {
  if (labels.length !== n) throw wrong("embeddingNumbers", name, `${n} labels, one for each row`, labels.length);
  const bad = labels.find((label) => label < 0);
  if (bad !== undefined) throw wrong("embeddingNumbers", name, "labels from 0 on", bad);
  if (labels.every((label) => label === labels[0]))
    throw wrong("embeddingNumbers", name, "of two classes or more", `${n} rows of one`);
}

/** Rank of row j among the others by their distance to row i, from 1; the earlier row first on a tie. */
function rankOf(j: number, i: number, squares: Float64Array): number {
  let rank = 1;
  for (let other = 0; other < squares.length; other++)
    if (other !== i && (squares[other] < squares[j] || (squares[other] === squares[j] && other < j))) rank++;
  return rank;
}

/** Rows of each class. */
function sizesOf(labels: Int32Array): Float64Array {
  const sizes = new Float64Array(labels.reduce((a, b) => Math.max(a, b)) + 1);
  for (const label of labels) sizes[label]++;
  return sizes;
}

function chanceOf(labels: Int32Array): number {
  const n = labels.length;
  return sizesOf(labels).reduce((sum, size) => sum + (size * (size - 1)) / (n * (n - 1)), 0);
}

/** Of every labelling in one pass over distances; `onRow` is told every row's nearest rows and squared distances. */
function separations(
  rows: Float32Array | Float64Array,
  n: number,
  width: number,
  labellings: Labellings,
  k: number,
  onRow: (nearest: number[], squares: Float64Array, row: number) => void,
): Record<string, Separation> {
  const sums = Object.entries(labellings).map(([name, labels]) => {
    const sizes = sizesOf(labels);
    return { name, labels, sizes, distances: new Float64Array(sizes.length), alike: 0, silhouettes: 0 };
  });
  visitDistances(rows, n, width, (i, squares) => {
    const nearest = nearestRowsOf(i, squares, k);
    for (const sum of sums) {
      const { labels, sizes, distances } = sum;
      for (const j of nearest) if (labels[j] === labels[i]) sum.alike++;
      distances.fill(0);
      for (let j = 0; j < n; j++) distances[labels[j]] += Math.sqrt(squares[j]);
      sum.silhouettes += silhouetteOf(labels[i], distances, sizes);
    }
    onRow(nearest, squares, i);
  });
  return Object.fromEntries(
    sums.map(({ name, labels, sizes, alike, silhouettes }) => [
      name,
      {
        purity: alike / (n * k),
        betweenWithin: betweenWithin(rows, width, labels, sizes),
        silhouette: silhouettes / n,
      },
    ]),
  );
}

/** Of a row whose sums of distances to each class are given; of the only one of its class 0, as is usual. */
function silhouetteOf(own: number, distances: Float64Array, sizes: Float64Array): number {
  if (sizes[own] === 1) return 0;
  const a = distances[own] / (sizes[own] - 1);
  let b = Number.POSITIVE_INFINITY;
  for (let label = 0; label < sizes.length; label++)
    if (label !== own && sizes[label] > 0) b = Math.min(b, distances[label] / sizes[label]);
  const larger = Math.max(a, b);
  return larger > 0 ? (b - a) / larger : 0;
}

function betweenWithin(
  rows: Float32Array | Float64Array,
  width: number,
  labels: Int32Array,
  sizes: Float64Array,
): number {
  const n = labels.length;
  const means = new Float64Array(sizes.length * width);
  const mean = new Float64Array(width);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < width; k++) {
      means[labels[i] * width + k] += rows[i * width + k] / sizes[labels[i]];
      mean[k] += rows[i * width + k] / n;
    }
  let [between, within] = [0, 0];
  for (let i = 0; i < n; i++)
    for (let k = 0; k < width; k++) {
      const own = means[labels[i] * width + k];
      between += (own - mean[k]) ** 2;
      within += (rows[i * width + k] - own) ** 2;
    }
  return between / within;
}

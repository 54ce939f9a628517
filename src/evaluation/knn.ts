// k nearest neighbours by cosine similarity of centred features: a read-out that trains nothing. k is chosen on a validation split.
//
// Several draws of labels from the same rows ask for inner products once, of rows centred on the mean r of them all. Centred on its own
// mean r + m, a draw has the similarity (q·x − q·m − x·m + m·m) / (|q − m|·|x − m|) of q and x: so the means stand beside the rows.

import type { Backend, Numbers } from "../backends/backend.ts";
import { recordProgram } from "../program/program.ts";
import { persistent, rows as rowsOf } from "../program/tensor.ts";
import type { Features } from "./features.ts";
import { type Draws, measureOnce, type OpenReadOut } from "./read-out.ts";
import { meanOf } from "./standardise.ts";
import { splitRows } from "./subsets.ts";

export const neighbourCounts: readonly number[] = [1, 3, 5, 10, 20, 50];

export interface KnnResult {
  readonly accuracy: number;
  /** k that did best on the validation split; the smaller one on a tie. */
  readonly k: number;
}

/**
 * Test accuracy of k nearest neighbours by cosine similarity of centred features; k is chosen on a validation split of `train`, drawn with
 * `seed`. Throws for features of different widths or classes.
 */
export function kNearest(train: Features, test: Features, seed: number, backend: Backend): Promise<KnnResult> {
  return measureOnce("kNearest", openKnn, { train, test, seed }, backend);
}

/** Rows per matrix product: the keys are packed anew for each, so many where there are many. */
const [many, few] = [1024, 128];
/** A row this near to the mean, as a share of both squares, has no direction: it is as similar to all others. */
const rounding = 1e-12;

/** Labelled rows among which neighbours are sought, with what centring them on their own mean takes. */
interface Neighbours {
  /** Numbers of the rows, ascending. */
  readonly rows: Int32Array;
  readonly labels: Int32Array;
  /** Of each row x: x·m, and 1/|x − m|. */
  readonly withMean: Float64Array;
  readonly inverse: Float64Array;
  /** The key that is m, and m·m. */
  readonly place: number;
  readonly square: number;
}

export interface OpenKnn extends OpenReadOut<KnnResult> {
  /** Learns from the draws; of each, the share of right answers on any test set, until it learns again. */
  readonly fit: (drawn: Draws) => Promise<(test: Features) => Promise<number[]>>;
}

export async function openKnn(like: Draws, backend: Backend): Promise<OpenKnn> {
  const { count, width, classes } = like.rows;
  /** The rows, then the means: of each draw without the rows to validate on, and with them. */
  const size = count + 2 * like.draws.length;
  const keys = persistent("keys", [size, width], "input");
  const queries = persistent("queries", [many, width], "input");
  const [large, small] = [many, few].map((rows) => {
    const record = recordProgram(`inner products of ${rows}`);
    const some = rowsOf(queries, 0, rows);
    // Inner products of rows with rows: queries·keysᵀ.
    const { dx: products } = record.linearInputGradient({ dy: some, w: keys }, {}, { dx: "products" });
    return { program: record.finish([products]), rows, queries: some, products };
  });
  const engine = await backend.prepare([large.program, small.program]);
  /** Rows on their way into the engine. */
  const centred = new Float32Array(many * width);

  /** Products [rows, size] of some rows, centred, with all keys. */
  async function* productsOf(
    { rows, centre }: { readonly rows: Float32Array; readonly centre: Float64Array },
    chosen: Int32Array,
  ): AsyncGenerator<{ start: number; some: Int32Array; found: Numbers }> {
    for (let start = 0; start < chosen.length; ) {
      const { program, rows: most, queries: asked, products } = chosen.length - start > many / 2 ? large : small;
      const some = chosen.subarray(start, start + most);
      centreRows(rows, some, centre, centred);
      engine.write(asked, centred.subarray(0, most * width));
      await engine.run(program);
      yield { start, some, found: await engine.read(products) };
      start += some.length;
    }
  }

  /** Puts rows and means into the engine, and returns the neighbours of each of the sets. */
  async function place(rows: Features, centre: Float64Array, sets: readonly Int32Array[]): Promise<Neighbours[]> {
    const squares = new Float64Array(count);
    for (let start = 0; start < count; start += many) {
      const some = Math.min(many, count - start);
      centreRows(rows.rows, range(start, some), centre, centred);
      for (let i = 0; i < some; i++) squares[start + i] = squareOf(centred, i * width, width);
      engine.write(rowsOf(keys, start, some), centred.subarray(0, some * width));
    }
    const means = new Float32Array(few * width);
    sets.forEach((set, i) => {
      const mean = meanOf(rows.rows, width, set);
      for (let k = 0; k < width; k++) means[i * width + k] = mean[k] - centre[k];
    });
    engine.write(rowsOf(keys, count, sets.length), means.subarray(0, sets.length * width));
    engine.write(small.queries, means);
    await engine.run(small.program);
    const found = await engine.read(small.products);
    return sets.map((set, i): Neighbours => {
      const square = found[i * size + count + i];
      const withMean = Float64Array.from(set, (row) => found[i * size + row]);
      const inverse = Float64Array.from(set, (row, j) => {
        const length = squares[row] - 2 * withMean[j] + square;
        return length > rounding * (squares[row] + square) ? 1 / Math.sqrt(length) : 0;
      });
      const labels = set.map((row) => rows.labels[row]);
      return { rows: set, labels, withMean, inverse, place: count + i, square };
    });
  }

  /** The k of each draw that does best on rows held out, and the share of right answers under it. */
  async function learn({ rows, draws, seed }: Draws) {
    const splits = draws.map((draw) => splitRows(rows, draw, seed));
    const centre = meanOf(rows.rows, width, range(0, count));
    const neighbours = await place(rows, centre, [...splits.map(({ fit }) => fit), ...draws]);
    const [fits, wholes] = [neighbours.slice(0, draws.length), neighbours.slice(draws.length)];

    /** Right answers on the rows held out, for each draw and number of neighbours. */
    const onHeld = draws.map(() => neighbourCounts.map(() => 0));
    const drawOf = splits.flatMap(({ held }, d) => Array<number>(held.length).fill(d));
    const held = Int32Array.from(splits.flatMap((split) => [...split.held]));
    for await (const { start, some, found } of productsOf({ rows: rows.rows, centre }, held))
      some.forEach((row, i) => {
        const d = drawOf[start + i];
        const labels = nearest(fits[d], found, i * size, Math.max(...neighbourCounts));
        neighbourCounts.forEach((k, c) => {
          if (vote(labels.slice(0, k), classes) === rows.labels[row]) onHeld[d][c]++;
        });
      });
    const chosen = onHeld.map((right) => neighbourCounts[right.indexOf(Math.max(...right))]);

    const accuracies = async (test: Features): Promise<number[]> => {
      const right = draws.map(() => 0);
      for await (const { some, found } of productsOf({ rows: test.rows, centre }, range(0, test.count)))
        some.forEach((row, i) => {
          wholes.forEach((whole, d) => {
            const labels = nearest(whole, found, i * size, chosen[d]);
            if (vote(labels, classes) === test.labels[row]) right[d]++;
          });
        });
      return right.map((count) => count / test.count);
    };
    return { chosen, accuracies };
  }

  return {
    bytes: engine.bytes,
    async *measure(drawn, test) {
      const { chosen, accuracies } = await learn(drawn);
      const shares = await accuracies(test);
      for (const [d, k] of chosen.entries()) yield { accuracy: shares[d], k };
    },
    fit: async (drawn) => (await learn(drawn)).accuracies,
    dispose: () => engine.dispose(),
  };
}

const range = (start: number, count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => start + i);

/** Rows minus `centre`, one after another. */
function centreRows(rows: Float32Array, chosen: Int32Array, centre: Float64Array, into: Float32Array): void {
  const width = centre.length;
  let to = 0;
  for (const row of chosen) {
    const at = row * width;
    for (let k = 0; k < width; k++) into[to++] = rows[at + k] - centre[k];
  }
}

function squareOf(numbers: Float32Array, at: number, count: number): number {
  let sum = 0;
  for (let k = at; k < at + count; k++) sum += numbers[k] * numbers[k];
  return sum;
}

/** Labels of the rows nearest to the query whose products with all keys stand from `at` on, nearest first. */
function nearest(neighbours: Neighbours, products: Numbers, at: number, count: number): number[] {
  const { rows, labels, withMean, inverse, place, square } = neighbours;
  const own = square - products[at + place];
  // Without |q − m|, by which all are divided alike.
  const similarities = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) similarities[i] = (products[at + rows[i]] - withMean[i] + own) * inverse[i];
  return largestIndices(similarities, count).map((i) => labels[i]);
}

/** Indices of the `k` largest values, largest first; the earlier one on a tie. */
export function largestIndices(values: ArrayLike<number>, k: number): number[] {
  const best: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    if (best.length === k) {
      if (values[i] <= least) continue;
      best.pop();
    }
    let at = best.length;
    while (at > 0 && values[best[at - 1]] < values[i]) at--;
    best.splice(at, 0, i);
    least = values[best[best.length - 1]];
  }
  return best;
}

/** The class with most votes, nearest first; on a tie the one whose nearest member is nearer. */
function vote(labels: readonly number[], classes: number): number {
  const votes = new Int32Array(classes);
  for (const label of labels) votes[label]++;
  const most = Math.max(...votes);
  return labels.find((label) => votes[label] === most) ?? labels[0];
}

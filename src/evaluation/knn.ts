// k nearest neighbours by cosine similarity of centred features: a read-out that trains nothing. k is chosen on a validation split.

import type { Backend } from "../backends/backend.ts";
import { recordProgram } from "../program/program.ts";
import { persistent } from "../program/tensor.ts";
import { type Features, requireFeatures, selectRows } from "./features.ts";
import { splitValidation } from "./subsets.ts";

export const neighbourCounts: readonly number[] = [1, 3, 5, 10, 20, 50];

export interface KnnResult {
  readonly accuracy: number;
  /** k that did best on the validation split; the smaller one on a tie. */
  readonly k: number;
}

/** Queries per matrix product. */
const chunk = 500;

export async function kNearest(train: Features, test: Features, seed: number, backend: Backend): Promise<KnnResult> {
  requireFeatures("kNearest", train, test);
  const { fit, held } = splitValidation(train.labels, train.classes, seed);
  let k = 1;
  if (held.length > 0) {
    const onHeld = await accuracies(selectRows(train, fit), selectRows(train, held), neighbourCounts, backend);
    const best = Math.max(...onHeld);
    k = neighbourCounts[onHeld.indexOf(best)];
  }
  const [accuracy] = await accuracies(train, test, [k], backend);
  return { accuracy, k };
}

/** Accuracy for each k. */
async function accuracies(
  train: Features,
  test: Features,
  counts: readonly number[],
  backend: Backend,
): Promise<number[]> {
  const { width, count, classes } = train;
  const mean = columnMean(train);
  const keys = persistent("keys", [count, width], "input");
  const queries = persistent("queries", [chunk, width], "input");
  const record = recordProgram("similarities");
  // Inner products of rows with rows: queries·keysᵀ.
  const { dx: y } = record.linearInputGradient({ dy: queries, w: keys }, {}, { dx: "similarities" });
  const program = record.finish([y]);
  const engine = await backend.prepare([program]);
  try {
    engine.write(keys, unitRows(train, mean));
    const right = counts.map(() => 0);
    const most = Math.min(Math.max(...counts), count);
    for (let start = 0; start < test.count; start += chunk) {
      const some = Math.min(chunk, test.count - start);
      const rows = test.rows.subarray(start * width, (start + some) * width);
      const padded = new Float32Array(chunk * width);
      padded.set(unitRows({ ...test, rows, count: some }, mean));
      engine.write(queries, padded);
      await engine.run(program);
      const similarities = await engine.read(y);
      for (let i = 0; i < some; i++) {
        const nearest = largestIndices(similarities.subarray(i * count, (i + 1) * count), most);
        counts.forEach((k, c) => {
          if (vote(nearest.slice(0, k), train.labels, classes) === test.labels[start + i]) right[c]++;
        });
      }
    }
    return right.map((hits) => hits / test.count);
  } finally {
    await engine.dispose();
  }
}

function columnMean({ rows, count, width }: Features): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) mean[k] += rows[i * width + k] / count;
  return mean;
}

/** Rows minus `mean`, each of length 1. */
function unitRows({ rows, count, width }: Features, mean: Float64Array): Float32Array {
  const unit = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    let squares = 0;
    for (let k = 0; k < width; k++) squares += (rows[i * width + k] - mean[k]) ** 2;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let k = 0; k < width; k++) unit[i * width + k] = (rows[i * width + k] - mean[k]) * scale;
  }
  return unit;
}

/** Indices of the `k` largest values, largest first; the earlier one on a tie. */
export function largestIndices(values: ArrayLike<number>, k: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === k && values[i] <= values[best[k - 1]]) continue;
    if (best.length === k) best.pop();
    let at = best.length;
    while (at > 0 && values[best[at - 1]] < values[i]) at--;
    best.splice(at, 0, i);
  }
  return best;
}

/** The class with most votes; on a tie the one whose nearest member is nearer. */
function vote(nearest: readonly number[], labels: Int32Array, classes: number): number {
  const votes = new Int32Array(classes);
  for (const i of nearest) votes[labels[i]]++;
  const most = Math.max(...votes);
  return labels[nearest.find((i) => votes[labels[i]] === most) ?? nearest[0]];
}

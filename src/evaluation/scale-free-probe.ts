// The scale-free linear probe: standardised features, L2-regularised multinomial logistic regression run to convergence,
// its regularisation chosen on a validation split. Multiplying an encoder's output by a constant changes nothing here.
//
// Where there are far fewer rows than columns it runs in the rows' span, with the same minimum and the same answers (row-space.ts).

import type { Backend } from "../backends/backend.ts";
import { type Features, requireFeatures, selectRows } from "./features.ts";
import { largestIndices } from "./knn.ts";
import { openRegression } from "./logistic-regression.ts";
import { inRowSpace } from "./row-space.ts";
import { splitValidation } from "./subsets.ts";

/** Strengths λ of the penalty λ/2·‖W‖² beside the mean cross-entropy, strongest first: each start is the one before. */
export const strengths: readonly number[] = [100, 10, 1, 0.1, 0.01, 1e-3];

export interface ScaleFreeResult {
  readonly accuracy: number;
  readonly trainAccuracy: number;
  /** λ that did best on the validation split; the stronger one on a tie. */
  readonly strength: number;
  readonly validationAccuracy: number;
  readonly iterations: number;
  /** Every fit reached its minimum, those of the validation split too. */
  readonly converged: boolean;
}

export async function scaleFreeProbe(
  train: Features,
  test: Features,
  seed: number,
  backend: Backend,
): Promise<ScaleFreeResult> {
  requireFeatures("scaleFreeProbe", train, test);
  const { fit, held } = splitValidation(train.labels, train.classes, seed);
  const onHeld =
    held.length === 0 ? [] : await fitPath(selectRows(train, fit), selectRows(train, held), strengths, backend);
  const best =
    onHeld.length === 0
      ? 0
      : largestIndices(
          onHeld.map(({ accuracy }) => accuracy),
          1,
        )[0];
  const onTest = await fitPath(train, test, strengths.slice(0, best + 1), backend);
  const { accuracy, trainAccuracy, iterations } = onTest[best];
  return {
    accuracy,
    trainAccuracy,
    strength: strengths[best],
    validationAccuracy: onHeld[best]?.accuracy ?? Number.NaN,
    iterations,
    converged: [...onHeld, ...onTest].every((fitted) => fitted.converged),
  };
}

interface Fitted {
  readonly accuracy: number;
  readonly trainAccuracy: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/** A regression for each strength, each starting where the one before ended. */
async function fitPath(
  train: Features,
  tested: Features,
  path: readonly number[],
  backend: Backend,
): Promise<Fitted[]> {
  const [scaled, scaledTested] = await inRowSpace(standardise(train, [train, tested]), backend);
  const regression = await openRegression(scaled, backend);
  try {
    const fits: Fitted[] = [];
    let from: Float64Array | undefined;
    for (const strength of path) {
      const minimum = await regression.fit(strength, from);
      from = minimum.x;
      fits.push({
        accuracy: await regression.accuracy(minimum, scaledTested),
        trainAccuracy: await regression.accuracy(minimum, scaled),
        iterations: minimum.iterations,
        converged: minimum.converged,
      });
    }
    return fits;
  } finally {
    await regression.dispose();
  }
}

/** Every column with mean 0 and variance 1 over `reference`; a constant column becomes 0. */
export function standardise(reference: Features, sets: readonly Features[]): Features[] {
  const { width, count, rows } = reference;
  const mean = new Float64Array(width);
  const square = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) mean[k] += rows[i * width + k] / count;
  for (let i = 0; i < count; i++)
    for (let k = 0; k < width; k++) square[k] += (rows[i * width + k] - mean[k]) ** 2 / count;
  const scale = square.map((variance, k) =>
    variance > 1e-12 * (mean[k] * mean[k]) && variance > 0 ? 1 / Math.sqrt(variance) : 0,
  );
  return sets.map((set) => {
    const scaled = new Float32Array(set.rows.length);
    for (let i = 0; i < set.count; i++)
      for (let k = 0; k < width; k++) scaled[i * width + k] = (set.rows[i * width + k] - mean[k]) * scale[k];
    return { ...set, rows: scaled };
  });
}

// The scale-free linear probe: standardised features, L2-regularised multinomial logistic regression run to convergence,
// its regularisation chosen on a validation split. Multiplying an encoder's output by a constant changes nothing here.

import type { Backend, Engine } from "../backends/backend.ts";
import { recordProgram } from "../program/program.ts";
import { persistent } from "../program/tensor.ts";
import { type Features, selectRows } from "./features.ts";
import { type Minimum, minimise } from "./lbfgs.ts";
import { type Measure, measureAccuracy, recordMeasure } from "./linear-probe.ts";
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
  readonly converged: boolean;
}

const options = { maxIterations: 200, tolerance: 1e-3 };

export async function scaleFreeProbe(
  train: Features,
  test: Features,
  seed: number,
  backend: Backend,
): Promise<ScaleFreeResult> {
  const { fit, held } = splitValidation(train.labels, train.classes, seed);
  const chosen =
    held.length === 0
      ? { strength: strengths[0], accuracy: Number.NaN }
      : await chooseStrength(selectRows(train, fit), selectRows(train, held), backend);

  const scaled = standardise(train, [train, test]);
  const regression = await openRegression(scaled[0], backend);
  try {
    let minimum = await regression.fit(strengths[0]);
    for (const strength of strengths.slice(1))
      if (strength >= chosen.strength) minimum = await regression.fit(strength, minimum.x);
    return {
      accuracy: await regression.accuracy(minimum, scaled[1]),
      trainAccuracy: await regression.accuracy(minimum, scaled[0]),
      strength: chosen.strength,
      validationAccuracy: chosen.accuracy,
      iterations: minimum.iterations,
      converged: minimum.converged,
    };
  } finally {
    await regression.dispose();
  }
}

async function chooseStrength(
  fit: Features,
  held: Features,
  backend: Backend,
): Promise<{ strength: number; accuracy: number }> {
  const [scaledFit, scaledHeld] = standardise(fit, [fit, held]);
  const regression = await openRegression(scaledFit, backend);
  try {
    let best = { strength: strengths[0], accuracy: -1 };
    let from: Float64Array | undefined;
    for (const strength of strengths) {
      const minimum = await regression.fit(strength, from);
      from = minimum.x;
      const accuracy = await regression.accuracy(minimum, scaledHeld);
      if (accuracy > best.accuracy) best = { strength, accuracy };
    }
    return best;
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

interface Regression {
  readonly fit: (strength: number, from?: Float64Array) => Promise<Minimum>;
  readonly accuracy: (minimum: Minimum, set: Features) => Promise<number>;
  readonly dispose: () => Promise<void>;
}

/** Multinomial logistic regression on one set of features; parameters are weights [width, classes] then biases. */
async function openRegression(train: Features, backend: Backend): Promise<Regression> {
  const { width, classes, count } = train;
  const x = persistent("features", [count, width], "input");
  const labels = persistent("labels", [count], "input", "i32");
  const weight = persistent("weight", [width, classes], "weight");
  const bias = persistent("bias", [classes], "weight");
  const record = recordProgram("logistic regression");
  const product = record.linear({ x, w: weight }, {}, { y: "product" }).y;
  const logits = record.addBias({ x: product, b: bias }, {}, { y: "logits" }).y;
  const { loss, dlogits } = record.softmaxCrossEntropy(
    { logits, labels },
    {},
    { loss: "loss", dlogits: "dlogits", correct: "correct" },
  );
  const { dw } = record.linearWeightGradient({ x, dy: dlogits }, {}, { dw: "dw" });
  const { db } = record.biasGradient({ dy: dlogits }, {}, { db: "db" });
  const program = record.finish([loss, dw, db]);
  const measure: Measure = recordMeasure(weight, bias);
  const engine: Engine = await backend.prepare([program, measure.program]);
  engine.write(x, train.rows);
  engine.write(labels, train.labels);
  const weights = width * classes;
  const put = (parameters: Float64Array): void => {
    engine.write(weight, Float32Array.from(parameters.subarray(0, weights)));
    engine.write(bias, Float32Array.from(parameters.subarray(weights)));
  };

  const evaluate = (strength: number) => async (parameters: Float64Array) => {
    put(parameters);
    await engine.run(program);
    let value: number = (await engine.read(loss))[0];
    const gradient = new Float64Array(parameters.length);
    gradient.set(await engine.read(dw), 0);
    gradient.set(await engine.read(db), weights);
    for (let i = 0; i < weights; i++) {
      value += 0.5 * strength * parameters[i] * parameters[i];
      gradient[i] += strength * parameters[i];
    }
    return { value, gradient };
  };

  const zero = new Float64Array(weights + classes);
  /** Largest gradient component of the unregularised loss at zero: the scale by which convergence is judged. */
  let reference: number | undefined;
  return {
    fit: async (strength, from = zero) => {
      reference ??= (await evaluate(0)(zero)).gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      return minimise({ evaluate: evaluate(strength) }, from, options, reference);
    },
    accuracy: async (minimum, set) => {
      put(minimum.x);
      return measureAccuracy(engine, measure, set);
    },
    dispose: () => engine.dispose(),
  };
}

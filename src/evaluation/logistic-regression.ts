// Multinomial logistic regression with an L2 penalty, minimised to convergence: value and gradient on the backend, L-BFGS here.

import type { Engine } from "../backends/backend.ts";
import { type Program, recordProgram } from "../program/program.ts";
import { persistent, sizeOf, type Tensor } from "../program/tensor.ts";
import { type Classifier, createClassifier, recordLogits } from "./classifier.ts";
import { type Covariance, covarianceOf, directionsOf, preconditionerOf, spreadOf } from "./curvature.ts";
import { lengthOf, type Minimum, minimise } from "./lbfgs.ts";

/** The programs of a regression on features [n, width]. */
export interface Regression {
  readonly features: Tensor;
  /** i32 [n]. */
  readonly labels: Tensor;
  readonly classifier: Classifier;
  readonly objective: Program;
  readonly loss: Tensor;
  /** How many rows are answered rightly. */
  readonly correct: Tensor;
  readonly dw: Tensor;
  readonly db: Tensor;
  /** Directions [count, width] → directions·FᵀF, where the features F are large enough for some. */
  readonly covariance:
    | { readonly program: Program; readonly directions: Tensor; readonly multiplied: Tensor }
    | undefined;
}

/** Features and labels may be windows of larger tensors. */
export function recordRegression(features: Tensor, labels: Tensor, classes: number): Regression {
  const [n, width] = features.shape;
  const classifier = createClassifier(width, classes, `regression ${n}`);
  const record = recordProgram(`regression on ${n}`);
  const logits = recordLogits(record, features, classifier);
  const names = { loss: "loss", dlogits: "dlogits", correct: "correct" };
  const { loss, dlogits, correct } = record.softmaxCrossEntropy({ logits, labels }, {}, names);
  const { dw } = record.linearWeightGradient({ x: dlogits, dy: features }, {}, { dw: "dw" });
  const { db } = record.biasGradient({ dy: dlogits }, {}, { db: "db" });
  const objective = record.finish([loss, correct, dw, db]);
  const count = directionsOf(n, width);
  const covariance = count > 0 ? recordCovariance(features, count) : undefined;
  return { features, labels, classifier, objective, loss, correct, dw, db, covariance };
}

function recordCovariance(features: Tensor, count: number): Regression["covariance"] {
  const [n, width] = features.shape;
  const directions = persistent(`directions ${n}`, [count, width], "input");
  const record = recordProgram(`covariance of ${n}`);
  const { dx: along } = record.linearInputGradient({ dy: features, w: directions }, {}, { dx: "along" });
  const { dw: multiplied } = record.linearWeightGradient({ x: along, dy: features }, {}, { dw: "multiplied" });
  return { program: record.finish([multiplied]), directions, multiplied };
}

/** FᵀF/n of the features that the engine holds; their mean square is told. */
export function measureCovariance(
  engine: Engine,
  { features, covariance }: Regression,
  trace: number,
): Promise<Covariance> {
  const [n, width] = features.shape;
  const multiply = async (directions: Float64Array): Promise<Float64Array> => {
    if (covariance === undefined) return directions;
    engine.write(covariance.directions, directions);
    await engine.run(covariance.program);
    return Float64Array.from(await engine.read(covariance.multiplied), (value) => value / n);
  };
  return covarianceOf(multiply, { width, count: directionsOf(n, width), trace });
}

const mostIterations = 500;
/** Converged: weights and biases are as near to the minimum as this share of the weights' length. */
const nearness = 1e-2;
/** Mean probabilities cannot be told apart by less, in float32. */
const rounding = 1e-7;

/**
 * Minimises mean cross-entropy + strength/2·‖W‖² from `start`; x is W [classes, width], then the biases, which are free.
 *
 * The penalty alone bends the objective by λ = `strength`, so the weights are at most ‖∂/∂W‖/λ from the minimum's. Nothing bounds the
 * biases' curvature from below: it is taken as the smaller of λ and the one at zero.
 */
export function minimiseRegression(
  engine: Engine,
  { features, classifier: { weight, bias }, objective, loss, dw, db }: Regression,
  {
    strength,
    start,
    covariance,
  }: { readonly strength: number; readonly start: Float64Array; readonly covariance: Covariance },
): Promise<Minimum> {
  const [classes] = bias.shape;
  const weights = classes * features.shape[1];

  async function evaluate(x: Float64Array): Promise<{ value: number; gradient: Float64Array }> {
    engine.write(weight, x.subarray(0, weights));
    engine.write(bias, x.subarray(weights));
    await engine.run(objective);
    const gradient = new Float64Array(x.length);
    gradient.set(await engine.read(dw), 0);
    gradient.set(await engine.read(db), weights);
    let squares = 0;
    for (let i = 0; i < weights; i++) {
      squares += x[i] * x[i];
      gradient[i] += strength * x[i];
    }
    return { value: (await engine.read(loss))[0] + 0.5 * strength * squares, gradient };
  }

  const reached = (x: Float64Array, gradient: Float64Array): boolean => {
    const near = nearness * lengthOf(x.subarray(0, weights));
    const ofBiases = Math.max(rounding, Math.min(strength, spreadOf(classes)) * near);
    return (
      lengthOf(gradient.subarray(0, weights)) <= strength * near && lengthOf(gradient.subarray(weights)) <= ofBiases
    );
  };
  const preconditioner = preconditionerOf(covariance, classes, strength);
  return minimise({ evaluate, reached, preconditioner }, start, mostIterations);
}

/** Share of the features' rows that parameters answer rightly. */
export async function trainAccuracyOf(
  engine: Engine,
  { features, classifier: { weight, bias }, objective, correct }: Regression,
  x: Float64Array,
): Promise<number> {
  const weights = sizeOf(weight.shape);
  engine.write(weight, x.subarray(0, weights));
  engine.write(bias, x.subarray(weights));
  await engine.run(objective);
  return (await engine.read(correct))[0] / features.shape[0];
}

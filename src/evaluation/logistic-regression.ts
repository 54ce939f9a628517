// Multinomial logistic regression with an L2 penalty, minimised to convergence: value and gradient on the backend, L-BFGS here.

import type { Backend, Engine } from "../backends/backend.ts";
import { recordProgram } from "../program/program.ts";
import { persistent } from "../program/tensor.ts";
import type { Features } from "./features.ts";
import { lengthOf, type Minimum, minimise } from "./lbfgs.ts";
import { type Measure, measureAccuracy, recordMeasure } from "./linear-probe.ts";

export interface Regression {
  /** Minimises mean cross-entropy + strength/2·‖W‖² from `from`, else from zero; x is W [width, classes], then the biases, which are free. */
  readonly fit: (strength: number, from?: Float64Array) => Promise<Minimum>;
  readonly accuracy: (minimum: Minimum, set: Features) => Promise<number>;
  readonly dispose: () => Promise<void>;
}

/** Converged: the gradient is a thousandth of the one at zero, as lengths. More would change no answer that a few hundred rows can tell. */
const options = { maxIterations: 500, tolerance: 1e-3 };

export async function openRegression(train: Features, backend: Backend): Promise<Regression> {
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
    engine.write(weight, parameters.subarray(0, weights));
    engine.write(bias, parameters.subarray(weights));
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

  const squares = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) squares[k] += train.rows[i * width + k] ** 2 / count;
  /** The diagonal of the Hessian at zero, where every class has the probability 1/classes. */
  const curvatureOf = (strength: number): Float64Array => {
    const spread = (1 - 1 / classes) / classes;
    const curvature = new Float64Array(weights + classes).fill(spread);
    for (let i = 0; i < weights; i++) curvature[i] = spread * squares[Math.floor(i / classes)] + strength;
    return curvature;
  };
  const zero = new Float64Array(weights + classes);
  /** Length of the gradient at zero, where there is no penalty: the scale by which convergence is judged. */
  let reference: number | undefined;
  return {
    fit: async (strength, from = zero) => {
      reference ??= lengthOf((await evaluate(0)(zero)).gradient);
      return minimise({ evaluate: evaluate(strength) }, from, {
        ...options,
        reference,
        curvature: curvatureOf(strength),
      });
    },
    accuracy: async (minimum, set) => {
      put(minimum.x);
      return measureAccuracy(engine, measure, set);
    },
    dispose: () => engine.dispose(),
  };
}

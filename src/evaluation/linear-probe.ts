// The paper's linear probe: one linear layer with bias on frozen features, cross-entropy, Adam, a fixed number of epochs.

import type { Backend, Engine } from "../backends/backend.ts";
import { type Program, type Recorder, recordProgram } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import { persistent, type Tensor } from "../program/tensor.ts";
import { createOptimiser, type Optimiser, recordUpdates } from "../rules/optimiser.ts";
import { type Features, requireFeatures } from "./features.ts";

export interface LinearProbeOptions {
  readonly epochs: number;
  readonly learningRate: number;
  /** Images per step; a remainder of an epoch's shuffle is left out. */
  readonly batch: number;
  readonly seed: number;
}

export interface LinearProbeResult {
  /** Share of test images whose first largest logit is their class, after the last epoch. */
  readonly accuracy: number;
  readonly trainAccuracy: number;
  /** Mean cross-entropy over the last epoch's batches. */
  readonly loss: number;
}

/** First words of the paths of random numbers of this probe. */
const classifierInitialisation = 0xc1a5;
export const classifierOrder = 0xc0de;
/** Rows per pass of the measuring program. */
const measured = 500;

export async function linearProbe(
  train: Features,
  test: Features,
  { epochs, learningRate, batch, seed }: LinearProbeOptions,
  backend: Backend,
): Promise<LinearProbeResult> {
  requireFeatures("linearProbe", train, test);
  const { width, classes, count } = train;
  const n = Math.min(batch, count);
  const table = persistent("features", [count, width], "input");
  const labels = persistent("labels", [count], "input", "i32");
  const indices = persistent("indices", [n], "input", "i32");
  const weight = persistent("classifier.weight", [width, classes], "weight");
  const bias = persistent("classifier.bias", [classes], "weight");
  const adam = classifierAdam(learningRate);

  const record = recordProgram("linear probe");
  const x = record.gatherRows({ table, indices }, {}, { y: "batch" }).y;
  const y = record.gatherLabels({ table: labels, indices }, {}, { y: "batchLabels" }).y;
  const loss = recordStep(record, { x, y, weight, bias }, adam);
  const program = record.finish([loss]);
  const measure = recordMeasure(weight, bias);

  const engine = await backend.prepare([program, measure.program]);
  try {
    engine.write(table, train.rows);
    engine.write(labels, train.labels);
    engine.write(adam.rate, Float32Array.of(1));
    initialiseClassifier(engine, weight, bias, seed);
    let step = 0;
    let lastLoss = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = Int32Array.from({ length: count }, (_, i) => i);
      randomStream(seed, classifierOrder, epoch).shuffle(order);
      const batches = Math.floor(count / n);
      for (let i = 0; i < batches; i++) {
        engine.write(indices, order.subarray(i * n, (i + 1) * n));
        engine.write(adam.step, Int32Array.of(++step));
        await engine.run(program);
        if (epoch === epochs - 1) lastLoss += (await engine.read(loss))[0] / batches;
      }
    }
    return {
      accuracy: await measureAccuracy(engine, measure, test),
      trainAccuracy: await measureAccuracy(engine, measure, train),
      loss: lastLoss,
    };
  } finally {
    await engine.dispose();
  }
}

export const classifierAdam = (learningRate: number): Optimiser =>
  createOptimiser({ kind: "adam", learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 });

/** Cross-entropy of rows x [n, width] with the labels y [n], and Adam's step on it. */
export function recordStep(
  record: Recorder,
  { x, y, weight, bias }: Readonly<Record<"x" | "y" | "weight" | "bias", Tensor>>,
  adam: Optimiser,
): Tensor {
  const { loss, dlogits } = record.softmaxCrossEntropy(
    { logits: recordLogits(record, x, weight, bias), labels: y },
    {},
    { loss: "loss", dlogits: "dlogits", correct: "correct" },
  );
  const { dw } = record.linearWeightGradient({ x, dy: dlogits }, {}, { dw: "weight.gradient" });
  const { db } = record.biasGradient({ dy: dlogits }, {}, { db: "bias.gradient" });
  recordUpdates(record, adam, [
    { weight, gradient: dw },
    { weight: bias, gradient: db },
  ]);
  return loss;
}

/** PyTorch's default for nn.Linear: weights and bias U(−1/√width, 1/√width). */
export function initialiseClassifier(engine: Engine, weight: Tensor, bias: Tensor, seed: number): void {
  const [width, classes] = weight.shape;
  const random = randomStream(seed, classifierInitialisation);
  const uniform = (): number => (2 * random.uniform() - 1) / Math.sqrt(width);
  engine.write(weight, Float32Array.from({ length: width * classes }, uniform));
  engine.write(bias, Float32Array.from({ length: classes }, uniform));
}

function recordLogits(record: Recorder, x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const product = record.linear({ x, w: weight }, {}, { y: "product" }).y;
  return record.addBias({ x: product, b: bias }, {}, { y: "logits" }).y;
}

/** A program that counts right answers of a linear classifier on up to 500 rows at a time. */
export interface Measure {
  readonly program: Program;
  readonly rows: Tensor;
  readonly logits: Tensor;
}

export function recordMeasure(weight: Tensor, bias: Tensor): Measure {
  const [width] = weight.shape;
  const rows = persistent("measured.rows", [measured, width], "input");
  const record = recordProgram("measure");
  const logits = recordLogits(record, rows, weight, bias);
  return { program: record.finish([logits]), rows, logits };
}

/** Share of rows whose first largest logit is their label. */
export async function measureAccuracy(
  engine: Engine,
  { program, rows, logits }: Measure,
  set: Features,
): Promise<number> {
  const { width, classes, count } = set;
  const padded = new Float32Array(measured * width);
  let right = 0;
  for (let start = 0; start < count; start += measured) {
    const some = Math.min(measured, count - start);
    padded.set(set.rows.subarray(start * width, (start + some) * width));
    engine.write(rows, padded);
    await engine.run(program);
    const scores = await engine.read(logits);
    for (let i = 0; i < some; i++) {
      let best = 0;
      for (let j = 1; j < classes; j++) if (scores[i * classes + j] > scores[i * classes + best]) best = j;
      if (best === set.labels[start + i]) right++;
    }
  }
  return right / count;
}

// The paper's linear probe: one linear layer with bias on frozen features, cross-entropy, Adam, a fixed number of epochs.

import type { Backend, Engine } from "../backends/backend.ts";
import { type Program, type Recorder, recordProgram } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import { persistent, reshape, rows as rowsOf, sizeOf, type Tensor } from "../program/tensor.ts";
import { createOptimiser, type Optimiser, recordUpdates } from "../rules/optimiser.ts";
import { accuracyOf, type Classifier, createClassifier, recordLogits, recordScoring } from "./classifier.ts";
import type { Features } from "./features.ts";
import { type Draws, measureOnce, type OpenLinearReadOut, preparedFor } from "./read-out.ts";
import type { Linear } from "./standardise.ts";

export interface LinearProbeOptions {
  readonly epochs: number;
  readonly learningRate: number;
  /** Images per step; a remainder of an epoch's shuffle is left out. */
  readonly batch: number;
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
/** Steps that one run of a program takes, so that the host is asked once for all of them. */
const unrolled = 20;

/** Test accuracy of the paper's linear probe on frozen features. Throws for features of different widths or classes. */
export function linearProbe(
  train: Features,
  test: Features,
  { seed, ...options }: LinearProbeOptions & { readonly seed: number },
  backend: Backend,
): Promise<LinearProbeResult> {
  const open = (like: Draws) => openLinearProbe(like, options, backend);
  return measureOnce("linearProbe", open, { train, test, seed }, backend);
}

/** Some steps on batches of one size, recorded one after another. */
interface Steps {
  readonly program: Program;
  /** i32 [steps, batch], rows of the table. */
  readonly indices: Tensor;
  readonly losses: readonly Tensor[];
}

export async function openLinearProbe(
  { rows: { count, width, classes }, draws }: Draws,
  { epochs, learningRate, batch }: LinearProbeOptions,
  backend: Backend,
): Promise<OpenLinearReadOut<LinearProbeResult>> {
  const table = persistent("features", [count, width], "input");
  const labels = persistent("labels", [count], "input", "i32");
  const classifier = createClassifier(width, classes);
  const adam = classifierAdam(learningRate);
  const counters = persistent("steps", [unrolled], "input", "i32");

  function recordSteps(steps: number, n: number): Steps {
    const record = recordProgram(`${steps} steps of ${n}`);
    const indices = persistent("indices", [steps, n], "input", "i32");
    const losses = Array.from({ length: steps }, (_, step) => {
      const own = reshape(rowsOf(indices, step, 1), [n]);
      const { y: x } = record.gatherRows({ table, indices: own }, {}, { y: `rows ${step}` });
      const { y } = record.gatherLabels({ table: labels, indices: own }, {}, { y: `labels ${step}` });
      return recordStep(record, { x, y }, classifier, { ...adam, step: rowsOf(counters, step, 1) }, ` ${step}`);
    });
    return { program: record.finish(losses), indices, losses };
  }

  const sizes = [...new Set(draws.map(({ length }) => Math.min(batch, length)))];
  const prepared = new Map(sizes.map((n) => [n, { many: recordSteps(unrolled, n), one: recordSteps(1, n) }]));
  const scoring = recordScoring(classifier);
  const programs = [...prepared.values()].flatMap(({ many, one }) => [many.program, one.program]);
  const engine = await backend.prepare([...programs, scoring.program]);

  /** Learns from a draw's rows, and returns the mean loss of the last epoch. */
  async function train(chosen: Int32Array, seed: number): Promise<number> {
    const n = Math.min(batch, chosen.length);
    const { many, one } = preparedFor("linearProbe", prepared, n);
    const perEpoch = Math.floor(chosen.length / n);
    const total = epochs * perEpoch;
    const batches = batchesOf(chosen, { n, perEpoch, seed });
    let loss = 0;
    for (let step = 0; step < total; ) {
      const { program, indices, losses } = total - step < unrolled ? one : many;
      const size = losses.length;
      for (let i = 0; i < size; i++) engine.write(rowsOf(indices, i, 1), batches());
      engine.write(
        counters,
        Int32Array.from({ length: unrolled }, (_, i) => step + 1 + i),
      );
      await engine.run(program);
      for (const [i, tensor] of losses.entries())
        if (step + i >= total - perEpoch) loss += (await engine.read(tensor))[0] / perEpoch;
      step += size;
    }
    return loss;
  }

  /** Learns from one draw after another; until the next the engine holds the classifier. */
  async function* learn({ rows, draws: chosen, seed }: Draws): AsyncGenerator<{ draw: Int32Array; loss: number }> {
    engine.write(table, rows.rows);
    engine.write(labels, rows.labels);
    engine.write(adam.rate, Float32Array.of(1));
    for (const draw of chosen) {
      initialiseClassifier(engine, classifier, seed);
      for (const moments of adam.state.values())
        for (const tensor of moments) engine.write(tensor, new Float32Array(sizeOf(tensor.shape)));
      yield { draw, loss: await train(draw, seed) };
    }
  }

  return {
    bytes: engine.bytes,
    async *measure(drawn, test) {
      for await (const { draw, loss } of learn(drawn))
        yield {
          accuracy: await accuracyOf(engine, scoring, test),
          trainAccuracy: await accuracyOf(engine, scoring, drawn.rows, draw),
          loss,
        };
    },
    fit: async (drawn) => {
      const learnt: Linear[] = [];
      for await (const _ of learn(drawn)) {
        const [weight, bias] = [await engine.read(classifier.weight), await engine.read(classifier.bias)];
        learnt.push({ weight: Float64Array.from(weight), bias: Float64Array.from(bias) });
      }
      return learnt;
    },
    dispose: () => engine.dispose(),
  };
}

export const classifierAdam = (learningRate: number): Optimiser =>
  createOptimiser({ kind: "adam", learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 });

/** Cross-entropy of rows x [n, width] with the labels y [n], and Adam's step on it; `suffix` tells the names of several in one program apart. */
export function recordStep(
  record: Recorder,
  { x, y }: Readonly<Record<"x" | "y", Tensor>>,
  classifier: Classifier,
  adam: Optimiser,
  suffix = "",
): Tensor {
  const named = <Name extends string>(...names: Name[]): Record<Name, string> =>
    Object.fromEntries(names.map((name) => [name, name + suffix])) as Record<Name, string>;
  const { weight, bias } = classifier;
  const logits = recordLogits(record, x, classifier, suffix);
  const { loss, dlogits } = record.softmaxCrossEntropy({ logits, labels: y }, {}, named("loss", "dlogits", "correct"));
  // Rows of classes times rows of features: the transposed gradient of x·wᵀ.
  const { dw } = record.linearWeightGradient({ x: dlogits, dy: x }, {}, named("dw"));
  const { db } = record.biasGradient({ dy: dlogits }, {}, named("db"));
  recordUpdates(record, adam, [
    { weight, gradient: dw },
    { weight: bias, gradient: db },
  ]);
  return loss;
}

/** The batches of one epoch after another: each shuffles the rows anew. */
function batchesOf(
  chosen: Int32Array,
  { n, perEpoch, seed }: { readonly n: number; readonly perEpoch: number; readonly seed: number },
): () => Int32Array {
  let order = new Int32Array();
  let step = 0;
  return () => {
    const batch = step % perEpoch;
    if (batch === 0) {
      order = Int32Array.from(chosen);
      randomStream(seed, classifierOrder, step / perEpoch).shuffle(order);
    }
    step++;
    return order.subarray(batch * n, (batch + 1) * n);
  };
}

/** PyTorch's default for nn.Linear: weights and bias U(−1/√width, 1/√width), drawn feature by feature. */
export function initialiseClassifier(engine: Engine, { weight, bias }: Classifier, seed: number): void {
  const [classes, width] = weight.shape;
  const random = randomStream(seed, classifierInitialisation);
  const uniform = (): number => (2 * random.uniform() - 1) / Math.sqrt(width);
  const start = new Float32Array(classes * width);
  for (let k = 0; k < width; k++) for (let c = 0; c < classes; c++) start[c * width + k] = uniform();
  engine.write(weight, start);
  engine.write(bias, Float32Array.from({ length: classes }, uniform));
}

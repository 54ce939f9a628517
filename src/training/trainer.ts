// A trainer: a recorded rule on a backend, fed batch by batch. No files, no printing; position and state are all it has.

import type { Backend, Engine, Numbers } from "../backends/backend.ts";
import { drawViews, type ViewSizes } from "../data/augmentation.ts";
import type { ImageSet } from "../data/images.ts";
import { createModel, initialise, type Model } from "../encoders/model.ts";
import { networks } from "../encoders/networks.ts";
import { wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";
import type { Tensor } from "../program/tensor.ts";
import { learnings } from "../rules/learning.ts";
import type { Lesson, RecordedRule } from "../rules/rule.ts";
import type { Config } from "./config.ts";
import { configuredLoss, recordConfigured } from "./configured-rule.ts";

/** Where a run stands: `step` updates are done, the next batch is batch `batch` of epoch `epoch`. */
export interface Position {
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
}

export interface StepResult {
  readonly position: Position;
  /** What this step's layers learnt from; summed or averaged over the batch as the loss says. */
  readonly loss: number;
  /** The layer that learnt, from 1, where one learns at a time. */
  readonly layer?: number;
  /** The loss's own numbers: shares of open gates, accuracy. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface Trainer {
  readonly config: Config;
  readonly model: Model;
  readonly recorded: RecordedRule;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly position: () => Position;
  /** One update; reads the loss back. */
  readonly step: () => Promise<StepResult>;
  /** Embeddings [2n, 64] of the last step; undefined where its loss has no embeddings. */
  readonly embeddings: () => Promise<{ readonly numbers: Float32Array; readonly width: number } | undefined>;
  /** Pictures [rows, h, w, c] of the last step; rows s and n + s are the views of one image, where there are two. */
  readonly views: () => Promise<Float32Array>;
  /** Synapses, feedback and optimiser state by name. */
  readonly state: () => Promise<Map<string, Float32Array>>;
  /** Puts a state back; the next step is the one after `position`. */
  readonly restore: (state: ReadonlyMap<string, Float32Array>, position: Position) => void;
  readonly dispose: () => Promise<void>;
}

export async function createTrainer(config: Config, dataset: ImageSet, backend: Backend): Promise<Trainer> {
  const model = createModel(networks[config.encoder]);
  const recorded = recordConfigured(config, model, { ...dataset, classes: dataset.classes.length });
  const { inputs, lessons, state } = recorded;
  const loss = configuredLoss(config);
  const engine = await backend.prepare(lessons.map(({ program }) => program));
  const stepsPerEpoch = Math.floor(dataset.count / config.batch);
  const stepsPerLesson = stepsPerEpoch * config.epochs;
  const totalSteps = stepsPerLesson * lessons.length;
  const sizes: ViewSizes = { from: dataset, to: model.encoder };
  const schedule = { stepsPerLesson, lessons: lessons.length, seed: config.seed };
  const lessonOf = (step: number): number => learnings[config.learning].lessonOf(step, schedule);
  let done = 0;
  /** Updates that each lesson has had. */
  const updates = lessons.map(() => 0);
  let order: { epoch: number; images: Int32Array } = { epoch: -1, images: new Int32Array() };
  let last: Lesson = lessons[0];

  engine.write(inputs.images, dataset.pixels);
  if (inputs.labels) engine.write(inputs.labels, dataset.labels);
  for (const [tensor, values] of initialise(recorded, config.seed)) engine.write(tensor, values);

  const position = (): Position => ({
    step: done,
    epoch: Math.floor(done / stepsPerEpoch),
    batch: done % stepsPerEpoch,
  });

  function samples(): Int32Array {
    const { epoch, batch } = position();
    if (order.epoch !== epoch) order = { epoch, images: epochOrder(config.seed, epoch, dataset.count) };
    return order.images.subarray(batch * config.batch, (batch + 1) * config.batch);
  }

  return {
    config,
    model,
    recorded,
    stepsPerEpoch,
    totalSteps,
    position,
    step: async () => {
      const batch = samples();
      const at = position();
      const number = lessonOf(done);
      last = lessons[number];
      updates[number]++;
      const indices = new Int32Array(loss.views * config.batch);
      for (let view = 0; view < loss.views; view++) indices.set(batch, view * config.batch);
      engine.write(inputs.indices, indices);
      if (inputs.labelIndices) engine.write(inputs.labelIndices, batch);
      const { seed, augmentation } = config;
      engine.write(
        inputs.parameters,
        drawViews(augmentation, sizes, { seed, epoch: at.epoch, samples: batch, views: loss.views }),
      );
      engine.write(last.adamStep, Int32Array.of(updates[number]));
      await engine.run(last.program);
      done++;
      const metrics: Record<string, number> = {};
      for (const { name, tensor, index, per } of last.metrics) metrics[name] = (await engine.read(tensor))[index] / per;
      const [value] = await engine.read(last.loss);
      const layer = lessons.length > 1 ? { layer: last.end } : {};
      return { position: { ...at, step: done }, loss: value, ...layer, metrics };
    },
    embeddings: async () => {
      const { output } = last;
      if (loss.labelled || output.shape.length !== 2) return undefined;
      return { numbers: await readFloats(engine, output), width: output.shape[1] };
    },
    views: () => readFloats(engine, last.views),
    state: async () => {
      const numbers = new Map<string, Float32Array>();
      for (const tensor of state) numbers.set(tensor.name, await readFloats(engine, tensor));
      return numbers;
    },
    restore: (numbers, to) => {
      for (const tensor of state) {
        const values = numbers.get(tensor.name);
        if (values === undefined) throw wrong("resume", tensor.name, "in the checkpoint", "nothing");
        engine.write(tensor, values);
      }
      done = to.step;
      updates.fill(0);
      for (let step = 0; step < done; step++) updates[lessonOf(step)]++;
    },
    dispose: () => engine.dispose(),
  };
}

/** First word of every path of random numbers that order the data. */
const dataOrder = 0x0d3a;

/** The order of an epoch's images, keyed by seed and epoch. */
export function epochOrder(seed: number, epoch: number, count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  randomStream(seed, dataOrder, epoch).shuffle(order);
  return order;
}

/** Numbers of a tensor as float32; the reference backend's float64 is rounded. */
export async function readFloats(engine: Engine, tensor: Tensor): Promise<Float32Array> {
  const numbers: Numbers = await engine.read(tensor);
  return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
}

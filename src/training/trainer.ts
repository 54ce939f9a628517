// A trainer: a recorded rule on a backend, fed batch by batch. No files, no printing; position and state are all it has.

import type { Backend, Engine, Numbers } from "../backends/backend.ts";
import { drawViews, type ViewSizes } from "../data/augmentation.ts";
import { copyPictures, type ImageSet, requireLabels } from "../data/images.ts";
import { pairings } from "../data/pairing.ts";
import type { Encoder } from "../encoders/encoder.ts";
import { createModel, initialise, type Model } from "../encoders/model.ts";
import { networks } from "../encoders/networks.ts";
import { wrong } from "../program/errors.ts";
import { updatesOf } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import { ownerOf, sizeOf, type Tensor } from "../program/tensor.ts";
import { learnings } from "../rules/learning.ts";
import { clockValues, type Lesson, type RecordedRule, type RuleInputs, recordRule } from "../rules/rule.ts";
import { recordXray } from "../rules/xray.ts";
import type { Config } from "./config.ts";
import { configuredModel, configuredPairs, configuredRule, type OwnParts } from "./configured-rule.ts";
import { rateAt } from "./rate-schedule.ts";
import { madeAugmentation } from "./registry.ts";
import { probeImages, readXray, type Xray } from "./xray.ts";

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
  /** Of the engine: the dataset, synapses, a step's tensors and the kernels' scratch. */
  readonly bytes: number;
  readonly position: () => Position;
  /** One update; reads the loss back. */
  readonly step: () => Promise<StepResult>;
  /** Embeddings [2n, 64] of the last step; undefined where its loss has no embeddings. */
  readonly embeddings: () => Promise<{ readonly numbers: Float32Array; readonly width: number } | undefined>;
  /** Pictures [rows, h, w, c] of the last step; rows s and n + s are the views of one image, where there are two. */
  readonly views: () => Promise<Float32Array>;
  /**
   * What the layers that learnt last look like on the probe batch; before the first step and after the last, all layers. Changes
   * nothing. Empty where the configuration has no X-rays.
   */
  readonly xray: () => Promise<readonly Xray[]>;
  /** Synapses, feedback and optimiser state by name. */
  readonly state: () => Promise<Map<string, Float32Array>>;
  /** The part of it that the steps since the last call may have changed: under GLL and RLL, of the layers that learnt in them. */
  readonly changedState: () => Promise<Map<string, Float32Array>>;
  /** Puts a state back; the next step is the one after `position`. */
  readonly restore: (state: ReadonlyMap<string, Float32Array>, position: Position) => void;
  readonly dispose: () => Promise<void>;
}

/** First word of every path of random numbers that draw pairs of rows. */
const pairDraws = 0x9a12;

/** Steps that a configuration makes of a dataset. */
export function runLength(
  config: Config,
  dataset: Pick<ImageSet, "name" | "count" | "clips">,
): Readonly<Record<"stepsPerEpoch" | "totalSteps", number>> {
  const { anchors } = configuredPairs(config, dataset);
  const stepsPerEpoch = Math.floor(anchors.length / config.batch);
  const lessons = learnings[config.learning].lessons(networks[config.encoder].blocks.length).length;
  return { stepsPerEpoch, totalSteps: stepsPerEpoch * config.epochs * lessons };
}

export interface TrainerOptions extends OwnParts {
  readonly config: Config;
  readonly dataset: ImageSet;
  readonly backend: Backend;
  /** Instead of the network that the configuration names; as `update` and `loss` are instead of its rule. */
  readonly encoder?: Encoder;
}

export async function createTrainer({ config, dataset, backend, encoder, ...own }: TrainerOptions): Promise<Trainer> {
  const model = encoder ? createModel(encoder) : configuredModel(config);
  const rule = configuredRule(config, model, { ...dataset, classes: dataset.classes.length }, own);
  const recorded = recordRule(rule);
  const { inputs, lessons, state } = recorded;
  const loss = rule.loss;
  if (loss.labelled) requireLabels("train", dataset.name, dataset, dataset.classes.length);
  const pairing = pairings[config.pairing ?? "augmentation"];
  if (dataset.streamed && pairing !== pairings.augmentation)
    throw wrong(
      "train",
      "pairing",
      `augmentation for ${dataset.name}, which is read batch by batch`,
      config.pairing,
      "leave it out",
    );
  const { anchors, partnerOf } = configuredPairs(config, dataset);
  const probed = probeImages(config);
  const xrays = config.xrayEvery > 0 ? recordXray(rule, recorded, probed) : undefined;
  const engine = await backend.prepare([...lessons, ...(xrays?.lessons ?? [])].map(({ program }) => program));
  const { stepsPerEpoch } = runLength(config, dataset);
  const totalSteps = stepsPerEpoch * config.epochs * lessons.length;
  const augmentation = madeAugmentation(config);
  const sizes: ViewSizes = { from: dataset, to: model.encoder };
  const schedule = { stepsPerLesson: stepsPerEpoch * config.epochs, lessons: lessons.length, seed: config.seed };
  const lessonOf = (step: number): number => learnings[config.learning].lessonOf(step, schedule);
  let done = 0;
  /** Updates that each lesson has had, and will have had when the run ends. */
  const updates = lessons.map(() => 0);
  const updatesInAll = lessons.map(() => 0);
  for (let step = 0; step < totalSteps; step++) updatesInAll[lessonOf(step)]++;
  let order: { epoch: number; images: Int32Array } = { epoch: -1, images: new Int32Array() };
  let last: Lesson = lessons[0];
  /** Lessons that had a step since `changedState` was asked. */
  const learnt = new Set<Lesson>();
  /** Whether a step has left results. */
  let ran = false;
  /** Results of the last step that an X-ray has written over. */
  let kept = new Map<Tensor, Float32Array>();

  /** The pictures that the engine holds of a streamed dataset: the batch, and behind it the probe batch. */
  const held = dataset.streamed ? new Uint8Array(sizeOf(inputs.images.shape)) : undefined;
  if (!held) engine.write(inputs.images, dataset.pixels);
  if (inputs.labels) engine.write(inputs.labels, dataset.labels);
  for (const [tensor, values] of initialise(recorded, config.seed)) engine.write(tensor, values);
  if (xrays) writeBatch(xrays.inputs, anchors.subarray(0, probed), { step: 0, epoch: 0 });

  const position = (): Position => ({
    step: done,
    epoch: Math.floor(done / stepsPerEpoch),
    batch: done % stepsPerEpoch,
  });

  function samples(): Int32Array {
    const { epoch, batch } = position();
    if (order.epoch !== epoch) order = { epoch, images: pairing.order(anchors, config.seed, epoch) };
    return order.images.subarray(batch * config.batch, (batch + 1) * config.batch);
  }

  function writeBatch(to: RuleInputs, images: Int32Array, { step, epoch }: { step: number; epoch: number }): void {
    // A streamed dataset is no movie: both views show one image.
    const seen = held ? [hold(held, images, to === inputs ? 0 : config.batch)] : [images, images.map(partnerOf)];
    const indices = Int32Array.from({ length: loss.views * images.length }, (_, row) => {
      const view = Math.floor(row / images.length);
      return seen[Math.min(view, seen.length - 1)][row % images.length];
    });
    engine.write(to.indices, indices);
    if (to.labelIndices) engine.write(to.labelIndices, images);
    const { seed } = config;
    const key = { seed, epoch, samples: images, views: loss.views };
    engine.write(to.parameters, drawViews(augmentation, sizes, key));
    if (to.pairs && loss.pairs) {
      const { rows, weights } = loss.pairs.draw(images.length, randomStream(seed, pairDraws, step));
      engine.write(to.pairs.rows, rows);
      engine.write(to.pairs.weights, weights);
    }
  }

  /** Puts pictures of a streamed dataset into the engine, from row `first` on; their rows. */
  function hold(all: Uint8Array, images: Int32Array, first: number): Int32Array {
    const size = dataset.height * dataset.width * dataset.channels;
    copyPictures(dataset, images, all.subarray(first * size));
    engine.write(inputs.images, all);
    return images.map((_, i) => first + i);
  }

  async function numbersOf(tensors: readonly Tensor[]): Promise<Map<string, Float32Array>> {
    const numbers = new Map<string, Float32Array>();
    for (const tensor of tensors) numbers.set(tensor.name, await readFloats(engine, tensor));
    return numbers;
  }

  const resultOf = async (tensor: Tensor): Promise<Float32Array> => kept.get(tensor) ?? readFloats(engine, tensor);

  return {
    config,
    model,
    recorded,
    stepsPerEpoch,
    totalSteps,
    bytes: engine.bytes,
    position,
    step: async () => {
      if (done >= totalSteps)
        throw wrong("step", "position", `below ${totalSteps}, the steps of the run`, done, "lengthen epochs");
      const batch = samples();
      const at = position();
      const number = lessonOf(done);
      last = lessons[number];
      learnt.add(last);
      updates[number]++;
      writeBatch(inputs, batch, at);
      const factor = rateAt(config.optimiser.schedule, updates[number], updatesInAll[number]);
      for (const [tensor, values] of clockValues(last, updates[number], factor)) engine.write(tensor, values);
      kept = new Map();
      ran = true;
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
      return { numbers: await resultOf(output), width: output.shape[1] };
    },
    views: () => resultOf(last.views),
    xray: async () => {
      if (xrays === undefined) return [];
      if (ran) for (const tensor of [last.views, last.output]) kept.set(tensor, await resultOf(tensor));
      const all = done === 0 || done === totalSteps;
      const looked = all ? [...lessons.keys()] : [lessonOf(done - 1)];
      const seen: Xray[] = [];
      for (const number of looked) {
        const lesson = xrays.lessons[number];
        await engine.run(lesson.program);
        const layer = lessons.length > 1 ? { layer: lesson.end } : {};
        seen.push({ ...layer, ...(await readXray(engine, lesson, lessons[number].optimiser, updates[number])) });
      }
      return seen;
    },
    state: () => numbersOf(state),
    changedState: async () => {
      const changed = new Set([...learnt].flatMap(({ program }) => program.operations.flatMap(updatesOf).map(ownerOf)));
      learnt.clear();
      return numbersOf(state.filter((tensor) => changed.has(tensor)));
    },
    restore: (numbers, to) => {
      if (!(Number.isInteger(to.step) && to.step >= 0 && to.step <= totalSteps))
        throw wrong("resume", "position", `a whole step from 0 to ${totalSteps}, the steps of the run`, to.step);
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

/** Numbers of a tensor as float32; the reference backend's float64 is rounded. */
export async function readFloats(engine: Engine, tensor: Tensor): Promise<Float32Array> {
  const numbers: Numbers = await engine.read(tensor);
  return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
}

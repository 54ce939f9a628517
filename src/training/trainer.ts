// A trainer: a recorded rule on a backend, fed batch by batch. No files, no printing; position and state are all it has.

import type { Backend, Engine, Numbers } from "../backends/backend.ts";
import { drawViews, type ViewSizes } from "../data/augmentation.ts";
import { copyPictures, type ImageSet, requireLabels } from "../data/images.ts";
import { pairings } from "../data/pairing.ts";
import type { Encoder } from "../encoders/encoder.ts";
import { createModel, initialise, layerOf, type Model } from "../encoders/model.ts";
import { networkOf } from "../encoders/networks.ts";
import { wrong } from "../program/errors.ts";
import { updatesOf } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import { ownerOf, type Shape, sizeOf, type Tensor } from "../program/tensor.ts";
import { learnings } from "../rules/learning.ts";
import {
  clockValues,
  type Lesson,
  type RecordedRule,
  type RuleInputs,
  type RuleOptions,
  recordRule,
} from "../rules/rule.ts";
import { type RecordedXray, recordXray } from "../rules/xray.ts";
import type { Config } from "./config.ts";
import {
  configuredModel,
  configuredPairs,
  configuredRule,
  type OwnParts,
  type TrainingShape,
} from "./configured-rule.ts";
import { changedFeedback, feedbackOf, type Stage, stagesOf } from "./interventions.ts";
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

/** A run in memory: one step at a time, without files. */
export interface Trainer {
  readonly config: Config;
  readonly model: Model;
  /** The rule as it is now: an intervention may change it. */
  readonly recorded: RecordedRule;
  /** The rule that has made step `step`: whose tensors the state after it has. */
  readonly ruleOf: (step: number) => RecordedRule;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  /** Of the engine: the dataset, synapses, a step's tensors and the kernels' scratch. */
  readonly bytes: number;
  /** Where the run stands. */
  readonly position: () => Position;
  /** One update; reads the loss back. */
  readonly step: () => Promise<StepResult>;
  /** So many updates, whose losses are read back together: a device is kept at work. The numbers are those of single steps. */
  readonly steps: (count: number) => Promise<StepResult[]>;
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
  /** Puts a state back; the next step is the one after `position`. Rejects where a tensor of the rule at that step is missing. */
  readonly restore: (state: ReadonlyMap<string, Float32Array>, position: Position) => Promise<void>;
  /** Ends the engine; the trainer must not be used after it. */
  readonly dispose: () => Promise<void>;
}

/** First word of every path of random numbers that draw pairs of rows. */
const pairDraws = 0x9a12;

/** Which layer each step of a run is about is counted before the first: some seconds for as many, and no machine makes them in a day. */
const mostSteps = 1e8;

/** Steps that a configuration makes of a dataset. */
export function runLength(
  config: Config,
  dataset: Pick<ImageSet, "name" | "count" | "clips">,
): Readonly<Record<"stepsPerEpoch" | "totalSteps", number>> {
  const { anchors } = configuredPairs(config, dataset);
  const stepsPerEpoch = Math.floor(anchors.length / config.batch);
  const lessons = learnings[config.learning].lessons(networkOf(config.encoder).blocks.length).length;
  return { stepsPerEpoch, totalSteps: stepsPerEpoch * config.epochs * lessons };
}

/** A stage with its rule written down. */
interface RecordedStage extends Stage {
  readonly rule: RuleOptions;
  readonly recorded: RecordedRule;
  readonly xrays: RecordedXray | undefined;
}

/** The stages of a configuration with their rules. Throws where one cannot go on with what the one before it leaves. */
function recordStages(config: Config, model: Model, dataset: TrainingShape, own: OwnParts): RecordedStage[] {
  const shapes = new Map<string, Shape>();
  return stagesOf(config).map((stage) => {
    const rule = { ...configuredRule(stage.config, model, dataset, own), frozen: stage.frozen };
    const recorded = recordRule(rule);
    const layers = [...new Set(recorded.parameters.map(({ tensor }) => layerOf(tensor)))];
    for (const layer of stage.frozen)
      if (!layers.includes(layer)) throw wrong("train", "interventions", `about one of ${layers.join(", ")}`, layer);
    for (const { layer } of stage.feedback) feedbackOf(layer, recorded.state, stage.config.update);
    for (const { name, shape } of recorded.state) {
      const before = shapes.get(name) ?? shape;
      if (String(before) !== String(shape))
        throw wrong(
          "train",
          "interventions",
          `such that ${name} stays [${before.join(", ")}]`,
          `[${shape.join(", ")}]`,
        );
      shapes.set(name, shape);
    }
    const xrays = config.xrayEvery > 0 ? recordXray(rule, recorded, probeImages(stage.config)) : undefined;
    return { ...stage, rule, recorded, xrays };
  });
}

function requireInTime({ interventions = [] }: Config, totalSteps: number): void {
  for (const [i, { step }] of interventions.entries())
    if (step >= totalSteps)
      throw wrong("train", `interventions.${i}.step`, `below ${totalSteps}, the steps of the run`, step);
}

/** Throws where a run could not be changed as its configuration says, as `createTrainer` does. */
export function requireInterventions(config: Config, model: Model, dataset: TrainingShape): void {
  if (config.interventions === undefined) return;
  recordStages(config, model, dataset, {});
  requireInTime(config, runLength(config, { name: "the dataset", ...dataset }).totalSteps);
}

/** What a trainer trains, on what, and where. */
export interface TrainerOptions extends OwnParts {
  readonly config: Config;
  readonly dataset: ImageSet;
  readonly backend: Backend;
  /** Instead of the network that the configuration names; as `update` and `loss` are instead of its rule. */
  readonly encoder?: Encoder;
}

/**
 * Records the configuration's rule, prepares it on a backend and initialises it from the seed. Throws, before anything runs, where dataset and
 * configuration do not fit.
 */
export async function createTrainer({ config, dataset, backend, encoder, ...own }: TrainerOptions): Promise<Trainer> {
  const model = encoder ? createModel(encoder) : configuredModel(config);
  const stages = recordStages(config, model, { ...dataset, classes: dataset.classes.length }, own);
  if (stages.some(({ rule }) => rule.loss.labelled))
    requireLabels("train", dataset.name, dataset, dataset.classes.length);
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
  const { stepsPerEpoch } = runLength(config, dataset);
  const augmentation = madeAugmentation(config);
  const sizes: ViewSizes = { from: dataset, to: model.encoder };
  const [{ recorded: first }] = stages;
  const totalSteps = stepsPerEpoch * config.epochs * first.lessons.length;
  if (totalSteps > mostSteps)
    throw wrong("train", "epochs", `such that the run has at most ${mostSteps} steps`, totalSteps, "lower epochs");
  requireInTime(config, totalSteps);
  const schedule = { stepsPerLesson: stepsPerEpoch * config.epochs, lessons: first.lessons.length, seed: config.seed };
  const lessonOf = (step: number): number => learnings[config.learning].lessonOf(step, schedule);
  /** The stage that step `step` (from 1) belongs to: what intervenes after it has not happened yet. */
  const stageOf = (step: number): RecordedStage => stages.findLast(({ from }) => from < step) ?? stages[0];
  let stage = stages[0];
  let engine = await open(stage);
  let done = 0;
  /** Updates that each lesson has had, those since its optimiser began, and those that it will have had when the run ends. */
  const updates = first.lessons.map(() => 0);
  const updatesOfOptimiser = first.lessons.map(() => 0);
  const updatesInAll = first.lessons.map(() => 0);
  for (let step = 0; step < totalSteps; step++) updatesInAll[lessonOf(step)]++;
  let order: { epoch: number; images: Int32Array } = { epoch: -1, images: new Int32Array() };
  let last: Lesson = first.lessons[0];
  /** Lessons that had a step since `changedState` was asked. */
  const learnt = new Set<Lesson>();
  /** Whether a step has left results. */
  let ran = false;
  /** Results of the last step that an X-ray has written over. */
  let kept = new Map<Tensor, Float32Array>();
  /** The pictures that the engine holds of a streamed dataset: the batch, and behind it the probe batch. */
  let held = new Uint8Array();

  /** An engine for a stage, with the pictures and what the seed makes of the synapses. */
  async function open({ recorded: { inputs, lessons, ...recorded }, xrays }: RecordedStage): Promise<Engine> {
    const opened = await backend.prepare([...lessons, ...(xrays?.lessons ?? [])].map(({ program }) => program));
    if (!dataset.streamed) opened.write(inputs.images, dataset.pixels);
    if (inputs.labels) opened.write(inputs.labels, dataset.labels);
    for (const [tensor, values] of initialise(recorded, config.seed)) opened.write(tensor, values);
    return opened;
  }

  /** Goes over to another stage, with the synapses as they are, and what the optimiser remembers unless it begins anew. */
  async function enter(next: RecordedStage): Promise<void> {
    const { recorded: left } = stage;
    const synapses = new Set(left.parameters.map(({ tensor }) => tensor));
    const carried = await numbersOf(left.state.filter((tensor) => !next.fresh || synapses.has(tensor)));
    await replace(next);
    for (const tensor of next.recorded.state) {
      const values = carried.get(tensor.name);
      if (values) engine.write(tensor, values);
    }
    for (const change of next.feedback)
      for (const tensor of feedbackOf(change.layer, next.recorded.state, next.config.update))
        engine.write(tensor, changedFeedback(change, await readFloats(engine, tensor), config.seed, next.from));
    if (next.fresh) updatesOfOptimiser.fill(0);
  }

  /** Another stage's engine in the place of this one's. */
  async function replace(next: RecordedStage): Promise<void> {
    await engine.dispose();
    stage = next;
    engine = await open(next);
    last = next.recorded.lessons[lessonOf(Math.max(0, done - 1))];
    for (const lesson of next.recorded.lessons) learnt.add(lesson);
    ran = false;
    kept = new Map();
    lookAtProbe();
  }

  /** The X-ray's own batch, the same throughout. */
  function lookAtProbe(): void {
    const { xrays } = stage;
    if (xrays)
      writeBatch(xrays.inputs, anchors.subarray(0, xrays.inputs.indices.shape[0] / stage.rule.loss.views), {
        step: 0,
        epoch: 0,
      });
  }
  lookAtProbe();

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
    const { loss } = stage.rule;
    // A streamed dataset is no movie: both views show one image.
    const seen = dataset.streamed
      ? [hold(images, to === stage.recorded.inputs ? 0 : config.batch)]
      : [images, images.map(partnerOf)];
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
  function hold(images: Int32Array, firstRow: number): Int32Array {
    const { images: tensor } = stage.recorded.inputs;
    if (held.length !== sizeOf(tensor.shape)) held = new Uint8Array(sizeOf(tensor.shape));
    const size = dataset.height * dataset.width * dataset.channels;
    copyPictures(dataset, images, held.subarray(firstRow * size));
    engine.write(tensor, held);
    return images.map((_, i) => firstRow + i);
  }

  async function numbersOf(tensors: readonly Tensor[]): Promise<Map<string, Float32Array>> {
    const numbers = new Map<string, Float32Array>();
    for (const tensor of tensors) numbers.set(tensor.name, await readFloats(engine, tensor));
    return numbers;
  }

  /** Has the engine make the next step of this stage; what it will say of it, once its notes are read. */
  async function begin(): Promise<(notes: readonly Numbers[]) => StepResult> {
    const batch = samples();
    const at = position();
    const number = lessonOf(done);
    const lesson = stage.recorded.lessons[number];
    last = lesson;
    learnt.add(lesson);
    updates[number]++;
    updatesOfOptimiser[number]++;
    writeBatch(stage.recorded.inputs, batch, at);
    const factor = rateAt(config.optimiser.schedule, updates[number], updatesInAll[number]);
    for (const [tensor, values] of clockValues(lesson, updatesOfOptimiser[number], factor))
      engine.write(tensor, values);
    kept = new Map();
    ran = true;
    const noted = [...new Set([lesson.loss, ...lesson.metrics.map(({ tensor }) => tensor)])];
    await engine.run(lesson.program, noted);
    done++;
    const step = done;
    return (notes) => {
      const noteOf = (tensor: Tensor, index: number): number => notes[noted.indexOf(tensor)][index];
      const metrics = Object.fromEntries(
        lesson.metrics.map(({ name, tensor, index, per }) => [name, noteOf(tensor, index) / per]),
      );
      const layer = updates.length > 1 ? { layer: lesson.end } : {};
      return { position: { ...at, step }, loss: noteOf(lesson.loss, 0), ...layer, metrics };
    };
  }

  async function steps(count: number): Promise<StepResult[]> {
    const results: StepResult[] = [];
    let begun: Awaited<ReturnType<typeof begin>>[] = [];
    const finish = async (): Promise<void> => {
      const notes = await engine.notes();
      results.push(...begun.map((resultFrom, i) => resultFrom(notes[i])));
      begun = [];
    };
    if (done + count > totalSteps)
      throw wrong("step", "position", `below ${totalSteps}, the steps of the run`, done + count - 1, "lengthen epochs");
    // Of steps that failed half way nobody asks any more.
    await engine.notes();
    for (let i = 0; i < count; i++) {
      const due = stageOf(done + 1);
      if (due !== stage) {
        await finish();
        await enter(due);
      }
      begun.push(await begin());
    }
    await finish();
    return results;
  }

  const resultOf = async (tensor: Tensor): Promise<Float32Array> => kept.get(tensor) ?? readFloats(engine, tensor);

  return {
    config,
    model,
    get recorded() {
      return stage.recorded;
    },
    ruleOf: (step) => stageOf(step).recorded,
    stepsPerEpoch,
    totalSteps,
    get bytes() {
      return engine.bytes;
    },
    position,
    step: async () => (await steps(1))[0],
    steps,
    embeddings: async () => {
      const { output } = last;
      if (stage.rule.loss.labelled || output.shape.length !== 2) return undefined;
      return { numbers: await resultOf(output), width: output.shape[1] };
    },
    views: () => resultOf(last.views),
    xray: async () => {
      const { xrays, recorded } = stage;
      if (xrays === undefined) return [];
      if (ran) for (const tensor of [last.views, last.output]) kept.set(tensor, await resultOf(tensor));
      const all = done === 0 || done === totalSteps;
      const looked = all ? [...updates.keys()] : [lessonOf(done - 1)];
      const seen: Xray[] = [];
      for (const number of looked) {
        const lesson = xrays.lessons[number];
        await engine.run(lesson.program);
        const layer = updates.length > 1 ? { layer: lesson.end } : {};
        const { optimiser } = recorded.lessons[number];
        seen.push({ ...layer, ...(await readXray(engine, lesson, optimiser, updatesOfOptimiser[number])) });
      }
      return seen;
    },
    state: () => numbersOf(stage.recorded.state),
    changedState: async () => {
      const changed = new Set([...learnt].flatMap(({ program }) => program.operations.flatMap(updatesOf).map(ownerOf)));
      learnt.clear();
      return numbersOf(stage.recorded.state.filter((tensor) => changed.has(tensor)));
    },
    restore: async (numbers, to) => {
      if (!(Number.isInteger(to.step) && to.step >= 0 && to.step <= totalSteps))
        throw wrong("resume", "position", `a whole step from 0 to ${totalSteps}, the steps of the run`, to.step);
      const then = stageOf(to.step);
      for (const { name } of then.recorded.state)
        if (!numbers.has(name)) throw wrong("resume", name, "in the checkpoint", "nothing");
      done = to.step;
      if (then !== stage) await replace(then);
      for (const tensor of then.recorded.state) engine.write(tensor, numbers.get(tensor.name) as Float32Array);
      const begun = stages.findLast(({ from, fresh }) => fresh && from < to.step)?.from ?? 0;
      updates.fill(0);
      updatesOfOptimiser.fill(0);
      for (let step = 0; step < done; step++) {
        updates[lessonOf(step)]++;
        if (step >= begun) updatesOfOptimiser[lessonOf(step)]++;
      }
    },
    dispose: () => engine.dispose(),
  };
}

/** Numbers of a tensor as float32; the reference backend's float64 is rounded. */
export async function readFloats(engine: Engine, tensor: Tensor): Promise<Float32Array> {
  const numbers: Numbers = await engine.read(tensor);
  return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
}

// A learning rule, written down: Learning × Update × Loss on an encoder become one program per lesson over shared synapses.

import { pictures } from "../encoders/encoder.ts";
import { recordBlocks, recordHead } from "../encoders/forward.ts";
import {
  createHead,
  type HeadModel,
  headLayers,
  layerOf,
  type Model,
  type Parameter,
  tensorsOf,
} from "../encoders/model.ts";
import type { Change, Loss, LossMetric, LossTrace, PreparedLoss } from "../losses/loss.ts";
import { type Program, persistentTensors, type Recorder, recordProgram } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";
import { type Normalise, viewParameters } from "../program/views.ts";
import type { Learning, LessonSpan } from "./learning.ts";
import { createOptimiser, type Optimiser, type OptimiserOptions, recordUpdates } from "./optimiser.ts";
import type { Learners, PreparedUpdate, Signal, Trace, Update } from "./update.ts";

/** One step of one lesson. */
export interface Lesson extends LessonSpan {
  readonly program: Program;
  readonly clock: Clock;
  readonly optimiser: Optimiser;
  /** Pictures that the network sees, [rows, h, w, c]. */
  readonly views: Tensor;
  /** What the loss reads: embeddings or logits [rows, d], or a picture [rows, h, w, c]. */
  readonly output: Tensor;
  /** [1]. */
  readonly loss: Tensor;
  readonly metrics: readonly LossMetric[];
  readonly parts: LessonParts;
}

/** What the host tells a lesson's optimiser before a step. */
export interface Clock {
  /** i32 [1]: the number of this update, from 1; undefined where nothing counts. */
  readonly step: Tensor | undefined;
  /** f32 [1]: a factor on the learning rates. */
  readonly rate: Tensor;
}

/** What the host writes before update number `update` (from 1) of a lesson, `factor` being the schedule's. */
export const clockValues = (
  { clock: { step, rate } }: Lesson,
  update = 1,
  factor = 1,
): [Tensor, Int32Array | Float32Array][] => [
  ...(step ? [[step, Int32Array.of(update)] as [Tensor, Int32Array | Float32Array]] : []),
  [rate, Float32Array.of(factor)],
];

/** What takes part in a lesson: the layers that learn, and what update and loss bring along. */
export interface LessonParts {
  readonly learners: Learners;
  readonly update: PreparedUpdate;
  readonly loss: PreparedLoss;
}

/** Where the host puts what a step reads. */
export interface RuleInputs {
  /** u8 [images, h, w, c]: the whole dataset, resident; of one that is streamed, the batch. */
  readonly images: Tensor;
  /** i32 [images], where the loss is labelled. */
  readonly labels: Tensor | undefined;
  /** i32 [rows]: rows of `images`; with two views, entry s is anchor A_s, entry n + s its view B_s. */
  readonly indices: Tensor;
  /** i32 [n], where the loss is labelled: the images of the batch. */
  readonly labelIndices: Tensor | undefined;
  /** f32 [rows, 20]: how each view is made, see program/views.ts. */
  readonly parameters: Tensor;
  /** i32 [pairs, 2] and f32 [pairs], where the loss wants pairs drawn. */
  readonly pairs: { readonly rows: Tensor; readonly weights: Tensor } | undefined;
}

/** A rule as programs: one for each lesson, over shared synapses. */
export interface RecordedRule {
  readonly inputs: RuleInputs;
  readonly lessons: readonly Lesson[];
  /** What must be given its initial value. */
  readonly parameters: readonly Parameter[];
  /** Everything that a checkpoint must hold: synapses, feedback, optimiser state. */
  readonly state: readonly Tensor[];
}

export interface RuleOptions {
  readonly model: Model;
  readonly learning: Learning;
  readonly update: Update;
  readonly loss: Loss;
  readonly optimiser: OptimiserOptions;
  /** Factors on the learning rate of the head, and of feedback that receives the weights' increments; default 1. */
  readonly factors?: { readonly head: number; readonly feedback: number };
  /** Names of blocks and heads that do not learn, and neither does their feedback; default none. */
  readonly frozen?: ReadonlySet<string>;
  /** n: images per step. */
  readonly batch: number;
  /** Images in the dataset, their size, and their classes. */
  readonly dataset: {
    readonly count: number;
    /** Images that the engine holds at a time; default all. */
    readonly held?: number;
    readonly height: number;
    readonly width: number;
    readonly classes: number;
  };
  /** Pixel values 0 and 255 become these. */
  readonly valueRange: readonly [number, number];
  /** And then each channel what this says. */
  readonly normalise?: Normalise | undefined;
  /** Of makeViews, for the cost alone. */
  readonly taps?: number;
}

/** Writes the steps of Learning × Update × Loss on a model down, one program for each lesson. Throws where they do not go together. */
export function recordRule(options: RuleOptions): RecordedRule {
  const { model, learning, loss, dataset } = options;
  const { channels } = model.encoder;
  const { held = dataset.count } = dataset;
  const inputs: RuleInputs = {
    images: persistent("images", [held, dataset.height, dataset.width, channels], "input", "u8"),
    labels: loss.labelled ? persistent("labels", [dataset.count], "input", "i32") : undefined,
    ...batchInputs(options, ""),
  };
  const recorded = learning.lessons(model.blocks.length).map((span) => recordLesson(options, inputs, span));
  const parameters = [...model.parameters, ...recorded.flatMap((lesson) => lesson.parameters)];
  return {
    inputs,
    lessons: recorded.map(({ lesson }) => lesson),
    parameters,
    state: [...parameters.map(({ tensor }) => tensor), ...recorded.flatMap(({ optimiserState }) => optimiserState)],
  };
}

/** Where the host says which images make a batch, and how; `prefix` begins the names. */
export function batchInputs({ loss, batch }: RuleOptions, prefix: string): Omit<RuleInputs, "images" | "labels"> {
  const rows = loss.views * batch;
  const { pairs } = loss;
  return {
    indices: persistent(`${prefix}indices`, [rows], "input", "i32"),
    labelIndices: loss.labelled ? persistent(`${prefix}labelIndices`, [batch], "input", "i32") : undefined,
    parameters: persistent(`${prefix}viewParameters`, [rows, viewParameters], "input"),
    pairs: pairs && {
      rows: persistent(`${prefix}pairs`, [pairs.perImage * batch, 2], "input", "i32"),
      weights: persistent(`${prefix}pairWeights`, [pairs.perImage * batch], "input"),
    },
  };
}

function recordLesson(options: RuleOptions, inputs: RuleInputs, { first, end }: LessonSpan) {
  const { model, learning, update, loss, batch, dataset } = options;
  const { encoder, blocks: synapses } = model;
  const whole = first === 0 && end === synapses.length;
  const tag = whole ? "" : String(end);
  const shapes = pictures(encoder);
  const head = loss.head(encoder.head, dataset.classes);
  const headModel = head && createHead(`head${tag}`, head, shapes[end], end);
  const learners = {
    first,
    blocks: encoder.blocks.slice(first, end),
    synapses: synapses.slice(first, end),
    pictures: shapes.slice(first, end + 1),
    head: headModel,
  };
  const parts = { learners, update: update.prepare(learners), loss: loss.prepare(shapes[end], end) };
  const optimiser = createOptimiser(options.optimiser, `optimiser${tag}`);

  const part = whole ? "" : `, layer ${end}`;
  const record = recordProgram(
    `${learning.name} ${update.name}, ${loss.name}, ${encoder.name}${part}, ${batch} images`,
  );
  const { views, trace, output, lossTrace, signal } = recordSignal(record, options, inputs, parts);
  const changes = parts.update.record({ record, optimiser }, trace, signal);
  const all = [...withFactors(changes, options, headModel), ...lossTrace.changes];
  recordUpdates(
    record,
    optimiser,
    all.filter(({ weight }) => !options.frozen?.has(layerOf(weight))),
  );

  const { value, metrics } = lossTrace;
  const program = record.finish([views, output, value, ...metrics.map(({ tensor }) => tensor)]);
  const counts = persistentTensors([program]).includes(optimiser.step);
  const lesson: Lesson = {
    first,
    end,
    program,
    clock: { step: counts ? optimiser.step : undefined, rate: optimiser.rate },
    optimiser,
    views,
    output,
    loss: value,
    metrics,
    parts,
  };
  return {
    lesson,
    parameters: [...(headModel?.parameters ?? []), ...parts.update.parameters, ...parts.loss.parameters],
    optimiserState: [...optimiser.state.values()].flat(),
  };
}

/** The head's changes, and those of feedback, with the factors on their learning rates. */
function withFactors(
  changes: readonly Change[],
  { factors = { head: 1, feedback: 1 } }: RuleOptions,
  head: HeadModel | undefined,
): Change[] {
  const ofHead = head ? headLayers(head).flatMap(tensorsOf) : [];
  return changes.map((change) => {
    const { weight, beside, factor = 1 } = change;
    const own = ofHead.includes(beside ?? weight) ? factors.head : 1;
    return { ...change, factor: factor * own * (beside ? factors.feedback : 1) };
  });
}

/** A step as far as its error: views, forward pass, loss. */
export interface SignalTrace {
  readonly views: Tensor;
  /** Of the layers that learn. */
  readonly trace: Trace;
  /** What the loss reads. */
  readonly output: Tensor;
  readonly lossTrace: LossTrace;
  readonly signal: Signal;
}

export function recordSignal(
  record: Recorder,
  { model, loss, batch, valueRange: [low, high], normalise, taps }: RuleOptions,
  inputs: RuleInputs,
  { learners: { first, blocks: learning, head: headModel }, loss: preparedLoss }: LessonParts,
): SignalTrace {
  const { height, width } = model.encoder;
  const { images, indices, parameters, pairs } = inputs;
  const views = record.makeViews(
    { images, indices, parameters },
    { height, width, low, high, normalise, taps },
    { x: "views" },
  ).x;
  const below = recordBlocks(record, model, views, 0, first);
  const reached = below.at(-1)?.output ?? views;
  const entering = loss.mix?.(record, reached) ?? reached;
  const blocks = recordBlocks(record, model, entering, first, first + learning.length);
  const top = blocks[blocks.length - 1].output;
  const head = headModel && recordHead(record, headModel, top);
  const output = head?.output ?? top;
  const labels =
    inputs.labels && inputs.labelIndices
      ? record.gatherLabels({ table: inputs.labels, indices: inputs.labelIndices }, {}, { y: "batchLabels" }).y
      : undefined;
  const lossTrace = preparedLoss.record(record, {
    output,
    ...(labels ? { labels } : {}),
    ...(pairs ? { pairs } : {}),
  });
  const { error, firstRow } = lossTrace;
  const signal = { error, firstRow, reduction: loss.reduction, images: batch };
  return { views, trace: { blocks, head }, output, lossTrace, signal };
}

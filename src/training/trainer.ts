// A trainer: a recorded step on a backend, fed batch by batch. No files, no printing; position and state are all it has.

import type { Backend, Engine, Numbers } from "../backends/backend.ts";
import { drawViewPairs, type ViewSizes } from "../data/augmentation.ts";
import type { ImageSet } from "../data/images.ts";
import { createModel, initialise, type Model } from "../encoders/model.ts";
import { networks } from "../encoders/networks.ts";
import { contrastiveHinge } from "../losses/contrastive-hinge.ts";
import type { Loss } from "../losses/loss.ts";
import { wrong } from "../program/errors.ts";
import type { Negatives } from "../program/operations.ts";
import type { Program } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import type { Tensor } from "../program/tensor.ts";
import { backpropagation } from "../rules/backpropagation.ts";
import { recordEndToEnd, type TrainingStep } from "../rules/end-to-end.ts";
import type { Config } from "./config.ts";

/** Where a run stands: `step` updates are done, the next batch is batch `batch` of epoch `epoch`. */
export interface Position {
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
}

export interface StepResult {
  readonly position: Position;
  /** The loss of eq. 2, summed over the batch. */
  readonly loss: number;
  /** Positive and negative pairs whose gate is open. */
  readonly activePositives: number;
  readonly activeNegatives: number;
}

export interface Trainer {
  readonly config: Config;
  readonly model: Model;
  readonly recorded: TrainingStep;
  readonly program: Program;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly position: () => Position;
  /** One update; reads the loss back. */
  readonly step: () => Promise<StepResult>;
  /** Embeddings [2n, 64] of the last step. */
  readonly embeddings: () => Promise<Float32Array>;
  /** Views [2n, h, w, c] of the last step. */
  readonly views: () => Promise<Float32Array>;
  /** Synapses and optimiser state by name. */
  readonly state: () => Promise<Map<string, Float32Array>>;
  /** Puts a state back; the next step is the one after `position`. */
  readonly restore: (state: ReadonlyMap<string, Float32Array>, position: Position) => void;
  readonly dispose: () => Promise<void>;
}

/** The loss that a configuration names. */
export function configuredLoss({ loss }: Config): Loss {
  return contrastiveHinge({ ...loss, negatives: configuredNegatives(loss) });
}

export function configuredNegatives({ negatives, negativesReading }: Config["loss"]): Negatives {
  if (negatives === "all") return { kind: "all" };
  return { kind: negativesReading === "paper-text" ? "next" : "authorsCode", count: negatives };
}

/** Writes the step of a configuration down, without a backend. */
export function recordStep(config: Config, model: Model, dataset: TrainingShape): TrainingStep {
  const { encoder } = model;
  if (dataset.channels !== encoder.channels)
    throw wrong("train", "data", `pictures of ${encoder.channels} channels for ${encoder.name}`, dataset.channels);
  if (dataset.count < config.batch)
    throw wrong("train", "batch", `at most the ${dataset.count} images of the dataset`, config.batch);
  return recordEndToEnd({
    model,
    update: backpropagation,
    loss: configuredLoss(config),
    adam: config.adam,
    batch: config.batch,
    dataset,
    valueRange: config.valueRange,
  });
}

export type TrainingShape = { readonly [K in "count" | "height" | "width" | "channels"]: number };

export async function createTrainer(config: Config, dataset: ImageSet, backend: Backend): Promise<Trainer> {
  const model = createModel(networks[config.encoder]);
  const recorded = recordStep(config, model, dataset);
  const engine = await backend.prepare([recorded.program]);
  const stepsPerEpoch = Math.floor(dataset.count / config.batch);
  const totalSteps = stepsPerEpoch * config.epochs;
  const sizes: ViewSizes = { from: dataset, to: model.encoder };
  let done = 0;
  let order: { epoch: number; images: Int32Array } = { epoch: -1, images: new Int32Array() };

  engine.write(recorded.images, dataset.pixels);
  for (const [tensor, values] of initialise(model, config.seed)) engine.write(tensor, values);

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
    program: recorded.program,
    stepsPerEpoch,
    totalSteps,
    position,
    step: async () => {
      const batch = samples();
      const at = position();
      const indices = new Int32Array(2 * config.batch);
      indices.set(batch, 0);
      indices.set(batch, config.batch);
      engine.write(recorded.indices, indices);
      engine.write(
        recorded.parameters,
        drawViewPairs(config.augmentation, sizes, { seed: config.seed, epoch: at.epoch, samples: batch }),
      );
      engine.write(recorded.adamStep, Int32Array.of(done + 1));
      await engine.run(recorded.program);
      done++;
      const [loss] = await engine.read(recorded.loss);
      const [activePositives, activeNegatives] = await engine.read(recorded.metrics.activeGates);
      return { position: { ...at, step: done }, loss, activePositives, activeNegatives };
    },
    embeddings: () => readFloats(engine, recorded.embeddings),
    views: () => readFloats(engine, recorded.views),
    state: async () => {
      const state = new Map<string, Float32Array>();
      for (const tensor of recorded.state) state.set(tensor.name, await readFloats(engine, tensor));
      return state;
    },
    restore: (state, to) => {
      for (const tensor of recorded.state) {
        const values = state.get(tensor.name);
        if (values === undefined) throw wrong("resume", tensor.name, "in the checkpoint", "nothing");
        engine.write(tensor, values);
      }
      done = to.step;
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

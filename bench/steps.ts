// Part (b): whole training steps, augmentation included, as `saccade train` runs them.

import type { Backend, Engine } from "../src/backends/backend.ts";
import { createTrainer, type Trainer } from "../src/training/trainer.ts";
import type { BenchDevice } from "./device.ts";
import { measure, type Timing } from "./measure.ts";
import { batchOf, configOf, iterationsOf, nameOf, randomImages, type StepCase } from "./workloads.ts";

export interface StepTime extends StepCase {
  readonly batch: number;
  readonly threads: number;
  readonly time: Timing;
  /** Of the engine, the dataset of two batches included. */
  readonly engineBytes: number;
}

export interface OpenStep {
  readonly trainer: Trainer;
  readonly engineBytes: number;
}

/** A trainer on random pictures, two batches an epoch. */
export async function openStep(device: BenchDevice, step: StepCase, batch: number, threads: number): Promise<OpenStep> {
  const opened = await device.open(threads);
  const engines: Engine[] = [];
  const backend: Backend = {
    ...opened,
    prepare: async (programs) => {
      const engine = await opened.prepare(programs);
      engines.push(engine);
      return engine;
    },
  };
  const trainer = await createTrainer({
    config: configOf(step, batch),
    dataset: randomImages(step.network, 2 * batch),
    backend,
  });
  return { trainer, engineBytes: engines.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** One step on each number of threads; their first losses must be the same to the bit. */
export async function measureStep(device: BenchDevice, step: StepCase, quick: boolean): Promise<StepTime[]> {
  const { threads } = device;
  const batch = batchOf(step.network, quick);
  const losses: number[] = [];
  const times: StepTime[] = [];
  for (const count of threads) {
    const { trainer, engineBytes } = await openStep(device, step, batch, count);
    const validate = async (): Promise<void> => {
      const { loss } = await trainer.step();
      losses.push(loss);
      if (!Number.isFinite(loss) || loss !== losses[0])
        throw new Error(`${nameOf(step)}: the first loss on ${threads.join(", ")} threads is ${losses.join(", ")}`);
    };
    // The step that validates has warmed up.
    const repetition = { warmUp: 0, iterations: quick ? 1 : iterationsOf(step) };
    try {
      const time = await measure({ validate, run: trainer.step }, repetition);
      times.push({ ...step, batch, threads: count, time, engineBytes });
    } finally {
      await trainer.dispose();
    }
  }
  return times;
}

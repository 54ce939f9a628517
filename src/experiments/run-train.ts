// Trains the run of a task to its end, from wherever it was stopped, and keeps what others need of it: its numbers and its encoder.

import { rmSync } from "node:fs";
import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import type { Metric } from "../record/metrics.ts";
import { latestCheckpoint } from "../runs/checkpoints.ts";
import { continueEnvironment, environment, writeEnvironment } from "../runs/environment.ts";
import { flopsPerStep, needsOf, requireRoom, roomFor } from "../runs/forecast.ts";
import { isSupervised } from "../runs/own-classifier.ts";
import { unfinishedRun } from "../runs/resume.ts";
import { createRun, openRun, openRuns, type RunFolder, readMetrics } from "../runs/run-folder.ts";
import { lockRun } from "../runs/run-lock.ts";
import { train } from "../runs/train.ts";
import { DivergedError } from "../training/alarms.ts";
import type { Config } from "../training/config.ts";
import { createTrainer, type Trainer } from "../training/trainer.ts";
import type { LayerNumbers } from "../training/xray.ts";
import type { Weights } from "./store.ts";
import type { TrainResult } from "./task.ts";

/** Noted losses of a result, at most so many for each layer that learns by itself. */
const curvePoints = 200;

export interface Trained {
  readonly result: TrainResult;
  /** What is kept of the run's last state; undefined where it diverged. */
  readonly weights: Weights | undefined;
}

/** A run that a signal stopped; it goes on from its checkpoint when it is asked for again. */
export class StoppedError extends Error {}

/** `runs` is the folder for the runs of this very configuration. A task is measured at its end, by others: evaluations on the way are left out. */
export async function runTrain(
  { evaluateEvery: _, checkpointBest: __, ...config }: Config,
  dataset: ImageSet,
  backend: Backend,
  {
    runs,
    signal,
    onProgress,
  }: { readonly runs: string; readonly signal: AbortSignal; readonly onProgress: (share: number) => void },
): Promise<Trained> {
  const trainer = await createTrainer({ config, dataset, backend });
  const room = roomFor(runs);
  let run: RunFolder;
  let resumed: RunFolder | undefined;
  let from: ReturnType<typeof latestCheckpoint>;
  let release: (() => void) | undefined;
  let changed: string | undefined;
  const here = environment(backend);
  const facts = { pairs: trainer.totalSteps * config.batch, flops: trainer.totalSteps * flopsPerStep(trainer) };
  const kept = keptNames(config, trainer);
  try {
    resumed = unfinishedRun(
      runs,
      config,
      () => false,
      (message) => process.stderr.write(`left out: ${message}\n`),
    );
    from = resumed && latestCheckpoint(resumed.checkpoints);
    requireRoom(needsOf(trainer, dataset, 0, from?.position.step), room, runs);
    run = resumed ?? (await createRun(runs, config, here));
    release = lockRun(run);
    if (resumed && !from) await writeEnvironment(run.path, here);
    if (from && from.position.step < trainer.totalSteps)
      changed = await continueEnvironment(run.path, from.position.step, here);
  } catch (error) {
    release?.();
    await trainer.dispose();
    throw error;
  }
  try {
    const { end } = await train({
      ...{ config, dataset, backend, run, trainer, signal, figures: false },
      ...(from ? { from, changed } : {}),
      onStep: ({ position }, { totalSteps }) => onProgress(position.step / totalSteps),
    });
    if (end === "stopped") throw new StoppedError(run.path);
    const last = latestCheckpoint(run.checkpoints);
    if (last === undefined) throw new Error(`${run.path}: no checkpoint`);
    return {
      result: { steps: last.position.step, ...facts, ...noted(readMetrics(run)) },
      weights: {
        state: new Map([...last.state].filter(([name]) => kept.has(name))),
        shapes: new Map([...last.shapes].filter(([name]) => kept.has(name))),
      },
    };
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
    const metrics = readMetrics(run);
    const { step } = metrics.filter(({ kind }) => kind === "step").at(-1) ?? { step: 0 };
    return { result: { steps: step, ...facts, ...noted(metrics), diverged: error.message }, weights: undefined };
  } finally {
    release();
  }
}

/** Checkpoints are large, and nobody goes on from the end of a run whose encoder is kept. */
export function dropCheckpoints(runs: string): void {
  for (const { run } of openRuns(runs, () => {}))
    rmSync(openRun(run.path).run.checkpoints, { recursive: true, force: true });
}

/** The encoder's synapses, and those of a classifier that was learnt with it. */
function keptNames(config: Config, { recorded, model }: Trainer): Set<string> {
  const supervised = isSupervised(config);
  const blocks = new Set(model.parameters.map(({ tensor }) => tensor.name));
  return new Set(
    recorded.state
      .filter(({ name, role }) => role === "weight" && (supervised || blocks.has(name)))
      .map(({ name }) => name),
  );
}

function noted(metrics: readonly Metric[]): Pick<TrainResult, "curve" | "alarms" | "xray"> {
  const layers = new Map<number | undefined, { step: number; loss: number; layer?: number }[]>();
  const looks = new Map<string, LayerNumbers>();
  for (const metric of metrics) {
    if (metric.kind === "xray") for (const layer of metric.layers) looks.set(layer.name, layer);
    if (metric.kind !== "step") continue;
    const { step, loss, layer } = metric;
    const list = layers.get(layer) ?? [];
    layers.set(layer, list);
    list.push({ step, loss, ...(layer === undefined ? {} : { layer }) });
  }
  return {
    curve: [...layers.values()].flatMap(thinned),
    alarms: metrics.flatMap((metric) => (metric.kind === "alarm" ? [metric.message] : [])),
    xray: [...looks.values()],
  };
}

/** At most `curvePoints` of a list, its first and last among them. */
function thinned<Point>(points: readonly Point[]): Point[] {
  if (points.length <= curvePoints) return [...points];
  const last = points.length - 1;
  return Array.from({ length: curvePoints }, (_, i) => points[Math.round((i * last) / (curvePoints - 1))]);
}

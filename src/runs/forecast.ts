// What a run will take, known before it writes anything: FLOPs, memory and disk are counted, time is measured by a few of its own steps.

import { statfsSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { recordBlocks } from "../encoders/forward.ts";
import { createModel } from "../encoders/model.ts";
import { networkOf } from "../encoders/networks.ts";
import { type HeldOut, heldOutReadOuts } from "../evaluation/held-out.ts";
import { nearestFolder } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import { explain, formatBytes } from "../program/explain.ts";
import { fuse } from "../program/fusion.ts";
import { mean } from "../program/mean.ts";
import { planMemory } from "../program/plan.ts";
import { recordProgram } from "../program/program.ts";
import { bytesOf, persistent } from "../program/tensor.ts";
import { healthEvery } from "../record/bookkeeping.ts";
import type { RecordedRule } from "../rules/rule.ts";
import { embeddingHealth } from "../training/alarms.ts";
import type { Config } from "../training/config.ts";
import { configuredModel, recordConfigured, type TrainingShape } from "../training/configured-rule.ts";
import { stagesOf } from "../training/interventions.ts";
import { runLength, type Trainer } from "../training/trainer.ts";
import { evaluateBeside, evaluationsLeft } from "./evaluations.ts";

/** Bytes that a run will ask for beyond what the process has when the trainer is made. */
export interface Needs {
  readonly memory: {
    /** While training: the engine but for the dataset, which is in it already, and copies of a checkpoint. */
    readonly training: number;
    /** What of it is for an evaluation. */
    readonly evaluation?: number;
    /** Afterwards: what its probe takes. */
    readonly probe: number;
    /** The larger of the two: one follows the other. */
    readonly peak: number;
  };
  readonly disk: {
    /** All that are kept at a time. */
    readonly checkpoints: number;
    readonly metrics: number;
    /** Of TensorBoard. */
    readonly events: number;
    readonly figures: number;
    readonly total: number;
  };
}

/** Checkpoints in the folder beside the newest that are kept: the best, and the one that is being written. */
const checkpointsBeside = 2;
/** Bytes of a line of metrics: of a step, and of an X-ray for each layer and in all. As long as they come. */
const [stepLine, xrayLayer, xrayLine] = [160, 180, 120];
/** Bytes of the same in TensorBoard's file, where a look at a layer brings histograms. */
const [stepEvent, xrayEvent] = [130, 2000];
/** Bytes of a run's figures, which TensorBoard's file has once more, its configuration and its environment: some 0.8 MiB at 24 pairs of views. */
const figuresBytes = 2 ** 20;
/** Copies of a checkpoint while it is written: read from the engine, as tensors of a file, and what is not yet collected of the one before. */
const checkpointCopies = 2.5;
/** Bytes of an evaluation, of each of its scores, and of the two numbers of a score in TensorBoard's file. */
const [evaluationLine, scoreLine, scoreEvent] = [80, 80, 120];
/**
 * `probe` is the bytes of its read-outs, `evaluation` those of one in the course of training; `fromStep` where a run goes on: its checkpoints
 * and metrics up to there are on the disk.
 */
export function needsOf(trainer: Trainer, dataset: ImageSet, probe = 0, fromStep = 0, evaluation = 0): Needs {
  const { config, recorded, totalSteps, stepsPerEpoch } = trainer;
  // The rules that interventions make of it may ask for more.
  const steps = config.interventions?.map(({ step }) => step + 1) ?? [];
  const rules = [...new Set([recorded, ...steps.map(trainer.ruleOf)])];
  const checkpoint = Math.max(...rules.map(({ state }) => state.reduce((sum, tensor) => sum + bytesOf(tensor), 0)));
  const later = rules.length > 1 ? Math.max(...rules.map(arenaBytes)) - arenaBytes(recorded) : 0;
  const training = trainer.bytes + later - dataset.pixels.byteLength + checkpointCopies * checkpoint + evaluation;

  const left = totalSteps - fromStep;
  const written = 1 + Math.ceil(left / (config.checkpointEvery * stepsPerEpoch));
  const checkpoints = checkpoint * (fromStep > 0 ? 1 : Math.min(config.checkpointsKept + checkpointsBeside, written));
  const layers = recorded.lessons.length === 1 ? networkOf(config.encoder).blocks.length + 1 : 2;
  const [lines, looks] = [left / config.metricsEvery, looksOf(config, left).all];
  const evaluations = evaluationsLeft(config, trainer, fromStep);
  const scores = evaluations * heldOutReadOuts.length * (config.learning === "GLL" ? 2 : 1);
  const metrics = Math.round(
    lines * stepLine + looks * (xrayLine + layers * xrayLayer) + evaluations * evaluationLine + scores * scoreLine,
  );
  const events = config.logs.tensorboard
    ? Math.round(lines * stepEvent + looks * layers * xrayEvent + scores * scoreEvent)
    : 0;
  const disk = { checkpoints, metrics, events, figures: figuresBytes };
  return {
    memory: { training, ...(evaluation > 0 ? { evaluation } : {}), probe, peak: Math.max(training, probe) },
    disk: { ...disk, total: disk.checkpoints + disk.metrics + disk.events + disk.figures },
  };
}

/** Bytes of a rule's tensors within an engine. */
const arenaBytes = ({ lessons }: RecordedRule): number =>
  planMemory(lessons.map(({ program }) => ({ program, stages: fuse(program) }))).totalBytes;

/** X-rays of a run of so many steps; those at its two ends look at every lesson. */
function looksOf({ xrayEvery }: Config, steps: number): { all: number; between: number } {
  if (xrayEvery === 0) return { all: 0, between: 0 };
  const between = Math.ceil(steps / xrayEvery) - 1;
  return { all: between + 2, between };
}

/** What there is: memory for this process, and disk where `folder` is or will be; undefined where the system does not say. */
export interface Room {
  readonly memory: number | undefined;
  readonly disk: number | undefined;
}

export function roomFor(folder: string): Room {
  return { memory: freeMemory(), disk: freeDisk(folder) };
}

/** Free memory counts what caches would give back; a container's limit counts for this process alone, others in it are not seen. */
function freeMemory(): number | undefined {
  // macOS calls memory free that nothing has ever used.
  if (process.platform !== "linux") return undefined;
  const limit = process.constrainedMemory();
  const within = limit > 0 && limit < totalmem() ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return Math.min(freemem(), within);
}

function freeDisk(folder: string): number | undefined {
  try {
    const { blocks, bavail, bsize } = statfsSync(nearestFolder(folder));
    // Some network and user-space file systems say nothing of their size.
    return blocks > 0 ? bavail * bsize : undefined;
  } catch {
    return undefined;
  }
}

/** Refuses a run that cannot end well. */
export function requireRoom({ memory, disk }: Needs, room: Room, folder: string): void {
  if (room.memory !== undefined && memory.peak > room.memory) {
    const [phase, mend] =
      memory.training >= memory.probe
        ? ["training", `make the batch smaller${memory.evaluation ? ", or leave evaluateEvery out" : ""}`]
        : ["the probe", "set probe.train.limit and probe.test.limit lower, or --no-probe"];
    throw new SaccadeError(
      `memory: ${phase} needs ${formatBytes(memory.peak)} more, and ${formatBytes(room.memory)} is free; ${mend}`,
    );
  }
  if (room.disk !== undefined && disk.total > room.disk)
    throw new SaccadeError(
      `${folder}: the run needs ${formatBytes(disk.total)} of disk (checkpoints ${formatBytes(disk.checkpoints)}, metrics ${formatBytes(disk.metrics + disk.events)}), and ${formatBytes(room.disk)} is free; make room there`,
    );
}

/** Steps of a configuration's run on a dataset, and its floating-point operations, counted. */
export function costOf(
  config: Config,
  dataset: TrainingShape & Pick<ImageSet, "name">,
): { steps: number; flops: number } {
  const { totalSteps } = runLength(config, dataset);
  const stages = stagesOf(config).filter(({ from }) => from < totalSteps);
  const flops = stages.map((stage, i) => {
    const { lessons } = recordConfigured(stage.config, configuredModel(config), dataset, stage.frozen);
    const perStep = lessons.reduce((sum, { program }) => sum + explain(program).flops, 0) / lessons.length;
    return perStep * ((stages[i + 1]?.from ?? totalSteps) - Math.max(0, stage.from));
  });
  return { steps: totalSteps, flops: flops.reduce((sum, own) => sum + own, 0) };
}

/** Floating-point operations of a step: under GLL and RLL the mean over the layers, which take equal turns. */
export function flopsPerStep({ recorded: { lessons } }: Trainer): number {
  return lessons.reduce((sum, { program }) => sum + explain(program).flops, 0) / lessons.length;
}

/**
 * Floating-point operations of a probe's read-out from new views: in every epoch all that it learns from goes through the trained and the random
 * encoder. 0 where pictures go through once.
 */
export function augmentedProbeFlops({ encoder, probe }: Config, train: Pick<ImageSet, "count" | "classes">): number {
  if (!probe || probe.augmentation.kind === "none") return 0;
  const model = createModel(networkOf(encoder));
  const { height, width, channels } = model.encoder;
  const upTo = (end: number): number => {
    const record = recordProgram("one picture");
    const x = persistent("picture", [1, height, width, channels], "input");
    return explain(record.finish([recordBlocks(record, model, x, 0, end)[end - 1].output])).flops;
  };
  const ends = model.blocks.map((_, i) => i + 1);
  const read = probe.layers === "all" ? ends : ends.slice(-1);
  const flops = read.reduce((sum, end) => sum + upTo(end), 0);
  const labels = probe.labelsPerClass.reduce<number>(
    (sum, perClass) => sum + (perClass === "all" ? train.count : perClass * train.classes.length),
    0,
  );
  return 2 * probe.seeds * labels * probe.epochs * flops;
}

/** Seconds of a run's training, of which nearly all are steps. */
export interface Duration {
  readonly seconds: number;
  /** As much more or less: the standard deviation of the steps that were timed, as if all were like one of them. */
  readonly spread: number;
  readonly secondsPerStep: number;
  readonly stepsTimed: number;
  /** Of the seconds, those of evaluations. */
  readonly evaluating: number;
}

/** At least so many steps are timed, after at least one that is not. */
const fewestTimed = 3;

/**
 * Times real steps for about `budget` seconds, under GLL some of each layer, and of a run with interventions those before the first. The
 * trainer must be at its start, and is of no use afterwards. Checkpoints, figures and the probe are not timed; of the evaluations on
 * `heldOut` one is.
 */
export async function timeSteps(trainer: Trainer, budget: number, heldOut?: Evaluated): Promise<Duration> {
  const { config, recorded, totalSteps } = trainer;
  // The rule of a later stage may have tensors that this one lacks.
  const until = Math.min(totalSteps, config.interventions?.find(({ step }) => step > 0)?.step ?? totalSteps);
  const parts = Math.min(recorded.lessons.length, until);
  const start = await trainer.state();
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
  };
  await trainer.xray();
  const xrayOfAll = await seconds(trainer.xray);
  const means: number[] = [];
  const variances: number[] = [];
  let stepsTimed = 0;
  for (let part = 0; part < parts; part++) {
    const [from, to] = [part, part + 1].map((place) => Math.floor((until * place) / parts));
    await trainer.restore(start, { ...trainer.position(), step: from });
    // Kernels are compiled anew while they warm up.
    let spent = await seconds(trainer.step);
    let times = [spent];
    for (let step = from + 1; step < to && (times.length < fewestTimed || spent < budget / parts); step++) {
      const took = await seconds(trainer.step);
      times = spent < budget / parts / 4 || step === from + 1 ? [took] : [...times, took];
      spent += took;
    }
    const middle = mean(times);
    means.push(middle);
    variances.push(times.reduce((sum, one) => sum + (one - middle) ** 2, 0) / Math.max(1, times.length - 1));
    stepsTimed += times.length;
  }
  const health = await seconds(async () => {
    const seen = await trainer.embeddings();
    if (seen) embeddingHealth(seen.numbers, seen.width);
  });
  const evaluating = heldOut ? await evaluatingSeconds(trainer, start, heldOut, seconds) : 0;
  const { all, between } = looksOf(config, totalSteps);
  const secondsPerStep = mean(means);
  const besides =
    (totalSteps / healthEvery) * health + (between / recorded.lessons.length + (all - between)) * xrayOfAll;
  return {
    seconds: totalSteps * secondsPerStep + besides + evaluating,
    spread: totalSteps * Math.sqrt(mean(variances)),
    secondsPerStep,
    stepsTimed,
    evaluating,
  };
}

/** What evaluations measure on, and with. */
export interface Evaluated {
  readonly heldOut: HeldOut;
  readonly backend: Backend;
}

/** Of all evaluations of a run, as if each block took as long as that under one that is timed, the random encoder's too. */
async function evaluatingSeconds(
  { config, model, ...length }: Trainer,
  state: ReadonlyMap<string, Float32Array>,
  { heldOut, backend }: Evaluated,
  seconds: (work: () => Promise<unknown>) => Promise<number>,
): Promise<number> {
  const { blocks } = model.encoder;
  const evaluate = evaluateBeside(config, model.encoder, heldOut, backend);
  const times = evaluationsLeft(config, length, 0);
  const both = await seconds(() => evaluate(state, { step: 0, epoch: 0 }));
  // Under GLL all blocks but the last are read as long as they learn, the last one always.
  const more = config.learning === "GLL" ? (blocks.length - 1) / blocks.length : 0;
  return (both / 2) * (times * (1 + more) + 1 + more * blocks.length);
}

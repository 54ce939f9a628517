// The training loop: steps, metrics, checkpoints, alarms and figures of one run. Who watches it is told by events.

import { existsSync } from "node:fs";
import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import type { HeldOut } from "../evaluation/held-out.ts";
import { flushFile } from "../files/files.ts";
import { wrong } from "../program/errors.ts";
import {
  embeddingHealth,
  type Health,
  requireFinite,
  requireFiniteState,
  watchCollapse,
  watchLosses,
} from "../training/alarms.ts";
import type { Config } from "../training/config.ts";
import { describeIntervention } from "../training/interventions.ts";
import { createTrainer, type StepResult, type Trainer } from "../training/trainer.ts";
import { type Checkpoint, type Losses, requireTensors, saveCheckpoint } from "./checkpoints.ts";
import { evaluateBeside, isEvaluated } from "./evaluations.ts";
import { checkResume, configKey } from "./resume.ts";
import { isRecorded, recordData } from "./run-data.ts";
import { drawRunFigures, viewsGrid } from "./run-figures.ts";
import {
  appendMetric,
  type Evaluation,
  isCounted,
  type Metric,
  ofLastBlock,
  type RunFolder,
  removeParts,
  truncateMetrics,
} from "./run-folder.ts";
import { healthEvery, openStretch, stepsToLook } from "./stretch.ts";
import { type EventLog, openEvents } from "./tensorboard.ts";

export interface TrainOptions {
  readonly config: Config;
  readonly dataset: ImageSet;
  readonly backend: Backend;
  readonly run: RunFolder;
  /** Made of the three above before the run folder was, to see what it takes; disposed of here. */
  readonly trainer?: Trainer;
  /** Goes on from here instead of from the seed. */
  readonly from?: Checkpoint;
  /** What evaluateEvery measures on. */
  readonly heldOut?: HeldOut | undefined;
  readonly onStep?: (result: StepResult, trainer: Trainer) => void;
  readonly onEvaluation?: (evaluation: Evaluation) => void;
  readonly onAlarm?: (message: string) => void;
  /** That another engine made the steps before `from`, in words: an alarm. */
  readonly changed?: string | undefined;
  /** What a run that goes on has lost, or cannot know. */
  readonly onWarning?: (sentence: string) => void;
  /** Ends the run after the step in flight, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Whether the run's figures are drawn; default true. */
  readonly figures?: boolean;
}

export interface TrainResult {
  /** `done`, or `stopped` by the signal. */
  readonly end: "done" | "stopped";
  readonly checkpoint: string;
  readonly steps: number;
  readonly seconds: number;
}

/** Collapse is an alarm only after the first so many steps; a fresh encoder's embeddings are small and few-dimensional. */
const healthFrom = 100;

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { config, dataset, backend, run, from, changed, heldOut, onStep, onEvaluation, onAlarm, onWarning, signal } =
    options;
  const { figures = true } = options;
  if (config.evaluateEvery && !heldOut)
    throw wrong("train", "heldOut", "the pictures that evaluateEvery measures on", "none", "holdOut makes them");
  if (from) for (const warning of checkResume(run, config, dataset, from)) onWarning?.(warning);
  const trainer = options.trainer ?? (await createTrainer({ config, dataset, backend }));
  const key = configKey(config);
  const started = performance.now();
  /** What the run has been warned of: each once. */
  const alarmed = new Set<string>();
  let watched = watchLosses(config);
  const collapses = watchCollapse();
  let saved = "";
  let lines = 0;
  let losses: Losses = from?.losses ?? { sum: 0, steps: 0 };

  let events: EventLog | undefined;
  const note = (metric: Metric): void => {
    appendMetric(run, metric);
    if (isCounted(metric)) lines++;
    events?.metric(metric);
  };
  const save = async (): Promise<void> => {
    const state = await trainer.state();
    // Lines that a checkpoint counts on are on the disk before it is, should the power fail.
    if (existsSync(run.metrics)) await flushFile(run.metrics);
    await events?.flush();
    saved = await saveCheckpoint(
      run.checkpoints,
      trainer.recorded,
      { position: trainer.position(), state, losses, config: key, metrics: lines },
      { newest: config.checkpointsKept, every: config.checkpointEvery * trainer.stepsPerEpoch },
    );
  };

  const xray = async (): Promise<void> => {
    const { step } = trainer.position();
    for (const { metrics, layers, synapses, ...rest } of await trainer.xray()) {
      note({ kind: "xray", step, ...rest, ...metrics, layers });
      events?.histograms(step, synapses);
    }
  };

  try {
    if (from) {
      requireTensors(from, trainer.ruleOf(from.position.step).state);
      await trainer.restore(from.state, from.position);
    }
    await removeParts(run);
    // A run that starts over keeps nothing, not even of step 0.
    const kept = from ? from.position.step : -1;
    // Metrics that are gone are so from here on: after a kill before the next checkpoint nobody is asked for them again.
    if (from?.metrics && !existsSync(run.metrics)) await save();
    const before = await truncateMetrics(run, kept);
    if (config.logs.tensorboard) events = await openEvents(run, config, kept, onWarning);
    lines = before.filter(isCounted).length;
    for (const metric of before) {
      if (metric.kind === "alarm") alarmed.add(metric.about);
      if (metric.kind === "intervention") watched = watchLosses(config);
      if (metric.kind !== "step") continue;
      watched.see(metric.loss, metric.layer);
      const { spread, effectiveRank, layer } = metric;
      if (spread !== undefined && effectiveRank !== undefined) collapses({ spread, effectiveRank }, layer);
    }
    if (!from || !isRecorded(run)) await recordData(run, dataset);
    if (from && changed !== undefined) {
      // Of the checkpoint's step, so that the run still says it when it goes on from there once more.
      note({ kind: "alarm", step: from.position.step, about: "device", message: changed });
      onAlarm?.(changed);
    }
    if (!from) {
      await xray();
      await save();
    }
    const evaluate = heldOut && evaluateBeside(config, trainer.model.encoder, heldOut, backend);
    const first = trainer.position().step;
    const stretch = openStretch(backend.notesEvery);
    while (trainer.position().step < trainer.totalSteps && !signal?.aborted) {
      const { step: from } = trainer.position();
      for (const intervention of (config.interventions ?? []).filter((one) => one.step === from)) {
        // Of the step that is the first under it, so that a checkpoint before it does not count its line.
        const step = from + 1;
        note({
          kind: "intervention",
          step,
          epoch: from / trainer.stepsPerEpoch,
          what: describeIntervention(intervention),
        });
        // The losses of before are no measure of those that come.
        watched = watchLosses(config);
      }
      const began = performance.now();
      const results = await trainer.steps(Math.min(stretch.most(), stepsToLook(config, trainer, from)));
      stretch.took(results.length, performance.now() - began);
      // Whatever looks at the engine's state does it after the last of them.
      for (const result of results) {
        const { step } = result.position;
        requireFinite(result.loss, step);
        const last = step === trainer.totalSteps;
        const look = step % healthEvery === 0 || last;
        if (look) requireFiniteState(await trainer.changedState(), step);
        // Under GLL another layer has another loss: none of before is compared with it.
        const begins = config.learning === "GLL" && (step - 1) % (config.epochs * trainer.stepsPerEpoch) === 0;
        losses = begins
          ? {
              sum: result.loss,
              steps: 1,
              ...(losses.best && config.checkpointBest === "kNN" ? { best: losses.best } : {}),
            }
          : { ...losses, sum: losses.sum + result.loss, steps: losses.steps + 1 };
        // The first step of every layer is noted too: what its loss is held against.
        if (step % config.metricsEvery === 0 || last || !watched.knows(result.layer)) {
          const seen = look ? await trainer.embeddings() : undefined;
          const health = seen && embeddingHealth(seen.numbers, seen.width);
          note(stepMetric(trainer.stepsPerEpoch, result, health));
          const collapse = health && collapses(health, result.layer);
          const alarms = {
            collapse: step >= healthFrom ? collapse : undefined,
            loss: watched.see(result.loss, result.layer),
          };
          for (const about of ["collapse", "loss"] as const) {
            const message = alarms[about];
            if (message === undefined || alarmed.has(about)) continue;
            alarmed.add(about);
            note({ kind: "alarm", step, about, message });
            onAlarm?.(message);
          }
        }
        if (config.xrayEvery > 0 && (step % config.xrayEvery === 0 || last)) await xray();
        if (step === 1) events?.images(step, new Map([["views", (await viewsGrid(config, trainer, 8)).png]]));
        onStep?.(result, trainer);
        const due = step % (config.checkpointEvery * trainer.stepsPerEpoch) === 0;
        let evaluation: Evaluation | undefined;
        if (evaluate && isEvaluated(config, trainer, step)) {
          const state = await trainer.state();
          requireFiniteState(state, step);
          evaluation = await evaluate(state, { step, epoch: step / trainer.stepsPerEpoch, layer: result.layer });
          note(evaluation);
          onEvaluation?.(evaluation);
        }
        if (config.checkpointBest === "kNN") losses = evaluation ? withMostRight(losses, evaluation) : losses;
        else if (due || last) losses = withBest(losses, step);
        if (due) losses = { ...losses, sum: 0, steps: 0 };
        if (step === trainer.position().step && (due || last || signal?.aborted)) await save();
      }
    }
    const end = trainer.position().step < trainer.totalSteps ? "stopped" : "done";
    if (saved === "") await save();
    if (figures && end === "done" && trainer.position().step === first) {
      // It may have ended between its last checkpoint and its figures: the last step again, for what it saw. Nothing of it is kept.
      await trainer.restore(await trainer.state(), { ...trainer.position(), step: first - 1 });
      await trainer.step();
    }
    if (figures && (end === "done" || trainer.position().step > first)) {
      const pngs = await drawRunFigures(run, config, trainer);
      if (end === "done") events?.images(trainer.position().step, pngs);
    }
    return {
      end,
      checkpoint: saved,
      steps: trainer.position().step,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    await trainer.dispose();
  }
}

/** The same losses, with the checkpoint of this step as the best if it is. */
function withBest(losses: Losses, step: number): Losses {
  const loss = losses.sum / losses.steps;
  return losses.best && losses.best.loss <= loss ? losses : { ...losses, best: { step, loss } };
}

/** The same losses, with the checkpoint of an evaluation as the best if no other has answered as many rightly by kNN. */
function withMostRight(losses: Losses, evaluation: Evaluation): Losses {
  const { step } = evaluation;
  const kNN = ofLastBlock(evaluation).find(({ readOut }) => readOut === "kNN")?.accuracy ?? 0;
  if (losses.best?.kNN !== undefined && losses.best.kNN >= kNN) return losses;
  return { ...losses, best: { step, loss: losses.sum / losses.steps, kNN } };
}

function stepMetric(
  stepsPerEpoch: number,
  { position, loss, layer, metrics }: StepResult,
  health: Health | undefined,
): Metric {
  const { step } = position;
  const which = layer === undefined ? {} : { layer };
  return { kind: "step", step, epoch: step / stepsPerEpoch, loss, ...which, ...metrics, ...health };
}

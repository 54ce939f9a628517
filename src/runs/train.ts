// The training loop: steps, metrics, checkpoints, alarms and figures of one run. Who watches it is told by events.

import { existsSync } from "node:fs";
import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import type { HeldOut } from "../evaluation/held-out.ts";
import { flushFile } from "../files/files.ts";
import { wrong } from "../program/errors.ts";
import { type Bookkeeping, createBookkeeping } from "../record/bookkeeping.ts";
import { type Checkpoint, requireTensors } from "../record/checkpoint-file.ts";
import type { Evaluation, Metric } from "../record/metrics.ts";
import { requireFiniteState } from "../training/alarms.ts";
import type { Config } from "../training/config.ts";
import { createTrainer, type StepResult, type Trainer } from "../training/trainer.ts";
import { saveCheckpoint } from "./checkpoints.ts";
import { evaluateBeside, isEvaluated } from "./evaluations.ts";
import { checkResume, configKey } from "./resume.ts";
import { isRecorded, recordData } from "./run-data.ts";
import { drawRunFigures, viewsGrid } from "./run-figures.ts";
import { appendMetric, type RunFolder, removeParts, truncateMetrics } from "./run-folder.ts";
import { openStretch, stepsToLook } from "./stretch.ts";
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
  let saved = "";
  let events: EventLog | undefined;
  const keep = (before: readonly Metric[]): Bookkeeping =>
    createBookkeeping({
      config,
      before,
      losses: from?.losses,
      note: (metric) => {
        appendMetric(run, metric);
        events?.metric(metric);
      },
      onAlarm: (message) => onAlarm?.(message),
      onSynapses: (step, synapses) => events?.histograms(step, synapses),
    });
  const save = async (books: Bookkeeping): Promise<void> => {
    const state = await trainer.state();
    // Lines that a checkpoint counts on are on the disk before it is, should the power fail.
    if (existsSync(run.metrics)) await flushFile(run.metrics);
    await events?.flush();
    saved = await saveCheckpoint(
      run.checkpoints,
      trainer.recorded,
      { position: trainer.position(), state, losses: books.losses(), config: key, metrics: books.lines() },
      { newest: config.checkpointsKept, every: config.checkpointEvery * trainer.stepsPerEpoch },
    );
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
    if (from?.metrics && !existsSync(run.metrics)) await save(keep([]));
    const before = await truncateMetrics(run, kept);
    if (config.logs.tensorboard) events = await openEvents(run, config, kept, onWarning);
    const books = keep(before);
    if (!from || !isRecorded(run)) await recordData(run, dataset);
    // Of the checkpoint's step, so that the run still says it when it goes on from there once more.
    if (from && changed !== undefined) books.deviceChanged(from.position.step, changed);
    if (!from) {
      await books.xray(trainer);
      await save(books);
    }
    const evaluate = heldOut && evaluateBeside(config, trainer.model.encoder, heldOut, backend);
    const first = trainer.position().step;
    const stretch = openStretch(backend.notesEvery);
    while (trainer.position().step < trainer.totalSteps && !signal?.aborted) {
      const { step: from } = trainer.position();
      const began = performance.now();
      const results = await trainer.steps(Math.min(stretch.most(), stepsToLook(config, trainer, from)));
      stretch.took(results.length, performance.now() - began);
      // Whatever looks at the engine's state does it after the last of them.
      for (const result of results) {
        const { step } = result.position;
        await books.afterStep(trainer, result);
        if (step === 1) events?.images(step, new Map([["views", (await viewsGrid(config, trainer, 8)).png]]));
        onStep?.(result, trainer);
        if (evaluate && isEvaluated(config, trainer, step)) {
          const state = await trainer.state();
          requireFiniteState(state, step);
          const evaluation = await evaluate(state, { step, epoch: step / trainer.stepsPerEpoch, layer: result.layer });
          books.evaluated(evaluation);
          onEvaluation?.(evaluation);
        }
        const due = books.endStep(trainer, result);
        if (step === trainer.position().step && (due || signal?.aborted)) await save(books);
      }
    }
    const end = trainer.position().step < trainer.totalSteps ? "stopped" : "done";
    if (saved === "") await save(books);
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

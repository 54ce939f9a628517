// What a run notes while it trains: the lines of metrics.jsonl, its alarms, and the losses that a checkpoint remembers. Who trains decides where they go.

import {
  embeddingHealth,
  type Health,
  type LossWatch,
  requireFinite,
  requireFiniteState,
  watchCollapse,
  watchLosses,
} from "../training/alarms.ts";
import type { Config } from "../training/config.ts";
import { describeIntervention } from "../training/interventions.ts";
import type { StepResult, Trainer } from "../training/trainer.ts";
import type { Xray } from "../training/xray.ts";
import type { Losses } from "./checkpoint-file.ts";
import { type Evaluation, isCounted, type Metric, ofLastBlock } from "./metrics.ts";

/** Steps between looks at the synapses, and at the embeddings. */
export const healthEvery = 20;
/** Collapse is an alarm only after the first so many steps; a fresh encoder's embeddings are small and few-dimensional. */
const healthFrom = 100;

export interface BookkeepingOptions {
  readonly config: Config;
  /** Lines of a run that goes on, up to where it does. */
  readonly before: readonly Metric[];
  /** What the checkpoint that it goes on from says of the losses. */
  readonly losses: Losses | undefined;
  readonly note: (metric: Metric) => void;
  readonly onAlarm?: (message: string) => void;
  /** Weights that an X-ray has seen. */
  readonly onSynapses?: (step: number, synapses: Xray["synapses"]) => void;
}

/** The trainer is handed in every time: one that an intervention is made in may be another than before. */
export interface Bookkeeping {
  /** Lines noted, but for evaluations: what a checkpoint counts on. */
  readonly lines: () => number;
  readonly losses: () => Losses;
  /** Another engine made the steps up to this one: an alarm. */
  readonly deviceChanged: (step: number, message: string) => void;
  /** Looks at the layers as they are; before the first step it is called by hand. */
  readonly xray: (trainer: Pick<Trainer, "position" | "xray">) => Promise<void>;
  /** With what the configuration changed before the step. Throws a DivergedError where numbers are none any more. */
  readonly afterStep: (trainer: Trainer, result: StepResult) => Promise<void>;
  readonly evaluated: (evaluation: Evaluation) => void;
  /** After all that a step has noted; whether its configuration asks for a checkpoint now. */
  readonly endStep: (trainer: Trainer, result: StepResult) => boolean;
}

export function createBookkeeping(options: BookkeepingOptions): Bookkeeping {
  const { config: first, before, note, onAlarm, onSynapses } = options;
  /** What the run has been warned of: each once. */
  const alarmed = new Set<string>();
  let watched: LossWatch = watchLosses(first);
  const collapses = watchCollapse();
  let lines = before.filter(isCounted).length;
  let losses: Losses = options.losses ?? { sum: 0, steps: 0 };
  /** Of the step that ends. */
  let evaluation: Evaluation | undefined;

  for (const metric of before) {
    if (metric.kind === "alarm") alarmed.add(metric.about);
    if (metric.kind === "intervention") watched = watchLosses(first);
    if (metric.kind !== "step") continue;
    watched.see(metric.loss, metric.layer);
    const { spread, effectiveRank, layer } = metric;
    if (spread !== undefined && effectiveRank !== undefined) collapses({ spread, effectiveRank }, layer);
  }

  const put = (metric: Metric): void => {
    note(metric);
    if (isCounted(metric)) lines++;
  };

  const xray = async (trainer: Pick<Trainer, "position" | "xray">): Promise<void> => {
    const { step } = trainer.position();
    for (const { metrics, layers, synapses, ...rest } of await trainer.xray()) {
      put({ kind: "xray", step, ...rest, ...metrics, layers });
      onSynapses?.(step, synapses);
    }
  };

  return {
    lines: () => lines,
    losses: () => losses,
    deviceChanged: (step, message) => {
      put({ kind: "alarm", step, about: "device", message });
      onAlarm?.(message);
    },
    xray,
    afterStep: async (trainer, result) => {
      const { config, stepsPerEpoch, totalSteps } = trainer;
      const { step } = result.position;
      evaluation = undefined;
      for (const intervention of (config.interventions ?? []).filter((one) => one.step === step - 1)) {
        // Of the step that is the first under it, so that a checkpoint before it does not count its line.
        const what = describeIntervention(intervention);
        put({ kind: "intervention", step, epoch: (step - 1) / stepsPerEpoch, what });
        // The losses of before are no measure of those that come.
        watched = watchLosses(config);
      }
      requireFinite(result.loss, step);
      const last = step === totalSteps;
      const look = step % healthEvery === 0 || last;
      if (look) requireFiniteState(await trainer.changedState(), step);
      // Under GLL another layer has another loss: none of before is compared with it.
      const begins = config.learning === "GLL" && (step - 1) % (config.epochs * stepsPerEpoch) === 0;
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
        put(stepMetric(stepsPerEpoch, result, health));
        const collapse = health && collapses(health, result.layer);
        const alarms = {
          collapse: step >= healthFrom ? collapse : undefined,
          loss: watched.see(result.loss, result.layer),
        };
        for (const about of ["collapse", "loss"] as const) {
          const message = alarms[about];
          if (message === undefined || alarmed.has(about)) continue;
          alarmed.add(about);
          put({ kind: "alarm", step, about, message });
          onAlarm?.(message);
        }
      }
      if (config.xrayEvery > 0 && (step % config.xrayEvery === 0 || last)) await xray(trainer);
    },
    evaluated: (seen) => {
      evaluation = seen;
      put(seen);
    },
    endStep: ({ config, stepsPerEpoch, totalSteps }, { position: { step } }) => {
      const due = step % (config.checkpointEvery * stepsPerEpoch) === 0;
      const last = step === totalSteps;
      if (config.checkpointBest === "kNN") losses = evaluation ? withMostRight(losses, evaluation) : losses;
      else if (due || last) losses = withBest(losses, step);
      if (due) losses = { ...losses, sum: 0, steps: 0 };
      return due || last;
    },
  };
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

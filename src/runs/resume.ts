// What must hold before a run goes on from a checkpoint. Nothing here writes.

import type { ImageSet } from "../data/images.ts";
import { SaccadeError } from "../program/errors.ts";
import type { Checkpoint } from "../record/checkpoint-file.ts";
import { decisive } from "../record/decisive.ts";
import type { Config } from "../training/config.ts";
import { runLength } from "../training/trainer.ts";
import { latestCheckpoint, newestStep } from "./checkpoints.ts";
import { checkData, learntFrom } from "./run-data.ts";
import { hasFigures } from "./run-figures.ts";
import { checkMetrics, fingerprint, openRun, openRuns, type RunFolder } from "./run-folder.ts";

/** Fingerprint of what decides the numbers of a run. */
export const configKey = (config: Config): string => fingerprint(decisive(config));

/** What an imported run says of its data, and its checkpoint of the configuration. */
export const imported = "imported";

/** Refuses to go on with what was never trained here. */
export function requireTrained(run: RunFolder, from: Checkpoint): void {
  if (from.config === imported)
    throw new SaccadeError(
      `${run.path}: must be a run that was trained here, got imported weights without an optimiser's state; saccade probe evaluates them`,
    );
}

/**
 * Refuses to go on under another configuration or on other pictures, to an end that lies behind, or beside metrics that are not whole. What
 * comes back are warnings: of what the run will lack, or cannot know.
 */
export function checkResume(run: RunFolder, config: Config, dataset: ImageSet, from: Checkpoint): string[] {
  if (from.config !== configKey(config)) {
    const differing = differences(decisive(openRun(run.path).config), decisive(config));
    throw new SaccadeError(
      differing.length > 0
        ? `${from.path}: was written by another configuration: ${differing.join(", ")}; leave it as it is, or start a new run`
        : `${from.path}: was written by another configuration than the present config.yaml; restore that file`,
    );
  }
  const warnings = checkData(run, dataset);
  const { step } = from.position;
  const { totalSteps } = runLength(config, dataset);
  if (step > totalSteps) {
    const least = Math.ceil(step / (totalSteps / config.epochs));
    throw new SaccadeError(
      `${run.path}: epochs must be at least ${least}, as ${step} steps are done, got ${config.epochs}`,
    );
  }
  return [...warnings, ...checkMetrics(run, from)];
}

/** Of the runs under `root` that have this very configuration, the newest that `isDone` does not call done after its newest checkpoint. */
export function unfinishedRun(
  root: string,
  config: Config,
  isDone: (run: RunFolder, step: number) => boolean,
  onDamaged: (message: string) => void,
): RunFolder | undefined {
  return runsOf(root, config, onDamaged).find(
    (run) => !isDone(run, latestCheckpoint(run.checkpoints)?.position.step ?? 0),
  );
}

/** The newest of the runs under `root` that have this very configuration which learnt from these very pictures to its end, and is drawn. */
export function finishedRun(
  root: string,
  config: Config,
  dataset: ImageSet,
  onDamaged: (message: string) => void,
): RunFolder | undefined {
  const { totalSteps } = runLength(config, dataset);
  return runsOf(root, config, onDamaged).find(
    (run) => newestStep(run.checkpoints) === totalSteps && hasFigures(run) && learntFrom(run, dataset),
  );
}

/** Newest first. */
function runsOf(root: string, config: Config, onDamaged: (message: string) => void): RunFolder[] {
  const wanted = fingerprint(config);
  return openRuns(root, onDamaged)
    .filter((there) => fingerprint(there.config) === wanted)
    .map(({ run }) => run);
}

/** `optimiser.learningRate is 0.001 there and 1 here`, for every key that differs. */
function differences(there: unknown, here: unknown, path = ""): string[] {
  if (isGroup(there) && isGroup(here))
    return [...new Set([...Object.keys(there), ...Object.keys(here)])].flatMap((key) =>
      differences(there[key], here[key], path ? `${path}.${key}` : key),
    );
  const [a, b] = [there, here].map((value) => (value === undefined ? "nothing" : JSON.stringify(value)));
  return a === b ? [] : [`${path} is ${a} there and ${b} here`];
}

const isGroup = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

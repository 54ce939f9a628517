// A run's folder: resolved config, metrics, checkpoints, figures, environment; what is needed to repeat and to resume it.

import { createHash } from "node:crypto";
import { accessSync, appendFileSync, constants, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { networkOf } from "../encoders/networks.ts";
import { isPart, nearestFolder, notRead, notWritten, readText, writeWhole } from "../files/files.ts";
import { makeFolders } from "../files/folders.ts";
import { SaccadeError } from "../program/errors.ts";
import type { Checkpoint } from "../record/checkpoint-file.ts";
import { asItWas, configText, parseYaml } from "../record/config-text.ts";
import { isCounted, type Metric, parseMetrics } from "../record/metrics.ts";
import { learnings } from "../rules/learning.ts";
import type { Config } from "../training/config.ts";
import { parseConfig } from "../training/parse-config.ts";
import type { Plugin } from "../training/plugin.ts";
import type { LayerNumbers } from "../training/xray.ts";
import { writeEnvironment } from "./environment.ts";

export interface RunFolder {
  readonly path: string;
  readonly checkpoints: string;
  readonly figures: string;
  readonly metrics: string;
}

export const runFolder = (path: string): RunFolder => ({
  path,
  checkpoints: join(path, "checkpoints"),
  figures: join(path, "figures"),
  metrics: join(path, "metrics.jsonl"),
});

/** Short and stable: two configurations with one fingerprint make the same run. */
export const fingerprint = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);

/** Makes a new folder `<root>/<date>_<name>_<fingerprint>`, with a counter where it is taken. */
export async function createRun(root: string, config: Config, environment: object): Promise<RunFolder> {
  makeRunsFolder(root);
  const date = new Date().toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-");
  const path = makeFolder(join(root, `${date}_${config.name}_${fingerprint(config).slice(0, 6)}`));
  const run = runFolder(path);
  try {
    for (const folder of [run.checkpoints, run.figures]) mkdirSync(folder);
    await writeConfig(run, config);
    await writeEnvironment(path, environment);
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error instanceof SaccadeError ? error : notWritten(path, error);
  }
  return run;
}

export function makeRunsFolder(root: string): void {
  try {
    // Of a read-only disk mkdir would say that there is no such folder.
    accessSync(nearestFolder(root), constants.W_OK);
    makeFolders(root);
  } catch (error) {
    throw notWritten(root, error);
  }
}

/** Makes `base`, or `base-2`, `base-3`, … where it is taken: two runs of one second never share a folder. */
function makeFolder(base: string): string {
  for (let i = 1; ; i++) {
    const path = i === 1 ? base : `${base}-${i}`;
    try {
      mkdirSync(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !existsSync(path)) throw notWritten(path, error);
    }
  }
}

export const writeConfig = (run: RunFolder, config: Config): Promise<void> =>
  writeWhole(join(run.path, "config.yaml"), configText(config));

export interface OpenRun {
  readonly run: RunFolder;
  readonly config: Config;
}

/** Opens a folder that `createRun` made; says what is missing otherwise. Without the run's plugins it can be read and measured, not trained. */
export function openRun(path: string, plugins: readonly Plugin[] = []): OpenRun {
  const file = join(path, "config.yaml");
  if (!existsSync(file))
    throw new SaccadeError(`${path}: not a run folder, it has no config.yaml; \`saccade runs list\` shows the runs`);
  return { run: runFolder(path), config: parseConfig(asItWas(parseYaml(file, readText(file))), file, plugins) };
}

export function appendMetric(run: RunFolder, metric: Metric): void {
  try {
    appendFileSync(run.metrics, `${JSON.stringify(metric)}\n`);
  } catch (error) {
    throw notWritten(run.metrics, error);
  }
}

/** Lines of metrics.jsonl; a last line that a crash cut short is left out. */
export function readMetrics(run: RunFolder): Metric[] {
  if (!existsSync(run.metrics)) return [];
  return parseMetrics(readText(run.metrics).split("\n").slice(0, -1), run.metrics);
}

/**
 * Refuses to go on beside metrics that lack lines which there were at a checkpoint, or have some twice. A file that was set aside is a
 * person's choice: the note that comes back says what the run will lack.
 */
export function checkMetrics(run: RunFolder, { path, position: { step }, metrics: wanted = 0 }: Checkpoint): string[] {
  if (!existsSync(run.metrics))
    return [`${run.metrics}: is missing, so the run's numbers and figures begin after step ${step}`];
  const metrics = readMetrics(run);
  const steps = metrics.map((metric) => metric.step);
  const back = steps.findIndex((at, i) => i > 0 && at < steps[i - 1]);
  if (back >= 0)
    throw new SaccadeError(
      `${run.metrics}: line ${back + 1} must be of step ${steps[back - 1]} or later, got step ${steps[back]}; remove the duplicate lines`,
    );
  const lineOf = new Map<string, number>();
  for (const [i, metric] of metrics.entries()) {
    const text = JSON.stringify(metric);
    const first = lineOf.get(text);
    if (first !== undefined)
      throw new SaccadeError(`${run.metrics}: line ${i + 1} is line ${first} again; remove the duplicate lines`);
    lineOf.set(text, i + 1);
  }
  const lines = metrics.filter((metric) => metric.step <= step && isCounted(metric)).length;
  if (lines < wanted)
    throw new SaccadeError(
      `${run.metrics}: must have ${wanted} lines up to step ${step}, as ${path} says, got ${lines}; restore it, or move it away to resume the run without it`,
    );
  return [];
}

/** Removes what `writeWhole` had begun when a process was killed. */
export async function removeParts({ path, checkpoints, figures }: RunFolder): Promise<void> {
  for (const folder of [path, checkpoints, figures])
    for (const name of existsSync(folder) ? readdirSync(folder) : [])
      if (isPart(name)) await rm(join(folder, name), { force: true });
}

/** Drops what was written after the checkpoint from which a run goes on; what stays comes back. */
export async function truncateMetrics(run: RunFolder, step: number): Promise<Metric[]> {
  const kept = readMetrics(run).filter((metric) => metric.step <= step);
  await writeWhole(run.metrics, kept.map((metric) => `${JSON.stringify(metric)}\n`).join(""));
  return kept;
}

export interface RunSummary {
  readonly name: string;
  readonly path: string;
  readonly config: Config;
  readonly step: number;
  /** Epochs done, with a fraction, and in all: under GLL and RLL the configured epochs of every layer. */
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number | undefined;
  readonly modified: Date;
}

/** Every run under a root folder, newest first; what cannot be read is told to `onDamaged` and left out. */
export const listRuns = (root: string, onDamaged: (message: string) => void): RunSummary[] =>
  readRuns(root, summariseRun, onDamaged);

/** The folders of runs under a root, with their configurations, newest first. */
export const openRuns = (
  root: string,
  onDamaged: (message: string) => void,
): (OpenRun & { readonly modified: Date })[] =>
  readRuns(root, (path) => ({ ...openRun(path), modified: lastWorkedOn(path) }), onDamaged);

function readRuns<T extends { readonly modified: Date }>(
  root: string,
  read: (path: string, name: string) => T,
  onDamaged: (message: string) => void,
): T[] {
  if (!existsSync(root)) return [];
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    throw notRead(root, error);
  }
  return names
    .filter((name) => !name.startsWith(".") && existsSync(join(root, name, "config.yaml")))
    .flatMap((name) => {
      try {
        return [read(join(root, name), name)];
      } catch (error) {
        if (!(error instanceof SaccadeError)) throw error;
        onDamaged(error.message);
        return [];
      }
    })
    .sort((a, b) => b.modified.getTime() - a.modified.getTime());
}

/** Epochs that a run will have had at its end: under GLL and RLL the configured epochs of every layer. */
export const epochsInAll = ({ epochs, learning, encoder }: Config): number =>
  epochs * learnings[learning].lessons(networkOf(encoder).blocks.length).length;

/** The newest look at each layer, bottom first. */
export function newestLayers(metrics: readonly Metric[]): LayerNumbers[] {
  const newest = new Map<string, LayerNumbers>();
  for (const metric of metrics)
    if (metric.kind === "xray") for (const layer of metric.layers) newest.set(layer.name, layer);
  return [...newest.values()].sort((a, b) => (a.layer ?? Infinity) - (b.layer ?? Infinity));
}

export function summariseRun(path: string, name: string = path): RunSummary {
  const { run, config } = openRun(path);
  const last = readMetrics(run)
    .filter((metric) => metric.kind === "step")
    .at(-1);
  return {
    name,
    path,
    config,
    step: last?.step ?? 0,
    epoch: last?.epoch ?? 0,
    epochs: epochsInAll(config),
    loss: last?.loss,
    modified: lastWorkedOn(path),
  };
}

function lastWorkedOn(path: string): Date {
  const { metrics } = runFolder(path);
  return statSync(existsSync(metrics) ? metrics : join(path, "config.yaml")).mtime;
}

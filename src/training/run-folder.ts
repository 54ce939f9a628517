// A run's folder: resolved config, metrics, checkpoints, figures, environment; what is needed to repeat and to resume it.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { SaccadeError } from "../program/errors.ts";
import { type Config, parseConfig } from "./config.ts";
import { writeWhole } from "./files.ts";

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

/** One line of metrics.jsonl. */
export type Metric =
  | {
      readonly kind: "step";
      readonly step: number;
      /** Epochs done, with a fraction. */
      readonly epoch: number;
      /** Summed over the batch. */
      readonly loss: number;
      /** Share of positive pairs beyond m1 and of negative pairs within m2. */
      readonly activePositives: number;
      readonly activeNegatives: number;
      /** Of the embeddings, where they were looked at. */
      readonly spread?: number;
      readonly effectiveRank?: number;
    }
  | { readonly kind: "alarm"; readonly step: number; readonly message: string };

/** Short and stable: two configurations with one fingerprint make the same run. */
export const fingerprint = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);

/** Makes a new folder `<root>/<date>_<name>_<fingerprint>`, with a counter where it is taken. */
export async function createRun(root: string, config: Config, environment: object): Promise<RunFolder> {
  const date = new Date().toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-");
  const base = join(root, `${date}_${config.name}_${fingerprint(config).slice(0, 6)}`);
  let path = base;
  for (let i = 2; existsSync(path); i++) path = `${base}-${i}`;
  const run = runFolder(path);
  for (const folder of [run.path, run.checkpoints, run.figures]) mkdirSync(folder, { recursive: true });
  await writeWhole(join(path, "config.yaml"), stringify(config));
  await writeWhole(join(path, "environment.json"), `${JSON.stringify(environment, null, 2)}\n`);
  return run;
}

/** Opens a folder that `createRun` made; says what is missing otherwise. */
export function openRun(path: string): { run: RunFolder; config: Config } {
  const file = join(path, "config.yaml");
  if (!existsSync(file))
    throw new SaccadeError(`${path}: not a run folder, it has no config.yaml; \`saccade runs list\` shows the runs`);
  return { run: runFolder(path), config: parseConfig(parse(readFileSync(file, "utf8")), file) };
}

export function appendMetric(run: RunFolder, metric: Metric): void {
  appendFileSync(run.metrics, `${JSON.stringify(metric)}\n`);
}

/** Lines of metrics.jsonl; a last line that a crash cut short is left out. */
export function readMetrics(run: RunFolder): Metric[] {
  if (!existsSync(run.metrics)) return [];
  const lines = readFileSync(run.metrics, "utf8").split("\n");
  const whole = lines.slice(0, -1);
  return whole.map((line, i) => {
    try {
      return JSON.parse(line) as Metric;
    } catch {
      throw new SaccadeError(`${run.metrics}: line ${i + 1} is not JSON`);
    }
  });
}

/** Drops what was written after the checkpoint from which a run goes on. */
export async function truncateMetrics(run: RunFolder, step: number): Promise<void> {
  const kept = readMetrics(run).filter((metric) => metric.step <= step);
  await writeWhole(run.metrics, kept.map((metric) => `${JSON.stringify(metric)}\n`).join(""));
}

export interface RunSummary {
  readonly name: string;
  readonly path: string;
  readonly config: Config;
  readonly step: number;
  readonly epoch: number;
  readonly loss: number | undefined;
  readonly modified: Date;
}

/** Every run under a root folder, newest first. */
export function listRuns(root: string): RunSummary[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => existsSync(join(root, name, "config.yaml")))
    .map((name) => summariseRun(join(root, name), name))
    .sort((a, b) => b.modified.getTime() - a.modified.getTime());
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
    loss: last?.loss,
    modified: statSync(existsSync(run.metrics) ? run.metrics : join(path, "config.yaml")).mtime,
  };
}

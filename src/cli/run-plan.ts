// Runs what of a plan is still to be done, says beforehand what it will take, and afterwards what could not be done.

import { describeDataset } from "../datasets/known-datasets.ts";
import { missing, type Plan, type Planned } from "../experiments/plan.ts";
import { isDiverged, type Store } from "../experiments/store.ts";
import { duration } from "../program/duration.ts";
import { wrong } from "../program/errors.ts";
import { costOf } from "../runs/forecast.ts";
import { exitCodes } from "./exit-codes.ts";
import type { Launcher } from "./launchers/launcher.ts";
import { showTasks } from "./live-table.ts";
import type { CommonOptions } from "./options.ts";
import { wrap } from "./table.ts";
import { trainingSpeed } from "./training-speed.ts";
import type { LauncherName } from "./words.ts";

export interface PlanOptions extends CommonOptions {
  /** Tasks whose titles match. */
  readonly only?: RegExp | undefined;
  readonly jobs?: number | undefined;
  readonly slurmOptions?: string | undefined;
  readonly launcher: LauncherName;
  readonly list?: boolean;
  readonly dryRun?: boolean;
  readonly run: boolean;
}

/** Tasks of a plan that are still to be done. */
export const todoOf = (plan: Plan, store: Store, only: RegExp | undefined): Planned[] =>
  missing(plan.tasks(), {
    only,
    hasResult: (key) => store.outcome(key) !== undefined,
    hasEncoder: (key) => store.hasEncoder(key) || isDiverged(store, key),
  });

/** What listing a plan prints: every task and whether it is done. */
export function listPlan(plan: Plan, store: Store, only: RegExp | undefined): string {
  const shown = plan.tasks().filter(({ title }) => only?.test(title) ?? true);
  return shown.map(({ key, title }) => `${store.outcome(key) ? "done" : "    "}  ${title}\n`).join("");
}

/** Runs what is to be done; the exit code where that is not all that was asked for. */
export async function runPlan(plan: Plan, store: Store, options: PlanOptions): Promise<number | undefined> {
  if (!options.run) return undefined;
  if (options.slurmOptions !== undefined && options.launcher !== "slurm")
    throw wrong("reproduce", "--slurm-options", "with --launcher slurm", `--launcher ${options.launcher}`);
  const todo = todoOf(plan, store, options.only);
  const say = (line: string): void => {
    for (const one of line.split("\n")) process.stderr.write(`${wrap(one)}\n`);
  };
  const known = plan.tasks().filter(({ key }) => store.outcome(key) !== undefined).length;
  say(await forecastOf(todo, known, options));
  if (options.dryRun) return exitCodes.done;
  if (todo.length === 0) return undefined;
  for (const planned of todo) await store.putTask(planned.key, planned);
  const launch = await launcherNamed(options.launcher);
  const table = showTasks(todo.length);
  const { failures, stopped } = await launch(store, todo, options, {
    onStart: table.start,
    onProgress: table.progress,
    onEnd: table.end,
  }).finally(table.close);
  for (const { task, message } of failures) say(`not done: ${task.title}: ${message}`);
  if (stopped !== undefined) {
    say("stopped; the same command resumes");
    return stopped;
  }
  return failures.length > 0 ? exitCodes.refused : undefined;
}

async function launcherNamed(name: PlanOptions["launcher"]): Promise<Launcher> {
  if (name === "slurm") return (await import("./launchers/slurm.ts")).launchSlurm;
  return (await import("./launchers/local.ts")).launchLocal;
}

/** Floating-point operations from which on a forecast times a few steps. */
const worthTiming = 20e12;

async function forecastOf(todo: readonly Planned[], known: number, options: PlanOptions): Promise<string> {
  let flops = 0;
  let runs = 0;
  for (const { task } of todo) {
    if (task.kind !== "train") continue;
    const { config } = task.of;
    const described = await describeDataset(config.data);
    flops += costOf(config, { ...described, classes: described.classes.length }).flops;
    runs++;
  }
  const had = known > 0 ? `${known} results are there already; ` : "";
  const what = `${had}${runs} networks to train, ${todo.length - runs} measurements to make`;
  if (runs === 0) return `${what}.`;
  const amount = `${what}: ${(flops / 1e12).toPrecision(3)} TFLOP of training`;
  // Of a cluster's nodes the machine that submits says nothing.
  if (flops < worthTiming || options.launcher === "slurm") return `${amount}.`;
  const speed = await trainingSpeed(options);
  return `${amount}, about ${duration(flops / speed)} here at the ${(speed / 1e9).toFixed(0)} GFLOP/s that a few steps of the CIFAR network made on all threads, and the measurements.`;
}

// Runs tasks as job arrays of Slurm: submits what is not in its queue yet, and waits until every task has a result or no job any more.

import { askedSimd, chooseSimd } from "../../backends/wasm/simd.ts";
import type { Planned } from "../../experiments/plan.ts";
import type { Store } from "../../experiments/store.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { catchSignals } from "../signals.ts";
import type { Launcher, LauncherOptions } from "./launcher.ts";
import { type ArrayOptions, readArrays, submitArray } from "./slurm-arrays.ts";
import { isLive, statesOf } from "./slurm-commands.ts";
import { freeRuns } from "./slurm-locks.ts";
import { type Place, placeName, say, stateName, waitForTasks } from "./slurm-wait.ts";

/** Jobs of an array: Slurm's own limit, where a cluster has set no other. */
const longestArray = 1000;
/** A measurement has no checkpoint: one that is stopped so often needs more time than a job has. */
const measurementRequeues = 3;

export const launchSlurm: Launcher = async (store, tasks, options, events) => {
  const control = new AbortController();
  let stopped: number | undefined;
  const signals = catchSignals();
  signals.handle((code) => {
    if (stopped !== undefined) process.exit(code);
    stopped = code;
    control.abort();
  });
  try {
    const places = await placesOf(store, tasks);
    if (places.size > 0) say(`${places.size} of the tasks are in Slurm's queue already`);
    await submit(store, tasks, places, options, control.signal).catch((error) => {
      const jobs = arraysOf(places);
      if (!(error instanceof SaccadeError) || jobs.length === 0) throw error;
      throw new SaccadeError(
        `${error.message}; in the queue are ${jobs.join(", ")}, for which the same command will wait`,
      );
    });
    const { failures, open } = await waitForTasks(store, tasks, places, events, control.signal);
    if (stopped === undefined) return { failures };
    const left = open.filter(({ key }) => places.has(key));
    const jobs = arraysOf(places, left);
    if (jobs.length > 0)
      say(
        `\n${left.length} tasks stay with Slurm, in ${jobs.join(", ")}; the same command waits for them again, scancel ${jobs.join(" ")} cancels them`,
      );
    return { failures, stopped };
  } finally {
    signals.end();
  }
};

/** Numbers of the arrays that tasks are in. */
function arraysOf(places: ReadonlyMap<string, Place>, tasks?: readonly Planned[]): string[] {
  const those = tasks ? tasks.flatMap(({ key }) => places.get(key) ?? []) : [...places.values()];
  return [...new Set(those.map(({ array }) => array.job))].sort((a, b) => Number(a) - Number(b));
}

/** Where tasks are queued or run already. */
async function placesOf(store: Store, tasks: readonly Planned[]): Promise<Map<string, Place>> {
  const keys = new Set(tasks.map(({ key }) => key));
  const arrays = readArrays(store.path).filter(({ lines }) => lines.some((line) => line.some((key) => keys.has(key))));
  const states = await statesOf(arrays.map(({ job }) => job));
  if ("silent" in states)
    throw new SaccadeError(`--launcher slurm: squeue does not answer: ${states.silent}; try again later`);
  const live = new Set(states.filter(isLive).map(stateName));
  const places = new Map<string, Place>();
  for (const array of arrays)
    for (const [i, line] of array.lines.entries()) {
      const place = { array, index: i + 1 };
      if (live.has(placeName(place))) for (const key of line) if (keys.has(key)) places.set(key, place);
    }
  return places;
}

/** Submits the tasks that have no place, and notes those that they get. */
async function submit(
  store: Store,
  tasks: readonly Planned[],
  places: Map<string, Place>,
  { threads, device, jobs, plugin = [], slurmOptions = "" }: LauncherOptions,
  signal: AbortSignal,
): Promise<void> {
  const data = process.env.SACCADE_DATA;
  const common = {
    ...{ device, plugin, threads: threads ?? 1, atOnce: jobs, words: userWords(slurmOptions) },
    // Chosen once for all: a trial on busy cores may come out otherwise in each of them.
    environment: { SACCADE_SIMD: askedSimd() ?? chooseSimd(), ...(data ? { SACCADE_DATA: data } : {}) },
  };
  const array = async (
    lines: readonly (readonly string[])[],
    what: string,
    own: Pick<ArrayOptions, "requeues" | "after">,
  ) => {
    if (signal.aborted || lines.length === 0) return;
    const array = await submitArray(store.path, lines, { ...common, ...own });
    for (const [i, line] of lines.entries()) for (const key of line) places.set(key, { array, index: i + 1 });
    say(`job array ${array.job}: ${lines.flat().length} ${what}`);
  };
  const open = tasks.filter(({ key }) => !places.has(key));
  const runs = open.filter(({ task }) => task.kind === "train");
  const others = open.filter(({ task }) => task.kind !== "train");
  const isReady = ({ needs }: Planned): boolean =>
    needs === undefined || (store.hasEncoder(needs) && !places.has(needs));
  await freeRuns(store, runs);
  for (const some of chunks(runs)) await array(some, "networks to train", { requeues: undefined });
  const ready = others.filter(isReady);
  for (const some of chunks(ready)) await array(some, "measurements", { requeues: measurementRequeues });
  for (const [after, lines] of behind(
    others.filter((task) => !ready.includes(task)),
    places,
  ))
    await array(lines, `measurements that wait for ${after}`, { requeues: measurementRequeues, after });
}

/** One task a line. */
function chunks(tasks: readonly Planned[]): string[][][] {
  const lines = tasks.map(({ key }) => [key]);
  return Array.from({ length: Math.ceil(lines.length / longestArray) }, (_, i) =>
    lines.slice(i * longestArray, (i + 1) * longestArray),
  );
}

/** Measurements by the array of the run that each waits for, in the line of that run. */
function behind(tasks: readonly Planned[], places: ReadonlyMap<string, Place>): Map<string, string[][]> {
  const arrays = new Map<string, string[][]>();
  for (const { key, needs } of tasks) {
    const place = places.get(needs ?? "");
    // Its run has failed or diverged before: there is nothing to measure.
    if (place === undefined) continue;
    const lines = arrays.get(place.array.job) ?? [];
    arrays.set(place.array.job, lines);
    while (lines.length < place.index) lines.push([]);
    lines[place.index - 1].push(key);
  }
  return arrays;
}

/** Words of sbatch, divided at spaces. */
function userWords(text: string): string[] {
  const mend = "an option whose value has spaces can be a variable of sbatch's, such as SBATCH_COMMENT";
  if (/["'\\]/.test(text)) throw wrong("--launcher slurm", "--slurm-options", "words without quotes", text, mend);
  const words = text.split(/\s+/).filter((word) => word !== "");
  const taken = words.find((word) => /^(--(array|output|error|wrap|test-only|wait)(=|$)|-[aoeW])/.test(word));
  if (taken !== undefined)
    throw wrong("--launcher slurm", "--slurm-options", "without array, output, error, wrap, test-only and wait", taken);
  return words;
}

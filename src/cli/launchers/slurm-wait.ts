// Waits for tasks that are jobs of Slurm: results in the store are the truth, Slurm says which may still come.

import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Planned } from "../../experiments/plan.ts";
import { isDiverged, isDone, type Store } from "../../experiments/store.ts";
import { readText } from "../../files/files.ts";
import type { Failure, Launched, LauncherEvents } from "./launcher.ts";
import { type JobArray, outputOf } from "./slurm-arrays.ts";
import { accountOf, isLive, type JobState, statesOf } from "./slurm-commands.ts";
import { shareIn } from "./worker-lines.ts";

/** Seconds that a result may take to be seen from another machine, on a network file system. */
const settling = 60;
/** Seconds between looks: a twentieth of the time waited, within these bounds. */
const looks = { shortest: 1, longest: 30 };
/** Lines of a failed job's output that are told. */
const toldLines = 6;

/** The job that does a task. */
export interface Place {
  readonly array: JobArray;
  readonly index: number;
}
export const placeName = ({ array, index }: Place): string => `${array.job}_${index}`;
export const stateName = ({ job, index }: JobState): string => `${job}_${index}`;

export const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Waits until each task has a result, or no job that could still bring one; or until the signal. */
export async function waitForTasks(
  store: Store,
  tasks: readonly Planned[],
  places: ReadonlyMap<string, Place>,
  events: LauncherEvents,
  signal: AbortSignal,
): Promise<Pick<Launched, "failures"> & { readonly open: readonly Planned[] }> {
  const failures: Failure[] = [];
  const open = new Map(tasks.map((task) => [task.key, task]));
  const started = new Set<string>();
  const missedSince = new Map<string, number>();
  const told = new Set<string>();
  const tellOnce = (line: string): void => {
    if (!told.has(line)) say(line);
    told.add(line);
  };
  const end = (task: Planned, message?: string): void => {
    open.delete(task.key);
    if (message !== undefined) failures.push({ task, message });
    events.onEnd(task, message, message === undefined ? store.outcome(task.key)?.seconds : undefined);
  };
  const jobs = [...new Set([...places.values()].map(({ array }) => array.job))];
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;

  /** A task that has no result, by the state of its job. */
  async function look(task: Planned, place: Place, state: JobState | undefined): Promise<void> {
    const output = outputOf(place.array, place.index);
    if (state !== undefined && isLive(state)) {
      missedSince.delete(task.key);
      if (state.state === "PENDING" && !usualReasons.has(state.reason))
        tellOnce(`Slurm lets jobs wait: ${state.reason}`);
      if (state.state !== "RUNNING") return;
      if (!started.has(task.key)) events.onStart(task);
      started.add(task.key);
      const share = existsSync(output) ? shareIn(readText(output), task.title) : undefined;
      if (share !== undefined) events.onProgress(task, share);
      return;
    }
    if (task.needs !== undefined && open.has(task.needs)) return;
    const since = missedSince.get(task.key) ?? seconds();
    missedSince.set(task.key, since);
    if ((state === undefined || state.state === "COMPLETED") && seconds() - since < settling) return;
    if (task.needs !== undefined && hasFailed(task.needs)) return end(task);
    const known = state && [state.state, ...(state.reason === "None" ? [] : [state.reason])].join(", ");
    const how = known ?? (await accountOf(place.array.job, place.index)) ?? "Slurm no longer knows how";
    end(task, `job ${placeName(place)} has ended without a result (${how}); ${lastLines(output)}`);
  }
  const hasFailed = (run: string): boolean => failures.some(({ task }) => task.key === run) || isDiverged(store, run);

  while (open.size > 0 && !signal.aborted) {
    const answer = await statesOf(jobs);
    if ("silent" in answer) tellOnce(`squeue does not answer, and is asked again: ${answer.silent}`);
    const states = new Map("silent" in answer ? [] : answer.map((state) => [stateName(state), state]));
    for (const task of [...open.values()]) {
      const place = places.get(task.key);
      if (isDone(store, task.key)) end(task);
      else if (place === undefined) end(task);
      else if (!("silent" in answer)) await look(task, place, states.get(placeName(place)));
    }
    if (open.size > 0) await pause(Math.min(looks.longest, Math.max(looks.shortest, seconds() / 20)), signal);
  }
  return { failures, open: [...open.values()] };
}

/** What a job waits for when nothing is wrong. */
const usualReasons: ReadonlySet<string> = new Set([
  ...["None", "Resources", "Priority", "Dependency", "BeginTime", "JobArrayTaskLimit", "Cleaning"],
]);

const pause = (seconds: number, signal: AbortSignal): Promise<void> =>
  setTimeout(1000 * seconds, undefined, { signal }).catch(() => {});

function lastLines(file: string): string {
  const lines = existsSync(file) ? readText(file).trimEnd().split("\n").slice(-toldLines) : [""];
  if (lines.join("") === "") return `it printed nothing into ${file}`;
  return `the last lines of ${file}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

// What runs the tasks of a plan: processes of this machine, or jobs of a cluster's scheduler.

import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Planned } from "../../experiments/plan.ts";
import type { Store } from "../../experiments/store.ts";
import type { CommonOptions } from "../options.ts";

export interface LauncherOptions extends Pick<CommonOptions, "threads" | "device" | "plugin"> {
  /** Tasks that run at once; undefined: as many as there are cores. */
  readonly jobs?: number | undefined;
  /** Words for sbatch, with spaces between. */
  readonly slurmOptions?: string | undefined;
}

/** The file that a process starts with to do what `saccade` does. */
export const commandLine: string = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));

/** What is told while tasks run. */
export interface LauncherEvents {
  readonly onStart: (task: Planned) => void;
  /** The share of a task that is done. */
  readonly onProgress: (task: Planned, share: number) => void;
  /** `seconds` is what it took, where it was not done before these eyes. */
  readonly onEnd: (task: Planned, failure: string | undefined, seconds?: number) => void;
}

export interface Failure {
  readonly task: Planned;
  readonly message: string;
}

export interface Launched {
  readonly failures: readonly Failure[];
  /** The exit code of a signal that ended it before its time. */
  readonly stopped?: number | undefined;
}

/** Runs the tasks; the runs that a task waits for stand before it, or have an encoder in the store. */
export type Launcher = (
  store: Store,
  tasks: readonly Planned[],
  options: LauncherOptions,
  events: LauncherEvents,
) => Promise<Launched>;

// Whether a run goes on, has come to its end, or has stopped before it.

import type { Config } from "../training/config.ts";
import { imported } from "./resume.ts";
import type { RunFolder } from "./run-folder.ts";
import { isHeld } from "./run-lock.ts";

/** `running` also while it is drawn and probed; `stopped` may be resumed. */
export type RunState = "running" | "done" | "stopped" | "imported";

export function runState({ run, ...progress }: { readonly run: RunFolder } & Progress): RunState {
  return isHeld(run) ? "running" : restingState(progress);
}

/** Epochs done, and those that there will be. */
interface Progress {
  readonly config: Config;
  readonly epoch: number;
  readonly epochs: number;
}

/** Of a run that no process works on. */
export function restingState({ config, epoch, epochs }: Progress): RunState {
  if (config.data.dataset === imported) return "imported";
  return epoch >= epochs ? "done" : "stopped";
}

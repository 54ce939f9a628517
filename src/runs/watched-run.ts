// Where a run stands that another process works on, told from its folder alone: how far it is, how long it will take, what it has seen.

import { statSync } from "node:fs";
import { join } from "node:path";
import { stepOf } from "../record/checkpoint-file.ts";
import type { Evaluation, Metric } from "../record/metrics.ts";
import type { Config } from "../training/config.ts";
import type { LayerNumbers } from "../training/xray.ts";
import { checkpointFiles } from "./checkpoints.ts";
import { followMetrics } from "./follow-metrics.ts";
import { epochsInAll, newestLayers, openRun, type RunFolder } from "./run-folder.ts";
import { isHeld, runHolder } from "./run-lock.ts";
import { type RunState, restingState } from "./run-state.ts";

export interface WatchedRun {
  readonly path: string;
  readonly config: Config;
  /** `running` also while it is drawn and probed; `stopped` where no process works on it before its end. */
  readonly state: RunState;
  /** Who works on it, where the lock says so. */
  readonly process?: { readonly pid: number; readonly host: string; readonly started: string };
  readonly step: number;
  /** In all; undefined before the first step is noted. */
  readonly steps: number | undefined;
  readonly epoch: number;
  readonly epochs: number;
  /** Of training, at the pace of the last checkpoints; undefined where nothing tells it, and where nothing is left. */
  readonly secondsLeft: number | undefined;
  readonly loss: number | undefined;
  /** The layer that learnt last, from 1, where one learns at a time. */
  readonly layer: number | undefined;
  readonly losses: readonly { readonly epoch: number; readonly loss: number }[];
  /** The newest look at each layer, and the step of the newest of all. */
  readonly xray: readonly LayerNumbers[];
  readonly xrayStep: number | undefined;
  readonly evaluations: readonly Evaluation[];
  /** Alarms and interventions, in their order. */
  readonly notices: readonly {
    readonly kind: "alarm" | "intervention";
    readonly step: number;
    readonly message: string;
  }[];
}

/** A function that looks at a run once more each time it is called. */
export function watchRun(path: string): () => WatchedRun {
  const { run } = openRun(path);
  const followed = followMetrics(run);
  return () => {
    // A run may be lengthened. Its lock is looked at first: where nobody works on it, what is read afterwards is all there is.
    const { config } = openRun(path);
    const holder = runHolder(run);
    const epochs = epochsInAll(config);
    const held = isHeld(run);
    followed.read();
    const metrics = followed.metrics();
    const stepLines = metrics.filter((metric) => metric.kind === "step");
    const last = stepLines.at(-1);
    const { step, epoch } = last ?? { step: 0, epoch: 0 };
    const steps = last && Math.round((last.step / last.epoch) * epochs);
    const xrays = metrics.filter((metric) => metric.kind === "xray");
    return {
      path,
      config,
      state: held ? "running" : restingState({ config, epoch, epochs }),
      ...(held && holder ? { process: holder } : {}),
      ...{ step, steps, epoch, epochs },
      secondsLeft:
        held && steps !== undefined && step < steps
          ? left(run, { step, steps }, followed.written(), holder)
          : undefined,
      loss: last?.loss,
      layer: last?.layer,
      losses: stepLines,
      xray: newestLayers(metrics),
      xrayStep: xrays.at(-1)?.step,
      evaluations: metrics.filter((metric) => metric.kind === "evaluation"),
      notices: metrics.flatMap(noticeOf),
    };
  };
}

function noticeOf(metric: Metric): WatchedRun["notices"] {
  const { kind, step } = metric;
  if (kind === "alarm") return [{ kind, step, message: metric.message }];
  if (kind === "intervention") return [{ kind, step, message: metric.what }];
  return [];
}

/** Seconds to the last step at the pace since the oldest checkpoint of this session that is still there, or since the session began. */
function left(
  run: RunFolder,
  { step, steps }: { readonly step: number; readonly steps: number },
  written: number | undefined,
  holder: ReturnType<typeof runHolder>,
): number | undefined {
  if (written === undefined || holder === undefined) return undefined;
  const began = Date.parse(holder.started);
  const times = checkpointFiles(run.checkpoints).flatMap((name) => {
    const stat = statSync(join(run.checkpoints, name), { throwIfNoEntry: false });
    return stat ? [{ step: stepOf(name), at: stat.mtimeMs }] : [];
  });
  const own = times.find(({ at }) => at >= began);
  const before = times.filter(({ at }) => at < began).at(-1);
  const since = own && own.step < step ? own : { step: before?.step ?? 0, at: began };
  const seconds = (written - since.at) / 1000;
  return step > since.step && seconds > 0 ? (seconds * (steps - step)) / (step - since.step) : undefined;
}

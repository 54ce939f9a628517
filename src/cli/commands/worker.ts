// saccade worker: does tasks of a reproduction's folder, one after another, as its parent orders; or those that are named.

import type { Planned } from "../../experiments/plan.ts";
import { createDatasets, runTask } from "../../experiments/run-task.ts";
import { StoppedError } from "../../experiments/run-train.ts";
import { isDone, openStore } from "../../experiments/store.ts";
import { SaccadeError } from "../../program/errors.ts";
import { loadPlugins } from "../../runs/plugins.ts";
import { parseConfig } from "../../training/parse-config.ts";
import type { Plugin } from "../../training/plugin.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Order, WorkerReport } from "../launchers/local.ts";
import { shareLine } from "../launchers/worker-lines.ts";
import { type CommonOptions, openBackend } from "../options.ts";
import { catchSignals } from "../signals.ts";

/** `keys` are the tasks to do; without any it listens to its parent until that lets go. */
export async function workerCommand(path: string, keys: readonly string[], options: CommonOptions): Promise<number> {
  const store = openStore(path);
  const plugins = await loadPlugins(options.plugin ?? []);
  const backend = await openBackend(options);
  const datasets = createDatasets();
  const controller = new AbortController();
  const signals = catchSignals();
  let code: number = exitCodes.done;
  signals.handle((given) => {
    if (controller.signal.aborted) process.exit(given);
    code = given;
    controller.abort();
    // A task that is no training has nothing to lose.
    if (!training) process.exit(given);
  });
  let training = false;
  async function one(key: string, onProgress: (share: number) => void): Promise<WorkerReport> {
    try {
      const planned = withPlugins((await store.task(key)) as Planned, plugins);
      training = planned.task.kind === "train";
      await runTask(planned, { store, backend, datasets, signal: controller.signal, onProgress });
      return { kind: "done" };
    } catch (error) {
      if (error instanceof StoppedError) return { kind: "stopped" };
      if (error instanceof SaccadeError) return { kind: "failed", message: error.message };
      return { kind: "failed", message: `this should not have happened; please report it\n${(error as Error).stack}` };
    } finally {
      training = false;
    }
  }
  try {
    if (keys.length > 0) {
      const failures: string[] = [];
      for (const key of keys) {
        if (isDone(store, key)) continue;
        const { title } = (await store.task(key)) as Planned;
        const report = await one(key, printer(title));
        if (report.kind === "stopped") return code;
        if (report.kind === "failed") failures.push(`${title}: ${report.message}`);
      }
      if (failures.length > 0) throw new SaccadeError(failures.join("\n"));
      return exitCodes.done;
    }
    await listen(one, () => controller.signal.aborted);
    return code;
  } finally {
    signals.end();
  }
}

/** The same task, whose configuration has the plugins that it names again: on the disk there is none of a function. */
const withPlugins = ({ task, ...planned }: Planned, plugins: readonly Plugin[]): Planned => {
  if (plugins.length === 0) return { ...planned, task };
  const config = parseConfig(task.of.config, planned.title, plugins);
  return { ...planned, task: { ...task, of: { ...task.of, config } } };
};

/** Progress is told to a parent, and printed where there is none, at most so often, in milliseconds. */
const progressEvery = 200;
const printEvery = 30_000;

/** Prints how far a task is: at its first step here, and now and then. */
function printer(title: string): (share: number) => void {
  let printed = -printEvery;
  return (share) => {
    if (performance.now() - printed < printEvery) return;
    printed = performance.now();
    process.stdout.write(`${shareLine(title, share)}\n`);
  };
}

async function listen(
  one: (key: string, onProgress: (share: number) => void) => Promise<WorkerReport>,
  aborted: () => boolean,
): Promise<void> {
  const tell = (report: WorkerReport): void => {
    if (process.connected) process.send?.(report);
  };
  await new Promise<void>((resolve) => {
    process.on("disconnect", resolve);
    process.on("message", ({ key }: Order) => {
      let told = 0;
      const onProgress = (share: number): void => {
        if (performance.now() - told < progressEvery) return;
        told = performance.now();
        tell({ kind: "progress", share });
      };
      void one(key, onProgress).then((report) => {
        tell(report);
        if (aborted()) {
          process.disconnect?.();
          resolve();
        }
      });
    });
  });
}

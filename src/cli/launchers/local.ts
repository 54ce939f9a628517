// Runs tasks in processes of this machine, several at once; each process takes one task after another.

import { type ChildProcess, fork } from "node:child_process";
import { defaultThreads } from "../../backends/wasm/backend.ts";
import { askedSimd, chooseSimd } from "../../backends/wasm/simd.ts";
import type { Planned } from "../../experiments/plan.ts";
import { takesThreads } from "../device-names.ts";
import type { CommonOptions } from "../options.ts";
import { catchSignals } from "../signals.ts";
import { commandLine, type Failure, type Launcher } from "./launcher.ts";

/** From this process to a worker: do the task with this key. */
export interface Order {
  readonly key: string;
}

/** From a worker: how far it is, or that it is done, has failed, or was stopped. */
export type WorkerReport =
  | { readonly kind: "progress"; readonly share: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "stopped" };

export const launchLocal: Launcher = async (store, tasks, { jobs, threads, device, plugin = [] }, events) => {
  const cores = defaultThreads();
  const atOnce = Math.max(1, Math.min(jobs ?? cores, tasks.length));
  const each = threads ?? Math.max(1, Math.floor(cores / atOnce));
  const waiting = [...tasks];
  const open = new Set(tasks.map(({ key }) => key));
  const failures: Failure[] = [];
  let stopped: number | undefined;
  /** Places that wait for a run of another. */
  let idle: (() => void)[] = [];
  const wake = (): void => {
    const all = idle;
    idle = [];
    for (const one of all) one();
  };
  const children = new Set<ChildProcess>();
  const signals = catchSignals();
  signals.handle((code) => {
    if (stopped !== undefined) process.exit(code);
    stopped = code;
    process.stderr.write("\nstopping after the steps in flight, with checkpoints; again to stop at once\n");
    for (const child of children) child.kill("SIGTERM");
    wake();
  });

  /** The next task whose run is done. */
  const next = (): Planned | undefined => {
    const at = waiting.findIndex(({ needs }) => needs === undefined || !open.has(needs));
    return at < 0 ? undefined : waiting.splice(at, 1)[0];
  };
  const end = (task: Planned, failure: string | undefined): void => {
    open.delete(task.key);
    if (failure !== undefined) failures.push({ task, message: failure });
    events.onEnd(task, failure);
    wake();
  };

  /** One place for tasks: a process that is started anew where one has died. */
  async function place(): Promise<void> {
    let worker: Worker | undefined;
    try {
      while (stopped === undefined && waiting.length > 0) {
        const task = next();
        if (task === undefined) {
          await new Promise<void>((woken) => idle.push(woken));
          continue;
        }
        if (task.needs !== undefined && !store.hasEncoder(task.needs)) {
          // Its run has failed or diverged: there is nothing to measure, and the run has said why.
          end(task, undefined);
          continue;
        }
        worker ??= startWorker(store.path, { device, threads: each, plugin }, children);
        events.onStart(task);
        const failure = await worker.run(task, (share) => events.onProgress(task, share));
        if (worker.dead()) worker = undefined;
        if (stopped === undefined) end(task, failure);
      }
    } finally {
      worker?.end();
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnce }, place));
  } finally {
    signals.end();
  }
  return { failures, stopped };
};

interface Worker {
  /** Why it failed; undefined where it did not. */
  readonly run: (task: Planned, onProgress: (share: number) => void) => Promise<string | undefined>;
  readonly dead: () => boolean;
  readonly end: () => void;
}

function startWorker(
  path: string,
  { device, threads, plugin }: Required<Pick<CommonOptions, "device" | "threads" | "plugin">>,
  children: Set<ChildProcess>,
): Worker {
  const options = [
    ...["--device", device, ...(takesThreads(device) ? ["--threads", String(threads)] : [])],
    ...plugin.flatMap((name) => ["--plugin", name]),
  ];
  // Chosen once for all: a trial on busy cores may come out otherwise in each of them.
  const env = { ...process.env, SACCADE_SIMD: askedSimd() ?? chooseSimd() };
  const child = fork(commandLine, ["worker", path, ...options], {
    env,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  children.add(child);
  let dead = false;
  child.on("exit", () => {
    dead = true;
    children.delete(child);
  });
  return {
    dead: () => dead,
    end: () => {
      if (child.connected) child.disconnect();
    },
    run: ({ key }, onProgress) =>
      new Promise((resolve) => {
        const done = (failure: string | undefined): void => {
          child.off("message", heard);
          child.off("exit", died);
          child.off("error", broken);
          resolve(failure);
        };
        const heard = (report: WorkerReport): void => {
          if (report.kind === "progress") onProgress(report.share);
          else done(report.kind === "failed" ? report.message : report.kind === "stopped" ? "stopped" : undefined);
        };
        const died = (code: number | null, signal: string | null): void =>
          done(`its process ended (${signal ?? `exit code ${code}`}); was there enough memory?`);
        const broken = (error: Error): void => done(error.message);
        child.on("message", heard);
        child.on("exit", died);
        child.on("error", broken);
        child.send({ key } satisfies Order, (error) => {
          if (error) done(error.message);
        });
      }),
  };
}

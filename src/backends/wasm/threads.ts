// The pool of compute threads: starts them with the whole program set, calls a program, and says when it is done or what went wrong.

import { SaccadeError } from "../../program/errors.ts";
import { startWorker, type WorkerHandle } from "./platform.ts";
import { control, controlPitch, type ThreadJob, type ThreadMessage } from "./thread-job.ts";

export interface Threads {
  /** Runs the program of this index; resolves when every thread is through with it. */
  readonly run: (program: number) => Promise<void>;
  readonly end: () => Promise<void>;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export async function startThreads(jobs: readonly ThreadJob[]): Promise<Threads> {
  const [{ memory, control: at }] = jobs;
  const words = new Int32Array(memory.buffer);
  let ready = 0;
  let waiting: Waiting | undefined;
  let failure: SaccadeError | undefined;
  const workers: WorkerHandle[] = [];

  function settle(error?: Error): void {
    const settled = waiting;
    waiting = undefined;
    for (const worker of workers) worker.keepAlive(false);
    if (error) settled?.reject(error);
    else settled?.resolve();
  }

  const word = (name: keyof typeof control): number => (at + control[name] * controlPitch) / 4;

  /** Wakes every thread, wherever it waits, and lets it return. */
  async function end(): Promise<void> {
    Atomics.store(words, word("ended"), 1);
    for (const name of ["command", "barrier"] as const) {
      Atomics.add(words, word(name), 1);
      Atomics.notify(words, word(name));
    }
    await Promise.all(workers.map((worker) => worker.end()));
  }

  function fail(reason: string): void {
    failure ??= new SaccadeError(`wasm: a compute thread failed: ${reason}`);
    settle(failure);
    void end();
  }

  const wait = (): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
      for (const worker of workers) worker.keepAlive(true);
    });

  for (const job of jobs)
    workers.push(
      startWorker<ThreadMessage>(job, {
        message: (message) => {
          if (message.kind === "failed") fail(message.reason);
          else if (message.kind === "done") settle();
          else if (++ready === jobs.length) settle();
        },
        failed: fail,
      }),
    );
  await wait();

  return {
    run: async (program) => {
      if (failure) throw failure;
      if (waiting) throw new SaccadeError("wasm: run: the run before this one is still in flight; await it first");
      const done = wait();
      Atomics.store(words, word("program"), program);
      Atomics.add(words, word("command"), 1);
      Atomics.notify(words, word("command"));
      await done;
    },
    end: async () => {
      failure ??= new SaccadeError("wasm: the engine was disposed of");
      settle(failure);
      await end();
    },
  };
}

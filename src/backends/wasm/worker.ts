// A compute thread: holds every prepared program, sleeps until one is called, runs its launches, and meets the other threads between them.

import { onJob } from "./platform.ts";
import { callablePrograms, control, controlPitch, type ThreadJob, type ThreadMessage } from "./thread-job.ts";

/** Turns of looking before a thread goes to sleep at a barrier: some 20 µs, less than waking it costs. */
const spins = 2000;

function serve(job: ThreadJob, post: (message: ThreadMessage) => void) {
  const { memory, control: at, scratch, threads } = job;
  const words = new Int32Array(memory.buffer);
  const word = (name: keyof typeof control): number => (at + control[name] * controlPitch) / 4;
  const [command, program, nextTask, arrived, barrier, ended] = (
    ["command", "program", "task", "arrived", "barrier", "ended"] as const
  ).map(word);
  const prepared = callablePrograms(job);

  /** Waits for all threads; true in the one that came last. */
  function meet(): boolean {
    const before = Atomics.load(words, barrier);
    if (Atomics.add(words, arrived, 1) === threads - 1) {
      Atomics.store(words, arrived, 0);
      Atomics.store(words, nextTask, 0);
      Atomics.add(words, barrier, 1);
      Atomics.notify(words, barrier);
      return true;
    }
    for (let spin = 0; spin < spins; spin++) if (Atomics.load(words, barrier) !== before) return false;
    while (Atomics.load(words, barrier) === before) Atomics.wait(words, barrier, before);
    return false;
  }

  post({ kind: "ready" });
  let seen = 0;
  for (;;) {
    Atomics.wait(words, command, seen);
    if (Atomics.load(words, ended) === 1) return;
    const called = Atomics.load(words, command);
    if (called === seen) continue;
    seen = called;
    let last = false;
    for (const { kernels, tasks } of prepared[Atomics.load(words, program)]) {
      let kernel = "";
      try {
        for (let task = Atomics.add(words, nextTask, 1); task < tasks; task = Atomics.add(words, nextTask, 1))
          for (const { kernel: name, parameters, run } of kernels) {
            kernel = name;
            run(parameters, task, scratch);
          }
      } catch (error) {
        // The others stay at the barrier; whoever reads this message ends them.
        post({ kind: "failed", reason: `kernel ${kernel}: ${error instanceof Error ? error.message : error}` });
        return;
      }
      last = meet();
      if (Atomics.load(words, ended) === 1) return;
    }
    if (last) post({ kind: "done" });
  }
}

onJob(serve);

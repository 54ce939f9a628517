// The pool of no threads: programs run in the thread that calls them, where a page may not share its memory with workers.

import { SaccadeError } from "../../program/errors.ts";
import { callablePrograms, type ThreadJob } from "./thread-job.ts";
import type { Threads } from "./threads.ts";

export function runHere(job: ThreadJob): Threads {
  const programs = callablePrograms(job);
  let ended = false;
  return {
    run: async (program) => {
      if (ended) throw new SaccadeError("wasm: the engine was disposed of");
      for (const { kernels, tasks } of programs[program])
        for (let task = 0; task < tasks; task++)
          for (const { run, parameters } of kernels) run(parameters, task, job.scratch);
    },
    end: async () => {
      ended = true;
    },
  };
}

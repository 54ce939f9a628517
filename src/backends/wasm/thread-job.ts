// What a compute thread is given and says: its programs as functions, the control words in shared memory, its messages.

/** Words of the control block in shared memory. */
export const control = {
  /** Counts runs; threads sleep on it. */
  command: 0,
  /** Index of the program to run. */
  program: 1,
  /** The next task that nobody has taken. */
  task: 2,
  /** Threads that have arrived at the barrier. */
  arrived: 3,
  /** Counts barriers; threads that wait for the others sleep on it. */
  barrier: 4,
  /** 1: every thread returns at its next look. */
  ended: 5,
} as const;

/** Bytes between control words, so that no two of them share a cache line. */
export const controlPitch = 64;

/** A kernel with its parameter block in memory. */
export interface PreparedKernel {
  readonly kernel: string;
  readonly parameters: number;
}

/** Kernels that follow one another between two meetings of the threads: one kernel of any number of tasks, or several of one task each. */
export interface PreparedLaunch {
  readonly kernels: readonly PreparedKernel[];
  readonly tasks: number;
}

export interface ThreadJob {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the control block. */
  readonly control: number;
  /** Address of this thread's private memory. */
  readonly scratch: number;
  readonly threads: number;
  readonly programs: readonly (readonly PreparedLaunch[])[];
}

type KernelFunction = (parameters: number, task: number, scratch: number) => void;

export interface CallableLaunch {
  readonly kernels: readonly (PreparedKernel & { readonly run: KernelFunction })[];
  readonly tasks: number;
}

/** The programs of a job with their kernels as functions, instantiated in this thread. */
export function callablePrograms({ module, memory, programs }: ThreadJob): CallableLaunch[][] {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return programs.map((launches) =>
    launches.map(({ kernels, tasks }) => ({
      tasks,
      kernels: kernels.map((one) => ({ ...one, run: exports[one.kernel] as KernelFunction })),
    })),
  );
}

export type ThreadMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string };

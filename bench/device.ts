// What is measured: the WASM backend on some threads, or a GPU through WebGPU.

import type { Backend, Engine } from "../src/backends/backend.ts";
import { wasmBackend } from "../src/backends/wasm/backend.ts";
import { factsOf, requestAdapter } from "../src/backends/webgpu/device.ts";
import { dawnGpu } from "../src/cli/dawn.ts";
import { type Program, persistentTensors } from "../src/program/program.ts";
import { rows, sizeOf } from "../src/program/tensor.ts";
import { clock } from "./measure.ts";

export interface BenchDevice {
  readonly name: "wasm" | "webgpu";
  /** What computes, as a figure names it; undefined where that is the machine's processor. */
  readonly hardware?: string;
  /** Threads that whole steps are timed on; none of ours on a GPU. */
  readonly threads: readonly number[];
  readonly open: (threads: number) => Promise<Backend>;
  /** Seconds that a program takes. */
  readonly clock: (engine: Engine, program: Program) => Promise<number>;
  /** Sizes at which the limits show: rows, inner and columns of matrices, products in a row, numbers that are moved. */
  readonly limits: Readonly<Record<"m" | "k" | "n" | "products" | "moved", number>>;
}

/** Threads of the PyTorch, feeding and memory parts, and the most of the steps. */
export const mostThreads = 2;

export const wasmDevice: BenchDevice = {
  name: "wasm",
  threads: [1, mostThreads],
  open: async (threads) => wasmBackend({ threads }),
  clock: (engine, program) => clock(() => engine.run(program)),
  // A matrix takes 96 KiB a thread and the other 256 KiB: both stay in the caches of a core. Many products, so that starting one does not count.
  limits: { m: 96 * mostThreads, k: 256, n: 256, products: 64, moved: 16 * 2 ** 20 },
};

/** The GPU of this machine. Throws where there is none. */
export async function webgpuDevice(quick: boolean): Promise<BenchDevice> {
  const gpu = await dawnGpu();
  const { webgpuBackend } = await import("../src/backends/webgpu/backend.ts");
  const { name } = factsOf(await requestAdapter(gpu));
  const side = quick ? 256 : 4096;
  return {
    name: "webgpu",
    hardware: name,
    threads: [0],
    open: () => webgpuBackend(gpu),
    clock: clockOfQueue(),
    limits: { m: side, k: side, n: side, products: 4, moved: quick ? 2 ** 20 : 64 * 2 ** 20 },
  };
}

/** Seconds that count as measured, beside what it takes to wait for a queue. */
const enough = 0.01;

/** Runs are queued: so many of them as take some time are timed up to a number that only the last of them leaves. */
function clockOfQueue(): BenchDevice["clock"] {
  const counts = new WeakMap<Program, number>();
  return async (engine, program) => {
    const [seen] = [...program.results, ...persistentTensors([program])].filter((one) => sizeOf(one.shape) > 0);
    const times = async (count: number): Promise<number> =>
      clock(async () => {
        for (let i = 0; i < count; i++) await engine.run(program);
        await engine.read(rows(seen, 0, 1));
      });
    let count = counts.get(program) ?? 1;
    let seconds = await times(count);
    while (!counts.has(program) && seconds < enough) {
      count *= 2;
      seconds = await times(count);
    }
    counts.set(program, count);
    return seconds / count;
  };
}

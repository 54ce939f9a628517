// --device auto: the GPU where it computes rightly and faster than all cores do, and else WASM.

import { defaultThreads } from "../backends/wasm/backend.ts";
import { askedSimd, chooseSimd, trySimd } from "../backends/wasm/simd.ts";
import type { AdapterFacts } from "../backends/webgpu/device.ts";
import { SaccadeError } from "../program/errors.ts";
import { dawnGpu } from "./dawn.ts";

/** What can be said of WebGPU here: an adapter and its trial, or why there is none. */
export type WebgpuSeen =
  | { readonly adapter: AdapterFacts; readonly exact: boolean; readonly gigaflops: number }
  | { readonly obstacle: string };

export async function seeWebgpu(): Promise<WebgpuSeen> {
  try {
    const gpu = await dawnGpu();
    const [{ factsOf, requestAdapter }, { webgpuBackend }, { tryDevice }] = await Promise.all([
      import("../backends/webgpu/device.ts"),
      import("../backends/webgpu/backend.ts"),
      import("../backends/webgpu/trial.ts"),
    ]);
    const adapter = factsOf(await requestAdapter(gpu));
    return { adapter, ...(await tryDevice(await webgpuBackend(gpu))) };
  } catch (error) {
    if (!(error instanceof SaccadeError)) throw error;
    return { obstacle: error.message };
  }
}

/** How much faster than its products the WASM backend's convolutions are, by Winograd's transform (docs/decisions.md). */
const winograd = 2.5;

export interface Choice {
  readonly device: "wasm" | "webgpu";
  readonly because: string;
}

/** Decides by what was measured; `wasm` is what all cores do, in GFLOP/s of products. */
export function decide(seen: WebgpuSeen, wasm: number): Choice {
  if ("obstacle" in seen) return { device: "wasm", because: seen.obstacle };
  const { adapter, exact, gigaflops } = seen;
  if (adapter.software) return { device: "wasm", because: `${adapter.name} computes on the CPU` };
  if (!exact) return { device: "wasm", because: `${adapter.name} computes wrongly` };
  const [its, ours] = [gigaflops, wasm * winograd].map((speed) => speed.toFixed(0));
  return gigaflops > wasm * winograd
    ? { device: "webgpu", because: `${adapter.name} makes ${its} GFLOP/s, the CPU as much as ${ours}` }
    : { device: "wasm", because: `${adapter.name} makes ${its} GFLOP/s, the CPU as much as ${ours}` };
}

export async function chooseDevice(): Promise<Choice> {
  const simd = askedSimd() ?? chooseSimd();
  const perThread = trySimd().get(simd)?.gigaflops ?? 0;
  return decide(await seeWebgpu(), perThread * defaultThreads());
}

// The backends that every conformance and behaviour test runs on.

import type { Backend } from "../../src/backends/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { simdObstacle } from "../../src/backends/wasm/simd.ts";
import { webgpuObstacle, webgpuUnderTest } from "./webgpu.ts";

/** Why 256-bit SIMD is left out here; undefined where it runs. tests/engine/simd.test.ts says it. */
export const wideObstacle = simdObstacle("wide");

export const backendsUnderTest: readonly { name: string; open: () => Promise<Backend> }[] = [
  {
    name: "wasm, the calling thread, relaxed SIMD",
    open: async () => wasmBackend({ threads: "here", simd: "relaxed" }),
  },
  { name: "wasm, 3 threads, plain SIMD", open: async () => wasmBackend({ threads: 3, simd: "plain" }) },
  ...(wideObstacle
    ? []
    : [{ name: "wasm, 2 threads, wide SIMD", open: async () => wasmBackend({ threads: 2, simd: "wide" }) }]),
  ...(webgpuObstacle ? [] : [{ name: "webgpu", open: async () => webgpuUnderTest() }]),
];

/**
 * The float32 backends of this machine, whose answers are held against float64, PyTorch and each other. WebGPU is left out where there
 * is none; tests/engine/webgpu.test.ts says why.
 */
export const float32Backends: readonly { readonly name: "wasm" | "webgpu"; readonly backend: Backend }[] = [
  { name: "wasm", backend: wasmBackend({ threads: 2 }) },
  ...(webgpuObstacle ? [] : [{ name: "webgpu" as const, backend: webgpuUnderTest() }]),
];

// The backends that every conformance and behaviour test runs on.

import type { Backend } from "../src/backends/backend.ts";
import { wasmBackend } from "../src/backends/wasm/backend.ts";

export const backendsUnderTest: readonly { name: string; open: () => Promise<Backend> }[] = [
  { name: "wasm, 2 threads, relaxed SIMD", open: async () => wasmBackend({ threads: 2, simd: "relaxed" }) },
  { name: "wasm, 3 threads, plain SIMD", open: async () => wasmBackend({ threads: 3, simd: "plain" }) },
];

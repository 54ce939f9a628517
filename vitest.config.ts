// How the tests run. With SACCADE_TEST_JSON=file the results are also written there; .ci/run counts from it.
import type { ViteUserConfig } from "vitest/config";

const json = process.env.SACCADE_TEST_JSON;

const config: ViteUserConfig = {
  test: {
    include: ["tests/**/*.test.ts"],
    setupFiles: ["tests/support/equal-bytes.ts"],
    // Processes, not threads: a test may start its own worker threads, and a crash in WebAssembly names its file.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    reporters: json ? ["default", ["json", { outputFile: json }]] : ["default"],
  },
};

export default config;

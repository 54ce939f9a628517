// WebGPU for tests: Dawn on a software driver, so that every machine computes alike, or the reason why there is none. With SACCADE_TEST_GPU it is the
// machine's GPU: tools/gpu-run.sh.

import { existsSync } from "node:fs";
import { afterAll } from "vitest";
import type { Backend, Engine } from "../../src/backends/backend.ts";
import { webgpuBackend } from "../../src/backends/webgpu/backend.ts";
import { dawnGpu } from "../../src/cli/dawn.ts";
import { recordProgram } from "../../src/program/program.ts";

/** Where Linux distributions describe lavapipe, Mesa's driver for the CPU. */
const lavapipe = [
  "/usr/share/vulkan/icd.d/lvp_icd.json",
  "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
  "/usr/share/vulkan/icd.d/lvp_icd.aarch64.json",
].find(existsSync);

const onHardware = process.env.SACCADE_TEST_GPU !== undefined;
if (lavapipe && !onHardware) process.env.VK_DRIVER_FILES ??= lavapipe;
// One thread: two test files run at a time, and a kernel for 64 numbers is no work to share.
process.env.LP_NUM_THREADS ??= "1";

async function open(): Promise<{ readonly backend: Backend; readonly held: Engine } | string> {
  try {
    const backend = await webgpuBackend(await dawnGpu());
    if (!onHardware && !/llvmpipe|swiftshader/i.test(backend.description))
      return `the tests want a software driver, and this is ${backend.description}`;
    // An engine of nothing keeps the device through a test file, and with it what was compiled.
    return { backend, held: await backend.prepare([recordProgram("nothing").finish([])]) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const opened = await open();
if (typeof opened !== "string") afterAll(() => opened.held.dispose());

/** Why WebGPU is left out here; undefined where it runs. With SACCADE_REQUIRE_WEBGPU every test file that asks for it fails of it. */
export const webgpuObstacle = typeof opened === "string" ? opened : undefined;
if (webgpuObstacle !== undefined && process.env.SACCADE_REQUIRE_WEBGPU !== undefined)
  throw new Error(`SACCADE_REQUIRE_WEBGPU is set, and there is none: ${webgpuObstacle}`);

export function webgpuUnderTest(): Backend {
  if (typeof opened === "string") throw new Error(opened);
  return opened.backend;
}

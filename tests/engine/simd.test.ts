// Which build of the kernels runs: the trial notices wrong kernels, SACCADE_SIMD is read strictly, and 256-bit vectors change no byte.

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import {
  chooseSimd,
  kernelModule,
  type Simd,
  simdKinds,
  simdNames,
  simdObstacle,
  trySimd,
} from "../../src/backends/wasm/simd.ts";
import { tryKernels } from "../../src/backends/wasm/simd-trial.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import { wideObstacle } from "../support/backends.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const skipped = wideObstacle === undefined ? "" : ` (left out: ${wideObstacle})`;

describe("a trial", () => {
  test("finds every build that runs here exact, and its speed", () => {
    const trials = trySimd();
    expect([...trials.keys()]).toEqual(simdKinds.filter((simd) => simdObstacle(simd) === undefined));
    for (const { exact, gigaflops } of trials.values()) {
      expect(exact).toBe(true);
      expect(gigaflops).toBeGreaterThan(0);
    }
    expect(trials.get("plain")?.tile).toEqual([4, 8]);
  });

  test("notices a kernel that computes something else", () => {
    const bytes = Uint8Array.from(readFileSync("build/kernels.wasm"));
    // f32x4.relaxed_madd becomes f32x4.relaxed_nmadd: −(x·y) + sum.
    let changed = 0;
    for (let i = 0; i + 2 < bytes.length; i++)
      if (bytes[i] === 0xfd && bytes[i + 1] === 0x85 && bytes[i + 2] === 0x02) {
        bytes[i + 1] = 0x86;
        changed++;
      }
    expect(changed).toBeGreaterThan(100);
    expect(tryKernels(new WebAssembly.Module(bytes)).exact).toBe(false);
  });
});

describe("SACCADE_SIMD", () => {
  test.each(simdKinds.filter((simd) => simdObstacle(simd) === undefined))("takes %s", async (simd) => {
    vi.stubEnv("SACCADE_SIMD", simd);
    expect(wasmBackend({ threads: 2 }).description).toBe(`float32, 2 threads, ${simdNames[simd]}`);
  });

  test("gives way to the option", () => {
    vi.stubEnv("SACCADE_SIMD", "relaxed");
    expect(wasmBackend({ threads: 1, simd: "plain" }).description).toBe("float32, 1 thread, plain SIMD");
  });

  test("left out or empty, the fastest is taken", () => {
    vi.stubEnv("SACCADE_SIMD", "");
    expect(wasmBackend({ threads: 1 }).description).toContain(simdNames[chooseSimd()]);
  });

  test.each(["fast", "Wide", "relaxed "])("refuses %j", (word) => {
    vi.stubEnv("SACCADE_SIMD", word);
    expect(() => wasmBackend()).toThrow(`SACCADE_SIMD: must be wide, relaxed or plain, got ${word}`);
  });
});

test.skipIf(wideObstacle)(`a training run has the same bytes under wide and relaxed SIMD${skipped}`, async () => {
  const images = proceduralObjects({ split: "train", count: 64, seed: 5 });
  const config = parseConfig(
    {
      name: "simd",
      encoder: "cifar",
      data: { dataset: "procedural-objects" },
      batch: 16,
      epochs: 1,
      loss: { kind: "contrastiveHinge" },
    },
    "simd",
  );
  async function trained(simd: Simd): Promise<Map<string, Float32Array>> {
    const trainer = await createTrainer({ config, dataset: images, backend: wasmBackend({ threads: 2, simd }) });
    while (trainer.position().step < 3) await trainer.step();
    const state = await trainer.state();
    await trainer.dispose();
    return state;
  }
  const wide = await trained("wide");
  expect(wide).toEqual(await trained("relaxed"));
  // Without fused multiply-add the last digits are others: the comparison would notice.
  expect(wide).not.toEqual(await trained("plain"));
});

test.runIf(wideObstacle)("wide SIMD is refused where it does not run", async () => {
  await expect(kernelModule("wide")).rejects.toThrow(`wasm: wide SIMD does not run here: ${wideObstacle}`);
});

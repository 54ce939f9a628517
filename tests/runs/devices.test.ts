// Runs on a device: steps whose losses are read together make the run of single steps, and a run may go on on another device.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { webgpuBackend } from "../../src/backends/webgpu/backend.ts";
import { dawnGpu } from "../../src/cli/dawn.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { randomStream } from "../../src/program/random.ts";
import { checkpointFiles, latestCheckpoint } from "../../src/runs/checkpoints.ts";
import { continueEnvironment, environment } from "../../src/runs/environment.ts";
import { createRun, type RunFolder, readMetrics } from "../../src/runs/run-folder.ts";
import { openStretch, stepsToLook } from "../../src/runs/stretch.ts";
import { train } from "../../src/runs/train.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import { float32Backends } from "../support/backends.ts";
import { webgpuObstacle, webgpuUnderTest } from "../support/webgpu.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-devices-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs of four grey pixels: 40 pictures, for each of two layers four steps of ten an epoch. */
const images: ImageSet = {
  name: "noise",
  pixels: Uint8Array.from({ length: 40 * 16 * 16 }, (_, i) => 255 * randomStream(3, Math.floor(i / 4)).uniform()),
  count: 40,
  height: 16,
  width: 16,
  channels: 1,
  labels: new Int32Array(40),
  classes: ["noise"],
};

const configured = (change: object = {}): Config =>
  parseConfig(
    {
      name: "devices",
      data: { dataset: "mnist" },
      augmentation: { kind: "affine" },
      encoder: {
        name: "two-layers",
        input: { height: 16, width: 16, channels: 1 },
        blocks: [
          { outputs: 4, kernel: 3, stride: 1, padding: 1, bias: false, after: ["hardtanh", { pool: "max", size: 2 }] },
          { outputs: 8, kernel: 3, stride: 1, padding: 1, bias: false, after: ["hardtanh"] },
        ],
        head: { averagePool: 2, outputs: 16, bias: false },
      },
      learning: "RLL",
      update: "URF",
      optimiser: { learningRate: 1e-4 },
      batch: 10,
      epochs: 3,
      metricsEvery: 1,
      ...change,
    },
    "devices",
  );

const wasm = wasmBackend({ threads: 2 });

interface Way {
  readonly backend: Backend;
  /** Stops after this step. */
  readonly until?: number;
}

/** A run that goes over to another device at each stop; what it was warned of. */
async function trained(config: Config, ways: readonly Way[]): Promise<{ run: RunFolder; alarms: string[] }> {
  const alarms: string[] = [];
  let run: RunFolder | undefined;
  for (const { backend, until } of ways) {
    const here = environment(backend);
    const from = run && latestCheckpoint(run.checkpoints);
    run ??= await createRun(root, config, here);
    const changed = from && (await continueEnvironment(run.path, from.position.step, here));
    const controller = new AbortController();
    const { steps } = await train({
      ...{ config, dataset: images, backend, run, figures: false, signal: controller.signal },
      ...(from ? { from, changed } : {}),
      onStep: ({ position: { step } }) => {
        if (step === until) controller.abort();
      },
      onAlarm: (message) => alarms.push(message),
    });
    if (until !== undefined) expect(steps).toBe(until);
  }
  return { run: run as RunFolder, alarms };
}

const lossesOf = (run: RunFolder): number[] =>
  readMetrics(run).flatMap((metric) => (metric.kind === "step" ? [metric.loss] : []));

describe("steps at a time", () => {
  test.each(float32Backends)("on $name are single steps, through an intervention too", async ({ backend }) => {
    const config = configured({ interventions: [{ step: 5, freeze: "conv1" }] });
    const open = () => createTrainer({ config, dataset: images, backend });
    const [single, several] = [await open(), await open()];
    const wanted = [];
    for (let step = 0; step < 8; step++) wanted.push(await single.step());
    expect(await several.steps(8)).toEqual(wanted);
    expect(wanted.map(({ position }) => position.step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(new Set(wanted.map(({ loss }) => loss)).size).toBe(8);
    expect(await several.state()).toEqual(await single.state());
    await expect(several.steps(17)).rejects.toThrow("position must be below 24, the steps of the run, got 24");
    expect(several.position().step).toBe(8);
    await Promise.all([single.dispose(), several.dispose()]);
  });

  test("make the same run, checkpoints and metrics to the byte", async () => {
    const config = configured({ xrayEvery: 3, checkpointEvery: 1, checkpointsKept: 9 });
    const asked: number[] = [];
    const counted: Backend = {
      ...wasm,
      notesEvery: 32,
      prepare: async (programs) => {
        const engine = await wasm.prepare(programs);
        const notes = async () => {
          const all = await engine.notes();
          asked.push(all.length);
          return all;
        };
        return { ...engine, notes };
      },
    };
    const [{ run: single }, { run: several }] = [
      await trained(config, [{ backend: wasm }]),
      await trained(config, [{ backend: counted }]),
    ];
    expect(Math.max(...asked)).toBeGreaterThan(1);
    expect(asked.reduce((sum, one) => sum + one)).toBe(24);
    expect(readFileSync(several.metrics, "utf8")).toBe(readFileSync(single.metrics, "utf8"));
    const checkpoints = (run: RunFolder): string[] =>
      checkpointFiles(run.checkpoints).map((name) => join(run.checkpoints, name));
    expect(checkpoints(several).map((file) => basename(file))).toEqual(
      checkpoints(single).map((file) => basename(file)),
    );
    expect(checkpoints(several).length).toBeGreaterThan(3);
    for (const [i, file] of checkpoints(several).entries())
      expect(readFileSync(file).equals(readFileSync(checkpoints(single)[i])), file).toBe(true);
  });

  test("end where something looks at the state", () => {
    const config = {
      checkpointEvery: 2,
      xrayEvery: 7,
      evaluateEvery: 3,
      interventions: [{ step: 9, freeze: "conv1" }],
    };
    const lengths = { stepsPerEpoch: 5, totalSteps: 23 };
    const ends: number[] = [];
    for (let step = 0; step < 23; step = ends.at(-1) as number)
      ends.push(step + stepsToLook(config as unknown as Config, lengths, step));
    expect(ends).toEqual([1, 7, 9, 10, 14, 15, 20, 21, 23]);
  });

  test("are as many as take a quarter of a second, where notes are dear", () => {
    const [free, dear] = [openStretch(), openStretch(16)];
    for (const stretch of [free, dear]) expect(stretch.most()).toBe(1);
    const grown = [1, 2, 4, 8, 16, 16].map((steps) => {
      dear.took(steps, steps);
      return dear.most();
    });
    expect(grown).toEqual([2, 4, 8, 16, 16, 16]);
    dear.took(16, 1600);
    expect(dear.most()).toBe(2);
    dear.took(2, 2000);
    expect(dear.most()).toBe(1);
    free.took(1, 0);
    expect(free.most()).toBe(1);
  });
});

/** Dawn, and the devices that were asked of it. */
async function watchedGpu(): Promise<{ gpu: GPU; devices: GPUDevice[] }> {
  const devices: GPUDevice[] = [];
  const dawn = await dawnGpu();
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> => {
    const adapter = await dawn.requestAdapter(options);
    return (adapter && {
      ...{ info: adapter.info, limits: adapter.limits, features: adapter.features },
      requestDevice: async (wanted?: GPUDeviceDescriptor) => {
        const device = await adapter.requestDevice(wanted);
        devices.push(device);
        return device;
      },
    }) as GPUAdapter | null;
  };
  return { gpu: { requestAdapter } as GPU, devices };
}

test.skipIf(webgpuObstacle !== undefined)(
  `a run whose device is lost says so, and goes on from its last checkpoint to the same bytes${webgpuObstacle ? ` (skipped: ${webgpuObstacle})` : ""}`,
  async () => {
    const config = configured({ checkpointEvery: 1 });
    const { gpu, devices } = await watchedGpu();
    const backend = await webgpuBackend(gpu);
    const run = await createRun(root, config, environment(backend));
    const whole = { config, dataset: images, backend, run, figures: false };
    const losing = train({
      ...whole,
      onStep: ({ position: { step } }) => {
        if (step === 10) devices.at(-1)?.destroy();
      },
    });
    await expect(losing).rejects.toThrow(/^webgpu: the device was lost \(.*\); go on from the last checkpoint$/);
    const from = latestCheckpoint(run.checkpoints);
    expect(from?.position.step).toBe(8);
    await train({ ...whole, ...(from ? { from } : {}) });
    expect(devices).toHaveLength(2);

    const { run: undisturbed } = await trained(config, [{ backend: webgpuUnderTest() }]);
    expect(readFileSync(run.metrics, "utf8")).toBe(readFileSync(undisturbed.metrics, "utf8"));
    const [got, wanted] = [run, undisturbed].map(({ checkpoints }) => latestCheckpoint(checkpoints));
    expect(got?.position.step).toBe(24);
    expect(got?.state).toEqual(wanted?.state);
  },
);

test.skipIf(webgpuObstacle !== undefined)(
  `a run goes from wasm to webgpu and back, says so, and stays on its way${webgpuObstacle ? ` (skipped: ${webgpuObstacle})` : ""}`,
  async () => {
    const config = configured();
    const webgpu = webgpuUnderTest();
    const { run, alarms } = await trained(config, [
      { backend: wasm, until: 3 },
      { backend: webgpu, until: 4 },
      { backend: wasm },
    ]);
    expect(alarms).toEqual([
      expect.stringMatching(/^until step 3 this run was computed by wasm: .*; from here on by webgpu: float32, /),
      expect.stringMatching(/^until step 4 this run was computed by webgpu: .*; from here on by wasm: float32, /),
    ]);
    // In the run's log, once each, at the step of the checkpoint.
    const noted = readMetrics(run).flatMap((metric) => (metric.kind === "alarm" ? [metric] : []));
    expect(noted).toEqual(alarms.map((message, i) => ({ kind: "alarm", step: 3 + i, about: "device", message })));
    const sessions = [2, 3].map((n) => JSON.parse(readFileSync(join(run.path, `environment-${n}.json`), "utf8")));
    expect(sessions.map(({ fromStep, backend }) => [fromStep, backend])).toEqual([
      [3, "webgpu"],
      [4, "wasm"],
    ]);

    const { run: stayed, alarms: none } = await trained(config, [{ backend: wasm }]);
    expect(none).toEqual([]);
    const [got, wanted] = [lossesOf(run), lossesOf(stayed)];
    expect(got).toHaveLength(24);
    // To the bit until the change; after it as near as two orders of adding float32 up stay in Adam's steps.
    expect(got.slice(0, 3)).toEqual(wanted.slice(0, 3));
    expect(got.slice(3)).not.toEqual(wanted.slice(3));
    got.forEach((loss, i) => {
      expect(Math.abs(loss / wanted[i] - 1), `step ${i + 1}`).toBeLessThan(1e-4);
    });
  },
);

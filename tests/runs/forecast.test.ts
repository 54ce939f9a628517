// What a run will take: counted sums held against what the run has, and times of a trainer whose steps take what the test says.

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralClasses } from "../../src/data/procedural-objects.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { networks } from "../../src/encoders/networks.ts";
import { holdOut } from "../../src/evaluation/held-out.ts";
import { explain } from "../../src/program/explain.ts";
import { healthEvery } from "../../src/record/bookkeeping.ts";
import { saveCheckpoint } from "../../src/runs/checkpoints.ts";
import { evaluationBytes } from "../../src/runs/evaluations.ts";
import {
  augmentedProbeFlops,
  costOf,
  flopsPerStep,
  type Needs,
  needsOf,
  requireRoom,
  roomFor,
  timeSteps,
} from "../../src/runs/forecast.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer, type Trainer } from "../../src/training/trainer.ts";

const data = { dataset: "procedural-objects", split: "unlabelled", size: 16, limit: 40 } as const;
const configured = (more: object): Config =>
  parseConfig({ name: "forecast", data, encoder: "tiny", batch: 10, epochs: 5, ...more }, "forecast");

/** Runs `use` on a trainer and ends it. */
async function withTrainer<T>(
  more: object,
  use: (trainer: Trainer) => T | Promise<T>,
  backend: Backend = wasmBackend({ threads: 1 }),
): Promise<T> {
  const config = configured(more);
  const trainer = await createTrainer({ config, dataset: await loadDataset(config.data), backend });
  try {
    return await use(trainer);
  } finally {
    await trainer.dispose();
  }
}

const needs = async (more: object, ...rest: [probe?: number, fromStep?: number]): Promise<Needs> => {
  const dataset = await loadDataset(data);
  return withTrainer(more, (trainer) => needsOf(trainer, dataset, ...rest));
};

describe("memory", () => {
  test("while training is the engine's without the dataset, and two and a half copies of a checkpoint", async () => {
    let engineBytes = 0;
    const inner = wasmBackend({ threads: 1 });
    const backend: Backend = {
      ...inner,
      prepare: async (programs) => {
        const engine = await inner.prepare(programs);
        engineBytes = engine.bytes;
        return engine;
      },
    };
    const dataset = await loadDataset(data);
    await withTrainer(
      {},
      async (trainer) => {
        const state = [...(await trainer.state()).values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
        expect(needsOf(trainer, dataset).memory.training).toBe(engineBytes - 40 * 16 * 16 * 3 + 2.5 * state);
      },
      backend,
    );
  });

  test("is that of the rule that asks for most, where an intervention sets another", async () => {
    const [bp, dtp] = [await needs({}), await needs({ update: "DTP" })];
    const later = await needs({ interventions: [{ step: 3, set: { update: "DTP" } }] });
    expect(dtp.disk.checkpoints).toBeGreaterThan(bp.disk.checkpoints);
    expect(later.disk.checkpoints).toBe(dtp.disk.checkpoints);
    // The kernels' scratch is that of the first rule.
    expect(later.memory.training).toBeGreaterThan(0.9 * dtp.memory.training);
    expect(later.memory.training).toBeLessThan(1.1 * dtp.memory.training);
    expect(later.memory.training).toBeGreaterThan(1.2 * bp.memory.training);
    const back = await needs({ update: "DTP", interventions: [{ step: 3, set: { update: "BP" } }] });
    expect(back.memory.training).toBe(dtp.memory.training);
  });

  test("grows with the batch, and is the probe's where that takes more", async () => {
    const [small, large] = [await needs({}), await needs({ batch: 40 })];
    expect(large.memory.training).toBeGreaterThan(1.3 * small.memory.training);
    expect((await needs({}, 2 ** 40)).memory).toMatchObject({ probe: 2 ** 40, peak: 2 ** 40 });
    expect(small.memory.peak).toBe(small.memory.training);
  });
});

describe("disk", () => {
  test("holds the checkpoints that are kept, as large as they are, and fewer where fewer are written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "saccade-forecast-"));
    const bytes = await withTrainer({}, async (trainer) => {
      const saved = {
        position: trainer.position(),
        state: await trainer.state(),
        losses: { sum: 0, steps: 0 },
        config: "",
      };
      return statSync(await saveCheckpoint(folder, trainer.recorded, saved, { newest: 3, every: 1 })).size;
    });
    rmSync(folder, { recursive: true });
    for (const [more, fromStep, count] of [
      [{}, 0, 5],
      [{ epochs: 2 }, 0, 3],
      [{ checkpointEvery: 5 }, 0, 2],
      [{}, 8, 1],
    ] as const) {
      const { disk } = await needs(more, 0, fromStep);
      expect(disk.checkpoints / bytes, JSON.stringify(more)).toBeCloseTo(count, 1);
      expect(disk.total).toBe(disk.checkpoints + disk.metrics + disk.events + disk.figures);
    }
  });

  test("holds fewer metrics where fewer are written", async () => {
    const [every, tenth, rest] = [await needs({}), await needs({ metricsEvery: 10 }), await needs({}, 0, 10)];
    expect(tenth.disk.metrics).toBeLessThan(every.disk.metrics);
    expect(rest.disk.metrics).toBeLessThan(every.disk.metrics);
  });
});

describe("evaluations", () => {
  test("take memory while training, and lines of metrics and events; as many as come", async () => {
    const heldOut = holdOut(await loadDataset({ ...data, split: "train", limit: 60 }), networks.tiny);
    const probe = { train: { ...data, split: "train" }, test: { ...data, split: "test" } };
    const dataset = await loadDataset(data);
    const [never, evaluated] = await Promise.all(
      [0, 1].map((evaluateEvery) =>
        withTrainer({ probe, evaluateEvery }, (trainer) =>
          needsOf(trainer, dataset, 0, 0, evaluateEvery ? evaluationBytes(trainer.config, heldOut) : 0),
        ),
      ),
    );
    const more = evaluated.memory.training - never.memory.training;
    expect(more).toBe(evaluationBytes(configured({ probe, evaluateEvery: 1 }), heldOut));
    // At the least the pictures, and their features of 1,024 numbers.
    expect(more).toBeGreaterThan(60 * (16 * 16 * 3 + 4 * 1024));
    // 5 evaluations of 2 scores.
    expect(evaluated.disk.metrics - never.disk.metrics).toBe(5 * (80 + 2 * 80));
    expect(evaluated.disk.events - never.disk.events).toBe(5 * 2 * 120);
  });

  test("take time: one is timed, and the random encoder's is one more", async () => {
    const backend = wasmBackend({ threads: 1 });
    const heldOut = holdOut(await loadDataset({ ...data, split: "train", limit: 30 }), networks.tiny);
    const probe = { train: { ...data, split: "train" }, test: { ...data, split: "test" } };
    const { seconds, evaluating, secondsPerStep } = await withTrainer(
      { probe, evaluateEvery: 2, xrayEvery: 0 },
      (trainer) => timeSteps(trainer, 0.01, { heldOut, backend }),
    );
    // 3 evaluations and the random encoder's, each far longer than a step of this network.
    expect(evaluating).toBeGreaterThan(4 * secondsPerStep);
    expect(seconds).toBeGreaterThan(evaluating + 20 * secondsPerStep - 1e-9);
  });
});

describe("room", () => {
  const wanted: Needs = {
    memory: { training: 100, probe: 50, peak: 100 },
    disk: { checkpoints: 60, metrics: 20, events: 10, figures: 10, total: 100 },
  };

  test("that is just enough is enough, and so is one that is not known", () => {
    requireRoom(wanted, { memory: 100, disk: 100 }, "runs");
    requireRoom(wanted, { memory: undefined, disk: undefined }, "runs");
  });

  test("that lacks a byte is refused, with what would mend it", () => {
    expect(() => requireRoom(wanted, { memory: 99, disk: 100 }, "runs")).toThrow(
      "memory: training needs 100 B more, and 99 B is free; make the batch smaller",
    );
    const probe = { ...wanted, memory: { training: 50, probe: 100, peak: 100 } };
    expect(() => requireRoom(probe, { memory: 99, disk: 100 }, "runs")).toThrow(
      "memory: the probe needs 100 B more, and 99 B is free; set probe.train.limit and probe.test.limit lower, or --no-probe",
    );
    expect(() => requireRoom(wanted, { memory: 100, disk: 99 }, "runs")).toThrow(
      "runs: the run needs 100 B of disk (checkpoints 60 B, metrics 30 B), and 99 B is free; make room there",
    );
  });

  test("is that of the disk on which a folder will be", () => {
    const { disk } = roomFor(join(tmpdir(), "none", "such"));
    expect(disk).toBeGreaterThan(0);
  });
});

test("FLOPs of a step are those that explain counts, the mean of layers that take turns", async () => {
  for (const learning of ["E2E", "GLL"])
    await withTrainer({ learning }, (trainer) => {
      const counts = trainer.recorded.lessons.map(({ program }) => explain(program).flops);
      expect(flopsPerStep(trainer)).toBeCloseTo(counts.reduce((sum, one) => sum + one, 0) / counts.length, 3);
    });
});

test("FLOPs of a step count what shrinking larger pictures reads", () => {
  const large = { name: "large pictures", count: 40, height: 48, width: 48, channels: 3, classes: 10 };
  const [smoothed, bare] = [true, false].map((antialias) =>
    costOf(configured({ augmentation: { kind: "affine", antialias } }), large),
  );
  // Three times along each side: 36 pixels for 4, two operations each; two views of ten pictures of 16 × 16 × 3.
  expect((smoothed.flops - bare.flops) / bare.steps).toBe(2 * (36 - 4) * 2 * 10 * 16 * 16 * 3);
});

test("FLOPs of a read-out that learns from new crops are those of both encoders, for every label, epoch and draw", () => {
  const set = { dataset: "procedural-objects", size: 20 };
  const probe = { train: set, test: { ...set, split: "test" }, labelsPerClass: [3, "all"], seeds: 2, epochs: 7 };
  const labelled = { count: 100, classes: proceduralClasses };
  const of = (more: object): number => augmentedProbeFlops(configured({ probe: { ...probe, ...more } }), labelled);
  expect(of({})).toBe(0);
  const convolutions = 2 * 9 * (16 * 16 * (3 * 16 + 16 * 32) + 8 * 8 * 32 * 64);
  const forward = of({ augmentation: { kind: "crop" } }) / (2 * 2 * 7 * (30 + 100));
  expect(forward).toBeGreaterThan(convolutions);
  expect(forward).toBeLessThan(1.02 * convolutions);
});

describe("time", () => {
  afterEach(() => vi.restoreAllMocks());

  /** What is forecast for a trainer whose step, look at embeddings and X-ray of all layers take so many seconds. */
  function timed(more: object, step: (at: number, trainer: Trainer) => number, look = 0, xray = 0, budget = 5) {
    return withTrainer(more, async (trainer) => {
      let now = 0;
      let at = 0;
      vi.spyOn(performance, "now").mockImplementation(() => 1000 * now);
      const slow: Trainer = {
        ...trainer,
        step: async () => {
          now += step(at++, trainer);
          return { position: trainer.position(), loss: 0, metrics: {} };
        },
        restore: async (_, position) => {
          at = position.step;
        },
        embeddings: async () => {
          now += look;
          return undefined;
        },
        xray: async () => {
          now += xray;
          return [];
        },
      };
      return timeSteps(slow, budget);
    });
  }

  test("is that of the steps, without the first, which compiles", async () => {
    const { seconds, spread, secondsPerStep } = await timed({ epochs: 100, xrayEvery: 0 }, (at) =>
      at === 0 ? 3 : 0.1,
    );
    expect(secondsPerStep).toBeCloseTo(0.1, 9);
    expect(seconds).toBeCloseTo(400 * 0.1, 9);
    expect(spread).toBeCloseTo(0, 9);
  });

  test("takes every layer at its own pace under GLL", async () => {
    const paces = [0.1, 0.2, 0.6];
    const { seconds, stepsTimed } = await timed(
      { learning: "GLL", xrayEvery: 0 },
      (at, { totalSteps }) => paces[Math.floor((3 * at) / totalSteps)],
    );
    expect(seconds).toBeCloseTo(20 * (0.1 + 0.2 + 0.6), 9);
    expect(stepsTimed).toBeGreaterThanOrEqual(9);
  });

  test("adds looks at the embeddings and X-rays as often as they come", async () => {
    const { seconds } = await timed({ epochs: 100, xrayEvery: 100 }, () => 0.1, 0.5, 2);
    // X-rays before the first step, after 100, 200, 300 and 400.
    expect(seconds).toBeCloseTo(400 * 0.1 + (400 / healthEvery) * 0.5 + 5 * 2, 9);
  });

  test("is as uncertain as single steps are", async () => {
    const { seconds, spread } = await timed({ epochs: 100, xrayEvery: 0 }, (at) => (at % 2 === 0 ? 0.1 : 0.3));
    expect(seconds / 400).toBeCloseTo(0.2, 1);
    expect(spread / 400).toBeCloseTo(0.1, 1);
  });

  test("is measured in some seconds, however slow the steps, and of a single step where there is but one", async () => {
    expect((await timed({ epochs: 100, xrayEvery: 0 }, () => 60)).stepsTimed).toBe(3);
    expect(await timed({ epochs: 1, batch: 40, xrayEvery: 0 }, () => 60)).toMatchObject({ seconds: 60, stepsTimed: 1 });
  });
});

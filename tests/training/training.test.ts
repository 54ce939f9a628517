// Training as a whole: one seed gives one run at any number of threads, through any stop; numbers that go bad are noticed.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { randomStream } from "../../src/program/random.ts";
import type { Shape } from "../../src/program/tensor.ts";
import {
  bestCheckpoint,
  checkpointFiles,
  latestCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
} from "../../src/runs/checkpoints.ts";
import { finishedRun } from "../../src/runs/resume.ts";
import { createRun, openRun, type RunFolder, readMetrics } from "../../src/runs/run-folder.ts";
import { type TrainResult, train } from "../../src/runs/train.ts";
import {
  collapseAlarm,
  embeddingHealth,
  symmetricEigenvalues,
  watchCollapse,
  watchLosses,
} from "../../src/training/alarms.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { decodeSafetensors } from "../../src/training/safetensors.ts";
import { createTrainer } from "../../src/training/trainer.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-training-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Grey pictures of bars, each with its own place, slope and width: different enough not to collapse. */
function bars(count: number): ImageSet {
  const side = 28;
  const pixels = new Uint8Array(count * side * side);
  for (let i = 0; i < count; i++) {
    const random = randomStream(7, i);
    const [slope, place, width] = [random.uniform() * 2 - 1, 4 + random.uniform() * 20, 1 + random.uniform() * 5];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++)
        if (Math.abs(x - place - slope * (y - 14)) < width) pixels[(i * side + y) * side + x] = 255;
  }
  return {
    name: "bars",
    pixels,
    count,
    height: side,
    width: side,
    channels: 1,
    labels: new Int32Array(count),
    classes: ["bar"],
  };
}

const blank = (count: number): ImageSet => ({ ...bars(count), pixels: new Uint8Array(count * 28 * 28).fill(128) });

/** 45 images in batches of 10: four steps an epoch, five images of each order left over. */
const images = bars(45);
const stepsPerEpoch = 4;

const configured = (change: object = {}): Config =>
  parseConfig(
    {
      name: "bars",
      seed: 3,
      data: { dataset: "mnist" },
      augmentation: { kind: "affine" },
      encoder: "mnist",
      optimiser: { learningRate: 1e-3 },
      batch: 10,
      epochs: 3,
      xrayEvery: 0,
      ...change,
    },
    "bars",
  );

const undisturbedSteps = stepsPerEpoch * 3;

interface Trained {
  readonly run: RunFolder;
  readonly result: TrainResult;
}

interface Circumstances {
  readonly threads?: number;
  readonly dataset?: ImageSet;
  /** Steps after which the run is told to stop, one after the other; it is resumed after each. */
  readonly stops?: readonly number[];
  readonly onAlarm?: (message: string) => void;
}

const twoThreads = wasmBackend({ threads: 2 });

/** A run from its seed to its end, or through stops. */
async function trained(
  config: Config,
  { threads = 2, dataset = images, stops = [], onAlarm }: Circumstances = {},
): Promise<Trained> {
  const run = await createRun(root, config, {});
  const backend = threads === 2 ? twoThreads : wasmBackend({ threads });
  const whole = { config, dataset, backend, run, ...(onAlarm ? { onAlarm } : {}) };
  for (const stop of stops) {
    const controller = new AbortController();
    const { end, steps } = await train({
      ...whole,
      ...resumption(run),
      signal: controller.signal,
      onStep: ({ position }) => {
        if (position.step === stop) controller.abort();
      },
    });
    expect({ end, steps }).toEqual({ end: "stopped", steps: stop });
  }
  return { run, result: await train({ ...whole, ...resumption(run) }) };
}

function resumption({ checkpoints }: RunFolder) {
  const from = latestCheckpoint(checkpoints);
  return from ? { from } : {};
}

const bytesOf = ({ result }: Trained): string => readFileSync(result.checkpoint).toString("hex");
const linesOf = ({ run }: Trained): string[] => readFileSync(run.metrics, "utf8").split("\n");

function expectSame(a: Trained, b: Trained): void {
  expect(linesOf(a)).toEqual(linesOf(b));
  // Not toEqual on the bytes: a difference would print megabytes.
  expect(bytesOf(a) === bytesOf(b), "the last checkpoints are equal to the byte").toBe(true);
}

test.each([
  ["pairs of views", "each box: anchor | view", {}],
  ["pictures", "what the network saw", { loss: { kind: "crossEntropy" } }],
  [
    "patches",
    "each box: a patch of the top row | the first below that it predicts",
    {
      augmentation: { kind: "patches", crop: 28, size: 12, stride: 4 },
      loss: { kind: "clappPatches", steps: 2 },
      learning: "GLL",
    },
  ],
])("a run ends with its figures: %s", async (title, caption, change) => {
  const { run, result } = await trained(configured({ ...change, xrayEvery: 4, epochs: 1 }));
  expect(result.end).toBe("done");
  const files = ["loss", "views", "xray"].flatMap((name) => [`${name}.png`, `${name}.svg`]);
  expect(readdirSync(run.figures).sort()).toEqual(files);
  const svg = readFileSync(join(run.figures, "views.svg"), "utf8");
  expect(svg).toContain(`>bars: ${title}<`);
  expect(svg).toContain(`>${caption}<`);
});

describe("one seed", () => {
  let undisturbed: Trained;
  beforeAll(async () => {
    undisturbed = await trained(configured());
  });

  test("makes a whole run folder", () => {
    const { run, result } = undisturbed;
    expect(result).toMatchObject({ end: "done", steps: undisturbedSteps });
    expect(basename(result.checkpoint)).toBe("step-00000012.safetensors");
    expect(readdirSync(run.path).sort()).toEqual([
      "checkpoints",
      "config.yaml",
      "data.json",
      "environment.json",
      "figures",
      "metrics.jsonl",
      "tensorboard",
    ]);
    expect(readdirSync(run.figures).sort()).toEqual(["loss.png", "loss.svg", "views.png", "views.svg"]);
    // The newest three: epochs 1 to 3; what a run began with is not kept for ever.
    expect(checkpointFiles(run.checkpoints)).toEqual(
      [4, 8, 12].map((step) => `step-${String(step).padStart(8, "0")}.safetensors`),
    );
    expect(openRun(run.path).config).toEqual(configured());
  });

  test("writes one line a step, with numbers that make sense, and learns", () => {
    const lines = readMetrics(undisturbed.run);
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: undisturbedSteps }, (_, i) => i + 1));
    for (const line of lines) {
      if (line.kind !== "step") throw new Error(`unexpected line ${JSON.stringify(line)}`);
      expect(line.epoch).toBeCloseTo(line.step / stepsPerEpoch, 12);
      expect(line.loss).toBeGreaterThan(0);
      for (const share of [line.activePositives, line.activeNegatives]) {
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(1);
      }
    }
    const losses = lines.map((line) => (line.kind === "step" ? line.loss : Number.NaN));
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-stepsPerEpoch))).toBeLessThan(mean(losses.slice(0, stepsPerEpoch)));
    expect(lines.at(-1)).toHaveProperty("effectiveRank");
  });

  test("gives the same run again", async () => expectSame(await trained(configured()), undisturbed));

  test.each([1, 3])("gives the same run with %i thread(s)", async (threads) => {
    expectSame(await trained(configured(), { threads }), undisturbed);
  });

  test.each([
    ["after the first step", [1]],
    ["in the middle of an epoch", [6]],
    ["at the end of an epoch", [8]],
    ["twice in one epoch, and before the last step", [5, 7, 11]],
  ])("gives the same run when it is stopped %s and resumed", async (_, stops) => {
    expectSame(await trained(configured(), { stops }), undisturbed);
  });

  test("gives the same run after a crash: the newest checkpoint is older than the metrics", async () => {
    const run = await createRun(root, configured(), {});
    cpSync(undisturbed.run.path, run.path, { recursive: true });
    for (const file of checkpointFiles(run.checkpoints).slice(1)) rmSync(join(run.checkpoints, file));
    writeFileSync(run.metrics, readFileSync(run.metrics, "utf8").slice(0, -20));
    const result = await train({ config: configured(), dataset: images, backend: twoThreads, run, ...resumption(run) });
    expectSame({ run, result }, undisturbed);
  });

  test("goes on unchanged when the run is lengthened", async () => {
    const short = configured({ epochs: 2, metricsEvery: 1 });
    const first = await trained(short);
    const result = await train({
      config: configured(),
      dataset: images,
      backend: twoThreads,
      run: first.run,
      ...resumption(first.run),
    });
    expect(bytesOf({ ...first, result }) === bytesOf(undisturbed)).toBe(true);
  });

  test("decides the run: another seed gives another", async () => {
    const other = await trained(configured({ seed: 4, epochs: 1 }));
    expect(linesOf(other).slice(0, 3)).not.toEqual(linesOf(undisturbed).slice(0, 3));
    const [a, b] = [other.result.checkpoint, join(undisturbed.run.checkpoints, basename(other.result.checkpoint))].map(
      (path) => loadCheckpoint(path).state,
    );
    for (const [name, values] of a) expect(values, name).not.toEqual(b.get(name));
  });

  test("leaves the seed's weights in no doubt: what decides the numbers may not change on resume", async () => {
    const config = configured({ optimiser: { learningRate: 2e-3 } });
    const { run } = undisturbed;
    await expect(train({ config, dataset: images, backend: twoThreads, run, ...resumption(run) })).rejects.toThrow(
      /step-00000012\.safetensors: was written by another configuration: optimiser\.learningRate is 0\.001 there and 0\.002 here; /,
    );
    expect(linesOf(undisturbed)).toHaveLength(undisturbedSteps + 1);
  });

  test("is not wound back: an end before the checkpoint is refused, and nothing is written", async () => {
    const { run } = undisturbed;
    const before = readFileSync(run.metrics, "utf8");
    const config = configured({ epochs: 2 });
    await expect(train({ config, dataset: images, backend: twoThreads, run, ...resumption(run) })).rejects.toThrow(
      /: epochs must be at least 3, as 12 steps are done, got 2$/,
    );
    expect(readFileSync(run.metrics, "utf8")).toBe(before);
  });
});

describe("checkpoints", () => {
  /** Mean loss of each epoch, from the metrics. */
  const epochLosses = ({ run }: Trained): number[] => {
    const losses = readMetrics(run).flatMap((line) => (line.kind === "step" ? [line.loss] : []));
    return Array.from({ length: losses.length / stepsPerEpoch }, (_, epoch) => {
      const of = losses.slice(epoch * stepsPerEpoch, (epoch + 1) * stepsPerEpoch);
      return of.reduce((sum, loss) => sum + loss, 0) / stepsPerEpoch;
    });
  };
  const lowest = (values: readonly number[]): number => values.indexOf(Math.min(...values));
  const named = (steps: readonly number[]): string[] =>
    steps.map((step) => `step-${String(step).padStart(8, "0")}.safetensors`);

  /** Too slow to learn anything: which epoch has the lowest loss is chance. */
  const still = { optimiser: { learningRate: 1e-12 }, epochs: 6 };

  test("that are kept are the newest and the best", async () => {
    const run = await trained(configured({ ...still, checkpointsKept: 2 }));
    const losses = epochLosses(run);
    const best = lowest(losses);
    expect(best, "the best is none of the newest").toBeLessThan(4);
    expect(checkpointFiles(run.run.checkpoints)).toEqual(named([4 * (best + 1), 20, 24]));
    const found = bestCheckpoint(run.run.checkpoints);
    expect(found?.position.step).toBe(4 * (best + 1));
    expect(latestCheckpoint(run.run.checkpoints)?.losses).toEqual({
      sum: 0,
      steps: 0,
      best: { step: 4 * (best + 1), loss: losses[best] },
    });
  });

  test("are those of a run that nobody stopped", async () => {
    const config = configured(still);
    const files = async (stops: readonly number[]): Promise<string[]> =>
      checkpointFiles((await trained(config, { stops })).run.checkpoints);
    expect(await files([18, 21])).toEqual(await files([]));
  });

  test("further apart average over the epochs between them; a stop is not among the best", async () => {
    const config = configured({ ...still, checkpointEvery: 2 });
    const undisturbed = await trained(config);
    const losses = epochLosses(undisturbed);
    const means = [0, 2, 4].map((epoch) => (losses[epoch] + losses[epoch + 1]) / 2);
    const best = latestCheckpoint(undisturbed.run.checkpoints)?.losses.best;
    expect(best?.step).toBe(8 * (lowest(means) + 1));
    expect(best?.loss).toBeCloseTo(Math.min(...means), 8);
    expectSame(await trained(config, { stops: [3, 13, 21] }), undisturbed);
  });

  test("under GLL are the best of the layer that learns: every layer has a loss of its own", async () => {
    const run = await trained(configured({ ...still, epochs: 2, learning: "GLL" }));
    const losses = epochLosses(run);
    expect(lowest(losses), "another layer's loss is lower").toBeLessThan(4);
    const best = 4 + lowest(losses.slice(4));
    expect(latestCheckpoint(run.run.checkpoints)?.losses.best).toEqual({ step: 4 * (best + 1), loss: losses[best] });
  });

  test.each([
    ["E2E", { update: "URF" }, { "head.weight": 128, "head.feedback.weight.v": 128 }],
    ["E2E", { update: "DFA" }, { "conv1.direct.weight": 32, "conv3.direct.weight": 128 }],
    ["GLL", { update: "BP" }, { "head1.weight": 32, "head2.weight.m": 64, "head3.weight": 128 }],
  ])(
    "of %s %j hold matrices as PyTorch has them, pictures with their channels first",
    async (learning, change, all) => {
      const trainer = await createTrainer({
        config: configured({ ...change, learning, epochs: 1 }),
        dataset: images,
        backend: twoThreads,
      });
      for (let step = 0; step < trainer.totalSteps; step++) await trainer.step();
      const state = await trainer.state();
      const { recorded } = trainer;
      const checkpoint = { position: trainer.position(), state, losses: { sum: 0, steps: 0 }, config: "" };
      const path = await saveCheckpoint(join(root, `${learning} ${change.update}`), recorded, checkpoint, {
        newest: 1,
        every: 1,
      });
      await trainer.dispose();
      const stored = decodeSafetensors(readFileSync(path), "stored").tensors;
      const shapes = new Map(recorded.state.map(({ name, shape }) => [name, shape]));
      for (const [name, channels] of Object.entries(all)) {
        const ours = state.get(name) as Float32Array;
        const [inputs, outputs] = shapes.get(name) as Shape;
        expect(stored.get(name)?.shape, name).toEqual([outputs, inputs]);
        const theirs = stored.get(name)?.data as Float32Array;
        expect(new Set(theirs).size, name).toBeGreaterThan(1000);
        const pixels = inputs / channels;
        let differing = 0;
        for (let o = 0; o < outputs; o++)
          for (let c = 0; c < channels; c++)
            for (let pixel = 0; pixel < pixels; pixel++)
              if (theirs[(o * channels + c) * pixels + pixel] !== ours[(pixel * channels + c) * outputs + o])
                differing++;
        expect(differing, name).toBe(0);
      }
    },
  );

  test("of another rule are refused before anything is written, though the configuration's key is right", async () => {
    const { run, result } = await trained(configured({ epochs: 1 }));
    const from = loadCheckpoint(result.checkpoint);
    const shapes = new Map([...from.shapes, ["conv2.weight.m", [3, 3, 32, 65]]]);
    const before = readFileSync(run.metrics, "utf8");
    const whole = { config: configured({ epochs: 2 }), dataset: images, backend: twoThreads, run };
    await expect(train({ ...whole, from: { ...from, shapes } })).rejects.toThrow(
      new SaccadeError(
        `${result.checkpoint}: conv2.weight.m must be [3, 3, 32, 64], got [3, 3, 32, 65]; the checkpoint is of another network or rule`,
      ),
    );
    expect(readFileSync(run.metrics, "utf8")).toBe(before);
  });
});

describe("a run that is told to stop before its first step", () => {
  test("leaves the checkpoint it began with, and no figure of nothing", async () => {
    const config = configured({ epochs: 1 });
    const run = await createRun(root, config, {});
    const result = await train({ config, dataset: images, backend: twoThreads, run, signal: AbortSignal.abort() });
    expect(result).toMatchObject({ end: "stopped", steps: 0 });
    expect(checkpointFiles(run.checkpoints)).toEqual(["step-00000000.safetensors"]);
    expect(readdirSync(run.figures)).toEqual([]);
  });
});

describe("numbers that go bad", () => {
  test("stop the run with a plain sentence and leave the last checkpoint sound", async () => {
    const config = configured();
    const run = await createRun(root, config, {});
    const { signal, abort } = stopper();
    const halfway = await train({
      config,
      dataset: images,
      backend: twoThreads,
      run,
      signal,
      onStep: ({ position }) => position.step === 5 && abort(),
    });
    // A synapse that is not a number stands for whatever made it so.
    const from = loadCheckpoint(halfway.checkpoint);
    const before = readFileSync(halfway.checkpoint);
    const state = new Map(
      [...from.state].map(([name, values]) => [name, name.startsWith("head") ? values.map(() => Number.NaN) : values]),
    );
    await expect(
      train({ config, dataset: images, backend: twoThreads, run, from: { ...from, state } }),
    ).rejects.toThrow(
      /^train: the loss of step 6 must be a number, got NaN; lower optimiser\.learningRate, or look at the loss's margins and at valueRange$/,
    );
    expect(readFileSync(halfway.checkpoint).equals(before)).toBe(true);
    expect(checkpointFiles(run.checkpoints).at(-1)).toBe(basename(halfway.checkpoint));
    expect(readMetrics(run)).toHaveLength(5);
  });

  // CLAPP's hinge makes 0 of NaN, so that nothing but the weights tells.
  const dead = { loss: { kind: "clapp" }, adam: { learningRate: 1e30 } };

  test.each([
    ["at the next look, long before a checkpoint", { epochs: 10, checkpointEvery: 10 }, 20],
    [
      "at the next look, where metrics are written more rarely",
      { epochs: 10, checkpointEvery: 10, metricsEvery: 7 },
      20,
    ],
    ["where a checkpoint is due", { epochs: 10 }, 4],
    ["at the last step", { epochs: 1, checkpointEvery: 10 }, 4],
  ])("that the loss hides stop a run %s, and no checkpoint has them", async (_, change, step) => {
    const config = configured({ ...dead, ...change });
    const run = await createRun(root, config, {});
    await expect(train({ config, dataset: images, backend: twoThreads, run })).rejects.toThrow(
      new RegExp(`^train: \\S+ after step ${step} must be finite, got (NaN|-?Infinity); lower `),
    );
    const losses = readMetrics(run).flatMap((metric) => (metric.kind === "step" ? [metric.loss] : []));
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(checkpointFiles(run.checkpoints)).toEqual(["step-00000000.safetensors"]);
  });

  test("are written by no stop", async () => {
    const config = configured({ ...dead, epochs: 10, checkpointEvery: 10 });
    const run = await createRun(root, config, {});
    const { signal, abort } = stopper();
    const onStep = ({ position }: { position: { step: number } }) => position.step === 3 && abort();
    await expect(train({ config, dataset: images, backend: twoThreads, run, signal, onStep })).rejects.toThrow(
      /^train: \S+ after step 3 must be finite/,
    );
    expect(checkpointFiles(run.checkpoints)).toEqual(["step-00000000.safetensors"]);
  });

  test("of a learning rate far too large are noticed at once", async () => {
    await expect(trained(configured({ optimiser: { learningRate: 1e38 } }))).rejects.toThrow(
      /^train: the loss of step \d+ must be a number, got (NaN|Infinity); /,
    );
  });
});

function stopper(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe("a loss that runs away", () => {
  // Random feedback that stays as it is, at a learning rate far too high for it.
  const wild = { update: "RF", optimiser: { learningRate: 0.05 }, epochs: 20, metricsEvery: 2 };

  test("is told once, on the way and in the metrics, the same whether or not the run was stopped", async () => {
    const told: string[] = [];
    const undisturbed = await trained(configured(wild), { onAlarm: (message) => told.push(message) });
    expect(told).toEqual([
      expect.stringMatching(/^the loss is diverging: .* smaller optimiser\.learningRate .* \(update=URF\)$/),
    ]);
    const alarms = readMetrics(undisturbed.run).filter(({ kind }) => kind === "alarm");
    expect(alarms).toMatchObject([{ about: "loss", message: told[0] }]);
    const [{ step }] = alarms;
    // Before the alarm, and after it.
    const { run } = await trained(configured(wild), { stops: [step - 5, step + 1] });
    expect(readMetrics(run)).toEqual(readMetrics(undisturbed.run));
  });

  test("is not told of a run that learns", async () => {
    const told: string[] = [];
    await trained(configured({ epochs: 20 }), { onAlarm: (message) => told.push(message) });
    expect(told).toEqual([]);
  });

  test("is watched layer by layer, from five times the first loss on", () => {
    const { see, knows } = watchLosses({ update: "BP" });
    for (let i = 0; i < 20; i++) for (const layer of [1, 2]) expect(see(10 * layer, layer)).toBeUndefined();
    expect([1, 2, 3, undefined].map((layer) => knows(layer))).toEqual([true, true, false, false]);
    // The mean of the last twenty passes 50 when twelve of them are 80, and layer 2 does not reach 100.
    const alarms = Array.from({ length: 20 }, () => [see(80, 1), see(80, 2)]);
    expect(alarms.findIndex(([one]) => one !== undefined)).toBe(11);
    expect(alarms[11][0]).toMatch(/^the loss of layer 1 is diverging: it began at 10\.0 and is 52\.0 on average now; /);
    expect(alarms.every(([, two]) => two === undefined)).toBe(true);
    expect(alarms[11][0]).not.toContain("URF");
  });

  test("is not told while it falls back from a first leap, and told if it stays up there", () => {
    const { see } = watchLosses({ update: "URF" });
    see(100);
    for (let i = 0; i < 100; i++) expect(see(3000 * 0.95 ** i)).toBeUndefined();
    const stays = watchLosses({ update: "URF" });
    stays.see(100);
    const told = Array.from({ length: 60 }, (_, i) => stays.see(i < 10 ? 3000 - 100 * i : 2000));
    expect(told.findIndex((message) => message !== undefined)).toBeGreaterThan(18);
    expect(told.some((message) => message !== undefined)).toBe(true);
  });
});

describe("collapse", () => {
  test("is told when two looks in a row see it, of every layer by itself", () => {
    const see = watchCollapse();
    const [line, healthy] = [
      { spread: 1, effectiveRank: 1.2 },
      { spread: 1, effectiveRank: 4 },
    ];
    expect([see(line, 1), see(line, 2), see(healthy, 1), see(line, 1)]).toEqual(Array(4).fill(undefined));
    expect(see(line, 1)).toBe("the embeddings have collapsed to a line (effective rank 1.20)");
    expect(see(healthy, 2)).toBeUndefined();
  });

  const still = { kind: "affine", share: 0, flip: 0, saturation: 0, hue: 0 };

  test("is told once, on the way and in the metrics, also when the run is resumed after it", async () => {
    const told: string[] = [];
    const config = configured({ augmentation: still, batch: 2, epochs: 60 });
    const { run } = await trained(config, {
      dataset: blank(4),
      stops: [105],
      onAlarm: (message) => told.push(message),
    });
    const alarms = readMetrics(run).filter(({ kind }) => kind === "alarm");
    expect(alarms).toMatchObject([
      { step: 100, message: expect.stringMatching(/^the embeddings have collapsed to a point/) },
    ]);
    expect(told).toEqual(alarms.map((alarm) => (alarm.kind === "alarm" ? alarm.message : "")));
  });

  test("is not told of pictures that differ", async () => {
    const told: string[] = [];
    const { run } = await trained(configured({ batch: 4, epochs: 25 }), {
      dataset: bars(16),
      onAlarm: (message) => told.push(message),
    });
    expect(told).toEqual([]);
    const last = readMetrics(run).at(-1);
    expect(last).toMatchObject({ kind: "step", step: 100 });
    expect(last?.kind === "step" ? last.spread : 0).toBeGreaterThan(1e-3);
  });

  /** n rows of ±√variance_j·e_j, turned by a rotation of every pair of neighbouring axes. */
  function cloud(variances: readonly number[], d: number, angle: number): Float32Array {
    const k = variances.length;
    const rows = new Float32Array(2 * k * d);
    variances.forEach((variance, j) => {
      for (const [row, sign] of [
        [2 * j, 1],
        [2 * j + 1, -1],
      ])
        rows[row * d + j] = sign * Math.sqrt(variance);
    });
    for (let row = 0; row < 2 * k; row++)
      for (let j = 0; j + 1 < d; j++) {
        const [x, y] = [rows[row * d + j], rows[row * d + j + 1]];
        rows[row * d + j] = Math.cos(angle) * x - Math.sin(angle) * y + 5;
        rows[row * d + j + 1] = Math.sin(angle) * x + Math.cos(angle) * y;
      }
    return rows;
  }

  test.each([0, 0.7, 2])("effective rank is the number of equal directions, turned by %f and moved away", (angle) => {
    for (const k of [1, 2, 5, 8])
      expect(embeddingHealth(cloud(Array(k).fill(0.25), 8, angle), 8).effectiveRank).toBeCloseTo(k, 4);
  });

  test("effective rank of unequal directions is exp of the spectrum's entropy", () => {
    // Shares 3/4 and 1/4: exp(¾ ln 4/3 + ¼ ln 4) = 4/3^¾.
    expect(embeddingHealth(cloud([3, 1], 6, 1), 6).effectiveRank).toBeCloseTo(4 / 3 ** 0.75, 4);
  });

  test("spread is the mean standard deviation over dimensions", () => {
    // Columns 1, 3 (sd 1) and 10, 50 (sd 20) and 7, 7 (sd 0).
    expect(embeddingHealth(Float32Array.of(1, 10, 7, 3, 50, 7), 3).spread).toBeCloseTo(7, 10);
  });

  test("eigenvalues of the second-difference matrix are 2 − 2 cos(kπ/(d + 1))", () => {
    const d = 9;
    const matrix = Float64Array.from({ length: d * d }, (_, i) => {
      const distance = Math.abs(Math.floor(i / d) - (i % d));
      return distance === 0 ? 2 : distance === 1 ? -1 : 0;
    });
    const values = symmetricEigenvalues(matrix, d).sort();
    for (let k = 1; k <= d; k++) expect(values[k - 1]).toBeCloseTo(2 - 2 * Math.cos((k * Math.PI) / (d + 1)), 10);
  });

  test.each([
    ["a point", new Float32Array(64).fill(3), /collapsed to a point \(spread 0\.0e\+0\)/],
    ["a line", cloud([4], 8, 0.3), /collapsed to a line \(effective rank 1\.00\)/],
  ])("%s raises the alarm", (_, embeddings, sentence) => {
    expect(collapseAlarm(embeddingHealth(embeddings, 8))).toMatch(sentence);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("an embedding of %f ends the run", (value) => {
    const embeddings = cloud([1, 1], 8, 0.3);
    embeddings[5] = value;
    expect(() => embeddingHealth(embeddings, 8)).toThrow(
      /^train: the embeddings are no longer numbers; lower optimiser\.learningRate, or look at the loss's margins and at valueRange$/,
    );
  });

  test("two directions raise none", () => {
    expect(collapseAlarm(embeddingHealth(cloud([1, 1], 8, 0.3), 8))).toBeUndefined();
  });
});

test("a run is finished for its own configuration, on its own pictures, once it is at its end and drawn", async () => {
  const config = configured({ epochs: 2, name: "finished" });
  const { run } = await trained(config);
  const found = (asked: Config, dataset = images): string | undefined =>
    finishedRun(root, asked, dataset, () => {})?.path;
  expect(found(config)).toBe(run.path);
  const others = { ...images, pixels: images.pixels.map((level, i) => (i === 0 ? 255 - level : level)) };
  expect(found(config, others)).toBeUndefined();
  for (const change of [{ epochs: 3 }, { seed: 9 }, { name: "another" }])
    expect(found(configured({ epochs: 2, name: "finished", ...change })), JSON.stringify(change)).toBeUndefined();
  rmSync(join(run.figures, "views.png"));
  expect(found(config)).toBeUndefined();
});

describe("a trainer", () => {
  const open = (dataset: ImageSet, change: object = {}) =>
    createTrainer({ config: configured({ epochs: 1, ...change }), dataset, backend: wasmBackend({ threads: 1 }) });

  test("steps to its end and no further, and is put back nowhere beyond it", async () => {
    const trainer = await open(bars(20));
    for (let step = 0; step < 2; step++) await trainer.step();
    await expect(trainer.step()).rejects.toThrow(
      new SaccadeError("step: position must be below 2, the steps of the run, got 2; lengthen epochs"),
    );
    const state = await trainer.state();
    for (const step of [3, -1, 0.5])
      await expect(trainer.restore(state, { step, epoch: 0, batch: 0 })).rejects.toThrow(
        new SaccadeError(`resume: position must be a whole step from 0 to 2, the steps of the run, got ${step}`),
      );
    expect(trainer.position().step).toBe(2);
    await trainer.restore(state, { step: 1, epoch: 0, batch: 1 });
    expect((await trainer.step()).position.step).toBe(2);
    await trainer.dispose();
  });

  test.each(["E2E", "GLL", "RLL"])(
    "under %s tells the state that the steps since have changed, all of it and no other layer's",
    async (learning) => {
      const trainer = await open(bars(40), { learning });
      const layersOf = (numbers: ReadonlyMap<string, unknown>): Set<string> =>
        new Set([...numbers.keys()].map((name) => /\d/.exec(name)?.[0] ?? "head"));
      expect([...(await trainer.changedState()).keys()]).toEqual([]);
      let before = await trainer.state();
      while (trainer.position().step < trainer.totalSteps) {
        const { layer } = await trainer.step();
        const [after, told] = [await trainer.state(), await trainer.changedState()];
        for (const [name, numbers] of after)
          if (told.has(name)) expect(told.get(name), name).toEqual(numbers);
          else expect(numbers, name).toEqual(before.get(name));
        if (layer !== undefined) expect([...layersOf(told)]).toEqual([String(layer)]);
        before = after;
      }
      await trainer.restore(before, { step: 0, epoch: 0, batch: 0 });
      for (let step = 0; step < trainer.totalSteps; step++) await trainer.step();
      expect([...(await trainer.changedState()).keys()]).toEqual([...before.keys()]);
      await trainer.dispose();
    },
  );

  test("has no more steps than can be counted before the first", async () => {
    await expect(open(bars(20), { epochs: 1e9 })).rejects.toThrow(
      new SaccadeError(
        "train: epochs must be such that the run has at most 100000000 steps, got 2000000000; lower epochs",
      ),
    );
  });

  test("reads labels that a class has, where its loss reads any", async () => {
    const odd = { ...bars(20), labels: new Int32Array(20).fill(1, 19) };
    await expect(open(odd, { loss: { kind: "crossEntropy" } })).rejects.toThrow(
      new SaccadeError("train: the labels of bars must be from 0 to 0, got 1"),
    );
    await (await open(odd)).dispose();
  });
});

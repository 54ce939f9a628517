// Evaluations in the course of a run: on pictures held out, beside the random encoder, and without a trace in what is learnt.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { networks } from "../../src/encoders/networks.ts";
import { encoderFeatures, untrainedWeights } from "../../src/evaluation/features.ts";
import { evaluate, type HeldOut, holdOut } from "../../src/evaluation/held-out.ts";
import { kNearest } from "../../src/evaluation/knn.ts";
import { scaleFreeProbe } from "../../src/evaluation/scale-free-probe.ts";
import { only, overlap } from "../../src/evaluation/subsets.ts";
import { randomStream } from "../../src/program/random.ts";
import { configText } from "../../src/record/config-text.ts";
import type { Evaluation } from "../../src/record/metrics.ts";
import { bestCheckpoint, latestCheckpoint } from "../../src/runs/checkpoints.ts";
import { evaluationsLeft, isEvaluated } from "../../src/runs/evaluations.ts";
import { configKey } from "../../src/runs/resume.ts";
import { createRun, type RunFolder, readMetrics } from "../../src/runs/run-folder.ts";
import { decodeEvents } from "../../src/runs/tensorboard/event-file.ts";
import { type TrainOptions, train } from "../../src/runs/train.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

const rendered = (limit: number) => ({ dataset: "procedural-objects", split: "train", size: 16, limit }) as const;
const raw = {
  name: "watched",
  data: { ...rendered(40), split: "unlabelled" },
  encoder: "tiny",
  optimiser: { learningRate: 3e-3 },
  batch: 10,
  epochs: 5,
  xrayEvery: 0,
  probe: { train: rendered(60), test: { ...rendered(20), split: "test" } },
} as const;
const configured = (more: object = {}): Config => parseConfig({ ...raw, ...more }, "watched");
const stepsPerEpoch = 4;
const backend = wasmBackend({ threads: 1 });

let root: string;
let dataset: ImageSet;
let labelled: ImageSet;
let heldOut: HeldOut;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "saccade-evaluations-"));
  dataset = await loadDataset(configured().data);
  labelled = await loadDataset(rendered(60));
  heldOut = holdOut(labelled, networks.tiny);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const go = (config: Config, run: RunFolder, more: Partial<TrainOptions> = {}) => {
  const from = latestCheckpoint(run.checkpoints);
  return train({ config, dataset, backend, run, heldOut, figures: false, ...(from ? { from } : {}), ...more });
};

async function trained(config: Config): Promise<RunFolder> {
  const run = await createRun(root, config, {});
  await go(config, run);
  return run;
}

const evaluationsOf = (run: RunFolder): Evaluation[] => readMetrics(run).filter((line) => line.kind === "evaluation");
const checkpointsOf = ({ checkpoints }: RunFolder): Record<string, string> =>
  Object.fromEntries(readdirSync(checkpoints).map((name) => [name, readFileSync(join(checkpoints, name), "latin1")]));

describe("pictures held out", () => {
  test("are a fifth of every class, and none of them is learnt from", () => {
    const { fit, held } = heldOut;
    const members = (set: ImageSet, label: number): number => set.labels.filter((one) => one === label).length;
    for (const label of labelled.classes.keys())
      expect(members(held, label), labelled.classes[label]).toBe(Math.round(members(labelled, label) / 5));
    expect(overlap(fit, held).size).toBe(0);
    expect(fit.count + held.count).toBe(60);
    expect(holdOut(labelled, networks.tiny)).toEqual(heldOut);
  });

  test("are never learnt from, also where a picture stands in the set twice", () => {
    const twice = Int32Array.from({ length: 120 }, (_, i) => i % 60);
    const size = 16 * 16 * 3;
    const pixels = new Uint8Array(120 * size);
    for (const [to, from] of twice.entries())
      pixels.set(labelled.pixels.subarray(from * size, (from + 1) * size), to * size);
    const doubled = { ...labelled, pixels, count: 120, labels: twice.map((from) => labelled.labels[from]) };
    const { fit, held } = holdOut(doubled, networks.tiny);
    expect(overlap(fit, held).size).toBe(0);
    expect(fit.count + held.count).toBeLessThan(120);
  });

  test("are at most a thousand, and so is what is learnt from", () => {
    const count = 8000;
    const random = randomStream(1);
    const pixels = Uint8Array.from({ length: count * 2 * 2 * 3 }, () => 256 * random.uniform());
    const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
    const { fit, held } = holdOut({ ...labelled, pixels, labels, count, height: 2, width: 2 }, networks.tiny);
    expect(held.count).toBe(1000);
    expect(fit.count).toBeGreaterThan(900);
    expect(fit.count).toBeLessThanOrEqual(1000);
    expect(overlap(fit, held).size).toBe(0);
  });

  test("must be there, of two classes at least, and of the network's size", () => {
    const one = labelled.labels.indexOf(0);
    expect(() => holdOut(only(labelled, Int32Array.of(one)), networks.tiny)).toThrow(
      `evaluateEvery: ${labelled.name} must be pictures of at least 2 classes to learn from, and others to test on, got 1 and 0`,
    );
    expect(() => holdOut({ ...labelled, channels: 1 }, networks.tiny)).toThrow(
      /^features: .* must be \[n, 16, 16, 3\] for tiny/,
    );
    expect(() => holdOut({ ...labelled, clips: Int32Array.of(0) }, networks.tiny)).toThrow(
      `evaluateEvery: ${labelled.name} must be pictures that have nothing to do with each other, got a movie, whose frames are alike; give probe.train`,
    );
  });
});

describe("a run that is evaluated", () => {
  let plain: RunFolder;
  let evaluated: RunFolder;
  beforeAll(async () => {
    plain = await trained(configured());
    evaluated = await trained(configured({ evaluateEvery: 3 }));
  });

  test("has the checkpoints, to the byte, and the lines of one that is not", () => {
    expect(checkpointsOf(evaluated)).toEqual(checkpointsOf(plain));
    const others = readMetrics(evaluated).filter(({ kind }) => kind !== "evaluation");
    expect(others).toEqual(readMetrics(plain));
  });

  test("has a line every so many epochs and at the end: what the read-outs find, beside the random encoder", async () => {
    const lines = evaluationsOf(evaluated);
    expect(lines.map(({ step, epoch }) => [step, epoch])).toEqual([
      [12, 3],
      [20, 5],
    ]);
    const of = async (weights: ReadonlyMap<string, Float32Array>) => {
      const { features } = await encoderFeatures(
        { network: networks.tiny, weights, valueRange: [0, 1] },
        [heldOut.fit, heldOut.held],
        backend,
      );
      const [fit, held] = features;
      return [(await kNearest(fit, held, 0, backend)).accuracy, (await scaleFreeProbe(fit, held, 0, backend)).accuracy];
    };
    const end = await of(latestCheckpoint(evaluated.checkpoints)?.state ?? new Map());
    const random = await of(untrainedWeights(networks.tiny, 0));
    expect(lines[1]).toEqual({
      ...{ kind: "evaluation", step: 20, epoch: 5, fit: heldOut.fit.count, held: heldOut.held.count },
      scores: ["kNN", "scaleFree"].map((readOut, i) => ({
        ...{ layer: "conv3", readOut, accuracy: end[i], random: random[i] },
      })),
    });
    for (const line of lines) expect(line.scores.map((score) => score.random)).toEqual(random);
  });

  test("tells TensorBoard of each", () => {
    const folder = join(evaluated.path, "tensorboard");
    const [file] = readdirSync(folder);
    const text = readFileSync(join(folder, file), "latin1");
    for (const tag of ["evaluation/kNN", "evaluation/kNN/random", "evaluation/scaleFree"])
      expect(text.split(`${tag}\u0015`), tag).toHaveLength(3);
    expect(decodeEvents(readFileSync(join(folder, file))).at(-1)?.step).toBe(20);
  });

  test("stopped before, at and after an evaluation, and killed between a step and its evaluation, ends in the same bytes", async () => {
    const config = configured({ evaluateEvery: 3 });
    const run = await createRun(root, config, {});
    for (const stop of [11, 12, 13]) {
      const controller = new AbortController();
      const onStep: TrainOptions["onStep"] = ({ position }) => {
        if (position.step === stop) controller.abort();
      };
      await go(config, run, { signal: controller.signal, onStep });
    }
    const onStep: TrainOptions["onStep"] = ({ position }) => {
      if (position.step === 20) throw new Error("killed");
    };
    await expect(go(config, run, { onStep })).rejects.toThrow("killed");
    expect(readMetrics(run).at(-1)).toMatchObject({ kind: "step", step: 20 });
    await go(config, run);
    expect(checkpointsOf(run)).toEqual(checkpointsOf(evaluated));
    expect(readMetrics(run)).toEqual(readMetrics(evaluated));
  });

  test("without its pictures is refused", async () => {
    const config = configured({ evaluateEvery: 2 });
    await expect(go(config, plain, { heldOut: undefined })).rejects.toThrow(
      "train: heldOut must be the pictures that evaluateEvery measures on, got none; holdOut makes them",
    );
  });
});

test("under GLL the block that has just learnt stands before the last", async () => {
  const run = await trained(configured({ epochs: 1, learning: "GLL", update: "RF", evaluateEvery: 2 }));
  expect(evaluationsOf(run).map(({ scores }) => [...new Set(scores.map(({ layer }) => layer))])).toEqual([
    ["conv2", "conv3"],
    ["conv3"],
  ]);
  const [first] = evaluationsOf(run);
  const { state } = latestCheckpoint(run.checkpoints) ?? { state: new Map() };
  // The first two do not learn any more while conv3 does.
  const weights = new Map(
    [...untrainedWeights(networks.tiny, 0)].map(([name, start]) => [
      name,
      name.startsWith("conv3") ? start : (state.get(name) ?? start),
    ]),
  );
  const learnt = await evaluate(
    { network: networks.tiny, weights, valueRange: [0, 1], layer: "conv2" },
    heldOut,
    backend,
  );
  const last = await evaluate({ network: networks.tiny, weights, valueRange: [0, 1] }, heldOut, backend);
  expect(first.scores.map(({ accuracy }) => accuracy)).toEqual([...Object.values(learnt), ...Object.values(last)]);
});

test("the best checkpoint by kNN is the first with the highest accuracy, and stays, also across a stop", async () => {
  const config = configured({ evaluateEvery: 1, checkpointBest: "kNN", checkpointsKept: 1, epochs: 3 });
  const run = await createRun(root, config, {});
  const controller = new AbortController();
  const onStep: TrainOptions["onStep"] = ({ position }) => {
    if (position.step === 6) controller.abort();
  };
  await go(config, run, { signal: controller.signal, onStep });
  await go(config, run);
  const found = evaluationsOf(run).map(({ step, scores }) => ({ step, kNN: scores[0].accuracy }));
  const best = found.reduce((a, b) => (b.kNN > a.kNN ? b : a));
  expect(best.step, "the best is not the newest").toBeLessThan(12);
  expect(bestCheckpoint(run.checkpoints)?.position.step).toBe(best.step);
  expect(latestCheckpoint(run.checkpoints)?.losses.best).toMatchObject(best);
});

describe("a configuration", () => {
  test("that does not ask has no such keys, and is the same run as one that does", () => {
    const config = configured();
    expect(configText(config)).not.toMatch(/evaluateEvery|checkpointBest/);
    expect(configKey(configured({ evaluateEvery: 2, checkpointBest: "kNN" }))).toBe(configKey(config));
  });

  test.each([
    [
      { checkpointBest: "kNN" },
      "checkpointBest kNN needs evaluateEvery, which measures it, got none; set evaluateEvery=1",
    ],
    [
      { checkpointBest: "kNN", evaluateEvery: 3, checkpointEvery: 2 },
      "evaluateEvery must be a multiple of checkpointEvery = 2 under checkpointBest kNN, so that the evaluated checkpoint is kept, got 3",
    ],
    [
      { probe: undefined, evaluateEvery: 1 },
      "evaluateEvery needs labelled pictures, and there are none: data.split is unlabelled, and there is no probe; add a probe section",
    ],
    [
      { probe: undefined, evaluateEvery: 1, data: rendered(40), loss: { kind: "crossEntropy" } },
      "evaluateEvery needs labels that the run does not learn from, and loss crossEntropy learns those of data; leave evaluateEvery out, or give probe.train other pictures",
    ],
    [
      { evaluateEvery: 1, data: rendered(40), loss: { kind: "crossEntropy" } },
      "evaluateEvery needs labels that the run does not learn from, and loss crossEntropy learns those of probe.train; leave evaluateEvery out, or give probe.train other pictures",
    ],
    [{ evaluateEvery: -1 }, "evaluateEvery must be at least 0, got -1"],
  ])("%j is refused", (more, sentence) => {
    expect(() => configured(more)).toThrow(`watched: ${sentence}`);
  });

  test("may take the run's own labelled pictures", () => {
    expect(configured({ probe: undefined, evaluateEvery: 1, data: rendered(40) }).evaluateEvery).toBe(1);
  });
});

test.each([
  [2, 5, 0],
  [2, 5, 9],
  [2, 5, 20],
  [2, 4, 8],
  [3, 2, 0],
  [0, 5, 0],
])("every %i of %i epochs, those after step %i are counted as they come", (evaluateEvery, epochs, from) => {
  const config = configured({ evaluateEvery, epochs });
  const length = { stepsPerEpoch, totalSteps: epochs * stepsPerEpoch };
  const steps = Array.from({ length: length.totalSteps }, (_, i) => i + 1);
  expect(evaluationsLeft(config, length, from)).toBe(
    steps.filter((step) => step > from && isEvaluated(config, length, step)).length,
  );
});

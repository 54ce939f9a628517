// The X-ray: its angles and shares are what the definitions say, it looks without touching, and its figure shows what it saw.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/backends/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { drawViews } from "../../src/data/augmentation.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { svgToPng } from "../../src/figures/png.ts";
import { xrayFigure } from "../../src/figures/xray.ts";
import { randomStream } from "../../src/program/random.ts";
import { recordRule } from "../../src/rules/rule.ts";
import { type LayerXray, recordXray } from "../../src/rules/xray.ts";
import { latestCheckpoint } from "../../src/runs/checkpoints.ts";
import { createRun, readMetrics } from "../../src/runs/run-folder.ts";
import { train } from "../../src/runs/train.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredRule } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer, type Trainer } from "../../src/training/trainer.ts";
import {
  angle,
  chanceBand,
  deadShare,
  epsilonShare,
  type LayerNumbers,
  probeImages,
  saturatedShare,
  signAgreement,
} from "../../src/training/xray.ts";

const batch = 8;
const images = proceduralObjects({ split: "train", count: 24, seed: 0, size: 16 });

const configured = (change: object = {}): Config =>
  parseConfig(
    {
      name: "xray",
      seed: 5,
      data: { dataset: "procedural-objects" },
      encoder: "tiny",
      optimiser: { learningRate: 1e-3 },
      batch,
      epochs: 2,
      xrayEvery: 2,
      ...change,
    },
    "xray",
  );

const backend = wasmBackend({ threads: 2 });
const open = (change: object = {}): Promise<Trainer> =>
  createTrainer({ config: configured(change), dataset: images, backend });
const layersOf = async (trainer: Trainer): Promise<readonly LayerNumbers[]> =>
  (await trainer.xray()).flatMap(({ layers }) => layers);
const byName = (layers: readonly LayerNumbers[]) => Object.fromEntries(layers.map((layer) => [layer.name, layer]));

async function steps(trainer: Trainer, count: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 0; i < count; i++) losses.push((await trainer.step()).loss);
  return losses;
}

/** The X-ray's program of the first lesson, run on fresh weights and the probe batch. */
async function openProgram(change: object): Promise<{ engine: Engine; layer: (name: string) => LayerXray }> {
  const config = configured(change);
  const rule = configuredRule(config, createModel(networks.tiny), { ...images, classes: images.classes.length });
  const recorded = recordRule(rule);
  const { inputs, lessons } = recordXray(rule, recorded, batch);
  const engine = await backend.prepare([...recorded.lessons, ...lessons].map(({ program }) => program));
  for (const [tensor, numbers] of initialise(recorded, config.seed)) engine.write(tensor, numbers);
  const samples = Int32Array.from({ length: batch }, (_, i) => i);
  const sizes = { from: images, to: networks.tiny };
  engine.write(inputs.images, images.pixels);
  engine.write(inputs.indices, Int32Array.of(...samples, ...samples));
  const key = { seed: config.seed, epoch: 0, samples, views: 2 };
  engine.write(inputs.parameters, drawViews(config.augmentation, sizes, key));
  await engine.run(lessons[0].program);
  const layer = (name: string): LayerXray => {
    const found = lessons[0].layers.find((one) => one.name === name);
    if (!found) throw new Error(`no layer ${name}`);
    return found;
  };
  return { engine, layer };
}

/** Puts a changed copy of the state in place of what the trainer has. */
async function mend(trainer: Trainer, change: (state: Map<string, Float32Array>) => void): Promise<void> {
  const state = await trainer.state();
  change(state);
  await trainer.restore(state, trainer.position());
}

const get = (state: ReadonlyMap<string, Float32Array>, name: string): Float32Array => {
  const numbers = state.get(name);
  if (!numbers) throw new Error(`no ${name} among ${[...state.keys()].join(", ")}`);
  return numbers;
};

describe("angles", () => {
  test.each(["E2E", "GLL"])("BP stands at 0° to itself and agrees in every sign (%s)", async (learning) => {
    const trainer = await open({ update: "BP", learning });
    await steps(trainer, 2);
    const layers = await layersOf(trainer);
    expect(layers.length).toBeGreaterThan(1);
    for (const { angleBP, signAgreement: signs, angleWB } of layers)
      expect({ angleBP, signs, angleWB }).toEqual({ angleBP: 0, signs: 1, angleWB: undefined });
    await trainer.dispose();
  });

  test("RF starts with W and B at chance; with B = W it stands at 0° to them and to BP", async () => {
    const trainer = await open({ update: "RF" });
    const free = byName(await layersOf(trainer));
    for (const name of ["conv2", "conv3", "head"]) {
      const { angleWB, chance } = free[name];
      expect(angleWB).toBeGreaterThan(chance[0]);
      expect(angleWB).toBeLessThan(chance[1]);
    }
    expect(free.conv1.angleWB).toBeUndefined();
    expect(free.conv1.angleBP).toBeGreaterThan(30);
    await mend(trainer, (state) => {
      for (const name of ["conv2", "conv3", "head"])
        state.set(`${name}.feedback.weight`, get(state, `${name}.weight`).slice());
    });
    const aligned = byName(await layersOf(trainer));
    for (const name of ["conv2", "conv3", "head"]) expect(aligned[name].angleWB, name).toBe(0);
    for (const name of ["conv1", "conv2", "conv3", "head"]) expect(aligned[name].angleBP, name).toBe(0);
    await trainer.dispose();
  });

  test("SSF holds W against what really carries the error: the sizes of B under the signs of W", async () => {
    const { engine, layer } = await openProgram({ update: "SSF" });
    const { weight, feedback } = layer("conv3");
    if (feedback === undefined) throw new Error("no feedback");
    const [w, carried] = [await engine.read(weight), await engine.read(feedback)];
    expect(signAgreement(w, carried)).toBe(1);
    // Independent sizes, uniform in ±1/√fanIn: the cosine is E|w|²/E w² = 3/4.
    expect(angle(w, carried)).toBeCloseTo((Math.acos(0.75) * 180) / Math.PI, -0.5);
    await engine.dispose();
  });

  test("a layer's angles and signs are those of the engine's numbers, and BP's side is BP's own change", async () => {
    const rf = await openProgram({ update: "RF" });
    const bp = await openProgram({ update: "BP" });
    const trainer = await open({ update: "RF" });
    const seen = byName(await layersOf(trainer));
    for (const name of ["conv1", "conv2", "conv3"]) {
      const [own, exact] = [await rf.engine.read(rf.layer(name).change), await rf.engine.read(rf.layer(name).exact)];
      expect(exact).toEqual(await bp.engine.read(bp.layer(name).change));
      let [ab, aa, bb, equal, either] = [0, 0, 0, 0, 0];
      for (let i = 0; i < own.length; i++) {
        ab += own[i] * exact[i];
        aa += own[i] * own[i];
        bb += exact[i] * exact[i];
        if (own[i] !== 0 || exact[i] !== 0) either++;
        if (own[i] * exact[i] > 0) equal++;
      }
      expect(seen[name].angleBP).toBeCloseTo((Math.acos(ab / Math.sqrt(aa * bb)) * 180) / Math.PI, 9);
      expect(seen[name].signAgreement).toBeCloseTo(equal / either, 12);
    }
    await Promise.all([rf.engine.dispose(), bp.engine.dispose(), trainer.dispose()]);
  });

  test("between plain directions, and none where one is zero", () => {
    expect(angle(Float32Array.of(1, 0), Float32Array.of(0, 3))).toBeCloseTo(90, 12);
    expect(angle(Float32Array.of(1, 2), Float32Array.of(-2, -4))).toBeCloseTo(180, 12);
    expect(angle(Float32Array.of(1, 1), Float32Array.of(5, 0))).toBeCloseTo(45, 12);
    // The arc cosine of this cosine is 0.
    expect(angle(Float64Array.of(1, 0), Float64Array.of(1, 1e-9))).toBeCloseTo((1e-9 * 180) / Math.PI, 15);
    expect(angle(Float32Array.of(0, 0), Float32Array.of(1, 1))).toBeUndefined();
    expect(signAgreement(Float32Array.of(1, -1, 0, 0, 2), Float32Array.of(3, 1, 0, 1, 1))).toBe(0.5);
    expect(signAgreement(Float32Array.of(0), Float32Array.of(0))).toBeUndefined();
  });

  test("the chance band holds 95 of 100 pairs of random directions", () => {
    const [low, high] = chanceBand(50);
    const random = randomStream(9);
    const direction = (): Float64Array => Float64Array.from({ length: 50 }, () => random.uniform() - 0.5);
    let inside = 0;
    for (let i = 0; i < 4000; i++) {
      const between = angle(direction(), direction()) ?? Number.NaN;
      if (between > low && between < high) inside++;
    }
    // Three standard errors of a share of 0.95 in 4000 are 0.0103.
    expect(Math.abs(inside / 4000 - 0.95)).toBeLessThan(0.0104);
  });
});

describe("units", () => {
  test("dead ones are those that never change, saturated activities those on the flat", () => {
    // Three pictures of four units: the first and the last never change.
    const activity = Float32Array.of(0.5, 0, -1, 1, 0.5, 0, 1, 1, 0.5, 0.1, 0.99, 1);
    expect(deadShare(activity, 3)).toBe(2 / 4);
    expect(saturatedShare(activity, "hardtanh")).toBe(5 / 12);
    expect(saturatedShare(activity, "relu")).toBe(3 / 12);
    // 1 − 0.994² is above 1 %, 1 − 0.996² below.
    expect(saturatedShare(Float32Array.of(0.994, -0.994, 0.996, -0.996), "tanh")).toBe(2 / 4);
  });

  test("filters silenced and driven on purpose are found", async () => {
    const trainer = await open({ update: "RF" });
    const before = byName(await layersOf(trainer));
    expect(before.conv1.dead).toBe(0);
    await mend(trainer, (state) => {
      // [kernel, kernel, channels in, channels out], the last extent 16.
      const weight = get(state, "conv1.weight");
      for (let i = 0; i < weight.length; i++) {
        if (i % 16 === 3 || i % 16 === 7) weight[i] = 0;
        if (i % 16 === 5) weight[i] = 1e6;
      }
    });
    const after = byName(await layersOf(trainer));
    // A view that is black nowhere drives filter 5 everywhere: it never changes, too.
    expect(after.conv1.dead).toBeGreaterThanOrEqual(2 / 16);
    expect(after.conv1.dead).toBeLessThanOrEqual(3 / 16);
    expect((after.conv1.saturated ?? 0) - (before.conv1.saturated ?? 0)).toBeGreaterThan(0.9 / 16);
    await trainer.dispose();
  });
});

test("open gates are the shares of pairs beyond the margins, positives and negatives each of their own", async () => {
  const margins = { m1: 1.8, m2: 2.3 };
  const change = { loss: { kind: "contrastiveHinge", ...margins, negatives: 3 } };
  const { engine, layer } = await openProgram(change);
  const { output } = layer("head");
  const [embeddings, d] = [await engine.read(output), output.shape[1]];
  const distance = (s: number, t: number): number => {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += Math.abs(embeddings[s * d + k] - embeddings[(batch + t) * d + k]);
    return sum;
  };
  let [positives, negatives] = [0, 0];
  for (let s = 0; s < batch; s++) {
    if (distance(s, s) > margins.m1) positives++;
    for (const t of [1, 2, 3]) if (distance(s, (s + t) % batch) < margins.m2) negatives++;
  }
  const wanted = { activePositives: positives / batch, activeNegatives: negatives / (3 * batch) };
  // Neither is 0 or 1, and they differ: a share that is not one, or the other's, would show.
  for (const share of Object.values(wanted)) expect(Math.abs(share - 0.5)).toBeLessThan(0.5);
  expect(wanted.activePositives).not.toBe(wanted.activeNegatives);
  const trainer = await open(change);
  const [seen] = await trainer.xray();
  expect(seen.metrics).toEqual(wanted);
  await Promise.all([engine.dispose(), trainer.dispose()]);
});

test("DTP's reconstruction error is that of its inverse, computed by plain loops", async () => {
  const { engine, layer } = await openProgram({ update: "DTP" });
  const trainer = await open({ update: "DTP" });
  const seen = byName(await layersOf(trainer));
  const state = await trainer.state();
  const [weight, bias] = [get(state, "conv2.inverse.weight"), get(state, "conv2.inverse.bias")];
  const [x, y] = [await engine.read(layer("conv2").input), await engine.read(layer("conv2").output)];
  const [n, side, c, half, o] = [2 * batch, 16, 16, 8, 32];
  let [error, size] = [0, 0];
  for (let picture = 0; picture < n; picture++) {
    const turned = new Float64Array(side * side * c);
    for (let i = 0; i < half; i++)
      for (let j = 0; j < half; j++)
        for (let ky = 0; ky < 3; ky++)
          for (let kx = 0; kx < 3; kx++) {
            const [row, column] = [2 * i + ky - 1, 2 * j + kx - 1];
            if (row < 0 || column < 0 || row >= side || column >= side) continue;
            for (let a = 0; a < c; a++)
              for (let b = 0; b < o; b++)
                turned[(row * side + column) * c + a] +=
                  y[((picture * half + i) * half + j) * o + b] * weight[((ky * 3 + kx) * c + a) * o + b];
          }
    for (let i = 0; i < turned.length; i++) {
      const rebuilt = Math.max(-1, Math.min(1, turned[i] + bias[i % c]));
      const wanted = x[picture * turned.length + i];
      error += (rebuilt - wanted) ** 2;
      size += wanted ** 2;
    }
  }
  expect(seen.conv2.reconstruction).toBeCloseTo(error / size, 5);
  expect(Object.keys(seen).filter((name) => seen[name].reconstruction !== undefined)).toEqual(["conv2", "conv3"]);
  // The top block's change is BP's but for a factor.
  expect(seen.conv3.angleBP).toBeLessThan(1e-3);
  await Promise.all([engine.dispose(), trainer.dispose()]);
});

describe("what Adam's ε eats", () => {
  test("is the difference that it makes to the size of an update", () => {
    const options = { beta2: 0.999, epsilon: 1e-2 };
    // After one update v̂ = g²: a gradient of 1e-2 loses half, one of 1 a hundredth, one of 0 does not move.
    const [m, v] = [Float64Array.of(0.1 * 1e-2, 0.1, 0), Float64Array.of(0.001 * 1e-4, 0.001, 0)];
    expect(epsilonShare(m, v, options, 1)).toBeCloseTo(1 - (0.5 + 1 / 1.01) / 2, 10);
    expect(epsilonShare(m, v, { ...options, epsilon: 0 }, 1)).toBe(0);
    expect(epsilonShare(Float64Array.of(0), Float64Array.of(0), options, 1)).toBeUndefined();
  });

  test("is seen from the first update on, in every layer: most of DTP's as a mean, next to none of it as a sum", async () => {
    const shares = async (localLoss: string): Promise<number[]> => {
      const trainer = await open({
        update: "DTP",
        dtp: { localLoss },
        optimiser: { learningRate: 1e-4, epsilon: 1e-5 },
      });
      expect((await layersOf(trainer)).map((layer) => layer.epsilonShare)).toEqual(Array(4).fill(undefined));
      await steps(trainer, trainer.totalSteps);
      const seen = (await layersOf(trainer)).filter(({ layer }) => layer !== undefined);
      await trainer.dispose();
      return seen.map((layer) => layer.epsilonShare ?? Number.NaN);
    };
    for (const share of await shares("mean")) expect(share).toBeGreaterThan(0.3);
    for (const share of await shares("sum")) expect(share).toBeLessThan(0.05);
  });

  test("is nothing that SGD has", async () => {
    const trainer = await open({ optimiser: { kind: "sgd", learningRate: 1e-5 } });
    await steps(trainer, 1);
    for (const layer of await layersOf(trainer)) expect(layer).not.toHaveProperty("epsilonShare");
    await trainer.dispose();
  });
});

describe("looking changes nothing", () => {
  test.each([
    { update: "RF" },
    { update: "DTP" },
    { update: "DTP", dtp: { order: "targetsFirst", head: "feedback" } },
    { update: "KP", learning: "RLL" },
    { update: "BP", loss: { kind: "crossEntropy" } },
    { update: "BP", loss: { kind: "clapp" } },
    { update: "BP", learning: "RLL", loss: { kind: "scff" } },
  ])("%o", async (change) => {
    const [looked, blind] = [await open(change), await open({ ...change, xrayEvery: 0 })];
    expect(await blind.xray()).toEqual([]);
    await looked.xray();
    expect(await steps(looked, 2)).toEqual(await steps(blind, 2));
    const [views, embeddings] = [await looked.views(), await looked.embeddings()];
    const seen = await looked.xray();
    expect(seen.length).toBeGreaterThan(0);
    expect(await looked.xray()).toEqual(seen);
    expect(await looked.views()).toEqual(views);
    expect(await looked.embeddings()).toEqual(embeddings);
    expect(await looked.state()).toEqual(await blind.state());
    expect(await steps(looked, 2)).toEqual(await steps(blind, 2));
    expect(await looked.state()).toEqual(await blind.state());
    await Promise.all([looked.dispose(), blind.dispose()]);
  });
});

describe("a run", () => {
  const root = mkdtempSync(join(tmpdir(), "saccade-xray-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  async function runThrough(config: Config, stops: readonly number[]) {
    const run = await createRun(root, config, {});
    for (const stop of [...stops, Number.POSITIVE_INFINITY]) {
      const controller = new AbortController();
      const from = latestCheckpoint(run.checkpoints);
      await train({
        config,
        dataset: images,
        backend,
        run,
        ...(from ? { from } : {}),
        signal: controller.signal,
        onStep: ({ position }) => {
          if (position.step === stop) controller.abort();
        },
      });
    }
    return run;
  }

  test.each([
    { config: configured({ update: "RF" }), looks: [[0], [2], [4], [6]] },
    // Six steps a layer; all layers before the first step and after the last.
    {
      config: configured({ update: "RF", learning: "GLL", xrayEvery: 6 }),
      looks: [
        [0, 1],
        [0, 2],
        [0, 3],
        [6, 1],
        [12, 2],
        [18, 1],
        [18, 2],
        [18, 3],
      ],
    },
  ])("has an X-ray wherever it should, through any stop: $config.learning", async ({ config, looks }) => {
    const undisturbed = await runThrough(config, []);
    const lines = readMetrics(undisturbed).filter((metric) => metric.kind === "xray");
    expect(lines.map(({ step, layer }) => (layer === undefined ? [step] : [step, layer]))).toEqual(looks);
    for (const { loss, activePositives, layers } of lines) {
      expect(loss).toBeGreaterThan(0);
      expect(activePositives).toBeGreaterThanOrEqual(0);
      expect(layers.length).toBeGreaterThan(1);
    }
    const stopped = await runThrough(config, [1, 4]);
    expect(readFileSync(stopped.metrics, "utf8")).toBe(readFileSync(undisturbed.metrics, "utf8"));
    expect(readFileSync(join(stopped.figures, "xray.svg"), "utf8")).toContain("conv3");
  });

  test("without X-rays has neither lines nor a figure", async () => {
    const run = await runThrough(configured({ xrayEvery: 0 }), []);
    expect(readMetrics(run).filter(({ kind }) => kind === "xray")).toEqual([]);
    expect(() => readFileSync(join(run.figures, "xray.svg"))).toThrow();
  });
});

test("the probe batch is large enough for the loss's negatives, and never larger than a batch", () => {
  const of = (change: object) => probeImages(configured(change));
  expect(of({ batch: 24 })).toBe(24);
  expect(of({ batch: 500 })).toBe(64);
  expect(of({ batch: 500, loss: { kind: "contrastiveHinge", negatives: 100 } })).toBe(101);
});

describe("the figure", () => {
  const layer = (number: number, angleBP: number): LayerNumbers => ({
    layer: number,
    name: `conv${number}`,
    angleBP,
    chance: [85, 95],
    signAgreement: 0.5,
    dead: 0.25,
  });
  const head: LayerNumbers = { name: "head", angleWB: 88, angleBP: 0, chance: [89, 91], dead: 0 };

  test("has a plot for every number that the run has, and none for the others", async () => {
    const points = [0, 100, 200].map((step) => ({ step, layers: [layer(1, 80), layer(2, 60 + step / 10), head] }));
    const svg = await xrayFigure({ title: "a run", points });
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    for (const text of ["conv1", "conv2", "angle to BP's change", "angle between W and B", "dead units", "90°", "50 %"])
      expect(svg).toContain(text);
    for (const text of ["saturated", "inverses", "gates"]) expect(svg).not.toContain(text);
    // Blocks: angle, signs, dead; the head: W to B, dead. A head's change is BP's under every rule.
    expect(svg.match(/aria-label="line"/g)).toHaveLength(3 * 2 + 2);
    expect((await svgToPng(svg, 1)).length).toBeGreaterThan(1000);
  });

  test("dashes the negatives and dots the heads", async () => {
    const gates = { activePositives: 0.5, activeNegatives: 0.25 };
    const points = [0, 100].map((step) => ({ step, ...gates, layers: [layer(1, 80), head] }));
    const svg = await xrayFigure({ title: "a run", points });
    for (const text of ["dotted: the heads above", "(dashed: negatives)"]) expect(svg).toContain(text);
    const strokes = [...svg.matchAll(/stroke-dasharray="([^"]+)"[^>]*aria-label="line"/g)].map(([, dashes]) => dashes);
    // The head's angle and dead units; the negatives' gates.
    expect(strokes).toEqual(["1,6", "1,6", "7,5"]);
  });

  test("leaves out what is not a number, and says so when there is nothing", async () => {
    const svg = await xrayFigure({ title: "a run", points: [{ step: 0, layers: [layer(1, Number.NaN)] }] });
    expect(svg).not.toMatch(/NaN/);
    expect(svg).not.toContain("angle to BP");
    expect(await xrayFigure({ title: "a run", points: [] })).toContain("no X-rays yet");
  });
});

// Interventions: what a run is changed into in mid-course, held by identities, and by runs that are stopped around them.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { explain } from "../../src/program/explain.ts";
import { latestCheckpoint } from "../../src/runs/checkpoints.ts";
import { costOf } from "../../src/runs/forecast.ts";
import { createRun, readMetrics } from "../../src/runs/run-folder.ts";
import { train } from "../../src/runs/train.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";

const root = mkdtempSync(join(tmpdir(), "saccade-interventions-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const backend = wasmBackend({ threads: "here" });
const set = proceduralObjects({ split: "unlabelled", count: 24, seed: 0, size: 16 });
const steps = 6;

const configured = (change: object): Config =>
  parseConfig(
    {
      name: "interventions",
      data: { dataset: "procedural-objects", size: 16 },
      encoder: "tiny",
      batch: 8,
      epochs: 2,
      xrayEvery: 2,
      optimiser: { learningRate: 1e-3 },
      ...change,
    },
    "test",
  );

type State = Map<string, Float32Array>;

/** The states before the first step and after each. */
async function states(change: object): Promise<State[]> {
  const trainer = await createTrainer({ config: configured(change), dataset: set, backend });
  const all = [await trainer.state()];
  while (trainer.position().step < trainer.totalSteps) {
    await trainer.step();
    all.push(await trainer.state());
  }
  await trainer.dispose();
  return all;
}

const tensor = (state: State | undefined, name: string): Float32Array => {
  const values = state?.get(name);
  if (!values) throw new Error(`no ${name}`);
  return values;
};
const synapses = ["conv1.weight", "conv2.weight", "conv3.weight", "head.weight"];
const changedBetween = (a: State | undefined, b: State | undefined): string[] =>
  synapses.filter((name) => String(tensor(a, name)) !== String(tensor(b, name)));

describe("the rule", () => {
  test("set before the first step is the rule of the run", async () => {
    const swapped = await states({ update: "URF", interventions: [{ step: 0, set: { update: "BP" } }] });
    const own = await states({ update: "BP" });
    for (const name of synapses) expect(tensor(swapped.at(-1), name)).toEqual(tensor(own.at(-1), name));
  });

  test("set in mid-run goes on as a run with that rule from the same synapses, its optimiser begun anew", async () => {
    const swapped = await states({ update: "BP", interventions: [{ step: 3, set: { update: "RF" } }] });
    const before = await states({ update: "BP", interventions: [{ step: 3, set: { update: "BP" } }] });
    expect(changedBetween(swapped[3], before[3])).toEqual([]);
    expect(changedBetween(swapped[4], before[4])).toEqual(synapses.slice(0, -1));
    // Adam's first step is the learning rate, wherever the gradient is not small.
    const [from, to] = [tensor(swapped[3], "head.weight"), tensor(swapped[4], "head.weight")];
    const largest = from.reduce((most, value, i) => Math.max(most, Math.abs(to[i] - value)), 0);
    expect(largest / 1e-3).toBeCloseTo(1, 1);
  });

  test("under URF the gap between weights and feedback stays what it was when URF was set", async () => {
    const all = await states({ update: "RF", interventions: [{ step: 2, set: { update: "URF" } }] });
    const gap = (state: State | undefined): number[] => {
      const [w, b] = [tensor(state, "head.weight"), tensor(state, "head.feedback.weight")];
      return Array.from(w, (value, i) => value - b[i]);
    };
    const [then, now] = [gap(all[2]), gap(all.at(-1))];
    expect(Math.max(...now.map((value, i) => Math.abs(value - then[i])))).toBeLessThan(1e-6);
    expect(tensor(all.at(-1), "head.feedback.weight")).not.toEqual(tensor(all[2], "head.feedback.weight"));
  });

  test("a learning rate that is the old one changes nothing, another one does", async () => {
    const same = await states({ interventions: [{ step: 3, set: { learningRate: 1e-3 } }] });
    const other = await states({ interventions: [{ step: 3, set: { learningRate: 1e-4 } }] });
    const own = await states({});
    expect(same.at(-1)).toEqual(own.at(-1));
    expect(changedBetween(other[3], own[3])).toEqual([]);
    expect(changedBetween(other[4], own[4])).toEqual(synapses);
  });

  test("without negatives the loss is that of the positive pairs alone", async () => {
    const losses = async (loss: object): Promise<number> => {
      const trainer = await createTrainer({
        config: configured({ loss: { kind: "contrastiveHinge", ...loss } }),
        dataset: set,
        backend,
      });
      const { loss: value, metrics } = await trainer.step();
      await trainer.dispose();
      expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
      return value;
    };
    // Distances are far above a tiny m2: no negative pair has anything to learn, whatever their number.
    expect(await losses({ m1: 1e-6, m2: 1e-5, negatives: 0 })).toBe(await losses({ m1: 1e-6, m2: 1e-5, negatives: 3 }));
    expect(await losses({ negatives: 0 })).toBeLessThan(await losses({ negatives: 3 }));
  });
});

describe("feedback", () => {
  test("that is cut teaches nothing below: the head alone goes on learning", async () => {
    const all = await states({
      update: "RF",
      interventions: [{ step: 3, cutFeedback: "head" }],
      optimiser: { kind: "sgd", learningRate: 1e-4, momentum: 0 },
    });
    expect(changedBetween(all[2], all[3])).toEqual(synapses);
    expect(changedBetween(all[3], all[4])).toEqual(["head.weight"]);
  });

  test("that is shuffled is the same numbers in another order, the same one again", async () => {
    const change = { update: "RF", interventions: [{ step: 3, shuffleFeedback: "conv3" }] };
    const [all, again] = [await states(change), await states(change)];
    const [before, after] = [3, 4].map((step) => tensor(all[step], "conv3.feedback.weight"));
    expect(after).not.toEqual(before);
    expect([...after].sort()).toEqual([...before].sort());
    expect(tensor(all[4], "head.feedback.weight")).toEqual(tensor(all[3], "head.feedback.weight"));
    expect(again).toEqual(all);
  });
});

test("a frozen layer stays, with its feedback, until it learns again", async () => {
  const interventions = [
    { step: 2, freeze: "conv2" },
    { step: 4, unfreeze: "conv2" },
  ];
  const all = await states({ update: "URF", interventions });
  const others = synapses.filter((name) => name !== "conv2.weight");
  for (const step of [2, 3]) expect(changedBetween(all[step], all[step + 1])).toEqual(others);
  expect(tensor(all[4], "conv2.feedback.weight")).toEqual(tensor(all[2], "conv2.feedback.weight"));
  expect(changedBetween(all[4], all[5])).toEqual(synapses);
});

describe("a run", () => {
  const change = {
    update: "URF",
    interventions: [
      { step: 2, set: { update: "RF", loss: { negatives: 2 } } },
      { step: 4, shuffleFeedback: "head", freeze: "conv1" },
    ],
  };

  async function run(stops: readonly number[]): Promise<{ bytes: string; lines: string }> {
    const config = configured(change);
    const folder = await createRun(root, config, {});
    for (const stop of [...stops, steps]) {
      const controller = new AbortController();
      const from = latestCheckpoint(folder.checkpoints);
      await train({
        ...{ config, dataset: set, backend, run: folder, figures: stop === steps, signal: controller.signal },
        ...(from ? { from } : {}),
        onStep: ({ position }) => {
          if (position.step === stop) controller.abort();
        },
      });
    }
    const { path } = latestCheckpoint(folder.checkpoints) ?? { path: "" };
    return { bytes: readFileSync(path).toString("hex"), lines: readFileSync(folder.metrics, "utf8") };
  }

  test("that is stopped before, at and after its interventions ends in the same bytes and lines", async () => {
    const whole = await run([]);
    expect(await run([1, 2, 3, 4, 5])).toEqual(whole);
    const told = whole.lines.split("\n").filter((line) => line.includes('"intervention"'));
    expect(told.map((line) => JSON.parse(line))).toEqual([
      { kind: "intervention", step: 3, epoch: 2 / 3, what: "update RF; loss negatives 2" },
      { kind: "intervention", step: 5, epoch: 4 / 3, what: "feedback of head shuffled; conv1 frozen" },
    ]);
  });

  test("has its figure marked, and costs what its stages cost", async () => {
    const config = configured(change);
    const folder = await createRun(root, config, {});
    await train({ config, dataset: set, backend, run: folder });
    expect(readMetrics(folder).filter(({ kind }) => kind === "intervention")).toHaveLength(2);
    expect(readFileSync(join(folder.figures, "loss.svg"), "utf8")).toContain("intervention");
    const shape = { ...set, classes: set.classes.length };
    const whole = costOf(configured({ update: "URF" }), shape).flops / steps;
    const trainer = await createTrainer({
      config: configured({ update: "RF", loss: { kind: "contrastiveHinge", negatives: 2 } }),
      dataset: set,
      backend,
    });
    const [{ program }] = trainer.recorded.lessons;
    await trainer.dispose();
    const { flops } = costOf(config, shape);
    expect(flops).toBeLessThan(2 * whole + 4 * explain(program).flops);
    expect(flops).toBeGreaterThan(2 * whole + 2 * explain(program).flops);
  });
});

describe("what makes no sense", () => {
  test.each([
    [
      [{ step: 1 }],
      'test: interventions.0 must be a change: set, cutFeedback, shuffleFeedback, freeze or unfreeze, got {"step":1}',
    ],
    [
      [
        { step: 3, freeze: "conv1" },
        { step: 2, freeze: "conv2" },
      ],
      "test: interventions must be in the order of their steps, got 2 after 3",
    ],
    [[{ step: 1, set: { loss: { negativs: 1 } } }], /interventions\.0.*negativs.*did you mean "negatives"/],
    [[{ step: 1, set: { update: "SIMPLE" } }], /interventions\.0: update must be one of BP/],
    [[{ step: 1, set: { loss: { kind: "scff" } } }], /interventions\.0: loss scff with learning E2E/],
  ])("%j is refused by the configuration", (interventions, sentence) => {
    expect(() => configured({ interventions })).toThrow(sentence);
  });

  test.each([
    [[{ step: 6, freeze: "conv1" }], "train: interventions.0.step must be below 6, the steps of the run, got 6"],
    [[{ step: 1, freeze: "conv9" }], "train: interventions must be about one of conv1, conv2, conv3, head, got conv9"],
    [
      [{ step: 1, cutFeedback: "head" }],
      "train: update BP carries errors down through the weights, so that there is no feedback of head to change; set update first",
    ],
    [
      [{ step: 1, set: { update: "RF" }, cutFeedback: "conv1" }],
      "train: interventions: there is no feedback of conv1, but of conv2, conv3, head",
    ],
    [[{ step: 1, unfreeze: "conv1" }], "train: interventions.0.unfreeze must be a layer that is frozen, got conv1"],
    [
      [{ step: 1, set: { loss: { kind: "crossEntropy" } } }],
      "train: interventions must be such that head.weight stays [1024, 64], got [1024, 10]",
    ],
  ])("%j is refused before anything runs", async (interventions, sentence) => {
    const labelled = proceduralObjects({ split: "train", count: 24, seed: 0, size: 16 });
    await expect(createTrainer({ config: configured({ interventions }), dataset: labelled, backend })).rejects.toThrow(
      sentence,
    );
  });
});

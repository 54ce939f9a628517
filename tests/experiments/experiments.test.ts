// Experiments as data: cells are configurations of equal compute, tasks have keys by what decides them, and claims are decided by numbers alone.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { experimentNames } from "../../src/cli/words.ts";
import { createModel } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import type { Score } from "../../src/evaluation/probe.ts";
import { differences, judge, overall, type Runs } from "../../src/experiments/claims.ts";
import { counted } from "../../src/experiments/distances.ts";
import { experiments } from "../../src/experiments/experiments.ts";
import { createPlan, missing } from "../../src/experiments/plan.ts";
import { recipe } from "../../src/experiments/recipes.ts";
import { type ScaleName, scales } from "../../src/experiments/scales.ts";
import { cellConfig, probeConfig, type Study, supervisedConfig } from "../../src/experiments/study.ts";
import { combinationsOf, valuesOf } from "../../src/experiments/sweep.ts";
import { table1Cell, table1Claims, table1Columns, table1Rows } from "../../src/experiments/table1.ts";
import { keyOf } from "../../src/experiments/task.ts";
import { explain } from "../../src/program/explain.ts";
import type { Config } from "../../src/training/config.ts";
import { recordConfigured } from "../../src/training/configured-rule.ts";

const study = (scale: ScaleName, more: Partial<Study> = {}): Study => ({
  scale: scales[scale],
  preset: "ours",
  seeds: [0],
  substitute: false,
  ...more,
});
const hinge = "contrastiveHinge";

describe("cells of Table 1", () => {
  test("are all rows, ten of them with the constraints as well, each with a title of its own", () => {
    const titles = table1Columns(study("small")).map(({ title }) => title);
    expect(titles).toHaveLength(13 + 10);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles.slice(0, 10).every((title) => title.endsWith("block and 5 negatives"))).toBe(true);
  });

  test("are configurations, constrained ones with 5 negatives and gradient block", async () => {
    for (const constrained of [true, false])
      for (const { loss, learning, update, freeOnly } of table1Rows) {
        if (constrained && freeOnly) continue;
        const config = await cellConfig(study("smoke"), table1Cell({ loss, learning, update }, constrained), 3);
        expect(config).toMatchObject({ learning, update, loss: { kind: loss }, seed: 3 });
        if (loss === hinge)
          expect(config.loss).toMatchObject({ negatives: constrained ? 5 : "all", gradientBlock: constrained });
      }
  });

  test("cost what BP end to end costs in the same column, to a quarter of an epoch of every layer", async () => {
    const flops = (config: Config): number => {
      const shape = { ...networks.cifar, count: 50_000, classes: 100 };
      const { lessons } = recordConfigured(config, createModel(networks.cifar), shape);
      return 200 * config.epochs * lessons.reduce((sum, { program }) => sum + explain(program).flops, 0);
    };
    for (const constrained of [true, false]) {
      const of = async (learning: "E2E" | "GLL" | "RLL", update: "BP" | "URF" | "RF"): Promise<number> =>
        flops(await cellConfig(study("medium"), table1Cell({ loss: hinge, learning, update }, constrained), 0));
      const together = await of("E2E", "BP");
      for (const [learning, update] of [
        ["GLL", "URF"],
        ["RLL", "RF"],
        ["GLL", "BP"],
      ] as const)
        expect((await of(learning, update)) / together).toBeCloseTo(1, 1);
    }
  });

  test("have the paper's sizes at its scale, for each layer that learns alone as well", async () => {
    const cell = table1Cell({ loss: hinge, learning: "GLL", update: "RF" }, false);
    const config = await cellConfig(study("paper", { preset: "paper-text" }), cell, 0);
    expect(config).toMatchObject({
      ...{ batch: 500, epochs: 400, valueRange: [0, 1], encoder: "cifar", preset: "paper-text" },
      optimiser: { kind: "adam", learningRate: 1e-4, schedule: { kind: "constant", warmup: 0 } },
      data: { dataset: "cifar-100", limit: 50_000 },
    });
    const { labelsPerClass, epochs, train } = probeConfig(study("paper"), "cifar");
    expect({ labelsPerClass, epochs, labelled: train.limit }).toEqual({
      labelsPerClass: ["all"],
      epochs: 400,
      labelled: 45_000,
    });
  });
});

test("presets differ, and each has the choices of its name", async () => {
  const cell = table1Cell({ loss: hinge, learning: "E2E", update: "BP" }, true);
  const of = (preset: Study["preset"]) => cellConfig(study("small", { preset }), cell, 0);
  const [ours, text, code] = [await of("ours"), await of("paper-text"), await of("authors-code")];
  expect(code.loss).toMatchObject({ negativesReading: "authors-code" });
  expect(text.loss).toMatchObject({ negativesReading: "paper-text" });
  const keys = [ours, text, code].map((config) => keyOf({ kind: "train", of: { config, trained: true } }));
  expect(new Set(keys).size).toBe(3);
  expect(recipe("ours", "cifar", cell, true).valueRange).toEqual([-1, 1]);
});

describe("tasks", () => {
  const cell = table1Cell({ loss: hinge, learning: "E2E", update: "BP" }, true);

  test("have one key for what makes the same numbers, whatever it is called and wherever its files are", async () => {
    const config = await cellConfig(study("small"), cell, 0);
    const key = (changed: Partial<Config>): string =>
      keyOf({ kind: "train", of: { config: { ...config, ...changed }, trained: true } });
    expect(key({ name: "another", metricsEvery: 3, checkpointEvery: 9 })).toBe(key({}));
    expect(key({ data: { ...config.data, folder: "elsewhere" } })).toBe(key({}));
    for (const changed of [{ seed: 1 }, { epochs: 6 }, { batch: 50 }, { update: "URF" }] as const)
      expect(key(changed)).not.toBe(key({}));
  });

  test("of a random encoder are shared by all rules, and not by other seeds or ranges of inputs", async () => {
    const probe = probeConfig(study("small"), "cifar");
    const key = (config: Config, trained = false): string => keyOf({ kind: "probe", of: { config, trained }, probe });
    const config = await cellConfig(study("small"), cell, 0);
    const other = await cellConfig(
      study("small"),
      table1Cell({ loss: "simclr", learning: "E2E", update: "BP" }, false),
      0,
    );
    expect(key(other)).toBe(key(config));
    expect(key(other, true)).not.toBe(key(config, true));
    expect(key({ ...config, seed: 1 })).not.toBe(key(config));
    expect(key({ ...config, valueRange: [0, 1] })).not.toBe(key(config));
  });

  test("are planned once, a run before what is measured of it", async () => {
    const plan = createPlan();
    const config = await cellConfig(study("small"), cell, 0);
    const probe = probeConfig(study("small"), "cifar");
    const task = { kind: "probe", of: { config, trained: true }, probe } as const;
    const first = plan.add("table: read-outs", task);
    const again = plan.add("figure: read-outs", task);
    expect(again.key).toBe(first.key);
    expect(plan.tasks().map(({ task: { kind } }) => kind)).toEqual(["train", "probe"]);
    expect(plan.tasks()[1].needs).toBe(plan.tasks()[0].key);
  });

  test("that are still to be done bring the runs that they need, where the encoder is not there", async () => {
    const plan = createPlan();
    const config = await cellConfig(study("small"), cell, 0);
    const probe = probeConfig(study("small"), "cifar");
    plan.add("a run", { kind: "train", of: { config, trained: true } });
    plan.add("its read-outs", { kind: "probe", of: { config, trained: true }, probe });
    const [run, read] = plan.tasks();
    const todo = (results: readonly string[], encoders: readonly string[], only?: RegExp): string[] =>
      missing(plan.tasks(), {
        only,
        hasResult: (key) => results.includes(key),
        hasEncoder: (key) => encoders.includes(key),
      }).map(({ title }) => title);
    expect(todo([], [])).toEqual(["a run", "its read-outs"]);
    expect(todo([run.key, read.key], [])).toEqual([]);
    expect(todo([run.key], [run.key])).toEqual(["its read-outs"]);
    expect(todo([run.key], [])).toEqual(["a run", "its read-outs"]);
    expect(todo([], [], /read-outs/)).toEqual(["a run", "its read-outs"]);
    expect(todo([], [], /a run/)).toEqual(["a run"]);
    expect(() => todo([], [], /nothing/)).toThrow(/--only must be a pattern that matches a task, got nothing/);
  });
});

test("every experiment has its name on the command line, and plans tasks at every scale that renders", async () => {
  expect(experiments.map(({ name }) => name)).toEqual([...experimentNames]);
  for (const experiment of experiments) {
    const plan = createPlan();
    await experiment.plan(study("smoke"), plan);
    const titles = plan.tasks().map(({ title }) => title);
    expect(new Set(titles).size, experiment.name).toBe(titles.length);
  }
});

test("a supervised network learns from so many labels, in batches no larger", () => {
  const config = supervisedConfig(study("small"), { setting: "cifar", labelled: 60 }, 2);
  expect(config).toMatchObject({
    batch: 60,
    seed: 2,
    loss: { kind: "crossEntropy" },
    data: { dataset: "cifar-10", limit: 60 },
  });
});

describe("distances", () => {
  test("of a batch are counted pair by pair, in L1", () => {
    // Two anchors at 0 and 4, their partners at 1 and 6: positives 1 and 2, negatives |0 − 6| and |4 − 1|.
    const { width, positives, negatives, ...shares } = counted(Float32Array.of(0, 4, 1, 6), 1, 2, { m1: 1.5, m2: 5 });
    const values = (counts: readonly number[]): number[] => counts.flatMap((n, i) => Array(n).fill(i * width));
    for (const [seen, wanted] of [
      [values(positives), [1, 2]],
      [values(negatives), [3, 6]],
    ])
      wanted.forEach((distance, i) => {
        expect(Math.abs(seen[i] - distance)).toBeLessThanOrEqual(width);
      });
    expect(shares).toEqual({ activePositives: 0.5, activeNegatives: 0.5 });
  });
});

test.each([
  ["smoke", "table3", "Accuracy on the test set of rendered solids (for CIFAR-10) as it is, and deformed."],
  ["small", "table3", "Accuracy on the test set of CIFAR-10 as it is, and deformed."],
  ["smoke", "table4", "Accuracy on the test set of rendered solids (for MNIST) as it is, and deformed."],
  ["small", "table4", "Accuracy on the test set of MNIST as it is, and deformed."],
] as const)("at scale %s the caption of %s says which pictures it is about", async (scale, name, begins) => {
  const found = experiments.find((one) => one.name === name);
  const part = await found?.plan(study(scale), createPlan());
  const made = await part?.(() => undefined, referenceBackend);
  expect(made?.tables.map(({ caption }) => caption.slice(0, begins.length))).toEqual([begins]);
});

describe("a sweep's words", () => {
  test("are parted at commas that no bracket or quote holds", () => {
    expect(valuesOf("optimiser.learningRate=1e-3,3e-4")).toEqual({
      key: "optimiser.learningRate",
      values: ["1e-3", "3e-4"],
    });
    expect(valuesOf("valueRange=[0,1],[-1,1]").values).toEqual(["[0,1]", "[-1,1]"]);
    expect(valuesOf("loss={kind: simclr, temperature: 0.1},{kind: contrastiveHinge}").values).toHaveLength(2);
    expect(valuesOf("name='a,b'").values).toEqual(["'a,b'"]);
  });

  test("are refused where a value or a key is missing", () => {
    expect(() => valuesOf("seed=1,,2")).toThrow(/seed must be values between commas, got seed=1,,2/);
    expect(() => valuesOf("seed")).toThrow(/overrides must be key=value or key=a,b,c, got seed/);
  });

  test("make every combination", () => {
    expect(combinationsOf([["a", "b"], ["c"], ["d", "e"]])).toEqual([
      ["a", "c", "d"],
      ["a", "c", "e"],
      ["b", "c", "d"],
      ["b", "c", "e"],
    ]);
    expect(combinationsOf([])).toEqual([[]]);
  });
});

describe("claims", () => {
  const scored = (...accuracies: number[]): Runs =>
    accuracies.map((accuracy): Score[] => [
      { subject: "trained", readOut: "kNN", labelsPerClass: 10, seed: 0, accuracy, details: {} },
    ]);
  const decide = (a: Runs, b: Runs, kind: "above" | "alike", by = 0) => differences(a, b, { kind, by }, 10_000)[0];

  /** Points: the error of a difference of two shares of one half among 10,000 answers. */
  const ofOne = 100 * Math.sqrt((2 * 0.5 * 0.5) / 10_000);

  test("are about rows that the table has", () => {
    const titles = table1Columns(study("medium")).map(({ title }) => title);
    for (const { pairs } of table1Claims)
      for (const side of pairs.flat()) if (side !== "random") expect(titles).toContain(side);
    expect(table1Claims.length).toBeGreaterThan(5);
  });

  test("of one seed are decided by the error of shares of the test images", () => {
    const { difference, error, decision } = decide(scored(0.52), scored(0.5), "above");
    expect(difference).toBeCloseTo(2, 10);
    expect(error).toBeCloseTo(ofOne, 2);
    expect(decision).toBe("holds");
    expect(decide(scored(0.51), scored(0.5), "above").decision).toBe("not decided");
    expect(decide(scored(0.5), scored(0.52), "above").decision).toBe("does not hold");
    expect(decide(scored(0.5), scored(0.52), "above", -4).decision).toBe("holds");
  });

  test("of several seeds by the spread over them, never by less than the test images allow", () => {
    // Deviations of 2 points over three seeds on either side: √(2 · 4/3) = 1.63.
    const wide = decide(scored(0.5, 0.52, 0.54), scored(0.5, 0.48, 0.46), "above");
    expect(wide.error).toBeCloseTo(Math.sqrt((2 * 4) / 3), 6);
    expect(decide(scored(0.5, 0.5, 0.5), scored(0.5, 0.5, 0.5), "above").error).toBeCloseTo(ofOne / Math.sqrt(3), 10);
  });

  test("of likeness hold within the bound, fail beyond it, and are open at its edge", () => {
    const many = (accuracy: number): Runs => scored(...Array(25).fill(accuracy));
    expect(decide(many(0.5), many(0.502), "alike", 1.5).decision).toBe("holds");
    expect(decide(many(0.5), many(0.53), "alike", 1.5).decision).toBe("does not hold");
    expect(decide(many(0.5), many(0.515), "alike", 1.5).decision).toBe("not decided");
  });

  test("compare read-outs and numbers of labels that both sides have", () => {
    expect(differences(scored(0.5), [[]], { kind: "above", by: 0 }, 100)).toEqual([]);
  });

  test("are decided where most differences are, and none the other way", () => {
    expect(overall(["holds", "holds", "not decided"])).toBe("holds");
    expect(overall(["holds", "holds", "does not hold"])).toBe("not decided");
    expect(overall(["does not hold", "does not hold", "not decided"])).toBe("does not hold");
    expect(overall(["holds", "not decided"])).toBe("not decided");
    expect(overall([])).toBe("not decided");
  });
});

test("a claim is told with its evidence, and not decided where nothing was measured", () => {
  const scored = (accuracy: number): Runs => [
    [{ subject: "trained", readOut: "kNN", labelsPerClass: "all", seed: 0, accuracy, details: {} }],
  ];
  const claim = { text: "a is above b", source: "Table 1", kind: "above", by: 0, pairs: [["a", "b"]] } as const;
  const runs: Record<string, Runs> = { a: scored(0.6), b: scored(0.5) };
  const [held] = judge([claim], (title) => runs[title] ?? [], 10_000);
  expect(held.decision).toBe("holds");
  expect(held.evidence).toEqual(["a against b, kNN, all labels: +10.0 ± 0.7 points (holds)"]);
  expect(judge([claim], () => [], 10_000)[0]).toMatchObject({ decision: undefined, evidence: [] });
});

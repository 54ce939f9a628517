// Table 1 as data: its cells are configurations of equal compute, and the paper's claims are decided by the numbers alone.

import { describe, expect, test } from "vitest";
import { createModel } from "../src/encoders/model.ts";
import { networks } from "../src/encoders/networks.ts";
import type { Score } from "../src/evaluation/probe.ts";
import { differences, overall, type Runs, table1Claims } from "../src/experiments/claims.ts";
import { cellConfig, cells, rowName, scales, table1 } from "../src/experiments/table1.ts";
import { explain } from "../src/program/explain.ts";
import type { Config } from "../src/training/config.ts";
import { recordConfigured } from "../src/training/configured-rule.ts";

describe("cells", () => {
  const all = cells(3);

  test("are all rows, ten of them with the constraints as well, each with a name of its own", () => {
    expect(all).toHaveLength(13 + 10);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    expect(all.every(({ seed, name }) => seed === 3 && name.endsWith("-3"))).toBe(true);
    expect(all.slice(0, 10).every(({ constrained }) => constrained)).toBe(true);
  });

  test("are configurations, constrained ones with 5 negatives and gradient block", () => {
    for (const cell of all) {
      const config = cellConfig(cell, scales.smoke);
      const { loss, learning, update } = cell.row;
      expect(config).toMatchObject({ learning, update, loss: { kind: loss }, seed: 3 });
      if (loss === "contrastiveHinge")
        expect(config.loss).toMatchObject({ negatives: cell.constrained ? 5 : "all", gradientBlock: cell.constrained });
    }
  });

  test("cost what BP end to end costs in the same column, to a quarter of an epoch of every layer", () => {
    const flops = (config: Config): number => {
      const { lessons } = recordConfigured(config, createModel(networks.cifar), {
        ...networks.cifar,
        count: 50_000,
        classes: 100,
      });
      const perEpoch = 200 * lessons.reduce((sum, { program }) => sum + explain(program).flops, 0);
      return config.epochs * perEpoch;
    };
    for (const constrained of [true, false]) {
      const of = (learning: string, update: string): number => {
        const cell = all.find(
          ({ row, ...one }) =>
            one.constrained === constrained &&
            row.loss === "contrastiveHinge" &&
            row.learning === learning &&
            row.update === update,
        );
        if (cell === undefined) throw new Error(`no ${learning} ${update}`);
        return flops(cellConfig(cell, scales.medium));
      };
      const together = of("E2E", "BP");
      for (const [learning, update] of [
        ["GLL", "URF"],
        ["RLL", "RF"],
        ["GLL", "BP"],
      ] as const)
        expect(of(learning, update) / together).toBeCloseTo(1, 1);
    }
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
    const rows = [true, false].flatMap((constrained) => table1.map((row) => rowName(row, constrained)));
    for (const { pairs } of table1Claims)
      for (const side of pairs.flat()) if (side !== "random") expect(rows).toContain(side);
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

// tools/search.ts: a space of rules and settings is searched at one budget, each cell once, and nothing is read of the test set.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { override, parseConfig } from "../src/training/config.ts";
import { costOf } from "../src/training/forecast.ts";

let root: string;
let cells: {
  rule: string;
  varied: string[];
  steps: number;
  epochs: number;
  scores: { readOut: string }[];
  xray: object[];
}[];

const budget = 5e9;
const space = `
base: configs/quickstart.yaml
holdOut: 40
set:
  - encoder=tiny
  - data.size=16
  - data.limit=40
  - batch=10
  - 'probe.train={dataset: procedural-objects, split: train, limit: 100, size: 16}'
  - 'probe.test={dataset: image-folder, folder: nowhere, split: test}'
  - probe.labelsPerClass=[2]
  - probe.epochs=2
teraflops: ${budget / 1e12}
rules:
  E2E BP: []
  GLL URF: [learning=GLL, update=URF]
vary:
  optimiser.learningRate: [1.0e-3, 1.0e-4]
varyFor:
  GLL URF: { optimiser.learningRate: [1.0e-3] }
`;

const search = (...more: string[]): string =>
  execFileSync(process.execPath, ["tools/search.ts", join(root, "small.yaml"), "--out", join(root, "out"), ...more], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
const lines = (): string[] => readFileSync(join(root, "out/cells.jsonl"), "utf8").trim().split("\n");

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-search-"));
  writeFileSync(join(root, "small.yaml"), space);
  search("--rules", "BP");
  search();
  cells = lines().map((line) => JSON.parse(line));
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("every cell stands once, after the random encoder, whatever was searched before", () => {
  expect(cells.map(({ rule, varied }) => [rule, ...varied])).toEqual([
    ["random encoder"],
    ["E2E BP", "optimiser.learningRate=0.001"],
    ["E2E BP", "optimiser.learningRate=0.0001"],
    ["GLL URF", "optimiser.learningRate=0.001"],
  ]);
  expect(cells.map(({ xray }) => xray.length)).toEqual([0, 1, 1, 3]);
  for (const { scores } of cells) expect(scores.map(({ readOut }) => readOut)).toEqual(["paper", "scaleFree", "kNN"]);
});

test("a cell has as many epochs as the budget pays for", () => {
  const small = ["encoder=tiny", "data.size=16", "data.limit=40", "batch=10", "epochs=1"];
  const raw: unknown = parse(readFileSync("configs/quickstart.yaml", "utf8"));
  for (const assignment of small) override(raw, assignment, parse);
  const shape = { name: "solids", count: 40, height: 16, width: 16, channels: 3, classes: 10 };
  const perEpoch = costOf(parseConfig(raw, "quickstart"), shape).flops;
  const [, together, slower, alone] = cells;
  expect(Math.abs(together.epochs * perEpoch - budget)).toBeLessThanOrEqual(perEpoch / 2);
  expect(slower.epochs).toBe(together.epochs);
  expect(together.steps).toBe(4 * together.epochs);
  // Three layers, each with the epochs of the configuration.
  expect(alone.steps).toBe(3 * 4 * alone.epochs);
});

test("the page has a row for every cell, the best of a rule first", () => {
  const before = lines();
  search("--table");
  expect(lines()).toEqual(before);
  const page = readFileSync(join(root, "out/README.md"), "utf8");
  const rows = page.split("\n").filter((line) => /\d\.\d \|$/.test(line));
  expect(rows.map((row) => row.split(" | ")[0])).toEqual(["| random encoder", "| E2E BP", "| ", "| GLL URF"]);
  const sum = (row: string): number =>
    row
      .split(" | ")
      .slice(-3)
      .reduce((all, cell) => all + Number.parseFloat(cell), 0);
  expect(sum(rows[1])).toBeGreaterThanOrEqual(sum(rows[2]));
});

// saccade compare: rules trained on the same pictures and read out in one table, with the audit of each, a picture and a report.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Features } from "../../src/evaluation/features.ts";
import { nearestRows } from "../../src/runs/comparison-figure.ts";
import { costOf } from "../../src/runs/forecast.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

const main = resolve("dist/cli/main.js");
const configs = ["configs/quickstart.yaml", "configs/plausible.yaml"];
const paths = configs.map((path) => resolve(path));
/** A moment's training, and a read-out of a moment. */
const small = [
  "encoder=tiny",
  ...["data.size=16", "data.limit=40", "batch=10", "epochs=1"],
  ...["probe.train.size=16", "probe.test.size=16", "probe.train.limit=100", "probe.test.limit=50"],
  ...["probe.labelsPerClass=[2, 5]", "probe.epochs=2"],
];
let root: string;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function saccade(...words: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const told = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (bytes) => (told[stream] += bytes));
  return new Promise((done) => child.on("close", (code) => done({ code, ...told })));
}

let first: Ended;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "saccade-compare-"));
  first = await saccade("compare", ...paths, ...small);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const runs = (): string[] => readdirSync(join(root, "runs")).map((name) => join("runs", name));

describe("two configurations", () => {
  test("are trained, and stand in one table under the pixels and the random encoder, with the audit of each", () => {
    expect(first.code, first.stderr).toBe(0);
    const rows = first.stdout.split("\n").filter((line) => /\d \/ \d+\.\d$/.test(line));
    expect(rows).toHaveLength(4);
    const cells = rows.map((row) => row.split(/ {2,}/));
    expect(cells.map(([name]) => name)).toEqual([
      "pixels",
      "random encoder",
      "E2E BP, 5 negatives",
      "GLL URF, block, 5 negatives",
    ]);
    expect(cells.map((row) => row.slice(1, 5))).toEqual([
      Array(4).fill("–"),
      Array(4).fill("–"),
      ["both views", "pass", "fail", "none"],
      ["pass", "pass", "pass", "none"],
    ]);
    for (const row of cells) for (const cell of row.slice(5)) expect(cell).toMatch(/^\d+\.\d \/ \d+\.\d$/);
    expect(first.stdout).toMatch(/^E2E BP, 5 negatives: \d+\.\d TFLOP, 40 pairs of views in 4 steps, /m);
    expect(first.stdout).toMatch(/^GLL URF, block, 5 negatives: \d+\.\d TFLOP, 120 pairs of views in 12 steps, /m);
  });

  test("leave a picture and a report with every score", () => {
    const report = JSON.parse(readFileSync(join(root, "figures/compare.json"), "utf8"));
    expect(report.rows.map(({ scores }: { scores: object[] }) => scores.length)).toEqual([6, 6, 6, 6]);
    expect(report.runs.map(({ run }: { run: string }) => run).sort()).toEqual(runs().sort());
    const svg = readFileSync(join(root, "figures/compare.svg"), "utf8");
    for (const text of ["GLL URF, block, 5 negatives", "(i) to (iv)", "k nearest neighbours", "untrained"])
      expect(svg).toContain(text);
    expect(existsSync(join(root, "figures/compare.png"))).toBe(true);
  });

  test("given as runs are read out again, to the same numbers, and not trained", async () => {
    const trained = JSON.parse(readFileSync(join(root, "figures/compare.json"), "utf8"));
    const before = runs();
    const again = await saccade(
      "compare",
      ...trained.runs.map(({ run }: { run: string }) => run),
      "--json",
      "--out",
      "again",
    );
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout).rows).toEqual(trained.rows);
    expect(runs()).toEqual(before);
  });

  test("are trained with several seeds, from their own on; the table has means, and each seed its own random encoder", async () => {
    const before = runs();
    const ended = await saccade("compare", ...paths, ...small, "--seeds", "2", "--out", "seeds");
    expect(ended.code, ended.stderr).toBe(0);
    // Of the first seed both are there already.
    expect(runs().length - before.length).toBe(2);
    expect(ended.stdout.match(/^run {6}runs\/\S+, trained before; --fresh trains anew$/gm)).toHaveLength(2);
    const { rows } = JSON.parse(readFileSync(join(root, "seeds/compare.json"), "utf8"));
    const single = JSON.parse(readFileSync(join(root, "figures/compare.json"), "utf8")).rows;
    type Told = { trainingSeed: number; accuracy: number; readOut: string; labelsPerClass: number };
    for (const [i, { scores }] of rows.entries()) {
      expect(scores.map(({ trainingSeed }: Told) => trainingSeed)).toEqual([...Array(6).fill(0), ...Array(6).fill(1)]);
      // The same seed gives the same numbers.
      expect(scores.slice(0, 6)).toEqual(single[i].scores);
    }
    const kNN = rows[1].scores.filter(({ readOut, labelsPerClass }: Told) => readOut === "kNN" && labelsPerClass === 5);
    const [a, b] = kNN.map(({ accuracy }: Told) => 100 * accuracy);
    expect(ended.stdout).toMatch(new RegExp(`^random encoder .* / ${((a + b) / 2).toFixed(1)}$`, "m"));
    expect(ended.stdout).toMatch(/^Means over 2 seeds of training, whose standard deviation is at most \d+\.\d\.$/m);
    const [run] = before;
    const refused = await saccade("compare", run, "--seeds", "2");
    expect(refused.stderr).toMatch(/^saccade: compare: .* is a run, which has one seed; leave --seeds out, or give/);
    expect(refused.code).toBe(1);
  });

  test("with --fresh are trained anew, to the same numbers", async () => {
    const before = runs();
    const trained = JSON.parse(readFileSync(join(root, "figures/compare.json"), "utf8"));
    const fresh = await saccade("compare", ...paths, ...small, "--fresh", "--json", "--out", "fresh");
    expect(fresh.code, fresh.stderr).toBe(0);
    const report = JSON.parse(fresh.stdout);
    expect(report.rows).toEqual(trained.rows);
    expect(report.runs.map(({ run }: { run: string }) => run).filter((run: string) => before.includes(run))).toEqual(
      [],
    );
  });

  test.each([
    [
      ["seed=1"],
      /^saccade: compare: needs a configuration or a run, for example: saccade compare configs\/quickstart\.yaml /,
    ],
    [["probe=null"], /^saccade: .*probe/],
    [["batc=3"], /unknown key "batc", did you mean "batch"\?/],
  ])("with %j are refused", async (words, sentence) => {
    const ended = await saccade("compare", ...(words[0] === "seed=1" ? [] : paths), ...words);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(sentence);
  });

  test("of other seeds are refused, and a run takes no change", async () => {
    const [run] = runs();
    const other = await saccade("compare", run, paths[1], ...small, "seed=3");
    expect(other.stderr).toMatch(/^saccade: compare: .* is a run, which cannot be changed; leave encoder=tiny out\n$/);
    expect(other.code).toBe(1);
    const apart = await saccade("compare", run, paths[1]);
    expect(apart.stderr).toMatch(
      /^saccade: compare: data must be the same in all, .* as in \w+, got .* in plausible; set it for all: data=…\n$/,
    );
    expect(apart.code).toBe(1);
  });
});

test("npm start's two rules have the same data and read-outs, and cost the same within a tenth", () => {
  const [baseline, plausible] = configs.map((path) => parseConfig(parse(readFileSync(path, "utf8")), path));
  for (const key of ["data", "augmentation", "valueRange", "encoder", "seed", "probe"] as const)
    expect(plausible[key]).toEqual(baseline[key]);
  const dataset = { name: "solids", count: 3000, height: 32, width: 32, channels: 3, classes: 10 };
  expect(costOf(plausible, dataset).flops / costOf(baseline, dataset).flops).toBeCloseTo(1, 1);
});

test("the nearest rows are those of the largest cosine, the pool's mean taken off", () => {
  const features = (rows: number[][]): Features => ({
    rows: Float32Array.from(rows.flat()),
    count: rows.length,
    width: 2,
    labels: new Int32Array(rows.length),
    classes: 1,
  });
  // The mean is (1, 1): seen from there the rows stand at 0°, 90°, 180°, 270° and, with a mean of its own part, at 45°.
  const pool = features([
    [3, 1],
    [1, 2],
    [-2, 1],
    [1, -1],
    [2, 2],
  ]);
  expect(
    nearestRows(
      pool,
      features([
        [9, 1.1],
        [1, 5],
      ]),
      2,
    ),
  ).toEqual([
    [0, 4],
    [1, 4],
  ]);
});

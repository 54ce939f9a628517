// saccade reproduce and sweep: every cell and figure runs, an interrupted reproduction ends in the bytes of one that is not, and what is
// known is not done again.

import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../../src/experiments/report.ts";
import type { Outcome } from "../../src/experiments/store.ts";

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let root: string;
const place = (...names: string[]): string => join(root, ...names);

/** `onText` sees what stands on stderr so far, and may send a signal. */
function saccade(
  words: readonly string[],
  onText: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
) {
  const child = spawn(process.execPath, ["dist/cli/main.js", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SACCADE_SIMD: "relaxed", NO_COLOR: "1" },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes) => (out += bytes));
  child.stderr.on("data", (bytes) => {
    err += bytes;
    onText(err, (signal) => child.kill(signal));
  });
  return new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

const reproduce = (...words: string[]): Promise<Ended> =>
  saccade(["reproduce", ...words, "--scale", "smoke", "--records", place("none")]);

const reportOf = (folder: string): Report => JSON.parse(readFileSync(join(folder, "report.json"), "utf8"));
const outcomesOf = (folder: string): Outcome[] =>
  readFileSync(join(folder, "results.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Every file of a report without its times, and without the commit, which other tests may make dirty in between. */
function bytesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const changing = [
    /"seconds":\s*[\d.e-]+/g,
    /took (\d+ h )?(\d+ min ?)?(\d+ s)?/g,
    /(0\\?\.1\.0, commit [0-9a-f]{12}(-dirty)?(; )?)+/g,
    /"commit":"[0-9a-f]{12}(-dirty)?"/g,
  ];
  return Object.fromEntries(
    files.map((file) => {
      const path = join(file.parentPath, file.name);
      const text = changing.reduce((left, pattern) => left.replace(pattern, ""), readFileSync(path, "latin1"));
      return [path.slice(folder.length), text];
    }),
  );
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-reproduce-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("every cell and figure runs; stopped in mid-run it goes on and ends in the same report", {
  timeout: 900_000,
}, async () => {
  const words = ["reproduce", "all", "--scale", "smoke", "--records", place("none"), "--out", place("all")];
  let sent = false;
  const stopped = await saccade(words, (text, kill) => {
    if (sent || !/^5 of/m.test(text)) return;
    sent = true;
    kill("SIGINT");
  });
  expect(stopped.code).toBe(130);
  expect(stopped.err).toContain("the same command resumes");
  const before = readdirSync(place("all/results")).length;
  expect(before).toBeGreaterThanOrEqual(5);

  const whole = await saccade(words);
  expect(whole.err).not.toContain("failed");
  expect(whole.code).toBe(0);
  const report = reportOf(place("all/report"));
  expect(report.experiments.every(({ missing }) => missing === undefined)).toBe(true);
  for (const { name, tables, figures } of report.experiments) {
    expect(tables.length + figures.length, name).toBeGreaterThan(0);
    for (const { rows } of tables)
      for (const { title, cells } of rows)
        expect(
          cells.some((cell) => cell !== "–"),
          `${name}: ${title}`,
        ).toBe(true);
    for (const { rows } of tables) for (const { notes } of rows) expect(notes.join()).not.toContain("diverged");
  }
  // Nothing was done twice, and rendered pictures decide nothing.
  const outcomes = outcomesOf(place("all/report"));
  expect(new Set(outcomes.map(({ key }) => key)).size).toBe(outcomes.length);
  expect(report.experiments.flatMap(({ claims }) => claims).every(({ decision }) => decision === "not decided")).toBe(
    true,
  );

  // The same part, never stopped, with other threads and one task at a time.
  const one = await reproduce("dtp", "figure5", "--out", place("one"), "--jobs", "1", "--threads", "2");
  expect(one.code).toBe(0);
  const again = await saccade([...words.slice(0, 1), "dtp", "figure5", ...words.slice(2), "--report", place("part")]);
  expect(again.err).toContain("0 networks to train, 0 measurements to make");
  expect(again.code).toBe(0);
  const [part, alone] = [bytesOf(place("part")), bytesOf(place("one/report"))];
  expect(Object.keys(part)).toEqual(Object.keys(alone));
  for (const file of Object.keys(part)) expect(part[file] === alone[file], file).toBe(true);
});

test("results of a record are taken, and a run is trained again only for who needs its encoder", {
  timeout: 300_000,
}, async () => {
  mkdirSync(place("records/kept"), { recursive: true });
  copyFileSync(place("one/report/results.jsonl"), place("records/kept/results.jsonl"));
  const words = ["reproduce", "dtp", "--scale", "smoke", "--records", place("records"), "--out", place("known")];
  const known = await saccade(words);
  expect(known.code).toBe(0);
  expect(known.err).toContain("0 networks to train, 0 measurements to make");
  expect(reportOf(place("known/report")).experiments[0].tables).toEqual(
    reportOf(place("one/report")).experiments[0].tables,
  );

  const lines = readFileSync(place("one/report/results.jsonl"), "utf8").split("\n");
  const left = lines.filter((line) => !line.includes('"title":"dtp: hinge, E2E, DTP, strides, seed 0, read-outs"'));
  expect(left).toHaveLength(lines.length - 1);
  writeFileSync(place("records/kept/results.jsonl"), left.join("\n"));
  const more = await saccade([...words.slice(0, -1), place("more")]);
  expect(more.err).toContain("1 networks to train, 1 measurements to make");
  expect(reportOf(place("more/report")).experiments[0].tables).toEqual(
    reportOf(place("one/report")).experiments[0].tables,
  );
});

test("what cannot be done is said in a sentence, and the rest is done", { timeout: 300_000 }, async () => {
  const unknown = await saccade(["reproduce", "tabel1"]);
  expect(unknown).toMatchObject({ code: 1, out: "" });
  expect(unknown.err).toContain("did you mean table1?");
  const nowhere = await saccade([
    "reproduce",
    "table1",
    "--scale",
    "smoke",
    "--only",
    "no such cell",
    "--out",
    place("no"),
  ]);
  expect(nowhere.code).toBe(1);
  expect(nowhere.err).toContain("--only must be a pattern that matches a task, got no such cell");
  expect(existsSync(place("no"))).toBe(false);
  const pattern = await saccade(["reproduce", "table1", "--only", "("]);
  expect(pattern.code).toBe(2);

  // A damaged result is done again where it is removed; a damaged line of a record says where it is.
  mkdirSync(place("bad/kept"), { recursive: true });
  writeFileSync(place("bad/kept/results.jsonl"), "{\n");
  const damaged = await saccade([
    "reproduce",
    "dtp",
    "--scale",
    "smoke",
    "--records",
    place("bad"),
    "--out",
    place("no"),
  ]);
  expect(damaged.code).toBe(1);
  expect(damaged.err).toContain("results.jsonl: line 1 is not JSON");
});

test("a dataset that is missing is said once, with the command that gets it", async () => {
  const child = { ...process.env, SACCADE_DATA: place("no-data") };
  mkdirSync(place("no-data"));
  const said = await new Promise<string>((resolve) => {
    const words = ["dist/cli/main.js", "reproduce", "table1", "table2", "table4", "--scale", "small", "--list"];
    const list = spawn(process.execPath, words, { env: child, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    list.stderr.on("data", (bytes) => (text += bytes));
    list.on("close", (code) => resolve(`${text.replace(/\s+/g, " ")}${code}`));
  });
  expect(said).toContain("left out: table1: CIFAR-100 is not here; fetch it: saccade data get cifar-100");
  expect(said).toContain(
    "left out: table2: STL-10 is not here; fetch it: saccade data get stl-10, or take rendered solids of 96 × 96 pixels instead: --substitute",
  );
  expect(said).toContain("none of the requested tasks can be run here");
  expect(said.endsWith("1")).toBe(true);
});

test("a sweep of three learning rates and two seeds is one command, with its table and picture", {
  timeout: 300_000,
}, async () => {
  const small = [
    ...[
      "encoder=tiny",
      "data.size=16",
      "data.limit=40",
      "batch=10",
      "epochs=1",
      "probe.train.size=16",
      "probe.test.size=16",
    ],
    ...["probe.train.limit=60", "probe.test.limit=60", "probe.labelsPerClass=[2]", "probe.epochs=2", "probe.seeds=1"],
  ];
  const rates = "optimiser.learningRate=1e-3,3e-4,1e-4";
  const words = ["sweep", "configs/quickstart.yaml", ...small, rates, "--seeds", "2", "--records", place("none")];
  const swept = await saccade([...words, "--out", place("swept")]);
  expect(swept.code).toBe(0);
  const rows = swept.out.split("\n").filter((line) => /± \d/.test(line));
  expect(rows.map((row) => row.split("  ")[0])).toEqual([
    "random encoder",
    "pixels",
    ...["1e-3", "3e-4", "1e-4"].map((rate) => `optimiser.learningRate=${rate}`),
  ]);
  const outcomes = outcomesOf(place("swept/report"));
  expect(outcomes.filter(({ kind }) => kind === "train")).toHaveLength(6);
  expect(existsSync(place("swept/report/figures/sweep-sweep-accuracies.png"))).toBe(true);
  const told = [...readFileSync(place("swept/report/README.md"), "utf8").matchAll(/, loss (\S+) → ([^\s;.]+\.?\d*)/g)];
  expect(told).toHaveLength(3);
  // The terminal and the report round alike.
  const spreads = (text: string): string[] => text.match(/\d+\.\d ± \d+\.\d/g) ?? [];
  const lines = readFileSync(place("swept/report/README.md"), "utf8").split("\n");
  const written = lines.filter((line) => /^\| (random encoder|pixels|optimiser)/.test(line));
  expect(written.map(spreads)).toEqual(rows.map(spreads));
  // Of four losses the first two, and the last two.
  for (const [, first, end] of told) expect(end).not.toBe(first);

  // One more value and seed: what is known stays.
  const wider = words.map((word) => (word === rates ? `${rates},3e-5` : word));
  const more = await saccade([...wider, "--out", place("swept"), "--dry-run"]);
  expect(more.err.replace(/\s+/g, " ")).toContain(
    "14 results are there already; 2 networks to train, 2 measurements to make",
  );

  const held = await saccade([...words, "--out", place("held"), "--hold-out", "30", "--seeds", "1", "--only", "1e-3"]);
  expect(held.out.replace(/\s+/g, " ")).toContain(
    "tested on the last 30 pictures of probe.train; nothing was read of the test set",
  );
  const [probe] = outcomesOf(place("held/report")).filter(({ kind }) => kind === "probe") as Outcome<"probe">[];
  expect(probe.value.report).toMatchObject({ trainImages: 30, testImages: 30 });

  const wrong = await saccade(["sweep", "configs/quickstart.yaml", "loss.negatvies=1,2"]);
  expect(wrong.code).toBe(1);
  expect(wrong.err).toContain('did you mean "negatives"?');
});

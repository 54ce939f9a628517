// saccade runs on folders made for the purpose: what list and compare say of them, and what rm removes and refuses.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { PNG } from "pngjs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { removeRuns } from "../../src/cli/commands/remove-runs.ts";
import { lossCurves } from "../../src/figures/loss-curve.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { appendMetric, createRun } from "../../src/runs/run-folder.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

vi.mock("node:fs", { spy: true });
afterEach(() => vi.restoreAllMocks());

const main = resolve("dist/cli/main.js");
let root: string;

const saccade = (...words: string[]) => {
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(process.execPath, [main, ...words], {
    cwd: root,
    encoding: "utf8",
    input: "",
  });
  return { code, stdout, stderr };
};

function output(...words: string[]): string {
  const { code, stdout, stderr } = saccade(...words);
  expect(code, stderr).toBe(0);
  return stdout;
}

const refused = (sentence: string) => ({ code: 1, stdout: "", stderr: `saccade: ${sentence}\n` });
const misused = (sentence: RegExp) => ({ code: 2, stdout: "", stderr: expect.stringMatching(sentence) });

interface Made {
  readonly epochs?: number;
  readonly loss?: number;
  readonly angle?: number;
  /** Accuracies of the trained and of the random encoder. */
  readonly probed?: readonly [number, number];
  readonly change?: object;
}

/** A run with forty steps an epoch, its path relative to the root. */
async function make(folder: string, { epochs = 2, loss = 10, angle, probed, change = {} }: Made = {}): Promise<string> {
  const raw = { name: "made", data: { dataset: "mnist" }, encoder: "mnist", batch: 10, epochs: 2, ...change };
  const run = await createRun(join(root, folder), parseConfig(raw, "made"), {});
  for (let step = 1; step <= 40 * epochs; step++)
    appendMetric(run, { kind: "step", step, epoch: step / 40, loss: loss * (1 + 100 / step) });
  const layer = { chance: [88, 92] as const, dead: 0.25 };
  if (angle !== undefined)
    for (const [step, angleBP] of [
      [0, 89],
      [80, angle],
    ] as const)
      appendMetric(run, {
        ...{ kind: "xray", step, loss },
        layers: [
          { ...layer, layer: 1, name: "conv1", angleBP },
          { ...layer, name: "head", angleBP: 0, dead: 0.5 },
        ],
      });
  if (probed) writeProbe(run.path, probed);
  return run.path.slice(root.length + 1);
}

function writeProbe(path: string, [trained, random]: readonly [number, number], test = "MNIST test"): void {
  const score = { seed: 0, details: {} };
  const scores = [10, "all"].flatMap((labelsPerClass, i) =>
    ["kNN", "paper"].flatMap((readOut) => [
      {
        ...score,
        subject: "trained",
        readOut,
        labelsPerClass,
        accuracy: trained + (readOut === "kNN" ? 0.02 : 0) + i / 10,
      },
      { ...score, subject: "random", readOut, labelsPerClass, accuracy: random },
    ]),
  );
  const about = {
    measured: "m",
    train: "MNIST train",
    test,
    overlapping: 0,
    trainImages: 9,
    testImages: 5,
    chance: 0.1,
  };
  writeFileSync(join(path, "probe.json"), JSON.stringify({ ...about, step: 80, options: { seeds: 1 }, scores }));
  // Of a checkpoint the name alone is looked at.
  writeFileSync(join(path, "checkpoints", "step-00000080.safetensors"), "");
}

const lock = (path: string, holder: object): void =>
  writeFileSync(join(root, path, "lock.json"), JSON.stringify({ pid: process.pid, host: hostname(), ...holder }));

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-runs-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("list", () => {
  test("does not show what a probe found before the run went on", async () => {
    const path = await make("lengthened", { probed: [0.5, 0.3] });
    expect(output("runs", "list", "--runs", "lengthened")).toMatch(/ 60\.0$/m);
    writeFileSync(join(root, path, "checkpoints", "step-00000120.safetensors"), "");
    expect(output("runs", "list", "--runs", "lengthened")).toMatch(/ –$/m);
    expect(JSON.parse(output("runs", "show", path, "--json")).probe).toBeUndefined();
    expect(output("runs", "compare", path, path)).not.toContain("Probe:");
  });

  test("says of each run its state, and what its newest probe found", async () => {
    const done = await make("list", { probed: [0.5, 0.3] });
    const stopped = await make("list", { epochs: 1 });
    const running = await make("list", { epochs: 1, change: { learning: "RLL", update: "RF" } });
    const elsewhere = await make("list", { epochs: 1 });
    const damaged = await make("list", { epochs: 1 });
    mkdirSync(join(root, "list", ".removed-1a2b3c4d"));
    writeFileSync(join(root, "list", ".removed-1a2b3c4d", "config.yaml"), "");
    lock(stopped, { pid: 2 ** 22 + 1 });
    lock(running, {});
    lock(elsewhere, { pid: 2 ** 22 + 1, host: "elsewhere" });
    writeFileSync(join(root, damaged, "probe.json"), "{}");
    const { code, stdout, stderr } = saccade("runs", "list", "--runs", "list");
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `left out: ${damaged}/probe.json: is not a probe's report; evaluate again: saccade probe ${damaged}\n`,
    });
    expect(stdout).toMatch(/^run +what +epochs +state +loss +probe %$/m);
    for (const [path, text] of [
      [done, "E2E BP +2/2 +done +22.50 +60.0"],
      [stopped, "E2E BP +1/2 +stopped +35.00 +–"],
      [running, "RLL RF +1/6 +running +35.00 +–"],
      [elsewhere, "E2E BP +1/2 +running +35.00 +–"],
      [damaged, "E2E BP +1/2 +stopped +35.00 +–"],
    ])
      expect(stdout).toMatch(new RegExp(`^${basename(path)} +${text}$`, "m"));
    expect(JSON.parse(output("runs", "list", "--runs", "list", "--json"))).toContainEqual(
      expect.objectContaining({ path: done, state: "done", accuracy: 0.6 }),
    );
  });
});

test("list names the data where there is room", async () => {
  await make("roomy");
  expect(output("runs", "list", "--runs", "roomy")).toMatch(/ {2}E2E BP, mnist +2\/2 +done +22\.50 +–$/m);
});

describe("compare", () => {
  let a: string;
  let b: string;
  beforeAll(async () => {
    a = await make("compare", { angle: 0, probed: [0.5, 0.3] });
    b = await make("compare", {
      ...{ epochs: 1, loss: 20, angle: 61.25, probed: [0.25, 0.3] },
      change: { update: "RF", batch: 20, loss: { kind: "simclr" } },
    });
  });

  test("shows the keys that differ and no other, and what came out", () => {
    expect(output("runs", "compare", a, b)).toBe(`A  ${a}
B  ${b}

                                                        A            B
───────────────────────────────────────  ────────────────  ───────────
loss.kind                                contrastiveHinge       simclr
loss.m1                                                 1            –
loss.m2                                                 3            –
loss.negatives                                        all            –
loss.negativesReading                          paper-text            –
loss.gradientBlock                                  false            –
loss.temperature                                        –          0.1
loss.reduction                                          –          sum
update                                                 BP           RF
batch                                                  10           20

state                                                done      stopped
epochs                                                2/2          1/2
last loss                                           22.50        70.00

angle to BP, conv1                                   0.0°        61.3°
dead units, most in a layer                        50.0 %       50.0 %

linear, the paper's, 10 labels a class       50.0 (+20.0)  25.0 (−5.0)
linear, the paper's, all labels              60.0 (+30.0)  35.0 (+5.0)
k nearest neighbours, 10 labels a class      52.0 (+22.0)  27.0 (−3.0)
k nearest neighbours, all labels             62.0 (+32.0)  37.0 (+7.0)

Probe: accuracy of the trained code in %; in brackets, against the encoder
before training.
`);
  });

  test("as JSON says the same", () => {
    const { differing, runs } = JSON.parse(output("runs", "compare", a, b, "--json"));
    expect(differing).toEqual({
      "loss.kind": ["contrastiveHinge", "simclr"],
      "loss.m1": [1, null],
      "loss.m2": [3, null],
      "loss.negatives": ["all", null],
      "loss.negativesReading": ["paper-text", null],
      "loss.gradientBlock": [false, null],
      "loss.temperature": [null, 0.1],
      "loss.reduction": [null, "sum"],
      update: ["BP", "RF"],
      batch: [10, 20],
    });
    expect(runs).toMatchObject([
      { path: a, state: "done", loss: 22.5, epoch: 2, probe: { test: "MNIST test" } },
      { path: b, state: "stopped", loss: 70, epoch: 1, xray: [{ name: "conv1", angleBP: 61.25 }, { name: "head" }] },
    ]);
  });

  test("says where the probes were not the same", async () => {
    const other = await make("compare", { probed: [0.5, 0.3] });
    writeProbe(join(root, other), [0.5, 0.3], "another test");
    const text = output("runs", "compare", a, other);
    expect(text).toMatch(/^tested on +MNIST test \(5\) +another test \(5\)$/m);
    expect(text).not.toMatch(/^labels from/m);
    expect(text).not.toMatch(/^(update|batch|name)/m);
  });

  test("draws the losses over each other", () => {
    for (const file of ["loss.png", "loss.svg"]) output("runs", "compare", a, b, "--figure", file);
    expect(PNG.sync.read(readFileSync(join(root, "loss.png"))).width).toBe(1440);
    const svg = readFileSync(join(root, "loss.svg"), "utf8");
    expect(svg.match(/<path[^>]* stroke="(#0072b2|#d55e00)" stroke-width="4"/g)).toHaveLength(2);
    for (const text of [`A: ${basename(a)}`, `B: ${basename(b)}`, "Loss of 2 runs"]) expect(svg).toContain(`>${text}<`);
    expect(svg).toContain(">not of one scale: the runs differ in loss.kind, ");
  });

  test.each([
    ["one run", ["a"], /^error: missing argument 'run', compare takes 2 or more; saccade runs list shows the runs\n/],
    ["--yes", ["a", "b", "--yes"], /^error: option '--yes' is for rm\n/],
  ])("of %s is not understood", (_, words, sentence) => {
    expect(saccade("runs", "compare", ...words)).toEqual(misused(sentence));
  });

  test("refuses what it cannot read or draw, before it draws", () => {
    expect(saccade("runs", "compare", a, "none")).toEqual(
      refused("none: not a run folder, it has no config.yaml; `saccade runs list` shows the runs"),
    );
    expect(saccade("runs", "compare", a, b, "--figure", "loss.gif")).toEqual(
      refused("runs compare: --figure must end in .svg or .png, got loss.gif"),
    );
    const many = Array.from({ length: 15 }, () => a);
    expect(saccade("runs", "compare", ...many, "--figure", "many.svg")).toEqual(
      refused("runs compare: --figure draws at most 14 runs, got 15; leave it out or take fewer"),
    );
    expect(existsSync(join(root, "many.svg"))).toBe(false);
  });
});

describe("curves of several runs", () => {
  const points = Array.from({ length: 40 }, (_, i) => ({ step: i, epoch: i / 20, loss: 50 - i }));
  const strokes = (svg: string): string[] =>
    [...svg.matchAll(/<g [^>]*stroke="([^"]+)" [^>]*aria-label="line"/g)].map(([, colour]) => colour);

  test("have a colour each, then the same dashed; holes and empty runs are no obstacle", async () => {
    const runs = Array.from({ length: 9 }, (_, i) => ({ name: `run ${i}`, points }));
    const svg = await lossCurves({ title: "t", runs: [...runs, { name: "empty", points: [] }] });
    const drawn = strokes(svg);
    expect(new Set(drawn.slice(0, 7)).size).toBe(7);
    expect(drawn.slice(7, 9)).toEqual(drawn.slice(0, 2));
    expect(svg.match(/<g stroke-dasharray="6,5" [^>]*aria-label="line"/g)).toHaveLength(2);
    const holes = points.map((point, i) => ({ ...point, loss: i % 3 ? point.loss : Number.NaN }));
    expect(await lossCurves({ title: "t", runs: [{ name: "holes", points: holes }] })).not.toMatch(/NaN/);
    expect(await lossCurves({ title: "t", runs: [{ name: "empty", points: [] }] })).toContain("no points yet");
  });

  test("are at most fourteen", async () => {
    const runs = Array.from({ length: 15 }, () => ({ name: "run", points }));
    await expect(lossCurves({ title: "t", runs })).rejects.toThrow(
      new SaccadeError("lossCurves: runs must be at most 14, got 15"),
    );
  });
});

describe("rm", () => {
  test("removes what it is told, each once, and says so", async () => {
    const [a, b, kept] = [await make("rm"), await make("rm"), await make("rm")];
    expect(output("runs", "rm", a, `${a}/`, b, "--yes")).toBe(`removed ${a}/\nremoved ${b}\n`);
    expect(readdirSync(join(root, "rm"))).toEqual([basename(kept)]);
    expect(JSON.parse(output("runs", "rm", kept, "--yes", "--json"))).toEqual({ removed: [kept] });
    expect(readdirSync(join(root, "rm"))).toEqual([]);
  });

  test("does not follow a link out of the folder, nor one to a run", async () => {
    const [run, linked] = [await make("links"), await make("links")];
    mkdirSync(join(root, "outside"));
    writeFileSync(join(root, "outside", "precious"), "");
    symlinkSync(join(root, "outside"), join(root, run, "figures", "out"));
    symlinkSync(join(root, linked), join(root, "link"));
    for (const name of ["link", "link/"])
      expect(saccade("runs", "rm", name, "--yes")).toEqual(
        refused(`${name}: is a link to ${join(root, linked)}; name the run's own folder`),
      );
    output("runs", "rm", run, "--yes");
    expect(readdirSync(join(root, "outside"))).toEqual(["precious"]);
    expect(readdirSync(join(root, "links"))).toEqual([basename(linked)]);
  });

  test("refuses all where one is no run, or at work", async () => {
    const [sound, held, configured] = [await make("refuse"), await make("refuse"), await make("refuse")];
    lock(held, { started: "2026-11-26" });
    rmSync(join(root, configured, "environment.json"));
    for (const [path, sentence] of [
      ["outside", "outside: not a run folder, it has no config.yaml; `saccade runs list` shows the runs"],
      [
        configured,
        `${configured}: not a whole run folder, it has no environment.json; look at it, and remove it by hand`,
      ],
      [
        held,
        `${held}: is in use by process ${process.pid} since 2026-11-26; wait for it or end it; if it is not a saccade process, remove ${held}/lock.json`,
      ],
    ])
      expect(saccade("runs", "rm", sound, path, "--yes")).toEqual(refused(sentence));
    expect(readdirSync(join(root, "refuse")).sort()).toEqual(
      [sound, held, configured].map((run) => basename(run)).sort(),
    );
    expect(existsSync(join(root, sound, "lock.json")), "given back").toBe(false);
  });

  test("asks, and without a terminal to ask on removes nothing", async () => {
    const run = await make("asked");
    expect(saccade("runs", "rm", run)).toEqual(
      refused("runs rm: asks before it removes, and there is no terminal to ask on; give --yes"),
    );
    expect(readdirSync(join(root, "asked"))).toHaveLength(1);
  });

  const script = spawnSync("script", ["--version"], { encoding: "utf8" });
  test.skipIf(!script.stdout?.includes("util-linux"))("takes yes alone for an answer", async () => {
    const [a, b] = [await make("answered"), await make("answered")];
    const answer = (input: string, ...paths: string[]) => {
      const command = [process.execPath, main, "runs", "rm", ...paths].map((word) => `'${word}'`).join(" ");
      return spawnSync("script", ["-qec", command, "/dev/null"], { cwd: root, encoding: "utf8", input });
    };
    for (const input of ["n\n", "\n", "yesterday\n"]) {
      const { status, stdout } = answer(input, a);
      expect(status).toBe(1);
      expect(stdout).toContain(`remove ${a}? [y/N] `);
      expect(stdout).toContain("nothing was removed");
    }
    expect(readdirSync(join(root, "answered"))).toHaveLength(2);
    const { status, stdout } = answer("y\n", a, b);
    expect(stdout.replaceAll("\r", "")).toContain(`remove 2 runs:\n  ${a}\n  ${b}\nall of them? [y/N] `);
    expect(status).toBe(0);
    expect(readdirSync(join(root, "answered"))).toEqual([]);
  });

  test("names a run that the system does not let go, whole or in part", async () => {
    const path = join(root, await make("kept"));
    const told = new Error("EBUSY: resource busy or locked");
    vi.mocked(fs.renameSync).mockImplementationOnce(() => {
      throw told;
    });
    await expect(removeRuns([path], { yes: true })).rejects.toThrow(
      new SaccadeError(`${path}: cannot be removed: EBUSY: resource busy or locked`),
    );
    expect(readdirSync(path)).not.toContain("lock.json");
    const { rmSync } = await vi.importActual<typeof fs>("node:fs");
    vi.mocked(fs.rmSync).mockImplementation((...what) => {
      if (String(what[0]).includes(".removed-")) throw told;
      rmSync(...what);
    });
    const partly = await removeRuns([path], { yes: true }).catch((error: Error) => error);
    vi.mocked(fs.rmSync).mockReset();
    const [aside] = readdirSync(join(root, "kept"));
    expect(aside).toMatch(/^\.removed-[0-9a-f]{8}$/);
    expect(partly).toEqual(
      new SaccadeError(
        `${path}: cannot be removed completely: EBUSY: resource busy or locked; remove what is left in ${join(root, "kept", aside)}`,
      ),
    );
  });

  test.each([
    ["list", ["a"], /^error: too many arguments, list takes no run\n/],
    ["show", ["a", "b"], /^error: too many arguments, show takes one run\n/],
    ["rm", [], /^error: missing argument 'run', rm takes 1 or more; saccade runs list shows the runs\n/],
    ["show", ["a", "--figure", "x.svg"], /^error: option '--figure' is for compare\n/],
  ])("%s %j is not understood", (what, words, sentence) => {
    expect(saccade("runs", what, ...words)).toEqual(misused(sentence));
  });
});

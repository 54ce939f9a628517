// Nothing is lost: runs that are killed, that find the disk full, that get a signal at a bad moment, end in the bytes of one undisturbed.
//
// SACCADE_KILLS says how often the run is killed; eight times unless told, to keep the gate short.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/program/random.ts";
import { loadCheckpoint } from "../../src/runs/checkpoints.ts";
import { decodeEvents } from "../../src/runs/tensorboard/event-file.ts";

const main = resolve("dist/cli/main.js");
const kills = Number(process.env.SACCADE_KILLS ?? 8);
const fills = 3;

const config = `
name: tiny
data: { dataset: procedural-objects, split: unlabelled, size: 16, limit: 40 }
encoder: tiny
batch: 10
epochs: 8
xrayEvery: 5
probe:
  train: { dataset: procedural-objects, split: train, size: 16, limit: 40 }
  test: { dataset: procedural-objects, split: test, size: 16, limit: 20 }
  readOuts: [kNN]
  labelsPerClass: [2]
  seeds: 1
`;

let root: string;
/** A run that nothing disturbed, and one so long that half its time is training, with its milliseconds. */
let undisturbed: string;
let long: string;
let milliseconds: number;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(words: readonly string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [main, ...words], {
    cwd: root,
    // One engine in all runs: on a busy machine the trial at start-up may choose another, which a run that goes on would note.
    env: { SACCADE_SIMD: "relaxed", ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const told = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (bytes) => (told[stream] += bytes));
  const ended = new Promise<Ended>((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done({ code, ...told }));
  });
  return { child, ended };
}

const saccade = (...words: string[]): Promise<Ended> => start(words).ended;
const longer = ["epochs=80"];
const auto = (runs: string, ...more: string[]): string[] => [
  ...["train", "tiny.yaml", "--threads", "1", "--resume", "auto", "--runs", runs],
  ...more,
];

/** The environment of a process to which the system answers otherwise. */
const pretending = (code: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import="data:text/javascript,import fs from 'node:fs';import os from 'node:os';import{syncBuiltinESMExports as s}from'node:module';${code};s()"`,
});

/** The runs in a folder of runs. One that died before it had its configuration is none, and nobody's. */
const runsIn = (runs: string): string[] =>
  (existsSync(join(root, runs)) ? readdirSync(join(root, runs)) : [])
    .map((name) => join(root, runs, name))
    .filter((run) => existsSync(join(run, "config.yaml")));

function only(runs: string): string {
  const found = runsIn(runs);
  expect(found).toHaveLength(1);
  return found[0];
}

/** All files of a run by name, as text that differs where a byte does; a probe's report and TensorBoard's events without where and when. */
function bytesOf(run: string): Record<string, string> {
  const names = readdirSync(run, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  // A run that goes on leaves the file before, emptied.
  const events = names.filter(({ parentPath }) => parentPath.endsWith("tensorboard")).map(({ name }) => name);
  const [newest] = events.sort().slice(-1);
  return Object.fromEntries(
    names
      .filter(({ name }) => name === newest || !events.includes(name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((file) => {
        const name = file.slice(run.length + 1);
        const bytes = readFileSync(file);
        if (name.startsWith("tensorboard")) {
          const seen = decodeEvents(bytes).map(({ step, holds, record }) => `${step} ${holds} ${record.length}`);
          return ["tensorboard", seen.sort().join("\n")];
        }
        if (name !== "probe.json") return [name, bytes.toString("latin1")];
        const { checkpoint, environment, ...report } = JSON.parse(bytes.toString());
        return [name, JSON.stringify(report)];
      }),
  );
}

function expectUndisturbed(run: string, as = undisturbed): void {
  const [found, wanted] = [bytesOf(run), bytesOf(as)];
  expect(Object.keys(found)).toEqual(Object.keys(wanted));
  for (const name of Object.keys(wanted)) expect(found[name] === wanted[name], `${name} differs`).toBe(true);
}

/** Shares of a run's time, one in each of so many equal parts, in a random order. */
function moments(count: number, seed: number): number[] {
  const random = randomStream(seed);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  random.shuffle(order);
  return Array.from(order, (part) => (part + random.uniform()) / count);
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "saccade-interrupted-"));
  writeFileSync(join(root, "tiny.yaml"), config);
  const first = await saccade(...auto("undisturbed"));
  expect(first.code, first.stderr).toBe(0);
  undisturbed = only("undisturbed");
  const began = performance.now();
  const { code, stderr } = await saccade(...auto("long", ...longer));
  milliseconds = performance.now() - began;
  expect(code, stderr).toBe(0);
  long = only("long");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test(`a run killed ${kills} times, wherever it was, ends as if it had not been`, async () => {
  const told = { killed: 0, finished: 0 };
  /** Lines of metrics at the moments of death. */
  const lines = new Set<number>();
  const left = moments(kills, 1);
  while (left.length > 0) {
    const { child, ended } = start(auto("killed", ...longer));
    const timer = setTimeout(milliseconds * left[0]).then(() => child.kill("SIGKILL"));
    const { code, stderr } = await ended;
    await timer;
    // A kill at any moment is nothing that a person must be told of.
    expect(stderr).not.toMatch(/^(note|saccade): /m);
    if (code === null) {
      left.shift();
      told.killed++;
      const [metrics] = runsIn("killed").map((run) => join(run, "metrics.jsonl"));
      lines.add(metrics && existsSync(metrics) ? readFileSync(metrics, "utf8").split("\n").length : 0);
      continue;
    }
    // It was through before its moment came.
    expect(code, stderr).toBe(0);
    expectUndisturbed(only("killed"), long);
    rmSync(join(root, "killed"), { recursive: true });
    told.finished++;
    // So late a moment does not come in a run that has begun before; in a new one it may, or the machine has become faster since.
    milliseconds *= 0.8;
    if (told.finished > 4 * kills) throw new Error(`killed ${told.killed} times only`);
  }
  const { code, stderr } = await saccade(...auto("killed", ...longer));
  expect(code, stderr).toBe(0);
  expect(stderr).not.toMatch(/^(note|warning): /m);
  expectUndisturbed(only("killed"), long);
  expect(lines.size, `it died after ${[...lines]} lines of metrics`).toBeGreaterThan(kills / 4);
}, 600_000);

/** Mounts a disk of 16 MiB; undefined where only root may and we are not, or root may not either. */
function smallDisk(name: string): string | undefined {
  const path = join(root, name);
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", path], { stdio: "ignore" });
    return path;
  } catch {
    return undefined;
  }
}

/** Takes all the room that is left, to the last page. */
function fill(disk: string): void {
  const file = openSync(join(disk, "ballast"), "a");
  for (const size of [1 << 20, 1 << 12]) {
    try {
      for (;;) writeSync(file, new Uint8Array(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
  closeSync(file);
}

/** What a reader may open: every file that stands under its own name is whole. */
function expectWholeFiles(run: string): void {
  const names = readdirSync(run, { recursive: true }) as string[];
  expect(names.filter((name) => name.endsWith(".part"))).toEqual([]);
  for (const name of names) {
    if (name.endsWith(".safetensors")) loadCheckpoint(join(run, name));
    if (name.endsWith(".svg")) expect(readFileSync(join(run, name), "utf8").endsWith("</svg>\n"), name).toBe(true);
    if (name.endsWith(".json")) expect(() => JSON.parse(readFileSync(join(run, name), "utf8")), name).not.toThrow();
  }
}

describe("a disk of its own", () => {
  let disk: string | undefined;
  beforeAll(() => {
    disk = smallDisk("disk");
  });
  afterAll(() => {
    if (disk) execFileSync("umount", [disk]);
  });

  test(`that is full at ${fills} moments costs a sentence each, and no byte`, async ({ skip }) => {
    if (disk === undefined) return skip("mounting a small disk needs root");
    let refused = 0;
    for (const moment of moments(fills, 2)) {
      const { ended } = start(auto("disk/runs", ...longer));
      const filled = setTimeout(milliseconds * moment).then(() => fill(disk as string));
      const { code, stderr } = await ended;
      await filled;
      if (code !== 0) {
        refused++;
        expect(code, stderr).toBe(1);
        const sentences = stderr.split("\n").filter((line) => line && !/^(training|probing): /.test(line));
        expect(sentences).toEqual([
          expect.stringMatching(
            /^saccade: .*(cannot be written: ENOSPC.*; make room on the disk, then go on|the run needs .* of disk .*; make room.*)$/,
          ),
        ]);
      }
      if (existsSync(join(disk, "runs")))
        for (const name of readdirSync(join(disk, "runs"))) expectWholeFiles(join(disk, "runs", name));
      // The folder of runs is there before a run is.
      for (const run of code === 0 ? [] : runsIn("disk/runs")) {
        const still = await saccade("train", "--resume", run);
        expect(still, still.stderr).toMatchObject({ code: 1, stdout: "" });
        expect(existsSync(join(run, "lock.json")), "an empty lock would keep everybody out").toBe(false);
      }
      rmSync(join(disk, "ballast"));
      const again = await saccade(...auto("disk/runs", ...longer));
      expect(again.code, again.stderr).toBe(0);
      for (const name of readdirSync(join(disk, "runs"))) expectUndisturbed(join(disk, "runs", name), long);
      rmSync(join(disk, "runs"), { recursive: true });
    }
    // Otherwise the moments came too late to show anything.
    expect(refused).toBeGreaterThanOrEqual(fills / 3);
  }, 600_000);

  test("that is too small is refused before anything is written", async ({ skip }) => {
    if (disk === undefined) return skip("mounting a small disk needs root");
    const { code, stdout, stderr } = await saccade(...auto("disk/small", "metricsEvery=1", "epochs=50000"));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^saccade: disk\/small: the run needs [\d.]+ MiB of disk \(checkpoints [\d.]+ MiB, metrics [\d.]+ MiB\), and 16\.0 MiB is free; make room there\n$/,
    );
    expect(readdirSync(disk)).toEqual([]);
  });

  test("that fills up just before a run is made gets no half of one", async ({ skip }) => {
    if (disk === undefined) return skip("mounting a small disk needs root");
    mkdirSync(join(disk, "full"));
    fill(disk);
    const roomy = pretending("fs.statfsSync=()=>({blocks:1,bavail:1e9,bsize:4096})");
    const { code, stdout, stderr } = await start(auto("disk/full"), roomy).ended;
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^saccade: [^\n]+: cannot be written: ENOSPC[^\n]+\n$/);
    expect(readdirSync(join(disk, "full"))).toEqual([]);
    for (const name of ["ballast", "full"]) rmSync(join(disk, name), { recursive: true });
  });

  test("that is read-only is told in a sentence, and the run is as it was", async ({ skip }) => {
    const root0 = process.getuid?.() === 0;
    if (root0 && disk === undefined) return skip("for root only a read-only mount is read-only");
    const runs = disk ?? join(root, "read-only");
    const run = join(runs, "run");
    cpSync(undisturbed, run, { recursive: true });
    const before = bytesOf(run);
    const protect = (on: boolean): void => {
      if (disk) execFileSync("mount", ["-o", `remount,${on ? "ro" : "rw"}`, disk]);
      else chmodSync(run, on ? 0o555 : 0o755);
    };
    protect(true);
    try {
      for (const words of [
        ["train", "--resume", run, "epochs=9"],
        ["probe", run],
        ...(disk ? [auto(join(disk, "new"))] : []),
      ]) {
        const { code, stdout, stderr } = await saccade(...words);
        expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
        expect(stderr).toMatch(
          /^saccade: [^\n]+: cannot be written: (EROFS: [^\n;]+; take a folder on a disk that may be written to|EACCES: [^\n;]+; take a folder that you may write in)\n$/,
        );
      }
    } finally {
      protect(false);
    }
    expect(bytesOf(run)).toEqual(before);
    rmSync(run, { recursive: true });
  });
});

describe("--resume auto", () => {
  /** A run as it was after so many of its checkpoints, in a folder of runs of its own. */
  function cutShort(runs: string, epochs: number): string {
    const run = join(root, runs, "run");
    cpSync(undisturbed, run, { recursive: true });
    for (const name of ["figures", "probe.json"]) rmSync(join(run, name), { recursive: true });
    const kept = 4 * epochs;
    for (const name of readdirSync(join(run, "checkpoints")))
      if (Number(/\d+/.exec(name)) > kept) rmSync(join(run, "checkpoints", name));
    return run;
  }

  test("goes on with an unfinished run of the same configuration", async () => {
    cutShort("unfinished", 7);
    const { code, stdout, stderr } = await saccade(...auto("unfinished"));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^run {6}unfinished\/run\nresume {3}from step 28$/m);
    expectUndisturbed(only("unfinished"));
  });

  test("takes the newest of several, and starts a new one where all are finished or of other configurations", async () => {
    const [older, newer] = [cutShort("several", 7), join(root, "several", "newer")];
    cpSync(older, newer, { recursive: true });
    writeFileSync(join(older, "metrics.jsonl"), readFileSync(join(older, "metrics.jsonl")));
    execFileSync("touch", ["-d", "2020-01-01", join(older, "metrics.jsonl")]);
    const run = async (...more: string[]): Promise<string> => {
      const { code, stdout, stderr } = await saccade(...auto("several", ...more));
      expect(code, stderr).toBe(0);
      return /^run {6}several\/(.*)$/m.exec(stdout)?.[1] ?? "";
    };
    expect(await run("--seed", "3", "--no-probe")).toMatch(/_tiny_/);
    expect(await run("--no-probe")).toBe("newer");
    // Trained, but not probed: the probe is what is left. Then the older one is the newest that is unfinished.
    expect(await run()).toBe("newer");
    expectUndisturbed(newer);
    expect(await run()).toBe("run");
    expect(await run()).toMatch(/_tiny_/);
  });

  test("starts a run that died before its first checkpoint over, in its folder", async () => {
    const run = cutShort("begun", -1);
    // Two looks at step 0 have been written, the second of them in part.
    const first = readFileSync(join(run, "metrics.jsonl"), "utf8").split("\n")[0];
    writeFileSync(join(run, "metrics.jsonl"), `${first}\n${first.slice(0, 40)}`);
    writeFileSync(join(run, "config.yaml.0123abcd.part"), "name: ti");
    const { code, stdout, stderr } = await saccade(...auto("begun"));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^resume {3}it had no checkpoint and starts over$/m);
    expectUndisturbed(run);
  });

  test("waits for nobody, and starts nothing beside a run that is held", async () => {
    const run = cutShort("held", 7);
    const lock = { pid: process.pid, host: hostname(), started: "2026-11-26" };
    writeFileSync(join(run, "lock.json"), JSON.stringify(lock));
    const { code, stderr } = await saccade(...auto("held"));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^saccade: held\/run: is in use by process/),
    });
    // A requeued Slurm job finds the lock of the machine that it was on.
    writeFileSync(join(run, "lock.json"), JSON.stringify({ ...lock, host: "elsewhere", job: "12", restarts: 0 }));
    const other = await start(auto("held"), { SLURM_JOB_ID: "13", SLURM_RESTART_COUNT: "1" }).ended;
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("on elsewhere since") });
    const twin = await start(auto("held"), { SLURM_JOB_ID: "12" }).ended;
    expect(twin).toMatchObject({ code: 1, stderr: expect.stringContaining("on elsewhere since") });
    const requeued = await start(auto("held"), { SLURM_JOB_ID: "12", SLURM_RESTART_COUNT: "1" }).ended;
    expect(requeued.code, requeued.stderr).toBe(0);
    expectUndisturbed(only("held"));
  });

  test("makes one run, however many start at the same time, and leaves no claim behind", async () => {
    const starts = Array.from({ length: 3 }, () => start(auto("together", "epochs=100000", "--no-probe")));
    const codes: (number | null)[] = [];
    const refused = await new Promise<string[]>((done) => {
      const told: string[] = [];
      for (const { ended } of starts)
        void ended.then(({ code, stderr }) => {
          codes.push(code);
          if (told.push(stderr) === 2) done([...told]);
        });
    });
    for (const { child } of starts) child.kill("SIGTERM");
    await Promise.all(starts.map(({ ended }) => ended));
    expect(codes).toEqual([1, 1, 143]);
    for (const sentence of refused)
      expect(sentence).toMatch(/^saccade: together\b.*: is in use by process \d+ since /m);
    expect(readdirSync(join(root, "together"))).toEqual([expect.stringContaining("_tiny_")]);
  });

  test("needs a configuration", async () => {
    expect(await saccade("train", "--resume", "auto")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/missing argument 'config'/),
    });
  });
});

/** Resolves when there is such a file. */
async function appears(path: string): Promise<void> {
  while (!existsSync(path)) await setTimeout(2);
}

/** Resolves with the first run that there is in a folder of runs. */
async function begun(runs: string): Promise<string> {
  while (runsIn(runs).length === 0) await setTimeout(2);
  return only(runs);
}

test("a run killed after its last checkpoint, while its figures are drawn, gets them all the same", async () => {
  const { child, ended } = start(auto("undrawn"));
  const run = await begun("undrawn");
  await appears(join(run, "figures", "loss.svg"));
  child.kill("SIGKILL");
  await ended;
  expect(existsSync(join(run, "figures", "views.png"))).toBe(false);
  const { code, stdout, stderr } = await saccade(...auto("undrawn"));
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^resume {3}from step 32$/m);
  expectUndisturbed(run);
});

test("a run without a probe that was killed before its figures gets them by --resume auto, and no second run is made", async () => {
  cpSync(undisturbed, join(root, "bare", "run"), { recursive: true });
  const run = only("bare");
  for (const name of readdirSync(join(run, "figures"))) rmSync(join(run, "figures", name));
  const { code, stdout, stderr } = await saccade(...auto("bare", "--no-probe"));
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^resume {3}from step 32$/m);
  expect(only("bare")).toBe(run);
  for (const name of ["loss.svg", "xray.svg", "views.png"])
    expect(bytesOf(run)[`figures/${name}`] === bytesOf(undisturbed)[`figures/${name}`], name).toBe(true);
  const again = await saccade(...auto("bare", "--no-probe"));
  expect(again.code, again.stderr).toBe(0);
  expect(runsIn("bare")).toHaveLength(2);
});

describe("a signal", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGUSR1", 143],
    ["SIGUSR2", 143],
  ] as const)("while data is loaded: %s ends with %i, and the run is as it was", async (name, wanted) => {
    const run = join(root, "loading", name);
    cpSync(undisturbed, run, { recursive: true });
    const before = bytesOf(run);
    // Long enough that the signal comes before the pictures are rendered.
    const { child, ended } = start(["train", "--resume", run, "epochs=9", "probe.test.limit=30000"]);
    await appears(join(run, "lock.json"));
    await setTimeout(500);
    child.kill(name);
    const { code, stdout } = await ended;
    expect({ code, stdout }).toEqual({ code: wanted, stdout: "" });
    expect(bytesOf(run)).toEqual(before);
  });

  test("while data is loaded for a new run leaves none", async () => {
    // A damaged run is told of just before the loading begins.
    mkdirSync(join(root, "loading-new", "damaged"), { recursive: true });
    writeFileSync(join(root, "loading-new", "damaged", "config.yaml"), "flux: 3\n");
    const { child, ended } = start(auto("loading-new", "probe.test.limit=30000"));
    await new Promise((told) => child.stderr?.once("data", told));
    await setTimeout(300);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout }, stderr).toEqual({ code: 130, stdout: "" });
    expect(readdirSync(join(root, "loading-new"))).toEqual(["damaged"]);
  });

  test("while figures are drawn leaves a run that is complete but for its probe", async () => {
    const { child, ended } = start(auto("drawn"));
    const run = await begun("drawn");
    await appears(join(run, "figures", "loss.svg"));
    child.kill("SIGTERM");
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(143);
    expect(stdout).toMatch(/^stopped {2}after 32 steps; resume with: /m);
    expect(existsSync(join(run, "lock.json"))).toBe(false);
    const probing = start(auto("drawn"));
    await appears(join(run, "probe.json"));
    probing.child.kill("SIGKILL");
    await probing.ended;
    rmSync(join(run, "lock.json"), { force: true });
    expectUndisturbed(run);
  });

  test("after the last step of a run that is not to be probed leaves it done", async () => {
    const { child, ended } = start(auto("last", "--no-probe"));
    const run = await begun("last");
    await appears(join(run, "checkpoints", "step-00000032.safetensors"));
    child.kill("SIGTERM");
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^trained {2}32 steps in /m);
    const [found, wanted] = [bytesOf(run), bytesOf(undisturbed)];
    const names = Object.keys(wanted).filter((name) => !/probe\.\w+$/.test(name));
    expect(Object.keys(found)).toEqual(names);
    for (const name of names) expect(found[name] === wanted[name], `${name} differs`).toBe(true);
  });
});

test("metrics and events are on the disk before the checkpoint that counts on them, for when the power fails", async () => {
  const told = pretending(
    [
      "const p=fs.promises,{open,rename}=p,append=fs.appendFileSync",
      "const tell=(what,path)=>fs.writeSync(2,[what,path,String.fromCharCode(10)].join(' '))",
      "fs.appendFileSync=(path,...rest)=>{tell('append',path);append(path,...rest)}",
      "p.rename=(from,to)=>{tell('rename',to);return rename(from,to)}",
      "const syncing=(path,file,sync)=>Object.assign(file,{sync:()=>sync.call(file).then(()=>tell('sync',path))})",
      "p.open=(path,...rest)=>open(path,...rest).then((file)=>syncing(path,file,file.sync))",
    ].join(";"),
  );
  const { code, stderr } = await start(["train", "tiny.yaml", "--no-probe", "--runs", "flushed"], told).ended;
  expect(code, stderr).toBe(0);
  const unflushed = new Set<string>();
  const files = new Set<string>();
  let checkpoints = 0;
  for (const [, what, path] of stderr.matchAll(/^(append|sync|rename) (.+) $/gm)) {
    if (what === "append") {
      unflushed.add(path);
      files.add(path);
    } else if (what === "sync") unflushed.delete(path);
    else if (path.endsWith(".safetensors")) {
      checkpoints++;
      expect([...unflushed], path).toEqual([]);
    }
  }
  expect([...files]).toEqual([expect.stringMatching(/metrics\.jsonl$/), expect.stringMatching(/\.tfevents\./)]);
  expect(checkpoints).toBe(9);
});

test("a dry run says what the run takes, and writes nothing", async () => {
  const { code, stdout, stderr } = await saccade("train", "tiny.yaml", "--dry-run", "--json", "--runs", "dry");
  expect(code, stderr).toBe(0);
  expect(existsSync(join(root, "dry"))).toBe(false);
  const forecast = JSON.parse(stdout);
  const [explained] = JSON.parse((await saccade("explain", "tiny.yaml", "--json")).stdout);
  expect(forecast).toMatchObject({
    steps: 32,
    stepsPerEpoch: 4,
    flops: { perStep: explained.flops, total: 32 * explained.flops },
  });
  expect(forecast.time.seconds).toBeGreaterThan(0);
  expect(forecast.memory.peak).toBeGreaterThan(forecast.memory.training);
  // What is promised for the disk is what the run took, or a little more.
  const sizes = (name: string): number =>
    statSync(join(undisturbed, name)).isDirectory()
      ? readdirSync(join(undisturbed, name)).reduce((sum, file) => sum + sizes(join(name, file)), 0)
      : statSync(join(undisturbed, name)).size;
  for (const [promised, took] of [
    [forecast.disk.metrics, sizes("metrics.jsonl")],
    [forecast.disk.events + forecast.disk.figures, sizes("tensorboard") + sizes("figures")],
    [(3 / 5) * forecast.disk.checkpoints, sizes("checkpoints")],
  ]) {
    expect(promised).toBeGreaterThan(0.95 * took);
    expect(promised).toBeLessThan(3 * took);
  }
  expect(forecast.disk.figures).toBeGreaterThan(sizes("figures"));
});

test("a run is held by one process also where the file system has no links", async () => {
  const run = join(root, "unlinked");
  cpSync(undisturbed, run, { recursive: true });
  const unlinked = pretending("fs.linkSync=()=>{throw Object.assign(new Error('EPERM'),{code:'EPERM'})}");
  const words = ["train", "--resume", run, "epochs=9", "--no-probe"];
  const lock = { pid: process.pid, host: hostname(), started: "2026-11-26" };
  writeFileSync(join(run, "lock.json"), JSON.stringify(lock));
  expect(await start(words, unlinked).ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("is in use by"),
  });
  rmSync(join(run, "lock.json"));
  const { code, stderr } = await start(words, unlinked).ended;
  expect(code, stderr).toBe(0);
  expect(readdirSync(run).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test("a run that memory does not hold is refused before it writes", async () => {
  const { code, stdout, stderr } = await start(
    ["train", "tiny.yaml", "--no-probe", "--runs", "little"],
    pretending("os.freemem=()=>1e6"),
  ).ended;
  expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /^saccade: memory: training needs [\d.]+ MiB more, and 977 KiB is free; make the batch smaller\n$/,
  );
  expect(existsSync(join(root, "little"))).toBe(false);
});

// saccade watch: what it reads of a run that goes on, what it shows at every width, and when it ends.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sparkline } from "../../src/cli/table.ts";
import { textPlot } from "../../src/cli/text-plot.ts";
import { endLine, news, watchLines } from "../../src/cli/watch-view.ts";
import type { Evaluation } from "../../src/record/metrics.ts";
import { followMetrics } from "../../src/runs/follow-metrics.ts";
import { appendMetric, createRun, type RunFolder, runFolder } from "../../src/runs/run-folder.ts";
import { watchRun } from "../../src/runs/watched-run.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

const main = resolve("dist/cli/main.js");
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-watch-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A run of 80 steps, 40 an epoch, in a folder of the root. */
const make = (folder: string, change: object = {}): Promise<RunFolder> => {
  const raw = { name: "made", data: { dataset: "mnist" }, encoder: "mnist", batch: 10, epochs: 2, ...change };
  return createRun(join(root, folder), parseConfig(raw, "made"), {});
};

const learn = (run: RunFolder, from: number, to: number): void => {
  for (let step = from; step <= to; step++)
    appendMetric(run, { kind: "step", step, epoch: step / 40, loss: 10 + 1000 / step });
};

const evaluation = (step: number, accuracy: number): Evaluation => ({
  ...{ kind: "evaluation", step, epoch: step / 40, fit: 800, held: 200 },
  scores: ["conv1", "conv4"].flatMap((layer) => [
    { layer, readOut: "kNN" as const, accuracy, random: 0.2 },
    { layer, readOut: "scaleFree" as const, accuracy: 2 * accuracy, random: 0.5 },
  ]),
});

const look = (run: RunFolder): void =>
  appendMetric(run, {
    ...{ kind: "xray", step: 40, loss: 1 },
    layers: [
      { layer: 1, name: "conv1", angleBP: 71.06, angleWB: 90.14, chance: [88, 92], dead: 0.125 },
      { name: "head", angleBP: 0, chance: [88, 92], dead: 0 },
    ],
  });

/** The lock of a process: unless told of one that is alive and another than ours, whose number would be that of an earlier one. */
const lock = (run: RunFolder, holder: object = {}): void =>
  writeFileSync(
    join(run.path, "lock.json"),
    JSON.stringify({ pid: process.ppid, host: hostname(), started: new Date().toISOString(), ...holder }),
  );
const release = (run: RunFolder): void => rmSync(join(run.path, "lock.json"));

describe("metrics that grow", () => {
  const line = (step: number): string => `${JSON.stringify({ kind: "step", step, epoch: step, loss: 1 })}\n`;
  const fresh = (name: string) => {
    const run = runFolder(join(root, name));
    mkdirSync(run.path);
    const followed = followMetrics(run);
    return { run, followed, steps: () => followed.metrics().map(({ step }) => step) };
  };

  test("are read as far as their lines are whole, each once", () => {
    const { run, followed, steps } = fresh("grow");
    expect(followed.read()).toBe(false);
    writeFileSync(run.metrics, line(1));
    expect([followed.read(), steps()]).toEqual([true, [1]]);
    expect(followed.read()).toBe(false);
    const [whole, half] = [line(2), line(3)];
    appendFileSync(run.metrics, whole + half.slice(0, 9));
    followed.read();
    expect(steps()).toEqual([1, 2]);
    appendFileSync(run.metrics, half.slice(9));
    followed.read();
    expect(steps()).toEqual([1, 2, 3]);
  });

  test("are read anew where a resumed run has cut them, put another file there, or taken it away", () => {
    const { run, followed, steps } = fresh("cut");
    writeFileSync(run.metrics, line(1) + line(2));
    followed.read();
    writeFileSync(`${run.metrics}.new`, line(1) + line(5) + line(6));
    renameSync(`${run.metrics}.new`, run.metrics);
    followed.read();
    expect(steps()).toEqual([1, 5, 6]);
    writeFileSync(run.metrics, line(1));
    followed.read();
    expect(steps()).toEqual([1]);
    rmSync(run.metrics);
    expect([followed.read(), steps()]).toEqual([true, []]);
  });

  test("that are damaged are named by their line in the file", () => {
    const { run, followed } = fresh("broken");
    writeFileSync(run.metrics, line(1));
    followed.read();
    appendFileSync(run.metrics, `${line(2)}{\n`);
    expect(() => followed.read()).toThrow(`${run.metrics}: line 3 is not JSON`);
  });
});

describe("a curve as text", () => {
  const line = (count: number, y: (i: number) => number) => Array.from({ length: count }, (_, x) => ({ x, y: y(x) }));

  test("goes through its points, from corner to corner", () => {
    expect(textPlot({ points: line(8, (i) => i), width: 4, height: 2 })).toEqual({
      lines: ["⠀⠀⡠⠊", "⡠⠊⠀⠀"],
      ...{ low: 0, high: 7 },
    });
  });

  test("is the mean of what falls into a column of dots, and its numbers are those of the means", () => {
    const points = line(8, (i) => (i < 4 ? [9, 11][i % 2] : [0, 2][i % 2])).map(({ x, y }) => ({
      x: x < 4 ? 0 : 1,
      y,
    }));
    expect(textPlot({ points, width: 1, height: 1 })).toEqual({ lines: ["⢣"], low: 1, high: 10 });
  });

  test("is straight by its logarithm where it falls by halves", () => {
    const falling = line(8, (i) => 2 ** -i);
    const { lines, low, high } = textPlot({ points: falling, width: 4, height: 2, logarithmic: true });
    expect(lines).toEqual(["⠑⢄⠀⠀", "⠀⠀⠑⢄"]);
    expect([low, high]).toEqual([expect.closeTo(2 ** -7, 9), 1]);
  });

  test("of one value, of nothing, and with holes is no obstacle", () => {
    expect(textPlot({ points: line(1, () => 3), width: 2, height: 1 })).toEqual({ lines: ["⠄⠀"], low: 3, high: 3 });
    expect(textPlot({ points: [], width: 2, height: 1 })).toEqual({ lines: ["⠀⠀"], low: NaN, high: NaN });
    const holes = [...line(2, (i) => i), { x: 2, y: NaN }];
    expect(textPlot({ points: holes, width: 1, height: 1 }).lines).toEqual(["⡜"]);
  });

  test("of a few numbers is a line of bars", () => {
    expect(sparkline([0, 1, 2, 7], 16)).toBe("▁▂▃█");
    expect(sparkline([9, 0, 1, 2, 7], 4)).toBe("▁▂▃█");
    expect(sparkline([5, 5], 4)).toBe("▄▄");
  });
});

describe("what is shown", () => {
  test("fits every width, and says how the run stands", async () => {
    const run = await make("shown", { learning: "GLL", update: "RF" });
    learn(run, 1, 40);
    for (const [step, accuracy] of [
      [10, 0.1],
      [20, 0.3],
      [40, 0.25],
    ])
      appendMetric(run, evaluation(step, accuracy));
    look(run);
    appendMetric(run, { kind: "alarm", step: 33, about: "loss", message: "the loss runs away; ".repeat(6) });
    lock(run);
    const seen = watchRun(run.path)();
    for (const columns of [60, 80, 120, 200]) {
      const lines = watchLines(seen, columns);
      for (const text of lines) expect([...text].length, text).toBeLessThan(columns);
      const all = lines.join("\n");
      expect(all).toMatch(/^made: GLL, RF, contrastiveHinge, mnist$/m);
      expect(all).toMatch(/^training .*16 %, epoch 1.0 of 6/m);
      expect(all).toMatch(/^ +1010 [⠀-⣿]+$/m);
      expect(all).toMatch(/^ +35\.\d\d [⠀-⣿]+$/m);
      expect(all).toMatch(/^held out, epoch 1\.0 +% +random +gain +so far$/m);
      expect(all).toMatch(/^conv4, k nearest neighbours +25\.0 +20\.0 +\+5\.0 +▁█▆$/m);
      expect(all).toMatch(/^alarm at step 33: the loss runs away; /m);
      expect(all).toMatch(/^conv1 +71\.1° +90\.1° +12\.5 %$/m);
      expect(all).toMatch(/^head +0\.0° +– +0\.0 %$/m);
    }
    expect(news(seen, { notices: seen.notices, evaluations: seen.evaluations.slice(0, 2) })).toEqual([
      "held out, epoch 1.0: k nearest neighbours 25.0 % (random 20.0, +5.0); linear, scale-free 50.0 % (random 50.0, 0.0)",
    ]);
  });

  test("of time is what is left at the pace since the session's first checkpoint", async () => {
    const run = await make("pace");
    learn(run, 1, 60);
    const now = Date.now() / 1000;
    lock(run, { started: new Date(1000 * (now - 100)).toISOString() });
    utimesSync(run.metrics, now, now);
    const left = (): number | undefined => watchRun(run.path)().secondsLeft;
    expect(left(), "since it began").toBeCloseTo((100 / 60) * 20, 1);
    const checkpoint = (step: number, at: number): void => {
      const file = join(run.checkpoints, `step-000000${step}.safetensors`);
      writeFileSync(file, "");
      utimesSync(file, at, at);
    };
    checkpoint(20, now - 500);
    expect(left(), "it went on from a checkpoint").toBeCloseTo((100 / 40) * 20, 1);
    checkpoint(40, now - 10);
    expect(left()).toBeCloseTo((10 / 20) * 20, 1);
    release(run);
    expect(left(), "nobody works on it").toBeUndefined();
  });

  test("of a run before its first step is that it has none", async () => {
    const run = await make("young");
    expect(watchLines(watchRun(run.path)(), 80)).toEqual([
      "made: E2E, BP, contrastiveHinge, mnist",
      watchLines(watchRun(run.path)(), 80)[1],
      "stopped ·········· 0 %, without a step",
    ]);
    lock(run);
    expect(watchLines(watchRun(run.path)(), 80)[2]).toBe("training ·········· 0 %, before its first step");
  });

  test("of a network of one's own is its name", async () => {
    const encoder = {
      ...{ name: "mine", input: { height: 28, width: 28, channels: 1 } },
      blocks: [{ outputs: 8, kernel: 3, after: ["relu", "maxPool"] }],
      head: { outputs: 64 },
    };
    const run = await make("own", { encoder });
    expect(watchLines(watchRun(run.path)(), 80)[0]).toBe("made: E2E, BP, contrastiveHinge, mine");
  });

  test("at the end is what to do next", async () => {
    const run = await make("ends");
    learn(run, 1, 40);
    expect(endLine(watchRun(run.path)())).toBe(
      `stopped at step 40 of 80, and no process works on it; resume with: saccade train --resume ${run.path}`,
    );
    learn(run, 41, 80);
    expect(endLine(watchRun(run.path)())).toBe(`done; saccade runs show ${run.path}`);
  });
});

describe("the command", () => {
  const saccade = (...words: string[]) => {
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync(process.execPath, [main, ...words], { cwd: root, encoding: "utf8" });
    return { code, stdout, stderr };
  };

  /** Watches in a process of its own. `until` waits for what it prints. */
  function watching(...words: string[]) {
    const child: ChildProcess = spawn(process.execPath, [main, "watch", ...words], { cwd: root });
    let stdout = "";
    child.stdout?.on("data", (bytes) => (stdout += bytes));
    const code = new Promise<number | null>((done) => child.on("close", done));
    const until = async (text: RegExp): Promise<void> => {
      for (let i = 0; i < 600 && !text.test(stdout); i++) await setTimeout(100);
      expect(stdout).toMatch(text);
    };
    return { child, code, until, stdout: () => stdout };
  }

  test("follows a run to its end, in lines where there is no terminal", async () => {
    const run = await make("followed");
    lock(run);
    learn(run, 1, 20);
    const { code, until, stdout } = watching(run.path);
    await until(/^25 %, epoch 0\.5 of 2, .*loss 60\.00, step 20 of 80$/m);
    appendMetric(run, evaluation(40, 0.25));
    appendMetric(run, { kind: "alarm", step: 40, about: "loss", message: "the loss runs away" });
    await until(/^alarm at step 40: the loss runs away\nheld out, epoch 1\.0: /m);
    learn(run, 21, 80);
    release(run);
    expect(await code).toBe(0);
    expect(stdout()).toMatch(/\n100 %, epoch 2\.0 of 2, loss 22\.50, step 80 of 80\ndone; saccade runs show \S+\n$/);
  });

  test("says so, and ends with 1, where the run's process has died", async () => {
    const run = await make("died");
    const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    lock(run, { pid: other.pid });
    learn(run, 1, 20);
    const { code, until, stdout } = watching(run.path);
    await until(/step 20 of 80/);
    other.kill("SIGKILL");
    expect(await code).toBe(1);
    expect(stdout()).toMatch(
      /\nstopped at step 20 of 80, and no process works on it; resume with: saccade train --resume \S+\n$/,
    );
    expect(existsSync(join(run.path, "lock.json")), "it leaves the lock").toBe(true);
  });

  test("ended by Ctrl-C leaves the run as it is", async () => {
    const run = await make("left");
    lock(run);
    learn(run, 1, 20);
    const before = readFileSync(run.metrics, "utf8");
    const { child, code, until } = watching(run.path);
    await until(/step 20 of 80/);
    child.kill("SIGINT");
    expect(await code).toBe(null);
    expect(child.signalCode).toBe("SIGINT");
    expect([readFileSync(run.metrics, "utf8"), existsSync(join(run.path, "lock.json"))]).toEqual([before, true]);
  });

  test("--once tells how the newest run stands, also as JSON", async () => {
    const [old, run] = [await make("several"), await make("several")];
    learn(old, 1, 20);
    learn(run, 1, 40);
    utimesSync(old.metrics, 1e9, 1e9);
    appendMetric(run, evaluation(40, 0.25));
    const { code, stdout, stderr } = saccade("watch", "--runs", "several", "--once");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^several/${basename(run.path)}$`, "m"));
    expect(stdout).toMatch(/\nstopped at step 40 of 80, .*\n$/);
    const told = JSON.parse(saccade("watch", "--runs", "several", "--once", "--json").stdout);
    expect(told).toMatchObject({ name: "made", state: "stopped", step: 40, steps: 80, epoch: 1, epochs: 2, loss: 35 });
    expect(told.evaluation).toEqual(evaluation(40, 0.25));
    expect(told.losses).toBeUndefined();
  });

  test("without a run to watch says how to start one", () => {
    expect(saccade("watch", "--runs", "none")).toEqual({
      ...{ code: 1, stdout: "" },
      stderr: "saccade: no runs in none; start one: saccade train configs/quickstart.yaml\n",
    });
  });

  const script = spawnSync("script", ["--version"], { encoding: "utf8" });
  test.skipIf(!script.stdout?.includes("util-linux"))("draws one look over another on a terminal", async () => {
    const run = await make("terminal");
    lock(run);
    learn(run, 1, 20);
    const command = [process.execPath, main, "watch", run.path].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qec", `stty cols 70 rows 30; ${command}`, "/dev/null"], { cwd: root });
    let shown = "";
    child.stdout.on("data", (bytes) => (shown += bytes));
    const code = new Promise((done) => child.on("close", done));
    for (let i = 0; i < 600 && !shown.includes("step 20 of 80"); i++) await setTimeout(100);
    learn(run, 21, 80);
    release(run);
    expect(await code).toBe(0);
    const looks = shown.split("\x1b[0J");
    expect(looks.length).toBeGreaterThanOrEqual(3);
    const drawn = looks[0].split("\n").length - 1;
    // Up over all lines of the look before.
    expect(looks[1].startsWith(`\x1b[${drawn}F`)).toBe(true);
    expect(looks.at(-2)).toContain("100 %, epoch 2.0 of 2");
    expect(looks.at(-1)).toMatch(/^\s*done; saccade runs show /);
  });
});

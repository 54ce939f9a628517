// saccade reproduce --launcher slurm under a real Slurm of one node: the report is that of the local launcher, whatever happens to the jobs.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OneNode, slurmSkipped, startSlurm } from "../support/one-node-slurm.ts";

const main = resolve("dist/cli/main.js");

describe.skipIf(slurmSkipped !== "")(`under Slurm${slurmSkipped && ` (skipped: ${slurmSkipped})`}`, () => {
  const root = join(tmpdir(), `saccade-slurm-reproduce-${process.pid}`);
  const inRoot = (name: string): string => join(root, name);
  let slurm: OneNode;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    slurm = await startSlurm(root);
    // One build of the kernels for both launchers, however busy the machine is.
    env = { ...slurm.env, SACCADE_SIMD: "plain" };
  });
  afterAll(() => slurm?.end());

  const local = (words: readonly string[], out: string): Promise<unknown> =>
    promisify(execFile)(process.execPath, [main, ...words, "--out", inRoot(out)], { env });

  /** The command of docs/cluster.md with what this Slurm has, and smaller. */
  function quoted(): string[] {
    const [, command] =
      /^npx saccade (reproduce .* --launcher slurm .*)$/m.exec(readFileSync("docs/cluster.md", "utf8")) ?? [];
    const [, words, options] = /^(.*) --slurm-options '(.*)'$/.exec(command) ?? [];
    const here = options
      .replace("--partition=cpu", "--partition=main")
      .replace("--cpus-per-task=4 --mem=8G", "--cpus-per-task=2");
    expect(here).not.toBe(options);
    return [...words.replace("--scale medium", "--scale smoke").split(" "), "--slurm-options", here];
  }

  test("the command of docs/cluster.md makes the report that the local launcher makes", async () => {
    const only = ["--only", "E2E, BP|RLL, URF, block|random"];
    await local(["reproduce", "table1", "--scale", "smoke", ...only], "local");
    const { code, told } = await ended(start([...quoted(), ...only, "--out", inRoot("slurm")]));
    expect(told).toMatch(
      /^job array \d+: 5 networks to train\njob array \d+: 6 measurements\njob array \d+: 5 measurements that wait for \d+$/m,
    );
    expect(told).toMatch(/^16 of 16: table1: .*: \d+ s$/m);
    expect(code).toBe(0);
    expect(reportOf("slurm")).toEqual(reportOf("local"));
    expect(outcomesOf("slurm")).toEqual(outcomesOf("local"));
    expect(outcomesOf("slurm")).toHaveLength(16);
  }, 600_000);

  test("runs that are killed, requeued and left alone by their parent end in the same report", async () => {
    const words = "reproduce table1 --scale smoke --only".split(" ").concat("RLL, URF, block");
    await local(words, "undisturbed");
    // Training stands still after the first step that a process makes, until there is a gate.
    const gate = inRoot("gate");
    writeFileSync(inRoot("still.mjs"), standingStill(gate));
    env.NODE_OPTIONS = `--import=${inRoot("still.mjs")}`;
    const disturbed = [...words, "--launcher", "slurm", "--out", inRoot("disturbed")];
    const printed = (job: string): string => readFileSync(outputOf("disturbed", job), "utf8");
    const atStep = (job: string): Promise<void> => slurm.until("a step", () => /: 16 %$/m.test(printed(job)));

    const killed = start(disturbed);
    await slurm.until("three arrays", () => arraysOf("disturbed").length === 3);
    const [first] = arraysOf("disturbed");
    await atStep(first);
    // As the system does when memory runs out.
    const [lock] = globSync(inRoot("disturbed/runs/*/*/lock.json"));
    process.kill(JSON.parse(readFileSync(lock, "utf8")).pid, "SIGKILL");
    const failure = await ended(killed);
    expect(failure.told.replaceAll("\n", " ")).toContain(
      `not done: table1: hinge, RLL, URF, block and 5 negatives, seed 0: job ${first}_1 has ended without a result (FAILED, NonZeroExitCode); the last lines of`,
    );
    expect(failure.told).toMatch(/^ {2}srun: error: .*: Killed$/m);
    expect(failure.told.match(/^not done: /gm)).toHaveLength(1);
    expect(failure.code).toBe(1);
    expect(outcomesOf("disturbed")).toHaveLength(1);

    const left = start(disturbed);
    await slurm.until("two more arrays", () => arraysOf("disturbed").length === 5);
    const again = arraysOf("disturbed")[3];
    await atStep(again);
    await slurm.call("scontrol", "requeue", `${again}_1`);
    await slurm.until("the requeue", () => printed(again).includes("DUE TO JOB REQUEUE"));
    await setTimeout(1000);
    writeFileSync(gate, "");
    left.kill("SIGINT");
    const leaving = await ended(left);
    expect(leaving.code).toBe(130);
    expect(leaving.told).toMatch(
      /2 tasks stay with Slurm, in \d+, \d+; the same command waits for them again, scancel \d+ \d+ cancels them/,
    );

    const submitted = arraysOf("disturbed");
    const collected = await ended(start(disturbed));
    expect(collected.told).toContain("2 of the tasks are in Slurm's queue already\n");
    expect(arraysOf("disturbed")).toEqual(submitted);
    expect(collected.code).toBe(0);
    expect(await slurm.call("scontrol", "show", "job", `${again}_1`)).toContain("Restarts=1");
    const shares = [...printed(again).matchAll(/: (\d+) %$/gm)].map(([, percent]) => Number(percent));
    // Six steps in all: the first, one that was in flight, and the third, which another process made.
    expect(shares).toEqual([16, 50]);
    expect(reportOf("disturbed")).toEqual(reportOf("undisturbed"));
    expect(outcomesOf("disturbed")).toEqual(outcomesOf("undisturbed"));
    expect(outcomesOf("disturbed")).toHaveLength(3);
  }, 600_000);

  function start(words: readonly string[]): ChildProcess {
    return spawn(process.execPath, [main, ...words], { env, stdio: ["ignore", "ignore", "pipe"] });
  }

  /** Numbers of the arrays of a store, the oldest first. */
  const arraysOf = (out: string): string[] =>
    globSync(inRoot(`${out}/slurm/*/job`))
      .map((file) => readFileSync(file, "utf8").trim())
      .sort((a, b) => Number(a) - Number(b));

  /** What the first job of an array printed. */
  const outputOf = (out: string, array: string): string =>
    join(
      dirname(globSync(inRoot(`${out}/slurm/*/job`)).find((file) => readFileSync(file, "utf8").trim() === array) ?? ""),
      "1.out",
    );

  const reportOf = (out: string): object => {
    const { seconds, ...report } = JSON.parse(readFileSync(inRoot(`${out}/report/report.json`), "utf8"));
    expect(seconds).toBeGreaterThan(0);
    return report;
  };

  const outcomesOf = (out: string): object[] =>
    readFileSync(inRoot(`${out}/report/results.jsonl`), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => ({ ...JSON.parse(line), seconds: undefined }));
});

/** Has a worker that has printed how far its training is wait for a file. */
const standingStill = (gate: string): string => `
import { existsSync } from "node:fs";
const write = process.stdout.write.bind(process.stdout);
const sleeper = new Int32Array(new SharedArrayBuffer(4));
process.stdout.write = (text, ...more) => {
  const written = write(text, ...more);
  if (process.argv[2] === "worker" && /seed 0: \\d+ %\\n$/.test(text))
    while (!existsSync(${JSON.stringify(gate)})) Atomics.wait(sleeper, 0, 0, 50);
  return written;
};
`;

function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly told: string }> {
  let told = "";
  child.stderr?.on("data", (bytes) => (told += bytes));
  return new Promise((done) => child.on("close", (code) => done({ code, told })));
}

// The batch script of docs/cluster.md under a real Slurm: one node on 127.0.0.1, started for this test alone and ended with it.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OneNode, slurmSkipped, startSlurm } from "../support/one-node-slurm.ts";

const config = `
name: tiny
data: { dataset: procedural-objects, split: unlabelled, size: 16, limit: 40 }
encoder: tiny
batch: 10
epochs: 150
xrayEvery: 100
logs: { tensorboard: false }
`;

describe.skipIf(slurmSkipped !== "")(`under Slurm${slurmSkipped && ` (skipped: ${slurmSkipped})`}`, () => {
  const root = join(tmpdir(), `saccade-slurm-${process.pid}`);
  const inRoot = (name: string): string => join(root, name);
  const training = (runs: string): string[] =>
    `${inRoot("tiny.yaml")} --no-probe --threads 1 --runs ${inRoot(runs)}`.split(" ");

  let slurm: OneNode;
  const call: OneNode["call"] = (...words) => slurm.call(...words);
  const until: OneNode["until"] = (...words) => slurm.until(...words);

  beforeAll(async () => {
    slurm = await startSlurm(root);
    writeFileSync(inRoot("tiny.yaml"), config);
    await call(process.execPath, resolve("dist/cli/main.js"), "train", ...training("undisturbed"));
  });

  afterAll(() => slurm?.end());

  test.concurrent.each([
    ["requeued", "to make room", (job: string) => call("scontrol", "requeue", job)],
    ["signalled", "as its time is nearly up", (job: string) => call("scancel", "--signal=TERM", job)],
  ])("a job that is %s %s goes on to the bytes of one that is not", async (name, _, disturb) => {
    const [, script] = /```sh\n(#!\/bin\/sh\n[\s\S]+?)```/.exec(readFileSync("docs/cluster.md", "utf8")) ?? [];
    const [file, told] = [inRoot(`${name}.sh`), inRoot(`${name}.out`)];
    writeFileSync(file, script.replace("configs/quickstart.yaml", training(name).join(" ")));
    const job = await call("sbatch", "--parsable", `--output=${told}`, file);
    const checkpoints = inRoot(`${name}/*/checkpoints/step-*[1-9].safetensors`);
    await until("a checkpoint after the first", () => globSync(checkpoints).length > 0);
    await disturb(job);
    await until("the job's end", async () => /JobState=COMPLETED/.test(await call("scontrol", "show", "job", job)));
    const output = readFileSync(told, "utf8");
    expect(output).toMatch(/^stopped {2}after \d+ steps; /m);
    expect(output).toMatch(/^resume {3}from step [1-9]\d*$/m);
    const [found, wanted] = [bytesOf(inRoot(name)), bytesOf(inRoot("undisturbed"))];
    expect([...found.keys()]).toEqual([...wanted.keys()]);
    for (const [path, bytes] of wanted) expect(found.get(path) === bytes, `${path} differs`).toBe(true);
  });
});

/** The files of the one run in a folder of runs, as text that differs where a byte does. */
function bytesOf(runs: string): Map<string, string> {
  const [run, ...more] = globSync("*", { cwd: runs });
  expect(more).toEqual([]);
  const cwd = join(runs, run);
  const files = globSync("**/*.*", { cwd }).sort();
  expect(files.length).toBeGreaterThan(10);
  return new Map(files.map((file) => [file, readFileSync(join(cwd, file), "latin1")]));
}

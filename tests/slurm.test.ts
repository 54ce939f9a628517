// The batch script of docs/cluster.md under a real Slurm: one node on 127.0.0.1, started for this test alone and ended with it.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, globSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const path = [process.env.PATH ?? "", "/usr/sbin"].join(delimiter);
const missing = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "sinfo"].filter(
  (program) => !path.split(delimiter).some((folder) => existsSync(join(folder, program))),
);
const lacks = missing.length > 0 ? `no ${missing.join(", ")} on PATH` : userInfo().uid !== 0 ? "slurmd needs root" : "";
const skipped = lacks !== "" && process.env.SACCADE_REQUIRE_SLURM === undefined;

const config = `
name: tiny
data: { dataset: procedural-objects, split: unlabelled, size: 16, limit: 40 }
encoder: tiny
batch: 10
epochs: 150
xrayEvery: 100
logs: { tensorboard: false }
`;

describe.skipIf(skipped)(`under Slurm${skipped ? ` (skipped: ${lacks})` : ""}`, () => {
  const root = join(tmpdir(), `saccade-slurm-${process.pid}`);
  const inRoot = (name: string): string => join(root, name);
  const env = { ...process.env, PATH: path, SLURM_CONF: inRoot("slurm.conf") };
  const call = async (program: string, ...words: string[]): Promise<string> =>
    (await promisify(execFile)(program, words, { env })).stdout.trim();
  const training = (runs: string): string[] =>
    `${inRoot("tiny.yaml")} --no-probe --threads 1 --runs ${inRoot(runs)}`.split(" ");

  const daemons: { readonly name: string; readonly child: ChildProcess }[] = [];
  function daemon(name: string, ...words: string[]): void {
    const log = openSync(inRoot(name), "a");
    daemons.push({ name, child: spawn(name, words, { env, stdio: ["ignore", log, log] }) });
  }

  /** Asks until there is an answer; a refusal is none yet. */
  async function until(what: string, ask: () => Promise<unknown> | unknown): Promise<void> {
    for (const end = performance.now() + 120_000; performance.now() < end; await setTimeout(100))
      if (await Promise.try(ask).catch(() => false)) return;
    const logs = daemons.map(({ name }) => readFileSync(inRoot(name), "utf8").slice(-2000));
    throw new Error(`${what} did not come\n${logs.join("\n")}`);
  }

  beforeAll(async () => {
    if (lacks !== "") throw new Error(`SACCADE_REQUIRE_SLURM is set, and there is ${lacks}`);
    for (const folder of ["", "controller", "node"]) mkdirSync(inRoot(folder), { mode: 0o700 });
    writeFileSync(inRoot("tiny.yaml"), config);
    writeFileSync(inRoot("munge.key"), randomBytes(1024), { mode: 0o400 });
    const { username } = userInfo();
    // A requeued job waits until its old credential has expired; five seconds is the least that Slurm takes.
    writeFileSync(
      env.SLURM_CONF,
      `ClusterName=one
SlurmctldHost=localhost
SlurmctldPort=${await freePort()}
SlurmdPort=${await freePort()}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=${inRoot("munge.socket")},cred_expire=5
SlurmUser=${username}
SlurmdUser=${username}
StateSaveLocation=${inRoot("controller")}
SlurmdSpoolDir=${inRoot("node")}
SlurmctldPidFile=${inRoot("slurmctld.pid")}
SlurmdPidFile=${inRoot("slurmd.pid")}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
`,
    );
    const files = { key: "munge.key", socket: "munge.socket", pid: "munge.pid", seed: "munge.seed" };
    const options = Object.entries(files).map(
      ([option, file]) => `--${option === "socket" ? option : `${option}-file`}=${inRoot(file)}`,
    );
    daemon("munged", "--foreground", "--force", ...options);
    await until("munge's socket", () => existsSync(inRoot("munge.socket")));
    daemon("slurmctld", "-D");
    daemon("slurmd", "-D", "-N", "localhost");
    await until("an idle node", async () => (await call("sinfo", "-h", "-o", "%T")) === "idle");
    await call(process.execPath, resolve("dist/cli/main.js"), "train", ...training("undisturbed"));
  });

  afterAll(async () => {
    for (const { child } of daemons.reverse()) {
      const ended = new Promise((done) => child.once("close", done));
      if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    }
    rmSync(root, { recursive: true, force: true });
  });

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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

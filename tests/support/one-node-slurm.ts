// A Slurm of one node on 127.0.0.1, for a test alone: its daemons, its commands, and when it is there.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";

const path = [process.env.PATH ?? "", "/usr/sbin"].join(delimiter);
const missing = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "sinfo", "squeue"].filter(
  (program) => !path.split(delimiter).some((folder) => existsSync(join(folder, program))),
);
const lacks = missing.length > 0 ? `no ${missing.join(", ")} on PATH` : userInfo().uid !== 0 ? "slurmd needs root" : "";

/** Why a test under Slurm is left out here; "" where it is not. */
export const slurmSkipped: string = process.env.SACCADE_REQUIRE_SLURM === undefined ? lacks : "";

export interface OneNode {
  readonly env: NodeJS.ProcessEnv;
  /** What a program prints; throws where it refuses. */
  readonly call: (program: string, ...words: string[]) => Promise<string>;
  /** Asks until there is an answer; a refusal is none yet. */
  readonly until: (what: string, ask: () => Promise<unknown> | unknown, seconds?: number) => Promise<void>;
  /** Ends the daemons and removes the folder. */
  readonly end: () => Promise<void>;
}

/** `root` is a folder that is not there yet. */
export async function startSlurm(root: string): Promise<OneNode> {
  if (lacks !== "") throw new Error(`SACCADE_REQUIRE_SLURM is set, and there is ${lacks}`);
  const inRoot = (name: string): string => join(root, name);
  const env = { ...process.env, PATH: path, SLURM_CONF: inRoot("slurm.conf") };
  const call = async (program: string, ...words: string[]): Promise<string> =>
    (await promisify(execFile)(program, words, { env })).stdout.trim();
  const daemons: { readonly name: string; readonly child: ChildProcess }[] = [];
  function daemon(name: string, ...words: string[]): void {
    const log = openSync(inRoot(name), "a");
    daemons.push({ name, child: spawn(name, words, { env, stdio: ["ignore", log, log] }) });
  }

  async function until(what: string, ask: () => Promise<unknown> | unknown, seconds = 120): Promise<void> {
    for (const end = performance.now() + 1000 * seconds; performance.now() < end; await setTimeout(100))
      if (await Promise.try(ask).catch(() => false)) return;
    const logs = daemons.map(({ name }) => readFileSync(inRoot(name), "utf8").slice(-2000));
    throw new Error(`${what} did not come\n${logs.join("\n")}`);
  }

  for (const folder of ["", "controller", "node"]) mkdirSync(inRoot(folder), { mode: 0o700 });
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
  const end = async (): Promise<void> => {
    for (const { child } of daemons.reverse()) {
      const ended = new Promise((done) => child.once("close", done));
      if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    }
    rmSync(root, { recursive: true, force: true });
  };
  try {
    daemon("munged", "--foreground", "--force", ...options);
    await until("munge's socket", () => existsSync(inRoot("munge.socket")));
    daemon("slurmctld", "-D");
    daemon("slurmd", "-D", "-N", "localhost");
    await until("an idle node", async () => (await call("sinfo", "-h", "-o", "%T")) === "idle");
  } catch (error) {
    await end();
    throw error;
  }
  return { env, call, until, end };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

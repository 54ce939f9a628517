// What is asked of Slurm, through its own commands: to take an array of jobs, and how its jobs are.

import { spawn } from "node:child_process";
import { SaccadeError } from "../../program/errors.ts";

/** One job of an array, as Slurm names its state: PENDING, RUNNING, FAILED, … */
export interface JobState {
  readonly job: string;
  readonly index: number;
  readonly state: string;
  /** Why it waits or has ended, in Slurm's word: Priority, NonZeroExitCode, … */
  readonly reason: string;
}

/** What Slurm says of a job that neither runs nor will. */
const ended: ReadonlySet<string> = new Set([
  ...["BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"],
  ...["OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"],
]);

/** Whether a job may still do something. One that waits for a job that failed never will, where Slurm does not cancel it. */
export const isLive = ({ state, reason }: JobState): boolean =>
  !ended.has(state) && !(state === "PENDING" && reason === "DependencyNeverSatisfied");

/** Puts a script into the queue: the number of its array. */
export async function sbatch(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await call("sbatch", ["--parsable", ...words]);
  const number = /^\d+/.exec(stdout)?.[0];
  if (code !== 0 || number === undefined)
    throw new SaccadeError(
      `--launcher slurm: sbatch refuses the jobs: ${stderr.trim() || stdout.trim() || `exit code ${code}`}; give what your cluster requires, such as a partition or a time, in --slurm-options`,
    );
  return number;
}

/** Jobs of these arrays that Slurm still knows, those that ended a few minutes ago among them; where it does not answer, what it says instead. */
export async function statesOf(jobs: readonly string[]): Promise<JobState[] | { readonly silent: string }> {
  if (jobs.length === 0) return [];
  const words = ["--noheader", "--array", "--states=all", "--format=%F|%K|%T|%r", `--jobs=${jobs.join(",")}`];
  const { code, stdout, stderr } = await call("squeue", words);
  // It says so where it knows none of them any more.
  if (code !== 0 && /invalid job id/i.test(stderr)) return [];
  if (code !== 0) return { silent: stderr.trim() || `squeue ended with exit code ${code}` };
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [job, index, state, reason] = line.trim().split("|");
      return { job, index: Number(index), state, reason };
    });
}

/** How a job that squeue has forgotten ended: "TIMEOUT, exit code 0:0"; undefined where nobody keeps account. */
export async function accountOf(job: string, index: number): Promise<string | undefined> {
  const words = ["--noheader", "--allocations", "--parsable2", "--format=State,ExitCode", `--jobs=${job}_${index}`];
  const { code, stdout } = await call("sacct", words).catch(() => ({ code: 1, stdout: "" }));
  const [state, exit] = stdout.trim().split("\n").at(-1)?.split("|") ?? [];
  return code === 0 && state ? `${state}, exit code ${exit}` : undefined;
}

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In a session of its own, so that an interrupt from the keyboard does not end a submission half-way. */
function call(program: string, words: readonly string[]): Promise<Said> {
  const child = spawn(program, words, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: environment() });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  return new Promise((done, failed) => {
    child.on("close", (code) => done({ code, ...said }));
    child.on("error", (error: NodeJS.ErrnoException) =>
      failed(
        new SaccadeError(
          error.code === "ENOENT"
            ? `--launcher slurm: ${program} is not on the PATH; start this on a machine of the cluster that submits jobs, or take --launcher local`
            : `--launcher slurm: ${program} cannot be started: ${error.message}`,
        ),
      ),
    );
  });
}

/** Inside of a job, its own size must not become that of the jobs that it submits. */
function environment(): NodeJS.ProcessEnv {
  if (process.env.SLURM_JOB_ID === undefined) return process.env;
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name === "SLURM_CONF" || !name.startsWith("SLURM_")),
  );
}

// One process at a time works in a run's folder, or fetches data: a file that says who, and that a dead process does not hold.

import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { notRead, notWritten } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import type { Config } from "../training/config.ts";
import { fingerprint, makeRunsFolder, type RunFolder } from "./run-folder.ts";

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly started: string;
  /** What no other process of this machine has had, whatever its number; only Linux says it. */
  readonly born?: string;
  /** Under Slurm: the job's number, and how often it has been requeued. */
  readonly job?: string;
  readonly restarts?: number;
}

/** What a requeued job keeps, on whatever machine it goes on. */
function job(): Pick<Holder, "job" | "restarts"> {
  const { SLURM_JOB_ID: number, SLURM_RESTART_COUNT: restarts } = process.env;
  return number ? { job: number, restarts: Number(restarts ?? 0) } : {};
}

/** The boot and the tick of it in which a process started; undefined where the system does not say, or has no such process. */
function birthOf(pid: number): { born?: string } {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // The second field is a name in brackets, which may hold anything; the tick is field 22 (proc(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" ");
    return { born: `${boot} ${fields[22 - 3]}` };
  } catch {
    return {};
  }
}

/** Takes the run for this process. The function that comes back gives it up; so does every exit that Node notices. */
export const lockRun = ({ path }: Pick<RunFolder, "path">): (() => void) => lock(join(path, "lock.json"), path);

/** Takes, for as long as a run is made, that no other process makes one of this configuration in this folder of runs. */
export function claimRun(root: string, config: Config): () => void {
  makeRunsFolder(root);
  return lock(join(root, `.${config.name}_${fingerprint(config)}.lock.json`), `${root}, a run of this configuration`);
}

function lock(path: string, what: string): () => void {
  const { pid } = process;
  const started = new Date().toISOString();
  const holder: Holder = { pid, host: hostname(), started, ...birthOf(pid), ...job() };
  const own = `${JSON.stringify(holder)}\n`;
  while (!create(path, own)) removeStale(path, what);
  const release = (): void => {
    process.off("exit", release);
    if (textOf(path) === own) rmSync(path, { force: true });
  };
  process.on("exit", release);
  return release;
}

/** Whether a process may be at work in the run; one of another machine cannot be asked, and counts. */
export function isHeld(run: RunFolder): boolean {
  const text = textOf(join(run.path, "lock.json"));
  if (text === undefined) return false;
  const holder = holderOf(text);
  return holder === undefined || holder.host !== hostname() || alive(holder);
}

/** Who a run's lock names, whether they are alive or not; undefined where there is none, or where it names nobody. */
export function runHolder(run: RunFolder): Pick<Holder, "pid" | "host" | "started"> | undefined {
  const text = textOf(join(run.path, "lock.json"));
  const holder = text === undefined ? undefined : holderOf(text);
  return holder && { pid: holder.pid, host: holder.host, started: holder.started };
}

/** Whether the lock was made; false where there is one. Written beside and linked: a lock is never there without its holder's name. */
function create(path: string, text: string): boolean {
  const beside = `${path}.${process.pid}.new`;
  try {
    writeFileSync(beside, text);
    linkSync(beside, path);
    return true;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(code)) return createWithoutLinks(path, text);
    throw notWritten(path, error);
  } finally {
    if (existsSync(beside)) rmSync(beside, { force: true });
  }
}

/** For file systems that have no links. */
function createWithoutLinks(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw notWritten(path, error);
  }
}

/** Removes the lock of a process that has died on this machine; throws where the lock may be held. */
function removeStale(path: string, what: string): void {
  const text = textOf(path);
  if (text === undefined) return;
  const holder = holderOf(text);
  if (holder === undefined)
    throw new SaccadeError(`${what}: ${path} does not say which process uses the run; remove it if none does`);
  const { pid, host, started } = holder;
  const here = job();
  // Slurm ends a job everywhere before it starts it again.
  const requeued = here.job !== undefined && here.job === holder.job && (here.restarts ?? 0) > (holder.restarts ?? 0);
  if (!requeued && host !== hostname())
    throw new SaccadeError(
      `${what}: is in use by process ${pid} on ${host} since ${started}; if that has ended, remove ${path}`,
    );
  if (!requeued && alive(holder))
    throw new SaccadeError(
      `${what}: is in use by process ${pid} since ${started}; wait for it or end it; if it is not a saccade process, remove ${path}`,
    );
  // Two processes may find the same stale lock: the later one must not remove what the earlier has put in its place.
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (textOf(aside) === text) rmSync(aside);
    else renameSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw notWritten(path, error);
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw notRead(path, error);
  }
}

function holderOf(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder | null;
    return Number.isSafeInteger(holder?.pid) && typeof holder?.host === "string" ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Our own number in a lock that we have not made is that of an earlier process, as in a container started again. */
function alive({ pid, born }: Holder): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  // Numbers are given again, above all after a restart of the machine.
  const { born: now = born } = birthOf(pid);
  return born === undefined || born === now;
}

// One process at a time works in a run's folder, or fetches data: a file that says who, and that a dead process does not hold.

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { SaccadeError } from "../program/errors.ts";
import { notRead, notWritten } from "./files.ts";
import type { RunFolder } from "./run-folder.ts";

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly started: string;
  /** Under Slurm: the job's number, and how often it has been requeued. */
  readonly job?: string;
  readonly restarts?: number;
}

/** What a requeued job keeps, on whatever machine it goes on. */
function job(): Pick<Holder, "job" | "restarts"> {
  const { SLURM_JOB_ID: number, SLURM_RESTART_COUNT: restarts } = process.env;
  return number ? { job: number, restarts: Number(restarts ?? 0) } : {};
}

/** Takes the run for this process. The function that comes back gives it up; so does every exit that Node notices. */
export function lockRun(run: Pick<RunFolder, "path">): () => void {
  const path = join(run.path, "lock.json");
  const holder: Holder = { pid: process.pid, host: hostname(), started: new Date().toISOString(), ...job() };
  const own = `${JSON.stringify(holder)}\n`;
  while (!create(path, own)) removeStale(path, run);
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
  return holder === undefined || holder.host !== hostname() || alive(holder.pid);
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
    rmSync(beside, { force: true });
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
function removeStale(path: string, run: Pick<RunFolder, "path">): void {
  const text = textOf(path);
  if (text === undefined) return;
  const holder = holderOf(text);
  if (holder === undefined)
    throw new SaccadeError(`${run.path}: ${path} does not say who holds the run; remove it if no other process does`);
  const { pid, host, started } = holder;
  const here = job();
  // Slurm ends a job everywhere before it starts it again.
  const requeued = here.job !== undefined && here.job === holder.job && (here.restarts ?? 0) > (holder.restarts ?? 0);
  if (!requeued && host !== hostname())
    throw new SaccadeError(
      `${run.path}: is in use by process ${pid} on ${host} since ${started}; if that has ended, remove ${path}`,
    );
  if (!requeued && alive(pid))
    throw new SaccadeError(
      `${run.path}: is in use by process ${pid} since ${started}; wait for it or end it; if it is no saccade, remove ${path}`,
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
function alive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

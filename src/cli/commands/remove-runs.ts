// saccade runs rm: run folders removed, after a question; nothing that is no run, and none at which a process is at work.

import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readlinkSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { SaccadeError } from "../../program/errors.ts";
import { openRun, type RunFolder } from "../../runs/run-folder.ts";
import { lockRun } from "../../runs/run-lock.ts";
import { exitCodes } from "../exit-codes.ts";
import { catchSignals } from "../signals.ts";

export async function removeRuns(
  paths: readonly string[],
  { yes = false, json = false }: { readonly yes?: boolean; readonly json?: boolean },
): Promise<number> {
  // `runs/a` and `runs/a/` are one run.
  const runs = [...new Map(paths.map((path) => [resolve(path), path])).values()].map(requireRun);
  if (!yes && !process.stdin.isTTY)
    throw new SaccadeError("runs rm: asks before it removes, and there is no terminal to ask on; give --yes");
  const signals = catchSignals();
  const releases: (() => void)[] = [];
  try {
    for (const run of runs) releases.push(lockRun(run));
    if (!yes && !(await confirmed(runs))) {
      process.stderr.write("nothing was removed\n");
      return exitCodes.refused;
    }
    for (const run of runs) {
      removeRun(run);
      if (!json) process.stdout.write(`removed ${run.path}\n`);
    }
    if (json) process.stdout.write(`${JSON.stringify({ removed: runs.map(({ path }) => path) })}\n`);
    return exitCodes.done;
  } finally {
    for (const release of releases) release();
    signals.end();
  }
}

/** The run at the path, with all that createRun makes; a folder that only looks like one is not ours to remove. */
function requireRun(path: string): RunFolder {
  const whole = resolve(path);
  if (lstatSync(whole, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new SaccadeError(`${path}: is a link to ${readlinkSync(whole)}; name the run's own folder`);
  const { run } = openRun(path);
  for (const name of ["environment.json", "checkpoints", "figures"])
    if (!existsSync(join(path, name)))
      throw new SaccadeError(`${path}: not a whole run folder, it has no ${name}; look at it, and remove it by hand`);
  return run;
}

async function confirmed(runs: readonly RunFolder[]): Promise<boolean> {
  const what =
    runs.length === 1 ? runs[0].path : `${runs.length} runs:\n${runs.map(({ path }) => `  ${path}\n`).join("")}`;
  process.stderr.write(`remove ${what}${runs.length === 1 ? "" : "all of them"}? [y/N] `);
  // An end of input is no answer.
  for await (const line of createInterface({ input: process.stdin })) return /^y(es)?$/i.test(line.trim());
  return false;
}

/** Renamed first: what is half removed is no run any more, and no list shows it. Links within are removed, not followed. */
function removeRun({ path }: RunFolder): void {
  const whole = resolve(path);
  const aside = join(dirname(whole), `.removed-${randomBytes(4).toString("hex")}`);
  try {
    renameSync(whole, aside);
  } catch (error) {
    throw new SaccadeError(`${path}: cannot be removed: ${(error as Error).message}`);
  }
  try {
    rmSync(aside, { recursive: true });
  } catch (error) {
    throw new SaccadeError(
      `${path}: cannot be removed completely: ${(error as Error).message}; remove what is left in ${aside}`,
    );
  }
}

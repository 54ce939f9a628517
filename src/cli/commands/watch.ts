// saccade watch: looks on while another process trains a run, and ends when that does. It writes nothing into the run.

import { type FSWatcher, watch } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { SaccadeError } from "../../program/errors.ts";
import { openRuns } from "../../runs/run-folder.ts";
import { type WatchedRun, watchRun } from "../../runs/watched-run.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommonOptions } from "../options.ts";
import { textWidth } from "../table.ts";
import { endLine, news, progressWords, watchLines } from "../watch-view.ts";

interface WatchOptions extends CommonOptions {
  readonly runs: string;
  readonly once?: boolean;
}

/** Milliseconds between looks: at least, and at most, for a process that was killed writes nothing. Between plain lines: at least. */
const [soonest, latest, plainEvery] = [500, 2000, 5000];

export async function watchCommand(path: string | undefined, options: WatchOptions): Promise<number> {
  const look = watchRun(path ?? newestRun(options.runs));
  let run = look();
  if (options.once || run.state !== "running") {
    print(options.json ? json(run) : [...watchLines(run, textWidth()), ...ending(run)].join("\n"));
    return options.once ? exitCodes.done : exitCode(run);
  }
  const show = options.json ? plainly(json) : process.stdout.isTTY ? inPlace() : plainly();
  const changes = changesIn(run.path);
  try {
    for (; run.state === "running"; run = look()) {
      show(run);
      await changes.next();
    }
  } finally {
    changes.close();
  }
  show(run);
  if (!options.json) print(ending(run).slice(1).join("\n"));
  return exitCode(run);
}

function newestRun(root: string): string {
  const [newest] = openRuns(root, (message) => process.stderr.write(`left out: ${message}\n`));
  if (newest === undefined)
    throw new SaccadeError(`no runs in ${root}; start one: saccade train configs/quickstart.yaml`);
  return newest.run.path;
}

const exitCode = ({ state }: WatchedRun): number => (state === "stopped" ? exitCodes.refused : exitCodes.done);

const ending = (run: WatchedRun): string[] => (run.state === "running" ? [] : ["", endLine(run)]);

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Without the curve, which metrics.jsonl has. */
function json({ losses: _, config, evaluations, ...run }: WatchedRun): string {
  return JSON.stringify({ name: config.name, ...run, evaluation: evaluations.at(-1) });
}

/** Draws one look over another. A terminal that is too low loses the last lines. */
function inPlace(): (run: WatchedRun) => void {
  let drawn = 0;
  return (run) => {
    const { columns = 80, rows = 24 } = process.stdout;
    const lines = watchLines(run, columns).slice(0, rows - 1);
    const text = lines.map((line) => `\x1b[2K${line}\n`).join("");
    process.stdout.write(`${drawn > 0 ? `\x1b[${drawn}F` : ""}${text}\x1b[0J`);
    drawn = lines.length;
  };
}

/** A line now and then, and one for each alarm and evaluation; of `asLine` that alone. */
function plainly(asLine?: (run: WatchedRun) => string): (run: WatchedRun) => void {
  let before: WatchedRun | undefined;
  let shown = Number.NEGATIVE_INFINITY;
  return (run) => {
    if (before === undefined && !asLine) print(run.path);
    const fresh = news(run, before);
    if (!asLine) for (const line of fresh) print(line);
    const due = performance.now() - shown >= plainEvery || run.state !== "running" || (asLine && fresh.length > 0);
    if (due && (run.step !== before?.step || run.state !== before.state)) {
      print(asLine ? asLine(run) : progressWords(run).join(", "));
      shown = performance.now();
    }
    before = run;
  };
}

/** Waits for the next change in a folder. Where the system does not tell of any, as on some network disks, time alone decides. */
function changesIn(folder: string): { readonly next: () => Promise<void>; readonly close: () => void } {
  let watcher: FSWatcher | undefined;
  let changed = false;
  let wake = (): void => {};
  try {
    watcher = watch(folder, () => {
      changed = true;
      wake();
    });
    watcher.on("error", () => watcher?.close());
  } catch {}
  return {
    next: async () => {
      await setTimeout(soonest);
      if (!changed) {
        const timer = new AbortController();
        wake = () => timer.abort();
        await setTimeout(latest - soonest, undefined, { signal: timer.signal }).catch(() => {});
      }
      changed = false;
    },
    close: () => watcher?.close(),
  };
}

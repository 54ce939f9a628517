// The tasks that run just now, on stderr: a few lines that move on a terminal; elsewhere a line for each that ends, and every half minute how
// far the others are.

import type { Planned } from "../experiments/plan.ts";
import { duration } from "../program/duration.ts";

export interface LiveTable {
  readonly start: (task: Planned) => void;
  readonly progress: (task: Planned, share: number) => void;
  /** `seconds` is what it took, where that was not from its start here. */
  readonly end: (task: Planned, failure: string | undefined, seconds?: number) => void;
  /** Leaves the last lines standing. */
  readonly close: () => void;
}

interface Running {
  readonly title: string;
  readonly since: number;
  share: number;
}

/** Milliseconds between redrawings, and between lines of progress where no terminal is. */
const redrawEvery = 200;
const tellEvery = 30_000;

export function showTasks(total: number, stream: NodeJS.WriteStream = process.stderr): LiveTable {
  const terminal = stream.isTTY === true;
  const running = new Map<string, Running>();
  const began = performance.now();
  let done = 0;
  let drawn = 0;
  let last = began;

  const lines = (): string[] =>
    [...running.values()].map(({ title, since, share }) => {
      const spent = (performance.now() - since) / 1000;
      const left = share > 0.01 && share < 1 ? `, ${duration((spent * (1 - share)) / share)} left` : "";
      return `  ${String(Math.floor(100 * share)).padStart(3)} %  ${title}${left}`;
    });

  function draw(now: boolean): void {
    if (!terminal || (!now && performance.now() - last < redrawEvery)) return;
    last = performance.now();
    const columns = stream.columns || 80;
    const all = [`${done} of ${total} tasks done, ${duration((performance.now() - began) / 1000)}`, ...lines()];
    // Up to the first of the old lines, then each new one over it.
    stream.write(
      `${drawn > 0 ? `\x1b[${drawn}F` : ""}${all.map((line) => `\x1b[2K${line.slice(0, columns - 1)}\n`).join("")}\x1b[0J`,
    );
    drawn = all.length;
  }

  /** Where there is no terminal: a line for each task that runs. */
  function tell(): void {
    if (terminal || performance.now() - last < tellEvery) return;
    last = performance.now();
    stream.write(`${lines().join("\n")}\n`);
  }

  return {
    start: ({ key, title }) => {
      running.set(key, { title, since: performance.now(), share: 0 });
      draw(true);
    },
    progress: ({ key }, share) => {
      const task = running.get(key);
      if (task) task.share = share;
      draw(false);
      tell();
    },
    end: ({ key, title }, failure, seconds) => {
      const since = running.get(key)?.since;
      running.delete(key);
      done++;
      const spent = seconds ?? (since === undefined ? undefined : (performance.now() - since) / 1000);
      if (!terminal && (spent !== undefined || failure !== undefined)) {
        const took = duration(spent ?? 0);
        stream.write(`${done} of ${total}: ${title}: ${failure === undefined ? took : "not done"}\n`);
      }
      draw(true);
    },
    close: () => draw(true),
  };
}

// Progress on stderr: one moving line on a terminal, a plain line now and then elsewhere.

import { duration } from "../program/duration.ts";

export interface Progress {
  readonly update: (done: number, total: number, note: string) => void;
  /** Leaves the line standing. */
  readonly end: () => void;
}

/** Characters of the bar in a terminal of so many columns: fixed, so that it does not jump when the words change. */
const barWidth = (columns: number): number => (columns >= 100 ? 24 : columns >= 60 ? 10 : 0);
/** Milliseconds between plain lines, and between redrawings on a terminal. */
const plainEvery = 5000;
const terminalEvery = 100;

/** `unit` counts what is done: images, read-outs. */
export function showProgress(label: string, unit: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  const terminal = stream.isTTY === true;
  let shown = Number.NEGATIVE_INFINITY;
  let open = false;
  let first: { readonly done: number; readonly at: number } | undefined;
  return {
    update: (done, total, note) => {
      const now = performance.now();
      first ??= { done, at: now };
      const wait = terminal ? terminalEvery : plainEvery;
      if (now - shown < wait && done < total) return;
      shown = now;
      const share = done / total;
      // The first report has nothing to measure a rate by.
      const rate = (1000 * (done - first.done)) / (now - first.at);
      const pace = done > first.done && now > first.at ? [`${rateText(rate)} ${unit}/s`] : [];
      const left = pace.length > 0 && done < total ? [`${duration((total - done) / rate)} left`] : [];
      const words = [`${Math.floor(100 * share)} %`, note, ...left, ...pace];
      if (terminal) {
        stream.write(`\r\x1b[2K${progressLine(label, share, words, stream.columns || 80)}`);
        open = true;
      } else stream.write(`${label}: ${words.join(", ")}\n`);
    },
    end: () => {
      if (open) stream.write("\n");
      open = false;
    },
  };
}

const rateText = (rate: number): string => (rate >= 10 ? String(Math.round(rate)) : rate.toPrecision(2));

/** `training ████······ 40 %, …` in fewer than `columns` characters; of the words, the last that do not fit are left out. */
export function progressLine(label: string, share: number, words: readonly string[], columns: number): string {
  const width = barWidth(columns);
  const filled = Math.floor(width * share);
  const bar = width > 0 ? ` ${"█".repeat(filled)}${"·".repeat(width - filled)}` : "";
  let line = `${label}${bar} ${words[0]}`;
  for (const word of words.slice(1)) {
    if (line.length + word.length + 2 >= columns) break;
    line += `, ${word}`;
  }
  return line.slice(0, columns - 1);
}

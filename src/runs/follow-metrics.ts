// Reads metrics.jsonl of a run that goes on elsewhere, again and again: of a file that has grown what is new, of another in its place all.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { notRead } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import { type Metric, parseMetrics } from "../record/metrics.ts";
import type { RunFolder } from "./run-folder.ts";

export interface FollowedMetrics {
  /** Reads on; whether there was anything new. */
  readonly read: () => boolean;
  /** All whole lines so far. */
  readonly metrics: () => readonly Metric[];
  /** When the file was last written, in milliseconds since 1970; undefined where there is none. */
  readonly written: () => number | undefined;
}

export function followMetrics(run: Pick<RunFolder, "metrics">): FollowedMetrics {
  let file: number | undefined;
  let offset = 0;
  let rest = Buffer.alloc(0);
  let metrics: Metric[] = [];
  let written: number | undefined;

  const startOver = (inode: number | undefined): void => {
    file = inode;
    offset = 0;
    rest = Buffer.alloc(0);
    metrics = [];
  };

  function readOn(descriptor: number): boolean {
    const { ino, size, mtimeMs } = fstatSync(descriptor);
    const another = ino !== file || size < offset;
    if (another) startOver(ino);
    written = mtimeMs;
    if (size === offset) return another;
    const bytes = Buffer.alloc(size - offset);
    const count = readSync(descriptor, bytes, 0, bytes.length, offset);
    offset += count;
    const all = Buffer.concat([rest, bytes.subarray(0, count)]);
    const end = all.lastIndexOf("\n") + 1;
    rest = all.subarray(end);
    const lines = all.subarray(0, end).toString("utf8").split("\n").slice(0, -1);
    metrics = metrics.concat(parseMetrics(lines, run.metrics, metrics.length + 1));
    return true;
  }

  return {
    read: () => {
      let descriptor: number | undefined;
      try {
        descriptor = openSync(run.metrics, "r");
        return readOn(descriptor);
      } catch (error) {
        if (error instanceof SaccadeError) throw error;
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw notRead(run.metrics, error);
        const had = metrics.length > 0;
        startOver(undefined);
        written = undefined;
        return had;
      } finally {
        if (descriptor !== undefined) closeSync(descriptor);
      }
    },
    metrics: () => metrics,
    written: () => written,
  };
}

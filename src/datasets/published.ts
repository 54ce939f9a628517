// Whether the files of a known dataset are what their publisher handed out, before they are read: checksums are computed once, and
// remembered by a file's size and time, beside the data or, where that may not be, in the cache.

import { createHash, randomBytes } from "node:crypto";
import { createReadStream, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { makeFolders } from "../files/folders.ts";
import { SaccadeError } from "../program/errors.ts";
import { md5Of } from "./download.ts";
import { type FoundFile, findDataset } from "./on-disk.ts";
import { cacheFolder, cacheKey } from "./picture-cache.ts";
import { few, type LoadEvents, type Split } from "./request.ts";
import { sources, whose } from "./sources.ts";

/** Refuses files that are known to be another dataset's, or another part of this one. What nobody knows is read, with a note. */
export async function requirePublished(
  dataset: string,
  split: Split,
  folder: string,
  { onWarning }: LoadEvents,
): Promise<void> {
  const found = findDataset(sources[dataset], folder);
  const files = found?.files.filter((file) => file.split === split && file.size !== undefined) ?? [];
  const memory = recall(folder);
  const unknown: FoundFile[] = [];
  for (const file of files) {
    const { path, md5, inside } = file;
    const sums = await memory.sumsOf(file);
    if (sums.some((sum) => sum === md5 || sum === inside)) continue;
    const other = sums.map(whose).find((one) => one !== undefined);
    if (other) {
      const mend = other.dataset && other.dataset !== dataset ? `, or take dataset ${other.dataset}` : "";
      throw new SaccadeError(
        `${path}: must be the file of that name of ${dataset}, got ${other.title}'s ${other.file}, by its checksum; put the right one there${mend}`,
      );
    }
    if (md5 !== undefined) unknown.push(file);
  }
  memory.keep(onWarning);
  if (unknown.length > 0)
    onWarning?.(
      `${few(unknown.map(({ path }) => path))}: not as published, by checksum (saccade data check ${dataset} says more); taken as ${unknown.length === 1 ? "it is" : "they are"}`,
    );
}

interface Remembered {
  readonly size: number;
  readonly mtimeMs: number;
  readonly sums: readonly string[];
}

function recall(folder: string) {
  const beside = join(folder, ".saccade-checksums.json");
  const places = [beside, join(cacheFolder(), "checksums", `${cacheKey(realpath(folder)).slice(0, 16)}.json`)];
  const known = new Map<string, Remembered>(places.toReversed().flatMap(readMemory));
  let changed = false;
  return {
    /** MD5 of a file, and where that is not the published one of a gzip file, of what is inside. */
    sumsOf: async (file: FoundFile): Promise<readonly string[]> => {
      const { path } = file;
      const { size, mtimeMs } = statSync(path);
      const name = relative(folder, path);
      const before = known.get(name);
      if (before?.size === size && before.mtimeMs === mtimeMs) return before.sums;
      const md5 = await md5Of(path);
      const sums = md5 === file.md5 || !path.endsWith(".gz") ? [md5] : [md5, ...(await md5Inside(path))];
      known.set(name, { size, mtimeMs, sums });
      changed = true;
      return sums;
    },
    /** Remembers in the first place that takes it. */
    keep: (onWarning: LoadEvents["onWarning"]): void => {
      if (!changed) return;
      const text = `${JSON.stringify(Object.fromEntries(known), null, 1)}\n`;
      let why = "";
      const kept = places.some((place) => {
        try {
          writeMemory(place, text);
          return true;
        } catch (error) {
          why = (error as Error).message;
          return false;
        }
      });
      if (!kept) onWarning?.(`checksums could not be stored, so they will be computed again each time: ${why}`);
    },
  };
}

function realpath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function readMemory(path: string): [string, Remembered][] {
  try {
    const entries = Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, Remembered>);
    return entries.filter(([, { sums }]) => Array.isArray(sums) && sums.every((sum) => typeof sum === "string"));
  } catch {
    return [];
  }
}

function writeMemory(path: string, text: string): void {
  const part = `${path}.${randomBytes(4).toString("hex")}.part`;
  try {
    makeFolders(dirname(path));
    writeFileSync(part, text);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/** None where it is no whole gzip file: its reader says so. */
async function md5Inside(path: string): Promise<string[]> {
  const hash = createHash("md5");
  try {
    await pipeline(
      createReadStream(path, { highWaterMark: 2 ** 20 }),
      createGunzip({ chunkSize: 2 ** 18 }),
      async (unpacked: AsyncIterable<Buffer>) => {
        for await (const chunk of unpacked) hash.update(chunk);
      },
    );
  } catch {
    return [];
  }
  return [hash.digest("hex")];
}

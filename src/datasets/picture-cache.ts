// Keeps decoded pictures, so that a folder is decoded and scaled once. Any file here may be deleted at any time.
//
// A file is one line of JSON (the key of what was decoded, which pictures were broken, a checksum) and the bytes behind it. One that is
// of another key, cut short or damaged counts as none.

import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { checksum, pieces } from "../files/checksum.ts";
import { fromHome, makeFolders } from "../files/folders.ts";
import { readPart } from "./formats/file.ts";

export interface DecodedPictures {
  /** [pictures, size, size, 3] of those that could be read, in their order. */
  readonly pixels: Uint8Array;
  /** Of each that could not: its number, and why. */
  readonly broken: readonly (readonly [number, string])[];
}

/** $XDG_CACHE_HOME/saccade, else ~/.cache/saccade. */
export const cacheFolder = (): string => join(fromHome(process.env.XDG_CACHE_HOME || "~/.cache"), "saccade");

export const cacheKey = (content: unknown): string => checksum(JSON.stringify(content));

/** The file for a folder that is read in one way: another state of the folder overwrites it. */
export const cacheFile = (way: readonly unknown[]): string =>
  join(cacheFolder(), "pictures", `${cacheKey(way).slice(0, 16)}.cache`);

export function readCache(path: string, key: string): DecodedPictures | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const bytes = readPart(file, 0, fstatSync(file).size);
    const end = bytes.indexOf("\n");
    const kept = JSON.parse(bytes.toString("utf8", 0, end));
    const pixels = bytes.subarray(end + 1);
    return kept.key === key && kept.checksum === checksum(pixels) ? { pixels, broken: kept.broken } : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Writes the whole file or none; throws what the system says. */
export function writeCache(path: string, key: string, { pixels, broken }: DecodedPictures): void {
  const beside = `${path}.${randomBytes(4).toString("hex")}.part`;
  makeFolders(dirname(path));
  try {
    const file = openSync(beside, "wx");
    try {
      writeSync(file, `${JSON.stringify({ key, broken, checksum: checksum(pixels) })}\n`);
      for (const piece of pieces(pixels))
        for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done, piece.length - done);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

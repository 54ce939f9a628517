// What of a dataset lies on disk, file by file, and whether one is what its publisher handed out.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { md5Of } from "./download.ts";
import type { Split } from "./request.ts";
import { type DataFile, type Layout, type Source, whose } from "./sources.ts";

/** A file of a layout as it lies on disk, or should. */
export interface FoundFile {
  readonly path: string;
  readonly split: Split;
  /** undefined where there is no such file. */
  readonly size: number | undefined;
  /** What it should be, as far as that is known. */
  readonly bytes?: number | undefined;
  readonly md5?: string | undefined;
  /** Of a gzip file, the MD5 of what is inside. */
  readonly inside?: string | undefined;
}

export type Presence = "whole" | "incomplete" | "absent";

/** The layout that a reader would take, with its files. */
export interface Found {
  readonly layout: Layout;
  readonly presence: Presence;
  readonly files: readonly FoundFile[];
}

/** Looks for names alone; undefined where the folder of no layout is there. */
export function findDataset({ layouts }: Source, folder: string): Found | undefined {
  const layout = layouts.find((one) => existsSync(join(folder, one.folder)));
  if (layout === undefined) return undefined;
  const files = layout.files.map((file) => findFile(join(folder, layout.folder), file));
  const there = files.filter(({ size }) => size !== undefined).length;
  return { layout, files, presence: there === files.length ? "whole" : there > 0 ? "incomplete" : "absent" };
}

export function findFile(folder: string, { name, split, bytes, md5, plain }: DataFile): FoundFile {
  const unpacked = join(folder, name.replace(/\.gz$/, ""));
  if (name.endsWith(".gz") && sizeOf(unpacked) !== undefined)
    return { path: unpacked, split, size: sizeOf(unpacked), bytes: plain?.bytes, md5: plain?.md5 };
  const path = join(folder, name);
  return { path, split, size: sizeOf(path), bytes, md5, inside: plain?.md5 };
}

function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}

/** What is wrong with the size of a file that is there, if it is known; undefined where nothing is. */
export const sizeFault = ({ size, bytes }: FoundFile): string | undefined =>
  bytes !== undefined && size !== bytes ? `has ${size} bytes where ${bytes} are published` : undefined;

/** What is wrong with a file that is there, by its size and checksum, as far as they are known; undefined where nothing is. */
export async function faultOf(file: FoundFile, signal?: AbortSignal): Promise<string | undefined> {
  const { md5, path } = file;
  const fault = sizeFault(file);
  if (fault !== undefined || md5 === undefined) return fault;
  const found = await md5Of(path, signal);
  const other = whose(found);
  if (found === md5) return undefined;
  return `is not the published file: its MD5 is ${found}${other ? `, which is ${other.title}'s ${other.file}` : ""}, published is ${md5}`;
}

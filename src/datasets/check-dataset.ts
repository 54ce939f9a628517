// Checks what is here of a dataset: every file against its published checksum, or, where it has none, by reading its split to the end.

import { SaccadeError } from "../program/errors.ts";
import { loadDataset } from "./datasets.ts";
import { type Found, type FoundFile, faultOf } from "./on-disk.ts";
import type { Split } from "./request.ts";

export interface CheckedFile extends FoundFile {
  /** What told: the published checksum, a reading of the whole split, or only that it is there, as its split is not whole. */
  readonly by: "MD5" | "reading" | "presence";
  readonly fault?: string;
}

/** Checks every file that is there: by checksum where one is published, else by reading its split to the end. */
export async function checkDataset(
  name: string,
  { files }: Found,
  folder: string,
  signal?: AbortSignal,
): Promise<CheckedFile[]> {
  const checked: CheckedFile[] = [];
  for (const split of new Set(files.map((file) => file.split))) {
    const parts = files.filter((file) => file.split === split);
    const there = parts.filter(({ size }) => size !== undefined);
    const readable = there.length === parts.length && there.some(({ md5 }) => md5 === undefined);
    const sentence = readable ? await readingFault(name, split, folder) : undefined;
    const blamed = sentence && (there.find(({ path }) => sentence.startsWith(`${path}: `)) ?? there[0]);
    for (const file of there) {
      const read = file === blamed ? sentence?.replace(`${file.path}: `, "") : undefined;
      const fault = (await faultOf(file, signal)) ?? read;
      const by = file.md5 !== undefined ? "MD5" : readable ? "reading" : "presence";
      checked.push({ ...file, by, ...(fault === undefined ? {} : { fault }) });
    }
  }
  return checked;
}

async function readingFault(dataset: string, split: Split, folder: string): Promise<string | undefined> {
  try {
    await loadDataset({ dataset, split, folder });
    return undefined;
  } catch (error) {
    if (error instanceof SaccadeError) return error.message;
    throw error;
  }
}

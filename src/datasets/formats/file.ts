// Reads or opens a file; what is not one, or may not be read, is a sentence.

import { fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";

export function readFile(path: string): Uint8Array {
  return orSentence(path, () => readFileSync(path));
}

/** A descriptor to read from; the caller closes it. */
export function openFile(path: string): number {
  return orSentence(path, () => {
    const file = openSync(path, "r");
    if (fstatSync(file).isDirectory()) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
    return file;
  });
}

/** `count` bytes of an open file from `start` on, fewer where it ends; one read brings 2 GiB at most, so it may take several. */
export function readPart(file: number, start: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let done = 0;
  for (let got = -1; done < count && got !== 0; done += got)
    got = readSync(file, bytes, done, Math.min(count - done, 2 ** 30), start + done);
  return bytes.subarray(0, done);
}

function orSentence<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SaccadeError(`${path}: cannot be read (${code}); it must be a file that you have permission to read`);
  }
}

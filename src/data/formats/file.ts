// Reads a whole file; what is not one, or may not be read, is a sentence.

import { readFileSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";

export function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SaccadeError(`${path}: cannot be read (${code}); it must be a file that you may read`);
  }
}

// Files that are never half written: beside, flushed, renamed.

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SaccadeError } from "../program/errors.ts";

/** Writes the whole file or leaves the old one as it was. */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString("hex")}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = await open(beside, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw notWritten(path, error);
  }
}

/** The system's refusal as a sentence: no place, no right, no folder. */
export const notWritten = (path: string, error: unknown): SaccadeError =>
  new SaccadeError(`${path}: cannot be written: ${(error as Error).message}`);

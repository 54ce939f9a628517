// Files that are never half written: beside, flushed, renamed; and the system's refusals as sentences.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SaccadeError } from "../program/errors.ts";
import { makeFolders } from "./folders.ts";

/** Whether a file is one that `writeWhole` has begun and not put in its place. */
export const isPart = (name: string): boolean => /\.[0-9a-f]{8}\.part$/.test(name);

/** Writes the whole file or leaves the old one as it was; so it does where making the content fails half-way. */
export async function writeWhole(
  path: string,
  content: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString("hex")}.part`;
  try {
    makeFolders(dirname(path));
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
    throw error instanceof SaccadeError ? error : notWritten(path, error);
  }
}

/** What has been appended to a file is on the disk when this is done. */
export async function flushFile(path: string): Promise<void> {
  try {
    const file = await open(path, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** The folder itself, or the one above it that there is. */
export function nearestFolder(folder: string): string {
  let place = resolve(folder);
  while (!existsSync(place)) place = dirname(place);
  return place;
}

export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw notRead(path, error);
  }
}

export const readText = (path: string): string => new TextDecoder().decode(readBytes(path));

/** A path as a shell reads it: quoted where it has spaces or signs that mean something there. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The text of a file that a person wrote: UTF-8, or UTF-16 where it begins with the mark of that, as some editors on Windows save it. */
export function decodeText(path: string, bytes: Uint8Array): string {
  const [a, b] = bytes;
  const encoding = a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : "utf-8";
  let got = "other bytes";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return text;
    got = "UTF-16 without its mark, or no text";
  } catch {}
  throw new SaccadeError(`${path}: must be text in UTF-8, got ${got}; save it as UTF-8`);
}

/** What helps against the system's refusals, by their codes. */
const readMends: Readonly<Record<string, string>> = {
  ENOENT: "look how its name is written, and from which folder it is meant",
  EACCES: "change its permissions",
  EISDIR: "name a file",
  ENOTDIR: "a part of this path is a file; name a folder there",
};
const room = "make room on the disk, then go on";
const writeMends: Readonly<Record<string, string>> = {
  ENOSPC: room,
  EDQUOT: room,
  EROFS: "take a folder on a disk that may be written to",
  EACCES: "take a folder that you may write in",
  ENOTDIR: "a part of this path is a file; name a folder there",
};

/** The system's refusal as a sentence: no file, no right. */
export const notRead = (path: string, error: unknown): SaccadeError => refused(path, "read", error, readMends);

/** The same of writing: no place, no right, no folder. */
export const notWritten = (path: string, error: unknown): SaccadeError => refused(path, "written", error, writeMends);

function refused(path: string, what: string, error: unknown, mends: Readonly<Record<string, string>>): SaccadeError {
  const { message, code = "" } = error as NodeJS.ErrnoException;
  return new SaccadeError(`${path}: cannot be ${what}: ${message}${mends[code] ? `; ${mends[code]}` : ""}`);
}

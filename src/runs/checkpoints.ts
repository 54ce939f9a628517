// The checkpoints of a run's folder: one file each, written whole; which stay, and which is the newest, the best.

import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { notRead, readBytes, writeWhole } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import { type Checkpoint, checkpointParts, decodeCheckpoint, fileName, stepOf } from "../record/checkpoint-file.ts";
import type { RecordedRule } from "../rules/rule.ts";

/** Which checkpoints stay beside the best: the newest of those at every so many steps. One that a stop left goes when the next is written. */
export interface Kept {
  readonly newest: number;
  readonly every: number;
}

/** Writes a checkpoint, never one with numbers that are none, and removes what need not stay. */
export async function saveCheckpoint(
  folder: string,
  recorded: Pick<RecordedRule, "state" | "lessons">,
  checkpoint: Omit<Checkpoint, "path" | "shapes">,
  { newest, every }: Kept,
): Promise<string> {
  const { position, losses } = checkpoint;
  const path = join(folder, fileName(position.step));
  await writeWhole(path, checkpointParts(recorded, checkpoint, crc32));
  const files = checkpointFiles(folder);
  const stays = new Set(
    files.filter((name) => name === fileName(position.step) || stepOf(name) % every === 0).slice(-newest),
  );
  if (losses.best) stays.add(fileName(losses.best.step));
  for (const name of files) if (!stays.has(name)) await rm(join(folder, name), { force: true });
  return path;
}

/** For a run that something is to be read from. */
export const noCheckpoint = (path: string): SaccadeError =>
  new SaccadeError(
    `${path}: has no checkpoint; train it first (sweeps and reproductions keep none: saccade train ${join(path, "config.yaml")})`,
  );

/** File names, oldest first. */
export function checkpointFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw notRead(folder, error);
  }
  return names.filter((name) => /^step-\d{8}\.safetensors$/.test(name)).sort();
}

/** Of the newest, by its name; undefined where there is none. */
export function newestStep(folder: string): number | undefined {
  const newest = checkpointFiles(folder).at(-1);
  return newest === undefined ? undefined : stepOf(newest);
}

export function loadCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) throw new SaccadeError(`${path}: no such checkpoint`);
  return decodeCheckpoint(readBytes(path), path, crc32);
}

/** The newest checkpoint of a run, if it has any. */
export function latestCheckpoint(folder: string): Checkpoint | undefined {
  const [newest, ...older] = checkpointFiles(folder).reverse();
  if (newest === undefined) return undefined;
  const path = join(folder, newest);
  const bytes = readBytes(path);
  try {
    return decodeCheckpoint(bytes, path, crc32);
  } catch (error) {
    const sound = older.find((name) => isSound(join(folder, name)));
    if (!(error instanceof SaccadeError) || sound === undefined) throw error;
    const all = older.indexOf(sound) === 0 ? "it" : "all that are newer";
    throw new SaccadeError(`${error.message}; remove ${all} to go on from ${sound}`);
  }
}

function isSound(path: string): boolean {
  try {
    loadCheckpoint(path);
    return true;
  } catch {
    return false;
  }
}

/** The best checkpoint, as the newest remembers it: by its mean training loss since the one before, or by kNN. */
export function bestCheckpoint(folder: string): Checkpoint | undefined {
  const newest = latestCheckpoint(folder);
  if (newest === undefined) return undefined;
  const { best } = newest.losses;
  if (best === undefined)
    throw new SaccadeError(
      `${newest.path}: no checkpoint has a training loss or an evaluation yet; leave --best out, or train on`,
    );
  return best.step === newest.position.step ? newest : loadCheckpoint(join(folder, fileName(best.step)));
}

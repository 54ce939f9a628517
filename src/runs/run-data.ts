// The pictures that a run learns from, by their checksum in data.json: a run goes on with the same ones or not at all.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ImageSet } from "../data/images.ts";
import { checksum } from "../files/checksum.ts";
import { readText, writeWhole } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import { checkedParts, dataText } from "../record/data-record.ts";
import type { RunFolder } from "./run-folder.ts";

const dataFile = (run: RunFolder): string => join(run.path, "data.json");

/** Whether the run says what it learns from. */
export const isRecorded = (run: RunFolder): boolean => existsSync(dataFile(run));

export async function recordData(run: RunFolder, dataset: ImageSet): Promise<void> {
  await writeWhole(dataFile(run), dataText(dataset, checksumOf(dataset)));
}

/** Whether a run says that it learnt from these very pictures. */
export function learntFrom(run: RunFolder, dataset: ImageSet): boolean {
  if (!isRecorded(run)) return false;
  try {
    return JSON.parse(readText(dataFile(run))).sha256 === checksumOf(dataset);
  } catch {
    return false;
  }
}

/** Refuses other pictures than those of data.json. Where there is none, the note that comes back says so. */
export function checkData(run: RunFolder, dataset: ImageSet): string[] {
  const file = dataFile(run);
  if (!isRecorded(run))
    return [
      `${file}: is missing, so nobody knows whether the pictures are those that the run began with; from now on the run requires the present ones`,
    ];
  const text = readText(file);
  let record: { readonly name?: string; readonly count?: number; readonly sha256?: string } | undefined;
  try {
    record = JSON.parse(text);
  } catch {}
  if (typeof record?.sha256 !== "string")
    throw new SaccadeError(
      `${file}: must describe the pictures that the run learns from, got something else; remove it to resume without knowing whether the pictures are the same`,
    );
  if (record.sha256 !== checksumOf(dataset))
    throw new SaccadeError(
      `${run.path}: must be resumed with the pictures that it began with, ${record.count} of ${record.name}, got ${dataset.count} others of ${dataset.name}; restore them, or start a new run`,
    );
  return [];
}

const checksumOf = (set: ImageSet): string => checksum(...checkedParts(set));

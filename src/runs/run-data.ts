// The pictures that a run learns from, by their checksum in data.json: a run goes on with the same ones or not at all.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { copyPictures, type ImageSet } from "../data/images.ts";
import { checksum } from "../files/checksum.ts";
import { readText, writeWhole } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import type { RunFolder } from "./run-folder.ts";

const dataFile = (run: RunFolder): string => join(run.path, "data.json");

/** Whether the run says what it learns from. */
export const isRecorded = (run: RunFolder): boolean => existsSync(dataFile(run));

export async function recordData(run: RunFolder, dataset: ImageSet): Promise<void> {
  const { name, count, height, width, channels, classes } = dataset;
  const record = { name, count, height, width, channels, classes, sha256: checksumOf(dataset), ...leftOutOf(dataset) };
  await writeWhole(dataFile(run), `${JSON.stringify(record, null, 2)}\n`);
}

/** Of files that a set has not taken in: what there is of each class, and each file with its reason. Nothing where there are none. */
export function leftOutOf({ classes, labels, leftOut }: ImageSet): object {
  if (leftOut === undefined) return {};
  const byClass = Object.fromEntries(classes.map((name) => [name, { pictures: 0, leftOut: 0 }]));
  for (const label of labels) byClass[classes[label]].pictures++;
  for (const { class: name } of leftOut) byClass[name].leftOut++;
  return { byClass, leftOut };
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

/** Of a streamed set: so many pictures, evenly spaced, stand for all. */
const sampled = 1000;

function checksumOf(set: ImageSet): string {
  const { pixels, labels, height, width, channels, classes, count, streamed } = set;
  const bytes = new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength);
  const facts = JSON.stringify([height, width, channels, classes]);
  if (!streamed) return checksum(facts, bytes, pixels);
  const length = Math.min(sampled, count);
  const images = Array.from({ length }, (_, i) => Math.floor((i * count) / length));
  const some = new Uint8Array(length * height * width * channels);
  copyPictures(set, images, some);
  return checksum(facts, bytes, some);
}

// The pictures that a run learns from, by their checksum in data.json: a run goes on with the same ones or not at all.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { checksum } from "../data/checksum.ts";
import { copyPictures, type ImageSet } from "../data/images.ts";
import { SaccadeError } from "../program/errors.ts";
import { readText, writeWhole } from "./files.ts";
import type { RunFolder } from "./run-folder.ts";

const dataFile = (run: RunFolder): string => join(run.path, "data.json");

export async function recordData(run: RunFolder, dataset: ImageSet): Promise<void> {
  const { name, count, height, width, channels, classes } = dataset;
  const record = { name, count, height, width, channels, classes, sha256: checksumOf(dataset) };
  await writeWhole(dataFile(run), `${JSON.stringify(record, null, 2)}\n`);
}

/** Runs that were made before there was data.json go on unchecked. */
export function checkData(run: RunFolder, dataset: ImageSet): void {
  const file = dataFile(run);
  if (!existsSync(file)) return;
  const text = readText(file);
  let record: { readonly name?: string; readonly count?: number; readonly sha256?: string } | undefined;
  try {
    record = JSON.parse(text);
  } catch {}
  if (typeof record?.sha256 !== "string")
    throw new SaccadeError(
      `${file}: must say what the run learns from, got something else; remove it to go on without knowing whether the pictures are the same`,
    );
  if (record.sha256 !== checksumOf(dataset))
    throw new SaccadeError(
      `${run.path}: must go on with the pictures that it began with, ${record.count} of ${record.name}, got ${dataset.count} others of ${dataset.name}; put them back, or start a new run`,
    );
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

// Reads STL-10's binary files (https://cs.stanford.edu/~acoates/stl10): pictures [3, column, row], labels from 1. The file of unlabelled
// pictures has 2.7 GB, so pictures are read one at a time, when they are asked for.

import { closeSync, fstatSync, readSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";
import { openFile } from "./file.ts";

export const stl10Side = 96;
const channels = 3;
const plane = stl10Side * stl10Side;
const record = channels * plane;
const mend = "fetch the file again";

/** A way to row-major [96, 96, 3] of each of a file's `records` pictures. */
export function openStl10Images(path: string, records: number): (image: number, into: Uint8Array) => void {
  const file = openFile(path);
  try {
    const { size } = fstatSync(file);
    if (size !== records * record)
      throw new SaccadeError(
        `${path}: must hold ${records} pictures of ${record} bytes, ${records * record} bytes, got ${size}; ${mend}`,
      );
  } finally {
    closeSync(file);
  }
  const stored = new Uint8Array(record);
  return (image, into) => {
    // Opened anew for each: a set has no end at which a file would be closed.
    const open = openFile(path);
    try {
      const got = readSync(open, stored, 0, record, image * record);
      if (got !== record)
        throw new SaccadeError(`${path}: picture ${image} must have ${record} bytes, got ${got}; ${mend}`);
    } finally {
      closeSync(open);
    }
    for (let c = 0; c < channels; c++)
      for (let column = 0; column < stl10Side; column++)
        for (let row = 0; row < stl10Side; row++)
          into[(row * stl10Side + column) * channels + c] = stored[c * plane + column * stl10Side + row];
  };
}

/** `[count, 96, 96, 3]` of the first of a file's `records` pictures, at most `limit`. */
export function readStl10Images(
  path: string,
  records: number,
  limit = Number.POSITIVE_INFINITY,
): { pixels: Uint8Array; count: number } {
  const read = openStl10Images(path, records);
  const count = Math.min(limit, records);
  const pixels = new Uint8Array(count * record);
  for (let image = 0; image < count; image++) read(image, pixels.subarray(image * record, (image + 1) * record));
  return { pixels, count };
}

/** Class numbers from 0 of the first `count` pictures; the file writes them from 1 to `classes`, a byte each. */
export function readStl10Labels(path: string, pictures: number, count: number, classes: number): Int32Array {
  const file = openFile(path);
  try {
    const { size } = fstatSync(file);
    if (size !== pictures)
      throw new SaccadeError(`${path}: must hold ${pictures} labels, one for each picture, got ${size}; ${mend}`);
    const stored = new Uint8Array(count);
    readSync(file, stored, 0, count, 0);
    return Int32Array.from(stored, (label, i) => {
      if (label < 1 || label > classes)
        throw new SaccadeError(`${path}: label ${i} must be from 1 to ${classes}, got ${label}; ${mend}`);
      return label - 1;
    });
  } finally {
    closeSync(file);
  }
}

// Reads STL-10's binary files (https://cs.stanford.edu/~acoates/stl10): pictures [3, column, row], labels from 1. The file of unlabelled
// pictures has 2.7 GB: only the pictures that are asked for are read, one at a time.

import { closeSync, fstatSync, readSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";
import { openFile } from "./file.ts";

export const stl10Side = 96;
const channels = 3;
const plane = stl10Side * stl10Side;
const record = channels * plane;
const mend = "fetch the file again";

/** Row-major `[count, 96, 96, 3]` of the first of a file's `records` pictures, at most `limit`. */
export function readStl10Images(
  path: string,
  records: number,
  limit = Number.POSITIVE_INFINITY,
): { pixels: Uint8Array; count: number } {
  const file = openFile(path);
  try {
    const { size } = fstatSync(file);
    if (size !== records * record)
      throw new SaccadeError(
        `${path}: must hold ${records} pictures of ${record} bytes, ${records * record} bytes, got ${size}; ${mend}`,
      );
    const count = Math.min(limit, records);
    const pixels = new Uint8Array(count * record);
    const stored = new Uint8Array(record);
    for (let image = 0; image < count; image++) {
      const got = readSync(file, stored, 0, record, image * record);
      if (got !== record)
        throw new SaccadeError(`${path}: picture ${image} must have ${record} bytes, got ${got}; ${mend}`);
      for (let c = 0; c < channels; c++)
        for (let column = 0; column < stl10Side; column++)
          for (let row = 0; row < stl10Side; row++)
            pixels[image * record + (row * stl10Side + column) * channels + c] =
              stored[c * plane + column * stl10Side + row];
    }
    return { pixels, count };
  } finally {
    closeSync(file);
  }
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

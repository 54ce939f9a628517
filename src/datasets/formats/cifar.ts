// Reads the binary files of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html).

import { SaccadeError } from "../../program/errors.ts";
import { readFile } from "./file.ts";

const side = 32;
const plane = side * side;

/** Labels before each picture, and which of them is the class: CIFAR-100 writes the coarse one, then the fine one. */
export interface CifarLayout {
  readonly labelBytes: 1 | 2;
  readonly classes: number;
}

/** Files of one split: all hold equally many records. */
export interface CifarFiles extends CifarLayout {
  readonly records: number;
}

export const cifar10Layout: CifarLayout = { labelBytes: 1, classes: 10 };
export const cifar100Layout: CifarLayout = { labelBytes: 2, classes: 100 };

export interface CifarImages {
  /** Row-major `[count, 32, 32, 3]`. */
  readonly pixels: Uint8Array;
  /** The last label byte of each record. */
  readonly labels: Int32Array;
  readonly count: number;
}

/** The records of the files one after another, at most `limit`; a record is its labels, then a red, a green and a blue plane. */
export function readCifar(
  paths: readonly string[],
  { labelBytes, classes, records }: CifarFiles,
  limit = Number.POSITIVE_INFINITY,
): CifarImages {
  const record = labelBytes + 3 * plane;
  const files: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  let found = 0;
  for (const path of paths) {
    if (found >= limit) break;
    const bytes = readFile(path);
    if (bytes.length !== records * record)
      throw new SaccadeError(
        `${path}: must hold ${records * record} bytes, ${records} records of ${record}, got ${bytes.length}; fetch the file again`,
      );
    files.push({ path, bytes });
    found += records;
  }
  const count = Math.min(limit, found);
  const pixels = new Uint8Array(count * 3 * plane);
  const labels = new Int32Array(count);
  let image = 0;
  for (const { path, bytes } of files)
    for (let at = 0; at < bytes.length && image < count; at += record, image++) {
      const label = bytes[at + labelBytes - 1];
      if (label >= classes)
        throw new SaccadeError(
          `${path}: the label of record ${at / record} must be below ${classes}, got ${label}; fetch the file again`,
        );
      labels[image] = label;
      channelsLast(bytes, at + labelBytes, pixels, image * 3 * plane);
    }
  return { pixels, labels, count };
}

/** Three planes [3, 32, 32] → [32, 32, 3]. */
function channelsLast(planes: Uint8Array, from: number, pixels: Uint8Array, to: number): void {
  for (let p = 0; p < plane; p++) for (let c = 0; c < 3; c++) pixels[to + 3 * p + c] = planes[from + c * plane + p];
}

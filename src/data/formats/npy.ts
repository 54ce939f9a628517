// Reads NumPy's .npy files of whole numbers (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): pictures and labels.

import { closeSync, fstatSync, readSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";
import { openFile } from "./file.ts";

/** An array in C order. */
export interface Npy {
  readonly shape: readonly number[];
  /** Bytes of u1; numbers of every other whole type, each within 32 bits. */
  readonly values: Uint8Array | Int32Array;
}

const magic = Buffer.from("\x93NUMPY", "latin1");
/** Python's way to write the header: a dictionary of three entries, spaces, a line end. */
const header = /^\{'descr': '([|<>=])([a-z])(\d)', 'fortran_order': (True|False), 'shape': \(((?:\d+,? ?)*)\), \} *\n$/;
/** Longest header that is read, in bytes; NumPy's own are 64 to 128. */
const longest = 10_000;
const mend = "save it with numpy.save, as whole numbers";

/** Reads the first `limit` rows. */
export function readNpy(path: string, limit = Number.POSITIVE_INFINITY): Npy {
  const file = openFile(path);
  try {
    const { size } = fstatSync(file);
    const read = (start: number, count: number): Buffer => {
      const bytes = Buffer.alloc(count);
      const got = count === 0 ? 0 : readSync(file, bytes, 0, count, start);
      if (got !== count)
        throw new SaccadeError(
          `${path}: must be a whole .npy file, got ${size} bytes, its end at byte ${start + got}; ${mend}`,
        );
      return bytes;
    };
    const start = read(0, Math.min(size, 8));
    if (start.length < 8 || !start.subarray(0, 6).equals(magic) || start[6] < 1 || start[6] > 3)
      throw new SaccadeError(`${path}: must begin as a .npy file of version 1 to 3, got something else; ${mend}`);
    const wide = start[6] > 1;
    const length = wide ? read(8, 4).readUInt32LE() : read(8, 2).readUInt16LE();
    if (length > longest)
      throw new SaccadeError(`${path}: its header must be at most ${longest} bytes, got ${length}; ${mend}`);
    const at = wide ? 12 : 10;
    const found = header.exec(read(at, length).toString("latin1"));
    if (found === null) throw new SaccadeError(`${path}: its header must name a plain array, got another; ${mend}`);
    const [, order, kind, bytes, fortran, extents] = found;
    const shape = (extents.match(/\d+/g) ?? []).map(Number);
    const width = Number(bytes);
    if (!(kind === "u" || kind === "i") || ![1, 2, 4, 8].includes(width) || (order === ">" && width > 1))
      throw new SaccadeError(
        `${path}: must hold whole numbers, lowest byte first, got ${order}${kind}${bytes}; ${mend}`,
      );
    if (fortran === "True") throw new SaccadeError(`${path}: must be in C order, got Fortran order; ${mend}`);
    const stored = shape.reduce((product, extent) => product * extent, 1);
    const wanted = at + length + stored * width;
    if (size !== wanted)
      throw new SaccadeError(
        `${path}: must hold ${wanted} bytes, as its shape [${shape.join(", ")}] of ${order}${kind}${bytes} says, got ${size}; ${mend}`,
      );
    const rows = Math.min(limit, shape[0] ?? 1);
    const count = shape.length === 0 || shape[0] === 0 ? stored : (stored / shape[0]) * rows;
    const data = read(at + length, count * width);
    const some = shape.length === 0 ? shape : [rows, ...shape.slice(1)];
    if (kind === "u" && width === 1) return { shape: some, values: new Uint8Array(data) };
    return {
      shape: some,
      values: Int32Array.from({ length: count }, (_, i) => wholeNumber(data, i * width, kind, width, path)),
    };
  } finally {
    closeSync(file);
  }
}

function wholeNumber(data: Buffer, at: number, kind: "u" | "i", width: number, path: string): number {
  const value =
    width === 8
      ? Number(kind === "i" ? data.readBigInt64LE(at) : data.readBigUInt64LE(at))
      : kind === "i"
        ? data.readIntLE(at, width)
        : data.readUIntLE(at, width);
  if (value !== (value | 0)) throw new SaccadeError(`${path}: its numbers must fit 32 bits, got ${value}; ${mend}`);
  return value;
}

// Reads NumPy's .npy files of whole numbers (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): pictures and labels.

import { closeSync, fstatSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";
import { openFile, readPart } from "./file.ts";

/** An array in C order. */
export interface Npy {
  readonly shape: readonly number[];
  /** Bytes of u1; numbers of every other whole type, each within 32 bits. */
  readonly values: Uint8Array | Int32Array;
}

/** What a file says before its numbers. */
export interface NpyHeader {
  readonly shape: readonly number[];
  /** NumPy's name of the type: `|u1`, `<i8`. */
  readonly type: string;
  readonly signed: boolean;
  /** Bytes of a number. */
  readonly width: number;
  /** Where the numbers begin. */
  readonly offset: number;
}

/** How every .npy file begins. */
export const magic = Buffer.from("\x93NUMPY", "latin1");
/** Python's way to write the header: a dictionary of three entries, spaces, a line end. */
const header =
  /^\{'descr': '([|<>=])([a-zA-Z])(\d*)', 'fortran_order': (True|False), 'shape': \(((?:\d+,? ?)*)\), \} *\n$/;
/** Longest header that is read, in bytes; NumPy's own are 64 to 128. */
const longest = 10_000;
/** So many bytes hold every header that is read. */
export const npyHeaderBytes = longest + 12;
const mend = "save it with numpy.save, as whole numbers";
/** By NumPy's letter, what other arrays hold, and how it becomes whole numbers: as pictures, which have more than two extents, and as labels. */
const others: Readonly<Record<string, readonly [got: string, pictures: string, labels: string]>> = {
  f: ["floats", "floats from 0 to 1: (255 * x).round().astype('uint8')", "labels: y.astype('int64')"],
  b: ["true and false", "(255 * x).astype('uint8')", "labels: y.astype('int64')"],
  U: ["text", "x.astype('uint8')", "names of classes: numpy.unique(y, return_inverse=True)[1]"],
  S: ["text", "x.astype('uint8')", "names of classes: numpy.unique(y, return_inverse=True)[1]"],
  O: [
    "Python's objects",
    "pictures of one size: numpy.stack(x)",
    "names of classes: numpy.unique(y, return_inverse=True)[1]",
  ],
};

/** Reads the header from a file's beginning, of `npyHeaderBytes` where it has as many; `path` names the file in what is refused. */
export function parseNpyHeader(path: string, start: Buffer, size: number): NpyHeader {
  const take = (from: number, count: number): Buffer => {
    if (from + count > start.length)
      throw new SaccadeError(
        `${path}: must be a whole .npy file, got ${size} bytes, its end at byte ${start.length}; ${mend}`,
      );
    return start.subarray(from, from + count);
  };
  if (start.length < 8 || !start.subarray(0, 6).equals(magic) || start[6] < 1 || start[6] > 3)
    throw new SaccadeError(`${path}: must begin as a .npy file of version 1 to 3, got something else; ${mend}`);
  const wide = start[6] > 1;
  const length = wide ? take(8, 4).readUInt32LE() : take(8, 2).readUInt16LE();
  if (length > longest)
    throw new SaccadeError(`${path}: its header must be at most ${longest} bytes, got ${length}; ${mend}`);
  const at = wide ? 12 : 10;
  const found = header.exec(take(at, length).toString("latin1"));
  if (found === null) throw new SaccadeError(`${path}: its header must name a plain array, got another; ${mend}`);
  const [, order, kind, bytes, fortran, extents] = found;
  const shape = (extents.match(/\d+/g) ?? []).map(Number);
  const width = Number(bytes);
  const type = `${order}${kind}${bytes}`;
  const whole = (kind === "u" || kind === "i") && [1, 2, 4, 8].includes(width);
  if (whole && order === ">" && width > 1)
    throw new SaccadeError(
      `${path}: must hold whole numbers, lowest byte first, got highest byte first (${type}); save x.astype(x.dtype.newbyteorder('<'))`,
    );
  if (!whole) {
    const [got, pictures, labels] = others[kind] ?? [];
    throw new SaccadeError(
      `${path}: must hold whole numbers, lowest byte first, got ${got ? `${got} (${type})` : type}; ${mend}${got ? ` (${shape.length > 2 ? pictures : labels})` : ""}`,
    );
  }
  if (fortran === "True")
    throw new SaccadeError(`${path}: must be in C order, got Fortran order; save numpy.ascontiguousarray(x)`);
  const stored = shape.reduce((product, extent) => product * extent, 1);
  const wanted = at + length + stored * width;
  if (size !== wanted)
    throw new SaccadeError(
      `${path}: must hold ${wanted} bytes, as its shape [${shape.join(", ")}] of ${type} says, got ${size}; ${mend}`,
    );
  return { shape, type, signed: kind === "i", width, offset: at + length };
}

/** The first `limit` rows of an array: their shape, and how many bytes they take. */
export function npyRows({ shape, width }: NpyHeader, limit: number): { shape: readonly number[]; bytes: number } {
  const some = shape.length === 0 ? shape : [Math.min(limit, shape[0]), ...shape.slice(1)];
  return { shape: some, bytes: some.reduce((product, extent) => product * extent, 1) * width };
}

/** The numbers of rows that `data` holds. */
export function npyValues(path: string, { signed, width }: NpyHeader, data: Buffer): Npy["values"] {
  if (!signed && width === 1) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  return Int32Array.from({ length: data.length / width }, (_, i) => wholeNumber(data, i * width, signed, width, path));
}

/** Reads the header of a file. */
export function readNpyHeader(path: string): NpyHeader {
  const file = openFile(path);
  try {
    return headerOf(file, path);
  } finally {
    closeSync(file);
  }
}

/** Reads the first `limit` rows. */
export function readNpy(path: string, limit = Number.POSITIVE_INFINITY): Npy {
  const file = openFile(path);
  try {
    const found = headerOf(file, path);
    const { shape, bytes } = npyRows(found, limit);
    return { shape, values: npyValues(path, found, readAt(file, path, found.offset, bytes)) };
  } finally {
    closeSync(file);
  }
}

function headerOf(file: number, path: string): NpyHeader {
  const { size } = fstatSync(file);
  return parseNpyHeader(path, readAt(file, path, 0, Math.min(size, npyHeaderBytes)), size);
}

function readAt(file: number, path: string, start: number, count: number): Buffer {
  const bytes = readPart(file, start, count);
  if (bytes.length < count)
    throw new SaccadeError(`${path}: must be a whole .npy file, got its end at byte ${start + bytes.length}; ${mend}`);
  return bytes;
}

function wholeNumber(data: Buffer, at: number, signed: boolean, width: number, path: string): number {
  const value =
    width === 8
      ? Number(signed ? data.readBigInt64LE(at) : data.readBigUInt64LE(at))
      : signed
        ? data.readIntLE(at, width)
        : data.readUIntLE(at, width);
  if (value !== (value | 0)) throw new SaccadeError(`${path}: its numbers must fit 32 bits, got ${value}; ${mend}`);
  return value;
}

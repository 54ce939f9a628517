// Reads NumPy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): numbers and text of every plain type.

import { closeSync, fstatSync } from "node:fs";
import { SaccadeError } from "../../program/errors.ts";
import { openFile, readPart } from "./file.ts";

/** What a file says before its numbers. */
export interface NpyHeader {
  readonly shape: readonly number[];
  /** As the file says it: `|u1`, `<i8`, `float32`. */
  readonly type: string;
  /** NumPy's letter: u and i whole numbers, f floats, b true and false, U and S text, O Python's objects, or what else there is. */
  readonly kind: string;
  /** Bytes of one number or text; 0 of objects. */
  readonly width: number;
  /** Whether numbers have their highest byte first. */
  readonly bigEndian: boolean;
  /** Where the numbers begin. */
  readonly offset: number;
}

/** The first rows of an array in C order. */
export interface Npy {
  readonly header: NpyHeader;
  readonly shape: readonly number[];
  readonly data: Buffer;
}

/** How every .npy file begins. */
export const magic = Buffer.from("\x93NUMPY", "latin1");
/** Longest header that is read, in bytes; NumPy's own are 64 to 128. */
const longest = 10_000;
/** So many bytes hold every header that is read. */
export const npyHeaderBytes = longest + 12;
const mend = "save it with numpy.save";

/** Reads the header from a file's beginning, of `npyHeaderBytes` where it has as many; `path` names the file in what is refused. */
export function parseNpyHeader(path: string, start: Buffer, size: number): NpyHeader {
  const take = (from: number, count: number): Buffer => {
    if (from + count > start.length)
      throw new SaccadeError(
        `${path}: must be an intact .npy file, got ${size} bytes, its end at byte ${start.length}; ${mend}`,
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
  const { descr, fortran_order: fortran, shape } = pythonDictionary(take(at, length).toString("latin1")) ?? {};
  const type = typeof descr === "string" ? typeOf(descr) : undefined;
  if (type === undefined && descr !== undefined)
    throw new SaccadeError(
      `${path}: must hold plain numbers or text, got the type ${(typeof descr === "string" ? descr : JSON.stringify(descr)).slice(0, 60)}; save dates and the like as x.astype(str), and records field by field`,
    );
  if (type === undefined || typeof fortran !== "boolean" || !isShape(shape))
    throw new SaccadeError(`${path}: its header must describe a plain array, got something else; ${mend}`);
  // One row or column is the same in both orders.
  if (fortran && shape.filter((extent) => extent > 1).length > 1)
    throw new SaccadeError(`${path}: must be in C order, got Fortran order; save numpy.ascontiguousarray(x)`);
  const wanted = at + length + product(shape) * type.width;
  if (size !== wanted && type.kind !== "O")
    throw new SaccadeError(
      `${path}: must hold ${wanted} bytes, as its shape [${shape.join(", ")}] of ${descr} says, got ${size}; ${mend}`,
    );
  return { shape, type: descr as string, ...type, offset: at + length };
}

const product = (shape: readonly number[]): number => shape.reduce((all, extent) => all * extent, 1);

const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);

/** A header's text, in which order, spacing and quotes are free: `{'descr': '<u1', 'fortran_order': False, 'shape': (3, 4L,), }`. */
function pythonDictionary(text: string): Readonly<Record<string, unknown>> | undefined {
  const json = Array.from(text.matchAll(/'[^'\\]*'|"[^"\\]*"|\d+L?|\w+|\S/g), ([token]) => {
    if (/^['"]/.test(token)) return JSON.stringify(token.slice(1, -1));
    if (/^\d/.test(token)) return token.replace("L", "");
    return { True: "true", False: "false", "(": "[", ")": "]" }[token] ?? token;
  })
    .join("")
    .replace(/,(?=[\]}])/g, "");
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** `<f4` and the like, or a name. */
function typeOf(descr: string): Pick<NpyHeader, "kind" | "width" | "bigEndian"> | undefined {
  const [, name, bits] = /^(u?int|float)(8|16|32|64)$/.exec(descr) ?? [];
  if (name) return { kind: name[0], width: Number(bits) / 8, bigEndian: false };
  if (descr === "bool" || descr === "?") return { kind: "b", width: 1, bigEndian: false };
  const [, order, kind, count] = /^([|<>=]?)([a-zA-Z])(\d*)$/.exec(descr) ?? [];
  if (kind === undefined) return undefined;
  return { kind, width: Number(count) * (kind === "U" ? 4 : 1), bigEndian: order === ">" };
}

/** The first `limit` rows of an array: their shape, and how many bytes they take. */
export function npyRows({ shape, width }: NpyHeader, limit: number): { shape: readonly number[]; bytes: number } {
  const some = shape.length === 0 ? shape : [Math.min(limit, shape[0]), ...shape.slice(1)];
  return { shape: some, bytes: product(some) * width };
}

export type NpyNumbers =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

const types: Readonly<Record<string, new (buffer: ArrayBuffer, offset: number, length: number) => NpyNumbers>> = {
  b1: Uint8Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  u8: BigUint64Array,
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  i8: BigInt64Array,
  f4: Float32Array,
  f8: Float64Array,
};

/** Whether `npyNumbers` reads them. */
export const holdsNumbers = ({ kind, width }: NpyHeader): boolean => Object.hasOwn(types, `${kind}${width}`);

export function npyNumbers({ header, data }: Npy): NpyNumbers {
  const { kind, width } = header;
  const bytes = littleEndian(data, width, header.bigEndian);
  return new types[`${kind}${width}`](bytes.buffer, bytes.byteOffset, bytes.length / width);
}

export const holdsText = ({ kind }: NpyHeader): boolean => kind === "U" || kind === "S";

/** Text of fixed length, without the zeros behind it. */
export function npyTexts({ header, shape, data }: Npy): string[] {
  const { kind, width } = header;
  const bytes = littleEndian(data, kind === "U" ? 4 : 1, header.bigEndian);
  return Array.from({ length: product(shape) }, (_, i) => {
    const own = bytes.subarray(i * width, (i + 1) * width);
    const text =
      kind === "S"
        ? own.toString("utf8")
        : Array.from({ length: width / 4 }, (_, k) =>
            String.fromCodePoint(Math.min(own.readUInt32LE(4 * k), 0x10ffff)),
          ).join("");
    return text.replace(/\0+$/, "");
  });
}

/** The bytes with the lowest of each number first, at a place where such numbers may stand; a copy only where they are not so. */
function littleEndian(data: Buffer, width: number, bigEndian: boolean): Buffer<ArrayBuffer> {
  const turned = bigEndian && width > 1;
  if (!turned && data.byteOffset % width === 0) return data as Buffer<ArrayBuffer>;
  const bytes = Buffer.from(new Uint8Array(data).buffer);
  if (turned && width === 2) bytes.swap16();
  if (turned && width === 4) bytes.swap32();
  if (turned && width === 8) bytes.swap64();
  return bytes;
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
    const header = headerOf(file, path);
    const { shape, bytes } = npyRows(header, limit);
    return { header, shape, data: readAt(file, path, header.offset, bytes) };
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
    throw new SaccadeError(
      `${path}: must be an intact .npy file, got its end at byte ${start + bytes.length}; ${mend}`,
    );
  return bytes;
}

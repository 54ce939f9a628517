// Reads idx files, the format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist), gzipped or not.

import { gunzipSync } from "node:zlib";
import { SaccadeError } from "../../program/errors.ts";
import { readFile } from "./file.ts";

/** An array of bytes, row-major. */
export interface Idx {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Type code of unsigned bytes, the only one that image sets use. */
const unsignedByte = 0x08;
const mend = "fetch the file again";

/** Two zero bytes, the type, the number of dimensions, each dimension as a big-endian u32, then the values. */
export function readIdx(path: string): Idx {
  const file = unzipped(path);
  const stored = file.length;
  if (stored < 4 || file[0] !== 0 || file[1] !== 0)
    throw new SaccadeError(
      `${path}: must be an idx file, which begins with the bytes 00 00, got ${hex(file.subarray(0, 2))}; ${mend}`,
    );
  const [type, dimensions] = [file[2], file[3]];
  if (type !== unsignedByte)
    throw new SaccadeError(
      `${path}: its values must be unsigned bytes (type 08), got type ${hex(file.subarray(2, 3))}; choose an idx file of bytes`,
    );
  const header = 4 + 4 * dimensions;
  if (dimensions < 1 || dimensions > 4 || stored < header)
    throw new SaccadeError(
      `${path}: must have 1 to 4 dimensions and ${header} bytes of header, got ${dimensions} and ${stored} bytes; ${mend}`,
    );
  const view = new DataView(file.buffer, file.byteOffset, stored);
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  const wanted = header + shape.reduce((product, extent) => product * extent, 1);
  if (stored !== wanted)
    throw new SaccadeError(
      `${path}: must hold ${wanted} bytes, as its dimensions [${shape.join(", ")}] say, got ${stored}; ${mend}`,
    );
  // A plain array, not the Buffer that was read: a Buffer's slice would share its bytes.
  return { shape, bytes: new Uint8Array(file.buffer, file.byteOffset + header, stored - header) };
}

/** The file's bytes; gzip is known by its first two. */
function unzipped(path: string): Uint8Array {
  const file = readFile(path);
  if (file[0] !== 0x1f || file[1] !== 0x8b) return file;
  try {
    return gunzipSync(file);
  } catch (error) {
    throw new SaccadeError(
      `${path}: must be an intact gzip file, got a damaged one (${(error as Error).message}); ${mend}`,
    );
  }
}

const hex = (bytes: Uint8Array): string =>
  bytes.length === 0 ? "nothing" : Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

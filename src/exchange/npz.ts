// NumPy's .npz: a zip archive of .npy files, written as a stream, so that an array never has to be in memory at once.

import { makeZip } from "client-zip";

export interface NpyArray {
  readonly shape: readonly number[];
  /** NumPy's name of the element type, lowest byte first: float32, int64, or text of so many letters. */
  readonly type: "<f4" | "<i8" | `<U${number}`;
  /** In C order, cut anywhere. */
  readonly parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The same arrays are the same bytes: every entry is dated as NumPy dates it. */
export const encodeNpz = (arrays: Readonly<Record<string, NpyArray>>): AsyncIterable<Uint8Array> =>
  makeZip(
    Object.entries(arrays).map(([name, array]) => ({
      name: `${name}.npy`,
      lastModified: new Date(1980, 0, 1),
      size:
        BigInt(header(array).length) +
        BigInt(bytesOf(array.type) * array.shape.reduce((all, extent) => all * extent, 1)),
      input: npy(array),
    })),
  );

/** Of one element: a letter takes four. */
const bytesOf = (type: NpyArray["type"]): number => Number(type.slice(2)) * (type[1] === "U" ? 4 : 1);

/** Texts as NumPy stores them, all as long as the longest, in the code points of their letters. */
export function textArray(texts: readonly string[]): NpyArray {
  const letters = texts.map((text) => Array.from(text, (letter) => letter.codePointAt(0) ?? 0));
  const length = letters.reduce((most, own) => Math.max(most, own.length), 1);
  const numbers = new Uint32Array(texts.length * length);
  for (const [i, own] of letters.entries()) numbers.set(own, i * length);
  return { shape: [texts.length], type: `<U${length}`, parts: [new Uint8Array(numbers.buffer)] };
}

async function* npy(array: NpyArray): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield header(array);
  for await (const part of array.parts) yield part as Uint8Array<ArrayBuffer>;
}

/** Version 1.0, padded so that the numbers start at a multiple of 64. */
function header({ shape, type }: NpyArray): Uint8Array<ArrayBuffer> {
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${extents}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(`\x93NUMPY\x01\x00`, "latin1"));
  new DataView(bytes.buffer).setUint16(8, length - 10, true);
  bytes.set(Buffer.from(`${text.padEnd(length - 11)}\n`, "latin1"), 10);
  return bytes;
}

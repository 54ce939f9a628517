// Reads NumPy's .npz files: zips of .npy files, stored (numpy.savez) or deflated (numpy.savez_compressed).

import { closeSync, fstatSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { SaccadeError } from "../../program/errors.ts";
import { openFile, readPart } from "./file.ts";
import { magic, type Npy, type NpyHeader, npyHeaderBytes, npyRows, parseNpyHeader } from "./npy.ts";
import { standIn } from "./stand-ins.ts";

/** An array that is not read yet. */
export interface StoredArray {
  /** Names it in what is refused. */
  readonly path: string;
  readonly header: () => Promise<NpyHeader>;
  /** Reads the first `limit` rows. */
  readonly read: (limit?: number) => Promise<Npy>;
}

/** Arrays of a file at most. */
const most = 1000;
/** Letters of a name at most. */
const longestName = 100;
/** Bytes that deflate makes of one at most: what claims more lies. */
const inflation = 1032;
const mend = "save it again with numpy.savez";

/** The arrays of a file by name, as `numpy.load` has them. */
export async function openNpz(path: string): Promise<ReadonlyMap<string, StoredArray>> {
  const arrays = new Map<string, StoredArray>();
  await withZip(path, async (zip, size) => {
    let entries = 0;
    for await (const entry of zip.eachEntry()) {
      if (++entries > most) throw new SaccadeError(`${path}: must hold at most ${most} arrays, got more; ${mend}`);
      if (!entry.fileName.endsWith(".npy")) continue;
      const name = entry.fileName.slice(0, -".npy".length);
      if (name.length > longestName || /\p{Cc}/u.test(name)) throw damaged(path, "a name that is none");
      if (arrays.has(name)) throw damaged(path, `two arrays ${name}`);
      if (entry.compressedSize > size || entry.uncompressedSize > entry.compressedSize * inflation)
        throw damaged(path, `${entry.uncompressedSize} bytes in ${Math.min(entry.compressedSize, size)}`);
      arrays.set(name, member(path, name, entry));
    }
  });
  return arrays;
}

function member(path: string, name: string, entry: Entry): StoredArray {
  const size = entry.uncompressedSize;
  const named = `${path}: ${name}`;
  const header = async (): Promise<NpyHeader> => {
    const start = await withZip(path, (zip) => inflated(zip, path, entry, Math.min(size, npyHeaderBytes)));
    return parseNpyHeader(named, start, size);
  };
  return {
    path: named,
    header,
    read: async (limit = Number.POSITIVE_INFINITY) => {
      const found = await header();
      const { shape, bytes } = npyRows(found, limit);
      const whole = await withZip(path, (zip) => inflated(zip, path, entry, found.offset + bytes));
      return { header: found, shape, data: whole.subarray(found.offset) };
    },
  };
}

/** The first `count` bytes of a member; where that is all of it, its checksum is held to. */
async function inflated(zip: ZipFile, path: string, entry: Entry, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  let done = 0;
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    done += (chunk as Buffer).copy(bytes, done);
    if (done === count && count < entry.uncompressedSize) break;
  }
  if (done < count) throw damaged(path, `${done} of ${count} bytes`);
  if (count === entry.uncompressedSize && crc32(bytes) !== entry.crc32) throw damaged(path, "another checksum");
  return bytes;
}

/** Opens a zip for as long as `use` takes; what is wrong with it is a sentence. */
async function withZip<T>(path: string, use: (zip: ZipFile, size: number) => Promise<T>): Promise<T> {
  const { fromFdPromise } = await import("yauzl");
  const file = openFile(path);
  let zip: ZipFile | undefined;
  try {
    zip = await fromFdPromise(file, { autoClose: false });
    return await use(zip, fstatSync(file).size);
  } catch (error) {
    if (error instanceof SaccadeError) throw error;
    if (readPart(file, 0, magic.length).equals(magic))
      throw new SaccadeError(
        `${path}: must be an .npz file, of pictures and labels, got a single .npy array; save both: numpy.savez(file, images=x, labels=y)`,
      );
    const other = standIn(readPart(file, 0, 64));
    if (other) throw new SaccadeError(`${path}: must be an .npz file, got ${other}`);
    const [why] = (error as Error).message.split(". ");
    throw damaged(path, why.slice(0, 100));
  } finally {
    if (zip) zip.close();
    else closeSync(file);
  }
}

const damaged = (path: string, why: string): SaccadeError =>
  new SaccadeError(`${path}: must be an intact .npz file, got a damaged one (${why}); ${mend}`);

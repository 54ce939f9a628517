// Takes the wanted files out of an archive, streamed: no others, to no other place, and no more than they are known to hold.

import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { openPromise } from "yauzl";
import { SaccadeError, wrong } from "../program/errors.ts";
import { written } from "./download.ts";
import type { Archive } from "./sources.ts";

/** What an archive may hold unpacked beside the wanted files: descriptions, names of classes, its own headers. */
const besides = 64 * 2 ** 20;
/** File types in the mode of a zip's member. */
const [typeMask, link] = [0o170000, 0o120000];
const mend = "fetch the archive again";

/** Writes the archive's files into `folder`, which exists; throws where one of them is missing, or anything is amiss. */
export async function unpack(
  path: string,
  archive: Pick<Archive, "kind" | "inside" | "files">,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const { size } = await stat(path);
  // Of a file whose size is not known the archive's own is the bound: such files are hardly compressible.
  const wanted = new Map(
    archive.files.map(({ name, bytes }) => [`${archive.inside}/${name}`, { to: join(folder, name), bytes }]),
  );
  const missing = new Set(wanted.keys());

  /** Whether a member is wanted; throws where it should not be in such an archive at all. */
  function isWanted(member: string, type: "file" | "folder" | "other", bytes: number): boolean {
    const argument = `member ${JSON.stringify(member)}`;
    if (/^([a-z]:|[/\\])/i.test(member) || member.split(/[/\\]/).includes(".."))
      throw wrong(path, argument, "a path within the archive", "one that leads out of it", mend);
    if (type === "other") throw wrong(path, argument, "a file or a folder", "a link or a device", mend);
    const found = wanted.get(member);
    if (type === "folder" || found === undefined) return false;
    if (!missing.delete(member)) throw wrong(path, argument, "there once", "it twice", mend);
    if (found.bytes !== undefined && bytes !== found.bytes)
      throw wrong(path, argument, `of ${found.bytes} bytes`, bytes, mend);
    if (bytes > size && found.bytes === undefined)
      throw wrong(path, argument, `of at most ${size} bytes, which is the archive`, bytes, mend);
    return true;
  }

  /** `read` is called when its bytes are taken at once: a stream that fails while nobody listens would end the process. */
  async function store(
    member: string,
    bytes: number,
    read: () => AsyncIterable<Buffer> | Promise<AsyncIterable<Buffer>>,
  ): Promise<void> {
    const { to } = wanted.get(member) as { to: string };
    const file = await written(to, () => open(to, "wx"));
    try {
      let stored = 0;
      for await (const chunk of await read()) {
        signal?.throwIfAborted();
        stored += chunk.length;
        if (stored > bytes) break;
        await written(to, () => file.writeFile(chunk));
      }
      if (stored !== bytes)
        throw wrong(path, `member ${JSON.stringify(member)}`, `of ${bytes} bytes`, "another number", mend);
      await written(to, () => file.sync());
    } finally {
      await file.close();
    }
  }

  async function unpackTar(): Promise<void> {
    let failure: unknown;
    let current: ReadEntry | undefined;
    const take = async (entry: ReadEntry): Promise<void> => {
      current = entry;
      const member = entry.path.replace(/^(\.\/)+/, "");
      const file = ["File", "OldFile", "ContiguousFile"].includes(entry.type);
      const type = file ? "file" : entry.type === "Directory" ? "folder" : "other";
      try {
        if (isWanted(member, type, entry.size)) await store(member, entry.size, () => entry);
      } catch (error) {
        failure ??= error;
      }
      entry.resume();
    };
    const taken: Promise<void>[] = [];
    const parser = new Parser({ strict: true, onReadEntry: (entry) => taken.push(take(entry)) });
    const ended = new Promise<void>((end) => {
      parser.on("end", end);
      parser.on("error", (error) => {
        failure ??= error;
        end();
      });
    });
    let most = besides;
    for (const { bytes = size } of archive.files) most += bytes;
    try {
      await pipeline(createReadStream(path), createGunzip({ chunkSize: 2 ** 18 }), async (unzipped) => {
        for await (const chunk of unzipped as AsyncIterable<Buffer>) {
          signal?.throwIfAborted();
          most -= chunk.length;
          if (most < 0) throw wrong(path, "what it unpacks to", "little more than the dataset", "much more", mend);
          if (!parser.write(chunk))
            await Promise.race([ended, new Promise((drained) => parser.once("drain", drained))]);
          if (failure) throw failure;
        }
      });
      parser.end();
      await ended;
    } catch (error) {
      failure ??= error;
    }
    // A member whose rest does not come ends, so that its file is closed.
    if (failure) current?.end();
    await Promise.all(taken);
    if (failure) throw failure;
  }

  async function unpackZip(): Promise<void> {
    const zip = await openPromise(path);
    try {
      for await (const entry of zip.eachEntry()) {
        const member = entry.fileName;
        const isLink = ((entry.externalFileAttributes >>> 16) & typeMask) === link;
        const type = isLink ? "other" : member.endsWith("/") ? "folder" : "file";
        if (isWanted(member, type, entry.uncompressedSize))
          await store(member, entry.uncompressedSize, () => zip.openReadStreamPromise(entry));
      }
    } finally {
      zip.close();
    }
  }

  try {
    await (archive.kind === "zip" ? unpackZip() : unpackTar());
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof SaccadeError) throw error;
    throw new SaccadeError(`${path}: cannot be unpacked (${(error as Error).message}); ${mend}`);
  }
  const [first] = missing;
  if (first !== undefined) throw wrong(path, `member ${JSON.stringify(first)}`, "in the archive", "none", mend);
}

// Brings a dataset's files: from the network, or from a folder that they were carried to. What is placed is whole and checked.

import { existsSync, statSync } from "node:fs";
import { copyFile, readdir, rename, rm, rmdir, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolders } from "../files/folders.ts";
import { SaccadeError } from "../program/errors.ts";
import { formatBytes } from "../program/explain.ts";
import { unpack } from "./archives.ts";
import { type DownloadOptions, download, md5Of, NoAddress, written } from "./download.ts";
import { faultOf, findDataset, findFile } from "./on-disk.ts";
import type { DataFile, Layout, Published, Source } from "./sources.ts";

export interface GetOptions extends DownloadOptions {
  /** The folder of all data. One process at a time may bring files into it. */
  readonly folder: string;
  /** A folder with what was fetched by hand, or an address that takes the place of the published ones. */
  readonly from?: string | undefined;
  /** Bytes that are free in the folder, as far as that is known; default what the file system says. */
  readonly free?: (folder: string) => Promise<number | undefined>;
}

export interface Got {
  readonly layout: Layout;
  /** False where everything was there, and right. */
  readonly fetched: boolean;
}

/** `name` is what the user calls the dataset. */
export async function getDataset(name: string, source: Source, options: GetOptions): Promise<Got> {
  const { folder, from, signal } = options;
  const found = findDataset(source, folder);
  if (found?.presence === "whole") {
    await requireRight(name, folder, found.layout, signal);
    return { layout: found.layout, fetched: false };
  }
  const local = from !== undefined && !isAddress(from) ? localFolder(from) : undefined;
  const layout = local === undefined ? source.layouts[0] : carriedLayout(source, local);
  // Nothing of the user's is written over.
  await requireRight(name, folder, layout, signal);
  const downloads = join(folder, "downloads", layout.folder.split("/")[0]);
  await written(folder, async () => makeFolders(folder));
  await requireRoom(layout, downloads, local !== undefined, options);

  const target = join(folder, layout.folder);
  const paths = new Map<Published, string>();
  for (const published of layout.archive ? [layout.archive] : missingFiles(layout.files, target))
    paths.set(published, await obtain(name, layout, published, downloads, local, options));

  // On the disk where the files will stand, so that they are moved there at once.
  const parent = existsSync(dirname(target)) ? dirname(target) : folder;
  const beside = join(parent, `${basename(target)}.unpacking`);
  try {
    await written(beside, () => rm(beside, { recursive: true, force: true }));
    await written(beside, async () => makeFolders(beside));
    for (const [published, path] of paths) {
      const to = join(beside, published.name);
      if (layout.archive) await unpack(path, layout.archive, beside, signal);
      else await written(to, () => (local === undefined ? rename(path, to) : copyFile(path, to)));
    }
    await written(target, () => place(beside, target));
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
  await clear(downloads, [...paths.keys()]);
  return { layout, fetched: true };
}

/** Removes what was fetched and parts of it, and the folders where nothing else lies in them. */
async function clear(downloads: string, fetched: readonly Published[]): Promise<void> {
  if (existsSync(downloads))
    for (const file of await readdir(downloads))
      if (fetched.some(({ name }) => file === name || file.startsWith(`${name}.`))) await rm(join(downloads, file));
  for (const folder of [downloads, dirname(downloads)]) await rmdir(folder).catch(() => {});
}

const isAddress = (from: string): boolean => /^https?:\/\//.test(from);

function localFolder(from: string): string {
  if (!statSync(from, { throwIfNoEntry: false })?.isDirectory())
    throw new SaccadeError(
      `--from ${from}: must be a folder with the files as they are published, or an http or https address, got ${existsSync(from) ? "a file" : "no such folder"}`,
    );
  return from;
}

/** What a layout is fetched as. */
const fetchedFiles = (layout: Layout): readonly Published[] => (layout.archive ? [layout.archive] : layout.files);

const missingFiles = (files: readonly (DataFile & Published)[], target: string): Published[] =>
  files.filter((file) => findFile(target, file).size === undefined);

function carriedLayout({ layouts }: Source, local: string): Layout {
  const layout = layouts.find((one) => fetchedFiles(one).every(({ name }) => existsSync(join(local, name))));
  if (layout) return layout;
  const wanted = layouts.map((one) =>
    fetchedFiles(one)
      .map(({ name }) => name)
      .join(", "),
  );
  throw new SaccadeError(`--from ${local}: must hold ${wanted.join(" or ")} as published, got a folder without it`);
}

async function requireRight(
  name: string,
  folder: string,
  layout: Layout,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const file of layout.archive?.files ?? layout.files) {
    const found = findFile(join(folder, layout.folder), file);
    const fault = found.size === undefined ? undefined : await faultOf(found, signal);
    if (fault)
      throw new SaccadeError(`${found.path}: ${fault}; move it away, then run again: saccade data get ${name}`);
  }
}

/** Refuses what the disk has no room for: what is still to come, and what it unpacks to. */
async function requireRoom(layout: Layout, downloads: string, carried: boolean, options: GetOptions): Promise<void> {
  const { folder, free = freeBytes } = options;
  const room = await free(folder);
  if (room === undefined) return;
  const { archive } = layout;
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  const unpacked = archive ? sum(archive.files.map(({ bytes }) => bytes ?? archive.bytes / archive.files.length)) : 0;
  const there = existsSync(downloads)
    ? sum((await readdir(downloads)).map((file) => statSync(join(downloads, file)).size))
    : 0;
  const coming = archive && carried ? 0 : sum(fetchedFiles(layout).map(({ bytes }) => bytes)) - there;
  const need = unpacked + Math.max(0, coming);
  if (need > room)
    throw new SaccadeError(
      `${folder}: must have ${formatBytes(need)} free for ${layout.folder}, has ${formatBytes(room)}; make room, or set SACCADE_DATA to a folder that has it`,
    );
}

const freeBytes = async (folder: string): Promise<number | undefined> =>
  statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );

/** The path of the published bytes: carried here, left by an earlier try, or fetched now. */
async function obtain(
  name: string,
  { addresses }: Layout,
  published: Published,
  downloads: string,
  local: string | undefined,
  options: GetOptions,
): Promise<string> {
  const path = join(local ?? downloads, published.name);
  if (existsSync(path)) {
    const md5 = await md5Of(path, options.signal);
    if (md5 === published.md5) return path;
    throw new SaccadeError(
      `${path}: is not the published file: its MD5 is ${md5}, published is ${published.md5}; remove it, and fetch it anew`,
    );
  }
  const bases = options.from === undefined ? addresses : [options.from.replace(/\/?$/, "/")];
  try {
    await download(
      bases.map((base) => base + published.name),
      path,
      published,
      options,
    );
    return path;
  } catch (error) {
    if (!(error instanceof NoAddress)) throw error;
    throw new SaccadeError(
      `${published.name}: could not be downloaded: ${error.message}; fetch ${addresses[0]}${published.name} in another way, put it into ${downloads} and run again: saccade data get ${name}`,
    );
  }
}

/** The whole folder at once where there is none, else file by file what is missing. */
async function place(beside: string, target: string): Promise<void> {
  makeFolders(dirname(target));
  if (!existsSync(target)) return rename(beside, target);
  for (const file of await readdir(beside))
    if (![file, file.replace(/\.gz$/, "")].some((there) => isFile(join(target, there))))
      await rename(join(beside, file), join(target, file));
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

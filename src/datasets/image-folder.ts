// A folder of pictures as a dataset: one subfolder for each class, as torchvision's ImageFolder has it, in subfolders for splits where there
// are any. Pictures come in turn from every class, so that the first so many are of all classes.

import { isUtf8 } from "node:buffer";
import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { SaccadeError } from "../program/errors.ts";
import { formatBytes } from "../program/explain.ts";
import { type PictureDecoder, pictureDecoder } from "./formats/picture.ts";
import { cacheFile, cacheKey, type DecodedPictures, readCache, writeCache } from "./picture-cache.ts";
import {
  type DatasetRequest,
  few,
  type LoadEvents,
  type OpenedDataset,
  type Refuse,
  type Split,
  unlabelledClass,
} from "./request.ts";
import { allSplitNames, isSplitName, lookLikeSplits, splitNames } from "./splits.ts";

/** Pixels along each side, unless told. */
const defaultSize = 32;
const picture = /\.(png|jpe?g|webp)$/i;
/** What systems leave beside pictures. */
const litter = /^(\..*|Thumbs\.db|desktop\.ini|__MACOSX)$/i;
/** What was found: paths below the folder in the order of the dataset. */
interface Listing {
  readonly folder: string;
  readonly classes: readonly string[];
  readonly pictures: readonly { readonly path: string; readonly label: number }[];
  /** Files that are no pictures by their names. */
  readonly strange: readonly { readonly path: string; readonly label: number }[];
}

export async function openImageFolder(request: DatasetRequest, refuse: Refuse): Promise<OpenedDataset> {
  const {
    folder,
    split,
    limit = Number.POSITIVE_INFINITY,
    size = defaultSize,
    skipBroken = false,
    valueRange,
  } = request;
  if (folder === undefined) return refuse("folder", "the folder of your pictures", "nothing");
  if (!(Number.isInteger(size) && size >= 8 && size <= 256)) refuse("size", "a whole number from 8 to 256", size);
  if (valueRange && !(0 <= valueRange[0] && valueRange[0] < valueRange[1] && valueRange[1] <= 65535))
    refuse("valueRange", "[low, high] from 0 to 65535, of pictures of 16 bits", `[${valueRange.join(", ")}]`);
  const chosen = splitFolder(folder, split, refuse);
  const listing = split === "unlabelled" ? listUnlabelled(chosen) : listClasses(chosen);
  if (listing.strange.length > 0 && !skipBroken)
    throw new SaccadeError(
      `${chosen}: must hold only pictures (.png, .jpg, .jpeg, .webp), got ${few(listing.strange.map(({ path }) => path))}; move them out, convert them, or set skipBroken: true`,
    );
  const pictures = listing.pictures.slice(0, limit);
  const name = chosen === folder ? split : basename(chosen);
  return {
    described: {
      name: `${basename(resolve(folder))} ${name}`,
      classes: listing.classes,
      count: pictures.length,
      height: size,
      width: size,
      channels: 3,
      files: pictures.map(({ path }) => path),
    },
    read: (events) => readListed({ ...listing, pictures }, { size, skipBroken, valueRange }, events),
  };
}

/** The folder that holds a split: a subfolder, or where there is none the folder itself. */
function splitFolder(folder: string, split: Split, refuse: Refuse): string {
  const folders = entriesOf(folder).flatMap(({ name, kind }) => (kind === "folder" ? [name] : []));
  const splits = folders.filter(isSplitName);
  if (splits.length === 0) {
    requireNoSplits(folder, folders);
    if (split !== "test") return folder;
    return refuse("split", `train or unlabelled for ${folder}, which has no subfolder test or val`, split);
  }
  const others = folders.filter((name) => !splits.includes(name));
  if (others.length > 0)
    throw new SaccadeError(
      `${folder}: must hold folders of splits (${allSplitNames.join(", ")}) or of classes, got both: ${few(splits)} beside ${few(others)}; move or rename them`,
    );
  for (const names of splitNames[split]) {
    const found = splits.filter((name) => names.includes(name.toLowerCase()));
    if (found.length > 1)
      throw new SaccadeError(
        `${folder}: must hold one folder called ${names.join(" or ")}, got ${found.join(" and ")}; move them into one`,
      );
    if (found.length === 1) return join(folder, found[0]);
  }
  return refuse("split", `one that ${folder} has a subfolder for (it has ${splits.join(", ")})`, split);
}

/** Refuses folders that would be read as classes, or as parts of one, and look like splits: else test pictures would be learnt from. */
function requireNoSplits(folder: string, names: readonly string[]): void {
  const found = lookLikeSplits(names);
  if (found.length > 0)
    throw new SaccadeError(
      `${folder}: must hold folders of splits called ${allSplitNames.join(", ")}, or classes, got ${few(found)}, which look like splits; if they are splits, give them these names, directly in the dataset's folder; if they are classes, rename them`,
    );
}

function listClasses(folder: string): Listing {
  const entries = entriesOf(folder);
  const flat = entries.filter(({ name, kind }) => kind === "file" && picture.test(name)).map(({ name }) => name);
  const folders = entries.flatMap(({ name, kind }) => (kind === "folder" ? [name] : []));
  if (folders.length === 0)
    throw new SaccadeError(
      `${folder}: must hold a subfolder of pictures for each class, got none; make them, or set split: unlabelled`,
    );
  if (flat.length > 0)
    throw new SaccadeError(
      `${folder}: every picture must be in its class's subfolder, got ${few(flat)}; move or remove them`,
    );
  requireNoSplits(folder, folders);
  const classes = folders.map((name) => name.normalize());
  const twice = classes.find((name, i) => classes.indexOf(name) < i);
  if (twice !== undefined)
    throw new SaccadeError(
      `${folder}: must hold one folder for each class, got two called ${twice}, which differ only in their Unicode normalisation; move them into one`,
    );
  const found = folders.map((name) => walk(folder, name));
  const empty = classes.filter((_, label) => found[label].pictures.length === 0);
  if (empty.length > 0)
    throw new SaccadeError(
      `${folder}: every class must have pictures (.png, .jpg, .jpeg, .webp), got none in ${few(empty)}; fill or remove the subfolder`,
    );
  return {
    folder,
    classes,
    pictures: inTurn(found.map(({ pictures }, label) => pictures.map((path) => ({ path, label })))),
    strange: found.flatMap(({ strange }, label) => strange.map((path) => ({ path, label }))),
  };
}

/** Pictures wherever they stand in the folder, all of one class: in turn from its subfolders, and those that are in none. */
function listUnlabelled(folder: string): Listing {
  const entries = entriesOf(folder);
  const flat = sorted(entries.filter(({ kind }) => kind !== "folder"));
  const found = entries.flatMap(({ name, kind }) => (kind === "folder" ? [walk(folder, name)] : []));
  const paths = inTurn([flat.pictures, ...found.map(({ pictures }) => pictures)]);
  if (paths.length === 0) throw new SaccadeError(`${folder}: must hold pictures (.png, .jpg, .jpeg, .webp), got none`);
  return {
    folder,
    classes: [unlabelledClass],
    pictures: paths.map((path) => ({ path, label: 0 })),
    strange: [flat, ...found].flatMap(({ strange }) => strange.map((path) => ({ path, label: 0 }))),
  };
}

/** The first of every list, the second of every list, … */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = lists.reduce((most, { length }) => Math.max(most, length), 0);
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => (i < list.length ? [list[i]] : []))).flat();
}

interface Found {
  readonly pictures: readonly string[];
  readonly strange: readonly string[];
}

/** What is in a subfolder at any depth, paths below `folder`: a folder's own files by name, then those of its subfolders. */
function walk(folder: string, below: string, above: readonly string[] = []): Found {
  const path = join(folder, below);
  const real = orSentence(path, () => realpathSync(path));
  if (above.includes(real))
    throw new SaccadeError(
      `${path}: must not link back to a folder that contains it, got a link to ${real}; remove it`,
    );
  const entries = entriesOf(path).map(({ name, kind }) => ({ name: join(below, name), kind }));
  const here = sorted(entries.filter(({ kind }) => kind !== "folder"));
  const folders = entries.flatMap(({ name, kind }) => (kind === "folder" ? [basename(name)] : []));
  if (folders.length > 0) requireNoSplits(path, folders);
  const deeper = entries.flatMap(({ name, kind }) => (kind === "folder" ? [walk(folder, name, [...above, real])] : []));
  return {
    pictures: [here, ...deeper].flatMap(({ pictures }) => pictures),
    strange: [here, ...deeper].flatMap(({ strange }) => strange),
  };
}

const sorted = (entries: readonly Entry[]): Found => ({
  pictures: entries.filter(({ name, kind }) => kind === "file" && picture.test(name)).map(({ name }) => name),
  strange: entries.filter(({ name, kind }) => kind !== "file" || !picture.test(name)).map(({ name }) => name),
});

interface Entry {
  readonly name: string;
  readonly kind: "file" | "folder" | "other";
}

/** What is in a folder, links followed, in the order of code points, composed, as Python sorts; without what systems leave there. */
function entriesOf(folder: string): Entry[] {
  const all = orSentence(folder, () => readdirSync(folder, { withFileTypes: true, encoding: "buffer" }));
  const entries = all.filter(({ name }) => !litter.test(name.toString()));
  const unreadable = entries.filter(({ name }) => !isUtf8(name));
  if (unreadable.length > 0)
    throw new SaccadeError(
      `${folder}: must hold names in UTF-8, got ${few(unreadable.map(({ name }) => bytesShown(name)))}; rename them, from Latin-1 with convmv -f latin1 -t utf8 -r --notest`,
    );
  return entries
    .map((entry) => {
      const name = entry.name.toString();
      const kind = kindOf(entry.isSymbolicLink() ? target(join(folder, name)) : entry);
      return { name, kind, key: Buffer.from(name.normalize()) };
    })
    .sort((a, b) => Buffer.compare(a.key, b.key));
}

/** `caf\\xe9.png` */
const bytesShown = (name: Buffer): string =>
  name.toString("latin1").replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);

const kindOf = (what: Dirent<Buffer> | Stats | undefined): Entry["kind"] =>
  what?.isDirectory() ? "folder" : what?.isFile() ? "file" : "other";

/** What a link leads to; undefined where it leads nowhere. */
function target(link: string): Stats | undefined {
  try {
    return statSync(link);
  } catch {
    return undefined;
  }
}

function orSentence<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SaccadeError(
      `${path}: cannot be read (${code}); pictures must be in folders that you have permission to read`,
    );
  }
}

/** How a folder's pictures are read. */
interface Ways {
  readonly size: number;
  readonly skipBroken: boolean;
  readonly valueRange: readonly [number, number] | undefined;
}

/** Levels that pictures of 12 bits, in files of 16, never reach when their upper 8 bits are taken. */
const unreached = 16;

async function readListed(
  listing: Listing,
  { size, skipBroken, valueRange }: Ways,
  { onPicture, onNote, onWarning }: LoadEvents,
): ReturnType<OpenedDataset["read"]> {
  const { folder, classes, pictures, strange } = listing;
  const decoder = await pictureDecoder();
  const states = pictures.map(({ path }) => {
    const { size: bytes, mtimeMs } = orSentence(join(folder, path), () => statSync(join(folder, path)));
    return [path, bytes, mtimeMs];
  });
  const key = cacheKey([decoder.version, size, valueRange, states]);
  const file = cacheFile([realpathSync(folder), size, pictures.length, skipBroken, valueRange]);
  let decoded = readCache(file, key);
  if (decoded === undefined) {
    const paths = pictures.map(({ path }) => join(folder, path));
    const decode: PictureDecoder["decode"] = (path) => decoder.decode(path, size, valueRange);
    decoded = await decodeAll(paths, size, decode, onPicture);
    if (decoded.broken.length > 0 && !skipBroken) {
      const [first, ...more] = decoded.broken.map(([i]) => pictures[i].path);
      const others = more.length > 0 ? `; the same of ${few(more)}` : "";
      throw new SaccadeError(`${join(folder, first)}: ${decoded.broken[0][1]}${others}; or set skipBroken: true`);
    }
    try {
      writeCache(file, key, decoded);
      onNote?.(`the decoded pictures are cached: ${formatBytes(decoded.pixels.byteLength)} in ${file}`);
    } catch (error) {
      onWarning?.(
        `the decoded pictures could not be cached, so every run will decode them again: ${(error as Error).message}`,
      );
    }
  }
  const { pixels, broken } = decoded;
  const why = new Map(broken);
  const [first] = broken;
  if (first !== undefined) {
    const sentence = `${join(folder, pictures[first[0]].path)}: ${first[1]}`;
    const counts = classes.map((name) => ({ name, all: 0, lost: 0 }));
    for (const [i, { label }] of pictures.entries()) {
      counts[label].all++;
      if (why.has(i)) counts[label].lost++;
    }
    const without = counts.filter(({ all, lost }) => lost > 0 && lost === all).map(({ name }) => name);
    if (broken.length === pictures.length)
      throw new SaccadeError(`${folder}: must hold pictures that can be read, got none; ${sentence}`);
    if (without.length > 0)
      throw new SaccadeError(
        `${folder}: every class must have pictures that can be read, got none in ${few(without)}; fill or remove the subfolder (${sentence})`,
      );
    const some = counts.filter(({ lost }) => lost > 0).map(({ name, all, lost }) => `${lost} of ${all} in ${name}`);
    onWarning?.(
      `${broken.length} of ${pictures.length} pictures cannot be read and are left out: ${sentence}; ${few(some)}`,
    );
  }
  if (strange.length > 0)
    onWarning?.(`left out, because they are not pictures: ${few(strange.map(({ path }) => path))}`);
  const kept = pictures.filter((_, i) => !why.has(i));
  const isDark = valueRange === undefined && pixels.every((level) => level < unreached);
  if (isDark && (await decoder.isDeep(join(folder, kept[0].path))))
    onWarning?.(
      `${folder}: nothing in its pictures is brighter than level ${unreached - 1} of 255; for 12-bit pictures in 16-bit files, set valueRange: [0, 4095]`,
    );
  const leftOut = [
    ...broken.map(([i, reason]) => ({ ...pictures[i], why: reason })),
    ...strange.map((one) => ({ ...one, why: "is not a picture by its name" })),
  ];
  return {
    pixels,
    labels: Int32Array.from(kept, ({ label }) => label),
    count: kept.length,
    files: kept.map(({ path }) => path),
    ...(leftOut.length > 0
      ? { leftOut: leftOut.map(({ path, label, why: reason }) => ({ file: path, class: classes[label], why: reason })) }
      : {}),
  };
}

async function decodeAll(
  paths: readonly string[],
  size: number,
  decode: (path: string, size: number) => Promise<Uint8Array>,
  onPicture: LoadEvents["onPicture"],
): Promise<DecodedPictures> {
  const each = size * size * 3;
  const pixels = new Uint8Array(paths.length * each);
  const broken: [number, string][] = [];
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < paths.length; i = next++) {
      try {
        pixels.set(await decode(paths[i], size), i * each);
      } catch (error) {
        if (!(error instanceof SaccadeError)) throw error;
        // Without the path, which is meant from where this command was called.
        broken.push([i, error.message.slice(`${paths[i]}: `.length)]);
      }
      onPicture?.(++done, paths.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
  broken.sort(([a], [b]) => a - b);
  const out = new Set(broken.map(([i]) => i));
  let kept = 0;
  for (let i = 0; out.size > 0 && i < paths.length; i++)
    if (!out.has(i)) pixels.copyWithin(each * kept++, i * each, (i + 1) * each);
  return { pixels: out.size === 0 ? pixels : pixels.slice(0, kept * each), broken };
}

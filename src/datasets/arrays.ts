// Pictures and labels as NumPy saves them: an .npz file, or a folder of .npy files, which is read as the same.
//
// Which array is which its name says. Of one split: `images` or `x`, and `labels` or `y`. Of several: with the split before or behind,
// `train_images`, `x_test`. Pictures are [n, h, w], [n, h, w, c] or [n, c, h, w], where c is 1 or 3 and tells the last two apart; bytes, or other
// numbers of which the request says what is black and what is white.

import { readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { SaccadeError } from "../program/errors.ts";
import { checkLabels, countClasses, numberLabels } from "./array-labels.ts";
import { holdsNumbers, npyNumbers, readNpy, readNpyHeader } from "./formats/npy.ts";
import { openNpz, type StoredArray } from "./formats/npz.ts";
import { extentShown, toLevels } from "./levels.ts";
import { type DatasetRequest, few, type OpenedDataset, type Refuse, type Split, unlabelledClass } from "./request.ts";
import { allSplitNames, splitNames } from "./splits.ts";

type Arrays = ReadonlyMap<string, StoredArray>;

/** A level that bytes reach in some picture, where 255 is white: masks of 0 and 1, or 16 levels, do not. */
const unreached = 16;

const words = { images: ["images", "x"], labels: ["labels", "y"] } as const;

export async function openArrays(request: DatasetRequest, refuse: Refuse): Promise<OpenedDataset> {
  const { file, folder, split, limit = Number.POSITIVE_INFINITY, classes, valueRange } = request;
  const place = file ?? folder;
  if (place === undefined || (file !== undefined && folder !== undefined))
    return refuse("file", "an .npz file, or folder a folder of .npy files", place === undefined ? "nothing" : "both");
  const arrays = file === undefined ? npyFolder(place) : await openNpz(place);
  if (valueRange !== undefined && !(valueRange[0] < valueRange[1]))
    refuse("valueRange", "[low, high], the values that are black and white", `[${valueRange.join(", ")}]`);
  const { named, images, labels } = choose(place, arrays, split, refuse);
  await requireNumbers(images);
  const header = await images.header();
  const { height, width, channels, channelsFirst } = layoutOf(images.path, header.shape);
  const total = header.shape[0];
  if (total === 0)
    throw new SaccadeError(`${images.path}: must hold at least one picture, got ${shown(header.shape)}; save some`);
  if (valueRange === undefined) await requireBytes(images);
  if (labels) await checkLabels(labels, total);
  const names = labels ? (classes ?? (await countClasses(labelsOf(arrays)))) : [unlabelledClass];
  const count = Math.min(limit, total);
  return {
    described: {
      name: named === undefined ? basename(resolve(place)) : `${basename(resolve(place))} ${named}`,
      classes: names,
      count,
      height,
      width,
      channels,
    },
    read: async ({ onWarning }) => {
      const numbers = npyNumbers(await images.read(count));
      const pixels = valueRange === undefined ? (numbers as Uint8Array) : toLevels(images.path, numbers, valueRange);
      if (valueRange === undefined && pixels.every((level) => level < unreached))
        onWarning?.(
          `${images.path}: nothing in its pictures is brighter than level ${unreached - 1} of 255; for levels from 0 to 1, set valueRange: [0, 1]`,
        );
      return {
        pixels: channelsFirst ? channelsLast(pixels, height * width, channels) : pixels,
        labels: labels ? numberLabels(labels.path, await labels.read(count), names) : new Int32Array(count),
        count,
      };
    },
  };
}

async function requireNumbers({ path, header }: StoredArray): Promise<void> {
  const found = await header();
  if (holdsNumbers(found)) return;
  const { type, kind, width } = found;
  const [got, mend] = notNumbers[`${kind}${width}`] ?? notNumbers[kind] ?? ["others", "save real numbers"];
  throw new SaccadeError(`${path}: pictures must be numbers, got ${got} (${type}); ${mend}`);
}

/** Refuses numbers of which nobody knows what is black and what is white. */
async function requireBytes({ path, header, read }: StoredArray): Promise<void> {
  const { type, kind, width } = await header();
  if (kind === "u" && width === 1) return;
  throw new SaccadeError(
    `${path}: pictures must be bytes, 0 to 255 (uint8), or have a valueRange, got ${type} ${extentShown(npyNumbers(await read()))}; set valueRange: [low, high] to the values that are black and white, the same in every split`,
  );
}

/** By NumPy's letter, what else arrays hold, and how pictures in it become numbers. */
const notNumbers: Readonly<Record<string, readonly [got: string, mend: string]>> = {
  f2: ["half precision", "save x.astype('float32')"],
  f12: ["long doubles", "save x.astype('float64')"],
  f16: ["long doubles", "save x.astype('float64')"],
  U: ["text", "save the pictures themselves, not their names"],
  S: ["text", "save the pictures themselves, not their names"],
  O: ["Python's objects", "save pictures of one size: numpy.array(x.tolist())"],
};

function npyFolder(folder: string): Arrays {
  let files: string[];
  try {
    files = readdirSync(folder).filter((name) => name.endsWith(".npy"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SaccadeError(`${folder}: cannot be read (${code}); it must be a folder of .npy files, an .npz is a file`);
  }
  return new Map(
    files.sort().map((name) => {
      const path = join(folder, name);
      const array = {
        path,
        header: async () => readNpyHeader(path),
        read: async (limit?: number) => readNpy(path, limit),
      };
      return [name.slice(0, -".npy".length), array];
    }),
  );
}

interface Chosen {
  /** What the split is called; undefined where the arrays are of one. */
  readonly named: string | undefined;
  readonly images: StoredArray;
  /** Undefined for the unlabelled split. */
  readonly labels: StoredArray | undefined;
}

function choose(place: string, arrays: Arrays, split: Split, refuse: Refuse): Chosen {
  const named = splitNames[split].flat().find((word) => find(place, arrays, "images", word) !== undefined);
  const images = find(place, arrays, "images", named);
  const splits = allSplitNames.filter((word) => find(place, arrays, "images", word));
  if (splits.length > 0 && named === undefined)
    return refuse("split", `one that ${place} has pictures of (it has ${splits.join(", ")})`, split);
  if (images === undefined)
    throw new SaccadeError(
      `${place}: must hold an array of pictures called images or x, or train_images, x_test and so on, got ${few([...arrays.keys()]) || "none"}; save them as numpy.savez(file, images=…, labels=…) does`,
    );
  if (named === undefined && split === "test")
    return refuse("split", `left out for ${place}, whose arrays are of one split`, split);
  if (split === "unlabelled") return { named, images, labels: undefined };
  const labels = find(place, arrays, "labels", named);
  if (labels === undefined)
    throw new SaccadeError(
      `${place}: must hold labels beside the pictures, called ${spellings("labels", named).join(" or ")}, got ${few([...arrays.keys()])}; or set split: unlabelled`,
    );
  return { named, images, labels };
}

/** The array that is called as pictures or labels of a split are. */
function find(
  place: string,
  arrays: Arrays,
  what: keyof typeof words,
  split: string | undefined,
): StoredArray | undefined {
  const wanted = spellings(what, split);
  const found = [...arrays].filter(([name]) => wanted.includes(name.toLowerCase()));
  if (found.length > 1)
    throw new SaccadeError(
      `${place}: must hold one array of ${what}${split ? ` of ${split}` : ""}, got ${found.map(([name]) => name).join(" and ")}; save it without the others`,
    );
  return found[0]?.[1];
}

/** The arrays of labels of all splits. */
function labelsOf(arrays: Arrays): StoredArray[] {
  const wanted = [undefined, ...allSplitNames].flatMap((split) => spellings("labels", split));
  return [...arrays].filter(([name]) => wanted.includes(name.toLowerCase())).map(([, array]) => array);
}

const spellings = (what: keyof typeof words, split: string | undefined): string[] =>
  words[what].flatMap((word) => (split === undefined ? [word] : [`${split}_${word}`, `${word}_${split}`]));

interface Layout {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly channelsFirst: boolean;
}

function layoutOf(path: string, shape: readonly number[]): Layout {
  const [, a = 0, b = 0, c = 0] = shape;
  const colours = (extent: number): extent is 1 | 3 => extent === 1 || extent === 3;
  if (shape.length === 3 && a > 0 && b > 0) return { height: a, width: b, channels: 1, channelsFirst: false };
  if (shape.length === 4 && a > 0 && b > 0 && c > 0) {
    if (colours(a) && colours(c))
      throw new SaccadeError(
        `${path}: channels must be recognisable by a 1 or 3 at the first or last place of the shape, got ${shown(shape)}, which has it at both; save pictures of one channel as [n, h, w], others larger than 3 × 3`,
      );
    if (colours(c)) return { height: a, width: b, channels: c, channelsFirst: false };
    if (colours(a)) return { height: b, width: c, channels: a, channelsFirst: true };
  }
  throw new SaccadeError(
    `${path}: pictures must be [n, h, w], [n, h, w, c] or [n, c, h, w] with 1 or 3 channels, got ${shown(shape)}; scale pictures of several sizes to one size, and leave out a fourth channel`,
  );
}

/** [n, c, h·w] → [n, h·w, c]. */
function channelsLast(pixels: Uint8Array, size: number, channels: number): Uint8Array {
  if (channels === 1) return pixels;
  const result = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += channels * size)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < size; i++) result[at + i * channels + c] = pixels[at + c * size + i];
  return result;
}

const shown = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

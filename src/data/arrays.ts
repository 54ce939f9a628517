// Pictures and labels as NumPy saves them: an .npz file, or a folder of .npy files, which is read as the same.
//
// Which array is which its name says. Of one split: `images` or `x`, and `labels` or `y`. Of several: with the split before or behind,
// `train_images`, `x_test`. Pictures are bytes [n, h, w], [n, h, w, c] or [n, c, h, w], where c is 1 or 3 and tells the last two apart.

import { readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { SaccadeError } from "../program/errors.ts";
import { readNpy, readNpyHeader } from "./formats/npy.ts";
import { openNpz, type StoredArray } from "./formats/npz.ts";
import { type DatasetRequest, few, type OpenedDataset, type Refuse, type Split, unlabelledClass } from "./request.ts";

type Arrays = ReadonlyMap<string, StoredArray>;

const words = { images: ["images", "x"], labels: ["labels", "y"] } as const;
/** How a split may be called, the first of which is taken. Without labels the pictures to train on will do. */
const splitWords: Readonly<Record<Split, readonly string[]>> = {
  train: ["train"],
  test: ["test", "val"],
  unlabelled: ["unlabelled", "unlabeled", "train"],
};

export async function openArrays(request: DatasetRequest, refuse: Refuse): Promise<OpenedDataset> {
  const { file, folder, split, limit = Number.POSITIVE_INFINITY, classes } = request;
  const place = file ?? folder;
  if (place === undefined || (file !== undefined && folder !== undefined))
    return refuse("file", "an .npz file, or folder a folder of .npy files", place === undefined ? "nothing" : "both");
  const arrays = file === undefined ? npyFolder(place) : await openNpz(place);
  const { named, images, labels } = choose(place, arrays, split, refuse);
  const header = await images.header();
  if (header.type !== "|u1")
    throw new SaccadeError(
      `${images.path}: pictures must be bytes, 0 to 255 (uint8), got ${header.type}; save x.astype(numpy.uint8)`,
    );
  const { height, width, channels, channelsFirst } = layoutOf(images.path, header.shape);
  const total = header.shape[0];
  if (total === 0)
    throw new SaccadeError(`${images.path}: must hold at least one picture, got ${shown(header.shape)}; save some`);
  if (labels) await checkLabels(labels, total);
  const names = labels ? (classes ?? (await countClasses(arrays))) : [unlabelledClass];
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
    read: async () => {
      const pixels = (await images.read(count)).values as Uint8Array;
      return {
        pixels: channelsFirst ? channelsLast(pixels, height * width, channels) : pixels,
        labels: labels ? inRange(labels.path, (await labels.read(count)).values, names.length) : new Int32Array(count),
        count,
      };
    },
  };
}

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
  const named = splitWords[split].find((word) => find(place, arrays, "images", word) !== undefined);
  const images = find(place, arrays, "images", named);
  const splits = [...new Set(Object.values(splitWords).flat())].filter((word) => find(place, arrays, "images", word));
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
        `${path}: channels must be told from rows and columns by an extent of 1 or 3 first or last, got ${shown(shape)}, which has both; save pictures of one channel as [n, h, w], others larger than 3 × 3`,
      );
    if (colours(c)) return { height: a, width: b, channels: c, channelsFirst: false };
    if (colours(a)) return { height: b, width: c, channels: a, channelsFirst: true };
  }
  throw new SaccadeError(
    `${path}: pictures must be [n, h, w], [n, h, w, c] or [n, c, h, w] with 1 or 3 channels, got ${shown(shape)}; pictures of several sizes must be brought to one, a fourth channel left out`,
  );
}

async function checkLabels({ path, header }: StoredArray, count: number): Promise<void> {
  const { shape } = await header();
  const [n, ones = 1] = shape;
  if (shape.length > 2 || ones !== 1)
    throw new SaccadeError(
      `${path}: labels must be one number for each picture, [${count}], got ${shown(shape)}; of one-hot rows save y.argmax(1)`,
    );
  if (n !== count)
    throw new SaccadeError(
      `${path}: must hold ${count} labels, one for each picture, got ${n ?? "one"}; save one for each`,
    );
}

/** Classes are the numbers that the labels of all splits use, which begin with 0 and leave none out. */
async function countClasses(arrays: Arrays): Promise<string[]> {
  const wanted = [undefined, ...Object.values(splitWords).flat()].flatMap((split) => spellings("labels", split));
  const found = [...arrays].filter(([name]) => wanted.includes(name.toLowerCase())).map(([, array]) => array);
  const used = new Set<number>();
  for (const array of found) for (const label of (await array.read()).values) used.add(label);
  const numbers = [...used].sort((a, b) => a - b);
  const [least, most] = [numbers[0], numbers[numbers.length - 1]];
  if (least !== 0 || most !== numbers.length - 1)
    throw new SaccadeError(
      `${found.map(({ path }) => path).join(", ")}: labels must be 0 to ${numbers.length - 1}, as they are of ${numbers.length} classes, got ${least} to ${most}; number them so, or name every class: classes: [cat, dog]`,
    );
  return numbers.map(String);
}

function inRange(path: string, labels: Uint8Array | Int32Array, classes: number): Int32Array {
  return Int32Array.from(labels, (label, i) => {
    if (label < 0 || label >= classes)
      throw new SaccadeError(
        `${path}: label ${i} must be from 0 to ${classes - 1}, as there are ${classes} classes, got ${label}; number them so, or name every class`,
      );
    return label;
  });
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

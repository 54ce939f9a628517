// A set of labelled images as bytes: what every reader and the renderer hand to the rest of Saccade.

import { wrong } from "../program/errors.ts";

/** Images as bytes, row-major `[count, height, width, channels]`, with one class number each. */
export interface ImageSet {
  /** What a person calls it: "CIFAR-10 train", "procedural objects test". */
  readonly name: string;
  /** `count · height · width · channels` bytes, 0 to 255; none where the set is streamed. */
  readonly pixels: Uint8Array;
  /** Of a set that is too large for memory: puts one picture's bytes into `into`, from its files. */
  readonly read?: (image: number, into: Uint8Array) => void;
  /** Whether there is `read` instead of pixels. */
  readonly streamed?: boolean;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** One class number per image, 0 ≤ label < classes.length. */
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  /** Of a movie: the first image of each clip, ascending from 0. A clip shows one thing, image after image in time. */
  readonly clips?: Int32Array;
  /** Of pictures that are files: where each is, from the dataset's folder. */
  readonly files?: readonly string[];
  /** Files of the dataset that are not in it. */
  readonly leftOut?: readonly LeftOut[];
}

export interface LeftOut {
  readonly file: string;
  readonly class: string;
  readonly why: string;
}

/** The pictures of some images, one after another, into `into`, which may be longer. */
export function copyPictures(
  { pixels, read, height, width, channels }: Pick<ImageSet, "pixels" | "read" | "height" | "width" | "channels">,
  images: Iterable<number>,
  into: Uint8Array,
): void {
  const size = height * width * channels;
  let at = 0;
  for (const image of images) {
    if (read) read(image, into.subarray(at, at + size));
    else into.set(pixels.subarray(image * size, (image + 1) * size), at);
    at += size;
  }
}

/** Refuses two sets of different classes: an accuracy on one after learning from the other would mean nothing. */
export function requireSameClasses(
  operation: string,
  argument: string,
  sets: readonly [Pick<ImageSet, "name" | "classes">, Pick<ImageSet, "name" | "classes">],
): void {
  // One name may be written in several ways: a Mac takes é apart.
  const [train, test] = sets.map(({ name, classes }) => ({ name, classes: classes.map((of) => of.normalize()) }));
  if (train.classes.length === test.classes.length && train.classes.every((name, i) => name === test.classes[i]))
    return;
  const alone = [
    [train, test],
    [test, train],
  ].flatMap(([has, lacks]) => {
    const names = has.classes.filter((name) => !lacks.classes.includes(name));
    return names.length > 0 ? [`in ${has.name} alone: ${names.slice(0, 3).map(quoted).join(", ")}`] : [];
  });
  const at = train.classes.findIndex((name, i) => name !== test.classes[i]);
  const order = `class ${at} is ${quoted(train.classes[at] ?? "")} and ${quoted(test.classes[at] ?? "")}`;
  const [one, other] = sets.map(({ name, classes }) => {
    const [first, more] = [classes.slice(0, 3), classes.length > 3 ? ["…"] : []];
    return `${name} (${[...first, ...more].join(", ")})`;
  });
  throw wrong(
    operation,
    argument,
    "of the same classes",
    `${one} and ${other}`,
    alone.length > 0 ? alone.join("; ") : order,
  );
}

/** Between quotes, with what cannot be seen by its number: a space of another kind, an accent that stands alone. */
const quoted = (name: string): string =>
  JSON.stringify(name).replace(/(?! )[\p{M}\p{C}\p{Z}]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);

/** Refuses rows without a label of a class each, and none at all. */
export function requireLabels(
  operation: string,
  name: string,
  { count, labels }: Pick<ImageSet, "count" | "labels">,
  classes: number,
): void {
  if (!(count >= 1)) throw wrong(operation, name, "of at least one row", count);
  const argument = `the labels of ${name}`;
  if (labels.length !== count) throw wrong(operation, argument, `${count}, one for each row`, labels.length);
  const stray = labels.find((label) => !(label >= 0 && label < classes));
  if (stray !== undefined) throw wrong(operation, argument, `from 0 to ${classes - 1}`, stray);
}

/** The same images in grey, one channel: ITU-R 601 luma in whole levels, as torchvision's Grayscale makes it of bytes. */
export function greyscale(set: ImageSet): ImageSet {
  const { channels, name, pixels, read, height, width } = set;
  if (channels === 1) return set;
  const grey = { ...set, name: `${name}, grey`, channels: 1 } as const;
  if (read === undefined) {
    const levels = new Uint8Array(pixels.length / 3);
    toGrey(pixels, levels);
    return { ...grey, pixels: levels };
  }
  const coloured = new Uint8Array(3 * height * width);
  return {
    ...grey,
    read: (image, into) => {
      read(image, coloured);
      toGrey(coloured, into);
    },
  };
}

function toGrey(coloured: Uint8Array, levels: Uint8Array): void {
  for (let i = 0, at = 0; i < levels.length; i++, at += 3)
    levels[i] = (19595 * coloured[at] + 38470 * coloured[at + 1] + 7471 * coloured[at + 2] + 32768) >> 16;
}

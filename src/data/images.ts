// A set of labelled images as bytes: what every reader and the renderer hand to the rest of Saccade.

import { wrong } from "../program/errors.ts";

/** Images as bytes, row-major `[count, height, width, channels]`, with one class number each. */
export interface ImageSet {
  /** What a person calls it: "CIFAR-10 train", "procedural objects test". */
  readonly name: string;
  /** `count · height · width · channels` bytes, 0 to 255. */
  readonly pixels: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** One class number per image, 0 ≤ label < classes.length. */
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  /** Of a movie: the first image of each clip, ascending from 0. A clip shows one thing, image after image in time. */
  readonly clips?: Int32Array;
}

/** Refuses two sets of different classes: an accuracy on one after learning from the other would mean nothing. */
export function requireSameClasses(
  operation: string,
  argument: string,
  sets: readonly [Pick<ImageSet, "name" | "classes">, Pick<ImageSet, "name" | "classes">],
): void {
  const [train, test] = sets;
  if (train.classes.length === test.classes.length && train.classes.every((name, i) => name === test.classes[i]))
    return;
  const [one, other] = sets.map(({ name, classes }) => {
    const [first, more] = [classes.slice(0, 3), classes.length > 3 ? ["…"] : []];
    return `${name} (${[...first, ...more].join(", ")})`;
  });
  throw wrong(operation, argument, "of the same classes", `${one} and ${other}`);
}

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
  if (set.channels === 1) return set;
  const pixels = Uint8Array.from({ length: set.pixels.length / 3 }, (_, i) => {
    const [red, green, blue] = set.pixels.subarray(3 * i);
    return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
  });
  return { ...set, name: `${set.name}, grey`, pixels, channels: 1 };
}

// Which labelled images a read-out may use: a balanced draw per class, a validation split of it, and proof that no test image is in it.

import type { ImageSet } from "../data/images.ts";
import { wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";

/** First words of the paths of random numbers that draw labels and validation splits. */
const labelDraw = 0x1abe;
const validationDraw = 0x7a11;

/** `perClass` images of each class, or all; keyed by the seed, in the set's own order. `names` are the classes', for what is refused. */
export function drawLabels(
  labels: Int32Array,
  classes: number,
  perClass: number | "all",
  seed: number,
  names?: readonly string[],
): Int32Array {
  if (perClass === "all") return Int32Array.from(labels, (_, i) => i);
  const chosen: number[] = [];
  for (let label = 0; label < classes; label++) {
    const members = membersOf(labels, label);
    if (members.length < perClass) {
      const named = names?.[label] ?? label;
      throw wrong("probe", "labelsPerClass", `at most ${members.length}, the images of class ${named}`, perClass);
    }
    randomStream(seed, labelDraw, label).shuffle(members);
    chosen.push(...members.subarray(0, perClass));
  }
  return Int32Array.from(chosen).sort();
}

const membersOf = (labels: Int32Array, label: number): Int32Array =>
  Int32Array.from(labels.keys()).filter((i) => labels[i] === label);

/** Splits rows into a training part and a validation part of about one fifth, at least one of each class with two or more. */
export function splitValidation(
  labels: Int32Array,
  classes: number,
  seed: number,
): { fit: Int32Array; held: Int32Array } {
  const fit: number[] = [];
  const held: number[] = [];
  for (let label = 0; label < classes; label++) {
    const members = membersOf(labels, label);
    randomStream(seed, validationDraw, label).shuffle(members);
    const size = members.length < 2 ? 0 : Math.max(1, Math.round(members.length / 5));
    held.push(...members.subarray(0, size));
    fit.push(...members.subarray(size));
  }
  return { fit: Int32Array.from(fit).sort(), held: Int32Array.from(held).sort() };
}

/** The same split of some rows, by their numbers. */
export function splitRows(
  { labels, classes }: { readonly labels: Int32Array; readonly classes: number },
  rows: Int32Array,
  seed: number,
): { fit: Int32Array; held: Int32Array } {
  const { fit, held } = splitValidation(
    rows.map((row) => labels[row]),
    classes,
    seed,
  );
  return { fit: fit.map((i) => rows[i]), held: held.map((i) => rows[i]) };
}

/** Rows of `train` whose picture, byte for byte, is also in `test`: they must not train a read-out. */
export function overlap(train: ImageSet, test: ImageSet): Set<number> {
  const picture = ({ pixels, count }: ImageSet, i: number): Uint8Array => {
    const size = pixels.length / count;
    return pixels.subarray(i * size, (i + 1) * size);
  };
  const known = new Map<number, Uint8Array[]>();
  for (let i = 0; i < test.count; i++) {
    const bytes = picture(test, i);
    const key = hashBytes(bytes);
    const alike = known.get(key);
    if (alike) alike.push(bytes);
    else known.set(key, [bytes]);
  }
  const shared = new Set<number>();
  for (let i = 0; i < train.count; i++) {
    const bytes = picture(train, i);
    const same = (other: Uint8Array): boolean =>
      other.length === bytes.length && bytes.every((value, j) => value === other[j]);
    if (known.get(hashBytes(bytes))?.some(same)) shared.add(i);
  }
  return shared;
}

/** FNV-1a, 32 bits: pictures of one hash are compared. */
function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The set without some of its rows. */
export function without(set: ImageSet, rows: ReadonlySet<number>): ImageSet {
  if (rows.size === 0) return set;
  return only(
    set,
    Int32Array.from({ length: set.count }, (_, i) => i).filter((i) => !rows.has(i)),
  );
}

/** Some rows of a set, ascending. */
export function only(set: ImageSet, rows: Int32Array): ImageSet {
  if (rows.length === set.count) return set;
  const size = set.pixels.length / set.count;
  const pixels = new Uint8Array(rows.length * size);
  rows.forEach((from, to) => {
    pixels.set(set.pixels.subarray(from * size, (from + 1) * size), to * size);
  });
  const { files } = set;
  return {
    ...set,
    pixels,
    count: rows.length,
    labels: rows.map((from) => set.labels[from]),
    ...(files ? { files: Array.from(rows, (from) => files[from]) } : {}),
  };
}

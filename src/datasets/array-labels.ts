// Labels as NumPy saves them: numbers from 0, or the names of classes themselves. What classes there are, all splits of a file say together.

import { SaccadeError } from "../program/errors.ts";
import { holdsNumbers, holdsText, type Npy, type NpyHeader, npyNumbers, npyTexts } from "./formats/npy.ts";
import type { StoredArray } from "./formats/npz.ts";
import { few } from "./request.ts";

/** Refuses what is not one label for each picture. */
export async function checkLabels(labels: StoredArray, count: number): Promise<void> {
  const { path } = labels;
  const header = await labels.header();
  const [n, ...more] = header.shape;
  if (more.some((extent) => extent !== 1)) {
    const mend = (await isOneHot(labels)) ? "save y.argmax(1)" : "save the number of its class for each picture";
    throw new SaccadeError(
      `${path}: labels must be one number for each picture, [${count}], got [${header.shape.join(", ")}]; ${mend}`,
    );
  }
  if (n !== count)
    throw new SaccadeError(
      `${path}: must hold ${count} labels, one for each picture, got ${n ?? "one"}; save one for each`,
    );
  requireReadable(path, header);
}

/** Rows with a single 1 among zeros: of others the place of the greatest says nothing. */
async function isOneHot(labels: StoredArray): Promise<boolean> {
  const header = await labels.header();
  if (header.shape.length !== 2 || !holdsNumbers(header)) return false;
  const numbers = Array.from(npyNumbers(await labels.read()), Number);
  const width = header.shape[1];
  return numbers.every((_, i) => {
    if (i % width !== 0) return true;
    const row = numbers.slice(i, i + width);
    return row.every((value) => value === 0 || value === 1) && row.filter((value) => value === 1).length === 1;
  });
}

function requireReadable(path: string, header: NpyHeader): void {
  if (holdsNumbers(header) || holdsText(header)) return;
  const [got, mend] =
    header.kind === "O" ? ["Python's objects", "save y.astype(str)"] : ["others", "number the classes from 0"];
  throw new SaccadeError(
    `${path}: labels must be whole numbers, or the names of classes as text, got ${got} (${header.type}); ${mend}`,
  );
}

/** Classes as text says them, or as numbers of the array. */
function valuesOf(path: string, array: Npy): readonly string[] | readonly number[] {
  requireReadable(path, array.header);
  if (holdsText(array.header)) return npyTexts(array).map((name) => name.normalize());
  const numbers = Array.from(npyNumbers(array), Number);
  const odd = numbers.findIndex((number) => !Number.isInteger(number));
  if (odd >= 0)
    throw new SaccadeError(
      `${path}: labels must be whole numbers, got ${numbers[odd]} as label ${odd}; number the classes from 0`,
    );
  return numbers;
}

/** The classes of all splits together: the names that there are, in the order of their letters, or numbers from 0 without gaps. */
export async function countClasses(arrays: readonly StoredArray[]): Promise<string[]> {
  const used = new Set<string | number>();
  for (const array of arrays) for (const label of valuesOf(array.path, await array.read())) used.add(label);
  const names = [...used].filter((label) => typeof label === "string");
  const numbers = [...used].filter((label) => typeof label === "number").sort((a, b) => a - b);
  const where = arrays.map(({ path }) => path).join(", ");
  if (names.length > 0 && numbers.length > 0)
    throw new SaccadeError(
      `${where}: labels must be numbers in every split, or text in every split, got both; save all as text: y.astype(str)`,
    );
  if (names.length > 0) return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const [least, most] = [numbers[0], numbers[numbers.length - 1]];
  if (least === 0 && most === numbers.length - 1) return numbers.map(String);
  const whole = least === 1 && most === numbers.length;
  const mend = whole
    ? "save y - 1, in every split alike"
    : least >= 0 && most < 1000
      ? `number them so, in every split alike, or name the classes of all numbers from 0 to ${most}: classes: [cat, dog, …]`
      : "number them so, in every split alike";
  throw new SaccadeError(
    `${where}: labels must be 0 to ${numbers.length - 1}, as they are of ${numbers.length} classes, got ${least} to ${most}; ${mend}`,
  );
}

/** The number of its class for each of some labels. */
export function numberLabels(path: string, array: Npy, classes: readonly string[]): Int32Array {
  const numbered = new Map(classes.map((name, number) => [name.normalize(), number]));
  return Int32Array.from(valuesOf(path, array) as readonly (string | number)[], (label, i) => {
    const number = typeof label === "string" ? numbered.get(label) : label;
    if (number === undefined)
      throw new SaccadeError(
        `${path}: label ${i} must be one of the classes ${few(classes)}, got ${JSON.stringify(label)}; name every class`,
      );
    if (number < 0 || number >= classes.length)
      throw new SaccadeError(
        `${path}: label ${i} must be from 0 to ${classes.length - 1}, as there are ${classes.length} classes, got ${label}; number them so, or name every class`,
      );
    return number;
  });
}

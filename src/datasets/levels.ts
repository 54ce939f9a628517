// Numbers of any type as levels, a byte each: which of them is black and which is white, the researcher says.

import { SaccadeError } from "../program/errors.ts";
import type { NpyNumbers } from "./formats/npy.ts";

/** `low` becomes 0 and `high` 255; in between, the nearest level. What lies more than half a level beyond is refused. */
export function toLevels(path: string, numbers: NpyNumbers, [low, high]: readonly [number, number]): Uint8Array {
  const levels = new Uint8Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    const level = Math.round((255 * (Number(numbers[i]) - low)) / (high - low));
    if (!(level >= 0 && level <= 255))
      throw new SaccadeError(
        `${path}: pictures must lie within their valueRange, [${low}, ${high}], got ${numbers[i]}; ${Number.isNaN(Number(numbers[i])) ? "leave out pictures with NaN: x[numpy.isfinite(x.reshape(len(x), -1)).all(1)], and their labels" : `widen it, or save numpy.clip(x, ${low}, ${high})`}`,
      );
    levels[i] = level;
  }
  return levels;
}

/** `from 0 to 4095`, and whether there are any that are no numbers. */
export function extentShown(numbers: NpyNumbers): string {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let odd = false;
  for (let i = 0; i < numbers.length; i++) {
    const number = Number(numbers[i]);
    if (Number.isNaN(number)) odd = true;
    if (number < least) least = number;
    if (number > most) most = number;
  }
  return `from ${least} to ${most}${odd ? ", and NaN" : ""}`;
}

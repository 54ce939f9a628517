// Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon et al. 2011, doi 10.1145/2063384.2063405).
//
// A number is a function of its key and counter, so it is the same on every backend, in any order, after any resume.

import { wrong } from "./errors.ts";

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const parity = 0x1bd11bda;

/** Two u32s from a key and a counter of two u32s each. */
export function threefry2x32(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
): readonly [number, number] {
  const keys = [key0 | 0, key1 | 0, key0 ^ key1 ^ parity] as const;
  let x0 = (counter0 + keys[0]) | 0;
  let x1 = (counter1 + keys[1]) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = rotations[round % 8];
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x0 = (x0 + keys[injection % 3]) | 0;
      x1 = (x1 + keys[(injection + 1) % 3] + injection) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** A sequence of random numbers that its seed and path alone decide. */
export interface Stream {
  /** In [0, 1), a multiple of 2⁻²⁴: exact in float32. */
  readonly uniform: () => number;
  /** Standard normal. */
  readonly normal: () => number;
  /** A whole number from 0 to below − 1. */
  readonly integer: (below: number) => number;
  /** Fisher–Yates, in place. */
  readonly shuffle: (items: Int32Array) => void;
}

/** The stream of a seed and a path, for example (seed, purpose, epoch, sample, view). */
export function randomStream(seed: number, ...path: readonly number[]): Stream {
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw wrong("randomStream", "seed", "a whole number from 0 to 4294967295", seed);
  let key0 = seed;
  let key1 = 0;
  // Each word of the path makes a new key out of the old one; the depth keeps (1) and (1, 0) apart.
  path.forEach((word, depth) => {
    [key0, key1] = threefry2x32(key0, key1, word >>> 0, depth + 1);
  });
  let counter = 0;
  const word = (): number => threefry2x32(key0, key1, counter++, 0)[0];
  const uniform = (): number => (word() >>> 8) * 2 ** -24;
  const integer = (below: number): number => {
    if (!(Number.isInteger(below) && below >= 1))
      throw wrong("integer", "below", "a whole number of at least 1", below);
    // Words beyond the last whole multiple of `below` would favour small numbers.
    const limit = 2 ** 32 - (2 ** 32 % below);
    let drawn = word();
    while (drawn >= limit) drawn = word();
    return drawn % below;
  };
  return {
    uniform,
    normal: () => {
      // Box–Muller; 1 − u is above 0.
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
    integer,
    shuffle: (items) => {
      for (let i = items.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        [items[i], items[j]] = [items[j], items[i]];
      }
    },
  };
}

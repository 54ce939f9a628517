// The random streams against the vectors that Random123 publishes, and their promises about range and keys.

import { describe, expect, test } from "vitest";
import { randomStream, threefry2x32 } from "../../src/program/random.ts";

const ones = 0xffffffff;

describe("threefry2x32", () => {
  test.each([
    { key: [0, 0], counter: [0, 0], words: [0x6b200159, 0x99ba4efe] },
    { key: [ones, ones], counter: [ones, ones], words: [0x1cb996fc, 0xbb002be7] },
    { key: [0x13198a2e, 0x03707344], counter: [0x243f6a88, 0x85a308d3], words: [0xc4923a9c, 0x483df7a0] },
  ])("gives Random123's known answer for key $key", ({ key, counter, words }) => {
    expect(threefry2x32(key[0], key[1], counter[0], counter[1])).toEqual(words);
  });
});

describe("a random stream", () => {
  const draw = (seed: number, ...path: number[]): number[] => {
    const random = randomStream(seed, ...path);
    return Array.from({ length: 8 }, random.uniform);
  };

  test("is the same for the same seed and path", () => {
    expect(draw(7, 1, 2)).toEqual(draw(7, 1, 2));
  });

  test("differs for another seed, path, order or depth", () => {
    const streams = [draw(7, 1, 2), draw(8, 1, 2), draw(7, 2, 1), draw(7, 1), draw(7, 1, 2, 0), draw(7)];
    expect(new Set(streams.map(String)).size).toBe(streams.length);
  });

  test("draws uniform numbers that float32 holds exactly, in [0, 1), with mean 1/2", () => {
    const random = randomStream(1, 2);
    const values = Array.from({ length: 20_000 }, random.uniform);
    expect(values.every((value) => value >= 0 && value < 1 && Math.fround(value) === value)).toBe(true);
    // The standard error of the mean is 0.002.
    expect(Math.abs(values.reduce((sum, value) => sum + value) / values.length - 0.5)).toBeLessThan(0.008);
  });

  test("draws normal numbers of mean 0 and variance 1", () => {
    const random = randomStream(3);
    const values = Array.from({ length: 20_000 }, random.normal);
    const mean = values.reduce((sum, value) => sum + value) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    // Standard errors are 0.007 and 0.01.
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.04);
  });

  test("draws every whole number below its bound about equally often", () => {
    const random = randomStream(4);
    const counts = new Array(7).fill(0);
    for (let i = 0; i < 7000; i++) counts[random.integer(7)]++;
    expect(Math.min(...counts)).toBeGreaterThan(880);
    expect(Math.max(...counts)).toBeLessThan(1120);
  });

  test("shuffles into a permutation", () => {
    const items = Int32Array.from({ length: 50 }, (_, i) => i);
    randomStream(5).shuffle(items);
    expect([...items]).not.toEqual(items.toSorted());
    expect([...items.toSorted()]).toEqual([...items.keys()]);
  });

  test.each([-1, 1.5, 2 ** 32, Number.NaN])("refuses seed %s", (seed) => {
    expect(() => randomStream(seed)).toThrow(
      `randomStream: seed must be a whole number from 0 to 4294967295, got ${seed}`,
    );
  });
});

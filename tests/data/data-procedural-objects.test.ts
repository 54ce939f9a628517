// The promises of the rendered dataset: keyed by seed, split and index, balanced, visible, smooth in a movie.

import { describe, expect, test } from "vitest";
import { solids } from "../../src/data/procedural-objects/solids.ts";
import {
  type ProceduralObjectsOptions,
  proceduralClasses,
  proceduralObjects,
  turningMovie,
} from "../../src/data/procedural-objects.ts";

const picture = (pixels: Uint8Array, index: number, length = 32 * 32 * 3): Uint8Array =>
  pixels.subarray(index * length, (index + 1) * length);

describe("procedural objects", () => {
  test("render image i the same however many are made", () => {
    const few = proceduralObjects({ split: "train", count: 7, seed: 3 });
    const many = proceduralObjects({ split: "train", count: 25, seed: 3 });
    expect(picture(many.pixels, 6)).toEqual(picture(few.pixels, 6));
    expect([...many.labels.subarray(0, 7)]).toEqual([...few.labels]);
  });

  test("never repeat a picture within or between splits, or between seeds", () => {
    const sets = (["unlabelled", "train", "test"] as const).flatMap((split) =>
      [0, 1].map((seed) => proceduralObjects({ split, count: 60, seed })),
    );
    const pictures = sets.flatMap((set) =>
      Array.from({ length: set.count }, (_, i) => Buffer.from(picture(set.pixels, i)).toString("base64")),
    );
    expect(new Set(pictures).size).toBe(360);
  });

  test.each(["train", "test"] as const)(
    "hold each class once in every ten images of %s, in no fixed order",
    (split) => {
      const { labels } = proceduralObjects({ split, count: 30, seed: 1, size: 8 });
      const tens = [0, 10, 20].map((start) => [...labels.subarray(start, start + 10)]);
      for (const ten of tens) expect(ten.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(tens[0]).not.toEqual(tens[1]);
    },
  );

  test("are what an image set says: ten classes, three channels, the size asked for", () => {
    const set = proceduralObjects({ split: "unlabelled", count: 3, seed: 0, size: 48 });
    expect(set).toMatchObject({ name: "procedural objects unlabelled", count: 3, height: 48, width: 48, channels: 3 });
    expect(set.pixels.length).toBe(3 * 48 * 48 * 3);
    expect(set.classes).toBe(proceduralClasses);
    expect(proceduralClasses.length).toBe(10);
  });

  test("show something in every picture: none is nearly uniform", () => {
    const { pixels } = proceduralObjects({ split: "test", count: 200, seed: 0 });
    for (let i = 0; i < 200; i++) {
      const bytes = picture(pixels, i);
      expect(Math.max(...bytes) - Math.min(...bytes), `picture ${i}`).toBeGreaterThan(20);
    }
  });

  test.each<[Partial<ProceduralObjectsOptions>, string]>([
    [{ count: 0 }, "proceduralObjects: count must be a whole number of at least 1, got 0"],
    [{ seed: -1 }, "proceduralObjects: seed must be a whole number from 0 to 4294967295, got -1"],
    [{ size: 4 }, "proceduralObjects: size must be a whole number of pixels from 8 to 256, got 4"],
    [{ split: "validation" as "test" }, "proceduralObjects: split must be unlabelled, train or test, got validation"],
  ])("refuse %o", (options, message) => {
    expect(() => proceduralObjects({ split: "train", count: 1, seed: 0, ...options })).toThrow(message);
  });
});

describe("the solids", () => {
  test.each(Object.entries(solids))("%s is closed and faces outwards", (_, { positions, normals, triangles }) => {
    const corner = (values: Float32Array, vertex: number): number[] => [...values.subarray(3 * vertex, 3 * vertex + 3)];
    // By the divergence theorem, the area vectors of a closed surface add up to nothing, and its volume is positive.
    const total = [0, 0, 0];
    let volume = 0;
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [...triangles.subarray(t, t + 3)].map((vertex) => corner(positions, vertex));
      const [u, v] = [b, c].map((p) => p.map((value, k) => value - a[k]));
      const area = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      area.forEach((value, k) => {
        total[k] += value;
        volume += (value * a[k]) / 6;
      });
      const normal = corner(normals, triangles[t]);
      expect(area.reduce((sum, value, k) => sum + value * normal[k], 0)).toBeGreaterThan(-1e-6);
    }
    expect(Math.hypot(...total)).toBeLessThan(1e-4);
    expect(volume).toBeGreaterThan(0.3);
  });
});

describe("a turning movie", () => {
  test("keeps its label, and neighbouring frames differ less than distant ones", () => {
    for (const seed of [1, 2, 3]) {
      const movie = turningMovie({ seed, frames: 40, degreesPerFrame: 3 });
      expect(new Set(movie.labels).size).toBe(1);
      const distance = (i: number, j: number): number => {
        const [a, b] = [picture(movie.pixels, i), picture(movie.pixels, j)];
        return a.reduce((sum, value, k) => sum + Math.abs(value - b[k]), 0) / a.length;
      };
      expect(distance(0, 1)).toBeLessThan(6);
      expect(distance(0, 1)).toBeLessThanOrEqual(distance(0, 30));
    }
  });

  test("returns to its first frame after a full turn", () => {
    const movie = turningMovie({ seed: 5, frames: 13, degreesPerFrame: 30 });
    expect(picture(movie.pixels, 12)).toEqual(picture(movie.pixels, 0));
  });

  test("refuses a turn that is no number", () => {
    expect(() => turningMovie({ seed: 0, frames: 2, degreesPerFrame: Number.NaN })).toThrow(
      "turningMovie: degreesPerFrame must be a number of degrees, got NaN",
    );
  });
});

// Rows of views: where they read a picture, and how far around each place.

import { describe, expect, test } from "vitest";
import {
  type Augmentation,
  affineDefaults,
  drawViews,
  meanTaps,
  patchesDefaults,
  simclrDefaults,
  type ViewSizes,
} from "../../src/data/augmentation.ts";
import { view, viewParameters } from "../../src/program/views.ts";

const square = (side: number) => ({ height: side, width: side });
const sizes = (from: number, to: number): ViewSizes => ({ from: square(from), to: square(to) });
const samples = Int32Array.from({ length: 100 }, (_, i) => i);

function rowsOf(augmentation: Augmentation, of: ViewSizes): Float32Array[] {
  const all = drawViews(augmentation, of, { seed: 1, epoch: 0, samples, views: 1 });
  return [...samples].map((i) => all.slice(i * viewParameters, (i + 1) * viewParameters));
}

const supports = (rows: readonly Float32Array[]): number[][] =>
  rows.map((row) => [...row.subarray(view.support, view.support + 2)]);

describe("antialiasing", () => {
  test("reaches as far as a crop is shrunk, along each side, and never less than bilinear", () => {
    const rows = rowsOf(simclrDefaults, sizes(96, 64));
    const shrunk = rows.map((row) => {
      const [left, top, right, bottom] = row.subarray(view.box, view.box + 4);
      return [(right - left + 1) / 64, (bottom - top + 1) / 64].map((scale) => Math.max(1, scale));
    });
    expect(supports(rows)).toEqual(shrunk);
    expect(shrunk.flat().some((scale) => scale > 1.3)).toBe(true);
    expect(shrunk.flat().some((scale) => scale === 1)).toBe(true);
  });

  test("reads a deformed picture as if it had been brought to the view's size", () => {
    expect(new Set(supports(rowsOf(affineDefaults, sizes(96, 64))).flat())).toEqual(new Set([1.5]));
  });

  test.each([simclrDefaults, affineDefaults])("of $kind is left out on demand, and moves nothing else", (defaults) => {
    const [on, off] = [true, false].map((antialias) => rowsOf({ ...defaults, antialias }, sizes(96, 64)));
    expect(new Set(supports(off).flat())).toEqual(new Set([1]));
    on.forEach((row, i) => {
      expect(row.subarray(0, view.support)).toEqual(off[i].subarray(0, view.support));
    });
  });

  test.each([simclrDefaults, affineDefaults])("of $kind changes nothing of pictures of the view's size", (defaults) => {
    expect(rowsOf(defaults, sizes(32, 32))).toEqual(rowsOf({ ...defaults, antialias: false }, sizes(32, 32)));
  });

  test.each([[patchesDefaults, 16] as const, [{ kind: "none" }, 64] as const])(
    "is nothing to %j, which never shrinks",
    (augmentation, to) => {
      expect(new Set(supports(rowsOf(augmentation, sizes(96, to))).flat())).toEqual(new Set([1]));
    },
  );
});

describe("pixels that a sample reads on average", () => {
  test("are four where nothing is shrunk", () => {
    expect(meanTaps(simclrDefaults, sizes(32, 32))).toBe(4);
    expect(meanTaps({ ...simclrDefaults, antialias: false }, sizes(96, 64))).toBe(4);
  });

  test("grow with the pictures", () => {
    expect(meanTaps(affineDefaults, sizes(96, 64))).toBeCloseTo(4 * 1.5 ** 2, 12);
    const [some, many] = [96, 256].map((side) => meanTaps(simclrDefaults, sizes(side, 64)));
    expect(some).toBeGreaterThan(4);
    expect(some).toBeLessThan(9);
    expect(many).toBeGreaterThan(2 * some);
  });
});

// Deformed pictures against plain loops from the formula, what is drawn against its distribution, and that seeds decide all of it.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import {
  affineDeformation,
  cifarDeformation,
  type Deformation,
  drawDeformation,
  neutralStrength,
  type Recipe,
  recipeWith,
  singleKinds,
  singles,
} from "../../src/data/deformations.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { deform } from "../../src/evaluation/deform.ts";
import { randomStream } from "../../src/program/random.ts";
import { view, viewParameters } from "../../src/program/views.ts";

function pictures(count: number, height: number, width: number, channels: 1 | 3): ImageSet {
  const random = randomStream(5, count);
  return {
    ...{ name: "noise", count, height, width, channels, classes: ["a", "b"] },
    pixels: Uint8Array.from({ length: count * height * width * channels }, () => random.integer(256)),
    labels: Int32Array.from({ length: count }, (_, i) => i % 2),
  };
}

const either = (kind: (typeof singleKinds)[number]): Deformation => ({ kind, outside: "border" });

/** Share of bytes that differ, and by how much at most. */
function difference(a: Uint8Array, b: Uint8Array): { share: number; most: number } {
  let [count, most] = [0, 0];
  a.forEach((value, i) => {
    if (value !== b[i]) count++;
    most = Math.max(most, Math.abs(value - b[i]));
  });
  return { share: count / a.length, most };
}

describe("a recipe, from the authors' formula by plain loops", () => {
  /** Python's colorsys. */
  function toHsv([r, g, b]: number[]): [number, number, number] {
    const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
    if (most === least) return [0, 0, most];
    const [rc, gc, bc] = [r, g, b].map((x) => (most - x) / (most - least));
    const h = r === most ? bc - gc : g === most ? 2 + rc - bc : 4 + gc - rc;
    return [(((h / 6) % 1) + 1) % 1, (most - least) / most, most];
  }
  function toRgb(h: number, s: number, v: number): number[] {
    const i = Math.floor(h * 6);
    const f = h * 6 - i;
    const [p, q, t] = [v * (1 - s), v * (1 - s * f), v * (1 - s * (1 - f))];
    return [
      [v, t, p],
      [q, v, p],
      [p, v, t],
      [p, q, v],
      [t, p, v],
      [v, p, q],
    ][i % 6];
  }

  /** One picture: what is drawn, PyTorch's affine_grid and grid_sample with align_corners, HSV, flip. */
  function brute(set: ImageSet, i: number, recipe: Recipe, strength: number, seed: number): number[] {
    const { height: h, width: w, channels } = set;
    const { perturb: p } = recipe;
    const random = randomStream(seed, 0xdef0, i);
    const uniform = Array.from({ length: 6 }, random.uniform);
    const signs = Array.from({ length: 6 }, () => random.integer(2));
    const [deformed, saturated, turned, flipped] = Array.from({ length: 4 }, random.uniform);
    const u = uniform.map((x, k) => {
      const drawn = recipe.kind === "cifar" ? (p / 4 + x * p) * (signs[k] === 1 ? 1 : -1) : -p / 2 + x * p;
      return deformed < recipe.share ? strength * drawn : 0;
    });
    const at = (y: number, x: number, c: number): number => {
      const inside = y >= 0 && y < h && x >= 0 && x < w;
      if (!inside && recipe.outside === "zeros") return 0;
      const [row, column] = [Math.min(h - 1, Math.max(0, y)), Math.min(w - 1, Math.max(0, x))];
      return set.pixels[((i * h + row) * w + column) * channels + c] / 255;
    };
    const result: number[] = [];
    for (let Y = 0; Y < h; Y++)
      for (let X = 0; X < w; X++) {
        const left = flipped < recipe.flip * Math.min(1, strength) ? w - 1 - X : X;
        const [gx, gy] = [(2 * left) / (w - 1) - 1, (2 * Y) / (h - 1) - 1];
        const x = (((1 + u[0]) * gx + u[1] * gy + 2 * u[2] + 1) / 2) * (w - 1);
        const y = ((u[3] * gx + (1 + u[4]) * gy + 2 * u[5] + 1) / 2) * (h - 1);
        const [x0, y0] = [Math.floor(x), Math.floor(y)];
        const [fx, fy] = [x - x0, y - y0];
        let pixel = Array.from({ length: channels }, (_, c) => {
          const top = (1 - fx) * at(y0, x0, c) + fx * at(y0, x0 + 1, c);
          const bottom = (1 - fx) * at(y0 + 1, x0, c) + fx * at(y0 + 1, x0 + 1, c);
          return (1 - fy) * top + fy * bottom;
        });
        if (channels === 3) {
          const [hue, s, v] = toHsv(pixel);
          const more = Math.min(1, s * 2 ** (strength * (-recipe.saturation / 2 + saturated * recipe.saturation)));
          const shifted = hue + strength * (-recipe.hue / 2 + turned * recipe.hue);
          pixel = toRgb(((shifted % 1) + 1) % 1, more, v);
        }
        result.push(...pixel.map((value) => Math.floor(255 * value + 0.5 - 2 ** -12)));
      }
    return result;
  }

  const cases: [string, Recipe, 1 | 3, number][] = [
    ["cifar", cifarDeformation, 3, 1],
    ["cifar, grey, p 0.4, black outside", { ...cifarDeformation, perturb: 0.4, outside: "zeros" }, 1, 1],
    ["cifar at strength 1.5", cifarDeformation, 3, 1.5],
    ["affine", affineDeformation, 1, 1],
    [
      "affine with border, colours and flips",
      recipeWith("t", "affine", { outside: "border", saturation: 4, hue: 0.2, flip: 0.5 }),
      3,
      1,
    ],
    ["affine at strength 0.5", affineDeformation, 3, 0.5],
  ];
  test.each(cases)("%s", async (_, recipe, channels, strength) => {
    const set = pictures(40, 9, 12, channels);
    const { pixels } = await deform(set, recipe, { strength, seed: 3 }, referenceBackend);
    const expected = Uint8Array.from(Array.from({ length: 40 }, (_, i) => brute(set, i, recipe, strength, 3)).flat());
    // Parameters are float32: a value that lies between two levels may go to the other one.
    const { share, most } = difference(pixels, expected);
    expect(most).toBeLessThanOrEqual(1);
    expect(share).toBeLessThan(1e-3);
    expect(difference(pixels, set.pixels).share).toBeGreaterThan(0.3);
  });
});

describe("what a recipe draws", () => {
  const size = { height: 33, width: 17 };
  const count = 4000;
  const rowOf = (deformation: Deformation, picture: number, strength = 1): Float32Array => {
    const row = new Float32Array(viewParameters);
    drawDeformation(deformation, size, { strength, seed: 7, picture }, row);
    return row;
  };
  /** u of theta = [[1 + u0, u1, 2·u2], [u3, 1 + u4, 2·u5]], out of a row's map on pixels, and whether it is flipped. */
  function drawn(row: Float32Array): { u: number[]; flipped: boolean } {
    const [h, w] = [(size.height - 1) / 2, (size.width - 1) / 2];
    let [a, b, c, d, e, f] = row.subarray(view.affine, view.affine + 6);
    const flipped = a < 0;
    if (flipped) [a, c, d, f] = [-a, c + a * 2 * w, -d, f + d * 2 * w];
    const [right, down] = [(a * w + b * h + c) / w - 1, (d * w + e * h + f) / h - 1];
    return { u: [a - 1, (b * h) / w, right / 2, (d * w) / h, e - 1, down / 2], flipped };
  }
  const mean = (values: number[]): number => values.reduce((sum, x) => sum + x / values.length, 0);

  test.each([0.2, 0.4])("cifar, p %d: half of the pictures, |u| from p/4 to 5p/4 to either side", (perturb) => {
    const recipe = { ...cifarDeformation, perturb };
    const all = Array.from({ length: count }, (_, i) => drawn(rowOf(recipe, i)));
    const moved = all.filter(({ u }) => Math.max(...u.map(Math.abs)) > 1e-3);
    expect(Math.abs(moved.length / count - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(all.filter(({ flipped }) => flipped).length / count - 0.5)).toBeLessThan(0.03);
    for (let k = 0; k < 6; k++) {
      const own = moved.map(({ u }) => u[k]);
      const sizes = own.map(Math.abs);
      expect(Math.min(...sizes)).toBeGreaterThan(perturb / 4 - 1e-6);
      expect(Math.min(...sizes)).toBeLessThan(perturb * 0.27);
      expect(Math.max(...sizes)).toBeLessThan((5 * perturb) / 4 + 1e-6);
      expect(Math.max(...sizes)).toBeGreaterThan(perturb * 1.23);
      expect(Math.abs(mean(sizes) - 0.75 * perturb)).toBeLessThan(0.03 * perturb);
      expect(Math.abs(mean(own.map(Math.sign)))).toBeLessThan(0.08);
    }
  });

  test("colours of all pictures: saturation by 2^U(−2, 2), hue by U(−0.1, 0.1)", () => {
    const rows = Array.from({ length: count }, (_, i) => rowOf(cifarDeformation, i));
    const powers = rows.map((row) => Math.log2(row[view.saturation]));
    const hues = rows.map((row) => row[view.hue]);
    for (const [values, most] of [
      [powers, 2],
      [hues, 0.1],
    ] as const) {
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(most + 1e-6);
      expect(Math.abs(mean(values))).toBeLessThan(0.05 * most);
      expect(Math.abs(mean(values.map((x) => x * x)) - most ** 2 / 3)).toBeLessThan(0.03 * most ** 2);
    }
    expect(rows.every((row) => row[view.colour] === 2)).toBe(true);
  });

  test("affine: every picture, u from −p/2 to p/2, unflipped", () => {
    const all = Array.from({ length: count }, (_, i) => drawn(rowOf(affineDeformation, i)));
    expect(all.some(({ flipped }) => flipped)).toBe(false);
    for (let k = 0; k < 6; k++) {
      const own = all.map(({ u }) => u[k]);
      expect(Math.max(...own.map(Math.abs))).toBeLessThanOrEqual(0.25 + 1e-6);
      expect(Math.max(...own.map(Math.abs))).toBeGreaterThan(0.24);
      expect(Math.abs(mean(own))).toBeLessThan(0.015);
      expect(Math.abs(mean(own.map((x) => x * x)) - 0.25 ** 2 / 3)).toBeLessThan(0.002);
    }
  });

  test("strength multiplies what one picture draws, and one key changes nothing of the others", () => {
    for (let i = 0; i < 50; i++) {
      const [one, three] = [1, 3].map((strength) => drawn(rowOf(affineDeformation, i, strength)).u);
      for (const [k, u] of one.entries()) expect(three[k]).toBeCloseTo(3 * u, 5);
      const [colours, plain] = [cifarDeformation, { ...cifarDeformation, saturation: 0, hue: 0 }].map((recipe) =>
        rowOf(recipe, i).subarray(view.affine, view.colour),
      );
      expect(plain).toEqual(colours);
    }
  });
});

describe("seeds and strengths", () => {
  const set = pictures(300, 8, 7, 3);
  const every: Deformation[] = [cifarDeformation, affineDeformation, ...singleKinds.map(either)];

  test.each(every)("$kind leaves every byte where nothing is to change, and keeps the labels", async (deformation) => {
    const backend = wasmBackend({ threads: 1 });
    const same = await deform(set, deformation, { strength: neutralStrength(deformation), seed: 1 }, backend);
    expect(same.pixels).toEqual(set.pixels);
    expect({ ...same, name: "noise" }).toEqual(set);
  });

  test.each(every)(
    "$kind: same seed same bytes on any threads, other seed others, a level at most from the reference",
    async (deformation) => {
      const strength = singles[deformation.kind as "shift"]?.strengths[1] ?? 1;
      const on = async (threads: number, seed: number): Promise<Uint8Array> =>
        (await deform(set, deformation, { strength, seed }, wasmBackend({ threads }))).pixels;
      const first = await on(1, 1);
      expect(await on(3, 1)).toEqual(first);
      const [exact, other] = await Promise.all(
        [1, 2].map(async (seed) => (await deform(set, deformation, { strength, seed }, referenceBackend)).pixels),
      );
      expect(difference(other, exact).share).toBeGreaterThan(0.2);
      const { share, most } = difference(first, exact);
      expect(most).toBeLessThanOrEqual(1);
      expect(share).toBeLessThan(1e-3);
    },
  );

  test("a picture is deformed alike wherever its set ends", async () => {
    const few = { ...set, count: 20, pixels: set.pixels.slice(0, 20 * 168), labels: set.labels.slice(0, 20) };
    const options = { strength: 1, seed: 1 };
    const [all, some] = [set, few].map((of) => deform(of, cifarDeformation, options, referenceBackend));
    expect((await some).pixels).toEqual((await all).pixels.slice(0, 20 * 168));
  });
});

describe("single deformations", () => {
  const square = pictures(30, 8, 8, 3);
  const bytesOf = async (deformation: Deformation, strength: number, set = square): Promise<Uint8Array> =>
    (await deform(set, deformation, { strength, seed: 2 }, referenceBackend)).pixels;
  const at = (pixels: Uint8Array, i: number, y: number, x: number, c = 0): number =>
    pixels[((i * 8 + y) * 8 + x) * 3 + c];

  test("a rotation by 90 degrees moves every pixel a quarter round the centre, to the left or to the right", async () => {
    const turned = await bytesOf(either("rotation"), 90);
    const sides = Array.from({ length: 30 }, (_, i) => {
      const every = (from: (y: number, x: number) => number): boolean =>
        Array.from({ length: 64 }, (_, k) => [k >> 3, k & 7]).every(([y, x]) => at(turned, i, y, x) === from(y, x));
      const left = every((y, x) => at(square.pixels, i, x, 7 - y));
      const right = every((y, x) => at(square.pixels, i, 7 - x, y));
      expect(left !== right).toBe(true);
      return left;
    });
    expect(new Set(sides).size).toBe(2);
  });

  test("a shift is as long as it is told, in any direction", () => {
    const angles = Array.from({ length: 200 }, (_, picture) => {
      const row = new Float32Array(viewParameters);
      drawDeformation(either("shift"), { height: 8, width: 8 }, { strength: 3, seed: 0, picture }, row);
      const [a, b, x, c, d, y] = row;
      expect([a, b, c, d]).toEqual([1, 0, 0, 1]);
      expect(Math.hypot(x, y)).toBeCloseTo(3, 5);
      return Math.atan2(y, x);
    });
    for (let quarter = -2; quarter < 2; quarter++)
      expect(angles.filter((angle) => Math.floor((2 * angle) / Math.PI) === quarter).length).toBeGreaterThan(25);
  });

  test("scale and shear keep the centre, and go as far as they are told to either side", () => {
    const seen = { scale: new Set<number>(), shear: new Set<number>() };
    for (let picture = 0; picture < 40; picture++)
      for (const kind of ["scale", "shear"] as const) {
        const row = new Float32Array(viewParameters);
        const strength = kind === "scale" ? 2 : 45;
        drawDeformation(either(kind), { height: 9, width: 5 }, { strength, seed: 0, picture }, row);
        const [a, b, x, c, d, y] = row;
        expect(a * 2 + b * 4 + x).toBeCloseTo(2, 5);
        expect(c * 2 + d * 4 + y).toBeCloseTo(4, 5);
        if (kind === "scale") expect([b, c, d - a]).toEqual([0, 0, 0]);
        else expect([a, c, d]).toEqual([1, 0, 1]);
        seen[kind].add(Number((kind === "scale" ? a : b).toFixed(5)));
      }
    expect([...seen.scale].sort()).toEqual([0.5, 2]);
    expect([...seen.shear].sort()).toEqual([-1, 1]);
  });

  test("a third of a turn of hue makes of red green or blue; saturation is doubled or halved", async () => {
    const red = { ...square, pixels: square.pixels.map((_, k) => (k % 3 === 0 ? 200 : 100)) };
    const turned = await bytesOf(either("hue"), 120, red);
    const turns = Array.from({ length: 30 }, (_, i) => [0, 1, 2].map((c) => at(turned, i, 3, 3, c)).join());
    expect([...new Set(turns)].sort()).toEqual(["100,100,200", "100,200,100"]);
    const changed = await bytesOf(either("saturation"), 2, red);
    const saturations = Array.from({ length: 30 }, (_, i) => [0, 1, 2].map((c) => at(changed, i, 3, 3, c)).join());
    // Of value 200 and saturation 1/2: saturations 1 and 1/4.
    expect([...new Set(saturations)].sort()).toEqual(["200,0,0", "200,150,150"]);
  });
});

describe("is refused with a sentence", () => {
  const grey = pictures(4, 5, 5, 1);
  const run = (deformation: Deformation, strength = 1) =>
    deform(grey, deformation, { strength, seed: 0 }, referenceBackend);
  test.each([
    [either("hue"), 30, /kind must be one that moves pixels, because noise has no colours, got hue/],
    [{ ...cifarDeformation, share: 2 }, 1, /deformation\.share must be a number from 0 to 1, got 2/],
    [{ ...cifarDeformation, perturb: Number.NaN }, 1, /deformation\.perturb must be a number from 0 to 2, got NaN/],
    [cifarDeformation, -1, /the strength of cifar must be a number of at least 0, got -1/],
    [either("scale"), 0.5, /the strength of scale must be a number of at least 1, got 0\.5/],
    [either("shear"), 90, /the strength of shear must be a number from 0 to 80, got 90/],
    [{ kind: "twist", outside: "border" } as unknown as Deformation, 1, /kind must be one of cifar, affine, rotation/],
    [
      { ...affineDeformation, outside: "mirror" } as unknown as Recipe,
      1,
      /outside must be zeros or border, got mirror/,
    ],
  ])("%j at %d", async (deformation, strength, sentence) => {
    await expect(run(deformation, strength)).rejects.toThrow(sentence);
  });
  test("a key that no recipe has, or a value of another type", () => {
    expect(() => recipeWith("robustness", "cifar", { perturp: 1 })).toThrow(/got perturp; did you mean perturb\?$/);
    expect(() => recipeWith("robustness", "cifar", { hue: "much" })).toThrow(/recipe\.hue must be a number, got much/);
  });
});

// Orientation tuning, receptive fields and Gabor fits: units whose answers are known, and twins by brute force.

import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { type Encoder, pictures } from "../../src/encoders/encoder.ts";
import { networks } from "../../src/encoders/networks.ts";
import { encoderFeatures } from "../../src/evaluation/features.ts";
import { fitGabor } from "../../src/evaluation/neuro/gabor.ts";
import { encodersOf } from "../../src/evaluation/neuro/inspect.ts";
import { filtersOf, middleUnit, spatialPart, triggeredAverages } from "../../src/evaluation/neuro/receptive-fields.ts";
import { renderGratings, renderNoise } from "../../src/evaluation/neuro/stimuli.ts";
import { tuningOf } from "../../src/evaluation/neuro/tuning.ts";

const size = { height: 16, width: 16, channels: 1 };
const gratings = renderGratings(size);

/** Answers of Σ filter · pixel to every picture, pixels about the grey in units of full contrast. */
function answers({ pixels, count }: ImageSet, filter: (x: number, y: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let p = 0; p < 256; p++)
      sum += filter((p % 16) - 7.5, Math.floor(p / 16) - 7.5) * (pixels[i * 256 + p] / 127.5 - 1);
    return sum;
  });
}

const gabor =
  (orientation: number, frequency: number, phase = 0) =>
  (x: number, y: number): number => {
    const radians = (orientation * Math.PI) / 180;
    const across = x * Math.sin(radians) + y * Math.cos(radians);
    return Math.exp(-(x * x + y * y) / 18) * Math.cos(2 * Math.PI * frequency * across - phase);
  };

describe("gratings", () => {
  test("at 0° have horizontal bars, at 90° vertical ones, and rise to the right at 45°", () => {
    const { set, frequencies, phases } = gratings;
    const pixel = (orientation: number, x: number, y: number): number =>
      set.pixels[((orientation / 15) * frequencies.length * phases + 2 * phases) * 256 + y * 16 + x];
    expect(frequencies[2]).toBeCloseTo(1 / 6, 12);
    for (const at of [1, 5, 9]) {
      expect(pixel(0, at, 4)).toBe(pixel(0, 0, 4));
      expect(pixel(90, 4, at)).toBe(pixel(90, 4, 0));
      // Along the bars: one to the right, one up.
      expect(Math.abs(pixel(45, 3 + at, 12 - at) - pixel(45, 3, 12))).toBeLessThanOrEqual(1);
    }
    expect(pixel(0, 4, 4)).not.toBe(pixel(0, 4, 6));
  });

  test("are of one mean, and end in grey", () => {
    const { pixels, count } = gratings.set;
    expect([...new Set(pixels.subarray((count - 1) * 256))]).toEqual([128]);
    for (let i = 0; i < count - 1; i += gratings.phases) {
      const phases = pixels.subarray(i * 256, (i + gratings.phases) * 256);
      expect(phases.reduce((sum, value) => sum + value, 0) / phases.length).toBeCloseTo(128, 1);
    }
  });
});

describe("tuning", () => {
  test.each([0, 30, 45, 90, 135])(
    "a linear unit with bars at %d° prefers them, is selective, and simple",
    (orientation) => {
      const tuned = tuningOf(answers(gratings.set, gabor(orientation, 1 / 6)), gratings);
      const off = Math.abs((tuned?.preferred ?? Number.NaN) - orientation);
      expect(Math.min(off, 180 - off)).toBeLessThan(3);
      expect(tuned?.frequency).toBeCloseTo(1 / 6, 12);
      expect(tuned?.circularVariance).toBeLessThan(0.5);
      expect(tuned?.selectivity).toBeGreaterThan(0.9);
      // A half-rectified sine at eight phases; at all of them π/2.
      expect(tuned?.modulation).toBeCloseTo(4 / (1 + Math.SQRT2), 2);
    },
  );

  test("the energy of two in quadrature is complex", () => {
    const [even, odd] = [0, Math.PI / 2].map((phase) => answers(gratings.set, gabor(60, 1 / 6, phase)));
    const tuned = tuningOf(
      even.map((value, i) => value * value + odd[i] ** 2),
      gratings,
    );
    expect(tuned?.modulation).toBeLessThan(0.2);
    expect(tuned?.selectivity).toBeGreaterThan(0.9);
    expect(tuned?.preferred).toBeCloseTo(60, 0);
  });

  test("a blob has none, and a constant added to all answers changes nothing", () => {
    const blob = answers(gratings.set, (x, y) => Math.exp(-(x * x + y * y) / 8));
    const tuned = tuningOf(blob, gratings);
    expect(tuned?.circularVariance).toBeGreaterThan(0.98);
    expect(tuned?.selectivity).toBeLessThan(0.05);
    expect(
      tuningOf(
        blob.map((value) => value + 64),
        gratings,
      )?.modulation,
    ).toBeCloseTo(tuned?.modulation ?? 0, 9);
  });

  test("circular variance and selectivity are those of the definitions", () => {
    const own = { orientations: [0, 45, 90, 135], frequencies: [0.1], phases: 1 };
    const tuned = tuningOf([3, 1, 1, 0, -1], own);
    // Above grey: 4, 2, 2, 1.
    const [along, across] = [4 - 2, 2 - 1];
    expect(tuned?.circularVariance).toBeCloseTo(1 - Math.hypot(along, across) / 9, 12);
    expect(tuned?.selectivity).toBeCloseTo((4 - 2) / (4 + 2), 12);
    expect(tuned?.preferred).toBeCloseTo((Math.atan2(across, along) * 90) / Math.PI, 12);
    expect(tuned?.curve).toEqual([1, 0.5, 0.5, 0.25]);
  });

  test("of a unit that answers to nothing there is none; a wrong number of answers is refused", () => {
    expect(tuningOf(new Float32Array(gratings.set.count).fill(-1), gratings)).toBeUndefined();
    expect(() => tuningOf([1, 2], gratings)).toThrow(
      `responses must be ${gratings.set.count}, to every grating and to grey, got 2`,
    );
  });
});

describe("receptive fields", () => {
  const names = ["tiny", "cifar-strided", "mnist"] as const;

  test.each(names)("the middle unit of %s sees its window and nothing else", async (name) => {
    const encoder: Encoder = networks[name];
    const { trained } = encodersOf({ network: encoder, weights: new Map(), valueRange: [-1, 1], seed: 1 });
    const { random } = encodersOf({ ...trained, seed: 1 });
    const { height, width, channels } = encoder;
    const base = renderNoise(encoder, 1, 0);
    const pixels = height * width;
    // The same picture again and again, another pixel of it turned each time.
    const changed = new Uint8Array((pixels + 1) * pixels * channels);
    const first = base.pixels.subarray(0, pixels * channels);
    for (let i = 0; i <= pixels; i++) {
      changed.set(first, i * pixels * channels);
      if (i < pixels)
        for (let c = 0; c < channels; c++)
          changed[i * pixels * channels + i * channels + c] = 255 - first[i * channels + c];
    }
    const set = { ...base, pixels: changed, count: pixels + 1, labels: new Int32Array(pixels + 1) };
    for (const { name: layer } of encoder.blocks.slice(0, 3)) {
      const unit = middleUnit(encoder, layer);
      const { features } = await encoderFeatures({ ...random, layer }, [set], wasmBackend({ threads: 1 }));
      const [{ rows, width: numbers }] = features;
      const moved = (i: number): boolean => {
        for (let c = 0; c < unit.channels; c++)
          if (Math.abs(rows[i * numbers + unit.first + c] - rows[pixels * numbers + unit.first + c]) > 1e-4)
            return true;
        return false;
      };
      const { top, left, side } = unit.window;
      const seen = Array.from({ length: pixels }, (_, i) => i).filter(moved);
      const [ys, xs] = [seen.map((i) => Math.floor(i / width)), seen.map((i) => i % width)];
      for (const [low, extent, found] of [
        [top, height, ys],
        [left, width, xs],
      ] as const) {
        expect(Math.min(...found), layer).toBe(Math.max(0, low));
        expect(Math.max(...found), layer).toBe(Math.min(extent, low + side) - 1);
      }
      expect(unit.channels).toBe(pictures(encoder)[encoder.blocks.findIndex((block) => block.name === layer) + 1][2]);
    }
  });

  test("an average over noise is the filter of a unit that is linear and rectified, within its window", () => {
    const noise = renderNoise(size, 4000, 3);
    const filter = gabor(30, 1 / 6);
    const linear = Float32Array.from(answers(noise, filter));
    const window = { top: 2, left: 3, side: 11 };
    const [found] = triggeredAverages(noise, linear, window);
    const wanted = Float64Array.from(found, (_, i) => filter((i % 11) + 3 - 7.5, Math.floor(i / 11) + 2 - 7.5));
    const product = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
    expect(product(found, wanted) / Math.sqrt(product(found, found) * product(wanted, wanted))).toBeGreaterThan(0.95);
    expect(fitGabor(found).orientation).toBeCloseTo(30, -1);
  });

  test("averages are Σ r·s/Σ r less the noise's own mean, outside the picture 0, and 0 of a unit that never answers", () => {
    const noise = renderNoise({ height: 2, width: 2, channels: 3 }, 5, 1);
    const responses = Float32Array.from([1, 9, 4, 9, 0, 9, 2, 9, 5, 9, 1, 9]);
    const [found, never] = triggeredAverages(noise, responses, { top: 1, left: 1, side: 2 });
    const s = (i: number, c: number): number => noise.pixels[i * 12 + 9 + c] / 127.5 - 1;
    const r = [0, 3, 0, 1, 4];
    for (const c of [0, 1, 2]) {
      const average = r.reduce((sum, value, i) => sum + value * s(i, c), 0) / 8;
      const mean = r.reduce((sum, _, i) => sum + s(i, c), 0) / 5;
      expect(found[c]).toBeCloseTo(average - mean, 12);
    }
    expect([...found.subarray(3)]).toEqual(new Array(9).fill(0));
    expect([...never]).toEqual(new Array(12).fill(0));
  });

  test("filters are read out of the weights, and their spatial part is that of a product", () => {
    const weight = Float32Array.from({ length: 2 * 2 * 3 * 4 }, (_, i) => i);
    expect([...filtersOf(weight, 4)[1]]).toEqual(Array.from({ length: 12 }, (_, k) => 4 * k + 1));
    const [space, colour] = [
      [1, -2, 0.5, 3],
      [0.5, -0.2, 0.4],
    ];
    const product = Float64Array.from(space.flatMap((p) => colour.map((c) => p * c)));
    const found = spatialPart(product, 3);
    const length = Math.hypot(...colour);
    space.forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value * length, 9);
    });
    // Colours that cancel, as red against green.
    const opponent = Float64Array.from(space.flatMap((p) => [p, -p, 0]));
    expect(Math.abs(spatialPart(opponent, 3)[3])).toBeCloseTo(3 * Math.SQRT2, 9);
  });
});

describe("Gabor functions", () => {
  test.each([
    [20, 0.15, 0.4],
    [75, 0.1, 1.5],
    [150, 0.25, 0],
  ])("at %d°, %d cycles a pixel: are found again", (orientation, frequency, phase) => {
    const field = Float64Array.from(
      { length: 225 },
      (_, i) => 0.3 * gabor(orientation, frequency, phase)((i % 15) - 8, Math.floor(i / 15) - 6),
    );
    const fit = fitGabor(field);
    expect(fit.r2).toBeGreaterThan(0.999);
    const off = Math.abs(fit.orientation - orientation);
    expect(Math.min(off, 180 - off)).toBeLessThan(1);
    expect(fit.frequency).toBeCloseTo(frequency, 2);
    expect([fit.x, fit.y]).toEqual([expect.closeTo(1, 1), expect.closeTo(-1, 1)]);
    expect(fit.across).toBeCloseTo(3, 1);
  });

  test("do not explain noise, but for most of 3 × 3 pixels", () => {
    const { pixels } = renderNoise({ height: 15, width: 15, channels: 1 }, 1, 0);
    expect(fitGabor(Float64Array.from(pixels.subarray(0, 225), (value) => value - 127.5)).r2).toBeLessThan(0.3);
    const { random } = encodersOf({ network: networks.mnist, weights: new Map(), valueRange: [0, 1], seed: 0 });
    const fits = filtersOf(random.weights.get("conv1.weight") ?? new Float32Array(), 32).map(
      (filter) => fitGabor(filter).r2,
    );
    expect(fits.filter((r2) => r2 > 0.6).length).toBeGreaterThan(16);
  });
});

// t-SNE against brute force, finite differences and scikit-learn; the layers' embeddings that it draws; the figure.

import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { encoderFeatures } from "../../src/evaluation/features.ts";
import { layerEmbeddings } from "../../src/evaluation/layer-embeddings.ts";
import { principalPlane } from "../../src/evaluation/principal-plane.ts";
import { Quadtree } from "../../src/evaluation/quadtree.ts";
import { divergenceOf, gradientOf, tsne } from "../../src/evaluation/tsne.ts";
import { type Similarities, similarities } from "../../src/evaluation/tsne-similarities.ts";
import { svgToPng } from "../../src/figures/png.ts";
import { type TsneFigure, tsneFigure } from "../../src/figures/tsne.ts";
import { pictureLayers } from "../../src/figures/tsne-figure.ts";
import { randomStream } from "../../src/program/random.ts";
import { readGolden } from "../goldens/read.ts";
import { goldenRows, type TsneGolden } from "../goldens/tsne-rows.ts";

const normals = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, randomStream(seed, 0).normal);

const square = (x: ArrayLike<number>, width: number, i: number, j: number): number => {
  let sum = 0;
  for (let k = 0; k < width; k++) sum += (x[i * width + k] - x[j * width + k]) ** 2;
  return sum;
};

/** P as a full matrix. */
function dense({ starts, columns, values }: Similarities): Float64Array {
  const n = starts.length - 1;
  const full = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let at = starts[i]; at < starts[i + 1]; at++) full[i * n + columns[at]] = values[at];
  return full;
}

/** The definition, all pairs: the divergence of P from the points' Q, and Z. */
function bruteDivergence(p: Float64Array, points: Float64Array): number {
  const n = points.length / 2;
  let z = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) z += 1 / (1 + square(points, 2, i, j));
  let sum = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const share = p[i * n + j];
      if (share > 0) sum += share * Math.log((share * z) / (1 / (1 + square(points, 2, i, j))));
    }
  return sum;
}

function bruteGradient(p: Float64Array, points: Float64Array, factor: number): Float64Array {
  const n = points.length / 2;
  let z = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) z += 1 / (1 + square(points, 2, i, j));
  return Float64Array.from(points, (value, at) => {
    const i = Math.floor(at / 2);
    let sum = 0;
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      const w = 1 / (1 + square(points, 2, i, j));
      sum += 4 * (factor * p[i * n + j] - w / z) * w * (value - points[2 * j + (at % 2)]);
    }
    return sum;
  });
}

const greatest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe("similarities", () => {
  test.each([5, 12.5])(
    "every row has the perplexity %f, over its nearest neighbours, found by brute force",
    (asked) => {
      const [n, width] = [60, 5];
      const rows = normals(n * width, 3).map((value, at) => value * 10 ** ((at % width) - 2));
      const found = similarities(rows, n, width, asked);
      const k = Math.floor(3 * asked + 1);
      const wanted = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        const others = Array.from({ length: n }, (_, j) => j)
          .filter((j) => j !== i)
          .sort((a, b) => square(rows, width, i, a) - square(rows, width, i, b))
          .slice(0, k);
        const shares = (sigma: number): number[] => {
          const raw = others.map((j) => Math.exp(-square(rows, width, i, j) / (2 * sigma * sigma)));
          const sum = raw.reduce((a, b) => a + b);
          return raw.map((value) => value / sum);
        };
        const entropy = (p: number[]): number => -p.reduce((sum, q) => sum + (q > 0 ? q * Math.log2(q) : 0), 0);
        // By the paper's σ, not by β: widths from narrow to wide, halved for each bit.
        let [narrow, wide] = [1e-3, 1e6];
        for (let step = 0; step < 100; step++) {
          const middle = Math.sqrt(narrow * wide);
          if (entropy(shares(middle)) < Math.log2(asked)) narrow = middle;
          else wide = middle;
        }
        const p = shares(wide);
        expect(2 ** entropy(p)).toBeCloseTo(asked, 6);
        expect(found.perplexities[i]).toBeCloseTo(asked, 6);
        others.forEach((j, c) => {
          wanted[i * n + j] += p[c] / (2 * n);
          wanted[j * n + i] += p[c] / (2 * n);
        });
      }
      expect(greatest(dense(found).map((value, at) => value - wanted[at]))).toBeLessThan(1e-9);
      expect(found.values.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    },
  );

  test("equal rows have no width that tells them apart, and no share that is not a number", () => {
    const rows = new Float32Array(40).map((_, at) => (at < 30 ? 1 : at));
    const { values, perplexities } = similarities(rows, 40, 1, 4);
    expect(values.every((value) => value >= 0)).toBe(true);
    expect(perplexities[0]).toBeCloseTo(13, 3);
    expect(perplexities[39]).toBeCloseTo(4, 6);
  });
});

describe("the gradient", () => {
  const [n, width] = [80, 4];
  const p = similarities(normals(n * width, 5), n, width, 8);
  const points = Float64Array.from(normals(2 * n, 6), (value) => 3 * value);
  // Some at one place, one next to it, and one far off.
  points.set([points[0], points[1], points[0], points[1], points[0] + 1e-12, points[1], 40, -70], 2);
  const forces = (theta: number, exaggeration = 1) => ({ theta, exaggeration, tree: new Quadtree() });

  test("at θ = 0 is the exact one, exaggerated or not, and so is the divergence", () => {
    for (const factor of [1, 12]) {
      const exact = bruteGradient(dense(p), points, factor);
      const found = gradientOf(p, points, forces(0, factor));
      expect(greatest(found.map((value, at) => value - exact[at]))).toBeLessThan(1e-13 * factor);
    }
    expect(divergenceOf(p, points, forces(0))).toBeCloseTo(bruteDivergence(dense(p), points), 12);
  });

  test("at θ = 0 is the slope of the divergence, by finite differences", () => {
    const gradient = gradientOf(p, points, forces(0));
    const step = 1e-5;
    for (const at of [12, 13, 50, 101, 8, 159]) {
      const moved = (by: number): number =>
        bruteDivergence(
          dense(p),
          points.map((value, i) => (i === at ? value + by : value)),
        );
      const slope = (moved(step) - moved(-step)) / (2 * step);
      expect(Math.abs(gradient[at] - slope)).toBeLessThan(1e-8);
    }
  });

  test("at θ = 0.5 differs, by little, and a tree that is built again forgets what it was built of", () => {
    const exact = bruteGradient(dense(p), points, 1);
    const { tree } = forces(0);
    tree.build(Float64Array.from(normals(4000, 9)));
    const found = gradientOf(p, points, { theta: 0.5, exaggeration: 1, tree });
    const off = greatest(found.map((value, at) => value - exact[at])) / greatest(exact);
    expect(off).toBeGreaterThan(1e-6);
    expect(off).toBeLessThan(0.02);
    expect(found).toEqual(gradientOf(p, points, forces(0.5)));
  });
});

describe("t-SNE", () => {
  const { rows, width } = goldenRows();
  const golden = readGolden<TsneGolden>("tsne");

  test("starts from scikit-learn's principal components", () => {
    const plane = principalPlane(rows, rows.length / width, width, 0);
    const wanted = golden.tensor("plane").data;
    expect(greatest(plane.map((value, at) => value - wanted[at]))).toBeLessThan(1e-5);
  });

  test.each(golden.json.divergences)("ends as low as scikit-learn does: %j", async ({ perplexity, divergence }) => {
    const picture = await tsne(rows, width, { perplexity });
    expect(picture.divergence / divergence).toBeLessThan(1.03);
    expect(picture.divergence / divergence).toBeGreaterThan(0.9);
    const p = similarities(rows, rows.length / width, width, perplexity);
    expect(picture.divergence).toBeCloseTo(bruteDivergence(dense(p), picture.coordinates), 9);
  });

  test("keeps two clusters apart that are apart, and gives the same bytes for the same rows and seed", async () => {
    const n = 60;
    const apart = normals(n * 8, 4).map((value, at) => value + (Math.floor(at / 8) % 2) * 20);
    const options = { perplexity: 8, iterations: 500 };
    const { coordinates } = await tsne(apart, 8, options);
    for (let i = 0; i < n; i++) {
      const distances = Array.from({ length: n }, (_, j) => ({ j, d: i === j ? 0 : square(coordinates, 2, i, j) }));
      const own = Math.max(...distances.filter(({ j }) => j % 2 === i % 2).map(({ d }) => d));
      const other = Math.min(...distances.filter(({ j }) => j % 2 !== i % 2).map(({ d }) => d));
      expect(other).toBeGreaterThan(own);
    }
    expect((await tsne(apart, 8, options)).coordinates).toEqual(coordinates);
    // The principal components are the same from any seed, but for rounding; a random start is not.
    const random = { ...options, start: "random" } as const;
    const [one, again, another] = [
      await tsne(apart, 8, { ...random, seed: 1 }),
      await tsne(apart, 8, { ...random, seed: 1 }),
      await tsne(apart, 8, { ...random, seed: 2 }),
    ];
    expect(again).toEqual(one);
    expect(another.coordinates).not.toEqual(one.coordinates);
  });

  test("rows on a line do not stay on it, nor do equal rows break it", async () => {
    const line = Float32Array.from({ length: 100 }, (_, at) => Math.floor(at / 2 / 3));
    const { coordinates, divergence } = await tsne(line, 2, { perplexity: 5, iterations: 300 });
    expect(coordinates.every(Number.isFinite) && Number.isFinite(divergence)).toBe(true);
    expect(greatest(coordinates.filter((_, at) => at % 2 === 1))).toBeGreaterThan(1e-3);
  });

  test("progress is told and waited for", async () => {
    const told: number[] = [];
    const { iterations } = await tsne(normals(80, 1), 2, {
      perplexity: 5,
      iterations: 400,
      onIterations: async (done, of) => {
        await Promise.resolve();
        told.push(done);
        expect(of).toBe(400);
      },
    });
    expect(told).toEqual(Array.from({ length: iterations / 50 }, (_, i) => 50 * (i + 1)));
  });

  test.each([
    [normals(80, 1), { perplexity: 13 }, /perplexity must be from 1 to below \(n − 1\) \/ 3 = 13, of 40 rows, got 13$/],
    [normals(80, 1), { perplexity: 0.5 }, /perplexity must be from 1/],
    [normals(6, 1), { perplexity: 1 }, /rows must be 4 or more of 2 numbers, got 3 rows$/],
    [normals(81, 1), { perplexity: 5 }, /rows must be 4 or more of 2 numbers, got 40.5 rows$/],
    [normals(80, 1).fill(Number.NaN, 7, 8), { perplexity: 5 }, /row 3 must be finite, got NaN$/],
    [
      normals(80, 1).fill(1),
      { perplexity: 5 },
      /rows must be different from each other, got 40 equal ones; .*collapsed$/,
    ],
    [normals(80, 1), { perplexity: 5, theta: 0.8 }, /theta must be from 0 to 0.7, got 0.8$/],
    [normals(80, 1), { perplexity: 5, iterations: 250 }, /iterations must be a whole number above 250/],
    [normals(80, 1), { perplexity: 5, start: "random", seed: -1 }, /seed must be a whole number/],
  ] as const)("refuses what it cannot draw (%#)", async (bad, options, message) => {
    await expect(tsne(bad, 2, options)).rejects.toThrow(message);
  });
});

describe("embeddings of every layer", () => {
  const set = proceduralObjects({ split: "test", count: 30, seed: 1, size: 16 });
  const weights = new Map([...initialise(createModel(networks.tiny), 3)].map(([{ name }, values]) => [name, values]));
  const encoder = { network: networks.tiny, weights, valueRange: [-1, 1] } as const;

  test("are the blocks' outputs averaged over places, on both backends", async () => {
    const layers = await layerEmbeddings(encoder, set, referenceBackend);
    expect(layers.map(({ layer, width, count }) => [layer, width, count])).toEqual([
      ["conv1", 16, 30],
      ["conv2", 32, 30],
      ["conv3", 64, 30],
    ]);
    const { features } = await encoderFeatures(encoder, [set], referenceBackend);
    const { rows, width } = features[0];
    const [last] = layers.slice(-1);
    const places = width / last.width;
    const averaged = last.rows.map((_, at) => {
      const [i, c] = [Math.floor(at / last.width), at % last.width];
      let sum = 0;
      for (let place = 0; place < places; place++) sum += rows[i * width + place * last.width + c];
      return sum / places;
    });
    expect(greatest(averaged)).toBeGreaterThan(0.01);
    expect(greatest(last.rows.map((value, at) => value - averaged[at]))).toBeLessThan(1e-6);
    const told: number[] = [];
    const fast = await layerEmbeddings(encoder, set, wasmBackend({ threads: 2 }), (done) => told.push(done));
    expect(told).toEqual([30]);
    for (const [i, { rows: wanted }] of layers.entries())
      expect(greatest(fast[i].rows.map((value, at) => value - wanted[at]))).toBeLessThan(1e-5 * greatest(wanted));
  });

  test("are drawn with their numbers; what has collapsed is said by its name", async () => {
    const layers = (await layerEmbeddings(encoder, set, referenceBackend)).slice(1);
    const labellings = { classes: set.labels };
    const pictures = await pictureLayers(layers, layers, labellings, { perplexity: 5, iterations: 300 });
    expect(pictures.map(({ layer, subject, width }) => [layer, subject, width])).toEqual([
      ["conv2", "trained", 32],
      ["conv3", "trained", 64],
      ["conv3", "random", 64],
    ]);
    // The same encoder stands for the random one: the numbers are those of the same layer.
    for (const { numbers, random } of pictures)
      expect(random.classes).toEqual(numbers.labellings.classes.representation);
    expect(pictures[2].coordinates).toEqual(pictures[1].coordinates);
    const dead = layers.map((one) => ({ ...one, rows: one.rows.map(() => 0.5) }));
    await expect(pictureLayers(layers, dead, labellings)).rejects.toThrow(
      /^tsne: conv3 of the random encoder must tell pictures apart/,
    );
  });
});

describe("the figure", () => {
  const labels = Int32Array.from({ length: 120 }, (_, i) => i % 12);
  const figure = (panels: number): TsneFigure => ({
    title: "movie: every layer by t-SNE",
    caption: "120 pictures",
    panels: Array.from({ length: panels }, (_, i) => ({ heading: `conv${i + 1}`, coordinates: normals(240, i) })),
    colourings: [
      {
        heading: "By class",
        note: "a note",
        names: Array.from({ length: 12 }, (_, i) => `class <${i}>`),
        labels,
        lines: Array.from({ length: panels }, () => ["57 % / 60 %", "untrained 38 %"]),
      },
    ],
  });

  test.each([1, 4, 6, 7])(
    "of %i panels has every point once in each, a legend, and lines under them",
    async (panels) => {
      const svg = tsneFigure(figure(panels));
      expect(svg.match(/M[\d.]+ [\d.]+h0/g)).toHaveLength(120 * panels);
      expect(svg.match(/57 % \/ 60 %/g)).toHaveLength(panels);
      for (const text of ["conv1", "class &lt;9&gt;", "2 more", "untrained 38 %"]) expect(svg).toContain(`>${text}<`);
      expect(svg).not.toMatch(/NaN|undefined|Infinity|class &lt;10/);
      const { width, data } = PNG.sync.read(Buffer.from(await svgToPng(svg, 1)));
      expect(width).toBe(720);
      // Dots of no length are drawn: the first class's colour is there, and not only in the legend.
      let seen = 0;
      for (let at = 0; at < data.length; at += 4)
        if (data[at] === 0x3f && data[at + 1] === 0x90 && data[at + 2] === 0xda) seen++;
      expect(seen).toBeGreaterThan(90 + 10 * panels);
      expect(tsneFigure(figure(panels))).toBe(svg);
    },
  );

  test("of no panels is refused", () => {
    expect(() => tsneFigure(figure(0))).toThrow(/panels must be one or more, got 0/);
  });
});

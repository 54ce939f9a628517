// CLAPP on patches: the loss against loops over a grid, the pairs that are drawn, and the patches that are cut.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { checkGradient } from "../../src/conformance/gradients.ts";
import { drawViews, type Patches, patchesPerSide } from "../../src/data/augmentation.ts";
import { type ClappPatches, clappPatches } from "../../src/losses/clapp-patches.ts";
import type { PairDraw } from "../../src/losses/loss.ts";
import { recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent, type Tensor } from "../../src/program/tensor.ts";
import { viewParameters } from "../../src/program/views.ts";

const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const random = randomStream(5, 0xc1a99);
const normal = (count: number, scale: number): number[] => indices(count).map(() => scale * random.normal());

const usual: ClappPatches = {
  side: 4,
  steps: 2,
  skip: 1,
  negatives: 2,
  negativesFrom: "batch",
  retrodiction: false,
  eitherOr: false,
  score: "map",
};
const [images, places, channels] = [3, 4, 3];
const patches = usual.side * usual.side * images;
const draw = (options: ClappPatches, seed = 1): PairDraw => {
  const { pairs } = clappPatches(options);
  if (pairs === undefined) throw new Error("no pairs");
  return pairs.draw(images, randomStream(seed));
};

interface Drawn {
  readonly context: number;
  readonly target: number;
  readonly weight: number;
}

function list({ rows, weights }: PairDraw): Drawn[] {
  return [...weights].map((weight, i) => ({ context: rows[2 * i], target: rows[2 * i + 1], weight }));
}

/** Row of image s at row y, column x of the grid. */
const rowOf = (y: number, x: number, s: number): number => (y * usual.side + x) * images + s;

/** The pairs that belong together at step k, by the loops of the definition. */
function together({ side, skip }: ClappPatches, k: number): [number, number][] {
  const found: [number, number][] = [];
  for (let y = 0; y + k + skip < side; y++)
    for (const x of indices(side))
      for (const s of indices(images)) found.push([rowOf(y, x, s), rowOf(y + k + skip, x, s)]);
  return found;
}

/** Pairs of each step, in the order of the list. */
function byStep(options: ClappPatches, drawn: readonly Drawn[]): { k: number; pairs: Drawn[] }[] {
  let at = 0;
  return indices(options.steps).map((i) => {
    const count = together(options, i + 1).length * (1 + options.negatives);
    const pairs = drawn.slice(at, at + count);
    at += count;
    return { k: i + 1, pairs };
  });
}

/** Value, δ and changes by loops over pairs, places and channels; `weights[k − 1]` is W_k [c in, c out], then R_k. */
function twin(options: ClappPatches, z: readonly number[], weights: readonly (readonly number[])[], drawn: PairDraw) {
  const { steps, retrodiction, score } = options;
  const error = z.map(() => 0);
  const changes = weights.map((w) => w.map(() => 0));
  let [value, open] = [0, [0, 0]];
  const mean = score === "mean";
  const size = mean ? 1 : places;
  /** Channel c of place p of a row, or the mean over its places; and the same backwards. */
  const at = (row: number, p: number, c: number): number =>
    mean
      ? indices(places).reduce((sum, q) => sum + z[(row * places + q) * channels + c] / places, 0)
      : z[(row * places + p) * channels + c];
  const give = (row: number, p: number, c: number, amount: number): void => {
    if (!mean) error[(row * places + p) * channels + c] += amount;
    else for (const q of indices(places)) error[(row * places + q) * channels + c] += amount / places;
  };
  /** The hinge of ⟨M from, to⟩: what it costs, and the three changes, of which `moves` says who receives. */
  function hinge(m: number, from: number, to: number, weight: number, moves: { from: boolean; to: boolean }): void {
    let u = 0;
    for (const p of indices(size))
      for (const i of indices(channels))
        for (const o of indices(channels)) u += at(from, p, i) * weights[m][i * channels + o] * at(to, p, o);
    const sign = Math.sign(weight);
    if (weight === 0 || 1 - sign * u <= 0) return;
    value += Math.abs(weight) * (1 - sign * u);
    if (m < steps) open[weight > 0 ? 0 : 1]++;
    for (const p of indices(size))
      for (const i of indices(channels))
        for (const o of indices(channels)) {
          changes[m][i * channels + o] -= weight * at(from, p, i) * at(to, p, o);
          if (moves.from) give(from, p, i, -weight * weights[m][i * channels + o] * at(to, p, o));
          if (moves.to) give(to, p, o, -weight * weights[m][i * channels + o] * at(from, p, i));
        }
  }
  for (const { k, pairs } of byStep(options, list(drawn)))
    for (const { context, target, weight } of pairs)
      if (retrodiction) {
        hinge(k - 1, context, target, weight, { from: false, to: true });
        hinge(steps + k - 1, target, context, weight, { from: false, to: true });
      } else hinge(k - 1, context, target, weight, { from: true, to: true });
  return { value, error, changes, open };
}

/** The loss alone on maps z [patches, 2, 2, 3], on the reference backend. */
async function evaluate(options: ClappPatches, z: readonly number[], weights: readonly number[][], drawn: PairDraw) {
  const output = persistent("output", [patches, 2, 2, channels], "input");
  const count = drawn.weights.length;
  const pairs = {
    rows: persistent("pairs", [count, 2], "input", "i32"),
    weights: persistent("pairWeights", [count], "input"),
  };
  const prepared = clappPatches(options).prepare([2, 2, channels], 1);
  const record = recordProgram("CLAPP on patches");
  const { value, error, metrics, changes } = prepared.record(record, { output, pairs });
  const program = record.finish([]);
  const engine = await referenceBackend.prepare([program]);
  engine.write(output, Float64Array.from(z));
  engine.write(pairs.rows, drawn.rows);
  engine.write(pairs.weights, Float64Array.from(drawn.weights));
  expect(prepared.parameters.length).toBe(weights.length);
  for (const [i, { tensor }] of prepared.parameters.entries()) engine.write(tensor, Float64Array.from(weights[i]));
  await engine.run(program);
  const read = async (tensor: Tensor): Promise<number[]> => [...(await engine.read(tensor))];
  const changeOf = new Map<Tensor, number[]>();
  for (const { weight, gradient } of changes) changeOf.set(weight, await read(gradient));
  return {
    value: (await read(value))[0],
    error: await read(error),
    changes: prepared.parameters.map(({ tensor }) => changeOf.get(tensor) ?? []),
    active: await Promise.all(metrics.map(async ({ tensor, index, per }) => (await read(tensor))[index] / per)),
  };
}

describe("the loss", () => {
  const variants: readonly { readonly title: string; readonly change: Partial<ClappPatches> }[] = [
    { title: "as the authors ran it, with 2 negatives", change: {} },
    { title: "one negative, the same place in another image", change: { negatives: 1, negativesFrom: "otherImage" } },
    { title: "neighbours, three steps", change: { skip: 0, steps: 3 } },
    { title: "retrodiction", change: { retrodiction: true } },
    { title: "either or", change: { eitherOr: true } },
    { title: "scores from means", change: { score: "mean" } },
    { title: "retrodiction from means, either or", change: { retrodiction: true, eitherOr: true, score: "mean" } },
  ];

  test.each(variants)("$title: value, δ, changes and gates are the loops'", async ({ change }) => {
    const options = { ...usual, ...change };
    const matrices = options.steps * (options.retrodiction ? 2 : 1);
    const z = normal(patches * places * channels, options.score === "mean" ? 1.4 : 0.5);
    const weights = indices(matrices).map(() => normal(channels * channels, 0.9));
    const drawn = draw(options, 2);
    const got = await evaluate(options, z, weights, drawn);
    const wanted = twin(options, z, weights, drawn);
    const near = (a: readonly number[], b: readonly number[], what: string): void => {
      expect(a.length, what).toBe(b.length);
      for (const [i, x] of b.entries()) expect(Math.abs(a[i] - x), `${what}[${i}]`).toBeLessThan(1e-12);
    };
    near([got.value], [wanted.value], "value");
    near(got.error, wanted.error, "error");
    for (const [m, changes] of wanted.changes.entries()) near(got.changes[m], changes, `change ${m}`);
    const positives = indices(options.steps).reduce((sum, i) => sum + together(options, i + 1).length, 0);
    near(got.active, [wanted.open[0] / positives, wanted.open[1] / (options.negatives * positives)], "open gates");
    for (const share of got.active) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(1);
    }
    // With retrodiction each hinge moves one side alone, so that δ is not the slope of the value.
    if (!options.retrodiction)
      expect(
        await checkGradient({
          value: async (x) => twin(options, [...x], weights, drawn).value,
          at: Float64Array.from(z),
          gradient: Float64Array.from(got.error),
        }),
      ).toBe("equal");
  });

  test("costs 2 for each step where all maps are silent: every margin is open by 1", async () => {
    const silent = new Array(patches * places * channels).fill(0);
    const weights = [normal(9, 1), normal(9, 1)];
    const { value, active } = await evaluate(usual, silent, weights, draw(usual));
    expect(value).toBeCloseTo(2 * usual.steps, 6);
    expect(active).toEqual([1, 1]);
  });
});

describe("pairs", () => {
  test.each([1, 2])("that belong are all of step %i, once and in the order of contexts", (k) => {
    const [step] = byStep(usual, list(draw(usual))).filter((one) => one.k === k);
    const found = step.pairs.filter(({ weight }) => weight > 0).map(({ context, target }) => [context, target]);
    expect(found).toEqual(together(usual, k));
  });

  test("weigh 1 for all that belong, and 1 for all that do not, in every step", () => {
    for (const { pairs } of byStep(usual, list(draw(usual)))) {
      const total = (sign: number): number => pairs.reduce((sum, { weight }) => sum + Math.max(0, sign * weight), 0);
      expect(total(1)).toBeCloseTo(1, 6);
      expect(total(-1)).toBeCloseTo(1, 6);
    }
  });

  const negatives = (options: ClappPatches, seed: number): Drawn[] =>
    list(draw(options, seed)).filter(({ weight }) => weight < 0);

  test("that do not belong come from all patches of the batch alike", () => {
    const counts = new Array(patches).fill(0);
    const all = indices(200).flatMap((seed) => negatives(usual, seed));
    for (const { target } of all) counts[target]++;
    // A mean of 500 each: five standard deviations.
    const mean = all.length / patches;
    for (const count of counts) expect(Math.abs(count - mean)).toBeLessThan(5 * Math.sqrt(mean));
  });

  test("of another image stand at the context's target, in one and the same other image for all places", () => {
    const options: ClappPatches = { ...usual, negatives: 1, negativesFrom: "otherImage" };
    const partners = indices(40).map((seed) => {
      const other = new Map<number, number>();
      const drawn = list(draw(options, seed));
      for (const { k, pairs } of byStep(options, drawn))
        for (const { context, target } of pairs.filter(({ weight }) => weight < 0)) {
          const [s, t] = [context % images, target % images];
          expect(target - t).toBe(context - s + (k + options.skip) * options.side * images);
          expect(other.get(s) ?? t).toBe(t);
          expect(t).not.toBe(s);
          other.set(s, t);
        }
      return indices(images).map((s) => other.get(s));
    });
    // Both others of three images come up.
    for (const s of indices(images)) expect(new Set(partners.map((one) => one[s])).size).toBe(images - 1);
  });

  test("count on one side of each image alone under either-or, and on each side in half of all draws", () => {
    const options = { ...usual, eitherOr: true };
    const sides = indices(200).flatMap((seed) => {
      const of = new Map<number, number>();
      for (const { context, weight } of list(draw(options, seed)).filter((one) => one.weight !== 0)) {
        expect(of.get(context % images) ?? Math.sign(weight)).toBe(Math.sign(weight));
        of.set(context % images, Math.sign(weight));
      }
      expect(of.size).toBe(images);
      return [...of.values()];
    });
    expect(Math.abs(sides.reduce((sum, sign) => sum + sign, 0))).toBeLessThan(5 * Math.sqrt(sides.length));
  });

  test("are the same for the same seed", () => {
    expect(draw(usual, 4)).toEqual(draw(usual, 4));
    expect(draw(usual, 4)).not.toEqual(draw(usual, 5));
  });
});

describe("patches of a picture", () => {
  const grid: Patches = { kind: "patches", crop: 16, size: 8, stride: 4, flip: 0.5 };
  const from = { height: 18, width: 21 };
  const side = patchesPerSide(grid);
  /** A picture whose pixel values are their places, in two bytes' worth of one channel. */
  const pixels = Uint8Array.from({ length: from.height * from.width }, (_, i) => i % 251);

  async function cut(flip: number, epoch: number): Promise<number[][]> {
    const record = recordProgram("patches");
    const images = persistent("images", [1, from.height, from.width, 1], "input", "u8");
    const rows = persistent("indices", [side * side], "input", "i32");
    const parameters = persistent("parameters", [side * side, viewParameters], "input");
    const { x } = record.makeViews(
      { images, indices: rows, parameters },
      { height: grid.size, width: grid.size, low: 0, high: 255 },
      { x: "patches" },
    );
    const program = record.finish([x]);
    const engine = await referenceBackend.prepare([program]);
    const sizes = { from, to: { height: grid.size, width: grid.size } };
    const key = { seed: 3, epoch, samples: Int32Array.of(0), views: side * side };
    engine.write(images, pixels);
    engine.write(parameters, Float64Array.from(drawViews({ ...grid, flip }, sizes, key)));
    await engine.run(program);
    const values = [...(await engine.read(x))].map(Math.round);
    return indices(side * side).map((patch) => values.slice(patch * grid.size ** 2, (patch + 1) * grid.size ** 2));
  }

  test("a crop of 64 pixels holds 7 × 7 patches of 16 in steps of 8", () => {
    expect(patchesPerSide({ crop: 64, size: 16, stride: 8 })).toBe(7);
    expect(side).toBe(3);
  });

  test.each([0, 1])("are cut from one crop, row by row (flip %i)", async (flip) => {
    const starts = new Set<string>();
    for (const epoch of indices(12)) {
      const found = await cut(flip, epoch);
      const crops = indices(from.height - grid.crop + 1).flatMap((top) =>
        indices(from.width - grid.crop + 1).map((left) => ({ top, left })),
      );
      const fits = crops.filter(({ top, left }) =>
        found.every((patch, number) =>
          patch.every((value, i) => {
            const y = top + Math.floor(number / side) * grid.stride + Math.floor(i / grid.size);
            const x = (number % side) * grid.stride + (i % grid.size);
            return value === pixels[y * from.width + left + (flip ? grid.crop - 1 - x : x)];
          }),
        ),
      );
      expect(fits.length).toBe(1);
      starts.add(JSON.stringify(fits[0]));
    }
    expect(starts.size).toBeGreaterThan(5);
  });
});

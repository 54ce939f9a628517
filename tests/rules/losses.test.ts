// Every loss against a brute-force twin in float64: the paper's loops, read aloud, and the gradient of the whole step under BP.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { checkGradient } from "../../src/conformance/gradients.ts";
import { openStep } from "../../src/conformance/step.ts";
import type { Encoder } from "../../src/encoders/encoder.ts";
import { recordBlock, recordBlocks } from "../../src/encoders/forward.ts";
import { initialise } from "../../src/encoders/model.ts";
import { clapp } from "../../src/losses/clapp.ts";
import { amitHinge, crossEntropy } from "../../src/losses/classification.ts";
import { type ContrastiveHinge, contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import type { Loss } from "../../src/losses/loss.ts";
import { type Scff, scff } from "../../src/losses/scff.ts";
import { type SimclrLoss, simclr } from "../../src/losses/simclr.ts";
import type { Negatives } from "../../src/program/operations.ts";
import { recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent, type Shape, sizeOf } from "../../src/program/tensor.ts";
import { backpropagation } from "../../src/rules/backpropagation.ts";
import { expectGradients } from "../support/step-gradients.ts";

/** Row s is A_s, row n + s is B_s; or one row of logits per image. */
type Rows = readonly (readonly number[])[];

interface Twin {
  readonly value: number;
  /** δ at every row. */
  readonly error: number[][];
}

const zeros = (rows: Rows): number[][] => rows.map((row) => row.map(() => 0));
const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const split = (values: ArrayLike<number>, count: number): number[][] => {
  const d = values.length / count;
  return indices(count).map((row) => indices(d).map((k) => values[row * d + k]));
};

function randomRows(count: number, d: number, size: number, seed: number): number[][] {
  const random = randomStream(seed, 0x1055);
  return indices(count).map(() => indices(d).map(() => size * random.normal()));
}

/** Equal but for the order of sums: values here are at most about 100. */
function expectNear(got: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  expect(got.length, what).toBe(wanted.length);
  for (const i of indices(wanted.length)) expect(Math.abs(got[i] - wanted[i]), `${what}[${i}]`).toBeLessThan(1e-12);
}

interface Evaluation {
  readonly value: number;
  readonly firstRow: number;
  /** δ of rows `firstRow` to the end. */
  readonly error: number[];
  readonly metrics: Record<string, number>;
  /** Gradients of the loss's own parameters, by name. */
  readonly changes: Record<string, number[]>;
}

interface EvaluationInput {
  readonly output: Rows;
  /** One row's shape; default [d]. */
  readonly shape?: Shape;
  readonly labels?: readonly number[];
  /** Values of the loss's own parameters, in their order. */
  readonly parameters?: readonly (readonly number[])[];
}

/** The loss alone, on a given output, on the reference backend. */
async function evaluate(loss: Loss, { output, shape, labels, parameters = [] }: EvaluationInput): Promise<Evaluation> {
  const row = shape ?? [output[0].length];
  const x = persistent("output", [output.length, ...row], "input");
  const y = persistent("labels", [output.length], "input", "i32");
  const prepared = loss.prepare(shape ?? [1, 1, output[0].length], 1);
  const record = recordProgram(loss.name);
  const trace = prepared.record(record, { output: x, ...(labels ? { labels: y } : {}) });
  const program = record.finish([]);
  const engine = await referenceBackend.prepare([program]);
  engine.write(x, Float64Array.from(output.flat()));
  if (labels) engine.write(y, Int32Array.from(labels));
  for (const [i, { tensor }] of prepared.parameters.entries()) engine.write(tensor, Float64Array.from(parameters[i]));
  await engine.run(program);
  const read = async (tensor: Parameters<typeof engine.read>[0]): Promise<number[]> => [...(await engine.read(tensor))];
  const metrics: Record<string, number> = {};
  for (const { name, tensor, index, per } of trace.metrics) metrics[name] = (await read(tensor))[index] / per;
  const changes: Record<string, number[]> = {};
  for (const { weight, gradient } of trace.changes) changes[weight.name] = await read(gradient);
  return {
    value: (await read(trace.value))[0],
    firstRow: trace.firstRow,
    error: await read(trace.error),
    metrics,
    changes,
  };
}

/** δ is the slope of the twin's value, along as many directions as there are rows. */
async function expectSlopes(output: Rows, error: readonly number[], value: (rows: Rows) => number): Promise<void> {
  for (const seed of indices(output.length)) {
    const check = checkGradient({
      value: async (x) => value(split(x, output.length)),
      at: Float64Array.from(output.flat()),
      gradient: Float64Array.from(error),
      seed,
    });
    expect(await check).toBe("equal");
  }
}

describe("contrastive hinge", () => {
  /** N_s, with the weight of each negative. */
  function negativesOf(negatives: Negatives, s: number, n: number): { t: number; weight: number }[] {
    switch (negatives.kind) {
      case "all":
        return indices(n)
          .filter((t) => t !== s)
          .map((t) => ({ t, weight: 1 }));
      case "next":
        return indices(negatives.count).map((i) => ({ t: (s + 1 + i) % n, weight: 1 }));
      case "authorsCode":
        // The loop over the i-th super-diagonals i = 0 … future − 1: the 0-th holds the positives, no diagonal wraps around.
        return indices(negatives.count)
          .filter((i) => i > 0 && s + i < n)
          .map((i) => ({ t: s + i, weight: 1 / negatives.count }));
      case "past":
        // Seen from view t: the buffer holds anchors t − gap, t − gap − spacing, …, as far as the batch goes back.
        return indices(n)
          .filter((t) => indices(negatives.count).some((i) => t - negatives.gap - i * negatives.spacing === s))
          .map((t) => ({ t, weight: 1 }));
      default:
        return negatives satisfies never;
    }
  }

  /** Equation 2; δ by equations 4–7, one pair after another. */
  function twin(rows: Rows, { m1, m2, negatives, gradientBlock }: ContrastiveHinge) {
    const n = rows.length / 2;
    const error = zeros(rows);
    const [a, b] = [rows.slice(0, n), rows.slice(n)];
    const [errorA, errorB] = [error.slice(0, n), error.slice(n)];
    const sgn = (x: number): number => (x > 0 ? 1 : x < 0 ? -1 : 0);
    const distance = (s: number, t: number): number => a[s].reduce((sum, x, k) => sum + Math.abs(x - b[t][k]), 0);
    let [value, positives, opened, pairs] = [0, 0, 0, 0];
    for (const s of indices(n)) {
      if (distance(s, s) > m1) {
        value += distance(s, s) - m1;
        positives++;
        a[s].forEach((x, k) => {
          errorB[s][k] -= sgn(x - b[s][k]);
          if (!gradientBlock) errorA[s][k] += sgn(x - b[s][k]);
        });
      }
      for (const { t, weight } of negativesOf(negatives, s, n)) {
        pairs++;
        if (distance(s, t) < m2) {
          value += weight * (m2 - distance(s, t));
          opened++;
          a[s].forEach((x, k) => {
            errorB[t][k] += weight * sgn(x - b[t][k]);
            if (!gradientBlock) errorA[s][k] -= weight * sgn(x - b[t][k]);
          });
        }
      }
    }
    return { value, error, positives: positives / n, opened: opened / pairs };
  }

  const n = 6;
  const variants: readonly Negatives[] = [
    { kind: "all" },
    { kind: "next", count: 1 },
    { kind: "next", count: 2 },
    { kind: "next", count: n - 1 },
    { kind: "authorsCode", count: 2 },
    { kind: "authorsCode", count: 5 },
    { kind: "authorsCode", count: n },
    { kind: "past", count: 2, gap: 1, spacing: 1 },
    { kind: "past", count: 3, gap: 2, spacing: 1 },
    { kind: "past", count: 2, gap: 1, spacing: 3 },
    { kind: "past", count: 2, gap: 2, spacing: 2 },
  ];
  const cases = variants.flatMap((negatives) =>
    [false, true].map((gradientBlock) => ({
      name: `${negatives.kind}${negatives.kind === "all" ? "" : ` ${negatives.count}`}${gradientBlock ? ", blocked" : ""}`,
      options: { m1: 1, m2: 3, negatives, gradientBlock },
    })),
  );
  // Every other pair is near.
  const anchors = randomRows(n, 4, 0.7, 1);
  const shifts = randomRows(n, 4, 0.7, 2);
  const views = anchors.map((row, s) => row.map((x, k) => x + (s % 2 === 0 ? 1 : 0.1) * shifts[s][k]));
  const rows = [...anchors, ...views];

  test.each(cases)("$name: value, δ and gates are the loops'", async ({ options }) => {
    const got = await evaluate(contrastiveHinge(options), { output: rows });
    const wanted = twin(rows, options);
    // Gates of either kind, some open and some closed.
    for (const share of [wanted.positives, wanted.opened]) expect(share).toBeGreaterThan(0);
    expect(wanted.positives).toBeLessThan(1);
    expect(wanted.opened).toBeLessThan(1);
    expectNear([got.value], [wanted.value], "value");
    expect(got.firstRow).toBe(options.gradientBlock ? n : 0);
    expectNear(got.error, wanted.error.slice(got.firstRow).flat(), "error");
    expect(got.metrics).toEqual({ activePositives: wanted.positives, activeNegatives: wanted.opened });
  });

  test.each(cases.filter(({ options }) => !options.gradientBlock))(
    "$name: δ is the slope of equation 2",
    async (one) => {
      const { error } = await evaluate(contrastiveHinge(one.options), { output: rows });
      await expectSlopes(rows, error, (moved) => twin(moved, one.options).value);
    },
  );

  test("under the gradient block δ is the slope with the anchors held fixed", async () => {
    const options = { m1: 1, m2: 3, negatives: { kind: "next", count: 2 }, gradientBlock: true } as const;
    const { error } = await evaluate(contrastiveHinge(options), { output: rows });
    await expectSlopes(views, error, (moved) => twin([...anchors, ...moved], options).value);
  });

  test("the next n − 1 views are all the others", async () => {
    const options = { m1: 1, m2: 3, gradientBlock: false };
    const all = await evaluate(contrastiveHinge({ ...options, negatives: { kind: "all" } }), { output: rows });
    const next = await evaluate(contrastiveHinge({ ...options, negatives: { kind: "next", count: n - 1 } }), {
      output: rows,
    });
    expect(next).toEqual(all);
  });

  /** Pictures s = 0 … 3 far apart, both views at the same place; then some are moved. */
  const apart = (move: (a: number[][], b: number[][]) => void): Rows => {
    const [a, b] = [0, 1].map(() => indices(4).map((s) => [100 * s, 0]));
    move(a, b);
    return [...a, ...b];
  };

  test.each([
    { negatives: { kind: "next", count: 1 }, anchor: 3, view: 0, seen: true },
    { negatives: { kind: "next", count: 1 }, anchor: 3, view: 1, seen: false },
    { negatives: { kind: "next", count: 2 }, anchor: 3, view: 1, seen: true },
    { negatives: { kind: "next", count: 2 }, anchor: 2, view: 0, seen: true },
    { negatives: { kind: "next", count: 1 }, anchor: 1, view: 0, seen: false },
    { negatives: { kind: "next", count: 3 }, anchor: 1, view: 0, seen: true },
    { negatives: { kind: "authorsCode", count: 2 }, anchor: 0, view: 1, seen: true },
    { negatives: { kind: "authorsCode", count: 2 }, anchor: 0, view: 2, seen: false },
    { negatives: { kind: "authorsCode", count: 4 }, anchor: 3, view: 0, seen: false },
    { negatives: { kind: "authorsCode", count: 1 }, anchor: 0, view: 1, seen: false },
    { negatives: { kind: "all" }, anchor: 3, view: 0, seen: true },
  ] as const)("$negatives: is B_$view a negative of A_$anchor: $seen", async ({ negatives, anchor, view, seen }) => {
    // The one distance below m2 is that of the anchor and the view.
    const output = apart((a, b) => {
      b[view][0] = a[anchor][0] + 0.5;
    });
    const options = { m1: 0.75, m2: 1, negatives, gradientBlock: false };
    const { value } = await evaluate(contrastiveHinge(options), { output });
    // d⁺ of the view that moved is open as well; its part is known.
    const positive = Math.abs(output[view][0] - output[4 + view][0]) - 0.75;
    const weight = negatives.kind === "authorsCode" ? 1 / negatives.count : 1;
    expect(value).toBe(positive + (seen ? weight * 0.5 : 0));
  });

  test("a distance equal to its margin opens no gate, and sgn 0 is 0", async () => {
    const at = { m1: 1, m2: 3, negatives: { kind: "all" }, gradientBlock: false } as const;
    // d⁺ = 1 twice, d⁻ = 3 twice: all at their margins.
    const edge = [
      [0, 0],
      [4, 0],
      [1, 0],
      [3, 0],
    ];
    expect((await evaluate(contrastiveHinge(at), { output: edge })).error).toEqual(new Array(8).fill(0));
    // Margins a quarter further in open all four; the coordinates that are equal have no error.
    const open = await evaluate(contrastiveHinge({ ...at, m1: 0.75, m2: 3.25 }), { output: edge });
    expect(open.value).toBe(1);
    expect(open.error).toEqual(twin(edge, { ...at, m1: 0.75, m2: 3.25 }).error.flat());
    expect(open.error.filter((_, i) => i % 2 === 1).map(Math.abs)).toEqual(new Array(4).fill(0));
    expect(open.metrics).toEqual({ activePositives: 1, activeNegatives: 1 });
  });

  test.each([
    { wrong: { negatives: { kind: "next", count: n } }, said: `a count from 0 to ${n - 1}` },
    { wrong: { negatives: { kind: "next", count: -1 } }, said: `a count from 0 to ${n - 1}` },
    { wrong: { negatives: { kind: "authorsCode", count: n + 1 } }, said: `a count from 1 to ${n}` },
    { wrong: { m1: -1 }, said: "m1" },
    { wrong: { m2: 1 }, said: "m2 must be a margin above m1" },
  ] as const)("nonsense is refused: $said", async ({ wrong, said }) => {
    const options = { m1: 1, m2: 3, negatives: { kind: "all" }, gradientBlock: false, ...wrong } as ContrastiveHinge;
    await expect(evaluate(contrastiveHinge(options), { output: rows })).rejects.toThrow(said);
  });
});

describe("SimCLR", () => {
  /** Algorithm 1 of Chen et al. 2020: mean over the 2N views of −log softmax of the partner's similarity. */
  function algorithm1(rows: Rows, temperature: number): number {
    const views = rows.length;
    const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, v, k) => sum + v * y[k], 0);
    const s = (i: number, j: number): number =>
      dot(rows[i], rows[j]) / (Math.sqrt(dot(rows[i], rows[i])) * Math.sqrt(dot(rows[j], rows[j])));
    let total = 0;
    for (const i of indices(views)) {
      let denominator = 0;
      for (const k of indices(views)) if (k !== i) denominator += Math.exp(s(i, k) / temperature);
      const partner = i < views / 2 ? i + views / 2 : i - views / 2;
      total -= Math.log(Math.exp(s(i, partner) / temperature) / denominator);
    }
    return total / views;
  }

  const n = 4;
  const rows = randomRows(2 * n, 5, 2, 2);
  const cases: readonly (SimclrLoss & { views: number })[] = [
    // Eq. 1 sums over the 2n views; the authors' code adds the means over the n images of both directions.
    { reduction: "sum", temperature: 0.5, views: 2 * n },
    { reduction: "sum", temperature: 0.1, views: 2 * n },
    { reduction: "mean", temperature: 0.5, views: 2 },
    { reduction: "mean", temperature: 1, views: 2 },
  ];

  test.each(cases)("$reduction, τ = $temperature: value and δ are Algorithm 1's", async ({ views, ...options }) => {
    const got = await evaluate(simclr(options), { output: rows });
    expectNear([got.value], [views * algorithm1(rows, options.temperature)], "value");
    expect(got.firstRow).toBe(0);
    expect(Math.max(...got.error.map(Math.abs))).toBeGreaterThan(0.01);
    await expectSlopes(rows, got.error, (moved) => views * algorithm1(moved, options.temperature));
  });

  test("the two views are alike: exchanged, they keep the value and exchange their errors", async () => {
    const loss = simclr({ reduction: "sum", temperature: 0.5 });
    const exchange = <T>(all: readonly T[]): T[] => [...all.slice(all.length / 2), ...all.slice(0, all.length / 2)];
    const one = await evaluate(loss, { output: rows });
    const other = await evaluate(loss, { output: exchange(rows) });
    expectNear([other.value], [one.value], "value");
    expectNear(exchange(other.error), one.error, "error");
  });

  test.each([0.1, 2])("views all on one ray cost log(2n − 1) each and pull nowhere (τ = %d)", async (temperature) => {
    const output = indices(2 * n).map((i) => [3, 0, -4].map((x) => (i + 1) * x));
    const { value, error } = await evaluate(simclr({ reduction: "sum", temperature }), { output });
    expectNear([value], [2 * n * Math.log(2 * n - 1)], "value");
    expectNear(error, new Array(output.length * 3).fill(0), "error");
  });

  test("pairs that agree and are orthogonal to all others cost log(1 + (2n − 2)·exp(−1/τ)) each", async () => {
    const axes = indices(n).map((i) => indices(n).map((k) => (k === i ? 2 : 0)));
    const { value } = await evaluate(simclr({ reduction: "mean", temperature: 0.5 }), { output: [...axes, ...axes] });
    expectNear([value], [2 * Math.log(1 + (2 * n - 2) * Math.exp(-1 / 0.5))], "value");
  });

  test("a temperature of 0 is refused", async () => {
    const loss = simclr({ reduction: "sum", temperature: 0 });
    await expect(evaluate(loss, { output: rows })).rejects.toThrow("temperature must be above 0");
  });
});

describe("CLAPP", () => {
  interface Context {
    /** [c in, c out]. */
    readonly weight: readonly number[];
    readonly bias: readonly number[];
  }

  /** Rows are maps, place after place; u_st = ⟨W_c z_s, z′_t⟩ over the whole map, [1 − u_ss]₊ and [1 + u_st]₊. */
  function twin(rows: Rows, { weight, bias }: Context) {
    const n = rows.length / 2;
    const c = bias.length;
    const places = rows[0].length / c;
    const error = zeros(rows);
    const weightGradient = weight.map(() => 0);
    const biasGradient = bias.map(() => 0);
    let [value, positives, opened] = [0, 0, 0];
    for (const s of indices(n))
      for (const t of indices(n)) {
        let u = 0;
        for (const p of indices(places))
          for (const o of indices(c)) {
            let context = bias[o];
            for (const i of indices(c)) context += rows[s][p * c + i] * weight[i * c + o];
            u += context * rows[n + t][p * c + o];
          }
        const sign = s === t ? -1 : 1;
        if (!(1 + sign * u > 0)) continue;
        value += 1 + sign * u;
        if (s === t) positives++;
        else opened++;
        for (const p of indices(places))
          for (const o of indices(c)) {
            const view = rows[n + t][p * c + o];
            error[n + t][p * c + o] += sign * bias[o];
            biasGradient[o] += sign * view;
            for (const i of indices(c)) {
              const z = rows[s][p * c + i];
              error[n + t][p * c + o] += sign * z * weight[i * c + o];
              error[s][p * c + i] += sign * weight[i * c + o] * view;
              weightGradient[i * c + o] += sign * z * view;
            }
          }
      }
    return { value, error, weightGradient, biasGradient, positives: positives / n, opened: opened / (n * (n - 1)) };
  }

  const n = 5;
  const shape = [2, 3, 4];
  const rows = randomRows(2 * n, sizeOf(shape), 0.5, 3);
  const [weight, bias] = [randomRows(1, 16, 0.7, 4)[0], randomRows(1, 4, 0.7, 5)[0]];

  test("value, both pictures' δ, the context's changes and the gates are the loops'", async () => {
    const got = await evaluate(clapp, { output: rows, shape, parameters: [weight, bias] });
    const wanted = twin(rows, { weight, bias });
    for (const share of [wanted.positives, wanted.opened]) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(1);
    }
    expectNear([got.value], [wanted.value], "value");
    expect(got.firstRow).toBe(0);
    expectNear(got.error, wanted.error.flat(), "error");
    expect(Object.keys(got.changes)).toEqual(["context1.weight", "context1.bias"]);
    expectNear(got.changes["context1.weight"], wanted.weightGradient, "context's weight");
    expectNear(got.changes["context1.bias"], wanted.biasGradient, "context's bias");
    expect(got.metrics).toEqual({ activePositives: wanted.positives, activeNegatives: wanted.opened });
    await expectSlopes(rows, got.error, (moved) => twin(moved, { weight, bias }).value);
  });

  test("the context's changes are the slopes of the value", async () => {
    const { changes } = await evaluate(clapp, { output: rows, shape, parameters: [weight, bias] });
    await expectSlopes([weight], changes["context1.weight"], ([moved]) => twin(rows, { weight: moved, bias }).value);
    await expectSlopes([bias], changes["context1.bias"], ([moved]) => twin(rows, { weight, bias: moved }).value);
  });

  test("a score at its margin opens no gate", async () => {
    // One pixel, one channel, the identity as context: u = A·B, so u_00 = u_11 = 1 and u_01 = u_10 = −1.
    const output = [[1], [-1], [1], [-1]];
    const got = await evaluate(clapp, { output, shape: [1, 1, 1], parameters: [[1], [0]] });
    expect(got).toEqual({
      value: 0,
      firstRow: 0,
      error: [0, 0, 0, 0],
      metrics: { activePositives: 0, activeNegatives: 0 },
      changes: { "context1.weight": [0], "context1.bias": [0] },
    });
  });
});

describe("SCFF", () => {
  /** Rows are maps, place after place of `c` channels; the first half are positives. Slopes by the chain rule, place by place. */
  function twin(rows: Rows, c: number, { positiveThreshold, negativeThreshold }: Scff) {
    const n = rows.length / 2;
    const places = rows[0].length / c;
    const error = zeros(rows);
    let value = 0;
    const sums = { positiveGoodness: 0, negativeGoodness: 0, positivesAbove: 0, negativesBelow: 0 };
    rows.forEach((row, i) => {
      for (const place of indices(places)) {
        const units = indices(c).map((k) => place * c + k);
        const goodness = units.reduce((sum, k) => sum + (row[k] > 0 ? row[k] * row[k] : 0), 0) / c;
        const excess = i < n ? positiveThreshold - goodness : goodness - negativeThreshold;
        value += Math.log(1 + Math.exp(excess)) / (n * places);
        const slope = ((i < n ? -1 : 1) * Math.exp(excess)) / (1 + Math.exp(excess)) / (n * places);
        for (const k of units) if (row[k] > 0) error[i][k] = (slope * 2 * row[k]) / c;
        if (i < n) {
          sums.positiveGoodness += goodness;
          if (goodness > positiveThreshold) sums.positivesAbove++;
        } else {
          sums.negativeGoodness += goodness;
          if (goodness < negativeThreshold) sums.negativesBelow++;
        }
      }
    });
    const metrics = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / (n * places)]));
    return { value, error, metrics };
  }

  const n = 4;
  const shape = [2, 3, 5];
  const rows = randomRows(2 * n, sizeOf(shape), 1, 7);
  const options = { positiveThreshold: 0.6, negativeThreshold: 0.4 };

  test.each([options, { positiveThreshold: 0.3, negativeThreshold: 0.7 }])(
    "%o: value, δ and goodness are the loops'",
    async (one) => {
      const got = await evaluate(scff(one), { output: rows, shape });
      const wanted = twin(rows, 5, one);
      for (const share of [wanted.metrics.positivesAbove, wanted.metrics.negativesBelow]) {
        expect(share).toBeGreaterThan(0);
        expect(share).toBeLessThan(1);
      }
      expectNear([got.value], [wanted.value], "value");
      expect(got.firstRow).toBe(0);
      expectNear(got.error, wanted.error.flat(), "error");
      expect(Object.keys(got.metrics)).toEqual(Object.keys(wanted.metrics));
      expectNear(Object.values(got.metrics), Object.values(wanted.metrics), "metrics");
      await expectSlopes(rows, got.error, (moved) => twin(moved, 5, one).value);
    },
  );

  test("goodness beyond exp's range costs what it exceeds, and a gate is open or shut", async () => {
    // A silent positive, a negative of goodness 10,000.
    const output = [[0], [100]];
    const got = await evaluate(scff({ ...options, positiveThreshold: 5000 }), { output, shape: [1, 1, 1] });
    expectNear([got.value], [5000 + 10_000 - 0.4], "value");
    expectNear(got.error, [0, 200], "error");
    const other = await evaluate(scff(options), { output: output.toReversed(), shape: [1, 1, 1] });
    expectNear([other.value], [Math.log(1 + Math.exp(-0.4))], "value");
    expectNear(other.error, [0, 0], "error");
  });

  test("a place at its threshold is not past it", async () => {
    const { metrics } = await evaluate(scff({ positiveThreshold: 0.25, negativeThreshold: 0.25 }), {
      output: [[0.5], [0.5]],
      shape: [1, 1, 1],
    });
    expect(metrics).toMatchObject({ positivesAbove: 0, negativesBelow: 0 });
  });

  test.each([
    { wrong: { positiveThreshold: 0 }, said: "positive must be a threshold above 0" },
    { wrong: { negativeThreshold: -1 }, said: "negative must be a threshold above 0" },
  ])("nonsense is refused: $said", async ({ wrong, said }) => {
    await expect(evaluate(scff({ ...options, ...wrong }), { output: rows, shape })).rejects.toThrow(said);
  });

  describe("what enters the layer that learns", () => {
    const [height, width, channels] = [6, 6, 2];
    const encoder: Encoder = {
      name: "two layers",
      height,
      width,
      channels,
      blocks: ["conv1", "conv2"].map((name) => ({
        name,
        outputs: 3,
        kernel: 3,
        stride: 1,
        padding: 1,
        bias: false,
        after: ["hardtanh", "maxPool"],
      })),
      head: { averagePool: 1, outputs: 5, bias: false },
    };
    const size = height * width * channels;
    const [a, b] = [8, 9].map((seed) => randomRows(n, size, 1, seed));

    /** The layer's input and output in a step on `views`, and what the encoder alone makes of these views and of any input of the layer. */
    async function look(layer: number, views: Rows, inputOf: (below: number[][]) => Rows) {
      const step = await openStep({
        encoder,
        loss: scff(options),
        update: backpropagation,
        batch: n,
        backend: referenceBackend,
        first: layer,
        end: layer + 1,
      });
      const start = initialise(step, 1);
      // Nothing above the layer is in its step.
      step.write(new Map([...start].slice(0, layer + 1)));
      step.engine.write(step.views, Float64Array.from(views.flat()));
      await step.engine.run(step.gradientProgram);
      const [{ input, output }] = step.blocks;
      const seen = [...(await step.engine.read(output))];
      const joined = [...(await step.engine.read(input))];

      const plain = recordProgram("the encoder alone");
      const pictures = persistent("pictures", [views.length, height, width, channels], "input");
      const traces = recordBlocks(plain, step.model, pictures);
      const below = traces[layer].input;
      const alone = plain.finish(traces.map((trace) => trace.output));
      const part = recordProgram("the layer alone");
      const x = persistent("x", below.shape, "input");
      const { output: y } = recordBlock(part, encoder.blocks[layer], step.model.blocks[layer], x);
      const layerAlone = part.finish([y]);
      const engine = await referenceBackend.prepare([alone, layerAlone]);
      for (const [tensor, values] of start) engine.write(tensor, values);
      engine.write(pictures, Float64Array.from(views.flat()));
      await engine.run(alone);
      const passed = [...(await engine.read(traces[layer].output))];
      const entering = inputOf(split(layer === 0 ? views.flat() : await engine.read(below), views.length)).flat();
      engine.write(x, Float64Array.from(entering));
      await engine.run(layerAlone);
      return { seen, joined, passed, entering, expected: [...(await engine.read(y))] };
    }

    const half = (x: readonly number[], y: readonly number[]): number[] => x.map((value, k) => (value + y[k]) / 2);

    test.each([0, 1])("is, of a picture joined with itself, the encoder's own: layer %d", async (layer) => {
      const { seen, passed } = await look(layer, [...a, ...a], (below) => below);
      expect(seen.slice(0, seen.length / 2)).toEqual(passed.slice(0, seen.length / 2));
      expect(Math.max(...passed)).toBeGreaterThan(0);
      // The negatives are not.
      expect(seen.slice(seen.length / 2)).not.toEqual(passed.slice(seen.length / 2));
    });

    test.each([0, 1])(
      "joins A_s with B_s, and with B of the next picture, around the batch: layer %d",
      async (layer) => {
        const joinedByHand = (below: Rows): Rows => [
          ...indices(n).map((s) => half(below[s], below[n + s])),
          ...indices(n).map((s) => half(below[s], below[n + ((s + 1) % n)])),
        ];
        const { seen, joined, entering, expected } = await look(layer, [...a, ...b], joinedByHand);
        expect(joined).toEqual(entering);
        expect(seen).toEqual(expected);
      },
    );
  });
});

describe("supervised losses", () => {
  const labels = [2, 0, 1, 1, 3];
  const rows = randomRows(labels.length, 4, 1.2, 6);
  const correct = (logits: Rows, right: readonly number[]): number =>
    logits.filter((row, i) => row.indexOf(Math.max(...row)) === right[i]).length / right.length;

  /** −log of the label's share, the mean over images; ∂/∂o = (share − 1[label]) / n. */
  function crossEntropyTwin(logits: Rows, right: readonly number[]): Twin {
    let value = 0;
    const error = logits.map((row, i) => {
      const total = row.reduce((sum, o) => sum + Math.exp(o), 0);
      value -= Math.log(Math.exp(row[right[i]]) / total) / logits.length;
      return row.map((o, k) => (Math.exp(o) / total - (k === right[i] ? 1 : 0)) / logits.length);
    });
    return { value, error };
  }

  /** [1 − o_y]₊ + μ/(C − 1)·Σ_{c ≠ y} [1 + o_c]₊, the mean over images; ∂/∂o ∈ {−1, μ/(C − 1), 0} / n. */
  const amitTwin =
    (offClass: number) =>
    (logits: Rows, right: readonly number[]): Twin => {
      let value = 0;
      const error = zeros(logits);
      logits.forEach((row, i) => {
        row.forEach((o, c) => {
          if (c === right[i] && o < 1) {
            value += (1 - o) / logits.length;
            error[i][c] = -1 / logits.length;
          }
          if (c !== right[i] && o > -1) {
            value += (offClass / (row.length - 1)) * ((1 + o) / logits.length);
            error[i][c] = offClass / (row.length - 1) / logits.length;
          }
        });
      });
      return { value, error };
    };

  test.each([
    { name: "cross-entropy", loss: crossEntropy, twin: crossEntropyTwin },
    { name: "Amit's hinge, μ = 1", loss: amitHinge({ offClass: 1 }), twin: amitTwin(1) },
    { name: "Amit's hinge, μ = 0.25", loss: amitHinge({ offClass: 0.25 }), twin: amitTwin(0.25) },
  ])("$name: value, δ and accuracy are the loops'", async ({ loss, twin }) => {
    const got = await evaluate(loss, { output: rows, labels });
    const wanted = twin(rows, labels);
    expectNear([got.value], [wanted.value], "value");
    expectNear(got.error, wanted.error.flat(), "error");
    const share = correct(rows, labels);
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
    expect(got.metrics).toEqual({ accuracy: share });
    await expectSlopes(rows, got.error, (moved) => twin(moved, labels).value);
    // No label, no loss.
    await expect(evaluate(loss, { output: rows })).rejects.toThrow("labels must be one label per image");
  });

  test("cross-entropy of logits beyond exp's range is finite and right", async () => {
    const { value, error } = await evaluate(crossEntropy, {
      output: [
        [2000, 0],
        [-2000, 0],
      ],
      labels: [1, 1],
    });
    expectNear([value], [(2000 + 0) / 2], "value");
    expectNear(error, [0.5, -0.5, 0, 0], "error");
  });

  test("equal logits cost log C, and the first of them is the answer", async () => {
    const { value, metrics } = await evaluate(crossEntropy, {
      output: [
        [7, 7, 7],
        [7, 7, 7],
      ],
      labels: [0, 2],
    });
    expectNear([value], [Math.log(3)], "value");
    expect(metrics).toEqual({ accuracy: 0.5 });
  });

  test("in Amit's hinge an output at its margin has no error", async () => {
    const { value, error } = await evaluate(amitHinge({ offClass: 1 }), { output: [[1, -1, -1]], labels: [0] });
    expect(value).toBe(0);
    expect(error).toEqual([0, 0, 0]);
  });

  test("a weight of 0 for the wrong classes is refused", async () => {
    const loss = amitHinge({ offClass: 0 });
    await expect(evaluate(loss, { output: rows, labels })).rejects.toThrow("offClass must be above 0");
  });
});

describe("the whole step under BP", () => {
  const encoder: Encoder = {
    name: "small",
    height: 6,
    width: 6,
    channels: 2,
    blocks: [
      { name: "conv1", outputs: 3, kernel: 3, stride: 1, padding: 1, bias: true, after: ["hardtanh"] },
      { name: "conv2", outputs: 4, kernel: 3, stride: 1, padding: 1, bias: false, after: ["maxPool"] },
    ],
    head: { averagePool: 1, outputs: 5, bias: false },
  };
  const hinge = (negatives: Negatives) => contrastiveHinge({ m1: 0.5, m2: 3, negatives, gradientBlock: false });
  const losses: readonly { name: string; loss: Loss; parameters: readonly string[] }[] = [
    { name: "hinge, all negatives", loss: hinge({ kind: "all" }), parameters: [] },
    { name: "hinge, next 2", loss: hinge({ kind: "next", count: 2 }), parameters: [] },
    { name: "hinge, authors' code", loss: hinge({ kind: "authorsCode", count: 3 }), parameters: [] },
    { name: "SimCLR, sum", loss: simclr({ reduction: "sum", temperature: 0.1 }), parameters: [] },
    { name: "SimCLR, mean", loss: simclr({ reduction: "mean", temperature: 0.5 }), parameters: [] },
    { name: "CLAPP", loss: clapp, parameters: ["context2.weight", "context2.bias"] },
    {
      name: "SCFF",
      loss: scff({ positiveThreshold: 0.5, negativeThreshold: 0.2 }),
      parameters: [],
    },
    { name: "cross-entropy", loss: crossEntropy, parameters: ["head.bias"] },
    { name: "Amit's hinge", loss: amitHinge({ offClass: 0.5 }), parameters: [] },
  ];

  test.each(losses)("$name: every gradient agrees with a finite difference", async ({ loss, parameters }) => {
    const step = await openStep({
      encoder,
      loss,
      update: backpropagation,
      batch: 4,
      classes: 3,
      backend: referenceBackend,
    });
    const { engine, gradients, views, labels } = step;
    // Three times the default: units saturate here and there, and gates of either kind are open.
    const start = new Map([...initialise(step, 1)].map(([tensor, values]) => [tensor, values.map((x) => 3 * x)]));
    step.write(start);
    const random = randomStream(12);
    engine.write(
      views,
      Float64Array.from({ length: sizeOf(views.shape) }, () => random.uniform()),
    );
    if (loss.labelled) engine.write(labels, Int32Array.of(2, 0, 1, 2));

    const head = loss.head(encoder.head, 3) ? ["head.weight"] : [];
    const names = [...gradients.keys()].map(({ name }) => name);
    expect(names.sort()).toEqual(["conv1.weight", "conv1.bias", "conv2.weight", ...head, ...parameters].sort());
    await expectGradients(step, [...gradients.keys()], start);
  });
});

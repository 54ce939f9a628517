// RSA, CKA, dimensionality, effective rank, sparsity and their intervals: against rsatoolbox and `dimensionality`, brute-force twins, and identities.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { centreKernel, cka } from "../../src/evaluation/neuro/cka.ts";
import { participationRatio, participationRatioOfSample } from "../../src/evaluation/neuro/dimensionality.ts";
import { effectiveRank, symmetricEigenvalues } from "../../src/evaluation/neuro/effective-rank.ts";
import {
  type Geometry,
  geometryOf,
  openGeometry,
  type Responses,
  selectStimuli,
} from "../../src/evaluation/neuro/geometry.ts";
import { estimate, halfSamples } from "../../src/evaluation/neuro/half-samples.ts";
import {
  classDissimilarities,
  dissimilarities,
  orderValues,
  pairsWithin,
  rankCorrelation,
  spearman,
  unitRanks,
} from "../../src/evaluation/neuro/rsa.ts";
import { sparsity } from "../../src/evaluation/neuro/sparsity.ts";
import { randomStream } from "../../src/program/random.ts";

/** Made by tools/golden-neuro.py. */
const golden = JSON.parse(readFileSync("tests/goldens/neuro.json", "utf8")) as {
  labels: number[];
  spearman: Record<string, number>;
  codes: Record<
    "few" | "many",
    {
      rows: number[][];
      dissimilarities: number[];
      participationRatio: Record<"naive" | "row" | "both", number>;
      effectiveRank: number;
    }
  >;
};

const asResponses = (rows: readonly (readonly number[])[]): Responses => ({
  rows: Float64Array.from(rows.flat()),
  count: rows.length,
  width: rows[0].length,
});

/** Normal numbers about a mean of each unit's own. */
function randomCode(count: number, width: number, seed: number, mean = 0): Responses {
  const random = randomStream(seed, 77);
  const means = Float64Array.from({ length: width }, () => mean * random.normal());
  return {
    count,
    width,
    rows: Float64Array.from({ length: count * width }, (_, i) => random.normal() + means[i % width]),
  };
}

/** The code after an orthogonal map of its units, times a scale, plus a constant. */
function turned({ rows, count, width }: Responses, scale: number, shift: number): Responses {
  const out = Float64Array.from(rows, (value) => value);
  for (let k = 0; k + 1 < width; k++)
    for (let i = 0; i < count; i++) {
      const [a, b] = [out[i * width + k], out[i * width + k + 1]];
      out[i * width + k] = 0.6 * a - 0.8 * b;
      out[i * width + k + 1] = 0.8 * a + 0.6 * b;
    }
  return { rows: out.map((value, i) => scale * value + shift * (i % width)), count, width };
}

const few = asResponses(golden.codes.few.rows);
const many = asResponses(golden.codes.many.rows);
const codes = { few: geometryOf(few), many: geometryOf(many) };
const names = ["few", "many"] as const;

describe("RSA", () => {
  test.each(names)("dissimilarities of %s are rsatoolbox's", (name) => {
    const found = dissimilarities(codes[name]);
    golden.codes[name].dissimilarities.forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 10);
    });
  });

  test("Spearman's correlations are rsatoolbox's, ties among them", () => {
    const [a, b] = names.map((name) => dissimilarities(codes[name]));
    expect(spearman(a, b)).toBeCloseTo(golden.spearman["few, many"], 10);
    expect(spearman(a, classDissimilarities(Int32Array.from(golden.labels)))).toBeCloseTo(
      golden.spearman["few, classes"],
      10,
    );
  });

  test("ranks among the pairs of some stimuli are those of these stimuli alone", () => {
    const whole = geometryOf(randomCode(30, 4, 1));
    const chosen = halfSamples(30, 1, 3)[0];
    // Rounded, so that there are ties.
    const rounded = (geometry: Geometry): Float64Array =>
      dissimilarities(geometry).map((value) => Math.round(8 * value));
    const within = unitRanks(orderValues(rounded(whole)), pairsWithin(30, chosen));
    const alone = unitRanks(orderValues(rounded(selectStimuli(whole, chosen))));
    expect(within).toHaveLength((15 * 14) / 2);
    within.forEach((value, i) => {
      expect(value).toBeCloseTo(alone[i], 12);
    });
  });

  test("does not mind what is added to and multiplied with a stimulus's responses; a picture that all units answer alike is at 1", () => {
    const code = randomCode(6, 9, 2);
    const before = dissimilarities(geometryOf(code));
    const after = dissimilarities(
      geometryOf({ ...code, rows: code.rows.map((value, i) => 3 * value + Math.floor(i / 9)) as Float64Array }),
    );
    after.forEach((value, i) => {
      expect(value).toBeCloseTo(before[i], 9);
    });
    const flat = { ...code, rows: code.rows.map((value, i) => (i < 9 ? 5 : value)) as Float64Array };
    expect([...dissimilarities(geometryOf(flat)).subarray(0, 5)]).toEqual([1, 1, 1, 1, 1]);
  });

  test("refuses lists of different lengths", () => {
    expect(() => rankCorrelation(new Float64Array(3), new Float64Array(2))).toThrow(
      "b must be 3 ranks, as many as a, got 2",
    );
  });
});

/** HSIC without bias as its definition has it: a mean over all four different stimuli (Song et al. 2012, equation 4). */
function hsicOfQuadruples(k: Geometry, l: Geometry): number {
  const n = k.count;
  let [sum, count] = [0, 0];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let q = 0; q < n; q++)
        for (let r = 0; r < n; r++)
          if (new Set([i, j, q, r]).size === 4) {
            const own = k.gram[i * n + j];
            sum += own * (l.gram[i * n + j] + l.gram[q * n + r] - 2 * l.gram[i * n + q]);
            count++;
          }
  return sum / count;
}

/** The plain estimator, of kernels that are centred as a matrix is. */
function biasedCka(a: Geometry, b: Geometry): number {
  const centred = ({ gram, count: n }: Geometry): Float64Array => {
    const means = Float64Array.from(
      { length: n },
      (_, i) => gram.subarray(i * n, (i + 1) * n).reduce((s, v) => s + v, 0) / n,
    );
    const all = means.reduce((s, v) => s + v, 0) / n;
    return gram.map((value, at) => value - means[Math.floor(at / n)] - means[at % n] + all);
  };
  const product = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const [x, y] = [centred(a), centred(b)];
  return product(x, y) / Math.sqrt(product(x, x) * product(y, y));
}

const ckaOf = (a: Geometry, b: Geometry): number => cka(centreKernel(a), centreKernel(b));

describe("CKA", () => {
  test("is that of means over four different stimuli", () => {
    const [a, b] = [codes.few, codes.many];
    const expected = hsicOfQuadruples(a, b) / Math.sqrt(hsicOfQuadruples(a, a) * hsicOfQuadruples(b, b));
    expect(ckaOf(a, b)).toBeCloseTo(expected, 10);
    expect(Math.abs(biasedCka(a, b) - expected)).toBeGreaterThan(0.01);
  });

  test("is 1 after a rotation, a scale and a shift of the units, and near 0 for random codes, where the plain one is not", () => {
    const code = randomCode(20, 8, 3, 2);
    expect(ckaOf(geometryOf(code), geometryOf(turned(code, 3, 5)))).toBeCloseTo(1, 9);
    const [a, b] = [geometryOf(randomCode(40, 400, 4, 3)), geometryOf(randomCode(40, 400, 5, 3))];
    expect(Math.abs(ckaOf(a, b))).toBeLessThan(0.1);
    expect(biasedCka(a, b)).toBeGreaterThan(0.8);
  });

  test("of a constant code is not a number, and three stimuli are too few", () => {
    const constant = { rows: new Float64Array(24).fill(2), count: 6, width: 4 };
    expect(ckaOf(geometryOf(constant), geometryOf(randomCode(6, 4, 1)))).toBeNaN();
    expect(() => centreKernel(geometryOf(randomCode(3, 4, 1)))).toThrow("must be of at least 4 stimuli, got 3");
    expect(() => ckaOf(geometryOf(randomCode(6, 4, 1)), geometryOf(randomCode(5, 4, 1)))).toThrow(
      "of 6 stimuli, as a, got 5",
    );
  });
});

describe("dimensionality", () => {
  test.each(names)("of %s is that of the package dimensionality", (name) => {
    const expected = golden.codes[name].participationRatio;
    const { naive, stimuli } = participationRatio(codes[name]);
    expect(naive).toBeCloseTo(expected.naive, 9);
    expect(stimuli).toBeCloseTo(expected.row, 9);
    const sample = participationRatioOfSample({ few, many }[name], codes[name]);
    expect(sample / expected.both).toBeCloseTo(1, 6);
  });

  test("of few stimuli is right on the mean where the naive one is far too low", () => {
    // 30 equal variances: a participation ratio of 30.
    const found = Array.from({ length: 40 }, (_, seed) => participationRatio(geometryOf(randomCode(25, 30, seed, 4))));
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(found.map(({ naive }) => naive))).toBeLessThan(16);
    // A ratio of two estimates without bias: means of each would be better still.
    expect(Math.abs(mean(found.map(({ stimuli }) => stimuli)) / 30 - 1)).toBeLessThan(0.1);
  });
});

describe("effective rank", () => {
  test.each(names)("of %s is that of NumPy's singular values", (name) => {
    expect(effectiveRank(codes[name])).toBeCloseTo(golden.codes[name].effectiveRank, 8);
  });

  test("eigenvalues have the traces of a matrix's powers, and known ones are found", () => {
    const { gram, count } = geometryOf(randomCode(40, 25, 6));
    const values = symmetricEigenvalues(gram, count);
    const sum = (power: number): number => values.reduce((total, value) => total + value ** power, 0);
    expect(sum(1)).toBeCloseTo(codesTrace(gram, count), 7);
    expect(sum(2)).toBeCloseTo(
      gram.reduce((total, value) => total + value * value, 0),
      5,
    );
    expect([...values].filter((value) => Math.abs(value) < 1e-9)).toHaveLength(15);
    // −1, 2, −1: 2 − 2 cos(kπ/(n + 1)).
    const second = Float64Array.from({ length: 49 }, (_, i) => [2, -1][Math.abs(Math.floor(i / 7) - (i % 7))] ?? 0);
    [...symmetricEigenvalues(second, 7)]
      .sort((a, b) => a - b)
      .forEach((value, k) => {
        expect(value).toBeCloseTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / 8), 12);
      });
    expect([...symmetricEigenvalues(Float64Array.of(3, 0, 0, 5), 2)].sort()).toEqual([3, 5]);
  });

  test("is the rank of equal singular values, 1 of one, 0 of none", () => {
    const code = (diagonal: number[]): Geometry =>
      geometryOf(asResponses(diagonal.map((value, i) => diagonal.map((_, k) => (i === k ? value : 0)))));
    expect(effectiveRank(code([2, 2, 2, 0, 0]))).toBeCloseTo(3, 9);
    expect(effectiveRank(code([7, 0, 0]))).toBeCloseTo(1, 9);
    expect(effectiveRank(code([0, 0]))).toBe(0);
  });
});

const codesTrace = (gram: Float64Array, n: number): number =>
  Array.from({ length: n }, (_, i) => gram[i * n + i]).reduce((a, b) => a + b, 0);

describe("sparsity", () => {
  test("is that of the definition, over rectified responses", () => {
    const code = randomCode(7, 5, 8, 1);
    const r = (i: number, k: number): number => Math.max(0, code.rows[i * 5 + k]);
    const of = (values: number[]): number => {
      const n = values.length;
      const a = (values.reduce((s, v) => s + v, 0) / n) ** 2 / (values.reduce((s, v) => s + v * v, 0) / n);
      return (1 - a) / (1 - 1 / n);
    };
    const mean = (values: number[]): number => {
      const finite = values.filter(Number.isFinite);
      return finite.reduce((s, v) => s + v, 0) / finite.length;
    };
    const stimuli = [0, 2, 3, 6];
    const found = sparsity(code, Int32Array.from(stimuli));
    const units = [0, 1, 2, 3, 4];
    expect(found.lifetime).toBeCloseTo(mean(units.map((k) => of(stimuli.map((i) => r(i, k))))), 10);
    expect(found.population).toBeCloseTo(mean(stimuli.map((i) => of(units.map((k) => r(i, k))))), 10);
  });

  test("is 1 where one alone answers and 0 where all answer alike; what is below 0 is no response", () => {
    expect(
      sparsity(
        asResponses([
          [1, -3],
          [-1, -2],
          [-9, 0],
        ]),
      ),
    ).toEqual({ lifetime: 1, population: 1, responsive: 0.5 });
    expect(
      sparsity(
        asResponses([
          [2, 2],
          [2, 2],
        ]),
      ),
    ).toMatchObject({ lifetime: 0, population: 0 });
    expect(
      sparsity(
        asResponses([
          [-2, -2],
          [-2, -2],
        ]),
      ).lifetime,
    ).toBeNaN();
  });
});

describe("geometry by an engine", () => {
  test.each([
    ["reference", referenceBackend, 1e-7],
    ["wasm", wasmBackend({ threads: 2 }), 3e-7],
  ] as const)("%s: as by plain loops, a large mean notwithstanding", async (_, backend, tolerance) => {
    // 700 units: more than are multiplied at a time. The mean is 1,000 times what varies.
    const code = randomCode(9, 700, 9, 1000);
    const rows = Float32Array.from(code.rows);
    const expected = geometryOf({ ...code, rows });
    const opened = await openGeometry(9, backend);
    try {
      const found = await opened.of({ ...code, rows });
      const scale = codesTrace(expected.gram, 9) / 9;
      found.gram.forEach((value, i) => {
        expect(Math.abs(value - expected.gram[i]) / scale).toBeLessThan(1e-12);
      });
      // What varies is right too: kernels without the mean.
      const [a, b] = [centreKernel(found), centreKernel(expected)];
      a.kernel.forEach((value, i) => {
        expect(Math.abs(value - b.kernel[i]) / 700).toBeLessThan(tolerance);
      });
      await expect(opened.of({ ...code, rows, count: 8 })).rejects.toThrow("to 9 stimuli, got 8");
    } finally {
      await opened.dispose();
    }
  });
});

describe("intervals by halves", () => {
  test("halves are of different stimuli, the same for a seed, and different for another", () => {
    const [first, second] = halfSamples(11, 2, 5);
    for (const half of [first, second]) {
      expect(new Set(half).size).toBe(5);
      expect([...half]).toEqual([...half].sort((a, b) => a - b));
    }
    expect(halfSamples(11, 2, 5)).toEqual([first, second]);
    expect([...first]).not.toEqual([...second]);
    expect(halfSamples(11, 1, 6)[0]).not.toEqual(first);
  });

  test.each([
    [100, "100 halves"],
    [8, "eight"],
  ])("%d: cover the mean of normal numbers in 95 of 100 experiments", (draws) => {
    const experiments = 200;
    let covered = 0;
    for (let seed = 0; seed < experiments; seed++) {
      const random = randomStream(seed, 5);
      const values = Float64Array.from({ length: 60 }, random.normal);
      const mean = (chosen: Int32Array): number => chosen.reduce((sum, i) => sum + values[i], 0) / chosen.length;
      const whole = mean(Int32Array.from(values.keys()));
      const { low, high } = estimate(whole, halfSamples(60, draws, seed).map(mean));
      if (low <= 0 && 0 <= high) covered++;
    }
    // Three standard errors.
    expect(Math.abs(covered / experiments - 0.95)).toBeLessThan(0.047);
  });

  test("cover the dimensionality of a known code, which a bootstrap with replacement misses", () => {
    const truth = 10;
    let [covered, missed] = [0, 0];
    for (let seed = 0; seed < 60; seed++) {
      const whole = geometryOf(randomCode(60, truth, seed));
      const of = (chosen: Int32Array): number => participationRatio(selectStimuli(whole, chosen)).stimuli;
      const value = participationRatio(whole).stimuli;
      const { low, high } = estimate(value, halfSamples(60, 40, seed).map(of));
      if (low <= truth && truth <= high) covered++;
      const random = randomStream(seed, 6);
      const repeated = Array.from({ length: 40 }, () => of(Int32Array.from({ length: 60 }, () => random.integer(60))));
      if (repeated.filter((one) => one > truth).length / 40 < 0.025) missed++;
    }
    expect(covered).toBeGreaterThan(50);
    expect(missed).toBeGreaterThan(covered / 2);
  });
});

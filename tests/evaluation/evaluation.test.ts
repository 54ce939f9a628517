// The read-outs against direct computations, on small sets: what is measured, on which images, and that it cannot flatter.

import { beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { encoderFeatures, type Features, pixelFeatures, selectRows } from "../../src/evaluation/features.ts";
import { kNearest, largestIndices, neighbourCounts } from "../../src/evaluation/knn.ts";
import { minimise } from "../../src/evaluation/lbfgs.ts";
import { linearProbe } from "../../src/evaluation/linear-probe.ts";
import { measureCovariance, minimiseRegression, recordRegression } from "../../src/evaluation/logistic-regression.ts";
import { type ProbeOptions, type ProbeReport, probe, summarise } from "../../src/evaluation/probe.ts";
import { isWorthwhile, pivotedCholesky, recordSpan, spanOf } from "../../src/evaluation/row-space.ts";
import { bestOf, scaleFreeProbe, strengths } from "../../src/evaluation/scale-free-probe.ts";
import { type Linear, momentsOf, ofRawRows, ofStandardRows, standardise } from "../../src/evaluation/standardise.ts";
import { drawLabels, overlap, splitValidation, without } from "../../src/evaluation/subsets.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent } from "../../src/program/tensor.ts";
import { readGolden } from "../goldens/read.ts";

/** `count` rows in `classes` clusters: each class has a centre, and `noise` is the spread around it in units of the centres'. */
function clusters({
  count,
  width,
  classes = 3,
  noise,
  seed,
}: {
  count: number;
  width: number;
  classes?: number;
  noise: number;
  seed: number;
}): Features {
  const centres = randomStream(0, 1);
  const middle = Float32Array.from({ length: classes * width }, centres.normal);
  const random = randomStream(seed, 2);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const rows = Float32Array.from(
    { length: count * width },
    (_, at) => middle[labels[Math.floor(at / width)] * width + (at % width)] + noise * random.normal(),
  );
  return { rows, count, width, labels, classes };
}

describe("kNN", () => {
  /** Sorts everything; ties go to the earlier row, and ties of votes to the class of the nearest member. */
  function bruteForce(train: Features, test: Features, k: number): number {
    const { width, count, classes } = train;
    const mean = Array.from({ length: width }, (_, c) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += train.rows[i * width + c];
      return sum / count;
    });
    const row = ({ rows }: Features, i: number): number[] => mean.map((m, c) => rows[i * width + c] - m);
    const cosine = (a: number[], b: number[]): number =>
      a.reduce((sum, x, c) => sum + x * b[c], 0) / (Math.hypot(...a) * Math.hypot(...b));
    let right = 0;
    for (let i = 0; i < test.count; i++) {
      const query = row(test, i);
      const nearest = Array.from({ length: count }, (_, j) => ({ j, similarity: cosine(query, row(train, j)) }))
        .sort((a, b) => (Math.abs(b.similarity - a.similarity) < 1e-6 ? a.j - b.j : b.similarity - a.similarity))
        .slice(0, k)
        .map(({ j }) => train.labels[j]);
      const votes = Array.from({ length: classes }, (_, label) => nearest.filter((other) => other === label).length);
      const winner = nearest.find((label) => votes[label] === Math.max(...votes));
      if (winner === test.labels[i]) right++;
    }
    return right / test.count;
  }

  test.each([0, 1, 2])("is a full sort, with duplicates under other labels, seed %i", async (seed) => {
    const base = clusters({ count: 60, width: 5, noise: 1.5, seed });
    // Every third row stands twice, the second time with another label: equal similarities, and split votes.
    const twice = selectRows(
      base,
      Int32Array.from({ length: 80 }, (_, i) => (i < 60 ? i : 3 * (i - 60))),
    );
    const labels = twice.labels.map((label, i) => (i < 60 ? label : (label + 1 + (i % 2)) % 3));
    const train = { ...twice, labels };
    const test = clusters({ count: 90, width: 5, noise: 1.5, seed: seed + 10 });
    const { accuracy, k } = await kNearest(train, test, seed, referenceBackend);
    expect(accuracy).toBeCloseTo(bruteForce(train, test, k), 12);
    const { fit, held } = splitValidation(labels, 3, seed);
    const onHeld = neighbourCounts.map((each) => bruteForce(selectRows(train, fit), selectRows(train, held), each));
    expect(k).toBe(neighbourCounts[onHeld.indexOf(Math.max(...onHeld))]);
    expect(await kNearest(train, test, seed, referenceBackend)).toEqual({ accuracy, k });
  });

  test("takes the earlier of equals", () => {
    expect(largestIndices([3, 5, 5, 1, 5], 2)).toEqual([1, 2]);
    expect(largestIndices([3, 5, 5, 1, 5], 4)).toEqual([1, 2, 4, 0]);
    expect(largestIndices([2], 3)).toEqual([0]);
  });

  test("does not see a scale or a shift of the features", async () => {
    const train = clusters({ count: 45, width: 6, noise: 1, seed: 3 });
    const test = clusters({ count: 60, width: 6, noise: 1, seed: 4 });
    const moved = (set: Features): Features => ({ ...set, rows: set.rows.map((value) => 1000 * value + 64) });
    expect(await kNearest(moved(train), moved(test), 0, referenceBackend)).toEqual(
      await kNearest(train, test, 0, referenceBackend),
    );
  });
});

describe("the paper's linear probe", () => {
  const train = clusters({ count: 60, width: 8, noise: 0.2, seed: 1 });
  const tested = clusters({ count: 90, width: 8, noise: 0.2, seed: 2 });
  const options = { epochs: 60, learningRate: 0.05, batch: 20, seed: 0 };

  test("answers a separable set without a mistake, the same twice, and with another start from another seed", async () => {
    const result = await linearProbe(train, tested, options, referenceBackend);
    expect(result).toMatchObject({ accuracy: 1, trainAccuracy: 1 });
    expect(result.loss).toBeLessThan(0.05);
    expect(await linearProbe(train, tested, options, referenceBackend)).toEqual(result);
    const other = await linearProbe(train, tested, { ...options, seed: 1 }, referenceBackend);
    expect(other.loss).not.toBe(result.loss);
  });

  test("is at chance where labels say nothing of the rows", async () => {
    const random = randomStream(5, 5);
    const shuffled = { ...train, labels: train.labels.slice() };
    random.shuffle(shuffled.labels);
    const many = clusters({ count: 600, width: 8, noise: 4, seed: 3 });
    const { accuracy } = await linearProbe(shuffled, many, options, referenceBackend);
    expect(Math.abs(accuracy - 1 / 3)).toBeLessThan(0.12);
  });

  test("depends on the features' scale when its epochs are few", async () => {
    const few = { ...options, epochs: 100, learningRate: 1e-3 };
    const small = (set: Features): Features => ({ ...set, rows: set.rows.map((value) => 0.01 * value) });
    const asIs = await linearProbe(train, tested, few, referenceBackend);
    const shrunk = await linearProbe(small(train), small(tested), few, referenceBackend);
    expect(asIs.loss).toBeLessThan(0.7);
    expect(shrunk.loss).toBeGreaterThan(1);
  });
});

/** Logits [count, classes] of weights [classes, width], then biases. */
function logitsOf({ rows, count, width, classes }: Features, parameters: Float64Array): number[] {
  const logits: number[] = [];
  for (let i = 0; i < count; i++)
    for (let c = 0; c < classes; c++) {
      let sum = parameters[width * classes + c];
      for (let k = 0; k < width; k++) sum += rows[i * width + k] * parameters[c * width + k];
      logits.push(sum);
    }
  return logits;
}

/** The objective of the scale-free probe by the letter, in float64: value and gradient. */
function regressionLoss(train: Features, strength: number, parameters: Float64Array) {
  const { rows, count, width, classes, labels } = train;
  const gradient = new Float64Array(parameters.length);
  const logits = logitsOf(train, parameters);
  let value = 0;
  for (let i = 0; i < count; i++) {
    const exponentials = Array.from({ length: classes }, (_, c) => Math.exp(logits[i * classes + c]));
    const total = exponentials.reduce((a, b) => a + b);
    value -= Math.log(exponentials[labels[i]] / total) / count;
    for (let c = 0; c < classes; c++) {
      const error = (exponentials[c] / total - (labels[i] === c ? 1 : 0)) / count;
      for (let k = 0; k < width; k++) gradient[c * width + k] += error * rows[i * width + k];
      gradient[width * classes + c] += error;
    }
  }
  for (let i = 0; i < width * classes; i++) {
    value += 0.5 * strength * parameters[i] ** 2;
    gradient[i] += strength * parameters[i];
  }
  return { value, gradient };
}

/** Gradient descent with a step below the inverse of the largest curvature. */
function descend(train: Features, strength: number, steps: number): { parameters: Float64Array; value: number } {
  const { rows, count, width, classes } = train;
  const squares = rows.reduce((sum, value) => sum + value * value, 0) / count;
  const step = 1 / (0.5 * (squares + 1) + strength);
  const parameters = new Float64Array((width + 1) * classes);
  for (let i = 0; i < steps; i++) {
    const { gradient } = regressionLoss(train, strength, parameters);
    for (let k = 0; k < parameters.length; k++) parameters[k] -= step * gradient[k];
  }
  return { parameters, value: regressionLoss(train, strength, parameters).value };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
};

const all = ({ count }: Features): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

/** All rows, standardised over themselves. */
const standard = (set: Features): Features => ({ ...set, rows: standardise(set, all(set), momentsOf(set, all(set))) });

/** A regression on the rows as they are. */
async function openRegression({ rows, count, width, labels, classes }: Features, backend: Backend) {
  const features = persistent("features", [count, width], "input");
  const regression = recordRegression(features, persistent("labels", [count], "input", "i32"), classes);
  const { objective, covariance: known } = regression;
  const engine = await backend.prepare([objective, ...(known ? [known.program] : [])]);
  engine.write(features, rows);
  engine.write(regression.labels, labels);
  const squares = rows.reduce((sum, value) => sum + value * value, 0) / count;
  const covariance = await measureCovariance(engine, regression, squares);
  return {
    fit: (strength: number, start: Float64Array = new Float64Array((width + 1) * classes)) =>
      minimiseRegression(engine, regression, { strength, start, covariance }),
    dispose: () => engine.dispose(),
  };
}

/** Opens the rows' span, with the rows' coordinates as features. */
async function openSpan(set: Features, backend: Backend) {
  const table = persistent("table", [set.count, set.width], "input");
  const programs = recordSpan(table, set.classes);
  const engine = await backend.prepare(programs.programs);
  engine.write(table, set.rows);
  const span = await spanOf(engine, programs);
  const inside: Features = { ...set, width: set.count, rows: new Float32Array(span.coordinates) };
  return { span, inside, dispose: () => engine.dispose() };
}

/** The minimum of a regression on standardised rows, in their span where there are few of them: W [classes, width], then the biases. */
async function minimumOf(set: Features, strength: number, backend: Backend): Promise<Float64Array> {
  const opened = isWorthwhile(set.count, set.width) ? await openSpan(set, backend) : undefined;
  const features = opened?.inside ?? set;
  const regression = await openRegression(features, backend);
  const { x, converged } = await regression.fit(strength);
  expect(converged).toBe(true);
  const weight = x.subarray(0, features.width * set.classes);
  const whole = Float64Array.of(...(opened ? await opened.span.leave(weight) : weight), ...x.subarray(weight.length));
  await regression.dispose();
  await opened?.dispose();
  return whole;
}

const lengthOf = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));

describe("the scale-free probe", () => {
  const golden = readGolden<{
    cases: readonly { features: string; classes: number; strength: number; name: string }[];
  }>("regressions");
  const backends = { reference: referenceBackend, wasm: wasmBackend({ threads: 2 }) };

  describe.each(Object.entries(backends))("finds scikit-learn's minimum on %s", (_, backend) => {
    test.each(golden.json.cases)("$name", async ({ features, classes, strength, name }) => {
      const { shape, data } = golden.tensor(features);
      const [count, width] = shape;
      const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
      const set = standard({ rows: data as Float32Array, count, width, labels, classes });
      const found = await minimumOf(set, strength, backend);
      const [weights, biases] = ["weights", "biases"].map((part) => golden.tensor(`${name} ${part}`).data);
      // A hundredth of the weights' length is what convergence promises.
      expect(lengthOf(weights.map((value, i) => value - found[i])) / lengthOf(weights)).toBeLessThan(0.01);
      const own = found.subarray(width * classes);
      const mean = own.reduce((a, b) => a + b) / classes;
      expect(lengthOf(biases.map((value, c) => value - (own[c] - mean)))).toBeLessThan(0.01 * lengthOf(weights));
    });
  });

  test.each([
    { name: "more rows than columns", count: 40, width: 6 },
    { name: "fewer rows than half the columns: in their span", count: 15, width: 40 },
  ])("finds the minimum that gradient descent in float64 finds, $name", async ({ count, width }) => {
    const train = standard(clusters({ count, width, noise: 1, seed: 0 }));
    const direct = descend(train, 1, 3000);
    const found = await minimumOf(train, 1, referenceBackend);
    const { value } = regressionLoss(train, 1, found);
    expect(value).toBeGreaterThan(direct.value - 1e-6);
    expect(value).toBeLessThan(direct.value + 1e-4 * direct.value);
    expect(largestDifference(logitsOf(train, found), logitsOf(train, direct.parameters))).toBeLessThan(0.02);
  });

  test("every strength converges, to the same minimum from zero as from the stronger one before", async () => {
    const train = standard(clusters({ count: 30, width: 10, noise: 1, seed: 1 }));
    const regression = await openRegression(train, referenceBackend);
    let from: Float64Array | undefined;
    let before = 0;
    for (const strength of strengths) {
      const along = await regression.fit(strength, from);
      const fresh = await regression.fit(strength);
      expect([along.converged, fresh.converged], `strength ${strength}`).toEqual([true, true]);
      expect(along.value / fresh.value).toBeCloseTo(1, 2);
      const size = lengthOf(along.x.subarray(0, 30));
      expect(size).toBeGreaterThan(before);
      before = size;
      from = along.x;
    }
    await regression.dispose();
  });

  test("goes on to weaker penalties while the weakest alone does best, and says where even that is at the end", async () => {
    // Two columns that are nearly the same; what tells the classes apart is their small difference, so it takes large weights.
    const draw = (seed: number, apart: number): Features => {
      const random = randomStream(seed, 3);
      const labels = Int32Array.from({ length: 200 }, (_, i) => i % 2);
      const rows = new Float32Array(400);
      for (const [i, label] of labels.entries()) {
        const [common, own] = [random.normal(), apart * ((label === 0 ? -1 : 1) + 0.3 * random.normal())];
        rows.set([common + own, common - own], 2 * i);
      }
      return { rows, count: 200, width: 2, labels, classes: 2 };
    };
    const found = await scaleFreeProbe(draw(1, 0.01), draw(2, 0.01), 0, referenceBackend);
    expect(found.strength).toBeLessThan(strengths[strengths.length - 1]);
    expect(found).toMatchObject({ atGridEnd: false, converged: true });
    expect(found.accuracy).toBeGreaterThan(0.95);
  });

  test.each([
    [[0.2, 0.5, 0.4, 0.5], 1],
    [[0.5, 0.3, 0.5, 0.5], 2],
    [[0.5, 0.3, 0.4], 0],
    [[0.1, 0.2, 0.3], 2],
  ])("of accuracies %j chooses number %i", (accuracies, chosen) => {
    expect(bestOf(accuracies)).toBe(chosen);
  });

  test("is the same for features times 1000, for columns of any scale and shift, and twice", async () => {
    const draw = (seed: number): Features => clusters({ count: 60, width: 30, noise: 2.5, seed });
    const [train, tested] = [draw(1), draw(2)];
    const random = randomStream(9, 9);
    const scales = Float32Array.from({ length: 30 }, () => 10 ** (4 * random.uniform() - 2));
    const measure = (change: (value: number, column: number) => number) => {
      const changed = (set: Features): Features => ({
        ...set,
        rows: set.rows.map((value, at) => change(value, at % 30)),
      });
      return scaleFreeProbe(changed(train), changed(tested), 0, referenceBackend);
    };
    const plain = await measure((value) => value);
    expect(plain.converged).toBe(true);
    expect(plain.accuracy).toBeGreaterThan(0.4);
    expect(plain.accuracy).toBeLessThan(1);
    expect(await measure((value) => value)).toEqual(plain);
    const { iterations: _, ...wanted } = plain;
    expect(await measure((value) => 1000 * value)).toMatchObject(wanted);
    expect(await measure((value, column) => scales[column] * (value + column))).toMatchObject(wanted);
  });

  test("chooses a strong penalty where columns are noise, and a weak one where they are clean", async () => {
    const run = async (noise: number) => {
      const [train, tested] = [1, 2].map((seed) => clusters({ count: 90, width: 60, noise, seed }));
      return scaleFreeProbe(train, tested, 0, referenceBackend);
    };
    const [clean, noisy] = [await run(0.1), await run(8)];
    expect(clean).toMatchObject({ accuracy: 1, validationAccuracy: 1 });
    expect(noisy.trainAccuracy).toBeGreaterThan(noisy.accuracy);
  });

  test("says when it has not converged", async () => {
    const [train, tested] = [1, 2].map((seed) => clusters({ count: 30, width: 5, noise: 1, seed }));
    expect((await scaleFreeProbe(train, tested, 0, referenceBackend)).converged).toBe(true);
    // A loss that only ever rises: no step improves it.
    let rise = 0;
    const rising: Backend = {
      ...referenceBackend,
      prepare: async (programs) => {
        const engine = await referenceBackend.prepare(programs);
        const read: typeof engine.read = async (tensor) =>
          tensor.name === "loss" ? Float64Array.of(++rise) : engine.read(tensor);
        return { ...engine, read };
      },
    };
    expect((await scaleFreeProbe(train, tested, 0, rising)).converged).toBe(false);
  });

  test("L-BFGS reaches the minimum of a badly scaled bowl, sooner when told its curvature, and says when it has not", async () => {
    const evaluate = async (x: Float64Array) => ({
      value: 0.5 * (x[0] ** 2 + 1000 * x[1] ** 2),
      gradient: Float64Array.of(x[0], 1000 * x[1]),
    });
    const reached = (_: Float64Array, gradient: Float64Array): boolean => lengthOf(gradient) < 1e-6;
    const start = Float64Array.of(3, 1);
    const short = await minimise({ evaluate, reached }, start, 2);
    expect(short).toMatchObject({ converged: false, iterations: 2 });
    const whole = await minimise({ evaluate, reached }, start, 100);
    expect(whole.converged).toBe(true);
    expect(lengthOf(whole.x)).toBeLessThan(1e-5);
    const preconditioner = {
      solve: (v: Float64Array) => Float64Array.of(v[0], v[1] / 1000),
      square: (v: Float64Array) => v[0] ** 2 + v[1] ** 2 / 1000,
    };
    const told = await minimise({ evaluate, reached, preconditioner }, start, 100);
    expect(told.iterations).toBeLessThan(whole.iterations);
  });
});

describe("the rows' span", () => {
  test("keeps inner products, also where rows repeat, and weights come out of it as they went in", async () => {
    const set = clusters({ count: 12, width: 50, noise: 1, seed: 1 });
    set.rows.copyWithin(50 * 7, 50 * 2, 50 * 3);
    const { span, inside, dispose } = await openSpan(set, referenceBackend);
    const products = ({ rows, count, width }: Features): number[] =>
      Array.from({ length: count * count }, (_, at) => {
        const [i, j] = [Math.floor(at / count), at % count];
        let sum = 0;
        for (let k = 0; k < width; k++) sum += rows[i * width + k] * rows[j * width + k];
        return sum;
      });
    expect(largestDifference(products(inside), products(set))).toBeLessThan(1e-3);
    // A weight within the span: each class's is one of the rows.
    const weight = new Float64Array(set.rows.subarray(0, 3 * 50));
    const coordinates = await span.enter(weight);
    expect(largestDifference(await span.leave(coordinates), weight)).toBeLessThan(1e-4);
    const logits = (of: Features, w: Float64Array) => logitsOf(of, Float64Array.of(...w, 0, 0, 0));
    expect(largestDifference(logits(inside, coordinates), logits(set, weight))).toBeLessThan(1e-3);
    await dispose();
  });

  test.each([3, 33, 70, 96])("factorises a matrix of rank %i with as many pivots", (rank) => {
    const n = 96;
    const random = randomStream(rank, 4);
    const rows = Float64Array.from({ length: n * rank }, random.normal);
    const product = (values: ArrayLike<number>, width: number): Float64Array =>
      Float64Array.from({ length: n * n }, (_, at) => {
        let sum = 0;
        for (let k = 0; k < width; k++) sum += values[Math.floor(at / n) * width + k] * values[(at % n) * width + k];
        return sum;
      });
    const gram = product(rows, rank);
    const { factor, pivots } = pivotedCholesky(gram, n);
    expect(new Set(pivots).size).toBe(pivots.length);
    if (rank < n) expect(pivots.length).toBe(rank);
    expect(largestDifference(product(factor, n), gram) / Math.max(...gram)).toBeLessThan(2e-6);
  });
});

describe("standardised columns", () => {
  test("have mean 0 and variance 1 over the reference; a constant one is 0", () => {
    const set = clusters({ count: 40, width: 3, noise: 1, seed: 1 });
    for (let i = 0; i < 40; i++) set.rows[3 * i + 1] = 7.3;
    const scaled = standard(set);
    for (const column of [0, 2]) {
      const values = Array.from({ length: 40 }, (_, i) => scaled.rows[3 * i + column]);
      expect(values.reduce((a, b) => a + b) / 40).toBeCloseTo(0, 5);
      expect(values.reduce((a, b) => a + b * b, 0) / 40).toBeCloseTo(1, 5);
    }
    expect(Array.from({ length: 40 }, (_, i) => scaled.rows[3 * i + 1])).toEqual(Array<number>(40).fill(0));
  });

  test("have a classifier of the rows as they are that gives the same answers, and back", () => {
    const set = clusters({ count: 40, width: 3, noise: 1, seed: 1 });
    const chosen = Int32Array.of(1, 2, 5, 8, 13, 21, 34);
    const moments = momentsOf(set, chosen);
    const random = randomStream(3, 5);
    const linear: Linear = {
      weight: Float64Array.from({ length: 9 }, random.normal),
      bias: Float64Array.from({ length: 3 }, random.normal),
    };
    const raw = ofRawRows(linear, moments);
    const logits = (of: Features, { weight, bias }: Linear) => logitsOf(of, Float64Array.of(...weight, ...bias));
    const some = selectRows(set, chosen);
    const scaled = { ...some, rows: standardise(set, chosen, moments) };
    expect(largestDifference(logits(scaled, linear), logits(some, raw))).toBeLessThan(1e-5);
    const back = ofStandardRows(raw, moments);
    expect(largestDifference(back.weight, linear.weight)).toBeLessThan(1e-9);
    expect(largestDifference(back.bias, linear.bias)).toBeLessThan(1e-9);
  });
});

/** Pictures of noise around a grey level that the class decides; sized for the MNIST network. */
function noisyPictures(name: string, count: number, seed: number): ImageSet {
  const random = randomStream(seed, 0x1c);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const pixels = Uint8Array.from(
    { length: count * 784 },
    (_, at) => 60 + 50 * labels[Math.floor(at / 784)] + random.integer(60),
  );
  return { name, pixels, count, height: 28, width: 28, channels: 1, labels, classes: ["dark", "grey", "light"] };
}

describe("subsets", () => {
  const labels = Int32Array.from({ length: 100 }, (_, i) => (i * i) % 4);
  const members = (label: number): number => labels.filter((other) => other === label).length;

  test("draw the same number of every class, in order, keyed by the seed", () => {
    const binary = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 2);
    const chosen = drawLabels(binary, 2, 8, 3);
    expect([0, 1].map((label) => chosen.filter((i) => binary[i] === label).length)).toEqual([8, 8]);
    expect([...chosen]).toEqual([...new Set(chosen)].sort((a, b) => a - b));
    expect(drawLabels(binary, 2, 8, 3)).toEqual(chosen);
    expect(drawLabels(binary, 2, 8, 4)).not.toEqual(chosen);
    expect([...drawLabels(labels, 4, "all", 0)]).toEqual([...labels.keys()]);
  });

  test("refuse more labels than there are", () => {
    expect(() => drawLabels(Int32Array.of(0, 1, 0), 2, 2, 0)).toThrow(
      "probe: labelsPerClass must be at most 1, the images of class 1, got 2",
    );
  });

  test("split off a fifth of each class for validation; nothing is in both parts or in none", () => {
    const { fit, held } = splitValidation(labels, 4, 1);
    expect([...fit, ...held].sort((a, b) => a - b)).toEqual([...labels.keys()]);
    for (const label of [0, 1])
      expect(held.filter((i) => labels[i] === label).length).toBe(Math.round(members(label) / 5));
    expect(splitValidation(Int32Array.of(0, 0, 1), 2, 0).held.length).toBe(1);
  });

  test("overlap finds planted pictures, and only these", () => {
    const [train, tested] = [noisyPictures("a", 12, 1), noisyPictures("b", 10, 2)];
    expect(overlap(train, tested).size).toBe(0);
    for (const [to, from] of [
      [4, 9],
      [11, 0],
    ])
      train.pixels.set(tested.pixels.subarray(from * 784, (from + 1) * 784), to * 784);
    const shared = overlap(train, tested);
    expect([...shared]).toEqual([4, 11]);
    const rest = without(train, shared);
    expect(rest.count).toBe(10);
    expect([...rest.labels]).toEqual([...train.labels].filter((_, i) => i !== 4 && i !== 11));
    expect(rest.pixels.subarray(4 * 784, 5 * 784)).toEqual(train.pixels.subarray(5 * 784, 6 * 784));
  });
});

describe("a probe", () => {
  let backend: Backend;
  let report: ProbeReport;
  const train = noisyPictures("noise train", 62, 1);
  const tested = noisyPictures("noise test", 30, 2);
  train.pixels.set(tested.pixels.subarray(5 * 784, 7 * 784), 60 * 784);
  const options: ProbeOptions = {
    readOuts: ["paper", "scaleFree", "kNN"],
    labelsPerClass: [4],
    seeds: 2,
    epochs: 5,
    learningRate: 1e-3,
    batch: 4,
  };
  const weightsOf = (seed: number): Map<string, Float32Array> =>
    new Map([...initialise(createModel(networks.mnist), seed)].map(([{ name }, values]) => [name, values]));
  const subject = {
    network: networks.mnist,
    valueRange: [0, 1],
    encoders: { trained: weightsOf(7) },
    seed: 0,
  } as const;
  const frozen = { network: networks.mnist, valueRange: [0, 1], weights: weightsOf(7) } as const;

  beforeAll(async () => {
    // The convolutions on threads, the rest in plain loops: for sets as small as these, threads take longer to start than to compute.
    const threads = wasmBackend({ threads: 2 });
    backend = {
      ...threads,
      prepare: (programs) => (programs[0].name.startsWith("features") ? threads : referenceBackend).prepare(programs),
    };
    report = await probe(subject, train, tested, options, backend);
  });

  test("says what was measured, on what, and against what", () => {
    expect(report).toMatchObject({
      measured: expect.stringContaining("mnist: output of the last block, flattened; encoder frozen"),
      train: "noise train",
      test: "noise test",
      testImages: 30,
      chance: 1 / 3,
      options,
    });
    const measured = report.scores.map(({ subject: s, readOut, seed }) => `${s} ${readOut} ${seed}`);
    const wanted = ["trained", "random", "pixels"].flatMap((s) =>
      [0, 1].flatMap((seed) => options.readOuts.map((readOut) => `${s} ${readOut} ${seed}`)),
    );
    expect(measured).toEqual(wanted);
    for (const { accuracy } of report.scores)
      expect(Number.isInteger(Math.round(accuracy * 30 * 1e9) / 1e9)).toBe(true);
  });

  test("leaves out of the labels what is also in the test set", () => {
    expect(report).toMatchObject({ overlapping: 2, trainImages: 60 });
  });

  test("names each encoder by its weights, before and after alike, and tells two encoders apart", async () => {
    const { trained, random, pixels } = report.encoderHashes;
    expect(trained).toMatch(/^[0-9a-f]{16}$/);
    expect(random).not.toBe(trained);
    expect(pixels).toBeUndefined();
    const { encoderHash } = await encoderFeatures({ ...frozen, weights: weightsOf(0) }, [tested], backend);
    expect(encoderHash).toBe(random);
  });

  test("gives the same numbers twice", async () => {
    expect(await probe(subject, train, tested, options, backend)).toEqual(report);
  });

  test("means are over the draws of labels", () => {
    const means = summarise(report.scores);
    expect(means.length).toBe(9);
    const [first] = means;
    const [a, b] = report.scores.filter((s) => s.subject === first.subject && s.readOut === first.readOut);
    expect(first.mean).toBeCloseTo((a.accuracy + b.accuracy) / 2, 12);
    expect(first.sd).toBeCloseTo(Math.abs(a.accuracy - b.accuracy) / Math.SQRT2, 12);
    expect(first.seeds).toBe(2);
  });

  test("refuses an encoder that changes while it is read", async () => {
    const meddling: Backend = {
      ...backend,
      prepare: async (programs) => {
        const engine = await backend.prepare(programs);
        const weight = programs[0].operations
          .flatMap(({ inputs }) => Object.values(inputs))
          .find(({ role }) => role === "weight");
        if (!weight) throw new Error("no weight among the inputs");
        return {
          ...engine,
          run: async (program) => {
            await engine.run(program);
            const numbers = await engine.read(weight);
            numbers[3] += 1e-3;
            engine.write(weight, numbers);
          },
        };
      },
    };
    await expect(encoderFeatures(frozen, [tested], meddling)).rejects.toThrow(
      "features: the encoder changed while its features were computed",
    );
  });

  test("reads the pixels themselves as numbers from 0 to 1", () => {
    const { rows, width, labels } = pixelFeatures(tested);
    expect(width).toBe(784);
    expect(rows[1234]).toBe(Math.fround(tested.pixels[1234] / 255));
    expect(labels).toBe(tested.labels);
  });

  test("refuses more labels than a class has left", async () => {
    await expect(probe(subject, train, tested, { ...options, labelsPerClass: [21] }, backend)).rejects.toThrow(
      "probe: labelsPerClass must be at most 20, the images of class dark, got 21",
    );
  });

  const others = { ...tested, classes: ["sad", "glad", "mad"] };
  const oneNaN = weightsOf(7);
  oneNaN.get("conv2.weight")?.set([Number.NaN], 3);
  const odd = { ...tested, labels: tested.labels.with(4, 3) };
  const none = without(tested, new Set(tested.labels.keys()));
  const as = (change: object) => ({ ...subject, ...change }) as typeof subject;
  const told = (change: object) => ({ ...options, ...change }) as ProbeOptions;
  test.each([
    [
      "sets of other classes",
      [subject, train, others, options],
      /^probe: train and test must be of the same classes, got noise train \(.*\) and noise test \(sad, glad, mad\); in noise train alone: .+; in noise test alone: "sad", "glad", "mad"$/,
    ],
    [
      "a class too few",
      [subject, train, { ...tested, classes: tested.classes.slice(1) }, options],
      /of the same classes/,
    ],
    [
      "weights that are not numbers",
      [as({ encoders: { trained: oneNaN } }), train, tested, options],
      /^features: conv2\.weight must be finite, got NaN/,
    ],
    [
      "a label that no class has",
      [subject, train, odd, options],
      /^probe: the labels of noise test must be from 0 to 2, got 3$/,
    ],
    ["an empty test set", [subject, train, none, options], /^probe: noise test must be of at least one row, got 0$/],
    [
      "half a label",
      [subject, train, tested, told({ labelsPerClass: [2.5] })],
      /^probe: labelsPerClass\.0 must be .* whole number .*, got 2\.5$/,
    ],
    ["no seed", [subject, train, tested, told({ seeds: 0 })], /^probe: seeds must be at least 1, got 0$/],
    [
      "an unknown read-out",
      [subject, train, tested, told({ readOuts: ["kNNN"] })],
      /^probe: readOuts\.0 must be one of paper, scaleFree, kNN, got "kNNN"; did you/,
    ],
    [
      "an unknown subject",
      [subject, train, tested, told({ subjects: ["pixel"] })],
      /^probe: subjects\.0 must be one of .*, got "pixel"; did you mean "pixels"\?$/,
    ],
  ] as const)("refuses %s", async (_, [who, fit, on, how], sentence) => {
    await expect(probe(who, fit, on, how, backend)).rejects.toThrow(sentence);
    await expect(probe(who, fit, on, how, backend)).rejects.toBeInstanceOf(SaccadeError);
  });
});

describe("every read-out refuses", () => {
  const train = clusters({ count: 12, width: 4, noise: 1, seed: 1 });
  const tested = clusters({ count: 9, width: 4, noise: 1, seed: 2 });
  const readOuts = {
    linearProbe: (fit: Features, on: Features) =>
      linearProbe(fit, on, { epochs: 1, learningRate: 0.1, batch: 4, seed: 0 }, referenceBackend),
    scaleFreeProbe: (fit: Features, on: Features) => scaleFreeProbe(fit, on, 0, referenceBackend),
    kNearest: (fit: Features, on: Features) => kNearest(fit, on, 0, referenceBackend),
  };

  test.each(Object.entries(readOuts))("what %s could not read", async (name, readOut) => {
    const refused = (fit: Features, on: Features, sentence: string) =>
      expect(readOut(fit, on)).rejects.toThrow(new SaccadeError(`${name}: ${sentence}`));
    await refused(
      { ...train, labels: train.labels.with(0, -1) },
      tested,
      "the labels of train must be from 0 to 2, got -1",
    );
    await refused(
      train,
      { ...tested, labels: tested.labels.with(8, 3) },
      "the labels of test must be from 0 to 2, got 3",
    );
    await refused(
      train,
      { ...tested, labels: tested.labels.slice(1) },
      "the labels of test must be 9, one for each row, got 8",
    );
    await refused(train, selectRows(tested, new Int32Array()), "test must be of at least one row, got 0");
    await refused(
      train,
      { ...tested, classes: 4 },
      "test must be of 4 columns and 3 classes, as train is, got 4 and 4",
    );
    const narrow = clusters({ count: 9, width: 3, noise: 1, seed: 2 });
    await refused(train, narrow, "test must be of 4 columns and 3 classes, as train is, got 3 and 3");
    await refused(
      { ...train, count: 13, labels: Int32Array.of(...train.labels, 0) },
      tested,
      "train must be 13 rows of 4 numbers, got 48 numbers",
    );
  });
});

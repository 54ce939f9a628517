// Cases of every operation, at random odd shapes, and how they are run: what conformance is held on, in Node and in a page.

import type { Engine, Numbers } from "../../src/backends/backend.ts";
import {
  type Attributes,
  type In,
  type Kind,
  kinds,
  operationTable,
  type Updated,
} from "../../src/program/operations.ts";
import { type Program, recordProgram } from "../../src/program/program.ts";
import { randomStream, type Stream } from "../../src/program/random.ts";
import { persistent, type Shape, sizeOf, type Tensor } from "../../src/program/tensor.ts";
import { orders, view, viewParameters } from "../../src/program/views.ts";

interface Operand {
  readonly shape: Shape;
  readonly numbers: Numbers;
}

interface Case<K extends Kind> {
  readonly operands: { readonly [A in In<K> | Updated<K>]: Operand };
  readonly attributes: Attributes<K>;
  /** How many products or terms one output element sums up: rounding grows with its root. */
  readonly terms: number;
}

/** `repetition` counts a kind's cases: attributes that all have to occur are chosen by it. */
type Maker<K extends Kind> = (random: Stream, repetition: number) => Case<K>;

const between = (random: Stream, low: number, high: number): number => low + random.integer(high - low + 1);
const pick = <T>(random: Stream, choices: readonly T[]): T => choices[random.integer(choices.length)];

function normal(random: Stream, shape: Shape, scale = 1): Operand {
  return { shape, numbers: Float32Array.from({ length: sizeOf(shape) }, () => scale * random.normal()) };
}

function whole(random: Stream, shape: Shape, below: number): Operand {
  return { shape, numbers: Int32Array.from({ length: sizeOf(shape) }, () => random.integer(below)) };
}

/** A convolution with an output of at least one pixel; sizes that no block of a kernel divides, and some that it does. */
function convolution(random: Stream) {
  const [kh, kw] = pick(random, [
    [3, 3],
    [3, 3],
    [1, 1],
    [5, 3],
    [2, 4],
    [7, 7],
  ] as const);
  const stride = pick(random, [1, 1, 2, 3]);
  const padding = random.integer(Math.min(kh, kw));
  const h = between(random, kh, kh + 12);
  const w = between(random, kw, kw + 15);
  const n = between(random, 1, 5);
  const c = pick(random, [1, 3, 4, 5, 8, 16, 21]);
  const o = pick(random, [1, 2, 7, 8, 13, 16, 32, 33]);
  const x = [n, h, w, c];
  const weight = [kh, kw, c, o];
  const y = [n, Math.floor((h + 2 * padding - kh) / stride) + 1, Math.floor((w + 2 * padding - kw) / stride) + 1, o];
  return { x, weight, y, kernel: [kh, kw] as const, attributes: { stride, padding }, height: h, width: w };
}

function matrices(random: Stream) {
  const n = pick(random, [1, 3, 6, 17, 50]);
  const c = pick(random, [1, 5, 64, 127, 300]);
  const o = pick(random, [1, 4, 10, 33, 64]);
  return { x: [n, c], w: [c, o], y: [n, o], n, c, o };
}

function pooling(random: Stream) {
  const size = pick(random, [1, 2, 2, 2, 3]);
  const h = between(random, size, size * 4 + 1);
  const w = between(random, size, size * 5 + 1);
  const n = between(random, 1, 4);
  const c = pick(random, [1, 3, 4, 8, 13]);
  return { size, height: h, width: w, x: [n, h, w, c], y: [n, Math.floor(h / size), Math.floor(w / size), c] };
}

/** Pairs of one of n rows with one of m; some rows are in none, some in many. */
function pairList(random: Stream) {
  const [n, m, d] = [between(random, 1, 9), between(random, 1, 30), pick(random, [1, 5, 64, 131])];
  const p = between(random, 1, 60);
  const numbers = Int32Array.from({ length: 2 * p }, (_, at) => random.integer(at % 2 === 0 ? n : m));
  return { n, m, d, pairs: { shape: [p, 2], numbers } };
}

const anyShape = (random: Stream): Shape =>
  pick(random, [[7], [3, 5], [2, 3, 5, 7], [1, 4, 4, 8], [2, 31, 33, 17]] as const);

/** Rows as augmentations A and B make them, with every colour step and border in play. */
function viewRows(random: Stream, n: number, h: number, w: number): Operand {
  const numbers = new Float32Array(n * viewParameters);
  for (let i = 0; i < n; i++) {
    const row = numbers.subarray(i * viewParameters, (i + 1) * viewParameters);
    const values = Array.from({ length: 6 }, () => 0.4 * random.normal());
    row.set([1 + values[0], values[1], 3 * values[2], values[3], 1 + values[4], 3 * values[5]], view.affine);
    row[view.outside] = random.integer(2);
    const x0 = random.integer(w);
    const y0 = random.integer(h);
    row.set([x0, y0, x0 + random.integer(w - x0), y0 + random.integer(h - y0)], view.box);
    row[view.colour] = random.integer(3);
    row[view.brightness] = 0.2 + 1.6 * random.uniform();
    row[view.contrast] = 0.2 + 1.6 * random.uniform();
    row[view.saturation] = 2 ** (4 * random.uniform() - 2);
    row[view.hue] = 0.4 * random.uniform() - 0.2;
    row[view.order] = random.integer(orders.length);
    row[view.grey] = random.uniform() < 0.2 ? 1 : 0;
    row.set(
      [1, 1].map((least) => Math.max(least, 4 * random.uniform() - 1)),
      view.support,
    );
  }
  return { shape: [n, viewParameters], numbers };
}

const cases: { readonly [K in Kind]: Maker<K> } = {
  conv2d: (random) => {
    const { x, weight, attributes } = convolution(random);
    return {
      operands: { x: normal(random, x), w: normal(random, weight) },
      attributes,
      terms: sizeOf(weight) / weight[3],
    };
  },
  conv2dInputGradient: (random) => {
    const { y, weight, attributes, height, width } = convolution(random);
    return {
      operands: { dy: normal(random, y), w: normal(random, weight) },
      attributes: { ...attributes, height, width },
      terms: sizeOf(weight) / weight[2],
    };
  },
  conv2dWeightGradient: (random) => {
    const { x, y, attributes, kernel } = convolution(random);
    return {
      operands: { x: normal(random, x), dy: normal(random, y) },
      attributes: { ...attributes, kernel },
      terms: sizeOf(y) / y[3],
    };
  },
  linear: (random) => {
    const { x, w, c } = matrices(random);
    return { operands: { x: normal(random, x), w: normal(random, w) }, attributes: {}, terms: c };
  },
  linearInputGradient: (random) => {
    const { y, w, o } = matrices(random);
    return { operands: { dy: normal(random, y), w: normal(random, w) }, attributes: {}, terms: o };
  },
  linearWeightGradient: (random) => {
    const { x, y, n } = matrices(random);
    return { operands: { x: normal(random, x), dy: normal(random, y) }, attributes: {}, terms: n };
  },
  addBias: (random) => {
    const x = anyShape(random);
    return { operands: { x: normal(random, x), b: normal(random, [x[x.length - 1]]) }, attributes: {}, terms: 1 };
  },
  biasGradient: (random) => {
    const x = anyShape(random);
    return { operands: { dy: normal(random, x) }, attributes: {}, terms: sizeOf(x) / x[x.length - 1] };
  },
  activation: (random) => ({
    operands: { x: normal(random, anyShape(random), 1.5) },
    attributes: { kind: pick(random, ["hardtanh", "tanh", "relu"] as const) },
    terms: 1,
  }),
  activationGradient: (random) => {
    const shape = anyShape(random);
    const kind = pick(random, ["hardtanh", "tanh", "relu"] as const);
    const y = normal(random, shape, 0.8);
    // Outputs of the activation itself: saturated values stand exactly at ±1, silent ones exactly at 0.
    const numbers = y.numbers.map((value) =>
      kind === "relu" ? Math.max(0, value) : Math.min(1, Math.max(-1, value)),
    ) as Numbers;
    return { operands: { dy: normal(random, shape), y: { shape, numbers } }, attributes: { kind }, terms: 1 };
  },
  triangle: (random) => {
    const x = anyShape(random);
    return { operands: { x: normal(random, x, 1.5) }, attributes: {}, terms: x[x.length - 1] };
  },
  triangleGradient: (random) => {
    const shape = anyShape(random);
    const y = normal(random, shape);
    // Outputs of the triangle: half of the units are silent, at exactly 0.
    const numbers = y.numbers.map((value) => Math.max(0, value)) as Numbers;
    return {
      operands: { dy: normal(random, shape), y: { shape, numbers } },
      attributes: {},
      terms: shape[shape.length - 1],
    };
  },
  maxPool: (random) => {
    const { x, size } = pooling(random);
    const picture = normal(random, x);
    // Coarse values: ties are frequent, and the first maximum must win.
    const numbers = picture.numbers.map((value) => Math.round(2 * value) / 2) as Numbers;
    return { operands: { x: { shape: x, numbers } }, attributes: { size }, terms: 1 };
  },
  maxPoolGradient: (random) => {
    const { y, size, height, width } = pooling(random);
    return {
      operands: { dy: normal(random, y), argmax: whole(random, y, size * size) },
      attributes: { size, height, width },
      terms: 1,
    };
  },
  averagePool: (random) => {
    const { x, size } = pooling(random);
    return { operands: { x: normal(random, x) }, attributes: { size }, terms: size * size };
  },
  averagePoolGradient: (random) => {
    const { y, size, height, width } = pooling(random);
    return { operands: { dy: normal(random, y) }, attributes: { size, height, width }, terms: 1 };
  },
  makeViews: (random) => {
    const c = pick(random, [1, 3]);
    const [h, w] = pick(random, [
      [8, 8],
      [9, 7],
      [16, 16],
      [13, 21],
    ] as const);
    const [height, width] = pick(random, [
      [8, 8],
      [7, 5],
      [16, 16],
    ] as const);
    const n = between(random, 1, 6);
    const total = between(random, 1, 5);
    const images = { shape: [total, h, w, c], numbers: new Uint8Array(total * h * w * c) };
    for (let i = 0; i < images.numbers.length; i++) images.numbers[i] = random.integer(256);
    return {
      operands: { images, indices: whole(random, [n], total), parameters: viewRows(random, n, h, w) },
      attributes: {
        height,
        width,
        ...pick(random, [
          { low: 0, high: 1 },
          { low: -1, high: 1 },
          {
            low: 0,
            high: 1,
            normalise: { mean: [0.485, 0.456, 0.406].slice(0, c), std: [0.229, 0.224, 0.225].slice(0, c) },
          },
        ] as const),
      },
      terms: 100,
    };
  },
  gatherRows: (random) => {
    const total = between(random, 1, 9);
    const table = normal(random, [total, ...anyShape(random)]);
    return { operands: { table, indices: whole(random, [between(random, 1, 7)], total) }, attributes: {}, terms: 1 };
  },
  gatherLabels: (random) => {
    const total = between(random, 1, 9);
    return {
      operands: { table: whole(random, [total], 47), indices: whole(random, [between(random, 1, 7)], total) },
      attributes: {},
      terms: 1,
    };
  },
  gaussianNoise: (random, repetition) => {
    const x = normal(random, anyShape(random), 2);
    // A mean far from 0, so that a root mean square is no standard deviation.
    const moved = x.numbers.map((value) => value + 30) as Numbers;
    return {
      operands: { x: { shape: x.shape, numbers: moved }, counter: whole(random, [1], 1000) },
      attributes: { sigma: 0.3, relative: repetition % 2 === 0, seed: 7, stream: 11 },
      terms: 10,
    };
  },
  l1Distance: (random) => {
    const d = pick(random, [1, 7, 64, 65]);
    return {
      operands: { a: normal(random, [between(random, 1, 37), d]), b: normal(random, [between(random, 1, 41), d]) },
      attributes: {},
      terms: d,
    };
  },
  hingeGates: (random) => {
    const n = between(random, 3, 37);
    const distances = normal(random, [n, n]);
    return {
      operands: { distances: { shape: [n, n], numbers: distances.numbers.map((x) => 2 * Math.abs(x)) as Numbers } },
      attributes: {
        m1: 1,
        m2: 3,
        negatives: pick(random, [
          { kind: "all" },
          { kind: "next", count: 2 },
          { kind: "next", count: 1 },
          { kind: "authorsCode", count: 3 },
          { kind: "past", count: 2, gap: 1, spacing: 1 },
          { kind: "past", count: 1, gap: 2, spacing: 3 },
        ] as const),
      },
      terms: n,
    };
  },
  hingeAnchorError: (random) => errors(random),
  hingeViewError: (random) => errors(random),
  softmaxCrossEntropy: (random) => {
    const n = between(random, 1, 33);
    const c = pick(random, [2, 10, 47]);
    return {
      operands: { logits: normal(random, [n, c], 5), labels: whole(random, [n], c) },
      attributes: {},
      terms: n,
    };
  },
  classHinge: (random) => {
    const n = between(random, 1, 33);
    const c = pick(random, [2, 10, 47]);
    return {
      operands: { logits: normal(random, [n, c], 1.5), labels: whole(random, [n], c) },
      attributes: { offClass: pick(random, [0.5, 1]) },
      terms: n * c,
    };
  },
  normaliseRows: (random) => {
    const x = rows(random);
    return { operands: { x }, attributes: {}, terms: x.shape[1] };
  },
  normaliseRowsGradient: (random, repetition) => {
    const x = rows(random);
    const [n, d] = x.shape;
    const norms = Float32Array.from({ length: n }, (_, i) => Math.hypot(...x.numbers.subarray(i * d, (i + 1) * d)));
    // Below the smallest norm, where the error is so large that no other row would be seen beside it: in one case, all rows.
    if (repetition === 0) norms.fill(1e-14);
    const y = x.numbers.map((value, i) => value / Math.max(norms[Math.floor(i / d)], 1e-12)) as Numbers;
    return {
      operands: { dy: normal(random, [n, d]), y: { shape: [n, d], numbers: y }, norms: { shape: [n], numbers: norms } },
      attributes: {},
      terms: d,
    };
  },
  ntXent: (random) => {
    const m = 2 * between(random, 2, 23);
    return {
      operands: { similarities: normal(random, [m, m], 0.5) },
      attributes: { temperature: pick(random, [0.07, 0.5, 1]), divisor: pick(random, [m, m / 2, 1.5]) },
      terms: m,
    };
  },
  scoreGates: (random) => {
    const n = between(random, 1, 37);
    return { operands: { scores: normal(random, [n, n], 1.5) }, attributes: {}, terms: n * n };
  },
  pairProducts: (random) => {
    const { n, m, d, pairs } = pairList(random);
    return { operands: { a: normal(random, [n, d]), b: normal(random, [m, d]), pairs }, attributes: {}, terms: d };
  },
  pairGates: (random) => {
    const p = between(random, 1, 700);
    // A third of the pairs do not count.
    const weights = Float32Array.from({ length: p }, () => pick(random, [0, 0.25, -0.125]));
    return {
      operands: { scores: normal(random, [p], 1.5), weights: { shape: [p], numbers: weights } },
      attributes: { negatives: 1 },
      terms: p,
    };
  },
  pairErrors: (random, repetition) => {
    const { n, m, d, pairs } = pairList(random);
    const side = repetition % 2 === 0 ? 0 : 1;
    const p = pairs.shape[0];
    const gates = Float32Array.from({ length: p }, () => pick(random, [0, -1, 0.3]));
    return {
      operands: { other: normal(random, [side === 0 ? m : n, d]), gates: { shape: [p], numbers: gates }, pairs },
      attributes: { side, rows: side === 0 ? n : m },
      terms: p,
    };
  },
  goodnessGates: (random, repetition) => {
    const shape = places(random);
    // In one case far beyond the thresholds, where an exponential of the excess would overflow.
    const x = normal(random, [2 * shape[0], ...shape.slice(1)], repetition === 0 ? 40 : 1);
    return {
      operands: { x },
      attributes: {
        positive: pick(random, [0.3, 0.6, 9]),
        negative: pick(random, [0.1, 0.5, 1]),
      },
      terms: 1,
    };
  },
  goodnessError: (random) => {
    const shape = places(random);
    return {
      operands: { x: normal(random, shape), gates: normal(random, shape.slice(0, 3)) },
      attributes: {},
      terms: 1,
    };
  },
  matchSigns: (random) => {
    const shape = anyShape(random);
    const w = normal(random, shape);
    // Coarse weights: some are exactly 0.
    const coarse = w.numbers.map((value) => Math.round(2 * value) / 2) as Numbers;
    return { operands: { w: { shape, numbers: coarse }, b: normal(random, shape) }, attributes: {}, terms: 1 };
  },
  squaredError: (random, repetition) => {
    const shape = anyShape(random);
    return {
      operands: { x: normal(random, shape), target: normal(random, shape) },
      attributes: { divisor: repetition % 2 === 0 ? 1 : 2 * sizeOf(shape) },
      terms: sizeOf(shape),
    };
  },
  combine: (random) => {
    const shape = anyShape(random);
    return {
      operands: { a: normal(random, shape), b: normal(random, shape) },
      attributes: { alpha: 0.7, beta: -1.3 },
      terms: 2,
    };
  },
  adam: (random, repetition) => {
    const shape = anyShape(random);
    const v = normal(random, shape);
    return {
      operands: {
        gradient: normal(random, shape),
        step: { shape: [1], numbers: Int32Array.of(between(random, 1, 2000)) },
        rate: { shape: [1], numbers: Float32Array.of(random.uniform()) },
        weight: normal(random, shape),
        m: normal(random, shape),
        v: { shape, numbers: v.numbers.map((x) => x * x) as Numbers },
      },
      attributes: {
        learningRate: 1e-2,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        decay: repetition % 2 === 0 ? 0 : 0.3,
      },
      terms: 2,
    };
  },
  sgd: (random, repetition) => {
    const shape = anyShape(random);
    return {
      operands: {
        gradient: normal(random, shape),
        rate: { shape: [1], numbers: Float32Array.of(random.uniform()) },
        weight: normal(random, shape),
        velocity: normal(random, shape),
      },
      attributes: {
        learningRate: 1e-1,
        momentum: pick(random, [0, 0.9]),
        nesterov: repetition % 2 === 1,
        decay: pick(random, [0, 0.3]),
      },
      terms: 3,
    };
  },
  reduce: (random) => {
    const shape = anyShape(random);
    return {
      operands: { x: normal(random, shape) },
      attributes: { kind: pick(random, ["sum", "mean", "sumOfSquares"] as const) },
      terms: sizeOf(shape),
    };
  },
  columnMoments: (random) => {
    const n = between(random, 1, 40);
    return { operands: { x: normal(random, [n, pick(random, [1, 7, 64])]) }, attributes: {}, terms: n };
  },
};

const places = (random: Stream): Shape => [
  between(random, 1, 5),
  between(random, 1, 9),
  between(random, 1, 7),
  pick(random, [1, 3, 8, 21, 64]),
];

/** Rows of which the first is all 0 and the last shorter than the smallest norm that counts. */
function rows(random: Stream): Operand {
  const n = between(random, 3, 33);
  const d = pick(random, [1, 7, 64, 65]);
  const { shape, numbers } = normal(random, [n, d]);
  numbers.fill(0, 0, d);
  numbers.set(
    numbers.subarray((n - 1) * d).map((value) => 1e-14 * value),
    (n - 1) * d,
  );
  return { shape, numbers };
}

/** Embeddings with some equal coordinates, where the sign is 0, and signed gates most of which are shut. */
function errors(random: Stream): Case<"hingeAnchorError"> {
  const n = between(random, 2, 37);
  const d = pick(random, [1, 7, 64]);
  const coarse = (operand: Operand): Operand => ({
    shape: operand.shape,
    numbers: operand.numbers.map((x) => Math.round(4 * x) / 4) as Numbers,
  });
  const gates = Float32Array.from({ length: n * n }, () => pick(random, [0, 0, 0, 1, -1, -0.2]));
  return {
    operands: {
      a: coarse(normal(random, [n, d])),
      b: coarse(normal(random, [n, d])),
      gates: { shape: [n, n], numbers: gates },
    },
    attributes: {},
    terms: n,
  };
}

export interface RecordedCase {
  readonly kind: Kind;
  readonly program: Program;
  readonly inputs: readonly { tensor: Tensor; numbers: Numbers }[];
  readonly read: readonly Tensor[];
  readonly terms: number;
}

/** One program of one operation, with every operand persistent, so that the host can set and read it. */
function recordCase<K extends Kind>(kind: K, repetition: number): RecordedCase {
  const { operands, attributes, terms } = cases[kind](randomStream(1, kinds.indexOf(kind), repetition), repetition);
  const row = operationTable[kind];
  const dtypes = (row.dtypes ?? {}) as Record<string, "i32" | "u8" | undefined>;
  const inputs: { tensor: Tensor; numbers: Numbers }[] = [];
  const tensors = Object.fromEntries(
    Object.entries<Operand>(operands).map(([argument, { shape, numbers }]) => {
      const role = (row.updated as readonly string[]).includes(argument) ? "state" : "input";
      const tensor = persistent(`${kind} ${repetition} ${argument}`, shape, role, dtypes[argument] ?? "f32");
      inputs.push({ tensor, numbers });
      return [argument, tensor];
    }),
  );
  const record = recordProgram(`${kind} ${repetition}`);
  const names = Object.fromEntries(Object.keys(row.outputs).map((output) => [output, output]));
  const call = record[kind] as (operands: object, attributes: object, names: object) => Record<string, Tensor>;
  const outputs = Object.values(call(tensors, attributes, names));
  const updated = row.updated.map((argument) => tensors[argument]);
  return { kind, program: record.finish(outputs), inputs, read: [...outputs, ...updated], terms };
}

/** So many cases of every kind; `repetition` chooses attributes that all have to occur. */
export const recordCases = (repetitions: number): RecordedCase[] =>
  kinds.flatMap((kind) => Array.from({ length: repetitions }, (_, i) => recordCase(kind, i)));

/** What an engine makes of a case: its outputs, and what it updates. */
export async function evaluateCase(engine: Engine, { program, inputs, read }: RecordedCase): Promise<Numbers[]> {
  for (const { tensor, numbers } of inputs) engine.write(tensor, numbers);
  await engine.run(program);
  return Promise.all(read.map((tensor) => engine.read(tensor)));
}

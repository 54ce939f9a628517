// The WASM kernels at sizes that cut into many tasks, with odd ends: equal to the reference, and the same bits with 1, 2 and 3 threads.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine, Numbers } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { type Kind, operationTable } from "../../src/program/operations.ts";
import { type Program, recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { type DType, persistent, type Shape, sizeOf, type Tensor } from "../../src/program/tensor.ts";
import { view, viewParameters } from "../../src/program/views.ts";
import { compare } from "../support/tolerances.ts";

interface Case {
  readonly kind: Kind;
  readonly title: string;
  /** Shapes get normal numbers; tensors that need others bring them. */
  readonly operands: Readonly<Record<string, Shape | { readonly shape: Shape; readonly numbers: Numbers }>>;
  readonly attributes?: object;
  readonly terms?: number;
}

const random = randomStream(2);
const normal = (shape: Shape): Float32Array => Float32Array.from({ length: sizeOf(shape) }, random.normal);
const whole = (shape: Shape, below: number) => ({
  shape,
  numbers: Int32Array.from({ length: sizeOf(shape) }, () => random.integer(below)),
});
const positive = (shape: Shape) => ({ shape, numbers: normal(shape).map((x) => 2 * Math.abs(x)) });
const moved = (shape: Shape, by: number) => ({ shape, numbers: normal(shape).map((x) => x + by) });
const saturated = (shape: Shape) => ({ shape, numbers: normal(shape).map((x) => Math.min(1, Math.max(-1, x))) });
const bytes = (shape: Shape) => ({
  shape,
  numbers: Uint8Array.from({ length: sizeOf(shape) }, () => random.integer(256)),
});
const gates = (n: number, share: number) => ({
  shape: [n, n],
  numbers: Float32Array.from({ length: n * n }, () => (random.uniform() < share ? -1 : 0)),
});

/** Views far outside the picture, with identity colours, of narrow boxes and with every step, in turn. */
function views(n: number, h: number, w: number) {
  const numbers = new Float32Array(n * viewParameters);
  for (let i = 0; i < n; i++) {
    const row = numbers.subarray(i * viewParameters, (i + 1) * viewParameters);
    row.set(i % 5 === 0 ? [1e6, 0, -3e7, 0, -1e9, 5] : [0.8, 0.1 * (i % 3), -1, -0.2, 0.9, 1.3], view.affine);
    row[view.outside] = i % 2;
    row.set(i % 3 === 0 ? [-5, -9, w + 7, h + 4] : [w / 4, 0, w / 2, h - 1], view.box);
    row[view.colour] = i % 3;
    row.set(i % 7 === 0 ? [1, 1, 1, 0] : [1.3, 0.4, 1.7, i % 11 === 0 ? -3.7 : 0.15], view.brightness);
    row[view.order] = i % 24;
    row[view.grey] = i % 13 === 0 ? 1 : 0;
    // Tents within a box end at the picture's edge.
    row.set(i % 2 === 0 && i % 3 === 0 ? [1, 1] : [1 + (i % 4) / 3, 2.5 - (i % 5) / 2], view.support);
  }
  return { shape: [n, viewParameters], numbers };
}

const flat = [100, 1003];
const picture = [7, 41, 39, 17];
const third = [7, 13, 13, 17];
const pool = { size: 3 };
const full = { ...pool, height: 41, width: 39 };

const cases: readonly Case[] = [
  ...[3, 20, 1030].flatMap((c): Case[] => {
    const rows = Math.ceil(200_000 / c);
    return [
      { kind: "addBias", title: `${c} channels`, operands: { x: [rows, c], b: [c] } },
      { kind: "biasGradient", title: `${c} channels`, operands: { dy: [rows, c] }, terms: rows },
    ];
  }),
  ...(["hardtanh", "tanh", "relu"] as const).flatMap((kind): Case[] => [
    { kind: "activation", title: kind, operands: { x: flat }, attributes: { kind } },
    { kind: "activationGradient", title: kind, operands: { dy: flat, y: saturated(flat) }, attributes: { kind } },
  ]),
  { kind: "maxPool", title: "windows of 3", operands: { x: picture }, attributes: pool },
  { kind: "averagePool", title: "windows of 3", operands: { x: picture }, attributes: pool, terms: 9 },
  {
    kind: "maxPoolGradient",
    title: "windows of 3",
    operands: { dy: third, argmax: whole(third, 9) },
    attributes: full,
  },
  { kind: "averagePoolGradient", title: "windows of 3", operands: { dy: third }, attributes: full },
  ...[1, 3].map(
    (c): Case => ({
      kind: "makeViews",
      title: `${c} channels, 31 × 28 to 29 × 33`,
      operands: { images: bytes([11, 31, 28, c]), indices: whole([77], 11), parameters: views(77, 31, 28) },
      attributes: {
        height: 29,
        width: 33,
        low: -1,
        high: 1,
        normalise: { mean: [0.4, -0.1, 0.2].slice(0, c), std: [0.2, 0.5, 3].slice(0, c) },
      },
      terms: 100,
    }),
  ),
  { kind: "gatherRows", title: "of 3", operands: { table: [50, 3], indices: whole([5003], 50) } },
  { kind: "gatherLabels", title: "9001", operands: { table: whole([60_000], 47), indices: whole([9001], 60_000) } },
  // Few units, so the wide side is read in place: rows beyond one block of a sum, columns beyond one task, shares of every size.
  ...[
    { n: 2051, k: 70, o: 32 },
    { n: 133, k: 1003, o: 11 },
    { n: 45, k: 519, o: 3 },
  ].flatMap(({ n, k, o }): Case[] => [
    { kind: "linearInputGradient", title: `${n} rows to ${o}`, operands: { dy: [n, k], w: [o, k] }, terms: k },
    { kind: "linearWeightGradient", title: `${n} rows to ${o}`, operands: { x: [n, o], dy: [n, k] }, terms: n },
  ]),
  {
    kind: "gaussianNoise",
    title: "seed above 2³¹",
    operands: { x: [99, 1003], counter: whole([1], 2 ** 30) },
    attributes: { sigma: 1, relative: false, seed: 0xfffffff1, stream: 5 },
  },
  {
    kind: "gaussianNoise",
    title: "relative, a mean of 1000 and a deviation of 1",
    operands: { x: moved([99, 1003], 1000), counter: whole([1], 2 ** 30) },
    attributes: { sigma: 1, relative: true, seed: 3, stream: 5 },
  },
  ...[3, 64].map(
    (d): Case => ({
      kind: "l1Distance",
      title: `${d} coordinates`,
      operands: { a: [67, d], b: [131, d] },
      terms: d,
    }),
  ),
  ...[
    { kind: "all" },
    { kind: "next", count: 332 },
    { kind: "next", count: 211 },
    { kind: "authorsCode", count: 333 },
    { kind: "authorsCode", count: 1 },
    { kind: "past", count: 321, gap: 12, spacing: 1 },
    { kind: "past", count: 5, gap: 15, spacing: 79 },
    { kind: "past", count: 1, gap: 332, spacing: 1 },
  ].map(
    (negatives): Case => ({
      kind: "hingeGates",
      title: JSON.stringify(negatives),
      operands: { distances: positive([333, 333]) },
      attributes: { m1: 1, m2: 3, negatives },
    }),
  ),
  ...(["hingeAnchorError", "hingeViewError"] as const).flatMap((kind) =>
    [0.01, 1].map(
      (share): Case => ({
        kind,
        title: `${share} of the gates open`,
        operands: { a: [150, 70], b: [150, 70], gates: gates(150, share) },
      }),
    ),
  ),
  { kind: "softmaxCrossEntropy", title: "47 classes", operands: { logits: [1001, 47], labels: whole([1001], 47) } },
  {
    kind: "classHinge",
    title: "47 classes",
    operands: { logits: [1001, 47], labels: whole([1001], 47) },
    attributes: { offClass: 0.5 },
  },
  { kind: "normaliseRows", title: "of 131", operands: { x: [1001, 131] } },
  {
    kind: "normaliseRowsGradient",
    title: "of 131",
    operands: { dy: [1001, 131], y: [1001, 131], norms: positive([1001]) },
  },
  {
    kind: "ntXent",
    title: "333 images",
    operands: { similarities: [666, 666] },
    attributes: { temperature: 0.5, divisor: 666 },
  },
  // Transposed convolutions: phases of 1, 2, 2 and 4 taps, phases that no tap reaches, and as many phases as there are pixels.
  ...(
    [
      { n: 70, from: [8, 7], to: [16, 14], kernel: 3, stride: 2, padding: 1 },
      { n: 9, from: [5, 6], to: [10, 12], kernel: 1, stride: 2, padding: 0 },
      { n: 33, from: [1, 3], to: [2, 9], kernel: 5, stride: 3, padding: 2 },
    ] as const
  ).map(
    ({ n, from, to: [height, width], kernel, stride, padding }): Case => ({
      kind: "conv2dInputGradient",
      title: `${n} images, ${kernel} × ${kernel} kernels, stride ${stride}`,
      operands: { dy: [n, ...from, 20], w: [kernel, kernel, 27, 20] },
      attributes: { stride, padding, height, width },
      terms: 20 * Math.ceil(kernel / stride) ** 2,
    }),
  ),
  { kind: "scoreGates", title: "333 images", operands: { scores: [333, 333] } },
  {
    kind: "pairProducts",
    title: "5,001 pairs",
    operands: { a: [33, 70], b: [33, 70], pairs: whole([5001, 2], 33) },
    terms: 70,
  },
  {
    kind: "pairGates",
    title: "100,001 pairs",
    operands: { scores: [100_001], weights: [100_001] },
    attributes: { negatives: 1 },
    terms: 100_001,
  },
  ...[0, 1].map(
    (side): Case => ({
      kind: "pairErrors",
      title: `333 rows, side ${side}`,
      operands: { other: [333, 170], gates: [1001], pairs: whole([1001, 2], 333) },
      attributes: { side, rows: 333 },
      terms: 12,
    }),
  ),
  ...[3, 64].flatMap((c): Case[] => {
    const x = [14, 41, 39, c];
    return [
      {
        kind: "goodnessGates",
        title: `${c} channels`,
        operands: { x },
        attributes: { positive: 0.6, negative: 0.3 },
      },
      { kind: "goodnessError", title: `${c} channels`, operands: { x, gates: [14, 41, 39] } },
    ];
  }),
  { kind: "matchSigns", title: "100,300", operands: { w: flat, b: flat } },
  ...[1, 200_600].map((divisor) => ({
    kind: "squaredError" as const,
    title: `100,300 numbers ÷ ${divisor}`,
    operands: { x: flat, target: flat },
    attributes: { divisor },
  })),
  { kind: "combine", title: "100,300", operands: { a: flat, b: flat }, attributes: { alpha: 0.7, beta: -1.3 } },
  ...[
    { step: 1, decay: 0 },
    { step: 100_000, decay: 0.1 },
    { step: 2_000_000_000, decay: 0 },
  ].map(
    ({ step, decay }): Case => ({
      kind: "adam",
      title: `step ${step}, decay ${decay}`,
      operands: {
        gradient: flat,
        step: { shape: [1], numbers: Int32Array.of(step) },
        rate: { shape: [1], numbers: Float32Array.of(0.7) },
        weight: flat,
        m: flat,
        v: positive(flat),
      },
      attributes: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay },
    }),
  ),
  ...[false, true].map(
    (nesterov): Case => ({
      kind: "sgd",
      title: nesterov ? "Nesterov" : "momentum",
      operands: {
        gradient: flat,
        rate: { shape: [1], numbers: Float32Array.of(0.7) },
        weight: flat,
        velocity: flat,
      },
      attributes: { learningRate: 1e-3, momentum: 0.9, nesterov, decay: 0.1 },
    }),
  ),
  ...["sum", "mean", "sumOfSquares"].map(
    (kind): Case => ({ kind: "reduce", title: kind, operands: { x: flat }, attributes: { kind } }),
  ),
  { kind: "columnMoments", title: "70 columns", operands: { x: [1001, 70] } },
];

interface Recorded extends Case {
  readonly name: string;
  readonly program: Program;
  readonly inputs: readonly { readonly tensor: Tensor; readonly numbers: Numbers }[];
  readonly read: readonly Tensor[];
}

function record(entry: Case): Recorded {
  const { kind, title, operands, attributes = {} } = entry;
  const row = operationTable[kind];
  const name = `${kind}, ${title}`;
  const dtypes = (row.dtypes ?? {}) as Readonly<Record<string, DType>>;
  const inputs = Object.entries(operands).map(([argument, operand]) => {
    const { shape, numbers } = "shape" in operand ? operand : { shape: operand, numbers: normal(operand) };
    return { argument, tensor: persistent(`${name} ${argument}`, shape, "state", dtypes[argument]), numbers };
  });
  const tensors = Object.fromEntries(inputs.map(({ argument, tensor }) => [argument, tensor]));
  const recorder = recordProgram(name);
  const names = Object.fromEntries(Object.keys(row.outputs).map((output) => [output, output]));
  const call = recorder[kind] as unknown as (...all: object[]) => Record<string, Tensor>;
  const outputs = Object.values(call(tensors, attributes, names));
  const updated = row.updated.map((argument: string) => tensors[argument]);
  return { ...entry, name, program: recorder.finish(outputs), inputs, read: [...outputs, ...updated] };
}

const recorded = cases.map(record);

async function evaluate(engine: Engine, { program, inputs, read }: Recorded): Promise<Numbers[]> {
  for (const { tensor, numbers } of inputs) engine.write(tensor, numbers);
  await engine.run(program);
  return Promise.all(read.map((tensor) => engine.read(tensor)));
}

describe("kernels cut into many tasks", () => {
  let engines: Engine[];
  beforeAll(async () => {
    const programs = recorded.map(({ program }) => program);
    const backends = [referenceBackend, ...[1, 2, 3].map((threads) => wasmBackend({ threads }))];
    engines = await Promise.all(backends.map((backend) => backend.prepare(programs)));
  });
  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.dispose()));
  });

  test.each(recorded)("$name", async (entry) => {
    const [wanted, one, two, three] = await Promise.all(engines.map((engine) => evaluate(engine, entry)));
    entry.read.forEach((tensor, i) => {
      const { kind, terms = 1 } = entry;
      expect(compare(one[i], wanted[i], { kind, terms, what: tensor.name })).toBe("equal");
      expect(two[i]).toEqual(one[i]);
      expect(three[i]).toEqual(one[i]);
    });
  });
});

test("rows that products with few units gather for themselves are those of a gather beforehand, to the bit", async () => {
  const [count, n, k, o] = [90, 37, 531, 7];
  const table = persistent("table", [count, k], "input");
  const indices = persistent("indices", [n], "input", "i32");
  const w = persistent("w", [o, k], "weight");
  const state = ["m", "v"].map((name) => persistent(name, [o, k], "state"));
  const step = persistent("step", [1], "input", "i32");
  const rate = persistent("rate", [1], "input");
  const dy = persistent("dy", [n, o], "input");
  /** The program that gathers in its products, or, where the host reads what is gathered, before them. */
  const products = (apart: boolean): Program => {
    const recorder = recordProgram(apart ? "apart" : "within");
    const { y } = recorder.gatherRows({ table, indices }, {}, { y: "y" });
    const { dx } = recorder.linearInputGradient({ dy: y, w }, {}, { dx: "dx" });
    const { dw } = recorder.linearWeightGradient({ x: dy, dy: y }, {}, { dw: "dw" });
    const again = recorder.linearWeightGradient({ x: dy, dy: y }, {}, { dw: "again" }).dw;
    const adam = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 };
    recorder.adam({ gradient: again, step, rate, weight: w, m: state[0], v: state[1] }, adam, {});
    return recorder.finish(apart ? [dx, dw, y] : [dx, dw]);
  };
  const inputs: [Tensor, Numbers][] = [
    [table, normal([count, k])],
    [indices, whole([n], count).numbers],
    [dy, normal([n, o])],
    [step, Int32Array.of(1)],
    [rate, Float32Array.of(1)],
  ];
  const start = normal([o, k]);
  const run = async (apart: boolean, threads: number): Promise<Numbers[]> => {
    const program = products(apart);
    const engine = await wasmBackend({ threads }).prepare([program]);
    for (const [tensor, numbers] of inputs) engine.write(tensor, numbers);
    engine.write(w, start);
    await engine.run(program);
    const read = await Promise.all([...program.results.slice(0, 2), w].map((tensor) => engine.read(tensor)));
    await engine.dispose();
    return read;
  };
  const within = await run(false, 1);
  expect(within[2]).not.toEqual(start);
  expect(await run(true, 1)).toEqual(within);
  for (const threads of [2, 3]) expect(await run(false, threads)).toEqual(within);
});

// The WASM backend beyond its operations: results that do not depend on threads, fused forms, refusals, and an end.

import { describe, expect, test } from "vitest";
import type { Backend, Engine, Numbers } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ActivationKind } from "../../src/program/operations.ts";
import { type Program, recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent, reshape, sizeOf, type Tensor } from "../../src/program/tensor.ts";
import { backendsUnderTest, wideObstacle } from "../support/backends.ts";
import { compare } from "../support/tolerances.ts";

interface Recorded {
  readonly program: Program;
  readonly inputs: readonly Tensor[];
  /** Terms of the longest sum. */
  readonly terms: number;
}

interface Block {
  readonly n: number;
  readonly side: number;
  readonly c: number;
  readonly o: number;
  readonly after: readonly (ActivationKind | number)[];
  readonly stride?: number;
  readonly kernel?: number;
  /** Large enough for Winograd's form, whose rounding errors are some ten times those of the direct one. */
  readonly winograd?: boolean;
}

/**
 * One block forward and backward; in `after`, a name is an activation and a number the size of a pooling window. The way back reads
 * places and outputs of its own: at near-ties two right implementations of the forward pass choose different places.
 */
function recordBlock(
  name: string,
  { n, side, c, o, after, stride = 1, kernel = 3, winograd = false }: Block,
): Recorded {
  const record = recordProgram(name);
  const padding = kernel >> 1;
  const x = persistent(`${name} x`, [n, side, side, c], "input");
  const w = persistent(`${name} w`, [kernel, kernel, c, o], "weight");
  const b = persistent(`${name} b`, [o], "weight");
  let y = record.conv2d({ x, w }, { stride, padding }, { y: "convolution" }).y;
  y = record.addBias({ x: y, b }, {}, { y: "biased" }).y;
  const back: ((dy: Tensor) => Tensor)[] = [];
  const routes: Tensor[] = [];
  after.forEach((step, i) => {
    const [, height, width] = y.shape;
    const dx = `error ${i}`;
    if (typeof step === "number") {
      y = record.maxPool({ x: y }, { size: step }, { y: `after ${i}`, argmax: `argmax ${i}` }).y;
      const argmax = persistent(`${name} argmax ${i}`, y.shape, "input", "i32");
      back.push((dy) => record.maxPoolGradient({ dy, argmax }, { size: step, height, width }, { dx }).dx);
      routes.push(argmax);
    } else {
      y = record.activation({ x: y }, { kind: step }, { y: `after ${i}` }).y;
      const output = persistent(`${name} output ${i}`, y.shape, "input");
      back.push((dy) => record.activationGradient({ dy, y: output }, { kind: step }, { dx }).dx);
      routes.push(output);
    }
  });
  const error = persistent(`${name} dy`, y.shape, "input");
  let dy = error;
  for (const step of back.reverse()) dy = step(dy);
  const { db } = record.biasGradient({ dy }, {}, { db: "db" });
  const { dw } = record.conv2dWeightGradient({ x, dy }, { stride, padding, kernel: [kernel, kernel] }, { dw: "dw" });
  const { dx } = record.conv2dInputGradient({ dy, w }, { stride, padding, height: side, width: side }, { dx: "dx" });
  return {
    program: record.finish([y, db, dw, dx]),
    inputs: [x, w, b, error, ...routes],
    terms: Math.max(n * side * side, kernel * kernel * Math.max(c, o)) * (winograd ? 100 : 1),
  };
}

/** Products whose blocks do not come out even. */
function recordLinear(n: number, c: number, o: number): Recorded {
  const record = recordProgram("linear");
  const x = persistent("linear x", [n, c], "input");
  const w = persistent("linear w", [c, o], "weight");
  const error = persistent("linear dy", [n, o], "input");
  const { y } = record.linear({ x, w }, {}, { y: "y" });
  const { dx } = record.linearInputGradient({ dy: error, w }, {}, { dx: "dx" });
  const { dw } = record.linearWeightGradient({ x, dy: error }, {}, { dw: "dw" });
  return { program: record.finish([y, dx, dw]), inputs: [x, w, error], terms: Math.max(n, c, o) };
}

const blocks: Readonly<Record<string, Block>> = {
  "three channels, Hardtanh": { n: 7, side: 17, c: 3, o: 32, after: ["hardtanh"] },
  pooling: { n: 37, side: 16, c: 32, o: 40, after: [2] },
  "odd side, pooling": { n: 3, side: 13, c: 16, o: 24, after: [2] },
  "pooling then tanh": { n: 5, side: 28, c: 1, o: 32, after: [2, "tanh"] },
  "Hardtanh then pooling": { n: 4, side: 12, c: 24, o: 16, after: ["hardtanh", 2] },
  "pooling by three": { n: 4, side: 14, c: 16, o: 9, after: ["relu", 3] },
  "two poolings": { n: 2, side: 13, c: 16, o: 8, after: [2, "tanh", 2] },
  "two activations": { n: 2, side: 8, c: 16, o: 8, after: ["tanh", "hardtanh"] },
  "stride two": { n: 5, side: 15, c: 16, o: 16, after: ["hardtanh"], stride: 2, kernel: 5 },
  "a picture larger than a block": { n: 2, side: 64, c: 32, o: 64, after: ["hardtanh", 2], winograd: true },
  "Winograd, several images at a time": { n: 65, side: 8, c: 16, o: 80, after: [2], winograd: true },
  "Winograd, tiles beyond the picture": { n: 29, side: 11, c: 32, o: 16, after: [2, "tanh"], winograd: true },
  "Winograd, Hardtanh": { n: 17, side: 18, c: 16, o: 48, after: ["hardtanh"], winograd: true },
  "Winograd, tanh": { n: 16, side: 16, c: 16, o: 16, after: ["tanh"], winograd: true },
  "Winograd, ReLU": { n: 16, side: 16, c: 16, o: 16, after: ["relu"], winograd: true },
  "Winograd, Hardtanh then pooling": { n: 17, side: 18, c: 16, o: 16, after: ["hardtanh", 2], winograd: true },
  "Winograd, tanh then pooling": { n: 16, side: 16, c: 16, o: 16, after: ["tanh", 2], winograd: true },
  "Winograd, ReLU then pooling": { n: 16, side: 16, c: 16, o: 16, after: ["relu", 2], winograd: true },
  "Winograd, pooling then ReLU": { n: 29, side: 10, c: 16, o: 16, after: [2, "relu"], winograd: true },
  "Winograd, 256 channels in": { n: 29, side: 10, c: 256, o: 16, after: [], winograd: true },
  "Winograd, a group of images flushed twice": { n: 1600, side: 8, c: 16, o: 16, after: [], winograd: true },
  "Winograd, two blocks of channels out": { n: 29, side: 10, c: 16, o: 144, after: [], winograd: true },
};
const recorded = new Map<string, Recorded>([
  ...Object.entries(blocks).map(([name, block]): [string, Recorded] => [name, recordBlock(name, block)]),
  ["linear layers", recordLinear(61, 530, 75)],
]);
const programs = [...recorded.values()].map(({ program }) => program);

const drawn = new Map<Tensor, Float32Array | Int32Array>();

/** What a program reads, drawn once. */
function numbersOf(tensor: Tensor, number: number): Float32Array | Int32Array {
  const known = drawn.get(tensor);
  if (known) return known;
  const random = randomStream(3, number, 0);
  // Activities of about 1, so that activations are neither idle nor saturated; places in windows of at least four.
  const scale = tensor.role === "weight" ? 1 / Math.sqrt(sizeOf(tensor.shape.slice(0, -1))) : 1;
  const size = sizeOf(tensor.shape);
  const numbers = tensor.dtype === "i32" ? new Int32Array(size) : new Float32Array(size);
  for (let i = 0; i < size; i++) numbers[i] = tensor.dtype === "i32" ? random.integer(4) : scale * random.normal();
  drawn.set(tensor, numbers);
  return numbers;
}

function fill(engine: Engine, inputs: readonly Tensor[]): void {
  for (const [i, tensor] of inputs.entries()) engine.write(tensor, numbersOf(tensor, i));
}

async function outputs(engine: Engine, { program, inputs }: Recorded): Promise<Numbers[]> {
  fill(engine, inputs);
  await engine.run(program);
  return Promise.all(program.results.map((tensor) => engine.read(tensor)));
}

async function withEngine<T>(
  backend: Backend,
  use: (engine: Engine) => Promise<T>,
  prepared: readonly Program[] = programs,
): Promise<T> {
  const engine = await backend.prepare(prepared);
  try {
    return await use(engine);
  } finally {
    await engine.dispose();
  }
}

const all = (engine: Engine): Promise<Numbers[][]> =>
  [...recorded.values()].reduce<Promise<Numbers[][]>>(
    async (before, entry) => [...(await before), await outputs(engine, entry)],
    Promise.resolve([]),
  );

describe.skipIf(wideObstacle)(
  `wide and relaxed SIMD give the same bytes${wideObstacle ? ` (${wideObstacle})` : ""}`,
  () => {
    test("of every block", async () => {
      const wide = await withEngine(wasmBackend({ threads: 2, simd: "wide" }), all);
      expect(wide).toEqual(await withEngine(wasmBackend({ threads: 2, simd: "relaxed" }), all));
    });

    test("where partial sums fill their memory, so that their groups are fewer than the images", async () => {
      const block = recordBlock("large sums", { n: 32, side: 2, c: 512, o: 520, after: [] });
      const [wide, relaxed] = await Promise.all(
        (["wide", "relaxed"] as const).map(async (simd) => {
          const engine = await wasmBackend({ threads: 1, simd }).prepare([block.program]);
          try {
            return await outputs(engine, block);
          } finally {
            await engine.dispose();
          }
        }),
      );
      // Not toEqual on millions of numbers that differ: it would print them.
      const differing = wide.map((numbers, i) => numbers.findIndex((value, at) => value !== relaxed[i][at]));
      expect(differing).toEqual(wide.map(() => -1));
    });
  },
);

describe("a stage in one piece equals its operations one by one", () => {
  test.each([...recorded.keys()])("%s", async (name) => {
    const entry = recorded.get(name) as Recorded;
    const read = (engine: Engine): Promise<Numbers[]> => outputs(engine, entry);
    const wanted = await withEngine(referenceBackend, read, [entry.program]);
    for (const { open } of backendsUnderTest) {
      const got = await withEngine(await open(), read, [entry.program]);
      entry.program.results.forEach(({ name: what }, i) => {
        expect(compare(got[i], wanted[i], { kind: "conv2d", terms: entry.terms, what })).toBe("equal");
      });
    }
  });
});

test("weights larger than the caches: Winograd's form of a batch equals the direct form of its halves", async () => {
  const layer = { side: 10, c: 512, o: 512, after: [] };
  const whole = recordBlock("whole", { ...layer, n: 30 });
  // Too few tiles for Winograd's form.
  const half = recordBlock("half", { ...layer, n: 15 });
  const engine = await wasmBackend({ threads: 2 }).prepare([whole.program, half.program]);
  try {
    const [y, db, dw, dx] = await outputs(engine, whole);
    const inputs = await Promise.all(whole.inputs.map((tensor) => engine.read(tensor)));
    const sums = [db, dw].map(({ length }) => new Float64Array(length));
    for (const part of [0, 1]) {
      const ofPart = (numbers: Numbers, size: number): Numbers => numbers.slice(part * size, (part + 1) * size);
      half.inputs.forEach((tensor, i) => {
        engine.write(tensor, tensor.role === "weight" ? inputs[i] : ofPart(inputs[i], sizeOf(tensor.shape)));
      });
      await engine.run(half.program);
      const [yOfHalf, dbOfHalf, dwOfHalf, dxOfHalf] = await Promise.all(half.program.results.map(engine.read));
      for (const [got, wanted, what] of [
        [y, yOfHalf, "y"],
        [dx, dxOfHalf, "dx"],
      ] as const)
        expect(compare(ofPart(got, wanted.length), wanted, { kind: "conv2d", terms: 100 * whole.terms, what })).toBe(
          "equal",
        );
      [dbOfHalf, dwOfHalf].forEach((numbers, i) => {
        numbers.forEach((value, at) => {
          sums[i][at] += value;
        });
      });
    }
    expect(compare(db, sums[0], { kind: "conv2d", terms: 100 * whole.terms, what: "db" })).toBe("equal");
    expect(compare(dw, sums[1], { kind: "conv2d", terms: 100 * whole.terms, what: "dw" })).toBe("equal");
  } finally {
    await engine.dispose();
  }
});

test("one, two, three and eight threads give the same bytes, and so does a second run", async () => {
  const one = await withEngine(wasmBackend({ threads: 1 }), all);
  for (const threads of [2, 3, 8])
    await withEngine(wasmBackend({ threads }), async (engine) => {
      expect(await all(engine)).toEqual(one);
      expect(await all(engine)).toEqual(one);
    });
});

test("programs that do not fit into 4 GiB are refused with the bytes they need", async () => {
  const record = recordProgram("large");
  const x = persistent("large x", [1 << 10, 1 << 20], "input");
  const { y } = record.activation({ x }, { kind: "relu" }, { y: "y" });
  await expect(wasmBackend({ threads: 1 }).prepare([record.finish([y])])).rejects.toThrow(
    /need 8\d{9} bytes \(8\.0 GiB\).*make the batch smaller/,
  );
});

test("a second run before the first has ended is refused", async () => {
  await withEngine(wasmBackend({ threads: 2 }), async (engine) => {
    const first = engine.run(programs[0]);
    await expect(engine.run(programs[1])).rejects.toThrow("still in flight");
    await first;
  });
});

test("an engine that was disposed of says so", async () => {
  const engine = await wasmBackend({ threads: 2 }).prepare(programs);
  await engine.run(programs[0]);
  await engine.dispose();
  await expect(engine.run(programs[0])).rejects.toThrow("disposed of");
});

test("a kernel that traps rejects the run, and every run after it", async () => {
  const record = recordProgram("trap");
  const table = persistent("table", [4, 64], "input");
  const indices = persistent("indices", [8], "input", "i32");
  const { y } = record.gatherRows({ table, indices }, {}, { y: "y" });
  const program = record.finish([y]);
  const engine = await wasmBackend({ threads: 2 }).prepare([program]);
  engine.write(indices, new Int32Array(8).fill(1 << 22));
  await expect(engine.run(program)).rejects.toThrow(
    /a compute thread failed: kernel gatherRows: memory access out of bounds/,
  );
  await expect(engine.run(program)).rejects.toThrow("a compute thread failed");
  await engine.dispose();
});

test("views of tensors are read and written where they stand", async () => {
  const record = recordProgram("windows");
  const x = persistent("window x", [4, 6], "input");
  const { y } = record.activation({ x: reshape(x, [24]) }, { kind: "relu" }, { y: "y" });
  const program = record.finish([y]);
  const engine = await wasmBackend({ threads: 1 }).prepare([program]);
  const numbers = Float32Array.from({ length: 24 }, (_, i) => i - 12);
  engine.write(x, numbers);
  await engine.run(program);
  expect(await engine.read(reshape(y, [4, 6]))).toEqual(numbers.map((value) => Math.max(0, value)));
  await engine.dispose();
});

// The program: the recorder refuses nonsense, fusion keeps the order of dependence, the memory plan keeps live tensors apart.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { countParameters } from "../../src/encoders/encoder.ts";
import { createModel } from "../../src/encoders/model.ts";
import { networkOf, networks } from "../../src/encoders/networks.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { explain, formatBytes, formatCount, formatExplanation } from "../../src/program/explain.ts";
import { fuse } from "../../src/program/fusion.ts";
import { planMemory, type StagedProgram } from "../../src/program/plan.ts";
import {
  type AnyOperation,
  flopsOf,
  inputsOf,
  outputsOf,
  type Program,
  persistentTensors,
  type Recorder,
  recordProgram,
  updatesOf,
} from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import {
  bytesOf,
  offsetOf,
  ownerOf,
  persistent,
  reshape,
  rows,
  sizeOf,
  type Tensor,
} from "../../src/program/tensor.ts";
import { recordConfigured } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

/** The programs of a configuration's steps on a dataset of so many images, as `saccade explain` has them. */
function stepsOf(change: object, count = 500): Program[] {
  const raw = { ...(parse(readFileSync("configs/cifar-bp.yaml", "utf8")) as object), ...change };
  const config = parseConfig(raw, "test");
  const encoder = networkOf(config.encoder);
  const shape = { ...encoder, count, classes: 10 };
  return recordConfigured(config, createModel(encoder), shape).lessons.map(({ program }) => program);
}

const hinge = { kind: "contrastiveHinge", negatives: 5 };
const configured: readonly [string, Program[]][] = [
  ["CIFAR, E2E BP", stepsOf({})],
  ["CIFAR, E2E BP with gradient block", stepsOf({ loss: { ...hinge, gradientBlock: true } })],
  ["CIFAR, E2E DTP", stepsOf({ update: "DTP" })],
  ["CIFAR, GLL URF", stepsOf({ learning: "GLL", update: "URF" })],
  ["VGG6, E2E RF", stepsOf({ encoder: "vgg6", update: "RF", batch: 32 })],
  ["MNIST, RLL BP", stepsOf({ encoder: "mnist", learning: "RLL", probe: undefined })],
];

/**
 * A program that nobody would write: random operations on random earlier tensors, weights updated while others still read
 * them, windows read and filled, errors without a reason. Shapes fit, and nothing else is promised.
 */
function randomProgram(seed: number): Program {
  const random = randomStream(seed, 0x9e);
  const record = recordProgram(`random ${seed}`);
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)];
  let named = 0;
  const name = (): string => `t${named++}`;
  const n = 1 + random.integer(3);
  const side = pick([4, 5, 6]);
  const channels = pick([1, 2, 3]);
  const pictures: Tensor[] = [persistent("x", [n, side, side, channels], "input")];
  const weights: Tensor[] = [];
  const step = persistent("step", [1], "input", "i32");
  const rate = persistent("rate", [1], "input");
  const moments = new Map<Tensor, { m: Tensor; v: Tensor }>();
  const pooled: { y: Tensor; argmax: Tensor; height: number; width: number }[] = [];
  const like = (shape: readonly number[]): Tensor[] =>
    pictures.filter((tensor) => tensor.shape.join() === shape.join());

  function learn(weight: Tensor, gradient: Tensor): void {
    const { m, v } = moments.get(weight) ?? {
      m: persistent(`${weight.name}.m`, weight.shape, "state"),
      v: persistent(`${weight.name}.v`, weight.shape, "state"),
    };
    moments.set(weight, { m, v });
    record.adam(
      { gradient, step, rate, weight, m, v },
      { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 },
      {},
    );
  }

  const moves: readonly (() => void)[] = [
    () => {
      const x = pick(pictures);
      const c = x.shape[3];
      const fitting = weights.filter(({ shape }) => shape.length === 4 && shape[2] === c);
      const fresh = persistent(`w${weights.length}`, [3, 3, c, 1 + random.integer(3)], "weight");
      const w = fitting.length > 0 && random.uniform() < 0.5 ? pick(fitting) : fresh;
      if (w === fresh) weights.push(w);
      pictures.push(record.conv2d({ x, w }, { stride: 1, padding: 1 }, { y: name() }).y);
    },
    () => {
      const x = pick(pictures);
      const b = persistent(`b${weights.length}`, [x.shape[3]], "weight");
      weights.push(b);
      pictures.push(record.addBias({ x, b }, {}, { y: name() }).y);
    },
    () => {
      const kind = pick(["hardtanh", "tanh", "relu"] as const);
      pictures.push(record.activation({ x: pick(pictures) }, { kind }, { y: name() }).y);
    },
    () => {
      const x = pick(pictures);
      const [, height, width] = x.shape;
      if (Math.min(height, width) < 2) return;
      const { y, argmax } = record.maxPool({ x }, { size: 2 }, { y: name(), argmax: name() });
      pictures.push(y);
      pooled.push({ y, argmax, height, width });
    },
    () => {
      const y = pick(pictures);
      const kind = pick(["hardtanh", "tanh", "relu"] as const);
      pictures.push(record.activationGradient({ dy: pick(like(y.shape)), y }, { kind }, { dx: name() }).dx);
    },
    () => {
      if (pooled.length === 0) return;
      const { y, argmax, height, width } = pick(pooled);
      const { dx } = record.maxPoolGradient(
        { dy: pick(like(y.shape)), argmax },
        { size: 2, height, width },
        { dx: name() },
      );
      pictures.push(dx);
    },
    () => {
      const kernels = weights.filter(({ shape }) => shape.length === 4);
      if (kernels.length === 0) return;
      const w = pick(kernels);
      const errors = pictures.filter(({ shape }) => shape[3] === w.shape[3]);
      if (errors.length === 0) return;
      const dy = pick(errors);
      const [, height, width] = dy.shape;
      const inputs = pictures.filter(({ shape }) => shape.join() === [dy.shape[0], height, width, w.shape[2]].join());
      if (inputs.length > 0) {
        const x = pick(inputs);
        const { dw } = record.conv2dWeightGradient(
          { x, dy },
          { stride: 1, padding: 1, kernel: [3, 3] },
          { dw: name() },
        );
        if (random.uniform() < 0.7) learn(w, dw);
      }
      if (random.uniform() < 0.7)
        pictures.push(
          record.conv2dInputGradient({ dy, w }, { stride: 1, padding: 1, height, width }, { dx: name() }).dx,
        );
    },
    () => {
      const biases = weights.filter(({ shape }) => shape.length === 1);
      if (biases.length === 0) return;
      const b = pick(biases);
      const errors = pictures.filter(({ shape }) => shape[3] === b.shape[0]);
      if (errors.length === 0) return;
      const { db } = record.biasGradient({ dy: pick(errors) }, {}, { db: name() });
      if (random.uniform() < 0.7) learn(b, db);
    },
    () => {
      const a = pick(pictures);
      const b = pick(like(a.shape));
      pictures.push(record.combine({ a, b }, { alpha: 1, beta: -1 }, { y: name() }).y);
    },
    () => {
      const x = pick(pictures);
      if (x.shape[0] > 1) pictures.push(rows(x, random.integer(x.shape[0]), 1));
    },
    () => {
      const x = pick(pictures);
      const whole = record.tensor(name(), [2 * x.shape[0], ...x.shape.slice(1)], "activity");
      for (const start of [0, x.shape[0]])
        record.activation({ x: pick(like(x.shape)) }, { kind: "tanh" }, { y: rows(whole, start, x.shape[0]) });
      pictures.push(whole);
    },
  ];
  for (let i = 0; i < 40; i++) pick(moves)();
  const results = pictures.filter((tensor) => ownerOf(tensor).lifetime === "step" && random.uniform() < 0.1);
  return record.finish(results);
}

const randomPrograms: readonly [string, Program[]][] = Array.from({ length: 150 }, (_, seed) => [
  `random ${seed}`,
  [randomProgram(seed)],
]);

const overlap = (from: number, size: number, other: number, otherSize: number): boolean =>
  from < other + otherSize && other < from + size;

/** Two tensors share an element: the same owner, and windows that meet. */
const meet = (a: Tensor, b: Tensor): boolean =>
  ownerOf(a) === ownerOf(b) && overlap(offsetOf(a), sizeOf(a.shape), offsetOf(b), sizeOf(b.shape));

const readBy = (operation: AnyOperation): Tensor[] => [...inputsOf(operation), ...updatesOf(operation)];
const writtenBy = (operation: AnyOperation): Tensor[] => [...outputsOf(operation), ...updatesOf(operation)];

/** Whether `later` must run after `earlier`. */
const depends = (later: AnyOperation, earlier: AnyOperation): boolean => {
  const meeting = (some: Tensor[], others: Tensor[]): boolean => some.some((a) => others.some((b) => meet(a, b)));
  return (
    meeting(readBy(later), writtenBy(earlier)) ||
    meeting(writtenBy(later), readBy(earlier)) ||
    meeting(writtenBy(later), writtenBy(earlier))
  );
};

/** What fusion did to a program that it must not do. */
function fusionFaults(program: Program): string[] {
  const faults: string[] = [];
  const stages = fuse(program);
  const order = stages.flatMap(({ operations }) => operations);
  if (order.length !== program.operations.length || new Set(order).size !== order.length)
    faults.push("an operation is missing or there twice");
  const place = new Map(order.map((operation, i) => [operation, i]));
  const at = (operation: AnyOperation): number => place.get(operation) ?? Number.NaN;
  program.operations.forEach((later, j) => {
    for (const earlier of program.operations.slice(0, j))
      if (depends(later, earlier) && !(at(earlier) < at(later)))
        faults.push(`${later.kind} ${j} runs before ${earlier.kind}, on which it depends`);
  });
  const results = new Set(program.results.map(ownerOf));
  for (const { operations, elided } of stages)
    for (const tensor of elided) {
      if (results.has(ownerOf(tensor))) faults.push(`${tensor.name} is a result and elided`);
      const outside = order.filter((operation) => !operations.includes(operation));
      if (
        outside.some((operation) =>
          [...readBy(operation), ...writtenBy(operation)].some((other) => meet(other, tensor)),
        )
      )
        faults.push(`${tensor.name} is elided and used outside its stage`);
    }
  return faults;
}

/** Pairs of tensors that live at once and share a byte, and tensors without a place. */
function planFaults(staged: readonly StagedProgram[]): string[] {
  const faults: string[] = [];
  const plan = planMemory(staged);
  const placed = (tensor: Tensor): { from: number; bytes: number } => {
    const from = plan.offsets.get(tensor);
    if (from === undefined) faults.push(`${tensor.name} has no place`);
    else if (from % 64 !== 0) faults.push(`${tensor.name} is not aligned`);
    else if (from + bytesOf(tensor) > plan.totalBytes) faults.push(`${tensor.name} lies outside`);
    return { from: from ?? Number.NaN, bytes: bytesOf(tensor) };
  };
  const always = persistentTensors(staged.map(({ program }) => program)).map((tensor) => ({
    tensor,
    first: Number.NEGATIVE_INFINITY,
    last: Number.POSITIVE_INFINITY,
  }));
  for (const { program, stages } of staged) {
    const results = new Set(program.results.map(ownerOf));
    const stored = new Set(
      stages.flatMap(({ operations, elided }) =>
        operations
          .flatMap((operation) => [...readBy(operation), ...writtenBy(operation)].map(ownerOf))
          .filter((tensor) => tensor.lifetime === "step" && !elided.has(tensor)),
      ),
    );
    const lives = [...stored].map((tensor) => {
      const used = stages.flatMap(({ operations }, i) =>
        operations.some((operation) =>
          [...readBy(operation), ...writtenBy(operation)].some((t) => ownerOf(t) === tensor),
        )
          ? [i]
          : [],
      );
      return { tensor, first: Math.min(...used), last: results.has(tensor) ? stages.length : Math.max(...used) };
    });
    const all = [...always, ...lives].map((life) => ({ ...life, ...placed(life.tensor) }));
    all.forEach((a, i) => {
      for (const b of all.slice(0, i))
        if (a.first <= b.last && b.first <= a.last && overlap(a.from, a.bytes, b.from, b.bytes))
          faults.push(`${a.tensor.name} and ${b.tensor.name} live at once and overlap`);
    });
  }
  return faults;
}

const stage = (programs: readonly Program[]): StagedProgram[] =>
  programs.map((program) => ({ program, stages: fuse(program) }));

describe("fusion", () => {
  test.each(configured)("keeps the order of dependence: %s", (_, programs) => {
    expect(programs.flatMap(fusionFaults)).toEqual([]);
  });

  test("keeps the order of dependence in 150 random programs", () => {
    expect(
      randomPrograms.flatMap(([name, programs]) => programs.flatMap(fusionFaults).map((fault) => `${name}: ${fault}`)),
    ).toEqual([]);
  });

  test("has something to do in them", () => {
    const kinds = new Set(
      randomPrograms.flatMap(([, programs]) => programs.flatMap((program) => fuse(program).map(({ kind }) => kind))),
    );
    expect([...kinds].sort()).toEqual(["convolution", "convolutionBackward", "single"]);
    const elided = randomPrograms
      .flatMap(([, programs]) => programs.flatMap(fuse))
      .reduce((sum, each) => sum + each.elided.size, 0);
    expect(elided).toBeGreaterThan(100);
  });

  test("leaves nothing of the CIFAR step between convolution and pooling, or between unpooling and Adam", () => {
    const [[, [program]]] = configured;
    const kinds = fuse(program).map(({ operations }) => operations.map(({ kind }) => kind).join(" + "));
    expect(kinds.filter((kind) => kind.startsWith("conv2d"))).toEqual([
      "conv2d + activation",
      "conv2d + maxPool",
      "conv2d + activation",
      "conv2d + maxPool",
      "conv2d + maxPool",
    ]);
    expect(kinds.filter((kind) => kind.includes("conv2dWeightGradient"))).toEqual([
      "maxPoolGradient + conv2dWeightGradient + conv2dInputGradient + adam",
      "maxPoolGradient + conv2dWeightGradient + conv2dInputGradient + adam",
      "activationGradient + conv2dWeightGradient + conv2dInputGradient + adam",
      "maxPoolGradient + conv2dWeightGradient + conv2dInputGradient + adam",
      "activationGradient + conv2dWeightGradient + adam",
    ]);
  });
});

describe("rows gathered for products with few units", () => {
  const table = persistent("table", [50, 64], "input");
  const indices = persistent("indices", [20], "input", "i32");
  const [few, many] = [10, 33].map((units) => persistent(`w${units}`, [units, 64], "weight"));
  const errors = persistent("errors", [20, 10], "input");
  /** Operations of the stages, and what the stages keep to themselves. */
  const stagesOf = (record: (recorder: Recorder, y: Tensor) => Tensor[], from = table): [string[], string[]] => {
    const recorder = recordProgram("gathering");
    const { y } = recorder.gatherRows({ table: from, indices }, {}, { y: "y" });
    const stages = fuse(recorder.finish(record(recorder, y)));
    return [
      stages.map(({ operations }) => operations.map(({ kind }) => kind).join(" + ")),
      stages.flatMap(({ elided }) => [...elided].map(({ name }) => name)),
    ];
  };
  const product = (recorder: Recorder, dy: Tensor, w: Tensor): Tensor =>
    recorder.linearInputGradient({ dy, w }, {}, { dx: "dx" }).dx;

  test("are gathered in every product's stage, and stored nowhere", () => {
    const [kinds, elided] = stagesOf((recorder, y) => [
      product(recorder, y, few),
      recorder.linearWeightGradient({ x: errors, dy: y }, {}, { dw: "dw" }).dw,
    ]);
    expect(kinds).toEqual(["gatherRows + linearInputGradient", "gatherRows + linearWeightGradient"]);
    expect(elided).toEqual(["y", "y"]);
  });

  test("are stored for what needs them whole, for the host, and where the table changes", () => {
    const apart = ["gatherRows", "linearInputGradient"];
    expect(stagesOf((recorder, y) => [product(recorder, y, many)])[0]).toEqual(apart);
    expect(stagesOf((recorder, y) => [product(recorder, y, few), y])[0]).toEqual(apart);
    expect(stagesOf((recorder, y) => [product(recorder, rows(y, 3, 5), few)])[0]).toEqual(apart);
    const moving = persistent("moving", [50, 64], "weight");
    const [m, v] = ["m", "v"].map((name) => persistent(name, [50, 64], "state"));
    const step = persistent("step", [1], "input", "i32");
    const rate = persistent("rate", [1], "input");
    const adam = { learningRate: 1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 };
    const [kinds] = stagesOf((recorder, y) => {
      recorder.adam({ gradient: table, step, rate, weight: moving, m, v }, adam, {});
      return [product(recorder, y, few)];
    }, moving);
    expect(kinds).toEqual(["gatherRows", "adam", "linearInputGradient"]);
  });
});

describe("the memory plan", () => {
  test.each(configured)("keeps apart what lives at once: %s", (_, programs) => {
    expect(planFaults(stage(programs))).toEqual([]);
  });

  test("keeps apart what lives at once in 150 random programs, alone and in pairs", () => {
    expect(randomPrograms.flatMap(([, programs]) => planFaults(stage(programs)))).toEqual([]);
    const pairs = randomPrograms.slice(1).map(([, programs], i) => [...programs, ...randomPrograms[i][1]]);
    expect(pairs.slice(0, 30).flatMap((programs) => planFaults(stage(programs)))).toEqual([]);
  });

  test.each(configured)("reuses memory, and never needs less than what lives at once: %s", (_, programs) => {
    for (const program of programs) {
      const { stages, stepBytes } = explain(program);
      const most = Math.max(...stages.map(({ live }) => live));
      expect(stepBytes).toBeGreaterThanOrEqual(most);
      // Fragmentation is bounded: a tenth above the optimum at worst.
      expect(stepBytes).toBeLessThan(1.1 * most);
    }
  });
});

describe("explain", () => {
  test.each([...configured, ...randomPrograms.slice(0, 20)])("totals are the sums of the stages: %s", (_, programs) => {
    for (const program of programs) {
      const explained = explain(program);
      const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
      expect(explained.flops).toBe(sum(explained.stages.map(({ flops }) => flops)));
      expect(explained.flops).toBe(sum(program.operations.map(flopsOf)));
      const kept = persistentTensors([program]);
      expect(sum(Object.values(explained.persistentByRole))).toBe(sum(kept.map(bytesOf)));
      expect(explained.persistentBytes).toBe(sum(kept.map((tensor) => 64 * Math.ceil(bytesOf(tensor) / 64))));
      const synapses = kept.filter(({ role }) => role === "weight" || role === "feedback");
      expect(explained.parameters).toBe(sum(synapses.map(({ shape }) => sizeOf(shape))));
      for (const { reads, writes } of explained.stages) expect(new Set([...reads, ...writes]).size).toBeGreaterThan(0);
    }
  });

  test("configs/cifar-bp.yaml costs three forward passes, less the first layer's input gradient", () => {
    const [[, [program]]] = configured;
    const views = 1000;
    const { head, forwardMacs, total } = countParameters(networks.cifar);
    // Weights · output pixels of the first convolution: 3·3·3·32 on 32 × 32.
    const first = 864 * 32 * 32;
    const cost = (...kinds: AnyOperation["kind"][]): number =>
      program.operations
        .filter(({ kind }) => kinds.includes(kind))
        .reduce((sum, operation) => sum + flopsOf(operation), 0);
    expect(cost("conv2d")).toBe(2 * views * (forwardMacs - head));
    expect(cost("conv2d", "conv2dWeightGradient", "conv2dInputGradient")).toBe(
      2 * views * (3 * (forwardMacs - head) - first),
    );
    expect(cost("linear", "linearWeightGradient", "linearInputGradient")).toBe(2 * views * 3 * head);
    const explained = explain(program);
    expect(explained.parameters).toBe(total);
    const products = 2 * views * (3 * forwardMacs - first);
    expect(explained.flops).toBeGreaterThan(products);
    // Views, activations, pooling, loss and Adam together are less than one in a hundred.
    expect(explained.flops).toBeLessThan(1.01 * products);
  });

  test("the listing has a line of operations, cost, reads and writes for each stage", () => {
    const [[, [program]]] = configured;
    const text = formatExplanation(explain(program)).split("\n");
    const count = fuse(program).length;
    expect(text[0]).toMatch(new RegExp(`: ${count} stages, 26\\d GFLOP, 885 k parameters$`));
    expect(text).toHaveLength(3 + 4 * count);
    expect(text.filter((line) => line.startsWith("     writes "))).toHaveLength(count);
  });

  test.each([
    [0, "0", "0 B"],
    [999, "999", "999 B"],
    [1024, "1.02 k", "1.00 KiB"],
    [3_500_000, "3.50 M", "3.34 MiB"],
    [2.62e11, "262 G", "244 GiB"],
  ])("%d is %s or %s", (value, count, bytes) => {
    expect([formatCount(value), formatBytes(value)]).toEqual([count, bytes]);
    expect(formatCount(value, "FLOP")).toBe(count.includes(" ") ? `${count}FLOP` : `${count} FLOP`);
  });
});

describe("the recorder refuses", () => {
  const x = persistent("x", [4, 8, 8, 3], "input");
  const w = persistent("w", [3, 3, 3, 5], "weight");
  const b = persistent("b", [5], "weight");
  const indices = persistent("indices", [4], "input", "i32");
  const step = persistent("step", [1], "input", "i32");
  const rate = persistent("rate", [1], "input");
  const [m, v] = ["m", "v"].map((name) => persistent(name, [5], "state"));
  const window = { stride: 1, padding: 1 };
  const adam = { learningRate: 1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 };
  type Recorder = ReturnType<typeof recordProgram>;
  const foreign = recordProgram("other").conv2d({ x, w }, window, { y: "elsewhere" }).y;

  test.each<[string, (record: Recorder) => unknown, string]>([
    [
      "a tensor of another program",
      (record) => record.activation({ x: foreign }, { kind: "tanh" }, { y: "y" }),
      'activation: x must be recorded before it is read, got "elsewhere"',
    ],
    [
      "a window on a tensor of another program",
      (record) => record.activation({ x: rows(foreign, 0, 1) }, { kind: "tanh" }, { y: "y" }),
      'activation: x must be recorded before it is read, got "elsewhere[0:1]"',
    ],
    [
      "a missing operand",
      (record) => record.conv2d({ x } as unknown as { x: Tensor; w: Tensor }, window, { y: "y" }),
      "conv2d: w must be a tensor, got undefined",
    ],
    [
      "another element type",
      (record) => record.activation({ x: indices }, { kind: "tanh" }, { y: "y" }),
      "activation: x must be of type f32, got indices: i32",
    ],
    [
      "numbers where indices belong",
      (record) => record.gatherRows({ table: x, indices: b }, {}, { y: "y" }),
      "gatherRows: indices must be of type i32, got b: f32",
    ],
    [
      "channels first",
      (record) => record.conv2d({ x: persistent("nchw", [4, 3, 8, 8], "input"), w }, window, { y: "y" }),
      "conv2d: x must be [n, h, w, 3], got [4, 3, 8, 8]; channels stand last",
    ],
    [
      "a matrix as a picture",
      (record) => record.maxPool({ x: reshape(x, [4, 192]) }, { size: 2 }, { y: "y", argmax: "i" }),
      "maxPool: x must be [n, h, w, c], got [4, 192]",
    ],
    [
      "a bias of another width",
      (record) => record.addBias({ x, b }, {}, { y: "y" }),
      "addBias: b must be [3], got [5]",
    ],
    [
      "a padding as wide as the kernel",
      (record) => record.conv2d({ x, w }, { stride: 1, padding: 3 }, { y: "y" }),
      "conv2d: padding must be a whole number from 0 to 2, got 3",
    ],
    [
      "a pooling window larger than the picture",
      (record) => record.maxPool({ x }, { size: 9 }, { y: "y", argmax: "i" }),
      "maxPool: size must be a whole number from 1 to 8, got 9",
    ],
    [
      "a name that is taken",
      (record) => [1, 2].map(() => record.activation({ x }, { kind: "tanh" }, { y: "y" })),
      'test: a tensor\'s name must be new to its program, got "y" again',
    ],
    [
      "a missing name",
      (record) => record.activation({ x }, { kind: "tanh" }, {} as { y: string }),
      "activation: y must be given a name or a tensor, got undefined",
    ],
    [
      "a target of another shape",
      (record) => record.activation({ x }, { kind: "tanh" }, { y: record.tensor("y", [4, 8, 8, 4], "activity") }),
      "activation: y → y must be f32 [4, 8, 8, 3], got [4, 8, 8, 4]",
    ],
    [
      "an update of what does not last",
      (record) => {
        const gradient = record.biasGradient({ dy: five(record) }, {}, { db: "db" }).db;
        record.adam({ gradient, step, rate, weight: gradient, m, v }, adam, {});
      },
      "adam: db must be a persistent tensor, got a step tensor",
    ],
    [
      "a learning rate of nothing",
      (record) => {
        const gradient = record.biasGradient({ dy: five(record) }, {}, { db: "db" }).db;
        record.adam({ gradient, step, rate, weight: b, m, v }, { ...adam, learningRate: 0 }, {});
      },
      "adam: learningRate must be above 0, got 0",
    ],
    [
      "a result of another program",
      (record) => record.finish([foreign]),
      'test: a result must be a tensor of this program, got "elsewhere"',
    ],
    [
      "a tensor without extent",
      () => persistent("p", [2, 0], "input"),
      "tensor: p must be a shape of positive whole numbers, got [2, 0]",
    ],
    ["rows beyond the end", () => rows(x, 3, 2), "rows: x must be 2 rows from 3, got [4, 8, 8, 3]"],
    [
      "another number of elements",
      () => reshape(x, [4, 191]),
      "reshape: x must be 764 elements for [4, 191], got [4, 8, 8, 3]",
    ],
  ])("%s", (_, make, sentence) => {
    let told: unknown;
    try {
      make(recordProgram("test"));
    } catch (error) {
      told = error;
    }
    expect(told).toBeInstanceOf(SaccadeError);
    expect((told as Error).message).toBe(sentence);
  });

  /** A step tensor [4, 8, 8, 5] of this program. */
  function five(record: Recorder): Tensor {
    return record.conv2d({ x, w }, window, { y: "five" }).y;
  }
});

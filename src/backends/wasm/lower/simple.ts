// Lowering of every operation that is neither a convolution nor a linear layer: addresses, extents and tasks, cut by shape alone.

import type { Attributes, Kind, Negatives } from "../../../program/operations.ts";
import type { Operation } from "../../../program/program.ts";
import { type Shape, sizeOf, type Tensor } from "../../../program/tensor.ts";
import { channelEnds } from "../../../program/views.ts";
import type { Launch, Places, Word } from "../launch.ts";

export type SimpleKind = Exclude<Kind, `conv2d${string}` | `linear${string}`>;

type Extents4 = [number, number, number, number];

/** Numbers of one task of an elementwise kernel: at most 128 KiB, less where there would not be work for 16 threads. */
function chunkOf(size: number): number {
  const share = Math.ceil(size / 16 / 64) * 64;
  return Math.min(32768, Math.max(4096, share));
}

/** Rows of `length` numbers each in one task. */
const rowsPerTask = (rows: number, length: number): number => Math.max(1, Math.floor(chunkOf(rows * length) / length));

/** A launch over `size` numbers; `words` follow the operands' addresses, size and chunk. */
function elementwise(kernel: string, size: number, addresses: readonly number[], words: readonly Word[] = []): Launch {
  const chunk = chunkOf(size);
  return { kernel, words: [...addresses, size, chunk, ...words], tasks: Math.ceil(size / chunk) };
}

/** Bytes of a task's partial sums: kernels/loss.ts. */
const partialBytes = 64;

/** Adds the partial sums of `tasks` tasks, in order, into one number for each output. */
function totals(
  partials: number,
  tasks: number,
  outputs: readonly { readonly address: number; readonly divisor?: number }[],
): Launch {
  const words = outputs.flatMap(({ address, divisor = 1 }) => [address, divisor]);
  return { kernel: "totals", words: [partials, tasks, outputs.length, ...words], tasks: 1 };
}

/** Rows of c numbers that a kernel treats as one of at least 128, of a length that four divides. */
const groupOf = (c: number): number => 4 * Math.ceil(32 / c);

/** A float64 as two words. */
function wide(value: number): [Word, Word] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}

/** A launch over the places of [..., c]. */
function inhibited(kernel: string, shape: Shape, addresses: readonly number[]): Launch {
  const c = shape[shape.length - 1];
  const places = sizeOf(shape) / c;
  const perTask = rowsPerTask(places, c);
  return { kernel, words: [...addresses, places, c, perTask], tasks: Math.ceil(places / perTask) };
}

/** Words of a pooling kernel after its addresses, and its tasks. */
function pooled(full: Shape, small: Shape, size: number): { words: Word[]; tasks: number } {
  const [n, h, w, c] = full as Extents4;
  const [, pooledH, pooledW] = small as Extents4;
  const perTask = rowsPerTask(n * pooledH, size * w * c);
  return {
    words: [n * pooledH, perTask, pooledH, pooledW, h, w, c, size],
    tasks: Math.ceil((n * pooledH) / perTask),
  };
}

/** Pixels of zeros around makeViews' source, floats of its pixels: kernels/views.ts. */
const sourceBorders = 3;
const sourceFloats = 4;

const capital = (kind: string): string => kind.charAt(0).toUpperCase() + kind.slice(1);

/** Kind (the same numbers as in kernels/loss.ts), count, gap and spacing of negatives. */
function negativeWords(negatives: Negatives): Word[] {
  switch (negatives.kind) {
    case "all":
      return [0, 0, 0, 1];
    case "next":
      return [1, negatives.count, 0, 1];
    case "authorsCode":
      return [2, negatives.count, 0, 1];
    case "past":
      return [3, negatives.count, negatives.gap, negatives.spacing];
    default:
      return negatives satisfies never;
  }
}

const reduceKernels = {
  sum: "reduceSum",
  mean: "reduceSum",
  sumOfSquares: "reduceSumOfSquares",
} as const satisfies Record<Attributes<"reduce">["kind"], string>;

/** Columns of a task of l1Distance and columnMoments, views of one of hingeViewError: kernels/loss.ts. */
const panelColumns = 32;
const momentColumns = 16;
const viewsPerTask = 16;

/** A gather of rows of 32-bit words, whatever their type. */
function gather(table: Tensor, indices: Tensor, y: Tensor, places: Places): Launch {
  const n = sizeOf(indices.shape);
  const length = sizeOf(y.shape) / n;
  const perTask = rowsPerTask(n, length);
  return {
    kernel: "gatherRows",
    words: [places.at(table), places.at(indices), places.at(y), n, length, perTask],
    tasks: Math.ceil(n / perTask),
  };
}

export const lowerSimple: {
  readonly [K in SimpleKind]: (operation: Operation<K>, places: Places) => Launch[];
} = {
  addBias: ({ inputs: { x, b }, outputs: { y } }, { at }) => {
    const c = sizeOf(b.shape);
    const rows = sizeOf(x.shape) / c;
    const perTask = rowsPerTask(rows, c);
    return [
      {
        kernel: "addBias",
        words: [at(x), at(b), at(y), rows, c, perTask, groupOf(c)],
        tasks: Math.ceil(rows / perTask),
        scratchBytes: 4 * groupOf(c) * c,
      },
    ];
  },

  biasGradient: ({ inputs: { dy }, outputs: { db } }, { at, scratch }) => {
    const c = sizeOf(db.shape);
    const rows = sizeOf(dy.shape) / c;
    // At most 64 tasks, so that adding up their sums stays short.
    const perTask = Math.max(rowsPerTask(rows, c), Math.ceil(rows / 64));
    const tasks = Math.ceil(rows / perTask);
    const partials = scratch(8 * tasks * c);
    return [
      {
        kernel: "biasGradient",
        words: [at(dy), partials, rows, c, perTask, groupOf(c)],
        tasks,
        scratchBytes: 4 * groupOf(c) * c,
      },
      { kernel: "biasGradientTotal", words: [partials, at(db), tasks, c], tasks: 1 },
    ];
  },

  activation: ({ inputs: { x }, outputs: { y }, attributes: { kind } }, { at }) => [
    elementwise(`activation${capital(kind)}`, sizeOf(x.shape), [at(x), at(y)]),
  ],

  activationGradient: ({ inputs: { dy, y }, outputs: { dx }, attributes: { kind } }, { at }) => [
    elementwise(`activationGradient${capital(kind)}`, sizeOf(y.shape), [at(dy), at(y), at(dx)]),
  ],

  triangle: ({ inputs: { x }, outputs: { y } }, { at }) => [inhibited("triangle", x.shape, [at(x), at(y)])],

  triangleGradient: ({ inputs: { dy, y }, outputs: { dx } }, { at }) => [
    inhibited("triangleGradient", y.shape, [at(dy), at(y), at(dx)]),
  ],

  maxPool: ({ inputs: { x }, outputs: { y, argmax }, attributes: { size } }, { at }) => {
    const { words, tasks } = pooled(x.shape, y.shape, size);
    return [{ kernel: "maxPool", words: [at(x), at(y), at(argmax), ...words], tasks }];
  },

  maxPoolGradient: ({ inputs: { dy, argmax }, outputs: { dx }, attributes: { size } }, { at }) => {
    const { words, tasks } = pooled(dx.shape, dy.shape, size);
    return [{ kernel: "maxPoolGradient", words: [at(dy), at(argmax), at(dx), ...words], tasks }];
  },

  averagePool: ({ inputs: { x }, outputs: { y }, attributes: { size } }, { at }) => {
    const { words, tasks } = pooled(x.shape, y.shape, size);
    return [{ kernel: "averagePool", words: [at(x), at(y), ...words], tasks }];
  },

  averagePoolGradient: ({ inputs: { dy }, outputs: { dx }, attributes: { size } }, { at }) => {
    const { words, tasks } = pooled(dx.shape, dy.shape, size);
    return [{ kernel: "averagePoolGradient", words: [at(dy), at(dx), ...words], tasks }];
  },

  makeViews: ({ inputs: { images, indices, parameters }, outputs: { x }, attributes }, { at }) => {
    const [, h, w, c] = images.shape as Extents4;
    const { height, width } = attributes;
    // Three pairs: of grey pictures the first is read.
    const ends = Array.from({ length: 3 }, (_, k) => channelEnds(attributes, c)[Math.min(k, c - 1)]);
    const n = sizeOf(indices.shape);
    const pixels = 4 * Math.ceil((height * width) / 4);
    const perTask = rowsPerTask(n, height * width * c);
    return [
      {
        kernel: "makeViews",
        words: [
          ...[at(images), at(indices), at(parameters), at(x), n, perTask, h, w, c, height, width],
          ...ends.flatMap(({ low, high }) => [{ f32: low }, { f32: high }]),
        ],
        tasks: Math.ceil(n / perTask),
        scratchBytes: 4 * (sourceFloats * ((h + sourceBorders) * (w + sourceBorders) + pixels) + c * pixels),
      },
    ];
  },

  gatherRows: ({ inputs: { table, indices }, outputs: { y } }, places) => [gather(table, indices, y, places)],

  gatherLabels: ({ inputs: { table, indices }, outputs: { y } }, places) => [gather(table, indices, y, places)],

  gaussianNoise: ({ inputs: { x, counter }, outputs: { y }, attributes }, { at, scratch }) => {
    const { sigma, relative, seed, stream } = attributes;
    const size = sizeOf(x.shape);
    const noise = (scale: number): Launch =>
      elementwise("gaussianNoise", size, [at(x), at(counter), at(y)], [{ f32: sigma }, seed, stream, scale]);
    if (!relative) return [noise(0)];
    const partials = scratch(partialBytes * Math.ceil(size / chunkOf(size)));
    const deviation = scratch(4);
    const sums = elementwise("deviationSums", size, [at(x), partials]);
    return [
      sums,
      { kernel: "standardDeviation", words: [partials, sums.tasks, size, deviation], tasks: 1 },
      noise(deviation),
    ];
  },

  l1Distance: ({ inputs: { a, b }, outputs: { distances } }, { at }) => {
    const [n, d] = a.shape as [number, number];
    const m = b.shape[0];
    return [
      {
        kernel: "l1Distance",
        words: [at(a), at(b), at(distances), n, m, d],
        tasks: Math.ceil(m / panelColumns),
        scratchBytes: 4 * panelColumns * d,
      },
    ];
  },

  hingeGates: ({ inputs: { distances }, outputs, attributes: { m1, m2, negatives } }, { at, scratch }) => {
    const n = distances.shape[0];
    const perTask = rowsPerTask(n, n);
    const tasks = Math.ceil(n / perTask);
    const partials = scratch(partialBytes * tasks);
    const active = at(outputs.active);
    return [
      {
        kernel: "hingeGates",
        words: [
          ...[at(distances), at(outputs.gates), partials, n, perTask],
          ...[{ f32: m1 }, { f32: m2 }, ...negativeWords(negatives)],
        ],
        tasks,
      },
      totals(partials, tasks, [{ address: at(outputs.loss) }, { address: active }, { address: active + 4 }]),
    ];
  },

  hingeAnchorError: ({ inputs: { a, b, gates }, outputs: { error } }, { at }) => {
    const [n, d] = a.shape as [number, number];
    const perTask = rowsPerTask(n, n);
    return [
      {
        kernel: "hingeAnchorError",
        words: [at(a), at(b), at(gates), at(error), n, d, perTask],
        tasks: Math.ceil(n / perTask),
        scratchBytes: 8 * (n + 1),
      },
    ];
  },

  hingeViewError: ({ inputs: { a, b, gates }, outputs: { error } }, { at }) => {
    const [n, d] = a.shape as [number, number];
    return [
      {
        kernel: "hingeViewError",
        words: [at(a), at(b), at(gates), at(error), n, d],
        tasks: Math.ceil(n / viewsPerTask),
        scratchBytes: viewsPerTask * (8 * (n + 1) + 4),
      },
    ];
  },

  softmaxCrossEntropy: ({ inputs: { logits, labels }, outputs }, { at, scratch }) => {
    const [n, c] = logits.shape as [number, number];
    const perTask = rowsPerTask(n, c);
    const tasks = Math.ceil(n / perTask);
    const partials = scratch(partialBytes * tasks);
    return [
      {
        kernel: "softmaxCrossEntropy",
        words: [at(logits), at(labels), at(outputs.dlogits), partials, n, c, perTask],
        tasks,
        scratchBytes: 8 * c,
      },
      totals(partials, tasks, [{ address: at(outputs.loss), divisor: n }, { address: at(outputs.correct) }]),
    ];
  },

  classHinge: ({ inputs: { logits, labels }, outputs, attributes: { offClass } }, { at, scratch }) => {
    const [n, c] = logits.shape as [number, number];
    const perTask = rowsPerTask(n, c);
    const tasks = Math.ceil(n / perTask);
    const partials = scratch(partialBytes * tasks);
    return [
      {
        kernel: "classHinge",
        words: [...[at(logits), at(labels), at(outputs.dlogits), partials, n, c, perTask], ...wide(offClass / (c - 1))],
        tasks,
      },
      totals(partials, tasks, [{ address: at(outputs.loss), divisor: n }, { address: at(outputs.correct) }]),
    ];
  },

  normaliseRows: ({ inputs: { x }, outputs: { y, norms } }, { at }) => {
    const [n, d] = x.shape as [number, number];
    const perTask = rowsPerTask(n, d);
    return [
      { kernel: "normaliseRows", words: [at(x), at(y), at(norms), n, d, perTask], tasks: Math.ceil(n / perTask) },
    ];
  },

  normaliseRowsGradient: ({ inputs: { dy, y, norms }, outputs: { dx } }, { at }) => {
    const [n, d] = y.shape as [number, number];
    const perTask = rowsPerTask(n, d);
    return [
      {
        kernel: "normaliseRowsGradient",
        words: [at(dy), at(y), at(norms), at(dx), n, d, perTask],
        tasks: Math.ceil(n / perTask),
      },
    ];
  },

  ntXent: ({ inputs: { similarities }, outputs, attributes: { temperature, divisor } }, { at, scratch }) => {
    const m = similarities.shape[0];
    const perTask = rowsPerTask(m, m);
    const tasks = Math.ceil(m / perTask);
    const partials = scratch(partialBytes * tasks);
    return [
      {
        kernel: "ntXent",
        words: [
          ...[at(similarities), at(outputs.dsimilarities), partials, m, perTask],
          ...[temperature, divisor].flatMap(wide),
        ],
        tasks,
      },
      // The kernel divides: `totals` knows whole divisors only.
      totals(partials, tasks, [{ address: at(outputs.loss) }]),
    ];
  },

  scoreGates: ({ inputs: { scores }, outputs }, { at, scratch }) => {
    const n = scores.shape[0];
    const perTask = rowsPerTask(n, n);
    const tasks = Math.ceil(n / perTask);
    const partials = scratch(partialBytes * tasks);
    const active = at(outputs.active);
    return [
      { kernel: "scoreGates", words: [at(scores), at(outputs.gates), partials, n, perTask], tasks },
      totals(partials, tasks, [{ address: at(outputs.loss) }, { address: active }, { address: active + 4 }]),
    ];
  },

  pairProducts: ({ inputs: { a, b, pairs }, outputs: { scores } }, { at }) => {
    const [p, d] = [pairs.shape[0], a.shape[1]];
    const perTask = rowsPerTask(p, d);
    return [
      {
        kernel: "pairProducts",
        words: [at(a), at(b), at(pairs), at(scores), p, d, perTask],
        tasks: Math.ceil(p / perTask),
      },
    ];
  },

  pairGates: ({ inputs: { scores, weights }, outputs }, { at, scratch }) => {
    const size = sizeOf(scores.shape);
    const partials = scratch(partialBytes * Math.ceil(size / chunkOf(size)));
    const launch = elementwise("pairGates", size, [at(scores), at(weights), at(outputs.gates), partials]);
    const active = at(outputs.active);
    return [
      launch,
      totals(partials, launch.tasks, [{ address: at(outputs.loss) }, { address: active }, { address: active + 4 }]),
    ];
  },

  pairErrors: ({ inputs: { other, gates, pairs }, outputs: { error }, attributes: { side } }, { at }) => {
    const [rows, d] = error.shape as [number, number];
    const perTask = rowsPerTask(rows, d);
    return [
      {
        kernel: "pairErrors",
        words: [at(other), at(gates), at(pairs), at(error), gates.shape[0], d, rows, side, perTask],
        tasks: Math.ceil(rows / perTask),
      },
    ];
  },

  goodnessGates: ({ inputs: { x }, outputs, attributes: { positive, negative } }, { at, scratch }) => {
    const c = x.shape[3];
    const places = sizeOf(x.shape) / c / 2;
    const perTask = rowsPerTask(places, 2 * c);
    const tasks = Math.ceil(places / perTask);
    const partials = scratch(partialBytes * tasks);
    const [goodness, passed] = [at(outputs.goodness), at(outputs.passed)];
    return [
      {
        kernel: "goodnessGates",
        words: [...[at(x), at(outputs.gates), partials, places, c, perTask], { f32: positive }, { f32: negative }],
        tasks,
      },
      totals(partials, tasks, [
        { address: at(outputs.loss), divisor: places },
        ...[goodness, goodness + 4, passed, passed + 4].map((address) => ({ address })),
      ]),
    ];
  },

  goodnessError: ({ inputs: { x, gates }, outputs: { error } }, { at }) => {
    const c = x.shape[3];
    const places = sizeOf(gates.shape);
    const perTask = rowsPerTask(places, c);
    return [
      {
        kernel: "goodnessError",
        words: [at(x), at(gates), at(error), places, c, perTask],
        tasks: Math.ceil(places / perTask),
      },
    ];
  },

  matchSigns: ({ inputs: { w, b }, outputs: { y } }, { at }) => [
    elementwise("matchSigns", sizeOf(w.shape), [at(w), at(b), at(y)]),
  ],

  squaredError: ({ inputs: { x, target }, outputs: { loss, dx }, attributes: { divisor } }, { at, scratch }) => {
    const size = sizeOf(x.shape);
    const partials = scratch(partialBytes * Math.ceil(size / chunkOf(size)));
    const launch = elementwise("squaredError", size, [at(x), at(target), at(dx), partials], [divisor]);
    return [launch, totals(partials, launch.tasks, [{ address: at(loss), divisor }])];
  },

  combine: ({ inputs: { a, b }, outputs: { y }, attributes: { alpha, beta } }, { at }) => [
    elementwise("combine", sizeOf(a.shape), [at(a), at(b), at(y)], [{ f32: alpha }, { f32: beta }]),
  ],

  adam: ({ inputs: { gradient, step, rate }, updates: { weight, m, v }, attributes }, { at }) => {
    const { learningRate, beta1, beta2, epsilon, decay } = attributes;
    return [
      elementwise(
        "adam",
        sizeOf(gradient.shape),
        [gradient, step, rate, weight, m, v].map(at),
        [learningRate, beta1, beta2, epsilon, decay].flatMap(wide),
      ),
    ];
  },

  sgd: ({ inputs: { gradient, rate }, updates: { weight, velocity }, attributes }, { at }) => {
    const { learningRate, momentum, nesterov, decay } = attributes;
    return [
      elementwise("sgd", sizeOf(gradient.shape), [gradient, rate, weight, velocity].map(at), [
        ...[learningRate, momentum, decay].flatMap(wide),
        nesterov ? 1 : 0,
      ]),
    ];
  },

  reduce: ({ inputs: { x }, outputs: { y }, attributes: { kind } }, { at, scratch }) => {
    const size = sizeOf(x.shape);
    const partials = scratch(partialBytes * Math.ceil(size / chunkOf(size)));
    const launch = elementwise(reduceKernels[kind], size, [at(x), partials]);
    return [launch, totals(partials, launch.tasks, [{ address: at(y), divisor: kind === "mean" ? size : 1 }])];
  },

  columnMoments: ({ inputs: { x }, outputs: { mean, variance } }, { at }) => {
    const [n, d] = x.shape as [number, number];
    return [
      { kernel: "columnMoments", words: [at(x), at(mean), at(variance), n, d], tasks: Math.ceil(d / momentColumns) },
    ];
  },
};

// Lowering of operations whose elements stand alone, of gathers, pooling, noise and the optimisers.

import type { Kind } from "../../../program/operations.ts";
import type { Operation } from "../../../program/program.ts";
import { sizeOf, type Tensor } from "../../../program/tensor.ts";
import { activation, errorThrough, isNan, logOf, oneLessExp, threefry, turn } from "../functions.ts";
import { columnSums, type Dispatch, each, float, reads, scratch, sums, writes } from "../kernel.ts";

export type Lowering<K extends Kind> = (operation: Operation<K>) => Dispatch[];

type Extents4 = readonly [number, number, number, number];

const size = (tensor: Tensor): number => sizeOf(tensor.shape);

/** The source element of place `place` in the window of output element i, both [n, h, w, c]: declares image, row, column and channel. */
const window = ([, h, w, c]: Extents4): string => `let channel = i % ${c}u;
let column = i / ${c}u % ${w}u;
let row = i / ${c * w}u % ${h}u;
let image = i / ${c * w * h}u;`;

export const lowerSimple = {
  addBias: ({ inputs: { x, b }, outputs: { y } }) => [
    each(
      "addBias",
      size(x),
      { x: reads(x), b: reads(b), y: writes(y) },
      ({ x, b: bias, y }) => `${y("i")} = ${x("i")} + ${bias(`i % ${size(b)}u`)};`,
    ),
  ],
  biasGradient: ({ inputs: { dy }, outputs: { db } }) => {
    const columns = size(db);
    return columnSums(
      "biasGradient",
      [size(dy) / columns, columns],
      { dy: reads(dy) },
      ({ dy }, row, column) => dy(`${row} * ${columns}u + ${column}`),
      db,
    );
  },
  activation: ({ inputs: { x }, outputs: { y }, attributes: { kind } }) => [
    each(
      "activation",
      size(x),
      { x: reads(x), y: writes(y) },
      ({ x, y }) => `${y("i")} = activate(${x("i")});`,
      `${isNan}\n${activation(kind)}`,
    ),
  ],
  activationGradient: ({ inputs: { dy, y }, outputs: { dx }, attributes: { kind } }) => [
    each(
      "activationGradient",
      size(dx),
      { dy: reads(dy), y: reads(y), dx: writes(dx) },
      ({ dy, y, dx }) => `let y = ${y("i")};\n${dx("i")} = ${errorThrough(kind, dy("i"), "y")};`,
    ),
  ],
  triangle: ({ inputs: { x }, outputs: { y } }) => {
    const c = x.shape[x.shape.length - 1];
    return [
      each(
        "triangle",
        size(x) / c,
        { x: reads(x), y: writes(y) },
        ({ x, y }) => `var sum = 0f;
for (var k = i * ${c}u; k < i * ${c}u + ${c}u; k++) { sum += ${x("k")}; }
for (var k = i * ${c}u; k < i * ${c}u + ${c}u; k++) {
  let above = ${x("k")} - sum / ${c}f;
  ${y("k")} = select(max(0f, above), above, isNan(above));
}`,
        isNan,
      ),
    ];
  },
  triangleGradient: ({ inputs: { dy, y }, outputs: { dx } }) => {
    const c = y.shape[y.shape.length - 1];
    const through = (dy: string, y: string): string => errorThrough("relu", dy, y);
    return [
      each(
        "triangleGradient",
        size(y) / c,
        { dy: reads(dy), y: reads(y), dx: writes(dx) },
        ({ dy, y, dx }) => `var sum = 0f;
for (var k = i * ${c}u; k < i * ${c}u + ${c}u; k++) { sum += ${through(dy("k"), y("k"))}; }
for (var k = i * ${c}u; k < i * ${c}u + ${c}u; k++) { ${dx("k")} = ${through(dy("k"), y("k"))} - sum / ${c}f; }`,
      ),
    ];
  },
  maxPool: ({ inputs: { x }, outputs: { y, argmax }, attributes: { size: side } }) => {
    const [, h, w, c] = x.shape as Extents4;
    return [
      each("maxPool", size(y), { x: reads(x), y: writes(y), argmax: writes(argmax) }, (at) => {
        const first = `((image * ${h}u + row * ${side}u) * ${w}u + column * ${side}u) * ${c}u + channel`;
        return `${window(y.shape as Extents4)}
let first = ${first};
var best = ${at.x("first")};
var winner = 0u;
for (var place = 1u; place < ${side * side}u; place++) {
  let value = ${at.x(`first + (place / ${side}u * ${w}u + place % ${side}u) * ${c}u`)};
  if (value > best) { best = value; winner = place; }
}
${at.y("i")} = best;
${at.argmax("i")} = i32(winner);`;
      }),
    ];
  },
  maxPoolGradient: ({ inputs: { dy, argmax }, outputs: { dx }, attributes: { size: side } }) =>
    unpool("maxPoolGradient", side, dy, dx, argmax),
  averagePool: ({ inputs: { x }, outputs: { y }, attributes: { size: side } }) => {
    const [, h, w, c] = x.shape as Extents4;
    return [
      each("averagePool", size(y), { x: reads(x), y: writes(y) }, ({ x, y: out }) => {
        const at = `((image * ${h}u + row * ${side}u + place / ${side}u) * ${w}u + column * ${side}u + place % ${side}u) * ${c}u + channel`;
        return `${window(y.shape as Extents4)}
var sum = 0f;
for (var place = 0u; place < ${side * side}u; place++) { sum += ${x(at)}; }
${out("i")} = sum / ${side * side}f;`;
      }),
    ];
  },
  averagePoolGradient: ({ inputs: { dy }, outputs: { dx }, attributes: { size: side } }) =>
    unpool("averagePoolGradient", side, dy, dx),
  gatherRows: ({ inputs: { table, indices }, outputs: { y } }) => {
    const width = size(y) / size(indices);
    return [
      each(
        "gatherRows",
        size(y),
        { table: reads(table), indices: reads(indices), y: writes(y) },
        ({ table, indices, y }) =>
          `${y("i")} = ${table(`u32(${indices(`i / ${width}u`)}) * ${width}u + i % ${width}u`)};`,
      ),
    ];
  },
  gatherLabels: ({ inputs: { table, indices }, outputs: { y } }) => [
    each(
      "gatherLabels",
      size(y),
      { table: reads(table), indices: reads(indices), y: writes(y) },
      ({ table, indices, y }) => `${y("i")} = ${table(`u32(${indices("i")})`)};`,
    ),
  ],
  gaussianNoise: ({ inputs: { x, counter }, outputs: { y }, attributes: { sigma, relative, seed, stream } }) => {
    const count = size(x);
    const [mean, variance] = [scratch("gaussianNoise.mean", 1), scratch("gaussianNoise.variance", 1)];
    const finish = (sum: string): string => `${sum} / ${count}f`;
    const scale = relative
      ? [
          ...sums("gaussianNoise.mean", count, { x: reads(x) }, ({ x }) => `sum0 += ${x("i")};`, [
            { to: mean, index: 0, finish },
          ]),
          ...sums(
            "gaussianNoise.variance",
            count,
            { x: reads(x), mean: reads(mean) },
            ({ x, mean }) => `let off = ${x("i")} - ${mean("0u")};\nsum0 += off * off;`,
            [{ to: variance, index: 0, finish }],
          ),
        ]
      : [];
    const noise = each(
      "gaussianNoise",
      count,
      { x: reads(x), counter: reads(counter), y: writes(y), ...(relative ? { variance: reads(variance) } : {}) },
      ({
        x,
        counter,
        y,
        variance,
      }) => `let words = threefry(vec2u(${seed}u, ${stream}u), vec2u(u32(${counter("0u")}), i / 2u)) >> vec2u(8u);
let radius = sqrt(-2f * logOf(f32(words.x + 1u) * ${float(2 ** -24)}));
let spread = ${float(sigma)}${variance ? ` * sqrt(${variance("0u")})` : ""};
let direction = turn(words.y);
${y("i")} = ${x("i")} + spread * radius * select(direction.y, direction.x, i % 2u == 0u);`,
      `${threefry}\n${logOf}\n${turn}`,
    );
    return [...scale, noise];
  },
  goodnessError: ({ inputs: { x, gates }, outputs: { error } }) => {
    const c = x.shape[3];
    return [
      each(
        "goodnessError",
        size(x),
        { x: reads(x), gates: reads(gates), error: writes(error) },
        ({ x, gates, error }) => `${error("i")} = ${gates(`i / ${c}u`)} * ${float(2 / c)} * max(0f, ${x("i")});`,
      ),
    ];
  },
  matchSigns: ({ inputs: { w, b }, outputs: { y } }) => [
    each(
      "matchSigns",
      size(w),
      { w: reads(w), b: reads(b), y: writes(y) },
      ({ w, b, y }) => `${y("i")} = abs(${b("i")}) * sign(${w("i")});`,
    ),
  ],
  squaredError: ({ inputs: { x, target }, outputs: { loss, dx }, attributes: { divisor } }) =>
    sums(
      "squaredError",
      size(x),
      { x: reads(x), target: reads(target), dx: writes(dx) },
      ({ x, target, dx }) => `let difference = ${x("i")} - ${target("i")};
sum0 += difference * difference;
${dx("i")} = 2f * difference / ${float(divisor)};`,
      [{ to: loss, index: 0, finish: (sum) => `${sum} / ${float(divisor)}` }],
    ),
  combine: ({ inputs: { a, b }, outputs: { y }, attributes: { alpha, beta } }) => [
    each(
      "combine",
      size(a),
      { a: reads(a), b: reads(b), y: writes(y) },
      ({ a, b, y }) => `${y("i")} = ${float(alpha)} * ${a("i")} + ${float(beta)} * ${b("i")};`,
    ),
  ],
  adam: ({
    inputs: { gradient, step, rate },
    updates: { weight, m, v },
    attributes: { learningRate, beta1, beta2, epsilon, decay },
  }) => [
    each(
      "adam",
      size(weight),
      {
        gradient: reads(gradient),
        step: reads(step),
        rate: reads(rate),
        weight: writes(weight),
        m: writes(m),
        v: writes(v),
      },
      ({ gradient, step, rate, weight, m, v }) => `let t = f32(${step("0u")});
let pace = ${float(learningRate)} * ${rate("0u")};
let g = ${gradient("i")};
let newM = ${float(beta1)} * ${m("i")} + ${float(1 - beta1)} * g;
let newV = ${float(beta2)} * ${v("i")} + ${float(1 - beta2)} * (g * g);
${m("i")} = newM;
${v("i")} = newV;
let root = sqrt(newV / ${lessPower(beta2)}) + ${float(epsilon)};
let w = ${weight("i")};
${weight("i")} = w - (pace * (newM / ${lessPower(beta1)}) / root + pace * ${float(decay)} * w);`,
      oneLessExp,
    ),
  ],
  sgd: ({
    inputs: { gradient, rate },
    updates: { weight, velocity },
    attributes: { learningRate, momentum, nesterov, decay },
  }) => [
    each(
      "sgd",
      size(weight),
      { gradient: reads(gradient), rate: reads(rate), weight: writes(weight), velocity: writes(velocity) },
      ({ gradient, rate, weight, velocity }) => `let w = ${weight("i")};
let g = ${gradient("i")} + ${float(decay)} * w;
let moved = ${float(momentum)} * ${velocity("i")} + g;
${velocity("i")} = moved;
${weight("i")} = w - ${float(learningRate)} * ${rate("0u")} * (${nesterov ? `g + ${float(momentum)} * moved` : "moved"});`,
    ),
  ],
  reduce: ({ inputs: { x }, outputs: { y }, attributes: { kind } }) =>
    sums(
      "reduce",
      size(x),
      { x: reads(x) },
      ({ x }) => (kind === "sumOfSquares" ? `let value = ${x("i")};\nsum0 += value * value;` : `sum0 += ${x("i")};`),
      [{ to: y, index: 0, finish: (sum) => (kind === "mean" ? `${sum} / ${size(x)}f` : sum) }],
    ),
  columnMoments: ({ inputs: { x }, outputs: { mean, variance } }) => {
    const [n, d] = x.shape as [number, number];
    const overRows = (sum: string): string => `${sum} / ${n}f`;
    const at = (row: string, column: string): string => `${row} * ${d}u + ${column}`;
    return [
      ...columnSums(
        "columnMoments",
        [n, d],
        { x: reads(x) },
        ({ x }, row, column) => x(at(row, column)),
        mean,
        overRows,
      ),
      ...columnSums(
        "columnMoments.variance",
        [n, d],
        { x: reads(x), mean: reads(mean) },
        ({ x, mean }, row, column) =>
          `(${x(at(row, column))} - ${mean(column)}) * (${x(at(row, column))} - ${mean(column)})`,
        variance,
        overRows,
      ),
    ];
  },
} satisfies { readonly [K in Kind]?: Lowering<K> };

/** 1 − βᵗ, of which float32 would keep few digits: 1 − e^(t·log β). */
const lessPower = (beta: number): string => (beta === 0 ? "1f" : `oneLessExp(t * ${float(-Math.log(beta))})`);

/** dy [n, h', w', c] → dx [n, h, w, c]: each error goes to the place that won, or evenly to all places of its window. */
function unpool(label: string, side: number, dy: Tensor, dx: Tensor, argmax?: Tensor): Dispatch[] {
  const [, h, w, c] = dy.shape as Extents4;
  return [
    each(
      label,
      size(dx),
      { dy: reads(dy), dx: writes(dx), ...(argmax ? { argmax: reads(argmax) } : {}) },
      ({ dy, dx: out, argmax }) => `${window(dx.shape as Extents4)}
let windowRow = row / ${side}u;
let windowColumn = column / ${side}u;
var error = 0f;
if (windowRow < ${h}u && windowColumn < ${w}u) {
  let source = ((image * ${h}u + windowRow) * ${w}u + windowColumn) * ${c}u + channel;
${
  argmax
    ? `  if (${argmax("source")} == i32(row % ${side}u * ${side}u + column % ${side}u)) { error = ${dy("source")}; }`
    : `  error = ${dy("source")} / ${side * side}f;`
}
}
${out("i")} = error;`,
    ),
  ];
}

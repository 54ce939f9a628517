// The one-dimensional transforms of Winograd's F(4, 3) (Lavin & Gray 2015, arXiv 1509.09308): outputs of four pixels from six, through the
// points 0, ±1, ±2, ∞. Each is applied to columns and then to rows, one group of channels at a time.
//
// Forward: Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. Backward by the adjoint of each step: no flipped filters, and the error is transformed once.
//
// A table, from which the build writes AssemblyScript for groups of one vector, or of two side by side: V8 makes one of 256 bits of a pair
// only where its loads and its stores are neighbours.

const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

interface Transform {
  readonly says: string;
  /** Streams of groups that it reads. `d: 6` are d0 … d5, `dPitch` bytes apart; `d0: 1` is one group with an address of its own. */
  readonly reads: Readonly<Record<string, number>>;
  /** Numbers that all groups share. */
  readonly numbers?: Readonly<Record<string, "f32" | "i32">>;
  /** Intermediate vectors by name. */
  readonly between: Readonly<Record<string, string>>;
  /**
   * Vectors that it writes, by stream; a stream may be read and written. `fused(x, y, z)` is x·y + z and `scaled(x, y)` is x·y, with a
   * number x.
   */
  readonly writes: Readonly<Record<string, readonly string[]>>;
}

const sums = {
  sum: "f32x4.add(d1, d2)",
  difference: "f32x4.sub(d1, d2)",
  sum2: "f32x4.add(d3, d4)",
  difference2: "f32x4.sub(d3, d4)",
};

const outputs = [
  "f32x4.add(f32x4.add(d0, sum), sum2)",
  "fused(2, difference2, difference)",
  "fused(4, sum2, sum)",
  "f32x4.add(fused(8, difference2, difference), d5)",
];
const bounded = (x: string): string => `f32x4.pmin(f32x4.pmax(${x}, f32x4.splat(low)), f32x4.splat(high))`;

const errorsBetween = {
  even: "f32x4.add(d0, d2)",
  odd: "f32x4.add(d1, d3)",
  even2: "fused(4, d2, d0)",
  odd2: "fused(4, d3, d1)",
};
const errors = [
  "d0",
  "f32x4.add(even, odd)",
  "f32x4.sub(even, odd)",
  "fused(2, odd2, even2)",
  "fused(-2, odd2, even2)",
  "d3",
];

const adjoints = [
  "scaled(4, d0)",
  "fused(4, f32x4.sub(d5, difference), scaled(-2, difference2))",
  "fused(-5, d0, fused(-4, sum, f32x4.neg(sum2)))",
  "fused(-5, d5, fused(2, difference2, difference))",
  "f32x4.add(f32x4.add(d0, sum), sum2)",
  "d5",
];

/** The derivative of the activation at four pixels y0 … y3, times their errors. */
const derivatives = {
  /** Of Hardtanh and ReLU: 1 between the bounds, 0 elsewhere. */
  Bounded: (error: string, y: string): string =>
    `v128.and(${error}, v128.and(f32x4.gt(${y}, f32x4.splat(low)), f32x4.lt(${y}, f32x4.splat(high))))`,
  Tanh: (error: string, y: string): string => `f32x4.mul(${error}, f32x4.sub(f32x4.splat(1), f32x4.mul(${y}, ${y})))`,
};
const bounds = { low: "f32", high: "f32" } as const;
/** The error of pixel i of a column out of two pooled errors: where it won. */
const routed = (i: number): string =>
  `v128.and(e${i >> 1}, i32x4.eq(winner${i >> 1}, i32x4.splat(place${i % 2 ? " + 2" : ""})))`;
const pixels = (make: (i: number) => string): Record<string, string> =>
  Object.fromEntries(each(4, (i) => [`d${i}`, make(i)]));

/** The larger and its place, of four pixels of rows p and q from column `at` on; the first of equals. */
const pooled = (at: number): Record<string, string> => ({
  [`right${at}`]: `f32x4.gt(p${at + 1}, p${at})`,
  [`top${at}`]: `v128.bitselect(p${at + 1}, p${at}, right${at})`,
  [`below${at}`]: `f32x4.gt(q${at}, top${at})`,
  [`three${at}`]: `v128.bitselect(q${at}, top${at}, below${at})`,
  [`across${at}`]: `f32x4.gt(q${at + 1}, three${at})`,
  [`best${at}`]: `v128.bitselect(q${at + 1}, three${at}, across${at})`,
  [`place${at}`]: `v128.bitselect(i32x4.splat(3), v128.bitselect(i32x4.splat(2), v128.and(right${at}, i32x4.splat(1)), below${at}), across${at})`,
});
/** The four outputs of row `row`, d0 … d5 being called `d`0 …, as \`to\`0 … \`to\`3. */
const rowOfOutputs = (d: string, to: string): Record<string, string> => {
  const renamed = (expression: string): string =>
    expression.replace(/\b(d|sum|sum2|difference|difference2)(\d?)\b/g, (word) =>
      word.startsWith("d") && word.length === 2 ? `${d}${word[1]}` : `${d}${word}`,
    );
  return {
    ...Object.fromEntries(Object.entries(sums).map(([name, expression]) => [`${d}${name}`, renamed(expression)])),
    ...Object.fromEntries(outputs.map((expression, i) => [`${to}${i}`, bounded(renamed(expression))])),
  };
};

const transforms: Readonly<Record<string, Transform>> = {
  inputTransform: {
    says: "Bᵀ: six pixels of the input.",
    reads: { d0: 1, d1: 1, d2: 1, d3: 1, d4: 1, d5: 1 },
    between: {
      even: "fused(-4, d2, d4)",
      odd: "fused(-4, d1, d3)",
      even2: "f32x4.sub(d4, d2)",
      odd2: "f32x4.sub(d3, d1)",
    },
    writes: {
      to: [
        "fused(4, d0, fused(-5, d2, d4))",
        "f32x4.add(even, odd)",
        "f32x4.sub(even, odd)",
        "fused(2, odd2, even2)",
        "fused(-2, odd2, even2)",
        "fused(4, d1, fused(-5, d3, d5))",
      ],
    },
  },
  outputTransform: {
    says: "Aᵀ: six products to four pixels of the output.",
    reads: { d: 6 },
    between: sums,
    writes: { to: outputs },
  },
  boundedOutputs: {
    says: "Aᵀ, and an activation that keeps numbers between two bounds.",
    reads: { d: 6 },
    numbers: bounds,
    between: sums,
    writes: { to: outputs.map(bounded) },
  },
  pooledOutputs: {
    says: "Aᵀ of two rows, an activation between two bounds, the maxima of their two windows 2 × 2, and the winners' places.",
    reads: { a: 6, b: 6 },
    numbers: bounds,
    between: { ...rowOfOutputs("a", "p"), ...rowOfOutputs("b", "q"), ...pooled(0), ...pooled(2) },
    writes: { to: ["best0", "best2"], places: ["place0", "place2"] },
  },
  errorTransform: {
    says: "A, the adjoint of Aᵀ: the errors of four pixels.",
    reads: { d: 4 },
    between: errorsBetween,
    writes: { to: errors },
  },
  ...Object.fromEntries(
    Object.entries(derivatives).flatMap(([name, derivative]): [string, Transform][] => [
      [
        `error${name}`,
        {
          says: "A, of errors times the derivative of their activation.",
          reads: { e: 4, y: 4 },
          numbers: name === "Tanh" ? {} : bounds,
          between: { ...pixels((i) => derivative(`e${i}`, `y${i}`)), ...errorsBetween },
          writes: { to: errors },
        },
      ],
      [
        `routedError${name}`,
        {
          says: "A, of pooled errors sent to the winners, and times the derivative of their activation.",
          reads: { e: 2, winner: 2, y: 4 },
          numbers: { place: "i32", ...(name === "Tanh" ? {} : bounds) },
          between: { ...pixels((i) => derivative(routed(i), `y${i}`)), ...errorsBetween },
          writes: { to: errors },
        },
      ],
    ]),
  ),
  routedError: {
    says: "A, of pooled errors sent to the winners: those of place `place` and of the place below.",
    reads: { e: 2, winner: 2 },
    numbers: { place: "i32" },
    between: { ...pixels(routed), ...errorsBetween },
    writes: { to: errors },
  },
  inputAdjoint: {
    says: "B, the adjoint of Bᵀ: six products to the errors of six pixels of the input.",
    reads: { d: 6 },
    between: sums,
    writes: { to: adjoints },
  },
  inputAdjointRow: {
    says: "B, where the tile before has left the first two pixels: added to those, the rest written.",
    reads: { d: 6, c0: 1, c1: 1 },
    between: sums,
    writes: Object.fromEntries(adjoints.map((x, i) => [`c${i}`, [i < 2 ? `f32x4.add(c${i}, ${x})` : x]])),
  },
  addInputAdjointRow: {
    says: "B, added to six pixels.",
    reads: { d: 6, c0: 1, c1: 1, c2: 1, c3: 1, c4: 1, c5: 1 },
    between: sums,
    writes: Object.fromEntries(adjoints.map((x, i) => [`c${i}`, [`f32x4.add(c${i}, ${x})`]])),
  },
  weightTransform: {
    says: "G: three weights.",
    reads: { d: 3 },
    between: {
      outer: "scaled(<f32>(1.0 / 6), f32x4.add(d0, d2))",
      middle: "scaled(<f32>(1.0 / 6), d1)",
      outer2: "fused(<f32>(1.0 / 6), d2, scaled(<f32>(1.0 / 24), d0))",
      middle2: "scaled(<f32>(1.0 / 12), d1)",
    },
    writes: {
      to: [
        "scaled(0.25, d0)",
        "f32x4.neg(f32x4.add(outer, middle))",
        "f32x4.sub(middle, outer)",
        "f32x4.add(outer2, middle2)",
        "f32x4.sub(outer2, middle2)",
        "d2",
      ],
    },
  },
  weightAdjoint: {
    says: "Gᵀ, the adjoint of G: six sums to the gradients of three weights.",
    reads: { d: 6 },
    between: sums,
    writes: {
      to: [
        "fused(0.25, d0, fused(<f32>(-1.0 / 6), sum, scaled(<f32>(1.0 / 24), sum2)))",
        "fused(<f32>(1.0 / 12), difference2, scaled(<f32>(-1.0 / 6), difference))",
        "f32x4.add(fused(<f32>(1.0 / 6), sum2, scaled(<f32>(-1.0 / 6), sum)), d5)",
      ],
    },
  },
};

/** Addresses of a stream's groups: V8 sees a pair of vectors only in one address with two offsets. */
const addresses = (stream: string, count: number): string[] =>
  each(count - 1, (i) => `  const ${stream}At${i + 1} = ${i === 0 ? stream : `${stream}At${i}`} + ${stream}Pitch;`);
const addressOf = (stream: string, i: number): string => (i === 0 ? stream : `${stream}At${i}`);

function transform(name: string, { says, reads, numbers = {}, between, writes }: Transform, vectors: number): string {
  const streams = new Map([
    ...Object.entries(reads),
    ...Object.entries(writes).map(([stream, { length }]) => [stream, length] as const),
  ]);
  const loads = Object.entries(reads).flatMap(([stream, count]) =>
    each(count, (i) => ({ name: count === 1 ? stream : `${stream}${i}`, at: addressOf(stream, i) })),
  );
  const names = [...loads.map((load) => load.name), ...Object.keys(between)];
  /** An expression for one vector of the group. */
  const of = (expression: string, v: number): string =>
    expression.replace(/[a-zA-Z]+\d*\b(?![.(])/g, (word) => (names.includes(word) ? `${word}_${v}` : word));
  const group = (make: (v: number) => string): string => `  ${each(vectors, make).join(" ")}`;
  const parameters = [
    ...[...streams].flatMap(([stream, count]) => [`${stream}: usize`, ...(count > 1 ? [`${stream}Pitch: usize`] : [])]),
    ...Object.entries(numbers).map(([number, type]) => `${number}: ${type}`),
  ];
  return [
    `/** ${says} */`,
    "@inline",
    `export function ${name}(${parameters.join(", ")}): void {`,
    ...[...streams].flatMap(([stream, count]) => addresses(stream, count)),
    ...loads.map(({ name, at }) => group((v) => `const ${name}_${v} = v128.load(${at}, ${16 * v});`)),
    ...Object.entries(between).map(([between, expression]) =>
      group((v) => `const ${between}_${v} = ${of(expression, v)};`),
    ),
    ...Object.entries(writes).flatMap(([stream, expressions]) =>
      expressions.map((expression, i) =>
        group((v) => `v128.store(${addressOf(stream, i)}, ${of(expression, v)}, ${16 * v});`),
      ),
    ),
    "}",
  ].join("\n");
}

/** The generated module `winograd-transforms.ts`, which winograd.ts imports. */
export function winogradTransforms(vectors: 1 | 2): string {
  const group = (make: (v: number) => string): string => `  ${each(vectors, make).join(" ")}`;
  return [
    "// Generated by tools/winograd-transforms.ts: Winograd's transforms over groups of vectors.",
    'import { multiplyAdd } from "./micro-kernels";',
    "/** Bytes of a group of vectors. */",
    `export const groupBytes: usize = ${16 * vectors};`,
    "@inline function fused(x: f32, y: v128, sum: v128): v128 { return multiplyAdd(f32x4.splat(x), y, sum); }",
    "@inline function scaled(x: f32, y: v128): v128 { return f32x4.mul(f32x4.splat(x), y); }",
    ...Object.entries(transforms).map(([name, row]) => transform(name, row, vectors)),
    "/** One group: a + b → to. */",
    "@inline export function addGroups(a: usize, b: usize, to: usize): void {",
    group((v) => `const a${v} = v128.load(a, ${16 * v}), b${v} = v128.load(b, ${16 * v});`),
    group((v) => `v128.store(to, f32x4.add(a${v}, b${v}), ${16 * v});`),
    "}",
    "/** One group → to. */",
    "@inline export function copyGroup(from: usize, to: usize): void {",
    group((v) => `const a${v} = v128.load(from, ${16 * v});`),
    group((v) => `v128.store(to, a${v}, ${16 * v});`),
    "}",
    "",
  ].join("\n");
}

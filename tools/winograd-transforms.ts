// The one-dimensional transforms of Winograd's F(4, 3) (Lavin & Gray 2015, arXiv 1509.09308): outputs of four pixels from six, through the
// points 0, ±1, ±2, ∞. Each is applied to columns and then to rows, one group of channels at a time.
//
// Forward: Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. Backward by the adjoint of each step: no flipped filters, and the error is transformed once.
//
// A table, from which the build writes AssemblyScript for groups of one vector, or of two side by side: V8 makes one of 256 bits of a pair
// only where its loads and its stores are neighbours.

interface Transform {
  readonly says: string;
  /** Vectors d0, d1, … that it reads. */
  readonly reads: number;
  /** Intermediate vectors by name. */
  readonly between: Readonly<Record<string, string>>;
  /** Vectors that it writes. `fused(x, y, z)` is x·y + z, `scaled(x, y)` is x·y, with a number x. */
  readonly writes: readonly string[];
}

const sums = {
  sum: "f32x4.add(d1, d2)",
  difference: "f32x4.sub(d1, d2)",
  sum2: "f32x4.add(d3, d4)",
  difference2: "f32x4.sub(d3, d4)",
};

const transforms: Readonly<Record<string, Transform>> = {
  inputTransform: {
    says: "Bᵀ: six pixels of the input.",
    reads: 6,
    between: {
      even: "fused(-4, d2, d4)",
      odd: "fused(-4, d1, d3)",
      even2: "f32x4.sub(d4, d2)",
      odd2: "f32x4.sub(d3, d1)",
    },
    writes: [
      "fused(4, d0, fused(-5, d2, d4))",
      "f32x4.add(even, odd)",
      "f32x4.sub(even, odd)",
      "fused(2, odd2, even2)",
      "fused(-2, odd2, even2)",
      "fused(4, d1, fused(-5, d3, d5))",
    ],
  },
  outputTransform: {
    says: "Aᵀ: six products to four pixels of the output.",
    reads: 6,
    between: sums,
    writes: [
      "f32x4.add(f32x4.add(d0, sum), sum2)",
      "fused(2, difference2, difference)",
      "fused(4, sum2, sum)",
      "f32x4.add(fused(8, difference2, difference), d5)",
    ],
  },
  errorTransform: {
    says: "A, the adjoint of Aᵀ: the errors of four pixels.",
    reads: 4,
    between: {
      even: "f32x4.add(d0, d2)",
      odd: "f32x4.add(d1, d3)",
      even2: "fused(4, d2, d0)",
      odd2: "fused(4, d3, d1)",
    },
    writes: [
      "d0",
      "f32x4.add(even, odd)",
      "f32x4.sub(even, odd)",
      "fused(2, odd2, even2)",
      "fused(-2, odd2, even2)",
      "d3",
    ],
  },
  inputAdjoint: {
    says: "B, the adjoint of Bᵀ: six products to the errors of six pixels of the input.",
    reads: 6,
    between: sums,
    writes: [
      "scaled(4, d0)",
      "fused(4, f32x4.sub(d5, difference), scaled(-2, difference2))",
      "fused(-5, d0, fused(-4, sum, f32x4.neg(sum2)))",
      "fused(-5, d5, fused(2, difference2, difference))",
      "f32x4.add(f32x4.add(d0, sum), sum2)",
      "d5",
    ],
  },
  weightTransform: {
    says: "G: three weights.",
    reads: 3,
    between: {
      outer: "scaled(<f32>(1.0 / 6), f32x4.add(d0, d2))",
      middle: "scaled(<f32>(1.0 / 6), d1)",
      outer2: "fused(<f32>(1.0 / 6), d2, scaled(<f32>(1.0 / 24), d0))",
      middle2: "scaled(<f32>(1.0 / 12), d1)",
    },
    writes: [
      "scaled(0.25, d0)",
      "f32x4.neg(f32x4.add(outer, middle))",
      "f32x4.sub(middle, outer)",
      "f32x4.add(outer2, middle2)",
      "f32x4.sub(outer2, middle2)",
      "d2",
    ],
  },
  weightAdjoint: {
    says: "Gᵀ, the adjoint of G: six sums to the gradients of three weights.",
    reads: 6,
    between: sums,
    writes: [
      "fused(0.25, d0, fused(<f32>(-1.0 / 6), sum, scaled(<f32>(1.0 / 24), sum2)))",
      "fused(<f32>(1.0 / 12), difference2, scaled(<f32>(-1.0 / 6), difference))",
      "f32x4.add(fused(<f32>(1.0 / 6), sum2, scaled(<f32>(-1.0 / 6), sum)), d5)",
    ],
  },
};

const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
/** Addresses `name`0, `name`1, …, `pitch` bytes apart: V8 sees a pair of vectors only in one address with two offsets. */
const addresses = (name: string, pitch: string, count: number): string[] => [
  `  const ${name}0 = ${name};`,
  ...each(count - 1, (i) => `  const ${name}${i + 1} = ${name}${i} + ${pitch};`),
];

function transform(name: string, { says, reads, between, writes }: Transform, vectors: number): string {
  const names = [...each(reads, (i) => `d${i}`), ...Object.keys(between)];
  /** An expression for one vector of the group. */
  const of = (expression: string, v: number): string =>
    expression.replace(/[a-z]+\d*\b(?![.(])/g, (word) => (names.includes(word) ? `${word}_${v}` : word));
  const group = (make: (v: number) => string): string => `  ${each(vectors, make).join(" ")}`;
  return [
    `/** ${says} Reads groups of vectors \`pitch\` bytes apart and writes such \`pitchTo\` bytes apart. */`,
    "@inline",
    `export function ${name}(from: usize, pitch: usize, to: usize, pitchTo: usize): void {`,
    ...addresses("from", "pitch", reads),
    ...addresses("to", "pitchTo", writes.length),
    ...each(reads, (i) => group((v) => `const d${i}_${v} = v128.load(from${i}, ${16 * v});`)),
    ...Object.entries(between).map(([between, expression]) =>
      group((v) => `const ${between}_${v} = ${of(expression, v)};`),
    ),
    ...writes.map((expression, i) => group((v) => `v128.store(to${i}, ${of(expression, v)}, ${16 * v});`)),
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

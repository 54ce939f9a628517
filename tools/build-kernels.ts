// Builds the WASM kernels: src/backends/wasm/kernels/index.ts with the micro-kernels generated here and the transforms of tools/winograd-transforms.ts → build/kernels.wasm (relaxed SIMD),
// build/kernels-wide.wasm (relaxed SIMD in pairs of vectors, for V8's revectorizer) and build/kernels-simd.wasm (plain SIMD). Run as
// `node tools/build-kernels.ts`.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { main as compile } from "assemblyscript/asc";
import { winogradTransforms } from "./winograd-transforms.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const kernels = "src/backends/wasm/kernels";

interface Variant {
  /** File name in build/, without extension. */
  readonly name: string;
  /** Features of WebAssembly beside SIMD and threads. */
  readonly features: readonly string[];
  /** `acc + x·y` as an expression. */
  readonly multiplyAdd: (x: string, y: string, acc: string) => string;
  /** Columns of a panel: two registers, of 128 bits or, where V8 turns pairs of vectors into one, of 256. */
  readonly columns: 8 | 16;
  /** Rows of the largest tile. Six rows of two registers fill the 16 registers: 12 sums, 2 for B, 1 for A. */
  readonly tileRows: number;
  /** Steps of the sum per turn of the loop: unrolling pays only where multiply and add are two instructions. */
  readonly unroll: number;
  /** Rows that `dots` takes at once, vectors that `strips` does: ten sums fill the registers. Neither changes a sum's order. */
  readonly narrow: { readonly rows: 1 | 2; readonly vectors: 2 | 4 };
}

const relaxed = {
  features: ["relaxed-simd"],
  multiplyAdd: (x: string, y: string, acc: string) => `f32x4.relaxed_madd(${x}, ${y}, ${acc})`,
  tileRows: 6,
  unroll: 1,
};

const variants: readonly Variant[] = [
  { name: "kernels", columns: 8, narrow: { rows: 1, vectors: 2 }, ...relaxed },
  { name: "kernels-wide", columns: 16, narrow: { rows: 2, vectors: 4 }, ...relaxed },
  {
    name: "kernels-simd",
    columns: 8,
    features: [],
    multiplyAdd: (x, y, acc) => `f32x4.add(${acc}, f32x4.mul(${x}, ${y}))`,
    tileRows: 4,
    unroll: 2,
    narrow: { rows: 1, vectors: 2 },
  },
];

const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

type Kernel = "tile" | "freshTile" | "outer" | "freshOuter";

/**
 * One micro-kernel: C [rows × columns] += A [rows × k] · B [k × columns], with the sums in registers from the first load of C to the last
 * store. `tile`: A's rows stand `pitch` bytes apart, its numbers along k side by side; B is a packed panel.
 * `freshTile`: the same, but C is overwritten.
 * `outer`: A's numbers along k stand `pitch` bytes apart, its rows side by side; B's rows stand `pitchB` bytes apart.
 * `freshOuter`: the same, but C is overwritten.
 * C's rows stand `pitchC` bytes apart.
 */
function microKernel(kind: Kernel, rows: number, { columns, multiplyAdd, unroll }: Variant): string {
  const outer = kind === "outer" || kind === "freshOuter";
  const fresh = kind === "freshTile" || kind === "freshOuter";
  const vectors = columns / 4;
  const pitchOfPanel = 4 * columns;
  const pointers = outer ? ["a0"] : each(rows, (r) => `a${r}`);
  const step = (u: number): string[] => {
    const [b, bOffset] = outer && u > 0 ? ["b + pitchB", 0] : ["b", pitchOfPanel * u];
    return [
      ...each(vectors, (v) => `const y${v}_${u} = v128.load(${b}, ${bOffset + 16 * v});`),
      ...each(rows, (r) => {
        const x = `x${r}_${u}`;
        const from = outer ? `${u === 0 ? "a0" : "a0 + pitch"}, ${4 * r}` : `a${r}, ${4 * u}`;
        return [
          `const ${x} = v128.load32_splat(${from});`,
          ...each(vectors, (v) => `c${r}_${v} = ${multiplyAdd(x, `y${v}_${u}`, `c${r}_${v}`)};`),
        ].join("\n    ");
      }),
    ];
  };
  const loop = (steps: number): string[] => [
    `for (; k >= ${steps}; k -= ${steps}) {`,
    ...each(steps, step)
      .flat()
      .map((line) => `    ${line}`),
    `    b += ${outer ? `pitchB * ${steps}` : pitchOfPanel * steps};`,
    ...pointers.map((a) => `    ${a} += ${outer ? `pitch * ${steps}` : 4 * steps};`),
    "  }",
  ];
  const at = (r: number): string => (r === 0 ? "c" : `c + pitchC * ${r}`);
  const start = (r: number, v: number): string =>
    fresh ? `v128.load(zeros, ${pitchOfPanel * r + 16 * v})` : `v128.load(${at(r)}, ${16 * v})`;
  const parameters = `k: i32, a0: usize, pitch: usize, b: usize, ${outer ? "pitchB: usize, " : ""}c: usize, pitchC: usize`;
  return [
    `export function ${kind}${rows}(${parameters}): void {`,
    ...each(rows, (r) => `  let ${each(vectors, (v) => `c${r}_${v} = ${start(r, v)}`).join(", ")};`),
    ...pointers.slice(1).map((a, i) => `  let ${a} = ${pointers[i]} + pitch;`),
    `  ${loop(unroll).join("\n")}`,
    ...(unroll > 1 ? [`  ${loop(1).join("\n")}`] : []),
    ...each(rows, (r) => `  ${each(vectors, (v) => `v128.store(${at(r)}, c${r}_${v}, ${16 * v});`).join(" ")}`),
    "}",
  ].join("\n");
}

/** Rows of B that `dots` and columns of A that `strips` take at once, at most. */
const narrowColumns = 5;

/**
 * Inner products of `rows` rows of A with `columns` rows of B, `pitch` bytes apart, over a length that eight divides; each in eight lanes
 * at `sums`, joined by what they hold. The lanes of a row of A stand `pitchSums` bytes after those of the row before.
 */
function dotsKernel(rows: number, columns: number, { multiplyAdd }: Variant): string {
  const at = (r: number): string => (r === 0 ? "sums" : `sums + pitchSums * ${r}`);
  const halves = [0, 1];
  const product = (r: number, c: number): string[] =>
    halves.map((h) => `s${r}_${c}_${h} = ${multiplyAdd(`x${r}_${h}`, `y${c}_${h}`, `s${r}_${c}_${h}`)};`);
  return [
    `function dots${rows}x${columns}(k: i32, ${each(rows, (r) => `a${r}: usize`).join(", ")}, b0: usize, pitch: usize, sums: usize, pitchSums: usize): void {`,
    ...each(columns - 1, (c) => `  let b${c + 1} = b${c} + pitch;`),
    ...each(rows, (r) =>
      each(columns, (c) =>
        halves.map((h) => `  let s${r}_${c}_${h} = v128.load(${at(r)}, ${32 * c + 16 * h});`).join("\n"),
      ).join("\n"),
    ),
    "  for (; k > 0; k -= 8) {",
    ...each(rows, (r) => `    const x${r}_0 = v128.load(a${r}), x${r}_1 = v128.load(a${r}, 16);`),
    ...each(columns, (c) =>
      [
        `    const y${c}_0 = v128.load(b${c}), y${c}_1 = v128.load(b${c}, 16);`,
        ...each(rows, (r) => `    ${product(r, c).join(" ")}`),
      ].join("\n"),
    ),
    `    ${[...each(rows, (r) => `a${r}`), ...each(columns, (c) => `b${c}`)].map((name) => `${name} += 32;`).join(" ")}`,
    "  }",
    ...each(rows, (r) =>
      each(columns, (c) =>
        halves.map((h) => `  v128.store(${at(r)}, s${r}_${c}_${h}, ${32 * c + 16 * h});`).join(" "),
      ).join("\n"),
    ),
    "}",
  ].join("\n");
}

/**
 * C [columns × 4·vectors] += Aᵀ · B over `k` steps. B's rows stand wherever the u32 at `rows` say, `offset` bytes on; A's numbers of a
 * step side by side, steps `pitchA` bytes apart; C's rows `pitchC` bytes apart.
 */
function stripsKernel(columns: number, { multiplyAdd, narrow: { vectors } }: Variant): string {
  const at = (c: number): string => (c === 0 ? "c" : `c + pitchC * ${c}`);
  return [
    `function strips${columns}(k: i32, a: usize, pitchA: usize, rows: usize, offset: usize, c: usize, pitchC: usize): void {`,
    ...each(columns, (j) => `  let ${each(vectors, (v) => `s${j}_${v} = v128.load(${at(j)}, ${16 * v})`).join(", ")};`),
    "  for (; k > 0; k--) {",
    "    const b = <usize>load<u32>(rows) + offset;",
    ...each(vectors, (v) => `    const y${v} = v128.load(b, ${16 * v});`),
    ...each(columns, (j) =>
      [
        `    const x${j} = v128.load32_splat(a, ${4 * j});`,
        ...each(vectors, (v) => `    s${j}_${v} = ${multiplyAdd(`x${j}`, `y${v}`, `s${j}_${v}`)};`),
      ].join("\n"),
    ),
    "    rows += 4;",
    "    a += pitchA;",
    "  }",
    ...each(columns, (j) => `  ${each(vectors, (v) => `v128.store(${at(j)}, s${j}_${v}, ${16 * v});`).join(" ")}`),
    "}",
  ].join("\n");
}

/** The kernels for products with few rows or columns on one side, and what chooses among them. */
function narrowKernels(variant: Variant): string {
  const { rows, vectors } = variant.narrow;
  const widths = each(narrowColumns, (c) => c + 1);
  return [
    "/** Rows that `dots` takes at once, and floats that `strips` does. */",
    `export const dotRows: i32 = ${rows};`,
    `export const stripFloats: i32 = ${4 * vectors};`,
    `export const narrowColumns: i32 = ${narrowColumns};`,
    ...each(rows, (r) => widths.map((c) => dotsKernel(r + 1, c, variant))).flat(),
    ...widths.map((c) => stripsKernel(c, variant)),
    "/** Of `dotRows` rows of A, or of the first alone. */",
    "export function dots(pair: bool, columns: i32, k: i32, a0: usize, a1: usize, b: usize, pitch: usize, sums: usize, pitchSums: usize): void {",
    ...(rows === 2
      ? [
          "  if (pair) {",
          "    switch (columns) {",
          ...widths.map((c) => `      case ${c}: dots2x${c}(k, a0, a1, b, pitch, sums, pitchSums); break;`),
          "    }",
          "    return;",
          "  }",
        ]
      : []),
    "  switch (columns) {",
    ...widths.map((c) => `    case ${c}: dots1x${c}(k, a0, b, pitch, sums, pitchSums); break;`),
    "  }",
    "}",
    "export function strips(columns: i32, k: i32, a: usize, pitchA: usize, rows: usize, offset: usize, c: usize, pitchC: usize): void {",
    "  switch (columns) {",
    ...widths.map((c) => `    case ${c}: strips${c}(k, a, pitchA, rows, offset, c, pitchC); break;`),
    "  }",
    "}",
  ].join("\n");
}

/** The generated module `micro-kernels.ts`, which the other kernels import. */
function microKernels(variant: Variant): string {
  const heights = each(variant.tileRows, (r) => r + 1);
  const dispatch = (kind: Kernel): string => {
    const [pitchB, b] = kind === "outer" || kind === "freshOuter" ? ["pitchB: usize, ", "pitchB, "] : ["", ""];
    return [
      `export function ${kind}(rows: i32, k: i32, a: usize, pitch: usize, b: usize, ${pitchB}c: usize, pitchC: usize): void {`,
      "  switch (rows) {",
      ...heights.map((r) => `    case ${r}: ${kind}${r}(k, a, pitch, b, ${b}c, pitchC); break;`),
      "  }",
      "}",
    ].join("\n");
  };
  const all = ["tile", "freshTile", "outer", "freshOuter"] as const;
  return [
    "// Generated by tools/build-kernels.ts: C [rows × columns] += A [rows × k] · B [k × columns].",
    "/** Columns of a panel. */",
    `export const panelColumns: i32 = ${variant.columns};`,
    `export const tileRows: i32 = ${variant.tileRows};`,
    `@inline export function multiplyAdd(x: v128, y: v128, sum: v128): v128 { return ${variant.multiplyAdd("x", "y", "sum")}; }`,
    "/** What a fresh tile starts from. One constant for all sums would be a third slower: V8 then shuffles registers in the loop. */",
    `const zeros: usize = memory.data(${4 * variant.columns * variant.tileRows}, 16);`,
    ...all.flatMap((kind) => [...heights.map((r) => microKernel(kind, r, variant)), dispatch(kind)]),
    narrowKernels(variant),
    "",
  ].join("\n");
}

async function build(variant: Variant): Promise<void> {
  const output = `build/${variant.name}.wasm`;
  const generated = new Map([
    [`${kernels}/micro-kernels.ts`, microKernels(variant)],
    [`${kernels}/winograd-transforms.ts`, winogradTransforms(variant.columns === 16 ? 2 : 1)],
  ]);
  mkdirSync(join(root, "build"), { recursive: true });
  for (const [name, source] of generated)
    writeFileSync(join(root, "build", `${variant.name}-${basename(name)}`), source);
  const options = "-O3 --noAssert --runtime stub --importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536";
  const features = ["simd", "threads", ...variant.features].join(",");
  const { error, stderr } = await compile(
    [`${kernels}/index.ts`, ...options.split(" "), "--use", "abort=", "--enable", features, "-o", output],
    {
      readFile: (name) => {
        const source = generated.get(name.replaceAll("\\", "/"));
        if (source !== undefined) return source;
        try {
          return readFileSync(join(root, name), "utf8");
        } catch {
          return null;
        }
      },
      writeFile: (name, contents) => writeFileSync(join(root, name), contents),
    },
  );
  if (error) throw new Error(`${stderr.toString()}\n${output} was not built`);
}

// The builds share nothing, so they run side by side.
if (isMainThread) {
  const workers = variants.slice(1).map(
    ({ name }) =>
      new Promise<void>((resolve, reject) => {
        const worker = new Worker(fileURLToPath(import.meta.url), { workerData: name });
        worker.on("error", reject);
        worker.on("exit", () => resolve());
      }),
  );
  try {
    await Promise.all([build(variants[0]), ...workers]);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
} else {
  const variant = variants.find(({ name }) => name === workerData);
  if (variant) await build(variant);
}

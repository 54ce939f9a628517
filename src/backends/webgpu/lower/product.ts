// The product behind convolutions and linear layers: C [m, n] = Σ_k A [m, k] · B [k, n], where what A and B hold is read from
// wherever it stands (implicit GEMM). A workgroup makes one tile of C from tiles of A and B in its own memory; a thread makes 8 × 4 of it.

import {
  type Access,
  type Dispatch,
  type Elements,
  type ElementsOf,
  each,
  kernel,
  type Place,
  reads,
  readsFour,
  scratch,
  writes,
  writesFour,
} from "../kernel.ts";

/** How a factor is read: four numbers in a row, along k or along its own side (m or n), zeros beyond its ends. */
export interface Factor {
  readonly along: "k" | "side";
  /** The access to `place` that `four` is given. */
  readonly access: Access;
  /**
   * Statements that set `quad`, a vec4f that is 0 before, to the four numbers from (side, k) on; both are u32 names, and the one that
   * it runs along is a multiple of 4.
   */
  readonly four: (elements: Elements, side: string, k: string) => string;
}

/**
 * What becomes of four by four numbers of C, from row `m` (a multiple of 4) and column `n` on: `rows` are the names of four vec4f, `m` and
 * `n` are u32 names. Rows can lie beyond C's end, and so can columns behind the first.
 */
export interface Ending<A extends Readonly<Record<string, Access>>> {
  readonly accesses: A;
  readonly store: (elements: ElementsOf<A>, m: string, n: string, rows: readonly string[]) => string;
  readonly declarations?: string;
}

export interface Product {
  readonly label: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Factor;
  readonly b: Factor;
}

/** Rows of C that a thread makes, and columns: two vec4f of A and one of B for eight multiply-adds of vec4f. */
const [threadRows, threadColumns] = [8, 4];
const depth = 16;

interface Tile {
  readonly rows: number;
  readonly columns: number;
}

/** Tall products have few columns; small ones want more workgroups. */
function tileFor({ m, n }: Pick<Product, "m" | "n">): Tile {
  if (n <= 32) return m >= 4096 ? { rows: 128, columns: 32 } : { rows: 64, columns: 32 };
  return Math.ceil(m / 64) * Math.ceil(n / 64) >= 16 ? { rows: 64, columns: 64 } : { rows: 32, columns: 32 };
}

/** Statements that fill a factor's tile, [depth][side] as vec4f along the side, `size` numbers wide. */
function fill(
  name: string,
  { along, access, four }: Factor,
  elements: Elements,
  size: number,
  first: string,
  threads: number,
): string {
  const quads = size / 4;
  const turns = (jobs: number, statements: string): string => {
    const body = `let side = ${first} + job % ${quads}u * 4u;\n${statements}`;
    if (jobs === threads) return `{ let job = local;\n${body}\n}`;
    return `for (var job = local; job < ${jobs}u; job += ${threads}u) {\n${body}\n}`;
  };
  if (along === "side")
    return turns(
      depth * quads,
      `let k = at + job / ${quads}u;
var quad = vec4f(0f);
if (k < end) { ${four(elements, "side", "k")} }
${name}[job] = quad;`,
    );
  // Four rows of four along k, turned.
  return turns(
    (depth / 4) * quads,
    `let k = at + job / ${quads}u * 4u;
let slot = job / ${quads}u * ${4 * quads}u + job % ${quads}u;
var lines: array<vec4f, 4>;
for (var line = 0u; line < ${access.four ? "4u" : "laneCount"}; line++) {
  let one = side + line;
  var quad = vec4f(0f);
  if (k < end) { ${four(elements, "one", "k")} }
  lines[line] = quad;
}
${[0, 1, 2, 3]
  .map(
    (lane) =>
      `${name}[slot + ${lane * quads}u] = vec4f(lines[0][${lane}], lines[1][${lane}], lines[2][${lane}], lines[3][${lane}]);`,
  )
  .join("\n")}`,
  );
}

/** The product over all of k, or over each of `parts` shares of it, with `part` a u32 name that the ending may use. */
export function product<A extends Readonly<Record<string, Access>>>(
  { label, m, n, k, a, b }: Product,
  ending: Ending<A>,
  parts = 1,
): Dispatch {
  const { rows, columns } = tileFor({ m, n });
  const threads = (rows / threadRows) * (columns / threadColumns);
  const [across, down] = [Math.ceil(n / columns), Math.ceil(m / rows)];
  // Columns beside each other read the same rows of A.
  const tiles = across * down;
  const y = Math.ceil(tiles / 65535);
  const x = Math.ceil(tiles / y);
  const share = Math.ceil(k / parts / depth) * depth;
  const half = threadRows / 2;
  return kernel(label, [x, y, parts], threads, { ...ending.accesses, a: a.access, b: b.access }, (elements) => {
    const { a: aElements, b: bElements } = elements as unknown as { readonly a: Elements; readonly b: Elements };
    return {
      declarations: `var<workgroup> tileA: array<vec4f, ${(depth * rows) / 4}>;
var<workgroup> tileB: array<vec4f, ${(depth * columns) / 4}>;
${ending.declarations ?? ""}`,
      body: `let tile = group.y * ${x}u + group.x;
if (tile >= ${tiles}u) { return; }
let part = group.z;
// Four, and no driver knows: unrolled, the reading of single numbers takes some of them seconds to compile.
let laneCount = select(4u, 5u, part > 70000u);
let m0 = tile / ${across}u * ${rows}u;
let n0 = tile % ${across}u * ${columns}u;
let threadRow = local / ${columns / threadColumns}u;
let threadColumn = local % ${columns / threadColumns}u;
let end = min(part * ${share}u + ${share}u, ${k}u);
${Array.from({ length: threadRows }, (_, i) => `var sum${i} = vec4f(0f);`).join(" ")}
for (var at = part * ${share}u; at < end; at += ${depth}u) {
${fill("tileA", a, aElements, rows, "m0", threads)}
${fill("tileB", b, bElements, columns, "n0", threads)}
workgroupBarrier();
for (var step = 0u; step < ${depth}u; step++) {
  let low = tileA[step * ${rows / 4}u + threadRow];
  let high = tileA[step * ${rows / 4}u + threadRow + ${rows / 8}u];
  let right = tileB[step * ${columns / 4}u + threadColumn];
${Array.from({ length: threadRows }, (_, i) => `  sum${i} = fma(vec4f(${i < half ? "low" : "high"}[${i % half}]), right, sum${i});`).join("\n")}
}
workgroupBarrier();
}
let n = n0 + threadColumn * ${threadColumns}u;
if (n >= ${n}u) { return; }
${[0, half]
  .map((first) => {
    const names = Array.from({ length: half }, (_, i) => `sum${first + i}`);
    const stored = ending.store(elements as unknown as ElementsOf<A>, "m", "n", names);
    return `{ let m = m0 + threadRow * ${half}u + ${first === 0 ? 0 : rows / 2}u;\n${stored} }`;
  })
  .join("\n")}`,
    };
  });
}

/** Each of the four rows that lies within C's m. */
export const eachRowOf = (
  m: number,
  row: string,
  rows: readonly string[],
  store: (row: string, sum: string) => string,
): string => rows.map((sum, i) => `if (${row} + ${i}u < ${m}u) { ${store(`(${row} + ${i}u)`, sum)} }`).join("\n");

/** Writes C [m, n]. */
export const storing = (m: number, n: number, to: Place): Ending<{ readonly c: Access }> => ({
  accesses: { c: n % 4 === 0 ? writesFour(to) : writes(to) },
  store: ({ c }, row, column, rows) =>
    eachRowOf(m, row, rows, (one, sum) => storeFour(c, n, `${one} * ${n}u + ${column}`, column, sum)),
});

/** Stores what of four numbers lies within n columns. */
export function storeFour(to: Elements, n: number, index: string, column: string, sum: string): string {
  if (n % 4 === 0) return to.setFour(index, sum);
  return [0, 1, 2, 3]
    .map((lane) => `if (${column} + ${lane}u < ${n}u) { ${to(`${index} + ${lane}u`)} = ${sum}[${lane}]; }`)
    .join(" ");
}

const readsWide = (place: Place, width: number): Access => (width % 4 === 0 ? readsFour(place) : reads(place));

/** A matrix [lines, width] that stands in memory as it is, as a factor whose `along` is its width. */
export function matrix(place: Place, along: Factor["along"], lines: number, width: number): Factor {
  const [line, at] = along === "k" ? (["side", "k"] as const) : (["k", "side"] as const);
  return {
    along,
    access: readsWide(place, width),
    four: (elements, side, k) => {
      const names = { side, k };
      const index = `${names[line]} * ${width}u + ${names[at]}`;
      return `if (${names[line]} < ${lines}u) { ${fourWithin(elements, width, index, names[at])} }`;
    },
  };
}

/** Sets `quad` to the numbers at `index` on whose `place` lies within `width`. */
function fourWithin(elements: Elements, width: number, index: string, place: string): string {
  if (width % 4 === 0) return `if (${place} < ${width}u) { quad = ${elements.four(index)}; }`;
  return [0, 1, 2, 3]
    .map((lane) => `if (${place} + ${lane}u < ${width}u) { quad[${lane}] = ${elements(`${index} + ${lane}u`)}; }`)
    .join(" ");
}

/** Fewest numbers of k that are worth a share of their own, and most shares. */
const [leastShare, mostParts] = [512, 256];

/**
 * The product with k cut into shares that are added in a fixed order: for few tiles and a long k, as weight gradients have. How many
 * depends on the sizes alone, so that a device gives the same bits every time.
 */
export function splitProduct(wanted: Product, to: Place): Dispatch[] {
  const { label, m, n, k } = wanted;
  const { rows, columns } = tileFor(wanted);
  const tiles = Math.ceil(m / rows) * Math.ceil(n / columns);
  const parts = Math.max(1, Math.min(mostParts, Math.floor(k / leastShare), Math.ceil(1024 / tiles)));
  if (parts === 1) return [product(wanted, storing(m, n, to))];
  const partial = scratch(`${label}.parts`, parts * m * n);
  const { accesses } = storing(m, n, partial);
  return [
    product(
      wanted,
      {
        accesses,
        store: ({ c }, row, column, names) =>
          eachRowOf(m, row, names, (one, sum) =>
            storeFour(c, n, `(part * ${m}u + ${one}) * ${n}u + ${column}`, column, sum),
          ),
      },
      parts,
    ),
    each(
      `${label}.sum`,
      m * n,
      { partial: reads(partial), to: writes(to) },
      ({ partial, to }) => `var sum = 0f;
for (var part = 0u; part < ${parts}u; part++) { sum += ${partial(`part * ${m * n}u + i`)}; }
${to("i")} = sum;`,
    ),
  ];
}

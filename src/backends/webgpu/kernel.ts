// A kernel: WGSL made by typed functions, the tensors that it binds, and how many workgroups it takes.
//
// Every tensor that a kernel touches is one storage buffer; windows on one owner share its binding, so that no buffer is bound twice.

import { type DType, offsetOf, ownerOf, type Tensor } from "../../program/tensor.ts";

/** Memory between two kernels of one stage. */
export interface Scratch {
  readonly name: string;
  readonly bytes: number;
}

/** What a kernel reads or writes. */
export type Place = Tensor | Scratch;

export const isScratch = (place: Place): place is Scratch => "bytes" in place;

/** A scratch of so many f32. */
export const scratch = (name: string, numbers: number): Scratch => ({ name, bytes: 4 * numbers });

export interface Binding {
  /** A tensor that is nobody's window, or scratch. */
  readonly place: Place;
  readonly access: "read" | "read_write";
}

export interface Dispatch {
  readonly label: string;
  readonly source: string;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [number, number, number];
}

/** Workgroups along one dimension that every device allows. */
const mostGroups = 65535;

/** Workgroups in x and y that are at least `count` together. */
export function spread(count: number): readonly [number, number] {
  const y = Math.ceil(count / mostGroups);
  return [Math.ceil(count / y), y];
}

export interface Access {
  readonly place: Place;
  readonly access: "read" | "read_write";
  /** Numbers are taken four at a time, by `four` and `setFour`, at indices that four divides. */
  readonly four: boolean;
}

export const reads = (place: Place): Access => ({ place, access: "read", four: false });
export const writes = (place: Place): Access => ({ place, access: "read_write", four: false });
export const readsFour = (place: Place): Access => ({ place, access: "read", four: true });
export const writesFour = (place: Place): Access => ({ place, access: "read_write", four: true });

/** WGSL for one operand's elements, by the WGSL of a u32 index. */
export interface Elements {
  /** An element, to read or to assign; a byte is a u32, to read. */
  (index: string): string;
  /** Four elements from `index` on. */
  readonly four: (index: string) => string;
  /** The statement that writes four. */
  readonly setFour: (index: string, value: string) => string;
}

type AccessTable = Readonly<Record<string, Access>>;
export type ElementsOf<A extends AccessTable> = { readonly [K in keyof A]: Elements };

export interface KernelText {
  /** Module-scope declarations: functions, workgroup memory. */
  readonly declarations?: string;
  /** Statements of the entry point, which sees `group` (workgroup_id) and `local` (local_invocation_index). */
  readonly body: string;
}

const elementType: Record<DType, string> = { f32: "f32", i32: "i32", u8: "u32" };

/** Writes a kernel's module; its body comes from `write`, which is given the WGSL of each operand's elements. */
export function kernel<A extends AccessTable>(
  label: string,
  workgroups: readonly [number, number, number],
  threads: number,
  accesses: A,
  write: (elements: ElementsOf<A>) => KernelText,
): Dispatch {
  const owners = new Map<Place, { access: "read" | "read_write"; four: boolean; dtype: DType }>();
  for (const { place, access, four } of Object.values(accesses)) {
    const owner = isScratch(place) ? place : ownerOf(place);
    const known = owners.get(owner);
    const aligned = four && (isScratch(place) || (place.dtype === "f32" && offsetOf(place) % 4 === 0));
    owners.set(owner, {
      access: access === "read_write" || known?.access === "read_write" ? "read_write" : "read",
      four: aligned && (known?.four ?? true),
      dtype: isScratch(place) ? "f32" : place.dtype,
    });
  }
  const places = [...owners.keys()];
  const elements = Object.fromEntries(
    Object.entries(accesses).map(([argument, { place }]) => {
      const owner = isScratch(place) ? place : ownerOf(place);
      const offset = isScratch(place) ? 0 : offsetOf(place);
      const { four = false, dtype = "f32" } = owners.get(owner) ?? {};
      return [argument, elementsOf(`b${places.indexOf(owner)}`, offset, four, dtype)];
    }),
  ) as ElementsOf<A>;
  const { declarations = "", body } = write(elements);
  const declared = places.map((place, i) => {
    const { access = "read", four = false, dtype = "f32" } = owners.get(place) ?? {};
    return `@group(0) @binding(${i}) var<storage, ${access}> b${i}: array<${four ? "vec4f" : elementType[dtype]}>;`;
  });
  return {
    label,
    source: `${declared.join("\n")}
${declarations}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
${body}
}
`,
    bindings: places.map((place) => ({ place, access: owners.get(place)?.access ?? "read" })),
    workgroups,
  };
}

function elementsOf(buffer: string, offset: number, four: boolean, dtype: DType): Elements {
  const at = (index: string): string => (offset === 0 ? index : `(${index}) + ${offset}u`);
  const one = (index: string): string => {
    if (four) return `${buffer}[(${at(index)}) / 4u][(${at(index)}) % 4u]`;
    if (dtype === "u8") return `((${buffer}[(${at(index)}) / 4u] >> (8u * ((${at(index)}) % 4u))) & 255u)`;
    return `${buffer}[${at(index)}]`;
  };
  const lanes = ["0u", "1u", "2u", "3u"];
  return Object.assign(one, {
    four: (index: string): string =>
      four
        ? `${buffer}[(${at(index)}) / 4u]`
        : `vec4f(${lanes.map((lane) => `${buffer}[${at(index)} + ${lane}]`).join(", ")})`,
    setFour: (index: string, value: string): string =>
      four
        ? `${buffer}[(${at(index)}) / 4u] = ${value};`
        : `{ let quad = ${value}; ${lanes.map((lane) => `${buffer}[${at(index)} + ${lane}] = quad[${lane}];`).join(" ")} }`,
  });
}

/** An f32 literal; WGSL has none for infinities. */
export function float(value: number): string {
  const text = String(Math.fround(value));
  return value < 0 ? `(${text}f)` : `${text}f`;
}

const perGroup = 64;

/** A thread for each of `count` items; the statements see the item's number `i`. */
export function each<A extends AccessTable>(
  label: string,
  count: number,
  accesses: A,
  statements: (elements: ElementsOf<A>) => string,
  declarations = "",
): Dispatch {
  const [x, y] = spread(Math.ceil(count / perGroup));
  return kernel(label, [x, y, 1], perGroup, accesses, (elements) => ({
    declarations,
    body: `let i = (group.y * ${x}u + group.x) * ${perGroup}u + local;
if (i >= ${count}u) { return; }
${statements(elements)}`,
  }));
}

/** Threads of a workgroup that takes a row. */
export const rowThreads = 64;

/**
 * A workgroup for each of `count` rows; the statements see the row's number `row`, and may call, all threads together, `sumOf(local, x)`
 * and `mostOf(local, x)`: the sum and the largest of what the threads hand in, in a fixed order.
 */
export function eachRow<A extends AccessTable>(
  label: string,
  count: number,
  accesses: A,
  statements: (elements: ElementsOf<A>) => string,
  declarations = "",
): Dispatch {
  const [x, y] = spread(count);
  return kernel(label, [x, y, 1], rowThreads, accesses, (elements) => ({
    declarations: `${gather("sumOf", (a, b) => `${a} + ${b}`)}
${gather("mostOf", (a, b) => `max(${a}, ${b})`)}
${declarations}`,
    body: `let row = group.y * ${x}u + group.x;
if (row >= ${count}u) { return; }
${statements(elements)}`,
  }));
}

/**
 * A function that makes one number of what the threads of a row hand in, one after another. A tree would have more barriers, each of which
 * splits a kernel in two on drivers for CPUs: some took minutes to compile.
 */
function gather(name: string, join: (a: string, b: string) => string): string {
  return `var<workgroup> ${name}Numbers: array<f32, ${rowThreads}>;
fn ${name}(local: u32, value: f32) -> f32 {
  ${name}Numbers[local] = value;
  workgroupBarrier();
  var result = ${name}Numbers[0];
  for (var other = 1u; other < ${rowThreads}u; other++) { result = ${join("result", `${name}Numbers[other]`)}; }
  workgroupBarrier();
  return result;
}`;
}

/** Where a sum goes, and what becomes of it there. */
export interface SumTarget {
  readonly to: Place;
  readonly index: number;
  readonly finish?: (sum: string) => string;
}

/** Items that one thread adds up. */
const perThread = 32;

/**
 * Sums over `count` items: the statements see the item's number `i` and add to the variables `sum0`, `sum1` … of the targets. Whatever
 * the device, the order of additions is the same. Threads add on their own, and fewer threads what they found: barriers cost a
 * driver for the CPU seconds of compiling.
 */
export function sums<A extends AccessTable>(
  label: string,
  count: number,
  accesses: A,
  statements: (elements: ElementsOf<A>) => string,
  targets: readonly SumTarget[],
  declarations = "",
): Dispatch[] {
  const threads = Math.ceil(count / perThread);
  const last = threads === 1;
  const partial = scratch(`${label}.sums`, threads * targets.length);
  const outputs: Record<string, Access> = last
    ? Object.fromEntries(targets.map(({ to }, s) => [`to${s}`, writes(to)]))
    : { partial: writes(partial) };
  const dispatch = each(
    label,
    threads,
    { ...accesses, ...outputs },
    (elements) => {
      const to: Record<string, Elements> = elements;
      const stored = targets.map(({ index, finish = (sum) => sum }, s) =>
        last
          ? `${to[`to${s}`](`${index}u`)} = ${finish(`sum${s}`)};`
          : `${to.partial(`thread + ${s * threads}u`)} = sum${s};`,
      );
      return `let thread = i;
${targets.map((_, s) => `var sum${s} = 0f;`).join(" ")}
for (var i = thread; i < ${count}u; i += ${threads}u) {
${statements(elements as unknown as ElementsOf<A>)}
}
${stored.join("\n")}`;
    },
    declarations,
  );
  if (last) return [dispatch];
  const add = ({ found }: { readonly found: Elements }): string =>
    targets.map((_, s) => `sum${s} += ${found(`i + ${s * threads}u`)};`).join("\n");
  return [dispatch, ...sums(`${label}.sums`, threads, { found: reads(partial) }, add, targets)];
}

const columnRows = 64;

/** Sums down the rows of [rows, columns], in a fixed order; `value` is a number's WGSL by the WGSL of its row and column. */
export function columnSums<A extends AccessTable>(
  label: string,
  [rows, columns]: readonly [number, number],
  accesses: A,
  value: (elements: ElementsOf<A>, row: string, column: string) => string,
  to: Place,
  finish: (sum: string) => string = (sum) => sum,
): Dispatch[] {
  const parts = Math.ceil(rows / columnRows);
  const last = parts === 1;
  const target = last ? to : scratch(`${label}.columns`, parts * columns);
  const dispatch = each(label, parts * columns, { ...accesses, target: writes(target) }, (elements) => {
    const { target: out } = elements as unknown as { readonly target: Elements };
    return `let column = i % ${columns}u;
let first = i / ${columns}u * ${columnRows}u;
var sum = 0f;
for (var row = first; row < min(first + ${columnRows}u, ${rows}u); row++) {
  sum += ${value(elements as unknown as ElementsOf<A>, "row", "column")};
}
${out("i")} = ${last ? finish("sum") : "sum"};`;
  });
  if (last) return [dispatch];
  return [
    dispatch,
    ...columnSums(
      `${label}.columns`,
      [parts, columns],
      { from: reads(target) },
      ({ from }, row, column) => from(`${row} * ${columns}u + ${column}`),
      to,
      finish,
    ),
  ];
}

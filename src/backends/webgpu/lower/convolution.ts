// Lowering of convolutions: implicit products whose factors are read through the window, with what stands around them in one kernel.

import type { ConvolutionBackwardStage, ConvolutionStage } from "../../../program/fusion.ts";
import type { Kind } from "../../../program/operations.ts";
import { sizeOf, type Tensor } from "../../../program/tensor.ts";
import { activation, errorThrough, isNan } from "../functions.ts";
import { type Access, type Dispatch, type Elements, each, reads, readsFour, writes, writesFour } from "../kernel.ts";
import { type Ending, eachRowOf, type Factor, matrix, product, splitProduct, storeFour, storing } from "./product.ts";
import type { Lowering } from "./simple.ts";

type Extents4 = readonly [number, number, number, number];

interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padding: number;
}

const size = (tensor: Tensor): number => sizeOf(tensor.shape);

const wide = (tensor: Tensor): Access => (tensor.shape[3] % 4 === 0 ? readsFour(tensor) : reads(tensor));

/** Declares image, row and column of pixel `pixel` of pictures [h, w]. */
const placeOf = (pixel: string, h: number, w: number): string => `let column = ${pixel} % ${w}u;
let row = ${pixel} / ${w}u % ${h}u;
let image = ${pixel} / ${h * w}u;`;

/** The same for pixels that stand window by window: four places of a 2 × 2 window, then the next window of [h, w]. */
const placeInWindow = (
  pixel: string,
  h: number,
  w: number,
): string => `let column = ${pixel} / 4u % ${w}u * 2u + ${pixel} % 2u;
let row = ${pixel} / ${4 * w}u % ${h}u * 2u + ${pixel} / 2u % 2u;
let image = ${pixel} / ${4 * h * w}u;`;

/** Statements for each of the four lanes that start at `first` and lie within `count`, or for all at once where 4 divides `width`. */
function lanes(width: number, first: string, count: number, read: (at: string, four: boolean) => string): string {
  if (width % 4 === 0) return read(first, true);
  return `for (var lane = 0u; lane < laneCount; lane++) {
let each = ${first} + lane;
if (each < ${count}u) { ${read("each", false)} }
}`;
}

const taken = (elements: Elements, index: string, four: boolean): string =>
  four ? `quad = ${elements.four(index)};` : `quad[lane] = ${elements(index)};`;

/** x [n, h, w, c] as seen by pixel (image, row, column) of the output through (tap, channel), a number of taps · c. */
function throughWindow(
  x: Tensor,
  { kernel: [kh, kw], stride, padding }: Window,
  elements: Elements,
  first: string,
): string {
  const [, h, w, c] = x.shape as Extents4;
  return lanes(
    c,
    first,
    kh * kw * c,
    (at, four) => `let tap = ${at} / ${c}u;
let y = row * ${stride}u + tap / ${kw}u;
let x = column * ${stride}u + tap % ${kw}u;
if (y >= ${padding}u && y < ${h + padding}u && x >= ${padding}u && x < ${w + padding}u) {
  ${taken(elements, `((image * ${h}u + y - ${padding}u) * ${w}u + x - ${padding}u) * ${c}u + ${at} % ${c}u`, four)}
}`,
  );
}

/** conv2d → bias? → activations and at most one 2 × 2 pooling, in one kernel; undefined for other poolings. */
export function lowerConvolution({ convolution, bias, epilogue }: ConvolutionStage): Dispatch[] | undefined {
  const { x, w } = convolution.inputs;
  const [kh, kw, c, o] = w.shape as Extents4;
  const [n, outH, outW] = convolution.outputs.y.shape as Extents4;
  const pooling = epilogue.find((step) => step.kind === "maxPool");
  if (pooling && (pooling.attributes.size !== 2 || outH < 2 || outW < 2)) return undefined;
  const [h, width] = pooling ? [Math.floor(outH / 2), Math.floor(outW / 2)] : [outH, outW];
  const m = n * h * width * (pooling ? 4 : 1);
  const window = { kernel: [kh, kw] as const, ...convolution.attributes };
  const a: Factor = {
    along: "k",
    access: wide(x),
    four: (elements, side, k) =>
      `if (${side} < ${m}u) { ${(pooling ? placeInWindow : placeOf)(side, h, width)}\n${throughWindow(x, window, elements, k)} }`,
  };
  const last = epilogue.at(-1) ?? bias ?? convolution;
  const vector = o % 4 === 0;
  const accesses = {
    y: vector ? writesFour(last.outputs.y) : writes(last.outputs.y),
    ...(pooling ? { argmax: writes(pooling.outputs.argmax) } : {}),
    ...(bias ? { bias: reads(bias.inputs.b) } : {}),
  };
  const kinds = epilogue.flatMap((step) => (step.kind === "activation" ? [step.attributes.kind] : []));
  const ending: Ending<Readonly<Record<string, Access>>> = {
    accesses,
    declarations:
      kinds.length > 0
        ? `${isNan}\n${[...new Set(kinds)].map((kind) => activation(kind, `${kind}Of`)).join("\n")}`
        : "",
    store: (elements, row, column, sums) => {
      let rows = sums;
      const statements: string[] = [];
      const change = (expression: (value: string) => string): void => {
        statements.push(...rows.map((one) => `${one} = ${expression(one)};`));
      };
      if (bias) {
        const b = [0, 1, 2, 3].map((lane) => elements.bias(`min(${column} + ${lane}u, ${o - 1}u)`));
        statements.push(`let biases = vec4f(${b.join(", ")});`);
        change((value) => `${value} + biases`);
      }
      for (const step of epilogue) {
        if (step.kind === "activation") {
          change(
            (value) => `vec4f(${[..."xyzw"].map((lane) => `${step.attributes.kind}Of(${value}.${lane})`).join(", ")})`,
          );
          continue;
        }
        statements.push(`var best = ${rows[0]};\nvar winner = vec4i(0);`);
        for (const [place, one] of rows.entries())
          if (place > 0)
            statements.push(
              `winner = select(winner, vec4i(${place}), ${one} > best);\nbest = select(best, ${one}, ${one} > best);`,
            );
        rows = ["best"];
      }
      const at = (one: string): string => `${one} * ${o}u + ${column}`;
      if (!pooling)
        return `${statements.join("\n")}\n${eachRowOf(m, row, rows, (one, sum) => storeFour(elements.y, o, at(one), column, sum))}`;
      const place = at(`(${row} / 4u)`);
      return `if (${row} < ${m}u) { ${statements.join("\n")}
${storeFour(elements.y, o, place, column, "best")}
${[0, 1, 2, 3].map((lane) => `if (${column} + ${lane}u < ${o}u) { ${elements.argmax(`${place} + ${lane}u`)} = winner[${lane}]; }`).join(" ")} }`;
    },
  };
  const b = matrix(w, "side", kh * kw * c, o);
  return [product({ label: "conv2d", m, n: o, k: kh * kw * c, a, b }, ending)];
}

/** (activationGradient | maxPoolGradient)*, at most one of the latter, in one kernel. */
export function lowerRouting(routing: ConvolutionBackwardStage["routing"]): Dispatch[] {
  const [first] = routing;
  const last = routing[routing.length - 1].outputs.dx;
  const [, h, w, c] = last.shape as Extents4;
  const pool = routing.findIndex(({ kind }) => kind === "maxPoolGradient");
  const accesses: Record<string, Access> = { dy: reads(first.inputs.dy), dx: writes(last) };
  for (const [i, step] of routing.entries())
    accesses[`read${i}`] = reads(step.kind === "maxPoolGradient" ? step.inputs.argmax : step.inputs.y);
  return [
    each("routing", size(last), accesses, (elements) => {
      const through = (from: number, end: number, index: string): string =>
        routing
          .slice(from, end)
          .map((step, i) => {
            if (step.kind !== "activationGradient") return "";
            const y = `y${from + i}`;
            return `let ${y} = ${elements[`read${from + i}`](index)};\nerror = ${errorThrough(step.attributes.kind, "error", y)};`;
          })
          .join("\n");
      const step = routing[pool];
      if (step?.kind !== "maxPoolGradient")
        return `var error = ${elements.dy("i")};\n${through(0, routing.length, "i")}\n${elements.dx("i")} = error;`;
      const { size: side } = step.attributes;
      const [, ph, pw] = step.inputs.dy.shape as Extents4;
      return `let channel = i % ${c}u;
${placeOf(`(i / ${c}u)`, h, w)}
var error = 0f;
if (row < ${ph * side}u && column < ${pw * side}u) {
  let source = ((image * ${ph}u + row / ${side}u) * ${pw}u + column / ${side}u) * ${c}u + channel;
  if (${elements[`read${pool}`]("source")} == i32(row % ${side}u * ${side}u + column % ${side}u)) {
    error = ${elements.dy("source")};
${through(0, pool, "source")}
  }
}
${through(pool + 1, routing.length, "i")}
${elements.dx("i")} = error;`;
    }),
  ];
}

export const lowerConvolutions = {
  conv2d: (convolution) => lowerConvolution({ kind: "convolution", convolution, epilogue: [] }) ?? [],
  conv2dInputGradient: ({ inputs: { dy, w }, outputs: { dx }, attributes: { stride, padding } }) => {
    const [kh, kw, c, o] = w.shape as Extents4;
    const [n, height, width] = dx.shape as Extents4;
    const [, h, outW] = dy.shape as Extents4;
    const [m, k] = [n * height * width, kh * kw * o];
    const a: Factor = {
      along: "k",
      access: wide(dy),
      four: (elements, side, first) => `if (${side} < ${m}u) { ${placeOf(side, height, width)}
${lanes(
  o,
  first,
  k,
  (at, four) => `let tap = ${at} / ${o}u;
let y = i32(row) + ${padding} - i32(tap / ${kw}u);
let x = i32(column) + ${padding} - i32(tap % ${kw}u);
if (y >= 0 && x >= 0 && y < ${h * stride} && x < ${outW * stride}${stride > 1 ? ` && y % ${stride} == 0 && x % ${stride} == 0` : ""}) {
  ${taken(elements, `((image * ${h}u + u32(y) / ${stride}u) * ${outW}u + u32(x) / ${stride}u) * ${o}u + ${at} % ${o}u`, four)}
}`,
)} }`,
    };
    // w [taps, c, o] with the outputs of a tap next to each other for every input channel.
    const b: Factor = {
      along: "k",
      access: o % 4 === 0 ? readsFour(w) : reads(w),
      four: (elements, side, first) =>
        `if (${side} < ${c}u) { ${lanes(o, first, k, (at, four) =>
          taken(elements, `(${at} / ${o}u * ${c}u + ${side}) * ${o}u + ${at} % ${o}u`, four),
        )} }`,
    };
    return [product({ label: "conv2dInputGradient", m, n: c, k, a, b }, storing(m, c, dx))];
  },
  conv2dWeightGradient: ({ inputs: { x, dy }, outputs: { dw }, attributes }) => {
    const [kh, kw, c, o] = dw.shape as Extents4;
    const [n, h, w] = dy.shape as Extents4;
    const [m, k] = [kh * kw * c, n * h * w];
    const a: Factor = {
      along: "side",
      access: wide(x),
      four: (elements, side, pixel) =>
        `if (${side} < ${m}u) { ${placeOf(pixel, h, w)}\n${throughWindow(x, attributes, elements, side)} }`,
    };
    return splitProduct({ label: "conv2dWeightGradient", m, n: o, k, a, b: matrix(dy, "side", k, o) }, dw);
  },
} satisfies { readonly [K in Kind]?: Lowering<K> };

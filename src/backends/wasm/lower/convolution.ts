// Lowering of convolution stages: the three products of a convolution with what is fused around them, as launches of
// kernels/convolution.ts. Objects that become parameter blocks list their words in the order of the kernel's class.

import type { ConvolutionBackwardStage, ConvolutionStage } from "../../../program/fusion.ts";
import type { ActivationKind } from "../../../program/operations.ts";
import type { Tensor } from "../../../program/tensor.ts";
import type { Launch, Places } from "../launch.ts";
import { packPanels, packTransposed, padded, panelsOf } from "./packing.ts";

/** The numbers of kernels/vectors.ts. */
export const activationNumber = { none: 0, hardtanh: 1, tanh: 2, relu: 3 } as const satisfies Record<
  ActivationKind | "none",
  number
>;

export type Extents4 = readonly [number, number, number, number];
export const extents4 = (tensor: Tensor): Extents4 => tensor.shape as unknown as Extents4;

const kibi = 1024;
/** Scratch that a forward task should stay below, so that picture and result stand in a second-level cache together. */
const forwardBytes = 384 * kibi;
/** The same where patches are gathered: the matrix is read once for each panel, so it should be close to the first level. */
const gatheredBytes = 96 * kibi;
/** Memory for partial weight gradients. */
export const partialBytes = 256 * kibi * kibi;
/** Most groups of images with a weight gradient of their own; fixed, so that sums do not depend on the number of threads. */
export const mostGroups = 32;
/** Columns of the widest panel. */
export const widestPanel = 16;
/** Below this length of a window's row, patches are gathered into a matrix. */
const shortRow = 32;

/** Hands out places in a task's scratch, cache lines apart. */
export function scratchPlan(): { readonly place: (floats: number) => number; readonly bytes: () => number } {
  let bytes = 0;
  return {
    place: (floats) => {
      const at = bytes;
      bytes += Math.ceil((4 * floats) / 64) * 64;
      return at;
    },
    bytes: () => bytes,
  };
}

interface WindowOver {
  readonly c: number;
  readonly kh: number;
  readonly kw: number;
  readonly stride: number;
  /** Places of the window in the largest picture of a task. */
  readonly rows: number;
  readonly width: number;
}

/** The words of `Sliding`, with room for its picture and its matrix. */
function sliding({ c, kh, kw, stride, rows, width }: WindowOver, plan: { place: (floats: number) => number }) {
  const columns = (width - 1) * stride + kw;
  const gathered = kw * c < shortRow;
  return {
    c,
    kh,
    kw,
    stride,
    columns,
    gathered: gathered ? 1 : 0,
    picture: plan.place(((rows - 1) * stride + kh) * columns * c),
    matrix: gathered ? plan.place(rows * width * kh * kw * c) : 0,
  };
}

/** At most one activation, one pooling and one activation, in this order; undefined where a stage has another. */
export function aroundPooling<Member extends { readonly kind: string }, Pooling extends Member["kind"]>(
  members: readonly Member[],
  pooling: Pooling,
) {
  type Pooled = Extract<Member, { readonly kind: Pooling }>;
  type Activated = Exclude<Member, { readonly kind: Pooling }>;
  const at = members.findIndex(({ kind }) => kind === pooling);
  const before = (at < 0 ? members : members.slice(0, at)) as readonly Member[] as readonly Activated[];
  const after = (at < 0 ? [] : members.slice(at + 1)) as readonly Member[] as readonly Activated[];
  if (before.length > 1 || after.length > 1) return undefined;
  return {
    before: before.at(0),
    pooling: members.at(at < 0 ? members.length : at) as Pooled | undefined,
    after: after.at(0),
  };
}

/** Convolution → bias → activation and pooling; undefined for an epilogue that the kernel has no form for. */
export function lowerConvolution(
  { convolution, bias, epilogue }: ConvolutionStage,
  places: Places,
): Launch[] | undefined {
  const around = aroundPooling(epilogue, "maxPool");
  if (around === undefined) return undefined;
  const { before, pooling, after } = around;
  const { x, w } = convolution.inputs;
  const { stride, padding } = convolution.attributes;
  const [n, h, width, c] = extents4(x);
  const [kh, kw, , o] = extents4(w);
  const [, fullRows, ow] = extents4(convolution.outputs.y);
  const last = epilogue.at(-1) ?? bias ?? convolution;
  const pool = pooling?.attributes.size ?? 1;
  // Rows that pooling drops are not computed.
  const oh = fullRows - (fullRows % pool);

  const gathered = kw * c < shortRow;
  const rowBytes = 4 * ow * (padded(o, places) + stride * stride * c + (gathered ? kh * kw * c : 0));
  const most = gathered ? gatheredBytes : forwardBytes;
  const rowsAtMost = Math.max(1, Math.floor(most / rowBytes / pool)) * pool;
  const blockRows = Math.ceil(oh / Math.ceil(oh / rowsAtMost) / pool) * pool;
  const blocks = Math.ceil(oh / blockRows);
  const plan = scratchPlan();
  const window = sliding({ c, kh, kw, stride, rows: blockRows, width: ow }, plan);
  const packed = packPanels({ b: places.at(w), k: kh * kw * c, n: o }, places);
  const forward = {
    x: places.at(x),
    weights: packed.panels,
    bias: bias ? places.at(bias.inputs.b) : 0,
    y: places.at(last.outputs.y),
    argmax: pooling ? places.at(pooling.outputs.argmax) : 0,
    h,
    w: width,
    padding,
    oh,
    ow,
    o,
    blockRows,
    blocks,
    pool,
    before: activationNumber[before?.attributes.kind ?? "none"],
    after: activationNumber[after?.attributes.kind ?? "none"],
    result: plan.place(blockRows * ow * padded(o, places)),
  };
  return [
    packed.launch,
    {
      kernel: "convolutionForward",
      words: [...Object.values(forward), ...Object.values(window)],
      tasks: n * blocks,
      scratchBytes: plan.bytes(),
    },
  ];
}

/**
 * Unpooling and activation derivatives → weight, bias and input gradients, without Adam; undefined for a routing that the kernel
 * has no form for.
 */
export function lowerConvolutionBackward(
  { routing, bias, weight, input }: ConvolutionBackwardStage,
  places: Places,
): Launch[] | undefined {
  const around = aroundPooling(routing, "maxPoolGradient");
  const gradient = weight ?? input;
  if (around === undefined || gradient === undefined) return undefined;
  const { pooling } = around;
  // Without pooling a single derivative is read off an output of the error's own full size.
  const before = pooling ? around.before : undefined;
  const after = pooling ? around.after : around.before;
  const [n, oh, ow, o] = extents4(gradient.inputs.dy);
  const { stride, padding } = gradient.attributes;
  const [h, w, c] = weight
    ? weight.inputs.x.shape.slice(1)
    : [input?.attributes.height ?? 0, input?.attributes.width ?? 0, input?.outputs.dx.shape[3] ?? 0];
  const [kh, kw] = weight ? weight.attributes.kernel : (input?.inputs.w.shape ?? [0, 0]);
  const source = routing[0]?.inputs.dy ?? gradient.inputs.dy;
  const [, ph, pw] = extents4(source);
  const k = kh * kw * c;
  const onePartial = 4 * (k + 1) * padded(o, places);
  const sums = weight !== undefined || bias !== undefined;
  // By the widest panel that any module has, so that all sum in the same groups.
  const widestPartial = 4 * (k + 1) * widestPanel * Math.ceil(o / widestPanel);
  const groups = sums ? Math.max(1, Math.min(n, mostGroups, Math.floor(partialBytes / widestPartial))) : n;

  const plan = scratchPlan();
  const overError = sliding({ c: o, kh, kw, stride: 1, rows: h, width: w }, plan);
  const overInput = sliding({ c, kh, kw, stride, rows: oh, width: ow }, plan);
  // With an input gradient the error stands dilated by the stride, in a border that its windows need.
  const frame = {
    top: input ? kh - 1 - padding : 0,
    left: input ? kw - 1 - padding : 0,
    dilation: input ? stride : 1,
    rows: input ? h + kh - 1 : oh,
    columns: input ? overError.columns : ow,
  };
  const packed = input ? packTransposed({ w: places.at(input.inputs.w), taps: kh * kw, c, o }, places) : undefined;
  const partials = sums ? places.scratch(groups * onePartial) : 0;
  const backward = {
    dy: places.at(source),
    argmax: pooling ? places.at(pooling.inputs.argmax) : 0,
    yBefore: before ? places.at(before.inputs.y) : 0,
    yAfter: after ? places.at(after.inputs.y) : 0,
    x: weight ? places.at(weight.inputs.x) : 0,
    weights: packed?.panels ?? 0,
    dx: input ? places.at(input.outputs.dx) : 0,
    partials,
    n,
    groups,
    h,
    w,
    c,
    padding,
    oh,
    ow,
    o,
    ph,
    pw,
    pool: pooling?.attributes.size ?? 1,
    before: activationNumber[before?.attributes.kind ?? "none"],
    after: activationNumber[after?.attributes.kind ?? "none"],
    result: plan.place(h * w * padded(c, places)),
    errorPanels: plan.place(oh * ow * padded(o, places)),
    onlySums: weight ? 0 : 1,
    // Wider pixels stand so far apart that a column of them would fight over the same sets of the cache.
    unpacked: !input && !bias && o <= 64 && o % places.panelColumns === 0 ? 1 : 0,
  };
  const words = [backward, frame, overError, overInput].flatMap((block) => Object.values<number>(block));
  const launches: Launch[] = [
    ...(packed ? [packed.launch] : []),
    { kernel: "convolutionBackward", words, tasks: groups, scratchBytes: plan.bytes() },
  ];
  if (sums)
    launches.push(
      reducePartials({
        partials,
        dw: weight ? places.at(weight.outputs.dw) : 0,
        db: bias ? places.at(bias.outputs.db) : 0,
        groups,
        panels: panelsOf(o, places),
        k,
        o,
      }),
    );
  return launches;
}

/** partials [groups][panels][k + 1][panelColumns] → dw [k, o] and db [o], each where it is wanted. */
export function reducePartials(sums: {
  readonly partials: number;
  readonly dw: number;
  readonly db: number;
  readonly groups: number;
  readonly panels: number;
  readonly k: number;
  readonly o: number;
}): Launch {
  const blockRows = 96;
  const blocks = Math.ceil((sums.k + 1) / blockRows);
  const { partials, dw, db, groups, panels, k, o } = sums;
  const words = { partials, dw, db, groups, panels, k, o, blocks, blockRows };
  return { kernel: "reducePartials", words: Object.values(words), tasks: panels * blocks };
}

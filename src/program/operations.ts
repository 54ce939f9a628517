// The operation table: one row per operation with its shape rule and its cost. A backend that lacks a row does not compile.
//
// Letters: n images or rows, h w height and width, c channels in, o channels out, k kernel, d embedding width, dx means dL/dx.

import { wrong } from "./errors.ts";
import { type DType, type Role, type Shape, sizeOf } from "./tensor.ts";
import { type PixelValues, viewParameters } from "./views.ts";

export type ActivationKind = "hardtanh" | "tanh" | "relu";

/** Which views are negatives of anchor s, and what each weighs (docs/names.md has both sources' reading). */
export type Negatives =
  /** Every other image of the batch: t ≠ s. */
  | { readonly kind: "all" }
  /** The next `count` images, t = s+1 … s+count modulo n: the paper's text. */
  | { readonly kind: "next"; readonly count: number }
  /** Super-diagonals 1 … count−1 without wrap-around, each term weighing 1/count: the authors' code. */
  | { readonly kind: "authorsCode"; readonly count: number }
  /**
   * Super-diagonals gap, gap+spacing, … without wrap-around: of view t, the `count` anchors t−gap, t−gap−spacing, … of the batch. In a
   * batch that is in order of time, a view is set against a buffer of what was seen before it, and against nothing that is still to come.
   */
  | { readonly kind: "past"; readonly count: number; readonly gap: number; readonly spacing: number };

interface Signature<In extends string, Out extends string, Updated extends string, Attributes> {
  in: In;
  out: Out;
  updated: Updated;
  attributes: Attributes;
}

type None = Record<never, never>;
interface Window2d {
  readonly stride: number;
  readonly padding: number;
}
interface Pool {
  /** Side of the square window in pixels; it is also the stride. A remainder at the right or bottom is dropped. */
  readonly size: number;
}
interface Extent {
  readonly height: number;
  readonly width: number;
}

export interface Signatures {
  /** x [n, h, w, c], w [kh, kw, c, o] → y [n, h', w', o], h' = ⌊(h + 2·padding − kh)/stride⌋ + 1. */
  conv2d: Signature<"x" | "w", "y", never, Window2d>;
  /** dy [n, h', w', o], w [kh, kw, c, o] → dx [n, height, width, c]. Also the transposed convolution of dy. */
  conv2dInputGradient: Signature<"dy" | "w", "dx", never, Window2d & Extent>;
  /** x [n, h, w, c], dy [n, h', w', o] → dw [kh, kw, c, o]. */
  conv2dWeightGradient: Signature<"x" | "dy", "dw", never, Window2d & { readonly kernel: readonly [number, number] }>;
  /** x [n, c], w [c, o] → y [n, o]. */
  linear: Signature<"x" | "w", "y", never, None>;
  /** dy [n, o], w [c, o] → dx [n, c]. */
  linearInputGradient: Signature<"dy" | "w", "dx", never, None>;
  /** x [n, c], dy [n, o] → dw [c, o]. */
  linearWeightGradient: Signature<"x" | "dy", "dw", never, None>;
  /** x [..., c], b [c] → y = x + b. */
  addBias: Signature<"x" | "b", "y", never, None>;
  /** dy [..., c] → db [c], the sum over everything but channels. */
  biasGradient: Signature<"dy", "db", never, None>;
  /** y = f(x): hardtanh clips to [−1, 1]. */
  activation: Signature<"x", "y", never, { readonly kind: ActivationKind }>;
  /** dx = dy · f′, with f′ read off the output: hardtanh |y| < 1, tanh 1 − y², relu y > 0. */
  activationGradient: Signature<"dy" | "y", "dx", never, { readonly kind: ActivationKind }>;
  /**
   * x [..., c] → y = [x − the mean over the c units of its place]₊: the "triangle" of Coates, Ng & Lee (2011) on drives instead of distances,
   * as SoftHebb has it to the power 1 (Journé et al. 2023).
   */
  triangle: Signature<"x", "y", never, None>;
  /** dx = g − the mean over the c units of its place of g, with g = dy where y > 0 and 0 elsewhere: through the mean too. */
  triangleGradient: Signature<"dy" | "y", "dx", never, None>;
  /** x [n, h, w, c] → y [n, ⌊h/size⌋, ⌊w/size⌋, c] and argmax, the place of the first maximum in its window, row by row. */
  maxPool: Signature<"x", "y" | "argmax", never, Pool>;
  /** dy and argmax [n, h', w', c] → dx [n, height, width, c]: each error goes to the place that won. */
  maxPoolGradient: Signature<"dy" | "argmax", "dx", never, Pool & Extent>;
  /** x [n, h, w, c] → y [n, ⌊h/size⌋, ⌊w/size⌋, c], the mean of each window. */
  averagePool: Signature<"x", "y", never, Pool>;
  /** dy [n, h', w', c] → dx [n, height, width, c], each error shared evenly over its window. */
  averagePoolGradient: Signature<"dy", "dx", never, Pool & Extent>;
  /**
   * Gather and augment: images u8 [N, h, w, c], indices i32 [n], parameters f32 [n, 20] → x f32 [n, height, width, c].
   * Every row of `parameters` says how one view is made (program/views.ts); values end in [low, high], or where `normalise` has a mean
   * and a standard deviation for each channel, in what these make of it. `taps`, source pixels that one of x reads on average (4 unless
   * told: bilinear), is for the cost alone.
   */
  makeViews: Signature<
    "images" | "indices" | "parameters",
    "x",
    never,
    Extent & PixelValues & { readonly taps?: number | undefined }
  >;
  /** table f32 [N, ...], indices i32 [n] → y [n, ...]. */
  gatherRows: Signature<"table" | "indices", "y", never, None>;
  /** table i32 [N], indices i32 [n] → y i32 [n]. */
  gatherLabels: Signature<"table" | "indices", "y", never, None>;
  /**
   * y = x + sigma·scale·ξ, ξ standard normal, keyed by (seed, stream) and counted by (counter[0], element); scale is 1, or under
   * `relative` the standard deviation of all elements of x (divided by their number).
   */
  gaussianNoise: Signature<
    "x" | "counter",
    "y",
    never,
    { readonly sigma: number; readonly relative: boolean; readonly seed: number; readonly stream: number }
  >;
  /** a [n, d], b [m, d] → distances [n, m], ‖a_i − b_j‖₁. */
  l1Distance: Signature<"a" | "b", "distances", never, None>;
  /**
   * The gates of the contrastive hinge loss, eq. 2: distances [n, n] → gates [n, n], loss [1], active [2].
   * gate_ss = 1[d > m1]; gate_st = −weight·1[d < m2] for the negatives t of s; 0 elsewhere.
   * loss = Σ [d_ss − m1]₊ + Σ weight·[m2 − d_st]₊; active counts open positive and negative gates.
   */
  hingeGates: Signature<
    "distances",
    "gates" | "loss" | "active",
    never,
    { readonly m1: number; readonly m2: number; readonly negatives: Negatives }
  >;
  /** Eq. 3–7, anchors: a, b [n, d], gates [n, n] → error_s = Σ_t gate_st · sgn(a_s − b_t), with sgn 0 = 0. */
  hingeAnchorError: Signature<"a" | "b" | "gates", "error", never, None>;
  /** Eq. 3–7, views: a, b [n, d], gates [n, n] → error_t = −Σ_s gate_st · sgn(a_s − b_t). */
  hingeViewError: Signature<"a" | "b" | "gates", "error", never, None>;
  /** logits [n, c], labels i32 [n] → loss [1] (mean over rows), dlogits [n, c] of that mean, correct [1] (rows whose first maximum is the label). */
  softmaxCrossEntropy: Signature<"logits" | "labels", "loss" | "dlogits" | "correct", never, None>;
  /**
   * Amit's supervised hinge (2019): logits o [n, c], labels y i32 [n] → loss [1] = mean over rows of
   * [1 − o_y]₊ + offClass/(c − 1) · Σ_{k ≠ y} [1 + o_k]₊, dlogits [n, c], correct [1] as above.
   */
  classHinge: Signature<"logits" | "labels", "loss" | "dlogits" | "correct", never, { readonly offClass: number }>;
  /** x [n, d] → y = x / max(norm, 1e-12), norms [n] Euclidean. */
  normaliseRows: Signature<"x", "y" | "norms", never, None>;
  /** dx = (dy − y·(y · dy)) / max(norm, 1e-12), row by row. */
  normaliseRowsGradient: Signature<"dy" | "y" | "norms", "dx", never, None>;
  /**
   * NT-Xent (SimCLR, Chen et al. 2020; paper eq. 1): similarities [2n, 2n], where row n + s is the partner of row s → loss [1] =
   * Σ over rows of the cross-entropy of softmax(similarity / temperature) over all others, the partner being right, / divisor; and
   * its gradient dsimilarities [2n, 2n].
   */
  ntXent: Signature<
    "similarities",
    "loss" | "dsimilarities",
    never,
    { readonly temperature: number; readonly divisor: number }
  >;
  /**
   * CLAPP's hinge (Illing et al. 2021) on scores [n, n]: loss [1] = Σ [1 − u_ss]₊ + Σ_{t ≠ s} [1 + u_st]₊, gates [n, n] its gradient
   * (−1, +1 or 0), active [2] counts open positive and negative gates.
   */
  scoreGates: Signature<"scores", "gates" | "loss" | "active", never, None>;
  /** a [n, d], b [m, d], pairs i32 [p, 2] → scores [p], ⟨a_i, b_j⟩ of every pair (i, j). */
  pairProducts: Signature<"a" | "b" | "pairs", "scores", never, None>;
  /**
   * CLAPP's hinge (Illing et al. 2021) on scores u [p] of pairs that weigh w [p], above 0 where they belong together, below 0 where they
   * do not, and 0 where they do not count: loss [1] = Σ |w|·[1 − sgn(w)·u]₊, gates [p] its gradient (−w or 0), active [2] counts open
   * positive and negative gates. `negatives` says how many there are for each positive: the locality audit asks.
   */
  pairGates: Signature<"scores" | "weights", "gates" | "loss" | "active", never, { readonly negatives: number }>;
  /**
   * other [m, d], gates [p], pairs i32 [p, 2] → error [rows, d]: error_r = Σ gate · other_j over the pairs whose number `side` is r, j
   * being the pair's other number.
   */
  pairErrors: Signature<"other" | "gates" | "pairs", "error", never, { readonly side: 0 | 1; readonly rows: number }>;
  /**
   * The gates of the self-contrastive Forward-Forward loss (SCFF, Chen et al. 2025): x [2n, h, w, c], n positives and then as many
   * negatives. The goodness of a place is G = mean over its channels of [x]₊². loss [1] = mean over the places of positives of
   * log(1 + exp(positive − G)) + mean over those of negatives of log(1 + exp(G − negative)); gates [2n, h, w] = ∂loss/∂G.
   * goodness [2] sums G over the places of either kind; passed [2] counts positive places above their threshold, negative ones below.
   */
  goodnessGates: Signature<
    "x",
    "gates" | "loss" | "goodness" | "passed",
    never,
    { readonly positive: number; readonly negative: number }
  >;
  /** x [n, h, w, c], gates [n, h, w] → error = gate · ∂G/∂x = gate · 2/c · [x]₊. */
  goodnessError: Signature<"x" | "gates", "error", never, None>;
  /** Magnitudes of b with the signs of w: y = |b|·sgn(w), sgn 0 = 0. */
  matchSigns: Signature<"w" | "b", "y", never, None>;
  /** x, target of one shape → loss [1] = Σ (x − target)² / divisor, dx = dloss/dx. */
  squaredError: Signature<"x" | "target", "loss" | "dx", never, { readonly divisor: number }>;
  /** y = alpha·a + beta·b. */
  combine: Signature<"a" | "b", "y", never, { readonly alpha: number; readonly beta: number }>;
  /**
   * Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1) in place: step i32 [1] counts from 1, rate f32 [1] multiplies the learning
   * rate. `weight`, `m` and `v` have the gradient's shape. Before its step the weight shrinks by learningRate · rate · decay (AdamW,
   * Loshchilov & Hutter 2019).
   */
  adam: Signature<
    "gradient" | "step" | "rate",
    never,
    "weight" | "m" | "v",
    {
      readonly learningRate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly decay: number;
    }
  >;
  /**
   * Stochastic gradient descent with momentum in place, as PyTorch has it: g = gradient + decay · weight, velocity ← momentum · velocity
   * + g, weight ← weight − learningRate · rate · velocity; under `nesterov` − learningRate · rate · (g + momentum · velocity). rate f32
   * [1]; `weight` and `velocity` have the gradient's shape.
   */
  sgd: Signature<
    "gradient" | "rate",
    never,
    "weight" | "velocity",
    {
      readonly learningRate: number;
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly decay: number;
    }
  >;
  /** x of any shape → y [1]: the sum, the mean, or the sum of squares of all elements. */
  reduce: Signature<"x", "y", never, { readonly kind: "sum" | "mean" | "sumOfSquares" }>;
  /** x [n, d] → mean [d] and variance [d] (divided by n) of each column. */
  columnMoments: Signature<"x", "mean" | "variance", never, None>;
}

export type Kind = keyof Signatures;
export type In<K extends Kind> = Signatures[K]["in"];
export type Out<K extends Kind> = Signatures[K]["out"];
export type Updated<K extends Kind> = Signatures[K]["updated"];
export type Attributes<K extends Kind> = Signatures[K]["attributes"];

export type InShapes<K extends Kind> = Record<In<K> | Updated<K>, Shape>;

/** What an operation is to the units and synapses that would have to do it; the locality audit reads it. */
export type Computation =
  /** A picture or a row of a table comes in. */
  | "sensing"
  /** Labels come in. */
  | "teaching"
  /** Units sum what reaches them through `w`: synapses, or else the activities that stand there. */
  | "transmission"
  /** Every unit by itself, from its own numbers. */
  | "unit"
  /** A unit and those that share its pooling window. */
  | "pooling"
  /** A unit, less the mean of all that share its place, as an inhibitory unit among them would have it; nothing is divided. */
  | "inhibition"
  /** Pre-synaptic × post-synaptic, summed over images and places. */
  | "product"
  /** One number for a pair of views, from all units. */
  | "distance"
  /** The same, from every unit's activity times the other's. */
  | "innerProduct"
  /** A threshold on such a number, or on the summed activity of a place, told to every unit. */
  | "gate"
  /** Every unit's activity against what it remembers or is taught, gated. */
  | "comparison"
  /** All units of a layer together set the scale of each. */
  | "normalisation"
  /** Ratios of sums, as in a softmax. */
  | "division"
  /** Signs of one synapse given to another. */
  | "signs"
  /** Synapses change. */
  | "plasticity"
  /** A number about many, for reading. */
  | "statistic";

interface Row<K extends Kind> {
  /** Inputs in the order in which a listing shows them. */
  readonly inputs: readonly In<K>[];
  readonly computation: Computation;
  readonly outputs: { readonly [O in Out<K>]: { readonly role: Role; readonly dtype?: DType } };
  /** Tensors that the operation changes in place. */
  readonly updated: readonly Updated<K>[];
  /** Element types that are not f32. */
  readonly dtypes?: { readonly [I in In<K>]?: DType };
  /** Shape of every output, or an error that names the argument. */
  readonly shapes: (shapes: InShapes<K>, attributes: Attributes<K>) => { readonly [O in Out<K>]: Shape };
  /** Floating-point operations (a multiply and an add are two), from input and output shapes. */
  readonly flops: (
    shapes: InShapes<K>,
    outputs: { readonly [O in Out<K>]: Shape },
    attributes: Attributes<K>,
  ) => number;
}

/** The extents of a shape that must have exactly `names.length` of them. */
function extents(operation: string, argument: string, shape: Shape, letters: string): number[] {
  const wanted = letters.split(" ");
  if (shape.length !== wanted.length) throw wrong(operation, argument, `[${wanted.join(", ")}]`, shape);
  return [...shape];
}

function same(operation: string, argument: string, wanted: Shape, got: Shape, mend?: string): void {
  if (wanted.length !== got.length || wanted.some((extent, i) => extent !== got[i]))
    throw wrong(operation, argument, `[${wanted.join(", ")}]`, got, mend);
}

/** Output extent of a convolution along one side, in pixels. */
function slide(operation: string, extent: number, kernel: number, { stride, padding }: Window2d): number {
  if (!(Number.isInteger(stride) && stride >= 1))
    throw wrong(operation, "stride", "a whole number of at least 1", stride);
  if (!(Number.isInteger(padding) && padding >= 0 && padding < kernel))
    throw wrong(operation, "padding", `a whole number from 0 to ${kernel - 1}`, padding);
  const result = Math.floor((extent + 2 * padding - kernel) / stride) + 1;
  if (result < 1) throw wrong(operation, "x", `at least ${kernel - 2 * padding} pixels a side`, extent);
  return result;
}

function convolved(operation: string, x: Shape, w: Shape, attributes: Window2d): Shape {
  const [n, h, width, c] = extents(operation, "x", x, "n h w c") as [number, number, number, number];
  const [kh, kw, cw, o] = extents(operation, "w", w, "kh kw c o") as [number, number, number, number];
  if (c !== cw) throw wrong(operation, "x", `[n, h, w, ${cw}]`, x, "channels stand last");
  return [n, slide(operation, h, kh, attributes), slide(operation, width, kw, attributes), o];
}

function pooled(operation: string, x: Shape, { size }: Pool): Shape {
  const [n, h, w, c] = extents(operation, "x", x, "n h w c") as [number, number, number, number];
  if (!(Number.isInteger(size) && size >= 1 && size <= h && size <= w))
    throw wrong(operation, "size", `a whole number from 1 to ${Math.min(h, w)}`, size);
  return [n, Math.floor(h / size), Math.floor(w / size), c];
}

function unpooled(operation: string, dy: Shape, { height, width, size }: Pool & Extent): Shape {
  const [n, , , c] = extents(operation, "dy", dy, "n h w c") as [number, number, number, number];
  const full = [n, height, width, c];
  same(operation, "dy", pooled(operation, full, { size }), dy);
  return full;
}

function square(operation: string, argument: string, shape: Shape): number {
  const [n, m] = extents(operation, argument, shape, "n n") as [number, number];
  if (n !== m) throw wrong(operation, argument, "a square [n, n]", shape);
  return n;
}

function pairsOf(operation: string, pairs: Shape): number {
  const [p, two] = extents(operation, "pairs", pairs, "p 2") as [number, number];
  if (two !== 2) throw wrong(operation, "pairs", "[p, 2]", pairs);
  return p;
}

/** Convolution FLOPs: two per weight, per output pixel, per image. */
const convolutionFlops = (y: Shape, w: Shape): number => (2 * sizeOf(y) * sizeOf(w)) / (w[3] ?? 1);

/** How many negatives an anchor has at most, checked against the batch. */
function checkNegatives(n: number, negatives: Negatives): void {
  if (negatives.kind === "all") return;
  const { count } = negatives;
  const { gap, spacing } = negatives.kind === "past" ? negatives : { gap: 1, spacing: 1 };
  if (!(Number.isInteger(gap) && gap >= 1 && gap < n))
    throw wrong("hingeGates", "negatives", `a gap from 1 to ${n - 1} in a batch of ${n}`, gap, "enlarge the batch");
  if (!(Number.isInteger(spacing) && spacing >= 1))
    throw wrong("hingeGates", "negatives", "a spacing of at least 1", spacing);
  const most = negatives.kind === "authorsCode" ? n : Math.floor((n - 1 - gap) / spacing) + 1;
  const least = negatives.kind === "next" ? 0 : 1;
  if (!(Number.isInteger(count) && count >= least && count <= most))
    throw wrong(
      "hingeGates",
      "negatives",
      `a count from ${least} to ${most} in a batch of ${n}`,
      count,
      "enlarge the batch",
    );
}

const activity = { role: "activity" } as const;
const error = { role: "error" } as const;
const update = { role: "update" } as const;
const metric = { role: "metric" } as const;

function checkErrors(operation: string, { a, b, gates }: Record<"a" | "b" | "gates", Shape>): Shape {
  const [n] = extents(operation, "a", a, "n d") as [number, number];
  same(operation, "b", a, b);
  same(operation, "gates", [n, n], gates);
  return a;
}

export const operationTable: { readonly [K in Kind]: Row<K> } = {
  conv2d: {
    inputs: ["x", "w"],
    computation: "transmission",
    outputs: { y: activity },
    updated: [],
    shapes: ({ x, w }, attributes) => ({ y: convolved("conv2d", x, w, attributes) }),
    flops: ({ w }, { y }) => convolutionFlops(y, w),
  },
  conv2dInputGradient: {
    inputs: ["dy", "w"],
    computation: "transmission",
    outputs: { dx: error },
    updated: [],
    shapes: ({ dy, w }, attributes) => {
      const dx = [dy[0] ?? 0, attributes.height, attributes.width, w[2] ?? 0];
      same("conv2dInputGradient", "dy", convolved("conv2dInputGradient", dx, w, attributes), dy);
      return { dx };
    },
    flops: ({ dy, w }) => convolutionFlops(dy, w),
  },
  conv2dWeightGradient: {
    inputs: ["x", "dy"],
    computation: "product",
    outputs: { dw: update },
    updated: [],
    shapes: ({ x, dy }, attributes) => {
      const dw = [...attributes.kernel, x[3] ?? 0, dy[3] ?? 0];
      same("conv2dWeightGradient", "dy", convolved("conv2dWeightGradient", x, dw, attributes), dy);
      return { dw };
    },
    flops: ({ dy }, { dw }) => convolutionFlops(dy, dw),
  },
  linear: {
    inputs: ["x", "w"],
    computation: "transmission",
    outputs: { y: activity },
    updated: [],
    shapes: ({ x, w }) => {
      const [n, c] = extents("linear", "x", x, "n c") as [number, number];
      const [cw, o] = extents("linear", "w", w, "c o") as [number, number];
      if (c !== cw) throw wrong("linear", "x", `[n, ${cw}]`, x);
      return { y: [n, o] };
    },
    flops: ({ w }, { y }) => 2 * (y[0] ?? 0) * sizeOf(w),
  },
  linearInputGradient: {
    inputs: ["dy", "w"],
    computation: "transmission",
    outputs: { dx: error },
    updated: [],
    shapes: ({ dy, w }) => {
      const [n, o] = extents("linearInputGradient", "dy", dy, "n o") as [number, number];
      const [c, ow] = extents("linearInputGradient", "w", w, "c o") as [number, number];
      if (o !== ow) throw wrong("linearInputGradient", "dy", `[n, ${ow}]`, dy);
      return { dx: [n, c] };
    },
    flops: ({ dy, w }) => 2 * (dy[0] ?? 0) * sizeOf(w),
  },
  linearWeightGradient: {
    inputs: ["x", "dy"],
    computation: "product",
    outputs: { dw: update },
    updated: [],
    shapes: ({ x, dy }) => {
      const [n, c] = extents("linearWeightGradient", "x", x, "n c") as [number, number];
      const [ny, o] = extents("linearWeightGradient", "dy", dy, "n o") as [number, number];
      if (n !== ny) throw wrong("linearWeightGradient", "dy", `[${n}, o]`, dy);
      return { dw: [c, o] };
    },
    flops: ({ x }, { dw }) => 2 * (x[0] ?? 0) * sizeOf(dw),
  },
  addBias: {
    inputs: ["x", "b"],
    computation: "unit",
    outputs: { y: activity },
    updated: [],
    shapes: ({ x, b }) => {
      same("addBias", "b", [x.at(-1) ?? 0], b);
      return { y: x };
    },
    flops: ({ x }) => sizeOf(x),
  },
  biasGradient: {
    inputs: ["dy"],
    computation: "product",
    outputs: { db: update },
    updated: [],
    shapes: ({ dy }) => ({ db: [dy.at(-1) ?? 0] }),
    flops: ({ dy }) => sizeOf(dy),
  },
  activation: {
    inputs: ["x"],
    computation: "unit",
    outputs: { y: activity },
    updated: [],
    shapes: ({ x }) => ({ y: x }),
    flops: ({ x }) => sizeOf(x),
  },
  activationGradient: {
    inputs: ["dy", "y"],
    computation: "unit",
    outputs: { dx: error },
    updated: [],
    shapes: ({ dy, y }) => {
      same("activationGradient", "dy", y, dy);
      return { dx: dy };
    },
    flops: ({ dy }) => 2 * sizeOf(dy),
  },
  triangle: {
    inputs: ["x"],
    computation: "inhibition",
    outputs: { y: activity },
    updated: [],
    shapes: ({ x }) => ({ y: x }),
    flops: ({ x }) => 3 * sizeOf(x),
  },
  triangleGradient: {
    inputs: ["dy", "y"],
    computation: "inhibition",
    outputs: { dx: error },
    updated: [],
    shapes: ({ dy, y }) => {
      same("triangleGradient", "dy", y, dy);
      return { dx: dy };
    },
    flops: ({ dy }) => 4 * sizeOf(dy),
  },
  maxPool: {
    inputs: ["x"],
    computation: "pooling",
    outputs: { y: activity, argmax: { role: "activity", dtype: "i32" } },
    updated: [],
    shapes: ({ x }, attributes) => {
      const y = pooled("maxPool", x, attributes);
      return { y, argmax: y };
    },
    flops: ({ x }) => sizeOf(x),
  },
  maxPoolGradient: {
    inputs: ["dy", "argmax"],
    computation: "pooling",
    outputs: { dx: error },
    updated: [],
    dtypes: { argmax: "i32" },
    shapes: ({ dy, argmax }, attributes) => {
      same("maxPoolGradient", "argmax", dy, argmax);
      return { dx: unpooled("maxPoolGradient", dy, attributes) };
    },
    flops: ({ dy }) => sizeOf(dy),
  },
  averagePool: {
    inputs: ["x"],
    computation: "pooling",
    outputs: { y: activity },
    updated: [],
    shapes: ({ x }, attributes) => ({ y: pooled("averagePool", x, attributes) }),
    flops: ({ x }) => sizeOf(x),
  },
  averagePoolGradient: {
    inputs: ["dy"],
    computation: "pooling",
    outputs: { dx: error },
    updated: [],
    shapes: ({ dy }, attributes) => ({ dx: unpooled("averagePoolGradient", dy, attributes) }),
    flops: ({ dy }) => sizeOf(dy),
  },
  makeViews: {
    inputs: ["images", "indices", "parameters"],
    computation: "sensing",
    outputs: { x: { role: "activity" } },
    updated: [],
    dtypes: { images: "u8", indices: "i32" },
    shapes: ({ images, indices, parameters }, { height, width, normalise }) => {
      const [, , , c] = extents("makeViews", "images", images, "N h w c") as [number, number, number, number];
      const [n] = extents("makeViews", "indices", indices, "n") as [number];
      same("makeViews", "parameters", [n, viewParameters], parameters);
      if (c !== 1 && c !== 3) throw wrong("makeViews", "images", "1 or 3 channels", images);
      for (const [name, numbers] of Object.entries(normalise ?? {}))
        if (numbers.length !== c) throw wrong("makeViews", `normalise.${name}`, `${c} numbers, one a channel`, numbers);
      return { x: [n, height, width, c] };
    },
    flops: (_, { x }, { taps = 4 }) => (32 + 2 * taps) * sizeOf(x),
  },
  gatherRows: {
    inputs: ["table", "indices"],
    computation: "sensing",
    outputs: { y: activity },
    updated: [],
    dtypes: { indices: "i32" },
    shapes: ({ table, indices }) => ({ y: [sizeOf(indices), ...table.slice(1)] }),
    flops: () => 0,
  },
  gatherLabels: {
    inputs: ["table", "indices"],
    computation: "teaching",
    outputs: { y: { role: "activity", dtype: "i32" } },
    updated: [],
    dtypes: { table: "i32", indices: "i32" },
    shapes: ({ table, indices }) => {
      extents("gatherLabels", "table", table, "N");
      return { y: indices };
    },
    flops: () => 0,
  },
  gaussianNoise: {
    inputs: ["x", "counter"],
    computation: "unit",
    outputs: { y: activity },
    updated: [],
    dtypes: { counter: "i32" },
    shapes: ({ x, counter }) => {
      same("gaussianNoise", "counter", [1], counter);
      return { y: x };
    },
    flops: ({ x }) => 100 * sizeOf(x),
  },
  l1Distance: {
    inputs: ["a", "b"],
    computation: "distance",
    outputs: { distances: activity },
    updated: [],
    shapes: ({ a, b }) => {
      const [n, d] = extents("l1Distance", "a", a, "n d") as [number, number];
      const [m, db] = extents("l1Distance", "b", b, "m d") as [number, number];
      if (d !== db) throw wrong("l1Distance", "b", `[m, ${d}]`, b);
      return { distances: [n, m] };
    },
    flops: ({ a }, { distances }) => 3 * sizeOf(distances) * (a[1] ?? 0),
  },
  hingeGates: {
    inputs: ["distances"],
    computation: "gate",
    outputs: { gates: activity, loss: metric, active: metric },
    updated: [],
    shapes: ({ distances }, { m1, m2, negatives }) => {
      const n = square("hingeGates", "distances", distances);
      if (!(m1 >= 0)) throw wrong("hingeGates", "m1", "a margin of at least 0", m1);
      if (!(m2 > m1)) throw wrong("hingeGates", "m2", `a margin above m1 = ${m1}`, m2);
      checkNegatives(n, negatives);
      return { gates: [n, n], loss: [1], active: [2] };
    },
    flops: ({ distances }) => 3 * sizeOf(distances),
  },
  hingeAnchorError: {
    inputs: ["a", "b", "gates"],
    computation: "comparison",
    outputs: { error },
    updated: [],
    shapes: (shapes) => ({ error: checkErrors("hingeAnchorError", shapes) }),
    flops: ({ a, gates }) => 3 * sizeOf(gates) * (a[1] ?? 0),
  },
  hingeViewError: {
    inputs: ["a", "b", "gates"],
    computation: "comparison",
    outputs: { error },
    updated: [],
    shapes: (shapes) => ({ error: checkErrors("hingeViewError", shapes) }),
    flops: ({ a, gates }) => 3 * sizeOf(gates) * (a[1] ?? 0),
  },
  softmaxCrossEntropy: {
    inputs: ["logits", "labels"],
    computation: "division",
    outputs: { loss: metric, dlogits: error, correct: metric },
    updated: [],
    dtypes: { labels: "i32" },
    shapes: ({ logits, labels }) => {
      const [n] = extents("softmaxCrossEntropy", "logits", logits, "n c") as [number, number];
      same("softmaxCrossEntropy", "labels", [n], labels);
      return { loss: [1], dlogits: logits, correct: [1] };
    },
    flops: ({ logits }) => 20 * sizeOf(logits),
  },
  classHinge: {
    inputs: ["logits", "labels"],
    computation: "comparison",
    outputs: { loss: metric, dlogits: error, correct: metric },
    updated: [],
    dtypes: { labels: "i32" },
    shapes: ({ logits, labels }, { offClass }) => {
      const [n, c] = extents("classHinge", "logits", logits, "n c") as [number, number];
      if (c < 2) throw wrong("classHinge", "logits", "[n, 2 classes or more]", logits);
      same("classHinge", "labels", [n], labels);
      if (!(offClass > 0)) throw wrong("classHinge", "offClass", "above 0", offClass);
      return { loss: [1], dlogits: logits, correct: [1] };
    },
    flops: ({ logits }) => 4 * sizeOf(logits),
  },
  normaliseRows: {
    inputs: ["x"],
    computation: "normalisation",
    outputs: { y: activity, norms: activity },
    updated: [],
    shapes: ({ x }) => {
      const [n] = extents("normaliseRows", "x", x, "n d") as [number, number];
      return { y: x, norms: [n] };
    },
    flops: ({ x }) => 3 * sizeOf(x),
  },
  normaliseRowsGradient: {
    inputs: ["dy", "y", "norms"],
    computation: "normalisation",
    outputs: { dx: error },
    updated: [],
    shapes: ({ dy, y, norms }) => {
      const [n] = extents("normaliseRowsGradient", "y", y, "n d") as [number, number];
      same("normaliseRowsGradient", "dy", y, dy);
      same("normaliseRowsGradient", "norms", [n], norms);
      return { dx: y };
    },
    flops: ({ y }) => 5 * sizeOf(y),
  },
  ntXent: {
    inputs: ["similarities"],
    computation: "division",
    outputs: { loss: metric, dsimilarities: error },
    updated: [],
    shapes: ({ similarities }, { temperature, divisor }) => {
      const n = square("ntXent", "similarities", similarities);
      if (n % 2 !== 0 || n < 4) throw wrong("ntXent", "similarities", "[2n, 2n] of at least 2 images", similarities);
      if (!(temperature > 0)) throw wrong("ntXent", "temperature", "above 0", temperature);
      if (!(divisor > 0)) throw wrong("ntXent", "divisor", "above 0", divisor);
      return { loss: [1], dsimilarities: similarities };
    },
    flops: ({ similarities }) => 20 * sizeOf(similarities),
  },
  scoreGates: {
    inputs: ["scores"],
    computation: "gate",
    outputs: { gates: activity, loss: metric, active: metric },
    updated: [],
    shapes: ({ scores }) => {
      const n = square("scoreGates", "scores", scores);
      return { gates: [n, n], loss: [1], active: [2] };
    },
    flops: ({ scores }) => 3 * sizeOf(scores),
  },
  pairProducts: {
    inputs: ["a", "b", "pairs"],
    computation: "innerProduct",
    outputs: { scores: activity },
    updated: [],
    dtypes: { pairs: "i32" },
    shapes: ({ a, b, pairs }) => {
      const [, d] = extents("pairProducts", "a", a, "n d") as [number, number];
      const [, db] = extents("pairProducts", "b", b, "m d") as [number, number];
      if (d !== db) throw wrong("pairProducts", "b", `[m, ${d}]`, b);
      return { scores: [pairsOf("pairProducts", pairs)] };
    },
    flops: ({ a, pairs }) => 2 * (pairs[0] ?? 0) * (a[1] ?? 0),
  },
  pairGates: {
    inputs: ["scores", "weights"],
    computation: "gate",
    outputs: { gates: activity, loss: metric, active: metric },
    updated: [],
    shapes: ({ scores, weights }) => {
      const [p] = extents("pairGates", "scores", scores, "p") as [number];
      same("pairGates", "weights", [p], weights);
      return { gates: [p], loss: [1], active: [2] };
    },
    flops: ({ scores }) => 3 * sizeOf(scores),
  },
  pairErrors: {
    inputs: ["other", "gates", "pairs"],
    computation: "comparison",
    outputs: { error },
    updated: [],
    dtypes: { pairs: "i32" },
    shapes: ({ other, gates, pairs }, { side, rows }) => {
      const [, d] = extents("pairErrors", "other", other, "m d") as [number, number];
      same("pairErrors", "gates", [pairsOf("pairErrors", pairs)], gates);
      if (side !== 0 && side !== 1) throw wrong("pairErrors", "side", "0 or 1", side);
      if (!(Number.isInteger(rows) && rows >= 1))
        throw wrong("pairErrors", "rows", "a whole number of at least 1", rows);
      return { error: [rows, d] };
    },
    flops: ({ other, gates }) => 2 * sizeOf(gates) * (other[1] ?? 0),
  },
  goodnessGates: {
    inputs: ["x"],
    computation: "gate",
    outputs: { gates: activity, loss: metric, goodness: metric, passed: metric },
    updated: [],
    shapes: ({ x }, { positive, negative }) => {
      const [rows, h, w] = extents("goodnessGates", "x", x, "2n h w c") as [number, number, number, number];
      if (rows % 2 !== 0) throw wrong("goodnessGates", "x", "as many negatives as positives, [2n, h, w, c]", x);
      if (!(positive > 0)) throw wrong("goodnessGates", "positive", "a threshold above 0", positive);
      if (!(negative > 0)) throw wrong("goodnessGates", "negative", "a threshold above 0", negative);
      return { gates: [rows, h, w], loss: [1], goodness: [2], passed: [2] };
    },
    flops: ({ x }, { gates }) => 3 * sizeOf(x) + 20 * sizeOf(gates),
  },
  goodnessError: {
    inputs: ["x", "gates"],
    computation: "unit",
    outputs: { error },
    updated: [],
    shapes: ({ x, gates }) => {
      const [n, h, w] = extents("goodnessError", "x", x, "n h w c") as [number, number, number, number];
      same("goodnessError", "gates", [n, h, w], gates);
      return { error: x };
    },
    flops: ({ x }) => 2 * sizeOf(x),
  },
  matchSigns: {
    inputs: ["w", "b"],
    computation: "signs",
    outputs: { y: { role: "feedback" } },
    updated: [],
    shapes: ({ w, b }) => {
      same("matchSigns", "b", w, b);
      return { y: w };
    },
    flops: ({ w }) => 2 * sizeOf(w),
  },
  squaredError: {
    inputs: ["x", "target"],
    computation: "unit",
    outputs: { loss: metric, dx: error },
    updated: [],
    shapes: ({ x, target }, { divisor }) => {
      same("squaredError", "target", x, target);
      if (!(Number.isInteger(divisor) && divisor >= 1 && divisor < 2 ** 32))
        throw wrong("squaredError", "divisor", "a whole number from 1 to 4294967295", divisor);
      return { loss: [1], dx: x };
    },
    flops: ({ x }) => 4 * sizeOf(x),
  },
  combine: {
    inputs: ["a", "b"],
    computation: "unit",
    outputs: { y: activity },
    updated: [],
    shapes: ({ a, b }) => {
      same("combine", "b", a, b);
      return { y: a };
    },
    flops: ({ a }) => 3 * sizeOf(a),
  },
  adam: {
    inputs: ["gradient", "step", "rate"],
    computation: "plasticity",
    outputs: {},
    updated: ["weight", "m", "v"],
    dtypes: { step: "i32" },
    shapes: ({ gradient, step, rate, weight, m, v }, { learningRate, beta1, beta2, decay }) => {
      same("adam", "gradient", weight, gradient);
      same("adam", "m", weight, m);
      same("adam", "v", weight, v);
      same("adam", "step", [1], step);
      same("adam", "rate", [1], rate);
      if (!(learningRate > 0)) throw wrong("adam", "learningRate", "above 0", learningRate);
      if (!(beta1 >= 0 && beta1 < 1)) throw wrong("adam", "beta1", "from 0 to below 1", beta1);
      if (!(beta2 >= 0 && beta2 < 1)) throw wrong("adam", "beta2", "from 0 to below 1", beta2);
      if (!(decay >= 0)) throw wrong("adam", "decay", "at least 0", decay);
      return {};
    },
    flops: ({ gradient }) => 12 * sizeOf(gradient),
  },
  sgd: {
    inputs: ["gradient", "rate"],
    computation: "plasticity",
    outputs: {},
    updated: ["weight", "velocity"],
    shapes: ({ gradient, rate, weight, velocity }, { learningRate, momentum, decay }) => {
      same("sgd", "gradient", weight, gradient);
      same("sgd", "velocity", weight, velocity);
      same("sgd", "rate", [1], rate);
      if (!(learningRate > 0)) throw wrong("sgd", "learningRate", "above 0", learningRate);
      if (!(momentum >= 0 && momentum < 1)) throw wrong("sgd", "momentum", "from 0 to below 1", momentum);
      if (!(decay >= 0)) throw wrong("sgd", "decay", "at least 0", decay);
      return {};
    },
    flops: ({ gradient }) => 6 * sizeOf(gradient),
  },
  reduce: {
    inputs: ["x"],
    computation: "statistic",
    outputs: { y: metric },
    updated: [],
    shapes: () => ({ y: [1] }),
    flops: ({ x }) => 2 * sizeOf(x),
  },
  columnMoments: {
    inputs: ["x"],
    computation: "statistic",
    outputs: { mean: metric, variance: metric },
    updated: [],
    shapes: ({ x }) => {
      const [, d] = extents("columnMoments", "x", x, "n d") as [number, number];
      return { mean: [d], variance: [d] };
    },
    flops: ({ x }) => 5 * sizeOf(x),
  },
};

export const kinds: readonly Kind[] = Object.keys(operationTable) as Kind[];

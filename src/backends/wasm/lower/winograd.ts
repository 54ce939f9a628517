// Lowering of convolution stages to Winograd's F(4 × 4, 3 × 3): which stages take it, and their launches of kernels/winograd.ts.

import type { ConvolutionBackwardStage, ConvolutionStage } from "../../../program/fusion.ts";
import type { Launch, Places } from "../launch.ts";
import {
  activationNumber,
  aroundPooling,
  extents4,
  mostGroups,
  partialBytes,
  reducePartials,
  scratchPlan,
  widestPanel,
} from "./convolution.ts";

const mebi = 1024 * 1024;
/** Tiles that are taken at a time: their planes [36][48][128] fill a good part of a second-level cache. */
const tilesAtATime = 48;
/** The same on the way forward where the transformed weights are larger than this, so that they are streamed half as often. */
const tilesWhereWeightsAreLarge = 96;
const largeWeights = 16 * mebi;
/** Channels of an input that are transformed at a time, `stripBytes` in the kernel. */
const stripChannels = 32;
/** Output channels that are taken at a time. */
const channelsAtATime = 128;
/** The start of a task's scratch: 24 pixels of a tile half transformed, and the 16 pixels of one beside it. */
const tilesBytes = 4 * 40 * channelsAtATime;
/** Images after which a transformed weight gradient is flushed. */
const flush = 48;
/** A thread's memory for a transformed weight gradient. */
const gradientBytes = 24 * mebi;

/** A convolution, its input [n, h, w, c] and its output [n, oh, ow, o]. */
interface Shape {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly o: number;
}

/**
 * Winograd's form costs a quarter of the multiplications, and transforms that pay from 16 channels on. It has rounding errors some ten times
 * those of the direct form, and the direct form takes every kernel, stride, pooling and number of channels. Full panels of the widest
 * kind, whatever module runs: the choice decides the last digits of the results.
 */
export function chooseConvolution(stage: ConvolutionStage | ConvolutionBackwardStage): "winograd" | "direct" {
  const around =
    stage.kind === "convolution"
      ? aroundPooling(stage.epilogue, "maxPool")
      : aroundPooling(stage.routing, "maxPoolGradient");
  if (around === undefined || (around.pooling && around.pooling.attributes.size !== 2)) return "direct";
  if (stage.kind === "convolutionBackward" && stage.bias && !stage.weight) return "direct";
  const { kernel, stride, padding, n, h, w, c, o } =
    stage.kind === "convolution" ? forwardShape(stage) : backwardShape(stage);
  if (kernel[0] !== 3 || kernel[1] !== 3 || stride !== 1 || padding !== 1) return "direct";
  if (c % widestPanel !== 0 || o % widestPanel !== 0) return "direct";
  const tiles = Math.ceil(h / 4) * Math.ceil(w / 4);
  // Tiles that reach far beyond the picture, and batches that do not repay the transform of the weights.
  return h * w >= 0.6 * 16 * tiles && n * tiles >= 256 ? "winograd" : "direct";
}

function forwardShape({ convolution: { inputs, attributes } }: ConvolutionStage) {
  const [n, h, w, c] = extents4(inputs.x);
  const [kh, kw, , o] = extents4(inputs.w);
  return { n, h, w, c, o, kernel: [kh, kw], ...attributes };
}

function backwardShape({ weight, input }: ConvolutionBackwardStage) {
  if (weight) {
    const [n, h, w, c] = extents4(weight.inputs.x);
    return { n, h, w, c, o: weight.inputs.dy.shape[3], ...weight.attributes };
  }
  if (input === undefined) throw new Error("a backward stage has a weight or an input gradient");
  const [n, h, w, c] = extents4(input.outputs.dx);
  return { n, h, w, c, o: input.inputs.dy.shape[3], kernel: input.inputs.w.shape.slice(0, 2), ...input.attributes };
}

interface Cut {
  /** Tiles of an image. */
  readonly down: number;
  readonly across: number;
  /** Images and rows of tiles that are taken at a time: several whole images, or some rows of one. */
  readonly images: number;
  readonly tileRows: number;
  /** Most tiles that are taken at a time. */
  readonly tiles: number;
}

function cut({ h, w }: Shape, wanted: number): Cut {
  const down = Math.ceil(h / 4);
  const across = Math.ceil(w / 4);
  const images = Math.max(1, Math.floor(wanted / (down * across)));
  const tileRows = images > 1 ? down : Math.min(down, Math.max(1, Math.round((1.4 * wanted) / across)));
  return { down, across, images, tileRows, tiles: images * tileRows * across };
}

/** The words of `WinogradShape`, with places for what forward and backward share. */
function winogradShape(
  shape: Shape,
  { down, across, images, tileRows, tiles }: Cut,
  around: { pool: number; before: number; after: number },
  plan: { place: (floats: number) => number },
  columnsOfM: number,
) {
  const { n, h, w, c, o } = shape;
  plan.place(tilesBytes / 4);
  const strip = plan.place((6 * (4 * across + 2) + 1) * stripChannels);
  // Tiles a power of two apart would share a set of the first-level cache.
  const pitchV = 4 * c + (c % 256 === 0 ? 64 : 0);
  const planeV = planeBytes(tiles, pitchV / 4);
  const planeM = planeBytes(tiles, columnsOfM);
  const { pool, before, after } = around;
  return {
    n,
    h,
    w,
    c,
    o,
    down,
    across,
    images,
    tileRows,
    channels: channelsAtATime,
    pool,
    ph: Math.floor(h / pool),
    pw: Math.floor(w / pool),
    before,
    after,
    strip,
    v: plan.place(9 * planeV),
    m: plan.place(9 * planeM),
    pitchV,
    planeV,
    planeM,
  };
}

/** Bytes between planes [tiles][channels]: a cache line more than they take. */
const planeBytes = (tiles: number, channels: number): number => 4 * tiles * channels + 64;

function winogradWeights(
  w: number,
  { c, o }: Shape,
  transposed: boolean,
  places: Places,
): { u: number; launch: Launch } {
  const blocks = transposed ? Math.ceil(o / channelsAtATime) : 1;
  const u = places.scratch(36 * (4 * c * o + 64 * blocks));
  const words = Object.values({ w, u, c, o, channels: channelsAtATime, transposed: transposed ? 1 : 0 });
  return { u, launch: { kernel: "winogradWeights", words, tasks: c / 8, scratchBytes: tilesBytes } };
}

export function lowerWinograd(stage: ConvolutionStage, places: Places): Launch[] | undefined {
  const around = aroundPooling(stage.epilogue, "maxPool");
  if (around === undefined) return undefined;
  const { convolution, bias, epilogue } = stage;
  const { before, pooling, after } = around;
  const shape = forwardShape(stage);
  const last = epilogue.at(-1) ?? bias ?? convolution;
  const weights = winogradWeights(places.at(convolution.inputs.w), shape, false, places);
  const plan = scratchPlan();
  const large = 4 * 36 * shape.c * shape.o > largeWeights;
  const words = winogradShape(
    shape,
    cut(shape, large ? tilesWhereWeightsAreLarge : tilesAtATime),
    {
      pool: pooling ? 2 : 1,
      before: activationNumber[before?.attributes.kind ?? "none"],
      after: activationNumber[after?.attributes.kind ?? "none"],
    },
    plan,
    Math.min(channelsAtATime, shape.o),
  );
  const blocks = Math.ceil(words.down / words.tileRows);
  const forward = {
    x: places.at(convolution.inputs.x),
    weights: weights.u,
    bias: bias ? places.at(bias.inputs.b) : 0,
    y: places.at(last.outputs.y),
    argmax: pooling ? places.at(pooling.outputs.argmax) : 0,
    blocks,
  };
  return [
    weights.launch,
    {
      kernel: "winogradForward",
      words: [...Object.values(forward), ...Object.values(words)],
      tasks: Math.ceil(shape.n / words.images) * blocks,
      scratchBytes: plan.bytes(),
    },
  ];
}

export function lowerWinogradBackward(stage: ConvolutionBackwardStage, places: Places): Launch[] | undefined {
  const around = aroundPooling(stage.routing, "maxPoolGradient");
  const { routing, bias, weight, input } = stage;
  const gradient = weight ?? input;
  if (around === undefined || gradient === undefined) return undefined;
  const { pooling } = around;
  const before = pooling ? around.before : undefined;
  const after = pooling ? around.after : around.before;
  const shape = backwardShape(stage);
  const { n, c, o } = shape;
  const weights = input ? winogradWeights(places.at(input.inputs.w), shape, true, places) : undefined;
  const onePartial = 4 * (9 * c + 1) * o;
  const { panelColumns } = places;
  const bytesOfDu = (channels: number): number => (channels / panelColumns) * 36 * (4 * panelColumns * c + 64);
  const span =
    bytesOfDu(o) <= gradientBytes
      ? o
      : Math.max(1, Math.floor(gradientBytes / bytesOfDu(channelsAtATime))) * channelsAtATime;
  const whole = cut(shape, tilesAtATime);
  const { images } = whole;
  // Groups and spans together are at most `mostGroups` tasks, for each group clears, sums and flushes large gradients once more.
  const spans = Math.ceil(o / span);
  const mostOfGroups = Math.max(1, Math.min(Math.floor(mostGroups / spans), Math.floor(partialBytes / onePartial)));
  const imagesOfGroup = Math.ceil(n / mostOfGroups / images) * images;
  const groups = Math.ceil(n / imagesOfGroup);
  const partials = weight ? places.scratch(groups * onePartial) : 0;

  /** One launch: the input gradient, the weight gradient, or both from one transform of the error. */
  function backward(wanted: { input: boolean; weight: boolean }): Launch {
    const plan = scratchPlan();
    const words = winogradShape(
      shape,
      whole,
      {
        pool: pooling ? 2 : 1,
        before: activationNumber[before?.attributes.kind ?? "none"],
        after: activationNumber[after?.attributes.kind ?? "none"],
      },
      plan,
      c,
    );
    const { across, tileRows } = words;
    const channels = Math.min(channelsAtATime, o);
    const planeD = planeBytes(words.images * tileRows * across, channels);
    const spanOfTask = wanted.weight ? span : o;
    const job = {
      dy: places.at((routing[0] ?? (gradient as NonNullable<typeof gradient>)).inputs.dy),
      argmax: pooling ? places.at(pooling.inputs.argmax) : 0,
      yBefore: before ? places.at(before.inputs.y) : 0,
      yAfter: after ? places.at(after.inputs.y) : 0,
      x: weight && wanted.weight ? places.at(weight.inputs.x) : 0,
      weights: wanted.input ? (weights?.u ?? 0) : 0,
      dx: input && wanted.input ? places.at(input.outputs.dx) : 0,
      partials: wanted.weight ? partials : 0,
      groups: wanted.weight ? groups : Math.ceil(n / images),
      span: spanOfTask,
      spans: Math.ceil(o / spanOfTask),
      flush,
      d: plan.place(9 * planeD),
      planeD,
      du: wanted.weight ? plan.place(bytesOfDu(spanOfTask) / 4) : 0,
    };
    return {
      kernel: "winogradBackward",
      words: [...Object.values(job), ...Object.values(words)],
      tasks: job.groups * job.spans,
      scratchBytes: plan.bytes(),
    };
  }

  const launches: Launch[] = weights ? [weights.launch] : [];
  if (input && weight && span === o) launches.push(backward({ input: true, weight: true }));
  else {
    if (input) launches.push(backward({ input: true, weight: false }));
    if (weight) launches.push(backward({ input: false, weight: true }));
  }
  if (weight)
    launches.push(
      reducePartials({
        partials,
        dw: places.at(weight.outputs.dw),
        db: bias ? places.at(bias.outputs.db) : 0,
        groups,
        panels: o / panelColumns,
        k: 9 * c,
        o,
      }),
    );
  return launches;
}

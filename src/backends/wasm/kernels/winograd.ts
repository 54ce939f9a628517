// Convolutions 3 × 3 of stride 1 and padding 1 by Winograd's F(4 × 4, 3 × 3): 36 products of matrices instead of 144 multiplications per tile.
//
// Tensors in the transformed domain stand as 36 planes [tile][channel]. A plane's pitch is 64 bytes more than it needs, or the 36
// would share the same sets of the first-level cache. Output channels are taken in blocks of at most 128, so that a block's planes stay
// in the second-level cache between its transforms and its products.
//
// A transform goes over columns first and then over rows, by way of scratch memory that stays in the first-level cache. Its innermost loop
// runs over channels, so that it reads and writes a few streams of neighbouring numbers.
import { panelColumns } from "./micro-kernels";
import { buildError } from "./picture";
import { multiplyColumns, multiplyRows, panelPitch } from "./product";
import { activateVectors, activationErrors, hardtanh, none, relu, tanh } from "./vectors";
import {
  addGroups,
  addInputAdjointRow,
  boundedOutputs,
  errorBounded,
  errorTanh,
  errorTransform,
  groupBytes,
  inputAdjoint,
  inputAdjointRow,
  inputTransform,
  outputTransform,
  pooledOutputs,
  routedError,
  routedErrorBounded,
  routedErrorTanh,
  weightAdjoint,
  weightTransform,
} from "./winograd-transforms";

/** Products of a tile. */
const points: i32 = 36;
/** The product at the point (1, 1): what is added to it is added to all 16 outputs, and an error's is the sum of its 16 pixels. */
const middlePoint: usize = 7;
/** Bytes of a tile of 6 × 6 groups of vectors. */
const tileBytes: usize = 36 * groupBytes;
/** Channels of a group. */
const groupChannels: i32 = <i32>(groupBytes >> 2);
/** Bytes of the channels that are taken at a time where an input, or the error of one, is transformed. */
const stripBytes: usize = 128;

/** w [3, 3, c, o] → U: forward, planes of panels [36][panel][c][panelColumns]; backward, blocks of `channels` of o, each with planes [36][panel of c][channels][…]. */
@unmanaged
class WinogradWeights {
  w: usize;
  u: usize;
  c: i32;
  o: i32;
  channels: i32;
  /** 1: transposed, for the way back. */
  transposed: i32;
}

/** Bytes between the planes of U, [c][o]: a cache line more than they take. */
@inline
function planeOfU(c: i32, o: i32): usize {
  return <usize>((c * o) << 2) + 64;
}

/** Task = eight input channels, half of a panel or all of it. */
export function winogradWeights(p: usize, task: i32, scratch: usize): void {
  const job = changetype<WinogradWeights>(p);
  const tapPitch = <usize>((job.c * job.o) << 2);
  const first = task * 8;
  if (!job.transposed) {
    const plane = planeOfU(job.c, job.o);
    for (let i = first; i < first + 8; i++)
      for (let j = 0; j < job.o; j += groupChannels)
        transformWeights(
          job.w + <usize>((i * job.o + j) << 2),
          tapPitch,
          scratch,
          job.u + inPanels(j, job.c, i),
          plane,
        );
    return;
  }
  const gathered = scratch + tileBytes;
  let block = job.u;
  for (let start = 0; start < job.o; start += job.channels) {
    const channels = min(job.channels, job.o - start);
    const plane = planeOfU(job.c, channels);
    for (let i = first; i < first + 8; i += groupChannels)
      for (let j = 0; j < channels; j++) {
        // The input channels of a group, of one output channel, side by side.
        let from = job.w + <usize>((i * job.o + start + j) << 2);
        const row = <usize>(job.o << 2);
        for (let tap = 0; tap < 9; tap++, from += tapPitch)
          for (let lane: usize = 0; lane < <usize>groupChannels; lane++)
            store<f32>(gathered + <usize>tap * groupBytes + (lane << 2), load<f32>(from + lane * row));
        transformWeights(gathered, groupBytes, scratch, block + inPanels(i, channels, j), plane);
      }
    block += <usize>points * plane;
  }
}

/** Bytes from the start of panels [panel][k][panelColumns] to column `column` of row `row`. */
@inline
function inPanels(column: i32, k: i32, row: i32): usize {
  const panel = column / panelColumns;
  return <usize>(panel * k + row) * panelPitch + <usize>((column - panel * panelColumns) << 2);
}

/** Nine groups `tapPitch` bytes apart → 36 groups G g Gᵀ, `plane` bytes apart. */
function transformWeights(w: usize, tapPitch: usize, between: usize, u: usize, plane: usize): void {
  for (let x: usize = 0; x < 3; x++)
    weightTransform(w + x * tapPitch, 3 * tapPitch, between + x * groupBytes, 3 * groupBytes);
  for (let i: usize = 0; i < 6; i++)
    weightTransform(between + i * 3 * groupBytes, groupBytes, u + 6 * i * plane, plane);
}

/** Row `row` of an image, or `zeros` where it has none. */
@inline
function rowOf(image: usize, row: i32, h: i32, rowBytes: usize, zeros: usize): usize {
  return row >= 0 && row < h ? image + <usize>row * rowBytes : zeros;
}

/** Rows of tiles of an image [h, w, c] → planes from tile `v` on, tiles row by row. */
function transformInput(shape: WinogradShape, image: usize, firstRow: i32, rows: i32, v: usize, strip: usize): void {
  const h = shape.h;
  const w = shape.w;
  const pixel = <usize>(shape.c << 2);
  const rowBytes = <usize>w * pixel;
  const columns = <usize>(4 * shape.across + 2);
  const pitch = <usize>shape.pitchV;
  const plane = <usize>shape.planeV;
  const zeros = strip + 6 * columns * stripBytes;
  memory.fill(zeros, 0, stripBytes);
  for (let channel: usize = 0; channel < pixel; channel += stripBytes) {
    const bytes = min(stripBytes, pixel - channel);
    // The columns beyond the image.
    for (let i: usize = 0; i < 6; i++) {
      const row = strip + i * columns * bytes;
      memory.fill(row, 0, bytes);
      memory.fill(row + <usize>(w + 1) * bytes, 0, (columns - <usize>(w + 1)) * bytes);
    }
    let to = v + channel;
    for (let ty = firstRow; ty < firstRow + rows; ty++) {
      const from = image + channel;
      const top = 4 * ty - 1;
      let d0 = rowOf(from, top, h, rowBytes, zeros);
      let d1 = rowOf(from, top + 1, h, rowBytes, zeros);
      let d2 = rowOf(from, top + 2, h, rowBytes, zeros);
      let d3 = rowOf(from, top + 3, h, rowBytes, zeros);
      let d4 = rowOf(from, top + 4, h, rowBytes, zeros);
      let d5 = rowOf(from, top + 5, h, rowBytes, zeros);
      const step0 = d0 == zeros ? <usize>0 : pixel;
      const step2 = d2 == zeros ? <usize>0 : pixel;
      const step3 = d3 == zeros ? <usize>0 : pixel;
      const step4 = d4 == zeros ? <usize>0 : pixel;
      const step5 = d5 == zeros ? <usize>0 : pixel;
      let at = strip + bytes;
      for (let x = 0; x < w; x++, at += bytes) {
        for (let k: usize = 0; k < bytes; k += groupBytes)
          inputTransform(d0 + k, d1 + k, d2 + k, d3 + k, d4 + k, d5 + k, at + k, columns * bytes);
        d0 += step0;
        d1 += pixel;
        d2 += step2;
        d3 += step3;
        d4 += step4;
        d5 += step5;
      }
      for (let i: usize = 0; i < 6; i++) {
        let corner = strip + i * columns * bytes;
        let tile = to + 6 * i * plane;
        for (let tx = 0; tx < shape.across; tx++, corner += 4 * bytes, tile += pitch)
          for (let k: usize = 0; k < bytes; k += groupBytes) {
            const d = corner + k;
            inputTransform(d, d + bytes, d + 2 * bytes, d + 3 * bytes, d + 4 * bytes, d + 5 * bytes, tile + k, plane);
          }
      }
      to += <usize>shape.across * pitch;
    }
  }
}

/** What the forward and the backward kernel share: shapes, the cut into blocks, places in scratch. */
@unmanaged
class WinogradShape {
  n: i32;
  h: i32;
  w: i32;
  c: i32;
  o: i32;
  /** Tiles of an image: down and across. */
  down: i32;
  across: i32;
  /** Images, and rows of tiles, that are taken at a time: several whole images, or some rows of one. */
  images: i32;
  tileRows: i32;
  /** Output channels that are taken at a time. */
  channels: i32;
  /** Side of the pooling window, 1 or 2, and what it leaves of the image. */
  pool: i32;
  ph: i32;
  pw: i32;
  before: i32;
  after: i32;
  /** Bytes from the task's start in scratch; at 0 stands room for a tile of `channels` channels half transformed, and for one beside it. */
  strip: i32;
  v: i32;
  m: i32;
  /** Bytes between tiles of V, and between planes of V and M. */
  pitchV: i32;
  planeV: i32;
  planeM: i32;
}

@unmanaged
class WinogradForward {
  x: usize;
  weights: usize;
  /** 0: none. */
  bias: usize;
  y: usize;
  /** 0: no pooling. */
  argmax: usize;
  /** Blocks of tile rows in an image. */
  blocks: i32;
}

/** Task = block of images × block of tile rows. The parameter block: WinogradForward, then WinogradShape. */
export function winogradForward(p: usize, task: i32, scratch: usize): void {
  const job = changetype<WinogradForward>(p);
  const shape = changetype<WinogradShape>(p + offsetof<WinogradForward>());
  const firstImage = (task / job.blocks) * shape.images;
  const images = min(shape.images, shape.n - firstImage);
  const firstRow = (task % job.blocks) * shape.tileRows;
  const rows = min(shape.tileRows, shape.down - firstRow);
  const c = shape.c;
  const tilesOfImage = rows * shape.across;
  const tiles = images * tilesOfImage;
  const v = scratch + <usize>shape.v;
  const m = scratch + <usize>shape.m;
  const pitchV = <usize>shape.pitchV;
  const planeM = <usize>shape.planeM;

  transformInputs(shape, job.x, firstImage, images, firstRow, rows, v, scratch);
  const panelBytes = <usize>c * panelPitch;
  const planeU = planeOfU(c, shape.o);
  for (let first = 0; first < shape.o; first += shape.channels) {
    const channels = min(shape.channels, shape.o - first);
    const pitchM = <usize>(channels << 2);
    for (let k: usize = 0; k < <usize>points; k++) {
      const a = v + k * <usize>shape.planeV;
      const u = job.weights + k * planeU + <usize>(first / panelColumns) * panelBytes;
      for (let panel: usize = 0; panel < <usize>(channels / panelColumns); panel++) {
        const to = m + k * planeM + panel * panelPitch;
        multiplyRows(true, tiles, 1, c, 0, a, pitchV, u + panel * panelBytes, to, pitchM);
      }
    }
    let from = m;
    for (let i = firstImage; i < firstImage + images; i++)
      for (let ty = firstRow; ty < firstRow + rows; ty++)
        for (let tx = 0; tx < shape.across; tx++) {
          storeTile(job, shape, from, i, ty, tx, first, channels, scratch);
          from += pitchM;
        }
  }
}

/** Rows of tiles of some images → planes V, image by image. */
function transformInputs(
  shape: WinogradShape,
  x: usize,
  firstImage: i32,
  images: i32,
  firstRow: i32,
  rows: i32,
  v: usize,
  scratch: usize,
): void {
  const imageBytes = <usize>((shape.h * shape.w * shape.c) << 2);
  const tiles = <usize>(rows * shape.across * shape.pitchV);
  for (let i = firstImage; i < firstImage + images; i++, v += tiles)
    transformInput(shape, x + <usize>i * imageBytes, firstRow, rows, v, scratch + <usize>shape.strip);
}

/** One tile of products, channels first … first + channels − 1 → bias, activation, pooling → y and argmax. */
function storeTile(
  job: WinogradForward,
  shape: WinogradShape,
  m: usize,
  image: i32,
  ty: i32,
  tx: i32,
  first: i32,
  channels: i32,
  scratch: usize,
): void {
  const plane = <usize>shape.planeM;
  const bytes = <usize>(channels << 2);
  if (job.bias) {
    const bias = job.bias + <usize>(first << 2);
    const middle = m + middlePoint * plane;
    for (let k: usize = 0; k < bytes; k += groupBytes) addGroups(middle + k, bias + k, middle + k);
  }
  for (let j: usize = 0; j < 6; j++)
    for (let k: usize = 0; k < bytes; k += groupBytes)
      outputTransform(m + j * plane + k, 6 * plane, scratch + 4 * j * bytes + k, bytes);

  const side = 4 / shape.pool;
  const height = min(side, shape.ph - ty * side);
  const width = min(side, shape.pw - tx * side);
  const whole = height == side && width == side;
  const pixel = <usize>(shape.o << 2);
  const row = <usize>shape.pw * pixel;
  const corner = <usize>((image * shape.ph + ty * side) * shape.pw + tx * side) * pixel + <usize>(first << 2);
  // A tile that reaches beyond the picture is made beside it, and what the picture has of it is copied.
  const beside = scratch + 24 * bytes;
  const y = whole ? job.y + corner : beside;
  const argmax = whole ? job.argmax + corner : beside + 4 * bytes;
  const pixelOfY = whole ? pixel : bytes;
  const rowOfY = whole ? row : <usize>side * bytes;
  const before = shape.before;
  const bounded = before == hardtanh || before == relu;
  const low: f32 = bounded ? lowOf(before) : -Infinity;
  const high: f32 = bounded ? highOf(before) : Infinity;
  if (shape.pool == 1)
    for (let i: usize = 0; i < 4; i++)
      for (let k: usize = 0; k < bytes; k += groupBytes)
        boundedOutputs(scratch + i * bytes + k, 4 * bytes, y + i * rowOfY + k, pixelOfY, low, high);
  else
    for (let i: usize = 0; i < 2; i++)
      for (let k: usize = 0; k < bytes; k += groupBytes) {
        const upper = scratch + 2 * i * bytes + k;
        const at = i * rowOfY + k;
        pooledOutputs(upper, 4 * bytes, upper + bytes, 4 * bytes, y + at, pixelOfY, argmax + at, pixelOfY, low, high);
      }
  // Tanh may come after pooling wherever it stands: the larger of two stays the larger.
  const left = before == tanh ? tanh : shape.after;
  for (let i: usize = 0; i < <usize>height; i++)
    for (let j: usize = 0; j < <usize>width; j++) {
      const from = y + i * rowOfY + j * pixelOfY;
      activateVectors(left, from, channels >> 2);
      if (whole) continue;
      const to = corner + i * row + j * pixel;
      memory.copy(job.y + to, from, bytes);
      if (job.argmax) memory.copy(job.argmax + to, from + 4 * bytes, bytes);
    }
}

@unmanaged
class WinogradBackward {
  dy: usize;
  /** 0: no pooling. */
  argmax: usize;
  /** 0: none. */
  yBefore: usize;
  yAfter: usize;
  x: usize;
  /** 0: no input gradient. */
  weights: usize;
  dx: usize;
  /** Sums [groups][panels of o][9·c + 1][panelColumns], the last row the error's own sum; 0: no weight gradient. */
  partials: usize;
  groups: i32;
  /** Output channels of a task: all, or some where the sums of all would need too much memory. */
  span: i32;
  spans: i32;
  /** Images after which the transformed weight gradient is flushed: many additions of the large transformed numbers lose digits. */
  flush: i32;
  /** Bytes from the task's start in scratch. */
  d: i32;
  planeD: i32;
  du: i32;
}

/** Task = group of images × span of output channels. The parameter block: WinogradBackward, then WinogradShape. */
export function winogradBackward(p: usize, task: i32, scratch: usize): void {
  const job = changetype<WinogradBackward>(p);
  const shape = changetype<WinogradShape>(p + offsetof<WinogradBackward>());
  const group = task / job.spans;
  const firstChannel = (task % job.spans) * job.span;
  const endChannel = min(shape.o, firstChannel + job.span);
  const panelBytes = <usize>(9 * shape.c + 1) * panelPitch;
  const panels = <usize>((endChannel - firstChannel) / panelColumns);
  const partials = job.partials + <usize>(group * (shape.o / panelColumns) + firstChannel / panelColumns) * panelBytes;
  const du = scratch + <usize>job.du;
  if (job.partials) memory.fill(partials, 0, panels * panelBytes);
  let unflushed = 0;
  const end = ((group + 1) * shape.n) / job.groups;
  for (let image = (group * shape.n) / job.groups; image < end; image += shape.images) {
    const images = min(shape.images, end - image);
    for (let row = 0; row < shape.down; row += shape.tileRows)
      backwardBlock(
        job,
        shape,
        image,
        images,
        row,
        firstChannel,
        endChannel,
        unflushed == 0 && row == 0,
        partials,
        scratch,
      );
    unflushed += images;
    if (job.partials && (unflushed >= job.flush || image + images >= end)) {
      flushWeightGradient(du, shape.c, panels, partials, scratch);
      unflushed = 0;
    }
  }
}

/** Bytes of one plane of one panel of the transformed weight gradient. */
@inline
function planeOfDu(c: i32): usize {
  return <usize>c * panelPitch + 64;
}

/** Some rows of tiles of some images: error → D, input → V, dU += Vᵀ·D, or = where `fresh`, M = D·Uᵀ, M → dx. */
function backwardBlock(
  job: WinogradBackward,
  shape: WinogradShape,
  firstImage: i32,
  images: i32,
  firstRow: i32,
  firstChannel: i32,
  endChannel: i32,
  fresh: bool,
  partials: usize,
  scratch: usize,
): void {
  const c = shape.c;
  const rows = min(shape.tileRows, shape.down - firstRow);
  const tilesOfImage = rows * shape.across;
  const tiles = images * tilesOfImage;
  const v = scratch + <usize>shape.v;
  const d = scratch + <usize>job.d;
  const m = scratch + <usize>shape.m;
  const pitchV = <usize>shape.pitchV;
  const planeD = <usize>job.planeD;
  const planeM = <usize>shape.planeM;
  const panelBytes = <usize>(9 * c + 1) * panelPitch;

  if (job.partials) transformInputs(shape, job.x, firstImage, images, firstRow, rows, v, scratch);
  for (let first = firstChannel; first < endChannel; first += shape.channels) {
    const channels = min(shape.channels, endChannel - first);
    const pitchD = <usize>(channels << 2);
    const panels = <usize>(channels / panelColumns);
    const firstPanel = <usize>((first - firstChannel) / panelColumns);
    for (let i = 0, to = d; i < images; i++)
      for (let ty = firstRow; ty < firstRow + rows; ty++)
        for (let tx = 0; tx < shape.across; tx++, to += pitchD)
          transformError(job, shape, firstImage + i, ty, tx, first, channels, to, scratch);
    if (job.partials)
      addSums(
        d + middlePoint * planeD,
        tiles,
        pitchD,
        partials + (firstPanel + 1) * panelBytes - panelPitch,
        panelBytes,
      );
    const u = job.weights + <usize>(first / shape.channels) * <usize>points * planeOfU(c, shape.channels);
    const du = scratch + <usize>job.du + firstPanel * <usize>points * planeOfDu(c);
    for (let k: usize = 0; k < <usize>points; k++) {
      const error = d + k * planeD;
      if (job.partials)
        for (let panel: usize = 0; panel < panels; panel++)
          multiplyColumns(
            fresh,
            c,
            1,
            tiles,
            0,
            v + k * <usize>shape.planeV,
            pitchV,
            error + panel * panelPitch,
            pitchD,
            du + (panel * <usize>points + k) * planeOfDu(c),
            panelPitch,
          );
      if (job.weights)
        for (let panel: usize = 0; panel < <usize>(c / panelColumns); panel++) {
          const b = u + k * planeOfU(c, channels) + panel * <usize>channels * panelPitch;
          const to = m + k * planeM + panel * panelPitch;
          multiplyRows(first == firstChannel, tiles, 1, channels, 0, error, pitchD, b, to, <usize>(c << 2));
        }
    }
  }
  if (job.weights) {
    let from = m;
    for (let i = firstImage; i < firstImage + images; i++)
      for (let ty = firstRow; ty < firstRow + rows; ty++)
        for (let tx = 0; tx < shape.across; tx++, from += <usize>(c << 2))
          addTile(job, shape, from, i, ty, tx, scratch);
  }
}

/** Rows [tiles][channels] added to sums, panel by panel, `sumPitch` bytes apart. */
function addSums(rows: usize, tiles: i32, pitch: usize, sums: usize, sumPitch: usize): void {
  for (let k: usize = 0; k < pitch; k += 16) {
    const to = sums + (k / panelPitch) * sumPitch + (k % panelPitch);
    let sum = v128.load(to);
    for (let i = 0, from = rows + k; i < tiles; i++, from += pitch) sum = f32x4.add(sum, v128.load(from));
    v128.store(to, sum);
  }
}

/** The error of one tile, one block of channels → planes. */
function transformError(
  job: WinogradBackward,
  shape: WinogradShape,
  image: i32,
  ty: i32,
  tx: i32,
  first: i32,
  channels: i32,
  d: usize,
  scratch: usize,
): void {
  const bytes = <usize>(channels << 2);
  const pixel = <usize>(shape.o << 2);
  const side = 4 / shape.pool;
  const height = min(side, shape.ph - ty * side);
  const width = min(side, shape.pw - tx * side);
  const pooled = <usize>((image * shape.ph + ty * side) * shape.pw + tx * side) * pixel + <usize>(first << 2);
  const full = <usize>((image * shape.h + 4 * ty) * shape.w + 4 * tx) * pixel + <usize>(first << 2);
  const beside = scratch + 24 * bytes;
  let e = job.dy + pooled;
  let pixelOfE = pixel;
  let rowOfE = <usize>shape.pw * pixel;
  if (height < side || width < side) {
    // A tile that reaches beyond the picture, or of which pooling dropped some: made beside it, with zeros.
    memory.fill(beside, 0, 16 * bytes);
    for (let i = 0; i < height; i++) {
      const at = pooled + <usize>i * rowOfE;
      buildError(
        job.dy + at,
        job.argmax ? job.argmax + at : 0,
        job.yBefore + at,
        job.yAfter + full + <usize>(i * shape.pool * shape.w) * pixel,
        shape.before,
        shape.after,
        shape.pool,
        1,
        width,
        shape.w,
        shape.o,
        channels,
        beside + <usize>(4 * i * shape.pool) * bytes,
        bytes,
        4 * bytes,
      );
    }
    errorColumns(none, beside, bytes, 4 * bytes, 0, 0, 0, bytes, scratch);
  } else {
    if (shape.before != none) {
      for (let i: usize = 0; i < <usize>side; i++)
        for (let j: usize = 0; j < <usize>side; j++) {
          const at = i * rowOfE + j * pixel;
          const to = beside + (i * <usize>side + j) * bytes;
          activationErrors(shape.before, e + at, job.yBefore + pooled + at, to, channels >> 2);
        }
      e = beside;
      pixelOfE = bytes;
      rowOfE = <usize>side * bytes;
    }
    const y = job.yAfter + full;
    const row = <usize>shape.w * pixel;
    if (job.argmax) {
      const winner = job.argmax + pooled;
      const rowOfWinner = <usize>shape.pw * pixel;
      // One loop per kind, as in activateVectors.
      if (shape.after == none)
        routedColumns(none, e, pixelOfE, rowOfE, winner, pixel, rowOfWinner, y, row, bytes, scratch);
      else if (shape.after == tanh)
        routedColumns(tanh, e, pixelOfE, rowOfE, winner, pixel, rowOfWinner, y, row, bytes, scratch);
      else if (shape.after == relu)
        routedColumns(relu, e, pixelOfE, rowOfE, winner, pixel, rowOfWinner, y, row, bytes, scratch);
      else routedColumns(hardtanh, e, pixelOfE, rowOfE, winner, pixel, rowOfWinner, y, row, bytes, scratch);
    } else if (shape.after == none) errorColumns(none, e, pixelOfE, rowOfE, y, pixel, row, bytes, scratch);
    else if (shape.after == tanh) errorColumns(tanh, e, pixelOfE, rowOfE, y, pixel, row, bytes, scratch);
    else if (shape.after == relu) errorColumns(relu, e, pixelOfE, rowOfE, y, pixel, row, bytes, scratch);
    else errorColumns(hardtanh, e, pixelOfE, rowOfE, y, pixel, row, bytes, scratch);
  }
  const plane = <usize>job.planeD;
  for (let i: usize = 0; i < 6; i++)
    for (let k: usize = 0; k < bytes; k += groupBytes)
      errorTransform(scratch + 4 * i * bytes + k, bytes, d + 6 * i * plane + k, plane);
}

/** Hardtanh or ReLU keeps numbers above this, and its derivative is 1 there, … */
@inline
function lowOf(kind: i32): f32 {
  return kind == relu ? 0 : -1;
}

/** … and below this. */
@inline
function highOf(kind: i32): f32 {
  return kind == relu ? Infinity : 1;
}

/** Errors of 4 × 4 pixels, times the derivative of `kind` by the outputs y → columns transformed, [6][4][channels] in `to`. */
@inline
function errorColumns(
  kind: i32,
  e: usize,
  pixelOfE: usize,
  rowOfE: usize,
  y: usize,
  pixel: usize,
  row: usize,
  bytes: usize,
  to: usize,
): void {
  for (let j: usize = 0; j < 4; j++, e += pixelOfE, y += pixel, to += bytes)
    for (let k: usize = 0; k < bytes; k += groupBytes) {
      if (kind == none) errorTransform(e + k, rowOfE, to + k, 4 * bytes);
      else if (kind == tanh) errorTanh(e + k, rowOfE, y + k, row, to + k, 4 * bytes);
      else errorBounded(e + k, rowOfE, y + k, row, to + k, 4 * bytes, lowOf(kind), highOf(kind));
    }
}

/** Errors of 2 × 2 windows, sent to the winners, as errorColumns. */
@inline
function routedColumns(
  kind: i32,
  e: usize,
  pixelOfE: usize,
  rowOfE: usize,
  winner: usize,
  pixel: usize,
  rowOfWinner: usize,
  y: usize,
  row: usize,
  bytes: usize,
  to: usize,
): void {
  for (let j: usize = 0; j < 4; j++, y += pixel, to += bytes) {
    const place = <i32>(j & 1);
    const from = e + (j >> 1) * pixelOfE;
    const won = winner + (j >> 1) * pixel;
    for (let k: usize = 0; k < bytes; k += groupBytes) {
      if (kind == none) routedError(from + k, rowOfE, won + k, rowOfWinner, to + k, 4 * bytes, place);
      else if (kind == tanh)
        routedErrorTanh(from + k, rowOfE, won + k, rowOfWinner, y + k, row, to + k, 4 * bytes, place);
      else
        routedErrorBounded(
          from + k,
          rowOfE,
          won + k,
          rowOfWinner,
          y + k,
          row,
          to + k,
          4 * bytes,
          place,
          lowOf(kind),
          highOf(kind),
        );
    }
  }
}

/** One tile of products → errors of 6 × 6 pixels, the first a pixel above and left of the tile; added to dx. */
function addTile(
  job: WinogradBackward,
  shape: WinogradShape,
  m: usize,
  image: i32,
  ty: i32,
  tx: i32,
  scratch: usize,
): void {
  const plane = <usize>shape.planeM;
  const h = shape.h;
  const pixel = <usize>(shape.c << 2);
  const columns = scratch;
  // Where pixels beyond the image go.
  const nowhere = scratch + 36 * stripBytes;
  for (let channel: usize = 0; channel < pixel; channel += stripBytes) {
    const bytes = min(stripBytes, pixel - channel);
    for (let j: usize = 0; j < 6; j++)
      for (let k: usize = 0; k < bytes; k += groupBytes)
        inputAdjoint(m + channel + j * plane + k, 6 * plane, columns + j * bytes + k, 6 * bytes);
    for (let i = 0; i < 6; i++) {
      const y = 4 * ty - 1 + i;
      if (y < 0 || y >= h) continue;
      const row = job.dx + <usize>((image * h + y) * shape.w) * pixel + channel;
      const x = 4 * tx - 1;
      const c0 = pixelOf(row, x, shape.w, pixel, nowhere);
      const c1 = pixelOf(row, x + 1, shape.w, pixel, nowhere);
      const c2 = pixelOf(row, x + 2, shape.w, pixel, nowhere);
      const c3 = pixelOf(row, x + 3, shape.w, pixel, nowhere);
      const c4 = pixelOf(row, x + 4, shape.w, pixel, nowhere);
      const c5 = pixelOf(row, x + 5, shape.w, pixel, nowhere);
      const d = columns + <usize>(6 * i) * bytes;
      // The rows of tiles above have left the first two rows, unless there are none.
      if (i < 2 && ty > 0)
        for (let k: usize = 0; k < bytes; k += groupBytes)
          addInputAdjointRow(d + k, bytes, c0 + k, c1 + k, c2 + k, c3 + k, c4 + k, c5 + k);
      else {
        if (tx == 0) memory.fill(c1, 0, bytes);
        for (let k: usize = 0; k < bytes; k += groupBytes)
          inputAdjointRow(d + k, bytes, c0 + k, c1 + k, c2 + k, c3 + k, c4 + k, c5 + k);
      }
    }
  }
}

/** Pixel `x` of a row, or `nowhere` beyond it. */
@inline
function pixelOf(row: usize, x: i32, w: i32, pixel: usize, nowhere: usize): usize {
  return x >= 0 && x < w ? row + <usize>x * pixel : nowhere;
}

/** dU [panels][36][c][panelColumns] → added to partials [panels][9·c + 1][panelColumns] as Gᵀ dU G. */
function flushWeightGradient(du: usize, c: i32, panels: usize, partials: usize, temporary: usize): void {
  const plane = planeOfDu(c);
  const tapPitch = <usize>c * panelPitch;
  const taps = temporary + tileBytes;
  for (let panel: usize = 0; panel < panels; panel++) {
    for (let k: usize = 0; k < tapPitch; k += groupBytes) {
      for (let j: usize = 0; j < 6; j++)
        weightAdjoint(du + k + j * plane, 6 * plane, temporary + j * groupBytes, 6 * groupBytes);
      for (let i: usize = 0; i < 3; i++)
        weightAdjoint(temporary + i * 6 * groupBytes, groupBytes, taps + i * 3 * groupBytes, groupBytes);
      for (let tap: usize = 0; tap < 9; tap++) {
        const to = partials + tap * tapPitch + k;
        addGroups(to, taps + tap * groupBytes, to);
      }
    }
    du += <usize>points * plane;
    partials += 9 * tapPitch + panelPitch;
  }
}

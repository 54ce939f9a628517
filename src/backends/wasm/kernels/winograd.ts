// Convolutions 3 × 3 of stride 1 and padding 1 by Winograd's F(4 × 4, 3 × 3): 36 products of matrices instead of 144 multiplications per tile.
//
// Tensors in the transformed domain stand as 36 planes [tile][channel]. A plane's pitch is 64 bytes more than it needs, or the 36
// would share the same sets of the first-level cache. Output channels are taken in blocks of at most 64, so that a block's planes stay
// in the second-level cache between its transforms and its products.
import { panelColumns } from "./micro-kernels";
import { buildError, framePicture } from "./picture";
import { multiplyColumns, multiplyRows, panelPitch } from "./product";
import { activateVectors } from "./vectors";
import {
  addGroups,
  copyGroup,
  errorTransform,
  groupBytes,
  inputAdjoint,
  inputTransform,
  outputTransform,
  weightAdjoint,
  weightTransform,
} from "./winograd-transforms";

/** Products of a tile. */
const points: i32 = 36;
/** Bytes of a tile of 6 × 6 groups of vectors. */
const tileBytes: usize = 36 * groupBytes;
/** Vectors and channels of a group. */
const groupVectors: i32 = <i32>(groupBytes >> 4);
const groupChannels: i32 = <i32>(groupBytes >> 2);

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

/** Task = eight input channels, half of a panel or all of it. */
export function winogradWeights(p: usize, task: i32, scratch: usize): void {
  const job = changetype<WinogradWeights>(p);
  const tapPitch = <usize>((job.c * job.o) << 2);
  const first = task * 8;
  const u = scratch + 2 * tileBytes;
  if (!job.transposed) {
    const plane = tapPitch;
    for (let i = first; i < first + 8; i++)
      for (let j = 0; j < job.o; j += groupChannels) {
        transformWeights(job.w + <usize>((i * job.o + j) << 2), tapPitch, scratch, u);
        let to = job.u + inPanels(j, job.c, i);
        for (let k = 0; k < points; k++, to += plane) copyGroup(u + <usize>k * groupBytes, to);
      }
    return;
  }
  const gathered = scratch + 4 * tileBytes;
  for (let start = 0; start < job.o; start += job.channels) {
    const channels = min(job.channels, job.o - start);
    const block = job.u + <usize>((start * points * job.c) << 2);
    const plane = <usize>((channels * job.c) << 2);
    for (let i = first; i < first + 8; i += groupChannels)
      for (let j = 0; j < channels; j++) {
        // The input channels of a group, of one output channel, side by side.
        let from = job.w + <usize>((i * job.o + start + j) << 2);
        const row = <usize>(job.o << 2);
        for (let tap = 0; tap < 9; tap++, from += tapPitch)
          for (let lane: usize = 0; lane < <usize>groupChannels; lane++)
            store<f32>(gathered + <usize>tap * groupBytes + (lane << 2), load<f32>(from + lane * row));
        transformWeights(gathered, groupBytes, scratch, u);
        let to = block + inPanels(i, channels, j);
        for (let k = 0; k < points; k++, to += plane) copyGroup(u + <usize>k * groupBytes, to);
      }
  }
}

/** Bytes from the start of panels [panel][k][panelColumns] to column `column` of row `row`. */
@inline
function inPanels(column: i32, k: i32, row: i32): usize {
  const panel = column / panelColumns;
  return <usize>(panel * k + row) * panelPitch + <usize>((column - panel * panelColumns) << 2);
}

/** Nine groups `tapPitch` bytes apart → 36 groups G g Gᵀ. */
function transformWeights(w: usize, tapPitch: usize, between: usize, u: usize): void {
  for (let x: usize = 0; x < 3; x++)
    weightTransform(w + x * tapPitch, 3 * tapPitch, between + x * groupBytes, 3 * groupBytes);
  for (let i: usize = 0; i < 6; i++)
    weightTransform(between + i * 3 * groupBytes, groupBytes, u + i * 6 * groupBytes, groupBytes);
}

/**
 * picture [4·rows + 2, 4·across + 2, c] → planes from tile `v` on, tiles row by row; `temporary` holds one tile.
 */
function transformInput(
  picture: usize,
  rows: i32,
  across: i32,
  c: i32,
  v: usize,
  plane: usize,
  temporary: usize,
): void {
  const pixel = <usize>(c << 2);
  const row = pixel * <usize>(4 * across + 2);
  for (let ty = 0; ty < rows; ty++)
    for (let tx = 0; tx < across; tx++) {
      const corner = picture + <usize>(4 * ty) * row + <usize>(4 * tx) * pixel;
      for (let k: usize = 0; k < pixel; k += groupBytes) {
        for (let j: usize = 0; j < 6; j++)
          inputTransform(corner + k + j * pixel, row, temporary + j * groupBytes, 6 * groupBytes);
        for (let i: usize = 0; i < 6; i++)
          inputTransform(temporary + i * 6 * groupBytes, groupBytes, v + k + 6 * i * plane, plane);
      }
      v += pixel;
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
  /** Bytes from the task's start in scratch; a few tiles of vectors stand at 0. */
  picture: i32;
  v: i32;
  m: i32;
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
  const picture = scratch + <usize>shape.picture;
  const v = scratch + <usize>shape.v;
  const m = scratch + <usize>shape.m;
  const planeV = <usize>shape.planeV;
  const planeM = <usize>shape.planeM;

  for (let i = 0; i < images; i++) {
    frameTiles(shape, job.x, firstImage + i, firstRow, rows, picture);
    transformInput(picture, rows, shape.across, c, v + <usize>((i * tilesOfImage * c) << 2), planeV, scratch);
  }
  const panelBytes = <usize>c * panelPitch;
  const planeU = <usize>((c * shape.o) << 2);
  for (let first = 0; first < shape.o; first += shape.channels) {
    const channels = min(shape.channels, shape.o - first);
    const pitchM = <usize>(channels << 2);
    for (let k: usize = 0; k < <usize>points; k++) {
      const u = job.weights + k * planeU + <usize>(first / panelColumns) * panelBytes;
      for (let panel: usize = 0; panel < <usize>(channels / panelColumns); panel++)
        multiplyRows(
          true,
          tiles,
          1,
          c,
          0,
          v + k * planeV,
          <usize>(c << 2),
          u + panel * panelBytes,
          m + k * planeM + panel * panelPitch,
          pitchM,
        );
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

/** Rows of tiles of an image with the pixel around them that their windows need. */
function frameTiles(shape: WinogradShape, x: usize, image: i32, firstRow: i32, rows: i32, picture: usize): void {
  framePicture(
    x + <usize>image * <usize>((shape.h * shape.w * shape.c) << 2),
    shape.h,
    shape.w,
    shape.c,
    picture,
    4 * rows + 2,
    4 * shape.across + 2,
    1 - 4 * firstRow,
    1,
  );
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
  temporary: usize,
): void {
  const plane = <usize>shape.planeM;
  const tile = temporary + tileBytes;
  const pixel = <usize>(shape.o << 2);
  const side = 4 / shape.pool;
  const height = min(side, shape.ph - ty * side);
  const width = min(side, shape.pw - tx * side);
  const corner = <usize>((image * shape.ph + ty * side) * shape.pw + tx * side) * pixel + <usize>(first << 2);
  for (let k: usize = 0; k < <usize>(channels << 2); k += groupBytes) {
    for (let j: usize = 0; j < 6; j++)
      outputTransform(m + k + j * plane, 6 * plane, temporary + j * groupBytes, 6 * groupBytes);
    for (let i: usize = 0; i < 4; i++)
      outputTransform(temporary + i * 6 * groupBytes, groupBytes, tile + i * 4 * groupBytes, groupBytes);
    if (job.bias) {
      const bias = job.bias + <usize>(first << 2) + k;
      for (let at = tile; at < tile + 16 * groupBytes; at += groupBytes) addGroups(at, bias, at);
    }
    activateVectors(shape.before, tile, 16 * groupVectors);
    let result = tile;
    if (job.argmax) {
      result = tile + 16 * groupBytes;
      for (let v: usize = 0; v < groupBytes; v += 16) poolTile(tile + v, result + v);
      activateVectors(shape.after, result, 4 * groupVectors);
    }
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const at = corner + <usize>(i * shape.pw + j) * pixel + k;
        const from = result + <usize>(i * side + j) * groupBytes;
        copyGroup(from, job.y + at);
        if (job.argmax) copyGroup(from + 4 * groupBytes, job.argmax + at);
      }
  }
}

/** Tile of 4 × 4 groups → maxima of windows 2 × 2, four groups, and behind them their places; one vector of each group. */
@inline
function poolTile(tile: usize, result: usize): void {
  for (let i: usize = 0; i < 2; i++)
    for (let j: usize = 0; j < 2; j++) {
      const corner = tile + (8 * i + 2 * j) * groupBytes;
      let best = v128.load(corner);
      let place = i32x4.splat(0);
      const right = v128.load(corner, groupBytes);
      let wins = f32x4.gt(right, best);
      best = v128.bitselect(right, best, wins);
      place = v128.bitselect(i32x4.splat(1), place, wins);
      const below = v128.load(corner, 4 * groupBytes);
      wins = f32x4.gt(below, best);
      best = v128.bitselect(below, best, wins);
      place = v128.bitselect(i32x4.splat(2), place, wins);
      const across = v128.load(corner, 5 * groupBytes);
      wins = f32x4.gt(across, best);
      best = v128.bitselect(across, best, wins);
      place = v128.bitselect(i32x4.splat(3), place, wins);
      const to = result + (i * 2 + j) * groupBytes;
      v128.store(to, best);
      v128.store(to, place, 4 * groupBytes);
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
  error: i32;
  d: i32;
  planeD: i32;
  dxPicture: i32;
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
  const bytesOfDu = panels * <usize>points * planeOfDu(shape.c);
  const du = scratch + <usize>job.du;
  if (job.partials) {
    memory.fill(partials, 0, panels * panelBytes);
    memory.fill(du, 0, bytesOfDu);
  }
  const dxPicture = scratch + <usize>job.dxPicture;
  const dxBytes = <usize>(((4 * shape.down + 2) * (4 * shape.across + 2) * shape.c) << 2);
  let unflushed = 0;
  const end = ((group + 1) * shape.n) / job.groups;
  for (let image = (group * shape.n) / job.groups; image < end; image += shape.images) {
    const images = min(shape.images, end - image);
    if (job.weights) memory.fill(dxPicture, 0, <usize>images * dxBytes);
    for (let row = 0; row < shape.down; row += shape.tileRows)
      backwardBlock(job, shape, image, images, row, firstChannel, endChannel, partials, scratch);
    if (job.weights)
      for (let i = 0; i < images; i++) storeInterior(job, shape, image + i, dxPicture + <usize>i * dxBytes);
    unflushed += images;
    if (job.partials && (unflushed >= job.flush || image + images >= end)) {
      flushWeightGradient(du, shape.c, panels, partials, scratch);
      memory.fill(du, 0, bytesOfDu);
      unflushed = 0;
    }
  }
}

/** Bytes of one plane of one panel of the transformed weight gradient. */
@inline
function planeOfDu(c: i32): usize {
  return <usize>c * panelPitch + 64;
}

/** Some rows of tiles of some images: error → D, input → V, dU += Vᵀ·D, M = D·Uᵀ, M → picture of dx. */
function backwardBlock(
  job: WinogradBackward,
  shape: WinogradShape,
  firstImage: i32,
  images: i32,
  firstRow: i32,
  firstChannel: i32,
  endChannel: i32,
  partials: usize,
  scratch: usize,
): void {
  const c = shape.c;
  const rows = min(shape.tileRows, shape.down - firstRow);
  const tilesOfImage = rows * shape.across;
  const tiles = images * tilesOfImage;
  const picture = scratch + <usize>shape.picture;
  const v = scratch + <usize>shape.v;
  const d = scratch + <usize>job.d;
  const m = scratch + <usize>shape.m;
  const planeV = <usize>shape.planeV;
  const planeD = <usize>job.planeD;
  const planeM = <usize>shape.planeM;
  const panelBytes = <usize>(9 * c + 1) * panelPitch;

  if (job.partials)
    for (let i = 0; i < images; i++) {
      frameTiles(shape, job.x, firstImage + i, firstRow, rows, picture);
      transformInput(picture, rows, shape.across, c, v + <usize>((i * tilesOfImage * c) << 2), planeV, scratch);
    }
  for (let first = firstChannel; first < endChannel; first += shape.channels) {
    const channels = min(shape.channels, endChannel - first);
    const pitchD = <usize>(channels << 2);
    const panels = <usize>(channels / panelColumns);
    const firstPanel = <usize>((first - firstChannel) / panelColumns);
    const sums = job.partials ? partials + (firstPanel + 1) * panelBytes - panelPitch : 0;
    for (let i = 0; i < images; i++)
      transformError(
        job,
        shape,
        firstImage + i,
        firstRow,
        rows,
        first,
        channels,
        d + <usize>(i * tilesOfImage) * pitchD,
        sums,
        scratch,
      );
    const u = job.weights + <usize>((first * points * c) << 2);
    const du = scratch + <usize>job.du + firstPanel * <usize>points * planeOfDu(c);
    for (let k: usize = 0; k < <usize>points; k++) {
      const error = d + k * planeD;
      if (job.partials)
        for (let panel: usize = 0; panel < panels; panel++)
          multiplyColumns(
            c,
            1,
            tiles,
            0,
            v + k * planeV,
            <usize>(c << 2),
            error + panel * panelPitch,
            pitchD,
            du + (panel * <usize>points + k) * planeOfDu(c),
            panelPitch,
          );
      if (job.weights)
        for (let panel: usize = 0; panel < <usize>(c / panelColumns); panel++) {
          const b = u + k * <usize>((c * channels) << 2) + panel * <usize>channels * panelPitch;
          const to = m + k * planeM + panel * panelPitch;
          multiplyRows(first == firstChannel, tiles, 1, channels, 0, error, pitchD, b, to, <usize>(c << 2));
        }
    }
  }
  if (job.weights) {
    let from = m;
    const pixel = <usize>(c << 2);
    const row = pixel * <usize>(4 * shape.across + 2);
    const dxBytes = row * <usize>(4 * shape.down + 2);
    for (let i = 0; i < images; i++)
      for (let ty = firstRow; ty < firstRow + rows; ty++)
        for (let tx = 0; tx < shape.across; tx++) {
          const corner =
            scratch + <usize>job.dxPicture + <usize>i * dxBytes + <usize>(4 * ty) * row + <usize>(4 * tx) * pixel;
          addTile(from, planeM, corner, row, pixel, scratch);
          from += pixel;
        }
  }
}

/** The error of some rows of tiles of one image, one block of channels → planes; its sums over pixels added to `sums` where wanted. */
function transformError(
  job: WinogradBackward,
  shape: WinogradShape,
  image: i32,
  firstRow: i32,
  rows: i32,
  first: i32,
  channels: i32,
  d: usize,
  sums: usize,
  scratch: usize,
): void {
  const error = scratch + <usize>job.error;
  const pixel = <usize>(channels << 2);
  const columns = 4 * shape.across;
  const row = pixel * <usize>columns;
  // Pixels of tiles that reach beyond the image, or that pooling dropped, stay zero.
  if ((shape.h | shape.w) & 3) memory.fill(error, 0, row * <usize>(4 * rows));
  const side = 4 / shape.pool;
  const top = firstRow * side;
  const pooled = (<usize>((image * shape.ph + top) * shape.pw * shape.o + first)) << 2;
  const full = (<usize>((image * shape.h + 4 * firstRow) * shape.w * shape.o + first)) << 2;
  buildError(
    job.dy + pooled,
    job.argmax ? job.argmax + pooled : 0,
    job.yBefore + pooled,
    job.yAfter + full,
    shape.before,
    shape.after,
    shape.pool,
    min(rows * side, shape.ph - top),
    shape.pw,
    shape.w,
    shape.o,
    channels,
    error,
    pixel,
    row,
  );
  if (sums) {
    const sumPitch = <usize>(9 * shape.c + 1) * panelPitch;
    for (let k: usize = 0; k < pixel; k += 32) {
      const to = sums + (k / panelPitch) * sumPitch + (k % panelPitch);
      let left = v128.load(to);
      let right = v128.load(to, 16);
      for (let i = 0, from = error + k; i < 4 * rows * columns; i++, from += pixel) {
        left = f32x4.add(left, v128.load(from));
        right = f32x4.add(right, v128.load(from, 16));
      }
      v128.store(to, left);
      v128.store(to, right, 16);
    }
  }
  const plane = <usize>job.planeD;
  for (let ty = 0; ty < rows; ty++)
    for (let tx = 0; tx < shape.across; tx++) {
      const corner = error + <usize>(4 * ty) * row + <usize>(4 * tx) * pixel;
      for (let k: usize = 0; k < pixel; k += groupBytes) {
        for (let j: usize = 0; j < 4; j++)
          errorTransform(corner + k + j * pixel, row, scratch + j * groupBytes, 4 * groupBytes);
        for (let i: usize = 0; i < 6; i++)
          errorTransform(scratch + i * 4 * groupBytes, groupBytes, d + k + 6 * i * plane, plane);
      }
      d += pixel;
    }
}

/** One tile of products → errors of 6 × 6 pixels, added to the picture of dx at `corner`. */
function addTile(m: usize, plane: usize, corner: usize, row: usize, pixel: usize, temporary: usize): void {
  const tile = temporary + tileBytes;
  for (let k: usize = 0; k < pixel; k += groupBytes) {
    for (let j: usize = 0; j < 6; j++)
      inputAdjoint(m + k + j * plane, 6 * plane, temporary + j * groupBytes, 6 * groupBytes);
    for (let i: usize = 0; i < 6; i++) {
      inputAdjoint(temporary + i * 6 * groupBytes, groupBytes, tile, groupBytes);
      const to = corner + k + i * row;
      for (let j: usize = 0; j < 6; j++) addGroups(to + j * pixel, tile + j * groupBytes, to + j * pixel);
    }
  }
}

/** The picture of dx without its frame → dx. */
function storeInterior(job: WinogradBackward, shape: WinogradShape, image: i32, picture: usize): void {
  const pixel = <usize>(shape.c << 2);
  const row = pixel * <usize>(4 * shape.across + 2);
  const bytes = pixel * <usize>shape.w;
  const to = job.dx + <usize>image * <usize>shape.h * bytes;
  for (let i = 0; i < shape.h; i++) memory.copy(to + <usize>i * bytes, picture + <usize>(i + 1) * row + pixel, bytes);
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

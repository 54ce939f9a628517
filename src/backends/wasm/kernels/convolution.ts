// Convolutions as products of matrices, with what stands around them done while an image is in cache: bias, activation and pooling behind
// the forward convolution, unpooling and activation derivatives before the backward one.
//
// Each task frames its images with zeros in scratch, so that no window leaves the picture. The rows of a window then stand as
// segments of kw·c numbers; where those are short (a picture of three channels), patches are gathered into a matrix first.
import {
  buildError,
  ErrorFrame,
  frameOrigin,
  framePicture,
  gatherPatches,
  packError,
  storeActivated,
  storePooled,
} from "./picture";
import { panelColumns } from "./micro-kernels";
import { multiplyColumns, multiplyRows, panelPitch, panelsOf } from "./product";
import { copyFloats } from "./vectors";

/** A window sliding over a framed picture, and where its parts stand in scratch (bytes from the task's start). */
@unmanaged
class Sliding {
  /** Channels of the picture. */
  c: i32;
  kh: i32;
  kw: i32;
  stride: i32;
  /** Pixels of a row of the picture. */
  columns: i32;
  /** 1: patches are gathered into a matrix. */
  gathered: i32;
  /** Places in scratch. */
  picture: i32;
  matrix: i32;
}

/** result [rows·width, panels·panelColumns] = windows of the picture · panels [kh·kw·c, panelColumns], added to what stands there unless `fresh`. */
function slide(
  fresh: bool,
  job: Sliding,
  scratch: usize,
  rows: i32,
  width: i32,
  panels: i32,
  b: usize,
  result: usize,
): void {
  const pitchC = <usize>panels * panelPitch;
  const length = job.kw * job.c;
  const panelBytes = <usize>(job.kh * length) * panelPitch;
  const picture = scratch + <usize>job.picture;
  if (job.gathered) {
    const matrix = scratch + <usize>job.matrix;
    gatherPatches(picture, job.columns, job.c, job.kh, job.kw, job.stride, rows, width, matrix);
    const k = job.kh * length;
    for (let panel = 0; panel < panels; panel++) {
      multiplyRows(fresh, rows * width, 1, k, 0, matrix, <usize>(k << 2), b, result, pitchC);
      b += panelBytes;
      result += panelPitch;
    }
    return;
  }
  const rowPitch = <usize>((job.columns * job.c) << 2);
  const pixelPitch = <usize>((job.stride * job.c) << 2);
  for (let panel = 0; panel < panels; panel++) {
    let from = picture;
    let to = result;
    for (let row = 0; row < rows; row++) {
      multiplyRows(fresh, width, job.kh, length, rowPitch, from, pixelPitch, b, to, pitchC);
      from += <usize>job.stride * rowPitch;
      to += <usize>width * pitchC;
    }
    b += panelBytes;
    result += panelPitch;
  }
}

@unmanaged
class ConvolutionForward {
  x: usize;
  /** Packed weights [panel][kh·kw·c][panelColumns]. */
  weights: usize;
  /** 0: none. */
  bias: usize;
  y: usize;
  /** 0: no pooling. */
  argmax: usize;
  h: i32;
  w: i32;
  padding: i32;
  /** Output rows that are wanted, and pixels in each. */
  oh: i32;
  ow: i32;
  o: i32;
  /** Output rows of a task, a multiple of `pool`. */
  blockRows: i32;
  blocks: i32;
  pool: i32;
  /** Activations before and after pooling; without pooling only `before`. */
  before: i32;
  after: i32;
  result: i32;
}

/** Task = image × block of rows. The parameter block: ConvolutionForward, then Sliding. */
export function convolutionForward(p: usize, task: i32, scratch: usize): void {
  const job = changetype<ConvolutionForward>(p);
  const window = changetype<Sliding>(p + offsetof<ConvolutionForward>());
  const image = task / job.blocks;
  const first = (task % job.blocks) * job.blockRows;
  const rows = min(job.blockRows, job.oh - first);
  const panels = panelsOf(job.o);
  const pitch = <usize>panels * panelPitch;
  const result = scratch + <usize>job.result;
  const pixels = rows * job.ow;

  framePicture(
    job.x + <usize>image * <usize>((job.h * job.w * window.c) << 2),
    job.h,
    job.w,
    window.c,
    scratch + <usize>window.picture,
    (rows - 1) * window.stride + window.kh,
    window.columns,
    job.padding - first * window.stride,
    job.padding,
  );
  if (job.bias) for (let i = 0; i < pixels; i++) copyFloats(result + <usize>i * pitch, job.bias, job.o);
  slide(job.bias == 0, window, scratch, rows, job.ow, panels, job.weights, result);

  const pixel = <usize>(job.o << 2);
  if (job.argmax) {
    const pw = job.ow / job.pool;
    const at = (<usize>image * <usize>(job.oh / job.pool) + <usize>(first / job.pool)) * <usize>pw * pixel;
    if (job.before) storeActivated(result, pitch, pixels, panels * panelColumns, job.before, result);
    storePooled(result, pitch, rows, job.ow, job.o, job.pool, job.y + at, job.argmax + at);
    if (job.after) {
      const pooled = (rows / job.pool) * pw;
      storeActivated(job.y + at, pixel, pooled, job.o, job.after, job.y + at);
    }
  } else {
    const at = (<usize>image * <usize>job.oh + <usize>first) * <usize>job.ow * pixel;
    storeActivated(result, pitch, pixels, job.o, job.before, job.y + at);
  }
}

@unmanaged
class ConvolutionBackward {
  dy: usize;
  /** 0: no pooling. */
  argmax: usize;
  /** Outputs that the activation derivatives before and after unpooling are read off; 0: none. */
  yBefore: usize;
  yAfter: usize;
  /** Input of the convolution, for the weight gradient. */
  x: usize;
  /** Packed transposed weights; 0: no input gradient. */
  weights: usize;
  dx: usize;
  /** Sums [groups][panels][kh·kw·c + 1][panelColumns], the last row the error's own sum; 0: no weight gradient. */
  partials: usize;
  n: i32;
  groups: i32;
  h: i32;
  w: i32;
  c: i32;
  padding: i32;
  oh: i32;
  ow: i32;
  o: i32;
  ph: i32;
  pw: i32;
  pool: i32;
  before: i32;
  after: i32;
  /** Bytes from the task's start in scratch. */
  result: i32;
  errorPanels: i32;
  /** 1: only the sums of the error are wanted, no weight gradient. */
  onlySums: i32;
  /** 1: no sums are wanted and the error stands without a frame, so the weight gradient reads its picture as it is. */
  unpacked: i32;
}

/** Task = group of images. The parameter block: ConvolutionBackward, ErrorFrame, Sliding over the error, Sliding over the input. */
export function convolutionBackward(p: usize, task: i32, scratch: usize): void {
  const job = changetype<ConvolutionBackward>(p);
  p += offsetof<ConvolutionBackward>();
  const frame = changetype<ErrorFrame>(p);
  p += offsetof<ErrorFrame>();
  const overError = changetype<Sliding>(p);
  p += offsetof<Sliding>();
  const overInput = changetype<Sliding>(p);

  const error = scratch + <usize>overError.picture;
  const imageX = <usize>((job.h * job.w * job.c) << 2);
  const imageY = <usize>((job.oh * job.ow * job.o) << 2);
  const imageP = <usize>((job.ph * job.pw * job.o) << 2);
  const panelsO = panelsOf(job.o);
  const panelsC = panelsOf(job.c);
  const rowsOfPanel = overInput.kh * overInput.kw * job.c + 1;
  const partials = job.partials + <usize>task * <usize>(panelsO * rowsOfPanel) * panelPitch;
  if (job.partials) memory.fill(partials, 0, <usize>(panelsO * rowsOfPanel) * panelPitch);
  memory.fill(error, 0, <usize>((frame.rows * frame.columns * job.o) << 2));

  const end = ((task + 1) * job.n) / job.groups;
  for (let image = (task * job.n) / job.groups; image < end; image++) {
    const i = <usize>image;
    buildError(
      job.dy + i * imageP,
      job.argmax ? job.argmax + i * imageP : 0,
      job.yBefore + i * imageP,
      job.yAfter + i * imageY,
      job.before,
      job.after,
      job.pool,
      job.ph,
      job.pw,
      job.ow,
      job.o,
      job.o,
      frameOrigin(error, frame, job.o),
      (<usize>(frame.dilation * job.o)) << 2,
      (<usize>(frame.dilation * frame.columns * job.o)) << 2,
    );
    if (job.weights) {
      const result = scratch + <usize>job.result;
      const pitch = <usize>panelsC * panelPitch;
      slide(true, overError, scratch, job.h, job.w, panelsC, job.weights, result);
      storeActivated(result, pitch, job.h * job.w, job.c, 0, job.dx + i * imageX);
    }
    if (job.partials) {
      const panels = scratch + <usize>job.errorPanels;
      const sums = partials + <usize>(rowsOfPanel - 1) * panelPitch;
      if (!job.unpacked) packError(error, frame, job.oh, job.ow, job.o, panels, sums, <usize>rowsOfPanel * panelPitch);
      if (!job.onlySums) {
        const x = job.x + i * imageX;
        if (job.unpacked)
          addWeightGradient(job, overInput, x, error, <usize>(job.o << 2), panelPitch, partials, scratch);
        else {
          const panelBytes = <usize>(job.oh * job.ow) * panelPitch;
          addWeightGradient(job, overInput, x, panels, panelPitch, panelBytes, partials, scratch);
        }
      }
    }
  }
}

/**
 * partials [panel][kh·kw·c (+ 1)][panelColumns] += windows of one image, transposed · its error, whose pixels stand `pitchError` bytes
 * apart and whose panels `panelError`.
 */
function addWeightGradient(
  job: ConvolutionBackward,
  window: Sliding,
  x: usize,
  error: usize,
  pitchError: usize,
  panelError: usize,
  partials: usize,
  scratch: usize,
): void {
  const picture = scratch + <usize>window.picture;
  const rows = (job.oh - 1) * window.stride + window.kh;
  framePicture(x, job.h, job.w, job.c, picture, rows, window.columns, job.padding, job.padding);
  const length = window.kw * job.c;
  const pixels = job.oh * job.ow;
  const panelBytes = <usize>(window.kh * length + 1) * panelPitch;
  const matrix = scratch + <usize>window.matrix;
  if (window.gathered)
    gatherPatches(picture, window.columns, job.c, window.kh, window.kw, window.stride, job.oh, job.ow, matrix);
  const rowPitch = <usize>((window.columns * job.c) << 2);
  const pixelPitch = <usize>((window.stride * job.c) << 2);
  for (let panel = panelsOf(job.o); panel > 0; panel--) {
    if (window.gathered) {
      const k = window.kh * length;
      multiplyColumns(false, k, 1, pixels, 0, matrix, <usize>(k << 2), error, pitchError, partials, panelPitch);
    } else {
      for (let ky = 0; ky < window.kh; ky++) {
        const to = partials + <usize>(ky * length) * panelPitch;
        const from = picture + <usize>ky * rowPitch;
        const runPitch = <usize>window.stride * rowPitch;
        multiplyColumns(false, length, job.oh, job.ow, runPitch, from, pixelPitch, error, pitchError, to, panelPitch);
      }
    }
    error += panelError;
    partials += panelBytes;
  }
}

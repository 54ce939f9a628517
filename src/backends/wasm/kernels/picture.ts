// Pictures in scratch memory: an image with a border of zeros, its patches as rows of a matrix, and errors on their way back through
// pooling and activation.
import { panelColumns } from "./micro-kernels";
import { panelPitch } from "./product";
import { activate, activationError, copyFloats, hardtanh, loadFirst, none, relu, storeFirst, tanh } from "./vectors";

/**
 * image [h, w, c] → picture [rows, columns, c]: pixel (i, j) goes to (top + i, left + j), zeros elsewhere; what falls outside is left out.
 * `top` may be negative: then the picture shows later rows of the image.
 */
export function framePicture(
  image: usize,
  h: i32,
  w: i32,
  c: i32,
  picture: usize,
  rows: i32,
  columns: i32,
  top: i32,
  left: i32,
): void {
  const pixel = <usize>(c << 2);
  const rowBytes = pixel * <usize>columns;
  const seen = min(w, columns - left);
  const border = <usize>left * pixel;
  const body = <usize>seen * pixel;
  for (let row = 0; row < rows; row++) {
    const i = row - top;
    if (i < 0 || i >= h) memory.fill(picture, 0, rowBytes);
    else {
      if (border > 0) memory.fill(picture, 0, border);
      memory.copy(picture + border, image + <usize>i * <usize>w * pixel, body);
      if (rowBytes > border + body) memory.fill(picture + border + body, 0, rowBytes - border - body);
    }
    picture += rowBytes;
  }
}

/** picture → matrix [h·w, kh·kw·c]: row (i, j) holds the window whose corner stands at (i·stride, j·stride). */
export function gatherPatches(
  picture: usize,
  columns: i32,
  c: i32,
  kh: i32,
  kw: i32,
  stride: i32,
  h: i32,
  w: i32,
  matrix: usize,
): void {
  const length = kw * c;
  const pitch = <usize>((columns * c) << 2);
  for (let i = 0; i < h; i++) {
    let corner = picture + <usize>(i * stride) * pitch;
    for (let j = 0; j < w; j++) {
      let from = corner;
      for (let ky = 0; ky < kh; ky++) {
        copyFloats(matrix, from, length);
        matrix += <usize>(length << 2);
        from += pitch;
      }
      corner += <usize>((stride * c) << 2);
    }
  }
}

/** Where the pixels of an error stand in its picture: pixel (i, j) at (top + i·dilation, left + j·dilation) of a row of `columns`. */
@unmanaged
export class ErrorFrame {
  top: i32;
  left: i32;
  dilation: i32;
  rows: i32;
  columns: i32;
}

@inline
export function frameOrigin(picture: usize, frame: ErrorFrame, o: i32): usize {
  return picture + ((<usize>((frame.top * frame.columns + frame.left) * o)) << 2);
}

/**
 * The error at a convolution's output: dy [ph, pw, o] → activation derivative `before` (by yBefore, of dy's shape) → unpooling by argmax
 * (0: none) → activation derivative `after` (by yAfter [·, ow, o]) → picture, whose pixels stand `step` bytes apart from `origin` on and
 * whose rows `rowStep`. Only the first `channels` of the o channels at the given addresses are taken.
 */
export function buildError(
  dy: usize,
  argmax: usize,
  yBefore: usize,
  yAfter: usize,
  before: i32,
  after: i32,
  size: i32,
  ph: i32,
  pw: i32,
  ow: i32,
  o: i32,
  channels: i32,
  origin: usize,
  step: usize,
  rowStep: usize,
): void {
  // One loop per kind, as in storeActivated.
  if (before == hardtanh)
    routeError(dy, argmax, yBefore, yAfter, hardtanh, after, size, ph, pw, ow, o, channels, origin, step, rowStep);
  else if (before == tanh)
    routeError(dy, argmax, yBefore, yAfter, tanh, after, size, ph, pw, ow, o, channels, origin, step, rowStep);
  else if (before == relu)
    routeError(dy, argmax, yBefore, yAfter, relu, after, size, ph, pw, ow, o, channels, origin, step, rowStep);
  else if (after == none)
    routeError(dy, argmax, yBefore, yAfter, none, none, size, ph, pw, ow, o, channels, origin, step, rowStep);
  else if (after == hardtanh)
    routeError(dy, argmax, yBefore, yAfter, none, hardtanh, size, ph, pw, ow, o, channels, origin, step, rowStep);
  else routeError(dy, argmax, yBefore, yAfter, none, after, size, ph, pw, ow, o, channels, origin, step, rowStep);
}

@inline
function routeError(
  dy: usize,
  argmax: usize,
  yBefore: usize,
  yAfter: usize,
  before: i32,
  after: i32,
  size: i32,
  ph: i32,
  pw: i32,
  ow: i32,
  o: i32,
  channels: i32,
  origin: usize,
  step: usize,
  rowStep: usize,
): void {
  const pixel = <usize>(o << 2);
  for (let i = 0; i < ph; i++) {
    for (let j = 0; j < pw; j++) {
      const corner = origin + <usize>(i * size) * rowStep + <usize>(j * size) * step;
      for (let k = 0; k < channels; k += 4) {
        const count = channels - k;
        const at = <usize>(k << 2);
        let error = loadFirst(dy + at, count);
        if (before != none) error = activationError(before, error, loadFirst(yBefore + at, count));
        if (argmax == 0) {
          if (after != none)
            error = activationError(after, error, loadFirst(yAfter + <usize>(i * ow + j) * pixel + at, count));
          storeFirst(corner + at, error, count);
        } else {
          const winner = loadFirst(argmax + at, count);
          let place = 0;
          for (let a = 0; a < size; a++) {
            for (let b = 0; b < size; b++) {
              let routed = v128.and(error, i32x4.eq(winner, i32x4.splat(place)));
              if (after != none) {
                const y = yAfter + <usize>((i * size + a) * ow + j * size + b) * pixel + at;
                routed = activationError(after, routed, loadFirst(y, count));
              }
              storeFirst(corner + <usize>a * rowStep + <usize>b * step + at, routed, count);
              place++;
            }
          }
        }
      }
      dy += pixel;
      if (argmax) argmax += pixel;
      if (before != none) yBefore += pixel;
    }
  }
}

/** The error's picture → panels [panel][oh·ow][panelColumns], and its sums over pixels added to `sums` [panel] at `sumPitch` bytes from one another. */
export function packError(
  picture: usize,
  frame: ErrorFrame,
  oh: i32,
  ow: i32,
  o: i32,
  panels: usize,
  sums: usize,
  sumPitch: usize,
): void {
  const pixel = <usize>(o << 2);
  const step = <usize>frame.dilation * pixel;
  const rowStep = <usize>(frame.dilation * frame.columns) * pixel;
  const origin = picture + <usize>(frame.top * frame.columns + frame.left) * pixel;
  const panelBytes = <usize>(oh * ow) * panelPitch;
  for (let k = 0; k < o; k += panelColumns) {
    // Eight columns at a time: two sums in registers.
    for (let column = 0; column < panelColumns; column += 8) {
      const count = o - k - column;
      const offset = <usize>(column << 2);
      let to = panels + offset;
      let sumLeft = v128.load(sums + offset);
      let sumRight = v128.load(sums + offset, 16);
      for (let i = 0; i < oh; i++) {
        let from = origin + <usize>i * rowStep + <usize>(k << 2) + offset;
        for (let j = 0; j < ow; j++) {
          const left = count > 0 ? loadFirst(from, count) : f32x4.splat(0);
          const right = count > 4 ? loadFirst(from + 16, count - 4) : f32x4.splat(0);
          v128.store(to, left);
          v128.store(to, right, 16);
          sumLeft = f32x4.add(sumLeft, left);
          sumRight = f32x4.add(sumRight, right);
          to += panelPitch;
          from += step;
        }
      }
      v128.store(sums + offset, sumLeft);
      v128.store(sums + offset, sumRight, 16);
    }
    panels += panelBytes;
    sums += sumPitch;
  }
}

/** result [pixels, `pitch` bytes each] → y [pixels, o] through the activation. */
export function storeActivated(result: usize, pitch: usize, pixels: i32, o: i32, kind: i32, y: usize): void {
  // One loop per kind: a test inside the loop made V8 compute every kind and select.
  if (kind == hardtanh) storeThrough(hardtanh, result, pitch, pixels, o, y);
  else if (kind == relu) storeThrough(relu, result, pitch, pixels, o, y);
  else if (kind == tanh) storeThrough(tanh, result, pitch, pixels, o, y);
  else storeThrough(none, result, pitch, pixels, o, y);
}

@inline
function storeThrough(kind: i32, result: usize, pitch: usize, pixels: i32, o: i32, y: usize): void {
  for (let i = 0; i < pixels; i++) {
    for (let k = 0; k < o; k += 4) {
      const count = o - k;
      storeFirst(y, activate(kind, v128.load(result + <usize>(k << 2))), count);
      y += min(16, <usize>(count << 2));
    }
    result += pitch;
  }
}

/**
 * result [rows, ow pixels of `pitch` bytes] → maximum of each window of size² and its place, the first of equals →
 * y, argmax [⌊rows/size⌋, ⌊ow/size⌋, o].
 */
export function storePooled(
  result: usize,
  pitch: usize,
  rows: i32,
  ow: i32,
  o: i32,
  size: i32,
  y: usize,
  argmax: usize,
): void {
  const ph = rows / size;
  const pw = ow / size;
  for (let i = 0; i < ph; i++) {
    for (let j = 0; j < pw; j++) {
      const corner = result + <usize>(i * size * ow + j * size) * pitch;
      for (let k = 0; k < o; k += 4) {
        let best = f32x4.splat(-Infinity);
        let winner = i32x4.splat(0);
        let place = 0;
        for (let a = 0; a < size; a++) {
          let at = corner + <usize>(a * ow) * pitch + <usize>(k << 2);
          for (let b = 0; b < size; b++) {
            const value = v128.load(at);
            const wins = f32x4.gt(value, best);
            best = v128.bitselect(value, best, wins);
            winner = v128.bitselect(i32x4.splat(place), winner, wins);
            place++;
            at += pitch;
          }
        }
        const count = o - k;
        storeFirst(y, best, count);
        storeFirst(argmax, winner, count);
        y += min(16, <usize>(count << 2));
        argmax += min(16, <usize>(count << 2));
      }
    }
  }
}

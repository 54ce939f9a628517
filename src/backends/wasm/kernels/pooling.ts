// Fast pooling kernels: maximum and mean over square windows, and their gradients; channels last, four at a time.
//
// A task is some of the n · h' rows of pooled pixels. Letters: h w of the full picture, h' w' of the pooled one, c channels.
import { loadFirst, storeFirst } from "./vectors";

/** First row of full pixels under pooled row `row` of all n · h'. */
@inline
function firstRow(row: i32, pooledH: i32, size: i32, h: i32): usize {
  return <usize>((row / pooledH) * h + (row % pooledH) * size);
}

/** Sets to 0 what no window covers beside and, in a picture's last pooled row, below the windows of `row`. */
function clearRemainder(dx: usize, row: i32, pooledH: i32, size: i32, h: i32, rowBytes: usize, covered: usize): void {
  if (covered < rowBytes)
    for (let ky = 0; ky < size; ky++) memory.fill(dx + <usize>ky * rowBytes + covered, 0, rowBytes - covered);
  if (row % pooledH == pooledH - 1) memory.fill(dx + <usize>size * rowBytes, 0, <usize>(h - pooledH * size) * rowBytes);
}

/**
 * x [n, h, w, c] → y, argmax i32 [n, h', w', c], the first maximum of each window, row by row.
 * Words: x, y, argmax, n · h', rows per task, h', w', h, w, c, size.
 */
export function maxPool(p: usize, task: i32, scratch: usize): void {
  const perTask = load<i32>(p, 16);
  const last = min((task + 1) * perTask, load<i32>(p, 12));
  const pooledW = load<i32>(p, 24);
  const c = load<i32>(p, 36);
  const size = load<i32>(p, 40);
  const pixel = (<usize>c) << 2;
  const rowBytes = <usize>load<i32>(p, 32) * pixel;
  for (let row = task * perTask; row < last; row++) {
    let x = load<usize>(p) + firstRow(row, load<i32>(p, 20), size, load<i32>(p, 28)) * rowBytes;
    let offset = <usize>(row * pooledW) * pixel;
    for (let column = 0; column < pooledW; column++, x += <usize>size * pixel, offset += pixel)
      for (let k = 0; k < c; k += 4) {
        let line = x + ((<usize>k) << 2);
        let best = loadFirst(line, c - k);
        let argmax = i32x4.splat(0);
        for (let ky = 0, place = 0; ky < size; ky++, line += rowBytes)
          for (let kx = 0, at = line; kx < size; kx++, at += pixel, place++) {
            const value = loadFirst(at, c - k);
            argmax = v128.bitselect(i32x4.splat(place), argmax, f32x4.gt(value, best));
            best = f32x4.pmax(best, value);
          }
        storeFirst(load<usize>(p, 4) + offset + ((<usize>k) << 2), best, c - k);
        storeFirst(load<usize>(p, 8) + offset + ((<usize>k) << 2), argmax, c - k);
      }
  }
}

/**
 * dy, argmax i32 [n, h', w', c] → dx [n, h, w, c]: each error goes to the place that won.
 * Words: dy, argmax, dx, n · h', rows per task, h', w', h, w, c, size.
 */
export function maxPoolGradient(p: usize, task: i32, scratch: usize): void {
  const perTask = load<i32>(p, 16);
  const last = min((task + 1) * perTask, load<i32>(p, 12));
  const pooledH = load<i32>(p, 20);
  const pooledW = load<i32>(p, 24);
  const h = load<i32>(p, 28);
  const c = load<i32>(p, 36);
  const size = load<i32>(p, 40);
  const pixel = (<usize>c) << 2;
  const rowBytes = <usize>load<i32>(p, 32) * pixel;
  for (let row = task * perTask; row < last; row++) {
    let dx = load<usize>(p, 8) + firstRow(row, pooledH, size, h) * rowBytes;
    clearRemainder(dx, row, pooledH, size, h, rowBytes, <usize>(pooledW * size) * pixel);
    let offset = <usize>(row * pooledW) * pixel;
    for (let column = 0; column < pooledW; column++, dx += <usize>size * pixel, offset += pixel)
      for (let k = 0; k < c; k += 4) {
        const dy = loadFirst(load<usize>(p) + offset + ((<usize>k) << 2), c - k);
        const argmax = loadFirst(load<usize>(p, 4) + offset + ((<usize>k) << 2), c - k);
        let line = dx + ((<usize>k) << 2);
        for (let ky = 0, place = 0; ky < size; ky++, line += rowBytes)
          for (let kx = 0, at = line; kx < size; kx++, at += pixel, place++)
            storeFirst(at, v128.and(dy, i32x4.eq(argmax, i32x4.splat(place))), c - k);
      }
  }
}

/** x [n, h, w, c] → y [n, h', w', c]. Words: x, y, n · h', rows per task, h', w', h, w, c, size. */
export function averagePool(p: usize, task: i32, scratch: usize): void {
  const perTask = load<i32>(p, 12);
  const last = min((task + 1) * perTask, load<i32>(p, 8));
  const pooledW = load<i32>(p, 20);
  const c = load<i32>(p, 32);
  const size = load<i32>(p, 36);
  const area = f32x4.splat(<f32>(size * size));
  const pixel = (<usize>c) << 2;
  const rowBytes = <usize>load<i32>(p, 28) * pixel;
  for (let row = task * perTask; row < last; row++) {
    let x = load<usize>(p) + firstRow(row, load<i32>(p, 16), size, load<i32>(p, 24)) * rowBytes;
    let y = load<usize>(p, 4) + <usize>(row * pooledW) * pixel;
    for (let column = 0; column < pooledW; column++, x += <usize>size * pixel, y += pixel)
      for (let k = 0; k < c; k += 4) {
        let line = x + ((<usize>k) << 2);
        let sum = f32x4.splat(0);
        for (let ky = 0; ky < size; ky++, line += rowBytes)
          for (let kx = 0, at = line; kx < size; kx++, at += pixel) sum = f32x4.add(sum, loadFirst(at, c - k));
        storeFirst(y + ((<usize>k) << 2), f32x4.div(sum, area), c - k);
      }
  }
}

/** dy [n, h', w', c] → dx [n, h, w, c]. Words: dy, dx, n · h', rows per task, h', w', h, w, c, size. */
export function averagePoolGradient(p: usize, task: i32, scratch: usize): void {
  const perTask = load<i32>(p, 12);
  const last = min((task + 1) * perTask, load<i32>(p, 8));
  const pooledH = load<i32>(p, 16);
  const pooledW = load<i32>(p, 20);
  const h = load<i32>(p, 24);
  const c = load<i32>(p, 32);
  const size = load<i32>(p, 36);
  const area = f32x4.splat(<f32>(size * size));
  const pixel = (<usize>c) << 2;
  const rowBytes = <usize>load<i32>(p, 28) * pixel;
  for (let row = task * perTask; row < last; row++) {
    let dx = load<usize>(p, 4) + firstRow(row, pooledH, size, h) * rowBytes;
    clearRemainder(dx, row, pooledH, size, h, rowBytes, <usize>(pooledW * size) * pixel);
    let dy = load<usize>(p) + <usize>(row * pooledW) * pixel;
    for (let column = 0; column < pooledW; column++, dx += <usize>size * pixel, dy += pixel)
      for (let k = 0; k < c; k += 4) {
        const share = f32x4.div(loadFirst(dy + ((<usize>k) << 2), c - k), area);
        let line = dx + ((<usize>k) << 2);
        for (let ky = 0; ky < size; ky++, line += rowBytes)
          for (let kx = 0, at = line; kx < size; kx++, at += pixel) storeFirst(at, share, c - k);
      }
  }
}

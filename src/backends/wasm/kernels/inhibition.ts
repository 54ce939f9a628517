// Fast kernels of the triangle, y = [x − mean]₊ over the units of each place, and of its derivative: channels last, four at a time.
//
// A task is some of the places. Letter: c units of a place.
import { loadFirst, storeFirst } from "./vectors";

/** All four numbers of a vector, over c. */
@inline
function meanOf(sums: v128, c: i32): v128 {
  const pairs = f32x4.add(sums, v128.shuffle<f32>(sums, sums, 2, 3, 0, 1));
  const all = f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2));
  return f32x4.div(all, f32x4.splat(<f32>c));
}

/** x, y [places, c]. Words: x, y, places, c, places per task. */
export function triangle(p: usize, task: i32, scratch: usize): void {
  const c = load<i32>(p, 12);
  const first = task * load<i32>(p, 16);
  const last = min(first + load<i32>(p, 16), load<i32>(p, 8));
  for (let place = first; place < last; place++) {
    const offset = (<usize>place * <usize>c) << 2;
    const x = load<usize>(p) + offset;
    const y = load<usize>(p, 4) + offset;
    let sums = f32x4.splat(0);
    for (let k = 0; k < c; k += 4) sums = f32x4.add(sums, loadFirst(x + ((<usize>k) << 2), c - k));
    const mean = meanOf(sums, c);
    for (let k = 0; k < c; k += 4) {
      const above = f32x4.sub(loadFirst(x + ((<usize>k) << 2), c - k), mean);
      storeFirst(y + ((<usize>k) << 2), f32x4.pmax(above, f32x4.splat(0)), c - k);
    }
  }
}

/** dx = g − mean of g, g = dy where y > 0. dy, y, dx [places, c]. Words: dy, y, dx, places, c, places per task. */
export function triangleGradient(p: usize, task: i32, scratch: usize): void {
  const c = load<i32>(p, 16);
  const first = task * load<i32>(p, 20);
  const last = min(first + load<i32>(p, 20), load<i32>(p, 12));
  for (let place = first; place < last; place++) {
    const offset = (<usize>place * <usize>c) << 2;
    const dy = load<usize>(p) + offset;
    const y = load<usize>(p, 4) + offset;
    const dx = load<usize>(p, 8) + offset;
    let sums = f32x4.splat(0);
    for (let k = 0; k < c; k += 4) sums = f32x4.add(sums, gated(dy, y, k, c));
    const mean = meanOf(sums, c);
    for (let k = 0; k < c; k += 4) storeFirst(dx + ((<usize>k) << 2), f32x4.sub(gated(dy, y, k, c), mean), c - k);
  }
}

/** Four errors of a place from unit k on, 0 where the unit is silent and beyond unit c. */
@inline
function gated(dy: usize, y: usize, k: i32, c: i32): v128 {
  const at = (<usize>k) << 2;
  return v128.and(loadFirst(dy + at, c - k), f32x4.gt(loadFirst(y + at, c - k), f32x4.splat(0)));
}

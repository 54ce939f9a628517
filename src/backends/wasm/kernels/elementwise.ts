// Fast elementwise kernels on float32 arrays: bias, activations, linear combination, gathers and Gaussian noise.
//
// p is the block of 32-bit words that lower/simple.ts writes; the line above a kernel lists its words and shapes.

import { activate, activationError, copyFloats, hardtanh, loadFirst, relu, storeFirst, tanh } from "./vectors";

/** Copies `source` [c] `times` times, so that one flat loop runs over as many rows of c numbers. */
function repeat(source: usize, c: i32, times: i32, target: usize): void {
  for (let i = 0; i < times; i++)
    for (let k = 0; k < c; k++, target += 4) store<f32>(target, load<f32>(source + ((<usize>k) << 2)));
}

/** y = x + b for `count` numbers. */
function add(x: usize, b: usize, y: usize, count: i32): void {
  for (; count > 0; count -= 4, x += 16, b += 16, y += 16)
    storeFirst(y, f32x4.add(loadFirst(x, count), loadFirst(b, count)), count);
}

/** x [rows, c], b [c] → y [rows, c]. Words: x, b, y, rows, c, rows per task, rows per group (group · c is a multiple of 4). */
export function addBias(p: usize, task: i32, scratch: usize): void {
  const c = load<i32>(p, 16);
  const first = task * load<i32>(p, 20);
  const group = load<i32>(p, 24);
  const bytes = <usize>first * c * 4;
  let x = load<usize>(p) + bytes;
  let y = load<usize>(p, 8) + bytes;
  let left = min(load<i32>(p, 20), load<i32>(p, 12) - first) * c;
  const width = group * c;
  repeat(load<usize>(p, 4), c, min(group, left / c), scratch);
  for (; left > 0; left -= width) {
    add(x, scratch, y, min(width, left));
    x += (<usize>width) << 2;
    y += (<usize>width) << 2;
  }
}

/** Groups of rows that are summed in float32 before their sums join a float64 total. */
const groupsPerFlush = 64;

/**
 * dy [rows, c] → partials f64 [tasks, c], the sums over each task's rows.
 * Words: dy, partials, rows, c, rows per task, rows per group (group · c is a multiple of 4).
 */
export function biasGradient(p: usize, task: i32, scratch: usize): void {
  const c = load<i32>(p, 12);
  const first = task * load<i32>(p, 16);
  const group = load<i32>(p, 20);
  const width = group * c;
  const totals = load<usize>(p, 4) + <usize>task * c * 8;
  let dy = load<usize>(p) + <usize>first * c * 4;
  let left = min(load<i32>(p, 16), load<i32>(p, 8) - first) * c;
  memory.fill(totals, 0, (<usize>c) << 3);
  memory.fill(scratch, 0, (<usize>width) << 2);
  for (let groups = 1; left > 0; groups++, left -= width) {
    add(scratch, dy, scratch, min(width, left));
    dy += (<usize>width) << 2;
    if (groups % groupsPerFlush == 0 || left <= width) flush(scratch, group, c, totals);
  }
}

/** sums f32 [group, c] join totals f64 [c] and become 0. */
function flush(sums: usize, group: i32, c: i32, totals: usize): void {
  for (let i = 0, at = sums; i < group; i++)
    for (let k: usize = 0; k < <usize>c; k++, at += 4) {
      store<f64>(totals + (k << 3), load<f64>(totals + (k << 3)) + <f64>load<f32>(at));
      store<f32>(at, 0);
    }
}

/** partials f64 [tasks, c] → db [c]. Words: partials, db, tasks, c. */
export function biasGradientTotal(p: usize, task: i32, scratch: usize): void {
  const partials = load<usize>(p);
  const tasks = load<i32>(p, 8);
  const c = load<i32>(p, 12);
  for (let k = 0; k < c; k++) {
    let sum: f64 = 0;
    for (let i = 0; i < tasks; i++) sum += load<f64>(partials + ((<usize>(i * c + k)) << 3));
    store<f32>(load<usize>(p, 4) + ((<usize>k) << 2), <f32>sum);
  }
}

/** y = f(x) with the kind known at compile time. */
@inline
function activation(kind: i32, p: usize, task: i32): void {
  const first = task * load<i32>(p, 12);
  let x = load<usize>(p) + ((<usize>first) << 2);
  let y = load<usize>(p, 4) + ((<usize>first) << 2);
  let left = min(load<i32>(p, 12), load<i32>(p, 8) - first);
  for (; left > 0; left -= 4, x += 16, y += 16) storeFirst(y, activate(kind, loadFirst(x, left)), left);
}

/** y = f(x). Words: x, y, size, chunk. */
export function activationHardtanh(p: usize, task: i32, scratch: usize): void {
  activation(hardtanh, p, task);
}

export function activationTanh(p: usize, task: i32, scratch: usize): void {
  activation(tanh, p, task);
}

export function activationRelu(p: usize, task: i32, scratch: usize): void {
  activation(relu, p, task);
}

@inline
function activationGradient(kind: i32, p: usize, task: i32): void {
  const first = task * load<i32>(p, 16);
  let dy = load<usize>(p) + ((<usize>first) << 2);
  let y = load<usize>(p, 4) + ((<usize>first) << 2);
  let dx = load<usize>(p, 8) + ((<usize>first) << 2);
  let left = min(load<i32>(p, 16), load<i32>(p, 12) - first);
  for (; left > 0; left -= 4, dy += 16, y += 16, dx += 16)
    storeFirst(dx, activationError(kind, loadFirst(dy, left), loadFirst(y, left)), left);
}

/** dx = dy · f′, read off y = f(x). Words: dy, y, dx, size, chunk. */
export function activationGradientHardtanh(p: usize, task: i32, scratch: usize): void {
  activationGradient(hardtanh, p, task);
}

export function activationGradientTanh(p: usize, task: i32, scratch: usize): void {
  activationGradient(tanh, p, task);
}

export function activationGradientRelu(p: usize, task: i32, scratch: usize): void {
  activationGradient(relu, p, task);
}

/** y = alpha·a + beta·b. Words: a, b, y, size, chunk, alpha, beta (f32). */
export function combine(p: usize, task: i32, scratch: usize): void {
  const first = task * load<i32>(p, 16);
  let a = load<usize>(p) + ((<usize>first) << 2);
  let b = load<usize>(p, 4) + ((<usize>first) << 2);
  let y = load<usize>(p, 8) + ((<usize>first) << 2);
  let left = min(load<i32>(p, 16), load<i32>(p, 12) - first);
  const alpha = v128.load32_splat(p, 20);
  const beta = v128.load32_splat(p, 24);
  for (; left > 0; left -= 4, a += 16, b += 16, y += 16)
    storeFirst(y, f32x4.add(f32x4.mul(alpha, loadFirst(a, left)), f32x4.mul(beta, loadFirst(b, left))), left);
}

/** y = |b|·sgn(w), sgn 0 = 0. Words: w, b, y, size, chunk. */
export function matchSigns(p: usize, task: i32, scratch: usize): void {
  const first = task * load<i32>(p, 16);
  let w = load<usize>(p) + ((<usize>first) << 2);
  let b = load<usize>(p, 4) + ((<usize>first) << 2);
  let y = load<usize>(p, 8) + ((<usize>first) << 2);
  let left = min(load<i32>(p, 16), load<i32>(p, 12) - first);
  for (; left > 0; left -= 4, w += 16, b += 16, y += 16) {
    const sign = loadFirst(w, left);
    const matched = v128.bitselect(sign, loadFirst(b, left), i32x4.splat(i32.MIN_VALUE));
    storeFirst(y, v128.and(matched, f32x4.ne(sign, f32x4.splat(0))), left);
  }
}

/** table [N, c], indices i32 [n] → y [n, c]. Words: table, indices, y, n, c, rows per task. Labels are rows of one i32. */
export function gatherRows(p: usize, task: i32, scratch: usize): void {
  const indices = load<usize>(p, 4);
  const c = load<i32>(p, 16);
  const first = task * load<i32>(p, 20);
  const last = min(first + load<i32>(p, 20), load<i32>(p, 12));
  for (let i = first; i < last; i++) {
    const row = load<usize>(p) + <usize>load<i32>(indices + ((<usize>i) << 2)) * c * 4;
    copyFloats(load<usize>(p, 8) + <usize>i * c * 4, row, c);
  }
}

@inline
function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

/** Natural logarithm of numbers in [2⁻²⁴, 1], within 1e-7 relative (Cephes logf). */
@inline
function logOf(x: v128): v128 {
  const half = v128.or(v128.and(x, i32x4.splat(0x7fffff)), i32x4.splat(0x3f000000));
  const small = f32x4.lt(half, f32x4.splat(0.70710678118654752));
  const exponent = i32x4.add(i32x4.sub(i32x4.shr_u(x, 23), i32x4.splat(126)), small);
  const m = f32x4.sub(f32x4.add(half, v128.and(half, small)), f32x4.splat(1));
  const e = f32x4.convert_i32x4_s(exponent);
  const z = f32x4.mul(m, m);
  let y = f32x4.splat(7.0376836292e-2);
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-1.151461031e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(1.167699874e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-1.2420140846e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(1.4249322787e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-1.6668057665e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(2.0000714765e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-2.4999993993e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(3.3333331174e-1));
  y = f32x4.mul(f32x4.mul(y, m), z);
  // ln 2 in two parts, the larger exact in every product.
  y = f32x4.add(y, f32x4.mul(e, f32x4.splat(-2.1219444e-4)));
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)));
  return f32x4.add(f32x4.add(m, y), f32x4.mul(e, f32x4.splat(0.693359375)));
}

/** Sine of angles in [−π/4, π/4] (Cephes sinf). */
@inline
function sineOf(x: v128): v128 {
  const z = f32x4.mul(x, x);
  let y = f32x4.splat(-1.9515295891e-4);
  y = f32x4.add(f32x4.mul(y, z), f32x4.splat(8.3321608736e-3));
  y = f32x4.add(f32x4.mul(y, z), f32x4.splat(-1.6666654611e-1));
  return f32x4.add(x, f32x4.mul(f32x4.mul(y, z), x));
}

/** Cosine of angles in [−π/4, π/4] (Cephes cosf). */
@inline
function cosineOf(x: v128): v128 {
  const z = f32x4.mul(x, x);
  let y = f32x4.splat(2.443315711809948e-5);
  y = f32x4.add(f32x4.mul(y, z), f32x4.splat(-1.388731625493765e-3));
  y = f32x4.add(f32x4.mul(y, z), f32x4.splat(4.166664568298827e-2));
  y = f32x4.add(f32x4.mul(y, z), f32x4.splat(-0.5));
  return f32x4.add(f32x4.mul(y, z), f32x4.splat(1));
}

/** x with its sign turned where bit 1 of `quadrant` is set. */
@inline
function signed(x: v128, quadrant: v128): v128 {
  return v128.xor(x, i32x4.shl(v128.and(quadrant, i32x4.splat(2)), 30));
}

/** y = x + noise for the first `count` numbers of four, none where it is below 1. */
@inline
function perturb(x: usize, y: usize, noise: v128, count: i32): void {
  if (count > 0) storeFirst(y, f32x4.add(loadFirst(x, count), noise), count);
}

/**
 * y = x + sigma·scale·ξ, ξ standard normal by Box–Muller from Threefry-2x32-20 (program/random.ts), two numbers from each counter.
 * Words: x, counter, y, size, chunk (a multiple of 8), sigma (f32), seed, stream, address of the scale (0: the scale is 1).
 */
export function gaussianNoise(p: usize, task: i32, scratch: usize): void {
  const first = task * load<i32>(p, 16);
  let x = load<usize>(p) + ((<usize>first) << 2);
  let y = load<usize>(p, 8) + ((<usize>first) << 2);
  const key0 = load<i32>(p, 24);
  const key1 = load<i32>(p, 28);
  const counter0 = i32x4.splat(load<i32>(load<usize>(p, 4)) + key0);
  let counter1 = i32x4.add(i32x4.splat((first >> 1) + key1), i32x4(0, 1, 2, 3));
  const unit = f32x4.splat(5.9604644775390625e-8); // 2⁻²⁴
  const scale = load<usize>(p, 32);
  const spread = f32x4.splat(scale == 0 ? load<f32>(p, 20) : load<f32>(p, 20) * load<f32>(scale));
  for (let left = min(load<i32>(p, 16), load<i32>(p, 12) - first); left > 0; left -= 8) {
    // Four counters at a time; after every four rounds two words of the key, in turn, join the halves.
    let x0 = counter0;
    let x1 = counter1;
    let a = key1;
    let b = key0 ^ key1 ^ 0x1bd11bda;
    let c = key0;
    for (let fours = 1; fours <= 5; fours++) {
      const odd = (fours & 1) != 0;
      x0 = i32x4.add(x0, x1);
      x1 = v128.xor(odd ? rotate(x1, 13) : rotate(x1, 17), x0);
      x0 = i32x4.add(x0, x1);
      x1 = v128.xor(odd ? rotate(x1, 15) : rotate(x1, 29), x0);
      x0 = i32x4.add(x0, x1);
      x1 = v128.xor(odd ? rotate(x1, 26) : rotate(x1, 16), x0);
      x0 = i32x4.add(x0, x1);
      x1 = v128.xor(odd ? rotate(x1, 6) : rotate(x1, 24), x0);
      x0 = i32x4.add(x0, i32x4.splat(a));
      x1 = i32x4.add(x1, i32x4.splat(b + fours));
      const turned = a;
      a = b;
      b = c;
      c = turned;
    }
    counter1 = i32x4.add(counter1, i32x4.splat(4));

    const uniform = f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(i32x4.shr_u(x0, 8), i32x4.splat(1))), unit);
    const radius = f32x4.mul(spread, f32x4.sqrt(f32x4.mul(f32x4.splat(-2), logOf(uniform))));
    // The angle as whole quarter turns and a rest of at most an eighth, both exact.
    const turns = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(x1, 8)), unit);
    const quarters = f32x4.nearest(f32x4.mul(turns, f32x4.splat(4)));
    const rest = f32x4.sub(turns, f32x4.mul(quarters, f32x4.splat(0.25)));
    const sine = sineOf(f32x4.mul(rest, f32x4.splat(6.283185307179586)));
    const cosine = cosineOf(f32x4.mul(rest, f32x4.splat(6.283185307179586)));
    const quadrant = i32x4.trunc_sat_f32x4_s(quarters);
    const swapped = i32x4.shr_s(i32x4.shl(quadrant, 31), 31);
    const even = f32x4.mul(radius, signed(v128.bitselect(sine, cosine, swapped), i32x4.add(quadrant, i32x4.splat(1))));
    const odd = f32x4.mul(radius, signed(v128.bitselect(cosine, sine, swapped), quadrant));
    perturb(x, y, v128.shuffle<f32>(even, odd, 0, 4, 1, 5), left);
    perturb(x + 16, y + 16, v128.shuffle<f32>(even, odd, 2, 6, 3, 7), left - 4);
    x += 32;
    y += 32;
  }
}

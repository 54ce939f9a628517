// Small helpers over vectors of four floats: tails of rows whose length four does not divide, and the activations.

/** Activations as numbers, the same as in lower/convolution.ts. */
export const none: i32 = 0;
export const hardtanh: i32 = 1;
export const tanh: i32 = 2;
export const relu: i32 = 3;

/** The first `count` (at most four) floats at `from`, zeros behind them. */
@inline
export function loadFirst(from: usize, count: i32): v128 {
  if (count >= 4) return v128.load(from);
  let v = v128.load32_zero(from);
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(from, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(from, 8));
  return v;
}

/** Stores the first `count` (at most four) floats of v. */
@inline
export function storeFirst(to: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, v);
    return;
  }
  store<f32>(to, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(v, 2), 8);
}

/** Copies `count` floats; for the short rows for which a call of memory.copy costs more than the copy. */
@inline
export function copyFloats(to: usize, from: usize, count: i32): void {
  while (count >= 4) {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
    count -= 4;
  }
  while (count > 0) {
    store<f32>(to, load<f32>(from));
    to += 4;
    from += 4;
    count--;
  }
}

/** y = f(x); a NaN stays one. */
@inline
export function activate(kind: i32, x: v128): v128 {
  if (kind == hardtanh) return f32x4.pmin(f32x4.pmax(x, f32x4.splat(-1)), f32x4.splat(1));
  if (kind == relu) return f32x4.pmax(x, f32x4.splat(0));
  if (kind == tanh) return tanhOf(x);
  return x;
}

/** dy · f′, with f′ read off the output y. */
@inline
export function activationError(kind: i32, dy: v128, y: v128): v128 {
  const one = f32x4.splat(1);
  if (kind == hardtanh) return v128.and(dy, f32x4.lt(f32x4.abs(y), one));
  if (kind == relu) return v128.and(dy, f32x4.gt(y, f32x4.splat(0)));
  if (kind == tanh) return f32x4.mul(dy, f32x4.sub(one, f32x4.mul(y, y)));
  return dy;
}

/** tanh x = x·P(x²)/Q(x²) on [−7.9, 7.9] (the float32 minimax quotient that Eigen ships), ±1 beyond; within 4e-7 relative. */
@inline
function tanhOf(unbounded: v128): v128 {
  const x = f32x4.pmin(f32x4.pmax(unbounded, f32x4.splat(-7.90531110763549805)), f32x4.splat(7.90531110763549805));
  const z = f32x4.mul(x, x);
  let top = f32x4.splat(-2.76076847742355e-16);
  top = f32x4.add(f32x4.mul(top, z), f32x4.splat(2.00018790482477e-13));
  top = f32x4.add(f32x4.mul(top, z), f32x4.splat(-8.60467152213735e-11));
  top = f32x4.add(f32x4.mul(top, z), f32x4.splat(5.12229709037114e-8));
  top = f32x4.add(f32x4.mul(top, z), f32x4.splat(1.48572235717979e-5));
  top = f32x4.add(f32x4.mul(top, z), f32x4.splat(6.37261928875436e-4));
  top = f32x4.add(f32x4.mul(top, z), f32x4.splat(4.89352455891786e-3));
  let bottom = f32x4.splat(1.19825839466702e-6);
  bottom = f32x4.add(f32x4.mul(bottom, z), f32x4.splat(1.18534705686654e-4));
  bottom = f32x4.add(f32x4.mul(bottom, z), f32x4.splat(2.268434632439e-3));
  bottom = f32x4.add(f32x4.mul(bottom, z), f32x4.splat(4.89352518554385e-3));
  return f32x4.pmin(f32x4.pmax(f32x4.div(f32x4.mul(x, top), bottom), f32x4.splat(-1)), f32x4.splat(1));
}

/** `count` vectors through the activation, in place. */
export function activateVectors(kind: i32, at: usize, count: i32): void {
  // One loop per kind: a test inside the loop made V8 compute every kind and select.
  if (kind == hardtanh) for (; count > 0; count--, at += 16) v128.store(at, activate(hardtanh, v128.load(at)));
  else if (kind == relu) for (; count > 0; count--, at += 16) v128.store(at, activate(relu, v128.load(at)));
  else if (kind == tanh) for (; count > 0; count--, at += 16) v128.store(at, activate(tanh, v128.load(at)));
}

/** `count` vectors of dy · f′, with f′ read off the outputs y → `to`. */
export function activationErrors(kind: i32, dy: usize, y: usize, to: usize, count: i32): void {
  if (kind == hardtanh) errorsThrough(hardtanh, dy, y, to, count);
  else if (kind == relu) errorsThrough(relu, dy, y, to, count);
  else errorsThrough(tanh, dy, y, to, count);
}

@inline
function errorsThrough(kind: i32, dy: usize, y: usize, to: usize, count: i32): void {
  for (let at: usize = 0; at < <usize>(count << 4); at += 16)
    v128.store(to + at, activationError(kind, v128.load(dy + at), v128.load(y + at)));
}

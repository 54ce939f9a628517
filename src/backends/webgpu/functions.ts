// WGSL functions whose accuracy the language leaves to the driver, written out, so that every device computes alike.

import type { ActivationKind } from "../../program/operations.ts";
import { float } from "./kernel.ts";

const polynomial = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((sum, next) => `fma(${sum}, ${x}, ${float(next)})`, float(coefficients[0]));

/** A driver may assume that there are no NaNs; bits do not lie. */
export const isNan = `fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`;

/** e^x within 1 unit in the last place on [−87, 88], where it is bounded (Cephes expf, Moshier). */
export const expOf = `fn expOf(unbounded: f32) -> f32 {
  let x = clamp(unbounded, -87f, 88f);
  let n = floor(fma(x, 1.44269504f, 0.5f));
  let r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x));
  let p = ${polynomial("r", [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1])};
  return ldexp(fma(p * r, r, r) + 1f, i32(n));
}`;

/** log x for normal x > 0 (Cephes logf, Moshier). */
export const logOf = `fn logOf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  var e = f32(i32(bits >> 23u) - 126);
  var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u);
  if (m < 0.707106781f) { e -= 1f; m = m + m; }
  m -= 1f;
  let z = m * m;
  let p = ${polynomial("m", [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])};
  return fma(e, 0.693359375f, m + (fma(e, -2.12194440e-4f, m * z * p) - 0.5f * z));
}`;

/** Cosine and sine of k · 2π/2²⁴. */
export const turn = `fn turn(k: u32) -> vec2f {
  let quarter = (k + 2097152u) >> 22u;
  let a = f32(i32(k) - i32(quarter << 22u)) * ${float((2 * Math.PI) / 2 ** 24)};
  let z = a * a;
  let s = fma(a * z, ${polynomial("z", [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])}, a);
  let c = fma(z * z, ${polynomial("z", [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])}, fma(z, -0.5f, 1f));
  switch (quarter & 3u) {
    case 0u: { return vec2f(c, s); }
    case 1u: { return vec2f(-s, c); }
    case 2u: { return vec2f(-c, -s); }
    default: { return vec2f(s, -c); }
  }
}`;

/** 1 − e^−y for y ≥ 0, without the loss of digits near 0. */
export const oneLessExp = `${expOf}
fn oneLessExp(y: f32) -> f32 {
  if (y >= 0.25f) { return 1f - expOf(-y); }
  var series = 1f;
  for (var k = 8; k > 1; k--) { series = 1f - y / f32(k) * series; }
  return y * series;
}`;

/** log(1 + e^x). */
export const softplus = `${expOf}
${logOf}
fn softplus(x: f32) -> f32 {
  let u = expOf(-abs(x));
  var small = logOf(1f + u);
  if (u < 0.05f) { small = u * ${polynomial("u", [1 / 5, -1 / 4, 1 / 3, -1 / 2, 1])}; }
  return max(x, 0f) + small;
}`;

/** Two random u32 (Threefry-2x32, program/random.ts). */
export const threefry = `fn threefry(key: vec2u, counter: vec2u) -> vec2u {
  let keys = array<u32, 3>(key.x, key.y, key.x ^ key.y ^ 0x1bd11bdau);
  let rotations = array<u32, 8>(13u, 15u, 26u, 6u, 17u, 29u, 16u, 24u);
  var x = counter + key;
  for (var round = 0u; round < 20u; round++) {
    let r = rotations[round % 8u];
    x.x += x.y;
    x.y = ((x.y << r) | (x.y >> (32u - r))) ^ x.x;
    if (round % 4u == 3u) {
      let injection = (round + 1u) / 4u;
      x.x += keys[injection % 3u];
      x.y += keys[(injection + 1u) % 3u] + injection;
    }
  }
  return x;
}`;

/** The function `name` of an f32; a NaN stays one. */
export function activation(kind: ActivationKind, name = "activate"): string {
  switch (kind) {
    case "hardtanh":
      return `fn ${name}(x: f32) -> f32 { return select(clamp(x, -1f, 1f), x, isNan(x)); }`;
    case "relu":
      return `fn ${name}(x: f32) -> f32 { return select(max(x, 0f), x, isNan(x)); }`;
    case "tanh":
      // x·P(x²)/Q(x²), the float32 minimax quotient that Eigen ships; the language's tanh is unsure beyond ±88.
      return `fn ${name}(x: f32) -> f32 {
  let a = clamp(x, -7.90531110763549805f, 7.90531110763549805f);
  let z = a * a;
  let top = ${polynomial("z", [-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3])};
  let bottom = ${polynomial("z", [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3])};
  return select(clamp(a * top / bottom, -1f, 1f), x, isNan(x));
}`;
    default:
      return kind satisfies never;
  }
}

/** dy · f′ as an expression, f′ read off the output y. */
export function errorThrough(kind: ActivationKind, dy: string, y: string): string {
  switch (kind) {
    case "hardtanh":
      return `select(0f, ${dy}, abs(${y}) < 1f)`;
    case "relu":
      return `select(0f, ${dy}, ${y} > 0f)`;
    case "tanh":
      return `${dy} * (1f - ${y} * ${y})`;
    default:
      return kind satisfies never;
  }
}

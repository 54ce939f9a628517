// The fast makeViews: gathers pictures, samples each through its affine map and changes its colours.
//
// Sampling works on pixels of four floats inside a border of zeros, so that one load reads a pixel and no tap needs a test;
// colours work on planes r g b, four pixels at a time. backends/reference/views.ts is the specification, program/views.ts the columns.

// Columns of a parameter row, in bytes.
const affine = 0;
const outside = 24;
const box = 28;
const colour = 44;
const brightness = 48;
const contrast = 52;
const saturation = 56;
const hue = 60;
const order = 64;
const grey = 68;
const parameterBytes = 72;

/** Pixels of border: one before the picture; two after it, for a source place at w reads columns w and w + 1. */
const borders = 3;

/**
 * images u8 [N, h, w, c], indices i32 [n], parameters [n, 18] → x [n, height, width, c].
 * Words: images, indices, parameters, x, n, views per task, h, w, c, height, width; low, high of three channels (f32).
 * Scratch: source [h + 3, w + 3, 4], pixels [height · width, up to a multiple of 4; 4], planes [c, the same].
 */
export function makeViews(p: usize, task: i32, scratch: usize): void {
  const first = task * load<i32>(p, 20);
  const last = min(first + load<i32>(p, 20), load<i32>(p, 16));
  const h = load<i32>(p, 24);
  const w = load<i32>(p, 28);
  const c = load<i32>(p, 32);
  const height = load<i32>(p, 36);
  const width = load<i32>(p, 40);
  const count = height * width;
  const plane = (<usize>((count + 3) >> 2)) << 4;
  const sourceBytes = (<usize>((h + borders) * (w + borders))) << 4;
  const pixels = scratch + sourceBytes;
  const planes = pixels + (plane << 2);
  memory.fill(scratch, 0, sourceBytes);
  for (let i = first; i < last; i++) {
    const row = load<usize>(p, 8) + <usize>i * parameterBytes;
    const index = load<i32>(load<usize>(p, 4) + ((<usize>i) << 2));
    sample(load<usize>(p) + <usize>index * h * w * c, h, w, c, row, height, width, scratch, pixels);
    // Fewer than four pixels of zeros at the end: they stay 0 until the mean of `contrast` has been taken.
    memory.fill(pixels + ((<usize>count) << 4), 0, (plane << 2) - ((<usize>count) << 4));
    if (c == 3) split(pixels, plane, planes);
    else compact(pixels, plane, planes);
    changeColours(row, planes, plane, c, count);
    const x = load<usize>(p, 12) + <usize>(i * count * c) * 4;
    if (c == 3) interleave(planes, plane, count, p + 44, x);
    else rescale(planes, count, load<f32>(p, 44), load<f32>(p, 48), x);
  }
}

/** Bilinear samples at the affine image of every output pixel: picture u8 [h, w, c] → pixels [height · width, 4] from 0 to 255. */
function sample(
  picture: usize,
  h: i32,
  w: i32,
  c: i32,
  row: usize,
  height: i32,
  width: i32,
  source: usize,
  pixels: usize,
): void {
  // Beyond the border of zeros everything is 0, so a place farther out may be moved there.
  const least = f64x2.splat(-1);
  const most = f64x2.replace_lane(f64x2.splat(<f64>h), 0, <f64>w);
  let low = least;
  let high = most;
  if (load<f32>(row, outside) == 0) {
    low = f64x2.pmin(f64x2.pmax(f64x2.promote_low_f32x4(v128.load64_zero(row, box)), least), most);
    high = f64x2.pmin(f64x2.pmax(f64x2.promote_low_f32x4(v128.load64_zero(row, box + 8)), least), most);
  }
  const firstRow = max(0, <i32>floor(f64x2.extract_lane(low, 1)));
  const lastRow = min(h - 1, <i32>floor(f64x2.extract_lane(high, 1)) + 1);
  for (let y = firstRow; y <= lastRow; y++) {
    const from = picture + <usize>(y * w * c);
    const to = source + ((<usize>((y + 1) * (w + borders) + 1)) << 4);
    if (c == 3) unpackColour(from, w, to);
    else unpackGrey(from, w, to);
  }
  const xStep = pair(row, affine, affine + 12);
  const yStep = pair(row, affine + 4, affine + 16);
  const start = pair(row, affine + 8, affine + 20);
  for (let y = 0; y < height; y++, pixels += (<usize>width) << 4)
    sampleRow(
      f64x2.add(start, f64x2.mul(yStep, f64x2.splat(<f64>y))),
      xStep,
      low,
      high,
      source + ((<usize>(w + borders + 1)) << 4),
      (<usize>(w + borders)) << 4,
      width,
      pixels,
    );
}

/** Two float32 parameters as float64, the one of x in lane 0. */
@inline
function pair(row: usize, x: usize, y: usize): v128 {
  return f64x2.replace_lane(f64x2.splat(<f64>load<f32>(row + x)), 1, <f64>load<f32>(row + y));
}

/** One row of output pixels; `origin` is the address of source pixel (0, 0). */
function sampleRow(
  start: v128,
  step: v128,
  low: v128,
  high: v128,
  origin: usize,
  rowBytes: usize,
  width: i32,
  pixels: usize,
): void {
  const one = f64x2.splat(1);
  let x = f64x2.splat(0);
  for (const end = pixels + ((<usize>width) << 4); pixels < end; pixels += 16) {
    const place = f64x2.pmin(f64x2.pmax(f64x2.add(start, f64x2.mul(step, x)), low), high);
    x = f64x2.add(x, one);
    const whole = f64x2.floor(place);
    const corner = i32x4.trunc_sat_f64x2_s_zero(whole);
    const fraction = f32x4.demote_f64x2_zero(f64x2.sub(place, whole));
    const at = origin + <usize>i32x4.extract_lane(corner, 1) * rowBytes + ((<usize>i32x4.extract_lane(corner, 0)) << 4);
    const fx = v128.shuffle<f32>(fraction, fraction, 0, 0, 0, 0);
    const fy = v128.shuffle<f32>(fraction, fraction, 1, 1, 1, 1);
    const top = mix(v128.load(at), v128.load(at, 16), fx);
    const bottom = mix(v128.load(at + rowBytes), v128.load(at + rowBytes, 16), fx);
    v128.store(pixels, mix(top, bottom, fy));
  }
}

@inline
function mix(a: v128, b: v128, share: v128): v128 {
  return f32x4.add(a, f32x4.mul(share, f32x4.sub(b, a)));
}

/** Four bytes as four floats. */
@inline
function floats(bytes: v128): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes)));
}

/** u8 [w, 3] → [w, 4]; the fourth number is the next pixel's first and means nothing. */
function unpackColour(from: usize, w: i32, to: usize): void {
  for (; w > 1; w--, from += 3, to += 16) v128.store(to, floats(v128.load32_zero(from)));
  // Four bytes from the last pixel would reach beyond the picture.
  v128.store(to, floats(v128.load8_lane(from, v128.load16_splat(from), 2, 2)));
}

/** u8 [w, 1] → the first numbers of [w, 4]. */
function unpackGrey(from: usize, w: i32, to: usize): void {
  for (; w > 0; w--, from++, to += 16) store<f32>(to, <f32>load<u8>(from));
}

const byteStep: f32 = 1 / 255;

/** pixels [4 a, 4] from 0 to 255 → planes r g b [4 a] from 0 to 1. */
function split(pixels: usize, plane: usize, r: usize): void {
  const scale = f32x4.splat(byteStep);
  const g = plane;
  const b = plane << 1;
  for (const end = r + plane; r < end; r += 16, pixels += 64) {
    const p0 = v128.load(pixels);
    const p1 = v128.load(pixels, 16);
    const p2 = v128.load(pixels, 32);
    const p3 = v128.load(pixels, 48);
    const rg01 = v128.shuffle<f32>(p0, p1, 0, 4, 1, 5);
    const rg23 = v128.shuffle<f32>(p2, p3, 0, 4, 1, 5);
    const b01 = v128.shuffle<f32>(p0, p1, 2, 6, 2, 6);
    const b23 = v128.shuffle<f32>(p2, p3, 2, 6, 2, 6);
    v128.store(r, f32x4.mul(scale, v128.shuffle<f32>(rg01, rg23, 0, 1, 4, 5)));
    v128.store(r + g, f32x4.mul(scale, v128.shuffle<f32>(rg01, rg23, 2, 3, 6, 7)));
    v128.store(r + b, f32x4.mul(scale, v128.shuffle<f32>(b01, b23, 0, 1, 4, 5)));
  }
}

/** The first numbers of pixels [4 a, 4] from 0 to 255 → [4 a] from 0 to 1. */
function compact(pixels: usize, plane: usize, to: usize): void {
  for (const end = to + plane; to < end; to += 4, pixels += 16) store<f32>(to, load<f32>(pixels) * byteStep);
}

/** planes [3, count] → x [count, 3], each from its low to its high: `ends` holds three pairs. */
function interleave(r: usize, plane: usize, count: i32, ends: usize, x: usize): void {
  const lowR = load<f32>(ends);
  const lowG = load<f32>(ends, 8);
  const lowB = load<f32>(ends, 16);
  const spanR = load<f32>(ends, 4) - lowR;
  const spanG = load<f32>(ends, 12) - lowG;
  const spanB = load<f32>(ends, 20) - lowB;
  const g = plane;
  const b = plane << 1;
  for (; count >= 4; count -= 4, r += 16, x += 48) {
    const rs = f32x4.add(f32x4.splat(lowR), f32x4.mul(f32x4.splat(spanR), v128.load(r)));
    const gs = f32x4.add(f32x4.splat(lowG), f32x4.mul(f32x4.splat(spanG), v128.load(r + g)));
    const bs = f32x4.add(f32x4.splat(lowB), f32x4.mul(f32x4.splat(spanB), v128.load(r + b)));
    const rg = v128.shuffle<f32>(rs, gs, 0, 4, 1, 5);
    const gb = v128.shuffle<f32>(gs, bs, 1, 5, 2, 6);
    const rg3 = v128.shuffle<f32>(rs, gs, 3, 7, 3, 7);
    v128.store(x, v128.shuffle<f32>(rg, bs, 0, 1, 4, 2));
    v128.store(x, v128.shuffle<f32>(gb, rs, 0, 1, 6, 2), 16);
    v128.store(x, v128.shuffle<f32>(bs, rg3, 2, 4, 5, 3), 32);
  }
  for (; count > 0; count--, r += 4, x += 12) {
    store<f32>(x, lowR + spanR * load<f32>(r));
    store<f32>(x, lowG + spanG * load<f32>(r + g), 4);
    store<f32>(x, lowB + spanB * load<f32>(r + b), 8);
  }
}

/** x = values [count] from low to high. */
function rescale(values: usize, count: i32, low: f32, high: f32, x: usize): void {
  const span = f32x4.splat(high - low);
  const base = f32x4.splat(low);
  for (; count >= 4; count -= 4, values += 16, x += 16)
    v128.store(x, f32x4.add(base, f32x4.mul(span, v128.load(values))));
  for (; count > 0; count--, values += 4, x += 4) store<f32>(x, low + (high - low) * load<f32>(values));
}

/** Jitter, HSV shift or neither, then grey. Identity steps are left out. */
function changeColours(row: usize, planes: usize, plane: usize, c: i32, count: i32): void {
  const kind = load<f32>(row, colour);
  const all = <usize>c * plane;
  if (kind == 1) {
    // The order's digits in the factorial system pick from the steps that are left: lexicographic permutations of four.
    let left = 0x3210;
    let digits = <i32>load<f32>(row, order);
    for (let choices = 4, weight = 6; choices > 0; choices--) {
      const shift = (digits / weight) << 2;
      const step = (left >> shift) & 15;
      left = (left & ((1 << shift) - 1)) | ((left >> (shift + 4)) << shift);
      digits %= weight;
      weight /= max(1, choices - 1);
      if (step == 0) {
        const factor = load<f32>(row, brightness);
        if (factor != 1) blend(planes, all, factor, 0);
      } else if (step == 1) {
        const factor = load<f32>(row, contrast);
        if (factor != 1) blend(planes, all, factor, (1 - factor) * meanLuma(planes, plane, c, count));
      } else if (c == 3) {
        if (step == 2) saturate(planes, plane, load<f32>(row, saturation));
        else turnHue(planes, plane, load<f32>(row, hue), 1);
      }
    }
  } else if (kind == 2 && c == 3) turnHue(planes, plane, load<f32>(row, hue), load<f32>(row, saturation));
  if (load<f32>(row, grey) == 1 && c == 3) saturate(planes, plane, 0);
}

@inline
function clamp(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(0)), f32x4.splat(1));
}

/** ITU-R 601 luma, as torchvision's rgb_to_grayscale. */
@inline
function luma(r: v128, g: v128, b: v128): v128 {
  return f32x4.add(
    f32x4.add(f32x4.mul(f32x4.splat(0.2989), r), f32x4.mul(f32x4.splat(0.587), g)),
    f32x4.mul(f32x4.splat(0.114), b),
  );
}

/** x = clamp(factor · x + shift) for all numbers. */
function blend(x: usize, bytes: usize, factor: f32, shift: f32): void {
  const factors = f32x4.splat(factor);
  const shifts = f32x4.splat(shift);
  for (const end = x + bytes; x < end; x += 16)
    v128.store(x, clamp(f32x4.add(f32x4.mul(factors, v128.load(x)), shifts)));
}

/** Mean luma of `count` pixels; the planes hold zeros beyond them. */
function meanLuma(r: usize, plane: usize, c: i32, count: i32): f32 {
  let sums = f64x2.splat(0);
  for (const end = r + plane; r < end; r += 16) {
    const values = v128.load(r);
    const y = c == 3 ? luma(values, v128.load(r + plane), v128.load(r + (plane << 1))) : values;
    const high = v128.shuffle<f32>(y, y, 2, 3, 2, 3);
    sums = f64x2.add(sums, f64x2.add(f64x2.promote_low_f32x4(y), f64x2.promote_low_f32x4(high)));
  }
  return <f32>((f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)) / <f64>count);
}

/** Every pixel between its luma (0) and itself (1), or beyond. */
function saturate(r: usize, plane: usize, amount: f32): void {
  if (amount == 1) return;
  const keep = f32x4.splat(amount);
  const rest = f32x4.splat(1 - amount);
  const g = plane;
  const b = plane << 1;
  for (const end = r + plane; r < end; r += 16) {
    const rs = v128.load(r);
    const gs = v128.load(r + g);
    const bs = v128.load(r + b);
    const shift = f32x4.mul(rest, luma(rs, gs, bs));
    v128.store(r, clamp(f32x4.add(f32x4.mul(keep, rs), shift)));
    v128.store(r + g, clamp(f32x4.add(f32x4.mul(keep, gs), shift)));
    v128.store(r + b, clamp(f32x4.add(f32x4.mul(keep, bs), shift)));
  }
}

/**
 * To hue, saturation and value, and back with the hue turned by `shift` and the saturation times `factor`, at most 1.
 * Of s only v · s is needed: the range of the channels times the factor, at most v.
 */
function turnHue(r: usize, plane: usize, shift: f32, factor: f32): void {
  if (shift == 0 && factor == 1) return;
  const zero = f32x4.splat(0);
  const sixths = f32x4.splat(6 * shift);
  const factors = f32x4.splat(factor);
  const g = plane;
  const b = plane << 1;
  for (const end = r + plane; r < end; r += 16) {
    const rs = v128.load(r);
    const gs = v128.load(r + g);
    const bs = v128.load(r + b);
    const most = f32x4.pmax(f32x4.pmax(rs, gs), bs);
    const range = f32x4.sub(most, f32x4.pmin(f32x4.pmin(rs, gs), bs));
    const isR = f32x4.eq(most, rs);
    const isG = f32x4.eq(most, gs);
    const side = v128.bitselect(f32x4.sub(gs, bs), v128.bitselect(f32x4.sub(bs, rs), f32x4.sub(rs, gs), isG), isR);
    const sector = v128.andnot(v128.bitselect(f32x4.splat(2), f32x4.splat(4), isG), isR);
    // A grey pixel has side 0 and range 0: its hue is 0.
    const h = f32x4.add(f32x4.add(sector, f32x4.div(side, f32x4.pmax(range, f32x4.splat(1e-30)))), sixths);
    const chroma = f32x4.pmin(f32x4.pmax(f32x4.mul(range, factors), zero), most);
    v128.store(r, channel(h, 5, most, chroma));
    v128.store(r + g, channel(h, 3, most, chroma));
    v128.store(r + b, channel(h, 1, most, chroma));
  }
}

/** v − v·s·clamp(min(k, 4 − k)) with k = (n + 6h) mod 6. */
@inline
function channel(h: v128, n: f32, most: v128, chroma: v128): v128 {
  const turned = f32x4.add(h, f32x4.splat(n));
  const k = f32x4.sub(turned, f32x4.mul(f32x4.splat(6), f32x4.floor(f32x4.mul(turned, f32x4.splat(1.0 / 6)))));
  return clamp(f32x4.sub(most, f32x4.mul(chroma, clamp(f32x4.pmin(k, f32x4.sub(f32x4.splat(4), k))))));
}

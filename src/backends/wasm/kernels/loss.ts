// Fast losses and statistics: L1 distances, the hinge loss's gates and errors, goodness, cross-entropy, squared error, sums and moments.
//
// Sums over everything are float64: each task leaves its own in a row of partials, 64 bytes apart, and `totals` adds the rows in order.
import { loadFirst, storeFirst } from "./vectors";

/** Bytes from one task's partials to the next: a cache line, so that no two threads write one. */
const partialPitch = 64;

@inline
export function partialsOf(partials: usize, task: i32): usize {
  return partials + <usize>task * partialPitch;
}

/** sums f64x2 joined by four floats. */
@inline
function addWide(sums: v128, x: v128): v128 {
  const high = v128.shuffle<f32>(x, x, 2, 3, 2, 3);
  return f64x2.add(sums, f64x2.add(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(high)));
}

@inline
function sumOf(sums: v128): f64 {
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

/** sums f64x2 joined by the products of four pairs of floats, exact. */
@inline
function addProducts(sums: v128, x: v128, y: v128): v128 {
  const low = f64x2.mul(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(y));
  const highX = v128.shuffle<f32>(x, x, 2, 3, 2, 3);
  const highY = v128.shuffle<f32>(y, y, 2, 3, 2, 3);
  return f64x2.add(sums, f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(highX), f64x2.promote_low_f32x4(highY))));
}

/** Lanes, as a mask, of the columns from j on that are below `count` and not `excluded`. */
@inline
function otherColumns(j: i32, count: i32, excluded: i32): v128 {
  const columns = i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3));
  return v128.and(i32x4.lt_s(columns, i32x4.splat(count)), i32x4.ne(columns, i32x4.splat(excluded)));
}

/** How many masks were counted, lane by lane, by subtracting them. */
@inline
function countOf(opened: v128): f64 {
  return <f64>(
    (i32x4.extract_lane(opened, 0) +
      i32x4.extract_lane(opened, 1) +
      i32x4.extract_lane(opened, 2) +
      i32x4.extract_lane(opened, 3))
  );
}

/** out_j = Σ partials_j / divisor_j. Words: partials, tasks, outputs, then for each output its address and divisor. */
export function totals(p: usize, task: i32, scratch: usize): void {
  const tasks = load<i32>(p, 4);
  const outputs = load<i32>(p, 8);
  for (let j = 0; j < outputs; j++) {
    let sum: f64 = 0;
    for (let i = 0; i < tasks; i++) sum += load<f64>(partialsOf(load<usize>(p), i) + ((<usize>j) << 3));
    const output = p + 12 + ((<usize>j) << 3);
    store<f32>(load<usize>(output), <f32>(sum / <f64>load<u32>(output, 4)));
  }
}

/** Columns of a task of l1Distance, packed by eights: [8] for each of the d coordinates. */
const panelColumns = 32;

/** a [n, d], b [m, d] → distances [n, m]. Words: a, b, distances, n, m, d. Task: 32 columns. Scratch: panels [4, d, 8]. */
export function l1Distance(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 12);
  const m = load<i32>(p, 16);
  const d = load<i32>(p, 20);
  const first = task * panelColumns;
  const columns = min(panelColumns, m - first);
  const pitch = (<usize>m) << 2;
  const rowBytes = (<usize>d) << 2;
  packPanels(load<usize>(p, 4) + <usize>first * rowBytes, columns, d, scratch);
  let a = load<usize>(p);
  let out = load<usize>(p, 8) + ((<usize>first) << 2);
  let rows = n;
  for (; rows >= 4; rows -= 4, a += rowBytes << 2, out += pitch << 2)
    for (let j = 0; j < columns; j += 8)
      distances4(a, rowBytes, scratch + <usize>j * rowBytes, d, out + ((<usize>j) << 2), pitch, columns - j);
  for (; rows > 0; rows--, a += rowBytes, out += pitch)
    for (let j = 0; j < columns; j += 8)
      distances1(a, scratch + <usize>j * rowBytes, d, out + ((<usize>j) << 2), columns - j);
}

/** b [columns, d] → panels [⌈columns/8⌉, d, 8], zeros beyond the last column. */
function packPanels(b: usize, columns: i32, d: i32, panels: usize): void {
  memory.fill(panels, 0, (<usize>(((columns + 7) & ~7) * d)) << 2);
  for (let j = 0; j < columns; j++) {
    let to = panels + ((<usize>((j >> 3) * d)) << 5) + ((<usize>(j & 7)) << 2);
    for (let k = 0; k < d; k++, b += 4, to += 32) store<f32>(to, load<f32>(b));
  }
}

@inline
function addDistance(sum: v128, x: v128, y: v128): v128 {
  return f32x4.add(sum, f32x4.abs(f32x4.sub(x, y)));
}

@inline
function storeEight(out: usize, left: v128, right: v128, count: i32): void {
  storeFirst(out, left, count);
  if (count > 4) storeFirst(out + 16, right, count - 4);
}

/** Four rows of a against eight of b: 8 sums, 2 vectors of the panel and a number of a in registers. */
function distances4(a0: usize, rowBytes: usize, panel: usize, d: i32, out: usize, pitch: usize, count: i32): void {
  const a1 = a0 + rowBytes;
  const a2 = a1 + rowBytes;
  const a3 = a2 + rowBytes;
  let l0 = f32x4.splat(0);
  let r0 = l0;
  let l1 = l0;
  let r1 = l0;
  let l2 = l0;
  let r2 = l0;
  let l3 = l0;
  let r3 = l0;
  for (let k: usize = 0; k < rowBytes; k += 4, panel += 32) {
    const left = v128.load(panel);
    const right = v128.load(panel, 16);
    const x0 = v128.load32_splat(a0 + k);
    l0 = addDistance(l0, x0, left);
    r0 = addDistance(r0, x0, right);
    const x1 = v128.load32_splat(a1 + k);
    l1 = addDistance(l1, x1, left);
    r1 = addDistance(r1, x1, right);
    const x2 = v128.load32_splat(a2 + k);
    l2 = addDistance(l2, x2, left);
    r2 = addDistance(r2, x2, right);
    const x3 = v128.load32_splat(a3 + k);
    l3 = addDistance(l3, x3, left);
    r3 = addDistance(r3, x3, right);
  }
  storeEight(out, l0, r0, count);
  storeEight(out + pitch, l1, r1, count);
  storeEight(out + pitch * 2, l2, r2, count);
  storeEight(out + pitch * 3, l3, r3, count);
}

function distances1(a: usize, panel: usize, d: i32, out: usize, count: i32): void {
  let left = f32x4.splat(0);
  let right = left;
  for (const end = a + ((<usize>d) << 2); a < end; a += 4, panel += 32) {
    const x = v128.load32_splat(a);
    left = addDistance(left, x, v128.load(panel));
    right = addDistance(right, x, v128.load(panel, 16));
  }
  storeEight(out, left, right, count);
}

/** Kinds of negatives, the same as in lower/simple.ts. */
const all = 0;
const next = 1;
const authorsCode = 2;
const past = 3;

/**
 * Eq. 2: distances [n, n] → gates [n, n], partials of loss, open positives and open negatives.
 * Words: distances, gates, partials, n, rows per task, m1, m2 (f32), kind of negatives, their count, gap and spacing.
 */
export function hingeGates(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 12);
  const m1 = load<f32>(p, 20);
  const m2 = load<f32>(p, 24);
  const kind = load<i32>(p, 28);
  const count = load<i32>(p, 32);
  const gap = load<i32>(p, 36);
  const spacing = load<i32>(p, 40);
  const first = task * load<i32>(p, 16);
  const last = min(first + load<i32>(p, 16), n);
  const partials = partialsOf(load<usize>(p, 8), task);
  memory.fill(partials, 0, partialPitch);
  for (let s = first; s < last; s++) {
    const distances = load<usize>(p) + ((<usize>(s * n)) << 2);
    const gates = load<usize>(p, 4) + ((<usize>(s * n)) << 2);
    memory.fill(gates, 0, (<usize>n) << 2);
    const positive = load<f32>(distances + ((<usize>s) << 2));
    // Not `positive > m1`: a distance that is not a number must reach the loss.
    if (!(positive <= m1)) {
      store<f32>(gates + ((<usize>s) << 2), 1);
      store<f64>(partials, load<f64>(partials) + (<f64>positive - <f64>m1));
      store<f64>(partials, load<f64>(partials, 8) + 1, 8);
    }
    if (kind == all) {
      openNegatives(distances, gates, 0, s, m2, 1, partials);
      openNegatives(distances, gates, s + 1, n, m2, 1, partials);
    } else if (kind == next) {
      openNegatives(distances, gates, s + 1, min(n, s + 1 + count), m2, 1, partials);
      openNegatives(distances, gates, 0, s + 1 + count - n, m2, 1, partials);
    } else if (kind == authorsCode) {
      openNegatives(distances, gates, s + 1, min(n, s + count), m2, 1 / <f64>count, partials);
    } else if (kind == past) {
      for (let t = s + gap; t < min(n, s + gap + count * spacing); t += spacing)
        openNegatives(distances, gates, t, t + 1, m2, 1, partials);
    }
  }
}

/** Gates of the views from … to − 1 of one anchor, which all weigh the same. */
function openNegatives(
  distances: usize,
  gates: usize,
  from: i32,
  to: i32,
  m2: f32,
  weight: f64,
  partials: usize,
): void {
  const margin = f32x4.splat(m2);
  const gate = f32x4.splat(-(<f32>weight));
  let opened = i32x4.splat(0);
  let sums = f64x2.splat(0);
  distances += (<usize>from) << 2;
  gates += (<usize>from) << 2;
  for (let left = to - from; left > 0; left -= 4, distances += 16, gates += 16) {
    const distance = loadFirst(distances, left);
    let open = f32x4.lt(distance, margin);
    if (left < 4) open = v128.and(open, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left)));
    storeFirst(gates, v128.and(gate, open), left);
    opened = i32x4.sub(opened, open);
    sums = addWide(sums, v128.and(open, f32x4.sub(margin, distance)));
  }
  store<f64>(partials, load<f64>(partials) + weight * sumOf(sums));
  store<f64>(partials, load<f64>(partials, 16) + countOf(opened), 16);
}

/**
 * CLAPP's hinge: scores [n, n] → gates [n, n], partials of loss, open positives and open negatives.
 * Words: scores, gates, partials, n, rows per task.
 */
export function scoreGates(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 12);
  const first = task * load<i32>(p, 16);
  const last = min(first + load<i32>(p, 16), n);
  const one = f32x4.splat(1);
  let sums = f64x2.splat(0);
  let opened = i32x4.splat(0);
  let positives: f64 = 0;
  for (let s = first; s < last; s++) {
    const scores = load<usize>(p) + ((<usize>(s * n)) << 2);
    const gates = load<usize>(p, 4) + ((<usize>(s * n)) << 2);
    for (let t = 0; t < n; t += 4) {
      const at = (<usize>t) << 2;
      const margin = f32x4.add(one, loadFirst(scores + at, n - t));
      const open = v128.and(f32x4.gt(margin, f32x4.splat(0)), otherColumns(t, n, s));
      storeFirst(gates + at, v128.and(open, one), n - t);
      opened = i32x4.sub(opened, open);
      sums = addWide(sums, v128.and(open, margin));
    }
    const own = (<usize>s) << 2;
    const margin: f64 = 1 - <f64>load<f32>(scores + own);
    if (margin > 0) {
      store<f32>(gates + own, -1);
      sums = f64x2.add(sums, f64x2(margin, 0));
      positives += 1;
    }
  }
  const partials = partialsOf(load<usize>(p, 8), task);
  store<f64>(partials, sumOf(sums));
  store<f64>(partials, positives, 8);
  store<f64>(partials, countOf(opened), 16);
}

/**
 * SCFF (Chen et al. 2025): the places of positives and then of negatives, x [2m, c] → gates [2m], partials of loss · m, of the goodness
 * of positives and of negatives, and of the places of either that their threshold lets pass.
 * Words: x, gates, partials, m, c, places per task, thresholds of positives and of negatives (f32). Task: places of both kinds.
 */
export function goodnessGates(p: usize, task: i32, scratch: usize): void {
  const m = load<i32>(p, 12);
  const first = task * load<i32>(p, 20);
  const count = min(load<i32>(p, 20), m - first);
  const partials = partialsOf(load<usize>(p, 8), task);
  store<f64>(partials, 0);
  gatePlaces(p, first, count, load<f32>(p, 24), -1, partials, 8);
  gatePlaces(p, m + first, count, load<f32>(p, 28), 1, partials, 16);
}

/** Vectors of four factors of at most 2, joined in pairs, whose products stay far below float64's largest, 2^1024. */
const factors = 256;

/**
 * `count` places of one kind from place `first` on: sign is −1 for positives, +1 for negatives. Adds to the loss, and leaves the
 * goodness `kind` bytes into the partials and the count of what passed 16 bytes behind it.
 */
function gatePlaces(p: usize, first: i32, count: i32, threshold: f32, sign: f32, partials: usize, kind: usize): void {
  const c = load<i32>(p, 16);
  let gates = load<usize>(p, 4) + ((<usize>first) << 2);
  // The gates' place holds goodness until four places can share an exponential.
  let x = load<usize>(p) + ((<usize>(first * c)) << 2);
  for (let i = 0; i < count; i++, x += (<usize>c) << 2) store<f32>(gates + ((<usize>i) << 2), goodnessOf(x, c));
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const scale = f32x4.splat(<f32>(<f64>sign / <f64>load<i32>(p, 12)));
  let goodness = f64x2.splat(0);
  let excesses = goodness;
  let passed = i32x4.splat(0);
  // Σ log(1 + e) as the logarithm of a product.
  let logs: f64 = 0;
  let product = f64x2.splat(1);
  let room = factors;
  for (let left = count; left > 0; left -= 4, gates += 16) {
    const inside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left));
    const here = loadFirst(gates, left);
    const excess = f32x4.mul(f32x4.splat(sign), f32x4.sub(here, f32x4.splat(threshold)));
    const below = f32x4.lt(excess, zero);
    const e = expOf(f32x4.neg(f32x4.abs(excess)));
    const open = f32x4.div(v128.bitselect(e, one, below), f32x4.add(one, e));
    storeFirst(gates, f32x4.mul(scale, open), left);
    goodness = addWide(goodness, here);
    excesses = addWide(excesses, v128.and(inside, f32x4.max(excess, zero)));
    passed = i32x4.sub(passed, v128.and(inside, below));
    product = multiplyOnePlus(product, v128.and(inside, e));
    if (--room == 0) {
      logs += logOf(product);
      product = f64x2.splat(1);
      room = factors;
    }
  }
  store<f64>(partials, load<f64>(partials) + sumOf(excesses) + logs + logOf(product));
  store<f64>(partials + kind, sumOf(goodness));
  store<f64>(partials + kind, countOf(passed), 16);
}

/** Mean over c channels of [x]₊². */
function goodnessOf(x: usize, c: i32): f32 {
  let sums = f64x2.splat(0);
  for (let left = c; left > 0; left -= 4, x += 16) {
    const above = f32x4.max(loadFirst(x, left), f32x4.splat(0));
    sums = addProducts(sums, above, above);
  }
  return <f32>(sumOf(sums) / <f64>c);
}

/** product f64x2 times 1 + e for four floats e. */
@inline
function multiplyOnePlus(product: v128, e: v128): v128 {
  const one = f64x2.splat(1);
  const high = v128.shuffle<f32>(e, e, 2, 3, 2, 3);
  const low = f64x2.add(one, f64x2.promote_low_f32x4(e));
  return f64x2.mul(product, f64x2.mul(low, f64x2.add(one, f64x2.promote_low_f32x4(high))));
}

@inline
function logOf(product: v128): f64 {
  return log(f64x2.extract_lane(product, 0)) + log(f64x2.extract_lane(product, 1));
}

/** Places x [m, c], gates [m] → error = gate · 2/c · [x]₊. Words: x, gates, error, m, c, places per task. */
export function goodnessError(p: usize, task: i32, scratch: usize): void {
  const c = load<i32>(p, 16);
  const first = task * load<i32>(p, 20);
  const last = min(first + load<i32>(p, 20), load<i32>(p, 12));
  for (let place = first; place < last; place++) {
    const row = (<usize>(place * c)) << 2;
    const x = load<usize>(p) + row;
    const error = load<usize>(p, 8) + row;
    const slope = f32x4.splat((load<f32>(load<usize>(p, 4) + ((<usize>place) << 2)) * 2) / <f32>c);
    for (let k = 0; k < c; k += 4) {
      const at = (<usize>k) << 2;
      storeFirst(error + at, f32x4.mul(slope, f32x4.max(loadFirst(x + at, c - k), f32x4.splat(0))), c - k);
    }
  }
}

// Errors of the hinge loss: open gates are first listed as pairs (byte offset of the other's embedding, gate), then the signs summed.

/** Appends one gate to the list that ends at `end` if it is open; returns the new end. */
@inline
function append(end: usize, offset: usize, gate: f32): usize {
  store<usize>(end, offset);
  store<f32>(end, gate, 4);
  return end + select<usize>(8, 0, gate != 0);
}

/**
 * Eq. 3–7, anchors: a, b [n, d], gates [n, n] → error_s = Σ_t gate_st · sgn(a_s − b_t).
 * Words: a, b, gates, error, n, d, anchors per task. Scratch: a list of n + 1 gates.
 */
export function hingeAnchorError(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 16);
  const d = load<i32>(p, 20);
  const first = task * load<i32>(p, 24);
  const last = min(first + load<i32>(p, 24), n);
  const rowBytes = (<usize>d) << 2;
  for (let s = first; s < last; s++) {
    let gates = load<usize>(p, 8) + ((<usize>(s * n)) << 2);
    let end = scratch;
    let offset: usize = 0;
    let left = n;
    for (; left >= 4; left -= 4, gates += 16, offset += rowBytes << 2)
      if (v128.any_true(f32x4.ne(v128.load(gates), f32x4.splat(0)))) {
        end = append(end, offset, load<f32>(gates));
        end = append(end, offset + rowBytes, load<f32>(gates, 4));
        end = append(end, offset + rowBytes * 2, load<f32>(gates, 8));
        end = append(end, offset + rowBytes * 3, load<f32>(gates, 12));
      }
    for (; left > 0; left--, gates += 4, offset += rowBytes) end = append(end, offset, load<f32>(gates));
    const row = <usize>s * rowBytes;
    sumSigns(scratch, end, load<usize>(p) + row, load<usize>(p, 4), d, load<usize>(p, 12) + row);
  }
}

/** Columns of gates that a task of hingeViewError scans at once: a cache line of every row. */
const viewsPerTask = 16;

/**
 * Eq. 3–7, views: a, b [n, d], gates [n, n] → error_t = −Σ_s gate_st · sgn(a_s − b_t) = Σ_s gate_st · sgn(b_t − a_s).
 * Words: a, b, gates, error, n, d. Task: 16 views. Scratch: their lists of n + 1 gates, then the lists' ends.
 */
export function hingeViewError(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 16);
  const d = load<i32>(p, 20);
  const first = task * viewsPerTask;
  const views = min(viewsPerTask, n - first);
  const rowBytes = (<usize>d) << 2;
  const listBytes = (<usize>(n + 1)) << 3;
  const ends = scratch + listBytes * viewsPerTask;
  for (let i = 0; i < views; i++) store<usize>(ends + ((<usize>i) << 2), scratch + listBytes * i);
  for (let s = 0; s < n; s++) {
    const gates = load<usize>(p, 8) + ((<usize>(s * n + first)) << 2);
    for (let i = 0; i < views; i += 4) {
      const four = gates + ((<usize>i) << 2);
      if (!v128.any_true(f32x4.ne(loadFirst(four, views - i), f32x4.splat(0)))) continue;
      for (let j = 0; j < min(4, views - i); j++) {
        const end = ends + ((<usize>(i + j)) << 2);
        store<usize>(end, append(load<usize>(end), <usize>s * rowBytes, load<f32>(four + ((<usize>j) << 2))));
      }
    }
  }
  for (let i = 0; i < views; i++) {
    const row = <usize>(first + i) * rowBytes;
    const end = load<usize>(ends + ((<usize>i) << 2));
    sumSigns(scratch + listBytes * i, end, load<usize>(p, 4) + row, load<usize>(p), d, load<usize>(p, 12) + row);
  }
}

/** error [d] = Σ gate · sgn(own − other) over the gates from `list` to `end`; sgn 0 = 0. */
function sumSigns(list: usize, end: usize, own: usize, others: usize, d: i32, error: usize): void {
  let left = d;
  for (; left >= 16; left -= 16, own += 64, others += 64, error += 64) sumSigns16(list, end, own, others, error);
  for (; left > 0; left -= 4, own += 16, others += 16, error += 16) {
    const mine = loadFirst(own, left);
    let sum = f32x4.splat(0);
    for (let at = list; at < end; at += 8)
      sum = addSigned(sum, v128.load32_splat(at, 4), mine, loadFirst(others + load<usize>(at), left));
    storeFirst(error, sum, left);
  }
}

@inline
function addSigned(sum: v128, gate: v128, own: v128, other: v128): v128 {
  const above = v128.and(gate, f32x4.gt(own, other));
  return f32x4.sub(f32x4.add(sum, above), v128.and(gate, f32x4.lt(own, other)));
}

function sumSigns16(list: usize, end: usize, own: usize, others: usize, error: usize): void {
  const own0 = v128.load(own);
  const own1 = v128.load(own, 16);
  const own2 = v128.load(own, 32);
  const own3 = v128.load(own, 48);
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (; list < end; list += 8) {
    const other = others + load<usize>(list);
    const gate = v128.load32_splat(list, 4);
    sum0 = addSigned(sum0, gate, own0, v128.load(other));
    sum1 = addSigned(sum1, gate, own1, v128.load(other, 16));
    sum2 = addSigned(sum2, gate, own2, v128.load(other, 32));
    sum3 = addSigned(sum3, gate, own3, v128.load(other, 48));
  }
  v128.store(error, sum0);
  v128.store(error, sum1, 16);
  v128.store(error, sum2, 32);
  v128.store(error, sum3, 48);
}

/** e^x for x ≤ 0 within 1e-15 relative; 0 below −708. */
function exp(x: f64): f64 {
  if (!(x >= -708)) return x < 0 ? 0 : x;
  const k = nearest<f64>(x * 1.4426950408889634);
  // ln 2 in two parts, the first short enough for an exact product.
  const r = x - k * 0.69314718036912381649 - k * 1.90821492927058770002e-10;
  let sum: f64 = 1;
  for (let i = 13; i > 0; i--) sum = 1 + (sum * r) / <f64>i;
  return sum * reinterpret<f64>((<i64>k + 1023) << 52);
}

/** e^x of four numbers ≤ 0 within 2e-7 relative (Cephes expf), e^0 = 1 exactly; e^−87, some 1e-38, from there on. */
@inline
function expOf(unbounded: v128): v128 {
  const x = f32x4.pmax(unbounded, f32x4.splat(-87));
  const k = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.4426950408889634)));
  // ln 2 in two parts, the larger exact in every product.
  const r = f32x4.sub(
    f32x4.sub(x, f32x4.mul(k, f32x4.splat(0.693359375))),
    f32x4.mul(k, f32x4.splat(-2.12194440054690583e-4)),
  );
  let y = f32x4.splat(1.98756915e-4);
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1));
  return f32x4.mul(y, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(k), i32x4.splat(127)), 23));
}

/** Natural logarithm of x ≥ 1 within 1e-15: 2 artanh((m − 1)/(m + 1)) of a mantissa m between √½ and √2. */
function log(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<i64>(x);
  let exponent = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent++;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum: f64 = 0;
  for (let i = 21; i > 0; i -= 2) sum = sum * z + 1 / <f64>i;
  return <f64>exponent * 0.6931471805599453 + 2 * s * sum;
}

/** Column of the first maximum of a row of c numbers. */
function firstMaximum(row: usize, c: i32): i32 {
  let best = 0;
  for (let j = 1; j < c; j++) if (load<f32>(row + ((<usize>j) << 2)) > load<f32>(row + ((<usize>best) << 2))) best = j;
  return best;
}

/**
 * logits [n, c], labels i32 [n] → dlogits [n, c] of the mean loss, partials of the loss and of the rows whose first maximum is the label.
 * Words: logits, labels, dlogits, partials, n, c, rows per task. Scratch: [c] f64.
 */
export function softmaxCrossEntropy(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 16);
  const c = load<i32>(p, 20);
  const first = task * load<i32>(p, 24);
  const last = min(first + load<i32>(p, 24), n);
  let loss: f64 = 0;
  let correct: f64 = 0;
  for (let i = first; i < last; i++) {
    const logits = load<usize>(p) + ((<usize>(i * c)) << 2);
    const dlogits = load<usize>(p, 8) + ((<usize>(i * c)) << 2);
    const label = load<i32>(load<usize>(p, 4) + ((<usize>i) << 2));
    const best = firstMaximum(logits, c);
    const most = <f64>load<f32>(logits + ((<usize>best) << 2));
    let total: f64 = 0;
    for (let j = 0; j < c; j++) {
      const e = exp(<f64>load<f32>(logits + ((<usize>j) << 2)) - most);
      store<f64>(scratch + ((<usize>j) << 3), e);
      total += e;
    }
    loss += most + log(total) - <f64>load<f32>(logits + ((<usize>label) << 2));
    if (best == label) correct += 1;
    for (let j = 0; j < c; j++) {
      const share = load<f64>(scratch + ((<usize>j) << 3)) / total;
      store<f32>(dlogits + ((<usize>j) << 2), <f32>((share - (j == label ? 1 : 0)) / <f64>n));
    }
  }
  const partials = partialsOf(load<usize>(p, 12), task);
  store<f64>(partials, loss);
  store<f64>(partials, correct, 8);
}

/**
 * Amit's supervised hinge (2019): logits [n, c], labels i32 [n] → dlogits [n, c] of the mean loss, partials of the loss and of the rows
 * whose first maximum is the label. Words: logits, labels, dlogits, partials, n, c, rows per task, weight of another class (two words, f64).
 */
export function classHinge(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 16);
  const c = load<i32>(p, 20);
  const first = task * load<i32>(p, 24);
  const last = min(first + load<i32>(p, 24), n);
  const weight = load<f64>(p, 28);
  const gate = f32x4.splat(<f32>(weight / <f64>n));
  const ownGate = <f32>(-1 / <f64>n);
  let others = f64x2.splat(0);
  let own: f64 = 0;
  let correct: f64 = 0;
  for (let i = first; i < last; i++) {
    const logits = load<usize>(p) + ((<usize>(i * c)) << 2);
    const dlogits = load<usize>(p, 8) + ((<usize>(i * c)) << 2);
    const label = load<i32>(load<usize>(p, 4) + ((<usize>i) << 2));
    for (let j = 0; j < c; j += 4) {
      const at = (<usize>j) << 2;
      const margin = f32x4.add(f32x4.splat(1), loadFirst(logits + at, c - j));
      const open = v128.and(f32x4.gt(margin, f32x4.splat(0)), otherColumns(j, c, label));
      storeFirst(dlogits + at, v128.and(open, gate), c - j);
      others = addWide(others, v128.and(open, margin));
    }
    const margin: f64 = 1 - <f64>load<f32>(logits + ((<usize>label) << 2));
    if (margin > 0) {
      store<f32>(dlogits + ((<usize>label) << 2), ownGate);
      own += margin;
    }
    if (firstMaximum(logits, c) == label) correct += 1;
  }
  const partials = partialsOf(load<usize>(p, 12), task);
  store<f64>(partials, own + weight * sumOf(others));
  store<f64>(partials, correct, 8);
}

/**
 * NT-Xent (Chen et al. 2020): similarities [m, m] → dsimilarities [m, m], partials of the loss; row i + m/2 is the partner of row i.
 * Words: similarities, dsimilarities, partials, m, rows per task, then in two words each temperature and divisor (f64).
 */
export function ntXent(p: usize, task: i32, scratch: usize): void {
  const m = load<i32>(p, 12);
  const first = task * load<i32>(p, 16);
  const last = min(first + load<i32>(p, 16), m);
  const temperature = load<f64>(p, 20);
  const divisor = load<f64>(p, 28);
  const inverse = f32x4.splat(<f32>(1 / temperature));
  let loss: f64 = 0;
  for (let i = first; i < last; i++) {
    const similarities = load<usize>(p) + ((<usize>(i * m)) << 2);
    const errors = load<usize>(p, 4) + ((<usize>(i * m)) << 2);
    const partner = (<usize>((i + m / 2) % m)) << 2;
    const most = largestOther(similarities, m, i);
    // The errors' place holds e^(similarity − most) until their total is known.
    let sums = f64x2.splat(0);
    for (let j = 0; j < m; j += 4) {
      const at = (<usize>j) << 2;
      const logit = f32x4.mul(inverse, f32x4.sub(loadFirst(similarities + at, m - j), f32x4.splat(most)));
      const e = v128.and(expOf(logit), otherColumns(j, m, i));
      storeFirst(errors + at, e, m - j);
      sums = addWide(sums, e);
    }
    const total = sumOf(sums);
    loss += (<f64>most - <f64>load<f32>(similarities + partner)) / temperature + log(total);
    // share − 1, without the rounding of a share close to 1.
    const own = (<f64>load<f32>(errors + partner) - total) / (total * temperature * divisor);
    const scale = f32x4.splat(<f32>(1 / (total * temperature * divisor)));
    for (let j = 0; j < m; j += 4) {
      const at = errors + ((<usize>j) << 2);
      storeFirst(at, f32x4.mul(scale, loadFirst(at, m - j)), m - j);
    }
    store<f32>(errors + partner, <f32>own);
  }
  store<f64>(partialsOf(load<usize>(p, 8), task), loss / divisor);
}

/** The largest of a row's m numbers but number i. */
function largestOther(row: usize, m: i32, i: i32): f32 {
  const least = f32x4.splat(-Infinity);
  let most = least;
  for (let j = 0; j < m; j += 4) {
    const value = loadFirst(row + ((<usize>j) << 2), m - j);
    most = f32x4.max(most, v128.bitselect(value, least, otherColumns(j, m, i)));
  }
  most = f32x4.max(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  return max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
}

/** Norms below this count as this: the operation table. */
const smallestNorm: f64 = 1e-12;

/** x [n, d] → y = x / norm, norms [n]. Words: x, y, norms, n, d, rows per task. */
export function normaliseRows(p: usize, task: i32, scratch: usize): void {
  const d = load<i32>(p, 16);
  const first = task * load<i32>(p, 20);
  const last = min(first + load<i32>(p, 20), load<i32>(p, 12));
  for (let i = first; i < last; i++) {
    const row = (<usize>(i * d)) << 2;
    const x = load<usize>(p) + row;
    const y = load<usize>(p, 4) + row;
    const norm = sqrt<f64>(dot(x, x, d));
    store<f32>(load<usize>(p, 8) + ((<usize>i) << 2), <f32>norm);
    const divisor = f32x4.splat(<f32>max(norm, smallestNorm));
    for (let k = 0; k < d; k += 4) {
      const at = (<usize>k) << 2;
      storeFirst(y + at, f32x4.div(loadFirst(x + at, d - k), divisor), d - k);
    }
  }
}

/** dy, y [n, d], norms [n] → dx = (dy − y·(y · dy)) / norm. Words: dy, y, norms, dx, n, d, rows per task. */
export function normaliseRowsGradient(p: usize, task: i32, scratch: usize): void {
  const d = load<i32>(p, 20);
  const first = task * load<i32>(p, 24);
  const last = min(first + load<i32>(p, 24), load<i32>(p, 16));
  for (let i = first; i < last; i++) {
    const row = (<usize>(i * d)) << 2;
    const dy = load<usize>(p) + row;
    const y = load<usize>(p, 4) + row;
    const dx = load<usize>(p, 12) + row;
    const norm = <f64>load<f32>(load<usize>(p, 8) + ((<usize>i) << 2));
    const along = f32x4.splat(<f32>dot(y, dy, d));
    const divisor = f32x4.splat(<f32>max(norm, smallestNorm));
    for (let k = 0; k < d; k += 4) {
      const at = (<usize>k) << 2;
      const across = f32x4.sub(loadFirst(dy + at, d - k), f32x4.mul(along, loadFirst(y + at, d - k)));
      storeFirst(dx + at, f32x4.div(across, divisor), d - k);
    }
  }
}

/** Σ a_k · b_k over d numbers, in float64. */
export function dot(a: usize, b: usize, d: i32): f64 {
  let sums = f64x2.splat(0);
  for (; d > 0; d -= 4, a += 16, b += 16) sums = addProducts(sums, loadFirst(a, d), loadFirst(b, d));
  return sumOf(sums);
}

/** x, target [size] → dx = 2 (x − target) / size, partials of Σ (x − target)². Words: x, target, dx, partials, size, chunk. */
export function squaredError(p: usize, task: i32, scratch: usize): void {
  const size = load<i32>(p, 16);
  const first = task * load<i32>(p, 20);
  let x = load<usize>(p) + ((<usize>first) << 2);
  let target = load<usize>(p, 4) + ((<usize>first) << 2);
  let dx = load<usize>(p, 8) + ((<usize>first) << 2);
  const scale = f32x4.splat(<f32>(2 / <f64>load<u32>(p, 24)));
  let sums = f64x2.splat(0);
  for (let left = min(load<i32>(p, 20), size - first); left > 0; left -= 4, x += 16, target += 16, dx += 16) {
    const difference = f32x4.sub(loadFirst(x, left), loadFirst(target, left));
    storeFirst(dx, f32x4.mul(scale, difference), left);
    sums = addWide(sums, f32x4.mul(difference, difference));
  }
  store<f64>(partialsOf(load<usize>(p, 12), task), sumOf(sums));
}

@inline
function sum(squared: bool, p: usize, task: i32): void {
  const first = task * load<i32>(p, 12);
  let x = load<usize>(p) + ((<usize>first) << 2);
  let sums = f64x2.splat(0);
  for (let left = min(load<i32>(p, 12), load<i32>(p, 8) - first); left > 0; left -= 4, x += 16) {
    const value = loadFirst(x, left);
    sums = addWide(sums, squared ? f32x4.mul(value, value) : value);
  }
  store<f64>(partialsOf(load<usize>(p, 4), task), sumOf(sums));
}

/** x [size] → partials of Σ x. Words: x, partials, size, chunk. */
export function reduceSum(p: usize, task: i32, scratch: usize): void {
  sum(false, p, task);
}

/** x [size] → partials of Σ x². Words: x, partials, size, chunk. */
export function reduceSumOfSquares(p: usize, task: i32, scratch: usize): void {
  sum(true, p, task);
}

/**
 * x [size] → partials of Σ (x − x_0) and of Σ (x − x_0)², in float64: with a number of x itself taken off, a mean far from 0 cancels
 * nothing. Words: x, partials, size, chunk.
 */
export function deviationSums(p: usize, task: i32, scratch: usize): void {
  const first = task * load<i32>(p, 12);
  const origin = <f64>load<f32>(load<usize>(p));
  const origins = f64x2.splat(origin);
  let x = load<usize>(p) + ((<usize>first) << 2);
  let left = min(load<i32>(p, 12), load<i32>(p, 8) - first);
  let sums = f64x2.splat(0);
  let squares = sums;
  for (; left >= 2; left -= 2, x += 8) {
    const rest = f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x)), origins);
    sums = f64x2.add(sums, rest);
    squares = f64x2.add(squares, f64x2.mul(rest, rest));
  }
  if (left > 0) {
    const rest = <f64>load<f32>(x) - origin;
    sums = f64x2.add(sums, f64x2(rest, 0));
    squares = f64x2.add(squares, f64x2(rest * rest, 0));
  }
  const partials = partialsOf(load<usize>(p, 4), task);
  store<f64>(partials, sumOf(sums));
  store<f64>(partials, sumOf(squares), 8);
}

/** The partials of deviationSums → the standard deviation of x [size] (f32). Words: partials, their tasks, size, deviation. */
export function standardDeviation(p: usize, task: i32, scratch: usize): void {
  const size = <f64>load<i32>(p, 8);
  let sum: f64 = 0;
  let squares: f64 = 0;
  for (let i = 0; i < load<i32>(p, 4); i++) {
    const partials = partialsOf(load<usize>(p), i);
    sum += load<f64>(partials);
    squares += load<f64>(partials, 8);
  }
  const variance = (squares - (sum * sum) / size) / size;
  store<f32>(load<usize>(p, 12), <f32>sqrt<f64>(max<f64>(variance, 0)));
}

/** x [n, d] → mean, variance [d], in float64 and in two passes. Words: x, mean, variance, n, d. Task: 16 columns. */
export function columnMoments(p: usize, task: i32, scratch: usize): void {
  const n = load<i32>(p, 12);
  const d = load<i32>(p, 16);
  for (let k = task * 16; k < min(task * 16 + 16, d); k += 4) {
    const offset = (<usize>k) << 2;
    const x = load<usize>(p) + offset;
    const rows = f64x2.splat(<f64>n);
    let low = f64x2.splat(0);
    let high = low;
    for (let i = 0, at = x; i < n; i++, at += (<usize>d) << 2) {
      const value = loadFirst(at, d - k);
      low = f64x2.add(low, f64x2.promote_low_f32x4(value));
      high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<f32>(value, value, 2, 3, 2, 3)));
    }
    const lowMean = f64x2.div(low, rows);
    const highMean = f64x2.div(high, rows);
    low = f64x2.splat(0);
    high = low;
    for (let i = 0, at = x; i < n; i++, at += (<usize>d) << 2) {
      const value = loadFirst(at, d - k);
      const lowRest = f64x2.sub(f64x2.promote_low_f32x4(value), lowMean);
      const highRest = f64x2.sub(f64x2.promote_low_f32x4(v128.shuffle<f32>(value, value, 2, 3, 2, 3)), highMean);
      low = f64x2.add(low, f64x2.mul(lowRest, lowRest));
      high = f64x2.add(high, f64x2.mul(highRest, highRest));
    }
    storeFirst(load<usize>(p, 4) + offset, narrow(lowMean, highMean), d - k);
    storeFirst(load<usize>(p, 8) + offset, narrow(f64x2.div(low, rows), f64x2.div(high, rows)), d - k);
  }
}

/** Two pairs of float64 as four float32. */
@inline
function narrow(low: v128, high: v128): v128 {
  return v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

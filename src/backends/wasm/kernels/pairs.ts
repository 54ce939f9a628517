// Losses over a list of pairs of rows: inner products, CLAPP's gates, and the errors that open gates give to either side.
import { dot, partialsOf } from "./loss";
import { loadFirst, storeFirst } from "./vectors";

/** Number `side` of pair number `pair` of a list i32 [p, 2]. */
@inline
function rowOf(pairs: usize, pair: i32, side: i32): i32 {
  return load<i32>(pairs + ((<usize>(2 * pair + side)) << 2));
}

/** a [n, d], b [m, d], pairs i32 [p, 2] → scores [p], ⟨a_i, b_j⟩ in float64. Words: a, b, pairs, scores, p, d, pairs per task. */
export function pairProducts(p: usize, task: i32, scratch: usize): void {
  const pairs = load<usize>(p, 8);
  const d = load<i32>(p, 20);
  const first = task * load<i32>(p, 24);
  const last = min(first + load<i32>(p, 24), load<i32>(p, 16));
  for (let pair = first; pair < last; pair++) {
    const a = load<usize>(p) + ((<usize>(rowOf(pairs, pair, 0) * d)) << 2);
    const b = load<usize>(p, 4) + ((<usize>(rowOf(pairs, pair, 1) * d)) << 2);
    store<f32>(load<usize>(p, 12) + ((<usize>pair) << 2), <f32>dot(a, b, d));
  }
}

/** scores, weights [p] → gates [p], partials of loss, open positives and open negatives. Words: scores, weights, gates, partials, p, chunk. */
export function pairGates(p: usize, task: i32, scratch: usize): void {
  const first = task * load<i32>(p, 20);
  const last = min(first + load<i32>(p, 20), load<i32>(p, 16));
  let sum: f64 = 0;
  let positives: f64 = 0;
  let negatives: f64 = 0;
  for (let pair = first; pair < last; pair++) {
    const at = (<usize>pair) << 2;
    const weight = load<f32>(load<usize>(p, 4) + at);
    const score = <f64>load<f32>(load<usize>(p) + at);
    const margin = weight > 0 ? 1 - score : 1 + score;
    // Not `margin > 0`: a score that is not a number must reach the loss.
    const open = weight != 0 && !(margin <= 0);
    store<f32>(load<usize>(p, 8) + at, open ? -weight : 0);
    if (!open) continue;
    sum += <f64>abs<f32>(weight) * margin;
    if (weight > 0) positives += 1;
    else negatives += 1;
  }
  const partials = partialsOf(load<usize>(p, 12), task);
  store<f64>(partials, sum);
  store<f64>(partials, positives, 8);
  store<f64>(partials, negatives, 16);
}

/**
 * other [m, d], gates [p], pairs i32 [p, 2] → error [rows, d], row r summing gate · other_j in the order of the pairs that have r on `side`.
 * Words: other, gates, pairs, error, p, d, rows, side, rows per task.
 */
export function pairErrors(p: usize, task: i32, scratch: usize): void {
  const gates = load<usize>(p, 4);
  const pairs = load<usize>(p, 8);
  const count = load<i32>(p, 16);
  const d = load<i32>(p, 20);
  const side = load<i32>(p, 28);
  const first = task * load<i32>(p, 32);
  const last = min(first + load<i32>(p, 32), load<i32>(p, 24));
  const rowBytes = (<usize>d) << 2;
  memory.fill(load<usize>(p, 12) + <usize>first * rowBytes, 0, <usize>(last - first) * rowBytes);
  for (let pair = 0; pair < count; pair++) {
    const row = rowOf(pairs, pair, side);
    const gate = load<f32>(gates + ((<usize>pair) << 2));
    if (row < first || row >= last || gate == 0) continue;
    const error = load<usize>(p, 12) + <usize>row * rowBytes;
    const other = load<usize>(p) + <usize>rowOf(pairs, pair, 1 - side) * rowBytes;
    const gates4 = f32x4.splat(gate);
    for (let k = 0; k < d; k += 4) {
      const at = (<usize>k) << 2;
      const sum = f32x4.add(loadFirst(error + at, d - k), f32x4.mul(gates4, loadFirst(other + at, d - k)));
      storeFirst(error + at, sum, d - k);
    }
  }
}

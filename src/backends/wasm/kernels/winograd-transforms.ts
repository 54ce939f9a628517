// The six one-dimensional transforms of Winograd's F(4, 3) (Lavin & Gray 2015, arXiv 1509.09308): outputs of four pixels from six, through the
// points 0, ±1, ±2, ∞. Each is applied to columns and then to rows, four channels at a time.
//
// Forward: Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. Backward by the adjoint of each step: no flipped filters, and the error is transformed once.
import { multiplyAdd } from "./micro-kernels";

@inline
function fused(x: f32, y: v128, sum: v128): v128 {
  return multiplyAdd(f32x4.splat(x), y, sum);
}

@inline
function scaled(x: f32, y: v128): v128 {
  return f32x4.mul(f32x4.splat(x), y);
}

/** Bᵀ: six pixels of the input. Every transform reads vectors `pitch` bytes apart and writes vectors `pitchTo` bytes apart. */
@inline
export function inputTransform(from: usize, pitch: usize, to: usize, pitchTo: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + pitch);
  const d2 = v128.load(from + pitch * 2);
  const d3 = v128.load(from + pitch * 3);
  const d4 = v128.load(from + pitch * 4);
  const d5 = v128.load(from + pitch * 5);
  const even = fused(-4, d2, d4);
  const odd = fused(-4, d1, d3);
  const even2 = f32x4.sub(d4, d2);
  const odd2 = f32x4.sub(d3, d1);
  v128.store(to, fused(4, d0, fused(-5, d2, d4)));
  v128.store(to + pitchTo, f32x4.add(even, odd));
  v128.store(to + pitchTo * 2, f32x4.sub(even, odd));
  v128.store(to + pitchTo * 3, fused(2, odd2, even2));
  v128.store(to + pitchTo * 4, fused(-2, odd2, even2));
  v128.store(to + pitchTo * 5, fused(4, d1, fused(-5, d3, d5)));
}

/** Aᵀ: six products to four pixels of the output. */
@inline
export function outputTransform(from: usize, pitch: usize, to: usize, pitchTo: usize): void {
  const d1 = v128.load(from + pitch);
  const d2 = v128.load(from + pitch * 2);
  const d3 = v128.load(from + pitch * 3);
  const d4 = v128.load(from + pitch * 4);
  const sum = f32x4.add(d1, d2);
  const difference = f32x4.sub(d1, d2);
  const sum2 = f32x4.add(d3, d4);
  const difference2 = f32x4.sub(d3, d4);
  v128.store(to, f32x4.add(f32x4.add(v128.load(from), sum), sum2));
  v128.store(to + pitchTo, fused(2, difference2, difference));
  v128.store(to + pitchTo * 2, fused(4, sum2, sum));
  v128.store(to + pitchTo * 3, f32x4.add(fused(8, difference2, difference), v128.load(from + pitch * 5)));
}

/** A, the adjoint of Aᵀ: the errors of four pixels. */
@inline
export function errorTransform(from: usize, pitch: usize, to: usize, pitchTo: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + pitch);
  const d2 = v128.load(from + pitch * 2);
  const d3 = v128.load(from + pitch * 3);
  const even = f32x4.add(d0, d2);
  const odd = f32x4.add(d1, d3);
  const even2 = fused(4, d2, d0);
  const odd2 = fused(4, d3, d1);
  v128.store(to, d0);
  v128.store(to + pitchTo, f32x4.add(even, odd));
  v128.store(to + pitchTo * 2, f32x4.sub(even, odd));
  v128.store(to + pitchTo * 3, fused(2, odd2, even2));
  v128.store(to + pitchTo * 4, fused(-2, odd2, even2));
  v128.store(to + pitchTo * 5, d3);
}

/** B, the adjoint of Bᵀ: six products to the errors of six pixels of the input. */
@inline
export function inputAdjoint(from: usize, pitch: usize, to: usize, pitchTo: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + pitch);
  const d2 = v128.load(from + pitch * 2);
  const d3 = v128.load(from + pitch * 3);
  const d4 = v128.load(from + pitch * 4);
  const d5 = v128.load(from + pitch * 5);
  const sum = f32x4.add(d1, d2);
  const difference = f32x4.sub(d1, d2);
  const sum2 = f32x4.add(d3, d4);
  const difference2 = f32x4.sub(d3, d4);
  v128.store(to, scaled(4, d0));
  v128.store(to + pitchTo, fused(4, f32x4.sub(d5, difference), scaled(-2, difference2)));
  v128.store(to + pitchTo * 2, fused(-5, d0, fused(-4, sum, f32x4.neg(sum2))));
  v128.store(to + pitchTo * 3, fused(-5, d5, fused(2, difference2, difference)));
  v128.store(to + pitchTo * 4, f32x4.add(f32x4.add(d0, sum), sum2));
  v128.store(to + pitchTo * 5, d5);
}

/** G: three weights. */
@inline
export function weightTransform(from: usize, pitch: usize, to: usize, pitchTo: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + pitch);
  const d2 = v128.load(from + pitch * 2);
  const outer = scaled(<f32>(1.0 / 6), f32x4.add(d0, d2));
  const middle = scaled(<f32>(1.0 / 6), d1);
  const outer2 = fused(<f32>(1.0 / 6), d2, scaled(<f32>(1.0 / 24), d0));
  const middle2 = scaled(<f32>(1.0 / 12), d1);
  v128.store(to, scaled(0.25, d0));
  v128.store(to + pitchTo, f32x4.neg(f32x4.add(outer, middle)));
  v128.store(to + pitchTo * 2, f32x4.sub(middle, outer));
  v128.store(to + pitchTo * 3, f32x4.add(outer2, middle2));
  v128.store(to + pitchTo * 4, f32x4.sub(outer2, middle2));
  v128.store(to + pitchTo * 5, d2);
}

/** Gᵀ, the adjoint of G: six sums to the gradients of three weights. */
@inline
export function weightAdjoint(from: usize, pitch: usize, to: usize, pitchTo: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + pitch);
  const d2 = v128.load(from + pitch * 2);
  const d3 = v128.load(from + pitch * 3);
  const d4 = v128.load(from + pitch * 4);
  const sum = f32x4.add(d1, d2);
  const difference = f32x4.sub(d1, d2);
  const sum2 = f32x4.add(d3, d4);
  const difference2 = f32x4.sub(d3, d4);
  v128.store(to, fused(0.25, d0, fused(<f32>(-1.0 / 6), sum, scaled(<f32>(1.0 / 24), sum2))));
  v128.store(to + pitchTo, fused(<f32>(1.0 / 12), difference2, scaled(<f32>(-1.0 / 6), difference)));
  v128.store(
    to + pitchTo * 2,
    f32x4.add(fused(<f32>(1.0 / 6), sum2, scaled(<f32>(-1.0 / 6), sum)), v128.load(from + pitch * 5)),
  );
}

// Intervals over stimuli: a bootstrap without replacement, by random halves of the stimuli.
//
// A bootstrap with replacement shows some stimuli twice, and a stimulus is at distance 0 from itself: dissimilarities, unbiased CKA and
// dimensionality would all be those of another experiment. A half drawn without replacement has no such pairs, and a statistic of n/2 out of n
// stimuli spreads around that of all n as the latter does around the truth: (1/(n/2) − 1/n)·σ² = σ²/n (Shao & Wu 1989, the delete-half jackknife).

import { randomStream } from "../../program/random.ts";

/** A number with its 95 % interval over stimuli. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** First word of the paths of random numbers that draw halves. */
const halves = 0x4a1f;

/** Numbers of the stimuli of each half, ascending. */
export function halfSamples(count: number, draws: number, seed: number): Int32Array[] {
  return Array.from({ length: draws }, (_, draw) => {
    const order = Int32Array.from({ length: count }, (_, i) => i);
    randomStream(seed, halves, draw).shuffle(order);
    return order.subarray(0, Math.floor(count / 2)).sort();
  });
}

/** The value of all stimuli, give or take Student's t times the standard deviation of those of the halves. */
export function estimate(value: number, ofHalves: readonly number[]): Estimate {
  const n = ofHalves.length;
  const mean = ofHalves.reduce((sum, one) => sum + one, 0) / n;
  const variance = ofHalves.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (n - 1);
  const reach = studentT(n - 1) * Math.sqrt(variance);
  return { value, low: value - reach, high: value + reach };
}

/** The 97.5 % quantile, by the first terms of its expansion (Abramowitz & Stegun 26.7.5): right to 0.3 % from 8 degrees of freedom on. */
function studentT(freedom: number): number {
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

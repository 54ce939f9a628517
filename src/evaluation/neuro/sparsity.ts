// Sparsity (Treves & Rolls 1991; Vinje & Gallant 2000): S = (1 − a)/(1 − 1/n), a = (Σr/n)²/(Σr²/n), of rectified responses r = max(0, x).
//
// 0: all answer alike; 1: one alone answers. Lifetime sparsity is a unit's over n stimuli, population sparsity a stimulus's over n units.

import type { Responses } from "./geometry.ts";

export interface Sparsity {
  /** Mean over the units that answer to anything; NaN where none does. */
  readonly lifetime: number;
  /** Mean over the stimuli that anything answers to. */
  readonly population: number;
  /** Share of units whose response is above 0 for at least one stimulus. */
  readonly responsive: number;
}

/** Of the responses to some stimuli; all unless told. */
export function sparsity({ rows, count, width }: Responses, chosen?: Int32Array): Sparsity {
  const stimuli = chosen ?? Int32Array.from({ length: count }, (_, i) => i);
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  const population: number[] = [];
  for (const i of stimuli) {
    let [sum, square] = [0, 0];
    for (let k = 0, at = i * width; k < width; k++, at++) {
      const r = Math.max(0, rows[at]);
      sum += r;
      square += r * r;
      sums[k] += r;
      squares[k] += r * r;
    }
    population.push(sparsityOf(sum, square, width));
  }
  const lifetime = Array.from(sums, (sum, k) => sparsityOf(sum, squares[k], stimuli.length));
  return {
    lifetime: meanOfNumbers(lifetime),
    population: meanOfNumbers(population),
    responsive: lifetime.filter(Number.isFinite).length / width,
  };
}

/** From Σr and Σr² over n; NaN where there is no response. */
const sparsityOf = (sum: number, square: number, n: number): number => (1 - (sum * sum) / (n * square)) / (1 - 1 / n);

function meanOfNumbers(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / finite.length;
}

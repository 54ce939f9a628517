// Representational similarity analysis (Kriegeskorte, Mur & Bandettini 2008): 1 − Pearson between the responses to two stimuli, and Spearman's rank
// correlation between the upper triangles of two such matrices.

import { wrong } from "../../program/errors.ts";
import type { Geometry } from "./geometry.ts";

/** Pairs (i, j), i < j, row after row: the order of an upper triangle. */
export const pairsOf = (count: number): number => (count * (count - 1)) / 2;

/**
 * 1 − Pearson(x_i, x_j) over units, for every pair. A stimulus to which all units answer alike correlates with nothing: 1.
 */
export function dissimilarities({ count, width, gram, sums }: Geometry): Float64Array {
  const deviations = sums.map((sum, i) => {
    const square = gram[i * count + i];
    const rest = square - (sum * sum) / width;
    return rest > 1e-12 * square ? Math.sqrt(rest) : 0;
  });
  const all = new Float64Array(pairsOf(count));
  let at = 0;
  for (let i = 0; i < count; i++)
    for (let j = i + 1; j < count; j++) {
      const covariance = gram[i * count + j] - (sums[i] * sums[j]) / width;
      const scale = deviations[i] * deviations[j];
      all[at++] = scale > 0 ? 1 - covariance / scale : 1;
    }
  return all;
}

/** 0 for two stimuli of one class, 1 for others: the structure that a code of nothing but the class would have. */
export function classDissimilarities(labels: Int32Array): Float64Array {
  const all = new Float64Array(pairsOf(labels.length));
  let at = 0;
  for (let i = 0; i < labels.length; i++)
    for (let j = i + 1; j < labels.length; j++) all[at++] = labels[i] === labels[j] ? 0 : 1;
  return all;
}

/** How values are ordered: the number of each among the different values, from the smallest. */
export interface Ordered {
  readonly places: Int32Array;
  /** Different values. */
  readonly different: number;
}

export function orderValues(values: Float64Array): Ordered {
  const sorted = values.slice().sort();
  let different = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[different++] = sorted[i];
  const places = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    let [low, high] = [0, different];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle] < values[i]) low = middle + 1;
      else high = middle;
    }
    places[i] = low;
  }
  return { places, different };
}

/** Places of the pairs of some stimuli among those of all, in the order of an upper triangle. */
export function pairsWithin(count: number, chosen: Int32Array): Int32Array {
  const places = new Int32Array(pairsOf(chosen.length));
  let at = 0;
  for (let a = 0; a < chosen.length; a++) {
    const i = chosen[a];
    const row = i * count - (i * (i + 1)) / 2 - i - 1;
    for (let b = a + 1; b < chosen.length; b++) places[at++] = row + chosen[b];
  }
  return places;
}

/** Ranks, ties sharing their mean, of all values or of some among themselves; less their mean and over their length. */
export function unitRanks({ places, different }: Ordered, chosen?: Int32Array): Float64Array {
  const own = new Int32Array(chosen?.length ?? places.length);
  for (let i = 0; i < own.length; i++) own[i] = places[chosen ? chosen[i] : i];
  const ranks = new Float64Array(different);
  for (let i = 0; i < own.length; i++) ranks[own[i]]++;
  let below = 0;
  let square = 0;
  for (let place = 0; place < different; place++) {
    const ties = ranks[place];
    const rank = below + (ties - 1) / 2 - (own.length - 1) / 2;
    square += ties * rank * rank;
    ranks[place] = rank;
    below += ties;
  }
  const scale = 1 / Math.sqrt(square);
  const unit = new Float64Array(own.length);
  for (let i = 0; i < own.length; i++) unit[i] = ranks[own[i]] * scale;
  return unit;
}

/** Spearman's correlation of two lists, as their unit ranks have it; NaN where one has a single value throughout. */
export function rankCorrelation(a: Float64Array, b: Float64Array): number {
  if (a.length !== b.length) throw wrong("rankCorrelation", "b", `${a.length} ranks, as many as a`, b.length);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Spearman's rank correlation of two lists of dissimilarities. */
export const spearman = (a: Float64Array, b: Float64Array): number =>
  rankCorrelation(unitRanks(orderValues(a)), unitRanks(orderValues(b)));

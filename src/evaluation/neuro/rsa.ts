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

/** Values in ascending order, and where each stood. */
export interface Sorted {
  readonly values: Float64Array;
  readonly places: Uint32Array;
}

export function sortValues(values: Float64Array): Sorted {
  const sorted = values.slice().sort();
  const places = new Uint32Array(values.length);
  /** How many of the values that are equal to sorted[k] have their place, at their first k. */
  const taken = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    let [low, high] = [0, values.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle] < values[i]) low = middle + 1;
      else high = middle;
    }
    places[low + taken[low]++] = i;
  }
  return { values: sorted, places };
}

/** Which values take part: their place in a shorter list, −1 for the others. */
export interface Part {
  readonly places: Int32Array;
  readonly size: number;
}

/** The pairs of some stimuli among those of all, in the order of an upper triangle. */
export function pairsWithin(count: number, chosen: Int32Array): Part {
  const places = new Int32Array(pairsOf(count)).fill(-1);
  let size = 0;
  for (let a = 0; a < chosen.length; a++) {
    const i = chosen[a];
    const row = i * count - (i * (i + 1)) / 2 - i - 1;
    for (let b = a + 1; b < chosen.length; b++) places[row + chosen[b]] = size++;
  }
  return { places, size };
}

/** Ranks from 1, ties sharing their mean, of all values or of some among themselves; less their mean and over their length. */
export function unitRanks({ values, places }: Sorted, part?: Part): Float64Array {
  const size = part?.size ?? values.length;
  const ranks = new Float64Array(size);
  const tied = new Int32Array(size);
  let done = 0;
  for (let k = 0; k < values.length; ) {
    const value = values[k];
    let ties = 0;
    for (; k < values.length && values[k] === value; k++) {
      const to = part ? part.places[places[k]] : places[k];
      if (to >= 0) tied[ties++] = to;
    }
    const rank = done + (ties - 1) / 2 - (size - 1) / 2;
    for (let t = 0; t < ties; t++) ranks[tied[t]] = rank;
    done += ties;
  }
  const length = Math.sqrt(ranks.reduce((sum, rank) => sum + rank * rank, 0));
  return ranks.map((rank) => rank / length);
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
  rankCorrelation(unitRanks(sortValues(a)), unitRanks(sortValues(b)));

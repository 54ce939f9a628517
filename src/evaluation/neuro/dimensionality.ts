// Dimensionality: the participation ratio of the eigenvalues of the covariance over stimuli, (Σλ)²/Σλ², and what remains of it when the bias of
// few stimuli and few units is taken away (Chun, Canatar, Chung & Lee 2025, arXiv 2509.26560; PyPI `dimensionality`, participation_ratio).

import { type Geometry, type Responses, requireStimuli } from "./geometry.ts";

export interface ParticipationRatio {
  /** Of the responses as they are; at most the smaller of stimuli − 1 and units. */
  readonly naive: number;
  /** For infinitely many stimuli, and these very units: the package's `row`. All units of a layer are known, so this is a layer's own. */
  readonly stimuli: number;
}

/** Sums over tied indices of products of four responses, with Σ over pairs of units: i, j, l, m are stimuli. */
interface Sums {
  /** Σ x_iα x_jα x_iβ x_jβ: the squares of the Gram matrix. */
  readonly ijij: number;
  readonly iiii: number;
  readonly ijjj: number;
  readonly ijjl: number;
  readonly iijj: number;
  readonly iijl: number;
  readonly ijlm: number;
}

export function participationRatio(geometry: Geometry): ParticipationRatio {
  requireStimuli("participationRatio", geometry);
  const sums = sumsOfPairs(geometry);
  const n = geometry.count;
  const { ijij, ijjl, iijj, iijl, ijlm } = sums;
  const naive = (iijj - (2 / n) * iijl + ijlm / n ** 2) / (ijij - (2 / n) * ijjl + ijlm / n ** 2);
  return { naive, stimuli: overDifferentStimuli(sums, n) };
}

/** For infinitely many stimuli and units, of which these are samples, as of a recording: the package's `both`, its default. */
export function participationRatioOfSample(responses: Responses, geometry: Geometry): number {
  requireStimuli("participationRatio", geometry);
  const all = sumsOfPairs(geometry);
  const same = sumsOfOneUnit(responses);
  const names = Object.keys(all) as (keyof Sums)[];
  const different = Object.fromEntries(names.map((name) => [name, all[name] - same[name]])) as unknown as Sums;
  return overDifferentStimuli(different, geometry.count);
}

function sumsOfPairs({ count: n, gram }: Geometry): Sums {
  const sums = { ijij: 0, iiii: 0, ijjj: 0, ijjl: 0 };
  let trace = 0;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const own = gram[i * n + i];
    let row = 0;
    for (let j = 0; j < n; j++) {
      const value = gram[i * n + j];
      row += value;
      sums.ijij += value * value;
    }
    sums.iiii += own * own;
    sums.ijjj += own * row;
    sums.ijjl += row * row;
    trace += own;
    total += row;
  }
  return { ...sums, iijj: trace * trace, iijl: trace * total, ijlm: total * total };
}

/** The part of the same sums in which both units are one. */
function sumsOfOneUnit({ rows, count, width }: Responses): Sums {
  const powers = [1, 2, 3, 4].map(() => new Float64Array(width));
  for (let i = 0; i < count; i++)
    for (let k = 0; k < width; k++) {
      const value = rows[i * width + k];
      const square = value * value;
      powers[0][k] += value;
      powers[1][k] += square;
      powers[2][k] += square * value;
      powers[3][k] += square * square;
    }
  const sums = { ijij: 0, iiii: 0, ijjj: 0, ijjl: 0, iijj: 0, iijl: 0, ijlm: 0 };
  for (let k = 0; k < width; k++) {
    const [one, two, three, four] = powers.map((power) => power[k]);
    sums.ijij += two * two;
    sums.iiii += four;
    sums.ijjj += one * three;
    sums.ijjl += one * one * two;
    sums.iijj += two * two;
    sums.iijl += two * one * one;
    sums.ijlm += one ** 4;
  }
  return sums;
}

/** The ratio of numerator and denominator over stimuli that are all different, each without bias (there, appendix A). */
function overDifferentStimuli({ ijij, iiii, ijjj, ijjl, iijj, iijl, ijlm }: Sums, n: number): number {
  const pairs = (n - 1) * (n - 2);
  const above =
    iijj - (2 / (n - 1)) * iijl + (4 * ijjj - n * iiii) / (n - 2) + (ijlm - 4 * ijjl + 2 * ijij - iijj) / pairs;
  const below = ijij - (n / (n - 2)) * iiii + (2 / (n - 2)) * (2 * ijjj - ijjl) + (iijj - 2 * iijl + ijlm) / pairs;
  return above / below;
}

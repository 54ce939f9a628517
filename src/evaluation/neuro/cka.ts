// Debiased linear CKA: centred kernel alignment (Kornblith et al. 2019) with the unbiased estimator of HSIC (Song et al. 2012, equation 5).
//
// The plain estimator is near 1 for any two codes of more units than stimuli, random ones too (Murphy et al. 2024, arXiv 2405.01012).

import { wrong } from "../../program/errors.ts";
import { type Geometry, requireStimuli } from "./geometry.ts";

/** A kernel centred so that ⟨K, L⟩ of two of them estimates HSIC without bias (Székely & Rizzo 2014, definition 2). */
export interface Centred {
  readonly count: number;
  /** [count, count], its diagonal 0. */
  readonly kernel: Float64Array;
  /** √⟨K, K⟩; NaN where the estimate is not above 0, as that of a constant code. */
  readonly length: number;
}

export function centreKernel(geometry: Geometry): Centred {
  requireStimuli("cka", geometry);
  const { count: n, gram } = geometry;
  const rows = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) rows[i] += gram[i * n + j];
  const all = rows.reduce((sum, row) => sum + row, 0) / ((n - 1) * (n - 2));
  const kernel = new Float64Array(n * n);
  let square = 0;
  let rough = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      if (i !== j) {
        const value = gram[i * n + j] - (rows[i] + rows[j]) / (n - 2) + all;
        kernel[i * n + j] = value;
        square += value * value;
        rough += gram[i * n + j] ** 2;
      }
  return { count: n, kernel, length: square > 1e-20 * rough ? Math.sqrt(square) : Number.NaN };
}

/** At most 1, and 1 for codes that differ by a rotation and a scale; about 0, a little below it too, for codes that share nothing. */
export function cka(a: Centred, b: Centred): number {
  if (a.count !== b.count) throw wrong("cka", "b", `of ${a.count} stimuli, as a`, b.count);
  let sum = 0;
  for (let i = 0; i < a.kernel.length; i++) sum += a.kernel[i] * b.kernel[i];
  return sum / (a.length * b.length);
}

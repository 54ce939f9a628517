// The one table of tolerances: how far a float32 backend may be from the float64 reference, by operation and terms summed.

import type { Numbers } from "../../src/backends/backend.ts";
import type { Kind } from "../../src/program/operations.ts";

/** One unit of float32 rounding, relative. */
const unit = 2 ** -24;

/**
 * Rounding units allowed per root of the number of terms, relative to |wanted| + rms(wanted).
 * Most operations add products, 2 units a term; the exceptions say why.
 */
const units: Partial<Record<Kind, number>> & { readonly other: number } = {
  other: 4,
  /** Interpolation, luma, hue: a chain of about 100 roundings on values up to 1. */
  makeViews: 12,
  /** log, sqrt and cos of float32 arguments. */
  gaussianNoise: 24,
  /** A division by √v̂ + ε, where v̂ of 1e-8 and less loses digits. */
  adam: 8,
  /** tanh by a rational or exponential form. */
  activation: 8,
};

export interface Comparison {
  readonly kind: Kind;
  readonly terms: number;
  /** Named in the message. */
  readonly what: string;
}

/** `equal`, or a sentence with the worst element: index, both values, the limit. */
export function compare(got: Numbers, wanted: Numbers, { kind, terms, what }: Comparison): string {
  if (got.length !== wanted.length) return `${what}: ${got.length} elements, wanted ${wanted.length}`;
  const exact = wanted instanceof Int32Array || wanted instanceof Uint8Array;
  let squares = 0;
  for (const value of wanted) squares += value * value;
  const rms = Math.sqrt(squares / wanted.length);
  const relative = exact ? 0 : (units[kind] ?? units.other) * unit * Math.sqrt(Math.max(terms, 1));
  let worst = 0;
  let message = "equal";
  for (let i = 0; i < wanted.length; i++) {
    const limit = relative * (Math.abs(wanted[i]) + rms);
    const difference = Math.abs(got[i] - wanted[i]);
    if (difference <= limit) continue;
    const excess = Number.isFinite(difference) ? difference / (limit || Number.MIN_VALUE) : Number.POSITIVE_INFINITY;
    if (excess <= worst) continue;
    worst = excess;
    message = `${what}[${i}] is ${got[i]}, wanted ${wanted[i]} ± ${limit.toExponential(1)} (${kind}, ${terms} terms)`;
  }
  return message;
}

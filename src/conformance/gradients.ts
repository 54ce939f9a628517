// checkGradient: a central difference along one random direction, in float64, against the gradient that is claimed.

import { randomStream } from "../program/random.ts";

/** Relative tolerance that a right gradient of a smooth function meets with step 1e-5 in float64. */
export const gradientTolerance = 1e-7;

export interface GradientCheck {
  /** A scalar function. */
  readonly value: (x: Float64Array) => Promise<number>;
  readonly at: Float64Array;
  readonly gradient: Float64Array;
  readonly seed?: number;
}

/** `equal`, or a sentence with both slopes. */
export async function checkGradient({ value, at, gradient, seed = 5 }: GradientCheck): Promise<string> {
  if (gradient.length !== at.length) return `the gradient has ${gradient.length} elements, wanted ${at.length}`;
  const random = randomStream(seed, 77);
  const direction = Float64Array.from(at, () => random.normal());
  const step = 1e-5;
  const moved = (sign: number): Float64Array => at.map((x, i) => x + sign * step * direction[i]);
  const measured = ((await value(moved(1))) - (await value(moved(-1)))) / (2 * step);
  const claimed = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
  // A slope is a sum of terms that may cancel: judge it by their size.
  const scale = Math.sqrt(gradient.reduce((sum, g, i) => sum + (g * direction[i]) ** 2, 0));
  const error = Math.abs(measured - claimed);
  const limit = gradientTolerance * Math.max(scale, Math.abs(claimed), 1e-3);
  return error <= limit
    ? "equal"
    : `slope ${measured} measured, ${claimed} claimed, off by ${error.toExponential(1)} (limit ${limit.toExponential(1)})`;
}

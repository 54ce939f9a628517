// L-BFGS (Liu & Nocedal 1989) with backtracking and a preconditioner: minimises a smooth convex function of many variables to convergence.

export interface Objective {
  /** Value and gradient at `x`. */
  readonly evaluate: (x: Float64Array) => Promise<{ value: number; gradient: Float64Array }>;
  /** Whether x is as near to the minimum as is asked for. */
  readonly reached: (x: Float64Array, gradient: Float64Array) => boolean;
  readonly preconditioner?: Preconditioner;
}

/** A guess of the Hessian, positive definite; the identity unless told. L-BFGS starts from a multiple of it. */
export interface Preconditioner {
  /** Its inverse times v. */
  readonly solve: (v: Float64Array) => Float64Array;
  /** v · (its inverse times v). */
  readonly square: (v: Float64Array) => number;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** `reached` said so. */
  readonly converged: boolean;
}

/** Pairs of steps that are remembered. */
const memory = 5;
/** What a step must gain of what the slope promises (Armijo), and how much less steep it must be where the value no longer tells. */
const [gain, flatter] = [1e-4, 0.9];
/** Relative rounding of a value: a sum in float32. */
const rounding = 1e-6;

export const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

export const lengthOf = (a: Float64Array): number => Math.sqrt(dot(a, a));

/** a += factor·b. */
export const add = (a: Float64Array, factor: number, b: Float64Array): void => {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
};

const minus = (a: Float64Array, b: Float64Array): Float64Array => {
  const difference = a.slice();
  add(difference, -1, b);
  return difference;
};

const identity: Preconditioner = { solve: (v) => v.slice(), square: (v) => dot(v, v) };

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

export async function minimise(
  { evaluate, reached, preconditioner = identity }: Objective,
  start: Float64Array,
  maxIterations: number,
): Promise<Minimum> {
  let x: Float64Array = start;
  let { value, gradient } = await evaluate(x);
  const pairs: Pair[] = [];
  for (let iteration = 0; ; iteration++) {
    if (reached(x, gradient)) return { x, value, iterations: iteration, converged: true };
    if (iteration === maxIterations) break;
    let direction = downhill(gradient, pairs, preconditioner);
    let slope = dot(direction, gradient);
    if (slope >= 0) {
      pairs.length = 0;
      direction = downhill(gradient, pairs, preconditioner);
      slope = dot(direction, gradient);
    }
    let improved: { x: Float64Array; value: number; gradient: Float64Array } | undefined;
    for (let tries = 0, step = 1; tries < 20 && improved === undefined; tries++, step /= 2) {
      const candidate = x.slice();
      add(candidate, step, direction);
      const there = await evaluate(candidate);
      const lower = there.value <= value + gain * step * slope;
      // Near the minimum a value's rounding hides what a step gains, but the slope still tells (Hager & Zhang 2005, eq. 4.1).
      const level = there.value <= value + rounding * Math.abs(value);
      if (lower || (level && Math.abs(dot(direction, there.gradient)) <= flatter * -slope))
        improved = { x: candidate, ...there };
    }
    // No step improves the value as far as the objective's arithmetic tells.
    if (improved === undefined) return { x, value, iterations: iteration, converged: false };
    const s = minus(improved.x, x);
    const y = minus(improved.gradient, gradient);
    const product = dot(s, y);
    if (product > 1e-12 * dot(y, y)) {
      pairs.push({ s, y, rho: 1 / product });
      if (pairs.length > memory) pairs.shift();
    }
    ({ x, value, gradient } = improved);
  }
  return { x, value, iterations: maxIterations, converged: false };
}

/** −H·gradient by the two-loop recursion, where H guesses the inverse of the Hessian. */
function downhill(gradient: Float64Array, pairs: readonly Pair[], { solve, square }: Preconditioner): Float64Array {
  const q = gradient.slice();
  const alphas: number[] = [];
  for (const { s, y, rho } of [...pairs].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.unshift(alpha);
    add(q, -alpha, y);
  }
  const newest = pairs.at(-1);
  const scale = newest ? 1 / (newest.rho * square(newest.y)) : 1;
  const direction = solve(q);
  for (let i = 0; i < direction.length; i++) direction[i] *= -scale;
  pairs.forEach(({ s, y, rho }, k) => {
    add(direction, -(alphas[k] + rho * dot(y, direction)), s);
  });
  return direction;
}

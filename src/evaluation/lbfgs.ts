// L-BFGS (Liu & Nocedal 1989) with backtracking: minimises a smooth convex function of many variables to convergence.

export interface Objective {
  /** Value and gradient at `x`. */
  readonly evaluate: (x: Float64Array) => Promise<{ value: number; gradient: Float64Array }>;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** The gradient's length fell below the tolerance. */
  readonly converged: boolean;
}

export interface LbfgsOptions {
  readonly maxIterations: number;
  /** Stop when the gradient is shorter than this share of `reference`. */
  readonly tolerance: number;
  /** A length of gradient; the one at the start unless told. */
  readonly reference?: number;
  /** Roughly the diagonal of the Hessian, all positive: the first guess of it is a multiple of this; ones unless told. */
  readonly curvature?: Float64Array;
}

const memory = 8;

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

export const lengthOf = (a: Float64Array): number => Math.sqrt(dot(a, a));

/** a + factor·b. */
const plus = (a: Float64Array, factor: number, b: Float64Array): Float64Array => {
  const sum = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) sum[i] = a[i] + factor * b[i];
  return sum;
};

export async function minimise(
  { evaluate }: Objective,
  start: Float64Array,
  { maxIterations, tolerance, reference, curvature = new Float64Array(start.length).fill(1) }: LbfgsOptions,
): Promise<Minimum> {
  let x: Float64Array = start.slice();
  let { value, gradient } = await evaluate(x);
  const goal = tolerance * (reference ?? lengthOf(gradient));
  const history: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (lengthOf(gradient) <= goal) return { x, value, iterations: iteration, converged: true };
    const direction = twoLoop(gradient, history, curvature);
    let slope = dot(direction, gradient);
    if (slope >= 0) {
      history.length = 0;
      for (let i = 0; i < direction.length; i++) direction[i] = -gradient[i] / curvature[i];
      slope = dot(direction, gradient);
    }
    let step = history.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    let improved: { x: Float64Array; value: number; gradient: Float64Array } | undefined;
    for (let tries = 0; tries < 20 && improved === undefined; tries++, step /= 2) {
      const candidate = plus(x, step, direction);
      const result = await evaluate(candidate);
      if (result.value <= value + 1e-4 * step * slope) improved = { x: candidate, ...result };
    }
    // No step improves the value as far as the objective's arithmetic tells.
    if (improved === undefined) return { x, value, iterations: iteration, converged: false };
    const s = plus(improved.x, -1, x);
    const y = plus(improved.gradient, -1, gradient);
    const product = dot(s, y);
    if (product > 1e-12 * dot(y, y)) {
      history.push({ s, y, rho: 1 / product });
      if (history.length > memory) history.shift();
    }
    ({ x, value, gradient } = improved);
  }
  return { x, value, iterations: maxIterations, converged: lengthOf(gradient) <= goal };
}

/** −H·gradient by the two-loop recursion. */
function twoLoop(
  gradient: Float64Array,
  history: readonly { s: Float64Array; y: Float64Array; rho: number }[],
  curvature: Float64Array,
): Float64Array {
  const q = gradient.slice();
  const alphas: number[] = [];
  for (const { s, y, rho } of [...history].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.unshift(alpha);
    for (let i = 0; i < q.length; i++) q[i] -= alpha * y[i];
  }
  const newest = history.at(-1);
  let squares = 0;
  if (newest) for (let i = 0; i < q.length; i++) squares += newest.y[i] ** 2 / curvature[i];
  const scale = newest ? 1 / (newest.rho * squares) : 1;
  for (let i = 0; i < q.length; i++) q[i] *= scale / curvature[i];
  history.forEach(({ s, y, rho }, k) => {
    const beta = rho * dot(y, q);
    for (let i = 0; i < q.length; i++) q[i] += (alphas[k] - beta) * s[i];
  });
  for (let i = 0; i < q.length; i++) q[i] = -q[i];
  return q;
}

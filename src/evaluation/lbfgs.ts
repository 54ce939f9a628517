// L-BFGS (Liu & Nocedal 1989) with backtracking: minimises a smooth convex function of many variables to convergence.

export interface Objective {
  /** Value and gradient at `x`. */
  readonly evaluate: (x: Float64Array) => Promise<{ value: number; gradient: Float64Array }>;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** The gradient fell below the tolerance, or float32 could not improve the value any more. */
  readonly converged: boolean;
}

export interface LbfgsOptions {
  readonly maxIterations: number;
  /** Stop when the largest gradient component is below this share of the first one. */
  readonly tolerance: number;
}

const memory = 8;

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

const largest = (a: Float64Array): number => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]));
  return most;
};

export async function minimise(
  { evaluate }: Objective,
  start: Float64Array,
  { maxIterations, tolerance }: LbfgsOptions,
  /** Largest gradient component that counts as "the first one"; the one at `start` unless told. */
  reference?: number,
): Promise<Minimum> {
  let x: Float64Array = start.slice();
  let { value, gradient } = await evaluate(x);
  const goal = tolerance * (reference ?? largest(gradient));
  const history: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (largest(gradient) <= goal) return { x, value, iterations: iteration, converged: true };
    const direction = twoLoop(gradient, history);
    let slope = dot(direction, gradient);
    if (slope >= 0) {
      history.length = 0;
      for (let i = 0; i < direction.length; i++) direction[i] = -gradient[i];
      slope = -dot(gradient, gradient);
    }
    let length = history.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    let improved: { x: Float64Array; value: number; gradient: Float64Array } | undefined;
    for (let tries = 0; tries < 20 && improved === undefined; tries++, length /= 2) {
      const candidate = x.map((xi, i) => xi + length * direction[i]);
      const result = await evaluate(candidate);
      if (result.value <= value + 1e-4 * length * slope) improved = { x: candidate, ...result };
    }
    // No step improves a value that is known to float32 only: this is the minimum.
    if (improved === undefined) return { x, value, iterations: iteration, converged: true };
    const current = improved;
    const s = current.x.map((xi, i) => xi - x[i]);
    const y = current.gradient.map((gi, i) => gi - gradient[i]);
    const curvature = dot(s, y);
    if (curvature > 1e-12 * dot(y, y)) {
      history.push({ s, y, rho: 1 / curvature });
      if (history.length > memory) history.shift();
    }
    ({ x, value, gradient } = current);
  }
  return { x, value, iterations: maxIterations, converged: false };
}

/** −H·gradient by the two-loop recursion. */
function twoLoop(
  gradient: Float64Array,
  history: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.slice();
  const alphas: number[] = [];
  for (const { s, y, rho } of [...history].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.unshift(alpha);
    for (let i = 0; i < q.length; i++) q[i] -= alpha * y[i];
  }
  const newest = history.at(-1);
  const scale = newest ? 1 / (newest.rho * dot(newest.y, newest.y)) : 1;
  for (let i = 0; i < q.length; i++) q[i] *= scale;
  history.forEach(({ s, y, rho }, k) => {
    const beta = rho * dot(y, q);
    for (let i = 0; i < q.length; i++) q[i] += (alphas[k] - beta) * s[i];
  });
  for (let i = 0; i < q.length; i++) q[i] = -q[i];
  return q;
}

// The fast optimisers, each in place: Adam, and gradient descent with momentum.

/**
 * Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1) with the weight decay of Loshchilov & Hutter (2019): gradient, weight, m, v
 * [size]; step i32 [1] counts from 1; rate f32 [1] multiplies the learning rate.
 * Words: gradient, step, rate, weight, m, v, size, chunk, then in two words each learningRate, beta1, beta2, epsilon, decay (f64).
 */
export function adam(p: usize, task: i32, scratch: usize): void {
  const t = load<i32>(load<usize>(p, 4));
  const pace = load<f64>(p, 32) * <f64>load<f32>(load<usize>(p, 8));
  const beta1 = load<f64>(p, 40);
  const beta2 = load<f64>(p, 48);
  const chunk = load<i32>(p, 28);
  const offset = (<usize>(task * chunk)) << 2;
  updateRange(
    load<usize>(p) + offset,
    load<usize>(p, 12) + offset,
    load<usize>(p, 16) + offset,
    load<usize>(p, 20) + offset,
    min(chunk, load<i32>(p, 24) - task * chunk),
    <f32>beta1,
    <f32>(1 - beta1),
    <f32>beta2,
    <f32>(1 - beta2),
    <f32>(pace / (1 - power(beta1, t))),
    <f32>(1 / (1 - power(beta2, t))),
    <f32>load<f64>(p, 56),
    <f32>(pace * load<f64>(p, 64)),
  );
}

/** x to a whole power t ≥ 0. */
function power(x: f64, t: i32): f64 {
  let result: f64 = 1;
  for (; t > 0; t >>= 1, x *= x) if ((t & 1) != 0) result *= x;
  return result;
}

/**
 * weight −= rate · m / (√(v · correction) + epsilon) + shrink · weight, after m and v have moved towards the gradient and its square.
 * The shrinking is a difference, because 1 − shrink in float32 would be off by as much as a small shrink.
 */
function updateRange(
  gradient: usize,
  weight: usize,
  m: usize,
  v: usize,
  count: i32,
  keep1: f32,
  take1: f32,
  keep2: f32,
  take2: f32,
  rate: f32,
  correction: f32,
  epsilon: f32,
  shrink: f32,
): void {
  const k1 = f32x4.splat(keep1);
  const t1 = f32x4.splat(take1);
  const k2 = f32x4.splat(keep2);
  const t2 = f32x4.splat(take2);
  const rates = f32x4.splat(rate);
  const corrections = f32x4.splat(correction);
  const epsilons = f32x4.splat(epsilon);
  const shrinks = f32x4.splat(shrink);
  for (; count >= 4; count -= 4, gradient += 16, weight += 16, m += 16, v += 16) {
    const g = v128.load(gradient);
    const newM = f32x4.add(f32x4.mul(k1, v128.load(m)), f32x4.mul(t1, g));
    const newV = f32x4.add(f32x4.mul(k2, v128.load(v)), f32x4.mul(t2, f32x4.mul(g, g)));
    v128.store(m, newM);
    v128.store(v, newV);
    const root = f32x4.add(f32x4.sqrt(f32x4.mul(newV, corrections)), epsilons);
    const w = v128.load(weight);
    const change = f32x4.add(f32x4.div(f32x4.mul(rates, newM), root), f32x4.mul(shrinks, w));
    v128.store(weight, f32x4.sub(w, change));
  }
  for (; count > 0; count--, gradient += 4, weight += 4, m += 4, v += 4) {
    const g = load<f32>(gradient);
    const newM = keep1 * load<f32>(m) + take1 * g;
    const newV = keep2 * load<f32>(v) + take2 * (g * g);
    store<f32>(m, newM);
    store<f32>(v, newV);
    const w = load<f32>(weight);
    store<f32>(weight, w - ((rate * newM) / (sqrt<f32>(newV * correction) + epsilon) + shrink * w));
  }
}

/**
 * Gradient descent with momentum: gradient, weight, velocity [size]; rate f32 [1] multiplies the learning rate.
 * Words: gradient, rate, weight, velocity, size, chunk, then in two words each learningRate, momentum, decay (f64), then nesterov (0 or 1).
 */
export function sgd(p: usize, task: i32, scratch: usize): void {
  const pace = <f32>(load<f64>(p, 24) * <f64>load<f32>(load<usize>(p, 4)));
  const momentum = <f32>load<f64>(p, 32);
  const decay = <f32>load<f64>(p, 40);
  // weight −= pace · (ahead · velocity + own · g): 1 and 0 without Nesterov's look ahead, momentum and 1 with it.
  const nesterov = load<i32>(p, 48) != 0;
  const ahead: f32 = nesterov ? momentum : 1;
  const own: f32 = nesterov ? 1 : 0;
  const chunk = load<i32>(p, 20);
  const offset = (<usize>(task * chunk)) << 2;
  let gradient = load<usize>(p) + offset;
  let weight = load<usize>(p, 8) + offset;
  let velocity = load<usize>(p, 12) + offset;
  let count = min(chunk, load<i32>(p, 16) - task * chunk);
  const paces = f32x4.splat(pace);
  const momentums = f32x4.splat(momentum);
  const decays = f32x4.splat(decay);
  const aheads = f32x4.splat(ahead);
  const owns = f32x4.splat(own);
  for (; count >= 4; count -= 4, gradient += 16, weight += 16, velocity += 16) {
    const w = v128.load(weight);
    const g = f32x4.add(v128.load(gradient), f32x4.mul(decays, w));
    const moved = f32x4.add(f32x4.mul(momentums, v128.load(velocity)), g);
    v128.store(velocity, moved);
    const along = f32x4.add(f32x4.mul(aheads, moved), f32x4.mul(owns, g));
    v128.store(weight, f32x4.sub(w, f32x4.mul(paces, along)));
  }
  for (; count > 0; count--, gradient += 4, weight += 4, velocity += 4) {
    const w = load<f32>(weight);
    const g = load<f32>(gradient) + decay * w;
    const moved = momentum * load<f32>(velocity) + g;
    store<f32>(velocity, moved);
    store<f32>(weight, w - pace * (ahead * moved + own * g));
  }
}

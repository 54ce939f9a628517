// The specification of every operation: float64, plain loops, no cleverness. Other backends are held against it.

import type { ActivationKind, Attributes, In, Kind, Negatives, Out, Updated } from "../../program/operations.ts";
import { threefry2x32 } from "../../program/random.ts";
import type { Shape } from "../../program/tensor.ts";
import { channelEnds } from "../../program/views.ts";
import { makeView } from "./views.ts";

/** An operand: its numbers (float64 for f32 tensors) and its shape. */
export interface Operand {
  readonly data: Float64Array | Int32Array | Uint8Array;
  readonly shape: Shape;
}

export type Kernel<K extends Kind> = (
  operands: { readonly [A in In<K> | Out<K> | Updated<K>]: Operand },
  attributes: Attributes<K>,
) => void;

type Extents4 = [number, number, number, number];

/** Calls `visit` for every (input pixel, kernel tap, output pixel) of a convolution that lies inside the picture. */
function forTaps(
  x: Shape,
  y: Shape,
  [kh, kw]: readonly [number, number],
  { stride, padding }: { stride: number; padding: number },
  visit: (xAt: number, tap: number, yAt: number) => void,
): void {
  const [n, h, w] = x as Extents4;
  const [, yh, yw] = y as Extents4;
  for (let i = 0; i < n; i++)
    for (let row = 0; row < yh; row++)
      for (let column = 0; column < yw; column++)
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const xRow = row * stride + ky - padding;
            const xColumn = column * stride + kx - padding;
            if (xRow < 0 || xRow >= h || xColumn < 0 || xColumn >= w) continue;
            visit((i * h + xRow) * w + xColumn, ky * kw + kx, (i * yh + row) * yw + column);
          }
}

const activate: Record<ActivationKind, (x: number) => number> = {
  hardtanh: (x) => Math.min(1, Math.max(-1, x)),
  tanh: Math.tanh,
  relu: (x) => Math.max(0, x),
};

/** Derivative of an activation, from its output. */
const slope: Record<ActivationKind, (y: number) => number> = {
  hardtanh: (y) => (Math.abs(y) < 1 ? 1 : 0),
  tanh: (y) => 1 - y * y,
  relu: (y) => (y > 0 ? 1 : 0),
};

/** Weight of view t as a negative of anchor s, 0 if it is none. */
export function negativeWeight(negatives: Negatives, s: number, t: number, n: number): number {
  switch (negatives.kind) {
    case "all":
      return s === t ? 0 : 1;
    case "next":
      return t !== s && (t - s + n) % n <= negatives.count ? 1 : 0;
    case "authorsCode":
      return t > s && t - s < negatives.count ? 1 / negatives.count : 0;
    case "past": {
      const { count, gap, spacing } = negatives;
      const further = t - s - gap;
      return further >= 0 && further % spacing === 0 && further < count * spacing ? 1 : 0;
    }
    default:
      return negatives satisfies never;
  }
}

/** Of all elements, divided by their number. */
function standardDeviation(x: Float64Array): number {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length);
}

/** Calls `visit` with the first number of every place of [..., c], and c. */
function forPlaces({ data, shape }: Operand, visit: (at: number, c: number) => void): void {
  const c = shape[shape.length - 1];
  for (let at = 0; at < data.length; at += c) visit(at, c);
}

/** Of `count` numbers from `at` on. */
function sumFrom({ data }: Operand, at: number, count: number): number {
  let sum = 0;
  for (let k = at; k < at + count; k++) sum += data[k];
  return sum;
}

/** dx[i] += …: a zeroed accumulator for a gradient. */
function zeroed({ data }: Operand): Float64Array {
  return (data as Float64Array).fill(0);
}

export const referenceKernels: { readonly [K in Kind]: Kernel<K> } = {
  conv2d: ({ x, w, y }, attributes) => {
    const [kh, kw, c, o] = w.shape as Extents4;
    const out = zeroed(y);
    forTaps(x.shape, y.shape, [kh, kw], attributes, (xAt, tap, yAt) => {
      for (let i = 0; i < c; i++)
        for (let j = 0; j < o; j++) out[yAt * o + j] += x.data[xAt * c + i] * w.data[(tap * c + i) * o + j];
    });
  },

  conv2dInputGradient: ({ dy, w, dx }, attributes) => {
    const [kh, kw, c, o] = w.shape as Extents4;
    const out = zeroed(dx);
    forTaps(dx.shape, dy.shape, [kh, kw], attributes, (xAt, tap, yAt) => {
      for (let i = 0; i < c; i++)
        for (let j = 0; j < o; j++) out[xAt * c + i] += dy.data[yAt * o + j] * w.data[(tap * c + i) * o + j];
    });
  },

  conv2dWeightGradient: ({ x, dy, dw }, attributes) => {
    const [kh, kw, c, o] = dw.shape as Extents4;
    const out = zeroed(dw);
    forTaps(x.shape, dy.shape, [kh, kw], attributes, (xAt, tap, yAt) => {
      for (let i = 0; i < c; i++)
        for (let j = 0; j < o; j++) out[(tap * c + i) * o + j] += x.data[xAt * c + i] * dy.data[yAt * o + j];
    });
  },

  linear: ({ x, w, y }) => {
    const [c, o] = w.shape as [number, number];
    const out = zeroed(y);
    for (let i = 0; i < x.shape[0]; i++)
      for (let k = 0; k < c; k++) for (let j = 0; j < o; j++) out[i * o + j] += x.data[i * c + k] * w.data[k * o + j];
  },

  linearInputGradient: ({ dy, w, dx }) => {
    const [c, o] = w.shape as [number, number];
    const out = zeroed(dx);
    for (let i = 0; i < dy.shape[0]; i++)
      for (let k = 0; k < c; k++) for (let j = 0; j < o; j++) out[i * c + k] += dy.data[i * o + j] * w.data[k * o + j];
  },

  linearWeightGradient: ({ x, dy, dw }) => {
    const [c, o] = dw.shape as [number, number];
    const out = zeroed(dw);
    for (let i = 0; i < x.shape[0]; i++)
      for (let k = 0; k < c; k++) for (let j = 0; j < o; j++) out[k * o + j] += x.data[i * c + k] * dy.data[i * o + j];
  },

  addBias: ({ x, b, y }) => {
    const c = b.data.length;
    for (let i = 0; i < x.data.length; i++) y.data[i] = x.data[i] + b.data[i % c];
  },

  biasGradient: ({ dy, db }) => {
    const out = zeroed(db);
    for (let i = 0; i < dy.data.length; i++) out[i % out.length] += dy.data[i];
  },

  activation: ({ x, y }, { kind }) => {
    for (let i = 0; i < x.data.length; i++) y.data[i] = activate[kind](x.data[i]);
  },

  activationGradient: ({ dy, y, dx }, { kind }) => {
    for (let i = 0; i < dy.data.length; i++) dx.data[i] = dy.data[i] * slope[kind](y.data[i]);
  },

  triangle: ({ x, y }) => {
    forPlaces(x, (at, c) => {
      const mean = sumFrom(x, at, c) / c;
      for (let k = at; k < at + c; k++) y.data[k] = Math.max(0, x.data[k] - mean);
    });
  },

  triangleGradient: ({ dy, y, dx }) => {
    for (let i = 0; i < dy.data.length; i++) dx.data[i] = y.data[i] > 0 ? dy.data[i] : 0;
    forPlaces(dx, (at, c) => {
      const mean = sumFrom(dx, at, c) / c;
      for (let k = at; k < at + c; k++) dx.data[k] -= mean;
    });
  },

  maxPool: ({ x, y, argmax }, { size }) => {
    const [, h, w, c] = x.shape as Extents4;
    forWindows(y.shape, (i, row, column, channel, at) => {
      let best = Number.NEGATIVE_INFINITY;
      let place = 0;
      for (let place2 = 0; place2 < size * size; place2++) {
        const xRow = row * size + Math.floor(place2 / size);
        const xColumn = column * size + (place2 % size);
        const value = x.data[((i * h + xRow) * w + xColumn) * c + channel];
        if (value > best) {
          best = value;
          place = place2;
        }
      }
      y.data[at] = best;
      argmax.data[at] = place;
    });
  },

  maxPoolGradient: ({ dy, argmax, dx }, { size }) => {
    const [, h, w, c] = dx.shape as Extents4;
    const out = zeroed(dx);
    forWindows(dy.shape, (i, row, column, channel, at) => {
      const place = argmax.data[at];
      const xRow = row * size + Math.floor(place / size);
      const xColumn = column * size + (place % size);
      out[((i * h + xRow) * w + xColumn) * c + channel] = dy.data[at];
    });
  },

  averagePool: ({ x, y }, { size }) => {
    const [, h, w, c] = x.shape as Extents4;
    forWindows(y.shape, (i, row, column, channel, at) => {
      let sum = 0;
      for (let dy = 0; dy < size; dy++)
        for (let dx = 0; dx < size; dx++)
          sum += x.data[((i * h + row * size + dy) * w + column * size + dx) * c + channel];
      y.data[at] = sum / (size * size);
    });
  },

  averagePoolGradient: ({ dy, dx }, { size }) => {
    const [, h, w, c] = dx.shape as Extents4;
    const out = zeroed(dx);
    forWindows(dy.shape, (i, row, column, channel, at) => {
      for (let ky = 0; ky < size; ky++)
        for (let kx = 0; kx < size; kx++)
          out[((i * h + row * size + ky) * w + column * size + kx) * c + channel] = dy.data[at] / (size * size);
    });
  },

  makeViews: ({ images, indices, parameters, x }, { height, width, ...values }) => {
    const [, h, w, c] = images.shape as Extents4;
    const ends = channelEnds(values, c);
    const stride = parameters.shape[1];
    for (let i = 0; i < indices.data.length; i++) {
      const image = images.data.subarray(indices.data[i] * h * w * c, (indices.data[i] + 1) * h * w * c) as Uint8Array;
      const view = makeView(
        { pixels: image, height: h, width: w, channels: c },
        parameters.data.subarray(i * stride, (i + 1) * stride) as Float64Array,
        height,
        width,
      );
      for (let k = 0; k < view.length; k++) {
        const { low, high } = ends[k % c];
        x.data[i * view.length + k] = low + (high - low) * view[k];
      }
    }
  },

  gatherRows: ({ table, indices, y }) => {
    const length = y.data.length / indices.data.length;
    for (let i = 0; i < indices.data.length; i++)
      for (let k = 0; k < length; k++) y.data[i * length + k] = table.data[indices.data[i] * length + k];
  },

  gatherLabels: ({ table, indices, y }) => {
    for (let i = 0; i < indices.data.length; i++) y.data[i] = table.data[indices.data[i]];
  },

  gaussianNoise: ({ x, counter, y }, { sigma, relative, seed, stream }) => {
    const spread = sigma * (relative ? standardDeviation(x.data as Float64Array) : 1);
    for (let i = 0; i < x.data.length; i++) {
      const [first, second] = threefry2x32(seed, stream, counter.data[0], i >>> 1);
      // Box–Muller: two uniforms make the numbers 2k and 2k + 1.
      const radius = Math.sqrt(-2 * Math.log(((first >>> 8) + 1) * 2 ** -24));
      const angle = 2 * Math.PI * (second >>> 8) * 2 ** -24;
      y.data[i] = x.data[i] + spread * radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
    }
  },

  l1Distance: ({ a, b, distances }) => {
    const [n, d] = a.shape as [number, number];
    const m = b.shape[0];
    for (let s = 0; s < n; s++)
      for (let t = 0; t < m; t++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += Math.abs(a.data[s * d + k] - b.data[t * d + k]);
        distances.data[s * m + t] = sum;
      }
  },

  hingeGates: ({ distances, gates, loss, active }, { m1, m2, negatives }) => {
    const n = distances.shape[0];
    let sum = 0;
    let positives = 0;
    let opened = 0;
    for (let s = 0; s < n; s++)
      for (let t = 0; t < n; t++) {
        const distance = distances.data[s * n + t];
        const weight = negativeWeight(negatives, s, t, n);
        let gate = 0;
        // Not `distance > m1`: a distance that is not a number must reach the loss.
        if (s === t && !(distance <= m1)) {
          gate = 1;
          sum += distance - m1;
          positives++;
        } else if (weight > 0 && distance < m2) {
          gate = -weight;
          sum += weight * (m2 - distance);
          opened++;
        }
        gates.data[s * n + t] = gate;
      }
    loss.data[0] = sum;
    active.data[0] = positives;
    active.data[1] = opened;
  },

  hingeAnchorError: ({ a, b, gates, error }) => {
    const [n, d] = a.shape as [number, number];
    const out = zeroed(error);
    for (let s = 0; s < n; s++)
      for (let t = 0; t < n; t++)
        for (let k = 0; k < d; k++)
          out[s * d + k] += gates.data[s * n + t] * Math.sign(a.data[s * d + k] - b.data[t * d + k]);
  },

  hingeViewError: ({ a, b, gates, error }) => {
    const [n, d] = a.shape as [number, number];
    const out = zeroed(error);
    for (let s = 0; s < n; s++)
      for (let t = 0; t < n; t++)
        for (let k = 0; k < d; k++)
          out[t * d + k] -= gates.data[s * n + t] * Math.sign(a.data[s * d + k] - b.data[t * d + k]);
  },

  softmaxCrossEntropy: ({ logits, labels, loss, dlogits, correct }) => {
    const [n, c] = logits.shape as [number, number];
    let sum = 0;
    let right = 0;
    for (let i = 0; i < n; i++) {
      const row = logits.data.subarray(i * c, (i + 1) * c) as Float64Array;
      const label = labels.data[i];
      const most = Math.max(...row);
      const total = row.reduce((partial, value) => partial + Math.exp(value - most), 0);
      sum += most + Math.log(total) - row[label];
      if (row.indexOf(most) === label) right++;
      for (let j = 0; j < c; j++)
        dlogits.data[i * c + j] = (Math.exp(row[j] - most) / total - (j === label ? 1 : 0)) / n;
    }
    loss.data[0] = sum / n;
    correct.data[0] = right;
  },

  classHinge: ({ logits, labels, loss, dlogits, correct }, { offClass }) => {
    const [n, c] = logits.shape as [number, number];
    let sum = 0;
    let right = 0;
    for (let i = 0; i < n; i++) {
      const row = logits.data.subarray(i * c, (i + 1) * c) as Float64Array;
      const label = labels.data[i];
      if (row.indexOf(Math.max(...row)) === label) right++;
      for (let j = 0; j < c; j++) {
        const [sign, weight] = j === label ? [-1, 1] : [1, offClass / (c - 1)];
        const open = 1 + sign * row[j] > 0;
        if (open) sum += weight * (1 + sign * row[j]);
        dlogits.data[i * c + j] = open ? (sign * weight) / n : 0;
      }
    }
    loss.data[0] = sum / n;
    correct.data[0] = right;
  },

  normaliseRows: ({ x, y, norms }) => {
    const [n, d] = x.shape as [number, number];
    for (let i = 0; i < n; i++) {
      let squares = 0;
      for (let k = 0; k < d; k++) squares += x.data[i * d + k] ** 2;
      norms.data[i] = Math.sqrt(squares);
      for (let k = 0; k < d; k++) y.data[i * d + k] = x.data[i * d + k] / Math.max(norms.data[i], 1e-12);
    }
  },

  normaliseRowsGradient: ({ dy, y, norms, dx }) => {
    const [n, d] = y.shape as [number, number];
    for (let i = 0; i < n; i++) {
      let along = 0;
      for (let k = 0; k < d; k++) along += y.data[i * d + k] * dy.data[i * d + k];
      for (let k = 0; k < d; k++)
        dx.data[i * d + k] = (dy.data[i * d + k] - y.data[i * d + k] * along) / Math.max(norms.data[i], 1e-12);
    }
  },

  ntXent: ({ similarities, loss, dsimilarities }, { temperature, divisor }) => {
    const rows = similarities.shape[0];
    let sum = 0;
    for (let i = 0; i < rows; i++) {
      const partner = (i + rows / 2) % rows;
      const logit = (j: number): number => similarities.data[i * rows + j] / temperature;
      let most = Number.NEGATIVE_INFINITY;
      for (let j = 0; j < rows; j++) if (j !== i) most = Math.max(most, logit(j));
      let total = 0;
      for (let j = 0; j < rows; j++) if (j !== i) total += Math.exp(logit(j) - most);
      sum += most + Math.log(total) - logit(partner);
      for (let j = 0; j < rows; j++) {
        const share = j === i ? 0 : Math.exp(logit(j) - most) / total;
        dsimilarities.data[i * rows + j] = (share - (j === partner ? 1 : 0)) / (temperature * divisor);
      }
    }
    loss.data[0] = sum / divisor;
  },

  scoreGates: ({ scores, gates, loss, active }) => {
    const n = scores.shape[0];
    let sum = 0;
    const opened = [0, 0];
    for (let s = 0; s < n; s++)
      for (let t = 0; t < n; t++) {
        const sign = s === t ? -1 : 1;
        const margin = 1 + sign * scores.data[s * n + t];
        gates.data[s * n + t] = margin > 0 ? sign : 0;
        if (margin > 0) {
          sum += margin;
          opened[s === t ? 0 : 1]++;
        }
      }
    loss.data[0] = sum;
    active.data.set(opened);
  },

  pairProducts: ({ a, b, pairs, scores }) => {
    const d = a.shape[1];
    for (let pair = 0; pair < scores.data.length; pair++) {
      const [i, j] = pairs.data.subarray(2 * pair);
      let sum = 0;
      for (let k = 0; k < d; k++) sum += a.data[i * d + k] * b.data[j * d + k];
      scores.data[pair] = sum;
    }
  },

  pairGates: ({ scores, weights, gates, loss, active }) => {
    let sum = 0;
    const opened = [0, 0];
    for (let pair = 0; pair < scores.data.length; pair++) {
      const weight = weights.data[pair];
      const margin = 1 - Math.sign(weight) * scores.data[pair];
      const open = weight !== 0 && !(margin <= 0);
      gates.data[pair] = open ? -weight : 0;
      if (!open) continue;
      sum += Math.abs(weight) * margin;
      opened[weight > 0 ? 0 : 1]++;
    }
    loss.data[0] = sum;
    active.data.set(opened);
  },

  pairErrors: ({ other, gates, pairs, error }, { side }) => {
    const d = other.shape[1];
    error.data.fill(0);
    for (let pair = 0; pair < gates.data.length; pair++) {
      const row = pairs.data[2 * pair + side];
      const from = pairs.data[2 * pair + 1 - side];
      for (let k = 0; k < d; k++) error.data[row * d + k] += gates.data[pair] * other.data[from * d + k];
    }
  },

  goodnessGates: ({ x, gates, loss, goodness, passed }, { positive, negative }) => {
    const c = x.shape[3];
    const places = gates.data.length / 2;
    let sum = 0;
    const sums = [0, 0];
    const counts = [0, 0];
    for (let place = 0; place < 2 * places; place++) {
      const [kind, sign, threshold] = place < places ? [0, -1, positive] : [1, 1, negative];
      let total = 0;
      for (let k = 0; k < c; k++) total += Math.max(0, x.data[place * c + k]) ** 2;
      const excess = sign * (total / c - threshold);
      // log(1 + e^excess), without overflow.
      sum += Math.max(0, excess) + Math.log1p(Math.exp(-Math.abs(excess)));
      gates.data[place] = sign / (1 + Math.exp(-excess)) / places;
      sums[kind] += total / c;
      if (excess < 0) counts[kind]++;
    }
    loss.data[0] = sum / places;
    goodness.data.set(sums);
    passed.data.set(counts);
  },

  goodnessError: ({ x, gates, error }) => {
    const c = x.shape[3];
    for (let i = 0; i < x.data.length; i++)
      error.data[i] = (gates.data[Math.floor(i / c)] * 2 * Math.max(0, x.data[i])) / c;
  },

  matchSigns: ({ w, b, y }) => {
    for (let i = 0; i < w.data.length; i++) y.data[i] = Math.abs(b.data[i]) * Math.sign(w.data[i]);
  },

  squaredError: ({ x, target, loss, dx }, { divisor }) => {
    let sum = 0;
    for (let i = 0; i < x.data.length; i++) {
      const difference = x.data[i] - target.data[i];
      sum += difference * difference;
      dx.data[i] = (2 * difference) / divisor;
    }
    loss.data[0] = sum / divisor;
  },

  combine: ({ a, b, y }, { alpha, beta }) => {
    for (let i = 0; i < a.data.length; i++) y.data[i] = alpha * a.data[i] + beta * b.data[i];
  },

  adam: ({ gradient, step, rate, weight, m, v }, { learningRate, beta1, beta2, epsilon, decay }) => {
    const t = step.data[0];
    const pace = learningRate * rate.data[0];
    const correction1 = 1 - beta1 ** t;
    const correction2 = 1 - beta2 ** t;
    for (let i = 0; i < gradient.data.length; i++) {
      const g = gradient.data[i];
      m.data[i] = beta1 * m.data[i] + (1 - beta1) * g;
      v.data[i] = beta2 * v.data[i] + (1 - beta2) * g * g;
      weight.data[i] *= 1 - pace * decay;
      weight.data[i] -= (pace * (m.data[i] / correction1)) / (Math.sqrt(v.data[i] / correction2) + epsilon);
    }
  },

  sgd: ({ gradient, rate, weight, velocity }, { learningRate, momentum, nesterov, decay }) => {
    const pace = learningRate * rate.data[0];
    for (let i = 0; i < gradient.data.length; i++) {
      const g = gradient.data[i] + decay * weight.data[i];
      velocity.data[i] = momentum * velocity.data[i] + g;
      weight.data[i] -= pace * (nesterov ? g + momentum * velocity.data[i] : velocity.data[i]);
    }
  },

  reduce: ({ x, y }, { kind }) => {
    let sum = 0;
    for (let i = 0; i < x.data.length; i++) sum += kind === "sumOfSquares" ? x.data[i] * x.data[i] : x.data[i];
    y.data[0] = kind === "mean" ? sum / x.data.length : sum;
  },

  columnMoments: ({ x, mean, variance }) => {
    const [n, d] = x.shape as [number, number];
    for (let k = 0; k < d; k++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += x.data[i * d + k];
      let squares = 0;
      for (let i = 0; i < n; i++) squares += (x.data[i * d + k] - sum / n) ** 2;
      mean.data[k] = sum / n;
      variance.data[k] = squares / n;
    }
  },
};

/** Calls `visit` for every element of a pooled [n, h, w, c]. */
function forWindows(
  shape: Shape,
  visit: (image: number, row: number, column: number, channel: number, at: number) => void,
): void {
  const [n, h, w, c] = shape as Extents4;
  let at = 0;
  for (let i = 0; i < n; i++)
    for (let row = 0; row < h; row++)
      for (let column = 0; column < w; column++)
        for (let channel = 0; channel < c; channel++) visit(i, row, column, channel, at++);
}

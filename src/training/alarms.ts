// Alarms: numbers that are not finite, embeddings that collapse to a point or to a few directions, and a loss that diverges.

import { SaccadeError } from "../program/errors.ts";
import { requireNumbers } from "../program/finite.ts";
import { mean } from "../program/mean.ts";
import type { Config } from "./config.ts";

/** A run whose numbers are no longer finite: training on would not repair it. */
export class DivergedError extends SaccadeError {}

/** What to do about numbers that grow without end. */
const mend = "lower optimiser.learningRate, or look at the loss's margins and at valueRange";

export interface Health {
  /** Mean over dimensions of the standard deviation over the batch, in units of L1 distance per dimension. */
  readonly spread: number;
  /** exp of the entropy of the covariance's spectrum (Roy & Vetterli 2007): 1 is a line, d is a ball. */
  readonly effectiveRank: number;
}

/** Spread and effective rank of embeddings [n, d]; embeddings that are not numbers end the run. */
export function embeddingHealth(embeddings: Float32Array, d: number): Health {
  if (!embeddings.every(Number.isFinite))
    throw new DivergedError(`train: the embeddings are no longer numbers; ${mend}`);
  const n = embeddings.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < embeddings.length; i++) mean[i % d] += embeddings[i] / n;
  const covariance = new Float64Array(d * d);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) {
      const x = embeddings[i * d + j] - mean[j];
      for (let k = 0; k <= j; k++) covariance[j * d + k] += (x * (embeddings[i * d + k] - mean[k])) / n;
    }
  for (let j = 0; j < d; j++) for (let k = 0; k < j; k++) covariance[k * d + j] = covariance[j * d + k];
  let spread = 0;
  for (let j = 0; j < d; j++) spread += Math.sqrt(covariance[j * d + j]) / d;
  return { spread, effectiveRank: effectiveRank(symmetricEigenvalues(covariance, d)) };
}

function effectiveRank(spectrum: Float64Array): number {
  const total = spectrum.reduce((sum, value) => sum + Math.max(0, value), 0);
  if (total === 0) return 0;
  let entropy = 0;
  for (const value of spectrum) if (value > 0) entropy -= (value / total) * Math.log(value / total);
  return Math.exp(entropy);
}

/** Eigenvalues of a symmetric matrix [d, d] by cyclic Jacobi rotations. */
export function symmetricEigenvalues(matrix: Float64Array, d: number): Float64Array {
  const a = matrix.slice();
  const scale = Math.max(...a.map(Math.abs));
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    for (let p = 0; p < d; p++)
      for (let q = p + 1; q < d; q++) {
        const apq = a[p * d + q];
        off = Math.max(off, Math.abs(apq));
        if (Math.abs(apq) <= 1e-14 * scale) continue;
        const theta = (a[q * d + q] - a[p * d + p]) / (2 * apq);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < d; k++) {
          const [akp, akq] = [a[k * d + p], a[k * d + q]];
          a[k * d + p] = c * akp - s * akq;
          a[k * d + q] = s * akp + c * akq;
        }
        for (let k = 0; k < d; k++) {
          const [apk, aqk] = [a[p * d + k], a[q * d + k]];
          a[p * d + k] = c * apk - s * aqk;
          a[q * d + k] = s * apk + c * aqk;
        }
      }
    if (off <= 1e-12 * scale) break;
  }
  return Float64Array.from({ length: d }, (_, i) => a[i * d + i]);
}

/** A sentence if the embeddings have collapsed: no spread, or fewer than two directions. */
export function collapseAlarm({ spread, effectiveRank: rank }: Health): string | undefined {
  if (spread < 1e-4) return `the embeddings have collapsed to a point (spread ${spread.toExponential(1)})`;
  if (rank < 1.5) return `the embeddings have collapsed to a line (effective rank ${rank.toFixed(2)})`;
  return undefined;
}

/** Watches the embeddings of every layer that learns by itself, or of all together: a collapse that two looks in a row see is told. */
export function watchCollapse(): (health: Health, layer?: number) => string | undefined {
  const collapsed = new Map<number | undefined, boolean>();
  return (health, layer) => {
    const message = collapseAlarm(health);
    const again = collapsed.get(layer) === true;
    collapsed.set(layer, message !== undefined);
    return again ? message : undefined;
  };
}

/** Losses that are averaged, and how many times the first one their mean may be. One that falls may be on its way back from a first leap. */
const runaway = { window: 20, most: 5 } as const;

export interface LossWatch {
  /** Takes a noted loss; a sentence once the mean of a layer's last 20 is more than five times its first, and does not fall. */
  readonly see: (loss: number, layer?: number) => string | undefined;
  /** Whether it has a loss of this layer; undefined: of all together. */
  readonly knows: (layer?: number) => boolean;
}

/** Watches the losses of every layer that learns by itself, or of all together. */
export function watchLosses({ update }: Pick<Config, "update">): LossWatch {
  const seen = new Map<number | undefined, { readonly first: number; readonly last: number[] }>();
  return {
    knows: (layer) => seen.has(layer),
    see: (loss, layer) => {
      const { first, last } = seen.get(layer) ?? { first: loss, last: [] };
      seen.set(layer, { first, last });
      last.push(loss);
      if (last.length > runaway.window) last.shift();
      const half = runaway.window / 2;
      const [older, newer] = [last.slice(0, half), last.slice(half)].map((some) => mean(some));
      const now = mean(last);
      if (last.length < runaway.window || now <= runaway.most * first || newer < older) return undefined;
      const whose = layer === undefined ? "the loss" : `the loss of layer ${layer}`;
      const fixed = update === "RF" || update === "DFA";
      const mends = [
        "a smaller optimiser.learningRate (a third, a tenth)",
        "a warm-up (optimiser.schedule.warmup=50)",
        ...(fixed ? ["feedback that learns with its weights (update=URF)"] : []),
      ];
      return `${whose} is diverging: it began at ${first.toPrecision(3)} and is ${now.toPrecision(3)} on average now; try ${mends.slice(0, -1).join(", ")} or ${mends.at(-1)}`;
    },
  };
}

/** Stops a run whose loss is no longer a number. */
export function requireFinite(loss: number, step: number): void {
  if (!Number.isFinite(loss))
    throw new DivergedError(`train: the loss of step ${step} must be a number, got ${loss}; ${mend}`);
}

/** Stops a run whose synapses, or what its optimiser remembers, are no longer numbers: a loss may hide it, as a hinge makes 0 of NaN. */
export function requireFiniteState(state: ReadonlyMap<string, Float32Array>, step: number): void {
  for (const [name, numbers] of state)
    try {
      requireNumbers("train", `${name} after step ${step}`, numbers, mend);
    } catch (error) {
      throw new DivergedError((error as Error).message);
    }
}

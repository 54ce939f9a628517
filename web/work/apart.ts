// One step under the contrastive hinge, taken apart: what its first picture and its strangers come to. Loaded when it is asked for.

import { stagesOf } from "../../src/training/interventions.ts";
import type { Trainer } from "../../src/training/trainer.ts";
import type { Apart, Tiles } from "../messages.ts";
import { layersOf } from "./seen.ts";
import { pairTiles } from "./tiles.ts";

/** Strangers that are shown; a batch may have many more. */
const mostShown = 5;

/** Undefined where the loss is another one, or its negatives are read in another way than the paper's text. */
export async function apartOf(trainer: Trainer): Promise<Apart | undefined> {
  const { step } = trainer.position();
  const stage = stagesOf(trainer.config).findLast(({ from }) => from < step);
  const embedded = await trainer.embeddings();
  if (stage === undefined || embedded === undefined) return undefined;
  const { loss, encoder, valueRange, normalise } = stage.config;
  if (loss.kind !== "contrastiveHinge" || loss.negativesReading !== "paper-text") return undefined;
  const { numbers, width } = embedded;
  const n = numbers.length / width / 2;
  const reach = Math.min(n - 1, loss.negatives === "all" ? n - 1 : loss.negatives);
  const shown = Math.min(mostShown, reach);
  const views = pairTiles(
    await trainer.views(),
    { encoder, valueRange, ...(normalise ? { normalise } : {}) },
    2,
    shown + 1,
  );
  const codes = [0, n, ...Array.from({ length: shown }, (_, i) => n + 1 + i)].map((row) => rowOf(embedded, row));
  const error = firstError(embedded, { ...loss, reach });
  const seen = await trainer.xray();
  const synapses = seen.flatMap((one) => one.synapses);
  return {
    step,
    loss,
    strangers: reach,
    views,
    codes: diverging(codes),
    distances: codes.slice(1).map((code) => distance(codes[0], code)),
    error: diverging([error]),
    sizes: seen.flatMap(layersOf).map(({ name }, i) => ({ name, size: rms(synapses[i].changes) })),
  };
}

interface Rows {
  readonly numbers: Float32Array;
  readonly width: number;
}

const rowOf = ({ numbers, width }: Rows, row: number): Float32Array => numbers.subarray(row * width, (row + 1) * width);

/** L1. */
export const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, k) => sum + Math.abs(value - b[k]), 0);

const rms = (numbers: ArrayLike<number>): number =>
  Math.sqrt(Array.from(numbers).reduce((sum, value) => sum + value * value, 0) / numbers.length);

interface Hinge {
  readonly m1: number;
  readonly m2: number;
  readonly gradientBlock: boolean;
  /** Following images that are negatives, with wrap-around. */
  readonly reach: number;
}

/**
 * δA_0 = 1[d⁺ > m1] sgn(A_0 − B_0) − Σ_t 1[d⁻ < m2] sgn(A_0 − B_t); under the gradient block, where A learns nothing,
 * δB_0 = −1[d⁺ > m1] sgn(A_0 − B_0) + Σ_s 1[d⁻ < m2] sgn(A_s − B_0), over the anchors that it is a stranger to.
 */
export function firstError(rows: Rows, { m1, m2, gradientBlock, reach }: Hinge): Float32Array {
  const n = rows.numbers.length / rows.width / 2;
  const [a, b] = [rowOf(rows, 0), rowOf(rows, n)];
  const pulled = distance(a, b) > m1;
  const side = gradientBlock ? -1 : 1;
  const error = a.map((value, k) => (pulled ? side * Math.sign(value - b[k]) : 0));
  for (let i = 1; i <= reach; i++) {
    const [from, to] = gradientBlock ? [rowOf(rows, n - i), b] : [a, rowOf(rows, n + i)];
    if (distance(from, to) < m2) for (let k = 0; k < rows.width; k++) error[k] -= side * Math.sign(from[k] - to[k]);
  }
  return error;
}

/** Rows of numbers as squares of pixels: below zero blue, zero dark, above yellow; brightest the largest of all. */
function diverging(rows: readonly Float32Array[]): Tiles {
  const side = Math.ceil(Math.sqrt(rows[0].length));
  const largest = Math.max(...rows.flatMap((row) => [...row].map(Math.abs))) || 1;
  const rgba = new Uint8ClampedArray(rows.length * side * side * 4);
  rows.forEach((row, i) => {
    row.forEach((value, k) => {
      const size = Math.sqrt(Math.abs(value) / largest);
      const [red, green, blue] = value > 0 ? [250, 204, 80] : [90, 160, 245];
      rgba.set(
        [22 + (red - 22) * size, 24 + (green - 24) * size, 32 + (blue - 32) * size, 255],
        4 * (i * side * side + k),
      );
    });
  });
  return { count: rows.length, height: side, width: side, rgba };
}

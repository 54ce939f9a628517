// The geometry of responses: inner products between stimuli, from which RSA, CKA and dimensionality are all read, in float64.

import type { Backend } from "../../backends/backend.ts";
import { wrong } from "../../program/errors.ts";
import { recordProgram } from "../../program/program.ts";
import { persistent } from "../../program/tensor.ts";

/** What units answered to stimuli. */
export interface Responses {
  /** [count, width], row-major: a row for each stimulus. */
  readonly rows: Float32Array | Float64Array;
  readonly count: number;
  /** Units. */
  readonly width: number;
}

export interface Geometry {
  /** Stimuli. */
  readonly count: number;
  /** Units. */
  readonly width: number;
  /** X·Xᵀ [count, count] of the responses X as they are, not centred. */
  readonly gram: Float64Array;
  /** Each stimulus's sum over the units [count]. */
  readonly sums: Float64Array;
}

/** Fewest stimuli that the unbiased estimators take: they use four different ones at a time. */
export const fewestStimuli = 4;

export function requireStimuli(operation: string, { count }: Pick<Geometry, "count">): void {
  if (!(count >= fewestStimuli)) throw wrong(operation, "responses", `of at least ${fewestStimuli} stimuli`, count);
}

/** By plain loops: what `openGeometry` is held against. */
export function geometryOf({ rows, count, width }: Responses): Geometry {
  const gram = new Float64Array(count * count);
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += rows[i * width + k] * rows[j * width + k];
      gram[i * count + j] = sum;
      gram[j * count + i] = sum;
    }
  return { count, width, gram, sums: sumsOf({ rows, count, width }) };
}

/** Columns that the engine multiplies at a time: their products are added up in float64, so that its own rounding stays that of a short sum. */
const blockWidth = 512;

export interface OpenGeometry {
  readonly of: (responses: Responses) => Promise<Geometry>;
  readonly dispose: () => Promise<void>;
}

/**
 * Geometries of `count` stimuli each, by an engine. What it multiplies is centred over the stimuli, for a large mean would hide the rest in
 * float32; the mean's part is added in float64.
 */
export async function openGeometry(count: number, backend: Backend): Promise<OpenGeometry> {
  const block = persistent("block", [count, blockWidth], "input");
  const record = recordProgram(`inner products of ${count} responses`);
  const { dx: products } = record.linearInputGradient({ dy: block, w: block }, {}, { dx: "products" });
  const program = record.finish([products]);
  const engine = await backend.prepare([program]);
  const part = new Float32Array(count * blockWidth);
  return {
    of: async (responses) => {
      const { rows, width } = responses;
      if (responses.count !== count) throw wrong("geometry", "responses", `to ${count} stimuli`, responses.count);
      const mean = columnMeans(responses);
      const withMean = new Float64Array(count);
      const gram = new Float64Array(count * count);
      for (let first = 0; first < width; first += blockWidth) {
        const columns = Math.min(blockWidth, width - first);
        part.fill(0);
        for (let i = 0; i < count; i++)
          for (let k = 0; k < columns; k++) {
            const centred = rows[i * width + first + k] - mean[first + k];
            withMean[i] += centred * mean[first + k];
            part[i * blockWidth + k] = centred;
          }
        engine.write(block, part);
        await engine.run(program);
        const some = await engine.read(products);
        for (let i = 0; i < gram.length; i++) gram[i] += some[i];
      }
      const square = mean.reduce((sum, value) => sum + value * value, 0);
      for (let i = 0; i < count; i++)
        for (let j = 0; j < count; j++) gram[i * count + j] += withMean[i] + withMean[j] + square;
      return { count, width, gram, sums: sumsOf(responses) };
    },
    dispose: () => engine.dispose(),
  };
}

function columnMeans({ rows, count, width }: Responses): Float64Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) sums[k] += rows[i * width + k];
  return sums.map((sum) => sum / count);
}

function sumsOf({ rows, count, width }: Responses): Float64Array {
  const sums = new Float64Array(count);
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) sums[i] += rows[i * width + k];
  return sums;
}

/** The geometry of some of the stimuli. */
export function selectStimuli({ count, width, gram, sums }: Geometry, chosen: Int32Array): Geometry {
  const n = chosen.length;
  const some = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const from = chosen[i] * count;
    for (let j = 0; j < n; j++) some[i * n + j] = gram[from + chosen[j]];
  }
  return { count: n, width, gram: some, sums: Float64Array.from(chosen, (i) => sums[i]) };
}

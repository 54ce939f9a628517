// What single units tell: orientation tuning by gratings and receptive fields by white noise, of the unit in the middle of each map.

import type { Backend } from "../../backends/backend.ts";
import type { ImageSet } from "../../data/images.ts";
import type { Encoder } from "../../encoders/encoder.ts";
import { encoderRows, type FrozenEncoder } from "../features.ts";
import { fitGabor, type Gabor } from "./gabor.ts";
import { estimate, halfSamples } from "./half-samples.ts";
import type { Encoders } from "./layer-scores.ts";
import { filtersOf, type MiddleUnit, middleUnit, spatialPart, triggeredAverages } from "./receptive-fields.ts";
import type { LayerScore, NeuroReadOut } from "./scores.ts";
import { renderGratings, renderNoise } from "./stimuli.ts";
import { type Tuning, tuningOf } from "./tuning.ts";

export interface UnitOptions {
  readonly halves: number;
  readonly seed: number;
  /** Pictures of white noise; 0 leaves the fields of deeper layers out. */
  readonly noise: number;
  /** Channels of a layer whose fields are looked at, the first ones. */
  readonly fields: number;
  readonly onLayer?: (name: string, done: number, total: number) => void;
}

export interface LayerTuning {
  readonly subject: string;
  readonly layer: string;
  readonly units: number;
  /** Of the units that answer to any grating. */
  readonly tuned: readonly Tuning[];
}

export interface LayerFields {
  readonly subject: string;
  readonly layer: string;
  /** `filter`: the weights themselves; `noise`: a spike-triggered average. */
  readonly by: "filter" | "noise";
  /** Pixels along a side, and of the colours. */
  readonly side: number;
  readonly channels: number;
  /** [side, side, channels] of each unit; null where it never answered. */
  readonly fields: readonly (Float64Array | null)[];
  readonly gabors: readonly (Gabor | null)[];
  /** Correlation of the averages over the two halves of the noise; of filters there is none. */
  readonly reliability: readonly (number | null)[];
}

export interface UnitReport {
  readonly scores: readonly LayerScore[];
  readonly orientations: readonly number[];
  readonly tuning: readonly LayerTuning[];
  readonly fields: readonly LayerFields[];
}

/** Orientation tuning and receptive fields of the unit in the middle of each map, trained and random. */
export async function unitScores(encoders: Encoders, options: UnitOptions, backend: Backend): Promise<UnitReport> {
  const encoder = encoders.trained.network;
  const gratings = renderGratings(encoder);
  const noise = renderNoise(encoder, options.noise, options.seed);
  const scores: LayerScore[] = [];
  const tuning: LayerTuning[] = [];
  const fields: LayerFields[] = [];
  const total = 2 * encoder.blocks.length;
  for (const subject of ["trained", "random"] as const)
    for (const [place, { name: layer }] of encoder.blocks.entries()) {
      const frozen = { ...encoders[subject], layer };
      const unit = middleUnit(encoder, layer);
      const code = { subject, layer };
      const answers = await middleResponses(frozen, gratings.set, unit, unit.channels, backend);
      const tuned = Array.from({ length: unit.channels }, (_, channel) =>
        tuningOf(
          Float32Array.from({ length: gratings.set.count }, (_, i) => answers[i * unit.channels + channel]),
          gratings,
        ),
      ).filter((one) => one !== undefined);
      tuning.push({ ...code, units: unit.channels, tuned });
      const details = { units: unit.channels, answering: tuned.length };
      for (const readOut of ["circularVariance", "selectivity", "modulation"] as const)
        scores.push(
          overUnits(
            code,
            readOut,
            tuned.map((one) => one[readOut]),
            details,
            options,
          ),
        );
      const own = await fieldsOf(frozen, { encoder, place, unit, noise, count: options.fields }, backend);
      if (own) {
        fields.push({ ...code, ...own });
        const r2 = own.gabors.flatMap((gabor) => (gabor && Number.isFinite(gabor.r2) ? [gabor.r2] : []));
        const reliable = own.reliability.filter((value) => value !== null);
        scores.push(
          overUnits(
            code,
            "gaborFit",
            r2,
            { units: r2.length, ...(own.by === "noise" ? { reliability: median(reliable) } : {}) },
            options,
          ),
        );
      }
      options.onLayer?.(`${subject} ${layer}`, tuning.length, total);
    }
  return { scores, orientations: gratings.orientations, tuning, fields };
}

/** The median over units, with its interval over units. */
function overUnits(
  code: { readonly subject: string; readonly layer: string },
  readOut: NeuroReadOut,
  values: readonly number[],
  details: Readonly<Record<string, number>>,
  { halves, seed }: UnitOptions,
): LayerScore {
  const ofHalves = halfSamples(values.length, halves, seed).map((chosen) =>
    median(Array.from(chosen, (i) => values[i])),
  );
  return { ...code, readOut, ...estimate(median(values), ofHalves), details };
}

/** NaN of nothing. */
function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length / 2;
  return (sorted[Math.floor(half - 0.5)] + sorted[Math.ceil(half - 0.5)]) / 2;
}

/** Responses [pictures, channels] of the first channels at the middle of a layer's map. */
async function middleResponses(
  frozen: FrozenEncoder,
  set: ImageSet,
  { first }: MiddleUnit,
  channels: number,
  backend: Backend,
): Promise<Float32Array> {
  const answers = new Float32Array(set.count * channels);
  let done = 0;
  for await (const { start, rows } of encoderRows(frozen, [set], backend)) {
    const count = Math.min(250, set.count - start);
    const width = rows.length / count;
    for (let i = 0; i < count; i++, done++)
      answers.set(rows.subarray(i * width + first, i * width + first + channels), done * channels);
  }
  return answers;
}

interface Wanted {
  readonly encoder: Encoder;
  readonly place: number;
  readonly unit: MiddleUnit;
  readonly noise: ImageSet;
  readonly count: number;
}

/** Of the first layer the filters, of a deeper one averages over the noise, where there is some. */
async function fieldsOf(
  frozen: FrozenEncoder,
  { encoder, place, unit, noise, count }: Wanted,
  backend: Backend,
): Promise<Omit<LayerFields, "subject" | "layer"> | undefined> {
  const shown = Math.min(count, unit.channels);
  const { channels } = encoder;
  if (place === 0) {
    const { name, kernel } = encoder.blocks[0];
    const weight = frozen.weights.get(`${name}.weight`) ?? new Float32Array();
    const filters = filtersOf(weight, unit.channels).slice(0, shown);
    return {
      by: "filter",
      side: kernel,
      channels,
      fields: filters,
      ...fitAll(filters, channels),
      reliability: filters.map(() => null),
    };
  }
  if (noise.count < 2) return undefined;
  const answers = await middleResponses(frozen, noise, unit, shown, backend);
  const { side } = unit.window;
  const whole = triggeredAverages(noise, answers, unit.window);
  const parts = [0, 1].map((half) => triggeredAverages(noise, answers, unit.window, (picture) => picture % 2 === half));
  const fields = whole.map((field) => (field.some((value) => value !== 0) ? field : null));
  return {
    ...{ by: "noise", side, channels, fields },
    ...fitAll(fields, channels),
    reliability: fields.map((field, i) => field && correlation(parts[0][i], parts[1][i])),
  };
}

const fitAll = (fields: readonly (Float64Array | null)[], channels: number): { gabors: (Gabor | null)[] } => ({
  gabors: fields.map((field) => field && fitGabor(spatialPart(field, channels))),
});

function correlation(a: Float64Array, b: Float64Array): number {
  const [ma, mb] = [a, b].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

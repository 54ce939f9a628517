// What a neuroscientist asks of each layer of an encoder, beside the same network before training: the whole of saccade inspect, as one report.

import type { Backend } from "../../backends/backend.ts";
import type { ImageSet } from "../../data/images.ts";
import type { Encoder } from "../../encoders/encoder.ts";
import type { Normalise } from "../../program/views.ts";
import { untrainedWeights } from "../features.ts";
import type { Responses } from "./geometry.ts";
import { type Encoders, type LayerReport, layerScores } from "./layer-scores.ts";
import type { LayerScore } from "./scores.ts";
import { type UnitReport, unitScores } from "./unit-scores.ts";

/** The encoder to inspect, and where its random twin starts from. */
export interface Inspected {
  readonly network: Encoder;
  /** Synapses by name. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly valueRange: readonly [number, number];
  readonly normalise?: Normalise | undefined;
  /** Of the run: the random encoder is the one from which training began. */
  readonly seed: number;
}

/** How an inspection is done, and what it is told to compare with. */
export interface InspectOptions {
  /** Of the halves of the stimuli and the noise; default 0. */
  readonly seed?: number;
  /** Random halves of the stimuli behind every interval; default 60. */
  readonly halves?: number;
  /** Pictures of white noise; default 2,000, 0 for none. */
  readonly noise?: number;
  /** A row for every picture, [pictures, neurons]: what layers are compared to. */
  readonly responses?: Responses | undefined;
  /** One more step is done, of about as many. */
  readonly onStep?: (what: string, done: number, total: number) => void;
}

/** What `saccade inspect` writes as inspect.json. */
export interface InspectReport {
  /** Its name. */
  readonly network: string;
  readonly dataset: string;
  readonly stimuli: number;
  readonly layers: readonly string[];
  readonly seed: number;
  readonly halves: number;
  readonly noise: number;
  /** Neurons of the responses, where there were some. */
  readonly neurons?: number;
  readonly scores: readonly LayerScore[];
  readonly cka: LayerReport["cka"];
  readonly orientations: readonly number[];
  readonly tuning: UnitReport["tuning"];
  readonly fields: UnitReport["fields"];
}

/** Halves for numbers that take long. */
const fewHalves = 8;
/** Channels of a layer whose receptive fields are looked at. */
const fieldsOfLayer = 32;

/** Trained and random encoders of an inspection. */
export function encodersOf({ network, weights, valueRange, normalise, seed }: Inspected): Encoders {
  const random = untrainedWeights(network, seed);
  return {
    trained: { network, weights, valueRange, normalise },
    random: { network, weights: random, valueRange, normalise },
  };
}

/** Everything that `saccade inspect` measures of each layer, beside the random encoder. `set` must be labelled. */
export async function inspect(
  inspected: Inspected,
  set: ImageSet,
  { seed = 0, halves = 60, noise = 2000, responses, onStep }: InspectOptions,
  backend: Backend,
): Promise<InspectReport> {
  const { network } = inspected;
  const encoders = encodersOf(inspected);
  const layers = network.blocks.map(({ name }) => name);
  const total = 4 * layers.length + 2;
  const onCode = (what: string, done: number): void => onStep?.(what, done, total);
  const ofLayers = await layerScores(encoders, set, { seed, halves, fewHalves, responses, onCode }, backend);
  const onLayer = (what: string, done: number): void =>
    onStep?.(`units of ${what}`, 2 * layers.length + 2 + done, total);
  const ofUnits = await unitScores(encoders, { seed, halves, noise, fields: fieldsOfLayer, onLayer }, backend);
  return {
    ...{ network: network.name, dataset: set.name, stimuli: set.count, layers, seed, halves, noise },
    ...(responses ? { neurons: responses.width } : {}),
    scores: [...ofLayers.scores, ...ofUnits.scores],
    cka: ofLayers.cka,
    ...{ orientations: ofUnits.orientations, tuning: ofUnits.tuning, fields: ofUnits.fields },
  };
}

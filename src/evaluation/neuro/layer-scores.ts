// What inner products and sums tell of each layer, beside the random encoder: RSA, CKA, dimensionality, effective rank and sparsity, with intervals.

import type { Backend } from "../../backends/backend.ts";
import { type ImageSet, requireLabels } from "../../data/images.ts";
import { layerWidth } from "../../encoders/encoder.ts";
import { wrong } from "../../program/errors.ts";
import { encoderFeatures, type FrozenEncoder, pixelFeatures } from "../features.ts";
import { type Centred, centreKernel, cka } from "./cka.ts";
import { participationRatio, participationRatioOfSample } from "./dimensionality.ts";
import { effectiveRank } from "./effective-rank.ts";
import { type Geometry, openGeometry, type Responses, requireStimuli, selectStimuli } from "./geometry.ts";
import { estimate, halfSamples } from "./half-samples.ts";
import {
  classDissimilarities,
  dissimilarities,
  type Ordered,
  orderValues,
  pairsWithin,
  rankCorrelation,
  unitRanks,
} from "./rsa.ts";
import type { LayerScore, NeuroReadOut } from "./scores.ts";
import { sparsity } from "./sparsity.ts";

/** The trained encoder and the one from which its training began. */
export type Encoders = Readonly<Record<"trained" | "random", FrozenEncoder>>;

export interface LayerOptions {
  /** Random halves of the stimuli for the intervals. */
  readonly halves: number;
  /** And of these, how many for the numbers that take long: effective rank and sparsity. */
  readonly fewHalves: number;
  readonly seed: number;
  /** A row of responses for every picture, to which each layer is compared; none unless told. */
  readonly responses?: Responses | undefined;
  readonly onCode?: (name: string, done: number, total: number) => void;
}

export interface LayerReport {
  readonly scores: readonly LayerScore[];
  /** Debiased CKA [layer][layer], within the trained encoder and of its layers (rows) with those of the random one. */
  readonly cka: {
    readonly layers: readonly string[];
    readonly trained: number[][];
    readonly trainedRandom: number[][];
  };
}

/** Most pictures: their inner products, of every layer and encoder, are held at once. */
export const mostStimuli = 4000;

/** Stimuli that the effective rank is over, the first ones. */
const rankStimuli = 500;

const range = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

/** Between long computations: signals and progress get their turn. */
const letOthers = (): Promise<void> => new Promise((resume) => setImmediate(resume));

/** Something with a geometry: `trained conv1`, `pixels`, `responses`. */
interface Code {
  readonly subject: string;
  readonly layer?: string;
}

const keyOf = ({ subject, layer }: Code): string => `${subject}/${layer ?? ""}`;

/**
 * RSA, CKA, dimensionality, effective rank and sparsity of each layer, with intervals over random halves of the stimuli. Throws where
 * `responses` are of another number of stimuli.
 */
export async function layerScores(
  encoders: Encoders,
  set: ImageSet,
  { halves, fewHalves, seed, responses, onCode }: LayerOptions,
  backend: Backend,
): Promise<LayerReport> {
  const encoder = encoders.trained.network;
  requireStimuli("inspect", set);
  requireLabels("inspect", set.name, set, set.classes.length);
  if (set.count > mostStimuli)
    throw wrong("inspect", set.name, `at most ${mostStimuli} pictures`, set.count, `add limit=${mostStimuli}`);
  if (responses && responses.count !== set.count)
    throw wrong(
      "inspect",
      "responses",
      `[${set.count}, neurons], a row for every picture of ${set.name}`,
      [responses.count, responses.width],
      responses.count < set.count
        ? `if they are of its first pictures, add limit=${responses.count}`
        : "add the limit of the pictures that they are of",
    );
  const layers = encoder.blocks.map(({ name }) => name);
  const codes: Code[] = [
    { subject: "pixels" },
    ...(["trained", "random"] as const).flatMap((subject) => layers.map((layer) => ({ subject, layer }))),
  ];
  const draws = halfSamples(set.count, halves, seed);
  const few = draws.slice(0, fewHalves);
  const scores: LayerScore[] = [];
  const geometries = new Map<string, Geometry>();
  /** Where one layer's features stand after another's: memory that waits to be collected would come on top. */
  const room = [new Float32Array(set.count * Math.max(...layers.map((layer) => layerWidth(encoder, layer))))];
  const responsesOf = async ({ subject, layer }: Code): Promise<Responses> => {
    if (layer === undefined) return pixelFeatures(set);
    const frozen = { ...encoders[subject as keyof Encoders], layer };
    return (await encoderFeatures(frozen, [set], backend, room)).features[0];
  };
  const opened = await openGeometry(set.count, backend);
  try {
    for (const [i, code] of codes.entries()) {
      const own = await responsesOf(code);
      const geometry = await opened.of(own);
      geometries.set(keyOf(code), geometry);
      if (code.layer !== undefined) scores.push(...sparsityScores(code, own, few));
      const sample = participationRatioOfSample(own, geometry);
      scores.push(...dimensionScores(code, geometry, sample, draws, { fewHalves, seed }));
      onCode?.(keyOf(code), i + 1, codes.length + 1);
      await letOthers();
    }
    if (responses) geometries.set("responses/", await opened.of(responses));
  } finally {
    await opened.dispose();
  }
  const onHalf = (done: number): void =>
    onCode?.(`intervals, ${done} of ${halves}`, codes.length + done / halves, codes.length + 1);
  scores.push(...(await similarityScores(codes, geometries, set, draws, onHalf)));
  return { scores, cka: ckaMatrices(layers, geometries) };
}

function sparsityScores(code: Code, responses: Responses, few: readonly Int32Array[]): LayerScore[] {
  const whole = sparsity(responses);
  const some = few.map((chosen) => sparsity(responses, chosen));
  const details = { responsiveUnits: whole.responsive };
  return (["lifetime", "population"] as const).map((kind) => ({
    ...code,
    readOut: `${kind}Sparsity`,
    ...estimate(
      whole[kind],
      some.map((one) => one[kind]),
    ),
    details,
  }));
}

function dimensionScores(
  code: Code,
  geometry: Geometry,
  sample: number,
  draws: readonly Int32Array[],
  { fewHalves, seed }: Pick<LayerOptions, "fewHalves" | "seed">,
): LayerScore[] {
  const { naive, stimuli } = participationRatio(geometry);
  const ofHalves = draws.map((chosen) => participationRatio(selectStimuli(geometry, chosen)).stimuli);
  // Eigenvalues take the cube of the stimuli's number.
  const some = selectStimuli(geometry, range(Math.min(rankStimuli, geometry.count)));
  const rankHalves = halfSamples(some.count, fewHalves, seed);
  const ranks = rankHalves.map((chosen) => effectiveRank(selectStimuli(some, chosen)));
  return [
    { ...code, readOut: "dimensionality", ...estimate(stimuli, ofHalves), details: { naive, sample } },
    { ...code, readOut: "effectiveRank", ...estimate(effectiveRank(some), ranks), details: { stimuli: some.count } },
  ];
}

/** What two codes are compared by, of all stimuli or of some. */
interface Compared {
  readonly ranks: ReadonlyMap<string, Float64Array>;
  readonly kernels: ReadonlyMap<string, Centred>;
}

/** RSA and CKA of every layer; all are measured once on all stimuli and once on every half. */
async function similarityScores(
  codes: readonly Code[],
  geometries: ReadonlyMap<string, Geometry>,
  set: ImageSet,
  draws: readonly Int32Array[],
  onHalf: (done: number) => void,
): Promise<LayerScore[]> {
  const ordered = new Map<string, Ordered>();
  for (const [key, geometry] of geometries) ordered.set(key, orderValues(dissimilarities(geometry)));
  if (new Set(set.labels).size > 1) ordered.set("classes/", orderValues(classDissimilarities(set.labels)));
  const wanted = codes.flatMap((code) =>
    comparisons(code).filter(({ other, by }) => (by === "ranks" ? ordered : geometries).has(other)),
  );
  const ofCka = new Set(wanted.flatMap(({ code, other, by }) => (by === "kernels" ? [keyOf(code), other] : [])));
  const look = (pairs: Int32Array | undefined, narrowed: (geometry: Geometry) => Geometry): Compared => ({
    ranks: new Map([...ordered].map(([key, values]) => [key, unitRanks(values, pairs)])),
    kernels: new Map(
      [...geometries].flatMap(([key, geometry]) => (ofCka.has(key) ? [[key, centreKernel(narrowed(geometry))]] : [])),
    ),
  });
  const measure = (compared: Compared): number[] =>
    wanted.map(({ code, other, by }) =>
      by === "ranks"
        ? between(compared.ranks, keyOf(code), other, rankCorrelation)
        : between(compared.kernels, keyOf(code), other, cka),
    );
  const whole = measure(look(undefined, (geometry) => geometry));
  const ofHalves: number[][] = [];
  for (const [i, chosen] of draws.entries()) {
    ofHalves.push(measure(look(pairsWithin(set.count, chosen), (geometry) => selectStimuli(geometry, chosen))));
    onHalf(i + 1);
    await letOthers();
  }
  return wanted.map(({ code, readOut }, i) => ({
    ...code,
    readOut,
    ...estimate(
      whole[i],
      ofHalves.map((values) => values[i]),
    ),
  }));
}

interface Comparison {
  readonly code: Code;
  readonly readOut: NeuroReadOut;
  readonly other: string;
  readonly by: keyof Compared;
}

function comparisons(code: Code): Comparison[] {
  const { subject, layer } = code;
  const random = layer !== undefined && subject === "trained" ? keyOf({ subject: "random", layer }) : undefined;
  const all: (Omit<Comparison, "code"> | undefined)[] = [
    random === undefined ? undefined : { readOut: "rsaRandom", other: random, by: "ranks" },
    layer === undefined ? undefined : { readOut: "rsaPixels", other: "pixels/", by: "ranks" },
    { readOut: "rsaClasses", other: "classes/", by: "ranks" },
    { readOut: "rsaResponses", other: "responses/", by: "ranks" },
    random === undefined ? undefined : { readOut: "ckaRandom", other: random, by: "kernels" },
    { readOut: "ckaResponses", other: "responses/", by: "kernels" },
  ];
  return all.flatMap((one) => (one ? [{ ...one, code }] : []));
}

function between<Value>(
  all: ReadonlyMap<string, Value>,
  one: string,
  other: string,
  compare: (a: Value, b: Value) => number,
): number {
  const [a, b] = [all.get(one), all.get(other)];
  return a === undefined || b === undefined ? Number.NaN : compare(a, b);
}

function ckaMatrices(layers: readonly string[], geometries: ReadonlyMap<string, Geometry>): LayerReport["cka"] {
  const kernels = new Map([...geometries].map(([key, geometry]) => [key, centreKernel(geometry)]));
  const matrix = (subject: string): number[][] =>
    layers.map((row) => layers.map((column) => between(kernels, `trained/${row}`, `${subject}/${column}`, cka)));
  return { layers, trained: matrix("trained"), trainedRandom: matrix("random") };
}

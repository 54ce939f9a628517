// What an encoder's code is worth: three read-outs at several numbers of labels, beside the random encoder's and the raw pixels'.

import type { Backend } from "../backends/backend.ts";
import { type NoAugmentation, type RandomCrop, requireCrops } from "../data/augmentation.ts";
import { type ImageSet, requireLabels, requireSameClasses } from "../data/images.ts";
import { type Encoder, layerWidth } from "../encoders/encoder.ts";
import { wrong } from "../program/errors.ts";
import type { Normalise } from "../program/views.ts";
import type { readOutNames } from "../training/config.ts";
import { parseProbeOptions } from "../training/parse-config.ts";
import { type AugmentedProbeOptions, augmentedProbe } from "./augmented-probe.ts";
import {
  encoderFeatures,
  type Features,
  type FrozenEncoder,
  pixelFeatures,
  pixelWidth,
  selectRows,
  untrainedWeights,
} from "./features.ts";
import { openKnn } from "./knn.ts";
import { openLinearProbe } from "./linear-probe.ts";
import type { Draws, OpenReadOut } from "./read-out.ts";
import { openScaleFreeProbe } from "./scale-free-probe.ts";
import { drawLabels, only, overlap, without } from "./subsets.ts";

export type ReadOut = (typeof readOutNames)[number];

/** What every encoder is measured beside: the same network before training, and the pixels themselves. */
export const floors = ["random", "pixels"] as const;

export interface ProbeOptions {
  /** Names of encoders, `random`, `pixels`; all unless told: an accuracy means little without the others. */
  readonly subjects?: readonly string[] | undefined;
  readonly readOuts: readonly ReadOut[];
  /** Outputs of encoders that are read: the last block's (default), or every block's. */
  readonly layers?: "last" | "all" | undefined;
  readonly labelsPerClass: readonly (number | "all")[];
  readonly seeds: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly batch: number;
  /** Views that the paper's read-out learns from, anew in every epoch; default none. */
  readonly augmentation?: NoAugmentation | RandomCrop | undefined;
}

/** Trained encoders of one network, from the same start. */
export interface ProbedEncoders {
  readonly network: Encoder;
  readonly valueRange: readonly [number, number];
  readonly normalise?: Normalise | undefined;
  /** Each one's weights by its name, in the order of the report. */
  readonly encoders: Readonly<Record<string, ReadonlyMap<string, Float32Array>>>;
  /** Seed of the run: the random encoder is the one from which training began. */
  readonly seed: number;
}

/** One accuracy, with all that is needed to believe it. */
export interface Score {
  /** Name of an encoder, `random` or `pixels`. */
  readonly subject: string;
  readonly readOut: ReadOut;
  /** Name of the block whose output was read, where all blocks' are. */
  readonly layer?: string;
  readonly labelsPerClass: number | "all";
  readonly seed: number;
  /** Share of test images answered rightly. */
  readonly accuracy: number;
  /** What the read-out chose or reached: λ, k, train accuracy, iterations. */
  readonly details: Readonly<Record<string, number | boolean>>;
}

/** What a probe found: every score of every subject, and what it was measured on. */
export interface ProbeReport {
  readonly measured: string;
  readonly train: string;
  readonly test: string;
  /** Training images that also stand in the test set, left out. */
  readonly overlapping: number;
  readonly trainImages: number;
  readonly testImages: number;
  readonly chance: number;
  /** Fingerprints of the frozen encoders by subject, the same before and after. */
  readonly encoderHashes: Readonly<Record<string, string>>;
  readonly options: ProbeOptions;
  /** By subject, layer, number of labels, draw of labels, read-out. */
  readonly scores: readonly Score[];
}

export interface ProbeEvents {
  /** One more read-out is done. */
  readonly onScore?: (score: Score, done: number, total: number) => void;
  /** One more epoch of a read-out that learns from augmented pictures is done, and with it a part of one more read-out. */
  readonly onEpoch?: (subject: string, epoch: number, epochs: number, done: number, total: number) => void;
  /** A subject's features of the labelled pictures and of the test set, which stand until the next subject's do. */
  readonly onFeatures?: (subject: string, labelled: ImageSet, features: Features, tested: Features) => void;
}

/**
 * Linear evaluation of frozen encoders: three read-outs at several numbers of labels, beside the random encoder and raw pixels. Test
 * pictures that also stand in `train` are left out of it. Throws for unlabelled sets and for mistakes in the options.
 */
export async function probe(
  { network, valueRange, normalise, encoders, seed }: ProbedEncoders,
  train: ImageSet,
  test: ImageSet,
  wanted: ProbeOptions,
  backend: Backend,
  { onScore, onEpoch, onFeatures }: ProbeEvents = {},
): Promise<ProbeReport> {
  const taken = floors.find((name) => name in encoders);
  if (taken !== undefined) throw wrong("probe", "encoders", `named otherwise than ${floors.join(" and ")}`, taken);
  const options = parseProbeOptions(wanted, [...Object.keys(encoders), ...floors]);
  const { augmentation } = options;
  if (augmentation.kind === "crop") requireCrops(augmentation, { from: train, to: network });
  requireSameClasses("probe", "train and test", [train, test]);
  const shared = overlap(train, test);
  const pool = without(train, shared);
  for (const set of [pool, test]) requireLabels("probe", set.name, set, set.classes.length);
  const { subjects = [...Object.keys(encoders), ...floors], labelsPerClass, readOuts, seeds } = options;
  const layers = layersRead(network, options.layers);
  const codes: readonly Code[] = subjects.flatMap((subject) =>
    subject === "pixels" ? { subject } : layers.map((layer) => ({ subject, layer })),
  );
  const total = codes.length * labelsPerClass.length * seeds * readOuts.length;
  const encoderHashes: Record<string, string> = {};
  const scores: Score[] = [];
  const drawn = drawAll(pool, labelsPerClass, seeds);
  const labelled = only(pool, drawn.images);
  const widest = Math.max(
    ...codes.map(({ subject, layer }) => (subject === "pixels" ? pixelWidth(test) : layerWidth(network, layer))),
  );
  /** Where one code's features stand after another's: memory that waits to be collected would come on top. */
  const room = [labelled, test].map(({ count }) => new Float32Array(count * widest));

  const random = untrainedWeights(network, seed);
  const frozen = ({ subject, layer }: Code): FrozenEncoder => ({
    ...{ network, valueRange, normalise, layer },
    weights: encoders[subject] ?? random,
  });

  async function featuresOf(code: Code): Promise<Features[]> {
    if (code.subject === "pixels") return [labelled, test].map((set, i) => pixelFeatures(set, room[i]));
    const made = await encoderFeatures(frozen(code), [labelled, test], backend, room);
    encoderHashes[code.subject] = made.encoderHash;
    return made.features;
  }

  /** The paper's read-out of some draws, each a list of images of the pool, from views. */
  async function* measureViews(code: Code, seed: number, draws: readonly Int32Array[], augmentation: RandomCrop) {
    const { subject } = code;
    const { epochs, learningRate, batch } = options;
    const told: AugmentedProbeOptions = {
      ...{ epochs, learningRate, batch, seed, augmentation },
      onEpoch: (epoch, of) => onEpoch?.(subject, epoch, of, scores.length + epoch / of, total),
    };
    const reader = subject === "pixels" ? { network } : frozen(code);
    for (const chosen of draws) yield augmentedProbe(reader, { train: pool, chosen, test }, told, backend);
  }

  const opened = keepOpen(options, backend);
  async function measure(code: Code): Promise<void> {
    const [features, tested] = await featuresOf(code);
    const { subject, layer } = code;
    const named = layer === undefined ? { subject } : { subject, layer };
    onFeatures?.(subject, labelled, features, tested);
    for (const [draw, { rows, draws }] of drawn.seeds.entries()) {
      const largest = rows.length === features.count ? features : selectRows(features, rows);
      const own = { rows: largest, draws, seed: draw };
      const readBy = async (readOut: ReadOut): Promise<void> => {
        let i = 0;
        const results =
          readOut === "paper" && augmentation.kind === "crop"
            ? measureViews(
                code,
                draw,
                draws.map((one) => one.map((k) => drawn.images[rows[k]])),
                augmentation,
              )
            : (await opened.of(readOut, own)).measure(own, tested);
        for await (const { accuracy, ...details } of results) {
          const score = { ...named, readOut, labelsPerClass: labelsPerClass[i++], seed: draw, accuracy, details };
          scores.push(score);
          onScore?.(score, scores.length, total);
        }
      };
      if (augmentation.kind === "none" && 4 * largest.rows.length <= abreastBytes) await allDone(readOuts.map(readBy));
      else for (const readOut of readOuts) await readBy(readOut);
    }
  }
  try {
    for (const code of codes) await measure(code);
  } finally {
    await opened.dispose();
  }

  return {
    measured: `${network.name}: output of ${options.layers === "all" ? "each" : "the last"} block, flattened; encoder frozen, ${seenBy(augmentation)}; accuracy on ${test.name}`,
    train: train.name,
    test: test.name,
    overlapping: shared.size,
    trainImages: pool.count,
    testImages: test.count,
    chance: 1 / test.classes.length,
    encoderHashes,
    options,
    scores: inOrder(scores, codes, options),
  };
}

/** What is read of a subject: an encoder's block by its name, or the last where none is named. */
interface Code {
  readonly subject: string;
  readonly layer?: string | undefined;
}

/** Names of the blocks that are read one after another; `undefined` for the last where only that is. */
export const layersRead = ({ blocks }: Encoder, layers: ProbeOptions["layers"]): (string | undefined)[] =>
  layers === "all" ? blocks.map(({ name }) => name) : [undefined];

/** What a report says of the pictures' augmentation. */
function seenBy(augmentation: NoAugmentation | RandomCrop): string {
  if (augmentation.kind === "none") return "no augmentation";
  const flips = augmentation.flip > 0 ? `, flipped with probability ${augmentation.flip}` : "";
  return `the paper's read-out learns from random crops${flips}, new in every epoch, and is tested on centre crops (of pixels too); the others without augmentation`;
}

/** The images of all draws of labels; for each seed the rows of its largest draw among them, and its draws among these. */
interface Drawn {
  readonly images: Int32Array;
  readonly seeds: readonly { readonly rows: Int32Array; readonly draws: readonly Int32Array[] }[];
}

/** A seed's draws are one within the other, so that a read-out can measure all of them on the rows of the largest. */
export function drawAll(
  { labels, classes }: ImageSet,
  labelsPerClass: readonly (number | "all")[],
  seeds: number,
): Drawn {
  const drawn = Array.from({ length: seeds }, (_, seed) => {
    const draws = labelsPerClass.map((perClass) => drawLabels(labels, classes.length, perClass, seed, classes));
    return { largest: draws.reduce((a, b) => (b.length > a.length ? b : a)), draws };
  });
  const images = Int32Array.from(new Set(drawn.flatMap(({ largest }) => [...largest]))).sort();
  return {
    images,
    seeds: drawn.map(({ largest, draws }) => ({
      rows: placesOf(largest, images),
      draws: draws.map((draw) => placesOf(draw, largest)),
    })),
  };
}

/** Where some numbers stand in a list that holds them; both ascend. */
function placesOf(numbers: Int32Array, list: Int32Array): Int32Array {
  let at = 0;
  return numbers.map((number) => {
    while (list[at] < number) at++;
    return at;
  });
}

/**
 * Features up to which all read-outs run at once, for each leaves the cores idle for half of its time. The engines of larger ones would be
 * too much memory, and new crops keep the cores busy.
 */
const abreastBytes = 2 ** 25;

/** Waits for all of them, also where one fails: what the others use stays until they are done. */
async function allDone(works: readonly Promise<void>[]): Promise<void> {
  for (const ended of await Promise.allSettled(works)) if (ended.status === "rejected") throw ended.reason;
}

/** Bytes of engines that are kept for the next subject; larger ones are closed when they have been used. */
export const keptBytes = 2 ** 28;

/** Read-outs that stay open while sets of one shape come. */
function keepOpen({ epochs, learningRate, batch }: ProbeOptions, backend: Backend) {
  const open: Record<ReadOut, (like: Draws) => Promise<OpenReadOut<{ accuracy: number }>>> = {
    paper: (like) => openLinearProbe(like, { epochs, learningRate, batch }, backend),
    scaleFree: (like) => openScaleFreeProbe(like, backend),
    kNN: (like) => openKnn(like, backend),
  };
  const kept = new Map<ReadOut, { readonly width: number; readonly readOut: OpenReadOut<{ accuracy: number }> }>();
  async function close(name: ReadOut): Promise<void> {
    await kept.get(name)?.readOut.dispose();
    kept.delete(name);
  }
  return {
    of: async (name: ReadOut, like: Draws) => {
      const { width } = like.rows;
      for (const [other, { readOut, ...had }] of kept)
        if (other === name ? had.width !== width : readOut.bytes > keptBytes) await close(other);
      const readOut = kept.get(name)?.readOut ?? (await open[name](like));
      kept.set(name, { width, readOut });
      return readOut;
    },
    dispose: async () => {
      for (const name of kept.keys()) await close(name);
    },
  };
}

/** Scores by code, number of labels, draw and read-out, in the order of the options. */
function inOrder(
  scores: readonly Score[],
  codes: readonly Code[],
  { labelsPerClass, readOuts }: ProbeOptions,
): Score[] {
  const places = ({ subject, layer, labelsPerClass: labels, seed, readOut }: Score): number[] => [
    codes.findIndex((code) => code.subject === subject && code.layer === layer),
    labelsPerClass.indexOf(labels),
    seed,
    readOuts.indexOf(readOut),
  ];
  const sorted = scores.map((score) => ({ score, at: places(score) }));
  sorted.sort((a, b) => a.at.map((place, i) => place - b.at[i]).find((difference) => difference !== 0) ?? 0);
  return sorted.map(({ score }) => score);
}

export interface Mean {
  readonly readOut: ReadOut;
  readonly labelsPerClass: number | "all";
  readonly subject: string;
  readonly layer?: string;
  readonly mean: number;
  /** Sample standard deviation over probe seeds; NaN for one. */
  readonly sd: number;
  readonly seeds: number;
}

/** Mean and standard deviation over probe seeds, in the order of the scores. */
export function summarise(scores: readonly Score[]): Mean[] {
  const groups = new Map<string, Score[]>();
  for (const score of scores) {
    const key = `${score.readOut}/${score.labelsPerClass}/${score.subject}/${score.layer ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), score]);
  }
  return [...groups.values()].map((group) => {
    const [{ readOut, labelsPerClass, subject, layer }] = group;
    const n = group.length;
    const mean = group.reduce((sum, { accuracy }) => sum + accuracy, 0) / n;
    const variance = group.reduce((sum, { accuracy }) => sum + (accuracy - mean) ** 2, 0) / (n - 1);
    const named = layer === undefined ? { subject } : { subject, layer };
    return { readOut, labelsPerClass, ...named, mean, sd: Math.sqrt(variance), seeds: n };
  });
}

/** Scores of the last block and of pixels: what an encoder as a whole is compared by. */
export function ofLastLayer<Of extends Pick<Score, "layer">>(scores: readonly Of[]): Of[] {
  const last = scores.findLast(({ layer }) => layer !== undefined)?.layer;
  return scores.filter(({ layer }) => layer === undefined || layer === last);
}

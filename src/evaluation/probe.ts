// What an encoder's code is worth: three read-outs at several numbers of labels, beside the random encoder's and the raw pixels'.

import type { Backend } from "../backends/backend.ts";
import { type NoAugmentation, type RandomCrop, requireCrops } from "../data/augmentation.ts";
import { type ImageSet, requireLabels, requireSameClasses } from "../data/images.ts";
import { createModel, initialise } from "../encoders/model.ts";
import { type NetworkName, networkNamed } from "../encoders/networks.ts";
import type { Normalise } from "../program/views.ts";
import { parseProbeOptions, type readOutNames, type subjectNames } from "../training/config.ts";
import { augmentedProbe } from "./augmented-probe.ts";
import { encoderFeatures, type Features, pixelFeatures, selectRows } from "./features.ts";
import { kNearest } from "./knn.ts";
import { linearProbe } from "./linear-probe.ts";
import { scaleFreeProbe } from "./scale-free-probe.ts";
import { drawLabels, overlap, without } from "./subsets.ts";

export type ReadOut = (typeof readOutNames)[number];
export type Subject = (typeof subjectNames)[number];

export interface ProbeOptions {
  /** All three unless told: an accuracy means little without the other two. */
  readonly subjects?: readonly Subject[] | undefined;
  readonly readOuts: readonly ReadOut[];
  readonly labelsPerClass: readonly (number | "all")[];
  readonly seeds: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly batch: number;
  /** Views that the paper's read-out learns from, anew in every epoch; default none. */
  readonly augmentation?: NoAugmentation | RandomCrop | undefined;
}

export interface ProbeSubject {
  readonly network: NetworkName;
  readonly valueRange: readonly [number, number];
  readonly normalise?: Normalise | undefined;
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Seed of the run: the random encoder is the one from which training began. */
  readonly seed: number;
}

/** One accuracy, with all that is needed to believe it. */
export interface Score {
  readonly subject: Subject;
  readonly readOut: ReadOut;
  readonly labelsPerClass: number | "all";
  readonly seed: number;
  /** Share of test images answered rightly. */
  readonly accuracy: number;
  /** What the read-out chose or reached: λ, k, train accuracy, iterations. */
  readonly details: Readonly<Record<string, number | boolean>>;
}

export interface ProbeReport {
  readonly measured: string;
  readonly train: string;
  readonly test: string;
  /** Training images that also stand in the test set, left out. */
  readonly overlapping: number;
  readonly trainImages: number;
  readonly testImages: number;
  readonly chance: number;
  /** Fingerprints of the frozen encoders, the same before and after. */
  readonly encoderHashes: Readonly<Partial<Record<Subject, string>>>;
  readonly options: ProbeOptions;
  readonly scores: readonly Score[];
}

export interface ProbeEvents {
  /** One more read-out is done. */
  readonly onScore?: (score: Score, done: number, total: number) => void;
  /** One more epoch of a read-out that learns from augmented pictures is done, and with it a part of one more read-out. */
  readonly onEpoch?: (subject: Subject, epoch: number, epochs: number, done: number, total: number) => void;
}

export async function probe(
  { network, valueRange, normalise, weights, seed }: ProbeSubject,
  train: ImageSet,
  test: ImageSet,
  wanted: ProbeOptions,
  backend: Backend,
  { onScore, onEpoch }: ProbeEvents = {},
): Promise<ProbeReport> {
  const options = parseProbeOptions(wanted);
  const { augmentation } = options;
  const model = createModel(networkNamed("probe", network));
  if (augmentation.kind === "crop") requireCrops(augmentation, { from: train, to: model.encoder });
  requireSameClasses("probe", "train and test", [train, test]);
  const shared = overlap(train, test);
  const pool = without(train, shared);
  for (const set of [pool, test]) requireLabels("probe", set.name, set, set.classes.length);
  const random = new Map([...initialise(model, seed)].map(([tensor, values]) => [tensor.name, values]));
  const frozen = { trained: weights, random };
  const { subjects = ["trained", "random", "pixels"] } = options;
  const total = subjects.length * options.labelsPerClass.length * options.seeds * options.readOuts.length;
  const encoderHashes: Partial<Record<Subject, string>> = {};
  const scores: Score[] = [];

  async function featuresOf(subject: Subject): Promise<Features[]> {
    if (subject === "pixels") return [pixelFeatures(pool), pixelFeatures(test)];
    const made = await encoderFeatures(
      { network, valueRange, normalise, weights: frozen[subject] },
      [pool, test],
      backend,
    );
    encoderHashes[subject] = made.encoderHash;
    return made.features;
  }

  type Measure = (fit: Features, on: Features, draw: number, drawn: Drawn) => Promise<{ accuracy: number }>;
  const readOuts: Record<ReadOut, Measure> = {
    paper: (fit, on, draw, { subject, chosen }) => {
      const { epochs, learningRate, batch } = options;
      const told = { epochs, learningRate, batch, seed: draw };
      if (augmentation.kind === "none") return linearProbe(fit, on, told, backend);
      const reader = subject === "pixels" ? { network } : { network, valueRange, normalise, weights: frozen[subject] };
      return augmentedProbe(
        reader,
        { train: pool, chosen, test },
        {
          ...told,
          augmentation,
          onEpoch: (epoch, of) => onEpoch?.(subject, epoch, of, scores.length + epoch / of, total),
        },
        backend,
      );
    },
    scaleFree: (fit, on, draw) => scaleFreeProbe(fit, on, draw, backend),
    kNN: (fit, on, draw) => kNearest(fit, on, draw, backend),
  };

  for (const subject of subjects) {
    const [all, tested] = await featuresOf(subject);
    for (const labelsPerClass of options.labelsPerClass)
      for (let draw = 0; draw < options.seeds; draw++) {
        const chosen = drawLabels(all.labels, all.classes, labelsPerClass, draw);
        const some = chosen.length === all.count ? all : selectRows(all, chosen);
        for (const readOut of options.readOuts) {
          const { accuracy, ...details } = await readOuts[readOut](some, tested, draw, { subject, chosen });
          const score = { subject, readOut, labelsPerClass, seed: draw, accuracy, details };
          scores.push(score);
          onScore?.(score, scores.length, total);
        }
      }
  }

  return {
    measured: `${network}: output of the last block, flattened; encoder frozen, ${seenBy(augmentation)}; accuracy on ${test.name}`,
    train: train.name,
    test: test.name,
    overlapping: shared.size,
    trainImages: pool.count,
    testImages: test.count,
    chance: 1 / test.classes.length,
    encoderHashes,
    options,
    scores,
  };
}

/** Of which images of the pool a read-out learns, and what it reads of them. */
interface Drawn {
  readonly subject: Subject;
  readonly chosen: Int32Array;
}

/** What a report says of the pictures' augmentation. */
function seenBy(augmentation: NoAugmentation | RandomCrop): string {
  if (augmentation.kind === "none") return "no augmentation";
  const flips = augmentation.flip > 0 ? `, flipped with probability ${augmentation.flip}` : "";
  return `the paper's read-out learns from random crops${flips}, new in every epoch, and is tested on centre crops (of pixels too); the others without augmentation`;
}

export interface Mean {
  readonly readOut: ReadOut;
  readonly labelsPerClass: number | "all";
  readonly subject: Subject;
  readonly mean: number;
  /** Sample standard deviation over probe seeds; NaN for one. */
  readonly sd: number;
  readonly seeds: number;
}

/** Mean and standard deviation over probe seeds, in the order of the scores. */
export function summarise(scores: readonly Score[]): Mean[] {
  const groups = new Map<string, Score[]>();
  for (const score of scores) {
    const key = `${score.readOut}/${score.labelsPerClass}/${score.subject}`;
    groups.set(key, [...(groups.get(key) ?? []), score]);
  }
  return [...groups.values()].map((group) => {
    const [{ readOut, labelsPerClass, subject }] = group;
    const n = group.length;
    const mean = group.reduce((sum, { accuracy }) => sum + accuracy, 0) / n;
    const variance = group.reduce((sum, { accuracy }) => sum + (accuracy - mean) ** 2, 0) / (n - 1);
    return { readOut, labelsPerClass, subject, mean, sd: Math.sqrt(variance), seeds: n };
  });
}

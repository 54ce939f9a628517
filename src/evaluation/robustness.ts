// Accuracy on deformed pictures: read-outs learn once from clean ones, on frozen features, and are tested on a set at every strength.
//
// A supervised network is tested by its own classifier on the same sets.

import type { Backend } from "../backends/backend.ts";
import { type Deformation, type DeformationKind, neutralStrength, requireDeformation } from "../data/deformations.ts";
import { type ImageSet, requireLabels, requireSameClasses } from "../data/images.ts";
import { wrong } from "../program/errors.ts";
import { parseProbeOptions } from "../training/parse-config.ts";
import { deform, deformationText } from "./deform.ts";
import { encoderFeatures, type Features, type FrozenEncoder, pixelFeatures } from "./features.ts";
import { type Answerer, type Lessons, learn } from "./learnt.ts";
import type { ProbeOptions } from "./probe.ts";
import type { Linear } from "./standardise.ts";
import { overlap, without } from "./subsets.ts";

export interface RobustnessSubject {
  readonly name: string;
  /** Frozen; left out: the pixels themselves. */
  readonly encoder?: FrozenEncoder;
  /** Of a supervised network: its own, [classes, features], in place of read-outs. */
  readonly classifier?: Linear;
}

/** A deformation and how far it goes, in the units of data/deformations.ts. */
export interface Curve {
  readonly deformation: Deformation;
  readonly strengths: readonly number[];
}

export interface RobustnessOptions extends Omit<ProbeOptions, "subjects"> {
  readonly curves: readonly Curve[];
  /** Of the deformations. */
  readonly seed: number;
}

export interface RobustnessScore extends Answerer {
  readonly subject: string;
  readonly deformation: DeformationKind;
  readonly strength: number;
  /** Share of test pictures answered rightly. */
  readonly accuracy: number;
}

/** Accuracies of every subject at every strength of every deformation. */
export interface RobustnessReport {
  readonly train: string | undefined;
  readonly test: string;
  readonly trainImages: number;
  readonly testImages: number;
  /** Training images that also stand in the test set, left out. */
  readonly overlapping: number;
  readonly chance: number;
  /** Fingerprints of the frozen encoders by subject. */
  readonly encoderHashes: Readonly<Record<string, string>>;
  /** Every curve begins with the pictures as they are. */
  readonly options: RobustnessOptions;
  /** By subject, draw, read-out, number of labels, curve, strength. */
  readonly scores: readonly RobustnessScore[];
}

/** What is measured: labelled pictures to learn from, which own classifiers do without, and those to be deformed. */
export interface RobustnessSets {
  readonly train?: ImageSet | undefined;
  readonly test: ImageSet;
}

/** `text` says what was done last, `done` of `total` parts. */
export type OnPart = (text: string, done: number, total: number) => void;

/** Accuracy on deformed pictures of read-outs that learn once from clean ones, on frozen features. */
export async function robustness(
  subjects: readonly RobustnessSubject[],
  { train, test }: RobustnessSets,
  wanted: RobustnessOptions,
  backend: Backend,
  onPart: OnPart = () => {},
): Promise<RobustnessReport> {
  const options = { ...wanted, curves: wanted.curves.map(fromNeutral) };
  requireSubjects(subjects, options, { train, test });
  const shared = train ? overlap(train, test) : new Set<number>();
  const pool = train && without(train, shared);
  for (const set of pool ? [pool, test] : [test]) requireLabels("robustness", set.name, set, set.classes.length);
  const tests = options.curves.flatMap(({ deformation, strengths }) =>
    strengths
      .filter((strength) => strength !== neutralStrength(deformation))
      .map((strength) => ({ deformation, strength })),
  );
  const total = subjects.length * (tests.length + 2);
  const encoderHashes: Record<string, string> = {};
  const scores: RobustnessScore[] = [];
  let done = 0;
  const part = (text: string): void => onPart(text, ++done, total);

  async function featuresOf({ name, encoder }: RobustnessSubject, set: ImageSet): Promise<Features> {
    if (encoder === undefined) return pixelFeatures(set);
    const { features, encoderHash } = await encoderFeatures(encoder, [set], backend);
    encoderHashes[name] = encoderHash;
    return features[0];
  }

  function sourceOf(subject: RobustnessSubject): Linear | Lessons {
    if (subject.classifier) return subject.classifier;
    if (pool === undefined)
      throw wrong("robustness", "train", `labelled pictures for the read-outs of ${subject.name}`, "none");
    return { pool, featuresOf: (set) => featuresOf(subject, set), options };
  }

  async function measure(subject: RobustnessSubject, from: Linear | Lessons): Promise<void> {
    const clean = await featuresOf(subject, test);
    const { name, classifier } = subject;
    if (classifier) requireFit(name, classifier, clean);
    const learnt = await learn(from, clean, backend);
    part(`${name}: learnt`);
    try {
      const onClean = await learnt.accuracies(clean);
      part(`${name}: ${test.name}`);
      const measured = new Map<string, readonly number[]>();
      const key = (deformation: Deformation, strength: number): string => `${deformation.kind} ${strength}`;
      for (const { deformation, strength } of tests) {
        const deformed = await deform(test, deformation, { strength, seed: options.seed }, backend);
        measured.set(key(deformation, strength), await learnt.accuracies(await featuresOf(subject, deformed)));
        part(`${name}: ${deformationText(deformation, strength)}`);
      }
      for (const [i, who] of learnt.answerers.entries())
        for (const { deformation, strengths } of options.curves)
          for (const strength of strengths) {
            const accuracy = (measured.get(key(deformation, strength)) ?? onClean)[i];
            scores.push({ subject: name, ...who, deformation: deformation.kind, strength, accuracy });
          }
    } finally {
      await learnt.dispose();
    }
  }
  const sources = subjects.map(sourceOf);
  for (const [i, subject] of subjects.entries()) await measure(subject, sources[i]);

  return {
    train: train?.name,
    test: test.name,
    trainImages: pool?.count ?? 0,
    testImages: test.count,
    overlapping: shared.size,
    chance: 1 / test.classes.length,
    encoderHashes,
    options,
    scores,
  };
}

function requireFit(name: string, { weight, bias }: Linear, { classes, width }: Features): void {
  if (bias.length === classes && weight.length === classes * width) return;
  const got = `${bias.length} and ${weight.length / bias.length}`;
  throw wrong("robustness", `the classifier of ${name}`, `of ${classes} classes and ${width} features`, got);
}

/** A curve from the pictures as they are on, each strength once, ascending. */
function fromNeutral({ deformation, strengths }: Curve): Curve {
  const all = new Set([neutralStrength(deformation), ...strengths]);
  return { deformation, strengths: [...all].sort((a, b) => a - b) };
}

function requireSubjects(
  subjects: readonly RobustnessSubject[],
  options: RobustnessOptions,
  { train, test }: RobustnessSets,
): void {
  const names = subjects.map(({ name }) => name);
  if (names.length === 0) throw wrong("robustness", "subjects", "one or more", "none");
  if (new Set(names).size < names.length) throw wrong("robustness", "subjects", "of different names", names);
  const { augmentation } = parseProbeOptions(options, names);
  if (augmentation.kind !== "none")
    throw wrong("robustness", "probe.augmentation", "none", augmentation.kind, "set augmentation='{kind: none}'");
  const kinds = options.curves.map(({ deformation }) => deformation.kind);
  if (kinds.length === 0 || new Set(kinds).size < kinds.length)
    throw wrong("robustness", "curves", "one or more, of different deformations", kinds);
  for (const { deformation, strengths } of options.curves)
    requireDeformation("robustness", deformation, strengths, test);
  if (train) requireSameClasses("robustness", "train and test", [train, test]);
}

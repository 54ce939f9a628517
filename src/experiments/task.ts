// What there is to do, as data. A task's key is made of all that decides its result, so that what was done once is found again.

import type { ProbeReport, Score } from "../evaluation/probe.ts";
import type { Curve, RobustnessReport } from "../evaluation/robustness.ts";
import type { LayerPicture } from "../figures/tsne-figure.ts";
import type { Condition } from "../program/audit.ts";
import { configKey } from "../runs/resume.ts";
import { fingerprint } from "../runs/run-folder.ts";
import type { Config, DataConfig, ProbeConfig } from "../training/config.ts";
import type { LayerNumbers } from "../training/xray.ts";

/** An encoder: of a run of this configuration at its end, or as it starts. */
export interface EncoderOf {
  readonly config: Config;
  readonly trained: boolean;
}

export interface TrainTask {
  readonly kind: "train";
  readonly of: EncoderOf;
}

/** The read-outs of an encoder; of one as it starts also those of the pixels. */
export interface ProbeTask {
  readonly kind: "probe";
  readonly of: EncoderOf;
  readonly probe: ProbeConfig;
  /** Tested on the last so many pictures of `probe.train`, which bring no labels then; the test set is not read. */
  readonly holdOut?: number | undefined;
}

/** Accuracy on deformed pictures: of read-outs of an encoder, or of the classifier that a supervised network has of its own. */
export interface RobustnessTask {
  readonly kind: "robustness";
  readonly of: EncoderOf;
  readonly probe: ProbeConfig;
  readonly curves: readonly Curve[];
  /** Of the deformations. */
  readonly seed: number;
}

/** Every layer's embeddings of labelled pictures by t-SNE, and the numbers beside it. */
export interface EmbeddingTask {
  readonly kind: "embedding";
  readonly of: EncoderOf;
  readonly data: DataConfig;
  readonly perplexity: number;
}

/** The locality audit of a configuration, and what it costs. */
export interface AuditTask {
  readonly kind: "audit";
  readonly of: EncoderOf;
}

/** Distances between the embeddings of views at the start of a run: of one image, and of two. */
export interface DistancesTask {
  readonly kind: "distances";
  readonly of: EncoderOf;
}

export type Task = TrainTask | ProbeTask | RobustnessTask | EmbeddingTask | AuditTask | DistancesTask;

export interface TrainResult {
  readonly steps: number;
  readonly pairs: number;
  /** Floating-point operations, counted. */
  readonly flops: number;
  /** Noted losses, thinned out; `layer` where one learns at a time. */
  readonly curve: readonly { readonly step: number; readonly loss: number; readonly layer?: number }[];
  readonly alarms: readonly string[];
  /** The last look at every layer. */
  readonly xray: readonly LayerNumbers[];
  /** Why it ended before its last step: numbers that are none. It has no encoder then. */
  readonly diverged?: string;
}

export interface ProbeResult {
  readonly scores: readonly Score[];
  readonly chance: number;
  readonly report: Pick<ProbeReport, "measured" | "train" | "test" | "overlapping" | "trainImages" | "testImages">;
}

export interface RobustnessResult extends Pick<RobustnessReport, "scores" | "chance" | "test"> {
  readonly curves: readonly Curve[];
}

export interface EmbeddingResult {
  readonly test: string;
  /** Coordinates [n, 2] as they are drawn, to 1e-3. */
  readonly pictures: readonly (Omit<LayerPicture, "coordinates"> & { readonly coordinates: readonly number[] })[];
  /** How points are coloured, by class and by group. */
  readonly colourings: Readonly<
    Record<string, { readonly heading: string; readonly names: readonly string[]; readonly labels: readonly number[] }>
  >;
}

export interface AuditResult {
  readonly verdicts: Readonly<Record<Condition, string>>;
  /** Multiply–accumulates of one pair of views; of learning layer by layer the sum over the layers. */
  readonly macs: number;
  /** Bytes of activity that the most demanding layer holds until its update, for the batch. */
  readonly held: number;
  readonly negatives: number | string;
  /** Feedback weights. */
  readonly feedback: number;
  readonly confirmed: boolean;
}

/** L1 distances between the embeddings of one batch, counted in bins of one width from 0 on. */
export interface DistancesResult {
  readonly width: number;
  /** Between the two views of an image. */
  readonly positives: readonly number[];
  /** Between the first view of an image and the second of another, all pairs. */
  readonly negatives: readonly number[];
  /** Shares of positives beyond m1 and of negatives within m2: those that the loss learns from. */
  readonly activePositives: number;
  readonly activeNegatives: number;
}

/** What comes out of each kind of task. */
export interface Results {
  readonly train: TrainResult;
  readonly probe: ProbeResult;
  readonly robustness: RobustnessResult;
  readonly embedding: EmbeddingResult;
  readonly audit: AuditResult;
  readonly distances: DistancesResult;
}

/** Of a run: what decides the numbers that it ends with. */
export const runKey = (config: Config): string => fingerprint([configKey(config), config.epochs]);

/** What decides an encoder: of one that was never trained its network, what it reads, and its seed. */
function encoderKey({ config, trained }: EncoderOf): unknown {
  if (trained) return runKey(config);
  const { encoder, valueRange, normalise, seed } = config;
  return [encoder, valueRange, normalise ?? null, seed];
}

export function keyOf(task: Task): string {
  const { kind, of, ...options } = task;
  switch (kind) {
    case "train":
      return runKey(of.config);
    case "audit":
    case "distances":
      // Both are about a configuration, not about a run of it.
      return fingerprint([kind, configKey(of.config)]);
    default:
      return fingerprint([kind, encoderKey(of), withoutPlaces(options)]);
  }
}

/** The run that must be done before a task can be. */
export const neededRun = (task: Task): string | undefined =>
  task.kind !== "train" && task.of.trained ? runKey(task.of.config) : undefined;

/** The same options without where files are: moved pictures are the same pictures. */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "folder" && key !== "file")
      .map(([key, inner]) => [key, withoutPlaces(inner)]),
  );
}

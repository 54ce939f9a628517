// The lines of metrics.jsonl: what a run has noted of its steps, its X-rays, its evaluations, its interventions and its alarms.

import type { HeldOutReadOut } from "../evaluation/held-out.ts";
import { SaccadeError } from "../program/errors.ts";
import type { LayerNumbers } from "../training/xray.ts";

/** One line of metrics.jsonl. */
export type Metric =
  | {
      readonly kind: "step";
      readonly step: number;
      /** Epochs done, with a fraction. */
      readonly epoch: number;
      /** Summed or averaged over the batch, as the loss says. */
      readonly loss: number;
      /** The layer that learnt, from 1, where one learns at a time. */
      readonly layer?: number;
      /** Shares of positive pairs beyond m1 and of negative pairs within m2, under a loss with gates. */
      readonly activePositives?: number;
      readonly activeNegatives?: number;
      /** Share of the batch that a supervised loss answers rightly. */
      readonly accuracy?: number;
      /** Under SCFF: mean goodness of the places of positives and of negatives, and the shares of them above and below their threshold. */
      readonly positiveGoodness?: number;
      readonly negativeGoodness?: number;
      readonly positivesAbove?: number;
      readonly negativesBelow?: number;
      /** Of the embeddings, where they were looked at. */
      readonly spread?: number;
      readonly effectiveRank?: number;
    }
  | {
      /** A look at the layers that learn, on the probe batch; one line for each lesson looked at. */
      readonly kind: "xray";
      readonly step: number;
      readonly layer?: number;
      readonly loss: number;
      readonly activePositives?: number;
      readonly activeNegatives?: number;
      readonly accuracy?: number;
      readonly positiveGoodness?: number;
      readonly negativeGoodness?: number;
      readonly positivesAbove?: number;
      readonly negativesBelow?: number;
      readonly layers: readonly LayerNumbers[];
    }
  | Evaluation
  | {
      /** Before this step the run was changed, as its configuration says. */
      readonly kind: "intervention";
      readonly step: number;
      readonly epoch: number;
      readonly what: string;
    }
  | {
      readonly kind: "alarm";
      readonly step: number;
      readonly about: "collapse" | "loss" | "device";
      readonly message: string;
    };

/** What the encoder in training is worth on labels held out, beside the random encoder from which it began. */
export interface Evaluation {
  readonly kind: "evaluation";
  readonly step: number;
  /** Epochs done, with a fraction. */
  readonly epoch: number;
  /** Pictures whose labels were learnt from, and pictures tested on. */
  readonly fit: number;
  readonly held: number;
  /** Of the last block; under GLL before it of the block that has just learnt, where that is another. */
  readonly scores: readonly HeldOutScore[];
}

export interface HeldOutScore {
  /** The block's name: "conv3". */
  readonly layer: string;
  readonly readOut: HeldOutReadOut;
  /** Shares answered rightly, of the encoder in training and of the random one. */
  readonly accuracy: number;
  readonly random: number;
}

/** Of an evaluation what is of the encoder's last block. */
export const ofLastBlock = ({ scores }: Evaluation): HeldOutScore[] =>
  scores.filter(({ layer }) => layer === scores[scores.length - 1].layer);

/** Whole lines of the file, of which the first is the file's line `first`. */
export function parseMetrics(lines: readonly string[], file: string, first = 1): Metric[] {
  return lines.map((line, i) => {
    let metric: unknown;
    try {
      metric = JSON.parse(line);
    } catch {
      throw new SaccadeError(`${file}: line ${first + i} is not JSON; ${mendMetrics}`);
    }
    if (!isMetric(metric))
      throw new SaccadeError(
        `${file}: line ${first + i} is not a line of metrics, got ${line.slice(0, 60)}; ${mendMetrics}`,
      );
    return metric;
  });
}

const mendMetrics = "mend the line or take it out";

/** Whether a line has what every reader of its kind counts on. */
function isMetric(value: unknown): value is Metric {
  if (typeof value !== "object" || value === null) return false;
  const { kind, step, epoch, loss, layers, scores, message, what } = value as Record<string, unknown>;
  if (typeof step !== "number") return false;
  if (kind === "step") return typeof epoch === "number" && typeof loss === "number";
  if (kind === "xray") return Array.isArray(layers);
  if (kind === "evaluation") return typeof epoch === "number" && Array.isArray(scores) && scores.length > 0;
  if (kind === "intervention") return typeof epoch === "number" && typeof what === "string";
  return kind === "alarm" && typeof message === "string";
}

/** A checkpoint's bytes are the same with evaluations and without: it does not count them. */
export const isCounted = ({ kind }: Metric): boolean => kind !== "evaluation";

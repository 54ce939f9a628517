// What tools/stories.ts keeps of the runs of a story: small enough to be fetched, and enough to draw its curves and to check its sentence.

import type { LayerNumbers } from "../src/training/xray.ts";
import type { Raw } from "./configuration.ts";

export interface RecordedLook {
  readonly step: number;
  /** Of the batch's embeddings, as in src/training/alarms.ts. */
  readonly effectiveRank: number;
  readonly spread: number;
  /** The loss's own: shares of open gates. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of the layers that learnt last; degrees. */
  readonly layers: readonly Pick<LayerNumbers, "name" | "angleBP" | "angleWB">[];
}

export interface RecordedRun {
  readonly seed: number;
  /** Shares of 500 new pictures that their nearest neighbours name rightly: by pixels, and by the untrained network. */
  readonly pixels: number;
  readonly random: number;
  readonly readings: readonly { readonly step: number; readonly all: number }[];
  /** Mean loss of each stretch of `lossEvery` steps. */
  readonly losses: readonly number[];
  readonly looks: readonly RecordedLook[];
}

export interface Recorded {
  readonly raw: Raw;
  readonly lossEvery: number;
  /** Loss of every step of the first run. */
  readonly shown: readonly number[];
  /** Seeds 0–4. */
  readonly runs: readonly RecordedRun[];
}

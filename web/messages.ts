// What the page and its two workers tell each other: one of them trains, the other reads out what was learnt.

import type { ImageSet } from "../src/data/images.ts";
import type { Condition, ProgramAudit, Verdict } from "../src/program/audit.ts";
import type { Health } from "../src/training/alarms.ts";
import type { Config, Intervention } from "../src/training/config.ts";
import type { FeedbackChange } from "../src/training/interventions.ts";
import type { LayerNumbers } from "../src/training/xray.ts";
import type { Raw } from "./configuration.ts";
import type { FromFiles, ToFiles } from "./file-messages.ts";

/** Pictures for a canvas, one after another: [count, height, width, 4] bytes. */
export interface Tiles {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** The first message that a worker gets. `threads`: beside the worker's own, or none. */
export interface Role {
  readonly kind: "role";
  readonly role: "train" | "read";
  readonly threads: number | "here";
}

/** Every message about a configuration carries its number, so that what comes too late is known and dropped. */
export type ToTrainer =
  | ToFiles
  /** `own`: the visitor's pictures, where they take the place of the rendered ones. */
  | { readonly kind: "make"; readonly id: number; readonly raw: Raw; readonly own: ImageSet | undefined }
  /** Steps a second at most; undefined: as many as go. */
  | { readonly kind: "play"; readonly pace: number | undefined }
  | { readonly kind: "pause" }
  | { readonly kind: "step" }
  /** Change the run as it stands: an intervention without its step, which is where the worker is. */
  | { readonly kind: "intervene"; readonly id: number; readonly change: Change }
  /** The last step, taken apart. */
  | { readonly kind: "apart" }
  | { readonly kind: "weights" };

/** What one step's first picture and its strangers come to, under the contrastive hinge. */
export interface Apart {
  readonly step: number;
  readonly loss: { readonly m1: number; readonly m2: number; readonly gradientBlock: boolean };
  /** Negatives of an anchor; not all of them are shown. */
  readonly strangers: number;
  /** Anchors and views, alternating: A, B, A₁, B₁, … */
  readonly views: Tiles;
  /** Embeddings of A, B, and the strangers B₁, B₂, … */
  readonly codes: Tiles;
  /** L1, from A to B and to each stranger. */
  readonly distances: readonly number[];
  /** Of A; of B under the gradient block. */
  readonly error: Tiles;
  /** Root mean squares of the layers' changes on the probe batch. */
  readonly sizes: readonly { readonly name: string; readonly size: number }[];
}

/** An intervention before it is made. */
export type Change = Omit<Intervention, "step">;

/** A run between two interventions. */
export interface StageSeen {
  /** Steps that are done when it begins; −1: it is there from the start. */
  readonly from: number;
  readonly config: Config;
  /** Layers and heads that can learn, and those of them that do not. */
  readonly layers: readonly string[];
  readonly frozen: readonly string[];
  /** Layers and heads with feedback weights of their own, and what has been done to those since the update last changed. */
  readonly wires: readonly string[];
  readonly changed: Readonly<Record<string, FeedbackChange["kind"]>>;
  /** Why an update would make no sense here, by its name. */
  readonly refusals: Readonly<Record<string, string>>;
}

/** A run's interventions, those to come too, and what they make of it. */
export interface Course {
  readonly raw: Raw;
  readonly stages: readonly StageSeen[];
  readonly marks: readonly { readonly step: number; readonly text: string }[];
}

export interface Look {
  readonly step: number;
  /** Rows: an anchor and its view, side by side. */
  readonly pairs: Tiles | undefined;
  /** Of the first layer, where it was looked at. */
  readonly filters: Tiles | undefined;
  /** By the layer's name; of the layers that learnt last, a head's as "head of conv2" where each layer has its own. */
  readonly layers: readonly LayerNumbers[];
  /** Of the last batch's embeddings; left out where there are none to look at. */
  readonly health: Health | undefined;
  /** Whether the run's alarm would call that a collapse. */
  readonly collapsed: boolean;
}

export type FromTrainer =
  | FromFiles
  | {
      readonly kind: "made";
      readonly id: number;
      readonly totalSteps: number;
      readonly engine: string;
      readonly bytes: number;
    }
  | {
      readonly kind: "steps";
      readonly id: number;
      /** Updates that are done. */
      readonly step: number;
      readonly losses: readonly number[];
      /** The layer that learnt last, from 1, where one learns at a time. */
      readonly layer: number | undefined;
      readonly metrics: Readonly<Record<string, number>>;
      readonly viewsPerSecond: number | undefined;
    }
  | { readonly kind: "look"; readonly id: number; readonly look: Look }
  /** With `made`: an intervention has just been made. */
  | { readonly kind: "course"; readonly id: number; readonly course: Course; readonly made: boolean }
  /** Undefined: it cannot be taken apart. */
  | { readonly kind: "apart"; readonly id: number; readonly apart: Apart | undefined }
  | { readonly kind: "notIntervened"; readonly id: number; readonly sentence: string }
  | { readonly kind: "paused"; readonly id: number; readonly ended: boolean }
  | {
      readonly kind: "weights";
      readonly id: number;
      readonly step: number;
      readonly weights: ReadonlyMap<string, Float32Array>;
    }
  | { readonly kind: "failed"; readonly id: number; readonly sentence: string };

export type ToReader =
  | { readonly kind: "check"; readonly id: number; readonly raw: Raw; readonly own: ImageSet | undefined }
  /** Of a stage's configuration, where interventions have changed it. */
  | { readonly kind: "audit" | "confirm"; readonly id: number; readonly config: Config | undefined }
  | { readonly kind: "baseline"; readonly id: number }
  | {
      readonly kind: "read";
      readonly id: number;
      readonly step: number;
      readonly weights: ReadonlyMap<string, Float32Array>;
    };

/** k nearest neighbours: shares of test pictures that are named rightly. */
export interface Accuracy {
  readonly all: number;
  readonly classes: readonly number[];
}

export interface LayerShape {
  readonly name: string;
  /** [h, w, c] that leaves the layer. */
  readonly shape: readonly number[];
  readonly synapses: number;
}

/** What a synapse has to know: verdicts on the paper's four conditions, before anything is trained. */
export interface Audit {
  readonly summary: Readonly<Record<Condition, Verdict>>;
  readonly layers: ProgramAudit["layers"];
}

/** What the page has to know of a configuration. */
export interface Checked {
  readonly config: Config;
  /** Why a choice would make no sense beside the others, by its name. */
  readonly refusals: Readonly<Record<string, string>>;
  readonly layers: readonly LayerShape[];
  readonly classes: readonly string[];
  /** Of the first batch: what the first step will see. */
  readonly pairs: Tiles;
}

/** What the encoder makes of pictures that it has not seen. */
export interface Reading {
  readonly step: number;
  readonly accuracy: Accuracy;
  /** [points, 2], nearly all between −1 and 1: the plane in which the last layer's responses spread most. */
  readonly map: Float64Array;
  readonly labels: Int32Array;
  /** One picture in every layer: some of its channels. */
  readonly activity: readonly Tiles[];
  readonly picture: Tiles;
}

export type FromReader =
  | { readonly kind: "checked"; readonly id: number; readonly checked: Checked }
  | { readonly kind: "refused"; readonly id: number; readonly sentence: string }
  | { readonly kind: "audited"; readonly id: number; readonly audit: Audit }
  | {
      readonly kind: "baseline";
      readonly id: number;
      readonly pixels: Accuracy;
      readonly random: Accuracy;
      readonly reading: Reading;
    }
  /** What changing what a synapse must not know did not bear out; empty where all was borne out. */
  | { readonly kind: "confirmed"; readonly id: number; readonly disagreements: readonly string[] }
  | { readonly kind: "reading"; readonly id: number; readonly reading: Reading }
  | { readonly kind: "failed"; readonly id: number; readonly sentence: string };

// What the page and the worker that trains tell each other about files: exporting a run, saving it in the browser, and opening one.

import type { Raw } from "./configuration.ts";

declare global {
  /** Of package.json, put in where the page is built. */
  const SACCADE_VERSION: string;
}

/** Files of a run's folder by their paths in it. */
export type Files = ReadonlyMap<string, Uint8Array>;

export type ToFiles =
  /** The run as it stands, with these figures, as a zip. */
  | { readonly kind: "export"; readonly id: number; readonly figures: Files }
  /** Whether there is a saved run of the configuration. */
  | { readonly kind: "ask"; readonly id: number }
  /** Save it now: who knows whether the page is looked at again. */
  | { readonly kind: "save"; readonly id: number }
  /** What was saved is not wanted. */
  | { readonly kind: "forget"; readonly id: number }
  /** A run's folder, as a zip or as its files, or one checkpoint. */
  | { readonly kind: "unpack"; readonly id: number; readonly name: string; readonly from: Uint8Array | Files }
  /** Puts back what was saved or unpacked last. */
  | { readonly kind: "restore"; readonly id: number };

export type FromFiles =
  | { readonly kind: "exported"; readonly id: number; readonly name: string; readonly zip: Uint8Array<ArrayBuffer> }
  /** `step`: where it stands; undefined where there is none. */
  | { readonly kind: "saved"; readonly id: number; readonly step: number | undefined }
  /** `raw` is undefined where what was opened belongs to the configuration that is there. */
  | { readonly kind: "unpacked"; readonly id: number; readonly raw: Raw | undefined; readonly step: number }
  | {
      readonly kind: "restored";
      readonly id: number;
      readonly step: number;
      /** Of every step up to there. */
      readonly losses: readonly number[];
      readonly layer: number | undefined;
      readonly ended: boolean;
    }
  /** Something about files went wrong; the run is as it was. */
  | { readonly kind: "fileProblem"; readonly id: number; readonly sentence: string };

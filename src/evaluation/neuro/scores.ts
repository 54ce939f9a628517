// What saccade inspect measures of a layer: the names of its numbers, and a number as it stands in the report.

import type { Estimate } from "./half-samples.ts";

/** Every read-out with its heading, and the values that its axis holds in any case. */
export const neuroReadOuts = {
  rsaRandom: { heading: "RSA with the random encoder", includes: [0, 1] },
  rsaPixels: { heading: "RSA with the pixels", includes: [0] },
  rsaClasses: { heading: "RSA with the classes", includes: [0] },
  rsaResponses: { heading: "RSA with your responses", includes: [0] },
  ckaRandom: { heading: "CKA with the random encoder", includes: [0, 1] },
  ckaResponses: { heading: "CKA with your responses", includes: [0] },
  dimensionality: { heading: "dimensionality (participation ratio)", includes: [0] },
  effectiveRank: { heading: "effective rank (RankMe)", includes: [0] },
  lifetimeSparsity: { heading: "lifetime sparsity", includes: [0, 1] },
  populationSparsity: { heading: "population sparsity", includes: [0, 1] },
  circularVariance: { heading: "circular variance", includes: [0, 1] },
  selectivity: { heading: "orientation selectivity", includes: [0, 1] },
  modulation: { heading: "F1/F0", includes: [0] },
  gaborFit: { heading: "R² of a Gabor function", includes: [0, 1] },
} as const satisfies Record<string, { readonly heading: string; readonly includes: readonly number[] }>;

export type NeuroReadOut = keyof typeof neuroReadOuts;

/** One number about one layer, with its interval where it has one. */
export interface LayerScore extends Estimate {
  /** `trained`, `random` or `pixels`. */
  readonly subject: string;
  /** Name of the block; pixels have none. */
  readonly layer?: string;
  readonly readOut: NeuroReadOut;
  /** Other estimates of the same, and how many units they are over. */
  readonly details?: Readonly<Record<string, number>>;
}

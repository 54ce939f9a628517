// Figure 5: how far apart the embeddings of one batch are before training, beside the margins.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { wrong } from "../program/errors.ts";
import type { Config } from "../training/config.ts";
import { createTrainer } from "../training/trainer.ts";
import type { DistancesResult } from "./task.ts";

/** Bins of the two histograms. */
const bins = 60;

/** Of the first batch of a run: ‖A_s − B_s‖₁, and ‖A_s − B_t‖₁ for all t ≠ s. */
export async function distances(config: Config, dataset: ImageSet, backend: Backend): Promise<DistancesResult> {
  const { loss, learning, batch } = config;
  if (loss.kind !== "contrastiveHinge" || learning !== "E2E")
    throw wrong("distances", "config", "contrastiveHinge under learning E2E", `${loss.kind} under ${learning}`);
  const trainer = await createTrainer({ config: { ...config, xrayEvery: 0 }, dataset, backend });
  try {
    // The embeddings are those of the forward pass, which comes before the update.
    await trainer.step();
    const seen = await trainer.embeddings();
    if (seen === undefined) throw new Error("distances: no embeddings");
    return counted(seen.numbers, seen.width, batch, loss);
  } finally {
    await trainer.dispose();
  }
}

/** `embeddings` [2n, d]: the anchors, then their partners. */
export function counted(
  embeddings: Float32Array,
  d: number,
  n: number,
  { m1, m2 }: { readonly m1: number; readonly m2: number },
): DistancesResult {
  const positives: number[] = [];
  const negatives: number[] = [];
  for (let s = 0; s < n; s++)
    for (let t = 0; t < n; t++) {
      let distance = 0;
      for (let k = 0; k < d; k++) distance += Math.abs(embeddings[s * d + k] - embeddings[(n + t) * d + k]);
      (s === t ? positives : negatives).push(distance);
    }
  const largest = Math.max(
    m2,
    ...positives,
    negatives.reduce((a, b) => Math.max(a, b), 0),
  );
  const width = largest / bins;
  const histogram = (values: readonly number[]): number[] => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor(value / width))]++;
    return counts;
  };
  return {
    width,
    positives: histogram(positives),
    negatives: histogram(negatives),
    activePositives: positives.filter((one) => one > m1).length / positives.length,
    activeNegatives: negatives.filter((one) => one < m2).length / negatives.length,
  };
}

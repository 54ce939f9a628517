// How many steps a run makes before it reads back what they found: as many as nothing else is asked of, and as a person waits for.

import { healthEvery } from "../record/bookkeeping.ts";
import type { Config } from "../training/config.ts";
import type { Trainer } from "../training/trainer.ts";

/** Milliseconds after which progress is told and signals are heard. */
const patience = 250;

/** Steps from step `from` on to the next after which the state is looked at, saved, or changed, or the run ends; the first is looked at too. */
export function stepsToLook(
  config: Pick<Config, "checkpointEvery" | "xrayEvery" | "evaluateEvery" | "interventions">,
  { stepsPerEpoch, totalSteps }: Pick<Trainer, "stepsPerEpoch" | "totalSteps">,
  from: number,
): number {
  const { checkpointEvery, xrayEvery, evaluateEvery = 0, interventions = [] } = config;
  const next = (every: number): number => (every > 0 ? (Math.floor(from / every) + 1) * every : totalSteps);
  const looks = [
    1,
    totalSteps,
    next(healthEvery),
    next(xrayEvery),
    next(checkpointEvery * stepsPerEpoch),
    next(evaluateEvery * stepsPerEpoch),
    ...interventions.map(({ step }) => step),
  ];
  return Math.min(...looks.filter((step) => step > from)) - from;
}

/** Steps at a time: one where notes cost nothing, and else as many as take a quarter of a second, by how long the last took. */
export function openStretch(notesEvery = 1): {
  readonly most: () => number;
  readonly took: (steps: number, milliseconds: number) => void;
} {
  let most = 1;
  return {
    most: () => most,
    took: (steps, milliseconds) => {
      const fitting = Math.floor((patience * steps) / Math.max(milliseconds, 1));
      // Twice as many at most: the first steps of a device are no measure.
      most = Math.max(1, Math.min(notesEvery, fitting, 2 * most));
    },
  };
}

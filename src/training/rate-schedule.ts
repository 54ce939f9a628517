// Learning-rate schedules: the factor on every learning rate of an optimiser, from how many of its updates are done.

import type { Config } from "./config.ts";

export type RateSchedule = Config["optimiser"]["schedule"];

/**
 * Factor for update `update` (from 1) of `updates`. The first `warmup` updates climb evenly to 1, the w-th having w/warmup; over the rest
 * `cosine` falls along half a cosine from 1 towards `end`, `step` multiplies by `factor` at each of the shares `at` of all updates. Each layer
 * of GLL and RLL counts its own updates.
 */
export function rateAt(schedule: RateSchedule, update: number, updates: number): number {
  const { warmup } = schedule;
  if (update <= warmup) return update / warmup;
  const done = update - 1;
  switch (schedule.kind) {
    case "constant":
      return 1;
    case "cosine": {
      const share = Math.min(1, (done - warmup) / Math.max(1, updates - warmup));
      return schedule.end + (1 - schedule.end) * 0.5 * (1 + Math.cos(Math.PI * share));
    }
    case "step":
      return schedule.factor ** schedule.at.filter((share) => done >= share * updates).length;
    default:
      return schedule satisfies never;
  }
}

/** Does the factor depend on how many updates there will be? */
export const dependsOnLength = ({ kind }: RateSchedule): boolean => kind !== "constant";

/** For a line about a run: `1e-3, warm-up 50, cosine to 0`. */
export function describeRate({ learningRate, schedule, head, feedback }: Config["optimiser"]): string {
  const { warmup } = schedule;
  const parts = [learningRate.toExponential().replace("e+0", "").replace("+", "")];
  if (warmup > 0) parts.push(`warm-up ${warmup}`);
  if (schedule.kind === "cosine") parts.push(`cosine to ${schedule.end}`);
  if (schedule.kind === "step") parts.push(`× ${schedule.factor} at ${schedule.at.join(", ")}`);
  if (head !== 1) parts.push(`head × ${head}`);
  if (feedback !== 1) parts.push(`feedback × ${feedback}`);
  return parts.join(", ");
}

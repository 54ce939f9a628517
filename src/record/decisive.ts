// What decides the numbers of a run: two runs that differ in nothing of it can be gone on with in each other's stead.

import type { Config } from "../training/config.ts";
import { dependsOnLength } from "../training/rate-schedule.ts";

/**
 * What decides the numbers of a run. Lengthening it, probing it otherwise and moving its data are left out; where the epochs say when a
 * layer of GLL begins, or how the learning rate falls, they count.
 */
export function decisive(config: Config): object {
  const {
    plugins,
    epochs,
    checkpointEvery,
    checkpointsKept,
    checkpointBest,
    metricsEvery,
    xrayEvery,
    evaluateEvery,
    logs,
    probe,
    name,
    ...rest
  } = config;
  const { folder, file, ...data } = rest.data;
  // Runs from before there was antialiasing have no such key in their fingerprint.
  const { antialias, ...seen } = { antialias: false, ...rest.augmentation };
  const augmentation = antialias ? rest.augmentation : seen;
  const epochsCount = config.learning === "GLL" || dependsOnLength(config.optimiser.schedule);
  // A plugin is its bytes, wherever they lie.
  const bytes = Object.entries(plugins ?? {}).map(([of, { sha256 }]) => [of, sha256]);
  const foreign = plugins ? { plugins: Object.fromEntries(bytes) } : {};
  return { ...rest, data, augmentation, ...(epochsCount ? { epochs } : {}), ...foreign };
}

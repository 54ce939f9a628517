// Evaluations in the course of a run (evaluateEvery): when they come, and the random encoder's accuracies that stand beside each.

import type { Backend } from "../backends/backend.ts";
import type { Encoder } from "../encoders/encoder.ts";
import { networkOf } from "../encoders/networks.ts";
import { untrainedWeights } from "../evaluation/features.ts";
import {
  evaluate,
  evaluationMemory,
  type HeldOut,
  type HeldOutReadOut,
  heldOutReadOuts,
} from "../evaluation/held-out.ts";
import type { Evaluation } from "../record/metrics.ts";
import type { Config } from "../training/config.ts";
import type { Trainer } from "../training/trainer.ts";

/** Whether one comes after this step: the last of every so many epochs, and the last of the run. */
export const isEvaluated = (
  { evaluateEvery = 0 }: Config,
  { stepsPerEpoch, totalSteps }: Pick<Trainer, "stepsPerEpoch" | "totalSteps">,
  step: number,
): boolean => evaluateEvery > 0 && (step % (evaluateEvery * stepsPerEpoch) === 0 || step === totalSteps);

/** How many come after step `from`. */
export function evaluationsLeft(
  { evaluateEvery = 0 }: Config,
  { stepsPerEpoch, totalSteps }: Pick<Trainer, "stepsPerEpoch" | "totalSteps">,
  from: number,
): number {
  if (evaluateEvery === 0) return 0;
  const every = evaluateEvery * stepsPerEpoch;
  const atEnd = totalSteps % every > 0 && from < totalSteps ? 1 : 0;
  return Math.floor(totalSteps / every) - Math.floor(from / every) + atEnd;
}

/** Bytes that an evaluation of a run takes. */
export const evaluationBytes = ({ encoder, learning }: Config, heldOut: HeldOut | undefined): number =>
  heldOut ? evaluationMemory(networkOf(encoder), heldOut, learning === "GLL" ? "all" : "last") : 0;

type Accuracies = Record<HeldOutReadOut, number>;

/**
 * Measures one state of a run after another, each block beside the random encoder's same block, which is measured once. Nothing of the run is
 * changed. A run that goes on measures the random encoder again: its labels may be others.
 */
export function evaluateBeside(
  { encoder, valueRange, normalise, seed, learning }: Config,
  { blocks }: Pick<Encoder, "blocks">,
  heldOut: HeldOut,
  backend: Backend,
): (
  state: ReadonlyMap<string, Float32Array>,
  at: { readonly step: number; readonly epoch: number; readonly layer?: number | undefined },
) => Promise<Evaluation> {
  const network = networkOf(encoder);
  const random = new Map<string, Accuracies>();
  const measure = (weights: ReadonlyMap<string, Float32Array>, layer: string): Promise<Accuracies> =>
    evaluate({ network, weights, valueRange, normalise, layer }, heldOut, backend);
  const randomOf = async (layer: string): Promise<Accuracies> => {
    const known = random.get(layer) ?? (await measure(untrainedWeights(network, seed), layer));
    random.set(layer, known);
    return known;
  };

  return async (state, { step, epoch, layer }) => {
    const last = blocks[blocks.length - 1].name;
    const learnt = learning === "GLL" && layer !== undefined ? blocks[layer - 1].name : last;
    const scores: Evaluation["scores"][number][] = [];
    for (const name of new Set([learnt, last])) {
      const [own, floor] = [await measure(state, name), await randomOf(name)];
      for (const readOut of heldOutReadOuts)
        scores.push({ layer: name, readOut, accuracy: own[readOut], random: floor[readOut] });
    }
    return { kind: "evaluation", step, epoch, fit: heldOut.fit.count, held: heldOut.held.count, scores };
  };
}

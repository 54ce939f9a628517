// Holds a step's numbers against a golden's: elements kept, norm, and projection on random signs.

import { expect } from "vitest";
import type { Tensor } from "../../src/program/tensor.ts";
import type { OpenStep } from "../../src/conformance/step.ts";
import { type Golden, goldenUniform, type HingeGolden, type SampledFacts } from "./read.ts";

/** Largest difference relative to the root mean square of what is wanted. */
export function furthest(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(got.length).toBe(wanted.length);
  let squares = 0;
  let most = 0;
  for (let i = 0; i < wanted.length; i++) {
    squares += wanted[i] ** 2;
    most = Math.max(most, Math.abs(got[i] - wanted[i]));
  }
  return most / Math.sqrt(squares / wanted.length);
}

const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));

/** The whole array `got` against the elements kept of it and the facts on all of it. */
export function expectSampled(
  got: ArrayLike<number>,
  { kept, facts, seed, what }: { kept: ArrayLike<number>; facts: SampledFacts; seed: number; what: string },
  tolerance: number,
): void {
  const sampled = Float64Array.from(kept, (_, i) => got[i * facts.stride]);
  expect(furthest(sampled, kept), `${what}: elements`).toBeLessThan(20 * tolerance);
  let dot = 0;
  for (let i = 0; i < got.length; i++) dot += goldenUniform(seed, facts.dotStream, i) < 0.5 ? got[i] : -got[i];
  expect(Math.abs(norm(got) / facts.norm - 1), `${what}: norm`).toBeLessThan(tolerance);
  expect(Math.abs(dot - facts.dot) / facts.norm, `${what}: projection`).toBeLessThan(20 * tolerance);
}

/** Embeddings, loss and every gradient of a step whose gradient program has run. */
export async function expectStep(step: OpenStep, golden: Golden<HingeGolden>, tolerance: number): Promise<void> {
  const { engine, parameters, gradients } = step;
  const { lossValue, seed } = golden.json;
  expect(furthest(await engine.read(step.output), golden.tensor("embeddings").data)).toBeLessThan(tolerance);
  const [loss] = await engine.read(step.loss);
  expect(Math.abs(loss / lossValue - 1)).toBeLessThan(tolerance);
  for (const facts of golden.json.gradients) {
    const weight = parameters.find(({ tensor }) => tensor.name === facts.weight)?.tensor as Tensor;
    const kept = golden.tensor(`${facts.weight}.gradient`).data;
    expectSampled(
      await engine.read(gradients.get(weight) as Tensor),
      { kept, facts, seed, what: facts.weight },
      tolerance,
    );
  }
}

/** The loss before each step of Adam, as near PyTorch's as float32 can promise, times `slack`. */
export function expectLosses(
  got: readonly number[],
  { losses, float32Drift }: HingeGolden["adam"][number],
  slack = 1,
): void {
  expect(got).toHaveLength(losses.length);
  got.forEach((loss, i) => {
    const limit = slack * (100 * float32Drift[i] + 2e-5);
    expect(Math.abs(loss - losses[i]) / (losses[i] + losses[0]), `step ${i + 1}`).toBeLessThan(limit);
  });
}

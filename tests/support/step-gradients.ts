// Every gradient of a whole step against a finite difference, in float64.

import { expect } from "vitest";
import { checkGradient } from "../../src/conformance/gradients.ts";
import type { OpenStep } from "../../src/conformance/step.ts";
import type { Tensor } from "../../src/program/tensor.ts";

/** `start` has the numbers from which each of `weights` is moved; all others stay. */
export async function expectGradients(
  { engine, gradients, gradientProgram, loss }: OpenStep,
  weights: readonly Tensor[],
  start: ReadonlyMap<Tensor, ArrayLike<number>>,
): Promise<void> {
  await engine.run(gradientProgram);
  const claimed: Float64Array[] = [];
  for (const weight of weights) {
    const gradient = gradients.get(weight);
    if (gradient === undefined) throw new Error(`no gradient of ${weight.name}`);
    claimed.push(Float64Array.from(await engine.read(gradient)));
  }
  for (const [i, weight] of weights.entries()) {
    const gradient = claimed[i];
    expect(Math.max(...gradient.map(Math.abs)), weight.name).toBeGreaterThan(0);
    const at = Float64Array.from(start.get(weight) ?? []);
    const value = async (x: Float64Array): Promise<number> => {
      engine.write(weight, x);
      await engine.run(gradientProgram);
      engine.write(weight, at);
      return (await engine.read(loss))[0];
    };
    expect(await checkGradient({ value, at, gradient }), weight.name).toBe("equal");
  }
}

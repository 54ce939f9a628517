// BP end to end: the whole step against finite differences, the gradient block, and the encoders' counts against the spec.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { checkGradient } from "../../src/conformance/gradients.ts";
import { openStep } from "../../src/conformance/step.ts";
import { countParameters, type Encoder, pictures } from "../../src/encoders/encoder.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import { randomStream } from "../../src/program/random.ts";
import { sizeOf } from "../../src/program/tensor.ts";
import { backpropagation } from "../../src/rules/backpropagation.ts";
import { expectGradients } from "../support/step-gradients.ts";

/** The CIFAR family small enough for float64 loops: every kind of block, both orders of pooling and activation, biases. */
const small: Encoder = {
  name: "small",
  height: 8,
  width: 8,
  channels: 3,
  blocks: [
    { name: "conv1", outputs: 4, kernel: 3, stride: 1, padding: 1, bias: true, after: ["hardtanh"] },
    { name: "conv2", outputs: 5, kernel: 3, stride: 1, padding: 1, bias: false, after: ["maxPool", "tanh"] },
    { name: "conv3", outputs: 6, kernel: 3, stride: 1, padding: 1, bias: false, after: ["hardtanh", "maxPool"] },
    { name: "conv4", outputs: 6, kernel: 3, stride: 1, padding: 1, bias: false, after: [] },
  ],
  head: { averagePool: 2, outputs: 7, bias: false },
};

const hinge = (gradientBlock: boolean) =>
  contrastiveHinge({ m1: 0.3, m2: 3, negatives: { kind: "next", count: 2 }, gradientBlock });

async function randomStep(gradientBlock: boolean) {
  const step = await openStep({
    encoder: small,
    loss: hinge(gradientBlock),
    update: backpropagation,
    batch: 4,
    backend: referenceBackend,
  });
  const random = randomStream(11);
  // Weights three times the default, so that Hardtanh saturates here and there and both kinds of gate are open.
  const weights = new Map([...initialise(step, 1)].map(([tensor, values]) => [tensor, values.map((x) => 3 * x)]));
  step.write(weights);
  step.engine.write(
    step.views,
    Float64Array.from({ length: sizeOf(step.views.shape) }, () => random.uniform()),
  );
  return { step, weights };
}

describe("BP end to end", () => {
  test("every gradient of the whole step agrees with a finite difference", async () => {
    const { step, weights } = await randomStep(false);
    await step.engine.run(step.gradientProgram);
    expect((await step.engine.read(step.loss))[0]).toBeGreaterThan(1);
    await expectGradients(
      step,
      step.parameters.map(({ tensor }) => tensor),
      weights,
    );
  });

  test("under the gradient block the anchors contribute nothing, and the loss is the same", async () => {
    const blocked = await randomStep(true);
    const free = await randomStep(false);
    await blocked.step.engine.run(blocked.step.gradientProgram);
    await free.step.engine.run(free.step.gradientProgram);
    expect(await blocked.step.engine.read(blocked.step.loss)).toEqual(await free.step.engine.read(free.step.loss));
    // d/dw of L with the anchors' embeddings held fixed: a finite difference in which only the views' half moves.
    const { step, weights } = blocked;
    const [{ tensor: weight }] = step.parameters;
    const gradient = Float64Array.from(await step.engine.read(step.gradients.get(weight) ?? weight));
    const anchors = (await step.engine.read(step.output)).slice(0, 4 * 7);
    const at = Float64Array.from(weights.get(weight) ?? []);
    const value = async (x: Float64Array): Promise<number> => {
      step.engine.write(weight, x);
      await step.engine.run(step.gradientProgram);
      const moved = (await step.engine.read(step.output)).slice(4 * 7);
      step.engine.write(weight, at);
      return bruteForceHinge(anchors, moved, 7, 0.3, 3, 2);
    };
    expect(await checkGradient({ value, at, gradient })).toBe("equal");
  });
});

/** Equation 2, read aloud: anchors, views [n, d], the next `count` views modulo n are negatives. */
function bruteForceHinge(a: ArrayLike<number>, b: ArrayLike<number>, d: number, m1: number, m2: number, count: number) {
  const n = a.length / d;
  const distance = (s: number, t: number): number => {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += Math.abs(a[s * d + k] - b[t * d + k]);
    return sum;
  };
  let loss = 0;
  for (let s = 0; s < n; s++) {
    loss += Math.max(0, distance(s, s) - m1);
    for (let i = 1; i <= count; i++) loss += Math.max(0, m2 - distance(s, (s + i) % n));
  }
  return loss;
}

describe("the paper's networks", () => {
  test("the CIFAR network has the parameters and the cost of the spec", () => {
    const counts = countParameters(networks.cifar);
    expect(counts.blocks).toEqual([864, 9216, 18432, 36864, 294912]);
    expect(counts.head).toBe(524288);
    expect(counts.features).toBe(8192);
    expect(counts.forwardMacs - counts.head).toBe(864 * 1024 + 9216 * 1024 + 18432 * 256 + 36864 * 256 + 294912 * 64);
    // The spec says about 43.4 M for the forward pass.
    expect(Math.abs(counts.forwardMacs / 43.4e6 - 1)).toBeLessThan(0.02);
    expect(pictures(networks.cifar)).toEqual([
      [32, 32, 3],
      [32, 32, 32],
      [16, 16, 32],
      [16, 16, 64],
      [8, 8, 64],
      [4, 4, 512],
    ]);
  });

  test("VGG6 has 16,223,616 convolution weights and a head of 262,144", () => {
    const counts = countParameters(networks.vgg6);
    expect(counts.blocks.reduce((sum, count) => sum + count, 0)).toBe(16223616);
    expect(counts.head).toBe(262144);
    expect(counts.features).toBe(4096);
    // 4.85 GMAC an image.
    expect(Math.abs(counts.forwardMacs / 4.85e9 - 1)).toBeLessThan(0.05);
  });

  test("the MNIST network goes 28 → 14 → 7 → 3 and flattens to 1,152", () => {
    expect(pictures(networks.mnist).map(([h]) => h)).toEqual([28, 14, 7, 3]);
    expect(countParameters(networks.mnist).features).toBe(1152);
    expect(countParameters(networks.mnist).blocks).toEqual([288, 18432, 73728]);
  });

  test("weights start uniform within 1/√fanIn, and a seed decides them", async () => {
    const model = createModel(small);
    const first = initialise(model, 4);
    const again = initialise(model, 4);
    const other = initialise(model, 5);
    for (const [tensor, values] of first) {
      const fanIn = sizeOf((tensor.name.endsWith("bias") ? [3, 3, 3, 1] : tensor.shape).slice(0, -1));
      expect(Math.max(...values.map(Math.abs)), tensor.name).toBeLessThanOrEqual(1 / Math.sqrt(fanIn));
      expect(values).toEqual(again.get(tensor));
      expect(values).not.toEqual(other.get(tensor));
    }
    const weight = first.get(model.blocks[3].weight) ?? new Float32Array();
    const variance = weight.reduce((sum, x) => sum + x * x, 0) / weight.length;
    // A uniform variable on [−b, b] has variance b²/3; here b² = 1/54.
    expect(Math.abs(variance * 3 * 54 - 1)).toBeLessThan(0.2);
  });
});

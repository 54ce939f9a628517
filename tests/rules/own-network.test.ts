// Networks that a configuration spells out, under every rule: gradients against finite differences, hidden layers in heads, the audit's words.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { openStep } from "../../src/conformance/step.ts";
import { type Encoder, hiddenName } from "../../src/encoders/encoder.ts";
import { initialise } from "../../src/encoders/model.ts";
import { networkData, networkOf, networks, withBiases } from "../../src/encoders/networks.ts";
import { crossEntropy } from "../../src/losses/classification.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { randomStream } from "../../src/program/random.ts";
import { sizeOf, type Tensor } from "../../src/program/tensor.ts";
import { backpropagation } from "../../src/rules/backpropagation.ts";
import { differenceTargetPropagation, dtpDefaults } from "../../src/rules/difference-target-propagation.ts";
import { directFeedbackAlignment } from "../../src/rules/direct-feedback.ts";
import { randomFeedback, updatedRandomFeedback } from "../../src/rules/feedback.ts";
import { kolenPollack } from "../../src/rules/kolen-pollack.ts";
import { signSymmetricFeedback } from "../../src/rules/sign-symmetry.ts";
import type { Update } from "../../src/rules/update.ts";
import { auditConfigured } from "../../src/training/audit-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { float32Backends } from "../support/backends.ts";
import { expectGradients } from "../support/step-gradients.ts";

/** Every step that may follow a convolution, one twice; a picture that is no square, an even kernel, a stride beyond it, hidden layers. */
const odd: Encoder = networkOf({
  name: "odd",
  input: { height: 11, width: 14, channels: 3 },
  blocks: [
    { outputs: 5, kernel: 4, stride: 1, bias: true, after: ["relu", "triangle", { pool: "average", size: 2 }] },
    { outputs: 4, kernel: 3, stride: 1, bias: false, after: ["tanh", { pool: "max", size: 3 }, "tanh"] },
    { outputs: 6, kernel: 1, stride: 2, bias: false, after: ["triangle"] },
  ],
  head: { averagePool: 1, outputs: 7, bias: true, hidden: [9, 8] },
});

const dtp = differenceTargetPropagation({ ...dtpDefaults, seed: 1 });

async function randomStep(update: Update, encoder = odd, scale = 3) {
  const step = await openStep({ encoder, loss: crossEntropy, classes: 7, update, batch: 6, backend: referenceBackend });
  const random = randomStream(12);
  const weights = new Map([...initialise(step, 1)].map(([tensor, values]) => [tensor, values.map((x) => scale * x)]));
  step.write(weights);
  step.engine.write(
    step.views,
    Float64Array.from({ length: sizeOf(step.views.shape) }, () => random.uniform()),
  );
  step.engine.write(
    step.labels,
    Int32Array.from({ length: 6 }, (_, i) => i),
  );
  step.engine.write(step.optimiser.step, Int32Array.of(1));
  step.engine.write(step.optimiser.rate, Float32Array.of(1));
  return { step, weights };
}

const bp = randomStep(backpropagation);

describe("BP through any network", () => {
  test("every gradient of the whole step agrees with a finite difference", async () => {
    const { step, weights } = await bp;
    await step.engine.run(step.gradientProgram);
    expect(step.parameters.map(({ tensor }) => tensor.name)).toEqual([
      ...["conv1.weight", "conv1.bias", "conv2.weight", "conv3.weight"],
      ...["head.hidden1.weight", "head.hidden1.bias", "head.hidden2.weight", "head.hidden2.bias"],
      ...["head.weight", "head.bias"],
    ]);
    await expectGradients(
      step,
      step.parameters.map(({ tensor }) => tensor),
      weights,
    );
  });

  test("is what RF, URF and KP are whose feedback is the weights, hidden layers included", async () => {
    const { step: exact } = await bp;
    await exact.engine.run(exact.gradientProgram);
    for (const update of [randomFeedback, updatedRandomFeedback, kolenPollack({ decay: 0.1 }), signSymmetricFeedback]) {
      const { step, weights } = await randomStep(update);
      const named = new Map([...weights].map(([{ name }, values]) => [name, values]));
      const feedback = step.parameters.filter(({ tensor }) => tensor.name.includes(".feedback."));
      expect(feedback.map(({ tensor }) => tensor.name).sort()).toEqual(
        ["conv2", "conv3", "head", hiddenName("head", 0), hiddenName("head", 1)].map(
          (name) => `${name}.feedback.weight`,
        ),
      );
      for (const { tensor } of feedback)
        step.engine.write(tensor, named.get(tensor.name.replace(".feedback", "")) ?? new Float32Array());
      await step.engine.run(step.gradientProgram);
      for (const [weight, gradient] of exact.gradients) {
        const same = [...step.gradients].find(([{ name }]) => name === weight.name)?.[1] as Tensor;
        expect(await step.engine.read(same), `${update.name} ${weight.name}`).toEqual(
          await exact.engine.read(gradient),
        );
      }
    }
  });
});

describe("DFA and DTP with hidden layers in the head", () => {
  test("DFA gives each hidden layer its own matrix: (D δ) ⊙ ReLU′", async () => {
    const { step, weights } = await randomStep(directFeedbackAlignment);
    await step.engine.run(step.gradientProgram);
    const named = (name: string) => [...weights].find(([tensor]) => tensor.name === name)?.[1] ?? new Float32Array();
    const error = await step.engine.read(step.error);
    const gradient = [...step.gradients].find(([{ name }]) => name === "head.hidden2.bias")?.[1] as Tensor;
    const [rows, outputs, units] = [6, 7, 8];
    const matrix = named("head.direct2.weight");
    expect(matrix.length).toBe(units * outputs);
    // Of units that are never silent and of units that always are, the bias's gradient is Σ D δ, or nothing.
    const sums = Array.from({ length: units }, (_, unit) => {
      let sum = 0;
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < outputs; k++) sum += matrix[unit * outputs + k] * error[row * outputs + k];
      return sum;
    });
    const found = Array.from(await step.engine.read(gradient));
    const whole = found.filter((value, unit) => Math.abs(value - sums[unit]) < 1e-9);
    expect(whole.filter((value) => value !== 0).length).toBeGreaterThan(0);
    expect(found.some((value) => value === 0)).toBe(true);
  });

  test("DTP's head learns by the loss's own gradient, and its inverses go through average pooling", async () => {
    const encoder = { ...odd, blocks: odd.blocks.map((block) => ({ ...block, after: inverted(block.after) })) };
    const { step } = await randomStep(dtp, encoder, 1);
    const { step: exact } = await randomStep(backpropagation, encoder, 1);
    await step.engine.run(step.gradientProgram);
    await exact.engine.run(exact.gradientProgram);
    for (const name of ["head.weight", "head.hidden2.weight", "head.hidden1.bias"]) {
      const [ours, theirs] = [step, exact].map(
        ({ gradients }) => [...gradients].find(([tensor]) => tensor.name === name)?.[1] as Tensor,
      );
      expect(await step.engine.read(ours), name).toEqual(await exact.engine.read(theirs));
    }
    for (const [{ name }, gradient] of step.gradients)
      expect((await step.engine.read(gradient)).every(Number.isFinite), name).toBe(true);
  });

  test("DTP refuses a triangle below a block, and a block that nothing inverts, by their names", async () => {
    await expect(randomStep(dtp)).rejects.toThrow(
      new SaccadeError(
        "DTP: conv1 must be a block with an activation unit by unit, in which the inverse above it can end, got a triangle; take relu, or another update",
      ),
    );
    const deep = { ...odd, blocks: [odd.blocks[1], { ...odd.blocks[2], after: [] }] };
    const coarse = {
      ...deep,
      height: 24,
      width: 24,
      blocks: [
        { ...deep.blocks[0], after: [] },
        { ...deep.blocks[1], after: [{ pool: "max", size: 7 } as const] },
      ],
    };
    await expect(randomStep(dtp, coarse)).rejects.toThrow(
      /^DTP: conv3 must be a block of 1 × 1 and stride 14 \(pooling included\) that a transposed convolution can invert, \[24, 24\] → \[1, 1\], got none/,
    );
  });
});

/** Relu in place of the triangle. */
const inverted = (after: Encoder["blocks"][number]["after"]) =>
  after.map((step) => (step === "triangle" ? ("relu" as const) : step));

describe("the audit of a network of one's own", () => {
  const config = (update: string, learning = "E2E") =>
    parseConfig(
      {
        ...{ name: "own", batch: 8, epochs: 1, data: { dataset: "cifar-10" }, update, learning },
        loss: { kind: "contrastiveHinge", negatives: 5, gradientBlock: true },
        encoder: {
          input: { height: 12, width: 12, channels: 3 },
          blocks: [
            { outputs: 6, kernel: 5, after: ["triangle", { pool: "average", size: 2 }] },
            { outputs: 8, kernel: 3, after: ["triangle", "maxPool"] },
          ],
          head: { outputs: 5, hidden: [7] },
        },
      },
      "test",
    );

  test.each([
    ["RF", "E2E", ["fail", "inhibition", "pass", "none"]],
    ["BP", "E2E", ["fail", "inhibition", "fail", "none"]],
    ["DFA", "E2E", ["fail", "inhibition", "pass", "none"]],
    ["URF", "GLL", ["fail", "inhibition", "pass", "none"]],
  ])("%s %s says that a triangle inhibits, and intervention bears it out", async (update, learning, words) => {
    const { summary, lessons, encoder } = await auditConfigured(config(update, learning), referenceBackend);
    expect(Object.values(summary).map(({ word }) => word)).toEqual(words);
    expect(encoder).toBe("own");
    const layers = lessons.flatMap((lesson) => lesson.layers);
    expect(layers.flatMap(({ disagreements }) => disagreements)).toEqual([]);
    const [conv1] = layers;
    expect(conv1.activities.because).toEqual(["triangleGradient: mean over the units of a place"]);
    expect(conv1.arithmetic.because).toContain("mean over the units of a place (triangle → conv1.triangle)");
    // A hidden layer's units stand each for itself; what they learn from was inhibited below.
    const hidden = layers.find(({ layer }) => /^head\d*\.hidden1$/.test(layer));
    expect(hidden?.activities.word).toBe("pass");
  });
});

describe("a network as data", () => {
  test("is the library's own when it is spelt out as one of them, but for its name", () => {
    for (const network of Object.values(networks)) {
      expect(networkData(network)).toBe(network.name);
      const renamed = { ...network, name: "mine" };
      const { head, ...there } = networkOf(networkData(renamed));
      expect({ ...there, head: { ...head, hidden: undefined } }).toEqual({
        ...renamed,
        head: { ...network.head, hidden: undefined },
      });
    }
    expect(withBiases(networks.cifar)).toEqual(networks["cifar-bias"]);
    expect(withBiases(networks["cifar-bias"])).toBe(networks["cifar-bias"]);
  });

  test.each(float32Backends)("gives on $name what it gives on the reference", async ({ backend }) => {
    const { step } = await bp;
    await step.engine.run(step.gradientProgram);
    const fast = await backend.prepare([step.gradientProgram]);
    const { weights } = await bp;
    for (const [tensor, values] of weights) fast.write(tensor, values);
    fast.write(step.labels, Int32Array.from(await step.engine.read(step.labels)));
    fast.write(step.views, Float32Array.from(await step.engine.read(step.views)));
    await fast.run(step.gradientProgram);
    for (const [{ name }, gradient] of step.gradients) {
      const [got, wanted] = [await fast.read(gradient), await step.engine.read(gradient)];
      const size = Math.max(...wanted.map(Math.abs));
      for (const [i, value] of wanted.entries())
        expect(Math.abs(got[i] - value), name).toBeLessThan(1e-4 * size + 1e-6);
    }
    await fast.dispose();
  });
});

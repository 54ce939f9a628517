// Every gradient operation against a finite difference of its forward operation, in float64 on the reference backend.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { checkGradient } from "../../src/conformance/gradients.ts";
import { type Program, type Recorder, recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent, reshape, type Shape, sizeOf, type Tensor } from "../../src/program/tensor.ts";

interface Differentiated {
  /** Operands that are varied, with their shapes. */
  readonly variables: Readonly<Record<string, Shape>>;
  /** Records the forward operation(s); the scalar is Σ output · weights, or the loss itself where it is [1]. */
  readonly forward: (record: Recorder, operands: Record<string, Tensor>) => Tensor;
  /** Records the gradient of each variable; `dy` has the output's shape (all ones for a loss). */
  readonly backward: (record: Recorder, operands: Record<string, Tensor>, dy: Tensor) => Record<string, Tensor>;
  /** Integer operands that are not varied. */
  readonly labels?: { readonly below: number; readonly count: number };
  /** Spread of the random operands. */
  readonly scale?: number;
}

const convolutionWindow = { stride: 2, padding: 1 } as const;
const dense = { stride: 1, padding: 2 } as const;

const differentiated: Record<string, Differentiated> = {
  "conv2d, stride 1": {
    variables: { x: [2, 6, 5, 3], w: [3, 3, 3, 4] },
    forward: (record, { x, w }) => record.conv2d({ x, w }, dense, { y: "y" }).y,
    backward: (record, { x, w }, dy) => ({
      x: record.conv2dInputGradient({ dy, w }, { ...dense, height: 6, width: 5 }, { dx: "dx" }).dx,
      w: record.conv2dWeightGradient({ x, dy }, { ...dense, kernel: [3, 3] }, { dw: "dw" }).dw,
    }),
  },
  "conv2d, stride 2, a kernel that is not square": {
    variables: { x: [2, 7, 6, 2], w: [3, 2, 2, 5] },
    forward: (record, { x, w }) => record.conv2d({ x, w }, convolutionWindow, { y: "y" }).y,
    backward: (record, { x, w }, dy) => ({
      x: record.conv2dInputGradient({ dy, w }, { ...convolutionWindow, height: 7, width: 6 }, { dx: "dx" }).dx,
      w: record.conv2dWeightGradient({ x, dy }, { ...convolutionWindow, kernel: [3, 2] }, { dw: "dw" }).dw,
    }),
  },
  "transposed convolution": {
    // y = conv2dInputGradient(x): its own gradients are the convolution and the weight gradient with the roles exchanged.
    variables: { x: [2, 4, 4, 5], w: [3, 3, 2, 5] },
    forward: (record, { x, w }) =>
      record.conv2dInputGradient({ dy: x, w }, { ...convolutionWindow, height: 8, width: 8 }, { dx: "y" }).dx,
    backward: (record, { x, w }, dy) => ({
      x: record.conv2d({ x: dy, w }, convolutionWindow, { y: "dx" }).y,
      w: record.conv2dWeightGradient({ x: dy, dy: x }, { ...convolutionWindow, kernel: [3, 3] }, { dw: "dw" }).dw,
    }),
  },
  linear: {
    variables: { x: [5, 7], w: [7, 3] },
    forward: (record, { x, w }) => record.linear({ x, w }, {}, { y: "y" }).y,
    backward: (record, { x, w }, dy) => ({
      x: record.linearInputGradient({ dy, w }, {}, { dx: "dx" }).dx,
      w: record.linearWeightGradient({ x, dy }, {}, { dw: "dw" }).dw,
    }),
  },
  addBias: {
    variables: { x: [2, 3, 3, 4], b: [4] },
    forward: (record, { x, b }) => record.addBias({ x, b }, {}, { y: "y" }).y,
    backward: (record, _, dy) => ({ x: dy, b: record.biasGradient({ dy }, {}, { db: "db" }).db }),
  },
  ...Object.fromEntries(
    (["hardtanh", "tanh", "relu"] as const).map((kind): [string, Differentiated] => [
      kind,
      {
        variables: { x: [3, 11] },
        forward: (record, { x }) => record.activation({ x }, { kind }, { y: "y" }).y,
        backward: (record, { x }, dy) => {
          const { y } = record.activation({ x }, { kind }, { y: "y again" });
          return { x: record.activationGradient({ dy, y }, { kind }, { dx: "dx" }).dx };
        },
      },
    ]),
  ),
  maxPool: {
    variables: { x: [2, 5, 6, 3] },
    forward: (record, { x }) => record.maxPool({ x }, { size: 2 }, { y: "y", argmax: "argmax" }).y,
    backward: (record, { x }, dy) => {
      const { argmax } = record.maxPool({ x }, { size: 2 }, { y: "y again", argmax: "argmax again" });
      return { x: record.maxPoolGradient({ dy, argmax }, { size: 2, height: 5, width: 6 }, { dx: "dx" }).dx };
    },
  },
  averagePool: {
    variables: { x: [2, 5, 6, 3] },
    forward: (record, { x }) => record.averagePool({ x }, { size: 2 }, { y: "y" }).y,
    backward: (record, _, dy) => ({
      x: record.averagePoolGradient({ dy }, { size: 2, height: 5, width: 6 }, { dx: "dx" }).dx,
    }),
  },
  "contrastive hinge": {
    variables: { a: [6, 5], b: [6, 5] },
    scale: 0.5,
    forward: (record, { a, b }) => {
      const { distances } = record.l1Distance({ a, b }, {}, { distances: "distances" });
      return record.hingeGates(
        { distances },
        { m1: 1, m2: 3, negatives: { kind: "next", count: 3 } },
        { gates: "gates", loss: "loss", active: "active" },
      ).loss;
    },
    backward: (record, { a, b }) => {
      const { distances } = record.l1Distance({ a, b }, {}, { distances: "distances again" });
      const { gates } = record.hingeGates(
        { distances },
        { m1: 1, m2: 3, negatives: { kind: "next", count: 3 } },
        { gates: "gates again", loss: "loss again", active: "active again" },
      );
      return {
        a: record.hingeAnchorError({ a, b, gates }, {}, { error: "da" }).error,
        b: record.hingeViewError({ a, b, gates }, {}, { error: "db" }).error,
      };
    },
  },
  softmaxCrossEntropy: {
    variables: { logits: [6, 10] },
    labels: { below: 10, count: 6 },
    scale: 3,
    forward: (record, { logits, labels }) =>
      record.softmaxCrossEntropy({ logits, labels }, {}, { loss: "loss", dlogits: "unused", correct: "correct" }).loss,
    backward: (record, { logits, labels }) => ({
      logits: record.softmaxCrossEntropy({ logits, labels }, {}, { loss: "l", dlogits: "dlogits", correct: "c" })
        .dlogits,
    }),
  },
  squaredError: {
    variables: { x: [4, 6], target: [4, 6] },
    forward: (record, { x, target }) =>
      record.squaredError({ x, target }, { divisor: 7 }, { loss: "loss", dx: "unused" }).loss,
    backward: (record, { x, target }) => {
      const { dx } = record.squaredError({ x, target }, { divisor: 7 }, { loss: "loss again", dx: "dx" });
      return { x: dx, target: record.combine({ a: dx, b: dx }, { alpha: -1, beta: 0 }, { y: "dtarget" }).y };
    },
  },
  combine: {
    variables: { a: [3, 4], b: [3, 4] },
    forward: (record, { a, b }) => record.combine({ a, b }, { alpha: 0.7, beta: -2 }, { y: "y" }).y,
    backward: (record, _, dy) => ({
      a: record.combine({ a: dy, b: dy }, { alpha: 0.7, beta: 0 }, { y: "da" }).y,
      b: record.combine({ a: dy, b: dy }, { alpha: 0, beta: -2 }, { y: "db" }).y,
    }),
  },
  classHinge: {
    variables: { logits: [6, 10] },
    labels: { below: 10, count: 6 },
    forward: (record, { logits, labels }) =>
      record.classHinge({ logits, labels }, { offClass: 0.5 }, { loss: "loss", dlogits: "unused", correct: "correct" })
        .loss,
    backward: (record, { logits, labels }) => ({
      logits: record.classHinge({ logits, labels }, { offClass: 0.5 }, { loss: "l", dlogits: "dlogits", correct: "c" })
        .dlogits,
    }),
  },
  normaliseRows: {
    variables: { x: [5, 7] },
    forward: (record, { x }) => record.normaliseRows({ x }, {}, { y: "y", norms: "norms" }).y,
    backward: (record, { x }, dy) => {
      const { y, norms } = record.normaliseRows({ x }, {}, { y: "y again", norms: "norms again" });
      return { x: record.normaliseRowsGradient({ dy, y, norms }, {}, { dx: "dx" }).dx };
    },
  },
  ntXent: {
    variables: { similarities: [8, 8] },
    forward: (record, { similarities }) =>
      record.ntXent({ similarities }, { temperature: 0.5, divisor: 3 }, { loss: "loss", dsimilarities: "unused" }).loss,
    backward: (record, { similarities }) => ({
      similarities: record.ntXent(
        { similarities },
        { temperature: 0.5, divisor: 3 },
        { loss: "loss again", dsimilarities: "dsimilarities" },
      ).dsimilarities,
    }),
  },
  pairProducts: {
    variables: { a: [5, 7], b: [5, 7] },
    labels: { below: 5, count: 24 },
    forward: (record, { a, b, labels }) =>
      record.pairProducts({ a, b, pairs: reshape(labels, [12, 2]) }, {}, { scores: "scores" }).scores,
    backward: (record, { a, b, labels }, dy) => {
      const pairs = reshape(labels, [12, 2]);
      return {
        a: record.pairErrors({ other: b, gates: dy, pairs }, { side: 0, rows: 5 }, { error: "a.error" }).error,
        b: record.pairErrors({ other: a, gates: dy, pairs }, { side: 1, rows: 5 }, { error: "b.error" }).error,
      };
    },
  },
  scoreGates: {
    variables: { scores: [7, 7] },
    scale: 2,
    forward: (record, { scores }) =>
      record.scoreGates({ scores }, {}, { gates: "unused", loss: "loss", active: "active" }).loss,
    backward: (record, { scores }) => ({
      scores: record.scoreGates({ scores }, {}, { gates: "gates", loss: "loss again", active: "active again" }).gates,
    }),
  },
  goodness: {
    variables: { x: [6, 3, 2, 5] },
    forward: (record, { x }) =>
      record.goodnessGates(
        { x },
        { positive: 0.6, negative: 0.3 },
        { gates: "unused", loss: "loss", goodness: "goodness", passed: "passed" },
      ).loss,
    backward: (record, { x }) => {
      const { gates } = record.goodnessGates(
        { x },
        { positive: 0.6, negative: 0.3 },
        { gates: "gates", loss: "loss again", goodness: "goodness again", passed: "passed again" },
      );
      return { x: record.goodnessError({ x, gates }, {}, { error: "dx" }).error };
    },
  },
  triangle: {
    variables: { x: [2, 3, 2, 7] },
    forward: (record, { x }) => record.triangle({ x }, {}, { y: "y" }).y,
    backward: (record, { x }, dy) => {
      const { y } = record.triangle({ x }, {}, { y: "y again" });
      return { x: record.triangleGradient({ dy, y }, {}, { dx: "dx" }).dx };
    },
  },
};

describe("gradients agree with finite differences", () => {
  test.each(Object.keys(differentiated))("%s", async (name) => {
    const { variables, forward, backward, labels, scale = 1 } = differentiated[name];
    const random = randomStream(3, Object.keys(differentiated).indexOf(name));
    const operands: Record<string, Tensor> = Object.fromEntries(
      Object.entries(variables).map(([argument, shape]) => [argument, persistent(argument, shape, "input")]),
    );
    if (labels) operands.labels = persistent("labels", [labels.count], "input", "i32");

    const down = recordProgram("forward");
    const output = forward(down, operands);
    const dy = persistent("dy", output.shape, "input");
    // `dy` is an operand of the forward program too, so that one engine holds both.
    const scored = down.combine({ a: output, b: dy }, { alpha: 1, beta: 0 }, { y: "scored" }).y;
    const forwardProgram: Program = down.finish([scored]);
    const up = recordProgram("backward");
    const gradients = backward(up, operands, dy);
    const backwardProgram = up.finish(Object.values(gradients).filter(({ lifetime }) => lifetime === "step"));

    const engine = await referenceBackend.prepare([forwardProgram, backwardProgram]);
    const values = Object.fromEntries(
      Object.entries(variables).map(([argument, shape]) => [
        argument,
        Float64Array.from({ length: sizeOf(shape) }, () => scale * random.normal()),
      ]),
    );
    const weights = Float64Array.from({ length: sizeOf(output.shape) }, () =>
      sizeOf(output.shape) === 1 ? 1 : random.normal(),
    );
    for (const [argument, numbers] of Object.entries(values)) engine.write(operands[argument], numbers);
    if (labels)
      engine.write(
        operands.labels,
        Int32Array.from({ length: labels.count }, () => random.integer(labels.below)),
      );
    engine.write(dy, weights);
    await engine.run(backwardProgram);
    const claimed = Object.fromEntries(
      await Promise.all(
        Object.entries(gradients).map(async ([argument, tensor]) => [
          argument,
          Float64Array.from(await engine.read(tensor)),
        ]),
      ),
    ) as Record<string, Float64Array>;

    for (const argument of Object.keys(variables)) {
      const value = async (x: Float64Array): Promise<number> => {
        engine.write(operands[argument], x);
        await engine.run(forwardProgram);
        const y = await engine.read(scored);
        engine.write(operands[argument], values[argument]);
        return weights.reduce((sum, weight, i) => sum + weight * y[i], 0);
      };
      expect(await checkGradient({ value, at: values[argument], gradient: claimed[argument] }), argument).toBe("equal");
    }
  });
});

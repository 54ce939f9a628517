// The supervised losses: cross-entropy of a linear classifier, and Amit's hinge (2019), whose error is Hebbian.

import { wrong } from "../program/errors.ts";
import type { Loss, LossInput } from "./loss.ts";

/** Softmax cross-entropy, the mean over the batch; the classifier has a bias. */
export const crossEntropy: Loss = {
  name: "cross-entropy",
  views: 1,
  labelled: true,
  reduction: "mean",
  head: ({ averagePool, hidden }, classes) => ({ averagePool, hidden, outputs: classes, bias: true }),
  prepare: () => ({
    parameters: [],
    record: (record, input) => {
      const { loss, dlogits, correct } = record.softmaxCrossEntropy(
        labelled("crossEntropy", input),
        {},
        { loss: "loss", dlogits: "logits.error", correct: "correct" },
      );
      return { value: loss, error: dlogits, firstRow: 0, metrics: [accuracy(input, correct)], changes: [] };
    },
  }),
};

export interface AmitHinge {
  /** μ: the weight of all the wrong classes together, against 1 of the right one. */
  readonly offClass: number;
}

/** L = mean over the batch of [1 − o_y]₊ + μ/(C − 1)·Σ_{c ≠ y} [1 + o_c]₊: ∂L/∂o is −1, μ/(C − 1) or 0. */
export function amitHinge({ offClass }: AmitHinge): Loss {
  return {
    name: "Amit's hinge",
    views: 1,
    labelled: true,
    reduction: "mean",
    // No biases in Amit 2019.
    head: ({ averagePool, hidden }, classes) => ({ averagePool, hidden, outputs: classes, bias: false }),
    prepare: () => ({
      parameters: [],
      record: (record, input) => {
        const { loss, dlogits, correct } = record.classHinge(
          labelled("amitHinge", input),
          { offClass },
          { loss: "loss", dlogits: "logits.error", correct: "correct" },
        );
        return { value: loss, error: dlogits, firstRow: 0, metrics: [accuracy(input, correct)], changes: [] };
      },
    }),
  };
}

function labelled(operation: string, { output, labels }: LossInput) {
  if (labels === undefined) throw wrong(operation, "labels", "one label per image", "none");
  return { logits: output, labels };
}

const accuracy = ({ output }: LossInput, correct: LossInput["output"]) => ({
  name: "accuracy",
  tensor: correct,
  index: 0,
  per: output.shape[0],
});

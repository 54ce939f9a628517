// SCFF, the self-contrastive Forward-Forward loss (Chen, Liu, Laydevant, Grollier 2025, arXiv 2409.11593): a layer tells a picture
// joined with itself from a picture joined with another by how active it is.

import type { Recorder } from "../program/program.ts";
import { rows, type Tensor } from "../program/tensor.ts";
import type { Loss } from "./loss.ts";

export interface Scff {
  /** Θ⁺: goodness that the places of positives should be above. */
  readonly positiveThreshold: number;
  /** Θ⁻: goodness that the places of negatives should be below. */
  readonly negativeThreshold: number;
}

/**
 * Of the goodness G = mean over channels of [y]₊² at each place of the layer's output:
 * L = mean over positives' places of log(1 + exp(Θ⁺ − G)) + mean over negatives' places of log(1 + exp(G − Θ⁻)).
 *
 * Positive s is made of A_s and B_s, negative s of A_s and B_{s+1 mod n}; without augmentation A_s = B_s, as in the paper. The paper
 * joins two pictures by letting both halves of the input share the weights, W x + W x′. Here it is W (½ x + ½ x′), so that a picture
 * joined with itself is the encoder's own pass on that picture, which is what a read-out sees. Goodness is that of the block's output,
 * after its activation and pooling; layers are not normalised.
 */
export function scff({ positiveThreshold, negativeThreshold }: Scff): Loss {
  return {
    name: "SCFF",
    views: 2,
    labelled: false,
    reduction: "mean",
    head: () => undefined,
    mix: joinPictures,
    prepare: () => ({
      parameters: [],
      record: (record, { output: x }) => {
        const { gates, loss, goodness, passed } = record.goodnessGates(
          { x },
          { positive: positiveThreshold, negative: negativeThreshold },
          { gates: "gates", loss: "loss", goodness: "goodness", passed: "passed" },
        );
        const { error } = record.goodnessError({ x, gates }, {}, { error: "picture.error" });
        const [count, height, width] = x.shape;
        const per = (count / 2) * height * width;
        return {
          value: loss,
          error,
          firstRow: 0,
          metrics: [
            { name: "positiveGoodness", tensor: goodness, index: 0, per },
            { name: "negativeGoodness", tensor: goodness, index: 1, per },
            { name: "positivesAbove", tensor: passed, index: 0, per },
            { name: "negativesBelow", tensor: passed, index: 1, per },
          ],
          changes: [],
        };
      },
    }),
  };
}

/** x [2n, ...], A then B → positives ½ (A_s + B_s) in rows s, negatives ½ (A_s + B_{s+1 mod n}) in rows n + s. */
function joinPictures(record: Recorder, x: Tensor): Tensor {
  const n = x.shape[0] / 2;
  const joined = record.tensor("joined", x.shape, "activity");
  const join = (a: Tensor, b: Tensor, y: Tensor): void => {
    record.combine({ a, b }, { alpha: 0.5, beta: 0.5 }, { y });
  };
  join(rows(x, 0, n), rows(x, n, n), rows(joined, 0, n));
  join(rows(x, 0, n - 1), rows(x, n + 1, n - 1), rows(joined, n, n - 1));
  join(rows(x, n - 1, 1), rows(x, n, 1), rows(joined, 2 * n - 1, 1));
  return joined;
}

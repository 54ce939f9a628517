// The contrastive hinge loss (paper eq. 2) and its error signals (eq. 3–7).

import type { Negatives } from "../program/operations.ts";
import { rows } from "../program/tensor.ts";
import type { Loss } from "./loss.ts";

/** Margins, negatives and the gradient block of the paper's loss. */
export interface ContrastiveHinge {
  /** Margin that a positive pair's distance should stay below. */
  readonly m1: number;
  /** Margin that a negative pair's distance should stay above. */
  readonly m2: number;
  readonly negatives: Negatives;
  /** Temporal locality: the anchor is detached, only the view's branch learns. */
  readonly gradientBlock: boolean;
}

/**
 * L = Σ_s ( [‖A_s − B_s‖₁ − m1]₊ + Σ_{t ∈ N_s} [m2 − ‖A_s − B_t‖₁]₊ ), a sum over the batch, negatives from B alone.
 * δA_s = 1[d⁺ > m1] sgn(A_s − B_s) − Σ_t 1[d⁻ < m2] sgn(A_s − B_t), dropped under the gradient block;
 * δB_t = −1[d⁺ > m1] sgn(A_t − B_t) + Σ_s 1[d⁻ < m2] sgn(A_s − B_t).
 */
export function contrastiveHinge({ m1, m2, negatives, gradientBlock }: ContrastiveHinge): Loss {
  return {
    name: "contrastive hinge",
    views: 2,
    labelled: false,
    reduction: "sum",
    head: (own) => own,
    prepare: () => ({
      parameters: [],
      record: (record, { output: embeddings }) => {
        const [count, d] = embeddings.shape;
        const n = count / 2;
        const a = rows(embeddings, 0, n);
        const b = rows(embeddings, n, n);
        const { distances } = record.l1Distance({ a, b }, {}, { distances: "distances" });
        const { gates, loss, active } = record.hingeGates(
          { distances },
          { m1, m2, negatives },
          { gates: "gates", loss: "loss", active: "activeGates" },
        );
        const firstRow = gradientBlock ? n : 0;
        const error = record.tensor("embeddings.error", [count - firstRow, d], "error");
        if (!gradientBlock) record.hingeAnchorError({ a, b, gates }, {}, { error: rows(error, 0, n) });
        record.hingeViewError({ a, b, gates }, {}, { error: rows(error, n - firstRow, n) });
        const metrics = [
          { name: "activePositives", tensor: active, index: 0, per: n },
          { name: "activeNegatives", tensor: active, index: 1, per: Math.max(1, negativePairs(negatives, n)) },
        ];
        return { value: loss, error, firstRow, metrics, changes: [] };
      },
    }),
  };
}

/** Negative pairs that the loss looks at in a batch of n images. */
function negativePairs(negatives: Negatives, n: number): number {
  switch (negatives.kind) {
    case "all":
      return n * (n - 1);
    case "next":
      return n * negatives.count;
    case "authorsCode":
      return Array.from({ length: negatives.count - 1 }, (_, i) => n - 1 - i).reduce((sum, pairs) => sum + pairs, 0);
    case "past": {
      const { count, gap, spacing } = negatives;
      return Array.from({ length: count }, (_, i) => n - gap - i * spacing).reduce((sum, pairs) => sum + pairs, 0);
    }
    default:
      return negatives satisfies never;
  }
}

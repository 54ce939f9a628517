// The SimCLR loss, NT-Xent (Chen et al. 2020; paper eq. 1): cosine similarities, softmax over all other views, symmetric.

import type { Loss } from "./loss.ts";

export interface SimclrLoss {
  readonly temperature: number;
  /** `sum` over both views of every image (eq. 1), or the mean over images of both terms together (the authors' code). */
  readonly reduction: "sum" | "mean";
}

/**
 * L = −Σ_i log( exp(u_i·u_p/τ) / Σ_{j ≠ i} exp(u_i·u_j/τ) ) over the 2n views i, p the other view of i's image, u = x/‖x‖.
 */
export function simclr({ temperature, reduction }: SimclrLoss): Loss {
  return {
    name: "SimCLR",
    views: 2,
    labelled: false,
    reduction,
    head: (own) => own,
    prepare: () => ({
      parameters: [],
      record: (record, { output: x }) => {
        const { y: u, norms } = record.normaliseRows({ x }, {}, { y: "unit", norms: "norms" });
        // U · Uᵀ, every view's inner product with every other's.
        const similarities = record.linearInputGradient({ dy: u, w: u }, {}, { dx: "similarities" }).dx;
        const { loss, dsimilarities } = record.ntXent(
          { similarities },
          { temperature, divisor: reduction === "sum" ? 1 : x.shape[0] / 2 },
          { loss: "loss", dsimilarities: "similarities.error" },
        );
        const asAnchor = record.linear({ x: dsimilarities, w: u }, {}, { y: "unit.errorAsAnchor" }).y;
        const asOther = record.linearWeightGradient({ x: dsimilarities, dy: u }, {}, { dw: "unit.errorAsOther" }).dw;
        const dy = record.combine({ a: asAnchor, b: asOther }, { alpha: 1, beta: 1 }, { y: "unit.error" }).y;
        const error = record.normaliseRowsGradient({ dy, y: u, norms }, {}, { dx: "embeddings.error" }).dx;
        return { value: loss, error, firstRow: 0, metrics: [], changes: [] };
      },
    }),
  };
}

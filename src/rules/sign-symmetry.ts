// SSF, sign-symmetric feedback (Liao, Leibo & Poggio 2016): feedback weights of random size that share the forward weights' signs.

import { recordErrorPath } from "./error-path.ts";
import { carriedBy, createFeedback } from "./feedback.ts";
import type { Update } from "./update.ts";

/** δ_l = ((|B_{l+1}| ⊙ sgn W_{l+1})ᵀ δ_{l+1}) ⊙ σ′: the signs are transported, the magnitudes are not. */
export const signSymmetricFeedback: Update = {
  name: "SSF",
  prepare: (learners) => {
    const { of, parameters } = createFeedback(learners);
    const random = carriedBy(of);
    return {
      parameters,
      record: ({ record }, trace, signal) =>
        recordErrorPath(record, trace, signal, (synapses) => {
          const { weight } = synapses;
          return record.matchSigns({ w: weight, b: random(synapses) }, {}, { y: `${weight.name}.signed` }).y;
        }),
    };
  },
};

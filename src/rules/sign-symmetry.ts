// SSF, sign-symmetric feedback (Liao, Leibo & Poggio 2016): feedback weights of random size that share the forward weights' signs.

import type { Recorder } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";
import { recordErrorPath } from "./error-path.ts";
import { carriedBy, createFeedback } from "./feedback.ts";
import type { Update } from "./update.ts";

/** δ_l = ((|B_{l+1}| ⊙ sgn W_{l+1})ᵀ δ_{l+1}) ⊙ σ′: the signs are transported, the magnitudes are not. */
export const signSymmetricFeedback: Update = {
  name: "SSF",
  prepare: (learners) => {
    const { of, parameters } = createFeedback(learners);
    const random = carriedBy(of);
    const signed = (record: Recorder, w: Tensor, b: Tensor): Tensor =>
      record.matchSigns({ w, b }, {}, { y: `${w.name}.signed` }).y;
    return {
      parameters,
      inspect: (record) => ({ feedback: new Map([...of].map(([w, b]) => [w, signed(record, w, b)])) }),
      record: ({ record }, trace, signal) =>
        recordErrorPath(record, trace, signal, (synapses) => signed(record, synapses.weight, random(synapses))),
    };
  },
};

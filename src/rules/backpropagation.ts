// BP: the error travels back through the forward weights themselves.

import { recordErrorPath } from "./error-path.ts";
import type { Update } from "./update.ts";

/** Eq. 8–9: δ_l = (W_{l+1}ᵀ δ_{l+1}) ⊙ σ′. */
export const backpropagation: Update = {
  name: "BP",
  prepare: () => ({
    parameters: [],
    record: ({ record }, trace, signal) => recordErrorPath(record, trace, signal, ({ weight }) => weight),
  }),
};

// RightSizes: feedback with the sizes of the weights and signs of its own, the counterpart of SSF. Liao, Leibo & Poggio (2016) ask which of the two
// matters.

import { carriedBy, createFeedback, recordErrorPath, type UpdatePlugin } from "saccade";

export default {
  kind: "update",
  name: "RightSizes",
  create: () => ({
    name: "RightSizes",
    prepare: (learners) => {
      const { of, parameters } = createFeedback(learners);
      const random = carriedBy(of);
      return {
        parameters,
        record: ({ record }, trace, signal) =>
          recordErrorPath(
            record,
            trace,
            signal,
            (synapses) =>
              record.matchSigns(
                { w: random(synapses), b: synapses.weight },
                {},
                { y: `${synapses.weight.name}.signed` },
              ).y,
          ),
      };
    },
  }),
  identity: { whenFeedbackIs: "weights", equals: "BP" },
  claims: { conditions: { i: true, ii: true, iii: false, iv: true } },
} satisfies UpdatePlugin;

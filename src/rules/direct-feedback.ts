// DFA, direct feedback alignment (Nøkland 2016): the error at the top reaches every layer at once through a fixed random matrix of its own.

import { createSynapses, places } from "../encoders/model.ts";
import { wrong } from "../program/errors.ts";
import { reshape, sizeOf } from "../program/tensor.ts";
import { recordBlockChange, recordHeadChange, recordHiddenError } from "./error-path.ts";
import { recordRouting } from "./routing.ts";
import type { Update } from "./update.ts";

/** δ_l = (D_l δ_L) ⊙ σ′ with D_l [features of block l, outputs of the head] fixed; the head learns from δ_L itself, its hidden layers as blocks do. */
export const directFeedbackAlignment: Update = {
  name: "DFA",
  prepare: ({ first, blocks, pictures, head }) => {
    if (head === undefined)
      throw wrong("DFA", "loss", "one with a head, whose error all layers can read", "one that reads a picture");
    const direct = blocks.map(({ name }, i) => {
      const shape = [sizeOf(pictures[i + 1]), head.head.outputs];
      return createSynapses(`${name}.direct`, shape, false, [places.feedback, first, i], "feedback");
    });
    const hidden = head.hidden.map(({ weight }, i) => {
      const shape = [weight.shape[1], head.head.outputs];
      const place = [places.feedback, first, blocks.length + i];
      return createSynapses(`${head.name}.direct${i + 1}`, shape, false, place, "feedback");
    });
    return {
      parameters: [...direct, ...hidden].flatMap(({ parameters }) => parameters),
      record: ({ record }, trace, { error, firstRow }) => {
        const changes = trace.head ? recordHeadChange(record, trace.head, error, firstRow) : [];
        trace.head?.hidden.forEach((layer, i) => {
          const w = hidden[i].synapses.weight;
          const { dx } = record.linearInputGradient({ dy: error, w }, {}, { dx: `${w.name}.error` });
          changes.push(...recordHeadChange(record, layer, recordHiddenError(record, layer, dx, firstRow), firstRow));
        });
        trace.blocks.forEach((block, i) => {
          const w = direct[i].synapses.weight;
          const { dx } = record.linearInputGradient({ dy: error, w }, {}, { dx: `${block.block.name}.directError` });
          const picture = reshape(dx, [dx.shape[0], ...block.output.shape.slice(1)]);
          const routed = recordRouting(record, block, picture, firstRow);
          changes.push(...recordBlockChange(record, block, routed, firstRow));
        });
        return changes;
      },
    };
  },
};

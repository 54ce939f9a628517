// RF and URF: the error travels back through feedback weights of their own, fixed or changed by the same increments as the weights.

import { hiddenName } from "../encoders/encoder.ts";
import { createSynapses, type Parameter, places, type Synapses } from "../encoders/model.ts";
import type { Change } from "../losses/loss.ts";
import type { Tensor } from "../program/tensor.ts";
import { recordErrorPath } from "./error-path.ts";
import type { Learners, Update } from "./update.ts";

/** Feedback weights of the layers that learn together. */
export interface Feedback {
  /** Feedback weight of every layer through which an error goes down: the layers of the head and all blocks but the first. */
  readonly of: ReadonlyMap<Tensor, Tensor>;
  readonly parameters: readonly Parameter[];
}

/** Drawn like the forward weights and independent of them. */
export function createFeedback({ first, blocks, synapses, head }: Learners): Feedback {
  const above = blocks.slice(1).map(({ name }, i) => ({ name, weight: synapses[i + 1].weight }));
  if (head) {
    above.push({ name: head.name, weight: head.synapses.weight });
    above.push(...head.hidden.map(({ weight }, i) => ({ name: hiddenName(head.name, i), weight })));
  }
  const made = above.map(({ name, weight }, i) => ({
    weight,
    ...createSynapses(`${name}.feedback`, weight.shape, false, [places.feedback, first, i], "feedback"),
  }));
  return {
    of: new Map(made.map(({ weight, synapses: feedback }) => [weight, feedback.weight])),
    parameters: made.flatMap(({ parameters }) => parameters),
  };
}

/** RF (feedback alignment, Lillicrap et al. 2016; eq. 10): δ_l = (B_{l+1} δ_{l+1}) ⊙ σ′ with B fixed. */
export const randomFeedback: Update = {
  name: "RF",
  prepare: (learners) => {
    const { of, parameters } = createFeedback(learners);
    return {
      parameters,
      inspect: () => ({ feedback: of }),
      record: ({ record }, trace, signal) => recordErrorPath(record, trace, signal, carriedBy(of)),
    };
  },
};

/** URF (Amit 2019): as RF, and B receives the very increments of W, so that W − B stays what it was at the start. */
export const updatedRandomFeedback: Update = {
  name: "URF",
  prepare: (learners) => {
    const { of, parameters } = createFeedback(learners);
    return {
      parameters,
      inspect: () => ({ feedback: of }),
      record: ({ record }, trace, signal) => {
        const changes = recordErrorPath(record, trace, signal, carriedBy(of));
        return [...changes, ...feedbackChanges(changes, of)];
      },
    };
  },
};

/** The feedback of each layer as what carries its error down. */
export const carriedBy =
  (of: ReadonlyMap<Tensor, Tensor>) =>
  ({ weight }: Synapses): Tensor => {
    const feedback = of.get(weight);
    if (feedback === undefined) throw new Error(`no feedback weight for ${weight.name}`);
    return feedback;
  };

/** The same gradients for the feedback weights: with one optimiser, the same increments. */
export function feedbackChanges(changes: readonly Change[], of: ReadonlyMap<Tensor, Tensor>): Change[] {
  return changes.flatMap((change) => {
    const feedback = of.get(change.weight);
    return feedback ? [{ ...change, weight: feedback, beside: change.weight }] : [];
  });
}

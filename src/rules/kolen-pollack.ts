// KP, Kolen–Pollack (1994; Akrout et al. 2019): feedback that receives the weights' increments, and both decay, so that they become equal.

import { recordErrorPath } from "./error-path.ts";
import { carriedBy, createFeedback, feedbackChanges } from "./feedback.ts";
import type { Update } from "./update.ts";

export interface KolenPollackOptions {
  /** λ: W and B shrink by learningRate · λ in every step, and so does their difference. */
  readonly decay: number;
}

/** URF with decay: W − B ← (1 − ηλ)(W − B). */
export const kolenPollack = ({ decay }: KolenPollackOptions): Update => ({
  name: "KP",
  prepare: (learners) => {
    const { of, parameters } = createFeedback(learners);
    return {
      parameters,
      inspect: () => ({ feedback: of }),
      record: ({ record }, trace, signal) => {
        const changes = recordErrorPath(record, trace, signal, carriedBy(of)).map((change) =>
          of.has(change.weight) ? { ...change, decay } : change,
        );
        return [...changes, ...feedbackChanges(changes, of)];
      },
    };
  },
});

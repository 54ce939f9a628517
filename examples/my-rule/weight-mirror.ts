// WM, weight mirrors (Akrout et al. 2019, arXiv 1904.05391): feedback that learns the weights by listening to them, without reading any.
//
// A layer's input is replaced by noise ξ, which the weights answer with W ξ. Feedback grows by the product of the two, and decays:
// ΔB = ξ (W ξ)ᵀ − decay · B. On average over the noise ξ ξᵀ is the identity, so B turns into the direction of W. The paper does it in
// phases of its own, this rule in every step beside the error, which travels down through B as in RF.

import {
  type BlockTrace,
  type Change,
  carriedBy,
  createFeedback,
  type HeadTrace,
  learningRows,
  type Recorder,
  recordErrorPath,
  type StepRecorder,
  type Tensor,
  type UpdatePlugin,
  z,
} from "saccade";

const schema = z.strictObject({
  /** The optimiser's learning rate for the feedback. */
  mirrorRate: z.number().gt(0).default(1e-2),
  /** Feedback shrinks by mirrorRate · decay in every step: without it, it would grow for ever. */
  decay: z.number().gt(0).default(5),
  /** Seed of the noise. */
  noiseSeed: z.int().min(0).default(7),
});

type Options = z.infer<typeof schema>;

/** The noise alone, and the same with the other sign: an optimiser goes down a gradient, and feedback is to grow. */
function recordNoise(
  record: Recorder,
  x: Tensor,
  counter: Tensor,
  { noiseSeed: seed }: Options,
  stream: number,
  name: string,
) {
  const { y: noisy } = record.gaussianNoise(
    { x, counter },
    { sigma: 1, relative: false, seed, stream },
    { y: `${name}.noisy` },
  );
  const { y: noise } = record.combine({ a: noisy, b: x }, { alpha: 1, beta: -1 }, { y: `${name}.noise` });
  const { y: opposite } = record.combine({ a: x, b: noisy }, { alpha: 1, beta: -1 }, { y: `${name}.opposite` });
  return { noise, opposite };
}

/** What every mirror is told: the step's number, which keys the noise, and the first row that learns. Anchors that are blocked are not listened to. */
interface Listening {
  readonly counter: Tensor;
  readonly firstRow: number;
  readonly options: Options;
}

/** A block's feedback listens: noise → convolution with the weights → product with the noise. */
function recordBlockMirror(
  { record }: StepRecorder,
  { block, synapses: { weight }, input }: BlockTrace,
  feedback: Tensor,
  { counter, firstRow, options }: Listening,
  stream: number,
): Change {
  const { kernel, stride, padding } = block;
  const name = `${block.name}.mirror`;
  const x = learningRows(input, firstRow);
  const { noise, opposite } = recordNoise(record, x, counter, options, stream, name);
  const { y: answer } = record.conv2d({ x: opposite, w: weight }, { stride, padding }, { y: `${name}.answer` });
  const { dw: gradient } = record.conv2dWeightGradient(
    { x: noise, dy: answer },
    { stride, padding, kernel: [kernel, kernel] },
    { dw: `${name}.product` },
  );
  return { weight: feedback, gradient, learningRate: options.mirrorRate, decay: options.decay };
}

/** The head's, likewise. */
function recordHeadMirror(
  { record }: StepRecorder,
  { synapses: { weight }, input }: HeadTrace,
  feedback: Tensor,
  { counter, firstRow, options }: Listening,
): Change {
  const { noise, opposite } = recordNoise(record, learningRows(input, firstRow), counter, options, 0, "head.mirror");
  const { y: answer } = record.linear({ x: opposite, w: weight }, {}, { y: "head.mirror.answer" });
  const { dw: gradient } = record.linearWeightGradient({ x: noise, dy: answer }, {}, { dw: "head.mirror.product" });
  return { weight: feedback, gradient, learningRate: options.mirrorRate, decay: options.decay };
}

export default {
  kind: "update",
  name: "WM",
  key: "weightMirror",
  schema,
  create: (options) => ({
    name: "WM",
    prepare: (learners) => {
      const { of, parameters } = createFeedback(learners);
      const feedbackOf = carriedBy(of);
      return {
        parameters,
        inspect: () => ({ feedback: of }),
        record: (step, trace, signal) => {
          const changes = recordErrorPath(step.record, trace, signal, feedbackOf);
          // In a step that only looks nothing learns.
          if (step.optimiser === undefined) return changes;
          const listening = { counter: step.optimiser.step, firstRow: signal.firstRow, options };
          trace.blocks.forEach((block, i) => {
            // Nothing goes down below the first block that learns.
            if (i > 0) changes.push(recordBlockMirror(step, block, feedbackOf(block.synapses), listening, i));
          });
          if (trace.head) changes.push(recordHeadMirror(step, trace.head, feedbackOf(trace.head.synapses), listening));
          return changes;
        },
      };
    },
  }),
  refuses: ({ learning, loss, headless }) =>
    headless && learning !== "E2E"
      ? `loss ${loss} with learning ${learning} and update WM: between the loss and a layer that learns alone there is no weight to mirror; use update BP`
      : undefined,
  identity: { whenFeedbackIs: "weights", equals: "BP" },
  claims: { conditions: { i: true, ii: true, iii: true, iv: true } },
} satisfies UpdatePlugin<Options>;

// DTP: every layer has a target of its own; targets travel down through inverses that learn beside the layers (paper, Algorithm 1).
//
// The inverse g_l of block l = convolution (and pooling) is a strided transposed convolution with a bias, followed by the activation of
// the block below. Departures that the authors' code (A2) makes from the letter of Algorithm 1 are followed: the first target stands at
// the last block, and the head learns by the loss's own gradient.

import { activationOf, type Block, hiddenName, poolingOf } from "../encoders/encoder.ts";
import { type BlockTrace, recordBlock } from "../encoders/forward.ts";
import { createSynapses, type Parameter, places, type Synapses } from "../encoders/model.ts";
import type { Change } from "../losses/loss.ts";
import { wrong } from "../program/errors.ts";
import type { ActivationKind } from "../program/operations.ts";
import type { Recorder } from "../program/program.ts";
import { persistent, type Shape, sizeOf, type Tensor } from "../program/tensor.ts";
import { type Carrier, recordBlockChange, recordHeadPath } from "./error-path.ts";
import { recordUpdates } from "./optimiser.ts";
import { recordRouting } from "./routing.ts";
import { type Learners, learningRows, type Signal, type StepRecorder, type Trace, type Update } from "./update.ts";

export interface DtpOptions {
  /** What comes first in a step: the inverses learn (Algorithm 1), or the targets are set by the inverses as they were (authors' code). */
  readonly order: "inversesFirst" | "targetsFirst";
  /** Step of the first target down the loss's gradient, for a loss that is a mean; a sum's is divided by the images of the batch. */
  readonly targetStep: number;
  /** Noise on a layer's input while its inverse learns: a share of its standard deviation, or in activity's own units. */
  readonly noise: { readonly kind: "relative" | "absolute"; readonly size: number };
  /** The optimiser's learning rate for the inverses. */
  readonly inverseLearningRate: number;
  /** How δ passes the head on its way to the first target: its own transposed weights (authors' code), or fixed random feedback. */
  readonly head: "transposed" | "feedback";
  /**
   * The local losses ‖x_l − x̂_l‖²: summed over the batch (Algorithm 1), or their mean over all elements of the batch, blocked anchors
   * counting as zeros (authors' code).
   */
  readonly localLoss: "sum" | "mean";
  /** Seed of the noise. */
  readonly seed: number;
}

export const dtpDefaults: Omit<DtpOptions, "seed"> = {
  order: "inversesFirst",
  targetStep: 0.5,
  noise: { kind: "relative", size: 0.3 },
  inverseLearningRate: 1e-3,
  head: "transposed",
  localLoss: "sum",
};

/** g_l: block l's output [n, h', w', o] → its input [n, h, w, c]. */
interface Inverse {
  readonly name: string;
  readonly synapses: Required<Synapses>;
  readonly stride: number;
  readonly padding: number;
  readonly height: number;
  readonly width: number;
  readonly activation: ActivationKind | undefined;
}

export function differenceTargetPropagation(options: DtpOptions): Update {
  return {
    name: "DTP",
    prepare: (learners) => {
      const { blocks, pictures, first, head } = learners;
      const inverted = blocks.slice(1).map((block, i) => {
        const place = [places.inverse, first + i + 1];
        return createInverse(block, blocks[i], pictures[i + 1], pictures[i + 2], place);
      });
      const inverses = inverted.map(({ inverse }) => inverse);
      const parameters = inverted.flatMap((one) => one.parameters);
      /** Feedback of the head's layers, where the error does not pass it through its own weights. */
      const feedback = new Map<Tensor, Tensor>();
      if (head && options.head === "feedback")
        for (const [i, { weight }] of [head.synapses, ...head.hidden].entries()) {
          const name = i === 0 ? head.name : hiddenName(head.name, i - 1);
          const place = [places.feedback, first, blocks.length + i];
          const made = createSynapses(`${name}.feedback`, weight.shape, false, place, "feedback");
          parameters.push(...made.parameters);
          feedback.set(weight, made.synapses.weight);
        }
      const carrier: Carrier = ({ weight }) => feedback.get(weight) ?? weight;
      return {
        parameters,
        inspect: (record, trace) => ({
          feedback,
          rebuilt: new Map(
            inverses.map((inverse, i) => {
              const { output, synapses } = trace.blocks[i + 1];
              return [synapses.weight, recordInverse(record, inverse, output, inverse.name).output];
            }),
          ),
        }),
        record: (step, trace, signal) => recordDtp(options, inverses, carrier, learners, step, trace, signal),
      };
    },
  };
}

function createInverse(
  block: Block,
  below: Block,
  [height, width, c]: Shape,
  [h, w, o]: Shape,
  place: readonly number[],
): { inverse: Inverse; parameters: Parameter[] } {
  const { kernel, after } = block;
  const stride = after.reduce((product, step) => product * (poolingOf(step)?.size ?? 1), block.stride);
  const activation = activationOf(below);
  if (activation === "triangle")
    throw wrong(
      "DTP",
      below.name,
      "a block with an activation unit by unit, in which the inverse above it can end",
      "a triangle",
      "take relu, or another update",
    );
  const fits = (padding: number): boolean =>
    Math.floor((height + 2 * padding - kernel) / stride) + 1 === h &&
    Math.floor((width + 2 * padding - kernel) / stride) + 1 === w;
  const padding = [block.padding, ...Array.from({ length: kernel }, (_, i) => i)].find(fits);
  if (padding === undefined)
    throw wrong(
      "DTP",
      block.name,
      `a block of ${kernel} × ${kernel} and stride ${stride} (pooling included) that a transposed convolution can invert, [${height}, ${width}] → [${h}, ${w}]`,
      "none with any padding",
      "take a larger kernel, or pool less in one block",
    );
  const name = `${block.name}.inverse`;
  const weight = persistent(`${name}.weight`, [kernel, kernel, c, o], "feedback");
  const bias = persistent(`${name}.bias`, [c], "feedback");
  // PyTorch's ConvTranspose2d counts the fan-in of its weight [o, c, k, k] as c · k².
  const fanIn = sizeOf([kernel, kernel, c]);
  return {
    inverse: {
      name,
      synapses: { weight, bias },
      stride,
      padding,
      height,
      width,
      activation,
    },
    parameters: [
      { tensor: weight, fanIn, place: [...place, 0] },
      { tensor: bias, fanIn, place: [...place, 1] },
    ],
  };
}

function recordDtp(
  options: DtpOptions,
  inverses: readonly Inverse[],
  headCarrier: Carrier,
  { blocks }: Learners,
  { record, optimiser }: StepRecorder,
  trace: Trace,
  signal: Signal,
): Change[] {
  const { order, inverseLearningRate } = options;
  const learnInverses = (counter: Tensor): Change[] =>
    inverses.flatMap((inverse, i) => {
      const changes = recordInverseChange(record, options, inverse, trace.blocks[i + 1], counter, i);
      return changes.map((change) => ({ ...change, learningRate: inverseLearningRate }));
    });

  if (optimiser && order === "inversesFirst") recordUpdates(record, optimiser, learnInverses(optimiser.step));
  const way = trace.head
    ? recordHeadPath(record, trace.head, signal, headCarrier)
    : { changes: [], error: signal.error };
  const changes = way.changes;
  const eta = signal.reduction === "sum" ? options.targetStep / signal.images : options.targetStep;

  const activities = trace.blocks.map(({ output }) => learningRows(output, signal.firstRow));
  const targets: Tensor[] = [];
  const last = blocks.length - 1;
  targets[last] = record.combine(
    { a: activities[last], b: way.error },
    { alpha: 1, beta: -eta },
    { y: `${blocks[last].name}.target` },
  ).y;
  for (let l = last; l > 0; l--) {
    const { name } = blocks[l - 1];
    const inverse = inverses[l - 1];
    const ofTarget = recordInverse(record, inverse, targets[l], `${name}.fromTarget`);
    const ofActivity = recordInverse(record, inverse, activities[l], `${name}.fromActivity`);
    const difference = record.combine(
      { a: ofTarget.output, b: ofActivity.output },
      { alpha: 1, beta: -1 },
      { y: `${name}.difference` },
    ).y;
    targets[l - 1] = record.combine(
      { a: activities[l - 1], b: difference },
      { alpha: 1, beta: 1 },
      { y: `${name}.target` },
    ).y;
  }
  trace.blocks.forEach((block, l) => {
    const divisor = options.localLoss === "sum" ? 1 : sizeOf(block.output.shape);
    const { dx } = record.squaredError(
      { x: activities[l], target: targets[l] },
      { divisor },
      { loss: `${blocks[l].name}.localLoss`, dx: `${blocks[l].name}.localError` },
    );
    const routed = recordRouting(record, block, dx, signal.firstRow);
    changes.push(...recordBlockChange(record, block, routed, signal.firstRow));
  });
  if (optimiser && order === "targetsFirst") changes.push(...learnInverses(optimiser.step));
  return changes;
}

interface InverseTrace {
  readonly output: Tensor;
  readonly input: Tensor;
}

/** g(y): transposed convolution → bias → activation. */
function recordInverse(record: Recorder, inverse: Inverse, y: Tensor, name: string): InverseTrace {
  const { synapses, stride, padding, height, width, activation } = inverse;
  const turned = record.conv2dInputGradient(
    { dy: y, w: synapses.weight },
    { stride, padding, height, width },
    { dx: `${name}.convolution` },
  ).dx;
  const biased = record.addBias({ x: turned, b: synapses.bias }, {}, { y: `${name}.biased` }).y;
  if (activation === undefined) return { input: y, output: biased };
  return {
    input: y,
    output: record.activation({ x: biased }, { kind: activation }, { y: `${name}.${activation}` }).y,
  };
}

/** ∂/∂g of mean ‖g(f(x + ε)) − (x + ε)‖², ε ~ N(0, σ²); x is the block's input, f the block as it stands. */
function recordInverseChange(
  record: Recorder,
  { noise, seed }: DtpOptions,
  inverse: Inverse,
  { block, synapses, input }: BlockTrace,
  counter: Tensor,
  stream: number,
): Change[] {
  const { name, activation, stride, padding } = inverse;
  const { weight, bias } = inverse.synapses;
  const noisy = record.gaussianNoise(
    { x: input, counter },
    { sigma: noise.size, relative: noise.kind === "relative", seed, stream: noiseStream + stream },
    { y: `${name}.noisy` },
  ).y;
  const forward = recordBlock(record, block, synapses, noisy, `${name}.forward`);
  const rebuilt = recordInverse(record, inverse, forward.output, `${name}.rebuilt`);
  const { dx } = record.squaredError(
    { x: rebuilt.output, target: noisy },
    { divisor: sizeOf(noisy.shape) },
    { loss: `${name}.loss`, dx: `${name}.error` },
  );
  const error = activation
    ? record.activationGradient(
        { dy: dx, y: rebuilt.output },
        { kind: activation },
        { dx: `${name}.${activation}Error` },
      ).dx
    : dx;
  const { db } = record.biasGradient({ dy: error }, {}, { db: `${bias.name}.gradient` });
  const { dw } = record.conv2dWeightGradient(
    { x: error, dy: rebuilt.input },
    { stride, padding, kernel: [weight.shape[0], weight.shape[1]] },
    { dw: `${weight.name}.gradient` },
  );
  return [
    { weight, gradient: dw },
    { weight: bias, gradient: db },
  ];
}

/** Second key of the noise of the first inverse. */
const noiseStream = 0xd7b0;

// A model: the synapses of an encoder and its head as persistent tensors, and their initial values.

import { randomStream } from "../program/random.ts";
import { persistent, sizeOf, type Tensor } from "../program/tensor.ts";
import { type Encoder, headInputs, pictures } from "./encoder.ts";

export interface Synapses {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

export interface Model {
  readonly encoder: Encoder;
  /** weight [kernel, kernel, channels in, channels out] of each block. */
  readonly blocks: readonly Synapses[];
  /** weight [features, embedding]; features in the order row, column, channel. */
  readonly head: Synapses;
}

export function createModel(encoder: Encoder): Model {
  const shapes = pictures(encoder);
  const last = shapes[shapes.length - 1];
  return {
    encoder,
    blocks: encoder.blocks.map(({ name, kernel, outputs, bias }, i) => ({
      weight: persistent(`${name}.weight`, [kernel, kernel, shapes[i][2], outputs], "weight"),
      ...(bias ? { bias: persistent(`${name}.bias`, [outputs], "weight") } : {}),
    })),
    head: {
      weight: persistent("head.weight", [headInputs(encoder.head, last), encoder.head.outputs], "weight"),
    },
  };
}

/** Every synapse tensor of the model, blocks first. */
export const synapsesOf = ({ blocks, head }: Model): Tensor[] =>
  [...blocks, head].flatMap(({ weight, bias }) => (bias ? [weight, bias] : [weight]));

/**
 * PyTorch's default initialisation, kaiming_uniform with a = √5: U(−1/√fanIn, 1/√fanIn) for weights and biases,
 * fanIn = kernel² · channels in for a convolution, inputs for a linear layer. Keyed by the seed and the tensor's place.
 */
export function initialise(model: Model, seed: number): Map<Tensor, Float32Array> {
  const values = new Map<Tensor, Float32Array>();
  [...model.blocks, model.head].forEach(({ weight, bias }, layer) => {
    const fanIn = sizeOf(weight.shape.slice(0, -1));
    [weight, bias].forEach((tensor, part) => {
      if (tensor) values.set(tensor, uniformWeights(tensor, fanIn, seed, layer, part));
    });
  });
  return values;
}

/** First word of every path of random numbers that make initial weights. */
const initialisation = 0x1417;

function uniformWeights(tensor: Tensor, fanIn: number, seed: number, ...path: number[]): Float32Array {
  const random = randomStream(seed, initialisation, ...path);
  const bound = 1 / Math.sqrt(fanIn);
  return Float32Array.from({ length: sizeOf(tensor.shape) }, () => (2 * random.uniform() - 1) * bound);
}

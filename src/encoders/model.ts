// A model: the synapses of an encoder as persistent tensors, heads that hang on it, and the values they start from.

import { randomStream } from "../program/random.ts";
import { persistent, type Shape, sizeOf, type Tensor } from "../program/tensor.ts";
import { type Encoder, type Head, headInputs, hiddenName, pictures } from "./encoder.ts";

/** What a layer learns: its weight and, where it has one, its bias. */
export interface Synapses {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

/** A tensor that starts uniform in ±1/√fanIn; `place` is its own path of random numbers. */
export interface Parameter {
  readonly tensor: Tensor;
  readonly fanIn: number;
  readonly place: readonly number[];
}

/** An encoder and the tensors of its synapses. */
export interface Model {
  readonly encoder: Encoder;
  /** weight [kernel, kernel, channels in, channels out] of each block. */
  readonly blocks: readonly Synapses[];
  readonly parameters: readonly Parameter[];
}

/** A head on a picture [h, w, c]: weight [features, outputs], features in the order row, column, channel, or what the last hidden layer makes of them. */
export interface HeadModel {
  readonly name: string;
  readonly head: Head;
  /** Bottom first. */
  readonly hidden: readonly Synapses[];
  readonly synapses: Synapses;
  readonly parameters: readonly Parameter[];
}

/** Second words of the paths of initial values: what a parameter belongs to. The blocks' third word is their number. */
export const places = {
  block: 0,
  head: 1,
  feedback: 2,
  inverse: 3,
  context: 4,
  prediction: 5,
  retrodiction: 6,
  hidden: 7,
} as const;

/** The synapses of an encoder's blocks, as tensors without values; `initialise` makes those. */
export function createModel(encoder: Encoder): Model {
  const shapes = pictures(encoder);
  const parts = encoder.blocks.map(({ name, kernel, outputs, bias }, i) =>
    createSynapses(name, [kernel, kernel, shapes[i][2], outputs], bias, [places.block, i]),
  );
  return {
    encoder,
    blocks: parts.map(({ synapses }) => synapses),
    parameters: parts.flatMap(({ parameters }) => parameters),
  };
}

export function createHead(name: string, head: Head, picture: Shape, block: number): HeadModel {
  const widths = [headInputs(head, picture), ...(head.hidden ?? [])];
  const hidden = widths
    .slice(1)
    .map((width, i) => createSynapses(hiddenName(name, i), [widths[i], width], head.bias, [places.hidden, block, i]));
  const top = createSynapses(name, [widths[widths.length - 1], head.outputs], head.bias, [places.head, block]);
  return {
    name,
    head,
    hidden: hidden.map(({ synapses }) => synapses),
    synapses: top.synapses,
    parameters: [...hidden, top].flatMap(({ parameters }) => parameters),
  };
}

/** The synapses of a head's layers, bottom first. */
export const headLayers = ({ hidden, synapses }: HeadModel): Synapses[] => [...hidden, synapses];

/** Weights whose last extent counts the outputs, and a bias where wanted. */
export function createSynapses(
  name: string,
  shape: Shape,
  withBias: boolean,
  place: readonly number[],
  role: "weight" | "feedback" = "weight",
): { synapses: Synapses; parameters: Parameter[] } {
  const fanIn = sizeOf(shape.slice(0, -1));
  const weight = persistent(`${name}.weight`, shape, role);
  const parameters = [{ tensor: weight, fanIn, place: [...place, 0] }];
  if (!withBias) return { synapses: { weight }, parameters };
  const bias = persistent(`${name}.bias`, shape.slice(-1), role);
  parameters.push({ tensor: bias, fanIn, place: [...place, 1] });
  return { synapses: { weight, bias }, parameters };
}

/** The block or head that a tensor of a step belongs to: `conv3` of `conv3.feedback.weight`. */
export const layerOf = ({ name }: Pick<Tensor, "name">): string => name.split(".")[0];

/** Every synapse tensor of the encoder's blocks. */
export const synapsesOf = ({ blocks }: Model): Tensor[] => blocks.flatMap(tensorsOf);

export const tensorsOf = ({ weight, bias }: Synapses): Tensor[] => (bias ? [weight, bias] : [weight]);

/** First word of every path of random numbers that make initial weights. */
const initialisation = 0x1417;

/**
 * PyTorch's default initialisation, kaiming_uniform with a = √5: U(−1/√fanIn, 1/√fanIn) for weights and biases,
 * fanIn = kernel² · channels in for a convolution, inputs for a linear layer. Keyed by the seed and the parameter's place.
 */
export function initialise(
  { parameters }: { readonly parameters: readonly Parameter[] },
  seed: number,
): Map<Tensor, Float32Array> {
  return new Map(
    parameters.map(({ tensor, fanIn, place }) => {
      const random = randomStream(seed, initialisation, ...place);
      const bound = 1 / Math.sqrt(fanIn);
      const values = new Float32Array(sizeOf(tensor.shape));
      for (let i = 0; i < values.length; i++) values[i] = (2 * random.uniform() - 1) * bound;
      return [tensor, values];
    }),
  );
}

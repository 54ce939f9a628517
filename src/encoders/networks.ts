// The paper's networks (Tang et al. 2022, doi 10.3389/fncom.2022.789253), exactly, and networks that a configuration spells out. The paper's
// have no biases: the authors' code has none.

import { wrong } from "../program/errors.ts";
import type { After, Block, Encoder, Head } from "./encoder.ts";

const convolution = (index: number, outputs: number, ...after: readonly After[]): Block => ({
  name: `conv${index}`,
  outputs,
  kernel: 3,
  stride: 1,
  padding: 1,
  bias: false,
  after,
});

/** The CIFAR network: five convolutions, Hardtanh on the first and third, pooling on the others, 8,192 features. */
const cifar: Encoder = {
  name: "cifar",
  height: 32,
  width: 32,
  channels: 3,
  blocks: [
    convolution(1, 32, "hardtanh"),
    convolution(2, 32, "maxPool"),
    convolution(3, 64, "hardtanh"),
    convolution(4, 64, "maxPool"),
    convolution(5, 512, "maxPool"),
  ],
  head: { averagePool: 1, outputs: 64, bias: false },
};

/** VGG6 for crops of STL-10: convolution → Hardtanh → pooling, 4,096 features after average pooling. */
const vgg6: Encoder = {
  name: "vgg6",
  height: 64,
  width: 64,
  channels: 3,
  blocks: [
    convolution(1, 128, "hardtanh"),
    convolution(2, 256, "hardtanh", "maxPool"),
    convolution(3, 256, "hardtanh"),
    convolution(4, 512, "hardtanh", "maxPool"),
    convolution(5, 1024, "hardtanh", "maxPool"),
    convolution(6, 1024, "hardtanh", "maxPool"),
  ],
  head: { averagePool: 2, outputs: 64, bias: false },
};

/** VGG6 for grey pictures, as CLAPP's patches are; trained on patches, it is read out on whole pictures. */
const vgg6Grey: Encoder = { ...vgg6, name: "vgg6-grey", channels: 1 };

/** The EMNIST / MNIST network: convolution → pooling → tanh, 28 → 14 → 7 → 3, 1,152 features. */
const mnist: Encoder = {
  name: "mnist",
  height: 28,
  width: 28,
  channels: 1,
  blocks: [
    convolution(1, 32, "maxPool", "tanh"),
    convolution(2, 64, "maxPool", "tanh"),
    convolution(3, 128, "maxPool", "tanh"),
  ],
  head: { averagePool: 1, outputs: 64, bias: false },
};

/** The CIFAR network with strides of 2 instead of pooling: the paper's comparison for DTP. */
const cifarStrided: Encoder = {
  ...cifar,
  name: "cifar-strided",
  blocks: cifar.blocks.map((block) => (block.after.includes("maxPool") ? { ...block, stride: 2, after: [] } : block)),
};

/** Three convolutions on 16 × 16 pictures, 1,024 features: for tests, and for watching a rule at work. Not the paper's. */
const tiny: Encoder = {
  name: "tiny",
  height: 16,
  width: 16,
  channels: 3,
  blocks: [convolution(1, 16, "hardtanh"), convolution(2, 32, "maxPool"), convolution(3, 64, "hardtanh", "maxPool")],
  head: { averagePool: 1, outputs: 64, bias: false },
};

type PlainName = "cifar" | "cifar-strided" | "vgg6" | "vgg6-grey" | "mnist" | "tiny";
/** A network that a configuration can name. */
export type NetworkName = PlainName | `${PlainName}-bias`;

const plain: Readonly<Record<PlainName, Encoder>> = {
  cifar,
  "cifar-strided": cifarStrided,
  vgg6,
  "vgg6-grey": vgg6Grey,
  mnist,
  tiny,
};

/** The same with a bias in every convolution, which weights from PyTorch often have: there it is the default, and a folded BatchNorm leaves one. */
export const withBiases = (encoder: Encoder): Encoder =>
  encoder.blocks.every(({ bias }) => bias)
    ? encoder
    : {
        ...encoder,
        name: `${encoder.name}-bias`,
        blocks: encoder.blocks.map((block) => ({ ...block, bias: true })),
      };

/** The paper's networks by name, each also with biases, and a tiny one for tests. */
export const networks: Readonly<Record<NetworkName, Encoder>> = {
  ...plain,
  ...(Object.fromEntries(
    Object.values(plain)
      .map(withBiases)
      .map((encoder) => [encoder.name, encoder]),
  ) as Record<`${PlainName}-bias`, Encoder>),
};

/** A network as a configuration spells it out. */
export interface NetworkData {
  readonly name: string;
  /** Of the pictures that it reads, in pixels. */
  readonly input: Pick<Encoder, "height" | "width" | "channels">;
  /** Without a padding: half of what the kernel has beside its middle, so that a stride of 1 keeps the picture's size. */
  readonly blocks: readonly (Omit<Block, "name" | "padding"> & { readonly padding?: number | undefined })[];
  readonly head: Head;
}

/** The network that a configuration names or spells out; its blocks are conv1, conv2, … */
export function networkOf(encoder: string | NetworkData): Encoder {
  if (typeof encoder === "string") return networkNamed("encoder", encoder);
  const { name, input, blocks, head } = encoder;
  return {
    ...{ name, ...input },
    blocks: blocks.map((block, i) => ({
      ...{ ...block, name: `conv${i + 1}` },
      padding: block.padding ?? Math.floor((block.kernel - 1) / 2),
    })),
    head,
  };
}

/** The way back: the name of one of the library's, else all of it. */
export function networkData({ name, blocks, head, ...input }: Encoder): NetworkName | NetworkData {
  if (Object.hasOwn(networks, name)) return name as NetworkName;
  return {
    name,
    input,
    blocks: blocks.map(({ name: _, ...block }) => block),
    head: { ...head, hidden: head.hidden ?? [] },
  };
}

/** A network by a name that may come from anywhere. */
export function networkNamed(operation: string, name: string): Encoder {
  if (!Object.hasOwn(networks, name))
    throw wrong(operation, "network", `one of ${Object.keys(networks).join(", ")}`, name);
  return networks[name as NetworkName];
}

// What is measured: the paper's networks at the sizes of its experiments, on random pictures.

import type { ImageSet } from "../src/data/images.ts";
import type { NetworkName } from "../src/encoders/networks.ts";
import { randomStream } from "../src/program/random.ts";
import type { Config } from "../src/training/config.ts";
import { parseConfig } from "../src/training/parse-config.ts";
import type { Combination } from "../src/training/registry.ts";

export const benchNetworks = ["cifar", "vgg6", "mnist"] as const satisfies readonly NetworkName[];

export type BenchNetwork = (typeof benchNetworks)[number];

export interface Workload {
  /** Images per step; each gives two views. */
  readonly batch: number;
  readonly quickBatch: number;
  /** Steps that are timed; a step of VGG6 takes ten times as long as one of the others. */
  readonly iterations: number;
  /** Side of the pictures that views are made of, in pixels. */
  readonly side: number;
  readonly channels: 1 | 3;
  readonly augmentation: "simclr" | "affine";
  readonly margins: { readonly m1: number; readonly m2: number };
}

export const workloads: Readonly<Record<BenchNetwork, Workload>> = {
  cifar: {
    batch: 500,
    quickBatch: 50,
    iterations: 5,
    side: 32,
    channels: 3,
    augmentation: "simclr",
    margins: { m1: 1, m2: 3 },
  },
  vgg6: {
    batch: 32,
    quickBatch: 2,
    iterations: 3,
    side: 96,
    channels: 3,
    augmentation: "simclr",
    margins: { m1: 1, m2: 3 },
  },
  mnist: {
    batch: 500,
    quickBatch: 50,
    iterations: 15,
    side: 28,
    channels: 1,
    augmentation: "affine",
    margins: { m1: 1, m2: 1.5 },
  },
};

export const batchOf = (network: BenchNetwork, quick: boolean): number =>
  quick ? workloads[network].quickBatch : workloads[network].batch;

/** A step to measure: a further rule is a further row. */
export type StepCase = Combination & { readonly network: BenchNetwork };

const loss = "contrastiveHinge";

/** Every rule; what goes beyond the paper on one network. A step of GLL is the step of RLL in which its
 * layer was drawn. */
export const stepCases: readonly StepCase[] = benchNetworks.flatMap((network) => [
  ...(["BP", "RF", "URF", "DTP"] as const).map((update) => ({ network, learning: "E2E", update, loss }) as const),
  ...(["DFA", "SSF", "KP"] as const)
    .filter(() => network === "cifar")
    .map((update) => ({ network, learning: "E2E", update, loss }) as const),
  ...(["BP", "RF"] as const).map((update) => ({ network, learning: "RLL", update, loss }) as const),
]);

/** Steps that are timed. Under RLL each is another layer's, drawn at random: four times as many, so that most come up. */
export const iterationsOf = ({ network, learning }: StepCase): number =>
  workloads[network].iterations * (learning === "E2E" ? 1 : 4);

export const nameOf = ({ network, learning, update }: StepCase): string => `${network} ${learning} ${update}`;

export function configOf({ network, learning, update, loss }: StepCase, batch: number): Config {
  const { augmentation, margins } = workloads[network];
  const raw = {
    name: "bench",
    data: { dataset: "random" },
    augmentation: { kind: augmentation },
    encoder: network,
    loss: { kind: loss, ...margins },
    learning,
    update,
    batch,
    // More than any benchmark takes.
    epochs: 100,
    xrayEvery: 0,
  };
  return parseConfig(raw, "bench");
}

export function randomImages(network: BenchNetwork, count: number): ImageSet {
  const { side, channels } = workloads[network];
  const random = randomStream(0, 0xbe4c);
  const pixels = Uint8Array.from({ length: count * side * side * channels }, () => random.integer(256));
  return {
    name: "random",
    pixels,
    count,
    height: side,
    width: side,
    channels,
    labels: new Int32Array(count),
    classes: ["none"],
  };
}

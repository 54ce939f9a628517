// How the two views of a pair come about: one image seen twice, or an image and the one that follows it in a movie.

import { wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";
import type { ImageSet } from "./images.ts";

export interface Pairing {
  /** Images that can be an anchor, in the dataset's order. */
  readonly anchors: (dataset: Pick<ImageSet, "name" | "count" | "clips">) => Int32Array;
  /** The anchors in the order of an epoch, keyed by seed and epoch; batches are cut from it. */
  readonly order: (anchors: Int32Array, seed: number, epoch: number) => Int32Array;
  /** The image that the second view of an anchor shows. */
  readonly partner: (anchor: number) => number;
}

/** First word of every path of random numbers that order the data. */
const dataOrder = 0x0d3a;

/** Two augmentations of one image; the images are shuffled anew in every epoch. */
const augmentation: Pairing = {
  anchors: ({ count }) => Int32Array.from({ length: count }, (_, i) => i),
  order: (anchors, seed, epoch) => {
    const order = anchors.slice();
    randomStream(seed, dataOrder, epoch).shuffle(order);
    return order;
  },
  partner: (anchor) => anchor,
};

/** A frame and the next of its clip; every epoch shows the movie in order of time. */
const frames: Pairing = {
  anchors: ({ name, count, clips }) => {
    if (clips === undefined) throw wrong("train", "data", "a movie for pairing frames", name, "take procedural-movie");
    const cuts = new Set(clips);
    return Int32Array.from({ length: count - 1 }, (_, i) => i).filter((i) => !cuts.has(i + 1));
  },
  order: (anchors) => anchors,
  partner: (anchor) => anchor + 1,
};

export type PairingName = "augmentation" | "frames";

export const pairings: Readonly<Record<PairingName, Pairing>> = { augmentation, frames };

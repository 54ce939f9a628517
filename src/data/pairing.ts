// How the two views of a pair come about: one image seen twice, or a frame of a movie and one that follows it.

import { wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";
import type { ImageSet } from "./images.ts";

export interface Pairs {
  /** Images that can be an anchor, in the dataset's order. */
  readonly anchors: Int32Array;
  /** The image that the second view of an anchor shows. */
  readonly partnerOf: (anchor: number) => number;
}

export interface Pairing {
  /** The pairs of a run; two frames stand `apart`. */
  readonly pairs: (dataset: Pick<ImageSet, "name" | "count" | "clips">, apart: number, seed: number) => Pairs;
  /** The anchors in the order of an epoch, keyed by seed and epoch; batches are cut from it. */
  readonly order: (anchors: Int32Array, seed: number, epoch: number) => Int32Array;
}

/** First words of the paths of random numbers that order the data, and that part frames. */
const dataOrder = 0x0d3a;
const partings = 0x9a4d;

/** Two augmentations of one image; the images are shuffled anew in every epoch. */
const augmentation: Pairing = {
  pairs: ({ count }) => ({ anchors: Int32Array.from({ length: count }, (_, i) => i), partnerOf: (anchor) => anchor }),
  order: (anchors, seed, epoch) => {
    const order = anchors.slice();
    randomStream(seed, dataOrder, epoch).shuffle(order);
    return order;
  },
};

/** A frame and one that comes `apart` frames later in its clip; every epoch shows the movie in order of time. */
const frames: Pairing = {
  pairs: ({ name, count, clips }, apart) => {
    if (clips === undefined) throw wrong("train", "data", "a movie for pairing frames", name, "take procedural-movie");
    const ends = [...clips.subarray(1), count];
    const anchors = [...clips].flatMap((first, clip) =>
      Array.from({ length: Math.max(0, ends[clip] - apart - first) }, (_, i) => first + i),
    );
    return { anchors: Int32Array.from(anchors), partnerOf: (anchor) => anchor + apart };
  },
  order: (anchors) => anchors,
};

/** The control of `frames`: the same anchors and partners, but every anchor gets another's, drawn once for the run. */
const shuffledFrames: Pairing = {
  ...frames,
  pairs: (dataset, apart, seed) => {
    const { anchors, partnerOf } = frames.pairs(dataset, apart, seed);
    const partners = anchors.map(partnerOf);
    randomStream(seed, partings).shuffle(partners);
    const drawn = new Map([...anchors].map((anchor, i) => [anchor, partners[i]]));
    return { anchors, partnerOf: (anchor) => drawn.get(anchor) ?? partnerOf(anchor) };
  },
};

export const pairingNames = ["augmentation", "frames", "shuffledFrames"] as const;
export type PairingName = (typeof pairingNames)[number];

export const pairings: Readonly<Record<PairingName, Pairing>> = { augmentation, frames, shuffledFrames };

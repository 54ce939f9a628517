// What an encoder in training is worth: two read-outs that learn from some labelled pictures and are tested on others, cheap enough to come often.

import type { Backend } from "../backends/backend.ts";
import { type ImageSet, requireLabels } from "../data/images.ts";
import { wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";
import { encoderFeatures, type FrozenEncoder, requirePictures } from "./features.ts";
import { kNearest } from "./knn.ts";
import { type ProbedSets, probeMemory } from "./memory.ts";
import { scaleFreeProbe } from "./scale-free-probe.ts";
import { only, overlap, splitValidation, without } from "./subsets.ts";

/** The read-outs that are asked while an encoder learns; the paper's would also see how large the features are. */
export const heldOutReadOuts = ["kNN", "scaleFree"] as const;
export type HeldOutReadOut = (typeof heldOutReadOuts)[number];

export interface HeldOut {
  /** Pictures whose labels read-outs learn from, at most 1,000. */
  readonly fit: ImageSet;
  /** Pictures on which they are tested, none of which is in `fit`, at most 1,000. */
  readonly held: ImageSet;
}

/** Pictures at most in each part: the scale-free read-out's time grows faster than the pictures that it learns from. */
const most = 1000;
/** Of what is drawn, the same for every run: so runs are compared on the same pictures. */
const seed = 0;
/** First word of the paths of random numbers that choose some of many pictures. */
const heldOutDraw = 0x4e1d;

/** A part of a labelled set to learn from and another to test on: about a fifth of every class. Errors say what the set lacks for `network`. */
export function holdOut(labelled: ImageSet, network: FrozenEncoder["network"]): HeldOut {
  const { labels, classes, name } = labelled;
  requirePictures(network, [labelled]);
  requireLabels("evaluateEvery", name, labelled, classes.length);
  if (labelled.clips)
    throw wrong(
      "evaluateEvery",
      name,
      "pictures that have nothing to do with each other",
      "a movie, whose frames are alike",
      "give probe.train",
    );
  const parts = splitValidation(labels, classes.length, seed);
  const held = only(labelled, some(parts.held));
  const candidates = only(labelled, some(parts.fit));
  const fit = without(candidates, overlap(candidates, held));
  if (new Set(fit.labels).size < 2 || held.count === 0)
    throw wrong(
      "evaluateEvery",
      name,
      "pictures of at least 2 classes to learn from, and others to test on",
      `${fit.count} and ${held.count}`,
    );
  return { fit, held };
}

function some(rows: Int32Array): Int32Array {
  if (rows.length <= most) return rows;
  const order = rows.slice();
  randomStream(seed, heldOutDraw).shuffle(order);
  return order.subarray(0, most).sort();
}

/** Shares of the pictures held out that each read-out of one block answers rightly. The encoder is not changed. */
export async function evaluate(
  encoder: FrozenEncoder,
  { fit, held }: HeldOut,
  backend: Backend,
): Promise<Record<HeldOutReadOut, number>> {
  const { features } = await encoderFeatures(encoder, [fit, held], backend);
  const [train, test] = features;
  const kNN = await kNearest(train, test, seed, backend);
  const scaleFree = await scaleFreeProbe(train, test, seed, backend);
  return { kNN: kNN.accuracy, scaleFree: scaleFree.accuracy };
}

/** Bytes that an evaluation asks for beyond what the process has, its pictures among them. */
export function evaluationMemory(
  network: FrozenEncoder["network"],
  { fit, held }: HeldOut,
  layers: "last" | "all",
): number {
  const sets: ProbedSets = { train: fit, test: held };
  const options = { subjects: ["trained"], readOuts: heldOutReadOuts, labelsPerClass: ["all"], seeds: 1 } as const;
  return (
    fit.pixels.byteLength +
    held.pixels.byteLength +
    probeMemory({ network, ...sets }, { ...options, layers, epochs: 1, learningRate: 1, batch: 1 })
  );
}

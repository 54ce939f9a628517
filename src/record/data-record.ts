// data.json: what a run learns from, and of which bytes its checksum is taken.

import { copyPictures, type ImageSet } from "../data/images.ts";

/** `sha256`: of `checkedParts`, one after another. */
export function dataText(dataset: ImageSet, sha256: string): string {
  const { name, count, height, width, channels, classes } = dataset;
  const record = { name, count, height, width, channels, classes, sha256, ...leftOutOf(dataset) };
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** Of files that a set has not taken in: what there is of each class, and each file with its reason. Nothing where there are none. */
export function leftOutOf({ classes, labels, leftOut }: ImageSet): object {
  if (leftOut === undefined) return {};
  const byClass = Object.fromEntries(classes.map((name) => [name, { pictures: 0, leftOut: 0 }]));
  for (const label of labels) byClass[classes[label]].pictures++;
  for (const { class: name } of leftOut) byClass[name].leftOut++;
  return { byClass, leftOut };
}

/** Of a streamed set: so many pictures, evenly spaced, stand for all. */
const sampled = 1000;

/** What makes two sets the same pictures with the same labels. */
export function checkedParts(set: ImageSet): readonly [facts: string, labels: Uint8Array, pixels: Uint8Array] {
  const { pixels, labels, height, width, channels, classes, count, streamed } = set;
  const bytes = new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength);
  const facts = JSON.stringify([height, width, channels, classes]);
  if (!streamed) return [facts, bytes, pixels];
  const length = Math.min(sampled, count);
  const images = Array.from({ length }, (_, i) => Math.floor((i * count) / length));
  const some = new Uint8Array(length * height * width * channels);
  copyPictures(set, images, some);
  return [facts, bytes, some];
}

// Reads CIFAR-10 and CIFAR-100 as torchvision leaves them: the pickles of cifar-10-batches-py and cifar-100-python.

import { SaccadeError } from "../../program/errors.ts";
import type { CifarImages } from "./cifar.ts";
import { readFile } from "./file.ts";
import { PickledArray, readPickle } from "./pickle.ts";

export interface PythonLayout {
  /** Key of the list of classes: `labels`, or CIFAR-100's `fine_labels`. */
  readonly labels: "labels" | "fine_labels";
  readonly classes: number;
}

const [side, channels] = [32, 3];
const plane = side * side;
const mend = "fetch the file again";

/** The pictures of the files one after another, at most `limit`; `data` is [records, 3072] bytes, three planes a row. */
export function readCifarPython(
  paths: readonly string[],
  { labels: key, classes, records }: PythonLayout & { readonly records: number },
  limit = Number.POSITIVE_INFINITY,
): CifarImages {
  const parts: { readonly data: Uint8Array; readonly labels: number[] }[] = [];
  let found = 0;
  for (const path of paths) {
    if (found >= limit) break;
    const batch = readPickle(readFile(path), path);
    const data = batch instanceof Map ? batch.get("data") : undefined;
    const labels = batch instanceof Map ? batch.get(key) : undefined;
    const shape = data instanceof PickledArray ? data.shape : [];
    if (!(data instanceof PickledArray) || shape.length !== 2 || shape[0] !== records || shape[1] !== channels * plane)
      throw new SaccadeError(
        `${path}: data must be an array of bytes [${records}, ${channels * plane}], got ${data instanceof PickledArray ? `[${data.shape.join(", ")}]` : "none"}; ${mend}`,
      );
    if (!Array.isArray(labels) || labels.length !== data.shape[0])
      throw new SaccadeError(
        `${path}: ${key} must be a list of ${data.shape[0]} classes, one for each picture, got ${Array.isArray(labels) ? labels.length : "none"}; ${mend}`,
      );
    const at = labels.findIndex((label) => !(typeof label === "number" && label >= 0 && label < classes));
    if (at >= 0)
      throw new SaccadeError(
        `${path}: ${key}[${at}] must be a class from 0 to ${classes - 1}, got ${typeof labels[at] === "number" ? labels[at] : typeof labels[at]}; ${mend}`,
      );
    parts.push({ data: data.bytes, labels: labels as number[] });
    found += labels.length;
  }
  const count = Math.min(limit, found);
  const pixels = new Uint8Array(count * channels * plane);
  const labels = new Int32Array(count);
  let image = 0;
  for (const part of parts)
    for (let row = 0; row < part.labels.length && image < count; row++, image++) {
      labels[image] = part.labels[row];
      for (let p = 0; p < plane; p++)
        for (let c = 0; c < channels; c++)
          pixels[(image * plane + p) * channels + c] = part.data[(row * channels + c) * plane + p];
    }
  return { pixels, labels, count };
}

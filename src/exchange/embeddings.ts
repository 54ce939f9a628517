// A dataset's embeddings as .npz: features [n, d] of the last block, channels first as in PyTorch's flatten, labels [n], what the classes are
// called, and of pictures that are files, which file each row is of.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { countParameters, pictures } from "../encoders/encoder.ts";
import { encoderRows, type FrozenEncoder } from "../evaluation/features.ts";
import { encodeNpz, textArray } from "./npz.ts";

/** The file part by part; features are computed while they are written. `onRows` is told how many images are done. */
export function encodeEmbeddings(
  encoder: FrozenEncoder,
  set: ImageSet,
  backend: Backend,
  onRows: (done: number) => void = () => {},
): AsyncIterable<Uint8Array> {
  const { network } = encoder;
  const { features } = countParameters(network);
  const [, , channels] = pictures(network)[network.blocks.length];
  async function* rows(): AsyncGenerator<Uint8Array> {
    for await (const { start, rows: some } of encoderRows(encoder, [set], backend)) {
      const turned = channelsFirst(some, features, channels);
      yield new Uint8Array(turned.buffer);
      onRows(start + some.length / features);
    }
  }
  const labels = new Uint8Array(BigInt64Array.from(set.labels, BigInt).buffer);
  return encodeNpz({
    features: { shape: [set.count, features], type: "<f4", parts: rows() },
    labels: { shape: [set.count], type: "<i8", parts: [labels] },
    classes: textArray(set.classes),
    ...(set.files ? { files: textArray(set.files) } : {}),
  });
}

/** Rows [h · w · channels] → rows [channels · h · w]. */
export function channelsFirst(rows: Float32Array, width: number, channels: number): Float32Array {
  const pixels = width / channels;
  const out = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += width)
    for (let pixel = 0; pixel < pixels; pixel++)
      for (let c = 0; c < channels; c++) out[start + c * pixels + pixel] = rows[start + pixel * channels + c];
  return out;
}

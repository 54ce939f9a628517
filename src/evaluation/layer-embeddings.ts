// What every layer of a frozen encoder makes of pictures, averaged over their places: one vector a picture and layer, as in the paper's Figure 8.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { recordBlocks } from "../encoders/forward.ts";
import { networkNamed } from "../encoders/networks.ts";
import { flatten } from "../program/tensor.ts";
import { encoderResults, type FrozenEncoder, type ReadOff } from "./features.ts";

/** Pictures as one layer sees them. */
export interface LayerEmbedding {
  /** The block's name: "conv3". */
  readonly layer: string;
  /** [count, width], row-major. */
  readonly rows: Float32Array;
  readonly count: number;
  /** The block's channels. */
  readonly width: number;
}

/**
 * The output [h, w, c] of every block for every picture of `set`, averaged over h and w, in one pass. `onRows` is told how many pictures
 * are done.
 */
export async function layerEmbeddings(
  encoder: FrozenEncoder,
  set: ImageSet,
  backend: Backend,
  onRows: (done: number) => void = () => {},
): Promise<LayerEmbedding[]> {
  const { count } = set;
  const layers = networkNamed("layerEmbeddings", encoder.network).blocks.map(({ name, outputs: width }) => ({
    layer: name,
    rows: new Float32Array(count * width),
    count,
    width,
  }));
  for await (const { start, results } of encoderResults(encoder, [set], backend, pooledBlocks)) {
    for (const [i, { rows, width }] of layers.entries()) rows.set(results[i], start * width);
    onRows(start + results[0].length / layers[0].width);
  }
  return layers;
}

/** Each block is averaged before the next one runs, so that no more than two of their outputs are kept at a time. */
const pooledBlocks: ReadOff = (record, model, x) => {
  let value = x;
  return model.encoder.blocks.map(({ name }, i) => {
    value = recordBlocks(record, model, value, i, i + 1)[0].output;
    const [, size] = value.shape;
    return flatten(record.averagePool({ x: value }, { size }, { y: `${name}.average` }).y);
  });
};

// What every layer of a frozen encoder makes of pictures, averaged over their places: one vector a picture and layer, as in the paper's Figure 8.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { pictures } from "../encoders/encoder.ts";
import { recordBlocks } from "../encoders/forward.ts";
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
  const layers = encoder.network.blocks.map(({ name, outputs: width }) => ({
    layer: name,
    rows: new Float32Array(count * width),
    count,
    width,
  }));
  const places = pictures(encoder.network)
    .slice(1)
    .map(([h, w]) => (h * w) / squareOf(h, w) ** 2);
  for await (const { start, results } of encoderResults(encoder, [set], backend, pooledBlocks)) {
    for (const [i, { rows, width }] of layers.entries())
      rows.set(averaged(results[i], places[i], width), start * width);
    onRows(start + results[0].length / (places[0] * layers[0].width));
  }
  return layers;
}

/** Each block is averaged before the next one runs, so that no more than two of their outputs are kept at a time. */
const pooledBlocks: ReadOff = (record, model, x) => {
  let value = x;
  return model.encoder.blocks.map(({ name }, i) => {
    value = recordBlocks(record, model, value, i, i + 1)[0].output;
    const [, h, w] = value.shape;
    return flatten(record.averagePool({ x: value }, { size: squareOf(h, w) }, { y: `${name}.average` }).y);
  });
};

/** Side of the largest square that a picture is whole ones of: its own side, where it is one. */
const squareOf = (h: number, w: number): number => (w === 0 ? h : squareOf(w, h % w));

/** Rows [places · width] → [width], the mean over the places. */
function averaged(rows: Float32Array, places: number, width: number): Float32Array {
  if (places === 1) return rows;
  const means = new Float32Array(rows.length / places);
  for (let at = 0; at < rows.length; at++) {
    const row = Math.floor(at / (places * width));
    means[row * width + (at % width)] += rows[at] / places;
  }
  return means;
}

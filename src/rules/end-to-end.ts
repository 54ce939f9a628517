// E2E: all layers learn together from one loss at the head, one optimiser over encoder and head.

import { recordBlocks, recordHead } from "../encoders/forward.ts";
import { type Model, synapsesOf } from "../encoders/model.ts";
import type { Loss } from "../losses/loss.ts";
import { type Program, recordProgram } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";
import { viewParameters } from "../program/views.ts";
import { type AdamOptions, createAdam, recordAdam } from "./optimiser.ts";
import type { Update } from "./update.ts";

/** Where the host puts what a step reads, and finds what it leaves. */
export interface TrainingStep {
  readonly program: Program;
  /** u8 [images, h, w, c]: the whole dataset, resident. */
  readonly images: Tensor;
  /** i32 [2n]: rows of `images`; entry s is anchor A_s, entry n + s its view B_s. */
  readonly indices: Tensor;
  /** f32 [2n, 18]: how each view is made, see program/views.ts. */
  readonly parameters: Tensor;
  /** i32 [1]: the number of this update, from 1. */
  readonly adamStep: Tensor;
  /** [2n, h, w, c]. */
  readonly views: Tensor;
  /** [2n, 64]. */
  readonly embeddings: Tensor;
  /** [1]. */
  readonly loss: Tensor;
  /** Further results by name. */
  readonly metrics: Readonly<Record<string, Tensor>>;
  /** Everything that a checkpoint must hold: synapses and optimiser state. */
  readonly state: readonly Tensor[];
}

export interface EndToEnd {
  readonly model: Model;
  readonly update: Update;
  readonly loss: Loss;
  readonly adam: AdamOptions;
  /** n: images per step; each gives two views. */
  readonly batch: number;
  /** Images in the dataset, and their size. */
  readonly dataset: { readonly count: number; readonly height: number; readonly width: number };
  /** Pixel values 0 and 255 become these. */
  readonly valueRange: readonly [number, number];
}

export function recordEndToEnd({
  model,
  update,
  loss,
  adam: options,
  batch,
  dataset,
  valueRange,
}: EndToEnd): TrainingStep {
  const { encoder } = model;
  const { height, width, channels } = encoder;
  const images = persistent("images", [dataset.count, dataset.height, dataset.width, channels], "input", "u8");
  const indices = persistent("indices", [2 * batch], "input", "i32");
  const parameters = persistent("viewParameters", [2 * batch, viewParameters], "input");
  const synapses = synapsesOf(model);
  const adam = createAdam(synapses, options);

  const record = recordProgram(`E2E ${update.name}, ${loss.name}, ${encoder.name}, ${batch} images`);
  const [low, high] = valueRange;
  const views = record.makeViews({ images, indices, parameters }, { height, width, low, high }, { x: "views" }).x;
  const blocks = recordBlocks(record, model, views);
  const head = recordHead(record, model, blocks[blocks.length - 1].output);
  const { value, error, firstRow, metrics } = loss.record(record, head.output);
  recordAdam(record, adam, update.record(record, { blocks, head }, error, firstRow));

  return {
    program: record.finish([views, head.output, value, ...Object.values(metrics)]),
    images,
    indices,
    parameters,
    adamStep: adam.step,
    views,
    embeddings: head.output,
    loss: value,
    metrics,
    state: [...synapses, ...[...adam.moments.values()].flatMap(({ m, v }) => [m, v])],
  };
}

// Features of labelled images: a frozen encoder's last block, flattened, or the pixels themselves. Computed once, then cached.

import { createHash } from "node:crypto";
import type { Backend } from "../backends/backend.ts";
import { plainView } from "../data/augmentation.ts";
import { copyPictures, type ImageSet, requireLabels } from "../data/images.ts";
import { countParameters } from "../encoders/encoder.ts";
import { recordBlocks, recordFeatures } from "../encoders/forward.ts";
import { createModel, type Model, synapsesOf } from "../encoders/model.ts";
import { type NetworkName, networkNamed } from "../encoders/networks.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { requireNumbers } from "../program/finite.ts";
import { type Program, recordProgram } from "../program/program.ts";
import { persistent, sizeOf, type Tensor } from "../program/tensor.ts";
import { type Normalise, viewParameters } from "../program/views.ts";

/** Rows of numbers with a class each: what every read-out reads. */
export interface Features {
  /** [count, width], row-major. */
  readonly rows: Float32Array;
  readonly count: number;
  readonly width: number;
  readonly labels: Int32Array;
  readonly classes: number;
}

/** Refuses what no read-out could learn from, or be tested on. */
export function requireFeatures(operation: string, train: Features, test: Features): void {
  for (const [name, set] of Object.entries({ train, test })) {
    requireLabels(operation, name, set, set.classes);
    if (set.rows.length !== set.count * set.width)
      throw wrong(operation, name, `${set.count} rows of ${set.width} numbers`, `${set.rows.length} numbers`);
  }
  const { width, classes } = train;
  if (test.width !== width || test.classes !== classes)
    throw wrong(
      operation,
      "test",
      `of ${width} columns and ${classes} classes, as train is`,
      `${test.width} and ${test.classes}`,
    );
}

export interface FrozenEncoder {
  readonly network: NetworkName;
  /** Synapses by name; a head's are not read. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly valueRange: readonly [number, number];
  readonly normalise?: Normalise | undefined;
}

/** Images per forward pass. */
const chunk = 250;

/** Features of the last block for every set, and the fingerprint of the encoder that made them; they stand in `room` where there is some. */
export async function encoderFeatures(
  encoder: FrozenEncoder,
  sets: readonly ImageSet[],
  backend: Backend,
  room?: readonly Float32Array[],
): Promise<{ features: Features[]; encoderHash: string }> {
  const network = networkNamed("features", encoder.network);
  const { features: width } = countParameters(network);
  const features = sets.map(({ count, labels, classes }, i) => ({
    rows: room?.[i].subarray(0, count * width) ?? new Float32Array(count * width),
    count,
    width,
    labels,
    classes: classes.length,
  }));
  for await (const { set, start, rows } of encoderRows(encoder, sets, backend))
    features[set].rows.set(rows, start * width);
  return { features, encoderHash: hashWeights(synapsesOf(createModel(network)), encoder.weights) };
}

/** The rows from `start` on of one of the sets, by its number. */
export interface SomeRows {
  readonly set: number;
  readonly start: number;
  readonly rows: Float32Array;
}

interface EncoderProgram {
  readonly program: Program;
  readonly images: Tensor;
  readonly indices: Tensor;
  readonly parameters: Tensor;
  readonly result: Tensor;
}

/** The program that reads a chunk of pictures of the size of `set`. */
export function recordEncoder(
  model: Model,
  { height: h, width: w }: Pick<ImageSet, "height" | "width">,
  { network, valueRange: [low, high], normalise }: Omit<FrozenEncoder, "weights">,
): EncoderProgram {
  const { encoder } = model;
  const images = persistent("images", [chunk, h, w, encoder.channels], "input", "u8");
  const indices = persistent("indices", [chunk], "input", "i32");
  const parameters = persistent("viewParameters", [chunk, viewParameters], "input");
  const record = recordProgram(`features of ${network}`);
  const { x } = record.makeViews(
    { images, indices, parameters },
    { height: encoder.height, width: encoder.width, low, high, normalise },
    { x: "pictures" },
  );
  const blocks = recordBlocks(record, model, x);
  const result = recordFeatures(record, encoder.head, blocks[blocks.length - 1].output);
  return { images, indices, parameters, result, program: record.finish([result]) };
}

/**
 * Features of the last block for every set, some rows at a time. The encoder is read back at the end: if a single bit of it moved, this is
 * an error.
 */
export async function* encoderRows(
  { network, weights, valueRange, normalise }: FrozenEncoder,
  sets: readonly ImageSet[],
  backend: Backend,
): AsyncGenerator<SomeRows> {
  const model = createModel(networkNamed("features", network));
  const { encoder } = model;
  const [{ height: h, width: w }] = sets;
  for (const set of sets)
    if (set.channels !== encoder.channels || set.height !== h || set.width !== w)
      throw wrong("features", set.name, `[n, ${h}, ${w}, ${encoder.channels}] for ${network}`, [
        set.count,
        set.height,
        set.width,
        set.channels,
      ]);
  const { images, indices, parameters, result, program } = recordEncoder(model, sets[0], {
    network,
    valueRange,
    normalise,
  });
  const engine = await backend.prepare([program]);
  try {
    const synapses = synapsesOf(model);
    for (const tensor of synapses) engine.write(tensor, finiteWeights(weights, tensor));
    const before = hashWeights(synapses, weights);
    engine.write(
      indices,
      Int32Array.from({ length: chunk }, (_, i) => i),
    );
    const row = new Float32Array(viewParameters);
    plainView({ from: { height: h, width: w }, to: encoder }, row);
    engine.write(
      parameters,
      Float32Array.from({ length: chunk * viewParameters }, (_, i) => row[i % viewParameters]),
    );
    const width = result.shape[1];
    for (const [number, set] of sets.entries()) {
      const pixels = h * w * encoder.channels;
      const padded = new Uint8Array(chunk * pixels);
      for (let start = 0; start < set.count; start += chunk) {
        const count = Math.min(chunk, set.count - start);
        copyPictures(set, range(start, count), padded);
        engine.write(images, padded);
        await engine.run(program);
        const numbers = await engine.read(result);
        const rows = new Float32Array(numbers.subarray(0, count * width));
        requireNumbers("features", `the features of ${set.name}`, rows, "weights as large as these are of no use");
        yield { set: number, start, rows };
      }
    }
    const after = new Map<string, Float32Array>();
    for (const tensor of synapses) after.set(tensor.name, Float32Array.from(await engine.read(tensor)));
    if (hashWeights(synapses, after) !== before)
      throw new SaccadeError("features: the encoder changed while its features were computed; this is a bug");
  } finally {
    await engine.dispose();
  }
}

function* range(start: number, count: number): Iterable<number> {
  for (let i = start; i < start + count; i++) yield i;
}

function finiteWeights(weights: ReadonlyMap<string, Float32Array>, { name }: Tensor): Float32Array {
  const values = weights.get(name);
  if (values === undefined) throw wrong("features", name, "among the encoder's weights", "nothing");
  requireNumbers("features", name, values);
  return values;
}

/** SHA-256 over the bytes of the blocks' synapses, first 16 hex digits. */
export function hashWeights(synapses: readonly Tensor[], weights: ReadonlyMap<string, Float32Array>): string {
  const hash = createHash("sha256");
  for (const { name } of synapses) {
    const data = weights.get(name) ?? new Float32Array();
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Pixels in [0, 1], flattened; they stand in `room` where there is some. */
export function pixelFeatures(set: ImageSet, room?: Float32Array): Features {
  const width = pixelWidth(set);
  const rows = room?.subarray(0, set.count * width) ?? new Float32Array(set.count * width);
  for (let i = 0; i < rows.length; i++) rows[i] = set.pixels[i] / 255;
  return {
    rows,
    count: set.count,
    width,
    labels: set.labels,
    classes: set.classes.length,
  };
}

export const pixelWidth = ({ height, width, channels }: Pick<ImageSet, "height" | "width" | "channels">): number =>
  sizeOf([height, width, channels]);

/** Some rows of a set of features. */
export function selectRows({ rows, width, labels, classes }: Features, chosen: Int32Array): Features {
  const selected = new Float32Array(chosen.length * width);
  chosen.forEach((from, to) => {
    selected.set(rows.subarray(from * width, (from + 1) * width), to * width);
  });
  return {
    rows: selected,
    count: chosen.length,
    width,
    labels: Int32Array.from(chosen, (from) => labels[from]),
    classes,
  };
}

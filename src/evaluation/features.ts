// Features of labelled images: the output of a block of a frozen encoder, flattened, or the pixels themselves. Computed once, then cached.

import type { Backend, Engine } from "../backends/backend.ts";
import { plainView } from "../data/augmentation.ts";
import { copyPictures, type ImageSet, requireLabels } from "../data/images.ts";
import { blockPlace, type Encoder, featurePool, layerWidth } from "../encoders/encoder.ts";
import { recordBlocks, recordFeatures } from "../encoders/forward.ts";
import { createModel, initialise, type Model, synapsesOf } from "../encoders/model.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { requireNumbers } from "../program/finite.ts";
import { type Program, persistentTensors, type Recorder, recordProgram } from "../program/program.ts";
import { flatten, persistent, sizeOf, type Tensor } from "../program/tensor.ts";
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
  readonly network: Encoder;
  /** Synapses by name; a head's are not read. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly valueRange: readonly [number, number];
  readonly normalise?: Normalise | undefined;
  /** Name of the block whose output is read; the last one unless told. */
  readonly layer?: string | undefined;
}

/** Weights from which training with a seed begins: the random encoder. */
export const untrainedWeights = (network: Encoder, seed: number): Map<string, Float32Array> =>
  new Map([...initialise(createModel(network), seed)].map(([{ name }, values]) => [name, values]));

/** Images per forward pass. */
const chunk = 250;

/** Features of one block for every set, and the fingerprint of the encoder that made them; they stand in `room` where there is some. */
export async function encoderFeatures(
  encoder: FrozenEncoder,
  sets: readonly ImageSet[],
  backend: Backend,
  room?: readonly Float32Array[],
): Promise<{ features: Features[]; encoderHash: string }> {
  const { network } = encoder;
  const width = layerWidth(network, encoder.layer);
  const features = sets.map(({ count, labels, classes }, i) => ({
    rows: room?.[i].subarray(0, count * width) ?? new Float32Array(count * width),
    count,
    width,
    labels,
    classes: classes.length,
  }));
  for await (const { set, start, rows } of encoderRows(encoder, sets, backend))
    features[set].rows.set(rows, start * width);
  return { features, encoderHash: await hashWeights(synapsesOf(createModel(network)), encoder.weights) };
}

/** The rows from `start` on of one of the sets, by its number. */
export interface SomeRows {
  readonly set: number;
  readonly start: number;
  readonly rows: Float32Array;
}

/** What a reader reads off an encoder at work: results [count, width] of the views x [count, h, w, c]. */
export type ReadOff = (record: Recorder, model: Model, x: Tensor) => readonly Tensor[];

/** The program that reads features of pictures of the size of `set`. */
export const featuresProgram = (network: Encoder, set: Pick<ImageSet, "height" | "width">, layer?: string): Program =>
  recordReader({ network, weights: new Map(), valueRange: [0, 1], layer }, set, chunk).program;

/** Features of one block for every set, some rows at a time. */
export async function* encoderRows(
  frozen: FrozenEncoder,
  sets: readonly ImageSet[],
  backend: Backend,
): AsyncGenerator<SomeRows> {
  for await (const { results, ...place } of encoderResults(frozen, sets, backend, blockOutput(frozen.layer)))
    yield { ...place, rows: results[0] };
}

/**
 * What is read off the encoder for every set, some rows at a time: of each result its rows. The encoder is read back at the end: if a single
 * bit of it moved, this is an error.
 */
export async function* encoderResults(
  frozen: FrozenEncoder,
  sets: readonly ImageSet[],
  backend: Backend,
  readOff: ReadOff,
): AsyncGenerator<Omit<SomeRows, "rows"> & { readonly results: readonly Float32Array[] }> {
  const encoder = frozen.network;
  requirePictures(frozen.network, sets);
  const [{ height: h, width: w }] = sets;
  const { program, images, parameters, results, load, requireUnchanged } = recordReader(
    frozen,
    sets[0],
    chunk,
    readOff,
  );
  const engine = await backend.prepare([program]);
  try {
    load(engine);
    const row = new Float32Array(viewParameters);
    plainView({ from: { height: h, width: w }, to: encoder }, row);
    engine.write(
      parameters,
      Float32Array.from({ length: chunk * viewParameters }, (_, i) => row[i % viewParameters]),
    );
    for (const [number, set] of sets.entries()) {
      const pixels = h * w * encoder.channels;
      const padded = new Uint8Array(chunk * pixels);
      for (let start = 0; start < set.count; start += chunk) {
        const count = Math.min(chunk, set.count - start);
        copyPictures(set, range(start, count), padded);
        engine.write(images, padded);
        await engine.run(program);
        const read: Float32Array[] = [];
        for (const result of results) {
          const numbers = await engine.read(result);
          const rows = new Float32Array(numbers.subarray(0, count * result.shape[1]));
          requireNumbers("features", `the features of ${set.name}`, rows, "weights as large as these are of no use");
          read.push(rows);
        }
        yield { set: number, start, results: read };
      }
    }
    await requireUnchanged(engine);
  } finally {
    await engine.dispose();
  }
}

/** Refuses sets that a network does not read, or not in one program. */
export function requirePictures({ name, channels }: Encoder, sets: readonly ImageSet[]): void {
  const [{ height: h, width: w }] = sets;
  for (const set of sets)
    if (set.channels !== channels || set.height !== h || set.width !== w)
      throw wrong("features", set.name, `[n, ${h}, ${w}, ${channels}] for ${name}`, [
        set.count,
        set.height,
        set.width,
        set.channels,
      ]);
}

/** No encoder: the pixels of views of the network's input, from 0 to 1. */
export interface ViewPixels {
  readonly network: Encoder;
  readonly weights?: undefined;
}

/** Views of `count` pictures and what is read of them, as a program for any engine. */
export interface Reader {
  readonly program: Program;
  /** u8 [count, h, w, c]. */
  readonly images: Tensor;
  /** f32 [count, 20]: how the view of each is made, see program/views.ts. */
  readonly parameters: Tensor;
  /** [count, width]: the program's first result. */
  readonly rows: Tensor;
  /** All of them. */
  readonly results: readonly Tensor[];
  /** Writes the encoder into an engine. */
  readonly load: (engine: Engine) => void;
  /** Reads it back, and refuses to go on if a single bit of it moved. */
  readonly requireUnchanged: (engine: Engine) => Promise<void>;
}

export function recordReader(
  subject: FrozenEncoder | ViewPixels,
  { height: h, width: w }: Pick<ImageSet, "height" | "width">,
  count: number,
  readOff: ReadOff = blockOutput(subject.weights ? subject.layer : undefined),
): Reader {
  const { network, weights } = subject;
  const model = createModel(network);
  const { height, width, channels } = model.encoder;
  const images = persistent("images", [count, h, w, channels], "input", "u8");
  const indices = persistent("indices", [count], "input", "i32");
  const parameters = persistent("viewParameters", [count, viewParameters], "input");
  const record = recordProgram(`features of ${network.name}`);
  const { valueRange: [low, high] = [0, 1], normalise = undefined } = weights ? subject : {};
  const { x } = record.makeViews(
    { images, indices, parameters },
    { height, width, low, high, normalise },
    { x: "pictures" },
  );
  const results = weights ? readOff(record, model, x) : [flatten(x)];
  const program = record.finish(results);
  const used = new Set(persistentTensors([program]));
  const synapses = weights ? synapsesOf(model).filter((tensor) => used.has(tensor)) : [];
  return {
    program,
    images,
    parameters,
    rows: results[0],
    results,
    load: (engine) => {
      if (weights) for (const tensor of synapses) engine.write(tensor, finiteWeights(weights, tensor));
      engine.write(
        indices,
        Int32Array.from({ length: count }, (_, i) => i),
      );
    },
    requireUnchanged: async (engine) => {
      const after = new Map<string, Float32Array>();
      for (const tensor of synapses) after.set(tensor.name, Float32Array.from(await engine.read(tensor)));
      if (weights && (await hashWeights(synapses, after)) !== (await hashWeights(synapses, weights)))
        throw new SaccadeError("features: the encoder changed while its features were computed; this is a bug");
    },
  };
}

/** What a classifier reads: the output of one block, the last unless told, pooled as the network pools and flattened. */
const blockOutput =
  (layer?: string): ReadOff =>
  (record, model, x) => {
    const { encoder } = model;
    const end = blockPlace("features", encoder, layer) + 1;
    const output = recordBlocks(record, model, x, 0, end).at(-1)?.output ?? x;
    return [recordFeatures(record, { averagePool: featurePool(encoder.head, output.shape.slice(1)) }, output)];
  };

function* range(start: number, count: number): Iterable<number> {
  for (let i = start; i < start + count; i++) yield i;
}

function finiteWeights(weights: ReadonlyMap<string, Float32Array>, { name }: Tensor): Float32Array {
  const values = weights.get(name);
  if (values === undefined) throw wrong("features", name, "among the encoder's weights", "nothing");
  requireNumbers("features", name, values);
  return values;
}

/** SHA-256 over the names and bytes of the blocks' synapses, first 16 hex digits. */
export async function hashWeights(
  synapses: readonly Tensor[],
  weights: ReadonlyMap<string, Float32Array>,
): Promise<string> {
  const parts = synapses.flatMap(({ name }) => {
    const { buffer, byteOffset, byteLength } = weights.get(name) ?? new Float32Array();
    return [new TextEncoder().encode(name), new Uint8Array(buffer, byteOffset, byteLength)];
  });
  const bytes = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
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

// The paper's linear probe on views that are drawn anew in every epoch: each goes through the frozen encoder again. It is tested on centre crops.
//
// Every view is keyed by (seed, epoch, image), so results do not depend on threads, nor on how many pictures go through at a time.

import type { Backend, Engine } from "../backends/backend.ts";
import { drawRandomCrop, plainView, type RandomCrop, requireCrops, type ViewSizes } from "../data/augmentation.ts";
import { copyPictures, type ImageSet, requireLabels, requireSameClasses } from "../data/images.ts";
import { recordProgram } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import { persistent } from "../program/tensor.ts";
import { viewParameters } from "../program/views.ts";
import { accuracyOf, createClassifier, recordScoring } from "./classifier.ts";
import {
  type Features,
  type FrozenEncoder,
  type Reader,
  recordReader,
  requirePictures,
  type ViewPixels,
} from "./features.ts";
import {
  classifierAdam,
  classifierOrder,
  initialiseClassifier,
  type LinearProbeOptions,
  type LinearProbeResult,
  recordStep,
} from "./linear-probe.ts";

export interface AugmentedProbeOptions extends LinearProbeOptions {
  readonly seed: number;
  readonly augmentation: RandomCrop;
  /** One more epoch is done. */
  readonly onEpoch?: ((done: number, total: number) => void) | undefined;
}

/** Labelled pictures: those of `train` that are `chosen` to learn from, and others to be tested on. */
export interface AugmentedProbeSets {
  readonly train: ImageSet;
  readonly chosen: Int32Array;
  readonly test: ImageSet;
}

/** First word of the paths of random numbers that make this probe's views. */
const probeViews = 0x9c07;
/** Pictures that go through the encoder at a time. */
const chunk = 250;

/** The paper's linear probe, with a new random crop of every labelled picture in every epoch, each sent through the frozen encoder. */
export async function augmentedProbe(
  subject: FrozenEncoder | ViewPixels,
  { train, chosen, test }: AugmentedProbeSets,
  { epochs, learningRate, batch, seed, augmentation, onEpoch }: AugmentedProbeOptions,
  backend: Backend,
): Promise<LinearProbeResult> {
  const to = subject.network;
  const classes = train.classes.length;
  requireSameClasses("probe", "train and test", [train, test]);
  for (const set of [train, test]) requireLabels("probe", set.name, set, classes);
  requirePictures(subject.network, [train, test]);
  requireCrops(augmentation, { from: train, to });
  const n = Math.min(batch, chosen.length);
  const reader = recordReader(subject, train, Math.min(chunk, n));
  const width = reader.rows.shape[1];
  const x = persistent("batch", [n, width], "input");
  const y = persistent("batchLabels", [n], "input", "i32");
  const classifier = createClassifier(width, classes);
  const adam = classifierAdam(learningRate);
  const record = recordProgram("linear probe on new views");
  const loss = recordStep(record, { x, y }, classifier, adam);
  const step = record.finish([loss]);
  const scoring = recordScoring(classifier);

  const engine = await backend.prepare([reader.program, step, scoring.program]);
  try {
    reader.load(engine);
    engine.write(adam.rate, Float32Array.of(1));
    initialiseClassifier(engine, classifier, seed);
    let steps = 0;
    let lastLoss = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = Int32Array.from(chosen);
      randomStream(seed, classifierOrder, epoch).shuffle(order);
      const view: DrawView = (sizes, image, row) =>
        drawRandomCrop(augmentation, sizes, randomStream(seed, probeViews, epoch, image), row);
      const batches = Math.floor(order.length / n);
      for (let i = 0; i < batches; i++) {
        const images = order.subarray(i * n, (i + 1) * n);
        engine.write(x, await readRows(engine, reader, { set: train, images, to, view }));
        engine.write(
          y,
          images.map((image) => train.labels[image]),
        );
        engine.write(adam.step, Int32Array.of(++steps));
        await engine.run(step);
        if (epoch === epochs - 1) lastLoss += (await engine.read(loss))[0] / batches;
      }
      onEpoch?.(epoch + 1, epochs);
    }
    const accuracyOn = async (set: ImageSet, images: Int32Array): Promise<number> => {
      const rows = await readRows(engine, reader, { set, images, to, view: (sizes, _, row) => plainView(sizes, row) });
      const labels = images.map((image) => set.labels[image]);
      const features: Features = { rows, count: images.length, width, labels, classes };
      return accuracyOf(engine, scoring, features);
    };
    const result = {
      accuracy: await accuracyOn(test, Int32Array.from(test.labels.keys())),
      trainAccuracy: await accuracyOn(train, chosen),
      loss: lastLoss,
    };
    await reader.requireUnchanged(engine);
    return result;
  } finally {
    await engine.dispose();
  }
}

/** Fills the row of one image's view. */
type DrawView = (sizes: ViewSizes, image: number, row: Float32Array) => void;

/** What is read of a view of each of some images, [images, width]. */
async function readRows(
  engine: Engine,
  { program, images: pictures, parameters, rows }: Reader,
  { set, images, to, view }: { set: ImageSet; images: Int32Array; to: ViewSizes["to"]; view: DrawView },
): Promise<Float32Array> {
  const [count, width] = rows.shape;
  const pixels = new Uint8Array(count * set.height * set.width * set.channels);
  const views = new Float32Array(count * viewParameters);
  const read = new Float32Array(images.length * width);
  for (let start = 0; start < images.length; start += count) {
    const some = images.subarray(start, start + count);
    copyPictures(set, some, pixels);
    some.forEach((image, i) => {
      view({ from: set, to }, image, views.subarray(i * viewParameters, (i + 1) * viewParameters));
    });
    engine.write(pictures, pixels);
    engine.write(parameters, views);
    await engine.run(program);
    read.set((await engine.read(rows)).subarray(0, some.length * width), start * width);
  }
  return read;
}

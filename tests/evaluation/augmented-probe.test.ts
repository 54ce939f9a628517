// The linear probe on new random crops: against plain loops, on any number of threads, and what it refuses.

import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { cropDefaults, drawRandomCrop, type RandomCrop } from "../../src/data/augmentation.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { augmentedProbe } from "../../src/evaluation/augmented-probe.ts";
import { encoderFeatures, type FrozenEncoder } from "../../src/evaluation/features.ts";
import { type ProbeOptions, probe } from "../../src/evaluation/probe.ts";
import { randomStream } from "../../src/program/random.ts";
import { view, viewParameters } from "../../src/program/views.ts";

const [side, size] = [21, networks.tiny.height];

/** Noise, brighter from class to class; its left half is brighter than its right, so that flips are seen. */
function pictures(name: string, count: number, seed: number, { height = side, width = side } = {}): ImageSet {
  const random = randomStream(seed, 7);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const pixels = new Uint8Array(count * height * width * 3).map((_, at) => {
    const x = Math.floor(at / 3) % width;
    return 40 * labels[Math.floor(at / (3 * height * width))] + (x < width / 2 ? 60 : 0) + random.integer(150);
  });
  return { name, pixels, count, height, width, channels: 3, labels, classes: ["dark", "bright"] };
}

const train = pictures("crops train", 24, 1);
const held = pictures("crops test", 20, 2);
const chosen = Int32Array.from({ length: 13 }, (_, i) => i + 3);
const options = { epochs: 2, learningRate: 1e-2, batch: 5, seed: 3, augmentation: cropDefaults };
const pixels = { network: networks.tiny } as const;
const threads = wasmBackend({ threads: 2 });
const encoder: FrozenEncoder = {
  network: networks.tiny,
  valueRange: [-1, 1],
  weights: new Map([...initialise(createModel(networks.tiny), 4)].map(([{ name }, values]) => [name, values])),
};

interface Place {
  readonly left: number;
  readonly top: number;
  readonly flipped: boolean;
}

function placeOf(augmentation: RandomCrop, seed: number, epoch: number, image: number): Place {
  const row = new Float32Array(viewParameters);
  const sizes = { from: train, to: networks.tiny };
  drawRandomCrop(augmentation, sizes, randomStream(seed, 0x9c07, epoch, image), row);
  return { left: row[view.box], top: row[view.box + 1], flipped: row[view.affine] < 0 };
}

/** Pieces of some pictures, cut out by hand. */
function cut(set: ImageSet, images: Int32Array, place: (image: number) => Place): ImageSet {
  const piece = (image: number): number[] => {
    const { left, top, flipped } = place(image);
    return Array.from({ length: size * size * 3 }, (_, at) => {
      const [x, y] = [Math.floor(at / 3) % size, Math.floor(at / (3 * size))];
      const column = left + (flipped ? size - 1 - x : x);
      return set.pixels[((image * set.height + top + y) * set.width + column) * 3 + (at % 3)];
    });
  };
  return {
    ...set,
    height: size,
    width: size,
    count: images.length,
    pixels: Uint8Array.from([...images].flatMap(piece)),
    labels: images.map((image) => set.labels[image]),
  };
}

type Rows = (set: ImageSet) => Promise<number[][]>;

const pixelRows: Rows = async (set) => {
  const all = Array.from(set.pixels, (byte) => byte / 255);
  return Array.from(set.labels, (_, i) => all.slice(i * size * size * 3, (i + 1) * size * size * 3));
};

const encoderRows: Rows = async (set) => {
  const { rows, width } = (await encoderFeatures(encoder, [set], threads)).features[0];
  return Array.from(set.labels, (_, i) => [...rows.subarray(i * width, (i + 1) * width)]);
};

/** The probe in plain loops: new crops, softmax, Adam; accuracy on the centres. */
async function bruteForce(rowsOf: Rows, from: ImageSet, learnt: Int32Array, batch: number, epochs = options.epochs) {
  const { learningRate, seed, augmentation } = options;
  const middle = Math.round((side - size) / 2);
  const centre = (): Place => ({ left: middle, top: middle, flipped: false });
  const tested = cut(held, Int32Array.from(held.labels.keys()), centre);
  const testRows = await rowsOf(tested);
  const width = testRows[0].length;
  const start = randomStream(seed, 0xc1a5);
  const parameters = Array.from({ length: width * 2 + 2 }, () =>
    Math.fround((2 * start.uniform() - 1) / Math.sqrt(width)),
  );
  const moments = parameters.map(() => ({ m: 0, v: 0 }));
  const logits = (row: readonly number[]): number[] =>
    [0, 1].map((c) => row.reduce((sum, x, k) => sum + x * parameters[2 * k + c], parameters[2 * width + c]));
  let steps = 0;
  let loss = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = Int32Array.from(learnt);
    randomStream(seed, 0xc0de, epoch).shuffle(order);
    const batches = Math.floor(order.length / batch);
    loss = 0;
    for (let b = 0; b < batches; b++) {
      const images = order.subarray(b * batch, (b + 1) * batch);
      const seen = cut(from, images, (image) => placeOf(augmentation, seed, epoch, image));
      const rows = await rowsOf(seen);
      const gradient = parameters.map(() => 0);
      rows.forEach((row, i) => {
        const scores = logits(row);
        const sum = scores.reduce((all, score) => all + Math.exp(score), 0);
        loss += (Math.log(sum) - scores[seen.labels[i]]) / batch / batches;
        [0, 1].forEach((c) => {
          const error = (Math.exp(scores[c]) / sum - (c === seen.labels[i] ? 1 : 0)) / batch;
          row.forEach((x, k) => {
            gradient[2 * k + c] += error * x;
          });
          gradient[2 * width + c] += error;
        });
      });
      steps++;
      gradient.forEach((g, k) => {
        const { m, v } = moments[k];
        moments[k] = { m: 0.9 * m + 0.1 * g, v: 0.999 * v + 0.001 * g * g };
        const root = Math.sqrt(moments[k].v / (1 - 0.999 ** steps)) + 1e-8;
        parameters[k] -= (learningRate * moments[k].m) / (1 - 0.9 ** steps) / root;
      });
    }
  }
  const right = testRows.filter((row, i) => Number(logits(row)[1] > logits(row)[0]) === tested.labels[i]).length;
  return { accuracy: right / held.count, loss };
}

describe("the linear probe on random crops", () => {
  test.each([
    ["pixels", pixels, pixelRows, referenceBackend],
    ["an encoder", encoder, encoderRows, threads],
  ] as const)(
    "learns from %s of new crops in every epoch, and is tested on centres",
    async (_, subject, rowsOf, backend) => {
      const got = await augmentedProbe(subject, { train, chosen, test: held }, options, backend);
      const wanted = await bruteForce(rowsOf, train, chosen, options.batch);
      expect(got.loss).toBeCloseTo(wanted.loss, 5);
      expect(got.accuracy).toBe(wanted.accuracy);
    },
  );

  test("takes batches larger than what goes through the encoder at a time", async () => {
    const many = pictures("many", 260, 5);
    const all = Int32Array.from(many.labels.keys());
    const told = { ...options, epochs: 1, batch: 260 };
    const got = await augmentedProbe(pixels, { train: many, chosen: all, test: held }, told, referenceBackend);
    expect(got.loss).toBeCloseTo((await bruteForce(pixelRows, many, all, 260, 1)).loss, 5);
  });

  test("gives the same bits on any number of threads, and others from another seed", async () => {
    const on = (threads: number, seed = options.seed) =>
      augmentedProbe(encoder, { train, chosen, test: held }, { ...options, seed }, wasmBackend({ threads }));
    const one = await on(1);
    expect(await on(3)).toEqual(one);
    expect((await on(1, 9)).loss).not.toBe(one.loss);
  });

  test("draws every place evenly, anew in every epoch, and flips as often as it is told", () => {
    const places = Array.from({ length: 3600 }, (_, image) => placeOf(cropDefaults, 1, 0, image));
    const counts = new Map<string, number>();
    for (const { left, top } of places) counts.set(`${left},${top}`, (counts.get(`${left},${top}`) ?? 0) + 1);
    expect(counts.size).toBe((side - size + 1) ** 2);
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(50);
    expect(Math.abs(places.filter(({ flipped }) => flipped).length - 1800)).toBeLessThan(150);
    expect(places.filter((_, image) => placeOf({ kind: "crop", flip: 0 }, 1, 0, image).flipped)).toEqual([]);
    expect(Array.from({ length: 9 }, (_, image) => placeOf(cropDefaults, 1, 1, image))).not.toEqual(places.slice(0, 9));
  });

  test.each([
    [{ height: side, width: 15 }, 0.5, "pictures of at least 16×16 for probe.augmentation kind crop, got 21×15; take"],
    [
      { height: 16, width: 16 },
      0,
      "pictures larger than 16×16 for probe.augmentation kind crop without flips, got 16×16",
    ],
  ])("refuses pictures of %j with flips of %d", async (of, flip, sentence) => {
    const set = pictures("odd", 6, 1, of);
    const sets = { train: set, chosen, test: set };
    const told = { ...options, augmentation: { kind: "crop", flip } } as const;
    await expect(augmentedProbe(pixels, sets, told, referenceBackend)).rejects.toThrow(
      `probe: probe.train must be ${sentence}`,
    );
  });
});

describe("a probe with random crops", () => {
  const { weights, ...shared } = encoder;
  const subject = { ...shared, encoders: { trained: weights }, seed: 5 };
  const told: ProbeOptions = {
    readOuts: ["paper", "kNN"],
    labelsPerClass: [6],
    seeds: 1,
    epochs: 3,
    learningRate: 1e-2,
    batch: 4,
  };
  // Convolutions on threads, the rest in plain loops: sets as small as these are done before threads have started.
  const backend: Backend = {
    ...threads,
    prepare: (programs) => (programs[0].name.startsWith("features") ? threads : referenceBackend).prepare(programs),
  };

  test("changes the paper's read-out alone, of every subject, and says so", async () => {
    const plain = await probe(subject, train, held, told, backend);
    const epochs: string[] = [];
    const parts: number[] = [];
    const augmented = await probe(
      subject,
      train,
      held,
      { ...told, augmentation: { kind: "crop", flip: 0.5 } },
      backend,
      {
        onEpoch: (whose, epoch, of, done) => {
          epochs.push(`${whose} ${epoch}/${of}`);
          parts.push(done);
        },
      },
    );
    const details = (report: typeof plain, readOut: string) =>
      report.scores.filter((score) => score.readOut === readOut).map((score) => ({ ...score, seed: 0 }));
    expect(details(augmented, "kNN")).toEqual(details(plain, "kNN"));
    details(augmented, "paper").forEach((score, i) => {
      expect(score.details.loss).not.toBe(details(plain, "paper")[i].details.loss);
    });
    expect(epochs).toEqual(["trained", "random", "pixels"].flatMap((of) => [1, 2, 3].map((done) => `${of} ${done}/3`)));
    expect(parts.map((part) => Math.round(3 * part))).toEqual([1, 2, 3, 7, 8, 9, 13, 14, 15]);
    expect(plain.measured).toContain("encoder frozen, no augmentation; accuracy on");
    expect(augmented.measured).toContain(
      "the paper's read-out learns from random crops, flipped with probability 0.5, new in every epoch, and is tested on centre crops",
    );
  });

  test("refuses crops without the read-out that learns from them", async () => {
    const odd: ProbeOptions = { ...told, readOuts: ["kNN"], augmentation: cropDefaults };
    await expect(probe(subject, train, held, odd, backend)).rejects.toThrow(
      "probe: probe.augmentation is for the read-out paper, got readOuts kNN; add paper, or set probe.augmentation='{kind: none}'",
    );
  });
});

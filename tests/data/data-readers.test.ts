// The readers of dataset files: on small files written here, and on the real ones where $SACCADE_DATA has them.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { greyscale } from "../../src/data/images.ts";
import { nearest } from "../../src/data/nearest.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { cifar10Layout, cifar100Layout, readCifar } from "../../src/datasets/formats/cifar.ts";
import { readIdx } from "../../src/datasets/formats/idx.ts";
import { datasetNames, describeDataset } from "../../src/datasets/known-datasets.ts";
import type { DatasetRequest } from "../../src/datasets/request.ts";
import { SaccadeError } from "../../src/program/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "saccade-readers-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(path: string, bytes: Uint8Array): string {
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, bytes);
  return whole;
}

function idx(shape: readonly number[], values: readonly number[], type = 8): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  shape.forEach((extent, i) => {
    header.writeUInt32BE(extent, 4 + 4 * i);
  });
  return Buffer.concat([header, Uint8Array.from(values)]);
}

/** A CIFAR record whose red, green and blue planes count up from 0, 100 and 200. */
function record(...labels: readonly number[]): Uint8Array {
  const planes = Array.from({ length: 3072 }, (_, i) => (Math.floor(i / 1024) * 100 + (i % 1024)) % 256);
  return Uint8Array.from([...labels, ...planes]);
}

describe("readIdx", () => {
  const whole = idx([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

  test.each([
    { kind: "plain", bytes: whole },
    { kind: "gzipped", bytes: gzipSync(whole) },
  ])("reads a $kind file", ({ kind, bytes }) => {
    const read = readIdx(write(`idx/${kind}`, bytes));
    expect(read.shape).toEqual([2, 2, 3]);
    expect([...read.bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test.each([
    {
      fault: "truncated",
      bytes: whole.subarray(0, 20),
      says: "must hold 28 bytes, as its dimensions [2, 2, 3] say, got 20; fetch the file again",
    },
    {
      fault: "too-long",
      bytes: Buffer.concat([whole, Uint8Array.of(0)]),
      says: "must hold 28 bytes, as its dimensions [2, 2, 3] say, got 29; fetch the file again",
    },
    {
      fault: "html",
      bytes: Buffer.from("<html>404"),
      says: "must be an idx file, which begins with the bytes 00 00, got 3c 68; fetch the file again",
    },
    {
      fault: "empty",
      bytes: new Uint8Array(0),
      says: "must be an idx file, which begins with the bytes 00 00, got nothing; fetch the file again",
    },
    {
      fault: "floats",
      bytes: idx([1], [0, 0, 0, 0], 0x0d),
      says: "its values must be unsigned bytes (type 08), got type 0d; choose an idx file of bytes",
    },
    {
      fault: "header-cut",
      bytes: whole.subarray(0, 9),
      says: "must have 1 to 4 dimensions and 16 bytes of header, got 3 and 9 bytes; fetch the file again",
    },
    {
      fault: "gzip-cut",
      bytes: gzipSync(whole).subarray(0, 18),
      says: "must be an intact gzip file, got a damaged one (unexpected end of file); fetch the file again",
    },
  ])("refuses a file that is $fault", ({ fault, bytes, says }) => {
    const path = write(`idx/${fault}`, bytes);
    expect(() => readIdx(path)).toThrow(new RegExp(`^${escaped(`${path}: ${says}`)}$`));
  });
});

describe("readCifar", () => {
  /** The layouts of files of two records. */
  const [ten, hundred] = [cifar10Layout, cifar100Layout].map((layout) => ({ ...layout, records: 2 }));

  test("puts channels last, takes the fine label, joins files and keeps to the limit", () => {
    const paths = [
      write("cifar/a.bin", Buffer.concat([record(3, 60), record(4, 61)])),
      write("cifar/b.bin", Buffer.concat([record(5, 62), record(6, 63)])),
    ];
    const { pixels, labels, count } = readCifar(paths, hundred);
    expect([count, ...labels]).toEqual([4, 60, 61, 62, 63]);
    expect([...pixels.subarray(0, 6)]).toEqual([0, 100, 200, 1, 101, 201]);
    expect([...readCifar(paths, hundred, 1).labels]).toEqual([60]);
    expect([...readCifar([write("cifar/c.bin", Buffer.concat([record(9), record(8)]))], ten).labels]).toEqual([9, 8]);
  });

  test.each([
    { fault: "truncated", bytes: record(1).subarray(0, 3000) },
    { fault: "truncated between records", bytes: record(1) },
    { fault: "too long", bytes: Buffer.concat([record(1), record(2), record(3)]) },
    { fault: "empty", bytes: new Uint8Array(0) },
  ])("refuses a file that is $fault, whatever the limit", ({ fault, bytes }) => {
    const path = write(`cifar/${fault}.bin`, bytes);
    expect(() => readCifar([path], ten, 1)).toThrow(
      `${path}: must hold 6146 bytes, 2 records of 3073, got ${bytes.length}; fetch the file again`,
    );
  });

  test("refuses a label out of range", () => {
    const odd = write("cifar/odd.bin", Buffer.concat([record(1), record(10)]));
    expect(() => readCifar([odd], ten)).toThrow(
      `${odd}: the label of record 1 must be below 10, got 10; fetch the file again`,
    );
  });
});

test("a dataset without a single image is refused by name", async () => {
  write("none/MNIST/raw/train-images-idx3-ubyte", idx([0, 28, 28], []));
  write("none/MNIST/raw/train-labels-idx1-ubyte", idx([0], []));
  await expect(loadDataset({ dataset: "mnist", split: "train", folder: join(folder, "none") })).rejects.toThrow(
    new SaccadeError("MNIST train: its files hold no images; fetch them again"),
  );
});

describe("a file that cannot be read is a sentence", () => {
  const readers = { readIdx, readCifar: (path: string) => readCifar([path], { ...cifar10Layout, records: 1 }) };

  test.each(Object.entries(readers))("%s of a folder", (name, read) => {
    const path = join(folder, `${name}-folder`);
    mkdirSync(path);
    expect(() => read(path)).toThrow(
      new SaccadeError(`${path}: cannot be read (EISDIR); it must be a file that you have permission to read`),
    );
  });

  const why = process.getuid?.() === 0 ? " (skipped: root may read everything)" : "";
  test.skipIf(why).each(Object.entries(readers))(`%s without permission${why}`, (name, read) => {
    const path = write(`${name}-locked`, record(1));
    chmodSync(path, 0);
    expect(() => read(path)).toThrow(
      `${path}: cannot be read (EACCES); it must be a file that you have permission to read`,
    );
  });
});

describe("loadDataset", () => {
  test("knows how long CIFAR's files are", async () => {
    const small = { folder: join(folder, "short"), limit: 1 };
    const file = write("short/cifar-10-batches-bin/test_batch.bin", record(1));
    await expect(loadDataset({ dataset: "cifar-10", split: "test", ...small })).rejects.toThrow(
      `${file}: must hold 30730000 bytes, 10000 records of 3073, got 3073; fetch the file again`,
    );
    const train = write("short/cifar-100-binary/train.bin", record(1, 1));
    await expect(loadDataset({ dataset: "cifar-100", split: "train", ...small })).rejects.toThrow(
      `${train}: must hold 153700000 bytes, 50000 records of 3074, got 3074; fetch the file again`,
    );
  });

  const letters = "emnist/EMNIST/raw/emnist-letters-train";

  test("turns EMNIST's pictures upright and counts its letters from a", async () => {
    write(`${letters}-images-idx3-ubyte.gz`, gzipSync(idx([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
    write(`${letters}-labels-idx1-ubyte`, idx([2], [1, 26]));
    const set = await loadDataset({ dataset: "emnist-letters", split: "train", folder: join(folder, "emnist") });
    expect(set).toMatchObject({ name: "EMNIST letters train", count: 2, height: 3, width: 2, channels: 1 });
    expect([...set.pixels]).toEqual([1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12]);
    expect([...set.labels].map((label) => set.classes[label])).toEqual(["a", "z"]);
  });

  test("refuses a label that no class has, unless the limit leaves it out", async () => {
    write("odd/MNIST/raw/t10k-images-idx3-ubyte", idx([2, 1, 1], [7, 8]));
    const labels = write("odd/MNIST/raw/t10k-labels-idx1-ubyte", idx([2], [9, 10]));
    const request = { dataset: "mnist", split: "test", folder: join(folder, "odd") } as const;
    await expect(loadDataset(request)).rejects.toThrow(
      `${labels}: label 1 must be from 0 to 9, got 10; fetch the file again`,
    );
    expect([...(await loadDataset({ ...request, limit: 1 })).pixels]).toEqual([7]);
  });

  test("refuses files of images and labels that do not belong together", async () => {
    write("mixed/MNIST/raw/train-images-idx3-ubyte", idx([2, 1, 1], [7, 8]));
    const labels = write("mixed/MNIST/raw/train-labels-idx1-ubyte", idx([3], [1, 2, 3]));
    await expect(loadDataset({ dataset: "mnist", split: "train", folder: join(folder, "mixed") })).rejects.toThrow(
      `${labels}: must hold 2 labels, one for each image, got 3; fetch both files again`,
    );
    const images = write("swapped/MNIST/raw/train-images-idx3-ubyte", idx([3], [1, 2, 3]));
    write("swapped/MNIST/raw/train-labels-idx1-ubyte", idx([3], [1, 2, 3]));
    await expect(loadDataset({ dataset: "mnist", split: "train", folder: join(folder, "swapped") })).rejects.toThrow(
      `${images}: must be [images, height, width], got [3]; the files of images and labels may be swapped`,
    );
  });

  test("says where it looked for a missing dataset and what to do", async () => {
    const nowhere = join(folder, "nowhere");
    await expect(loadDataset({ dataset: "cifar-100", split: "test", folder: nowhere })).rejects.toThrow(
      `CIFAR-100: looked in ${nowhere} and did not find ${join("cifar-100-binary", "test.bin")}; fetch it: saccade data get cifar-100, or put the files there, or set SACCADE_DATA to the folder that holds them (dataset procedural-objects needs none)`,
    );
  });

  test("says that it looked in a file", async () => {
    const file = join(folder, "a file");
    writeFileSync(file, "");
    await expect(loadDataset({ dataset: "cifar-100", split: "test", folder: file })).rejects.toThrow(
      `CIFAR-100: looked in ${file}, which must be a folder, got a file; set SACCADE_DATA or the folder to another`,
    );
  });

  test("suggests the nearest name", async () => {
    await expect(loadDataset({ dataset: "cifar10", split: "train" })).rejects.toThrow(
      `loadDataset: dataset must be one of ${datasetNames.join(", ")}, got cifar10; did you mean cifar-10?`,
    );
  });

  test("refuses an unlabelled split of labelled files, and a limit of nothing", async () => {
    await expect(loadDataset({ dataset: "mnist", split: "unlabelled" })).rejects.toThrow(
      "loadDataset: split must be train or test for MNIST, got unlabelled; take stl-10 or procedural-objects for unlabelled images",
    );
    await expect(loadDataset({ dataset: "mnist", split: "test", limit: 0 })).rejects.toThrow(
      "loadDataset: limit must be a whole number of at least 1, got 0",
    );
  });

  test("renders procedural objects, as many as the limit says", async () => {
    const set = await loadDataset({ dataset: "procedural-objects", split: "unlabelled", limit: 3, seed: 1 });
    expect([set.name, set.count]).toEqual(["procedural objects unlabelled", 3]);
    const large = await loadDataset({ dataset: "procedural-objects", split: "unlabelled", limit: 1, size: 64 });
    expect([large.height, large.width]).toEqual([64, 64]);
    await expect(loadDataset({ dataset: "cifar-10", split: "train", size: 64 })).rejects.toThrow(
      "loadDataset: size must be left out for cifar-10, got 64; its pictures have a size of their own",
    );
  });

  test("makes grey of colours as torchvision does: whole levels of ITU-R 601 luma", async () => {
    const request = { dataset: "procedural-objects", split: "train", limit: 2 } as const;
    const [coloured, grey] = [await loadDataset(request), await loadDataset({ ...request, grey: true })];
    expect([grey.name, grey.channels, grey.pixels.length]).toEqual(["procedural objects train, grey", 1, 2 * 32 * 32]);
    for (const [i, level] of grey.pixels.entries()) {
      const [red, green, blue] = coloured.pixels.subarray(3 * i);
      expect(Math.abs(level - (0.299 * red + 0.587 * green + 0.114 * blue))).toBeLessThan(0.51);
    }
    // Pillow's convert("L") of (1, 2, 3), (200, 100, 50) and white.
    const pixels = Uint8Array.of(1, 2, 3, 200, 100, 50, 255, 255, 255);
    expect([...greyscale({ ...coloured, pixels }).pixels]).toEqual([2, 124, 255]);
    expect(greyscale(grey)).toBe(grey);
  });
});

describe("describeDataset", () => {
  test.each<DatasetRequest>([
    { dataset: "procedural-objects", split: "train", limit: 3 },
    { dataset: "procedural-objects", split: "unlabelled", limit: 2, size: 64, grey: true },
    { dataset: "procedural-movie", split: "test", limit: 9, size: 16 },
  ])("of %j says what is rendered", async (request) => {
    const { pixels, labels, ...rest } = await loadDataset(request);
    expect(await describeDataset(request)).toEqual(rest);
  });

  test("counts what a limit leaves of files, and as much as it says of what is rendered", async () => {
    const count = async (request: DatasetRequest) => (await describeDataset(request)).count;
    expect(await count({ dataset: "cifar-100", split: "train", limit: 60_000 })).toBe(50_000);
    expect(await count({ dataset: "cifar-10", split: "test", limit: 7 })).toBe(7);
    expect(await count({ dataset: "emnist-letters", split: "test" })).toBe(20_800);
    expect(await count({ dataset: "procedural-objects", split: "train" })).toBe(2000);
    expect(await count({ dataset: "procedural-objects", split: "train", limit: 60_000 })).toBe(60_000);
  });
});

describe("nearest", () => {
  test.each([
    ["mnits", "mnist"],
    ["CIFAR100", "cifar-100"],
    ["imagenet", undefined],
  ])("of %s is %s", (word, wanted) => {
    expect(nearest(word, datasetNames)).toBe(wanted);
  });
});

describe("the real files", () => {
  const data = process.env.SACCADE_DATA;
  const where = (path: string): string =>
    data && existsSync(join(data, path)) ? "" : ` (skipped: ${path} is not in $SACCADE_DATA)`;
  const [mnist, fashion, cifar10, cifar100] = [
    "MNIST/raw/train-images-idx3-ubyte.gz",
    "FashionMNIST/raw/t10k-images-idx3-ubyte.gz",
    "cifar-10-batches-bin/test_batch.bin",
    "cifar-100-binary/train.bin",
  ].map(where);
  const perClass = (labels: Int32Array, classes: number): number[] => {
    const counts = new Array<number>(classes).fill(0);
    for (const label of labels) counts[label]++;
    return counts;
  };

  test.for([
    ["mnist", "train", mnist],
    ["fashion-mnist", "test", fashion],
    ["cifar-10", "test", cifar10],
    ["cifar-100", "train", cifar100],
  ] as const)("of %s %s are what describeDataset says%s", async ([dataset, split, absent], { skip }) => {
    skip(absent !== "");
    const { pixels, labels, ...rest } = await loadDataset({ dataset, split });
    expect(await describeDataset({ dataset, split })).toEqual(rest);
  });

  test.skipIf(mnist)(`MNIST has 60,000 and 10,000 images, and begins with 5 0 4 1 9${mnist}`, async () => {
    const train = await loadDataset({ dataset: "mnist", split: "train" });
    expect([train.count, train.height, train.width, train.channels]).toEqual([60_000, 28, 28, 1]);
    expect([...train.labels.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    // The mean that everyone normalises by.
    expect(train.pixels.reduce((sum, value) => sum + value, 0) / train.pixels.length / 255).toBeCloseTo(0.1307, 4);
    expect((await loadDataset({ dataset: "mnist", split: "test" })).count).toBe(10_000);
  });

  test.skipIf(fashion)(`Fashion-MNIST has 1,000 test images of each class${fashion}`, async () => {
    const { labels } = await loadDataset({ dataset: "fashion-mnist", split: "test" });
    expect(perClass(labels, 10)).toEqual(new Array(10).fill(1000));
  });

  test.skipIf(cifar10)(`CIFAR-10 has 1,000 test images of each class${cifar10}`, async () => {
    const { labels, classes } = await loadDataset({ dataset: "cifar-10", split: "test" });
    expect(perClass(labels, 10)).toEqual(new Array(10).fill(1000));
    expect([...labels.subarray(0, 4)].map((label) => classes[label])).toEqual(["cat", "ship", "ship", "airplane"]);
  });

  test.skipIf(cifar100)(`CIFAR-100 has the published channel means${cifar100}`, async () => {
    const { pixels, labels } = await loadDataset({ dataset: "cifar-100", split: "train" });
    expect(perClass(labels, 100)).toEqual(new Array(100).fill(500));
    const sums = [0, 0, 0];
    for (let i = 0; i < pixels.length; i += 3) for (let k = 0; k < 3; k++) sums[k] += pixels[i + k];
    const means = sums.map((sum) => sum / (pixels.length / 3) / 255);
    [0.50708, 0.48655, 0.44092].forEach((mean, k) => {
      expect(means[k]).toBeCloseTo(mean, 4);
    });
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

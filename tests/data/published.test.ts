// What `saccade data check` knows of a dataset's files, loading checks once: another dataset's are refused, unknown ones are read with a note.

import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { SaccadeError } from "../../src/program/errors.ts";

const root = mkdtempSync(join(tmpdir(), "saccade-published-"));
const folder = join(root, "data");
const memory = join(folder, ".saccade-checksums.json");
const cachedBefore = process.env.XDG_CACHE_HOME;
beforeEach(() => {
  process.env.XDG_CACHE_HOME = join(root, "cache");
  rmSync(folder, { recursive: true, force: true });
  rmSync(join(root, "cache"), { recursive: true, force: true });
});
afterAll(() => {
  if (cachedBefore === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cachedBefore;
  rmSync(root, { recursive: true });
});

function write(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), bytes);
}

/** Five pictures of 28 × 28 and their labels, as MNIST's training files are called. */
function writeDigits(): void {
  const images = Buffer.alloc(16 + 5 * 784, 7);
  images.set([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 28, 0, 0, 0, 28]);
  write("MNIST/raw/train-images-idx3-ubyte", images);
  write("MNIST/raw/train-labels-idx1-ubyte", Buffer.of(0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 3, 4));
}

async function load(dataset = "mnist", split: "train" | "test" = "train"): Promise<{ count: number; notes: string[] }> {
  const notes: string[] = [];
  const { count } = await loadDataset(
    { dataset, split, folder },
    { onWarning: (note) => notes.push(note.replaceAll(`${root}/`, "")) },
  );
  return { count, notes };
}

async function refusal(of: Promise<unknown>): Promise<string> {
  const error = await of.then(
    () => new Error("nothing was refused"),
    (refused) => refused,
  );
  if (!(error instanceof SaccadeError)) throw error;
  return error.message.replaceAll(`${root}/`, "");
}

/** Lets the memory say that a file, as it lies there, has a checksum that no other bytes can be made to have. */
function remember(sums: Readonly<Record<string, string>>): void {
  const entries = Object.entries(sums).map(([path, sum]) => {
    const { size, mtimeMs } = statSync(join(folder, path));
    return [path, { size, mtimeMs, sums: [sum] }];
  });
  writeFileSync(memory, JSON.stringify(Object.fromEntries(entries)));
}

const note =
  "data/MNIST/raw/train-images-idx3-ubyte, data/MNIST/raw/train-labels-idx1-ubyte: not as published, by checksum (saccade data check mnist says more); taken as they are";

test("files that nobody knows are read, with one sentence, in every run", async () => {
  writeDigits();
  expect(await load()).toEqual({ count: 5, notes: [note] });
  expect(await load()).toEqual({ count: 5, notes: [note] });
});

test("checksums are remembered by size and time beside the data, and are a file's own", async () => {
  writeDigits();
  await load();
  const kept = JSON.parse(readFileSync(memory, "utf8"));
  expect(Object.keys(kept).sort()).toEqual(["MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte"]);
  const path = "MNIST/raw/train-labels-idx1-ubyte";
  const bytes = readFileSync(join(folder, path));
  expect(kept[path]).toEqual({
    size: 13,
    mtimeMs: statSync(join(folder, path)).mtimeMs,
    sums: [createHash("md5").update(bytes).digest("hex")],
  });
  // What is remembered is believed, until the file has another time or size.
  remember({ [path]: "25c81989df183df01b3e8a0aad5dffbe" });
  expect(await refusal(load())).toMatch(/Fashion-MNIST/);
  utimesSync(join(folder, path), 1000, 1000);
  expect(await load()).toEqual({ count: 5, notes: [note] });
  remember({ [path]: "25c81989df183df01b3e8a0aad5dffbe" });
  const { mtimeMs } = statSync(join(folder, path));
  write(path, Buffer.concat([bytes]).fill(4, 12));
  utimesSync(join(folder, path), mtimeMs / 1000, mtimeMs / 1000);
  expect(await refusal(load()), "the same size and time").toMatch(/Fashion-MNIST/);
  for (const damage of ["", "[]", "null", '{"MNIST/raw/train-labels-idx1-ubyte": 3}', '{"a": {"sums": "b"}}']) {
    writeFileSync(memory, damage);
    expect(await load(), `a memory of ${damage}`).toEqual({ count: 5, notes: [note] });
  }
});

const shared =
  "got MNIST's train-labels-idx1-ubyte.gz, by its checksum; put the right one there, or take dataset mnist";
test.each([
  [
    "Fashion-MNIST's pictures",
    "train-images-idx3-ubyte",
    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "got Fashion-MNIST's train-images-idx3-ubyte.gz, by its checksum; put the right one there, or take dataset fashion-mnist",
  ],
  [
    "Fashion-MNIST's labels",
    "train-labels-idx1-ubyte",
    "15d484375f8d13e6eb1aabb0c3f46965",
    "got Fashion-MNIST's t10k-labels-idx1-ubyte.gz, by its checksum; put the right one there, or take dataset fashion-mnist",
  ],
  [
    "Kuzushiji-MNIST's pictures",
    "train-images-idx3-ubyte",
    "bdb82020997e1d708af4cf47b453dcf7",
    "got Kuzushiji-MNIST's train-images-idx3-ubyte.gz, by its checksum; put the right one there",
  ],
  [
    "MNIST's own test pictures",
    "train-images-idx3-ubyte",
    "2646ac647ad5339dbf082846283269ea",
    "got MNIST's t10k-images-idx3-ubyte.gz, by its checksum; put the right one there",
  ],
])("%s in the place of MNIST's to train on are refused by name", async (_, file, md5, got) => {
  writeDigits();
  const path = `MNIST/raw/${file}`;
  remember({ [path]: md5 });
  expect(await refusal(load())).toBe(`data/${path}: must be the file of that name of mnist, ${got}`);
  // The other split is not read.
  write("MNIST/raw/t10k-images-idx3-ubyte", readFileSync(join(folder, "MNIST/raw/train-images-idx3-ubyte")));
  write("MNIST/raw/t10k-labels-idx1-ubyte", readFileSync(join(folder, "MNIST/raw/train-labels-idx1-ubyte")));
  expect((await load("mnist", "test")).count).toBe(5);
});

test("a batch of CIFAR-10's in the place of another is refused, and so is the test batch", async () => {
  const record = Buffer.alloc(30_730_000);
  for (let i = 1; i <= 5; i++) write(`cifar-10-batches-bin/data_batch_${i}.bin`, record);
  for (const [file, md5] of [
    ["data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"],
    ["test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"],
  ]) {
    remember({ "cifar-10-batches-bin/data_batch_1.bin": md5 });
    expect(await refusal(load("cifar-10"))).toBe(
      `data/cifar-10-batches-bin/data_batch_1.bin: must be the file of that name of cifar-10, got CIFAR-10's ${file}, by its checksum; put the right one there`,
    );
  }
});

test("EMNIST, whose files have no published checksums, is read without a word, but not in another's files", async () => {
  writeDigits();
  for (const what of ["images-idx3", "labels-idx1"])
    write(`EMNIST/raw/emnist-mnist-train-${what}-ubyte`, readFileSync(join(folder, `MNIST/raw/train-${what}-ubyte`)));
  expect(await load("emnist-mnist")).toEqual({ count: 5, notes: [] });
  const path = "EMNIST/raw/emnist-mnist-train-labels-idx1-ubyte";
  remember({ [path]: "a25bea736e30d166cdddb491f175f624" });
  expect(await refusal(load("emnist-mnist"))).toBe(
    `data/${path}: must be the file of that name of emnist-mnist, ${shared}`,
  );
});

test("what is published is read without a word", async () => {
  writeDigits();
  remember({
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
  });
  expect(await load()).toEqual({ count: 5, notes: [] });
});

test.skipIf(process.getuid?.() === 0)(
  "where the data may not be written to, the cache remembers (skipped as root, who may)",
  async () => {
    writeDigits();
    chmodSync(folder, 0o500);
    try {
      expect((await load()).notes).toEqual([note]);
      expect(readdirSync(join(root, "cache/saccade/checksums"))).toHaveLength(1);
    } finally {
      chmodSync(folder, 0o700);
    }
  },
);

test("where nothing may be written to, that is said", async () => {
  writeDigits();
  mkdirSync(memory);
  const place = join(root, "cache/saccade/checksums");
  await load();
  expect(readdirSync(place), "the cache remembers where the folder cannot").toHaveLength(1);
  expect(readdirSync(folder).sort()).toEqual([".saccade-checksums.json", "MNIST"]);
  rmSync(place, { recursive: true });
  writeFileSync(place, "a file where the folder should be");
  const { notes } = await load();
  expect(notes).toEqual([
    expect.stringMatching(/^checksums could not be stored, so they will be computed again each time: E/),
    note,
  ]);
});

describe("the real files", () => {
  const data = process.env.SACCADE_DATA ?? "";
  const lacks = ["MNIST/raw", "FashionMNIST/raw"].every((one) =>
    existsSync(join(data, one, "train-labels-idx1-ubyte.gz")),
  )
    ? ""
    : " (skipped: $SACCADE_DATA has no MNIST and Fashion-MNIST)";
  const names = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"];

  test.skipIf(lacks)(`of Fashion-MNIST are no MNIST, packed, unpacked, or packed anew${lacks}`, async () => {
    const original = (of: string, name: string): Buffer => readFileSync(join(data, of, "raw", name));
    mkdirSync(join(folder, "MNIST/raw"), { recursive: true });
    for (const name of names) copyFileSync(join(data, "MNIST/raw", name), join(folder, "MNIST/raw", name));
    expect(await load()).toEqual({ count: 60_000, notes: [] });
    for (const name of names) write(`MNIST/raw/${name}`, gzipSync(gunzipSync(original("MNIST", name)), { level: 1 }));
    expect(await load(), "packed anew, with the same inside").toEqual({ count: 60_000, notes: [] });
    const ways: Record<string, (bytes: Buffer) => Buffer> = {
      ".gz": (bytes) => bytes,
      "": (bytes) => gunzipSync(bytes),
      ".gz ": (bytes) => gzipSync(gunzipSync(bytes), { level: 1 }),
    };
    for (const [ending, way] of Object.entries(ways)) {
      rmSync(join(folder, "MNIST"), { recursive: true });
      for (const name of names)
        write(`MNIST/raw/${name.replace(".gz", ending.trim())}`, way(original("FashionMNIST", name)));
      expect(await refusal(load())).toBe(
        `data/MNIST/raw/train-images-idx3-ubyte${ending.trim()}: must be the file of that name of mnist, got Fashion-MNIST's train-images-idx3-ubyte.gz, by its checksum; put the right one there, or take dataset fashion-mnist`,
      );
    }
  });
});

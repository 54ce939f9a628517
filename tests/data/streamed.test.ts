// Datasets too large for memory: a streamed set trains, is looked at and is told apart as the same pictures in memory are.
import { ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { copyPictures, greyscale, type ImageSet } from "../../src/data/images.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { describeData } from "../../src/runs/configured-data.ts";
import { configuredModel, recordConfigured } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";

const resident = proceduralObjects({ split: "unlabelled", count: 90, seed: 4, size: 16 });
const size = 16 * 16 * 3;

function streamed(set: ImageSet): ImageSet {
  const read = (image: number, into: Uint8Array): void => {
    expect(into.length).toBe(set.pixels.length / set.count);
    into.set(set.pixels.subarray(image * into.length, (image + 1) * into.length));
  };
  return { ...set, pixels: new Uint8Array(), read, streamed: true };
}

const configured = (more: object) =>
  parseConfig(
    {
      name: "streamed",
      data: { dataset: "procedural-objects", split: "unlabelled", size: 16 },
      encoder: "tiny",
      batch: 20,
      epochs: 2,
      loss: { kind: "contrastiveHinge", negatives: 5 },
      ...more,
    },
    "test",
  );

/** All that six steps over two epochs leave: losses, views, X-rays, weights. */
async function trained(set: ImageSet, more: object): Promise<unknown[]> {
  const trainer = await createTrainer({ config: configured(more), dataset: set, backend: wasmBackend({ threads: 1 }) });
  try {
    const left: unknown[] = [await trainer.xray()];
    for (let step = 0; step < 6; step++) {
      left.push((await trainer.step()).loss, Float32Array.from(await trainer.views()), await trainer.xray());
    }
    return [...left, await trainer.state()];
  } finally {
    await trainer.dispose();
  }
}

test.each([
  ["E2E BP", {}],
  ["RLL RF", { learning: "RLL", update: "RF" }],
  ["cross-entropy", { loss: { kind: "crossEntropy" }, data: { dataset: "procedural-objects", size: 16 } }],
])("%s learns the same from pictures that come batch by batch", async (_, more) => {
  const [wanted, got] = [await trained(resident, more), await trained(streamed(resident), more)];
  expect(got).toEqual(wanted);
});

test("the engine holds the batch and the probe batch, not the dataset", async () => {
  const config = configured({ data: { dataset: "stl-10", split: "unlabelled" }, encoder: "vgg6", batch: 32 });
  const shape = await describeData(config, "test");
  expect(shape).toMatchObject({ count: 100_000, streamed: true });
  const [{ program }] = recordConfigured(config, configuredModel(config), shape).lessons;
  const held = program.operations.flatMap(({ inputs }) => Object.values(inputs)).find(({ name }) => name === "images");
  expect(held?.shape).toEqual([64, 96, 96, 3]);
});

test("grey comes out the same", () => {
  const [whole, part] = [greyscale(resident), greyscale(streamed(resident))];
  expect([part.name, part.channels, part.pixels.length]).toEqual([whole.name, 1, 0]);
  const into = new Uint8Array((3 * size) / 3);
  copyPictures(part, [7, 89, 7], into);
  const levels = size / 3;
  const of = (image: number): Uint8Array => whole.pixels.subarray(image * levels, (image + 1) * levels);
  expect(into).toEqual(Uint8Array.from([...of(7), ...of(89), ...of(7)]));
});

test("STL-10's 2.7 GB stay in their file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "saccade-stl10-"));
  try {
    mkdirSync(join(folder, "stl10_binary"));
    const file = openSync(join(folder, "stl10_binary", "unlabeled_X.bin"), "w");
    const picture = 96 * 96 * 3;
    // Full of holes, as long as the real one, with one bright pixel: row 2, column 5, of green, of the last picture.
    ftruncateSync(file, 100_000 * picture);
    writeSync(file, Uint8Array.of(200), 0, 1, 99_999 * picture + 96 * 96 + 5 * 96 + 2);
    const before = process.memoryUsage();
    const set = await loadDataset({ dataset: "stl-10", split: "unlabelled", folder });
    expect(set).toMatchObject({ name: "STL-10 unlabelled", count: 100_000, streamed: true, classes: ["unlabelled"] });
    const into = new Uint8Array(2 * picture);
    copyPictures(set, [0, 99_999], into);
    const bright = [...into.keys()].filter((i) => into[i] > 0);
    expect(bright).toEqual([picture + (2 * 96 + 5) * 3 + 1]);
    const { arrayBuffers } = process.memoryUsage();
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 23);
    const trainer = await createTrainer({
      config: configured({ xrayEvery: 0 }),
      dataset: set,
      backend: wasmBackend({ threads: 1 }),
    });
    try {
      expect(trainer.bytes).toBeLessThan(2 ** 26);
      expect(Number.isFinite((await trainer.step()).loss)).toBe(true);
    } finally {
      await trainer.dispose();
    }
    ftruncateSync(file, 99_999 * picture);
    expect(() => copyPictures(set, [99_999], into)).toThrow(
      /unlabeled_X\.bin: picture 99999 must have 27648 bytes, got 0; fetch the file again$/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

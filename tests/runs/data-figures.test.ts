// The figures of a dataset: the contact sheet shows what the set holds, and its views are those that a run will see.

import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralMovie, proceduralObjects } from "../../src/data/procedural-objects.ts";
import { pictureGrid } from "../../src/figures/picture-grid.ts";
import { contactSheet, firstViews } from "../../src/runs/data-figures.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";

/** Pictures of one level each: 10 · label + how many of its class came before. */
function flat(labels: readonly number[], classes: readonly string[], side = 32): ImageSet {
  const levels = labels.map((label, i) => 10 * label + labels.slice(0, i).filter((one) => one === label).length);
  return {
    name: "flat train",
    pixels: Uint8Array.from({ length: labels.length * side * side }, (_, i) => levels[Math.floor(i / (side * side))]),
    count: labels.length,
    height: side,
    width: side,
    channels: 1,
    labels: Int32Array.from(labels),
    classes,
  };
}

const texts = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);

/** Every level that fills at least one whole picture of the figure. */
function levelsIn(png: Uint8Array, area: number): number[] {
  const { data } = PNG.sync.read(Buffer.from(png));
  const counts = new Map<number, number>();
  for (let i = 0; i < data.length; i += 4)
    if (data[i] === data[i + 1] && data[i] === data[i + 2]) counts.set(data[i], (counts.get(data[i]) ?? 0) + 1);
  return [...counts]
    .filter(([level, count]) => level < 100 && count >= area)
    .map(([level]) => level)
    .sort((a, b) => a - b);
}

test("a contact sheet shows pictures of every class under its name, evenly spaced", async () => {
  const labels = Array.from({ length: 36 }, (_, i) => (i < 32 ? i % 2 : 2));
  const { svg, png } = await contactSheet(flat(labels, ["<first>", "second", "third", "never seen"]), true);
  expect(texts(svg)).toEqual([
    "flat train",
    "36 pictures of 32 × 32, at most 8 of each class",
    "&lt;first&gt;",
    "second",
    "third",
  ]);
  // Of 16 pictures every second, of 4 all.
  const expected = [0, 2, 4, 6, 8, 10, 12, 14, 10, 12, 14, 16, 18, 20, 22, 24, 20, 21, 22, 23];
  expect(levelsIn(png, 64 * 64)).toEqual([...new Set(expected)].sort((a, b) => a - b));
});

test("a contact sheet without classes shows pictures of the whole set", async () => {
  const { svg, png } = await contactSheet(flat(Array(5).fill(0), ["only"], 96), false);
  expect(texts(svg)).toEqual(["flat train", "5 pictures of 96 × 96"]);
  expect(levelsIn(png, 96 * 96)).toEqual([0, 1, 2, 3, 4]);
});

test("many classes have fewer pictures each, so that the sheet stays a sheet", async () => {
  const labels = Array.from({ length: 500 }, (_, i) => i % 100);
  const classes = Array.from({ length: 100 }, (_, i) => `class ${i}`);
  const { svg, png } = await contactSheet(flat(labels, classes), true);
  expect(texts(svg)).toContain("500 pictures of 32 × 32, 3 of each class");
  expect(texts(svg).slice(2)).toEqual(classes);
  const { width, height } = PNG.sync.read(Buffer.from(png));
  expect(width).toBeLessThan(1400);
  expect(height).toBeLessThan(3000);
});

test("labels of boxes must be as many as the boxes", async () => {
  const grid = { title: "", caption: "", boxes: [[new Float32Array(4)]], height: 2, width: 2, channels: 1, labels: [] };
  await expect(pictureGrid(grid)).rejects.toThrow("pictureGrid: labels must be 1, one for each box, got 0");
});

const tiny = { encoder: "tiny", batch: 6, epochs: 1, xrayEvery: 0, seed: 3 };

test.each([
  ["two views", { augmentation: { kind: "affine" } }],
  ["one view", { augmentation: { kind: "simclr" }, loss: { kind: "crossEntropy" }, learning: "E2E" }],
  ["frames", { pairing: "frames", loss: { kind: "contrastiveHinge", negatives: 3, negativesReading: "past" } }],
] as const)("first views are those of a run's first step: %s", async (_, words) => {
  const movie = "pairing" in words;
  const set = (movie ? proceduralMovie : proceduralObjects)({ split: "train", count: 24, seed: 5, size: 32 });
  const dataset = movie ? "procedural-movie" : "procedural-objects";
  const config = parseConfig({ name: "t", data: { dataset }, ...tiny, ...words }, "t");
  const trainer = await createTrainer({ config, dataset: set, backend: referenceBackend });
  await trainer.step();
  const { views, images } = await firstViews(config, set, referenceBackend);
  expect(images).toBe(6);
  expect(views).toEqual(await trainer.views());
  await trainer.dispose();
});

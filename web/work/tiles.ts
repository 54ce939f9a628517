// Pictures for the page's canvases, out of the engine's numbers.

import type { Backend, Numbers } from "../../src/backends/backend.ts";
import { drawViews } from "../../src/data/augmentation.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { pairings } from "../../src/data/pairing.ts";
import { networkOf } from "../../src/encoders/networks.ts";
import { recordProgram } from "../../src/program/program.ts";
import { persistent } from "../../src/program/tensor.ts";
import { viewParameters } from "../../src/program/views.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredPairs } from "../../src/training/configured-rule.ts";
import { madeLoss } from "../../src/training/registry.ts";
import type { Tiles } from "../messages.ts";

type Range = readonly [number, number];

/** Pairs that are shown. */
export const shownPairs = 6;

/** RGB pictures [count, h, w, 3], `range` from black to full brightness. */
export function colourTiles(numbers: Numbers, [height, width]: readonly number[], [low, high]: Range): Tiles {
  const count = numbers.length / (height * width * 3);
  const rgba = new Uint8ClampedArray(count * height * width * 4);
  for (let pixel = 0; pixel < count * height * width; pixel++) {
    for (let k = 0; k < 3; k++) rgba[4 * pixel + k] = (255 * (numbers[3 * pixel + k] - low)) / (high - low);
    rgba[4 * pixel + 3] = 255;
  }
  return { count, height, width, rgba };
}

/** Views of a batch [v·n, h, w, 3], of its first `count` images, alternating: anchor, view, anchor, view. */
export function pairTiles(
  numbers: Numbers,
  { encoder, valueRange, normalise }: Pick<Config, "encoder" | "valueRange" | "normalise">,
  views: number,
  count: number,
): Tiles {
  const { height, width } = networkOf(encoder);
  const size = height * width * 3;
  const images = numbers.length / size / views;
  const some = Math.min(count, images);
  const chosen = new Float32Array(views * some * size);
  const { mean, std } = normalise ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  for (let i = 0; i < some; i++)
    for (let view = 0; view < views; view++) {
      const from = (view * images + i) * size;
      const to = (views * i + view) * size;
      for (let at = 0; at < size; at++) chosen[to + at] = numbers[from + at] * std[at % 3] + mean[at % 3];
    }
  return colourTiles(chosen, [height, width], valueRange);
}

/** First-layer weights [kh, kw, 3, o] as o pictures; grey is 0, each filter stretched to its own largest weight. */
export function filterTiles(weights: Numbers, outputs: number, side: number): Tiles {
  const size = side * side * 3;
  const pictures = new Float32Array(outputs * size);
  for (let o = 0; o < outputs; o++) {
    let largest = 0;
    for (let at = 0; at < size; at++) largest = Math.max(largest, Math.abs(weights[at * outputs + o]));
    for (let at = 0; at < size; at++) pictures[o * size + at] = weights[at * outputs + o] / (largest || 1);
  }
  return colourTiles(pictures, [side, side], [-1, 1]);
}

/** Maps [h, w, c] of one picture: its `count` most active channels, negative blue, zero dark, positive yellow. */
export function activityTiles(
  maps: Numbers,
  [height, width, channels]: readonly number[],
  chosen: readonly number[],
): Tiles {
  let largest = 0;
  for (const c of chosen)
    for (let p = 0; p < height * width; p++) largest = Math.max(largest, Math.abs(maps[p * channels + c]));
  const rgba = new Uint8ClampedArray(chosen.length * height * width * 4);
  chosen.forEach((c, tile) => {
    for (let p = 0; p < height * width; p++) {
      const value = maps[p * channels + c] / (largest || 1);
      const size = Math.sqrt(Math.abs(value));
      const [red, green, blue] = value > 0 ? [250, 204, 80] : [90, 160, 245];
      const at = 4 * (tile * height * width + p);
      rgba.set([22 + (red - 22) * size, 24 + (green - 24) * size, 32 + (blue - 32) * size, 255], at);
    }
  });
  return { count: chosen.length, height, width, rgba };
}

/** What the first step sees of its first `count` images, made by the same operation from the same random numbers. */
export async function firstPairs(config: Config, set: ImageSet, count: number, backend: Backend): Promise<Tiles> {
  const { height, width } = networkOf(config.encoder);
  const { views } = madeLoss(config);
  const { anchors } = configuredPairs(config, set);
  const samples = pairings.augmentation.order(anchors, config.seed, 0).subarray(0, count);
  const rows = views * samples.length;
  const images = persistent("images", [set.count, set.height, set.width, set.channels], "input", "u8");
  const indices = persistent("indices", [rows], "input", "i32");
  const parameters = persistent("viewParameters", [rows, viewParameters], "input");
  const record = recordProgram("first pairs");
  const [low, high] = config.valueRange;
  const { x } = record.makeViews({ images, indices, parameters }, { height, width, low, high }, { x: "views" });
  const program = record.finish([x]);
  const engine = await backend.prepare([program]);
  try {
    engine.write(images, set.pixels);
    engine.write(
      indices,
      Int32Array.from({ length: rows }, (_, row) => samples[row % samples.length]),
    );
    const sizes = { from: set, to: networkOf(config.encoder) };
    engine.write(parameters, drawViews(config.augmentation, sizes, { seed: config.seed, epoch: 0, samples, views }));
    await engine.run(program);
    const { encoder, valueRange } = config;
    return pairTiles(await engine.read(x), { encoder, valueRange }, views, count);
  } finally {
    await engine.dispose();
  }
}

// What an encoder has learnt: nearest neighbours by class, a map, and one picture in every layer. Loaded once there is something to read.

import type { Backend } from "../../src/backends/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { pictures } from "../../src/encoders/encoder.ts";
import { recordBlocks } from "../../src/encoders/forward.ts";
import { networkOf } from "../../src/encoders/networks.ts";
import { encoderFeatures, encoderResults, pixelFeatures, untrainedWeights } from "../../src/evaluation/features.ts";
import { flatten } from "../../src/program/tensor.ts";
import type { Config } from "../../src/training/config.ts";
import type { Accuracy, Reading } from "../messages.ts";
import { accuracyOf } from "./accuracy.ts";
import { fitted, overPlaces, planeOf } from "./map.ts";
import { activityTiles, colourTiles } from "./tiles.ts";

type Weights = ReadonlyMap<string, Float32Array>;

export interface Readings {
  readonly read: (step: number, weights: Weights) => Promise<Reading>;
  /** Of no network, and of the untrained one. */
  readonly baseline: () => Promise<{ pixels: Accuracy; random: Accuracy; reading: Reading }>;
}

/** Labelled pictures: to find neighbours among, to ask about, of these to draw in the map; channels of a layer that are shown. */
const sizes = { train: 500, test: 500, map: 300, channels: 6 } as const;

export function createReadings(config: Config, backend: Backend): Readings {
  const { valueRange, normalise, seed, data } = config;
  const network = networkOf(config.encoder);
  const { size = 32 } = data;
  const [train, test] = (["train", "test"] as const).map((split) =>
    proceduralObjects({ split, count: sizes[split], seed: data.seed, size }),
  );
  const shapes = pictures(network).slice(1);
  let plane: Float64Array | undefined;
  /** The same channels all through a run. */
  let channels: readonly (readonly number[])[] | undefined;

  async function read(step: number, weights: Weights): Promise<Reading> {
    const { features } = await encoderFeatures({ network, weights, valueRange, normalise }, [train, test], backend);
    const accuracy = await accuracyOf(features[0], features[1], seed, backend);
    const outputs = shapes[shapes.length - 1][2];
    const pooled = overPlaces(features[1], outputs);
    plane = planeOf(pooled.subarray(0, sizes.map * outputs), sizes.map, outputs, plane);
    return { step, accuracy, map: fitted(plane), labels: test.labels.slice(0, sizes.map), ...(await seen(weights)) };
  }

  /** One test picture in every layer. */
  async function seen(weights: Weights): Promise<Pick<Reading, "activity" | "picture">> {
    const one: ImageSet = { ...test, pixels: test.pixels.subarray(0, size * size * 3), count: 1 };
    const maps: Float32Array[] = [];
    const frozen = { network, weights, valueRange, normalise };
    for await (const { results } of encoderResults(frozen, [one], backend, (record, model, x) =>
      recordBlocks(record, model, x, 0, shapes.length).map(({ output }) => flatten(output)),
    ))
      maps.push(...results);
    channels ??= maps.map((numbers, i) => mostActive(numbers, shapes[i][2], sizes.channels));
    const chosen = channels;
    return {
      activity: maps.map((numbers, i) => activityTiles(numbers, shapes[i], chosen[i])),
      picture: colourTiles(one.pixels, [size, size], [0, 255]),
    };
  }

  return {
    read,
    baseline: async () => {
      const pixels = await accuracyOf(pixelFeatures(train), pixelFeatures(test), seed, backend);
      const reading = await read(0, untrainedWeights(network, seed));
      return { pixels, random: reading.accuracy, reading };
    },
  };
}

/** Channels of maps [places, channels] whose responses are largest, in their order. */
function mostActive(numbers: Float32Array, count: number, wanted: number): number[] {
  const sums = new Float64Array(count);
  for (let at = 0; at < numbers.length; at++) sums[at % count] += Math.abs(numbers[at]);
  return [...sums.keys()]
    .sort((a, b) => sums[b] - sums[a])
    .slice(0, wanted)
    .sort((a, b) => a - b);
}

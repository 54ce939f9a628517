// Small training runs that are the same in Node and in a page: 16 pictures of bars, the MNIST network.

import type { Backend } from "../../../src/backends/backend.ts";
import { wasmBackend } from "../../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../../src/data/images.ts";
import { randomStream } from "../../../src/program/random.ts";
import type { Config } from "../../../src/training/config.ts";
import { parseConfig } from "../../../src/training/parse-config.ts";
import { createTrainer } from "../../../src/training/trainer.ts";

export interface Trained {
  readonly losses: number[];
  /** Of every synapse and the optimiser's state, in the order of the step. */
  readonly sha256: string;
}

const steps = 4;
const configured = (change: object): Config =>
  parseConfig(
    {
      name: "browser",
      data: { dataset: "bars" },
      augmentation: { kind: "affine" },
      encoder: "mnist",
      batch: 8,
      epochs: 2,
      ...change,
    },
    "tests/browser",
  );
const plain = configured({});
/** Every layer by itself, by feedback that learns with the weights. */
export const layerwise = configured({ learning: "RLL", update: "URF" });

/** Pictures of one bright bar each, at a random place, on noise. */
function bars(count: number, side: number): ImageSet {
  const pixels = new Uint8Array(count * side * side);
  for (let i = 0; i < count; i++) {
    const random = randomStream(plain.seed, i);
    const [top, left] = [4 + random.integer(12), 4 + random.integer(12)];
    const [height, width] = i % 2 === 0 ? [10, 3] : [3, 10];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const inside = y >= top && y < top + height && x >= left && x < left + width;
        pixels[(i * side + y) * side + x] = (inside ? 192 : 0) + random.integer(64);
      }
  }
  return {
    name: "bars",
    pixels,
    count,
    height: side,
    width: side,
    channels: 1,
    labels: Int32Array.from({ length: count }, (_, i) => i % 2),
    classes: ["upright", "lying"],
  };
}

/** `steps` updates, two of each of the two epochs. */
export async function trainOn(backend: Backend, config: Config): Promise<Trained> {
  const trainer = await createTrainer({ config, dataset: bars(16, 28), backend });
  try {
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) losses.push((await trainer.step()).loss);
    const state = await new Blob([...(await trainer.state()).values()] as BlobPart[]).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", state));
    return { losses, sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") };
  } finally {
    await trainer.dispose();
  }
}

export const train = async (threads: number | "here"): Promise<Trained> => trainOn(wasmBackend({ threads }), plain);

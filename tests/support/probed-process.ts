// A process that probes noise and prints what it has taken of memory: its peak less what it had before. Takes one JSON argument.

import { readFileSync } from "node:fs";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { probeMemory } from "../../src/evaluation/memory.ts";
import { type ProbeOptions, probe } from "../../src/evaluation/probe.ts";

export interface Probed {
  readonly counts: readonly [train: number, test: number];
  /** Height, width and channels. */
  readonly shape: readonly [number, number, ImageSet["channels"]];
  readonly options: Pick<ProbeOptions, "readOuts" | "labelsPerClass" | "subjects">;
}

const { counts, shape, options } = JSON.parse(process.argv[2] ?? "") as Probed;
const [height, width, channels] = shape;

function noise(name: string, count: number, seed: number): ImageSet {
  const size = height * width * channels;
  // Numerical Recipes' generator: millions of numbers, of which nothing is asked.
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 25;
  };
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
  const pixels = Uint8Array.from({ length: count * size }, (_, at) => 4 * labels[Math.floor(at / size)] + next());
  return { name, pixels, count, height, width, channels, labels, classes: [..."abcdefghij"] };
}

const [train, test] = counts.map((count, i) => noise(`noise ${i}`, count, i));
const network = networks.tiny;
const weights = new Map([...initialise(createModel(network), 1)].map(([tensor, values]) => [tensor.name, values]));
const wanted = { seeds: 1, epochs: 1, learningRate: 1e-3, batch: 500, ...options };
const before = process.memoryUsage.rss();
await probe(
  { network, valueRange: [0, 1], encoders: { trained: weights }, seed: 0 },
  train,
  test,
  wanted,
  wasmBackend({ threads: 2 }),
);
const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
const forecast = probeMemory({ network, train, test }, wanted);
process.stdout.write(JSON.stringify({ taken: 1024 * Number(peak) - before, forecast }));

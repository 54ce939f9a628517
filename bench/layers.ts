// Part (a): every fused stage of a training step, timed alone, against what the machine can multiply and move.

import { pictures } from "../src/encoders/encoder.ts";
import { createHead, createModel, synapsesOf, tensorsOf } from "../src/encoders/model.ts";
import { networks } from "../src/encoders/networks.ts";
import { explain } from "../src/program/explain.ts";
import { type Program, recordProgram } from "../src/program/program.ts";
import { persistent, sizeOf, type Tensor } from "../src/program/tensor.ts";
import { createOptimiser, recordUpdates } from "../src/rules/optimiser.ts";
import type { BenchDevice } from "./device.ts";
import { type Timing, timing } from "./measure.ts";
import type { StageProgram } from "./stages.ts";
import { openStages, validateStages } from "./validate.ts";
import { type BenchNetwork, batchOf, workloads } from "./workloads.ts";

export interface Limits {
  /** Of the matrix product with everything in the cache, the fastest of its runs. */
  readonly flopsPerSecond: number;
  /** Of `combine` on arrays far larger than the cache: two read, one written. */
  readonly bytesPerSecond: number;
}

export interface LayerTime {
  readonly network: BenchNetwork;
  /** Images per step. */
  readonly batch: number;
  readonly stage: string;
  readonly direction: StageProgram["direction"];
  /** Of the direct form of every convolution: Winograd's form computes fewer. */
  readonly flops: number;
  readonly bytes: number;
  readonly time: Timing;
}

/** Runs of a limit that are not counted. */
const warmUp = 2;

/** Adam over all synapses, timed alone: within a step it is part of other stages. */
export const adamAloneName = "all synapses adam";

export async function measureLimits(device: BenchDevice, threads: number, iterations: number): Promise<Limits> {
  const backend = await device.open(threads);
  const { m, k, n, products, moved: size } = device.limits;
  const x = persistent("x", [m, k], "input");
  const w = persistent("w", [k, n], "weight");
  const multiplying = recordProgram("multiply");
  const ys = Array.from({ length: products }, (_, i) => multiplying.linear({ x, w }, {}, { y: `y${i}` }).y);
  const multiply = multiplying.finish(ys.slice(-1));

  const [a, b] = ["a", "b"].map((name) => persistent(name, [size], "input"));
  const moving = recordProgram("move");
  const move = moving.finish([moving.combine({ a, b }, { alpha: 1, beta: 1 }, { y: "y" }).y]);

  const best = async (program: Program, operands: readonly Tensor[], wanted: number): Promise<number> => {
    const engine = await backend.prepare([program]);
    for (const tensor of operands) engine.write(tensor, new Float32Array(sizeOf(tensor.shape)).fill(1));
    await engine.run(program);
    const wrong = (await engine.read(program.results[0])).find((value) => value !== wanted);
    if (wrong !== undefined) throw new Error(`${program.name}: wanted ${wanted} everywhere, got ${wrong}`);
    const seconds: number[] = [];
    for (let i = -warmUp; i < iterations; i++) {
      const took = await device.clock(engine, program);
      if (i >= 0) seconds.push(took);
    }
    await engine.dispose();
    return timing(seconds).least;
  };
  return {
    flopsPerSecond: (2 * m * k * n * products) / (await best(multiply, [x, w], k)),
    bytesPerSecond: (12 * size) / (await best(move, [a, b], 2)),
  };
}

/** Times of all stages of one network's step, and of Adam alone over all its synapses. */
export async function measureLayers(
  device: BenchDevice,
  network: BenchNetwork,
  quick: boolean,
  threads: number,
): Promise<LayerTime[]> {
  const backend = await device.open(threads);
  await validateStages(network, backend, quick ? 24 : 72);
  const batch = batchOf(network, quick);
  const opened = openStages(network, batch);
  const stages = [...opened.stages, adamAlone(network)];
  const engine = await backend.prepare(stages.map(({ program }) => program));
  try {
    for (const [tensor, values] of opened.numbers) engine.write(tensor, values);
    // In the order of a step, so that each stage finds the numbers, and the caches, that a step would leave it.
    const pass = async (): Promise<number[]> => {
      const seconds: number[] = [];
      for (const { program } of stages) seconds.push(await device.clock(engine, program));
      return seconds;
    };
    await pass();
    const passes: number[][] = [];
    for (let i = 0; i < (quick ? 1 : workloads[network].iterations); i++) passes.push(await pass());
    return stages.map(({ label, direction, cost: { flops, bytes } }, i) => ({
      network,
      batch,
      stage: label,
      direction,
      flops,
      bytes,
      time: timing(passes.map((seconds) => seconds[i])),
    }));
  } finally {
    await engine.dispose();
  }
}

function adamAlone(network: BenchNetwork): StageProgram {
  const encoder = networks[network];
  const model = createModel(encoder);
  const head = createHead("head", encoder.head, pictures(encoder)[encoder.blocks.length], encoder.blocks.length);
  const record = recordProgram(`Adam, ${network}`);
  const adam = createOptimiser({ kind: "adam", learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0 });
  const changes = [...synapsesOf(model), ...tensorsOf(head.synapses)].map((weight) => ({
    weight,
    gradient: persistent(`${weight.name}.gradient`, weight.shape, "input"),
  }));
  recordUpdates(record, adam, changes);
  const program = record.finish([]);
  const { flops, stages } = explain(program);
  const bytes = stages.reduce((sum, stage) => sum + stage.bytes, 0);
  return { label: adamAloneName, direction: "other", cost: { flops, bytes }, program };
}

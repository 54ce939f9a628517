// Before a stage is timed: does the fast backend compute what the reference computes? And the stages of a network's step, opened.

import type { Backend, Numbers } from "../src/backends/backend.ts";
import { referenceBackend } from "../src/backends/reference/backend.ts";
import { chooseConvolution } from "../src/backends/wasm/lower/winograd.ts";
import { drawViews } from "../src/data/augmentation.ts";
import { createModel, initialise } from "../src/encoders/model.ts";
import { networks } from "../src/encoders/networks.ts";
import { fuse } from "../src/program/fusion.ts";
import {
  type AnyOperation,
  inputsOf,
  outputsOf,
  type Program,
  persistentTensors,
  updatesOf,
} from "../src/program/program.ts";
import { randomStream } from "../src/program/random.ts";
import { type Shape, sizeOf, type Tensor } from "../src/program/tensor.ts";
import { clockValues } from "../src/rules/rule.ts";
import { recordConfigured } from "../src/training/configured-rule.ts";
import { compare } from "../tests/support/tolerances.ts";
import { cutStages, replaceTensors, type StageProgram } from "./stages.ts";
import { type BenchNetwork, configOf, randomImages } from "./workloads.ts";

export interface OpenedStages {
  readonly stages: readonly StageProgram[];
  /** Pictures, views and initial weights; everything else starts at zero. */
  readonly numbers: ReadonlyMap<Tensor, Numbers>;
}

/** The stages of an end-to-end step of `batch` images. */
export function openStages(network: BenchNetwork, batch: number): OpenedStages {
  const config = configOf({ network, learning: "E2E", update: "BP", loss: "contrastiveHinge" }, batch);
  const model = createModel(networks[network]);
  const dataset = randomImages(network, batch);
  const recorded = recordConfigured(config, model, { ...dataset, classes: dataset.classes.length });
  const { inputs, lessons } = recorded;
  const samples = Int32Array.from({ length: batch }, (_, i) => i);
  const sizes = { from: dataset, to: networks[network] };
  const views = drawViews(config.augmentation, sizes, { seed: 0, epoch: 0, samples, views: 2 });
  return {
    stages: cutStages(lessons[0].program),
    numbers: new Map<Tensor, Numbers>([
      [inputs.images, dataset.pixels],
      [inputs.indices, Int32Array.of(...samples, ...samples)],
      [inputs.parameters, views],
      ...clockValues(lessons[0]),
      ...initialise(recorded, 0),
    ]),
  };
}

const smallBatch = 2;
/** Tiles of 4 × 4 pixels from which on the Winograd kernels are chosen, as they are at the timed size. */
const enoughTiles = 256;
/** Share of the pooling windows whose winner may differ: where two values are equal but for their rounding. */
const nearTies = 1e-3;

/**
 * Runs every stage on random numbers and compares what it writes. Convolutions keep their pictures, have at most `channels`
 * channels, and as many images as make the same kernels run as at the timed size; everything else is as in a step of two images.
 */
export async function validateStages(network: BenchNetwork, backend: Backend, channels: number): Promise<void> {
  const { stages, numbers } = openStages(network, smallBatch);
  const programs = stages.map(({ program }) => isolate(program, channels));
  const oracle = await referenceBackend.prepare(programs);
  const engine = await backend.prepare(programs);
  try {
    for (const [i, program] of programs.entries()) {
      for (const tensor of persistentTensors([program])) {
        const values = numbers.get(tensor) ?? randomNumbers(tensor, i);
        for (const one of [oracle, engine]) one.write(tensor, values);
      }
      await oracle.run(program);
      await engine.run(program);
      for (const tensor of [...program.results, ...program.operations.flatMap(updatesOf)]) {
        const told = agree(await engine.read(tensor), await oracle.read(tensor), program, tensor);
        if (told !== "equal") throw new Error(`${network}, ${stages[i].label}: ${told}`);
      }
    }
  } finally {
    await engine.dispose();
    await oracle.dispose();
  }
}

function agree(got: Numbers, wanted: Numbers, program: Program, tensor: Tensor): string {
  const { operations } = program;
  if (wanted instanceof Int32Array) {
    const differing = wanted.filter((value, i) => value !== got[i]).length;
    return differing <= nearTies * wanted.length ? "equal" : `${tensor.name}: ${differing} of ${wanted.length} differ`;
  }
  const sums = operations.map((operation) => ({ kind: operation.kind, terms: termsOf(operation) }));
  const { kind, terms } = sums.reduce((longest, sum) => (sum.terms > longest.terms ? sum : longest));
  return compare(got, wanted, { kind, terms: terms * (usesWinograd(program) ? 100 : 1), what: tensor.name });
}

/** Winograd's form has rounding errors some ten times those of a direct sum. */
function usesWinograd(program: Program): boolean {
  const [stage] = fuse(program);
  const convolution = stage.kind === "convolution" || stage.kind === "convolutionBackward";
  return convolution && chooseConvolution(stage) === "winograd";
}

/** How many terms one element of an operation's output sums up. */
function termsOf(operation: AnyOperation): number {
  switch (operation.kind) {
    case "conv2d":
      return sizeOf(operation.inputs.w.shape.slice(0, 3));
    case "conv2dInputGradient":
      return sizeOf(operation.inputs.w.shape) / operation.inputs.w.shape[2];
    case "conv2dWeightGradient":
      return sizeOf(operation.inputs.dy.shape.slice(0, 3));
    case "linear":
      return operation.inputs.w.shape[0];
    case "linearInputGradient":
      return operation.inputs.w.shape[1];
    case "linearWeightGradient":
      return operation.inputs.x.shape[0];
    case "l1Distance":
      return operation.inputs.a.shape[1];
    case "hingeGates":
    case "makeViews":
      return 100;
    default:
      return 1;
  }
}

/** A stage that shares no tensor with another, and all of whose outputs are results; a convolution's with few channels and images. */
function isolate(program: Program, channels: number): Program {
  const { operations } = program;
  const outputs = new Set(operations.flatMap(outputsOf));
  const read = new Set(operations.flatMap(inputsOf));
  const extents = smallExtents(operations, channels);
  const isolated = new Map<Tensor, Tensor>();
  const replace = (tensor: Tensor): Tensor => {
    if (extents === undefined && tensor.window === undefined && !outputs.has(tensor)) return tensor;
    const { window: _, ...whole } = tensor;
    const made: Tensor = isolated.get(tensor) ?? {
      ...whole,
      shape: extents?.(tensor) ?? tensor.shape,
      lifetime: outputs.has(tensor) ? "step" : "run",
    };
    isolated.set(tensor, made);
    return made;
  };
  const alone = operations.map((operation) => replaceTensors(operation, replace));
  return { ...program, operations: alone, results: [...outputs].filter((output) => !read.has(output)).map(replace) };
}

/** The small shape of a tensor in a convolution's stage. */
function smallExtents(operations: readonly AnyOperation[], channels: number): ((tensor: Tensor) => Shape) | undefined {
  const convolution = operations.find(({ kind }) => kind.startsWith("conv2d"));
  if (convolution === undefined) return undefined;
  const isActivity = ({ role }: Tensor): boolean => role === "activity" || role === "error";
  const [, h, w] = inputsOf(convolution).find(isActivity)?.shape ?? [];
  const images = Math.ceil(enoughTiles / (Math.ceil(h / 4) * Math.ceil(w / 4)));
  const few = (extent: number): number => Math.min(extent, channels);
  return (tensor) => {
    const [first, second, third, fourth] = tensor.shape;
    if (tensor.shape.length !== 4) return tensor.shape.map(few);
    return isActivity(tensor) ? [images, second, third, few(fourth)] : [first, second, few(third), few(fourth)];
  };
}

/** Enough standard normal numbers for any tensor, taken round and round; their number is prime, so that no picture repeats another. */
const normals = ((random) => Float32Array.from({ length: 65521 }, random.normal))(randomStream(1, 0xbe4c));

function randomNumbers({ name, shape, dtype, role }: Tensor, stage: number): Numbers {
  const size = sizeOf(shape);
  const first = 1009 * (stage + name.length);
  const normal = (i: number): number => normals[(first + i) % normals.length];
  // Places in a pooling window, rows of a small batch; a step counts from 1.
  if (dtype === "i32") return Int32Array.from({ length: size }, (_, i) => (normal(i) > 0 || size === 1 ? 1 : 0));
  // Sums of about 1, so that no activation saturates; a second moment is a square.
  const scale = role === "weight" ? 1 / Math.sqrt(size / shape[shape.length - 1]) : 1;
  const squares = role === "state" && name.endsWith(".v");
  return Float32Array.from({ length: size }, (_, i) => (squares ? normal(i) ** 2 : scale * normal(i)));
}

// A whole step on given views, with every gradient readable: what identities, goldens and finite differences are held on.

import type { Backend, Engine, Numbers } from "../backends/backend.ts";
import { type Encoder, pictures } from "../encoders/encoder.ts";
import { type BlockTrace, recordBlocks, recordHead } from "../encoders/forward.ts";
import { createHead, createModel, type HeadModel, initialise, type Model, type Parameter } from "../encoders/model.ts";
import type { Change, Loss } from "../losses/loss.ts";
import { type Program, persistentTensors, recordProgram } from "../program/program.ts";
import { randomStream } from "../program/random.ts";
import { persistent, sizeOf, type Tensor } from "../program/tensor.ts";
import { createOptimiser, type Optimiser, type OptimiserOptions, recordUpdates } from "../rules/optimiser.ts";
import type { Update } from "../rules/update.ts";

/** Every kind of block, small enough for float64 loops; the last has an activation, so that DTP's inverses have one below and one without. */
export const small: Encoder = {
  name: "small",
  height: 8,
  width: 8,
  channels: 3,
  blocks: [
    { name: "conv1", outputs: 4, kernel: 3, stride: 1, padding: 1, bias: false, after: ["hardtanh"] },
    { name: "conv2", outputs: 5, kernel: 3, stride: 1, padding: 1, bias: true, after: ["maxPool"] },
    { name: "conv3", outputs: 6, kernel: 3, stride: 2, padding: 1, bias: false, after: ["tanh"] },
  ],
  head: { averagePool: 1, outputs: 7, bias: false },
};

export interface OpenStep {
  readonly model: Model;
  readonly head: HeadModel | undefined;
  /** Synapses of encoder and head, and what update and loss brought along. */
  readonly parameters: readonly Parameter[];
  readonly engine: Engine;
  readonly views: Tensor;
  /** i32 [batch], for a labelled loss. */
  readonly labels: Tensor;
  /** Embeddings, logits or the last picture. */
  readonly output: Tensor;
  readonly loss: Tensor;
  /** δ at the output. */
  readonly error: Tensor;
  readonly blocks: readonly BlockTrace[];
  /** Gradient of every parameter that learns. */
  readonly gradients: ReadonlyMap<Tensor, Tensor>;
  /** Forward, loss, gradients; changes nothing, unless the update itself learns first (DTP's inverses). */
  readonly gradientProgram: Program;
  /** The same and Adam. */
  readonly adamProgram: Program;
  readonly optimiser: Optimiser;
  readonly write: (values: ReadonlyMap<Tensor, Numbers>) => void;
}

export const adamDefaults: Extract<OptimiserOptions, { kind: "adam" }> = {
  kind: "adam",
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  decay: 0,
};

export interface StepOptions {
  readonly encoder: Encoder;
  readonly loss: Loss;
  readonly update: Update;
  /** Images. */
  readonly batch: number;
  readonly backend: Backend;
  readonly optimiser?: OptimiserOptions;
  readonly classes?: number;
  /** Blocks `first` … `end` − 1 learn; all unless told. */
  readonly first?: number;
  readonly end?: number;
}

export async function openStep(options: StepOptions): Promise<OpenStep> {
  const { encoder, loss, update, batch, backend, classes = 10, first = 0, end = encoder.blocks.length } = options;
  const model = createModel(encoder);
  const shapes = pictures(encoder);
  const headData = loss.head(encoder.head, classes);
  const head = headData && createHead("head", headData, shapes[end], end);
  const rows = loss.views * batch;
  const views = persistent("views", [rows, encoder.height, encoder.width, encoder.channels], "input");
  const labels = persistent("batchLabels", [batch], "input", "i32");
  const optimiser = createOptimiser(options.optimiser ?? adamDefaults);
  const preparedUpdate = update.prepare({
    first,
    blocks: encoder.blocks.slice(first, end),
    synapses: model.blocks.slice(first, end),
    pictures: shapes.slice(first, end + 1),
    head,
  });
  const preparedLoss = loss.prepare(shapes[end], end);

  const write = (name: string, withAdam: boolean) => {
    const record = recordProgram(name);
    const below = recordBlocks(record, model, views, 0, first);
    const reached = below.at(-1)?.output ?? views;
    const blocks = recordBlocks(record, model, loss.mix?.(record, reached) ?? reached, first, end);
    const top = blocks[blocks.length - 1].output;
    const headTrace = head && recordHead(record, head, top);
    const output = headTrace?.output ?? top;
    const signal = preparedLoss.record(record, { output, ...(loss.labelled ? { labels } : {}) });
    const changes: Change[] = [
      ...preparedUpdate.record(
        { record, optimiser },
        { blocks, head: headTrace },
        { ...signal, reduction: loss.reduction, images: batch },
      ),
      ...signal.changes,
    ];
    if (withAdam) recordUpdates(record, optimiser, changes);
    const activities = blocks.flatMap(({ input, output: y }) => [input, y]).filter((tensor) => tensor !== views);
    const results = withAdam
      ? [signal.value]
      : [output, signal.value, signal.error, ...activities, ...changes.map(({ gradient }) => gradient)];
    return { program: record.finish(results), signal, output, blocks, changes };
  };
  const gradient = write("gradients", false);
  const learning = write("adam", true);
  const engine = await backend.prepare([gradient.program, learning.program]);
  return {
    model,
    head,
    parameters: [
      ...model.parameters,
      ...(head?.parameters ?? []),
      ...preparedUpdate.parameters,
      ...preparedLoss.parameters,
    ],
    engine,
    views,
    labels,
    output: gradient.output,
    loss: gradient.signal.value,
    error: gradient.signal.error,
    blocks: gradient.blocks,
    gradients: new Map(gradient.changes.map(({ weight, gradient: tensor }) => [weight, tensor])),
    gradientProgram: gradient.program,
    adamProgram: learning.program,
    optimiser,
    write: (values) => {
      for (const [tensor, numbers] of values) engine.write(tensor, numbers);
    },
  };
}

/** Some steps of Adam; the loss before each. */
export async function adamLosses({ engine, optimiser, adamProgram }: OpenStep, steps: number): Promise<number[]> {
  const loss = adamProgram.results[0];
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    engine.write(optimiser.step, Int32Array.of(step));
    engine.write(optimiser.rate, Float32Array.of(1));
    await engine.run(adamProgram);
    losses.push((await engine.read(loss))[0]);
  }
  return losses;
}

/** Weights three times their usual start, so that units saturate here and there, and views, the same whatever the rule and the backend. */
export function startWide(step: OpenStep): void {
  const used = new Set(persistentTensors([step.gradientProgram]));
  for (const [tensor, values] of initialise(step, 1))
    if (used.has(tensor))
      step.engine.write(
        tensor,
        values.map((x) => 3 * x),
      );
  const random = randomStream(11);
  step.engine.write(
    step.views,
    Float32Array.from({ length: sizeOf(step.views.shape) }, () => random.uniform()),
  );
}

// A whole step on given views, with every gradient readable: what the identity, golden and finite-difference tests run.

import type { Backend, Engine, Numbers } from "../src/backends/backend.ts";
import type { Encoder } from "../src/encoders/encoder.ts";
import { recordBlocks, recordHead } from "../src/encoders/forward.ts";
import { createModel, type Model, synapsesOf } from "../src/encoders/model.ts";
import type { Loss } from "../src/losses/loss.ts";
import { type Program, recordProgram } from "../src/program/program.ts";
import { persistent, type Tensor } from "../src/program/tensor.ts";
import { type Adam, type AdamOptions, createAdam, recordAdam } from "../src/rules/optimiser.ts";
import type { Update } from "../src/rules/update.ts";

export interface OpenStep {
  readonly model: Model;
  readonly engine: Engine;
  readonly views: Tensor;
  readonly embeddings: Tensor;
  readonly loss: Tensor;
  readonly gradients: ReadonlyMap<Tensor, Tensor>;
  /** Forward, loss, gradients; changes nothing. */
  readonly gradientProgram: Program;
  /** The same and Adam. */
  readonly adamProgram: Program;
  readonly adam: Adam;
  readonly write: (values: ReadonlyMap<Tensor, Numbers>) => void;
}

export const adamDefaults: AdamOptions = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** Opens the step of an encoder, a loss and an update on `batch` images (2·batch views). */
export async function openStep(
  encoder: Encoder,
  loss: Loss,
  update: Update,
  batch: number,
  backend: Backend,
  options: AdamOptions = adamDefaults,
): Promise<OpenStep> {
  const model = createModel(encoder);
  const views = persistent("views", [2 * batch, encoder.height, encoder.width, encoder.channels], "input");
  const adam = createAdam(synapsesOf(model), options);

  const write = (name: string, withAdam: boolean) => {
    const record = recordProgram(name);
    const blocks = recordBlocks(record, model, views);
    const head = recordHead(record, model, blocks[blocks.length - 1].output);
    const { value, error, firstRow } = loss.record(record, head.output);
    const changes = update.record(record, { blocks, head }, error, firstRow);
    if (withAdam) recordAdam(record, adam, changes);
    const results = withAdam ? [value] : [head.output, value, ...changes.map(({ gradient }) => gradient)];
    return { program: record.finish(results), value, embeddings: head.output, changes };
  };
  const gradient = write("gradients", false);
  const learning = write("adam", true);
  const engine = await backend.prepare([gradient.program, learning.program]);
  return {
    model,
    engine,
    views,
    embeddings: gradient.embeddings,
    loss: gradient.value,
    gradients: new Map(gradient.changes.map(({ weight, gradient: tensor }) => [weight, tensor])),
    gradientProgram: gradient.program,
    adamProgram: learning.program,
    adam,
    write: (values) => {
      for (const [tensor, numbers] of values) engine.write(tensor, numbers);
    },
  };
}

/** Ten steps of Adam; the loss before each. */
export async function adamLosses({ engine, adam, adamProgram }: OpenStep, steps: number): Promise<number[]> {
  const loss = adamProgram.results[0];
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    engine.write(adam.step, Int32Array.of(step));
    await engine.run(adamProgram);
    losses.push((await engine.read(loss))[0]);
  }
  return losses;
}

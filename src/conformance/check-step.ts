// One step on a small network in float64: against float32, against finite differences, and against the identity that a rule names.

import type { Backend, Numbers } from "../backends/backend.ts";
import { layerOf } from "../encoders/model.ts";
import { contrastiveHinge } from "../losses/contrastive-hinge.ts";
import { SaccadeError } from "../program/errors.ts";
import { persistentTensors } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";
import { backpropagation } from "../rules/backpropagation.ts";
import type { Update } from "../rules/update.ts";
import type { Config } from "../training/config.ts";
import type { Identity, LossPlugin, UpdatePlugin } from "../training/plugin.ts";
import { madeLoss, madeUpdate } from "../training/registry.ts";
import { checkGradient } from "./gradients.ts";
import { adamLosses, type OpenStep, openStep, small, startWide } from "./step.ts";

/** What a check says: a detail where it passes, or that it does not apply. A failure is thrown, with the sentence that says why. */
export type Said = string | { readonly leftOut: string };

export interface Subject {
  readonly plugin: UpdatePlugin | LossPlugin;
  readonly config: Config;
  readonly reference: Backend;
  readonly fast: Backend;
}

/** The hinge without the gradient block, so that the whole gradient is the loss's. */
const hinge = contrastiveHinge({ m1: 0.3, m2: 3, negatives: { kind: "all" }, gradientBlock: false });

/** Four images on the small network; weights three times the default, so that units saturate here and there. */
async function start(
  { plugin, config }: Subject,
  backend: Backend,
  update: Update = madeUpdate(config),
): Promise<OpenStep> {
  const loss = plugin.kind === "loss" ? madeLoss(config) : hinge;
  const end = config.learning === "E2E" ? {} : { end: 1 };
  const step = await openStep({ encoder: small, loss, update, batch: 4, backend, ...end });
  startWide(step);
  const used = new Set(persistentTensors([step.gradientProgram]));
  // An update may have an optimiser's steps of its own before the changes: DTP's inverses.
  for (const [tensor, value] of [
    [step.optimiser.step, Int32Array.of(1)],
    [step.optimiser.rate, Float32Array.of(1)],
  ] as const)
    if (used.has(tensor)) step.engine.write(tensor, value);
  if (loss.labelled)
    step.engine.write(
      step.labels,
      Int32Array.from({ length: 4 }, (_, i) => i),
    );
  return step;
}

/** Why a loss's step cannot be opened alone. */
const alone = ({ plugin, config }: Subject): string | undefined =>
  plugin.kind === "loss" && madeLoss(config).pairs !== undefined
    ? "the loss draws pairs of rows, which one step alone has none of"
    : undefined;

/** Gradients by the name of their weight. */
async function gradientsOf({ engine, gradientProgram, gradients }: OpenStep): Promise<Map<string, Numbers>> {
  await engine.run(gradientProgram);
  const read = new Map<string, Numbers>();
  for (const [{ name }, gradient] of gradients) read.set(name, Float64Array.from(await engine.read(gradient)));
  return read;
}

/** How far from each other, relative to the root mean square of what is wanted, or to `least` where that is smaller: sums may cancel. */
function apart(got: Numbers, wanted: Numbers, least = 0): number {
  let most = 0;
  for (let i = 0; i < wanted.length; i++) most = Math.max(most, Math.abs(got[i] - wanted[i]));
  return most === 0 ? 0 : most / Math.max(rms(wanted), least);
}

function rms(numbers: Numbers): number {
  let squares = 0;
  for (const value of numbers) squares += value * value;
  return Math.sqrt(squares / numbers.length);
}

/** Float32 rounds at 6e-8; a step adds up some thousand of such. Saccade's own rules are within 2e-5 of float64. */
const float32Limit = 1e-4;
/** Adam makes a whole step of a gradient that is nothing but rounding, as of a bias whose errors cancel: the losses come apart by 1e-3 then. */
const lossLimit = 1e-2;

export async function checkReference(subject: Subject): Promise<Said> {
  const why = alone(subject);
  if (why) return { leftOut: why };
  const [exact, quick] = [await start(subject, subject.reference), await start(subject, subject.fast)];
  try {
    const [wanted, got] = [await gradientsOf(exact), await gradientsOf(quick)];
    const least = 0.1 * Math.max(...[...wanted.values()].map(rms));
    let worst = 0;
    for (const [name, numbers] of wanted) {
      const bad = numbers.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0)
        throw new SaccadeError(`the change of ${name} must be numbers, got ${numbers[bad]} at [${bad}] in float64`);
      const far = apart(got.get(name) ?? new Float64Array(), numbers, least);
      if (!(far <= float32Limit))
        throw new SaccadeError(
          `the change of ${name} in float32 must be within ${float32Limit} of float64, relative to its size, got ${far.toExponential(1)}`,
        );
      worst = Math.max(worst, far);
    }
    const steps = 5;
    const [losses, quickLosses] = [await adamLosses(exact, steps), await adamLosses(quick, steps)];
    const far = Math.max(...losses.map((loss, i) => Math.abs(quickLosses[i] / loss - 1)));
    if (!(far <= lossLimit))
      throw new SaccadeError(
        `the losses of ${steps} steps of Adam must be within ${lossLimit}, got ${far.toExponential(1)}`,
      );
    return `changes agree to ${worst.toExponential(0)}, the losses of ${steps} steps to ${far.toExponential(0)}`;
  } finally {
    await exact.engine.dispose();
    await quick.engine.dispose();
  }
}

export async function checkClaimedGradient(subject: Subject): Promise<Said> {
  const why = alone(subject);
  if (why) return { leftOut: why };
  if (!subject.plugin.claims?.gradient) return { leftOut: "the plugin does not claim that its changes are a gradient" };
  // A loss's error is seen in the changes that BP makes of it.
  const update = subject.plugin.kind === "loss" ? backpropagation : madeUpdate(subject.config);
  const step = await start(subject, subject.reference, update);
  try {
    const forward = [...step.gradients.keys()].filter(({ role }) => role === "weight");
    const gradients = await gradientsOf(step);
    for (const tensor of forward) {
      const at = Float64Array.from(await step.engine.read(tensor));
      const value = async (x: Float64Array): Promise<number> => {
        step.engine.write(tensor, x);
        await step.engine.run(step.gradientProgram);
        return (await step.engine.read(step.loss))[0];
      };
      const said = await checkGradient({ value, at, gradient: Float64Array.from(gradients.get(tensor.name) ?? []) });
      step.engine.write(tensor, at);
      if (said !== "equal") throw new SaccadeError(`the change of ${tensor.name} must be the loss's gradient: ${said}`);
    }
    return `finite differences agree, of ${forward.length} tensors, in float64`;
  } finally {
    await step.engine.dispose();
  }
}

export async function checkIdentity(subject: Subject): Promise<Said> {
  const { plugin, config, reference } = subject;
  const identity = plugin.kind === "update" ? plugin.identity : undefined;
  if (!identity)
    return { leftOut: "the plugin names none; what must hold exactly is what makes a rule the rule that it is" };
  const [own, bp] = [await start(subject, reference), await start(subject, reference, backpropagation)];
  try {
    const free = await gradientsOf(own);
    const aligned = await align(own, identity);
    const [got, wanted] = [await gradientsOf(own), await gradientsOf(bp)];
    const names = [...wanted.keys()].filter(
      (name) => identity.whenFeedbackIs === "weights" || aligned.changes.has(layerOf({ name })),
    );
    for (const name of names) requireEqual(`the change of ${name}`, got.get(name), wanted.get(name));
    const moved = names.filter((name) => apart(free.get(name) as Numbers, wanted.get(name) as Numbers) > identical);
    if (moved.length === 0)
      throw new SaccadeError(
        `identity shows nothing: the changes are ${identity.equals}'s with feedback of its own too; leave it out, or look whether the feedback is read at all`,
      );
    const { forSteps = 0 } = identity;
    if (forSteps > 0) {
      await adamLosses(own, forSteps);
      await adamLosses(bp, forSteps);
      const weights = bp.parameters.map(({ tensor }) => tensor);
      for (const { name } of weights)
        requireEqual(`${name} after ${forSteps} steps`, await read(own, name), await read(bp, name));
    }
    const what =
      identity.whenFeedbackIs === "weights" ? "feedback = weights" : "the last feedback = the head's weights";
    const later = forSteps > 0 ? `, and after ${forSteps} steps` : "";
    const apartFrom = `; with feedback of its own ${moved.length} of ${names.length} changes are others`;
    return `with ${what} it is ${identity.equals}${later} (${config.learning})${apartFrom}`;
  } finally {
    await own.engine.dispose();
    await bp.engine.dispose();
  }
}

/** Rounding of float64, added up. */
const identical = 1e-10;

function requireEqual(what: string, got: Numbers | undefined, wanted: Numbers | undefined): void {
  if (got === undefined || wanted === undefined) throw new SaccadeError(`${what} must be there, got none`);
  const far = apart(got, wanted);
  if (!(far <= identical))
    throw new SaccadeError(
      `${what} must be BP's, as the identity says, got one that is ${far.toExponential(1)} of its size away`,
    );
}

async function read({ parameters, engine }: OpenStep, name: string): Promise<Numbers> {
  const found = parameters.find(({ tensor }) => tensor.name === name);
  if (!found) throw new Error(`no ${name} in the step`);
  return Float64Array.from(await engine.read(found.tensor));
}

/** Sets feedback as the identity says; the layers whose changes are then BP's. */
async function align(step: OpenStep, { whenFeedbackIs }: Identity): Promise<{ readonly changes: ReadonlySet<string> }> {
  const { model, head, parameters, engine } = step;
  const feedback = parameters.map(({ tensor }) => tensor).filter(({ role }) => role === "feedback");
  const copy = async (from: Tensor, owner: string): Promise<void> => {
    const to = feedback.filter(({ name, shape }) => layerOf({ name }) === owner && shape.join() === from.shape.join());
    if (to.length === 0)
      throw new SaccadeError(
        `the identity sets the feedback of ${owner} to ${from.name}, [${from.shape.join(", ")}], and there is none of that name and shape (feedback: ${feedback.map(({ name }) => name).join(", ") || "none"})`,
      );
    for (const tensor of to) engine.write(tensor, await engine.read(from));
  };
  const learning = new Set(parameters.map(({ tensor }) => tensor));
  const blocks = model.blocks.flatMap(({ weight }, i) =>
    step.blocks.some(({ synapses }) => synapses.weight === weight) ? [{ weight, i }] : [],
  );
  if (whenFeedbackIs === "head") {
    if (!head) throw new SaccadeError("the identity is about a head, and the loss has none");
    const last = blocks[blocks.length - 1].weight;
    await copy(head.synapses.weight, layerOf(last));
    return { changes: new Set([head.name, layerOf(last)]) };
  }
  for (const { weight } of blocks.slice(1)) if (learning.has(weight)) await copy(weight, layerOf(weight));
  if (head) await copy(head.synapses.weight, head.name);
  return { changes: new Set() };
}

// The steps that training runs, held against src/conformance/step.ts's, which the identities and the goldens hold: same loss, same synapses after.

import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { adamDefaults, adamLosses, openStep, small } from "../../src/conformance/step.ts";
import { drawViews } from "../../src/data/augmentation.ts";
import type { Encoder } from "../../src/encoders/encoder.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { clapp } from "../../src/losses/clapp.ts";
import { crossEntropy } from "../../src/losses/classification.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import type { Loss } from "../../src/losses/loss.ts";
import { scff } from "../../src/losses/scff.ts";
import type { Tensor } from "../../src/program/tensor.ts";
import { backpropagation } from "../../src/rules/backpropagation.ts";
import { differenceTargetPropagation, dtpDefaults } from "../../src/rules/difference-target-propagation.ts";
import { directFeedbackAlignment } from "../../src/rules/direct-feedback.ts";
import { updatedRandomFeedback } from "../../src/rules/feedback.ts";
import { kolenPollack } from "../../src/rules/kolen-pollack.ts";
import { type LessonSpan, learnings } from "../../src/rules/learning.ts";
import { clockValues, type Lesson, recordRule } from "../../src/rules/rule.ts";
import { signSymmetricFeedback } from "../../src/rules/sign-symmetry.ts";
import type { Update } from "../../src/rules/update.ts";

const batch = 4;
const classes = 5;
const dataset = { count: 6, height: small.height, width: small.width, classes };

/** The lessons of a rule on the reference backend, with weights, a dataset and a batch. */
async function openRule(learning: keyof typeof learnings, update: Update, loss: Loss, shift = 0) {
  const recorded = recordRule({
    model: createModel(small),
    learning: learnings[learning],
    update,
    loss,
    optimiser: adamDefaults,
    batch,
    dataset,
    valueRange: [-1, 1],
  });
  const { inputs, lessons, parameters } = recorded;
  const engine = await referenceBackend.prepare(lessons.map(({ program }) => program));
  for (const [tensor, values] of initialise(recorded, 7))
    engine.write(
      tensor,
      values.map((x) => 3 * x),
    );
  const samples = Int32Array.of(5, 0, 3, 1);
  const rows = Int32Array.from({ length: loss.views * batch }, (_, row) => samples[row % batch]);
  engine.write(
    inputs.images,
    Uint8Array.from({ length: dataset.count * 8 * 8 * 3 }, (_, i) => (i * i * 31 + i * 7) % 256),
  );
  engine.write(inputs.indices, rows);
  const jitter = {
    kind: "affine",
    perturb: 0.4,
    share: 1,
    outside: "border",
    saturation: 1,
    hue: 0.1,
    flip: 0.5,
    antialias: true,
  } as const;
  engine.write(
    inputs.parameters,
    drawViews(jitter, { from: small, to: small }, { seed: 2, epoch: 0, samples, views: loss.views }),
  );
  const labels = Int32Array.from({ length: dataset.count }, (_, i) => (3 * i + 1 + shift) % classes);
  if (inputs.labels) engine.write(inputs.labels, labels);
  if (inputs.labelIndices) engine.write(inputs.labelIndices, samples);
  return { engine, lessons, tensors: parameters.map(({ tensor }) => tensor), labels: samples.map((i) => labels[i]) };
}

type OpenRule = Awaited<ReturnType<typeof openRule>>;

/** Runs a lesson once, and a step from the same synapses on the same views; both must end with the same loss and the same synapses. */
async function expectSame(
  rule: OpenRule,
  lesson: Lesson,
  options: { update: Update; loss: Loss; encoder?: Encoder } & Partial<LessonSpan>,
) {
  const step = await openStep({ encoder: small, batch, backend: referenceBackend, classes, ...options });
  // Heads of layers that learn alone are numbered.
  const tag = rule.lessons.length > 1 ? String(lesson.end) : "";
  const counterpart = ({ name }: Tensor): Tensor => {
    const wanted = name.replace(/^(head)\b/, `$1${tag}`);
    const found = rule.tensors.find((tensor) => tensor.name === wanted);
    if (!found) throw new Error(`no ${wanted} among ${rule.tensors.map((tensor) => tensor.name).join(", ")}`);
    return found;
  };
  // Not the biases: what views add to one below linear layers, their anchors may take away.
  const learners = [...step.gradients.keys()].filter(({ name }) => name.endsWith(".weight"));
  const used = step.parameters.map(({ tensor }) => tensor).filter((tensor) => !above(tensor, lesson));
  for (const tensor of used) step.engine.write(tensor, await rule.engine.read(counterpart(tensor)));
  const before = await Promise.all(learners.map(async (tensor) => [...(await step.engine.read(tensor))]));

  for (const [tensor, values] of clockValues(lesson)) rule.engine.write(tensor, values);
  await rule.engine.run(lesson.program);
  step.engine.write(step.views, await rule.engine.read(lesson.views));
  if (options.loss.labelled) step.engine.write(step.labels, rule.labels);
  const [loss] = await adamLosses(step, 1);

  expect((await rule.engine.read(lesson.loss))[0]).toBe(loss);
  expect(loss).toBeGreaterThan(0);
  for (const tensor of used)
    expect(await rule.engine.read(counterpart(tensor)), tensor.name).toEqual(await step.engine.read(tensor));
  for (const [i, tensor] of learners.entries())
    expect([...(await step.engine.read(tensor))], tensor.name).not.toEqual(before[i]);
}

/** Whether a synapse belongs to a block above those that learn: it has no place in the step. */
const above = ({ name }: Tensor, { end }: LessonSpan): boolean => Number(/^conv(\d)/.exec(name)?.[1] ?? 0) > end;

test.each(["E2E", "GLL"] as const)(
  "what a supervised loss reads knows nothing of the labels (%s)",
  async (learning) => {
    const read = async (shift: number) => {
      const { engine, lessons } = await openRule(learning, backpropagation, crossEntropy, shift);
      const [{ program, output, loss }] = lessons;
      for (const [tensor, values] of clockValues(lessons[0])) engine.write(tensor, values);
      await engine.run(program);
      return { logits: await engine.read(output), loss: await engine.read(loss) };
    };
    const [own, other] = [await read(0), await read(1)];
    expect(other.logits).toEqual(own.logits);
    expect(other.loss).not.toEqual(own.loss);
  },
);

const hinge = contrastiveHinge({ m1: 0.3, m2: 3, negatives: { kind: "all" }, gradientBlock: false });
const blocked = contrastiveHinge({ m1: 0.3, m2: 3, negatives: { kind: "next", count: 2 }, gradientBlock: true });
const dtp = differenceTargetPropagation({ ...dtpDefaults, seed: 3 });

const together: LessonSpan[] = [{ first: 0, end: 3 }];
const alone: LessonSpan[] = [
  { first: 0, end: 1 },
  { first: 1, end: 2 },
  { first: 2, end: 3 },
];

test.each([
  { learning: "E2E", update: backpropagation, loss: hinge, spans: together },
  { learning: "E2E", update: directFeedbackAlignment, loss: crossEntropy, spans: together },
  // The targets' step depends on whether the loss is a sum.
  { learning: "E2E", update: dtp, loss: hinge, spans: together },
  { learning: "E2E", update: dtp, loss: crossEntropy, spans: together },
  { learning: "E2E", update: updatedRandomFeedback, loss: blocked, spans: together },
  { learning: "GLL", update: kolenPollack({ decay: 1 }), loss: blocked, spans: alone },
  { learning: "GLL", update: backpropagation, loss: crossEntropy, spans: alone },
  {
    learning: "GLL",
    update: backpropagation,
    loss: scff({ positiveThreshold: 1, negativeThreshold: 1 }),
    spans: alone,
  },
  // The loss brings synapses of its own.
  { learning: "RLL", update: backpropagation, loss: clapp, spans: alone },
  { learning: "RLL", update: signSymmetricFeedback, loss: hinge, spans: alone },
  { learning: "RLL", update: updatedRandomFeedback, loss: crossEntropy, spans: alone },
] as const)("$learning $update.name, $loss.name", async ({ learning, update, loss, spans }) => {
  const rule = await openRule(learning, update, loss);
  expect(rule.lessons.map(({ first, end }) => ({ first, end }))).toEqual(spans);
  for (const [i, span] of spans.entries()) await expectSame(rule, rule.lessons[i], { update, loss, ...span });
});

test.each(["GLL", "RLL"] as const)(
  "the first layer of %s under BP learns as the one-layer network does",
  async (learning) => {
    const encoder: Encoder = { ...small, name: "one layer", blocks: small.blocks.slice(0, 1) };
    const rule = await openRule(learning, backpropagation, hinge);
    await expectSame(rule, rule.lessons[0], { update: backpropagation, loss: hinge, encoder });
  },
);

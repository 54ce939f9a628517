// What PyTorch says of the other rules' steps on the CIFAR network: RF, URF, a layer that learns alone, DTP. tests/goldens/README.md has the files.

import { expect, test } from "vitest";
import type { Backend, Numbers } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { adamDefaults, adamLosses, openStep } from "../../src/conformance/step.ts";
import { networks } from "../../src/encoders/networks.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import { outputsOf, type Program, persistentTensors } from "../../src/program/program.ts";
import type { Tensor } from "../../src/program/tensor.ts";
import { differenceTargetPropagation, dtpDefaults } from "../../src/rules/difference-target-propagation.ts";
import { randomFeedback, updatedRandomFeedback } from "../../src/rules/feedback.ts";
import type { Update } from "../../src/rules/update.ts";
import { expectLosses, expectSampled, expectStep } from "../goldens/compare.ts";
import { type RuleGolden, readGolden } from "../goldens/read.ts";
import { float32Backends } from "../support/backends.ts";

const updates: Record<RuleGolden["update"], Update> = {
  RF: randomFeedback,
  URF: updatedRandomFeedback,
  // No noise, and targets from the inverses as they were: nothing random, and the gradient program changes nothing.
  DTP: differenceTargetPropagation({
    ...dtpDefaults,
    order: "targetsFirst",
    noise: { kind: "absolute", size: 0 },
    localLoss: "mean",
    seed: 0,
  }),
};

const names = ["cifar-rf", "cifar-urf", "cifar-layer-3-rf", "cifar-dtp"] as const;

async function openGolden(name: (typeof names)[number], backend: Backend) {
  const golden = readGolden<RuleGolden>(name);
  const { network, images, loss, update, first, end, adam } = golden.json;
  const step = await openStep({
    encoder: networks[network],
    loss: contrastiveHinge(loss),
    update: updates[update],
    batch: images,
    backend,
    optimiser: { ...adamDefaults, ...adam[0].options },
    first,
    end,
  });
  // Blocks above the layer that learns alone have no place in its step.
  const used = new Set(persistentTensors([step.gradientProgram]));
  const values = new Map<Tensor, Numbers>(
    step.parameters
      .map(({ tensor }) => tensor)
      .filter((tensor) => used.has(tensor))
      .map((tensor) => [tensor, golden.tensor(tensor.name).data]),
  );
  values.set(step.views, golden.tensor("views").data);
  step.write(values);
  return { golden, step, values };
}

const float32Runs = float32Backends.flatMap(({ name: device, backend }) =>
  names.map((name) => ({ name, device, backend })),
);
/** DTP learns from a target less an activity, which keeps few digits in any float32, fewer at each layer down: docs/decisions.md. */
const slack = ({ name, device }: { readonly name: string; readonly device: string }): number =>
  name === "cifar-dtp" && device === "webgpu" ? 3 : 1;
const runs = [
  ...float32Runs.map((run) => ({ ...run, tolerance: 2e-4 * slack(run) })),
  // Golden files store float32; float64 answers agree to that.
  { name: "cifar-layer-3-rf", device: "reference", backend: referenceBackend, tolerance: 2e-6 },
] as const;

test.each(runs)("$name on $device: embeddings, loss and every gradient are PyTorch's", async (run) => {
  const { golden, step } = await openGolden(run.name, run.backend);
  try {
    await step.engine.run(step.gradientProgram);
    await expectStep(step, golden, run.tolerance);
    // Every parameter that learns is in the file; URF's feedback has its weight's gradient.
    const learned = [...step.gradients.keys()].map(({ name }) => name).filter((name) => !name.includes("feedback"));
    expect(golden.json.gradients.map(({ weight }) => weight).sort()).toEqual(learned.sort());
  } finally {
    await step.engine.dispose();
  }
});

test.each(float32Runs)("$name on $device: losses of Adam steps are PyTorch's", async (run) => {
  const { golden, step } = await openGolden(run.name, run.backend);
  try {
    expectLosses(await adamLosses(step, golden.json.adam[0].losses.length), golden.json.adam[0], slack(run));
  } finally {
    await step.engine.dispose();
  }
});

test.each(float32Backends)(
  "in three steps of URF on $name every weight with feedback goes PyTorch's way, and its feedback the same way",
  async ({ backend }) => {
    const { golden, step, values } = await openGolden("cifar-urf", backend);
    const { moves = [], seed, adam } = golden.json;
    const byName = new Map([...values].map(([tensor, start]) => [tensor.name, { tensor, start }]));
    const move = async (name: string): Promise<Float64Array> => {
      const { tensor, start } = byName.get(name) as { tensor: Tensor; start: Numbers };
      const end = await step.engine.read(tensor);
      return Float64Array.from(end, (value, i) => value - start[i]);
    };
    try {
      await adamLosses(step, adam[0].losses.length);
      expect(moves.map(({ weight }) => weight)).toEqual(
        [2, 3, 4, 5].map((i) => `conv${i}.weight`).concat("head.weight"),
      );
      for (const facts of moves)
        for (const what of [facts.weight, facts.feedback]) {
          const kept = golden.tensor(`${facts.weight}.move`).data;
          expectSampled(await move(what), { kept, facts, seed, what }, moveTolerance);
        }
    } finally {
      await step.engine.dispose();
    }
  },
);

/** Adam divides a gradient by its own size: PyTorch in float32 is up to 1e-3 off where gradients are near 0. */
const moveTolerance = 2e-3;

test.each(float32Backends)("DTP's targets on $name are PyTorch's", async ({ backend }) => {
  const { golden, step, values } = await openGolden("cifar-dtp", backend);
  await step.engine.dispose();
  const { targets = [], seed } = golden.json;
  expect(targets.map(({ target }) => target)).toEqual([1, 2, 3, 4, 5].map((i) => `conv${i}.target`));
  const tensors = targets.map(({ target }) => producedBy(step.gradientProgram, target));
  const program = { ...step.gradientProgram, results: tensors };
  const engine = await backend.prepare([program]);
  try {
    for (const [tensor, numbers] of values) engine.write(tensor, numbers);
    await engine.run(program);
    for (const [i, facts] of targets.entries()) {
      const kept = golden.tensor(facts.target).data;
      expectSampled(await engine.read(tensors[i]), { kept, facts, seed, what: facts.target }, 1e-5);
    }
  } finally {
    await engine.dispose();
  }
});

function producedBy({ operations }: Program, name: string): Tensor {
  const tensor = operations.flatMap(outputsOf).find((output) => output.name === name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}

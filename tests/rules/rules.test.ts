// What makes each rule the rule that it is: identities that hold to the bit, or within the rounding of the backend that they run on.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import {
  adamDefaults,
  adamLosses,
  type OpenStep,
  openStep,
  type StepOptions,
  small,
  startWide,
} from "../../src/conformance/step.ts";
import type { Encoder } from "../../src/encoders/encoder.ts";
import { crossEntropy } from "../../src/losses/classification.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import { outputsOf, persistentTensors } from "../../src/program/program.ts";
import { sizeOf, type Tensor } from "../../src/program/tensor.ts";
import { backpropagation } from "../../src/rules/backpropagation.ts";
import {
  type DtpOptions,
  differenceTargetPropagation,
  dtpDefaults,
} from "../../src/rules/difference-target-propagation.ts";
import { directFeedbackAlignment } from "../../src/rules/direct-feedback.ts";
import { randomFeedback, updatedRandomFeedback } from "../../src/rules/feedback.ts";
import { kolenPollack } from "../../src/rules/kolen-pollack.ts";
import { signSymmetricFeedback } from "../../src/rules/sign-symmetry.ts";
import type { Update } from "../../src/rules/update.ts";
import { furthest } from "../goldens/compare.ts";
import { float32Backends } from "../support/backends.ts";
import { type Comparison, compare } from "../support/tolerances.ts";

const dtp = (options: Partial<DtpOptions> = {}) =>
  differenceTargetPropagation({ ...dtpDefaults, order: "targetsFirst", seed: 3, ...options });

const hinge = contrastiveHinge({ m1: 0.3, m2: 3, negatives: { kind: "all" }, gradientBlock: false });
const backends = [{ name: "reference", backend: referenceBackend }, ...float32Backends];

/** A step whose weights and views are the same whatever the rule: three times the default, so that units saturate here and there. */
async function start(update: Update, options: Partial<StepOptions> = {}): Promise<OpenStep> {
  const step = await openStep({ encoder: small, loss: hinge, update, batch: 4, backend: referenceBackend, ...options });
  startWide(step);
  return step;
}

const parameter = ({ parameters }: OpenStep, name: string): Tensor => {
  const found = parameters.find(({ tensor }) => tensor.name === name);
  if (!found) throw new Error(`no ${name} among ${parameters.map(({ tensor }) => tensor.name).join(", ")}`);
  return found.tensor;
};

const copy = async ({ engine }: OpenStep, from: Tensor, to: Tensor): Promise<void> =>
  engine.write(to, await engine.read(from));

/** Sets the feedback of every layer to its weights. */
async function alignFeedback(step: OpenStep): Promise<void> {
  for (const name of ["conv2", "conv3", "head"])
    await copy(step, parameter(step, `${name}.weight`), parameter(step, `${name}.feedback.weight`));
}

/** Gradients by the name of their weight. */
async function gradientsOf(step: OpenStep): Promise<Record<string, number[]>> {
  await step.engine.run(step.gradientProgram);
  const result: Record<string, number[]> = {};
  for (const [weight, gradient] of step.gradients) result[weight.name] = [...(await step.engine.read(gradient))];
  return result;
}

const weights = ["conv1.weight", "conv2.weight", "conv2.bias", "conv3.weight", "head.weight"] as const;
const only = (gradients: Record<string, number[]>): Record<string, number[]> =>
  Object.fromEntries(weights.map((name) => [name, gradients[name]]));

async function weightsAfter(step: OpenStep, steps: number): Promise<Record<string, number[]>> {
  await adamLosses(step, steps);
  const result: Record<string, number[]> = {};
  for (const { tensor } of step.parameters) result[tensor.name] = [...(await step.engine.read(tensor))];
  return result;
}

/** The step in which everything learns, with what some of its operations make to be read after it, by name. */
async function openTensors(step: OpenStep, names: readonly string[]) {
  const made = step.adamProgram.operations.flatMap(outputsOf);
  const tensors = names.map((name) => {
    const tensor = made.find((one) => one.name === name);
    if (!tensor) throw new Error(`no ${name} in the step`);
    return tensor;
  });
  const program = { ...step.adamProgram, results: [...step.adamProgram.results, ...tensors] };
  const engine = await referenceBackend.prepare([program]);
  for (const { tensor } of step.parameters) engine.write(tensor, await step.engine.read(tensor));
  engine.write(step.views, await step.engine.read(step.views));
  return {
    engine,
    /** Step number `count`, from 1. */
    run: async (count: number): Promise<number[][]> => {
      engine.write(step.optimiser.step, Int32Array.of(count));
      engine.write(step.optimiser.rate, Float32Array.of(1));
      await engine.run(program);
      return Promise.all(tensors.map(async (tensor) => [...(await engine.read(tensor))]));
    },
  };
}

const spread = (values: readonly number[]): number => {
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0));
};

const norm = (a: readonly number[]): number => Math.sqrt(a.reduce((sum, value) => sum + value * value, 0));

/** Of the last block's activity: 2 views of 4 images, 2 × 2 places, 6 units. */
const elements = 8 * 2 * 2 * 6;

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe.each(backends)("on $name", ({ name: device, backend }) => {
  /** In float64 to 12 digits, in float32 as near as the table of tolerances has it. */
  const expectNear = (got: readonly number[], wanted: readonly number[], comparison: Comparison): void => {
    if (device === "reference") expect(furthest(got, wanted), comparison.what).toBeLessThan(1e-12);
    else expect(compare(Float32Array.from(got), Float64Array.from(wanted), comparison)).toBe("equal");
  };

  test("RF with feedback equal to the weights is BP, to the bit", async () => {
    const bp = await start(backpropagation, { backend });
    const rf = await start(randomFeedback, { backend });
    const free = await gradientsOf(rf);
    await alignFeedback(rf);
    const wanted = only(await gradientsOf(bp));
    expect(only(await gradientsOf(rf))).toEqual(wanted);
    // Feedback of its own gives the head the same change and the layers below another one, which is not nothing.
    expect(free["head.weight"]).toEqual(wanted["head.weight"]);
    for (const name of ["conv1.weight", "conv2.weight", "conv3.weight"]) {
      expect(free[name]).not.toEqual(wanted[name]);
      expect(Math.max(...free[name].map(Math.abs)), name).toBeGreaterThan(0);
    }
  });

  test("URF that starts at the weights stays BP, and its feedback the weights, to the bit", async () => {
    const urf = await start(updatedRandomFeedback, { backend });
    await alignFeedback(urf);
    const after = await weightsAfter(urf, 5);
    const wanted = await weightsAfter(await start(backpropagation, { backend }), 5);
    for (const name of weights) expect(after[name], name).toEqual(wanted[name]);
    for (const name of ["conv2", "conv3", "head"])
      expect(after[`${name}.feedback.weight`], name).toEqual(after[`${name}.weight`]);
  });

  test("under KP the gap shrinks by 1 − learningRate · decay in every step", async () => {
    const step = await start(kolenPollack({ decay: 20 }), { backend });
    const gaps = async () => {
      const result: Record<string, number[]> = {};
      for (const name of ["conv2", "conv3", "head"]) {
        const [w, b] = [parameter(step, `${name}.weight`), parameter(step, `${name}.feedback.weight`)];
        const feedback = await step.engine.read(b);
        result[name] = Array.from(await step.engine.read(w), (value, i) => value - feedback[i]);
      }
      return result;
    };
    const before = await gaps();
    await adamLosses(step, 10);
    const factor = (1 - 20 * adamDefaults.learningRate) ** 10;
    for (const [name, values] of Object.entries(await gaps())) {
      const wanted = before[name].map((value) => factor * value);
      expectNear(values, wanted, { kind: "adam", terms: 10, what: name });
    }
  });

  test("SSF with feedback of the weights' sizes is BP, whatever the feedback's own signs", async () => {
    const step = await start(signSymmetricFeedback, { backend });
    await alignFeedback(step);
    for (const name of ["conv2", "conv3", "head"]) {
      const feedback = parameter(step, `${name}.feedback.weight`);
      step.engine.write(
        feedback,
        (await step.engine.read(feedback)).map((x, i) => (i % 2 ? x : -x)),
      );
    }
    const got = await gradientsOf(step);
    for (const [what, wanted] of Object.entries(await gradientsOf(await start(backpropagation, { backend }))))
      if (device === "reference") expect(got[what], what).toEqual(wanted);
      else expectNear(got[what], wanted, { kind: "conv2dWeightGradient", terms: 8 * 64, what });
  });

  test.each([1, 2, 3])(
    "DFA sends the error to the last of %i blocks as BP does when its matrix is the head's",
    async (end) => {
      const step = await start(directFeedbackAlignment, { backend, end });
      const free = await gradientsOf(step);
      await copy(step, parameter(step, "head.weight"), parameter(step, `conv${end}.direct.weight`));
      const got = await gradientsOf(step);
      const wanted = await gradientsOf(await start(backpropagation, { backend, end }));
      expect(Object.keys(got)).toEqual(expect.arrayContaining(Object.keys(wanted)));
      for (const [name, gradient] of Object.entries(wanted)) {
        // Through its own matrix to every layer, and through no other layer's.
        if (name.startsWith(`conv${end}.`) || name === "head.weight") expect(got[name], name).toEqual(gradient);
        else {
          expect(got[name], name).toEqual(free[name]);
          expect(got[name], name).not.toEqual(gradient);
        }
        // A sum over views and anchors, whose errors cancel where all below is linear.
        if (name !== "conv2.bias") expect(Math.max(...free[name].map(Math.abs)), name).toBeGreaterThan(0);
      }
    },
  );

  test("DFA changes no filter that is saturated everywhere", async () => {
    const step = await start(directFeedbackAlignment, { backend });
    const weight = parameter(step, "conv1.weight");
    const outputs = small.blocks[0].outputs;
    step.engine.write(
      weight,
      (await step.engine.read(weight)).map((w, i) => (i % outputs === 1 ? 1e3 : w)),
    );
    const change = (await gradientsOf(step))["conv1.weight"];
    const largest = Array.from({ length: outputs }, (_, filter) =>
      Math.max(...change.filter((_, i) => i % outputs === filter).map(Math.abs)),
    );
    expect(largest.map((value) => value > 0)).toEqual([true, false, true, true]);
  });

  test("a layer that learns alone learns as the one-layer network does under BP", async () => {
    const alone: Encoder = { ...small, name: "alone", blocks: small.blocks.slice(0, 1) };
    const lesson = await start(backpropagation, { backend, end: 1 });
    const network = await start(backpropagation, { backend, encoder: alone });
    const names = ["conv1.weight", "head.weight"];
    const [got, wanted] = [await gradientsOf(lesson), await gradientsOf(network)];
    expect(Object.keys(got)).toEqual(expect.arrayContaining(names));
    for (const name of names) expect(got[name], name).toEqual(wanted[name]);
  });

  test("DTP changes the last block in proportion to BP, and the head as BP does", async () => {
    const got = await gradientsOf(await start(dtp({ localLoss: "mean" }), { backend }));
    const wanted = await gradientsOf(await start(backpropagation, { backend }));
    expect(got["head.weight"]).toEqual(wanted["head.weight"]);
    // Mean squared error over all elements, targets a step of 0.5/n down: 2·(0.5/4)/N times BP's.
    const scaled = wanted["conv3.weight"].map((value) => ((2 * 0.125) / elements) * value);
    // Four pixels of eight pictures.
    expectNear(got["conv3.weight"], scaled, { kind: "conv2dWeightGradient", terms: 32, what: "conv3.weight" });
    expect(Math.abs(cosine(got["conv2.weight"], wanted["conv2.weight"]))).toBeLessThan(0.999);
    expect(Math.max(...got["conv1.weight"].map(Math.abs))).toBeGreaterThan(0);
  });
});

describe("DTP's local losses", () => {
  const blocked = contrastiveHinge({ m1: 0.1, m2: 3, negatives: { kind: "all" }, gradientBlock: true });

  test.each([
    // Blocked anchors count as zeros in the mean over the batch.
    { localLoss: "mean", by: 1 / elements },
    { localLoss: "sum", by: 1 },
  ] as const)("as a $localLoss, under the gradient block", async ({ localLoss, by }) => {
    const got = await gradientsOf(await start(dtp({ localLoss }), { loss: blocked }));
    const wanted = await gradientsOf(await start(backpropagation, { loss: blocked }));
    expect(norm(wanted["conv3.weight"])).toBeGreaterThan(0);
    const scaled = wanted["conv3.weight"].map((value) => 2 * 0.125 * by * value);
    got["conv3.weight"].forEach((value, i) => {
      expect(Math.abs(value - scaled[i])).toBeLessThan(1e-12 * norm(scaled));
    });
  });

  test("as a sum are those as a mean times the elements of each layer's activity in the batch", async () => {
    const [sum, mean] = [
      await gradientsOf(await start(dtp({ localLoss: "sum" }))),
      await gradientsOf(await start(dtp({ localLoss: "mean" }))),
    ];
    for (const [name, size] of [
      ["conv1.weight", 8 * 8 * 8 * 4],
      ["conv2.weight", 8 * 4 * 4 * 5],
      ["conv3.weight", elements],
    ] as const) {
      const scaled = mean[name].map((value) => size * value);
      sum[name].forEach((value, i) => {
        expect(Math.abs(value - scaled[i])).toBeLessThan(1e-9 * norm(scaled));
      });
    }
    expect(sum["head.weight"]).toEqual(mean["head.weight"]);
  });
});

test("under URF the gap between weights and feedback never changes", async () => {
  const step = await start(updatedRandomFeedback);
  const gap = async (name: string): Promise<number[]> => {
    const w = await step.engine.read(parameter(step, `${name}.weight`));
    const b = await step.engine.read(parameter(step, `${name}.feedback.weight`));
    return Array.from(w, (value, i) => value - b[i]);
  };
  const names = ["conv2", "conv3", "head"];
  const before = await Promise.all(names.map(gap));
  const start1 = await step.engine.read(parameter(step, "head.weight"));
  await adamLosses(step, 20);
  const after = await Promise.all(names.map(gap));
  after.forEach((values, i) => {
    for (const [k, value] of values.entries()) expect(Math.abs(value - before[i][k])).toBeLessThan(1e-14);
  });
  expect(await step.engine.read(parameter(step, "head.weight"))).not.toEqual(start1);
});

test("under RF the feedback never changes", async () => {
  const step = await start(randomFeedback);
  const feedback = parameter(step, "conv2.feedback.weight");
  const before = await step.engine.read(feedback);
  expect(Math.max(...before.map(Math.abs))).toBeGreaterThan(0);
  await adamLosses(step, 3);
  expect(await step.engine.read(feedback)).toEqual(before);
});

describe("a layer that learns alone", () => {
  test.each([
    { first: 0, above: ["conv2.weight", "conv3.weight"] },
    { first: 1, above: ["conv3.weight"] },
  ])("the step of block $first reads nothing above it", async ({ first, above }) => {
    const step = await start(randomFeedback, { first, end: first + 1 });
    expect(Object.keys(await gradientsOf(step))).toContain(`conv${first + 1}.weight`);
    // What stands above has no place in the program at all: nothing that could be written to.
    const used = persistentTensors([step.gradientProgram]);
    for (const name of above) expect(used).not.toContain(parameter(step, name));
  });

  test("block 1 does change with what stands below it, which does not learn", async () => {
    const step = await start(backpropagation, { first: 1, end: 2 });
    const before = await gradientsOf(step);
    expect(before["conv1.weight"]).toBeUndefined();
    const below = parameter(step, "conv1.weight");
    step.engine.write(
      below,
      (await step.engine.read(below)).map((x) => 0.5 * x),
    );
    expect((await gradientsOf(step))["conv2.weight"]).not.toEqual(before["conv2.weight"]);
  });
});

describe("DTP", () => {
  test("under a mean loss steps by the target step itself", async () => {
    const labels = Int32Array.of(1, 0, 3, 2);
    const supervised = async (update: Update) => {
      const step = await start(update, { loss: crossEntropy, classes: 5 });
      step.engine.write(step.labels, labels);
      return gradientsOf(step);
    };
    const [got, wanted] = [await supervised(dtp({ localLoss: "mean" })), await supervised(backpropagation)];
    const seen = 4 * 2 * 2 * 6;
    for (const [i, value] of got["conv3.weight"].entries())
      expect(value).toBeCloseTo(((2 * 0.5) / seen) * wanted["conv3.weight"][i], 12);
  });

  test("leaves the encoder alone where targets come from inverses that do not see their input", async () => {
    // With g constant the difference is 0: only the last block, whose target needs no inverse, learns.
    const step = await start(dtp());
    for (const { tensor } of step.parameters)
      if (tensor.name.endsWith("inverse.weight")) step.engine.write(tensor, new Float64Array(sizeOf(tensor.shape)));
    const got = await gradientsOf(step);
    expect(Math.max(...got["conv1.weight"].map(Math.abs))).toBe(0);
    expect(Math.max(...got["conv2.weight"].map(Math.abs))).toBe(0);
    expect(Math.max(...got["conv3.weight"].map(Math.abs))).toBeGreaterThan(0);
  });

  test.each(["inversesFirst", "targetsFirst"] as const)(
    "each inverse's error falls while the encoder stands still (%s)",
    async (order) => {
      const step = await start(dtp({ order, inverseLearningRate: 1e-2 }), {
        // The encoder's own steps are too small for float64 to see.
        optimiser: { ...adamDefaults, learningRate: 1e-300 },
      });
      const losses = ["conv2.inverse.loss", "conv3.inverse.loss"];
      const { engine, run } = await openTensors(step, losses);
      const frozen = await engine.read(parameter(step, "conv2.weight"));
      const history: number[][] = [];
      for (let i = 1; i <= 60; i++) history.push((await run(i)).flat());
      const mean = (values: number[][], k: number): number =>
        values.reduce((sum, value) => sum + value[k] / values.length, 0);
      losses.forEach((_, k) => {
        // Fresh noise in every step: means of ten.
        expect(mean(history.slice(-10), k)).toBeLessThan(0.7 * mean(history.slice(0, 10), k));
      });
      expect(await engine.read(parameter(step, "conv2.weight"))).toEqual(frozen);
    },
  );

  test.each(["inversesFirst", "targetsFirst"] as const)(
    "sets its targets by the inverses as they stand: %s",
    async (order) => {
      const step = await start(dtp({ order, inverseLearningRate: 1e-2 }), {
        // The encoder's own steps are too small for float64 to see.
        optimiser: { ...adamDefaults, learningRate: 1e-300 },
      });
      // Its gradient program changes nothing.
      const judge = await start(dtp());
      const before = await gradientsOf(judge);
      await adamLosses(step, 1);
      for (const [i, { tensor }] of judge.parameters.entries())
        judge.engine.write(tensor, await step.engine.read(step.parameters[i].tensor));
      const after = await gradientsOf(judge);
      const [learnt, other] = order === "inversesFirst" ? [after, before] : [before, after];
      for (const name of ["conv1.weight", "conv2.weight"]) {
        const moments = step.optimiser.state.get(parameter(step, name));
        if (!moments) throw new Error(`${name} has not learnt`);
        // The first moment after one step is 1 − β₁ of the gradient.
        const gradient = Array.from(await step.engine.read(moments[0]), (m) => m / (1 - adamDefaults.beta1));
        expect(cosine(gradient, learnt[name]), name).toBeCloseTo(1, 12);
        expect(cosine(gradient, other[name]), name).toBeLessThan(0.9999);
      }
    },
  );

  test.each([
    { kind: "relative", size: 0.3 },
    { kind: "absolute", size: 0.2 },
  ] as const)("lets its inverses learn under noise of the size that is asked for: %o", async (noise) => {
    const step = await start(dtp({ noise }), { batch: 16 });
    const names = ["conv2", "conv3"].flatMap((name) => [`${name}.inverse.noisy`, `${name}.inverse.loss`]);
    const { engine, run } = await openTensors(step, names);
    const inputs = step.blocks.slice(1).map(({ input }) => input);
    await step.engine.run(step.gradientProgram);
    const [noisy2, , noisy3] = await run(1);
    for (const [i, noisy] of [noisy2, noisy3].entries()) {
      const x = [...(await step.engine.read(inputs[i]))];
      const drawn = spread(noisy.map((value, k) => value - x[k]));
      const wanted = noise.size * (noise.kind === "relative" ? spread(x) : 1);
      // Three standard errors of a standard deviation from this many draws.
      expect(Math.abs(drawn / wanted - 1)).toBeLessThan(3 / Math.sqrt(2 * x.length));
    }
    await engine.dispose();
  });

  test("with feedback at the head reads no forward weight on the way to the first target", async () => {
    const step = await start(dtp({ head: "feedback" }));
    const weight = parameter(step, "head.weight");
    const before = await gradientsOf(step);
    const readers = step.gradientProgram.operations.filter(({ inputs }) => Object.values(inputs).includes(weight));
    expect(readers.map(({ kind }) => kind)).toEqual(["linear"]);
    await copy(step, weight, parameter(step, "head.feedback.weight"));
    const wanted = await gradientsOf(await start(dtp()));
    expect((await gradientsOf(step))["conv2.weight"]).toEqual(wanted["conv2.weight"]);
    expect(before["conv2.weight"]).not.toEqual(wanted["conv2.weight"]);
  });

  /** A linear network whose inverses are exact: fully connected and square, 1 × 1 convolutions on one pixel. */
  async function openLinear(options: Partial<DtpOptions>) {
    const c = 4;
    const linear: Encoder = {
      name: "linear",
      height: 1,
      width: 1,
      channels: c,
      blocks: [1, 2, 3].map((i) => ({
        name: `conv${i}`,
        outputs: c,
        kernel: 1,
        stride: 1,
        padding: 0,
        bias: false,
        after: [],
      })),
      head: { averagePool: 1, outputs: 7, bias: false },
    };
    const step = await start(dtp(options), { encoder: linear });
    const matrix = async (name: string) => [...(await step.engine.read(parameter(step, name)))];
    for (const i of [2, 3]) {
      // Activities are rows: y = x·W, so x = y·W⁻¹; the inverse's kernel [c in, c out] carries y back as y·Kᵀ.
      const inverse = invert(await matrix(`conv${i}.weight`), c);
      const transposed = inverse.map((_, at) => inverse[(at % c) * c + Math.floor(at / c)]);
      step.engine.write(parameter(step, `conv${i}.inverse.weight`), Float64Array.from(transposed));
      step.engine.write(parameter(step, `conv${i}.inverse.bias`), new Float64Array(c));
    }
    return { step, c, matrix };
  }

  test("with exact inverses gives them nothing to learn, whatever the noise", async () => {
    // g(f(x + ε)) = x + ε: it is the noisy input that goes up and that must come back.
    const { step } = await openLinear({ noise: { kind: "absolute", size: 2 } });
    const { engine, run } = await openTensors(step, ["conv2.inverse.loss", "conv3.inverse.loss"]);
    for (const [loss] of await run(1)) expect(loss).toBeLessThan(1e-20);
    await engine.dispose();
  });

  test("with exact inverses on a linear network sets the Gauss–Newton targets (Meulemans et al. 2020)", async () => {
    // J = ∂x_3/∂x_l is a product of weights.
    const { step, c, matrix } = await openLinear({ noise: { kind: "absolute", size: 0 } });
    const got = await gradientsOf(step);
    const rows = 8;
    const x = await Promise.all(step.blocks.map(async ({ input }) => [...(await step.engine.read(input))]));
    const delta = [...(await step.engine.read(step.error))];
    const head = await matrix("head.weight");
    // δ at x_3 = δ_embedding · W_headᵀ, [rows, c].
    const top = multiply(delta, transpose(head, c, 7), rows, 7, c);
    let newton = top.map((value) => -(0.5 / 4) * value);
    for (const l of [3, 2, 1]) {
      const wanted = multiply(transpose(x[l - 1], rows, c), newton, c, rows, c).map((v) => -2 * v);
      for (const [i, value] of got[`conv${l}.weight`].entries()) expect(value).toBeCloseTo(wanted[i], 10);
      // The Gauss–Newton step one layer down: Δx·W⁻¹.
      newton = multiply(newton, invert(await matrix(`conv${l}.weight`), c), rows, c, c);
    }
  });
});

/** a [n, k] · b [k, m], row-major. */
function multiply(a: readonly number[], b: readonly number[], n: number, k: number, m: number): number[] {
  return Array.from({ length: n * m }, (_, at) => {
    const [i, j] = [Math.floor(at / m), at % m];
    let sum = 0;
    for (let p = 0; p < k; p++) sum += a[i * k + p] * b[p * m + j];
    return sum;
  });
}

const transpose = (a: readonly number[], n: number, m: number): number[] =>
  Array.from({ length: n * m }, (_, at) => a[(at % n) * m + Math.floor(at / n)]);

/** Gauss–Jordan with pivoting. */
function invert(matrix: readonly number[], n: number): number[] {
  const rows = Array.from({ length: n }, (_, i) => [
    ...matrix.slice(i * n, (i + 1) * n),
    ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)),
  ]);
  for (let column = 0; column < n; column++) {
    const pivot = rows
      .slice(column)
      .reduce((best, row, i) => (Math.abs(row[column]) > Math.abs(rows[best][column]) ? column + i : best), column);
    [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
    const scale = rows[column][column];
    rows[column] = rows[column].map((value) => value / scale);
    rows.forEach((row, i) => {
      if (i !== column) rows[i] = row.map((value, j) => value - row[column] * rows[column][j]);
    });
  }
  return rows.flatMap((row) => row.slice(n));
}

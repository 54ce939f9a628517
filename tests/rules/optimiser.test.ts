// Optimisers, schedules and factors: PyTorch's paths, the identities of feedback under each, and runs that go on to the byte.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { recordProgram } from "../../src/program/program.ts";
import { persistent } from "../../src/program/tensor.ts";
import { createOptimiser, recordUpdates } from "../../src/rules/optimiser.ts";
import { configKey } from "../../src/runs/resume.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredOptimiser } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { dependsOnLength, rateAt } from "../../src/training/rate-schedule.ts";
import { createTrainer, type Trainer } from "../../src/training/trainer.ts";
import { readGolden } from "../goldens/read.ts";

type Optimiser = Config["optimiser"];

const images = proceduralObjects({ split: "train", count: 16, seed: 1, size: 16 });
const wasm = wasmBackend({ threads: 2 });

const parse = (more: object): Config =>
  parseConfig(
    { name: "a", data: { dataset: "procedural-objects" }, encoder: "tiny", batch: 8, epochs: 4, xrayEvery: 0, ...more },
    "a.yaml",
  );
const optimiserOf = (optimiser: object): Optimiser => parse({ optimiser }).optimiser;

describe("PyTorch's paths", () => {
  const golden = readGolden<{ cases: readonly { tensor: string; optimiser: object }[] }>("optimisers");
  const { shape, data: gradients } = golden.tensor("gradients");
  const [updates, size] = shape;

  test.each(golden.json.cases)("$optimiser", async ({ tensor, optimiser: options }) => {
    const optimiser = optimiserOf(options);
    const weight = persistent("weight", [size], "weight");
    const gradient = persistent("gradient", [size], "input");
    const made = createOptimiser(configuredOptimiser(optimiser));
    const record = recordProgram("optimiser");
    recordUpdates(record, made, [{ weight, gradient }]);
    const program = record.finish([]);
    const engine = await referenceBackend.prepare([program]);
    engine.write(weight, golden.tensor("start").data);
    for (let update = 1; update <= updates; update++) {
      if (optimiser.kind !== "sgd") engine.write(made.step, Int32Array.of(update));
      engine.write(made.rate, Float64Array.of(rateAt(optimiser.schedule, update, updates)));
      engine.write(gradient, gradients.subarray((update - 1) * size, update * size));
      await engine.run(program);
      const wanted = golden.tensor(tensor).data.subarray((update - 1) * size, update * size);
      const got = await engine.read(weight);
      for (let i = 0; i < size; i++) expect(got[i], `update ${update}, element ${i}`).toBeCloseTo(wanted[i], 6);
    }
  });
});

describe("a schedule", () => {
  const rates = (schedule: object, updates: number): number[] => {
    const { schedule: parsed } = optimiserOf({ schedule });
    return Array.from({ length: updates }, (_, i) => rateAt(parsed, i + 1, updates));
  };

  test("warms up evenly and stays", () => {
    expect(rates({ warmup: 4 }, 6)).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
  });

  test("falls along half a cosine to its end, never below", () => {
    const falling = rates({ kind: "cosine", end: 0.2 }, 100);
    expect(falling[0]).toBe(1);
    expect(falling[50]).toBeCloseTo(0.6, 12);
    expect(falling.every((rate, i) => i === 0 || rate < falling[i - 1])).toBe(true);
    expect(rateAt({ kind: "cosine", warmup: 0, end: 0.2 }, 500, 100)).toBeCloseTo(0.2, 12);
  });

  test("falls in steps", () => {
    expect(rates({ kind: "step", at: [0.5, 0.75], factor: 0.5 }, 8)).toEqual([1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]);
  });

  test("all of warm-up climbs, even where the run ends within it", () => {
    expect(rates({ kind: "cosine", warmup: 10 }, 2)).toEqual([0.1, 0.2]);
  });
});

async function withTrainer<T>(config: Config, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await createTrainer({ config, dataset: images, backend: wasm });
  try {
    return await use(trainer);
  } finally {
    await trainer.dispose();
  }
}

const advanceTo = async (trainer: Trainer, step: number): Promise<Map<string, Float32Array>> => {
  while (trainer.position().step < step) await trainer.step();
  return trainer.state();
};

const bytesOf = (state: Map<string, Float32Array>): string[] =>
  [...state].map(([name, { buffer, byteOffset, byteLength }]) => {
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    return `${name} ${bytes.toString("base64")}`;
  });

const everyOptimiser = [
  { kind: "adamw", learningRate: 1e-3, weightDecay: 0.1, schedule: { kind: "cosine", warmup: 2 } },
  { kind: "sgd", learningRate: 1e-5, schedule: { kind: "step", at: [0.5] } },
  { kind: "sgd", learningRate: 1e-5, momentum: 0, nesterov: false, head: 0.1, feedback: 0.5 },
  { kind: "adam", learningRate: 1e-3, head: 0, schedule: { warmup: 3 } },
];

describe.each(everyOptimiser)("%j", (optimiser) => {
  test.each(["E2E", "GLL", "RLL"])("under %s a run goes on to the byte", async (learning) => {
    const config = parse({ learning, update: "URF", optimiser });
    await withTrainer(config, async (trainer) => {
      const middle = Math.floor(trainer.totalSteps / 2);
      const saved = await advanceTo(trainer, middle);
      const position = trainer.position();
      const ended = bytesOf(await advanceTo(trainer, trainer.totalSteps));
      await withTrainer(config, async (other) => {
        await other.restore(saved, position);
        expect(bytesOf(await advanceTo(other, other.totalSteps))).toEqual(ended);
      });
      expect(bytesOf(saved)).not.toEqual(ended);
    });
  });
});

describe("schedules by Learning", () => {
  /** How far the first layer's weights went in each step. */
  async function paths(learning: string, epochs: number): Promise<{ layer: number | undefined; went: number }[]> {
    const schedule = { kind: "cosine" };
    const config = parse({ learning, epochs, optimiser: { learningRate: 1e-3, schedule } });
    return withTrainer(config, async (trainer) => {
      const went: { layer: number | undefined; went: number }[] = [];
      let before = await trainer.state();
      while (trainer.position().step < trainer.totalSteps) {
        const { layer } = await trainer.step();
        const after = await trainer.state();
        const name = `conv${layer ?? 1}.weight`;
        const [a, b] = [before.get(name), after.get(name)] as [Float32Array, Float32Array];
        went.push({ layer, went: a.reduce((most, value, i) => Math.max(most, Math.abs(b[i] - value)), 0) });
        before = after;
      }
      return went;
    });
  }

  test("GLL: every layer begins with the whole learning rate and ends near none", async () => {
    const steps = await paths("GLL", 5);
    for (const layer of [1, 2, 3]) {
      const own = steps.filter((step) => step.layer === layer);
      expect(own.length).toBe(10);
      expect(own[0].went / 1e-3).toBeCloseTo(1, 1);
      expect(own[9].went).toBeLessThan(0.1 * own[0].went);
    }
  });

  test("RLL: every layer counts its own updates, however often it is drawn", async () => {
    const steps = await paths("RLL", 10);
    for (const layer of [1, 2, 3]) {
      const own = steps.filter((step) => step.layer === layer);
      expect(own[0].went / 1e-3).toBeCloseTo(1, 1);
      expect(own.at(-1)?.went).toBeLessThan(0.1 * own[0].went);
    }
  });
});

describe("factors", () => {
  const moves = async (optimiser: object, update = "URF") => {
    const config = parse({ learning: "E2E", update, optimiser: { kind: "sgd", learningRate: 1e-5, ...optimiser } });
    return withTrainer(config, async (trainer) => {
      const before = await trainer.state();
      await trainer.step();
      const after = await trainer.state();
      return (name: string): Float32Array => {
        const [a, b] = [before.get(name), after.get(name)] as [Float32Array, Float32Array];
        return a.map((value, i) => b[i] - value);
      };
    });
  };
  const ratio = (a: Float32Array, b: Float32Array): number =>
    Math.sqrt(a.reduce((sum, x) => sum + x * x, 0) / b.reduce((sum, x) => sum + x * x, 0));

  test("of the head scales the head and its feedback alike, and nothing else", async () => {
    const [whole, half] = [await moves({}), await moves({ head: 0.5 })];
    expect(half("conv2.weight")).toEqual(whole("conv2.weight"));
    expect(ratio(half("head.weight"), whole("head.weight"))).toBeCloseTo(0.5, 3);
    expect(ratio(half("head.feedback.weight"), whole("head.feedback.weight"))).toBeCloseTo(0.5, 3);
  });

  test("of feedback scales all feedback beside the weights' increments", async () => {
    const [whole, half] = [await moves({}), await moves({ feedback: 0.5 })];
    for (const name of ["conv2", "head"]) {
      expect(half(`${name}.weight`)).toEqual(whole(`${name}.weight`));
      expect(ratio(half(`${name}.feedback.weight`), whole(`${name}.feedback.weight`))).toBeCloseTo(0.5, 3);
    }
  });

  test("of 0 leaves the head as it starts, without a state of its own", async () => {
    const config = parse({ update: "RF", optimiser: { head: 0 } });
    await withTrainer(config, async (trainer) => {
      const before = await trainer.state();
      const after = await advanceTo(trainer, 2);
      expect(after.get("head.weight")).toEqual(before.get("head.weight"));
      expect(after.get("conv1.weight")).not.toEqual(before.get("conv1.weight"));
      expect([...after.keys()]).not.toContain("head.weight.m");
    });
  });
});

describe("configuration", () => {
  test("adam is short for optimiser kind adam, and the kind goes without saying", () => {
    const wanted = optimiserOf({ kind: "adam", learningRate: 0.5 });
    expect(parse({ adam: { learningRate: 0.5 } }).optimiser).toEqual(wanted);
    expect(optimiserOf({ learningRate: 0.5 })).toEqual(wanted);
    expect(parse({ optimiser: { beta1: 0.5 }, adam: { learningRate: 0.5 } }).optimiser).toEqual({
      ...wanted,
      beta1: 0.5,
    });
  });

  test.each([
    [{ adam: 3 }, "a.yaml: adam must be a group of keys and values, got 3"],
    [
      { optimiser: { kind: "sgd" }, adam: { learningRate: 1 } },
      'a.yaml: adam is short for optimiser.kind adam, got optimiser.kind "sgd"; write optimiser.learningRate',
    ],
    [
      { optimiser: { kind: "sdg" } },
      /^a\.yaml: optimiser\.kind must be one of adam, adamw, sgd, got "sdg"; did you mean "sgd"\?$/,
    ],
    [
      { optimiser: { kind: "sgd", beta1: 0.5 } },
      /^a\.yaml: optimiser\.beta1 is not a key of optimiser kind sgd \(known: .*momentum.*\); leave it out/,
    ],
    [{ optimiser: { momentum: 0.5 } }, /^a\.yaml: optimiser\.momentum is not a key of optimiser kind adam/],
    [
      { optimiser: { schedule: { kind: "cosine", at: [0.5] } } },
      /^a\.yaml: optimiser\.schedule\.at is not a key of optimiser\.schedule kind cosine/,
    ],
    [
      { optimiser: { schedule: { kind: "step", at: [1.5] } } },
      "a.yaml: optimiser.schedule.at.0 must be below 1, got 1.5",
    ],
    [
      { optimiser: { feedback: 0.5 } },
      "a.yaml: optimiser.feedback is for feedback that receives the weights' increments (update URF or KP), got update BP; leave it out",
    ],
    [
      { loss: { kind: "clapp" }, optimiser: { head: 0.5 } },
      "a.yaml: optimiser.head is for a loss with a projection head, got loss clapp; leave it out",
    ],
  ])("%j is refused", (more, sentence) => {
    expect(() => parse(more)).toThrow(sentence);
  });

  test("a run may be lengthened only where its rates do not depend on its length", () => {
    const key = (schedule: object, epochs: number): string => configKey(parse({ epochs, optimiser: { schedule } }));
    expect(key({ warmup: 5 }, 4)).toBe(key({ warmup: 5 }, 8));
    for (const kind of ["cosine", "step"]) {
      expect(dependsOnLength(optimiserOf({ schedule: { kind } }).schedule)).toBe(true);
      expect(key({ kind }, 4)).not.toBe(key({ kind }, 8));
    }
  });
});

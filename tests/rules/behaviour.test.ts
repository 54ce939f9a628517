// Every Learning × Update × Loss as a whole: repeatable to the byte, resumable, changing what it says it changes, and learning.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { pairings } from "../../src/data/pairing.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { networks } from "../../src/encoders/networks.ts";
import { type ProbeOptions, probe } from "../../src/evaluation/probe.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredPairs } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import {
  type Combination,
  combinations,
  type LossName,
  learningNames,
  lossNames,
  refusal,
  updateNames,
} from "../../src/training/registry.ts";
import { createTrainer, type StepResult, type Trainer } from "../../src/training/trainer.ts";

/** Two batches of 8 an epoch; one image of each order is left over. */
const images = proceduralObjects({ split: "train", count: 17, seed: 1, size: 16 });
const stepsPerEpoch = 2;

interface Pace {
  /** Small enough that a sum over thousands of synapses does not step past the margins. */
  readonly learningRate: number;
  /** Of the run, or of each layer where layers learn alone. */
  readonly steps: number;
}

/** Enough for every layer to lower its loss with any of the seeds 1 to 4. */
const paces: Record<LossName, { readonly together?: Pace; readonly alone: Pace }> = {
  contrastiveHinge: { together: { learningRate: 1e-3, steps: 20 }, alone: { learningRate: 2e-4, steps: 14 } },
  simclr: { together: { learningRate: 3e-3, steps: 20 }, alone: { learningRate: 1e-3, steps: 14 } },
  crossEntropy: { together: { learningRate: 4e-3, steps: 20 }, alone: { learningRate: 3e-3, steps: 24 } },
  amitHinge: { together: { learningRate: 4e-3, steps: 20 }, alone: { learningRate: 3e-3, steps: 24 } },
  clapp: { together: { learningRate: 1e-3, steps: 20 }, alone: { learningRate: 1e-3, steps: 20 } },
  clappPatches: { together: { learningRate: 2e-3, steps: 60 }, alone: { learningRate: 3e-3, steps: 28 } },
  scff: { alone: { learningRate: 6e-3, steps: 24 } },
};

/** What a loss needs other than the rest. */
const own: Partial<
  Record<LossName, { readonly augmentation?: object; readonly loss: object; readonly optimiser?: object }>
> = {
  clappPatches: {
    augmentation: { kind: "patches", crop: 16, size: 8, stride: 4 },
    loss: { steps: 1, skip: 0, negatives: 5 },
    // A mean over places and images of products of small maps: its gradients are near the usual 1e-8.
    optimiser: { epsilon: 1e-12 },
  },
  // Thresholds near each other and near the start leave next to nothing to lower: a layer as active for negatives as for positives
  // pays 1.74 of a silent layer's 1.77 under the usual ones, 1.95 of 2.44 under these.
  scff: { loss: { positiveThreshold: 2, negativeThreshold: 1 } },
};

/** Steps whose loss is held against what it is for the same batches in the end: more where each step draws pairs of its own. */
const heldAgain = (loss: LossName): number => (loss === "clappPatches" ? 6 : 2);

const sharing = ({ learning }: Combination): "together" | "alone" => (learning === "E2E" ? "together" : "alone");
/** A combination that is refused has none of its own. */
const paceOf = (entry: Combination): Pace => paces[entry.loss][sharing(entry)] ?? paces[entry.loss].alone;
const nameOf = ({ learning, update, loss }: Combination): string => `${learning} ${update} ${loss}`;

function configured(entry: Combination, change: object = {}): Config {
  const { learning, update, loss } = entry;
  const { learningRate, steps } = paceOf(entry);
  return parseConfig(
    {
      name: "behaviour",
      seed: 1,
      data: { dataset: "procedural-objects" },
      augmentation: { kind: "affine", perturb: 0.1, share: 1, flip: 0, saturation: 0.2, hue: 0.02 },
      encoder: "tiny",
      loss: { kind: loss, ...own[loss]?.loss },
      learning,
      update,
      optimiser: { kind: "adam", learningRate, ...own[loss]?.optimiser },
      batch: 8,
      epochs: steps / stepsPerEpoch,
      ...(own[loss]?.augmentation && { augmentation: own[loss].augmentation }),
      ...change,
    },
    "behaviour",
  );
}

type State = Map<string, Float32Array>;

const backends = (["here", 2, 3] as const).map((threads) => wasmBackend({ threads }));
const [noThreads, twoThreads] = backends;

async function advance(trainer: Trainer, to: number): Promise<void> {
  while (trainer.position().step < to) await trainer.step();
}

async function advanced(trainer: Trainer, to: number): Promise<State> {
  await advance(trainer, to);
  return trainer.state();
}

function restore(trainer: Trainer, state: State, step: number): Promise<void> {
  return trainer.restore(state, { step, epoch: Math.floor(step / stepsPerEpoch), batch: step % stepsPerEpoch });
}

/** Names of the tensors whose bytes are not the same. */
function changed(a: State, b: State): string[] {
  expect([...a.keys()]).toEqual([...b.keys()]);
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  return [...a].flatMap(([name, values]) => (bytes(values).equals(bytes(b.get(name) as Float32Array)) ? [] : [name]));
}

function largestChange(a: State, b: State, name: string): number {
  const [before, after] = [a.get(name), b.get(name)] as [Float32Array, Float32Array];
  return before.reduce((largest, value, i) => Math.max(largest, Math.abs(after[i] - value)), 0);
}

const fixed: Partial<Record<Combination["update"], RegExp>> = {
  RF: /\.feedback\.weight$/,
  SSF: /\.feedback\.weight$/,
  DFA: /\.direct\.weight$/,
};

/** What a step changes: all that learns, or what belongs to the one layer that learns. */
function learners({ update }: Combination, state: State, layer: number | undefined): string[] {
  const own = layer === undefined ? /./ : new RegExp(`^(conv|head|context|prediction)${layer}\\.`);
  return [...state.keys()].filter((name) => own.test(name) && !fixed[update]?.test(name));
}

/** The first step of each lesson: the state before and after it. */
interface First {
  readonly result: StepResult;
  readonly before: State;
  readonly after: State;
}

describe.each(combinations().map((entry) => ({ name: nameOf(entry), entry })))("$name", ({ entry }) => {
  const config = configured(entry);
  /** In the middle of an epoch, and under GLL in the middle of the second layer. */
  const stop = entry.learning === "E2E" ? 3 : paceOf(entry).steps + 3;
  const end = stop + 2;
  let trainers: Trainer[] = [];
  let start: State;
  let stopped: State;
  let ended: State;
  let last: State;
  let results: StepResult[];
  let firsts: First[];

  beforeAll(async () => {
    trainers = await Promise.all([
      ...backends.map((backend) => createTrainer({ config, dataset: images, backend })),
      createTrainer({ config: configured(entry, { seed: 2 }), dataset: images, backend: noThreads }),
    ]);
    const [, trainer] = trainers;
    start = await trainer.state();
    results = [];
    firsts = [];
    let before = start;
    while (trainer.position().step < trainer.totalSteps) {
      const result = await trainer.step();
      const { step } = result.position;
      results.push(result);
      if (firsts.length === trainer.recorded.lessons.length && ![stop, end, trainer.totalSteps].includes(step))
        continue;
      const after = await trainer.state();
      if (firsts.every(({ result: { layer } }) => layer !== result.layer)) firsts.push({ result, before, after });
      if (step === stop) stopped = after;
      if (step === end) ended = after;
      before = after;
    }
    last = before;
  });
  afterAll(async () => {
    await Promise.all(trainers.map((trainer) => trainer.dispose()));
  });

  test("gives the same bytes again", async () => {
    const [, trainer] = trainers;
    await restore(trainer, start, 0);
    expect(changed(await advanced(trainer, end), ended)).toEqual([]);
  });

  test("gives other bytes with another seed", async () => {
    const other = trainers[3];
    const [before, after] = [await other.state(), await advanced(other, 1)];
    const parameters = [...start.keys()].filter((name) => !/\.[mv]$/.test(name));
    expect(changed(before, start)).toEqual(parameters);
    expect(changed(after, firsts[0].after)).toEqual(expect.arrayContaining(parameters));
  });

  test("gives the same bytes with one thread", async () => {
    expect(changed(await advanced(trainers[0], end), ended)).toEqual([]);
  });

  test("goes on from a saved state in a new trainer, with three threads, as if it had never stopped", async () => {
    const trainer = trainers[2];
    const own = await trainer.state();
    await restore(trainer, stopped, stop);
    expect(trainer.position()).toEqual({ step: stop, epoch: Math.floor(stop / 2), batch: 1 });
    expect(changed(await advanced(trainer, end), ended)).toEqual([]);
    await restore(trainer, own, 0);
    expect(changed(await advanced(trainer, end), ended)).toEqual([]);
  });

  test("changes what learns, and nothing else", () => {
    for (const { result, before, after } of firsts)
      expect(changed(before, after)).toEqual(learners(entry, start, result.layer));
    expect(changed(start, last)).toEqual(learners(entry, start, undefined));
  });

  test("begins each layer's learning with a fresh optimiser", () => {
    // Adam's first step is the learning rate wherever the gradient is not small; KP's decay adds at most a hundredth of it.
    const { learningRate } = config.optimiser;
    for (const { result, before, after } of firsts)
      expect(largestChange(before, after, `conv${result.layer ?? 1}.weight`) / learningRate).toBeCloseTo(1, 1);
  });

  test("lets the layers learn in its order", () => {
    const drawn = results.map(({ layer }) => layer);
    if (entry.learning === "E2E") expect(new Set(drawn)).toEqual(new Set([undefined]));
    else if (entry.learning === "GLL")
      expect(drawn).toEqual([1, 2, 3].flatMap((layer) => Array(paceOf(entry).steps).fill(layer)));
    else {
      // Drawn, not in turns: the same layer now and then twice in a row.
      expect(drawn.some((layer, step) => layer === drawn[step - 1])).toBe(true);
      expect(drawn).not.toEqual([...drawn].sort());
      for (const layer of [1, 2, 3]) expect(drawn.filter((one) => one === layer).length).toBeGreaterThan(4);
    }
  });

  test("lowers its own loss in every layer", async () => {
    const [, trainer] = trainers;
    const layers = entry.learning === "E2E" ? [undefined] : [1, 2, 3];
    for (const layer of layers) {
      // The same batches with the same views, before and after. Of all ratios with the seeds 1 to 4 the
      // closest are 0.93 (SCFF under GLL, layer 3), 0.92 (E2E RF clappPatches) and 0.91 (RLL RF crossEntropy, layer 3).
      const seen = results.filter((result) => result.layer === layer).slice(0, heldAgain(entry.loss));
      const again: number[] = [];
      for (const { position } of seen) {
        await restore(trainer, last, position.step - 1);
        again.push((await trainer.step()).loss);
      }
      const before = seen.reduce((sum, { loss }) => sum + loss, 0);
      const after = again.reduce((sum, loss) => sum + loss, 0);
      expect(after / before, `loss after ÷ before, layer ${layer ?? "all"}`).toBeLessThan(0.95);
    }
  });
});

describe("every other combination", () => {
  const all = learningNames.flatMap((learning) =>
    updateNames.flatMap((update) => lossNames.map((loss): Combination => ({ learning, update, loss }))),
  );
  const others = all.filter((entry) => !combinations().some((sound) => nameOf(sound) === nameOf(entry)));

  test.each(others.map((entry) => ({ name: nameOf(entry), entry })))(
    "$name is refused with the reason",
    ({ entry }) => {
      const reason = refusal(entry);
      expect(reason).toMatch(/^(learning|loss) .+; use /);
      expect(() => configured(entry)).toThrow(`behaviour: ${reason}`);
    },
  );

  test("is one whose parts do not fit together", () => {
    const unfit = ["GLL DTP", "RLL DTP", "GLL DFA", "RLL DFA"].flatMap((pair) =>
      lossNames.map((loss) => `${pair} ${loss}`),
    );
    const readsPicture = ["clapp", "clappPatches", "scff"];
    const headless = ["GLL", "RLL"].flatMap((learning) =>
      ["RF", "URF", "SSF", "KP"].flatMap((update) => readsPicture.map((loss) => `${learning} ${update} ${loss}`)),
    );
    const direct = ["clapp", "clappPatches"].map((loss) => `E2E DFA ${loss}`);
    const together = updateNames.map((update) => `E2E ${update} scff`);
    expect(others.map(nameOf).sort()).toEqual([...direct, ...unfit, ...headless, ...together].sort());
  });
});

const usual: Combination = { learning: "E2E", update: "BP", loss: "contrastiveHinge" };

/** Does something with a new trainer and ends it. */
async function withTrainer<T>(config: Config, dataset: ImageSet, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await createTrainer({ config, dataset, backend: twoThreads });
  try {
    return await use(trainer);
  } finally {
    await trainer.dispose();
  }
}

/** Pictures of the last step, one a row. */
async function pictures(trainer: Trainer): Promise<Float32Array[]> {
  const numbers = await trainer.views();
  const size = images.height * images.width * images.channels;
  return Array.from({ length: numbers.length / size }, (_, i) => numbers.subarray(i * size, (i + 1) * size));
}

/** Number of the image that a picture is nearest to. */
function imageOf(picture: Float32Array): number {
  const distances = Array.from({ length: images.count }, (_, i) =>
    picture.reduce((sum, value, k) => sum + (value - images.pixels[i * picture.length + k] / 255) ** 2, 0),
  );
  return distances.indexOf(Math.min(...distances));
}

describe("batches", () => {
  test("of an epoch show no image twice, and every epoch shows them in another order", async () => {
    const config = configured(usual, { augmentation: { kind: "none" } });
    const epochs = await withTrainer(config, images, async (trainer) => {
      const seen: number[][] = [[], [], []];
      while (trainer.position().epoch < seen.length) {
        const { epoch } = trainer.position();
        await trainer.step();
        seen[epoch].push(...(await pictures(trainer)).slice(0, 8).map(imageOf));
      }
      return seen;
    });
    for (const order of epochs) {
      expect(new Set(order).size).toBe(16);
      expect(order).not.toEqual([...order].sort((a, b) => a - b));
    }
    expect(new Set(epochs.map(String)).size).toBe(3);
  });

  test("show each image twice, differently, and differently again in the next epoch", async () => {
    const seen = await withTrainer(configured(usual), images, async (trainer) => {
      const all: Float32Array[][] = [];
      for (let step = 0; step < 2 * stepsPerEpoch; step++) {
        await trainer.step();
        all.push(await pictures(trainer));
      }
      return all;
    });
    for (const rows of seen)
      for (let s = 0; s < 8; s++) {
        expect(imageOf(rows[s])).toBe(imageOf(rows[8 + s]));
        expect(rows[s]).not.toEqual(rows[8 + s]);
      }
    const rows = seen.flat().map(String);
    expect(new Set(rows).size).toBe(rows.length);
  });

  test("teach a labelled loss each image's own label, and no other's", async () => {
    const config = configured({ ...usual, loss: "crossEntropy" });
    const order = pairings.augmentation.order(configuredPairs(config, images).anchors, config.seed, 0);
    const taught = (relabelled: Int32Array): Promise<State> => {
      const labels = images.labels.slice();
      for (const i of relabelled) labels[i] = (labels[i] + 1) % images.classes.length;
      return withTrainer(config, { ...images, labels }, (trainer) => advanced(trainer, 1));
    };
    const own = await taught(Int32Array.of());
    expect(changed(await taught(order.slice(8)), own)).toEqual([]);
    for (const at of [0, 7])
      expect(changed(await taught(order.slice(at, at + 1)), own)).toEqual(learners(usual, own, undefined));
  });
});

test.each(lossNames.filter((loss) => !["crossEntropy", "amitHinge"].includes(loss)))(
  "a step of %s is the same whatever the labels",
  async (loss) => {
    const config = configured({ ...usual, learning: "GLL", loss });
    const step = (labels: Int32Array): Promise<State> =>
      withTrainer(config, { ...images, labels }, (trainer) => advanced(trainer, 1));
    expect(changed(await step(images.labels.map((_, i) => (i < 8 ? 0 : 1))), await step(images.labels))).toEqual([]);
  },
);

describe("constraints", () => {
  const firstStep = (loss: object) =>
    withTrainer(configured(usual, { loss: { kind: "contrastiveHinge", ...loss } }), images, async (trainer) => {
      const result = await trainer.step();
      return { ...result, state: await trainer.state() };
    });

  test("the gradient block changes what is learnt and not what it costs", async () => {
    const [open, blocked] = [await firstStep({}), await firstStep({ gradientBlock: true })];
    expect(blocked.loss).toBe(open.loss);
    expect(changed(blocked.state, open.state)).toEqual(learners(usual, open.state, undefined));
  });

  test("every negative costs, and all are the next seven of a batch of eight", async () => {
    const losses: number[] = [];
    for (const negatives of [1, 3, 7, "all"]) losses.push((await firstStep({ negatives })).loss);
    const [one, three, seven, all] = losses;
    expect(one).toBeLessThan(three);
    expect(three).toBeLessThan(seven);
    expect(seven).toBeCloseTo(all, 3);
  });
});

describe("read-outs", () => {
  const probed = { network: networks.tiny, valueRange: [0, 1], encoders: {}, seed: 1 } as const;
  const options: ProbeOptions = {
    subjects: ["pixels"],
    readOuts: ["paper", "scaleFree", "kNN"],
    labelsPerClass: ["all"],
    seeds: 1,
    epochs: 200,
    learningRate: 1e-2,
    batch: 20,
  };
  /** Every picture three times, hardly changed; each class is called `shift` classes on. */
  function nearCopies(shift: number): ImageSet {
    const count = 3 * tested.count;
    const size = tested.pixels.length / tested.count;
    const pixels = Uint8Array.from({ length: count * size }, (_, i) => tested.pixels[i % tested.pixels.length]);
    for (let i = 0; i < count; i++) pixels[i * size] ^= 1 + Math.floor(i / tested.count);
    const labels = Int32Array.from({ length: count }, (_, i) => (tested.labels[i % tested.count] + shift) % 10);
    return { ...tested, name: "near copies", pixels, labels, count };
  }
  const tested = proceduralObjects({ split: "test", count: 20, seed: 1, size: 16 });

  test("learn from the labelled images alone, never from the test set's labels", async () => {
    const accuracies = async (shift: number): Promise<number[]> => {
      const { scores, overlapping } = await probe(probed, nearCopies(shift), tested, options, referenceBackend);
      expect(overlapping).toBe(0);
      return scores.map(({ accuracy }) => accuracy);
    };
    for (const accuracy of await accuracies(0)) expect(accuracy).toBeGreaterThan(0.8);
    for (const accuracy of await accuracies(1)) expect(accuracy).toBeLessThan(0.2);
  });
});

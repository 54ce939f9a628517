// Accuracy on deformed pictures: the probe's own numbers on every set, a supervised network's own classifier, and the command with its figures.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { cifarDeformation, type Deformation } from "../../src/data/deformations.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { networks } from "../../src/encoders/networks.ts";
import { deform } from "../../src/evaluation/deform.ts";
import { encoderFeatures, type FrozenEncoder, untrainedWeights } from "../../src/evaluation/features.ts";
import { type ProbeOptions, probe } from "../../src/evaluation/probe.ts";
import { type RobustnessOptions, type RobustnessReport, robustness } from "../../src/evaluation/robustness.ts";
import { drawDeformed, robustnessFigure } from "../../src/figures/robustness-figures.ts";
import { strengthCurves } from "../../src/figures/strength-curves.ts";
import { ownClassifier } from "../../src/runs/own-classifier.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";

const solids = (split: "train" | "test", count: number): ImageSet =>
  proceduralObjects({ split, count, size: 16, seed: 0 });
const [train, held] = [solids("train", 80), solids("test", 60)];
const backend = wasmBackend({ threads: 1 });
const encoder = (seed: number): FrozenEncoder => ({
  network: networks.tiny,
  valueRange: [-1, 1],
  weights: untrainedWeights(networks.tiny, seed),
});
const learning: ProbeOptions = {
  ...{ readOuts: ["paper", "scaleFree", "kNN"], labelsPerClass: [3, "all"], seeds: 2 },
  ...{ epochs: 4, learningRate: 1e-2, batch: 16 },
};
const rotation: Deformation = { kind: "rotation", outside: "border" };
const options: RobustnessOptions = {
  ...learning,
  curves: [
    { deformation: cifarDeformation, strengths: [1] },
    { deformation: rotation, strengths: [30] },
  ],
  seed: 5,
};

describe("read-outs that learn once", () => {
  let report: RobustnessReport;
  beforeAll(async () => {
    const subjects = [{ name: "trained", encoder: encoder(9) }, { name: "pixels" }];
    report = await robustness(subjects, { train, test: held }, options, backend);
  });

  const measured: [string, Deformation, number][] = [
    ["as they are", cifarDeformation, 0],
    ["of the recipe", cifarDeformation, 1],
    ["turned by 30 degrees", rotation, 30],
  ];
  test.each(measured)(
    "answer for pictures %s as the probe does that is given these alone",
    async (_, deformation, strength) => {
      const set = await deform(held, deformation, { strength, seed: 5 }, backend);
      const probed = {
        network: networks.tiny,
        valueRange: [-1, 1],
        encoders: { trained: encoder(9).weights },
        seed: 4,
      } as const;
      const told = { ...learning, subjects: ["trained", "pixels"] };
      const { scores, encoderHashes } = await probe(probed, train, set, told, backend);
      const own = report.scores.filter((one) => one.deformation === deformation.kind && one.strength === strength);
      const plain = ({
        subject,
        readOut,
        labelsPerClass,
        seed,
        accuracy,
      }: (typeof own)[number] | (typeof scores)[number]) =>
        `${subject} ${readOut} ${labelsPerClass} ${seed} ${accuracy}`;
      expect(own.map(plain).sort()).toEqual(scores.map(plain).sort());
      expect(own).toHaveLength(2 * 3 * 2 * 2);
      expect(report.encoderHashes).toEqual(encoderHashes);
    },
  );

  test("say what was measured, every curve from the pictures as they are on", () => {
    expect(report).toMatchObject({ trainImages: 80, testImages: 60, overlapping: 0, chance: 0.1 });
    expect(report.options.curves.map(({ strengths }) => strengths)).toEqual([
      [0, 1],
      [0, 30],
    ]);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test("are drawn: a panel for each deformation, a line for each encoder", async () => {
    const svg = await robustnessFigure(report, "paper", "accuracy in %");
    for (const word of ["recipe cifar, strength", "rotation, degrees", "trained", "pixels", "chance 10 %"])
      expect(svg).toContain(word);
    expect(svg.match(/<path[^>]*aria-label="line"|aria-label="line"/g)).toHaveLength(4);
  });
});

describe("a supervised network", () => {
  const config = (learningKind: "E2E" | "GLL", loss: object = { kind: "crossEntropy" }) =>
    parseConfig(
      {
        ...{
          name: "supervised",
          data: { dataset: "procedural-objects" },
          augmentation: { kind: "none" },
          encoder: "tiny",
        },
        ...{
          loss,
          learning: learningKind,
          optimiser: { kind: "adam", learningRate: 3e-3 },
          batch: 60,
          epochs: 12,
          xrayEvery: 0,
        },
      },
      "test",
    );

  test.each([{ kind: "crossEntropy" }, { kind: "amitHinge" }])(
    "answers by its own classifier as often rightly as its training says, under $kind",
    async (loss) => {
      const told = config("E2E", loss);
      const trainer = await createTrainer({ config: told, dataset: held, backend });
      try {
        for (let step = 0; step < 4; step++) await trainer.step();
        const state = await trainer.state();
        // Its training reports the accuracy of a batch, which here is the whole set, before it learns from it.
        const { metrics } = await trainer.step();
        const shapes = new Map(trainer.recorded.state.map(({ name, shape }) => [name, shape]));
        const checkpoint = {
          position: { step: 4, epoch: 4, batch: 0 },
          losses: { sum: 0, steps: 0 },
          config: "",
          path: "t",
        };
        const classifier = ownClassifier(told, { ...checkpoint, state, shapes }, 10);
        const frozen: FrozenEncoder = { network: networks.tiny, weights: state, valueRange: [0, 1] };
        const subjects = [{ name: "supervised", encoder: frozen, classifier }];
        const { scores } = await robustness(subjects, { test: held }, options, backend);
        expect(scores.find(({ strength }) => strength === 0)).toMatchObject({
          readOut: "own",
          accuracy: metrics.accuracy,
        });
        expect(metrics.accuracy).toBeGreaterThan(0.15);
        expect(scores).toHaveLength(4);
      } finally {
        await trainer.dispose();
      }
    },
  );

  test("that learns layer by layer has the classifier of its last layer, here by plain loops", async () => {
    const told = config("GLL");
    const trainer = await createTrainer({ config: told, dataset: held, backend });
    const state = await trainer.state();
    const shapes = new Map(trainer.recorded.state.map(({ name, shape }) => [name, shape]));
    await trainer.dispose();
    const checkpoint = {
      position: { step: 0, epoch: 0, batch: 0 },
      losses: { sum: 0, steps: 0 },
      config: "",
      path: "t",
    };
    const classifier = ownClassifier(told, { ...checkpoint, state, shapes }, 10);
    const frozen: FrozenEncoder = { network: networks.tiny, weights: state, valueRange: [0, 1] };
    const { features } = await encoderFeatures(frozen, [held], backend);
    const [weight, bias] = ["head3.weight", "head3.bias"].map((name) => state.get(name) ?? new Float32Array());
    const { rows, width } = features[0];
    let right = 0;
    held.labels.forEach((label, i) => {
      const logits = Array.from(bias, (b, c) => {
        let sum = b;
        for (let k = 0; k < width; k++) sum += rows[i * width + k] * weight[k * 10 + c];
        return sum;
      });
      if (logits.indexOf(Math.max(...logits)) === label) right++;
    });
    const subjects = [{ name: "supervised", encoder: frozen, classifier }];
    const { scores } = await robustness(subjects, { test: held }, options, backend);
    expect(scores[0].accuracy).toBe(right / held.count);
  });

  test("must be one", () => {
    const told = parseConfig(
      { name: "a", data: { dataset: "procedural-objects" }, encoder: "tiny", batch: 10, epochs: 1 },
      "t",
    );
    const none = { position: { step: 0, epoch: 0, batch: 0 }, losses: { sum: 0, steps: 0 }, config: "", path: "t" };
    expect(() => ownClassifier(told, { ...none, state: new Map(), shapes: new Map() }, 10)).toThrow(
      /loss\.kind must be crossEntropy or amitHinge for a classifier of its own, got contrastiveHinge/,
    );
  });
});

describe("is refused with a sentence", () => {
  const pixels = [{ name: "pixels" }];
  const curve = options.curves[0];
  test.each([
    ["no subjects", [], {}, /subjects must be one or more, got none/],
    ["one name twice", [...pixels, ...pixels], {}, /subjects must be of different names, got \[pixels, pixels\]/],
    ["no curves", pixels, { curves: [] }, /curves must be one or more, of different deformations/],
    ["one curve twice", pixels, { curves: [curve, curve] }, /of different deformations, got \[cifar, cifar\]/],
    ["crops", pixels, { augmentation: { kind: "crop", flip: 0.5 } }, /probe\.augmentation must be none, got crop/],
    ["no seeds", pixels, { seeds: 0 }, /seeds must be at least 1, got 0/],
    [
      "another classifier",
      [{ name: "pixels", classifier: { weight: new Float64Array(30), bias: new Float64Array(3) } }],
      {},
      /the classifier of pixels must be of 10 classes and 768 features, got 3 and 10/,
    ],
  ] as const)("%s", async (_, subjects, changed, sentence) => {
    const told = { ...options, ...changed } as RobustnessOptions;
    await expect(robustness(subjects, { train, test: held }, told, referenceBackend)).rejects.toThrow(sentence);
  });
  test("read-outs without labelled pictures", async () => {
    await expect(robustness(pixels, { test: held }, options, referenceBackend)).rejects.toThrow(
      /train must be labelled pictures for the read-outs of pixels, got none/,
    );
  });
  test("a figure whose lines are not as long as its strengths", async () => {
    const panel = { heading: "rotation", strengths: [0, 1], accuracies: [[0.5]] };
    const figure = { title: "t", caption: "c", lines: [{ name: "a" }], panels: [panel], chance: 0.1 };
    await expect(strengthCurves(figure)).rejects.toThrow(/rotation must be 1 lines of 2 accuracies, got \[1, 1\]/);
  });
});

test("Figure 9 has a row of originals above each row of deformed ones", async () => {
  const { svg, png } = await drawDeformed(held, cifarDeformation, { strength: 1, seed: 0 }, backend);
  expect(svg).toContain("odd rows: original; even rows: deformed");
  expect(png.length).toBeGreaterThan(5000);
});

test("the command measures a supervised run and one that learnt without labels, side by side", () => {
  const folder = mkdtempSync(join(tmpdir(), "saccade-robustness-"));
  const saccade = (...words: string[]): string =>
    execFileSync(process.execPath, [resolve("dist/cli/main.js"), ...words], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  try {
    const short = [
      ...[
        "data={dataset: procedural-objects, size: 16, limit: 40}",
        "encoder=tiny",
        "batch=20",
        "epochs=1",
        "xrayEvery=0",
      ],
      ...["probe.train={dataset: procedural-objects, size: 16, limit: 40}", "probe.seeds=1", "probe.epochs=2"],
      ...["probe.test={dataset: procedural-objects, size: 16, split: test, limit: 30}", "probe.labelsPerClass=[all]"],
      ...["--no-probe", "--json"],
    ];
    const made = [["name=labelled", "loss={kind: crossEntropy}"], ["name=unlabelled"]].map(
      (own) => JSON.parse(saccade("train", resolve("configs/quickstart.yaml"), ...short, ...own)).run as string,
    );
    const [labelled, unlabelled] = made;
    const few = ["--strengths", "1", "--single", "shift"];
    const told = saccade("robustness", labelled, ...few);
    expect(told).toMatch(/^supervised +its own +its own( +\d+\.\d){2}$/m);
    expect(told).toMatch(/^shift +8 px +\d+\.\d$/m);
    expect(existsSync(join(folder, labelled, "figures/robustness-own.svg"))).toBe(true);

    const both = saccade(
      "robustness",
      unlabelled,
      labelled,
      ...few,
      "recipe.perturb=0.4",
      "readOuts=[kNN]",
      "--out",
      "both",
    );
    for (const name of ["unlabelled", "labelled", "random", "pixels"])
      expect(both).toMatch(new RegExp(`^${name} `, "m"));
    const report: RobustnessReport = JSON.parse(readFileSync(join(folder, "both/robustness.json"), "utf8"));
    expect(report.options.curves[0].deformation).toEqual({ ...cifarDeformation, perturb: 0.4 });
    for (const file of ["robustness-kNN.svg", "robustness-kNN.png", "robustness-pictures.png"])
      expect(existsSync(join(folder, "both", file))).toBe(true);

    expect(() => saccade("robustness", labelled, "--single", "rotatoin")).toThrow(
      /--single must be all, none, or some of .*, got rotatoin; did you mean rotation\?/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 300_000);

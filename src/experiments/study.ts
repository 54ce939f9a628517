// A study: which scale, preset, seeds and datasets the experiments are run with, and the configurations that follow for their cells.

import { existsSync } from "node:fs";
import { defaultFolder } from "../datasets/datasets.ts";
import { describeDataset, knownDatasets } from "../datasets/known-datasets.ts";
import { findDataset } from "../datasets/on-disk.ts";
import type { Split } from "../datasets/request.ts";
import { sources } from "../datasets/sources.ts";
import type { NetworkName } from "../encoders/networks.ts";
import { explain } from "../program/explain.ts";
import type { Config, ProbeConfig } from "../training/config.ts";
import { configuredModel, recordConfigured } from "../training/configured-rule.ts";
import { parseConfig } from "../training/parse-config.ts";
import type { Combination } from "../training/registry.ts";
import { type PresetName, recipe } from "./recipes.ts";
import type { Scale, SettingName, Sizes } from "./scales.ts";

export interface Study {
  readonly scale: Scale;
  readonly preset: PresetName;
  readonly seeds: readonly number[];
  /** Another dataset stands in for one that is not here. */
  readonly substitute: boolean;
}

/** The paper's datasets. */
export const roles = ["cifar-100", "cifar-10", "stl-10", "emnist-letters", "mnist"] as const;
export type Role = (typeof roles)[number];

/** What stands in for a dataset at a scale that renders all, and where `--substitute` is given. */
const standIns: Readonly<
  Record<Role, { readonly rendered: object; readonly substitute?: object; readonly words: string }>
> = {
  "cifar-100": { rendered: { dataset: "procedural-objects" }, words: "" },
  "cifar-10": { rendered: { dataset: "procedural-objects" }, words: "" },
  "stl-10": {
    rendered: { dataset: "procedural-objects", size: 96 },
    substitute: { dataset: "procedural-objects", size: 96 },
    words: "rendered solids of 96 × 96 pixels",
  },
  "emnist-letters": {
    rendered: { dataset: "procedural-objects", size: 28, grey: true },
    substitute: { dataset: "fashion-mnist" },
    words: "the pictures of Fashion-MNIST",
  },
  mnist: { rendered: { dataset: "procedural-objects", size: 28, grey: true }, words: "" },
};

/** Why a dataset of the paper cannot be read; undefined where it can, or need not be. */
export function missingDataset(role: Role, { scale, substitute }: Study): string | undefined {
  if (scale.rendered || isHere(role)) return undefined;
  const { substitute: other, words } = standIns[role];
  if (other && substitute) return undefined;
  const mend = other ? `, or take ${words} instead: --substitute` : "";
  return `${knownDatasets[role].title} is not here; fetch it: saccade data get ${role}${mend}`;
}

/** What stands in for a dataset of the paper in this study, as a sentence; undefined where nothing does. */
export function standIn(role: Role, study: Study): string | undefined {
  const { title } = knownDatasets[role];
  if (study.scale.rendered) return `rendered solids stand in for ${title}`;
  const { substitute, words } = standIns[role];
  return substitute && study.substitute && !isHere(role) ? `${words} stand in for ${title}` : undefined;
}

/** The dataset as a caption has it: "MNIST", or what stands in for it: "rendered solids (for MNIST)". */
export function picturesOf(role: Role, study: Study): string {
  const { title } = knownDatasets[role];
  return standIn(role, study)?.replace(` stand in for ${title}`, ` (for ${title})`) ?? title;
}

/** The splits of each dataset that experiments read. */
const splits: Readonly<Record<Role, readonly Split[]>> = {
  "cifar-100": ["train"],
  "cifar-10": ["train", "test"],
  "stl-10": ["unlabelled", "train", "test"],
  "emnist-letters": ["train"],
  mnist: ["train", "test"],
};

function isHere(role: Role): boolean {
  const folder = defaultFolder();
  const files = existsSync(folder) ? (findDataset(sources[role], folder)?.files ?? []) : [];
  const wanted = files.filter(({ split }) => splits[role].includes(split));
  return wanted.length > 0 && wanted.every(({ size }) => size !== undefined);
}

/** A split of one of the paper's datasets as a configuration has it. */
export function pictures(role: Role, split: Split, limit: number, study: Study, side?: number): object {
  const { rendered, substitute } = standIns[role];
  if (study.scale.rendered) return { ...rendered, split, limit, ...(side === undefined ? {} : { size: side }) };
  if (substitute && study.substitute && !isHere(role))
    return { ...substitute, split: split === "unlabelled" && role !== "stl-10" ? "train" : split, limit };
  return { dataset: role, split, limit };
}

/** What a setting of the paper trains on and reads out with. */
export const settings: Readonly<
  Record<
    SettingName,
    {
      readonly encoder: NetworkName;
      readonly unlabelled: readonly [Role, Split];
      readonly labelled: Role;
      readonly augmentation: object;
      readonly margins: { readonly m1: number; readonly m2: number };
      readonly probeRate: number;
    }
  >
> = {
  cifar: {
    encoder: "cifar",
    unlabelled: ["cifar-100", "train"],
    labelled: "cifar-10",
    augmentation: { kind: "simclr" },
    margins: { m1: 1, m2: 3 },
    probeRate: 1e-3,
  },
  stl: {
    encoder: "vgg6",
    unlabelled: ["stl-10", "unlabelled"],
    labelled: "stl-10",
    augmentation: { kind: "simclr" },
    margins: { m1: 1, m2: 3 },
    probeRate: 5e-3,
  },
  letters: {
    encoder: "mnist",
    unlabelled: ["emnist-letters", "train"],
    labelled: "mnist",
    augmentation: { kind: "affine", perturb: 0.6, share: 1, outside: "border", saturation: 0, hue: 0 },
    margins: { m1: 1, m2: 1.5 },
    probeRate: 1e-3,
  },
};

/** The roles that a setting needs. */
export const rolesOf = (setting: SettingName): Role[] => [
  ...new Set([settings[setting].unlabelled[0], settings[setting].labelled]),
];

export interface Cell extends Combination {
  readonly setting: SettingName;
  readonly negatives: number | "all";
  readonly block: boolean;
  /** Another network than the setting's. */
  readonly encoder?: NetworkName;
}

/** The configuration of a self-supervised cell; `name` names its run. */
export async function cellConfig(study: Study, cell: Cell, seed: number): Promise<Config> {
  const { learning, setting } = cell;
  const sizes = study.scale.settings[setting];
  if (learning === "E2E" || !study.scale.sameCompute) return configured(study, cell, seed, sizes.epochs);
  const { negatives, block } = cell;
  const alone = await flopsPerEpoch(configured(study, cell, seed, 1), sizes);
  const together = { setting, negatives, block, loss: "contrastiveHinge", learning: "E2E", update: "BP" } as const;
  const whole = await flopsPerEpoch(configured(study, together, seed, 1), sizes);
  return configured(study, cell, seed, Math.max(1, Math.round((sizes.epochs * whole) / alone)));
}

function configured(study: Study, cell: Cell, seed: number, epochs: number): Config {
  const { scale, preset } = study;
  const { setting, loss, learning, update, negatives, block } = cell;
  const { unlabelled, augmentation, margins } = settings[setting];
  const sizes = scale.settings[setting];
  const patches = loss === "clappPatches";
  const grey = patches && !sizes.small;
  const { crop, ...patch } = patchesOf(sizes);
  const side = patches && sizes.small ? crop : sideOf(sizes, cell.encoder);
  const constrained = block || negatives !== "all";
  const hinge = { kind: "contrastiveHinge", ...margins, negatives, gradientBlock: block };
  const name = [setting, loss, learning, update, negatives, block ? "block" : "free"].join("-");
  return parseConfig(
    {
      ...{ name, seed, ...recipe(preset, setting, cell, constrained) },
      ...(grey ? { valueRange: greyRange } : {}),
      data: { ...pictures(...unlabelled, sizes.images, study, side), ...(grey ? { grey } : {}) },
      augmentation: patches ? { kind: "patches", crop, ...patch } : augmentation,
      encoder: encoderOf(study, setting, cell.encoder ?? (grey ? "vgg6-grey" : undefined)),
      loss: loss === "contrastiveHinge" ? hinge : { kind: loss, ...(patches && sizes.small ? { steps: 1 } : {}) },
      ...{ learning, update, epochs, ...everyRun(study) },
      // 49 patches of every picture.
      batch: patches ? Math.min(16, sizes.batch) : sizes.batch,
    },
    name,
  );
}

/** Black and white after normalising by the mean 0.412 and standard deviation 0.257 of STL-10's grey pictures. */
const greyRange = [-1.603, 2.288] as const;

/** Crops and patches of CLAPP, in pixels. */
const patchesOf = ({ small }: Sizes) => ({ crop: small ? 32 : 64, size: 16, stride: 8 });

/** The network of a setting: the one that a cell asks for, a small one at a scale that has it, or the paper's. */
const encoderOf = ({ scale }: Study, setting: SettingName, own?: NetworkName): NetworkName =>
  own ?? scale.settings[setting].small?.encoder ?? settings[setting].encoder;

/** Pixels along each side of rendered pictures for the small network of a scale. */
const sideOf = ({ small }: Sizes, own?: NetworkName): number | undefined =>
  own === undefined ? small?.side : undefined;

/** What a run writes: its losses and X-rays go into the result, nothing else of it is read. */
const everyRun = ({ scale }: Study): object => ({
  metricsEvery: scale.name === "smoke" ? 1 : 10,
  xrayEvery: scale.name === "smoke" ? 0 : 500,
  checkpointEvery: scale.name === "smoke" ? 1000 : 1,
  checkpointsKept: 1,
  logs: { tensorboard: false },
});

/** A network that learns from labels; its classifier is its own. */
export function supervisedConfig(
  study: Study,
  {
    setting,
    labelled,
    update = "BP",
    encoder,
  }: {
    readonly setting: SettingName;
    readonly labelled: number;
    readonly update?: Combination["update"];
    readonly encoder?: NetworkName;
  },
  seed: number,
): Config {
  const { labelled: role } = settings[setting];
  const sizes = study.scale.settings[setting];
  const { batch, supervisedEpochs: epochs } = sizes;
  const { preset, valueRange } = recipe(
    study.preset,
    setting,
    { loss: "crossEntropy", learning: "E2E", update },
    false,
  );
  const name = [setting, "supervised", update, labelled].join("-");
  return parseConfig(
    {
      ...{ name, seed, preset, valueRange },
      data: pictures(role, "train", labelled, study, sideOf(sizes, encoder)),
      augmentation: { kind: "none" },
      encoder: encoderOf(study, setting, encoder),
      loss: { kind: "crossEntropy" },
      learning: "E2E",
      update,
      optimiser: { kind: "adam", learningRate: update === "DTP" ? 1e-4 : 1e-3 },
      batch: Math.min(batch, labelled),
      epochs,
      ...everyRun(study),
    },
    name,
  );
}

/** The read-outs of a setting. */
export function probeConfig(
  study: Study,
  setting: SettingName,
  { grey = false, encoder }: { readonly grey?: boolean; readonly encoder?: NetworkName } = {},
): ProbeConfig {
  const { labelled, probeRate } = settings[setting];
  const sizes = study.scale.settings[setting];
  const tone = grey && !sizes.small ? { grey } : {};
  const side = sideOf(sizes, encoder);
  const crops = setting === "stl" && study.scale.name === "paper" ? { augmentation: { kind: "crop", flip: 0.5 } } : {};
  const { probe } = parseConfig(
    {
      name: "probe",
      data: { dataset: "procedural-objects" },
      encoder: "cifar",
      batch: 10,
      epochs: 1,
      probe: {
        train: { ...pictures(labelled, "train", sizes.labelled, study, side), ...tone },
        test: { ...pictures(labelled, "test", sizes.tested, study, side), ...tone },
        labelsPerClass: sizes.labelsPerClass,
        seeds: 1,
        epochs: sizes.probeEpochs,
        learningRate: probeRate,
        batch: sizes.probeBatch,
        ...crops,
      },
    },
    "probe",
  );
  if (probe === undefined) throw new Error("probeConfig: no probe");
  return probe;
}

/** Floating-point operations of one pass over the images, of every layer. */
async function flopsPerEpoch(config: Config, { images }: Sizes): Promise<number> {
  const described = await describeDataset(config.data);
  const shape = { ...described, classes: described.classes.length };
  const { lessons } = recordConfigured(config, configuredModel(config), shape);
  return Math.floor(images / config.batch) * lessons.reduce((sum, { program }) => sum + explain(program).flops, 0);
}

/** The command that repeats the rows of an experiment whose titles begin so. */
export function repeatCommand({ scale, preset, seeds, substitute }: Study, experiment: string, title: string): string {
  const words = [
    `saccade reproduce ${experiment} --scale ${scale.name}`,
    ...(preset === "ours" ? [] : [`--preset ${preset}`]),
    ...(seeds.length === 1 ? [] : [`--seeds ${seeds.length}`]),
    ...(seeds[0] === 0 ? [] : [`--seed ${seeds[0]}`]),
    ...(substitute ? ["--substitute"] : []),
    `--only '${experiment}: ${title},'`,
  ];
  return words.join(" ");
}

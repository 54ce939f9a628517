// What the page starts from, and what its controls set: a raw configuration, as a YAML file would say it. No schema here; the worker checks.

import type { Config } from "../src/training/config.ts";
import type { LossName } from "../src/training/registry.ts";

/** A configuration before it is checked: what the URL holds, what `saccade train` takes. */
export type Raw = Readonly<Record<string, unknown>>;

/** Networks that a page trains at a pace one can watch, with the side of their pictures in pixels. */
export const pageNetworks = {
  tiny: { side: 16, title: "small: 3 layers, 16 × 16 pictures" },
  cifar: { side: 32, title: "the paper's: 5 layers, 32 × 32 pictures" },
} as const;
export type PageNetwork = keyof typeof pageNetworks;

const solids = (limit: number, size: number, split = "unlabelled"): Raw => ({
  dataset: "procedural-objects",
  split,
  limit,
  size,
});

/** Crops and colours of configs/quickstart.yaml: the object stays in view, and its colour says nothing about it. */
export const base: Raw = {
  name: "lab",
  seed: 0,
  data: solids(1000, pageNetworks.tiny.side),
  augmentation: { kind: "simclr", scale: [0.3, 1], hue: 0.5, grey: 0.4 },
  valueRange: [-1, 1],
  encoder: "tiny",
  loss: { kind: "contrastiveHinge", m1: 2, m2: 6, negatives: 5, gradientBlock: false },
  learning: "E2E",
  update: "BP",
  optimiser: { kind: "adam", learningRate: 1e-3, schedule: { kind: "constant", warmup: 10 } },
  batch: 50,
  epochs: 50,
};

/** Whether it reads the names of classes. */
export const labelled = (loss: LossName): boolean => loss === "crossEntropy" || loss === "amitHinge";

/** The same with another loss: its own options, and labelled pictures where it reads labels. */
export function withLoss(raw: Raw, kind: LossName): Raw {
  const data = raw.data as Raw;
  const loss = kind === "contrastiveHinge" ? base.loss : { kind };
  return { ...raw, loss, data: { ...data, split: labelled(kind) ? "train" : "unlabelled" } };
}

/** The same with another network, and pictures of its size. */
export function withNetwork(raw: Raw, encoder: PageNetwork): Raw {
  return { ...raw, encoder, data: { ...(raw.data as Raw), size: pageNetworks[encoder].side } };
}

/** The same with some keys of one of its groups set. */
export const withPart = (raw: Raw, group: "loss" | "optimiser" | "data", part: Raw): Raw => ({
  ...raw,
  [group]: { ...(raw[group] as Raw | undefined), ...part },
});

/** The same with these interventions; with none, without the key. */
export function withInterventions({ interventions: _, ...raw }: Raw, kept: readonly unknown[]): Raw {
  return kept.length > 0 ? { ...raw, interventions: kept } : raw;
}

/** What stands in a run's name on the page: "E2E BP, contrastive hinge". */
export const ruleName = ({ learning, update, loss }: Pick<Config, "learning" | "update" | "loss">): string =>
  `${learning} ${update}, ${lossTitles[loss.kind]}`;

export const lossTitles: Readonly<Record<LossName, string>> = {
  contrastiveHinge: "contrastive hinge",
  simclr: "SimCLR",
  clapp: "CLAPP",
  clappPatches: "CLAPP on patches",
  scff: "SCFF",
  crossEntropy: "cross-entropy",
  amitHinge: "Amit’s hinge",
};

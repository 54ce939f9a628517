// Table 1 of the paper as data: CIFAR-100 → CIFAR-10, linear evaluation, with the published accuracies.

import type { Combination } from "../rules/combinations.ts";

/** One row; `published` in per cent: all negatives and no gradient block, then 5 negatives and gradient block. */
export interface Table1Row extends Combination {
  readonly published: { readonly free: number; readonly constrained?: number };
}

const hinge = "contrastiveHinge";

export const table1: readonly Table1Row[] = [
  { loss: hinge, learning: "E2E", update: "BP", published: { free: 71.44, constrained: 70.35 } },
  { loss: hinge, learning: "E2E", update: "DTP", published: { free: 71.29, constrained: 67.74 } },
  { loss: hinge, learning: "E2E", update: "RF", published: { free: 61.7, constrained: 63.61 } },
  { loss: hinge, learning: "GLL", update: "BP", published: { free: 72.76, constrained: 71.14 } },
  { loss: hinge, learning: "GLL", update: "RF", published: { free: 67.83, constrained: 66.52 } },
  { loss: hinge, learning: "RLL", update: "BP", published: { free: 71.35, constrained: 71.17 } },
  { loss: hinge, learning: "RLL", update: "RF", published: { free: 65.94, constrained: 65.49 } },
  { loss: "simclr", learning: "E2E", update: "BP", published: { free: 72.44 } },
  { loss: "clapp", learning: "E2E", update: "BP", published: { free: 69.05 } },
  { loss: "clapp", learning: "GLL", update: "BP", published: { free: 68.93 } },
];

/** The untrained encoder under the same classifier, in per cent. */
export const table1Random = 61.23;

/** How much of the paper's 50,000 images × 400 epochs a run spends. */
export interface Scale {
  readonly name: string;
  readonly images: number;
  /** Passes over the images in all, whatever the Learning: layer-wise rules share them among their layers. */
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seeds: number;
}

export interface Cell {
  readonly name: string;
  readonly row: Table1Row;
  readonly constrained: boolean;
  readonly seed: number;
}

/** Every cell of the table for every seed, seeds last: a part of the list is a table of fewer seeds. */
export function cells({ seeds }: Scale): Cell[] {
  return Array.from({ length: seeds }, (_, seed) =>
    table1.flatMap((row) =>
      [false, true]
        .filter((constrained) => !constrained || row.published.constrained !== undefined)
        .map((constrained) => ({
          name: [row.loss, row.learning, row.update, constrained ? "constrained" : "free", seed].join("-"),
          row,
          constrained,
          seed,
        })),
    ),
  ).flat();
}

/** The configuration of a cell, as a YAML file would say it. */
export function cellConfig({ name, row, constrained, seed }: Cell, scale: Scale, layers: number): object {
  const { loss, learning, update } = row;
  return {
    name,
    seed,
    data: { dataset: "cifar-100", split: "train", limit: scale.images },
    augmentation: { kind: "simclr" },
    encoder: "cifar",
    loss:
      loss === hinge
        ? { kind: hinge, m1: 1, m2: 3, negatives: constrained ? 5 : "all", gradientBlock: constrained }
        : { kind: loss },
    learning,
    update,
    optimiser: { kind: "adam", learningRate: scale.learningRate },
    batch: scale.batch,
    epochs: learning === "E2E" ? scale.epochs : Math.max(1, Math.round(scale.epochs / layers)),
    metricsEvery: 10,
    checkpointEvery: 1000,
  };
}

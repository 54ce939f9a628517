// Table 1 of the paper as data: CIFAR-100 → CIFAR-10, linear evaluation, with the published accuracies, and its cells at a scale.

import { createModel } from "../encoders/model.ts";
import { networks } from "../encoders/networks.ts";
import { explain } from "../program/explain.ts";
import type { Combination } from "../rules/combinations.ts";
import { type Config, parseConfig } from "../training/config.ts";
import { recordConfigured } from "../training/configured-rule.ts";
import { cifarRecipe } from "./recipes.ts";

/** One row; `published` in per cent: all negatives and no gradient block, then 5 negatives and gradient block. */
export interface Table1Row extends Combination {
  readonly published: { readonly free?: number; readonly constrained?: number };
  /** The row has no second column. */
  readonly freeOnly?: boolean;
}

const hinge = "contrastiveHinge";

/** The paper prints one number for BP and URF of a layer that learns alone; URF end to end is ours. */
export const table1: readonly Table1Row[] = [
  { loss: hinge, learning: "E2E", update: "BP", published: { free: 71.44, constrained: 70.35 } },
  { loss: hinge, learning: "E2E", update: "URF", published: {} },
  { loss: hinge, learning: "E2E", update: "DTP", published: { free: 71.29, constrained: 67.74 } },
  { loss: hinge, learning: "E2E", update: "RF", published: { free: 61.7, constrained: 63.61 } },
  { loss: hinge, learning: "GLL", update: "BP", published: { free: 72.76, constrained: 71.14 } },
  { loss: hinge, learning: "GLL", update: "URF", published: { free: 72.76, constrained: 71.14 } },
  { loss: hinge, learning: "GLL", update: "RF", published: { free: 67.83, constrained: 66.52 } },
  { loss: hinge, learning: "RLL", update: "BP", published: { free: 71.35, constrained: 71.17 } },
  { loss: hinge, learning: "RLL", update: "URF", published: { free: 71.35, constrained: 71.17 } },
  { loss: hinge, learning: "RLL", update: "RF", published: { free: 65.94, constrained: 65.49 } },
  { loss: "simclr", learning: "E2E", update: "BP", published: { free: 72.44 }, freeOnly: true },
  { loss: "clapp", learning: "E2E", update: "BP", published: { free: 69.05 }, freeOnly: true },
  { loss: "clapp", learning: "GLL", update: "BP", published: { free: 68.93 }, freeOnly: true },
];

/** The untrained encoder under the same classifier, in per cent. */
export const table1Random = 61.23;

/** How much of the paper's 50,000 images × 400 epochs in batches of 500 a run spends. */
export interface Scale {
  readonly name: string;
  readonly images: number;
  readonly batch: number;
  /** Passes over the images of the rows that learn end to end. Layer-wise rows get as many as cost the same. */
  readonly epochs: number;
}

export const scales = {
  /** For tests: shows that every cell runs. */
  smoke: { name: "smoke", images: 100, batch: 20, epochs: 1 },
  medium: { name: "medium", images: 50_000, batch: 250, epochs: 20 },
} as const satisfies Record<string, Scale>;

export interface Cell {
  readonly name: string;
  readonly row: Table1Row;
  readonly constrained: boolean;
  readonly seed: number;
}

/** Every cell of a seed, those first that the paper's claims are about: constrained ones, and the cheaper before the dearer. */
export function cells(seed: number): Cell[] {
  const all = [true, false].flatMap((constrained) =>
    table1
      .filter(({ freeOnly = false }) => !(constrained && freeOnly))
      .map((row) => ({ name: `${rowName(row, constrained)}-${seed}`, row, constrained, seed })),
  );
  const dear = ({ row: { update } }: Cell): number => (update === "DTP" ? 1 : 0);
  const last = ({ constrained }: Cell): number => (constrained ? 0 : 1);
  return all.sort((a, b) => last(a) - last(b) || dear(a) - dear(b));
}

export const rowName = ({ loss, learning, update }: Table1Row, constrained: boolean): string =>
  [loss, learning, update, constrained ? "constrained" : "free"].join("-");

/** The configuration of a cell. */
export function cellConfig({ name, row, constrained, seed }: Cell, scale: Scale): Config {
  const configured = (of: Table1Row, epochs: number): Config => {
    const { loss, learning, update } = of;
    return parseConfig(
      {
        name,
        seed,
        data: { dataset: "cifar-100", split: "train", limit: scale.images },
        augmentation: { kind: "simclr" },
        valueRange: [-1, 1],
        encoder: "cifar",
        loss:
          loss === hinge
            ? { kind: hinge, m1: 1, m2: 3, negatives: constrained ? 5 : "all", gradientBlock: constrained }
            : { kind: loss },
        learning,
        update,
        ...cifarRecipe(of, constrained),
        batch: scale.batch,
        epochs,
        metricsEvery: 10,
        xrayEvery: 500,
        checkpointEvery: 1,
        checkpointsKept: 1,
        logs: { tensorboard: false },
      },
      name,
    );
  };
  if (row.learning === "E2E") return configured(row, scale.epochs);
  const alone = flopsPerEpoch(configured(row, 1), scale);
  const together = flopsPerEpoch(configured({ ...row, loss: hinge, learning: "E2E", update: "BP" }, 1), scale);
  return configured(row, Math.max(1, Math.round((scale.epochs * together) / alone)));
}

/** Floating-point operations of one pass over the images, of every layer. */
function flopsPerEpoch(config: Config, { images, batch }: Scale): number {
  const network = networks[config.encoder];
  const { lessons } = recordConfigured(config, createModel(network), { ...network, count: images, classes: 100 });
  return Math.floor(images / batch) * lessons.reduce((sum, { program }) => sum + explain(program).flops, 0);
}

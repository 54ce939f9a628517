// Every Update and Loss that a configuration can name, one line each: its own keys, what makes it of them, and what it does not go with.

import { z } from "zod";
import { type Augmentation, type Patches, patchesDefaults, patchesPerSide } from "../data/augmentation.ts";
import { clapp } from "../losses/clapp.ts";
import { clappPatches } from "../losses/clapp-patches.ts";
import { amitHinge, crossEntropy } from "../losses/classification.ts";
import { contrastiveHinge } from "../losses/contrastive-hinge.ts";
import type { Loss } from "../losses/loss.ts";
import { scff } from "../losses/scff.ts";
import { simclr } from "../losses/simclr.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import type { Negatives } from "../program/operations.ts";
import { backpropagation } from "../rules/backpropagation.ts";
import { differenceTargetPropagation, dtpDefaults } from "../rules/difference-target-propagation.ts";
import { directFeedbackAlignment } from "../rules/direct-feedback.ts";
import { randomFeedback, updatedRandomFeedback } from "../rules/feedback.ts";
import { kolenPollack } from "../rules/kolen-pollack.ts";
import { type Learning, learnings } from "../rules/learning.ts";
import { signSymmetricFeedback } from "../rules/sign-symmetry.ts";
import type { Update } from "../rules/update.ts";
import {
  type Beside,
  guardedAugmentation,
  guardedLoss,
  guardedUpdate,
  type LossPlugin,
  loaded,
  ownKey,
  type Plugin,
  type UpdatePlugin,
} from "./plugin.ts";

const count = z.int().min(1);

export const hinge = z.strictObject({
  kind: z.literal("contrastiveHinge"),
  /** Margins on L1 distance between embeddings, in its units. */
  m1: z.number().min(0).default(1),
  m2: z.number().gt(0).default(3),
  /** `all`, or T: how many of the following images of the batch are negatives. */
  negatives: z.union([z.literal("all"), z.int().min(0)]).default("all"),
  /**
   * How a number of negatives is read: T with wrap-around and weight 1, T − 1 super-diagonals of weight 1/T, or (`past`) a buffer: a
   * view is set against T anchors, of which the newest came `gap` images before it and each other `spacing` images before the last.
   */
  negativesReading: z.enum(["paper-text", "authors-code", "past"]).default("paper-text"),
  /** Under `past`: images from the newest anchor in the buffer to the view, and from each to the next; default 1. */
  gap: count.optional(),
  spacing: count.optional(),
  /** The anchor is detached: temporal locality. */
  gradientBlock: z.boolean().default(false),
});

const simclrLoss = z.strictObject({
  kind: z.literal("simclr"),
  temperature: z.number().gt(0).default(0.1),
  /** Over the batch: the paper's equation sums, the authors' code averages. */
  reduction: z.enum(["sum", "mean"]).default("sum"),
});

const amitHingeLoss = z.strictObject({
  kind: z.literal("amitHinge"),
  /** μ: weight of all wrong classes together. */
  offClass: z.number().gt(0).default(1),
});

/** On the patches of a picture: augmentation.kind patches. */
const patchesLoss = z.strictObject({
  kind: z.literal("clappPatches"),
  /** Of how many places further down the column a patch predicts what is seen there, each with weights of its own. */
  steps: count.default(5),
  /** Places between a patch and the first that it predicts. */
  skip: z.int().min(0).default(1),
  /** Patches that do not belong, for each that does. */
  negatives: count.default(1),
  /** Any patch of the batch (the authors' code), or the same place in another image (Illing et al. 2021). */
  negativesFrom: z.enum(["batch", "otherImage"]).default("batch"),
  /** Weights of its own on the way from the predicted patch back to the context. */
  retrodiction: z.boolean().default(false),
  /** For each image a coin: its contexts learn from what belongs to them, or from what does not. */
  eitherOr: z.boolean().default(false),
  /** Scores from whole maps (the authors' code), or from their means over space (Illing et al. 2021). */
  score: z.enum(["map", "mean"]).default("map"),
});

const scffLoss = z.strictObject({
  kind: z.literal("scff"),
  /** Of goodness, the mean square of a place's positive activities: positives should be above the one, negatives below the other. */
  positiveThreshold: z.number().gt(0).default(0.7),
  negativeThreshold: z.number().gt(0).default(0.05),
});

const crossEntropyLoss = z.strictObject({ kind: z.literal("crossEntropy") });

/** On the last picture, with a 1 × 1 convolution as context. */
const clappLoss = z.strictObject({ kind: z.literal("clapp") });

/** Of update DTP. */
export const dtp = z.strictObject({
  order: z.enum(["inversesFirst", "targetsFirst"]).default(dtpDefaults.order),
  /** Of a mean loss; a sum's is divided by the images of the batch. */
  targetStep: z.number().gt(0).default(dtpDefaults.targetStep),
  /** On a layer's input while its inverse learns: a share of its standard deviation, or in activity's units. */
  noise: z
    .strictObject({ kind: z.enum(["relative", "absolute"]), size: z.number().min(0) })
    .default({ ...dtpDefaults.noise }),
  inverseLearningRate: z.number().gt(0).default(dtpDefaults.inverseLearningRate),
  /** How the error passes the head to the first target. */
  head: z.enum(["transposed", "feedback"]).default(dtpDefaults.head),
  /** The local losses of the layers: summed over the batch (Algorithm 1), or means over all its elements (authors' code). */
  localLoss: z.enum(["sum", "mean"]).default(dtpDefaults.localLoss),
});

/** Of update KP. */
export const kolenPollackOptions = z.strictObject({
  /** Weights and feedback shrink by learningRate · decay in every step. */
  decay: z.number().gt(0).default(0.1),
});

/** In the small configuration of `saccade check`. */
const pace = (learningRate: number) => ({ optimiser: { learningRate } });

const layerWise = ({ learning }: Beside): boolean => learning !== "E2E";

/** Of updates that differ from BP in what carries an error from layer to layer. */
function needsLayers({ learning, update, loss, headless }: Beside): string | undefined {
  if (!(headless && learning !== "E2E")) return undefined;
  return `loss ${loss} with learning ${learning} and update ${update}: between the loss and a layer that learns alone there is no weight for feedback to stand in for, so this would be BP; use update BP`;
}

const asWeights = { whenFeedbackIs: "weights", equals: "BP" } as const;

/** Of the paper's conditions. */
const all = { conditions: { i: true, ii: true, iii: true, iv: true } } as const;

export const updates = [
  {
    kind: "update",
    name: "BP",
    create: () => backpropagation,
    claims: { gradient: true, conditions: { ...all.conditions, iii: false } },
  },
  { kind: "update", name: "RF", create: () => randomFeedback, refuses: needsLayers, identity: asWeights, claims: all },
  {
    kind: "update",
    name: "URF",
    create: () => updatedRandomFeedback,
    refuses: needsLayers,
    identity: { ...asWeights, forSteps: 5 },
    claims: all,
    learningFeedback: true,
  },
  {
    kind: "update",
    name: "DTP",
    key: "dtp",
    schema: dtp,
    create: (options: z.infer<typeof dtp>, { seed }: { readonly seed: number }) =>
      differenceTargetPropagation({ ...options, seed }),
    refuses: (beside: Beside) =>
      layerWise(beside)
        ? `learning ${beside.learning} with update DTP: targets travel between layers, and a layer that learns alone has none below it; use learning E2E`
        : undefined,
    claims: { conditions: { ii: true, iv: true } },
    check: pace(1e-4),
  },
  {
    kind: "update",
    name: "DFA",
    create: () => directFeedbackAlignment,
    refuses: (beside: Beside) =>
      layerWise(beside)
        ? `learning ${beside.learning} with update DFA: for a layer that learns alone direct feedback is RF; use update RF`
        : beside.headless
          ? `loss ${beside.loss} with update DFA: the loss reads a layer's picture, and DFA sends down the error of a head; use another loss`
          : undefined,
    identity: { whenFeedbackIs: "head", equals: "BP" },
    claims: all,
  },
  { kind: "update", name: "SSF", create: () => signSymmetricFeedback, refuses: needsLayers, identity: asWeights },
  {
    kind: "update",
    name: "KP",
    key: "kolenPollack",
    schema: kolenPollackOptions,
    create: (options: z.infer<typeof kolenPollackOptions>) => kolenPollack(options),
    refuses: needsLayers,
    identity: asWeights,
    claims: all,
    learningFeedback: true,
  },
] as const satisfies readonly UpdatePlugin[];

/** The groups of own keys, as a configuration may have them. */
export const ownGroups = Object.fromEntries(
  updates.flatMap((entry) => ("schema" in entry ? [[entry.key, entry.schema.optional()]] : [])),
) as { [Entry in Extract<(typeof updates)[number], { key: string }> as Entry["key"]]: z.ZodOptional<Entry["schema"]> };

const loss = <S extends z.ZodObject>(
  schema: S,
  create: (options: z.output<S>, context: { readonly augmentation: { readonly kind: string } }) => Loss,
  more: Pick<LossPlugin, "refuses" | "check"> = {},
) => ({
  kind: "loss" as const,
  name: (schema.shape.kind as z.ZodLiteral<string>).value,
  schema,
  create,
  claims: { gradient: true },
  ...more,
});

export const losses = [
  loss(hinge, (options) => contrastiveHinge({ ...options, negatives: negativesOf(options) })),
  loss(simclrLoss, simclr),
  loss(crossEntropyLoss, () => crossEntropy, { check: pace(4e-3) }),
  loss(amitHingeLoss, amitHinge, { check: pace(4e-3) }),
  loss(clappLoss, () => clapp),
  loss(
    patchesLoss,
    (options, { augmentation }) => {
      if (!isPatches(augmentation)) throw wrong("train", "augmentation", "patches", augmentation.kind);
      return clappPatches({ ...options, side: patchesPerSide(augmentation) });
    },
    {
      check: {
        augmentation: { kind: "patches", crop: 16, size: 8, stride: 4 },
        loss: { kind: "clappPatches", steps: 1, skip: 0 },
      },
    },
  ),
  loss(scffLoss, scff, {
    refuses: (beside) =>
      layerWise(beside)
        ? undefined
        : `loss scff with learning ${beside.learning}: goodness is a layer's own, and each layer learns from its own alone; use learning GLL or RLL`,
    check: { ...pace(6e-3), loss: { kind: "scff", positiveThreshold: 2, negativeThreshold: 1 } },
  }),
] as const;

type LossSchema = (typeof losses)[number]["schema"];

export const lossSchemas = losses.map(({ schema }) => schema) as [LossSchema, ...LossSchema[]];

const isPatches = (augmentation: { readonly kind: string }): augmentation is Patches => augmentation.kind === "patches";

function negativesOf({ negatives, negativesReading, gap = 1, spacing = 1 }: z.output<typeof hinge>): Negatives {
  if (negatives === "all") return { kind: "all" };
  if (negativesReading === "past") return { kind: "past", count: negatives, gap, spacing };
  return { kind: negativesReading === "paper-text" ? "next" : "authorsCode", count: negatives };
}

export type LearningName = Learning["name"];
export type UpdateName = (typeof updates)[number]["name"];
export type LossName = z.output<LossSchema>["kind"];

export interface Combination {
  readonly learning: LearningName;
  readonly update: UpdateName;
  readonly loss: LossName;
}

export const augmentationNames: readonly string[] = ["simclr", "affine", "patches", "none"];

export const learningNames = Object.keys(learnings) as LearningName[];
export const updateNames: readonly UpdateName[] = updates.map(({ name }) => name);
export const lossNames = losses.map(({ name }) => name) as LossName[];

/** What a configuration names, as far as the registry and the plugins that it keeps know it. */
export interface Naming {
  readonly plugins?:
    | Readonly<Record<string, { readonly file?: string | undefined; readonly package?: string | undefined }>>
    | undefined;
  readonly [loaded]?: readonly Plugin[];
}

type EntryOf<Kind extends Plugin["kind"]> = Extract<Plugin, { readonly kind: Kind }>;

/** The entry of a name; undefined for a plugin that is not loaded. */
export function entryOf<Kind extends Plugin["kind"]>(
  kind: Kind,
  { [loaded]: plugins = [] }: Naming,
  name: string,
): EntryOf<Kind> | undefined {
  const all: readonly Plugin[] = [...updates, ...(losses as readonly LossPlugin[]), ...plugins];
  return all.find((entry): entry is EntryOf<Kind> => entry.kind === kind && entry.name === name);
}

/** The same, or the sentence that says what to load. */
export function requireEntry<Kind extends Plugin["kind"]>(kind: Kind, config: Naming, name: string): EntryOf<Kind> {
  const entry = entryOf(kind, config, name);
  if (entry) return entry;
  const { file = "FILE", package: of } = config.plugins?.[name] ?? {};
  throw new SaccadeError(
    `${kind} ${name} is a plugin, which is executed only if the command line names it; pass --plugin ${of ?? file}`,
  );
}

/** Whether an entry is Saccade's own, not a plugin's. */
export const isOwn = (entry: Plugin): boolean => [...updates, ...losses].some((one) => one === entry);

function defaultsOf({ name, schema }: Plugin, given: object = {}): unknown {
  if (schema === undefined) return given;
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new SaccadeError(`${name}: needs keys that have no default and are not given`);
  return parsed.data;
}

/** The Update that a configuration names. */
export function madeUpdate(config: Naming & { readonly update: string; readonly seed: number }): Update {
  const entry = requireEntry("update", config, config.update);
  // Saccade's own groups may be left out.
  const given = (config as unknown as Record<string, unknown>)[ownKey(entry)] ?? defaultsOf(entry);
  const make = (): Update => entry.create(given, { seed: config.seed });
  return isOwn(entry) ? make() : guardedUpdate(make, entry);
}

/** The Loss that a configuration names. */
export function madeLoss(
  config: Naming & { readonly loss: { readonly kind: string }; readonly augmentation: { readonly kind: string } },
): Loss {
  const entry = requireEntry("loss", config, config.loss.kind);
  const { augmentation } = config;
  if (isOwn(entry)) return entry.create(config.loss, { augmentation });
  const { kind: _, ...options } = config.loss;
  return guardedLoss(() => entry.create(options, { augmentation }), entry);
}

/** The augmentation that a configuration names: Saccade's own are data, a plugin's draws itself. */
export function madeAugmentation(config: Naming & { readonly augmentation: Augmentation }): Augmentation {
  const { augmentation } = config;
  if (augmentationNames.includes(augmentation.kind)) return augmentation;
  const entry = requireEntry("augmentation", config, augmentation.kind);
  const { kind: _, ...options } = augmentation;
  return guardedAugmentation(() => entry.create(options), entry);
}

/** What a loss reads. */
export const factsOf = ({ head, labelled }: Loss): Pick<Beside, "headless" | "labelled"> => ({
  headless: head({ averagePool: 1, outputs: 1, bias: false }, 2) === undefined,
  labelled,
});

/** What an update and a loss say of each other; `made` is the loss itself. */
export function refusalOf(
  learning: LearningName,
  update: Pick<UpdatePlugin, "name" | "refuses">,
  loss: Pick<LossPlugin, "name" | "refuses">,
  made: Loss,
): string | undefined {
  const beside = { learning, update: update.name, loss: loss.name, ...factsOf(made) };
  return loss.refuses?.(beside) ?? update.refuses?.(beside);
}

/** Why a combination of Saccade's own is refused; undefined where it makes sense. */
export function refusal({ learning, update, loss }: Combination): string | undefined {
  const [entry, beside] = [requireEntry("loss", {}, loss), requireEntry("update", {}, update)];
  const made = entry.create(defaultsOf(entry, { kind: loss }), { augmentation: patchesDefaults });
  return refusalOf(learning, beside, entry, made);
}

/** Every combination that makes sense. */
export const combinations = (): Combination[] =>
  learningNames.flatMap((learning) =>
    updateNames.flatMap((update) =>
      lossNames.map((loss) => ({ learning, update, loss })).filter((combination) => refusal(combination) === undefined),
    ),
  );

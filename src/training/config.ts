// The configuration of a run: what a YAML file may say, with defaults.

import { z } from "zod";
import { affineDefaults, cropDefaults, patchesDefaults, simclrDefaults } from "../data/augmentation.ts";
import { pairingNames } from "../data/pairing.ts";
import { activationNames } from "../encoders/encoder.ts";
import { type NetworkName, networks } from "../encoders/networks.ts";
import type { loaded, Plugin } from "./plugin.ts";
import { learningNames, lossSchemas, ownGroups, updateNames } from "./registry.ts";

const share = z.number().min(0).max(1);
const count = z.int().min(1);

const simclr = z.strictObject({
  kind: z.literal("simclr"),
  scale: z.tuple([z.number().gt(0).max(1), z.number().gt(0).max(1)]).default([...simclrDefaults.scale]),
  ratio: z.tuple([z.number().gt(0), z.number().gt(0)]).default([...simclrDefaults.ratio]),
  flip: share.default(simclrDefaults.flip),
  jitter: share.default(simclrDefaults.jitter),
  brightness: z.number().min(0).default(simclrDefaults.brightness),
  contrast: z.number().min(0).default(simclrDefaults.contrast),
  saturation: z.number().min(0).default(simclrDefaults.saturation),
  hue: z.number().min(0).max(0.5).default(simclrDefaults.hue),
  grey: share.default(simclrDefaults.grey),
  antialias: z.boolean().default(simclrDefaults.antialias),
});

const affine = z.strictObject({
  kind: z.literal("affine"),
  perturb: z.number().min(0).max(2).default(affineDefaults.perturb),
  share: share.default(affineDefaults.share),
  outside: z.enum(["zeros", "border"]).default(affineDefaults.outside),
  saturation: z.number().min(0).default(affineDefaults.saturation),
  hue: z.number().min(0).max(1).default(affineDefaults.hue),
  flip: share.default(affineDefaults.flip),
  antialias: z.boolean().default(affineDefaults.antialias),
});

const patches = z.strictObject({
  kind: z.literal("patches"),
  /** Sides of the crop and of a patch, and from a patch to the next, in pixels. */
  crop: count.default(patchesDefaults.crop),
  size: count.default(patchesDefaults.size),
  stride: count.default(patchesDefaults.stride),
  flip: share.default(patchesDefaults.flip),
});

const none = z.strictObject({ kind: z.literal("none") });

export const data = z.strictObject({
  /** One of `datasetNames` in src/datasets/known-datasets.ts; of pictures that a program brings itself, any name. */
  dataset: z.string(),
  split: z.enum(["train", "test", "unlabelled"]).default("train"),
  /** Where the files are; else $SACCADE_DATA, else the cache. */
  folder: z.string().optional(),
  /** Of arrays: the .npz file. */
  file: z.string().optional(),
  /** The first so many images. */
  limit: count.optional(),
  /** Colours become grey levels: one channel. */
  grey: z.boolean().default(false),
  /** Seed of rendered data. */
  seed: z.int().min(0).default(0),
  /** Pixels along each side of rendered pictures, and of a folder's, brought to it; default 32. */
  size: z.int().min(8).max(256).optional(),
  /** Of image-folder: files that are no pictures, or broken, are left out instead of refused. */
  skipBroken: z.boolean().optional(),
  /** Of arrays: what the classes are called, in the order of their numbers. */
  classes: z.array(z.string()).min(1).optional(),
  /** Which numbers in the files are black and white: of arrays that are no bytes, and of a folder's pictures of 16 bits. */
  valueRange: z.tuple([z.number(), z.number()]).optional(),
});

export const augmentations = z.discriminatedUnion("kind", [simclr, affine, patches, none]);

export const losses = z.discriminatedUnion("kind", lossSchemas);

/** Updates of an optimiser over which its learning rates climb to their full size. */
const warmup = z.int().min(0).default(0);

/** Over an optimiser's own updates: of the run, or of a layer of GLL and RLL (rate-schedule.ts). */
const schedule = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant"), warmup }),
  /** `end`: the share of the learning rate that is left at the end. */
  z.strictObject({ kind: z.literal("cosine"), warmup, end: share.default(0) }),
  /** At each of the shares `at` of all updates the learning rates are multiplied by `factor`. */
  z.strictObject({
    kind: z.literal("step"),
    warmup,
    at: z.array(z.number().gt(0).lt(1)).min(1).default([0.5, 0.75]),
    factor: z.number().gt(0).max(1).default(0.1),
  }),
]);

/** What every optimiser is told. */
const pace = {
  learningRate: z.number().gt(0).default(1e-4),
  schedule: schedule.default(schedule.parse({ kind: "constant" })),
  /** Factor on the learning rate of the projection heads; 0 leaves them as they start. */
  head: z.number().min(0).default(1),
  /** Factor on the learning rate of feedback that receives the weights' increments (URF, KP). */
  feedback: z.number().min(0).default(1),
};

const adam = {
  ...pace,
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().gt(0).default(1e-8),
};

const optimiser = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("adam"), ...adam }),
  /** Adam with weight decay apart from the gradient: weight −= learningRate · weightDecay · weight. */
  z.strictObject({ kind: z.literal("adamw"), ...adam, weightDecay: z.number().min(0).default(0.01) }),
  /** Of a sum over the batch (contrastiveHinge, simclr) the learning rate is for the sum. */
  z.strictObject({
    kind: z.literal("sgd"),
    ...pace,
    momentum: z.number().min(0).lt(1).default(0.9),
    nesterov: z.boolean().default(false),
    weightDecay: z.number().min(0).default(0),
  }),
]);

/** What is written beside metrics.jsonl. */
const logs = z.strictObject({
  /** Event files for TensorBoard, in the run folder's `tensorboard`. */
  tensorboard: z.boolean().default(true),
});

export const readOutNames = ["paper", "scaleFree", "kNN"] as const;

const layerChoices = ["last", "all"] as const;

/** What a probe is told besides its data. */
const probeOptions = {
  readOuts: z
    .array(z.enum(readOutNames))
    .min(1)
    .default([...readOutNames]),
  /** Labels per class of each regime; `all` takes every training image. */
  labelsPerClass: z
    .array(z.union([count, z.literal("all")]))
    .min(1)
    .default(["all"]),
  /** What is read out: the output of the last block (default), or of every block in turn. */
  layers: z.enum(layerChoices).optional(),
  /** Draws of the labelled subset and of the classifier's initial weights. */
  seeds: count.default(3),
  /** The paper's probe: cross-entropy, Adam. */
  epochs: count.default(400),
  learningRate: z.number().gt(0).default(1e-3),
  batch: count.default(500),
  /** What it learns from: pictures as they are seen in a test, or in every epoch a new random crop of each, of the network's size. */
  augmentation: z
    .discriminatedUnion("kind", [
      none,
      z.strictObject({ kind: z.literal("crop"), flip: share.default(cropDefaults.flip) }),
    ])
    .default({ kind: "none" }),
};

/** Labelled images for training and testing the read-outs, and how. */
const probe = z.strictObject({ train: data, test: data, ...probeOptions });

/** Of a program's own call, which may choose among its subjects and bring more than we read. */
export const calledProbe = (subjects: readonly string[]) =>
  z.looseObject({ ...probeOptions, subjects: z.array(z.enum(subjects)).min(1).optional() });

/** Sides of the pictures that an encoder reads, in pixels. */
const side = z.int().min(1).max(96);
const units = count.max(16384);

/** What follows a convolution: an activation or a pooling. `maxPool` is `{ pool: max, size: 2 }`. */
const after = z.union([
  z.enum([...activationNames, "maxPool"]),
  z.strictObject({ pool: z.enum(["max", "average"]), size: z.int().min(2).max(32).default(2) }),
]);

const head = z.strictObject({
  /** Side of the windows of average pooling before the first linear layer; 1 is none. */
  averagePool: count.max(96).default(1),
  /** Width of the embedding. A supervised loss has one for each class instead. */
  outputs: units.default(64),
  bias: z.boolean().default(false),
  /** Widths of hidden layers, bottom first, each with a ReLU. */
  hidden: z.array(units).default([]),
});

/** A network of one's own (docs/own-network.md). */
const ownNetwork = z.strictObject({
  /** Names files and figures. */
  name: z
    .string()
    .regex(/^[\w.-]+$/, "of letters, digits, '.', '-' and '_' alone")
    .default("own"),
  input: z.strictObject({ height: side, width: side, channels: z.union([z.literal(1), z.literal(3)]) }),
  blocks: z
    .array(
      z.strictObject({
        /** Channels out. */
        outputs: units,
        /** Side of the square kernel, in pixels. */
        kernel: count.max(7),
        stride: count.max(7).default(1),
        /** Zeros around the picture; default (kernel − 1) / 2, which keeps its size at stride 1. */
        padding: z.int().min(0).max(6).optional(),
        bias: z.boolean().default(false),
        after: z.array(after).default([]),
      }),
    )
    .min(1),
  head: head.default(head.parse({})),
});

/** A change of a run in mid-course. */
const intervention = z
  .strictObject({
    /** Made when so many steps are done. */
    step: z.int().min(0),
    /** Keys of the configuration that are others from here on; of a loss of the same kind, those that are given. */
    set: z
      .strictObject({
        update: z.string().optional(),
        loss: z.looseObject({ kind: z.string().optional() }).optional(),
        learningRate: z.number().gt(0).optional(),
      })
      .optional(),
    /** A layer, or a head, whose feedback weights become zero, or change places among themselves. */
    cutFeedback: z.string().optional(),
    shuffleFeedback: z.string().optional(),
    /** A layer, or a head, that learns no more, or again. */
    freeze: z.string().optional(),
    unfreeze: z.string().optional(),
  })
  .refine((given) => Object.keys(given).length > 1, "a change: set, cutFeedback, shuffleFeedback, freeze or unfreeze");

export const configSchema = z.strictObject({
  /** Names the run folder. */
  name: z.string().regex(/^[\w.-]+$/, "of letters, digits, '.', '-' and '_' alone"),
  /** Whose choices hold where the paper's text and the authors' code differ and no key says otherwise: docs/names.md lists them. */
  preset: z.enum(["paper-text", "authors-code"]).default("paper-text"),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(0),
  data,
  augmentation: augmentations.default(simclr.parse({ kind: "simclr" })),
  /**
   * The views of a pair: two augmentations of one image (default), or of two frames of a clip, in batches in order of time. Controls:
   * shuffledImages and shuffledFrames give every anchor the partner of another.
   */
  pairing: z.enum(pairingNames).optional(),
  /** Under pairing frames: how many frames later the second one is; default 1. */
  framesApart: count.optional(),
  /** What pixel values 0 and 255 become. */
  valueRange: z.tuple([z.number(), z.number()]).default([0, 1]),
  /** And then, channel by channel, less `mean` and over `std`: torchvision's Normalize, in the units of valueRange. */
  normalise: z.strictObject({ mean: z.array(z.number()).min(1), std: z.array(z.number().gt(0)).min(1) }).optional(),
  /** One of the library's networks by its name, or one spelt out. */
  encoder: z.union([z.enum(Object.keys(networks) as [NetworkName, ...NetworkName[]]), ownNetwork]),
  loss: losses.default(losses.parse({ kind: "contrastiveHinge" })),
  /** Which layers learn together. */
  learning: z.enum(learningNames).default("E2E"),
  /** Where a layer's error comes from. */
  update: z.enum(updateNames).default("BP"),
  ...ownGroups,
  /** `adam: {…}` is short for `optimiser: { kind: adam, … }`. */
  optimiser: optimiser.default(optimiser.parse({ kind: "adam" })),
  /** Images per step; each gives two views. A last incomplete batch is dropped. */
  batch: count,
  /** Passes over the data; under GLL and RLL this many for each layer. */
  epochs: count,
  /** Steps between lines of metrics.jsonl; the first step of every layer that learns, and the last of all, have theirs in any case. */
  metricsEvery: count.default(1),
  /** Steps between X-rays of the layers that learn; 0: none. One costs 0.7 to 1.4 steps of the CIFAR network at batch 100. */
  xrayEvery: z.int().min(0).default(100),
  /** Epochs between checkpoints; the last step is always kept. */
  checkpointEvery: count.default(1),
  logs: logs.default(logs.parse({})),
  /** Checkpoints that are kept, the newest; beside them the best: with the lowest mean training loss since the one before it, unless told. */
  checkpointsKept: count.default(3),
  /** Epochs between evaluations of the encoder in training on labels held out (held-out.ts), and one at the end; 0 (default): none. */
  evaluateEvery: z.int().min(0).optional(),
  /** By what the best checkpoint is the best: training loss (default), or the kNN of evaluateEvery. */
  checkpointBest: z.enum(["loss", "kNN"]).optional(),
  probe: probe.optional(),
  /** What changes in mid-run, in the order of the steps. */
  interventions: z.array(intervention).min(1).optional(),
  /** Which files the names mean that are not Saccade's own: written into a run's record, never a reason to open a file. */
  plugins: z
    .record(
      z.string(),
      z.strictObject({
        kind: z.enum(["update", "loss", "augmentation"]),
        key: z.string().optional(),
        file: z.string().optional(),
        package: z.string().optional(),
        sha256: z.string().optional(),
      }),
    )
    .optional(),
});

/** A checked, complete configuration of a run. A name of a plugin's stands where the types have Saccade's own names alone: nothing but the registry asks what it means. */
export type Config = z.infer<typeof configSchema> & { readonly [loaded]?: readonly Plugin[] };
export type Intervention = z.infer<typeof intervention>;
export type DataConfig = z.infer<typeof data>;
export type ProbeConfig = z.infer<typeof probe>;

export const configKeys: readonly string[] = Object.keys(configSchema.shape);

/** The labelled pictures of which evaluateEvery takes some: what the probe learns from, or without a probe the run's own. */
export const evaluationData = ({ probe, data }: Pick<Config, "probe" | "data">): DataConfig => probe?.train ?? data;

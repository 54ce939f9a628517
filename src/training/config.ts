// The configuration of a run: what a YAML file may say, with defaults, and what is refused.

import { z } from "zod";
import { affineDefaults, cropDefaults, patchesDefaults, patchesPerSide, simclrDefaults } from "../data/augmentation.ts";
import { nearest } from "../data/nearest.ts";
import { pairingNames } from "../data/pairing.ts";
import { movieClip } from "../data/procedural-objects.ts";
import { activationNames, pictures, requireShapes } from "../encoders/encoder.ts";
import { type NetworkName, networkOf, networks } from "../encoders/networks.ts";
import { SaccadeError } from "../program/errors.ts";
import { asWritten, loaded, ownKey, type Plugin, type UpdatePlugin, whose } from "./plugin.ts";
import {
  augmentationNames,
  entryOf,
  factsOf,
  type hinge,
  learningNames,
  lossNames,
  lossSchemas,
  madeLoss,
  ownGroups,
  refusalOf,
  updateNames,
  updates,
} from "./registry.ts";

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

const data = z.strictObject({
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

const losses = z.discriminatedUnion("kind", lossSchemas);

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
const calledProbe = (subjects: readonly string[]) =>
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
  augmentation: z.discriminatedUnion("kind", [simclr, affine, patches, none]).default(simclr.parse({ kind: "simclr" })),
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

/** A checked, complete configuration, or a sentence for every mistake in it. It keeps the plugins that it names. */
export function parseConfig(raw: unknown, where: string, plugins: readonly Plugin[] = []): Config {
  checkNames(plugins);
  const given = withKinds(withPreset(withoutNothing(raw)), where);
  const all = [...plugins, ...recorded(given, plugins)];
  const config = withPlugins(parse(schemaWith(all), given, where) as Config, plugins, where);
  checkCombination(config, all, where);
  checkInterventions(config, where);
  return config;
}

/** A name that is taken would mean something else than it says. */
function checkNames(plugins: readonly Plugin[]): void {
  const names: Record<Plugin["kind"], string[]> = {
    update: [...updateNames],
    loss: [...lossNames],
    augmentation: [...augmentationNames],
  };
  const keys = Object.keys(configSchema.shape);
  for (const plugin of plugins) {
    const { kind, name } = plugin;
    if (names[kind].includes(name))
      throw new SaccadeError(`${whose(plugin)}: its name is taken; give it one that is not ${names[kind].join(", ")}`);
    names[kind].push(name);
    if (kind !== "update") continue;
    const key = ownKey(plugin);
    if (keys.includes(key))
      throw new SaccadeError(`${whose(plugin)}: its key ${key} is taken in configurations; give it another: key: "…"`);
    keys.push(key);
  }
}

/** What a raw configuration's record says of plugins that are not loaded: enough to read it, not to train. */
type Recorded = Pick<UpdatePlugin, "name" | "key"> & { readonly kind: Plugin["kind"] };

function recorded(raw: unknown, plugins: readonly Plugin[]): Recorded[] {
  const record = isGroup(raw) && isGroup(raw.plugins) ? raw.plugins : {};
  return Object.entries(record).flatMap(([name, of]) => {
    const { kind, key } = (of ?? {}) as Partial<Recorded>;
    if (kind === undefined || plugins.some((plugin) => plugin.kind === kind && plugin.name === name)) return [];
    return [{ name, kind, ...(key === undefined ? {} : { key }) }];
  });
}

/** The schema with the names of plugins, whose own keys their own schemas check. */
function schemaWith(plugins: readonly Recorded[]): z.ZodObject {
  const named = (kind: Plugin["kind"]): Recorded[] => plugins.filter((plugin) => plugin.kind === kind);
  const open = (kind: Plugin["kind"]) => named(kind).map(({ name }) => z.looseObject({ kind: z.literal(name) }));
  if (plugins.length === 0) return configSchema;
  return configSchema.extend({
    update: z.enum([...updateNames, ...named("update").map(({ name }) => name)]).default("BP"),
    loss: z
      .discriminatedUnion("kind", [...lossSchemas, ...open("loss")])
      .default(losses.parse({ kind: "contrastiveHinge" })),
    augmentation: z
      .discriminatedUnion("kind", [simclr, affine, patches, none, ...open("augmentation")])
      .default(simclr.parse({ kind: "simclr" })),
    ...Object.fromEntries(named("update").map((plugin) => [ownKey(plugin), z.looseObject({}).optional()])),
  });
}

/** A configuration whose plugins have checked their own keys, with the files that they are. */
function withPlugins(config: Config, plugins: readonly Plugin[], where: string): Config {
  const groups: Record<string, unknown> = {};
  const used: Plugin[] = [];
  const names = namesOf(config);
  for (const plugin of plugins) {
    const { kind, name } = plugin;
    if (!names[kind].includes(name)) continue;
    used.push(plugin);
    const named = kind === "update" ? config.update : config[kind].kind;
    // Of one that only an intervention sets, the stage that it begins checks the keys.
    if (named === name) Object.assign(groups, ownGroup(plugin, config, where));
    const before = config.plugins?.[name]?.sha256;
    const now = plugin.source?.sha256;
    if (before !== undefined && before !== now)
      throw new SaccadeError(
        `${where}: ${kind} ${name} must be the file with SHA-256 ${before.slice(0, 12)}…, got ${now ? `${now.slice(0, 12)}… (${plugin.source?.file})` : "none"}; restore the file, or start a new run`,
      );
  }
  const notLoaded = Object.entries(config.plugins ?? {}).filter(
    ([name, { kind }]) =>
      names[kind].includes(name) && !used.some((plugin) => plugin.kind === kind && plugin.name === name),
  );
  const record = Object.fromEntries([...used.map((plugin) => [plugin.name, asWritten(plugin)]), ...notLoaded]);
  const { plugins: _, ...rest } = config;
  return {
    ...rest,
    ...groups,
    ...(Object.keys(record).length > 0 ? { plugins: record } : {}),
    ...(used.length > 0 ? { [loaded]: used } : {}),
  };
}

/** What a configuration names from its start to its end. */
function namesOf({ update, loss, augmentation, interventions = [] }: Config): Record<Plugin["kind"], string[]> {
  const sets = interventions.flatMap(({ set }) => set ?? []);
  return {
    update: [update, ...sets.flatMap((set) => set.update ?? [])],
    loss: [loss.kind, ...sets.flatMap((set) => set.loss?.kind ?? [])],
    augmentation: [augmentation.kind],
  };
}

/** The part of a configuration that a plugin has checked. */
function ownGroup(plugin: Plugin, config: Config, where: string): object {
  const { kind, name } = plugin;
  if (kind === "update") {
    const key = ownKey(plugin);
    const own = ownOptions(plugin, (config as Record<string, unknown>)[key], key, where);
    return plugin.schema ? { [key]: own } : {};
  }
  const { kind: _, ...given } = config[kind];
  return { [kind]: { kind: name, ...ownOptions(plugin, given, kind, where) } };
}

/** A plugin's own keys, complete, or a sentence for every mistake in them. */
function ownOptions(plugin: Plugin, given: unknown = {}, key: string, where: string): object {
  const { schema, name, kind } = plugin;
  const unknown = (keys: readonly string[]): SaccadeError => {
    const known = Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
    const [own] = keys;
    const close = nearest(own, known);
    return new SaccadeError(
      `${where}: unknown key "${key}.${own}"${close ? `, did you mean "${close}"?` : ""} (${kind} ${name} knows: ${known.join(", ") || "none"})`,
    );
  };
  const keys = Object.keys(given as object);
  if (schema === undefined) {
    if (keys.length > 0) throw unknown(keys);
    return {};
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const issues = parsed.error.issues as readonly z.core.$ZodIssue[];
    const [first] = issues;
    if (first.code === "unrecognized_keys" && first.path.length === 0) throw unknown(first.keys);
    const sentences = issues.map((issue) => explainIssue({ ...issue, path: [key, ...issue.path] }, { [key]: given }));
    throw new SaccadeError(`${where}: ${sentences.join("; ")}`);
  }
  const options = parsed.data as Record<string, unknown>;
  // A schema that passes over what it does not know would let a misspelt key go unnoticed.
  const dropped = keys.filter((own) => !Object.hasOwn(options, own));
  if (dropped.length > 0) throw unknown(dropped);
  return options;
}

/** The configuration after an intervention has set some of it; the interventions themselves are left out. */
export function changedConfig(config: Config, set: NonNullable<Intervention["set"]>, where: string): Config {
  const { interventions: _, [loaded]: plugins = [], ...rest } = config;
  const { update = config.update, loss = config.loss, learningRate = config.optimiser.learningRate } = set;
  const sameKind = loss.kind === undefined || loss.kind === config.loss.kind;
  // Groups of keys of the update that was.
  const others = updatesAmong([...plugins, ...recorded(config, plugins)]).filter(({ name }) => name !== update);
  const keys = others.map(ownKey);
  return parseConfig(
    {
      ...Object.fromEntries(Object.entries(rest).filter(([key]) => !keys.includes(key))),
      update,
      loss: sameKind ? { ...config.loss, ...loss } : loss,
      optimiser: { ...config.optimiser, learningRate },
    },
    where,
    plugins,
  );
}

/** Saccade's own updates, and those of plugins. */
const updatesAmong = (plugins: readonly Recorded[]): readonly Pick<UpdatePlugin, "name" | "key">[] => [
  ...updates,
  ...plugins.filter(({ kind }) => kind === "update"),
];

/** Every stage of a run must be a run that makes sense. */
function checkInterventions(config: Config, where: string): void {
  let [now, last] = [config, 0];
  for (const [i, { step, set }] of (config.interventions ?? []).entries()) {
    if (step < last)
      throw new SaccadeError(`${where}: interventions must be in the order of their steps, got ${step} after ${last}`);
    last = step;
    if (set) now = changedConfig(now, set, `${where}: interventions.${i}`);
  }
}

/** The options of a probe that a program calls, complete and checked as in a configuration. */
export function parseProbeOptions(raw: object, subjects: readonly string[]): z.infer<ReturnType<typeof calledProbe>> {
  const options = parse(calledProbe(subjects), raw, "probe");
  const nonsense = probeRefusal(options);
  if (nonsense) throw new SaccadeError(`probe: ${nonsense}`);
  return options;
}

/** A data section that stands alone; what is wrong in it is named as within a configuration. */
export const parseDataConfig = (raw: object, where: string): DataConfig =>
  parse(z.strictObject({ data }), withoutNothing({ data: raw }), where).data;

function parse<S extends z.ZodType>(schema: S, raw: unknown, where: string): z.infer<S> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.flatMap(meant).map((issue) => explainIssue(issue, raw));
  throw new SaccadeError(`${where}: ${sentences.join("; ")}`);
}

/** The raw configuration without keys that may be left out and hold nothing: `probe=null` on the command line, `probe:` in a file. */
function withoutNothing(raw: unknown, at: readonly string[] = []): unknown {
  const value = valueAt(raw, at);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const objects = objectsAt(at, raw);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, own]) => {
      const nothing = own === null && objects.some((object) => fieldOf(object, key) instanceof z.ZodOptional);
      return nothing ? [] : [[key, withoutNothing(raw, [...at, key])]];
    }),
  );
}

/** The raw configuration with the authors' choices where it asks for them and says nothing itself. */
function withPreset(raw: unknown): unknown {
  if (typeof raw !== "object" || raw === null) return raw;
  const given = raw as Record<string, unknown>;
  if (given.preset !== "authors-code") return raw;
  const loss = { kind: "contrastiveHinge", ...(given.loss as object | undefined) };
  const choices: Record<string, object> = {
    contrastiveHinge: { negativesReading: "authors-code" },
    simclr: { reduction: "mean" },
  };
  const dtp = {
    order: "targetsFirst",
    noise: { kind: "absolute", size: 1 },
    localLoss: "mean",
    ...(given.dtp as object | undefined),
  };
  return {
    ...given,
    augmentation: given.augmentation ?? { kind: "affine" },
    ...(isGroup(given.probe) ? { probe: withReadOut(given.probe) } : {}),
    loss: { ...choices[loss.kind], ...loss },
    ...(given.update === "DTP" ? { dtp } : {}),
  };
}

/** The authors train the read-out of STL-10 on random crops and flips, and that of no other dataset. */
function withReadOut(given: Record<string, unknown>): Record<string, unknown> {
  const { train, readOuts } = given;
  const crops =
    isGroup(train) && train.dataset === "stl-10" && (!Array.isArray(readOuts) || readOuts.includes("paper"));
  return crops ? { augmentation: { kind: "crop" }, ...given } : given;
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The raw configuration with the kinds of optimiser and schedule that go without saying, and with the short form of Adam written out. */
function withKinds(raw: unknown, where: string): unknown {
  if (!isGroup(raw)) return raw;
  const { adam: short, ...given } = raw;
  if (short !== undefined) {
    if (!isGroup(short))
      throw new SaccadeError(`${where}: adam must be a group of keys and values, got ${show(short)}`);
    const kind = isGroup(given.optimiser) ? (given.optimiser.kind ?? "adam") : "adam";
    if (kind !== "adam")
      throw new SaccadeError(
        `${where}: adam is short for optimiser.kind adam, got optimiser.kind ${show(kind)}; write optimiser.${Object.keys(short)[0] ?? "learningRate"}`,
      );
    given.optimiser = { ...(given.optimiser as object | undefined), ...short };
  }
  if (!isGroup(given.optimiser)) return given;
  const { schedule: rates } = given.optimiser;
  return {
    ...given,
    optimiser: {
      kind: "adam",
      ...given.optimiser,
      ...(isGroup(rates) ? { schedule: { kind: "constant", ...rates } } : {}),
    },
  };
}

/** Of a union's one issue those within the member that the value is of the kind of; itself where it is of no member's. */
function meant(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const within = issue.errors.find((errors) =>
    errors.every(({ path, code }) => path.length > 0 || code === "unrecognized_keys"),
  );
  return within?.flatMap((one) => meant({ ...one, path: [...issue.path, ...one.path] })) ?? [issue];
}

/** `encoder.blocks.0.kernel`, and of which block that is. */
function pathOf(path: readonly PropertyKey[]): string {
  const block = path[0] === "encoder" && path[1] === "blocks" ? path[2] : undefined;
  return path.join(".") + (typeof block === "number" ? ` (block conv${block + 1})` : "");
}

function explainIssue(issue: z.core.$ZodIssue, raw: unknown): string {
  const path = pathOf(issue.path);
  if (issue.code === "unrecognized_keys") return explainKeys(issue.keys, issue.path, raw);
  const got = valueAt(raw, issue.path);
  const close = typeof got === "string" ? nearest(got, wordsOf(issue)) : undefined;
  const nameable = typeof got === "string" && ["update", "loss.kind", "augmentation.kind"].includes(path);
  const bare = issue.code === "invalid_type" && issue.expected === "string" && /number|boolean/.test(typeof got);
  const quoted = issue.code === "invalid_type" && typeof got === "string" && isValueOf(issue.expected, got);
  const mend = close
    ? `; did you mean "${close}"?`
    : bare
      ? "; put it in quotes"
      : quoted
        ? "; leave its quotes out"
        : nameable
          ? "; one of your own comes with --plugin FILE"
          : "";
  return `${path || "the file"} must ${wanted(issue)}, got ${show(got)}${mend}`;
}

/** Whether a text would be a number, or true or false, without its quotes. */
const isValueOf = (type: string, text: string): boolean =>
  type === "boolean"
    ? text === "true" || text === "false"
    : type === "number" && text.trim() !== "" && Number.isFinite(Number(text));

/** Keys that are misspelt, and keys of another kind of loss or augmentation than the one that is given. */
function explainKeys(keys: readonly string[], at: readonly PropertyKey[], raw: unknown): string {
  const path = at.join(".");
  const full = (key: string): string => (path ? `${path}.${key}` : key);
  const known = keysAt(at, raw);
  const foreign = keysAt(at).filter((key) => keys.includes(key));
  const sentences = keys
    .filter((key) => !foreign.includes(key))
    .map((key) => {
      const close = nearest(key, known);
      return `unknown key "${full(key)}"${close ? `, did you mean "${close}"?` : ""} (known: ${known.join(", ")})`;
    });
  if (foreign.length > 0) {
    const { kind } = valueAt(raw, at) as { kind: string };
    const [are, them] = foreign.length === 1 ? ["is not a key", "it"] : ["are not keys", "them"];
    sentences.push(
      `${foreign.map(full).join(" and ")} ${are} of ${path} kind ${kind} (known: ${known.join(", ")}); leave ${them} out, or set it whole: ${path}='{kind: ${kind}}'`,
    );
  }
  return sentences.join("; ");
}

/** What goes between "must" and ", got". */
function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `be ${typeNames[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return issue.values.length === 1
        ? `be ${String(issue.values[0])}`
        : `be one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return bounded(issue.origin, issue.inclusive === false ? "above" : "at least", issue.minimum);
    case "too_big":
      return bounded(issue.origin, issue.inclusive === false ? "below" : "at most", issue.maximum);
    case "invalid_union":
      if (issue.errors.length === 0) return `be one of ${wordsOf(issue).join(", ")}`;
      return [...new Set(issue.errors.map(([first]) => wanted(first)))].join(" or ").replaceAll(" or be ", " or ");
    default:
      return `be ${issue.message}`;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  string: "text",
  boolean: "true or false",
  object: "a group of keys and values",
  array: "a list",
  tuple: "a list",
};

const bounded = (origin: string, relation: string, limit: number | bigint): string =>
  origin === "array" ? `be a list of ${relation} ${limit}` : `be ${relation} ${limit}`;

/** Words that a value may be, in an issue and in the members of its union. */
function wordsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  if (issue.code !== "invalid_union") return [];
  const named = "options" in issue ? (issue.options ?? []) : [];
  return [...named.map(String), ...issue.errors.flat().flatMap(wordsOf)];
}

const show = (value: unknown): string =>
  value === undefined ? "nothing" : typeof value === "number" ? String(value) : JSON.stringify(value);

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], raw);
}

/** Keys that the schema knows at a path; of a union those of the kind that `raw` gives, without `raw` those of all kinds. */
const keysAt = (path: readonly PropertyKey[], raw?: unknown): string[] => [
  ...new Set(objectsAt(path, raw).flatMap(({ shape }) => Object.keys(shape))),
];

/** What the schema has at a path, as far as it is a group of keys. */
function objectsAt(path: readonly PropertyKey[], raw?: unknown): z.ZodObject[] {
  let schemas: z.core.$ZodType[] = [configSchema];
  const open = (schema: z.core.$ZodType, kind: unknown): z.core.$ZodType[] => {
    if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
      return open(schema.unwrap() as z.core.$ZodType, kind);
    if (!(schema instanceof z.ZodUnion)) return [schema];
    const members = (schema.options as z.core.$ZodType[]).flatMap((member) => open(member, kind));
    return kind === undefined ? members : members.filter((member) => fieldOf(member, "kind")?.safeParse(kind).success);
  };
  const opened = (depth: number): z.core.$ZodType[] => {
    const value = valueAt(raw, path.slice(0, depth)) as { kind?: unknown } | undefined;
    return schemas.flatMap((schema) => open(schema, value?.kind));
  };
  path.forEach((key, depth) => {
    schemas = opened(depth).flatMap((schema) =>
      schema instanceof z.ZodArray && typeof key === "number" ? schema.element : (fieldOf(schema, key) ?? []),
    );
  });
  return opened(path.length).filter((schema) => schema instanceof z.ZodObject);
}

/** Whether a key is for text: a folder may be called 2024. */
function isText(path: readonly string[]): boolean {
  const fields = objectsAt(path.slice(0, -1)).map((object) => fieldOf(object, path[path.length - 1]));
  return fields.some(
    (field) =>
      (field instanceof z.ZodOptional || field instanceof z.ZodDefault ? field.unwrap() : field) instanceof z.ZodString,
  );
}

const fieldOf = (schema: z.core.$ZodType, key: PropertyKey): z.ZodType | undefined =>
  schema instanceof z.ZodObject ? (schema.shape as Record<PropertyKey, z.ZodType>)[key] : undefined;

/** Updates that optimiser.feedback is for. */
const sharing = updates.flatMap((entry) => ("learningFeedback" in entry ? [entry.name] : [])).join(" or ");

/** What no single value shows: combinations that make no sense. */
function checkCombination(config: Config, plugins: readonly Recorded[], where: string): void {
  const { loss, learning, update, optimiser, batch, augmentation, valueRange } = config;
  const { pairing, framesApart, data } = config;
  const refuse = (sentence: string): never => {
    throw new SaccadeError(`${where}: ${sentence}`);
  };
  checkPatches(augmentation, loss, refuse);
  const [rule, lossRule] = [entryOf("update", config, update), entryOf("loss", config, loss.kind)];
  // Of a plugin that is not loaded nothing is known.
  const made = lossRule && madeLoss(config);
  const facts = made && factsOf(made);
  const nonsense = rule && made && refusalOf(learning, rule, lossRule, made);
  if (nonsense) refuse(nonsense);
  for (const entry of updatesAmong(plugins)) {
    const key = ownKey(entry);
    if (entry.name !== update && (config as Record<string, unknown>)[key] !== undefined)
      refuse(`${key} is for update ${entry.name}, got update ${update}; leave it out`);
  }
  if (optimiser.feedback !== 1 && rule && !rule.learningFeedback)
    refuse(
      `optimiser.feedback is for feedback that receives the weights' increments (update ${sharing}), got update ${update}; leave it out`,
    );
  if (optimiser.head !== 1 && facts?.headless)
    refuse(`optimiser.head is for a loss with a projection head, got loss ${loss.kind}; leave it out`);
  const supervised = facts?.labelled ?? false;
  if (supervised && data.split === "unlabelled")
    refuse(`loss ${loss.kind} reads labels, data.split must be train or test, got unlabelled`);
  if (batch < 2 && !supervised) refuse("batch must be at least 2, so that an image has a negative, got 1");
  if (loss.kind === "contrastiveHinge") checkHinge(loss, batch, refuse);
  const inFrames = pairing === "frames" || pairing === "shuffledFrames";
  if (framesApart !== undefined && !inFrames)
    refuse(`framesApart is for pairing frames, got ${pairing ?? "augmentation"}; leave it out`);
  if (inFrames) {
    if (data.dataset !== "procedural-movie")
      refuse(`pairing ${pairing} needs a movie, got dataset ${data.dataset}; take procedural-movie`);
    if (framesApart !== undefined && framesApart >= movieClip.frames)
      refuse(`framesApart must be below ${movieClip.frames}, the frames of a clip, got ${framesApart}`);
    if (loss.kind !== "contrastiveHinge" || loss.negativesReading !== "past")
      refuse(
        `pairing ${pairing} needs loss contrastiveHinge with negativesReading past: any other loss reads labels, or uses the frames just before and after as negatives, which show the same thing`,
      );
  }
  if (pairing === "shuffledImages" && !["contrastiveHinge", "simclr", "clapp"].includes(loss.kind))
    refuse(`pairing shuffledImages is for a loss that compares two views, got loss ${loss.kind}; leave it out`);
  if (augmentation.kind === "simclr") {
    for (const key of ["scale", "ratio"] as const)
      if (augmentation[key][0] > augmentation[key][1])
        refuse(`augmentation.${key} must be [least, most], got [${augmentation[key].join(", ")}]`);
  }
  checkEvaluation(config, supervised, refuse);
  const untold = config.probe && probeRefusal(config.probe);
  if (untold) refuse(untold);
  if (valueRange[0] >= valueRange[1]) refuse(`valueRange must be [low, high], got [${valueRange.join(", ")}]`);
  checkNetwork(config, where, refuse);
  const { name, channels } = networkOf(config.encoder);
  for (const [key, numbers] of Object.entries(config.normalise ?? {}))
    if (numbers.length !== channels)
      refuse(
        `normalise.${key} must be ${channels} ${channels === 1 ? "number" : "numbers"}, one for each channel of ${name}, got [${numbers.join(", ")}]`,
      );
}

/** What no single number of a network that is spelt out shows. The library's own fit. */
function checkNetwork(
  { encoder, augmentation }: Pick<Config, "encoder" | "augmentation">,
  where: string,
  refuse: (sentence: string) => never,
): void {
  if (typeof encoder === "string") return;
  if (Object.hasOwn(networks, encoder.name))
    refuse(`encoder.name must be a name of its own, got ${encoder.name}, which is one of the library's; rename it`);
  const network = networkOf(encoder);
  if (augmentation.kind !== "patches") requireShapes(network, `${where}: encoder`);
  else pictures({ ...network, height: augmentation.size, width: augmentation.size }, `${where}: encoder`);
}

/** The labelled pictures of which evaluateEvery takes some: what the probe learns from, or without a probe the run's own. */
export const evaluationData = ({ probe, data }: Pick<Config, "probe" | "data">): DataConfig => probe?.train ?? data;

function checkEvaluation(config: Config, supervised: boolean, refuse: (sentence: string) => never): void {
  const { evaluateEvery = 0, checkpointBest, checkpointEvery, probe, data, loss } = config;
  if (checkpointBest === "kNN" && evaluateEvery === 0)
    refuse("checkpointBest kNN needs evaluateEvery, which measures it, got none; set evaluateEvery=1");
  if (checkpointBest === "kNN" && evaluateEvery % checkpointEvery !== 0)
    refuse(
      `evaluateEvery must be a multiple of checkpointEvery = ${checkpointEvery} under checkpointBest kNN, so that the evaluated checkpoint is kept, got ${evaluateEvery}`,
    );
  if (evaluateEvery === 0) return;
  if (!probe && data.split === "unlabelled")
    refuse(
      "evaluateEvery needs labelled pictures, and there are none: data.split is unlabelled, and there is no probe; add a probe section",
    );
  const same = (["dataset", "split", "folder", "file", "seed"] as const).every(
    (key) => evaluationData(config)[key] === data[key],
  );
  if (supervised && same)
    refuse(
      `evaluateEvery needs labels that the run does not learn from, and loss ${loss.kind} learns those of ${probe ? "probe.train" : "data"}; leave evaluateEvery out, or give probe.train other pictures`,
    );
}

/** What makes no sense in a probe, in a sentence. */
function probeRefusal({ augmentation, readOuts }: Pick<ProbeConfig, "augmentation" | "readOuts">): string | undefined {
  if (augmentation.kind === "none" || readOuts.includes("paper")) return undefined;
  return `probe.augmentation is for the read-out paper, got readOuts ${readOuts.join(", ")}; add paper, or set probe.augmentation='{kind: none}'`;
}

function checkPatches(
  augmentation: Config["augmentation"],
  loss: Config["loss"],
  refuse: (sentence: string) => never,
): void {
  if (augmentation.kind !== "patches") {
    if (loss.kind === "clappPatches")
      refuse(`loss clappPatches needs augmentation.kind patches, got ${augmentation.kind}`);
    return;
  }
  if (loss.kind !== "clappPatches")
    refuse(`augmentation patches is for loss clappPatches, got ${loss.kind}; take augmentation.kind simclr or affine`);
  const { crop, size } = augmentation;
  if (size > crop) refuse(`augmentation.size must be at most augmentation.crop = ${crop}, got ${size}`);
  const side = patchesPerSide(augmentation);
  if (loss.steps + loss.skip >= side)
    refuse(
      `loss.steps + loss.skip must be below ${side}, the patches of a column, got ${loss.steps} + ${loss.skip}; shorten them, or augmentation.stride`,
    );
}

function checkHinge(
  { m1, m2, negatives, negativesReading, gap, spacing }: z.infer<typeof hinge>,
  batch: number,
  refuse: (sentence: string) => never,
): void {
  if (m2 <= m1) refuse(`loss.m2 must be above loss.m1 = ${m1}, got ${m2}`);
  if (negativesReading !== "past" && gap !== undefined)
    refuse(`loss.gap is for negativesReading past, got ${negativesReading}; leave it out`);
  if (negativesReading !== "past" && spacing !== undefined)
    refuse(`loss.spacing is for negativesReading past, got ${negativesReading}; leave it out`);
  if (negatives === "all") {
    if (negativesReading === "past")
      refuse("loss.negatives must be a number under negativesReading past, got all; give the length of the buffer");
    return;
  }
  if (negatives === 0 && negativesReading !== "paper-text")
    refuse(`loss.negatives must be at least 1 under negativesReading ${negativesReading}, got 0`);
  const reach = (gap ?? 1) + (negatives - 1) * (spacing ?? 1);
  if (negativesReading === "past" && reach >= batch)
    refuse(
      `the oldest of loss.negatives must be in the batch of ${batch} images, got one ${reach} back (gap ${gap ?? 1}, spacing ${spacing ?? 1}); enlarge the batch`,
    );
  const most = negativesReading === "paper-text" ? batch - 1 : batch;
  if (negatives > most)
    refuse(`loss.negatives must be at most ${most} in a batch of ${batch}, got ${negatives}; enlarge the batch`);
  if (negativesReading === "authors-code" && negatives < 2)
    refuse(`loss.negatives must be at least 2 under negativesReading authors-code (T means T − 1 negatives), got 1`);
}

/**
 * Sets `a.b.c=value` in a raw configuration; the value is read as YAML, so `5` is a number and `[0, 1]` a list, but for keys that hold text.
 * `within` says which section of a configuration `raw` is.
 */
export function override(
  raw: unknown,
  assignment: string,
  parseValue: (text: string) => unknown,
  within: readonly string[] = [],
): void {
  const match = /^([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)=(.*)$/s.exec(assignment);
  if (!match) throw new SaccadeError(`override: must look like key=value, got "${assignment}"; for example seed=1`);
  const [, path, text] = match;
  const keys = path.split(".");
  let node = raw as Record<string, unknown>;
  keys.slice(0, -1).forEach((key, depth) => {
    // Own keys alone: `constructor` and its like are not ours to reach through.
    if (!Object.hasOwn(node, key) || node[key] === null) node[key] = {};
    const next = node[key];
    if (typeof next !== "object" || Array.isArray(next)) {
      const whole = keys.slice(0, depth + 1).join(".");
      throw new SaccadeError(
        `override: ${whole} must be a group of keys for ${path}, got ${show(next)}; set it as a whole: ${whole}=…`,
      );
    }
    // A copy: what an alias repeats elsewhere stays as it is.
    node = node[key] = { ...next } as Record<string, unknown>;
  });
  const value = parseValue(text);
  const plain = typeof value === "number" || typeof value === "boolean" || text === "~";
  node[keys[keys.length - 1]] = plain && isText([...within, ...keys]) ? text : value;
}

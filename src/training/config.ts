// The configuration of a run: what a YAML file may say, with defaults, and what is refused.

import { z } from "zod";
import { affineDefaults, simclrDefaults } from "../data/augmentation.ts";
import { nearest } from "../data/nearest.ts";
import { type NetworkName, networks } from "../encoders/networks.ts";
import { SaccadeError } from "../program/errors.ts";

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
});

const affine = z.strictObject({
  kind: z.literal("affine"),
  perturb: z.number().min(0).max(2).default(affineDefaults.perturb),
  share: share.default(affineDefaults.share),
  outside: z.enum(["zeros", "border"]).default(affineDefaults.outside),
  saturation: z.number().min(0).default(affineDefaults.saturation),
  hue: z.number().min(0).max(1).default(affineDefaults.hue),
  flip: share.default(affineDefaults.flip),
});

const data = z.strictObject({
  /** `cifar-10`, `cifar-100`, `mnist`, `fashion-mnist`, `emnist-letters`, `procedural-objects`. */
  dataset: z.string(),
  split: z.enum(["train", "test", "unlabelled"]).default("train"),
  /** Where the files are; else $SACCADE_DATA, else the cache. */
  folder: z.string().optional(),
  /** The first so many images. */
  limit: count.optional(),
  /** Seed of rendered data. */
  seed: z.int().min(0).default(0),
});

const hinge = z.strictObject({
  kind: z.literal("contrastiveHinge"),
  /** Margins on L1 distance between embeddings, in its units. */
  m1: z.number().min(0).default(1),
  m2: z.number().gt(0).default(3),
  /** `all`, or T: how many of the following images of the batch are negatives. */
  negatives: z.union([z.literal("all"), count]).default("all"),
  /** How a number of negatives is read: T with wrap-around and weight 1, or T − 1 super-diagonals of weight 1/T. */
  negativesReading: z.enum(["paper-text", "authors-code"]).default("paper-text"),
  /** The anchor is detached: temporal locality. */
  gradientBlock: z.boolean().default(false),
});

const adam = z.strictObject({
  learningRate: z.number().gt(0).default(1e-4),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().gt(0).default(1e-8),
});

const readOut = z.enum(["paper", "scaleFree", "kNN"]);

const probe = z.strictObject({
  /** Labelled images for training and testing the read-outs. */
  train: data,
  test: data,
  readOuts: z.array(readOut).min(1).default(["paper", "scaleFree", "kNN"]),
  /** Labels per class of each regime; `all` takes every training image. */
  labelsPerClass: z
    .array(z.union([count, z.literal("all")]))
    .min(1)
    .default(["all"]),
  /** Draws of the labelled subset and of the classifier's initial weights. */
  seeds: count.default(3),
  /** The paper's probe: cross-entropy, Adam. */
  epochs: count.default(400),
  learningRate: z.number().gt(0).default(1e-3),
  batch: count.default(500),
});

export const configSchema = z.strictObject({
  /** Names the run folder. */
  name: z.string().regex(/^[\w.-]+$/, "letters, digits, '.', '-' and '_' only"),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(0),
  data,
  augmentation: z.discriminatedUnion("kind", [simclr, affine]).default(simclr.parse({ kind: "simclr" })),
  /** What pixel values 0 and 255 become. */
  valueRange: z.tuple([z.number(), z.number()]).default([0, 1]),
  encoder: z.enum(Object.keys(networks) as [NetworkName, ...NetworkName[]]),
  loss: z.discriminatedUnion("kind", [hinge]).default(hinge.parse({ kind: "contrastiveHinge" })),
  /** Which layers learn together. */
  learning: z.enum(["E2E"]).default("E2E"),
  /** Where a layer's error comes from. */
  update: z.enum(["BP"]).default("BP"),
  adam: adam.default(adam.parse({})),
  /** Images per step; each gives two views. A last incomplete batch is dropped. */
  batch: count,
  epochs: count,
  /** Steps between lines of metrics.jsonl. */
  metricsEvery: count.default(1),
  /** Epochs between checkpoints; the last step is always kept. */
  checkpointEvery: count.default(1),
  probe: probe.optional(),
});

export type Config = z.infer<typeof configSchema>;
export type DataConfig = z.infer<typeof data>;
export type ProbeConfig = z.infer<typeof probe>;

/** A checked, complete configuration, or a sentence for every mistake in it. */
export function parseConfig(raw: unknown, where: string): Config {
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) {
    const sentences = parsed.error.issues.map((issue) => explainIssue(issue, raw));
    throw new SaccadeError(`${where}: ${sentences.join("; ")}`);
  }
  checkCombination(parsed.data, where);
  return parsed.data;
}

function explainIssue(issue: z.core.$ZodIssue, raw: unknown): string {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys
      .map((key) => {
        const known = keysAt(issue.path);
        const close = nearest(key, known);
        const full = path ? `${path}.${key}` : key;
        return `unknown key "${full}"${close ? `, did you mean "${close}"?` : ""} (known: ${known.join(", ")})`;
      })
      .join("; ");
  }
  const got = valueAt(raw, issue.path);
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const close = typeof got === "string" ? nearest(got, values) : undefined;
    return `${path} must be one of ${values.join(", ")}, got ${show(got)}${close ? `; did you mean "${close}"?` : ""}`;
  }
  if (issue.code === "invalid_union" && "discriminator" in issue && issue.discriminator)
    return `${path} must name a known ${issue.discriminator}, got ${show(got)}`;
  return `${path || "the file"}: ${lowerFirst(issue.message)}, got ${show(got)}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

const show = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], raw);
}

/** Keys that the schema knows at a path; a union's are those of all its members. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schemas: z.core.$ZodType[] = [configSchema];
  const open = (schema: z.core.$ZodType): z.core.$ZodType[] => {
    if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
      return open(schema.unwrap() as z.core.$ZodType);
    if (schema instanceof z.ZodUnion) return (schema.options as z.core.$ZodType[]).flatMap(open);
    return [schema];
  };
  for (const key of path)
    schemas = schemas.flatMap(open).flatMap((schema) => {
      const field =
        schema instanceof z.ZodObject ? (schema.shape as Record<PropertyKey, z.core.$ZodType>)[key] : undefined;
      return field ? [field] : [];
    });
  const keys = schemas
    .flatMap(open)
    .flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape as object) : []));
  return [...new Set(keys)];
}

/** What no single value shows: combinations that make no sense. */
function checkCombination({ loss, batch, augmentation, valueRange, encoder, probe }: Config, where: string): void {
  const refuse = (sentence: string): never => {
    throw new SaccadeError(`${where}: ${sentence}`);
  };
  if (loss.m2 <= loss.m1) refuse(`loss.m2 must be above loss.m1 = ${loss.m1}, got ${loss.m2}`);
  if (batch < 2) refuse("batch must be at least 2, so that an image has a negative, got 1");
  if (loss.negatives !== "all") {
    const most = loss.negativesReading === "paper-text" ? batch - 1 : batch;
    if (loss.negatives > most)
      refuse(`loss.negatives must be at most ${most} in a batch of ${batch}, got ${loss.negatives}; enlarge the batch`);
    if (loss.negativesReading === "authors-code" && loss.negatives < 2)
      refuse(`loss.negatives must be at least 2 under negativesReading authors-code (T means T − 1 negatives), got 1`);
  }
  if (augmentation.kind === "simclr") {
    for (const key of ["scale", "ratio"] as const)
      if (augmentation[key][0] > augmentation[key][1])
        refuse(`augmentation.${key} must be [least, most], got [${augmentation[key].join(", ")}]`);
  }
  if (valueRange[0] >= valueRange[1]) refuse(`valueRange must be [low, high], got [${valueRange.join(", ")}]`);
  if (probe && networks[encoder].channels === 3 && /mnist/.test(probe.train.dataset))
    refuse(`probe.train.dataset ${probe.train.dataset} has 1 channel, the ${encoder} network reads 3`);
}

/** Sets `a.b.c=value` in a raw configuration; the value is read as YAML, so `5` is a number and `[0, 1]` a list. */
export function override(raw: unknown, assignment: string, parseValue: (text: string) => unknown): void {
  const match = /^([A-Za-z][\w.]*)=(.*)$/s.exec(assignment);
  if (!match) throw new SaccadeError(`override: must look like key=value, got "${assignment}"; for example seed=1`);
  const [, path, text] = match;
  const keys = path.split(".");
  let node = raw as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) {
    if (typeof node[key] !== "object" || node[key] === null) node[key] = {};
    node = node[key] as Record<string, unknown>;
  }
  const value = parseValue(text);
  node[keys[keys.length - 1]] = value;
}

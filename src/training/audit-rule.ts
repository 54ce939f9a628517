// The locality audit of a configuration: its programs' verdicts, confirmed by intervention on a small batch.

import type { Backend, Numbers } from "../backends/backend.ts";
import { drawViews } from "../data/augmentation.ts";
import { initialise } from "../encoders/model.ts";
import { networkOf } from "../encoders/networks.ts";
import {
  auditProgram,
  type Condition,
  conditions,
  type LayerAudit,
  summarise,
  type Verdict,
} from "../program/audit.ts";
import { randomStream } from "../program/random.ts";
import { sizeOf, type Tensor } from "../program/tensor.ts";
import { clockValues, type RecordedRule, type RuleOptions, recordRule } from "../rules/rule.ts";
import { intervene, type LayerIntervention, type Outcome, type StepValues } from "./audit-intervention.ts";
import type { Config } from "./config.ts";
import { configuredModel, configuredRule, recordConfigured, smallestPicture } from "./configured-rule.ts";
import { madeAugmentation } from "./registry.ts";

export interface AuditedLayer extends LayerAudit {
  /** At the weights. */
  readonly intervention: LayerIntervention;
  /** Undefined where there are none. */
  readonly interventionAtBiases: LayerIntervention | undefined;
  /** Where the intervention does not bear a verdict out; empty where it does. */
  readonly disagreements: readonly string[];
}

/** The verdicts on conditions (i) to (iv), what they are read off, and whether an intervention confirmed them. */
export interface AuditReport {
  readonly name: string;
  readonly learning: Config["learning"];
  readonly update: Config["update"];
  readonly loss: Config["loss"];
  /** Its network's name. */
  readonly encoder: string;
  /** Images per step that verdicts, memory and negatives are about. */
  readonly batch: number;
  readonly summary: Readonly<Record<Condition, Verdict>>;
  /** One for every lesson: of E2E's one step, or of every layer's own. */
  readonly lessons: readonly { readonly operations: number; readonly layers: readonly AuditedLayer[] }[];
  /** What the interventions ran on. */
  readonly interventions: { readonly backend: string; readonly images: number };
}

/**
 * Random pictures in the small batch. Every image has two negatives: against one alone, where all gates are open, CLAPP's context
 * would get as much from negatives as from positives, and its bias would not change.
 */
const images = 3;

/** Audits the step of a configuration, and confirms each verdict by changing what a synapse must not know. */
export async function auditConfigured(config: Config, backend: Backend): Promise<AuditReport> {
  const picture = smallestPicture(config);
  const shape = { ...picture, count: config.batch, classes };
  const audits = recordConfigured(config, configuredModel(config), shape).lessons.map(({ program }) =>
    auditProgram(program),
  );
  const small = { ...config, batch: images, loss: smallLoss(config.loss) };
  const rule = configuredRule(small, configuredModel(config), { ...picture, count: images, classes });
  const recorded = recordRule(rule);
  const start = startValues(small, rule, recorded);
  const lessons = [];
  for (const [number, { program }] of recorded.lessons.entries()) {
    const found = await intervene(program, start, backend, config.seed);
    const { operations, layers } = audits[number];
    lessons.push({
      operations,
      layers: layers.map((layer) => confirmed(layer, found)),
    });
  }
  const layers = lessons.flatMap((lesson) => lesson.layers);
  const { name, learning, update, loss, batch } = config;
  return {
    name,
    learning,
    update,
    loss,
    encoder: networkOf(config.encoder).name,
    batch,
    summary: Object.fromEntries(conditions.map((one) => [one, summarise(one, layers)])) as Record<Condition, Verdict>,
    lessons,
    interventions: { backend: backend.name, images },
  };
}

/** Verdicts on all layers together, read off the programs; `auditConfigured` also confirms them by intervention. */
export function auditVerdicts(config: Config): Record<Condition, Verdict> {
  const shape = { ...smallestPicture(config), count: config.batch, classes };
  const { lessons } = recordConfigured(config, configuredModel(config), shape);
  const layers = lessons.flatMap(({ program }) => auditProgram(program).layers);
  return Object.fromEntries(conditions.map((one) => [one, summarise(one, layers)])) as Record<Condition, Verdict>;
}

/** Classes of the random labels. */
const classes = 10;

/** As many negatives as the small batch has. */
function smallLoss(loss: Config["loss"]): Config["loss"] {
  if (loss.kind !== "contrastiveHinge" || loss.negatives === "all") return loss;
  const most = loss.negativesReading === "authors-code" ? images : images - 1;
  const gap = loss.negativesReading === "past" ? { gap: 1, spacing: 1 } : {};
  return { ...loss, negatives: Math.min(loss.negatives, most), ...gap };
}

/** What a step on a whole dataset starts from: weights of the configured seed, random pictures, a label of its own for each. */
export function startValues(config: Config, { model, loss, dataset }: RuleOptions, recorded: RecordedRule): StepValues {
  const { inputs, lessons } = recorded;
  const { seed, batch } = config;
  const random = randomStream(seed, auditedPictures);
  const samples = Int32Array.from({ length: batch }, (_, i) => i);
  const drawn = drawViews(
    madeAugmentation(config),
    { from: dataset, to: model.encoder },
    { seed, epoch: 0, samples, views: loss.views },
  );
  const start = new Map<Tensor, Numbers>([
    ...initialise(recorded, seed),
    [inputs.images, Uint8Array.from({ length: sizeOf(inputs.images.shape) }, () => random.integer(256))],
    [inputs.indices, Int32Array.from({ length: sizeOf(inputs.indices.shape) }, (_, row) => row % batch)],
    [inputs.parameters, drawn],
    ...lessons.flatMap((lesson) => clockValues(lesson)),
  ]);
  if (inputs.pairs && loss.pairs) {
    const { rows, weights } = loss.pairs.draw(batch, random);
    start.set(inputs.pairs.rows, rows).set(inputs.pairs.weights, weights);
  }
  for (const tensor of [inputs.labels, inputs.labelIndices]) if (tensor) start.set(tensor, samples);
  for (const tensor of recorded.state)
    if (!start.has(tensor)) start.set(tensor, new Float32Array(sizeOf(tensor.shape)));
  return start;
}

/** First word of every path of random numbers that make the audit's pictures. */
const auditedPictures = 0xa0d1;

/** A layer's verdicts beside what the interventions on its program found. */
export function confirmed(layer: LayerAudit, found: readonly LayerIntervention[]): AuditedLayer {
  const [intervention, interventionAtBiases] = [false, true].map((bias) =>
    found.find((one) => one.layer === layer.layer && one.bias === bias),
  );
  if (intervention === undefined) throw new Error(`no intervention at ${layer.layer}`);
  const shown = [intervention, ...(interventionAtBiases ? [interventionAtBiases] : [])];
  return {
    ...layer,
    intervention,
    interventionAtBiases,
    disagreements: shown.flatMap((one) => disagreements(layer, one)),
  };
}

/** What a layer's verdicts foretell and the intervention did not show. A bias may know less than its layer's weights do. */
export function disagreements(layer: LayerAudit, found: LayerIntervention): string[] {
  const of = found.bias ? " at the biases" : "";
  if (found.silent && found.bias && layer.biasesCancel)
    return ["the biases never change, whatever the images: what the two views of a pair bring cancels in the sum"];
  if (found.silent) return [`nothing changes${of} on these images, so nothing is shown`];
  const differs = (what: string, got: Outcome, wanted: Outcome): string[] =>
    got === wanted ? [] : [`${what}${of}: ${got}, expected ${wanted}`];
  const follows = (what: string, got: Outcome, passes: boolean): string[] =>
    found.bias && !passes ? [] : differs(what, got, passes ? "identical" : "changed");
  return [
    ...follows("noise outside the locality", found.outside, layer.activities.verdict !== "fail"),
    ...found.inside.flatMap(({ tensor, outcome }) => differs(`noise in ${tensor}`, outcome, "changed")),
    ...follows("noise in forward weights", found.weights, layer.transport.verdict === "pass"),
    ...follows("other labels", found.labels, layer.labels.verdict === "pass"),
  ];
}

// Does one task: reads what it needs from the store, computes, and puts the outcome there.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { loadDataset } from "../datasets/datasets.ts";
import { networkOf } from "../encoders/networks.ts";
import { groupsOfClasses, knownGroups } from "../evaluation/class-groups.ts";
import { untrainedWeights } from "../evaluation/features.ts";
import { layerEmbeddings } from "../evaluation/layer-embeddings.ts";
import { probe } from "../evaluation/probe.ts";
import { type RobustnessSubject, robustness } from "../evaluation/robustness.ts";
import { only } from "../evaluation/subsets.ts";
import { coloursOf, pictureLayers } from "../figures/tsne-figure.ts";
import { conditions } from "../program/audit.ts";
import { SaccadeError } from "../program/errors.ts";
import { explain } from "../program/explain.ts";
import { sizeOf } from "../program/tensor.ts";
import { environment } from "../runs/environment.ts";
import { isSupervised, ownClassifier } from "../runs/own-classifier.ts";
import { auditConfigured } from "../training/audit-rule.ts";
import type { DataConfig } from "../training/config.ts";
import { configuredModel, recordConfigured, smallestPicture } from "../training/configured-rule.ts";
import { distances } from "./distances.ts";
import type { Planned } from "./plan.ts";
import { dropCheckpoints, runTrain } from "./run-train.ts";
import type { Outcome, Store } from "./store.ts";
import type {
  AuditResult,
  AuditTask,
  DistancesResult,
  DistancesTask,
  EmbeddingResult,
  EmbeddingTask,
  ProbeResult,
  ProbeTask,
  Results,
  RobustnessResult,
  RobustnessTask,
  Task,
  TrainTask,
} from "./task.ts";

export interface TaskContext {
  readonly store: Store;
  readonly backend: Backend;
  /** Ends training after the step in flight, with a checkpoint. */
  readonly signal: AbortSignal;
  /** The share of the task that is done. */
  readonly onProgress: (share: number) => void;
  /** Datasets that one task has read serve the next. */
  readonly datasets: Datasets;
}

export interface Datasets {
  readonly load: (data: DataConfig) => Promise<ImageSet>;
}

/** Keeps the sets of the last few requests. */
export function createDatasets(kept = 4): Datasets {
  const sets = new Map<string, Promise<ImageSet>>();
  return {
    load: (data) => {
      const key = JSON.stringify(data);
      const set = sets.get(key) ?? loadDataset(data);
      sets.delete(key);
      sets.set(key, set);
      for (const old of [...sets.keys()].slice(0, -kept)) sets.delete(old);
      return set;
    },
  };
}

export async function runTask({ key, title, task, needs }: Planned, context: TaskContext): Promise<void> {
  const started = performance.now();
  const value = await does(task, key, { ...context, run: needs });
  const { saccade, commit, processor, cores, backend } = environment(context.backend);
  const seconds = (performance.now() - started) / 1000;
  const outcome: Outcome = { key, kind: task.kind, title, value, seconds, saccade, commit, processor, cores, backend };
  await context.store.putOutcome(outcome);
  if (task.kind === "train") dropCheckpoints(context.store.runs(key));
}

/** A task's context, with the run that it waits for. */
interface Context extends TaskContext {
  readonly run: string | undefined;
}

function does(task: Task, key: string, context: Context): Promise<Results[Task["kind"]]> {
  switch (task.kind) {
    case "train":
      return trains(task, key, context);
    case "probe":
      return probes(task, context);
    case "robustness":
      return measuresRobustness(task, context);
    case "embedding":
      return embeds(task, context);
    case "audit":
      return audits(task, context);
    case "distances":
      return measuresDistances(task, context);
    default:
      return task satisfies never;
  }
}

async function trains({ of: { config } }: TrainTask, key: string, context: Context): Promise<Results["train"]> {
  const { store, backend, signal, onProgress, datasets } = context;
  const dataset = await datasets.load(config.data);
  const { result, weights } = await runTrain(config, dataset, backend, { runs: store.runs(key), signal, onProgress });
  if (weights) await store.putEncoder(key, weights);
  return result;
}

/** The weights of the run that a task waits for. */
function weightsOf({ run, store }: Context): ReturnType<Store["encoder"]> {
  if (run !== undefined && store.hasEncoder(run)) return store.encoder(run);
  throw new SaccadeError(`${store.path}: has no encoder of run ${run}; it diverged, or was not trained here`);
}

async function probes({ of, probe: wanted, holdOut }: ProbeTask, context: Context): Promise<ProbeResult> {
  const { backend, datasets, onProgress } = context;
  const { valueRange, normalise, seed } = of.config;
  const network = networkOf(of.config.encoder);
  const labelled = await datasets.load(wanted.train);
  const kept = labelled.count - (holdOut ?? 0);
  const rows = Int32Array.from({ length: labelled.count }, (_, i) => i);
  const [train, test] =
    holdOut === undefined
      ? [labelled, await datasets.load(wanted.test)]
      : [only(labelled, rows.subarray(0, kept)), only(labelled, rows.subarray(kept))];
  const encoders: Record<string, ReadonlyMap<string, Float32Array>> = of.trained
    ? { trained: weightsOf(context).state }
    : {};
  const report = await probe(
    { network, valueRange, normalise, encoders, seed },
    train,
    test,
    { ...wanted, subjects: of.trained ? ["trained"] : ["random", "pixels"] },
    backend,
    { onScore: (_, done, total) => onProgress(done / total) },
  );
  const { scores, chance, measured, overlapping, trainImages, testImages } = report;
  return {
    scores,
    chance,
    report: { measured, train: report.train, test: report.test, overlapping, trainImages, testImages },
  };
}

async function measuresRobustness(
  { of: { config, trained }, probe: wanted, curves, seed }: RobustnessTask,
  context: Context,
): Promise<RobustnessResult> {
  const { backend, datasets, onProgress } = context;
  const [train, test] = [await datasets.load(wanted.train), await datasets.load(wanted.test)];
  const { valueRange, normalise } = config;
  const network = networkOf(config.encoder);
  const frozen = (weights: ReadonlyMap<string, Float32Array>) => ({ network, weights, valueRange, normalise });
  const subjects = (): RobustnessSubject[] => {
    if (!trained)
      return [{ name: "random", encoder: frozen(untrainedWeights(network, config.seed)) }, { name: "pixels" }];
    const weights = weightsOf(context);
    const encoder = frozen(weights.state);
    if (!isSupervised(config)) return [{ name: "trained", encoder }];
    return [{ name: "trained", encoder, classifier: ownClassifier(config, weights, test.classes.length) }];
  };
  const report = await robustness(subjects(), { train, test }, { ...wanted, curves, seed }, backend, (_, done, total) =>
    onProgress(done / total),
  );
  const { scores, chance, options } = report;
  return { scores, chance, test: report.test, curves: options.curves };
}

async function embeds({ of: { config }, data, perplexity }: EmbeddingTask, context: Context): Promise<EmbeddingResult> {
  const { backend, datasets, onProgress } = context;
  const { valueRange, normalise, seed } = config;
  const network = networkOf(config.encoder);
  const set = await datasets.load(data);
  const layersOf = (weights: ReadonlyMap<string, Float32Array>) =>
    layerEmbeddings({ network, weights, valueRange, normalise }, set, backend);
  const known = knownGroups[data.dataset];
  const groups = known && { names: Object.keys(known), of: groupsOfClasses(known, set.classes, data.dataset) };
  const colourings = coloursOf(set, groups);
  const labellings = Object.fromEntries(Object.entries(colourings).map(([name, { labels }]) => [name, labels]));
  const trained = await layersOf(weightsOf(context).state);
  const random = await layersOf(untrainedWeights(network, seed));
  const pictures = await pictureLayers(trained, random, labellings, {
    perplexity,
    seed: 0,
    onIterations: (_, picture, of, share) => onProgress((picture + share) / of),
  });
  const short = (numbers: Float64Array): number[] => [...numbers].map((number) => Math.round(1000 * number) / 1000);
  return {
    test: set.name,
    pictures: pictures.map((picture) => ({ ...picture, coordinates: short(picture.coordinates) })),
    colourings: Object.fromEntries(
      Object.entries(colourings).map(([name, one]) => [name, { ...one, labels: [...one.labels] }]),
    ),
  };
}

async function audits({ of: { config } }: AuditTask, { backend }: Context): Promise<AuditResult> {
  const { summary, lessons } = await auditConfigured(config, backend);
  const layers = lessons.flatMap((lesson) => lesson.layers);
  const shape = { ...smallestPicture(config), count: config.batch, classes: 10 };
  const recorded = recordConfigured(config, configuredModel(config), shape);
  const flops = recorded.lessons.reduce((sum, { program }) => sum + explain(program).flops, 0);
  return {
    verdicts: Object.fromEntries(conditions.map((one) => [one, summary[one].word])) as AuditResult["verdicts"],
    macs: flops / 2 / config.batch,
    held: Math.max(...layers.map(({ held }) => held.reduce((sum, { bytes }) => sum + bytes, 0))),
    negatives: layers[0].negatives ?? "–",
    feedback: recorded.state
      .filter(({ role }) => role === "feedback")
      .reduce((sum, { shape: extents }) => sum + sizeOf(extents), 0),
    confirmed: layers.every(({ disagreements }) => disagreements.length === 0),
  };
}

async function measuresDistances({ of: { config } }: DistancesTask, context: Context): Promise<DistancesResult> {
  const dataset = await context.datasets.load(config.data);
  return distances(config, dataset, context.backend);
}

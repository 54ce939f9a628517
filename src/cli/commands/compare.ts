// saccade compare: trains configurations on the same pictures, one after another, and reads them out side by side, with the audit of each rule.

import { statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Backend } from "../../backends/backend.ts";
import type { ImageSet } from "../../data/images.ts";
import type { Encoder } from "../../encoders/encoder.ts";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { networkOf } from "../../encoders/networks.ts";
import { floors, probe, summarise } from "../../evaluation/probe.ts";
import { writeWhole } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { mean } from "../../program/mean.ts";
import { latestCheckpoint, noCheckpoint } from "../../runs/checkpoints.ts";
import { type Alike, alikeIn, type CodeFigure, drawComparison } from "../../runs/comparison-figure.ts";
import { environment } from "../../runs/environment.ts";
import { costOf } from "../../runs/forecast.ts";
import { loadPlugins } from "../../runs/plugins.ts";
import { finishedRun } from "../../runs/resume.ts";
import { openRun, type RunFolder } from "../../runs/run-folder.ts";
import { auditVerdicts } from "../../training/audit-rule.ts";
import type { Config, ProbeConfig } from "../../training/config.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals, type Signals } from "../signals.ts";
import { type Cost, printComparison, type Row } from "./compare-table.ts";
import { loadProbeSets, type ProbeSets } from "./probe.ts";
import { configuration, sayUnless, type TrainCommandOptions, trainRun, type Wanted } from "./train.ts";

interface CompareOptions extends CommonOptions {
  /** How many seeds each configuration is trained with, from its own on. */
  readonly seeds?: number;
  /** Trains what has been trained before. */
  readonly fresh?: boolean;
  readonly runs: string;
  readonly out: string;
}

/** One configuration and what it is to be called. */
interface Contestant {
  readonly name: string;
  readonly wanted: Wanted;
  /** Of a run that is given as it is. */
  readonly trained: boolean;
}

/** A trained one. */
interface Compared {
  readonly name: string;
  readonly config: Config;
  readonly run: RunFolder;
  /** Of training, where it was trained now. */
  readonly seconds?: number;
}

export async function compareCommand(words: readonly string[], options: CompareOptions): Promise<number> {
  const isOverride = (word: string): boolean => /^[A-Za-z][\w.]*=/.test(word);
  const overrides = words.filter(isOverride);
  const paths = words.filter((word) => !isOverride(word));
  if (paths.length < 1)
    throw new SaccadeError(
      "compare: needs a configuration or a run, for example: saccade compare configs/quickstart.yaml configs/plausible.yaml",
    );
  const rounds = await roundsOf(paths, overrides, options);
  const [first] = rounds.map(requireComparable);
  const say = sayUnless(options.json);
  const signals = catchSignals();
  try {
    const backend = await openBackend(options);
    const told = new Set<string>();
    const sets = await loadProbeSets(first.probe, networkOf(first.config.encoder), told);
    const dataset = await loadShown(first.config.data, told);
    const runs: Compared[][] = [];
    for (const contestants of rounds) {
      const round: Compared[] = [];
      for (const { name, wanted, trained } of contestants) {
        const { config } = wanted;
        if (trained && wanted.resumed) {
          round.push({ name, config, run: wanted.resumed });
          continue;
        }
        const seed = rounds.length > 1 ? `, seed ${config.seed}` : "";
        say(`${runs.length + round.length === 0 ? "" : "\n"}rule     ${name}${seed}`);
        const before = options.fresh ? undefined : finishedRun(options.runs, config, dataset, () => {});
        if (before) {
          say(`run      ${before.path}, trained before; --fresh trains anew`);
          round.push({ name, config, run: before });
          continue;
        }
        const ended = await trainRun({ ...wanted, dataset }, trainingOf(options), signals);
        if (typeof ended === "number") return ended;
        ended.release();
        round.push({ name, config, run: ended.run, seconds: ended.result.seconds });
      }
      runs.push(round);
    }
    const { rows, codes } = await readOut(runs, first, sets, backend, signals);
    const costs = runs[0].map(({ name, config }, i) => {
      const known = runs.flatMap((round) => round[i].seconds ?? []);
      return { name, ...costsOf(config, dataset), ...(known.length > 0 ? { seconds: mean(known) } : {}) };
    });
    await draw(runs[0], rows, first, { dataset, test: sets.test, codes }, backend, options.out);
    const report = {
      environment: environment(backend),
      probe: first.probe,
      runs: runs.flatMap((round) => round.map(({ name, config: { seed }, run }) => ({ name, seed, run: run.path }))),
      costs,
      rows,
    };
    await writeWhole(join(options.out, "compare.json"), `${JSON.stringify(report, null, 2)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printComparison(rows, costs, first, sets, { out: options.out, seeds: rounds.length });
    return exitCodes.done;
  } finally {
    signals.end();
  }
}

/** How a configuration is trained. */
const trainingOf = ({ fresh = false, ...options }: CompareOptions): TrainCommandOptions => ({
  ...options,
  ...(fresh ? {} : { resume: "auto" }),
  probe: false,
});

/** What is compared, once for each seed. */
async function roundsOf(
  paths: readonly string[],
  overrides: readonly string[],
  options: CompareOptions,
): Promise<Contestant[][]> {
  const { seeds = 1 } = options;
  const rounds: Contestant[][] = [];
  for (let i = 0; i < seeds; i++) {
    const given: Contestant[] = [];
    for (const path of paths) {
      const from = rounds[0]?.[given.length]?.wanted.config.seed;
      given.push(
        await contestantOf(path, from === undefined ? overrides : [...overrides, `seed=${from + i}`], options),
      );
    }
    const names = distinctNames(
      given.map(({ name }) => name),
      paths.map((path) => basename(path)),
    );
    rounds.push(given.map((one, k) => ({ ...one, name: names[k] })));
  }
  return rounds;
}

/** Names of which no two are alike: those that are stand with their file, and where that is the same with their number. */
function distinctNames(names: readonly string[], files: readonly string[]): string[] {
  const isShared = (list: readonly string[], i: number): boolean => list.indexOf(list[i]) !== list.lastIndexOf(list[i]);
  const filed = names.map((name, i) => (isShared(names, i) ? `${name} (${files[i]})` : name));
  return filed.map((name, i) => (isShared(filed, i) ? `${name} ${i + 1}` : name));
}

async function contestantOf(path: string, overrides: readonly string[], options: CompareOptions): Promise<Contestant> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    if (overrides.length > 0)
      throw new SaccadeError(`compare: ${path} is a run, which cannot be changed; leave ${overrides[0]} out`);
    if ((options.seeds ?? 1) > 1)
      throw new SaccadeError(
        `compare: ${path} is a run, which has one seed; leave --seeds out, or give its configuration`,
      );
    const { run, config } = openRun(path, await loadPlugins(options.plugin ?? []));
    return { name: nameOf(config), wanted: { config, resumed: run }, trained: true };
  }
  const wanted = await configuration(path, overrides, trainingOf(options));
  return { name: nameOf(wanted.config), wanted, trained: false };
}

/** "GLL URF, block, 5 negatives". */
export function nameOf({ learning, update, loss, pairing = "augmentation" }: Config): string {
  const parts = [`${learning} ${update}`];
  if (loss.kind !== "contrastiveHinge") parts.push(loss.kind);
  else {
    if (loss.gradientBlock) parts.push("block");
    if (loss.negatives !== "all") parts.push(`${loss.negatives} ${loss.negatives === 1 ? "negative" : "negatives"}`);
  }
  if (pairing.startsWith("shuffled")) parts.push("shuffled pairs");
  return parts.join(", ");
}

/** What all must share, so that one random encoder stands beside them. */
function requireComparable(contestants: readonly Contestant[]): {
  readonly config: Config;
  readonly probe: ProbeConfig;
} {
  const [
    {
      wanted: { config },
    },
  ] = contestants;
  for (const { wanted } of contestants.slice(1))
    for (const key of ["data", "encoder", "valueRange", "normalise", "seed", "probe"] as const) {
      const [a, b] = [config, wanted.config].map((one) => JSON.stringify(one[key]) ?? "nothing");
      if (a !== b)
        throw wrong(
          "compare",
          key,
          `the same in all, ${a} as in ${config.name}`,
          `${b} in ${wanted.config.name}`,
          `set it for all: ${key}=…`,
        );
    }
  if (config.probe === undefined)
    throw new SaccadeError(`compare: ${config.name} has no probe section, which says how to evaluate`);
  return { config, probe: config.probe };
}

/**
 * The rows of the table, and what the codes of the picture hold to be alike: the random encoder's and the last rule's, of the first seed. Each
 * seed's encoders are read out beside the random one that they started from; pixels know no seed.
 */
async function readOut(
  rounds: readonly (readonly Compared[])[],
  { config, probe: wanted }: { readonly config: Config; readonly probe: ProbeConfig },
  { train, test }: ProbeSets,
  backend: Backend,
  signals: Signals,
): Promise<{ rows: Row[]; codes: readonly [Alike, Alike] }> {
  signals.handle((code) => {
    process.stderr.write("\nstopped the evaluation; the runs are trained, so compare them by their folders\n");
    process.exit(code);
  });
  const progress = showProgress("probing", "read-outs");
  try {
    const { valueRange, normalise, seed: from } = config;
    const network = networkOf(config.encoder);
    const scores: Row["scores"][number][] = [];
    const codes = new Map<string, Alike>();
    const each = wanted.readOuts.length * wanted.labelsPerClass.length * wanted.seeds;
    const total = each * (1 + rounds.reduce((sum, { length }) => sum + length + 1, 0));
    let done = 0;
    for (const [i, runs] of rounds.entries()) {
      const { seed } = runs[0].config;
      const encoders = Object.fromEntries(runs.map(({ name, run }) => [name, encoderOf(run, network)]));
      const subjects = [...Object.keys(encoders), ...(i === 0 ? floors : ["random"])];
      // Encoders are compared by what they end in, whatever probe.layers says.
      const options = { ...wanted, layers: undefined, subjects };
      const encoded = { network, valueRange, normalise, encoders, seed };
      const report = await probe(encoded, train, test, options, backend, {
        onScore: ({ subject, accuracy }) =>
          progress.update(++done, total, `${subject}: ${(100 * accuracy).toFixed(1)} %`),
        onFeatures: (subject, labelled, features, tested) => {
          if (i === 0 && (subject === "random" || subject === runs[runs.length - 1].name))
            codes.set(subject, alikeIn(labelled, features, test, tested));
        },
      });
      const pixels = scores.filter(({ subject, trainingSeed }) => subject === "pixels" && trainingSeed === from);
      scores.push(...[...report.scores, ...(i === 0 ? [] : pixels)].map((score) => ({ ...score, trainingSeed: seed })));
    }
    const of = (wanted: string): Row["scores"] => scores.filter(({ subject }) => subject === wanted);
    const rows: Row[] = [...floors].reverse().map((floor) => ({
      name: floor === "random" ? "random encoder" : floor,
      verdicts: undefined,
      scores: of(floor),
    }));
    for (const { name, config: own } of rounds[0])
      rows.push({ name, verdicts: await auditVerdicts(own), scores: of(name) });
    const [random, trained] = ["random", rounds[0][rounds[0].length - 1].name].map((name) => codes.get(name));
    if (!random || !trained) throw new Error("compare: a representation was not evaluated");
    return { rows, codes: [random, trained] };
  } finally {
    progress.end();
  }
}

/** The encoder's synapses of a run's newest checkpoint, without heads and optimiser. */
function encoderOf(run: RunFolder, network: Encoder): ReadonlyMap<string, Float32Array> {
  const checkpoint = latestCheckpoint(run.checkpoints);
  if (!checkpoint) throw noCheckpoint(run.path);
  const names = new Set(synapsesOf(createModel(network)).map(({ name }) => name));
  return new Map([...checkpoint.state].filter(([name]) => names.has(name)));
}

function costsOf(config: Config, dataset: ImageSet): Cost {
  const { flops, steps } = costOf(config, { ...dataset, classes: dataset.classes.length });
  return { teraflops: flops / 1e12, pairs: steps * config.batch, steps };
}

async function draw(
  runs: readonly Compared[],
  rows: readonly Row[],
  { probe: wanted }: { readonly probe: ProbeConfig },
  { codes, ...sets }: { readonly dataset: ImageSet; readonly test: ImageSet; readonly codes: readonly [Alike, Alike] },
  backend: Backend,
  out: string,
): Promise<void> {
  const last = runs[runs.length - 1];
  const labels = wanted.labelsPerClass[wanted.labelsPerClass.length - 1];
  const means = rows.map(({ scores }) => summarise(scores).filter((mean) => mean.labelsPerClass === labels));
  const figure: CodeFigure = {
    name: last.name,
    config: last.config,
    codes,
    encoders: rows.map(({ name }) => name),
    readOuts: wanted.readOuts.map((readOut) => ({
      readOut,
      accuracies: means.map((all) => all.find((mean) => mean.readOut === readOut)?.mean ?? 0),
    })),
    labels,
    verdicts: rows[rows.length - 1].verdicts,
  };
  await drawComparison(out, figure, sets, backend);
}

// saccade compare: trains configurations on the same pictures, one after another, and reads them out side by side, with the audit of each rule.

import { statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Backend } from "../../backends/backend.ts";
import type { ImageSet } from "../../data/images.ts";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { type NetworkName, networkNamed } from "../../encoders/networks.ts";
import { type CodeFigure, drawComparison } from "../../evaluation/comparison-figure.ts";
import { floors, type Mean, probe, type ReadOut, type Score, summarise } from "../../evaluation/probe.ts";
import { type Condition, conditions, type Verdict } from "../../program/audit.ts";
import { duration } from "../../program/duration.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { mean } from "../../program/mean.ts";
import { auditVerdicts } from "../../training/audit-rule.ts";
import { latestCheckpoint } from "../../training/checkpoints.ts";
import type { Config, ProbeConfig } from "../../training/config.ts";
import { environment } from "../../training/environment.ts";
import { writeWhole } from "../../training/files.ts";
import { costOf } from "../../training/forecast.ts";
import { openRun, type RunFolder } from "../../training/run-folder.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals, type Signals } from "../signals.ts";
import { formatTable, wrap } from "../table.ts";
import { loadProbeSets, type ProbeSets } from "./probe.ts";
import { configuration, sayUnless, trainRun, type Wanted } from "./train.ts";

interface CompareOptions extends CommonOptions {
  /** How many seeds each configuration is trained with, from its own on. */
  readonly seeds?: number;
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

/** A row of the table. */
interface Row {
  readonly name: string;
  readonly verdicts: Readonly<Record<Condition, Verdict>> | undefined;
  readonly scores: readonly (Score & { readonly trainingSeed: number })[];
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
    const sets = await loadProbeSets(first.probe, first.config.encoder);
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
        const ended = await trainRun(wanted, { ...options, resume: "auto", probe: false }, signals);
        if (typeof ended === "number") return ended;
        ended.release();
        round.push({ name, config, run: ended.run, seconds: ended.result.seconds });
      }
      runs.push(round);
    }
    const rows = await readOut(runs, first, sets, backend, signals);
    const dataset = await loadShown(first.config.data);
    const costs = runs[0].map(({ name, config }, i) => {
      const known = runs.flatMap((round) => round[i].seconds ?? []);
      return { name, ...costsOf(config, dataset), ...(known.length > 0 ? { seconds: mean(known) } : {}) };
    });
    await draw(runs[0], rows, first, { dataset, ...sets }, backend, options.out);
    const report = {
      environment: environment(backend),
      probe: first.probe,
      runs: runs.flatMap((round) => round.map(({ name, config: { seed }, run }) => ({ name, seed, run: run.path }))),
      costs,
      rows,
    };
    await writeWhole(join(options.out, "compare.json"), `${JSON.stringify(report, null, 2)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else print(rows, costs, first, sets, { out: options.out, seeds: rounds.length });
    return exitCodes.done;
  } finally {
    signals.end();
  }
}

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
      throw new SaccadeError(`compare: ${path} is a run, which is as it is; leave ${overrides[0]} out`);
    if ((options.seeds ?? 1) > 1)
      throw new SaccadeError(
        `compare: ${path} is a run, which has one seed; leave --seeds out, or give its configuration`,
      );
    const { run, config } = openRun(path);
    return { name: nameOf(config), wanted: { config, resumed: run }, trained: true };
  }
  const wanted = await configuration(path, overrides, { ...options, resume: "auto", probe: false });
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
    throw new SaccadeError(`compare: ${config.name} has no probe section, so nothing says how to read out`);
  return { config, probe: config.probe };
}

/** The rows of the table; each seed's encoders are read out beside the random one that they started from. */
async function readOut(
  rounds: readonly (readonly Compared[])[],
  { config, probe: wanted }: { readonly config: Config; readonly probe: ProbeConfig },
  { train, test }: ProbeSets,
  backend: Backend,
  signals: Signals,
): Promise<Row[]> {
  signals.handle((code) => {
    process.stderr.write("\nstopped the read-out; the runs are trained, compare them by their folders\n");
    process.exit(code);
  });
  const progress = showProgress("probing", "read-outs");
  try {
    const { encoder: network, valueRange, normalise } = config;
    const scores: Row["scores"][number][] = [];
    for (const [i, runs] of rounds.entries()) {
      const { seed } = runs[0].config;
      const encoders = Object.fromEntries(runs.map(({ name, run }) => [name, encoderOf(run, network)]));
      // Encoders are compared by what they end in, whatever probe.layers says.
      const options = { ...wanted, layers: undefined };
      const report = await probe({ network, valueRange, normalise, encoders, seed }, train, test, options, backend, {
        onScore: ({ subject, accuracy }, done, total) =>
          progress.update(i * total + done, rounds.length * total, `${subject}: ${(100 * accuracy).toFixed(1)} %`),
      });
      scores.push(...report.scores.map((score) => ({ ...score, trainingSeed: seed })));
    }
    const of = (wanted: string): Row["scores"] => scores.filter(({ subject }) => subject === wanted);
    const rows: Row[] = [...floors].reverse().map((floor) => ({
      name: floor === "random" ? "random encoder" : floor,
      verdicts: undefined,
      scores: of(floor),
    }));
    for (const { name, config: own } of rounds[0])
      rows.push({ name, verdicts: await auditVerdicts(own), scores: of(name) });
    return rows;
  } finally {
    progress.end();
  }
}

/** The encoder's synapses of a run's newest checkpoint, without heads and optimiser. */
function encoderOf(run: RunFolder, network: NetworkName): ReadonlyMap<string, Float32Array> {
  const checkpoint = latestCheckpoint(run.checkpoints);
  if (!checkpoint) throw new SaccadeError(`${run.path}: has no checkpoint; train it first`);
  const names = new Set(synapsesOf(createModel(networkNamed("compare", network))).map(({ name }) => name));
  return new Map([...checkpoint.state].filter(([name]) => names.has(name)));
}

interface Cost {
  /** Floating-point operations, counted. */
  readonly teraflops: number;
  readonly pairs: number;
  readonly steps: number;
}

function costsOf(config: Config, dataset: ImageSet): Cost {
  const { flops, steps } = costOf(config, { ...dataset, classes: dataset.classes.length });
  return { teraflops: flops / 1e12, pairs: steps * config.batch, steps };
}

const shortReadOuts: Readonly<Record<ReadOut, string>> = { paper: "paper's", scaleFree: "scale-free", kNN: "kNN" };

/** A cell of several numbers of labels: "38.3 / 66.2". */
function cellOf(scores: readonly Score[], readOut: ReadOut, labels: readonly (number | "all")[]): string {
  const means = summarise(scores);
  const texts = labels.map((wanted) =>
    means.find((mean: Mean) => mean.readOut === readOut && mean.labelsPerClass === wanted),
  );
  return texts.map((mean) => (mean ? (100 * mean.mean).toFixed(1) : "–")).join(" / ");
}

function print(
  rows: readonly Row[],
  costs: readonly (Cost & { readonly name: string; readonly seconds?: number })[],
  { probe: wanted }: { readonly probe: ProbeConfig },
  { train, test }: ProbeSets,
  { out, seeds }: { readonly out: string; readonly seeds: number },
): void {
  const { readOuts, labelsPerClass } = wanted;
  const table = [
    ["", "(i)", "(ii)", "(iii)", "(iv)", ...readOuts.map((one) => shortReadOuts[one])],
    ...rows.map(({ name, verdicts, scores }) => [
      name,
      ...conditions.map((condition) => verdicts?.[condition].word ?? "–"),
      ...readOuts.map((one) => cellOf(scores, one, labelsPerClass)),
    ]),
  ];
  const labels = labelsPerClass.map((one) => (one === "all" ? "all" : String(one))).join(" / ");
  const lines = [
    "",
    formatTable(table, 5),
    "",
    wrap(
      `Accuracy in % with ${labels} labels a class: the paper's linear probe, a scale-free linear probe, k nearest neighbours.`,
    ),
    ...(seeds > 1 ? [wrap(spreadOf(rows, seeds))] : []),
    wrap(`Labels from ${train.name} (${train.count} images), tested on ${test.name} (${test.count}).`),
    wrap(
      "Conditions of the paper: (i) activities at hand alone, (ii) no normalisation, inner product or division, (iii) no weight transport, (iv) no labels; saccade audit says why.",
    ),
    ...costs.map(({ name, teraflops, pairs, steps, seconds }) =>
      wrap(
        `${name}: ${teraflops.toFixed(1)} TFLOP, ${pairs.toLocaleString("en-US")} pairs of views in ${steps} steps${seconds === undefined ? "" : `, ${duration(seconds)}`}.`,
      ),
    ),
    "",
    `The picture is ${join(out, "compare.png")}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** What the table's means are over, and how far apart the seeds are. */
function spreadOf(rows: readonly Row[], seeds: number): string {
  const largest = Math.max(...rows.flatMap(({ scores }) => summarise(scores).map(({ sd }) => sd)));
  return `Means over ${seeds} seeds of training, whose standard deviation is at most ${(100 * largest).toFixed(1)}.`;
}

async function draw(
  runs: readonly Compared[],
  rows: readonly Row[],
  { probe: wanted }: { readonly probe: ProbeConfig },
  sets: ProbeSets & { readonly dataset: ImageSet },
  backend: Backend,
  out: string,
): Promise<void> {
  const last = runs[runs.length - 1];
  const checkpoint = latestCheckpoint(last.run.checkpoints);
  const labels = wanted.labelsPerClass[wanted.labelsPerClass.length - 1];
  const means = rows.map(({ scores }) => summarise(scores).filter((mean) => mean.labelsPerClass === labels));
  const figure: CodeFigure = {
    name: last.name,
    config: last.config,
    weights: checkpoint?.state ?? new Map(),
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

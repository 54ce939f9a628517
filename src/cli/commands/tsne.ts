// saccade tsne: a picture of every layer's embeddings of labelled pictures, and the numbers that say whether to believe it.

import { join } from "node:path";
import { plainlySeen } from "../../data/augmentation.ts";
import type { ImageSet } from "../../data/images.ts";
import { describeDataset } from "../../datasets/known-datasets.ts";
import { createModel, initialise, synapsesOf } from "../../encoders/model.ts";
import { networkOf } from "../../encoders/networks.ts";
import { type ClassGroups, groupsOfClasses, knownGroups, parseGroups } from "../../evaluation/class-groups.ts";
import type { Labellings } from "../../evaluation/embedding-numbers.ts";
import { layerEmbeddings } from "../../evaluation/layer-embeddings.ts";
import { only } from "../../evaluation/subsets.ts";
import {
  type Colouring,
  coloursOf,
  drawTsne,
  type Groups,
  type LayerPicture,
  pictureLayers,
} from "../../figures/tsne-figure.ts";
import { shellWord, writeWhole } from "../../files/files.ts";
import { wrong } from "../../program/errors.ts";
import { randomStream } from "../../program/random.ts";
import { requireTensors } from "../../record/checkpoint-file.ts";
import { latestCheckpoint, noCheckpoint } from "../../runs/checkpoints.ts";
import { openRun } from "../../runs/run-folder.ts";
import { lockRun } from "../../runs/run-lock.ts";
import type { Config, DataConfig } from "../../training/config.ts";
import { override, parseDataConfig } from "../../training/parse-config.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend, parseValue, readYaml } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals } from "../signals.ts";
import { formatTable, wrap } from "../table.ts";

interface TsneCommandOptions extends CommonOptions {
  readonly points: number;
  readonly perplexity: number;
  readonly groups?: string;
}

/** First word of the path of random numbers that choose pictures. */
const pointsDraw = 0x75e1;

export async function tsneCommand(
  path: string,
  overrides: readonly string[],
  options: TsneCommandOptions,
): Promise<number> {
  const { run, config } = openRun(path);
  const { points, perplexity, seed = config.seed } = options;
  const checkpoint = latestCheckpoint(run.checkpoints);
  if (!checkpoint) throw noCheckpoint(path);
  const model = createModel(networkOf(config.encoder));
  requireTensors(checkpoint, synapsesOf(model));
  const { request, classes } = await requestOf(path, config, overrides);
  const groups = groupsFor(request.dataset, classes, options.groups);

  const signals = catchSignals();
  let release: (() => void) | undefined;
  const progress = showProgress("t-SNE", "layers");
  try {
    release = lockRun(run);
    const whole = await loadShown(request);
    const colourings = coloursOf(whole, groups);
    const seen = plainlySeen({ from: whole, to: model.encoder });
    if (seen !== undefined) process.stderr.write(`warning: the encoder reads ${seen}\n`);
    const chosen = choose(whole.count, points, seed);
    const set = only(whole, chosen);
    requirePerplexity(perplexity, set);
    const labellings = Object.fromEntries(
      Object.entries(colourings).map(([name, { labels }]) => [name, chosen.map((row) => labels[row])]),
    );
    const backend = await openBackend(options);
    const encoder = { network: model.encoder, valueRange: config.valueRange, normalise: config.normalise };
    const untrained = new Map([...initialise(model, config.seed)].map(([{ name }, values]) => [name, values]));
    const trained = await layerEmbeddings({ ...encoder, weights: checkpoint.state }, set, backend);
    const random = await layerEmbeddings({ ...encoder, weights: untrained }, set, backend);
    const pictures = await pictureLayers(trained, random, labellings, {
      perplexity,
      seed,
      // A signal is heard when the loop is left for a moment.
      onIterations: async (layer, i, of, share) => {
        progress.update(i + share, of, layer);
        await new Promise((heard) => setImmediate(heard));
      },
    });
    progress.end();
    const { step } = checkpoint.position;
    await drawTsne(run.figures, {
      title: `${config.name}: every layer by t-SNE`,
      caption: `${set.count.toLocaleString("en-US")} pictures of ${set.name}, each a dot`,
      pictures,
      colourings: Object.fromEntries(
        Object.entries(colourings).map(([name, one]) => [name, { ...one, labels: labellings[name] }]),
      ),
    });
    const report = reportOf(set, { step, perplexity, seed, chosen, pictures, colourings, labellings });
    await writeWhole(join(run.path, "tsne.json"), `${JSON.stringify(report)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printNumbers(pictures, set, join(run.figures, "tsne.png"));
    return exitCodes.done;
  } finally {
    progress.end();
    release?.();
    signals.end();
  }
}

interface Asked {
  readonly request: DataConfig;
  readonly classes: readonly string[];
}

/** The probe's test set, changed by what is given, or another dataset altogether. */
async function requestOf(path: string, config: Config, overrides: readonly string[]): Promise<Asked> {
  const another = overrides.some((assignment) => assignment.startsWith("dataset="));
  const given = another ? {} : structuredClone(config.probe?.test);
  if (given === undefined)
    throw wrong(
      "tsne",
      "dataset",
      `given, as ${path} has no probe section whose test set could be taken`,
      "nothing",
      "add it, for example dataset=cifar-10 split=test",
    );
  for (const assignment of overrides) override(given, assignment, parseValue, ["data"]);
  const request = parseDataConfig(given, `tsne of ${path}`);
  const { channels, classes, name } = await describeDataset(request, "tsne");
  const wanted = networkOf(config.encoder).channels;
  if (channels !== wanted) throw wrong("tsne", name, `of ${wanted} channels, as the encoder reads`, channels);
  if (classes.length < 2) throw wrong("tsne", name, "labelled with two classes or more", classes.length);
  return { request, classes };
}

/** Rows of a random choice, ascending; all where there are no more. */
function choose(count: number, points: number, seed: number): Int32Array {
  const rows = Int32Array.from({ length: count }, (_, i) => i);
  randomStream(seed, pointsDraw).shuffle(rows);
  return rows.subarray(0, points).sort();
}

function requirePerplexity(perplexity: number, { count, name }: ImageSet): void {
  if (perplexity >= (count - 1) / 3)
    throw wrong(
      "tsne",
      "--perplexity",
      `below ${Math.ceil((count - 1) / 3)}, a third of ${count} pictures of ${name}`,
      perplexity,
    );
}

/** Those of a file, else known ones, if there are some. */
function groupsFor(dataset: string, classes: readonly string[], file: string | undefined): Groups | undefined {
  const example = "write groups with their classes, like animals: [cat, dog]";
  const raw = file === undefined ? knownGroups[dataset] : readYaml(file, example);
  if (raw === undefined) return undefined;
  const groups: ClassGroups = parseGroups(raw, file ?? dataset);
  return { names: Object.keys(groups), of: groupsOfClasses(groups, classes, file ?? dataset) };
}

interface Drawn {
  readonly step: number;
  readonly perplexity: number;
  readonly seed: number;
  readonly chosen: Int32Array;
  readonly pictures: readonly LayerPicture[];
  readonly colourings: Readonly<Record<string, Colouring>>;
  readonly labellings: Labellings;
}

/** What tsne.json holds: of every picture its place in the dataset and its labels, of every layer coordinates, to 1e-4, and numbers. */
function reportOf(set: ImageSet, { step, perplexity, seed, chosen, pictures, colourings, labellings }: Drawn): object {
  return {
    dataset: set.name,
    step,
    perplexity,
    seed,
    images: [...chosen],
    labellings: Object.fromEntries(
      Object.entries(labellings).map(([name, labels]) => [
        name,
        { names: colourings[name].names, labels: [...labels] },
      ]),
    ),
    layers: pictures.map(({ coordinates, ...rest }) => ({
      ...rest,
      coordinates: Array.from(chosen, (_, i) =>
        [0, 1].map((axis) => Math.round(1e4 * coordinates[2 * i + axis]) / 1e4),
      ),
    })),
  };
}

function printNumbers(pictures: readonly LayerPicture[], set: ImageSet, file: string): void {
  const names = Object.keys(pictures[0].numbers.labellings);
  const percent = (share: number): string => (100 * share).toFixed(1);
  const rows = pictures.map(({ layer, subject, numbers, random }) => [
    subject === "random" ? `${layer}, untrained` : layer,
    ...names.flatMap((name) => {
      const { representation, picture } = numbers.labellings[name];
      const before = subject === "random" ? "" : percent(random[name].purity);
      const { purity, betweenWithin, silhouette } = representation;
      return [percent(purity), before, percent(picture.purity), betweenWithin.toFixed(3), silhouette.toFixed(3)];
    }),
    percent(numbers.trustworthiness),
    percent(numbers.preserved),
  ]);
  const { neighbours, labellings } = pictures[0].numbers;
  const columns = (name: string): string[] => [name, "untrained", "picture", "between/within", "silhouette"];
  const tables = names.map((name, i) => {
    const from = 1 + 5 * i;
    return formatTable([["layer", ...columns(name)], ...rows.map((row) => [row[0], ...row.slice(from, from + 5)])], 1);
  });
  const kept = formatTable([["layer", "trustworthy", "kept"], ...rows.map((row) => [row[0], ...row.slice(-2)])], 1);
  const chances = names.map((name) => `${name} ${percent(labellings[name].chance)}`).join(", ");
  const lines = [
    "",
    ...tables.flatMap((table) => [table, ""]),
    kept,
    "",
    wrap(
      `${set.count} pictures of ${set.name}. In %: how many of the ${neighbours} nearest neighbours are alike, in the layer, in the same layer before training, and in the picture; by chance ${chances}. Between/within and silhouette are of the layer.`,
    ),
    wrap(
      "Trustworthy: how few neighbours in the picture are false ones; kept: how many of the layer's neighbours are neighbours in the picture. The picture is for looking at; what is claimed should stand in the layer's own columns.",
    ),
    `drew ${shellWord(file)}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

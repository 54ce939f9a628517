// saccade inspect: what each layer of a run's newest checkpoint is like beside the random encoder, printed, written to inspect.json and drawn.

import { join } from "node:path";
import { plainlySeen } from "../../data/augmentation.ts";
import type { ImageSet } from "../../data/images.ts";
import { describeDataset } from "../../datasets/known-datasets.ts";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { networkOf } from "../../encoders/networks.ts";
import { type InspectReport, inspect } from "../../evaluation/neuro/inspect.ts";
import { type LayerScore, neuroReadOuts } from "../../evaluation/neuro/scores.ts";
import { readResponses } from "../../exchange/response-file.ts";
import { drawInspection } from "../../figures/inspect-figures.ts";
import { shellWord, writeWhole } from "../../files/files.ts";
import { wrong } from "../../program/errors.ts";
import { requireTensors } from "../../record/checkpoint-file.ts";
import { latestCheckpoint, noCheckpoint } from "../../runs/checkpoints.ts";
import { environment } from "../../runs/environment.ts";
import { openRun } from "../../runs/run-folder.ts";
import { lockRun } from "../../runs/run-lock.ts";
import type { Config } from "../../training/config.ts";
import { override, parseDataConfig } from "../../training/parse-config.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend, parseValue } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals } from "../signals.ts";
import { formatTable, wrap } from "../table.ts";

interface InspectCommandOptions extends CommonOptions {
  readonly responses?: string;
}

/** Pictures unless told: enough for narrow intervals, in about a minute. */
const pictures = 1000;

export async function inspectCommand(
  path: string,
  overrides: readonly string[],
  options: InspectCommandOptions,
): Promise<number> {
  const { run, config } = openRun(path);
  const checkpoint = latestCheckpoint(run.checkpoints);
  if (!checkpoint) throw noCheckpoint(path);
  const network = networkOf(config.encoder);
  requireTensors(checkpoint, synapsesOf(createModel(network)));
  const responses = options.responses === undefined ? undefined : await readResponses(options.responses);
  const set = await loadStimuli(path, config, overrides);
  const signals = catchSignals();
  let release: (() => void) | undefined;
  const progress = showProgress("inspecting", "steps");
  try {
    release = lockRun(run);
    const backend = await openBackend(options);
    signals.handle((code) => {
      process.stderr.write(`\nstopped the inspection; start it again with: saccade inspect ${shellWord(path)}\n`);
      process.exit(code);
    });
    const { valueRange, normalise, seed } = config;
    const inspected = { network, valueRange, normalise, seed, weights: checkpoint.state };
    const onStep = (what: string, done: number, total: number): void => progress.update(done, total, what);
    const report = await inspect(inspected, set, { seed: options.seed ?? 0, responses, onStep }, backend);
    progress.end();
    await drawInspection(run.figures, report, config.name);
    const whole = {
      ...withoutFields(report),
      ...(options.responses === undefined ? {} : { responses: options.responses }),
      ...{ checkpoint: checkpoint.path, step: checkpoint.position.step, environment: environment(backend) },
    };
    await writeWhole(join(run.path, "inspect.json"), `${JSON.stringify(whole, null, 2)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(whole)}\n`);
    else print(report, run.path);
    return exitCodes.done;
  } finally {
    progress.end();
    release?.();
    signals.end();
  }
}

/** Of the probe's test set, unless told of another. */
async function loadStimuli(path: string, config: Config, overrides: readonly string[]): Promise<ImageSet> {
  const another = overrides.some((assignment) => assignment.startsWith("dataset="));
  const test = config.probe?.test;
  if (!another && test === undefined)
    throw wrong(
      "inspect",
      "dataset",
      `given, as the configuration of ${path} has no probe section`,
      "nothing",
      "add it, for example dataset=cifar-10 split=test",
    );
  const given: Record<string, unknown> = another ? {} : structuredClone({ ...test });
  given.limit = Math.min((given.limit as number | undefined) ?? pictures, pictures);
  for (const assignment of overrides) override(given, assignment, parseValue, ["data"]);
  const request = parseDataConfig(given, `inspection of ${path}`);
  await describeDataset(request, "inspect");
  const set = await loadShown(request);
  const seen = plainlySeen({ from: set, to: networkOf(config.encoder) });
  if (seen !== undefined) process.stderr.write(`warning: the encoder reads ${seen}\n`);
  return set;
}

/** The report without the pixels of receptive fields, which the figure has. */
const withoutFields = ({ fields, ...report }: InspectReport): object => ({
  ...report,
  receptiveFields: fields.map(({ fields: _, ...rest }) => rest),
});

function print({ scores, layers, dataset, stimuli, halves }: InspectReport, path: string): void {
  const lines: string[] = [""];
  for (const [readOut, { heading }] of Object.entries(neuroReadOuts)) {
    const own = scores.filter((score) => score.readOut === readOut);
    if (own.every(({ value }) => !Number.isFinite(value))) continue;
    const subjects = [...new Set(own.map(({ subject }) => subject))].filter((subject) => subject !== "pixels");
    const pixels = own.find(({ subject }) => subject === "pixels");
    const rows = layers.map((layer) => [
      layer,
      ...subjects.map((subject) => cell(own.find((score) => score.subject === subject && score.layer === layer))),
    ]);
    const table = [
      ["layer", ...subjects],
      ...(pixels ? [["pixels", ...subjects.map(() => cell(pixels))]] : []),
      ...rows,
    ];
    lines.push(heading, formatTable(table, 1), "");
  }
  lines.push(
    wrap(
      `${stimuli} pictures of ${dataset}. In brackets 95 % intervals, from ${halves} random halves of the pictures, or of the units for what is measured unit by unit.`,
    ),
    wrap(`${join(path, "inspect.json")} has all numbers, ${join(path, "figures", "inspect.png")} the picture.`),
  );
  process.stdout.write(`${lines.join("\n")}\n`);
}

function cell(score: LayerScore | undefined): string {
  if (score === undefined || !Number.isFinite(score.value)) return "–";
  const { value, low, high } = score;
  const digits = Math.abs(value) >= 10 ? 1 : 3;
  const text = (number: number): string =>
    number
      .toFixed(digits)
      .replace(/^-(?=.*[1-9])/, "−")
      .replace("-", "");
  return Number.isFinite(low) ? `${text(value)} [${text(low)}, ${text(high)}]` : text(value);
}

// saccade probe: the read-outs of a run's newest checkpoint, printed, written to probe.json and drawn.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Backend } from "../../backends/backend.ts";
import { plainlySeen, requireCrops } from "../../data/augmentation.ts";
import { type ImageSet, requireSameClasses } from "../../data/images.ts";
import type { Encoder } from "../../encoders/encoder.ts";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { networkOf } from "../../encoders/networks.ts";
import { type ProbeReport, probe } from "../../evaluation/probe.ts";
import { drawLabels, overlap, without } from "../../evaluation/subsets.ts";
import { drawProbeFigure } from "../../figures/probe-figure.ts";
import { readText, shellWord, writeWhole } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { requireTensors } from "../../record/checkpoint-file.ts";
import { leftOutOf } from "../../record/data-record.ts";
import { latestCheckpoint, newestStep, noCheckpoint } from "../../runs/checkpoints.ts";
import { environment } from "../../runs/environment.ts";
import { openRun, type RunFolder, runFolder } from "../../runs/run-folder.ts";
import { lockRun } from "../../runs/run-lock.ts";
import type { Config, ProbeConfig } from "../../training/config.ts";
import { override, parseConfig } from "../../training/parse-config.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend, parseValue } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals, type Signals } from "../signals.ts";
import { formatTable, labelsPerClassText, probeNotes, probeRows, readOutNames, wrap } from "../table.ts";

export async function probeCommand(
  path: string,
  overrides: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const { run, config } = openRun(path);
  if (options.seed !== undefined)
    throw new SaccadeError("probe: --seed belongs to training; a run keeps its seed, seeds=3 draws labels three times");
  const wanted = probeOf(path, config, overrides);
  const signals = catchSignals();
  let release: (() => void) | undefined;
  try {
    release = lockRun(run);
    const backend = await openBackend(options);
    const measured = { wanted, sets: await loadProbeSets(wanted, networkOf(config.encoder)) };
    const report = await measureRun(run, config, measured, backend, signals);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printProbe(report);
    return exitCodes.done;
  } finally {
    release?.();
    signals.end();
  }
}

/** The probe section of a run's configuration, with changes. */
export function probeOf(path: string, config: Config, overrides: readonly string[]): ProbeConfig {
  const given: Partial<ProbeConfig> = structuredClone(config.probe) ?? {};
  for (const assignment of overrides) override(given, assignment, parseValue, ["probe"]);
  const whole = given.train !== undefined && given.test !== undefined;
  const wanted = whole ? parseConfig({ ...config, probe: given }, `${path} with its probe`).probe : undefined;
  if (!wanted)
    throw new SaccadeError(
      `${path}: its configuration has no probe section; give train.dataset=… test.dataset=… test.split=test`,
    );
  return wanted;
}

export interface ProbeSets {
  readonly train: ImageSet;
  readonly test: ImageSet;
}

/** Loads what a probe reads, and refuses what it could not be measured with: before the hours of training, not after them. */
export async function loadProbeSets(
  wanted: ProbeConfig,
  encoder: Encoder,
  told = new Set<string>(),
): Promise<ProbeSets> {
  const [train, test] = [await loadShown(wanted.train, told), await loadShown(wanted.test, told)];
  requireSameClasses("probe", "train and test", [train, test]);
  const { channels } = encoder;
  if (train.channels !== channels)
    throw wrong("probe", "probe.train", `pictures of ${channels} channels, as the encoder reads`, train.channels);
  const shapes = [train, test].map(({ height, width, channels: c }) => `${height}, ${width}, ${c}]`);
  if (shapes[0] !== shapes[1])
    throw wrong("probe", "probe.test", `[n, ${shapes[0]} like probe.train`, `[${test.count}, ${shapes[1]}`);
  const seen = plainlySeen({ from: train, to: encoder });
  if (seen !== undefined) process.stderr.write(`warning: the encoder reads ${seen}\n`);
  if (wanted.augmentation.kind === "crop") requireCrops(wanted.augmentation, { from: train, to: encoder });
  const pool = without(train, overlap(train, test));
  if (pool.count === 0)
    throw new SaccadeError(
      `probe: probe.train must hold images that are not in probe.test, got ${train.name}, all of whose ${train.count} images are in ${test.name}; take another split`,
    );
  for (const perClass of wanted.labelsPerClass) drawLabels(pool.labels, pool.classes.length, perClass, 0, pool.classes);
  return { train, test };
}

/** Measures, writes probe.json and its figure into the run folder, and returns the report. */
export async function measureRun(
  run: RunFolder,
  config: Config,
  { wanted, sets: { train, test } }: { readonly wanted: ProbeConfig; readonly sets: ProbeSets },
  backend: Backend,
  signals: Signals,
): Promise<ProbeReport> {
  const checkpoint = latestCheckpoint(run.checkpoints);
  if (!checkpoint) throw noCheckpoint(run.path);
  requireTensors(checkpoint, synapsesOf(createModel(networkOf(config.encoder))));
  signals.handle((code) => {
    process.stderr.write(`\nstopped the probe; start it again with: saccade probe ${shellWord(run.path)}\n`);
    process.exit(code);
  });
  const progress = showProgress("probing", "read-outs");
  try {
    const report = await probe(
      {
        network: networkOf(config.encoder),
        valueRange: config.valueRange,
        normalise: config.normalise,
        encoders: { trained: checkpoint.state },
        seed: config.seed,
      },
      train,
      test,
      wanted,
      backend,
      {
        onScore: ({ subject, layer, readOut, labelsPerClass, accuracy }, done, total) =>
          progress.update(
            done,
            total,
            `${subject}${layer === undefined ? "" : ` ${layer}`}, ${readOutNames[readOut]}, ${labelsPerClassText(labelsPerClass)}: ${(100 * accuracy).toFixed(1)} %`,
          ),
        onEpoch: (subject, epoch, of, done, total) =>
          progress.update(done, total, `${subject}, ${readOutNames.paper}, on new crops: epoch ${epoch} of ${of}`),
      },
    );
    const whole = {
      ...report,
      checkpoint: checkpoint.path,
      step: checkpoint.position.step,
      environment: environment(backend),
      ...(train.leftOut || test.leftOut ? { leftOut: { train: leftOutOf(train), test: leftOutOf(test) } } : {}),
    };
    // The report comes last: where it is, the probe is done.
    await drawProbeFigure(run.figures, report);
    await writeWhole(join(run.path, "probe.json"), `${JSON.stringify(whole, null, 2)}\n`);
    return report;
  } finally {
    progress.end();
  }
}

/** What printing a report reads of it. */
const reportSchema = z.looseObject({
  measured: z.string(),
  train: z.string(),
  test: z.string(),
  overlapping: z.number(),
  trainImages: z.number(),
  testImages: z.number(),
  chance: z.number(),
  options: z.looseObject({ seeds: z.number(), layers: z.enum(["last", "all"]).optional() }),
  scores: z.array(
    z.looseObject({
      subject: z.string(),
      readOut: z.enum(["paper", "scaleFree", "kNN"]),
      layer: z.string().optional(),
      labelsPerClass: z.union([z.number(), z.literal("all")]),
      accuracy: z.number(),
    }),
  ),
});

/** The report that the newest probe of a run left, if there was one. */
export function readProbe(path: string): ProbeReport | undefined {
  const file = join(path, "probe.json");
  if (!existsSync(file)) return undefined;
  const text = readText(file);
  const mend = `evaluate again: saccade probe ${shellWord(path)}`;
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch {
    throw new SaccadeError(`${file}: not JSON; ${mend}`);
  }
  if (!reportSchema.safeParse(report).success) throw new SaccadeError(`${file}: is not a probe's report; ${mend}`);
  return report as ProbeReport;
}

/** Steps of the checkpoint that a report is of. */
const stepOf = (report: (ProbeReport & { readonly step?: number }) | undefined): number | undefined => report?.step;

/** Whether a run's probe of the checkpoint after `step` is done. */
export const isProbed = (path: string, step: number): boolean => stepOf(readProbe(path)) === step;

/** The report, unless the run has gone on since: it is of the newest checkpoint or none. */
export function currentProbe(path: string): ProbeReport | undefined {
  const report = readProbe(path);
  return stepOf(report) === newestStep(runFolder(path).checkpoints) ? report : undefined;
}

export function printProbe(report: ProbeReport): void {
  const { measured, train, test, trainImages, testImages, overlapping, chance, options } = report;
  const spread = options.seeds === 1 ? "one draw of labels" : `mean ± sd over ${options.seeds} draws of labels`;
  const shared =
    overlapping === 0 ? "no image is in both" : `${overlapping} that are in both were left out of the labels`;
  const lines = [
    "",
    formatTable(probeRows(report), options.layers === "all" ? 3 : 2),
    "",
    wrap(`Accuracy in %, ${spread}; chance is ${(100 * chance).toFixed(0)}.`),
    wrap(`${measured}.`),
    wrap(`Labels from ${train} (${trainImages} images), tested on ${test} (${testImages}); ${shared}.`),
    ...probeNotes(report.scores).map((note) => wrap(note)),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

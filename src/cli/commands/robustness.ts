// saccade robustness: runs on deformed test pictures, beside the random encoder and the pixels; a table, robustness.json and figures.

import { join } from "node:path";
import {
  type Deformation,
  type RecipeName,
  recipeWith,
  requireDeformation,
  type SingleKind,
  singleKinds,
  singles,
} from "../../data/deformations.ts";
import type { ImageSet } from "../../data/images.ts";
import { nearest } from "../../data/nearest.ts";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { networkOf } from "../../encoders/networks.ts";
import { type FrozenEncoder, untrainedWeights } from "../../evaluation/features.ts";
import { type Curve, type RobustnessReport, type RobustnessSubject, robustness } from "../../evaluation/robustness.ts";
import { svgToPng } from "../../figures/png.ts";
import { drawDeformed, robustnessFigure } from "../../figures/robustness-figures.ts";
import { writeFigure } from "../../figures/write-figure.ts";
import { writeWhole } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { requireTensors } from "../../record/checkpoint-file.ts";
import { latestCheckpoint, noCheckpoint } from "../../runs/checkpoints.ts";
import { environment } from "../../runs/environment.ts";
import { isSupervised, ownClassifier } from "../../runs/own-classifier.ts";
import { loadPlugins } from "../../runs/plugins.ts";
import { makeRunsFolder, openRun, type RunFolder } from "../../runs/run-folder.ts";
import type { Config } from "../../training/config.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, openBackend, parseValue } from "../options.ts";
import { showProgress } from "../progress.ts";
import { printRobustness, readOutText } from "../robustness-table.ts";
import { catchSignals } from "../signals.ts";
import { loadProbeSets, probeOf } from "./probe.ts";

interface RobustnessCommandOptions extends CommonOptions {
  readonly recipe: RecipeName;
  readonly strengths: readonly number[];
  readonly single: readonly SingleKind[] | "all" | "none";
  readonly out?: string;
}

export async function robustnessCommand(words: readonly string[], options: RobustnessCommandOptions): Promise<number> {
  const isOverride = (word: string): boolean => /^[A-Za-z][\w.]*=/.test(word);
  const plugins = await loadPlugins(options.plugin ?? []);
  const runs = words.filter((word) => !isOverride(word)).map((path) => ({ path, ...openRun(path, plugins) }));
  if (runs.length === 0)
    throw new SaccadeError(
      "robustness: needs a run, for example: saccade robustness runs/2026-11-24_10-00-00_quickstart_1a2b3c",
    );
  const ofRecipe = words.filter((word) => word.startsWith("recipe."));
  const ofProbe = words.filter((word) => isOverride(word) && !ofRecipe.includes(word));
  const [{ run, config, path }] = runs;
  const wanted = probeOf(path, config, ofProbe);
  const { augmentation, train: _, test: __, ...told } = wanted;
  if (augmentation.kind !== "none")
    throw wrong("robustness", "probe.augmentation", "none", augmentation.kind, "add augmentation='{kind: none}'");
  const recipe = recipeWith("robustness", options.recipe, recipeKeys(ofRecipe));
  const out = options.out ?? run.path;
  // Before the measurement, not after it.
  makeRunsFolder(out);
  const signals = catchSignals();
  try {
    const backend = await openBackend(options);
    const sets = await loadProbeSets(wanted, networkOf(config.encoder));
    const curves = curvesOf(recipe, options, sets.test);
    for (const { deformation, strengths } of curves)
      requireDeformation("robustness", deformation, strengths, sets.test);
    const subjects = subjectsOf(runs, sets.test);
    signals.handle((code) => {
      process.stderr.write("\nstopped; nothing was written\n");
      process.exit(code);
    });
    const seed = options.seed ?? 0;
    const progress = showProgress("measuring", "sets");
    let report: RobustnessReport;
    try {
      report = await robustness(subjects, sets, { ...told, curves, seed }, backend, (text, done, total) =>
        progress.update(done, total, text),
      );
    } finally {
      progress.end();
    }
    const figures = options.out ?? run.figures;
    const readers = subjects.some(({ classifier }) => classifier === undefined);
    for (const readOut of readers ? told.readOuts : (["own"] as const)) {
      const svg = await robustnessFigure(report, readOut, `accuracy in %; ${readOutText(readOut)}`);
      await writeFigure(figures, `robustness-${readOut}`, svg, await svgToPng(svg));
    }
    const grid = await drawDeformed(sets.test, recipe, { strength: 1, seed }, backend);
    await writeFigure(figures, "robustness-pictures", grid.svg, grid.png);
    const whole = { ...report, runs: runs.map((one) => one.path), environment: environment(backend) };
    await writeWhole(join(out, "robustness.json"), `${JSON.stringify(whole, null, 2)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else printRobustness(report, out);
    return exitCodes.done;
  } finally {
    signals.end();
  }
}

/** `recipe.perturb=0.4` as a key and a value. */
const recipeKeys = (words: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      return [word.slice("recipe.".length, at), parseValue(word.slice(at + 1))];
    }),
  );

/** The recipe at its strengths, and single deformations at theirs; all of those that the pictures have colours for. */
function curvesOf(
  recipe: Deformation,
  { strengths, single }: RobustnessCommandOptions,
  { channels }: ImageSet,
): Curve[] {
  const kinds =
    single === "none"
      ? []
      : single === "all"
        ? singleKinds.filter((kind) => channels === 3 || !singles[kind].colour)
        : single;
  const stray = kinds.find((kind) => !Object.hasOwn(singles, kind));
  if (stray !== undefined)
    throw wrong("robustness", "--single", `all, none, or some of ${singleKinds.join(", ")}`, stray, nearestKind(stray));
  const { outside } = recipe;
  return [
    { deformation: recipe, strengths },
    ...kinds.map((kind) => ({ deformation: { kind, outside }, strengths: singles[kind].strengths })),
  ];
}

function nearestKind(stray: string): string | undefined {
  const close = nearest(stray, singleKinds);
  return close && `did you mean ${close}?`;
}

/** The runs, supervised ones with their own classifiers, and for read-outs the first one's random encoder and the pixels. */
function subjectsOf(
  runs: readonly { readonly path: string; readonly run: RunFolder; readonly config: Config }[],
  test: ImageSet,
): RobustnessSubject[] {
  const named = (name: string, i: number): string => {
    const same = runs.filter(({ config }) => config.name === name).length > 1;
    return same ? `${name} ${i + 1}` : name;
  };
  const measured = runs.map(({ path, run, config }, i): RobustnessSubject => {
    const checkpoint = latestCheckpoint(run.checkpoints);
    if (!checkpoint) throw noCheckpoint(path);
    requireTensors(checkpoint, synapsesOf(createModel(networkOf(config.encoder))));
    const encoder = frozen(config, checkpoint.state);
    const supervised = isSupervised(config);
    const name = runs.length > 1 ? named(config.name, i) : supervised ? "supervised" : "trained";
    return supervised
      ? { name, encoder, classifier: ownClassifier(config, checkpoint, test.classes.length) }
      : { name, encoder };
  });
  const reads = runs.find((_, i) => measured[i].classifier === undefined);
  if (reads === undefined) return measured;
  const { config } = reads;
  const random = { name: "random", encoder: frozen(config, untrainedWeights(networkOf(config.encoder), config.seed)) };
  return [...measured, random, { name: "pixels" }];
}

const frozen = (
  { encoder, valueRange, normalise }: Config,
  weights: ReadonlyMap<string, Float32Array>,
): FrozenEncoder => ({ network: networkOf(encoder), weights, valueRange, normalise });

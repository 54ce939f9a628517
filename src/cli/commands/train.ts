// saccade train: a run from a configuration, or the rest of one, with its progress, and the probe at its end.

import { existsSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Backend } from "../../backends/backend.ts";
import { plainlySeen, type ViewSizes } from "../../data/augmentation.ts";
import type { ImageSet } from "../../data/images.ts";
import { networkOf } from "../../encoders/networks.ts";
import { type HeldOut, holdOut } from "../../evaluation/held-out.ts";
import { probeMemory } from "../../evaluation/memory.ts";
import { shellWord } from "../../files/files.ts";
import { fromHome } from "../../files/folders.ts";
import { duration } from "../../program/duration.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { formatBytes } from "../../program/explain.ts";
import { ofLastBlock } from "../../record/metrics.ts";
import { latestCheckpoint } from "../../runs/checkpoints.ts";
import { describeData, describeProbe } from "../../runs/configured-data.ts";
import { continueEnvironment, environment, writeEnvironment } from "../../runs/environment.ts";
import { evaluationBytes } from "../../runs/evaluations.ts";
import { needsOf, requireRoom, roomFor } from "../../runs/forecast.ts";
import { loadPlugins } from "../../runs/plugins.ts";
import { checkResume, requireTrained, unfinishedRun } from "../../runs/resume.ts";
import { hasFigures } from "../../runs/run-figures.ts";
import { createRun, openRun, type RunFolder, writeConfig } from "../../runs/run-folder.ts";
import { claimRun, lockRun } from "../../runs/run-lock.ts";
import { type TrainResult, train } from "../../runs/train.ts";
import type { Config, DataConfig, ProbeConfig } from "../../training/config.ts";
import { override, parseConfig } from "../../training/parse-config.ts";
import { createTrainer, runLength } from "../../training/trainer.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend, parseValue, readConfig } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals, type Signals } from "../signals.ts";
import { printForecast } from "./forecast.ts";
import { isProbed, loadProbeSets, measureRun, type ProbeSets, printProbe } from "./probe.ts";

export interface TrainCommandOptions extends CommonOptions {
  readonly runs: string;
  readonly resume?: string;
  readonly probe: boolean;
  readonly dryRun?: boolean;
}

export async function trainCommand(
  path: string | undefined,
  overrides: readonly string[],
  options: TrainCommandOptions,
): Promise<number> {
  const wanted = await configuration(path, overrides, options);
  const signals = catchSignals();
  try {
    return await trainAndProbe(wanted, options, signals);
  } finally {
    signals.end();
  }
}

async function trainAndProbe(wanted: Wanted, options: TrainCommandOptions, signals: Signals): Promise<number> {
  const { config } = wanted;
  const say = sayUnless(options.json);
  const trained = await trainRun(wanted, options, signals);
  if (typeof trained === "number") return trained;
  const { run, result, probed, backend, release } = trained;
  try {
    if (probed === undefined) {
      if (options.json) print({ run: run.path, ...result });
      return exitCodes.done;
    }
    const report = await measureRun(run, config, probed, backend, signals);
    if (options.json) print({ run: run.path, ...result, probe: report });
    else {
      printProbe(report);
      say(`\nEverything is in ${run.path}`);
    }
    return exitCodes.done;
  } finally {
    release();
  }
}

/** A configuration that is to be trained, its unfinished run, where it goes on with one, and its pictures, where they have been read. */
export interface Wanted {
  readonly config: Config;
  readonly resumed?: RunFolder;
  readonly dataset?: ImageSet;
}

/** A run that is trained to its end, still held. */
export interface TrainedRun {
  readonly run: RunFolder;
  readonly result: TrainResult;
  readonly backend: Backend;
  /** What its probe will need. */
  readonly probed: { readonly wanted: ProbeConfig; readonly sets: ProbeSets } | undefined;
  readonly release: () => void;
}

export const sayUnless =
  (quiet = false) =>
  (line: string): void => {
    if (!quiet) process.stdout.write(`${line}\n`);
  };

/** Trains a run and says what it does; an exit code where that ends the command: a forecast, or a signal. */
export async function trainRun(
  wanted: Wanted,
  options: TrainCommandOptions,
  signals: Signals,
): Promise<TrainedRun | number> {
  let release = (): void => {};
  const hold = (run: RunFolder): void => {
    release = lockRun(run);
  };
  try {
    if (wanted.resumed) hold(wanted.resumed);
    const ended = await trainHeld(wanted, options, hold, signals);
    if (typeof ended !== "number") return { ...ended, release };
    release();
    return ended;
  } catch (error) {
    release();
    throw error;
  }
}

async function trainHeld(
  { config, resumed, dataset: read }: Wanted,
  options: TrainCommandOptions,
  hold: (run: RunFolder) => void,
  signals: Signals,
): Promise<Omit<TrainedRun, "release"> | number> {
  const say = sayUnless(options.json);
  const from = resumed ? latestCheckpoint(resumed.checkpoints) : undefined;
  if (resumed && !from && options.resume !== "auto")
    throw new SaccadeError(`${resumed.path}: has no checkpoint to resume from; start a new run`);
  if (resumed && from) requireTrained(resumed, from);
  const backend = await openBackend(options);
  // What cannot work is refused before anything is written, and what the probe lacks before the hours of training.
  const told = new Set<string>();
  const dataset = read ?? (await loadShown(config.data, told));
  if (resumed && from) checkResume(resumed, config, dataset, from);
  const trainer = await createTrainer({ config, dataset, backend });
  const here = environment(backend);
  let run: RunFolder;
  let probed: { readonly wanted: ProbeConfig; readonly sets: ProbeSets } | undefined;
  let heldOut: HeldOut | undefined;
  let changed: string | undefined;
  try {
    if (config.probe && options.probe)
      probed = { wanted: config.probe, sets: await loadProbeSets(config.probe, networkOf(config.encoder), told) };
    if (config.evaluateEvery) {
      const labelled = config.probe ? (probed?.sets.train ?? (await loadShown(config.probe.train, told))) : dataset;
      heldOut = holdOut(labelled, networkOf(config.encoder));
    }
    // A signal that came while data was read is heard here: between timers and immediates the event loop looks for it.
    await setTimeout(1);
    await setImmediate();
    const probeBytes = probed ? probeMemory({ network: networkOf(config.encoder), ...probed.sets }, probed.wanted) : 0;
    const needs = needsOf(trainer, dataset, probeBytes, from?.position.step, evaluationBytes(config, heldOut));
    const folder = resumed?.path ?? options.runs;
    const room = roomFor(folder);
    requireRoom(needs, room, folder);
    if (options.dryRun) {
      await printForecast(trainer, needs, room, probed?.sets, heldOut && { heldOut, backend }, options);
      await trainer.dispose();
      return exitCodes.done;
    }
    run = resumed ?? (await beginRun(config, trainer.totalSteps, options, here, hold));
    if (resumed && from) {
      // A run that is lengthened, or probed otherwise, says so; so does one that goes on elsewhere.
      await writeConfig(run, config);
      const { step } = from.position;
      if (step < trainer.totalSteps) changed = await continueEnvironment(run.path, step, here);
    } else if (resumed) await writeEnvironment(run.path, here);
  } catch (error) {
    await trainer.dispose();
    throw error;
  }

  const { name, blocks } = trainer.model.encoder;
  say(`run      ${run.path}`);
  if (resumed && options.resume === "auto")
    say(`resume   ${from ? `from step ${from.position.step}` : "it had no checkpoint and starts over"}`);
  say(`data     ${dataset.name}: ${dataset.count} images of ${dataset.height}×${dataset.width}×${dataset.channels}`);
  const seen = seenOf(config, { from: dataset, to: trainer.model.encoder });
  if (seen !== undefined) say(`views    ${seen}`);
  say(`encoder  ${name}: ${blocks.length} convolutions; ${config.learning}, ${config.update}, ${config.loss.kind}`);
  for (const [own, { kind, file, package: of, sha256 = "" }] of Object.entries(config.plugins ?? {}))
    say(`plugin   ${kind} ${own}: ${of ?? file}, SHA-256 ${sha256.slice(0, 12)}…`);
  say(`device   ${backend.name}: ${backend.description}`);

  const stop = stopAfterStep(signals);
  const progress = showProgress("training", "images");
  let found = "";
  let result: TrainResult;
  try {
    result = await train({
      config,
      dataset,
      backend,
      run,
      trainer,
      ...(from ? { from, changed } : {}),
      heldOut,
      signal: stop.signal,
      onStep: ({ position, loss }, { stepsPerEpoch, totalSteps }) => {
        const epoch = (position.step / stepsPerEpoch).toFixed(1);
        const note = `epoch ${epoch} of ${totalSteps / stepsPerEpoch}, loss ${loss.toPrecision(4)}${found}`;
        progress.update(position.step * config.batch, totalSteps * config.batch, note);
      },
      onEvaluation: (evaluation) => {
        const [{ accuracy, random }] = ofLastBlock(evaluation);
        found = `, kNN ${(100 * accuracy).toFixed(1)} % (random ${(100 * random).toFixed(1)})`;
      },
      onAlarm: (message) => process.stderr.write(`\nalarm: ${message}\n`),
      onWarning: (sentence) => process.stderr.write(`warning: ${sentence}\n`),
    });
  } finally {
    progress.end();
  }
  // A signal that came after the last step leaves nothing to do, but for a probe.
  if (stop.signal.aborted && (result.end === "stopped" || probed)) {
    say(
      `stopped  after ${countSteps(result.steps)}; resume with: saccade train --resume ${shellWord(run.path)}${pluginWords(options)}`,
    );
    if (options.json) print({ run: run.path, ...result });
    return stop.code();
  }
  const done = result.steps - (from?.position.step ?? 0);
  say(
    `trained  ${countSteps(done)} in ${duration(result.seconds)}${from ? `, ${result.steps} in all` : ""}; peak memory ${peakMemory()}`,
  );

  return { run, result, backend, probed };
}

/** A new run, held. Of several processes that want to go on with this configuration, and found no run of it, one makes it. */
async function beginRun(
  config: Config,
  totalSteps: number,
  options: TrainCommandOptions,
  here: ReturnType<typeof environment>,
  hold: (run: RunFolder) => void,
): Promise<RunFolder> {
  const release = options.resume === "auto" ? claimRun(options.runs, config) : () => {};
  try {
    const other = options.resume === "auto" ? findUnfinished(config, totalSteps, options) : undefined;
    if (other) {
      hold(other);
      throw new SaccadeError(
        `${other.path}: was started while the data were being read, and has ended; repeat the command to resume it`,
      );
    }
    const run = await createRun(options.runs, config, here);
    hold(run);
    return run;
  } finally {
    release();
  }
}

/** The newest run of this configuration that is not trained, drawn and probed as it asks. */
function findUnfinished(
  config: Config,
  totalSteps: number,
  { runs, probe }: TrainCommandOptions,
  onDamaged: (message: string) => void = () => {},
): RunFolder | undefined {
  const isDone = (run: RunFolder, step: number): boolean =>
    step === totalSteps && hasFigures(run) && !(config.probe && probe && !isProbed(run.path, step));
  return unfinishedRun(runs, config, isDone, onDamaged);
}

const print = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

/** What a command line asks to be trained. */
export async function configuration(
  path: string | undefined,
  overrides: readonly string[],
  options: TrainCommandOptions,
): Promise<Wanted> {
  if (options.resume !== undefined && options.resume !== "auto") {
    if (options.dryRun) throw new SaccadeError("--dry-run: forecasts a new run; leave --resume out");
    if (options.seed !== undefined)
      throw new SaccadeError("--resume: a run keeps its seed; leave --seed out, or start a new run");
    if (path !== undefined && !path.includes("="))
      throw wrong(
        "--resume",
        "the configuration",
        "left out, because a run has its own",
        path,
        "give changes as key=value",
      );
    const plugins = await loadPlugins(options.plugin ?? []);
    const { run, config } = openRun(options.resume, plugins);
    // A configuration file would be a second truth: what stands first is an override like the others.
    const raw = structuredClone(config) as unknown;
    for (const assignment of path === undefined ? overrides : [path, ...overrides])
      override(raw, assignment, parseValue);
    const changed = parseConfig(raw, options.resume, plugins);
    requireInPlace(options.resume, { data: changed.data, ...(options.probe ? placesOf(changed) : {}) });
    return { config: changed, resumed: run };
  }
  const config = await readConfig(path ?? "", overrides, options);
  if (options.probe) await describeProbe(config, path ?? "");
  if (options.resume === undefined || options.dryRun) return { config };
  const { totalSteps } = runLength(config, { name: config.data.dataset, ...(await describeData(config, path ?? "")) });
  const resumed = findUnfinished(config, totalSteps, options, (message) =>
    process.stderr.write(`left out: ${message}\n`),
  );
  return resumed ? { config, resumed } : { config };
}

const placesOf = ({ probe }: Config): Record<string, DataConfig> =>
  probe ? { "probe.train": probe.train, "probe.test": probe.test } : {};

/** Pictures may have moved since the run began, and a path is meant from where the command is called. */
function requireInPlace(where: string, sets: Readonly<Record<string, DataConfig>>): void {
  for (const [key, { file, folder }] of Object.entries(sets))
    for (const [name, place] of Object.entries({ file, folder }))
      if (place !== undefined && !existsSync(fromHome(place)))
        throw wrong(
          where,
          `${key}.${name}`,
          "where the pictures are",
          `${place}, where nothing is`,
          `say where they are now: ${key}.${name}=…`,
        );
}

/** What the network gets of pictures that are of another size than its input. Patches have sizes of their own. */
function seenOf({ augmentation }: Config, sizes: ViewSizes): string | undefined {
  const { from, to } = sizes;
  const plain = plainlySeen(sizes);
  if (plain === undefined || augmentation.kind === "patches") return undefined;
  if (augmentation.kind === "none") return plain;
  return `pictures of ${from.height}×${from.width} are scaled to ${to.height}×${to.width} in the views`;
}

const pluginWords = ({ plugin = [] }: TrainCommandOptions): string =>
  plugin.map((name) => ` --plugin ${shellWord(name)}`).join("");

const countSteps = (steps: number): string => `${steps} ${steps === 1 ? "step" : "steps"}`;

export const peakMemory = (): string => formatBytes(process.resourceUsage().maxRSS * 1024);

/** The first signal asks for a stop after the step in flight; a second ends at once. */
function stopAfterStep(signals: Signals): { signal: AbortSignal; code: () => number } {
  const controller = new AbortController();
  let code: number = exitCodes.interrupted;
  signals.handle((given) => {
    code = given;
    if (controller.signal.aborted) process.exit(code);
    process.stderr.write("\nstopping after this step, with a checkpoint; signal again to stop at once\n");
    controller.abort();
  });
  return { signal: controller.signal, code: () => code };
}

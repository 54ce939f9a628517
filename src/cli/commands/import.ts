// saccade import: weights that were trained in PyTorch become a run folder, which saccade probe measures.

import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { basename, extname } from "node:path";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { networkData, networkNamed, networkOf } from "../../encoders/networks.ts";
import { readStateDict } from "../../exchange/imported-weights.ts";
import { readBytes, shellWord } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { saveCheckpoint } from "../../runs/checkpoints.ts";
import { version } from "../../runs/environment.ts";
import { imported } from "../../runs/resume.ts";
import { createRun } from "../../runs/run-folder.ts";
import { override, parseConfig } from "../../training/parse-config.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, parseValue, readYaml } from "../options.ts";

interface ImportCommandOptions extends CommonOptions {
  /** A name, or a YAML file that has the encoder as a configuration would. */
  readonly network: string;
  readonly runs: string;
  readonly prefix?: string;
  readonly foldBatchNorm?: number | undefined;
  readonly leaveOut?: readonly string[];
}

export async function importCommand(
  file: string,
  overrides: readonly string[],
  options: ImportCommandOptions,
): Promise<number> {
  const encoder = encoderOf(options.network);
  const name = basename(file, extname(file)).replaceAll(/[^\w.-]/g, "-");
  const raw = {
    name,
    data: { dataset: imported },
    encoder,
    batch: 2,
    epochs: 1,
    seed: options.seed ?? 0,
  };
  for (const assignment of overrides) override(raw, assignment, parseValue);
  const asked = parseConfig(raw, `import of ${file}`);
  if (raw.encoder !== encoder) throw wrong("import", "encoder", "what --network says", raw.encoder);
  const found = readStateDict(file, networkOf(asked.encoder), options);
  const { network, weights, folded, leftOut } = found;
  for (const key of ["valueRange", "normalise"] as const)
    if (found[key] && key in raw && JSON.stringify(found[key]) !== JSON.stringify(asked[key]))
      throw new SaccadeError(
        `import: ${key} must be ${shown(found[key])}, as ${file} says, got ${shown(asked[key])}; leave it out`,
      );
  const { valueRange = asked.valueRange, normalise = asked.normalise } = found;
  const config = parseConfig({ ...asked, encoder: networkData(network), valueRange, normalise }, `import of ${file}`);
  const say = (sentence: string): void => {
    process.stderr.write(`${sentence}\n`);
  };
  if (folded.length > 0) say(`folded: ${folded.join(", ")}`);
  if (leftOut.length > 0) say(`left out: ${fewOf(leftOut)}; the encoder has none`);
  if (found.valueRange === undefined && !("valueRange" in raw))
    say(
      normalise
        ? "warning: no valueRange is given, so before normalise pixel values 0 and 255 are taken as 0 and 1; otherwise give valueRange=[low,high]"
        : "warning: no valueRange is given, so pixel values 0 and 255 are taken as 0 and 1 in training; otherwise give valueRange=[-1,1] or the like, or normalise='{mean: […], std: […]}'",
    );

  const sha256 = createHash("sha256").update(readBytes(file)).digest("hex");
  const run = await createRun(options.runs, config, { saccade: version(), imported: { file: basename(file), sha256 } });
  try {
    const start = { position: { step: 0, epoch: 0, batch: 0 }, losses: { sum: 0, steps: 0 }, config: imported };
    await saveCheckpoint(
      run.checkpoints,
      { state: synapsesOf(createModel(network)), lessons: [] },
      { ...start, state: weights },
      { newest: 1, every: 1 },
    );
  } catch (error) {
    rmSync(run.path, { recursive: true });
    throw error;
  }
  const measure = `saccade probe ${shellWord(run.path)} train.dataset=… test.dataset=… test.split=test`;
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ run: run.path, network: network.name, folded, leftOut, valueRange, ...(normalise ? { normalise } : {}) })}\n`,
    );
  else process.stdout.write(`run      ${run.path}\nmeasure  ${measure}\n`);
  return exitCodes.done;
}

/** What a configuration would have as its encoder. */
function encoderOf(network: string): unknown {
  if (!/\.ya?ml$/.test(network)) return networkNamed("import", network).name;
  const raw = readYaml(network, "--network takes a network's name, or a YAML file with an encoder");
  return "encoder" in raw ? raw.encoder : raw;
}

const shown = (value: unknown): string => JSON.stringify(value).replaceAll(",", ", ");

/** The names themselves, unless there are very many. */
function fewOf(names: readonly string[]): string {
  const most = 12;
  return names.length > most ? `${names.slice(0, most).join(", ")} and ${names.length - most} more` : names.join(", ");
}

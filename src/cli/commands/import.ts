// saccade import: weights that were trained in PyTorch become a run folder, which saccade probe measures.

import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { basename, extname } from "node:path";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { type NetworkName, networkNamed } from "../../encoders/networks.ts";
import { readStateDict } from "../../exchange/state-dict.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { saveCheckpoint } from "../../training/checkpoints.ts";
import { override, parseConfig } from "../../training/config.ts";
import { version } from "../../training/environment.ts";
import { readBytes } from "../../training/files.ts";
import { imported } from "../../training/resume.ts";
import { createRun } from "../../training/run-folder.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, parseValue, shellWord } from "../options.ts";

interface ImportOptions extends CommonOptions {
  readonly network: NetworkName;
  readonly runs: string;
}

export async function importCommand(
  file: string,
  overrides: readonly string[],
  options: ImportOptions,
): Promise<number> {
  const model = createModel(networkNamed("import", options.network));
  const name = basename(file, extname(file)).replaceAll(/[^\w.-]/g, "-");
  const raw = {
    name,
    data: { dataset: imported },
    encoder: options.network,
    batch: 2,
    epochs: 1,
    seed: options.seed ?? 0,
  };
  for (const assignment of overrides) override(raw, assignment, parseValue);
  const asked = parseConfig(raw, `import of ${file}`);
  if (asked.encoder !== options.network) throw wrong("import", "encoder", "what --network says", asked.encoder);
  const { weights, leftOut, valueRange = asked.valueRange } = readStateDict(file, options.network);
  if ("valueRange" in raw && valueRange.some((value, i) => value !== asked.valueRange[i]))
    throw new SaccadeError(
      `import: valueRange must be [${valueRange.join(", ")}], as ${file} says, got [${asked.valueRange.join(", ")}]; leave it out`,
    );
  const config = { ...asked, valueRange: [...valueRange] as [number, number] };
  if (leftOut.length > 0) process.stderr.write(`left out: ${leftOut.join(", ")}; the encoder has none\n`);

  const sha256 = createHash("sha256").update(readBytes(file)).digest("hex");
  const run = await createRun(options.runs, config, { saccade: version(), imported: { file: basename(file), sha256 } });
  try {
    const start = { position: { step: 0, epoch: 0, batch: 0 }, losses: { sum: 0, steps: 0 }, config: imported };
    await saveCheckpoint(
      run.checkpoints,
      { state: synapsesOf(model), lessons: [] },
      { ...start, state: weights },
      { newest: 1, every: 1 },
    );
  } catch (error) {
    rmSync(run.path, { recursive: true });
    throw error;
  }
  const measure = `saccade probe ${shellWord(run.path)} train.dataset=… test.dataset=… test.split=test`;
  if (options.json) process.stdout.write(`${JSON.stringify({ run: run.path, leftOut })}\n`);
  else process.stdout.write(`run      ${run.path}\nmeasure  ${measure}\n`);
  return exitCodes.done;
}

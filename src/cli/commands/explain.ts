// saccade explain: one training step as a listing, without running it and without reading any data.

import { createModel } from "../../encoders/model.ts";
import { networks } from "../../encoders/networks.ts";
import { explain, formatExplanation } from "../../program/explain.ts";
import { recordStep } from "../../training/trainer.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, readConfig } from "../options.ts";

export async function explainCommand(
  path: string,
  overrides: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const config = readConfig(path, overrides, options);
  const encoder = networks[config.encoder];
  // The dataset's size costs only its own memory: a batch of it stands for all.
  const dataset = { ...encoder, count: Math.max(config.batch, config.data.limit ?? 0) };
  const explanation = explain(recordStep(config, createModel(encoder), dataset).program);
  process.stdout.write(`${options.json ? JSON.stringify(explanation) : formatExplanation(explanation)}\n`);
  return exitCodes.done;
}

// saccade explain: a training step as a listing, one for each layer that learns alone, without running it and without reading any data.

import { type Explanation, explain, formatExplanation } from "../../program/explain.ts";
import { describeData, describeKnownProbe } from "../../runs/configured-data.ts";
import { configuredModel, recordConfigured } from "../../training/configured-rule.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, readConfig } from "../options.ts";
import { wrap } from "../table.ts";

export async function explainCommand(
  path: string,
  overrides: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const config = await readConfig(path, overrides, options);
  await describeKnownProbe(config, path);
  const { lessons } = recordConfigured(config, configuredModel(config), await describeData(config, path));
  // One program, or under GLL and RLL one for each layer.
  const explanations = lessons.map(({ program }) => explain(program));
  process.stdout.write(
    options.json ? `${JSON.stringify(explanations)}\n` : `${explanations.map(listing).join("\n\n")}\n`,
  );
  return exitCodes.done;
}

/** The explanation in lines that fit the terminal; what does not fit goes on below, indented. */
const listing = (explanation: Explanation): string =>
  formatExplanation(explanation)
    .split("\n")
    .map((line) => wrap(line, 12))
    .join("\n");

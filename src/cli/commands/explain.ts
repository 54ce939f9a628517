// saccade explain: a network's layers, and a training step as a listing, one for each layer that learns alone, without running it and without
// reading any data.

import { blockCosts, headCosts, type LayerCost } from "../../encoders/encoder.ts";
import { type Explanation, explain, formatCount, formatExplanation } from "../../program/explain.ts";
import type { Lesson } from "../../rules/rule.ts";
import { describeData, describeKnownProbe } from "../../runs/configured-data.ts";
import { configuredModel, recordConfigured } from "../../training/configured-rule.ts";
import { requireInterventions } from "../../training/trainer.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, readConfig } from "../options.ts";
import { formatTable, textWidth, wrap } from "../table.ts";

export async function explainCommand(
  path: string,
  overrides: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const config = await readConfig(path, overrides, options);
  await describeKnownProbe(config, path);
  const model = configuredModel(config);
  const { encoder } = model;
  const dataset = await describeData(config, path);
  requireInterventions(config, model, dataset);
  const { lessons } = recordConfigured(config, model, dataset);
  const blocks = blockCosts(encoder);
  // One program, or under GLL and RLL one for each layer.
  const explanations = lessons.map(({ program }) => explain(program));
  process.stdout.write(
    options.json
      ? `${JSON.stringify(explanations.map((one, i) => ({ ...one, layers: [...blocks.slice(0, lessons[i].end), ...headOf(lessons[i])] })))}\n`
      : `${layerTable(encoder.name, [...blocks, ...lessons.flatMap(headOf)])}\n\n${explanations.map(listing).join("\n\n")}\n`,
  );
  return exitCodes.done;
}

/** The explanation in lines that fit the terminal; what does not fit goes on below, indented. */
const listing = (explanation: Explanation): string =>
  formatExplanation(explanation)
    .split("\n")
    .map((line) => wrap(line, 12))
    .join("\n");

/** The layers of the head that a lesson learns with, if it has one. */
const headOf = ({ parts: { learners } }: Lesson): LayerCost[] =>
  learners.head
    ? headCosts(learners.head.head, learners.pictures[learners.pictures.length - 1], learners.head.name)
    : [];

/** What each layer does stands below where the table would not fit the terminal with it. */
function layerTable(name: string, layers: readonly LayerCost[]): string {
  const sum = (count: (layer: LayerCost) => number): string =>
    formatCount(layers.reduce((total, layer) => total + count(layer), 0));
  const rows = (whole: boolean): string[][] => {
    const does = (text: string): string[] => (whole ? [text] : []);
    return [
      [name, ...does(""), "in", "out", "parameters", "MACs"],
      ...layers.map((layer) => [
        ...[layer.name, ...does(layer.does), layer.input.join("×"), layer.output.join("×")],
        ...[formatCount(layer.parameters), formatCount(layer.macs)],
      ]),
      ["all", ...does(""), "", "", sum(({ parameters }) => parameters), sum(({ macs }) => macs)],
    ];
  };
  const whole = formatTable(rows(true));
  if (whole.indexOf("\n") <= textWidth()) return whole;
  const below = layers.map((layer) => wrap(`${layer.name}: ${layer.does}`, 2));
  return [formatTable(rows(false), 1), "", ...below].join("\n");
}

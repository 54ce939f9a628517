// A sweep: a researcher's own question. Configurations that differ in some keys, every combination of their values, with every seed.

import { z } from "zod";
import { describeDataset } from "../datasets/known-datasets.ts";
import { wrong } from "../program/errors.ts";
import { costOf } from "../runs/forecast.ts";
import type { Config, ProbeConfig } from "../training/config.ts";
import { override, parseConfig } from "../training/parse-config.ts";
import type { Plugin } from "../training/plugin.ts";
import type { Row } from "./rows.ts";

const assignments = z.array(z.string());
const grid = z.record(z.string(), z.array(z.unknown()).min(1));

/** A sweep as a file: rules, each under every combination of some settings, for one budget of compute. */
export const sweepSchema = z.strictObject({
  /** The configuration that all start from. */
  base: z.string(),
  /** Tested on the last so many pictures of probe.train, which bring no labels then: the test set is not read. */
  holdOut: z.int().min(1).optional(),
  /** Overrides of all. */
  set: assignments.default([]),
  /** Overrides of each rule, by its name. */
  rules: z.record(z.string(), assignments).default({ "": [] }),
  /** Values of keys, each tried with those of every other; a rule's own stand in `varyFor`. */
  vary: grid.default({}),
  varyFor: z.record(z.string(), grid).default({}),
  /** Floating-point operations of a run, in units of 10¹²: the epochs follow from them. */
  teraflops: z.number().gt(0).optional(),
});

export type Sweep = z.infer<typeof sweepSchema>;

/** `key=a,b,c`: a key with its values; commas within brackets, braces and quotes do not part them. */
export function valuesOf(assignment: string): { readonly key: string; readonly values: readonly string[] } {
  const at = assignment.indexOf("=");
  if (at <= 0) throw wrong("sweep", "overrides", "key=value or key=a,b,c", assignment);
  const values: string[] = [""];
  let depth = 0;
  let quote = "";
  for (const character of assignment.slice(at + 1)) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if ("[{(".includes(character)) depth++;
    else if ("]})".includes(character)) depth--;
    if (character === "," && depth === 0 && quote === "") values.push("");
    else values[values.length - 1] += character;
  }
  if (values.some((value) => value === ""))
    throw wrong("sweep", assignment.slice(0, at), "values between commas", assignment);
  return { key: assignment.slice(0, at), values };
}

/** Every combination of the values of all keys, as assignments. */
export function combinationsOf(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>((all, list) => all.flatMap((one) => list.map((next) => [...one, next])), [[]]);
}

/** Keys that differ between the rows, and "rules" where there are several. */
export function varied({ rules, vary, varyFor }: Sweep): string[] {
  const grids = [vary, ...Object.values(varyFor)];
  const keys = grids.flatMap((values) => Object.keys(values).filter((key) => values[key].length > 1));
  return [...(Object.keys(rules).length > 1 ? ["rules"] : []), ...new Set(keys)];
}

const heldOut = 1000;

/** What to do before choosing by a sweep's numbers that are of the test set: hold pictures out, beside as many labelled ones as it has. */
export function testedOnTestSet({ train: { limit } }: ProbeConfig): string {
  const more = limit === undefined ? "" : `probe.train.limit=${limit + heldOut} `;
  const last = heldOut.toLocaleString("en-US");
  return `These numbers are from the test set, so do not choose by them: \`${more}--hold-out ${heldOut}\` tests on the last ${last} of the labelled pictures instead.`;
}

export interface SweepRows {
  readonly rows: readonly Row[];
  readonly probe: ProbeConfig;
}

/**
 * The rows of a sweep: every rule under its first setting, then every rule under its second, so that a sweep that is stopped has looked at all.
 * `raw` is a fresh copy of the base; `parseValue` reads what stands behind an assignment's sign.
 */
export async function sweepRows(
  sweep: Sweep,
  raw: () => object,
  parseValue: (text: string) => unknown,
  plugins: readonly Plugin[] = [],
): Promise<SweepRows> {
  const configOf = (own: readonly string[], seed?: number, epochs?: number): Config => {
    const given = raw();
    for (const assignment of own) override(given, assignment, parseValue);
    if (seed !== undefined) override(given, `seed=${seed}`, parseValue);
    if (epochs !== undefined) override(given, `epochs=${epochs}`, parseValue);
    return parseConfig(given, sweep.base, plugins);
  };
  const ofRule = Object.entries(sweep.rules).map(([rule, own]) => {
    const lists = Object.entries({ ...sweep.vary, ...sweep.varyFor[rule] }).map(([key, all]) =>
      all.map((value) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`),
    );
    return { rule, own, settings: combinationsOf(lists) };
  });
  const rows: Row[] = [];
  for (let k = 0; k < Math.max(...ofRule.map(({ settings }) => settings.length)); k++)
    for (const { rule, own, settings } of ofRule) {
      const varied = settings[k];
      if (varied === undefined) continue;
      const all = [...sweep.set, ...own, ...varied];
      const epochs =
        sweep.teraflops === undefined ? undefined : await epochsFor(configOf(all, undefined, 1), sweep.teraflops);
      // What is wrong is refused before anything runs.
      configOf(all, 0, epochs);
      rows.push({
        title: [rule, ...varied].filter((word) => word !== "").join(" ") || "as it is",
        config: async (seed) => configOf(all, seed, epochs),
      });
    }
  const { probe } = configOf([...sweep.set, ...ofRule[0].own]);
  if (probe === undefined)
    throw wrong("sweep", sweep.base, "a configuration with a probe section, which says how runs are evaluated", "none");
  return { rows, probe };
}

async function epochsFor(config: Config, teraflops: number): Promise<number> {
  const described = await describeDataset(config.data);
  const { flops } = costOf(config, { ...described, classes: described.classes.length });
  return Math.max(1, Math.round((teraflops * 1e12) / flops));
}

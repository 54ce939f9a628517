// A search for recipes: every rule of a space under every combination of some settings, for one budget of compute, read out on pictures
// held out from the labelled ones. The test set is not read.
//
//     node tools/search.ts tools/searches/solids.yaml [--out records/search-solids] [--threads 1] [--rules REGEX] [--table]
//
// A finished cell stands as a line in OUT/cells.jsonl and is not run again, so the command can be stopped and started at will, and several
// can share the work (--rules). A page in OUT holds the table; --table makes it anew and trains nothing.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { wasmBackend } from "../src/backends/wasm/backend.ts";
import { loadDataset } from "../src/data/datasets.ts";
import type { ImageSet } from "../src/data/images.ts";
import { probe, type ReadOut, type Score } from "../src/evaluation/probe.ts";
import { only } from "../src/evaluation/subsets.ts";
import { mean } from "../src/program/mean.ts";
import { type Config, override, type ProbeConfig, parseConfig } from "../src/training/config.ts";
import { environment } from "../src/training/environment.ts";
import { costOf } from "../src/training/forecast.ts";
import { fingerprint } from "../src/training/run-folder.ts";
import { createTrainer } from "../src/training/trainer.ts";
import type { Xray } from "../src/training/xray.ts";
import { addCell, readCells } from "./cells.ts";

const assignments = z.array(z.string());
const grid = z.record(z.string(), z.array(z.unknown()).min(1));

const spaceSchema = z.strictObject({
  /** The configuration that all cells start from. */
  base: z.string(),
  /** The last so many pictures of probe.train are the validation split. */
  holdOut: z.int().min(1),
  /** Overrides of all cells. */
  set: assignments.default([]),
  /** Each rule's own overrides. */
  rules: z.record(z.string(), assignments),
  /** Values of keys, each tried with those of every other; a rule's own stand in `varyFor`. */
  vary: grid,
  varyFor: z.record(z.string(), grid).default({}),
  /** Floating-point operations of a run, in units of 10¹²: the epochs follow from them. */
  teraflops: z.number().gt(0),
});

/** One finished cell, or the random encoder. */
interface Line {
  /** The configuration's fingerprint. */
  readonly key: string;
  readonly rule: string;
  readonly varied: readonly string[];
  readonly epochs: number;
  readonly steps: number;
  readonly seconds: number;
  /** Mean losses of the first and of the last tenth of the steps. */
  readonly loss?: readonly [number, number];
  /** Why it ended early. */
  readonly failed?: string;
  readonly scores: readonly Score[];
  readonly xray: readonly Xray[];
  readonly commit: string | null;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    threads: { type: "string", default: "1" },
    rules: { type: "string", default: "" },
    table: { type: "boolean", default: false },
  },
});
const [path] = positionals;
if (path === undefined) throw new Error("search: needs a file, for example tools/searches/solids.yaml");
const space = spaceSchema.parse(parse(readFileSync(path, "utf8")));
const name = basename(path, ".yaml");
const out = values.out ?? `records/search-${name}`;
const file = join(out, "cells.jsonl");
const untrained = "random encoder";
mkdirSync(out, { recursive: true });

const lines = (): Line[] => readCells(file);

/** Every combination of the values of all keys, as overrides. */
function combinations(of: z.infer<typeof grid>): string[][] {
  const lists = Object.entries(of).map(([key, all]) => all.map((value) => `${key}=${JSON.stringify(value)}`));
  return lists.reduce<string[][]>((all, list) => all.flatMap((one) => list.map((next) => [...one, next])), [[]]);
}

function configOf(rule: string, varied: readonly string[], epochs: number): Config & { probe: ProbeConfig } {
  const raw: unknown = parse(readFileSync(space.base, "utf8"));
  const own = space.rules[rule] ?? [];
  // One X-ray, at the end.
  for (const assignment of [...space.set, ...own, ...varied, `epochs=${epochs}`, "xrayEvery=1000000"])
    override(raw, assignment, parse);
  const config = parseConfig(raw, rule);
  if (config.probe === undefined) throw new Error(`${space.base}: a search needs a probe`);
  return { ...config, probe: config.probe };
}

const datasets = new Map<string, Promise<ImageSet>>();
function datasetOf(data: Config["data"]): Promise<ImageSet> {
  const key = JSON.stringify(data);
  const loading = datasets.get(key) ?? loadDataset(data);
  datasets.set(key, loading);
  return loading;
}

const backend = wasmBackend({ threads: Number(values.threads) });

async function readOut(
  config: Config & { probe: ProbeConfig },
  weights: ReadonlyMap<string, Float32Array>,
  subjects: readonly string[],
): Promise<readonly Score[]> {
  const labelled = await datasetOf(config.probe.train);
  const rows = Int32Array.from({ length: labelled.count }, (_, i) => i);
  const kept = labelled.count - space.holdOut;
  const { encoder: network, valueRange, normalise, seed } = config;
  const { scores } = await probe(
    { network, valueRange, normalise, encoders: { trained: weights }, seed },
    only(labelled, rows.subarray(0, kept)),
    only(labelled, rows.subarray(kept)),
    { ...config.probe, subjects },
    backend,
  );
  return scores;
}

async function run(rule: string, varied: readonly string[]): Promise<Line> {
  const dataset = await datasetOf(configOf(rule, varied, 1).data);
  const perEpoch = costOf(configOf(rule, varied, 1), { ...dataset, classes: dataset.classes.length }).flops;
  const config = configOf(rule, varied, Math.max(1, Math.round((space.teraflops * 1e12) / perEpoch)));
  const key = fingerprint(config);
  const known = lines().find((line) => line.key === key);
  if (known) return known;
  const trainer = await createTrainer(config, dataset, backend);
  const losses: number[] = [];
  const started = performance.now();
  try {
    while (trainer.position().step < trainer.totalSteps && Number.isFinite(losses.at(-1) ?? 0))
      losses.push((await trainer.step()).loss);
    const seconds = (performance.now() - started) / 1000;
    const tenth = Math.max(1, Math.floor(losses.length / 10));
    const ended = Number.isFinite(losses.at(-1));
    const line: Line = {
      ...{ key, rule, varied, epochs: config.epochs, steps: losses.length, seconds },
      ...(ended ? { loss: [mean(losses.slice(0, tenth)), mean(losses.slice(-tenth))] } : { failed: "not finite" }),
      scores: ended ? await readOut(config, await trainer.state(), ["trained"]) : [],
      xray: ended ? (await trainer.xray()).map((look) => ({ ...look, synapses: [] })) : [],
      commit: environment(backend).commit,
    };
    addCell(file, line);
    return line;
  } finally {
    await trainer.dispose();
  }
}

/** The encoder that all cells start from. */
async function measureRandom(): Promise<void> {
  const config = configOf(Object.keys(space.rules)[0], [], 1);
  if (lines().some(({ rule }) => rule === untrained)) return;
  const trainer = await createTrainer(config, await datasetOf(config.data), backend);
  try {
    const scores = await readOut(config, await trainer.state(), ["random"]);
    const { commit } = environment(backend);
    const line = {
      key: untrained,
      rule: untrained,
      varied: [],
      epochs: 0,
      steps: 0,
      seconds: 0,
      scores,
      xray: [],
      commit,
    };
    addCell(file, line);
  } finally {
    await trainer.dispose();
  }
}

/** What cells of a rule are ordered by: the mean over all scores; one that failed is below all others. */
const worth = ({ scores }: Line): number => (scores.length === 0 ? -1 : mean(scores.map(({ accuracy }) => accuracy)));

if (!values.table) {
  await measureRandom();
  const chosen = Object.keys(space.rules).filter((rule) => new RegExp(values.rules).test(rule));
  const settings = chosen.map((rule) => combinations({ ...space.vary, ...space.varyFor[rule] }));
  // Every rule under its first setting, then every rule under its second: a search that is stopped has looked at all.
  for (let k = 0; k < Math.max(...settings.map(({ length }) => length)); k++)
    for (const [i, rule] of chosen.entries()) {
      if (settings[i][k] === undefined) continue;
      const line = await run(rule, settings[i][k]);
      const shown = line.scores.map(({ readOut: by, accuracy }) => `${by} ${(100 * accuracy).toFixed(1)}`);
      const varied = settings[i][k].join(" ");
      console.log(`${rule} ${varied}: ${line.failed ?? shown.join(", ")}; ${line.seconds.toFixed(0)} s`);
    }
}
writeFileSync(join(out, "README.md"), page(lines()));

function page(all: readonly Line[]): string {
  const { probe: read, data } = configOf(Object.keys(space.rules)[0], [], 1);
  const columns = read.labelsPerClass.flatMap((labels) => read.readOuts.map((by) => ({ by, labels })));
  const titles: Readonly<Record<ReadOut, string>> = { paper: "paper's probe", scaleFree: "scale-free", kNN: "kNN" };
  const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  const percents = ({ scores, failed }: Line): string[] =>
    columns.map(({ by, labels }) => {
      const score = scores.find((one) => one.readOut === by && one.labelsPerClass === labels);
      return score ? (100 * score.accuracy).toFixed(1) : (failed ?? "");
    });
  const rows = [untrained, ...Object.keys(space.rules)].flatMap((rule) =>
    all
      .filter((line) => line.rule === rule)
      .sort((a, b) => worth(b) - worth(a))
      .map((line, i) => {
        const loss = line.loss?.map((one) => Number(one.toPrecision(3)).toLocaleString("en-US")).join(" → ") ?? "";
        const varied = line.varied.map((one) => `\`${one}\``).join(" ");
        return row([i === 0 ? rule : "", varied, line.steps, loss, ...percents(line)]);
      }),
  );
  const head = ["rule", "setting", "steps", "loss", ...columns.map(({ by, labels }) => `${titles[by]}, ${labels}`)];
  return [
    `# Search: ${name}`,
    "",
    `\`node tools/search.ts ${path}\` trains each line for ${space.teraflops} TFLOP on ${data.dataset}, one seed, and reads it out with labels of`,
    `${read.train.dataset}, split ${read.train.split}, tested on the last ${space.holdOut.toLocaleString("en-US")} pictures of that split. Nothing was chosen by the test set. Accuracy in per cent;`,
    "the best setting of a rule, by the mean over the columns, stands first. The losses are means over the first and the last tenth of the",
    "steps; under GLL and RLL they are those of whichever layers learnt then.",
    "",
    row(head),
    row(head.map((_, i) => (i < 2 ? "---" : "--:"))),
    ...rows,
    "",
    "`cells.jsonl` holds every cell with its last X-ray.",
    "",
  ].join("\n");
}

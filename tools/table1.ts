// Trains and probes the cells of Table 1 at a small scale, one after another, and writes what came out as a record.
//
//     SACCADE_DATA=… node tools/table1.ts [--cells N] [--out records/table1-small]
//
// A finished cell stands as a line in OUT/cells.jsonl and is not run again, so the command can be stopped and started at will. The
// locality audit of every row stands beside the accuracies; --cells 0 makes the audits and the page anew and trains nothing.

import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { wasmBackend } from "../src/backends/wasm/backend.ts";
import { loadDataset } from "../src/data/datasets.ts";
import { networks } from "../src/encoders/networks.ts";
import { type ProbedEncoders, type ProbeOptions, probe, type Score, summarise } from "../src/evaluation/probe.ts";
import { type Cell, cellConfig, cells, type Scale, table1 } from "../src/experiments/table1.ts";
import { type Condition, conditions } from "../src/program/audit.ts";
import { formatBytes } from "../src/program/explain.ts";
import { auditConfigured } from "../src/training/audit-rule.ts";
import { parseConfig } from "../src/training/config.ts";
import { environment } from "../src/training/environment.ts";
import { createTrainer } from "../src/training/trainer.ts";

const scale: Scale = { name: "small", images: 5000, epochs: 5, batch: 100, learningRate: 1e-3, seeds: 3 };
const read: ProbeOptions = {
  readOuts: ["paper", "scaleFree", "kNN"],
  labelsPerClass: [10, 100],
  seeds: 2,
  epochs: 100,
  learningRate: 1e-3,
  batch: 100,
};

/** One finished cell, or the untrained encoder and the pixels of a seed. */
interface Line {
  readonly cell: string;
  readonly seed: number;
  readonly loss?: number;
  readonly seconds: number;
  readonly commit: string | null;
  readonly scores: readonly Score[];
}

const { values } = parseArgs({
  options: { cells: { type: "string", default: "1000" }, out: { type: "string", default: "records/table1-small" } },
});
const file = join(values.out, "cells.jsonl");
mkdirSync(values.out, { recursive: true });
const lines = (): Line[] =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Line)
    : [];

/** What a row asks of a synapse, as the audit finds it for all layers together. */
interface Audit {
  readonly row: string;
  readonly words: Readonly<Record<Condition, string>>;
  readonly negatives: number | undefined;
  /** Bytes of activity that the layers' changes read after the forward pass, the largest layer's. */
  readonly held: number;
  readonly disagreements: number;
}

const backend = wasmBackend();
const unlabelled = await loadDataset({ dataset: "cifar-100", split: "train", limit: scale.images });
const labelled = await loadDataset({ dataset: "cifar-10", split: "train", limit: 10_000 });
const test = await loadDataset({ dataset: "cifar-10", split: "test", limit: 5000 });
const layers = networks.cifar.blocks.length;

async function measure(encoders: ProbedEncoders["encoders"], seed: number, subjects: readonly string[]) {
  const probed = { network: "cifar", valueRange: [0, 1], encoders, seed } as const;
  return (await probe(probed, labelled, test, { ...read, subjects }, backend)).scores;
}

async function run(cell: Cell): Promise<Line> {
  const started = performance.now();
  const config = parseConfig(cellConfig(cell, scale, layers), cell.name);
  const trainer = await createTrainer(config, unlabelled, backend);
  let loss = Number.NaN;
  try {
    while (trainer.position().step < trainer.totalSteps) ({ loss } = await trainer.step());
    const weights = await trainer.state();
    const seconds = (performance.now() - started) / 1000;
    const scores = await measure({ trained: weights }, cell.seed, ["trained"]);
    return { cell: cell.name, seed: cell.seed, loss, seconds, commit: environment(backend).commit, scores };
  } finally {
    await trainer.dispose();
  }
}

/** One line of the table, without the seed. */
const rowOf = ({ row: { loss, learning, update }, constrained }: Cell): string =>
  `${loss} ${learning} ${update}${constrained ? ", block + 5 neg." : ""}`;

async function audit(cell: Cell): Promise<Audit> {
  const { summary, lessons } = await auditConfigured(parseConfig(cellConfig(cell, scale, layers), cell.name), backend);
  const audited = lessons.flatMap((lesson) => lesson.layers);
  return {
    row: rowOf(cell),
    words: Object.fromEntries(conditions.map((one) => [one, summary[one].word])) as Record<Condition, string>,
    negatives: audited[0].negatives,
    held: Math.max(...audited.map(({ held }) => held.reduce((sum, { bytes }) => sum + bytes, 0))),
    disagreements: audited.reduce((sum, { disagreements }) => sum + disagreements.length, 0),
  };
}

const audits: Audit[] = [];
for (const cell of cells(scale).filter(({ seed }) => seed === 0)) audits.push(await audit(cell));

let left = Number(values.cells);
for (const cell of cells(scale)) {
  if (left <= 0) break;
  const done = lines();
  const floor = `floor-${cell.seed}`;
  if (!done.some((line) => line.cell === floor)) {
    const scores = await measure({}, cell.seed, ["random", "pixels"]);
    const line: Line = { cell: floor, seed: cell.seed, seconds: 0, commit: environment(backend).commit, scores };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  }
  if (done.some((line) => line.cell === cell.name)) continue;
  const line = await run(cell);
  appendFileSync(file, `${JSON.stringify(line)}\n`);
  left--;
  console.log(`${cell.name}: ${line.seconds.toFixed(0)} s, loss ${line.loss?.toPrecision(4)}`);
  writeFileSync(join(values.out, "README.md"), report(lines()));
}

writeFileSync(join(values.out, "README.md"), report(lines()));

/** Mean over seeds and draws of labels, in per cent, with the sample standard deviation where there are several. */
function cellText(scores: readonly Score[], readOut: string, labels: number | "all", subject: string): string {
  const found = summarise(scores).find(
    (mean) => mean.readOut === readOut && mean.labelsPerClass === labels && mean.subject === subject,
  );
  if (!found) return "–";
  const sd = Number.isFinite(found.sd) ? ` ± ${(100 * found.sd).toFixed(1)}` : "";
  return `${(100 * found.mean).toFixed(1)}${sd}`;
}

function report(all: readonly Line[]): string {
  const columns = read.readOuts.flatMap((readOut) => read.labelsPerClass.map((labels) => ({ readOut, labels })));
  const row = (title: string, scores: readonly Score[], subject: string, rest: readonly string[]): string =>
    `| ${[title, ...columns.map(({ readOut, labels }) => cellText(scores, readOut, labels, subject)), ...rest].join(" | ")} |`;
  const scoresOf = (start: string): Score[] =>
    all.filter(({ cell }) => cell.startsWith(start)).flatMap(({ scores }) => scores);
  const seedsOf = (start: string): number => all.filter(({ cell }) => cell.startsWith(start)).length;
  const rows = table1.flatMap(({ loss, learning, update, published }) =>
    (["free", "constrained"] as const).flatMap((kind) => {
      const start = `${[loss, learning, update, kind].join("-")}-`;
      if (seedsOf(start) === 0) return [];
      const title = rowOf({
        name: "",
        seed: 0,
        row: { loss, learning, update, published },
        constrained: kind === "constrained",
      });
      return [row(title, scoresOf(start), "trained", [String(seedsOf(start)), String(published[kind] ?? "–")])];
    }),
  );
  const heads = columns.map(({ readOut, labels }) => `${readOut} ${labels}`);
  return `${[
    "# Table 1 at a small scale",
    "",
    `CIFAR-100 (first ${scale.images} images, ${scale.epochs} passes in all under every Learning, batch ${scale.batch}, Adam ${scale.learningRate}) → CIFAR-10.`,
    "The paper: 50,000 images, 400 epochs (per layer for GLL and RLL), batch 500, Adam 1e-4. Accuracy in per cent on 5,000 test images, by read-out and",
    `labels a class, mean ± sd over seeds of training and ${read.seeds} draws of labels. Preset paper-text. Made by \`node tools/table1.ts\`; every score is in cells.jsonl.`,
    "",
    `| loss, learning, update | ${heads.join(" | ")} | seeds | published |`,
    `| --- | ${heads.map(() => "--:").join(" | ")} | --: | --: |`,
    row("random encoder", scoresOf("floor-"), "random", [String(seedsOf("floor-")), "61.23"]),
    row("pixels", scoresOf("floor-"), "pixels", [String(seedsOf("floor-")), "–"]),
    ...rows,
    "",
    "## What each row asks of a synapse",
    "",
    "The locality audit of the same configurations (`saccade audit` explains the words; (i) activities, (ii) arithmetic, (iii) transport of",
    "weights, (iv) labels), with the negatives that one view's error needs, the activity that the largest layer must keep for its change",
    `(batch ${scale.batch}), and whether every verdict was borne out by intervention.`,
    "",
    "| loss, learning, update | (i) | (ii) | (iii) | (iv) | negatives | kept | confirmed |",
    "| --- | --- | --- | --- | --- | --: | --: | --- |",
    ...audits.map(
      ({ row: title, words, negatives, held, disagreements }) =>
        `| ${[title, ...conditions.map((one) => words[one]), negatives ?? "–", formatBytes(held), disagreements === 0 ? "yes" : "NO"].join(" | ")} |`,
    ),
  ].join("\n")}\n`;
}

// Trains and reads out the cells of Table 1 at a scale, one after another, and writes what came out as a record.
//
//     SACCADE_DATA=… node tools/table1.ts --work ../long/table1 [--scale medium] [--out records/table1-medium]
//         [--seeds 0,1,2] [--only REGEX] [--threads 1] [--page]
//
// Runs stand in WORK/runs and go on where they stopped; a finished cell stands as a line in OUT/cells.jsonl and is not run again, so the
// command can be stopped and started at will, and several can share the work (--only). --page makes the page in OUT anew and trains nothing.

import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wasmBackend } from "../src/backends/wasm/backend.ts";
import { loadDataset } from "../src/data/datasets.ts";
import { type ProbedEncoders, type ProbeOptions, probe, type Score, summarise } from "../src/evaluation/probe.ts";
import { differences, overall, type Runs, table1Claims } from "../src/experiments/claims.ts";
import {
  type Cell,
  cellConfig,
  cells,
  rowName,
  type Scale,
  scales,
  table1,
  table1Random,
} from "../src/experiments/table1.ts";
import { type Condition, conditions } from "../src/program/audit.ts";
import { formatBytes } from "../src/program/explain.ts";
import { mean } from "../src/program/mean.ts";
import { auditConfigured } from "../src/training/audit-rule.ts";
import { latestCheckpoint } from "../src/training/checkpoints.ts";
import { environment } from "../src/training/environment.ts";
import { describeRate } from "../src/training/rate-schedule.ts";
import { configText, fingerprint, openRun, readMetrics } from "../src/training/run-folder.ts";
import type { LayerNumbers } from "../src/training/xray.ts";
import { addCell, readCells } from "./cells.ts";

const { values } = parseArgs({
  options: {
    scale: { type: "string", default: "medium" },
    out: { type: "string" },
    work: { type: "string" },
    seeds: { type: "string", default: "0,1,2" },
    only: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    page: { type: "boolean", default: false },
  },
});
if (!Object.hasOwn(scales, values.scale)) throw new Error(`--scale: must be one of ${Object.keys(scales).join(", ")}`);
const scale: Scale = scales[values.scale as keyof typeof scales];
const out = values.out ?? `records/table1-${scale.name}`;
const file = join(out, "cells.jsonl");
const seeds = values.seeds.split(",").map(Number);
mkdirSync(out, { recursive: true });

const testImages = scale.name === "smoke" ? 200 : 10_000;
const labelled = scale.name === "smoke" ? 500 : 45_000;
const read: ProbeOptions =
  scale.name === "smoke"
    ? {
        readOuts: ["paper", "scaleFree", "kNN"],
        labelsPerClass: [10],
        seeds: 1,
        epochs: 2,
        learningRate: 1e-3,
        batch: 100,
      }
    : {
        readOuts: ["paper", "scaleFree", "kNN"],
        labelsPerClass: [10, 100, "all"],
        seeds: 1,
        epochs: 100,
        learningRate: 1e-3,
        batch: 500,
      };

/** One finished cell, or the untrained encoder and the pixels of a seed. */
interface Line {
  readonly cell: string;
  /** Fingerprint of the configuration. */
  readonly key: string;
  readonly seed: number;
  readonly epochs?: number;
  readonly steps?: number;
  readonly seconds?: number;
  /** Mean losses of the first and of the last noted steps, of the layer that learnt last. */
  readonly loss?: readonly [number, number];
  readonly alarms?: readonly string[];
  /** The last look at every layer. */
  readonly xray?: readonly LayerNumbers[];
  readonly commit: string | null;
  readonly scores: readonly Score[];
}

const lines = (): Line[] => readCells(file);

const backend = wasmBackend({ threads: Number(values.threads) });
const range = [-1, 1] as const;

async function measure(encoders: ProbedEncoders["encoders"], seed: number, subjects: readonly string[]) {
  const train = await loadDataset({ dataset: "cifar-10", split: "train", limit: labelled });
  const test = await loadDataset({ dataset: "cifar-10", split: "test", limit: testImages });
  const probed = { network: "cifar", valueRange: range, encoders, seed } as const;
  return (await probe(probed, train, test, { ...read, subjects }, backend)).scores;
}

async function run(cell: Cell, work: string): Promise<Line> {
  const config = cellConfig(cell, scale);
  mkdirSync(join(work, "configs"), { recursive: true });
  const path = join(work, "configs", `${cell.name}.yaml`);
  writeFileSync(path, configText(config));
  const folder = await trained(path, work);
  const opened = openRun(folder);
  const checkpoint = latestCheckpoint(opened.run.checkpoints);
  if (checkpoint === undefined) throw new Error(`${folder}: no checkpoint`);
  const metrics = readMetrics(opened.run);
  const steps = metrics.filter((metric) => metric.kind === "step");
  const own = steps.filter(({ layer }) => layer === steps.at(-1)?.layer).map(({ loss }) => loss);
  const newest = new Map<string, LayerNumbers>();
  for (const metric of metrics)
    if (metric.kind === "xray") for (const layer of metric.layers) newest.set(layer.name, layer);
  const scores = await measure({ trained: checkpoint.state }, cell.seed, ["trained"]);
  rmSync(opened.run.checkpoints, { recursive: true });
  return {
    cell: cell.name,
    key: fingerprint(config),
    seed: cell.seed,
    epochs: config.epochs,
    steps: checkpoint.position.step,
    loss: [mean(own.slice(0, 10)), mean(own.slice(-10))],
    alarms: metrics.flatMap((metric) => (metric.kind === "alarm" ? [metric.message] : [])),
    xray: [...newest.values()],
    commit: environment(backend).commit,
    scores,
  };
}

/** Trains a configuration with the command line's own command, so that it goes on after any stop; the run's folder. */
function trained(path: string, work: string): Promise<string> {
  const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
  const words = ["train", path, "--resume", "auto", "--no-probe", "--json", "--runs", join(work, "runs")];
  const child = spawn(process.execPath, [main, ...words, "--threads", values.threads], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  child.stdout.on("data", (bytes) => (told += bytes));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve((JSON.parse(told) as { run: string }).run);
      else reject(new Error(`saccade ${words.join(" ")}: ended with ${code}`));
    });
  });
}

if (!values.page) {
  if (values.work === undefined) throw new Error("--work: say where the runs may stand");
  for (const seed of seeds) {
    const floor = `floor-${seed}`;
    if (!lines().some(({ cell }) => cell === floor)) {
      const scores = await measure({}, seed, ["random", "pixels"]);
      addCell(file, { cell: floor, key: "", seed, commit: environment(backend).commit, scores });
    }
    for (const cell of cells(seed)) {
      if (!new RegExp(values.only).test(cell.name) || lines().some((line) => line.cell === cell.name)) continue;
      const started = performance.now();
      const line = { ...(await run(cell, values.work)), seconds: (performance.now() - started) / 1000 };
      addCell(file, line);
      console.log(`${cell.name}: ${line.seconds.toFixed(0)} s`);
      writeFileSync(join(out, "README.md"), await report(lines()));
    }
  }
}
writeFileSync(join(out, "README.md"), await report(lines()));

/** Mean over seeds and draws of labels, in per cent, with the standard deviation over them where there are several. */
function cellText(scores: readonly Score[], readOut: string, labels: number | "all"): string {
  const found = summarise(scores).find((mean) => mean.readOut === readOut && mean.labelsPerClass === labels);
  if (!found) return "–";
  const sd = Number.isFinite(found.sd) ? ` ± ${(100 * found.sd).toFixed(1)}` : "";
  return `${(100 * found.mean).toFixed(1)}${sd}`;
}

async function report(all: readonly Line[]): Promise<string> {
  const columns = read.readOuts.flatMap((readOut) => read.labelsPerClass.map((labels) => ({ readOut, labels })));
  const tableRow = (title: string, scores: readonly Score[], rest: readonly string[]): string =>
    `| ${[title, ...columns.map(({ readOut, labels }) => cellText(scores, readOut, labels)), ...rest].join(" | ")} |`;
  const runsOf = (side: string): Runs =>
    side === "random"
      ? floors.map(({ scores }) => scores.filter(({ subject }) => subject === "random"))
      : all.filter(({ cell }) => cell.replace(/-\d+$/, "") === side).map(({ scores }) => scores);
  const floors = all.filter(({ cell }) => cell.startsWith("floor-"));
  const ofFloors = (subject: string): Score[] =>
    floors.flatMap(({ scores }) => scores.filter((score) => score.subject === subject));
  const present = [true, false].flatMap((constrained) =>
    table1
      .map((row) => ({ row, constrained, name: rowName(row, constrained) }))
      .filter(({ name }) => runsOf(name).length > 0),
  );
  const title = ({ row, constrained }: (typeof present)[number]): string =>
    `${row.loss === "contrastiveHinge" ? "hinge" : row.loss} ${row.learning} ${row.update}${constrained ? ", block + 5 neg." : ""}`;
  const heads = columns.map(({ readOut, labels }) => `${readOut} ${labels === "all" ? "all" : 10 * labels}`);
  const results = present.map((one) => {
    const published = one.row.published[one.constrained ? "constrained" : "free"];
    const runs = runsOf(one.name);
    return tableRow(title(one), runs.flat(), [String(runs.length), String(published ?? "–")]);
  });
  const claims = table1Claims.map(({ text, pairs, ...claim }) => {
    const found = pairs.map(([a, b]) => ({ a, b, all: differences(runsOf(a), runsOf(b), claim, testImages) }));
    const decided = overall(found.flatMap(({ all: list }) => list.map(({ decision }) => decision)));
    const numbers = found
      .filter(({ all: list }) => list.length > 0)
      .map(({ a, b, all: list }) => {
        const shown = list.map(
          ({ readOut, labelsPerClass, difference, error }) =>
            `${readOut} ${labelsPerClass === "all" ? "all" : 10 * Number(labelsPerClass)}: ${difference >= 0 ? "+" : "−"}${Math.abs(difference).toFixed(1)} ± ${error.toFixed(1)}`,
        );
        return `  - ${a} against ${b}: ${shown.join(", ")}`;
      });
    return [`- **${text}: ${numbers.length === 0 ? "no numbers yet" : decided}**`, ...numbers].join("\n");
  });
  const audits: string[] = [];
  const details: string[] = [];
  for (const one of present) {
    const line = all.find(({ cell }) => cell.startsWith(`${one.name}-`));
    const config = cellConfig({ ...one, seed: 0 }, scale);
    const { summary, lessons } = await auditConfigured(config, backend);
    const layers = lessons.flatMap((lesson) => lesson.layers);
    const held = Math.max(...layers.map((layer) => layer.held.reduce((sum, { bytes }) => sum + bytes, 0)));
    const words = conditions.map((condition: Condition) => summary[condition].word);
    const agree = layers.every(({ disagreements }) => disagreements.length === 0) ? "yes" : "NO";
    audits.push(`| ${[title(one), ...words, layers[0].negatives ?? "–", formatBytes(held), agree].join(" | ")} |`);
    const looks = (line?.xray ?? []).map(({ name, angleBP, angleWB, dead, saturated, epsilonShare }) =>
      [
        name,
        angleBP === undefined ? "" : `${angleBP.toFixed(0)}° to BP`,
        angleWB === undefined ? "" : `W–B ${angleWB.toFixed(1)}°`,
        dead > 0.005 ? `${(100 * dead).toFixed(0)} % dead` : "",
        (saturated ?? 0) > 0.005 ? `${(100 * (saturated ?? 0)).toFixed(0)} % saturated` : "",
        (epsilonShare ?? 0) > 0.005 ? `ε ${(100 * (epsilonShare ?? 0)).toFixed(0)} %` : "",
      ]
        .filter((word) => word !== "")
        .join(", "),
    );
    details.push(
      `- ${title(one)}: ${config.optimiser.kind} ${describeRate(config.optimiser)}; ${line?.steps} steps, ${((line?.seconds ?? 0) / 60).toFixed(0)} min; loss ${(line?.loss ?? []).map((loss) => loss.toPrecision(3)).join(" → ")}${line?.alarms?.length ? `; **alarm**: ${line.alarms.join("; ")}` : ""}. X-ray of seed 0: ${looks.join("; ")}.`,
    );
  }
  return `${[
    `# Table 1 at scale ${scale.name}`,
    "",
    `CIFAR-100 (${scale.images} images, batch ${scale.batch}, inputs in [${range.join(", ")}]) → CIFAR-10. End-to-end rows pass over the images ${scale.epochs} times; layer-wise rows as`,
    "often as costs the same floating-point operations as BP end to end in the same column. The paper: 400 passes (per layer for GLL and",
    `RLL), batch 500, Adam 1e-4, inputs in [0, 1]. So the published numbers stand beside ours, not against them. Accuracy in per cent on ${testImages}`,
    `test images with so many labels in all (${labelled} are all), mean ± sd over seeds; the paper's probe runs ${read.epochs} epochs.`,
    "Recipes: docs/recipes.md. Made by `node tools/table1.ts`; every score and X-ray is in cells.jsonl.",
    "",
    `| loss, learning, update | ${heads.join(" | ")} | seeds | published |`,
    `| --- | ${heads.map(() => "--:").join(" | ")} | --: | --: |`,
    tableRow("random encoder", ofFloors("random"), [String(floors.length), String(table1Random)]),
    tableRow("pixels", ofFloors("pixels"), [String(floors.length), "–"]),
    ...results,
    "",
    "## What the paper claims",
    "",
    "Differences in points, with their standard errors (over seeds; of a single seed those of 10,000 answers). A difference decides where it",
    "passes or misses its bound by twice its error; a claim is decided where most of its differences are, and none the other way.",
    "",
    ...claims,
    "",
    "## Each row's training",
    "",
    ...details,
    "",
    "## What each row asks of a synapse",
    "",
    "The locality audit of the same configurations (`saccade audit` explains the words), with the negatives that one view's error needs, the",
    "activity that the largest layer must keep, and whether every verdict was borne out by intervention.",
    "",
    "| loss, learning, update | (i) | (ii) | (iii) | (iv) | negatives | kept | confirmed |",
    "| --- | --- | --- | --- | --- | --: | --: | --- |",
    ...audits,
  ].join("\n")}\n`;
}

// Trains a tiny configuration for very many steps in one process and says whether anything grows: memory, threads, open files.
//
//     node --expose-gc tools/soak.ts [--steps 150000] [--out records/2026-11-26_soak]
//
// Each sample follows a full garbage collection, so that what grows is kept by something. The run itself, with an X-ray and a checkpoint
// now and then and a line of metrics for every step, goes into a folder of its own and is removed at the end. Ctrl-C ends it early, with
// the report of what was done.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Backend } from "../src/backends/backend.ts";
import { wasmBackend } from "../src/backends/wasm/backend.ts";
import { loadDataset } from "../src/datasets/datasets.ts";
import { linearTicks, plotMarkup } from "../src/figures/plot.ts";
import { svgToPng } from "../src/figures/png.ts";
import { areaColours, colours, fontSize, lineColour, margin, sheet, sheetWidth } from "../src/figures/sheet.ts";
import { writeFigure } from "../src/figures/write-figure.ts";
import { writeWhole } from "../src/files/files.ts";
import { formatBytes } from "../src/program/explain.ts";
import { configText } from "../src/record/config-text.ts";
import { environment } from "../src/runs/environment.ts";
import { createRun } from "../src/runs/run-folder.ts";
import { train } from "../src/runs/train.ts";
import { parseConfig } from "../src/training/parse-config.ts";
import { growth } from "./growth.ts";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "150000" },
    out: { type: "string", default: "records/2026-11-26_soak" },
  },
});
const steps = Number(values.steps);
const [batch, images] = [4, 64];
const stepsPerEpoch = images / batch;
const sampleEvery = Math.max(1, Math.round(steps / 200));

/** One look at the process; memory in bytes. */
interface Sample {
  readonly step: number;
  readonly seconds: number;
  readonly rss: number;
  readonly heapTotal: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  /** The engine's arena: all WebAssembly memory there is. */
  readonly wasm: number;
  /** What keeps the process alive: timers, ports, workers. */
  readonly handles: number;
  /** Of the operating system, where it tells. */
  readonly openFiles: number | null;
  readonly threads: number | null;
}

const config = parseConfig(
  {
    name: "soak",
    data: { dataset: "procedural-objects", split: "unlabelled", size: 16, limit: images },
    encoder: "tiny",
    batch,
    epochs: Math.ceil(steps / stepsPerEpoch),
    xrayEvery: 500,
    checkpointEvery: Math.round(1000 / stepsPerEpoch),
  },
  "soak",
);

const { gc } = globalThis;
if (gc === undefined) throw new Error("node --expose-gc tools/soak.ts: samples need a garbage collection before them");

const inner = wasmBackend({ threads: 1 });
let wasm = 0;
const backend: Backend = {
  ...inner,
  prepare: async (programs) => {
    const engine = await inner.prepare(programs);
    wasm = engine.bytes;
    return engine;
  },
};
const here = environment(inner);
const started = performance.now();
const samples: Sample[] = [];

function listed(folder: string): number | null {
  try {
    return readdirSync(folder).length;
  } catch {
    return null;
  }
}

function sample(step: number): void {
  gc?.();
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  samples.push({
    step,
    seconds: (performance.now() - started) / 1000,
    rss,
    heapTotal,
    heapUsed,
    external,
    arrayBuffers,
    wasm,
    handles: process.getActiveResourcesInfo().length,
    openFiles: listed("/proc/self/fd"),
    threads: listed("/proc/self/task"),
  });
}

/** What may grow; resident memory also without V8's heap, which is taken in ever fewer and larger pieces until it has its size. */
const watched = {
  rss: ({ rss }) => rss,
  rssBesidesHeap: ({ rss, heapTotal }) => rss - heapTotal,
  heapTotal: ({ heapTotal }) => heapTotal,
  heapUsed: ({ heapUsed }) => heapUsed,
  external: ({ external }) => external,
  wasm: (one) => one.wasm,
  handles: ({ handles }) => handles,
  openFiles: ({ openFiles }) => openFiles ?? 0,
  threads: ({ threads }) => threads ?? 0,
} satisfies Record<string, (one: Sample) => number>;

/** Growth per 1,000 steps. */
function slope(of: (one: Sample) => number) {
  const { slope: per1000Steps, ...rest } = growth(samples, ({ step }) => step / 1000, of);
  return { per1000Steps, ...rest };
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const folder = mkdtempSync(join(tmpdir(), "saccade-soak-"));
try {
  const dataset = await loadDataset(config.data);
  const run = await createRun(folder, config, here);
  const { steps: done, seconds } = await train({
    config,
    dataset,
    backend,
    run,
    signal: stop.signal,
    onStep: ({ position: { step } }) => {
      if (step % sampleEvery !== 0) return;
      sample(step);
      const { rss, heapUsed } = samples[samples.length - 1];
      if (samples.length % 10 === 0)
        process.stderr.write(`step ${step}: ${formatBytes(rss)} resident, ${formatBytes(heapUsed)} of heap\n`);
    },
  });
  const lastHalf = Object.fromEntries(Object.entries(watched).map(([name, of]) => [name, slope(of)]));
  const metricsBytes = readFileSync(run.metrics).length;
  const report = { steps: done, seconds, metricsBytes, lastHalf, samples };
  await writeWhole(join(values.out, "soak.json"), `${JSON.stringify(report, null, 1)}\n`);
  await writeWhole(join(values.out, "config.yaml"), configText(config));
  await writeWhole(join(values.out, "environment.json"), `${JSON.stringify(here, null, 2)}\n`);
  const figure = await memoryFigure(done);
  await writeFigure(values.out, "memory", figure, await svgToPng(figure));
  process.stdout.write(`${JSON.stringify({ steps: done, seconds, lastHalf }, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function memoryFigure(done: number): Promise<string> {
  const height = 380;
  const lines = [
    { text: "resident", colour: lineColour, of: ({ rss }: Sample) => rss },
    { text: "heap taken", colour: areaColours[4], of: ({ heapTotal }: Sample) => heapTotal },
    { text: "heap used", colour: areaColours[1], of: ({ heapUsed }: Sample) => heapUsed },
    { text: "WebAssembly", colour: areaColours[3], of: (one: Sample) => one.wasm },
  ];
  const mebi = (bytes: number): number => bytes / 2 ** 20;
  const y = linearTicks(0, mebi(Math.max(...samples.map(({ rss }) => rss))), 5);
  const x = linearTicks(0, done, 5);
  const picture = await plotMarkup((plot) => ({
    width: sheetWidth,
    height,
    marginTop: fontSize * 0.5,
    marginLeft: margin + 50,
    marginRight: margin + 40,
    marginBottom: fontSize * 3,
    x: { domain: [0, done], axis: null },
    y: { domain: [0, y.values[y.values.length - 1]], axis: null },
    marks: [
      plot.ruleY(y.values, { stroke: colours.grid }),
      plot.text(y.values, {
        y: (d) => d,
        text: y.format,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -10,
        fill: colours.quiet,
      }),
      plot.axisX(x.values, {
        tickFormat: x.format,
        tickSize: 6,
        tickPadding: 6,
        label: "step",
        labelAnchor: "center",
        labelArrow: "none",
        labelOffset: fontSize * 2.6,
        fill: colours.quiet,
        stroke: colours.quiet,
      }),
      ...lines.map(({ colour, of }) =>
        plot.line(samples, { x: "step", y: (one: Sample) => mebi(of(one)), stroke: colour, strokeWidth: 3 }),
      ),
    ],
  }));
  return sheet({
    title: `memory over ${done.toLocaleString("en-US")} steps`,
    caption: "MiB",
    keys: lines.map(({ text, colour }) => ({ text, colour, thickness: 4 })),
    picture,
    pictureHeight: height,
  });
}

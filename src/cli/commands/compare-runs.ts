// saccade runs compare: what differs in the configurations of runs, and what came out, side by side.

import { basename, extname } from "node:path";
import { type Mean, ofLastLayer, type ProbeReport, summarise } from "../../evaluation/probe.ts";
import { lossCurves, mostCurves } from "../../figures/loss-curve.ts";
import { svgToPng } from "../../figures/png.ts";
import { writeWhole } from "../../files/files.ts";
import { SaccadeError } from "../../program/errors.ts";
import type { Metric } from "../../record/metrics.ts";
import { newestLayers, type RunSummary, readMetrics, runFolder, summariseRun } from "../../runs/run-folder.ts";
import type { Config } from "../../training/config.ts";
import type { LayerNumbers } from "../../training/xray.ts";
import { exitCodes } from "../exit-codes.ts";
import { formatTable, labelsPerClassText, percent, readOutNames, signed, wrap } from "../table.ts";
import { currentProbe } from "./probe.ts";
import { epochsText, lossText, stateOf } from "./runs.ts";

interface Compared extends RunSummary {
  readonly state: string;
  readonly metrics: readonly Metric[];
  /** The newest numbers of each layer. */
  readonly xray: readonly LayerNumbers[];
  readonly probe: ProbeReport | undefined;
}

export async function compareRuns(
  paths: readonly string[],
  { json, figure }: { readonly json?: boolean; readonly figure?: string },
): Promise<number> {
  if (figure !== undefined) checkFigure(figure, paths.length);
  const runs = paths.map((path): Compared => {
    const summary = summariseRun(path);
    const metrics = readMetrics(runFolder(path));
    return { ...summary, state: stateOf(summary), metrics, xray: newestLayers(metrics), probe: currentProbe(path) };
  });
  const differing = differingKeys(runs.map(({ config }) => config));
  if (figure !== undefined) await drawFigure(figure, runs, differing);
  if (json) {
    const told = runs.map(({ metrics: _, modified: __, ...run }) => run);
    process.stdout.write(`${JSON.stringify({ differing: Object.fromEntries(differing), runs: told })}\n`);
    return exitCodes.done;
  }
  const letters = runs.map((_, i) => letterOf(i));
  const legend = runs.map(({ path }, i) => `${letters[i]}  ${path}\n`).join("");
  const blank = ["", ...runs.map(() => "")];
  const groups = [configRows(differing), resultRows(runs), xrayRows(runs), probeRows(runs)].filter(
    (rows) => rows.length > 0,
  );
  const rows = groups.flatMap((group, i) => (i === 0 ? group : [blank, ...group]));
  const table = formatTable([["", ...letters], ...rows], 1).replaceAll(/ +$/gm, "");
  const notes = runs.some(({ probe }) => probe)
    ? wrap("\nProbe: accuracy of the trained code in %; in brackets, against the encoder before training.\n")
    : "";
  process.stdout.write(`${legend}\n${table}\n${notes}`);
  return exitCodes.done;
}

const letterOf = (i: number): string => (i < 26 ? String.fromCharCode(65 + i) : String(i + 1));

/** Keys of the configurations that are not the same everywhere, as a path: one value for each run. */
function differingKeys(configs: readonly Config[]): [string, unknown[]][] {
  const flat = configs.map((config) => new Map(leaves(config, "")));
  const groups = [...new Set(configs.flatMap((config) => Object.keys(config)))];
  const groupOf = (key: string): number => groups.indexOf(key.split(".")[0]);
  const keys = [...new Set(flat.flatMap((one) => [...one.keys()]))].sort((a, b) => groupOf(a) - groupOf(b));
  return keys.flatMap((key): [string, unknown[]][] => {
    const values = flat.map((one) => one.get(key));
    return new Set(values.map((value) => JSON.stringify(value))).size > 1 ? [[key, values]] : [];
  });
}

function leaves(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

const configRows = (differing: readonly [string, readonly unknown[]][]): string[][] =>
  differing.map(([key, values]) => [
    key,
    ...values.map((value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value))),
  ]);

const resultRows = (runs: readonly Compared[]): string[][] => [
  ["state", ...runs.map(({ state }) => state)],
  ["epochs", ...runs.map(epochsText)],
  ["last loss", ...runs.map(lossText)],
];

const angleNames = { angleBP: "angle to BP", angleWB: "angle of W and B" } as const;

/** Of each block the two angles, of all layers the highest share of dead units. */
function xrayRows(runs: readonly Compared[]): string[][] {
  const blocks = [...new Set(runs.flatMap(({ xray }) => xray.filter(({ layer }) => layer).map(({ name }) => name)))];
  const angles = (Object.keys(angleNames) as (keyof typeof angleNames)[]).flatMap((angle) =>
    blocks.map((block) =>
      row(`${angleNames[angle]}, ${block}`, runs, ({ xray }) => {
        const degrees = xray.find(({ name }) => name === block)?.[angle];
        return degrees === undefined ? undefined : `${degrees.toFixed(1)}°`;
      }),
    ),
  );
  const dead = row("dead units, most in a layer", runs, ({ xray }) =>
    xray.length === 0 ? undefined : `${(100 * Math.max(...xray.map((layer) => layer.dead))).toFixed(1)} %`,
  );
  return [...angles, dead].filter((one) => one !== undefined);
}

/** Nothing where no run has such a number. */
function row<R>(title: string, runs: readonly R[], cell: (run: R) => string | undefined): string[] | undefined {
  const cells = runs.map(cell);
  return cells.some((text) => text !== undefined) ? [title, ...cells.map((text) => text ?? "–")] : undefined;
}

/** One for each read-out and number of labels; and what else a score hangs on, where it differs. */
function probeRows(runs: readonly Compared[]): string[][] {
  const means = runs.map(({ probe }) => (probe ? summarise(ofLastLayer(probe.scores)) : []));
  const titleOf = ({ readOut, labelsPerClass }: Mean): string =>
    `${readOutNames[readOut]}, ${labelsPerClassText(labelsPerClass)}`;
  const order = Object.keys(readOutNames);
  const all = means.flat().sort((a, b) => order.indexOf(a.readOut) - order.indexOf(b.readOut));
  const scores = [...new Set(all.map(titleOf))].map((title) =>
    row(title, means, (own) => {
      const of = (subject: string): Mean | undefined =>
        own.find((mean) => mean.subject === subject && titleOf(mean) === title);
      const [trained, random] = [of("trained"), of("random")];
      const gain = trained && random ? ` (${signed(100 * (trained.mean - random.mean))})` : "";
      return trained && `${percent(trained)}${gain}`;
    }),
  );
  const probed = runs.flatMap(({ probe }) => probe ?? []);
  const conditions: [string, (probe: ProbeReport) => string][] = [
    ["labels from", ({ train, trainImages }) => `${train} (${trainImages})`],
    ["tested on", ({ test, testImages }) => `${test} (${testImages})`],
    ["draws of labels", ({ options }) => String(options.seeds)],
  ];
  const differing = conditions
    .filter(([, text]) => new Set(probed.map(text)).size > 1)
    .map(([title, text]) => row(title, runs, ({ probe }) => probe && text(probe)));
  return [...scores, ...differing].filter((one) => one !== undefined);
}

function checkFigure(file: string, count: number): void {
  if (![".svg", ".png"].includes(extname(file)))
    throw new SaccadeError(`runs compare: --figure must end in .svg or .png, got ${file}`);
  if (count > mostCurves)
    throw new SaccadeError(
      `runs compare: --figure draws at most ${mostCurves} runs, got ${count}; leave it out or take fewer`,
    );
}

async function drawFigure(
  file: string,
  runs: readonly Compared[],
  differing: readonly [string, unknown[]][],
): Promise<void> {
  const names = runs.map(({ config }) => config.name);
  const distinct = new Set(names).size === names.length;
  const scale = differing.map(([key]) => key).filter((key) => /^(batch|learning|loss\.(?!gradientBlock))/.test(key));
  const svg = await lossCurves({
    title: `Loss of ${runs.length} runs`,
    runs: runs.map(({ path, metrics }, i) => ({
      name: distinct ? names[i] : `${letterOf(i)}: ${basename(path)}`,
      points: metrics.filter((metric) => metric.kind === "step"),
    })),
    notes: scale.length > 0 ? [`not of one scale: the runs differ in ${scale.join(", ")}`] : [],
  });
  await writeWhole(file, extname(file) === ".png" ? await svgToPng(svg) : svg);
}

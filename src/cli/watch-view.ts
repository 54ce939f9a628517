// What saccade watch shows of a run: lines of text that fit a terminal, or the news since a look before.

import { networkOf } from "../encoders/networks.ts";
import { shellWord } from "../files/files.ts";
import { duration } from "../program/duration.ts";
import { type Evaluation, ofLastBlock } from "../record/metrics.ts";
import type { WatchedRun } from "../runs/watched-run.ts";
import { progressLine } from "./progress.ts";
import { formatTable, readOutNames, signed, sparkline, wrap } from "./table.ts";
import { textPlot } from "./text-plot.ts";

/** Rows of the loss curve, and letters in which its numbers stand. */
const [plotRows, plotLabel] = [5, 10];
/** Losses that span more than this are drawn by their logarithm, as in the figure. */
const linearDecades = 1.5;
/** Letters of an evaluation's course at most, on a terminal of so many columns. */
const courseLetters = (columns: number): number => (columns < 80 ? 6 : 16);
/** Alarms and interventions that are shown, the last. */
const noticesShown = 3;

/** All there is to see, none of it wider than `columns` less one. */
export function watchLines(run: WatchedRun, columns: number): string[] {
  const { config } = run;
  const { learning, update, loss, encoder } = config;
  const lines = [
    `${config.name}: ${learning}, ${update}, ${loss.kind}, ${networkOf(encoder).name}`,
    run.path,
    progressLine(labels[run.state], share(run), progressWords(run), columns),
    ...lossLines(run, columns),
    ...evaluationLines(run, columns),
    ...noticeLines(run, columns),
    ...xrayLines(run),
  ];
  return lines.map((line) => cut(line, columns - 1));
}

const labels = { running: "training", done: "done", stopped: "stopped", imported: "imported" } as const;

const cut = (line: string, most: number): string => {
  const letters = [...line];
  return letters.length <= most ? line : `${letters.slice(0, most - 1).join("")}…`;
};

const share = ({ step, steps }: WatchedRun): number => (steps ? Math.min(1, step / steps) : 0);

/** `40 %`, `epoch 0.8 of 2`, …: what matters most first. */
export function progressWords(run: WatchedRun): string[] {
  const { state, step, steps, epoch, epochs, loss, layer, secondsLeft } = run;
  if (steps === undefined) return ["0 %", state === "running" ? "before its first step" : "without a step"];
  return [
    `${Math.floor(100 * share(run))} %`,
    `epoch ${epoch.toFixed(1)} of ${epochs}`,
    ...(secondsLeft === undefined ? [] : [`${duration(secondsLeft)} left`]),
    ...(state === "running" && step === steps ? ["now figures and probe"] : []),
    ...(loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`]),
    ...(layer === undefined ? [] : [`layer ${layer}`]),
    `step ${step} of ${steps}`,
  ];
}

function lossLines({ losses }: WatchedRun, columns: number): string[] {
  const finite = losses.filter(({ loss }) => Number.isFinite(loss));
  if (finite.length < 2) return [];
  const values = finite.map(({ loss }) => loss);
  const [least, most] = values.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
  const logarithmic = least > 0 && Math.log10(most / least) > linearDecades;
  const width = Math.min(100, columns - 1) - plotLabel - 1;
  const points = finite.map(({ epoch: x, loss: y }) => ({ x, y }));
  const { lines, low, high } = textPlot({ points, width, height: plotRows, logarithmic });
  const label = (row: number): string =>
    row === 0 ? high.toPrecision(4) : row === plotRows - 1 ? low.toPrecision(4) : "";
  const [from, to] = [finite[0], finite[finite.length - 1]].map(({ epoch }) => epoch.toFixed(1));
  return [
    "",
    `loss${logarithmic ? ", logarithmic" : ""}, by epoch`,
    ...lines.map((text, row) => `${label(row).padStart(plotLabel)} ${text}`),
    `${" ".repeat(plotLabel + 1)}${from}${to.padStart(width - from.length)}`,
  ];
}

function evaluationLines({ evaluations }: WatchedRun, columns: number): string[] {
  const last = evaluations.at(-1);
  if (last === undefined) return [];
  const several = new Set(last.scores.map(({ layer }) => layer)).size > 1;
  const courseOf = (layer: string, readOut: string): number[] =>
    evaluations.flatMap(({ scores }) =>
      scores.filter((score) => score.layer === layer && score.readOut === readOut).map(({ accuracy }) => accuracy),
    );
  return [
    "",
    ...formatTable(
      [
        [`held out, epoch ${last.epoch.toFixed(1)}`, "%", "random", "gain", "so far"],
        ...last.scores.map(({ layer, readOut, accuracy, random }) => [
          several ? `${layer}, ${readOutNames[readOut]}` : readOutNames[readOut],
          ...score(accuracy, random),
          sparkline(courseOf(layer, readOut), courseLetters(columns)),
        ]),
      ],
      1,
    ).split("\n"),
  ];
}

const score = (accuracy: number, random: number): [string, string, string] => [
  (100 * accuracy).toFixed(1),
  (100 * random).toFixed(1),
  signed(100 * (accuracy - random)),
];

const noticeText = ({ kind, step, message }: WatchedRun["notices"][number]): string =>
  `${kind} ${kind === "intervention" ? "before" : "at"} step ${step}: ${message}`;

function noticeLines({ notices }: WatchedRun, columns: number): string[] {
  if (notices.length === 0) return [];
  return [
    "",
    ...notices.slice(-noticesShown).flatMap((notice) => wrap(noticeText(notice), 2, columns - 1).split("\n")),
  ];
}

function xrayLines({ xray, xrayStep }: WatchedRun): string[] {
  if (xray.length === 0) return [];
  const degrees = (angle: number | undefined): string => (angle === undefined ? "–" : `${angle.toFixed(1)}°`);
  return [
    "",
    ...formatTable(
      [
        [`X-ray, step ${xrayStep}`, "angle to BP", "W and B", "dead units"],
        ...xray.map(({ name, angleBP, angleWB, dead }) => [
          ...[name, degrees(angleBP), degrees(angleWB)],
          `${(100 * dead).toFixed(1)} %`,
        ]),
      ],
      1,
    ).split("\n"),
  ];
}

/** How the watching ends, in a sentence. */
export function endLine({ state, path, step, steps }: WatchedRun): string {
  if (state === "stopped")
    return `stopped at step ${step}${steps === undefined ? "" : ` of ${steps}`}, and no process works on it; resume with: saccade train --resume ${shellWord(path)}`;
  return `${state === "imported" ? "imported weights, which do not train" : "done"}; saccade runs show ${shellWord(path)}`;
}

/** Alarms, interventions and evaluations that a look before had not seen, as lines. */
export function news(run: WatchedRun, before: Pick<WatchedRun, "notices" | "evaluations"> | undefined): string[] {
  return [
    ...run.notices.slice(before?.notices.length ?? 0).map(noticeText),
    ...run.evaluations.slice(before?.evaluations.length ?? 0).map(evaluationText),
  ];
}

function evaluationText(evaluation: Evaluation): string {
  const found = ofLastBlock(evaluation).map(({ readOut, accuracy, random }) => {
    const [own, floor, gain] = score(accuracy, random);
    return `${readOutNames[readOut]} ${own} % (random ${floor}, ${gain})`;
  });
  return `held out, epoch ${evaluation.epoch.toFixed(1)}: ${found.join("; ")}`;
}

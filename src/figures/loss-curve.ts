// The loss over a run: every point thin and light, a moving mean on top, a logarithmic axis where the fall is long, and below it, where
// there were evaluations, their accuracies; and the moving means of several runs over each other.

import type { Markish } from "@observablehq/plot";
import { wrong } from "../program/errors.ts";
import { linearTicks, logTicks, type Plot, plotMarkup, type Ticks } from "./plot.ts";
import {
  clip,
  colours,
  emptyPicture,
  fontSize,
  type Key,
  keyMark,
  keyWidth,
  label,
  lineColour,
  margin,
  sheet,
  sheetWidth,
  textWidth,
} from "./sheet.ts";

export interface LossPoint {
  readonly step: number;
  /** With its fraction: 1.5 is half way through the second epoch. */
  readonly epoch: number;
  /** Summed over the batch. Points that are not finite are left out and counted in a note. */
  readonly loss: number;
  /** The layer that learnt, from 1, where one learns at a time. */
  readonly layer?: number;
}

export interface LossCurve {
  readonly title: string;
  /** In the order of their steps. */
  readonly points: readonly LossPoint[];
  readonly accuracies?: Accuracies;
  /** Width of the moving mean in points, rounded up to odd; 1 draws none. Default: a twenty-fifth of the points. */
  readonly smoothing?: number;
  /** Where the run was changed in mid-course, in epochs. */
  readonly interventions?: readonly number[];
}

/** What read-outs found in the course of the run, a panel of its own. */
export interface Accuracies {
  /** "accuracy on 200 pictures held out, in %". */
  readonly caption: string;
  /** A line each: shares answered rightly, and as a dashed line that of the encoder before training. */
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly { readonly epoch: number; readonly accuracy: number }[];
    readonly random: number;
  }[];
}

const height = 340;
const accuracyHeight = 260;
/** Values that span more decades than this get a logarithmic axis. */
const linearDecades = 1.5;
/** A run of fewer points is drawn as dots on a line, without a mean. */
const manyPoints = 25;

export async function lossCurve(curve: LossCurve): Promise<string> {
  const { title, points, accuracies, smoothing, interventions = [] } = curve;
  if (smoothing !== undefined && !(Number.isInteger(smoothing) && smoothing >= 1))
    throw wrong("lossCurve", "smoothing", "a whole number of points, 1 or more", smoothing);
  const finite = points.filter(({ epoch, loss }) => Number.isFinite(epoch) && Number.isFinite(loss));
  const dropped = points.length - finite.length;
  const notes = dropped > 0 ? [`left out: ${count(dropped)} of ${count(points.length)} points, not finite`] : [];
  const caption = "loss, summed over the batch";
  if (finite.length === 0)
    return sheet({
      title,
      notes,
      picture: emptyPicture(dropped > 0 ? "no finite points" : "no points yet", sheetWidth, height),
      pictureHeight: height,
    });

  const axes = axesOf(finite);
  const window = smoothing ?? (finite.length < manyPoints ? 1 : finite.length / 25);
  const half = Math.floor(Math.min(window, finite.length - 1) / 2);
  const ends = layerEnds(finite);
  const keys: Key[] = [
    ...(half === 0
      ? []
      : [
          { text: "each point", colour: light, thickness: 2 },
          { text: `mean of ${count(2 * half + 1)}`, colour: lineColour, thickness: 4 },
        ]),
    ...(ends.length === 0 ? [] : [{ text: "next layer", colour: quiet, thickness: 2, dashed: true }]),
    ...(interventions.length === 0 ? [] : [{ text: "intervention", colour: changed, thickness: 2 }]),
  ];

  const at = { x: "epoch", y: "loss" } as const;
  const below = accuracies && accuracyAxes(accuracies, axes);
  const left = leftOf(below ? [axes, below] : [axes]);
  const moments = (plot: Plot): Markish[] => [
    ends.length === 0 ? null : plot.ruleX(ends, { stroke: quiet, strokeWidth: 1.5, strokeDasharray: "6,5" }),
    interventions.length === 0 ? null : plot.ruleX(interventions, { stroke: changed, strokeWidth: 2 }),
  ];
  const picture = await plotOn(axes, left, below ? "" : "epoch", (plot) => [
    ...moments(plot),
    ...(half === 0
      ? [plot.line(envelope(finite), { ...at, stroke: lineColour, strokeWidth: 2.5 })]
      : [
          plot.line(envelope(finite), { ...at, stroke: light, strokeWidth: 1.2 }),
          ...stretches(finite, [...ends, ...interventions]).map((own) =>
            plot.line(movingMean(own, half), { ...at, stroke: lineColour, strokeWidth: 3.5 }),
          ),
        ]),
    finite.length < manyPoints ? plot.dot(finite, { ...at, fill: lineColour, r: 5 }) : null,
  ]);
  if (!accuracies || !below) return sheet({ title, caption, keys, notes, picture, pictureHeight: height });
  const panel = await accuracyPanel(accuracies, below, left, moments);
  return sheet({
    ...{ title, caption, keys, notes },
    picture: `${picture}<g transform="translate(0,${height})">${panel}</g>`,
    pictureHeight: height + accuracyHeight + headingHeight,
  });
}

/** The caption of the lower panel, its keys under it. */
const headingHeight = 3.2 * fontSize;
/** Of its lines: other colours than the loss has. */
const accuracyColours = ["#d55e00", "#009e73"] as const;

function accuracyAxes({ lines }: Accuracies, { x, start, end }: Axes): Axes {
  const all = lines.flatMap(({ points, random }) => [random, ...points.map(({ accuracy }) => accuracy)]);
  const [low, high] = extent(all.map((accuracy) => 100 * accuracy));
  const pad = high - low < 1 ? 1 : 0;
  const y = linearTicks(low - pad, high + pad, 4);
  return { x, y, start, end, logarithmic: false, domain: extent(y.values), height: accuracyHeight };
}

async function accuracyPanel(
  { caption, lines }: Accuracies,
  axes: Axes,
  left: number,
  moments: (plot: Plot) => Markish[],
): Promise<string> {
  const colourOf = (i: number): string => accuracyColours[i % accuracyColours.length];
  const keys: Key[] = [
    ...lines.map(({ name }, i) => ({ text: name, colour: colourOf(i), thickness: 4 })),
    { text: "random encoder", colour: quiet, thickness: 2, dashed: true },
  ];
  let x: number = margin;
  const marks = keys.map((key) => {
    const mark = keyMark(key, x, 2.3 * fontSize);
    x += keyWidth(key) + margin;
    return mark;
  });
  const at = { x: "epoch", y: (point: { accuracy: number }) => 100 * point.accuracy } as const;
  const plotted = await plotOn(axes, left, "epoch", (plot) => [
    ...moments(plot),
    ...lines.map(({ random }, i) =>
      plot.ruleY([100 * random], { stroke: colourOf(i), strokeWidth: 2, strokeDasharray: "6,5" }),
    ),
    ...lines.flatMap(({ points }, i) => [
      plot.line(points, { ...at, stroke: colourOf(i), strokeWidth: 3 }),
      points.length < manyPoints ? plot.dot(points, { ...at, fill: colourOf(i), r: 5 }) : null,
    ]),
  ]);
  const heading = label(clip(caption, fontSize, sheetWidth - 2 * margin), margin, fontSize, fontSize, quiet);
  return `${heading}${marks.join("")}<g transform="translate(0,${headingHeight})">${plotted}</g>`;
}

export interface LossCurves {
  readonly title: string;
  /** Drawn over each other: of each the moving mean, in a colour of its own. */
  readonly runs: readonly { readonly name: string; readonly points: readonly LossPoint[] }[];
  readonly notes?: readonly string[];
}

/** Okabe and Ito's colours that are dark enough for a line on white; more runs have them again, dashed. */
const runColours = [lineColour, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", colours.ink] as const;
export const mostCurves = 2 * runColours.length;

export async function lossCurves({ title, runs, notes = [] }: LossCurves): Promise<string> {
  if (runs.length > mostCurves) throw wrong("lossCurves", "runs", `at most ${mostCurves}`, runs.length);
  const curves = runs.map(({ name, points }, i) => {
    const finite = points.filter(({ epoch, loss }) => Number.isFinite(epoch) && Number.isFinite(loss));
    const many = finite.length >= manyPoints;
    return {
      name: clip(name, fontSize, sheetWidth - 100),
      points: many ? movingMean(finite, Math.floor(finite.length / 50)) : finite,
      many,
      colour: runColours[i % runColours.length],
      dashed: i >= runColours.length,
    };
  });
  const drawn = curves.flatMap(({ points }) => points);
  const frame = {
    title,
    notes,
    caption: "loss, mean of a twenty-fifth of the run",
    keys: curves.map(({ name, colour, dashed }) => ({ text: name, colour, thickness: 4, dashed })),
    pictureHeight: height,
  };
  if (drawn.length === 0) return sheet({ ...frame, picture: emptyPicture("no points yet", sheetWidth, height) });
  const at = { x: "epoch", y: "loss" } as const;
  const axes = axesOf(drawn);
  const picture = await plotOn(axes, leftOf([axes]), "epoch", (plot) =>
    curves.flatMap(({ points, many, colour, dashed }) => [
      plot.line(points, { ...at, stroke: colour, strokeWidth: 3, ...(dashed ? { strokeDasharray: "6,5" } : {}) }),
      many ? null : plot.dot(points, { ...at, fill: colour, r: 5 }),
    ]),
  );
  return sheet({ ...frame, picture });
}

interface Axes {
  readonly x: Ticks;
  readonly y: Ticks;
  /** Epochs. */
  readonly start: number;
  readonly end: number;
  readonly logarithmic: boolean;
  /** Losses, or per cent. */
  readonly domain: [number, number];
  readonly height: number;
}

function axesOf(points: readonly LossPoint[]): Axes {
  const [low, high] = extent(points.map(({ loss }) => loss));
  const logarithmic = low > 0 && Math.log10(high / low) > linearDecades;
  const flat = high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high));
  const pad = flat ? Math.abs(low) * 0.1 || 1 : 0;
  const y = logarithmic ? logTicks(low, high) : linearTicks(low - pad, high + pad, 5);
  const [firstEpoch, lastEpoch] = extent(points.map(({ epoch }) => epoch));
  const start = Math.min(0, firstEpoch);
  const end = lastEpoch > start ? lastEpoch : start + 1;
  const domain: [number, number] = logarithmic ? [low, high] : extent(y.values);
  return { x: linearTicks(start, end, 6), y, start, end, logarithmic, domain, height };
}

/** Room for the numbers at the left of all of them. */
const leftOf = (all: readonly Axes[]): number =>
  margin + 10 + Math.max(...all.flatMap(({ y }) => y.values.map((value) => textWidth(y.format(value), fontSize))));

/** The marks over a grid, with epochs below and losses or accuracies at the left. */
function plotOn(
  { x, y, start, end, logarithmic, domain, height }: Axes,
  marginLeft: number,
  below: string,
  marks: (plot: Plot) => Markish[],
): Promise<string> {
  const xValues = x.values.filter((value) => value >= start && value <= end * (1 + 1e-9));
  const marginRight = margin + textWidth(x.format(end), fontSize) / 2;
  return plotMarkup((plot) => ({
    width: sheetWidth,
    height,
    marginTop: fontSize * 0.5,
    marginLeft,
    marginRight,
    marginBottom: fontSize * 3,
    x: { domain: [start, end], axis: null },
    y: { type: logarithmic ? "log" : "linear", domain, axis: null },
    marks: [
      plot.ruleY(y.values, { stroke: colours.grid }),
      // Not axisY: on a logarithmic scale it drops labels as it likes.
      plot.text(y.values, {
        y: (d) => d,
        text: y.format,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -10,
        fill: quiet,
      }),
      plot.axisX(xValues, {
        tickFormat: x.format,
        tickSize: 6,
        tickPadding: 6,
        label: below,
        labelAnchor: "center",
        labelArrow: "none",
        labelOffset: fontSize * 2.6,
        fill: quiet,
        stroke: quiet,
      }),
      plot.ruleY([domain[0]], { stroke: quiet }),
      ...marks(plot),
    ],
  }));
}

const light = "#9ccbe8";
const quiet = colours.quiet;
const changed = "#cc79a7";

/** Epochs at which a layer's learning ends and the next one's begins; none where layers take turns. */
function layerEnds(points: readonly LossPoint[]): number[] {
  const steps = points.slice(1).map(({ layer = 0 }, i) => layer - (points[i].layer ?? 0));
  if (steps.some((step) => step < 0)) return [];
  return points.slice(0, -1).flatMap(({ epoch }, i) => (steps[i] > 0 ? [epoch] : []));
}

/** The points between neighbouring breaks, each up to and with the one at a break: another layer, or a rule that was changed, is another curve. */
function stretches(points: readonly LossPoint[], breaks: readonly number[]): (readonly LossPoint[])[] {
  const ends = [...breaks].sort((a, b) => a - b);
  const own = Map.groupBy(points, ({ epoch }) => ends.filter((end) => end < epoch).length);
  return [...own.values()];
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/**
 * Means over `half` points to either side, at as many places as pixels can show. At the beginning, where a loss falls
 * steeply, the window shrinks to a quarter and stays symmetric where it can; at the end it loses its later half.
 */
function movingMean(points: readonly LossPoint[], half: number): LossPoint[] {
  const n = points.length;
  const places = Math.min(n, sheetWidth);
  return Array.from({ length: places }, (_, place) => {
    const i = Math.round((place * (n - 1)) / Math.max(places - 1, 1));
    const reach = Math.min(half, Math.max(i, Math.ceil(half / 4)));
    const around = points.slice(Math.max(0, i - reach), i + reach + 1);
    return { ...points[i], loss: around.reduce((sum, { loss }) => sum + loss / around.length, 0) };
  });
}

/** The lowest and the highest of each run of neighbours: as many points as pixels can show, no spike lost. */
function envelope(points: readonly LossPoint[]): readonly LossPoint[] {
  if (points.length <= 2 * sheetWidth) return points;
  return Array.from({ length: sheetWidth }, (_, bucket) => {
    const [from, to] = [bucket, bucket + 1].map((b) => Math.floor((b * points.length) / sheetWidth));
    let [lowest, highest] = [from, from];
    for (let i = from; i < to; i++) {
      if (points[i].loss < points[lowest].loss) lowest = i;
      if (points[i].loss > points[highest].loss) highest = i;
    }
    return [...new Set([Math.min(lowest, highest), Math.max(lowest, highest)])].map((i) => points[i]);
  }).flat();
}

// Small multiples over the layers of a network: one panel for each number that was measured, a line for each encoder, a band for its interval.

import { wrong } from "../program/errors.ts";
import { linearTicks, plotMarkup, type Ticks } from "./plot.ts";
import {
  clip,
  colours,
  emptyPicture,
  fontSize,
  type Key,
  label,
  lineColour,
  margin,
  sheet,
  sheetWidth,
  textWidth,
} from "./sheet.ts";

/** One number per layer; what is not finite is left out of its line. */
export interface LayerLine {
  /** "trained", "random"; lines of one name have one colour in all panels. */
  readonly name: string;
  readonly values: readonly number[];
  /** Ends of the interval around each value. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
}

export interface LayerPanel {
  readonly heading: string;
  readonly lines: readonly LayerLine[];
  /** Numbers that have no layer, drawn across: "pixels", "chance". */
  readonly levels?: readonly { readonly name: string; readonly value: number }[];
  /** Values that the axis holds in any case. */
  readonly includes?: readonly number[];
  /** What values are multiplied by to be shown: 100 for per cent. Default 1. */
  readonly times?: number;
}

export interface LayerPanels {
  readonly title: string;
  readonly caption: string;
  /** Names of the layers, from the pictures upwards. */
  readonly layers: readonly string[];
  readonly panels: readonly LayerPanel[];
}

const columns = 2;
const gap = 24;
const [panelWidth, panelHeight] = [(sheetWidth - 2 * margin - gap) / columns, 232];
const [headingHeight, axisHeight] = [30, 34];
const textSize = 0.75 * fontSize;
const lineColours = [lineColour, "#d55e00", "#009e73", "#cc79a7"] as const;
const levelColours = [colours.ink, "#8a8a8a"] as const;

export async function layerPanels({ title, caption, layers, panels }: LayerPanels): Promise<string> {
  for (const { heading, lines } of panels)
    for (const { name, values } of lines)
      if (values.length !== layers.length)
        throw wrong(
          "layerPanels",
          `${name} of ${heading}`,
          `${layers.length} values, one for each layer`,
          values.length,
        );
  const drawn = panels.filter(({ lines }) => lines.some(({ values }) => values.some(Number.isFinite)));
  if (drawn.length === 0)
    return sheet({
      title,
      caption,
      picture: emptyPicture("nothing measured yet", sheetWidth, 200),
      pictureHeight: 200,
    });
  const names = [...new Set(drawn.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  const levelNames = [...new Set(drawn.flatMap(({ levels = [] }) => levels.map(({ name }) => name)))];
  const keys: Key[] = [
    ...names.map((text, i) => ({ text, colour: lineColours[i % lineColours.length], thickness: 4 })),
    ...levelNames.map((text, i) => ({ text, colour: levelColours[i % 2], thickness: 2, dashed: true })),
  ];
  const parts: string[] = [];
  for (const [i, panel] of drawn.entries()) {
    const x = margin + (i % columns) * (panelWidth + gap);
    const y = Math.floor(i / columns) * (panelHeight + gap);
    parts.push(`<g transform="translate(${x},${y})">${await drawPanel(panel, layers, names, levelNames)}</g>`);
  }
  const height = Math.ceil(drawn.length / columns) * (panelHeight + gap);
  return sheet({ title, caption, keys, picture: parts.join(""), pictureHeight: height });
}

async function drawPanel(
  { heading, lines, levels = [], includes = [], times = 1 }: LayerPanel,
  layers: readonly string[],
  names: readonly string[],
  levelNames: readonly string[],
): Promise<string> {
  const points = lines.flatMap(({ name, values, low = values, high = values }) =>
    values.flatMap((value, layer) =>
      Number.isFinite(value)
        ? [{ name, layer, value: times * value, low: times * low[layer], high: times * high[layer] }]
        : [],
    ),
  );
  const shown = [
    ...points.flatMap(({ value, low, high }) => [value, low, high]),
    ...levels.map(({ value }) => times * value),
    ...includes.map((value) => times * value),
  ].filter(Number.isFinite);
  const y = ticksOf(Math.min(...shown), Math.max(...shown));
  const marginLeft = 10 + Math.max(...y.values.map((value) => textWidth(y.format(value), textSize)));
  const ofName = (name: string): typeof points => points.filter((point) => point.name === name);
  const colourOf = (name: string): string => lineColours[names.indexOf(name) % lineColours.length];
  const body = await plotMarkup((plot) => ({
    width: panelWidth,
    height: panelHeight - headingHeight,
    marginTop: 8,
    marginLeft,
    marginRight: 8,
    marginBottom: axisHeight,
    x: { domain: [-0.35, layers.length - 0.65], axis: null },
    y: { domain: [y.values[0], y.values[y.values.length - 1]], axis: null },
    marks: [
      plot.ruleY(y.values, { stroke: colours.grid }),
      plot.text(y.values, {
        y: (d) => d,
        text: y.format,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -8,
        fill: colours.quiet,
        fontSize: textSize,
      }),
      plot.text(layers, {
        x: (_, i) => i,
        text: (name: string) => clip(name, textSize, (panelWidth - marginLeft) / layers.length),
        frameAnchor: "bottom",
        dy: 22,
        fill: colours.quiet,
        fontSize: textSize,
      }),
      ...levels.map(({ name, value }) =>
        plot.ruleY([times * value], {
          stroke: levelColours[levelNames.indexOf(name) % 2],
          strokeWidth: 2,
          strokeDasharray: "6,5",
        }),
      ),
      ...names.map((name) =>
        plot.areaY(ofName(name), { x: "layer", y1: "low", y2: "high", fill: colourOf(name), fillOpacity: 0.2 }),
      ),
      ...names.map((name) =>
        plot.line(ofName(name), { x: "layer", y: "value", stroke: colourOf(name), strokeWidth: 3 }),
      ),
      plot.dot(points, { x: "layer", y: "value", fill: ({ name }: { name: string }) => colourOf(name), r: 4 }),
    ],
    color: { type: "identity" },
  }));
  const title = label(clip(heading, 0.85 * fontSize, panelWidth), 0, 0.85 * fontSize, 0.85 * fontSize, colours.ink);
  return `${title}<g transform="translate(0,${headingHeight})">${body}</g>`;
}

function ticksOf(low: number, high: number): Ticks {
  const pad = high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high), 1e-9) ? Math.abs(high) * 0.1 || 1 : 0;
  return linearTicks(low - pad, high + pad, 4);
}

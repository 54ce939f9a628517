// Orientation tuning: for every layer how many units prefer each orientation, and their mean tuning curve about the preferred one.

import { linearTicks, plotMarkup } from "./plot.ts";
import { clip, colours, fontSize, label, lineColour, margin, sheet, sheetWidth, textWidth } from "./sheet.ts";

export interface TuningFigure {
  readonly title: string;
  readonly caption: string;
  /** Degrees, ascending by equal steps from 0. */
  readonly orientations: readonly number[];
  readonly layers: readonly {
    readonly heading: string;
    readonly encoders: readonly {
      readonly name: string;
      /** Per cent of the units that prefer each orientation. */
      readonly preferred: readonly number[];
      /** Mean response at each angle from the preferred one, from −90° on, as a share of the largest. */
      readonly curve: readonly number[];
    }[];
  }[];
}

const encoderColours = [lineColour, "#d55e00"] as const;
const gap = 24;
const [width, height] = [(sheetWidth - 2 * margin - gap) / 2, 150];
const size = 0.75 * fontSize;

export async function tuningFigure({ title, caption, orientations, layers }: TuningFigure): Promise<string> {
  const parts: string[] = [];
  const names = layers[0]?.encoders.map(({ name }) => name) ?? [];
  let y = 0;
  for (const { heading, encoders } of layers) {
    y += 0.85 * fontSize;
    parts.push(label(clip(heading, 0.85 * fontSize, sheetWidth - 2 * margin), margin, y, 0.85 * fontSize, colours.ink));
    y += 10;
    const step = 180 / orientations.length;
    const bars = encoders.flatMap(({ preferred }, e) =>
      preferred.map((value, i) => ({ e, value, from: orientations[i] + (e / encoders.length - 0.5) * step * 0.8 })),
    );
    const most = Math.max(1, ...bars.map(({ value }) => value));
    const left = await drawAxes([0, 45, 90, 135, 180], [-step / 2, 180], linearTicks(0, most, 3), "%", (plot) => [
      plot.rect(bars, {
        x1: "from",
        x2: (d) => d.from + (step * 0.8) / encoders.length,
        y1: 0,
        y2: "value",
        fill: (d: { e: number }) => encoderColours[d.e],
      }),
    ]);
    const points = encoders.flatMap(({ curve }, e) =>
      [...curve, curve[0]].map((value, i) => ({ e, value, angle: i * step - 90 })),
    );
    const right = await drawAxes([-90, -45, 0, 45, 90], [-90, 90], linearTicks(0, 1, 2), "", (plot) =>
      encoders.map((_, e) =>
        plot.line(
          points.filter((point) => point.e === e && Number.isFinite(point.value)),
          { x: "angle", y: "value", stroke: encoderColours[e], strokeWidth: 3 },
        ),
      ),
    );
    parts.push(`<g transform="translate(${margin},${y})">${left}</g>`);
    parts.push(`<g transform="translate(${margin + width + gap},${y})">${right}</g>`);
    y += height + 14;
  }
  const keys = names.map((text, i) => ({ text, colour: encoderColours[i], thickness: 6 }));
  return sheet({ title, caption, keys, picture: parts.join(""), pictureHeight: y });
}

type Marks = (plot: typeof import("@observablehq/plot")) => import("@observablehq/plot").Markish[];

function drawAxes(
  xs: readonly number[],
  domain: readonly [number, number],
  y: ReturnType<typeof linearTicks>,
  unit: string,
  marks: Marks,
): Promise<string> {
  const text = (value: number): string => `${y.format(value)}${unit === "" ? "" : ` ${unit}`}`;
  return plotMarkup((plot) => ({
    width,
    height,
    marginTop: 8,
    marginBottom: 26,
    marginLeft: 10 + Math.max(...y.values.map((value) => textWidth(text(value), size))),
    marginRight: 18,
    x: { domain: [...domain], axis: null },
    y: { domain: [0, y.values[y.values.length - 1]], axis: null },
    color: { type: "identity" },
    marks: [
      plot.ruleY(y.values, { stroke: colours.grid }),
      plot.text(y.values, {
        y: (d) => d,
        text,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -8,
        fill: colours.quiet,
        fontSize: size,
      }),
      plot.text(xs, {
        x: (d) => d,
        text: (d: number) => `${d}°`.replace("-", "−"),
        frameAnchor: "bottom",
        dy: 20,
        fill: colours.quiet,
        fontSize: size,
      }),
      ...marks(plot),
    ],
  }));
}

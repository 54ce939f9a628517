// The roofline: what every stage of a step reaches, over the work it does on each byte, under what the machine can do.

import { logTicks, plotMarkup } from "../src/figures/plot.ts";
import { colours, fontSize, type Key, margin, sheet, sheetWidth, textWidth } from "../src/figures/sheet.ts";
import { adamAloneName, type LayerTime, type Limits } from "./layers.ts";

const marks = {
  forward: { colour: "#0072b2", symbol: "circle", key: "forward" },
  backward: { colour: "#d55e00", symbol: "square", key: "backward" },
  other: { colour: "#595959", symbol: "triangle", key: "other" },
} as const;

/** Winograd's F(4×4, 3×3) takes 36 products where the direct form takes 144 (Lavin & Gray 2016, arXiv 1509.09308). */
const winogradGain = 4;
/** Stages that take less than this share of their step are left out. */
const leastShare = 0.01;

const [panelHeight, headingHeight, marginLeft, marginRight, marginBottom] = [330, 34, 66, 24, 58];
const labelSize = 16;

interface Point {
  readonly label: string;
  readonly direction: LayerTime["direction"];
  /** FLOP per byte. */
  readonly intensity: number;
  /** GFLOP/s. */
  readonly rate: number;
}

/** One panel for each network. */
export async function roofline(times: readonly LayerTime[], limits: Limits, machine: string): Promise<string> {
  const names = [...new Set(times.map(({ network }) => network))];
  const panels = names.map((name) => ({ name, points: pointsOf(times.filter(({ network }) => network === name)) }));
  const points = panels.flatMap((panel) => panel.points);
  const peak = limits.flopsPerSecond / 1e9;
  const slope = limits.bytesPerSecond / 1e9;
  const spread = (values: readonly number[]): [number, number] => [
    Math.min(...values) / 1.5,
    Math.max(...values) * 1.5,
  ];
  const frame: Frame = {
    x: spread([...points.map(({ intensity }) => intensity), peak / slope]),
    y: spread([...points.map(({ rate }) => rate), winogradGain * peak]),
    peak,
    slope,
  };
  const drawn = await Promise.all(panels.map(({ points: here }) => panel(here, frame)));
  const picture = drawn
    .map((markup, i) => {
      const top = i * (headingHeight + panelHeight);
      const { name } = panels[i];
      const batch = times.find(({ network }) => network === name)?.batch;
      const heading = `<text x="${margin}" y="${top + 24}" font-size="${fontSize}" fill="${colours.ink}">${name}, ${batch} images</text>`;
      return `${heading}<g transform="translate(0,${top + headingHeight})">${markup}</g>`;
    })
    .join("");
  const keys: Key[] = [
    ...Object.values(marks).map(({ key, colour }) => ({ text: key, colour, thickness: 10 })),
    { text: "limit", colour: colours.ink, thickness: 2 },
    { text: "Winograd", colour: colours.ink, thickness: 2, dashed: true },
  ];
  return sheet({
    title: `Roofline: ${machine}`,
    caption: "GFLOP/s of the direct form, over FLOP per byte",
    keys,
    picture,
    pictureHeight: panels.length * (headingHeight + panelHeight),
  });
}

function pointsOf(all: readonly LayerTime[]): Point[] {
  const times = all.filter(({ stage }) => stage !== adamAloneName);
  const whole = times.reduce((sum, { time }) => sum + time.median, 0);
  return times
    .filter(({ time, flops }) => time.median >= leastShare * whole && flops > 0)
    .map(({ stage, direction, flops, bytes, time }) => ({
      label: stage.replace(/ (forward|backward)$/, ""),
      direction,
      intensity: flops / bytes,
      rate: flops / time.median / 1e9,
    }));
}

interface Frame {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  readonly peak: number;
  readonly slope: number;
}

async function panel(points: readonly Point[], { x, y, peak, slope }: Frame): Promise<string> {
  const [right, bottom] = [sheetWidth - marginRight, panelHeight - marginBottom];
  const across = (value: number): number => marginLeft + scale(value, x) * (right - marginLeft);
  const down = (value: number): number => bottom - scale(value, y) * bottom;
  const ridge = peak / slope;
  const roof = (gain: number): { x: number; y: number }[] =>
    [x[0], ridge * gain, x[1]]
      .filter((at, i) => i !== 1 || (at > x[0] && at < x[1]))
      .map((at) => ({ x: at, y: Math.min(peak * gain, slope * at) }));
  const spots = points.map((point) => ({
    ...point,
    prefer: point.direction === "forward" ? (-1 as const) : (1 as const),
    left: across(point.intensity),
    top: down(point.rate),
  }));
  const labels = placeLabels(spots, { left: marginLeft, right, top: 0, bottom });
  const yTicks = logTicks(y[0], y[1]);
  const xTicks = logTicks(x[0], x[1]);
  const leaders = labels
    .filter(({ dy }) => Math.abs(dy) >= nearest)
    .map(({ point, dx, dy }) => {
      const [from, to] = [point, { left: point.left + dx, top: point.top + dy - Math.sign(dy) * (labelSize / 2) }];
      return `<path d="M${from.left},${from.top}L${to.left},${to.top}" stroke="${colours.quiet}" stroke-width="1"/>`;
    });
  const plotted = await plotMarkup((plot) => ({
    width: sheetWidth,
    height: panelHeight,
    marginTop: 0,
    marginLeft,
    marginRight,
    marginBottom,
    x: { type: "log", domain: x, axis: null },
    y: { type: "log", domain: y, axis: null },
    marks: [
      plot.ruleY(yTicks.values, { stroke: colours.grid }),
      plot.ruleX(xTicks.values, { stroke: colours.grid }),
      plot.text(yTicks.values, {
        y: (d) => d,
        text: yTicks.format,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -8,
        fill: colours.quiet,
      }),
      plot.text(xTicks.values, {
        x: (d) => d,
        text: xTicks.format,
        frameAnchor: "bottom",
        dy: fontSize * 1.2,
        fill: colours.quiet,
      }),
      plot.line(roof(winogradGain), { x: "x", y: "y", stroke: colours.ink, strokeWidth: 2, strokeDasharray: "6,5" }),
      plot.line(roof(1), { x: "x", y: "y", stroke: colours.ink, strokeWidth: 2 }),
      plot.dot(points, {
        x: "intensity",
        y: "rate",
        r: 5,
        symbol: (d: Point) => marks[d.direction].symbol,
        fill: (d: Point) => marks[d.direction].colour,
      }),
      ...labels.map(({ point, dx, dy, anchor }) =>
        plot.text([point], {
          x: "intensity",
          y: "rate",
          text: "label",
          dx,
          dy,
          textAnchor: anchor,
          fontSize: labelSize,
          fill: marks[point.direction].colour,
          stroke: "white",
          strokeWidth: 3,
        }),
      ),
    ],
    color: { type: "identity" },
    symbol: { type: "identity" },
  }));
  return leaders.join("") + plotted;
}

/** Where a value stands between the ends of a logarithmic axis, 0 to 1. */
const scale = (value: number, [low, high]: readonly [number, number]): number =>
  Math.log(value / low) / Math.log(high / low);

export interface Spot {
  readonly label: string;
  /** Where the label should rather stand: above (−1) or below (1). */
  readonly prefer: -1 | 1;
  readonly left: number;
  readonly top: number;
}

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface PlacedLabel<S extends Spot> {
  readonly point: S;
  readonly dx: number;
  readonly dy: number;
  readonly anchor: "start" | "middle" | "end";
  readonly box: Box;
}

const dotSize = 8;
/** Labels this far above or below their dot have a line to it. */
const nearest = 30;
/** In the order in which they are tried; positive is on the preferred side. */
const sides: readonly Pick<PlacedLabel<Spot>, "dx" | "dy" | "anchor">[] = [
  { dx: 10, dy: 0, anchor: "start" },
  { dx: -10, dy: 0, anchor: "end" },
  ...[16, -16].map((dy) => ({ dx: 0, dy, anchor: "middle" as const })),
  ...[1, -1].flatMap((side) =>
    [nearest, 50, 70, 90].flatMap((away) =>
      [0, 40, -40].map((dx) => ({ dx, dy: side * away, anchor: "middle" as const })),
    ),
  ),
];

/** Each label at the first side of its dot where it covers neither a dot nor a label; where there is none, it is left out. */
export function placeLabels<S extends Spot>(spots: readonly S[], within: Box): PlacedLabel<S>[] {
  const taken: Box[] = spots.map(({ left, top }) => around(left, top, dotSize, dotSize));
  const placed: PlacedLabel<S>[] = [];
  for (const point of spots) {
    const width = textWidth(point.label, labelSize);
    for (const { dx, dy: preferred, anchor } of sides) {
      const dy = point.prefer * preferred;
      const middle = point.left + dx + (anchor === "middle" ? 0 : anchor === "start" ? width / 2 : -width / 2);
      const box = around(middle, point.top + dy, width / 2 + 1, labelSize * 0.45);
      const inside =
        box.left >= within.left && box.right <= within.right && box.top >= within.top && box.bottom <= within.bottom;
      if (!inside || taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      placed.push({ point, dx, dy, anchor, box });
      break;
    }
  }
  return placed;
}

const around = (x: number, y: number, halfWidth: number, halfHeight: number): Box => ({
  left: x - halfWidth,
  right: x + halfWidth,
  top: y - halfHeight,
  bottom: y + halfHeight,
});

export const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

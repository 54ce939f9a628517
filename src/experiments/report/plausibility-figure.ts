// Plausibility, cost and accuracy in one picture: what a configuration gains over the random encoder, what a pair of views costs it, and
// how many of the paper's four conditions it satisfies.

import { linearTicks, logTicks, plotMarkup } from "../../figures/plot.ts";
import { clip, colours, emptyPicture, margin, printable, sheet, sheetWidth } from "../../figures/sheet.ts";
import { formatCount } from "../../program/explain.ts";
import type { Ledger } from "../report.ts";
import { conditionsPassed } from "./summary.ts";

const title = "Plausibility, cost and accuracy";

/** By the number of conditions met: colours of Okabe and Ito's and a shape each. */
const marks = [
  { symbol: "times", colour: "#1a1a1a" },
  { symbol: "triangle", colour: "#d55e00" },
  { symbol: "square", colour: "#e69f00" },
  { symbol: "diamond2", colour: "#56b4e9" },
  { symbol: "circle", colour: "#0072b2" },
] as const;

const plot = { left: margin + 62, right: 368, top: 48 };
const labels = { x: 406, size: 16, gap: 24 };

/** x: multiply–accumulates of a pair of views (log); y: gain over the random encoder in points; one mark for each configuration that has a gain. */
export async function plausibilityFigure(ledgers: readonly Ledger[]): Promise<string> {
  const points = ledgers
    .flatMap((ledger) =>
      ledger.gain !== undefined && Number.isFinite(ledger.gain) && ledger.macs > 0
        ? [{ ...ledger, gain: ledger.gain, met: conditionsPassed(ledger) }]
        : [],
    )
    .sort((a, b) => b.gain - a.gain || a.macs - b.macs);
  const without = ledgers.length - points.length;
  const notes = [
    ...(without > 0 ? [`Not drawn, because no gain was measured: ${without} of ${ledgers.length}`] : []),
    ...points
      .filter(({ confirmed }) => !confirmed)
      .map((point) => `Not confirmed by intervention: ${printable(point.title)}`),
  ];
  if (points.length === 0)
    return sheet({
      title,
      notes,
      picture: emptyPicture("no gain was measured yet", sheetWidth, 200),
      pictureHeight: 200,
    });

  const bottom = plot.top + Math.max(380, points.length * labels.gap);
  const macs = points.map((point) => point.macs);
  // A factor of 1.6 on either side, so that no mark stands on the frame.
  const [least, most] = [Math.min(...macs) / 1.6, Math.max(...macs) * 1.6];
  const gains = [0, ...points.map(({ gain }) => gain)];
  const vertical = linearTicks(Math.min(...gains) - 0.5, Math.max(...gains) + 0.5, 6);
  const [low, high] = [vertical.values[0], vertical.values.at(-1) ?? 0];
  const horizontal = logTicks(least, most);
  const xOf = (value: number): number =>
    plot.left + ((plot.right - plot.left) * Math.log(value / least)) / Math.log(most / least);
  const yOf = (value: number): number => bottom - ((bottom - plot.top) * (value - low)) / (high - low);
  const heights = spread(
    points.map(({ gain }) => yOf(gain)),
    labels.gap,
    [plot.top, bottom],
  );
  const placed = points.map((point, i) => ({
    ...marks[point.met],
    x: xOf(point.macs),
    y: yOf(point.gain),
    labelY: heights[i],
    text: clip(printable(point.title), labels.size, sheetWidth - labels.x - margin),
  }));
  const met = [...new Set(points.map((point) => point.met))].sort((a, b) => b - a);
  const keys = met.map((count, i) => ({ ...marks[count], text: `${count}`, x: margin + 280 + i * 56, y: 14 }));
  const height = bottom + 64;
  const ticks = { fill: colours.quiet, fontSize: labels.size } as const;

  const picture = await plotMarkup((draw) => ({
    width: sheetWidth,
    height,
    margin: 0,
    x: { type: "identity", axis: null },
    y: { type: "identity", axis: null },
    color: { type: "identity" },
    marks: [
      draw.ruleY(vertical.values, { x1: plot.left, x2: plot.right, y: yOf, stroke: colours.grid }),
      draw.ruleX(horizontal.values, { y1: plot.top, y2: bottom, x: xOf, stroke: colours.grid }),
      draw.text(vertical.values, {
        ...ticks,
        x: plot.left - 10,
        y: yOf,
        text: (value) => (value > 0 ? `+${vertical.format(value)}` : vertical.format(value)),
        textAnchor: "end",
      }),
      draw.text(horizontal.values, { ...ticks, x: xOf, y: bottom + 18, text: tickText }),
      draw.text([0], {
        ...ticks,
        x: (plot.left + plot.right) / 2,
        y: bottom + 46,
        text: () => "multiply–accumulates a pair (log)",
      }),
      draw.ruleY([0], {
        x1: plot.left,
        x2: plot.right,
        y: yOf,
        stroke: colours.ink,
        strokeWidth: 2,
        strokeDasharray: "6,5",
      }),
      draw.link(placed, { x1: "x", y1: "y", x2: labels.x - 22, y2: "labelY", stroke: "#c4c4c4" }),
      ...marks.flatMap(({ symbol }) =>
        [placed, placed.map((one) => ({ ...one, x: labels.x - 14, y: one.labelY })), keys].map((dots) =>
          draw.dot(
            dots.filter((one) => one.symbol === symbol),
            {
              x: "x",
              y: "y",
              symbol,
              r: 6.5,
              ...(symbol === "times"
                ? { stroke: "colour", strokeWidth: 2.5 }
                : { fill: "colour", stroke: colours.ink }),
            },
          ),
        ),
      ),
      draw.text(placed, {
        x: labels.x,
        y: "labelY",
        text: "text",
        textAnchor: "start",
        fontSize: labels.size,
        fill: colours.ink,
      }),
      draw.text([0], {
        x: margin,
        y: 14,
        text: () => "conditions met, of (i)–(iv):",
        textAnchor: "start",
        fill: colours.quiet,
      }),
      draw.text(keys, { x: (key) => key.x + 14, y: "y", text: "text", textAnchor: "start", fill: colours.ink }),
    ],
  }));
  return sheet({
    title,
    caption: "gain over the random encoder (dashed), in points",
    picture,
    pictureHeight: height,
    notes,
  });
}

/** `100 M`, `2 G`. */
function tickText(value: number): string {
  const [digits, unit = ""] = formatCount(value).split(" ");
  return `${Number(digits)} ${unit}`.trim();
}

/**
 * Places as near to `wanted`, in ascending order, as may be with `gap` between neighbours, by least squares: isotonic regression of
 * wanted − i × gap, kept within the limits where there is room.
 */
export function spread(wanted: readonly number[], gap: number, [top, bottom]: readonly [number, number]): number[] {
  const blocks: { sum: number; count: number }[] = [];
  const meanOf = ({ sum, count }: { sum: number; count: number }): number => sum / count;
  for (const [i, place] of wanted.entries()) {
    let block = { sum: place - i * gap, count: 1 };
    for (let last = blocks.at(-1); last !== undefined && meanOf(last) >= meanOf(block); last = blocks.at(-1)) {
      block = { sum: last.sum + block.sum, count: last.count + block.count };
      blocks.pop();
    }
    blocks.push(block);
  }
  const most = Math.max(top, bottom - (wanted.length - 1) * gap);
  return blocks
    .flatMap((block) => Array<number>(block.count).fill(Math.min(most, Math.max(top, meanOf(block)))))
    .map((place, i) => place + i * gap);
}

// The quality of a representation: accuracies as bars in groups, one group a read-out, with error bars and the chance level.

import { wrong } from "../program/errors.ts";
import { plotMarkup } from "./plot.ts";
import {
  areaColours,
  clip,
  colours,
  emptyPicture,
  fontSize,
  margin,
  printable,
  sheet,
  sheetWidth,
  textWidth,
} from "./sheet.ts";

export interface ReadOutGroup {
  /** "linear probe, 10 labels a class". */
  readonly label: string;
  readonly bars: readonly {
    /** "trained", "random", "pixels"; bars of one name have one colour. */
    readonly name: string;
    /** A fraction, 0 to 1. */
    readonly mean: number;
    /** Standard deviation over seeds, a fraction. */
    readonly sd?: number;
  }[];
}

export interface ReadOutBars {
  readonly title: string;
  readonly groups: readonly ReadOutGroup[];
  /** Accuracy of guessing, a fraction. */
  readonly chance?: number;
}

const [headingHeight, barHeight, groupGap] = [32, 32, 14];

export async function readOutBars({ title, groups, chance }: ReadOutBars): Promise<string> {
  const bars = groups.flatMap((group) => group.bars);
  for (const { name, mean } of bars) checkFraction(`mean of ${name}`, mean);
  if (chance !== undefined) checkFraction("chance", chance);
  if (bars.length === 0)
    return sheet({ title, picture: emptyPicture("no scores yet", sheetWidth, 200), pictureHeight: 200 });

  const names = [...new Set(bars.map(({ name }) => name))];
  let bottom = 0;
  const placed = groups.map((group) => {
    const y = bottom + headingHeight;
    bottom = y + group.bars.length * barHeight + groupGap;
    return {
      heading: clip(printable(group.label), fontSize, sheetWidth - 2 * margin),
      headingY: y - headingHeight / 2,
      top: y,
      bottom: bottom - groupGap,
      bars: group.bars.map(({ name, mean, sd = Number.NaN }, i) => ({
        name: clip(printable(name), fontSize, 200),
        colour: areaColours[names.indexOf(name) % areaColours.length],
        y: y + (i + 0.5) * barHeight,
        mean,
        low: Math.max(0, mean - sd),
        high: Math.min(1, mean + sd),
        meanText: percent(mean),
        sdText: Number.isFinite(sd) ? `± ${percent(sd)}` : "",
      })),
    };
  });
  const rows = placed.flatMap((group) => group.bars);
  const spreads = rows.filter(({ sdText }) => sdText !== "");
  const verticals = (xs: number[]): { x: number; top: number; bottom: number }[] =>
    placed.flatMap(({ top, bottom }) => xs.map((x) => ({ x, top, bottom })));

  const longest = (texts: string[]): number => Math.max(...texts.map((text) => textWidth(text, fontSize)));
  // With room for a browser that has neither Arial nor its like, and sets text wider.
  const sdWidth = spreads.length > 0 ? longest(rows.map(({ sdText }) => sdText)) + 18 : 0;
  const marginLeft = margin + 12 + longest(rows.map(({ name }) => name));
  const marginRight = margin + 30 + longest(rows.map(({ meanText }) => meanText)) + sdWidth;
  const height = bottom + fontSize * 1.5;
  const right = { y: "y", frameAnchor: "right", textAnchor: "end", fill: colours.ink } as const;

  const picture = await plotMarkup((plot) => ({
    width: sheetWidth,
    height,
    marginLeft,
    marginRight,
    marginTop: 0,
    marginBottom: height - bottom + groupGap,
    x: { domain: [0, 1], axis: null },
    y: { type: "identity", axis: null },
    marks: [
      plot.ruleX(verticals(ticks), { x: "x", y1: "top", y2: "bottom", stroke: colours.grid }),
      plot.axisX(ticks, { tickFormat: (x) => `${100 * x} %`, tickSize: 0, label: null, fill: colours.quiet }),
      plot.rect(rows, { x1: 0, x2: "mean", y1: (d) => d.y - 11, y2: (d) => d.y + 11, fill: "colour" }),
      chance === undefined
        ? null
        : plot.ruleX(verticals([chance]), { x: "x", y1: "top", y2: "bottom", ...chanceStroke, strokeDasharray: "6,5" }),
      plot.ruleY(spreads, { x1: "low", x2: "high", y: "y", ...whisker }),
      ...["low", "high"].map((end) =>
        plot.ruleX(spreads, { x: end, y1: (d) => d.y - 6, y2: (d) => d.y + 6, ...whisker }),
      ),
      plot.text(placed, {
        text: "heading",
        y: "headingY",
        frameAnchor: "left",
        textAnchor: "start",
        dx: margin - marginLeft,
        fill: colours.ink,
      }),
      plot.text(rows, { y: "y", frameAnchor: "left", text: "name", textAnchor: "end", dx: -12, fill: colours.quiet }),
      plot.text(rows, { ...right, text: "meanText", dx: marginRight - margin - sdWidth }),
      plot.text(spreads, { ...right, text: "sdText", dx: marginRight - margin }),
    ],
  }));
  return sheet({
    title,
    caption: spreads.length > 0 ? "accuracy in %, mean ± sd" : "accuracy in %",
    keys:
      chance === undefined
        ? []
        : [{ text: `chance ${percent(chance)} %`, colour: colours.ink, thickness: 2, dashed: true }],
    picture,
    pictureHeight: height,
  });
}

const ticks = [0, 0.25, 0.5, 0.75, 1];
const chanceStroke = { stroke: colours.ink, strokeWidth: 2 } as const;
const whisker = { stroke: colours.ink, strokeWidth: 2 } as const;

function percent(fraction: number): string {
  return (100 * fraction).toFixed(1);
}

function checkFraction(argument: string, value: number): void {
  if (!(value >= 0 && value <= 1))
    throw wrong(
      "readOutBars",
      argument,
      "a fraction between 0 and 1",
      value,
      value > 1 ? "divide percent by 100" : undefined,
    );
}

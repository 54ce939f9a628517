// A table of accuracies as dots: every seed of every row, one panel a read-out, beside the random encoder and the published numbers.

import { linearTicks, plotMarkup } from "../../figures/plot.ts";
import {
  clip,
  colours,
  emptyPicture,
  fontSize,
  lineColour,
  margin,
  printable,
  sheet,
  sheetWidth,
} from "../../figures/sheet.ts";
import type { ReportTable } from "../report.ts";
import { isCompared, statistics, tableTitle } from "./summary.ts";

/** Colours of the columns within a panel, dark enough for small marks on white. */
const columnColours = [lineColour, "#d55e00", "#007a5a", "#a3527e", "#6b6b6b"] as const;
const [rowHeight, bandHeight, panelsAbreast, panelGap, titleSize] = [50, 24, 3, 28, 18] as const;

/** Panels of one table in rows of three. Columns of one title have one colour in every panel. */
export async function accuracyFigure(table: ReportTable): Promise<string> {
  const { rows, columns } = table;
  const title = tableTitle(table);
  const measured = columns.flatMap((column, x) => {
    const values = rows.flatMap(({ cells }) => statistics(cells[x])?.values ?? []);
    return values.length > 0 ? [{ ...column, x, values }] : [];
  });
  if (measured.length === 0)
    return sheet({ title, picture: emptyPicture("no accuracies yet", sheetWidth, 200), pictureHeight: 200 });

  const grouped = measured.some(({ group }) => group !== undefined);
  const names = [...new Set(measured.map((column) => (grouped ? column.title : "")))];
  const panels = [...Map.groupBy(measured, (column) => (grouped ? (column.group ?? "") : column.title))];
  const abreast = Math.min(panelsAbreast, panels.length);
  const panelWidth = (sheetWidth - 2 * margin - (abreast - 1) * panelGap) / abreast;
  const blockHeight = 34 + rows.length * rowHeight + 44;
  const height = Math.ceil(panels.length / abreast) * blockHeight;
  const floor = rows.find((row) => row.floor);

  const lines: Line[] = [];
  const dots: { x: number; y: number; colour: string }[] = [];
  const texts: Text[] = [];
  for (const [number, [heading, columnsHere]] of panels.entries()) {
    const left = margin + (number % abreast) * (panelWidth + panelGap);
    const top = Math.floor(number / abreast) * blockHeight;
    const published = columnsHere.some(({ asPublished }) => asPublished)
      ? rows.flatMap((row) => row.published ?? [])
      : [];
    const shown = [...columnsHere.flatMap(({ values }) => values), ...published];
    const ticks = linearTicks(Math.min(...shown) - 0.5, Math.max(...shown) + 0.5, 3);
    const [low, high] = [ticks.values[0], ticks.values.at(-1) ?? 0];
    const xOf = (percent: number): number => left + (panelWidth * (percent - low)) / (high - low);
    const bottom = top + 34 + rows.length * rowHeight;
    texts.push({ x: left, y: top + 14, text: clip(printable(heading), fontSize, panelWidth), colour: colours.ink });
    for (const [i, tick] of ticks.values.entries()) {
      const anchor = i === 0 ? "start" : i === ticks.values.length - 1 ? "end" : "middle";
      texts.push({ x: xOf(tick), y: bottom + 16, text: ticks.format(tick), colour: colours.quiet, anchor });
    }
    for (const [y, row] of rows.entries()) {
      const band = top + 34 + y * rowHeight + (rowHeight - bandHeight) - 4;
      const middle = band + bandHeight / 2;
      const rule = (percent: number, colour: string, thickness: number, dash = "none"): void => {
        lines.push({ x: xOf(percent), y1: band, y2: band + bandHeight, colour, thickness, dash });
      };
      for (const tick of ticks.values) rule(tick, colours.grid, 1);
      if (number % abreast === 0)
        texts.push({
          x: margin,
          y: band - 11,
          size: titleSize,
          text: clip(printable(row.title), titleSize, sheetWidth - 5 * margin),
          colour: row.floor ? colours.quiet : colours.ink,
        });
      if (columnsHere.every(({ x }) => statistics(row.cells[x]) === undefined))
        texts.push({ x: left, y: middle, size: titleSize, text: "no number", colour: colours.warning });
      for (const column of columnsHere) {
        const colour = columnColours[names.indexOf(grouped ? column.title : "") % columnColours.length];
        const random = floor && statistics(floor.cells[column.x]);
        if (random) rule(random.mean, colour, 1.5, "4,3");
        if (column.asPublished) for (const paper of row.published ?? []) rule(paper, colours.ink, 3);
        const here = statistics(row.cells[column.x]);
        if (here === undefined) continue;
        for (const value of here.values) dots.push({ x: xOf(value), y: middle, colour });
        lines.push({ x: xOf(here.mean), y1: middle - 8, y2: middle + 8, colour, thickness: 3, dash: "none" });
      }
    }
  }

  const picture = await plotMarkup((plot) => ({
    width: sheetWidth,
    height,
    margin: 0,
    x: { type: "identity", axis: null },
    y: { type: "identity", axis: null },
    color: { type: "identity" },
    marks: [
      ...Map.groupBy(lines, ({ thickness, dash }) => `${thickness} ${dash}`)
        .values()
        .map((alike) =>
          plot.ruleX(alike, {
            x: "x",
            y1: "y1",
            y2: "y2",
            stroke: "colour",
            strokeWidth: alike[0].thickness,
            strokeDasharray: alike[0].dash,
          }),
        ),
      plot.dot(dots, { x: "x", y: "y", r: 4.5, fill: "colour", fillOpacity: 0.6 }),
      ...(["start", "middle", "end"] as const).map((anchor) =>
        plot.text(
          texts.filter((text) => (text.anchor ?? "start") === anchor),
          {
            x: "x",
            y: "y",
            text: "text",
            fill: "colour",
            textAnchor: anchor,
            fontSize: (text: Text) => text.size ?? fontSize,
          },
        ),
      ),
    ],
  }));
  return sheet({
    title,
    caption: "accuracy in %: dots are seeds, bars their means",
    keys: [
      ...(grouped
        ? names.map((text, i) => ({ text, colour: columnColours[i % columnColours.length], thickness: 8 }))
        : []),
      ...(floor
        ? [{ text: clip(printable(floor.title), fontSize, 480), colour: colours.quiet, thickness: 2, dashed: true }]
        : []),
      ...(isCompared({ ...table, columns: measured })
        ? [{ text: "published", colour: colours.ink, thickness: 3 }]
        : []),
    ],
    picture,
    pictureHeight: height,
  });
}

interface Line {
  readonly x: number;
  readonly y1: number;
  readonly y2: number;
  readonly colour: string;
  readonly thickness: number;
  readonly dash: string;
}

interface Text {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly colour: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly size?: number;
}

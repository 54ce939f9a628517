// The locality audit as a picture: a row for every layer, a cell for every condition, its verdict in words and in colour.

import type { Condition, Verdict } from "../program/audit.ts";
import { formatBytes } from "../program/explain.ts";
import { plotMarkup } from "./plot.ts";
import { areaColours, clip, colours, fontSize, margin, printable, sheet, sheetWidth } from "./sheet.ts";

export interface AuditFigure {
  readonly name: string;
  readonly learning: string;
  readonly update: string;
  readonly loss: { readonly kind: string };
  readonly summary: Readonly<Record<Condition, Verdict>>;
  readonly lessons: readonly { readonly layers: readonly AuditRow[] }[];
}

type AuditRow = Readonly<Record<Condition, Verdict>> & {
  readonly layer: string;
  readonly remembers: { readonly views: number; readonly bytes: number } | undefined;
  readonly locking: { readonly forward: readonly string[]; readonly backward: readonly string[] };
  readonly disagreements: readonly string[];
};

const columns: readonly { readonly condition: Condition; readonly heading: readonly [string, string] }[] = [
  { condition: "activities", heading: ["(i) pre, post,", "memory"] },
  { condition: "arithmetic", heading: ["(ii) plain", "arithmetic"] },
  { condition: "transport", heading: ["(iii) no weight", "transport"] },
  { condition: "labels", heading: ["(iv)", "labels"] },
];

const fills: Readonly<Record<Verdict["verdict"], string>> = {
  pass: areaColours[0],
  partial: areaColours[5],
  fail: areaColours[1],
};

const [rowHeight, headingHeight, layerWidth, cellWidth] = [34, 58, 152, 132];

export async function auditFigure(audit: AuditFigure): Promise<string> {
  const layers = audit.lessons.flatMap((lesson) => lesson.layers);
  const rows = [...layers.map((layer) => ({ ...layer, name: layer.layer })), { ...audit.summary, name: "all" }];
  const top = (row: number): number => headingHeight + row * rowHeight + (row === layers.length ? 8 : 0);
  const left = (column: number): number => margin + layerWidth + column * cellWidth;
  const cells = rows.flatMap((row, y) =>
    columns.map(({ condition }, x) => ({
      x1: left(x),
      x2: left(x) + cellWidth - 4,
      y1: top(y),
      y2: top(y) + rowHeight - 4,
      fill: fills[row[condition].verdict],
      word: row[condition].word,
    })),
  );
  const height = top(rows.length - 1) + rowHeight + 8;
  const middle = (y: number): number => top(y) + (rowHeight - 4) / 2;
  const picture = await plotMarkup((plot) => ({
    width: sheetWidth,
    height,
    margin: 0,
    x: { type: "identity", axis: null },
    y: { type: "identity", axis: null },
    color: { type: "identity" },
    marks: [
      plot.rect(cells, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "fill" }),
      plot.text(cells, {
        x: (cell) => (cell.x1 + cell.x2) / 2,
        y: (cell) => (cell.y1 + cell.y2) / 2,
        text: "word",
        fill: colours.ink,
      }),
      plot.text(rows, {
        x: margin,
        y: (_, y) => middle(y),
        text: (row) => clip(printable(row.name), fontSize, layerWidth - 8),
        textAnchor: "start",
        fill: colours.ink,
      }),
      ...[0, 1].map((line) =>
        plot.text(columns, {
          x: (_, x) => left(x) + (cellWidth - 4) / 2,
          y: 12 + line * fontSize * 1.2,
          text: ({ heading }) => heading[line],
          fill: colours.quiet,
        }),
      ),
    ],
  }));
  const unconfirmed = layers.filter(({ disagreements }) => disagreements.length > 0).map(({ layer }) => layer);
  return sheet({
    title: `${audit.name}: what a synapse has to know`,
    caption: [`${audit.loss.kind}, ${audit.learning}, ${audit.update}`, ...memoryOf(layers)].join("; "),
    picture,
    pictureHeight: height,
    notes: unconfirmed.length > 0 ? [`not confirmed by intervention: ${unconfirmed.join(", ")}`] : [],
  });
}

/** Words for every amount that layers must remember. */
function memoryOf(layers: readonly AuditRow[]): string[] {
  const amounts = new Map<string, string[]>();
  for (const { layer, remembers } of layers) {
    if (remembers === undefined) continue;
    const amount = `${remembers.views} views (${formatBytes(remembers.bytes)})`;
    amounts.set(amount, [...(amounts.get(amount) ?? []), layer]);
  }
  return [...amounts].map(([amount, names]) => `for one view's error ${names.join(", ")} must remember ${amount}`);
}

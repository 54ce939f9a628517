// Matrices side by side, each number in its cell, dark where it is large.

import { plotMarkup } from "./plot.ts";
import { clip, colours, fontSize, label, margin, sheet, sheetWidth } from "./sheet.ts";

export interface HeatMaps {
  readonly title: string;
  readonly caption: string;
  readonly names: readonly string[];
  readonly maps: readonly {
    readonly heading: string;
    readonly rows: string;
    readonly columns: string;
    readonly values: readonly (readonly number[])[];
  }[];
}

const gap = 28;
const size = 0.75 * fontSize;

export async function heatMaps({ title, caption, names, maps }: HeatMaps): Promise<string> {
  const width = (sheetWidth - 2 * margin - (maps.length - 1) * gap) / maps.length;
  const left = 56;
  const side = (width - left) / names.length;
  const top = 76;
  const height = top + names.length * side + 8;
  const parts: string[] = [];
  for (const [i, { heading, rows, columns, values }] of maps.entries()) {
    const cells = values.flatMap((row, y) => row.map((value, x) => ({ x, y, value })));
    const body = await plotMarkup((plot) => ({
      width,
      height,
      margin: 0,
      x: { type: "identity", axis: null },
      y: { type: "identity", axis: null },
      color: { type: "identity" },
      marks: [
        plot.rect(cells, {
          x1: (d) => left + d.x * side,
          x2: (d) => left + (d.x + 1) * side - 2,
          y1: (d) => top + d.y * side,
          y2: (d) => top + (d.y + 1) * side - 2,
          fill: ({ value }: { value: number }) => shade(value),
        }),
        plot.text(cells, {
          x: (d) => left + (d.x + 0.5) * side - 1,
          y: (d) => top + (d.y + 0.5) * side - 1,
          text: ({ value }: { value: number }) => (Number.isFinite(value) ? value.toFixed(2).replace("-", "−") : "–"),
          fill: ({ value }: { value: number }) => (value > 0.55 ? "white" : colours.ink),
          fontSize: size,
        }),
        plot.text(names, {
          x: (_, k) => left + (k + 0.5) * side,
          y: top - 12,
          text: (name: string) => clip(name, size, side),
          fill: colours.quiet,
          fontSize: size,
        }),
        plot.text(names, {
          x: left - 8,
          y: (_, k) => top + (k + 0.5) * side,
          text: (name: string) => clip(name, size, left - 10),
          textAnchor: "end",
          fill: colours.quiet,
          fontSize: size,
        }),
      ],
    }));
    const words = [
      label(clip(heading, 0.85 * fontSize, width), 0, 16, 0.85 * fontSize, colours.ink),
      label(clip(`rows ${rows}, columns ${columns}`, size, width), 0, 34, size, colours.quiet),
    ];
    parts.push(`<g transform="translate(${margin + i * (width + gap)},0)">${words.join("")}${body}</g>`);
  }
  return sheet({ title, caption, picture: parts.join(""), pictureHeight: height });
}

/** White at 0 and below, dark blue at 1. */
function shade(value: number): string {
  const share = Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
  const [red, green, blue] = [
    [255, 0],
    [255, 72],
    [255, 130],
  ].map(([from, to]) => Math.round(from + share * (to - from)));
  return `rgb(${red},${green},${blue})`;
}

// Accuracy against how strongly pictures are deformed: small multiples, a panel for each deformation and a line for each encoder.

import { wrong } from "../program/errors.ts";
import { plotMarkup } from "./plot.ts";
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
} from "./sheet.ts";

export interface StrengthCurves {
  readonly title: string;
  readonly caption: string;
  readonly lines: readonly {
    readonly name: string;
    /** What others are measured beside: grey. */
    readonly floor?: boolean;
  }[];
  readonly panels: readonly {
    /** "rotation, degrees". */
    readonly heading: string;
    /** Ascending; the first leaves pictures as they are. */
    readonly strengths: readonly number[];
    /** Strengths are factors: the axis is logarithmic. */
    readonly factors?: boolean;
    /** Fractions, for each line one for each strength. */
    readonly accuracies: readonly (readonly number[])[];
  }[];
  /** Accuracy of guessing, a fraction. */
  readonly chance: number;
}

const columns = 2;
const [headingHeight, panelHeight, gap] = [34, 220, 26];
const panelWidth = (sheetWidth - 2 * margin - gap) / columns;
const text = fontSize * 0.85;
/** Okabe and Ito's, dark enough for a line on white. */
const strong = [lineColour, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const;
const floorColour = "#767676";

export async function strengthCurves(figure: StrengthCurves): Promise<string> {
  const { title, caption, lines, panels, chance } = figure;
  if (panels.length === 0 || lines.length === 0)
    return sheet({ title, picture: emptyPicture("nothing was measured", sheetWidth, 200), pictureHeight: 200 });
  for (const { heading, strengths, accuracies } of panels)
    if (accuracies.length !== lines.length || accuracies.some((line) => line.length !== strengths.length))
      throw wrong("strengthCurves", heading, `${lines.length} lines of ${strengths.length} accuracies`, [
        accuracies.length,
        ...accuracies.map((line) => line.length),
      ]);
  const keys = keysOf(lines);
  const rowHeight = headingHeight + panelHeight + gap;
  const parts = await Promise.all(
    panels.map(async (panel, i) => {
      const x = margin + (i % columns) * (panelWidth + gap);
      const y = Math.floor(i / columns) * rowHeight;
      const markup = await drawPanel(panel, keys, chance);
      const heading = label(clip(panel.heading, fontSize, panelWidth), x, y + fontSize, fontSize, colours.ink);
      return `${heading}<g transform="translate(${x},${y + headingHeight})">${markup}</g>`;
    }),
  );
  const guessing: Key = {
    text: `chance ${(100 * chance).toFixed(0)} %`,
    colour: colours.ink,
    thickness: 2,
    dashed: true,
  };
  return sheet({
    title,
    caption,
    keys: [...keys, guessing],
    picture: parts.join(""),
    pictureHeight: Math.ceil(panels.length / columns) * rowHeight - gap / 2,
  });
}

function keysOf(lines: StrengthCurves["lines"]): Key[] {
  const [loud, quiet] = [lines.filter(({ floor }) => !floor), lines.filter(({ floor }) => floor)];
  return lines.map((line) => ({
    text: clip(line.name, fontSize, 300),
    colour: line.floor ? floorColour : strong[loud.indexOf(line) % strong.length],
    thickness: line.floor ? 2.5 : 4,
    dashed: line.floor ? quiet.indexOf(line) % 2 === 1 : loud.indexOf(line) >= strong.length,
  }));
}

function drawPanel(
  { strengths, factors = false, accuracies }: StrengthCurves["panels"][number],
  keys: readonly Key[],
  chance: number,
): Promise<string> {
  const points = accuracies.map((line) => line.map((accuracy, i) => ({ strength: strengths[i], accuracy })));
  const at = { x: "strength", y: "accuracy" } as const;
  const [first, last] = [strengths[0], strengths[strengths.length - 1]];
  return plotMarkup((plot) => ({
    width: panelWidth,
    height: panelHeight,
    marginLeft: 66,
    marginRight: 16,
    marginTop: 8,
    marginBottom: 34,
    x: { type: factors ? "log" : "linear", domain: [first, last > first ? last : first + 1], axis: null },
    y: { domain: [0, 1], axis: null },
    marks: [
      plot.ruleY([0, 0.25, 0.5, 0.75, 1], { stroke: colours.grid }),
      plot.text([0, 0.5, 1], {
        y: (d) => d,
        text: (d: number) => `${100 * d} %`,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -14,
        fill: colours.quiet,
        fontSize: text,
      }),
      plot.text(strengths, {
        x: (d) => d,
        text: (d: number) => String(d),
        frameAnchor: "bottom",
        dy: 24,
        fill: colours.quiet,
        fontSize: text,
      }),
      plot.ruleY([chance], { stroke: colours.ink, strokeWidth: 1.5, strokeDasharray: "6,5" }),
      ...points.flatMap((line, i) => {
        const { colour, thickness, dashed } = keys[i];
        return [
          plot.line(line, {
            ...at,
            stroke: colour,
            strokeWidth: thickness,
            ...(dashed ? { strokeDasharray: "6,5" } : {}),
          }),
          plot.dot(line, { ...at, fill: colour, r: thickness + 1 }),
        ];
      }),
    ],
  }));
}

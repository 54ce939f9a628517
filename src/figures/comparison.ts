// A comparison of encoders as one picture: the pairs of views that they learn from, which pictures a representation finds similar, and what is read
// out of each.

import { pixelImage } from "./pixels.ts";
import { plotMarkup } from "./plot.ts";
import { areaColours, clip, colours, fontSize, label, margin, sheet, sheetWidth, textWidth } from "./sheet.ts";

/** Pictures [height, width, channels] of one size, values from low to high. */
export interface Pictures {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export interface ComparisonFigure {
  readonly title: string;
  readonly caption: string;
  /** What is learnt from: boxes of pictures in [low, high], side by side. */
  readonly views: Pictures & {
    readonly heading: string;
    readonly note: string;
    readonly range: readonly [number, number];
    readonly boxes: readonly (readonly Float32Array[])[];
  };
  /** Rows: a picture, and the nearest to it in each code, nearest first; `right` where it shows the same thing. */
  readonly alike: Pictures & {
    readonly codes: readonly string[];
    readonly rows: readonly {
      readonly picture: Float32Array;
      readonly nearest: readonly (readonly { readonly picture: Float32Array; readonly right: boolean }[])[];
    }[];
  };
  /** Accuracies, fractions, by read-out and encoder. */
  readonly readOuts: readonly { readonly name: string; readonly accuracies: readonly number[] }[];
  readonly encoders: readonly string[];
  readonly readOutCaption: string;
  readonly chance: number;
}

const inner = sheetWidth - 2 * margin;
const headingSize = fontSize;
const sectionGap = 22;
const rightColour = "#0072b2";

export async function comparisonFigure(figure: ComparisonFigure): Promise<string> {
  const parts: string[] = [];
  let y = 0;
  const section = async (
    heading: string,
    note: string,
    draw: (top: number) => Promise<{ markup: string; height: number }>,
  ): Promise<void> => {
    y += headingSize;
    parts.push(label(heading, margin, y, headingSize, colours.ink));
    y += headingSize * 1.2;
    parts.push(label(clip(note, fontSize * 0.85, inner), margin, y, fontSize * 0.85, colours.quiet));
    y += 12;
    const { markup, height } = await draw(y);
    parts.push(markup);
    y += height + sectionGap;
  };
  await section(`1. ${figure.views.heading}`, figure.views.note, (top) => drawViews(figure.views, top));
  await section(
    "2. Which pictures it then finds similar",
    "Beside each picture the most similar others; framed: of the same class",
    (top) => drawAlike(figure.alike, top),
  );
  await section("3. What can be read out", figure.readOutCaption, (top) => drawReadOuts(figure, top));
  return sheet({
    title: figure.title,
    caption: figure.caption,
    picture: parts.join(""),
    pictureHeight: y,
  });
}

async function drawViews({ boxes, range, height, width, channels }: ComparisonFigure["views"], top: number) {
  const size = { height, width, channels };
  const gap = 16;
  // As large as in pairs.
  const side = Math.floor((inner - (boxes.length - 1) * gap) / boxes.length / 2) - 2;
  const images = await Promise.all(
    boxes.flatMap((box, i) =>
      box.map(async (picture, k) => {
        const x = margin + i * ((inner + gap) / boxes.length) + k * (side + 2);
        return pixelImage({ ...size, picture, range }, { x, y: top, width: side, height: side });
      }),
    ),
  );
  return { markup: images.join(""), height: side };
}

async function drawAlike({ codes, rows, ...size }: ComparisonFigure["alike"], top: number) {
  const count = Math.max(...rows.flatMap(({ nearest }) => nearest.map((list) => list.length)));
  const gap = 26;
  const side = Math.floor((inner - codes.length * gap) / (1 + codes.length * count)) - 6;
  const pitch = side + 6;
  const headingHeight = 24;
  const parts = codes.map((code, c) => {
    const x = margin + pitch + gap + c * (count * pitch + gap);
    return label(clip(code, fontSize * 0.85, count * pitch), x, top + 15, fontSize * 0.85, colours.ink);
  });
  for (const [r, { picture, nearest }] of rows.entries()) {
    const y = top + headingHeight + r * pitch;
    const draw = async (one: Float32Array, x: number, framed: boolean): Promise<void> => {
      if (framed)
        parts.push(
          `<rect x="${x - 2.5}" y="${y - 2.5}" width="${side + 5}" height="${side + 5}" fill="${rightColour}"/>`,
        );
      parts.push(await pixelImage({ ...size, picture: one, range: [0, 1] }, { x, y, width: side, height: side }));
    };
    await draw(picture, margin, false);
    for (const [c, list] of nearest.entries())
      for (const [k, one] of list.entries())
        await draw(one.picture, margin + pitch + gap + c * (count * pitch + gap) + k * pitch, one.right);
  }
  return { markup: parts.join(""), height: headingHeight + rows.length * pitch };
}

/** One group of bars for each read-out, one bar for each encoder. */
async function drawReadOuts({ readOuts, encoders, chance }: ComparisonFigure, top: number) {
  const [barHeight, groupGap, headingHeight] = [26, 12, 26];
  const nameWidth = Math.max(...encoders.map((name) => textWidth(name, fontSize * 0.85))) + 14;
  let bottom = 0;
  const groups = readOuts.map(({ name, accuracies }) => {
    const from = bottom + headingHeight;
    bottom = from + encoders.length * barHeight + groupGap;
    return {
      name,
      y: from - 8,
      bars: accuracies.map((accuracy, i) => ({ accuracy, i, y: from + (i + 0.5) * barHeight })),
    };
  });
  const bars = groups.flatMap((group) => group.bars);
  const markup = await plotMarkup((plot) => ({
    width: sheetWidth,
    height: bottom,
    marginLeft: margin + nameWidth,
    marginRight: margin + 60,
    marginTop: 0,
    marginBottom: 0,
    x: { domain: [0, 1], axis: null },
    y: { type: "identity", axis: null },
    marks: [
      plot.rect(bars, {
        x1: 0,
        x2: "accuracy",
        y1: (d) => d.y - 9,
        y2: (d) => d.y + 9,
        fill: (d: { i: number }) => barColours[d.i % barColours.length],
      }),
      plot.ruleX(
        groups.flatMap(({ bars: own }) => [{ x: chance, top: own[0].y - 12, bottom: own[own.length - 1].y + 12 }]),
        { x: "x", y1: "top", y2: "bottom", stroke: colours.ink, strokeWidth: 1.5, strokeDasharray: "4,4" },
      ),
      plot.text(groups, {
        text: "name",
        y: "y",
        frameAnchor: "left",
        textAnchor: "start",
        dx: -nameWidth,
        fill: colours.ink,
        fontSize: fontSize * 0.85,
      }),
      plot.text(bars, {
        y: "y",
        frameAnchor: "left",
        text: (d: { i: number }) => encoders[d.i],
        textAnchor: "end",
        dx: -10,
        fill: colours.quiet,
        fontSize: fontSize * 0.85,
      }),
      plot.text(bars, {
        x: "accuracy",
        y: "y",
        text: (d: { accuracy: number }) => (100 * d.accuracy).toFixed(1),
        textAnchor: "start",
        dx: 8,
        fill: colours.ink,
        fontSize: fontSize * 0.85,
      }),
    ],
  }));
  return { markup: `<g transform="translate(0,${top})">${markup}</g>`, height: bottom };
}

/** Pixels and the random encoder grey, what learnt in colour. */
const barColours = ["#d0d0d0", "#a0a0a0", areaColours[1], areaColours[0], areaColours[3], areaColours[4]] as const;

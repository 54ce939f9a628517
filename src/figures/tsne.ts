// Pictures by t-SNE as small multiples: a panel for each layer, coloured by class, and once more by coarse groups of classes.

import { wrong } from "../program/errors.ts";
import { clip, colours, fontSize, label, lineColour, margin, sheet, sheetWidth, textWidth } from "./sheet.ts";

/** One layer's picture. */
export interface TsnePanel {
  /** "conv3". */
  readonly heading: string;
  /** [n, 2], of any scale. */
  readonly coordinates: ArrayLike<number>;
}

/** One way to colour all panels. */
export interface TsneColouring {
  readonly heading: string;
  /** How the lines under the panels read. */
  readonly note: string;
  /** What the colours stand for, by the labels' numbers. */
  readonly names: readonly string[];
  /** One for each point. */
  readonly labels: Int32Array;
  /** Under each panel, in the panels' order. */
  readonly lines: readonly (readonly string[])[];
}

export interface TsneFigure {
  readonly title: string;
  readonly caption: string;
  readonly panels: readonly TsnePanel[];
  readonly colourings: readonly TsneColouring[];
}

/** Ten colours that are told apart with every common colour blindness (Petroff 2021, arXiv 2107.02270). */
const tenColours = [
  "#3f90da",
  "#ffa90e",
  "#bd1f01",
  "#94a4a2",
  "#832db6",
  "#a96b59",
  "#e76300",
  "#b9ac70",
  "#717581",
  "#92dadd",
] as const;
/** Okabe and Ito's, for a few groups. */
const fewColours = [lineColour, "#d55e00", "#009e73", "#cc79a7"] as const;
/** Of names beyond the tenth. */
const otherColour = "#d9d9d9";

const inner = sheetWidth - 2 * margin;
const small = fontSize * 0.85;
const [gap, lineHeight, dot] = [14, small * 1.25, 2.6];
/** Points are drawn in so many turns, in each of which every colour has its share, so that no class covers another. */
const turns = 12;

export function tsneFigure({ title, caption, panels, colourings }: TsneFigure): string {
  if (panels.length === 0) throw wrong("tsneFigure", "panels", "one or more", 0);
  const columns = panels.length <= 4 ? panels.length : panels.length <= 6 ? 3 : 4;
  const side = Math.floor((inner - (Math.max(columns, 2) - 1) * gap) / Math.max(columns, 2));
  const parts: string[] = [];
  let y = 0;
  for (const { heading, note, names, labels, lines } of colourings) {
    y += fontSize;
    parts.push(label(heading, margin, y, fontSize, colours.ink));
    y += lineHeight;
    parts.push(label(clip(note, small, inner), margin, y, small, colours.quiet));
    const palette = names.length <= fewColours.length ? fewColours : tenColours;
    const key = legend(names, palette, y);
    parts.push(key.markup);
    y = key.bottom + 12;
    const shares = sharesOf(labels, Math.min(names.length, palette.length));
    const most = Math.max(...lines.map((own) => own.length));
    const pitch = lineHeight + 6 + side + (most + 0.4) * lineHeight + 8;
    panels.forEach((panel, i) => {
      const left = margin + (i % columns) * (side + gap);
      const top = y + Math.floor(i / columns) * pitch;
      parts.push(label(clip(panel.heading, small, side), left, top + small, small, colours.ink));
      const frame = { left, top: top + lineHeight + 6, side };
      parts.push(drawPoints(panel, shares, palette, frame));
      lines[i].forEach((line, l) => {
        const below = frame.top + side + (l + 1) * lineHeight;
        parts.push(label(clip(line, small, side), left, below, small, l === 0 ? colours.ink : colours.quiet));
      });
    });
    y += Math.ceil(panels.length / columns) * pitch + 12;
  }
  return sheet({ title, caption, picture: parts.join(""), pictureHeight: y - 8 });
}

/** Dots and names in lines under `top`. */
function legend(names: readonly string[], palette: readonly string[], top: number): { markup: string; bottom: number } {
  const more = names.length - palette.length;
  const entries = names.slice(0, palette.length).map((name, i) => ({ name, colour: palette[i] as string }));
  if (more > 0) entries.push({ name: `${more} more`, colour: otherColour });
  const parts: string[] = [];
  let [x, y] = [margin, top + lineHeight * 1.15];
  for (const { name, colour } of entries) {
    const shown = clip(name, small, inner / 2);
    const width = 16 + textWidth(shown, small);
    if (x > margin && x + width > sheetWidth - margin) {
      x = margin;
      y += lineHeight * 1.15;
    }
    parts.push(`<circle cx="${x + 5}" cy="${round(y - small * 0.34)}" r="5.5" fill="${colour}"/>`);
    parts.push(label(shown, x + 16, y, small, colours.quiet));
    x += width + 18;
  }
  return { markup: parts.join(""), bottom: y };
}

interface Share {
  readonly colour: number;
  readonly points: readonly number[];
}

/** The points of every turn and colour; names beyond the palette first, so that they lie below. */
function sharesOf(labels: Int32Array, coloured: number): Share[] {
  const colourOf = (label: number): number => (label < coloured ? label : -1);
  const keys = [-1, ...Array.from({ length: turns * coloured }, (_, i) => i)];
  const shares = new Map(keys.map((key) => [key, [] as number[]]));
  const met = new Int32Array(coloured);
  labels.forEach((label, point) => {
    const colour = colourOf(label);
    const key = colour < 0 ? -1 : (met[colour]++ % turns) * coloured + colour;
    shares.get(key)?.push(point);
  });
  return keys.flatMap((key) => {
    const points = shares.get(key) ?? [];
    return points.length > 0 ? [{ colour: key < 0 ? -1 : key % coloured, points }] : [];
  });
}

/** A frame with a dot for each point: one path for each share, of strokes without length and with round ends. */
function drawPoints(
  { coordinates }: TsnePanel,
  shares: readonly Share[],
  palette: readonly string[],
  { left, top, side }: { readonly left: number; readonly top: number; readonly side: number },
): string {
  const ends = [0, 1].map((axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (let at = axis; at < coordinates.length; at += 2) {
      low = Math.min(low, coordinates[at]);
      high = Math.max(high, coordinates[at]);
    }
    return { middle: (low + high) / 2, extent: high - low };
  });
  const scale = (side - 12) / (Math.max(ends[0].extent, ends[1].extent) || 1);
  const place = (point: number): string => {
    const x = left + side / 2 + (coordinates[2 * point] - ends[0].middle) * scale;
    const y = top + side / 2 - (coordinates[2 * point + 1] - ends[1].middle) * scale;
    return `M${round(x)} ${round(y)}h0`;
  };
  const paths = shares.map(
    ({ colour, points }) =>
      `<path d="${points.map(place).join("")}" stroke="${colour < 0 ? otherColour : palette[colour]}"/>`,
  );
  const frame = `<rect x="${left + 0.5}" y="${top + 0.5}" width="${side - 1}" height="${side - 1}" fill="none" stroke="${colours.grid}"/>`;
  return `${frame}<g fill="none" stroke-width="${dotSize(coordinates.length / 2, side)}" stroke-linecap="round">${paths.join("")}</g>`;
}

/** Width of a dot: smaller where points are many and panels small. */
const dotSize = (points: number, side: number): number =>
  round(Math.min(5, Math.max(1.4, (dot * side * Math.sqrt(2000 / points)) / 218)));

const round = (length: number): number => Math.round(length * 10) / 10;

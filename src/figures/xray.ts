// The Credit X-ray over a run: one small plot per number, one line per layer, dark below and light above.

import { linearTicks, plotMarkup, type Ticks } from "./plot.ts";
import { colours, emptyPicture, fontSize, margin, sheet, sheetWidth, textWidth } from "./sheet.ts";

/** A look at the layers that learn together. */
export interface XrayPoint {
  readonly step: number;
  /** Shares of positive pairs beyond m1 and of negative pairs within m2. */
  readonly activePositives?: number;
  readonly activeNegatives?: number;
  /** Bottom first. */
  readonly layers: readonly XrayLayer[];
}

/** See training/xray.ts. */
export interface XrayLayer {
  /** The block's number, from 1; a head has none. */
  readonly layer?: number;
  readonly name: string;
  readonly angleWB?: number;
  readonly angleBP?: number;
  readonly chance: readonly [number, number];
  readonly signAgreement?: number;
  readonly dead: number;
  readonly saturated?: number;
  readonly epsilonShare?: number;
  readonly reconstruction?: number;
}

export interface XrayFigure {
  readonly title: string;
  /** In the order of their steps. */
  readonly points: readonly XrayPoint[];
}

/** A block's line is whole. */
const dashes = { whole: undefined, head: "1,6", negatives: "7,5" } as const;

interface Line {
  readonly name: string;
  readonly colour: string;
  readonly stroke: keyof typeof dashes;
  readonly points: readonly Mark[];
}

interface Mark {
  readonly step: number;
  readonly value: number;
}

interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly scale: (highest: number) => Ticks;
  /** Where chance would lie if every synapse were drawn by itself, from low to high. */
  readonly chance?: readonly (readonly [number, number])[];
}

/** For layers from the bottom to the top: told apart with every common colour blindness, and by lightness alone. */
const depths = ["#0d0887", "#7201a8", "#b6308b", "#dc5c66", "#f58c46", "#c9a400"] as const;

const columns = 2;
const gutter = 28;
const panelWidth = (sheetWidth - 2 * margin - (columns - 1) * gutter) / columns;
const [panelHeight, panelGap, titleHeight] = [240, 12, 52];
/** A line of fewer points shows them. */
const manyPoints = 25;
/** Share of the run. */
const longGap = 1 / 8;

export async function xrayFigure({ title, points }: XrayFigure): Promise<string> {
  const panels = panelsOf(points).filter(({ lines }) => lines.length > 0);
  if (panels.length === 0)
    return sheet({ title, picture: emptyPicture("no X-rays yet", sheetWidth, 200), pictureHeight: 200 });
  const steps = points.map(({ step }) => step);
  const drawn = await Promise.all(panels.map((panel) => drawPanel(panel, steps)));
  const placed = drawn.map((markup, i) => {
    const x = margin + (i % columns) * (panelWidth + gutter);
    const y = Math.floor(i / columns) * (panelHeight + panelGap);
    return `<g transform="translate(${x},${y})">${markup}</g>`;
  });
  const blocks = blocksOf(points);
  const anyHead = panels.some(({ lines }) => lines.some(({ stroke }) => stroke === "head"));
  const heads = anyHead ? ["dotted: the heads above"] : [];
  return sheet({
    title,
    caption: ["one fixed batch, by step", ...heads, "grey: 95 % of independent directions"].join("; "),
    keys: blocks.map(({ name }, i) => ({ text: name, colour: depthColour(i, blocks.length), thickness: 4 })),
    picture: placed.join(""),
    pictureHeight: Math.ceil(panels.length / columns) * (panelHeight + panelGap),
  });
}

const depthColour = (i: number, count: number): string =>
  depths[Math.round((i * (count > 5 ? depths.length - 1 : 4)) / Math.max(count - 1, 1))];

function blocksOf(points: readonly XrayPoint[]): XrayLayer[] {
  const found = new Map<number, XrayLayer>();
  for (const one of points.flatMap(({ layers }) => layers)) if (one.layer !== undefined) found.set(one.layer, one);
  return [...found].sort(([a], [b]) => a - b).map(([, block]) => block);
}

function panelsOf(points: readonly XrayPoint[]): Panel[] {
  const blocks = blocksOf(points);
  const colourOf = (layer: number): string =>
    depthColour(
      blocks.findIndex((block) => block.layer === layer),
      blocks.length,
    );
  /** The highest block of a look: a head hangs on it, and its loss is about it. */
  const topOf = ({ layers }: XrayPoint): number => Math.max(...layers.map(({ layer = 0 }) => layer));

  const lines = (number: (layer: XrayLayer) => number | undefined, withHeads: boolean): Line[] => {
    const made = new Map<string, Line & { readonly points: Mark[] }>();
    for (const point of points)
      for (const one of point.layers) {
        const value = number(one);
        if (value === undefined || !Number.isFinite(value) || (one.layer === undefined && !withHeads)) continue;
        const line = made.get(one.name) ?? {
          name: one.name,
          colour: colourOf(one.layer ?? topOf(point)),
          stroke: one.layer === undefined ? "head" : "whole",
          points: [],
        };
        made.set(one.name, line);
        line.points.push({ step: point.step, value });
      }
    return [...made.values()];
  };
  const gateLines = (key: "activePositives" | "activeNegatives"): Line[] =>
    [...new Set(points.map(topOf))].flatMap((top) => {
      const values = points.flatMap((point) => {
        const value = point[key];
        return topOf(point) === top && value !== undefined ? [{ step: point.step, value: 100 * value }] : [];
      });
      const colour = colourOf(top);
      return values.length > 0
        ? [{ name: `${key} ${top}`, colour, stroke: key === "activeNegatives" ? "negatives" : "whole", points: values }]
        : [];
    });
  const percent = (share: number | undefined): number | undefined => (share === undefined ? undefined : 100 * share);

  return [
    {
      title: "angle to BP's change",
      // A head's change is BP's under every rule.
      lines: lines(({ angleBP }) => angleBP, false),
      scale: angles,
      chance: blocks.map(({ chance }) => chance),
    },
    {
      title: "signs that agree with BP's",
      lines: lines(({ signAgreement }) => percent(signAgreement), false),
      scale: () => wholes,
      chance: [[50, 50]],
    },
    {
      title: "angle between W and B",
      lines: lines(({ angleWB }) => angleWB, true),
      scale: angles,
      chance: points
        .flatMap(({ layers }) => layers)
        .flatMap(({ angleWB, chance }) => (angleWB === undefined ? [] : [chance])),
    },
    { title: "error of the inverses", lines: lines(({ reconstruction }) => reconstruction, false), scale: numbers },
    {
      title: "eaten by Adam's ε",
      lines: lines(({ epsilonShare }) => percent(epsilonShare), true),
      scale: percents,
    },
    { title: "dead units", lines: lines(({ dead }) => percent(dead), true), scale: percents },
    { title: "saturated activities", lines: lines(({ saturated }) => percent(saturated), false), scale: percents },
    {
      title: "open gates (dashed: negatives)",
      lines: [...gateLines("activePositives"), ...gateLines("activeNegatives")],
      scale: () => wholes,
    },
  ];
}

function angles(highest: number): Ticks {
  const top = [90, 135, 180].find((limit) => highest <= limit + 8) ?? 180;
  return { values: [0, 45, 90, 135, 180].filter((value) => value <= top), format: (value) => `${value}°` };
}

const asPercent = ({ values, format }: Ticks): Ticks => ({ values, format: (value) => `${format(value)} %` });
const wholes = asPercent(linearTicks(0, 100, 2));
/** From 0 to a round share, at least 2 %. */
const percents = (highest: number): Ticks => asPercent(linearTicks(0, Math.max(highest, 2), 2));
const numbers = (highest: number): Ticks => linearTicks(0, highest, 2);

async function drawPanel({ title, lines, scale, chance = [] }: Panel, steps: readonly number[]): Promise<string> {
  const end = Math.max(...steps, 1);
  const highest = Math.max(...lines.flatMap(({ points }) => points.map(({ value }) => value)));
  const y = scale(highest);
  // With room above chance, so that a line along it does not hide the frame.
  const top = Math.max(y.values[y.values.length - 1], highest, ...chance.map(([, high]) => high * 1.05));
  const x = linearTicks(0, end, 3);
  const xValues = x.values.filter((value) => value <= end * (1 + 1e-9));
  const marginLeft = 10 + Math.max(...y.values.map((value) => textWidth(y.format(value), fontSize)));
  // Each band once: layers of one size share it.
  const bands = [...new Map(chance.map((band) => [band.join(), band])).values()];

  return plotMarkup((plot) => ({
    width: panelWidth,
    height: panelHeight,
    marginTop: titleHeight,
    marginBottom: fontSize * 1.7,
    marginLeft,
    marginRight: textWidth(x.format(xValues[xValues.length - 1]), fontSize) / 2,
    x: { domain: [0, end], axis: null },
    y: { domain: [0, top], axis: null },
    marks: [
      plot.ruleY(y.values, { stroke: colours.grid }),
      plot.rect(bands, {
        x1: 0,
        x2: end,
        y1: ([low]) => low,
        y2: ([, high]) => high,
        fill: colours.ink,
        fillOpacity: 0.1,
      }),
      plot.ruleY(bands.length > 0 ? [(bands[0][0] + bands[0][1]) / 2] : [], { stroke: "#9a9a9a", strokeWidth: 1.5 }),
      plot.text(y.values, {
        y: (d) => d,
        text: y.format,
        frameAnchor: "left",
        textAnchor: "end",
        dx: -8,
        fill: colours.quiet,
      }),
      plot.text([title], {
        frameAnchor: "top-left",
        textAnchor: "start",
        lineAnchor: "bottom",
        dx: -marginLeft,
        dy: -20,
        fill: colours.ink,
      }),
      plot.ruleY([0], { stroke: colours.quiet }),
      plot.axisX(xValues, {
        tickFormat: x.format,
        tickSize: 5,
        tickPadding: 5,
        label: null,
        fill: colours.quiet,
        stroke: colours.quiet,
      }),
      ...lines.flatMap(({ colour, stroke: kind, points }) => {
        const pieces = joined(points, steps, end);
        const at = { x: "step", y: "value" } as const;
        const stroke = { stroke: colour, strokeWidth: 2.5, ...(dashes[kind] ? { strokeDasharray: dashes[kind] } : {}) };
        const dots = points.length < manyPoints ? points : pieces.filter(({ length }) => length === 1).flat();
        return [
          ...pieces.map((piece) => plot.line(piece, { ...at, ...stroke })),
          plot.dot(dots, { ...at, fill: colour, r: 3 }),
        ];
      }),
    ],
  }));
}

/** Points of one layer; the looks at all layers before the first step and after the last stand alone where it learnt at another time. */
function joined(points: readonly Mark[], steps: readonly number[], end: number): Mark[][] {
  const pieces: Mark[][] = [];
  for (const point of points) {
    const before = pieces.at(-1)?.at(-1);
    const between = before && steps.some((step) => step > before.step && step < point.step);
    const outer = before && (before.step === 0 || point.step === end) && point.step - before.step > longGap * end;
    if (before === undefined || (between && outer)) pieces.push([point]);
    else pieces[pieces.length - 1].push(point);
  }
  return pieces;
}

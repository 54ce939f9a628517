// The figures of an inspection: every number against the layer, CKA between layers, receptive fields, and orientation tuning.

import type { InspectReport } from "../evaluation/neuro/inspect.ts";
import { type NeuroReadOut, neuroReadOuts } from "../evaluation/neuro/scores.ts";
import type { LayerTuning } from "../evaluation/neuro/unit-scores.ts";
import { fieldsFigure } from "./fields.ts";
import { heatMaps } from "./heat-maps.ts";
import { layerPanels } from "./layer-panels.ts";
import { svgToPng } from "./png.ts";
import { tuningFigure } from "./tuning.ts";
import { writeFigure } from "./write-figure.ts";

/** Writes inspect, cka, filters and tuning as .svg and .png; `name` is the run's. */
export async function drawInspection(folder: string, report: InspectReport, name: string): Promise<void> {
  const write = async (file: string, svg: string): Promise<void> => writeFigure(folder, file, svg, await svgToPng(svg));
  await write("inspect", await drawScores(report, name));
  await write("cka", await drawCka(report, name));
  await write("filters", await drawFields(report, name));
  await write("tuning", await drawTuning(report, name));
}

function drawScores({ scores, layers, stimuli, dataset }: InspectReport, name: string): Promise<string> {
  const panels = (Object.keys(neuroReadOuts) as NeuroReadOut[]).map((readOut) => {
    const own = scores.filter((score) => score.readOut === readOut);
    const subjects = [...new Set(own.filter(({ layer }) => layer !== undefined).map(({ subject }) => subject))];
    return {
      ...neuroReadOuts[readOut],
      lines: subjects.map((subject) => {
        const found = layers.map((layer) => own.find((score) => score.subject === subject && score.layer === layer));
        const of = (end: "value" | "low" | "high"): number[] => found.map((score) => score?.[end] ?? Number.NaN);
        return { name: subject, values: of("value"), low: of("low"), high: of("high") };
      }),
      levels: own.filter(({ subject }) => subject === "pixels").map(({ value }) => ({ name: "pixels", value })),
    };
  });
  return layerPanels({
    title: `${name}: layer by layer`,
    caption: `${stimuli} pictures of ${dataset}; bands: 95 % intervals`,
    layers,
    panels,
  });
}

const drawCka = ({ cka, stimuli, dataset }: InspectReport, name: string): Promise<string> =>
  heatMaps({
    title: `${name}: which layers are alike`,
    caption: `debiased linear CKA on ${stimuli} pictures of ${dataset}`,
    names: cka.layers,
    maps: [
      { heading: "trained with trained", rows: "trained", columns: "trained", values: cka.trained },
      { heading: "trained with random", rows: "trained", columns: "random", values: cka.trainedRandom },
    ],
  });

function drawFields({ fields, layers, scores }: InspectReport, name: string): Promise<string> {
  const drawn = layers.flatMap((layer) => {
    const own = fields.filter((one) => one.layer === layer);
    if (own.length === 0) return [];
    const [{ by, side, channels }] = own;
    const fits = own.map(({ subject }) => {
      const score = scores.find((one) => one.readOut === "gaborFit" && one.subject === subject && one.layer === layer);
      return `${subject} ${score && Number.isFinite(score.value) ? score.value.toFixed(2) : "–"}`;
    });
    const what = by === "filter" ? "filters" : "averages over noise";
    return [
      {
        heading: `${layer}: ${what}, ${side} × ${side} pixels; R² of a Gabor: ${fits.join(", ")}`,
        side,
        channels,
        rows: own.map((one) => ({ name: one.subject, fields: one.fields })),
      },
    ];
  });
  return fieldsFigure({
    title: `${name}: receptive fields`,
    caption: "of the first units of each layer; grey is 0, each field to its own largest value",
    layers: drawn,
  });
}

function drawTuning({ tuning, layers, orientations }: InspectReport, name: string): Promise<string> {
  return tuningFigure({
    title: `${name}: tuning to orientation`,
    caption: "left: preferred orientation, share of units; right: mean response by angle from the preferred one",
    orientations,
    layers: layers.map((layer) => {
      const own = tuning.filter((one) => one.layer === layer);
      const counts = own.map(({ subject, units, tuned }) => `${subject} ${tuned.length} of ${units}`);
      return {
        heading: `${layer}: units that answer to gratings: ${counts.join(", ")}`,
        encoders: own.map((one) => ({
          name: one.subject,
          preferred: histogram(one, orientations.length),
          curve: meanCurve(one, orientations.length),
        })),
      };
    }),
  });
}

/** Per cent of the tuned units whose preferred orientation is nearest to each. */
function histogram({ tuned }: LayerTuning, count: number): number[] {
  const counts = new Array<number>(count).fill(0);
  for (const { preferred } of tuned) counts[Math.round((preferred * count) / 180) % count] += 100 / tuned.length;
  return counts;
}

/** Mean over units of their curves, turned so that the largest response stands in the middle. */
function meanCurve({ tuned }: LayerTuning, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const values = tuned.map(({ curve }) => {
      const best = curve.indexOf(Math.max(...curve));
      return curve[(best + i - count / 2 + count) % count];
    });
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

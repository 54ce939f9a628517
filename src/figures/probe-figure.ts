// The figure of a probe: accuracies of the trained encoder beside the random one and the pixels, as bars, or against the layer where all were read.

import { type Mean, type ProbeReport, type ReadOut, summarise } from "../evaluation/probe.ts";
import { layerPanels } from "./layer-panels.ts";
import { svgToPng } from "./png.ts";
import { readOutBars } from "./read-outs.ts";
import { writeFigure } from "./write-figure.ts";

const shortNames: Readonly<Record<ReadOut, string>> = {
  paper: "paper's probe",
  scaleFree: "scale-free probe",
  kNN: "kNN",
};

export async function drawProbeFigure(folder: string, report: ProbeReport): Promise<void> {
  const groups = new Map<string, Mean[]>();
  for (const mean of summarise(report.scores)) {
    const { readOut, labelsPerClass } = mean;
    const label = `${shortNames[readOut]}, ${labelsPerClass === "all" ? "all labels" : `${labelsPerClass} a class`}`;
    groups.set(label, [...(groups.get(label) ?? []), mean]);
  }
  const svg = await (report.options.layers === "all" ? drawLayers : drawBars)(groups, report);
  await writeFigure(folder, "probe", svg, await svgToPng(svg));
}

type Groups = ReadonlyMap<string, readonly Mean[]>;

const drawBars = (groups: Groups, { chance, test }: ProbeReport): Promise<string> =>
  readOutBars({
    title: `Linear evaluation and kNN: ${test}`,
    groups: [...groups].map(([label, means]) => ({
      label,
      bars: means.map(({ subject, mean, sd }) => ({ name: subject, mean, ...(Number.isFinite(sd) ? { sd } : {}) })),
    })),
    chance,
  });

/** Figure 7 of the paper: accuracy against the layer, a panel for every read-out and number of labels. */
function drawLayers(groups: Groups, { chance, test, options }: ProbeReport): Promise<string> {
  const all = [...groups.values()].flat();
  const layers = [...new Set(all.flatMap(({ layer }) => layer ?? []))];
  const spread = options.seeds > 1 ? ", mean ± sd over draws of labels" : "";
  return layerPanels({
    title: `Accuracy of each layer: ${test}`,
    caption: `accuracy in %${spread}`,
    layers,
    panels: [...groups].map(([heading, means]) => ({
      heading,
      times: 100,
      includes: [0],
      lines: [...new Set(means.filter(({ layer }) => layer !== undefined).map(({ subject }) => subject))].map(
        (subject) => {
          const own = layers.map((layer) => means.find((mean) => mean.subject === subject && mean.layer === layer));
          const values = own.map((mean) => mean?.mean ?? Number.NaN);
          const sds = own.map((mean) => mean?.sd || 0);
          return {
            name: subject,
            values,
            low: values.map((value, i) => value - sds[i]),
            high: values.map((value, i) => value + sds[i]),
          };
        },
      ),
      levels: [
        ...means
          .filter(({ layer }) => layer === undefined)
          .map(({ subject, mean }) => ({ name: subject, value: mean })),
        { name: "chance", value: chance },
      ],
    })),
  });
}

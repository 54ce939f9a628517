// The figure of a probe: accuracy of the trained encoder beside the random one and the pixels, per read-out and labels.

import { readOutBars, svgToPng, writeFigure } from "../training/figures.ts";
import { type ProbeReport, type ReadOut, summarise } from "./probe.ts";

const shortNames: Readonly<Record<ReadOut, string>> = {
  paper: "paper's probe",
  scaleFree: "scale-free probe",
  kNN: "kNN",
};

export async function drawProbeFigure(folder: string, { scores, chance, test }: ProbeReport): Promise<void> {
  const groups = new Map<string, { name: string; mean: number; sd?: number }[]>();
  for (const { readOut, labelsPerClass, subject, mean, sd } of summarise(scores)) {
    const label = `${shortNames[readOut]}, ${labelsPerClass === "all" ? "all labels" : `${labelsPerClass} a class`}`;
    const bar = { name: subject, mean, ...(Number.isFinite(sd) ? { sd } : {}) };
    groups.set(label, [...(groups.get(label) ?? []), bar]);
  }
  const svg = await readOutBars({
    title: `What the code is worth: ${test}`,
    groups: [...groups].map(([label, bars]) => ({ label, bars })),
    chance,
  });
  await writeFigure(folder, "probe", svg, await svgToPng(svg));
}

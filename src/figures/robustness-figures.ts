// The figures of a robustness report: accuracy against strength, and pictures before and after a deformation (Figure 9).

import type { Backend } from "../backends/backend.ts";
import { type Deformation, isRecipe, singles } from "../data/deformations.ts";
import type { ImageSet } from "../data/images.ts";
import { type DeformOptions, deform } from "../evaluation/deform.ts";
import { floors } from "../evaluation/probe.ts";
import type { RobustnessReport, RobustnessScore } from "../evaluation/robustness.ts";
import { only } from "../evaluation/subsets.ts";
import { mean } from "../program/mean.ts";
import { pictureGrid } from "./picture-grid.ts";
import { strengthCurves } from "./strength-curves.ts";

/** `rotation, degrees`; of a recipe, in what it is measured. */
export function deformationHeading(deformation: Deformation): string {
  if (isRecipe(deformation)) return `recipe ${deformation.kind}, strength`;
  return `${deformation.kind}, ${singles[deformation.kind].unit}`;
}

/** Mean accuracy over draws of labels of the scores that `which` holds for. */
export function meanAccuracy(
  { scores }: Pick<RobustnessReport, "scores">,
  which: (score: RobustnessScore) => boolean,
): number {
  return mean(scores.filter(which).map(({ accuracy }) => accuracy));
}

/** What answers: a subject under a read-out and a number of labels, in the order of the scores. */
export type Line = Pick<RobustnessScore, "subject" | "readOut" | "labelsPerClass">;

export function everyLine({ scores }: Pick<RobustnessReport, "scores">): Line[] {
  const found = new Map<string, Line>();
  for (const { subject, readOut, labelsPerClass } of scores)
    found.set(`${subject}/${readOut}/${labelsPerClass}`, { subject, readOut, labelsPerClass });
  return [...found.values()];
}

export const isOf =
  ({ subject, readOut, labelsPerClass }: Line) =>
  (score: RobustnessScore): boolean =>
    score.subject === subject && score.readOut === readOut && score.labelsPerClass === labelsPerClass;

/** Lines of one read-out at the last of the numbers of labels, supervised networks beside them. */
export function linesOf(report: Curves, readOut: RobustnessScore["readOut"]): Line[] {
  const labels = report.options.labelsPerClass.at(-1);
  return everyLine(report).filter(
    (one) => one.readOut === "own" || (one.readOut === readOut && one.labelsPerClass === labels),
  );
}

/** What its curves are drawn of. */
export type Curves = Pick<RobustnessReport, "scores" | "test" | "chance" | "options">;

export function robustnessFigure(
  report: Curves,
  readOut: RobustnessScore["readOut"],
  caption: string,
): Promise<string> {
  const lines = linesOf(report, readOut);
  const known: readonly string[] = floors;
  return strengthCurves({
    title: `On deformed pictures: ${report.test}`,
    caption,
    lines: lines.map(({ subject }) => ({ name: subject, floor: known.includes(subject) })),
    panels: report.options.curves.map(({ deformation, strengths }) => ({
      heading: deformationHeading(deformation),
      strengths,
      factors: !isRecipe(deformation) && singles[deformation.kind].unit === "times",
      accuracies: lines.map((line) =>
        strengths.map((strength) =>
          meanAccuracy(
            report,
            (score) => isOf(line)(score) && score.deformation === deformation.kind && score.strength === strength,
          ),
        ),
      ),
    })),
    chance: report.chance,
  });
}

/** Rows of pictures and widest row, in pixels of the figure. */
const [pairsOfRows, widest] = [4, 1100];

/** Figure 9: odd rows the first pictures of a set, even rows the same, deformed. */
export async function drawDeformed(
  set: ImageSet,
  deformation: Deformation,
  options: DeformOptions,
  backend: Backend,
): Promise<{ svg: string; png: Uint8Array }> {
  const { height, width, channels } = set;
  const scale = Math.max(height, width) >= 64 ? 3 : 4;
  const along = Math.min(set.count, Math.max(1, Math.floor(widest / (width * scale + 4))));
  const rows = Math.min(pairsOfRows, Math.floor(set.count / along));
  const shown = only(
    set,
    Int32Array.from({ length: rows * along }, (_, i) => i),
  );
  const deformed = await deform(shown, deformation, options, backend);
  const picture = (from: ImageSet, i: number): Float32Array => {
    const size = height * width * channels;
    return Float32Array.from(from.pixels.subarray(i * size, (i + 1) * size));
  };
  const boxes = Array.from({ length: rows }, (_, row) =>
    [shown, deformed].map((from) => Array.from({ length: along }, (_, k) => picture(from, row * along + k))),
  );
  return pictureGrid({
    title: deformed.name,
    caption: "odd rows: original; even rows: deformed",
    boxes: boxes.flat(),
    height,
    width,
    channels,
    range: [0, 255],
    scale,
  });
}

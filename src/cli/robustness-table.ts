// What saccade robustness prints: a table of the recipe's strengths, and one of the single deformations.

import { isRecipe, neutralStrength, singles } from "../data/deformations.ts";
import type { RobustnessReport, RobustnessScore } from "../evaluation/robustness.ts";
import { everyLine, isOf, linesOf, meanAccuracy } from "../figures/robustness-figures.ts";
import { formatTable, labelsPerClassText, readOutNames, wrap } from "./table.ts";

export const readOutText = (readOut: RobustnessScore["readOut"]): string =>
  readOut === "own" ? "the network's own classifier" : readOutNames[readOut];

const share = (accuracy: number): string => (100 * accuracy).toFixed(1);

/** Accuracies in per cent at each strength of the recipe: one row for each encoder, read-out and number of labels. */
export function recipeRows(report: RobustnessReport): string[][] {
  const curve = report.options.curves.find(({ deformation }) => isRecipe(deformation));
  if (curve === undefined) return [];
  const { kind } = curve.deformation;
  return [
    [
      "encoder",
      "read-out",
      "labels",
      ...curve.strengths.map((strength) => (strength === 0 ? "clean" : `× ${strength}`)),
    ],
    ...everyLine(report).map((one) => [
      one.subject,
      one.readOut === "own" ? "its own" : readOutNames[one.readOut],
      one.readOut === "own" ? "its own" : one.labelsPerClass === "all" ? "all" : `${one.labelsPerClass} a class`,
      ...curve.strengths.map((strength) =>
        share(
          meanAccuracy(
            report,
            (score) => isOf(one)(score) && score.deformation === kind && score.strength === strength,
          ),
        ),
      ),
    ]),
  ];
}

/** One row for each single deformation and strength, one column for each encoder: the first read-out at the most labels. */
export function singleRows(report: RobustnessReport): string[][] {
  const lines = linesOf(report, report.options.readOuts[0]);
  const curves = report.options.curves.filter(({ deformation }) => !isRecipe(deformation));
  return [
    ["deformation", "strength", ...lines.map(({ subject }) => subject)],
    ...curves.flatMap(({ deformation, strengths }) =>
      strengths
        .filter((strength) => strength !== neutralStrength(deformation))
        .map((strength) => [
          deformation.kind,
          isRecipe(deformation) ? "" : unitText(strength, singles[deformation.kind].unit),
          ...lines.map((line) =>
            share(
              meanAccuracy(
                report,
                (score) => isOf(line)(score) && score.deformation === deformation.kind && score.strength === strength,
              ),
            ),
          ),
        ]),
    ),
  ];
}

const unitText = (strength: number, unit: "degrees" | "pixels" | "times"): string =>
  unit === "degrees" ? `${strength}°` : unit === "pixels" ? `${strength} px` : `× ${strength}`;

export function printRobustness(report: RobustnessReport, out: string): void {
  const { train, test, trainImages, testImages, overlapping, chance, options } = report;
  const recipe = options.curves.map(({ deformation }) => deformation).find(isRecipe);
  const reads = report.scores.some(({ readOut }) => readOut !== "own");
  const single = singleRows(report);
  const lines = [
    "",
    formatTable(recipeRows(report), 3),
    ...(single.length > 1 ? ["", formatTable(single)] : []),
    "",
    wrap(
      `Accuracy in %${options.seeds > 1 && reads ? `, mean over ${options.seeds} draws of labels` : ""}; chance is ${(100 * chance).toFixed(0)}. × 1 is the recipe ${recipe?.kind}, other strengths multiply what it draws; seed ${options.seed}.`,
    ),
    ...(single.length > 1 && reads
      ? [
          wrap(
            `Single deformations: ${readOutNames[options.readOuts[0]]}, ${labelsPerClassText(options.labelsPerClass.at(-1) ?? "all")}.`,
          ),
        ]
      : []),
    wrap(
      reads
        ? `Read-outs learnt once from ${train} (${trainImages} images, ${overlapping} that are in both left out), as it is; tested on ${test} (${testImages}).`
        : `Tested on ${test} (${testImages} images).`,
    ),
    `Everything is in ${out}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

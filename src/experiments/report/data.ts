// A report for programs: as JSON, with figures by their files, and as a table with a line for every seed's accuracy.

import type { Report } from "../report.ts";
import { checkReport } from "./check.ts";
import { figureName } from "./summary.ts";

/** The report as it is, but each figure's pictures by their file names; an accuracy that is no number is null. */
export function reportJson(report: Report): string {
  checkReport(report);
  const experiments = report.experiments.map((experiment) => ({
    ...experiment,
    figures: experiment.figures.map((figure) => ({
      name: figure.name,
      caption: figure.caption,
      ...figureFiles(figureName(experiment, figure)),
    })),
  }));
  return `${JSON.stringify({ ...report, experiments }, null, 2)}\n`;
}

/** Below the report's folder. */
export const figureFiles = (name: string): { svg: string; png: string } => ({
  svg: `figures/${name}.svg`,
  png: `figures/${name}.png`,
});

const columns = [
  "experiment",
  "table",
  "row",
  "column group",
  "column",
  "seed index",
  "accuracy in %",
  "published in %",
  "gain in points",
] as const;

/**
 * RFC 4180: a line for every seed of every accuracy. The gain is that of the mean over seeds; several published numbers stand in one
 * field, joined by " / "; a seed that has no number leaves its field empty.
 */
export function reportCsv(report: Report): string {
  checkReport(report);
  const lines = report.experiments.flatMap(({ name, tables }) =>
    tables.flatMap((table) =>
      table.rows.flatMap(({ title, published = [], cells }) =>
        cells.flatMap((cell, x) =>
          typeof cell === "string"
            ? []
            : cell.values.map((value, seed) => [
                ...[name, table.name, title, table.columns[x].group ?? "", table.columns[x].title].map(csvText),
                String(seed),
                csvNumber(100 * value),
                published.map(csvNumber).join(" / "),
                cell.gain === undefined ? "" : csvNumber(cell.gain),
              ]),
        ),
      ),
    ),
  );
  return `${[columns, ...lines].map((fields) => fields.join(",")).join("\r\n")}\r\n`;
}

const csvNumber = (value: number): string => (Number.isFinite(value) ? String(Number(value.toFixed(4))) : "");

/** Quoted where the format asks for it; an apostrophe before what a spreadsheet would take as a formula. */
function csvText(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

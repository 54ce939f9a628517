// Writes a report into a folder: the page, the Markdown, the data and the figures, each file whole.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { svgToPng } from "../../figures/png.ts";
import { writeFigure } from "../../figures/write-figure.ts";
import { writeWhole } from "../../files/files.ts";
import type { Report } from "../report.ts";
import { reportCsv, reportJson } from "./data.ts";
import { reportHtml } from "./html.ts";
import { reportMarkdown } from "./markdown.ts";
import { figureName } from "./summary.ts";

/**
 * Leaves index.html, README.md, report.json, report.csv and figures/ in `folder`. The same report gives the same bytes. Figures
 * that an older report left and this one lacks are removed. Nothing is written of a report that is incomplete: a SaccadeError says what is wrong.
 */
export async function writeReport(folder: string, report: Report): Promise<void> {
  const files = [
    ["index.html", reportHtml(report)],
    ["README.md", reportMarkdown(report, { figures: "figures" })],
    ["report.json", reportJson(report)],
    ["report.csv", reportCsv(report)],
  ] as const;
  const figures = join(folder, "figures");
  const named = report.experiments.flatMap((experiment) =>
    experiment.figures.map((figure) => ({ figure, name: figureName(experiment, figure) })),
  );
  for (const { figure, name } of named)
    await writeFigure(figures, name, figure.svg, figure.png ?? (await svgToPng(figure.svg)));
  const stays = new Set(named.flatMap(({ name }) => [`${name}.svg`, `${name}.png`]));
  for (const file of existsSync(figures) ? readdirSync(figures) : [])
    if (/\.(svg|png)$/.test(file) && !stays.has(file)) rmSync(join(figures, file));
  for (const [name, text] of files) await writeWhole(join(folder, name), text);
}

// A table of a report for the terminal.

import type { ReportTable, TableCell } from "../experiments/report.ts";
import { mean } from "../program/mean.ts";

/** A row of headings, then a row for each of the table's, all of text. */
export function tableRows({ columns, rows }: ReportTable): string[][] {
  const published = rows.some((row) => row.published !== undefined);
  return [
    [
      "",
      ...columns.map(({ title, group }) => (group === undefined ? title : `${group}, ${title}`)),
      ...(published ? ["published"] : []),
    ],
    ...rows.map((row) => [
      row.title,
      ...row.cells.map(cellText),
      ...(published ? [row.published?.join(" / ") ?? "–"] : []),
    ]),
  ];
}

function cellText(cell: TableCell): string {
  if (typeof cell === "string") return cell;
  const { values } = cell;
  const centre = mean(values);
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
  return `${(100 * centre).toFixed(1)}${Number.isFinite(sd) ? ` ± ${(100 * sd).toFixed(1)}` : ""}`;
}

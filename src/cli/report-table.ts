// A table of a report for the terminal.

import { spreadText, statistics } from "../experiments/report/summary.ts";
import type { ReportTable, TableCell } from "../experiments/report.ts";

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

/** As the written report has it, so that one number is never rounded in two ways. */
function cellText(cell: TableCell): string {
  if (typeof cell === "string") return cell;
  const found = statistics(cell);
  return found === undefined ? "–" : spreadText(found);
}

// Whether a report is complete enough to be written: names that make file names and links, rows as wide as their tables, figures that are SVG.

import { wrong } from "../../program/errors.ts";
import type { Report } from "../report.ts";

/** Throws a SaccadeError that names the first thing wrong. */
export function checkReport({ experiments }: Report): void {
  checkNames("an experiment", experiments);
  for (const { name, tables, figures } of experiments) {
    checkNames(`a table of ${name}`, tables);
    checkNames(`a figure of ${name}`, figures);
    for (const { name: table, columns, rows } of tables)
      for (const { title, cells } of rows)
        if (cells.length !== columns.length)
          throw wrong(
            "report",
            `row “${title}” of ${name} ${table}`,
            `${columns.length} cells, as there are columns`,
            cells.length,
          );
    for (const { name: figure, svg } of figures)
      if (!/^\s*<svg[\s>][\s\S]*<\/svg>\s*$/.test(svg) || /<script|<foreignObject/i.test(svg))
        throw wrong(
          "report",
          `figure ${figure} of ${name}`,
          "one <svg> without scripts or HTML",
          `${svg.slice(0, 40)}…`,
        );
  }
}

function checkNames(what: string, named: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of named) {
    if (!/^[\w-]+$/.test(name))
      throw wrong("report", `name of ${what}`, "letters, digits, - and _", JSON.stringify(name));
    if (seen.has(name)) throw wrong("report", `name of ${what}`, "its own", `${name} twice`);
    seen.add(name);
  }
}

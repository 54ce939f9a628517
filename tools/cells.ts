// Finished cells of a record: a line of JSON each, in a file that only grows.

import { appendFileSync, existsSync, readFileSync } from "node:fs";

export const readCells = <Cell>(file: string): Cell[] =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Cell)
    : [];

export const addCell = (file: string, cell: object): void => appendFileSync(file, `${JSON.stringify(cell)}\n`);

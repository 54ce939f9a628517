// The figures of runs and probes as SVG text and PNG bytes: what may be drawn, and how it is put in a folder.

import { join } from "node:path";
import { writeWhole } from "../files/files.ts";

/** Writes `name.svg` and, where given, `name.png` into the folder, each whole or not at all. */
export async function writeFigure(folder: string, name: string, svg: string, png?: Uint8Array): Promise<void> {
  await writeWhole(join(folder, `${name}.svg`), svg);
  if (png !== undefined) await writeWhole(join(folder, `${name}.png`), png);
}

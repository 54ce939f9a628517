// The figures of runs and probes as SVG text and PNG bytes: what may be drawn, and how it is put in a folder.

import { join } from "node:path";
import { writeWhole } from "./files.ts";

export { type AuditFigure, auditFigure } from "./figures/audit.ts";
export { type FieldsFigure, fieldsFigure } from "./figures/fields.ts";
export { type HeatMaps, heatMaps } from "./figures/heat-maps.ts";
export { type LayerPanel, type LayerPanels, layerPanels } from "./figures/layer-panels.ts";
export {
  type LossCurve,
  type LossCurves,
  type LossPoint,
  lossCurve,
  lossCurves,
  mostCurves,
} from "./figures/loss-curve.ts";
export { type PictureGrid, pictureGrid } from "./figures/picture-grid.ts";
export { svgToPng } from "./figures/png.ts";
export { type ReadOutBars, type ReadOutGroup, readOutBars } from "./figures/read-outs.ts";
export { type StrengthCurves, strengthCurves } from "./figures/strength-curves.ts";
export { type TsneFigure, type TsnePanel, tsneFigure } from "./figures/tsne.ts";
export { type TuningFigure, tuningFigure } from "./figures/tuning.ts";
export { type XrayFigure, type XrayPoint, xrayFigure } from "./figures/xray.ts";

/** Writes `name.svg` and, where given, `name.png` into the folder, each whole or not at all. */
export async function writeFigure(folder: string, name: string, svg: string, png?: Uint8Array): Promise<void> {
  await writeWhole(join(folder, `${name}.svg`), svg);
  if (png !== undefined) await writeWhole(join(folder, `${name}.png`), png);
}

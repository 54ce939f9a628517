// Figures of a run: the loss curve, the Credit X-ray and a grid of the pairs of views that the last step saw.

import type { Config } from "./config.ts";
import { lossCurve, svgToPng, viewPairGrid, writeFigure, xrayFigure } from "./figures.ts";
import { type RunFolder, readMetrics } from "./run-folder.ts";
import type { Trainer } from "./trainer.ts";

/** Pairs in the grid. */
const pairs = 24;

export async function drawRunFigures(run: RunFolder, config: Config, trainer: Trainer): Promise<void> {
  const metrics = readMetrics(run);
  const points = metrics.filter((metric) => metric.kind === "step");
  const curve = await lossCurve({ title: `${config.name}: loss`, points });
  await writeFigure(run.figures, "loss", curve, await svgToPng(curve));

  const looks = metrics.filter((metric) => metric.kind === "xray");
  if (looks.length > 0) {
    const xray = await xrayFigure({ title: `${config.name}: Credit X-ray`, points: looks });
    await writeFigure(run.figures, "xray", xray, await svgToPng(xray));
  }

  const { height, width, channels } = trainer.model.encoder;
  const views = await trainer.views();
  const size = height * width * channels;
  const { batch } = config;
  const view = (row: number): Float32Array => views.subarray(row * size, (row + 1) * size);
  const grid = await viewPairGrid({
    title: `${config.name}: pairs of views`,
    pairs: Array.from({ length: Math.min(pairs, batch) }, (_, s) => ({ a: view(s), b: view(batch + s) })),
    height,
    width,
    channels,
    range: [config.valueRange[0], config.valueRange[1]],
  });
  await writeFigure(run.figures, "views", grid.svg, grid.png);
}

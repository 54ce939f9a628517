// Lowering of packing: a matrix, or transposed weights, into panels of columns in the stage's scratch.

import type { Launch, Places } from "../launch.ts";

/** Rows that one task packs. */
const blockRows = 512;

/** Panels that hold so many columns, and the columns that they have. */
export const panelsOf = (columns: number, { panelColumns }: Places): number => Math.ceil(columns / panelColumns);
export const padded = (columns: number, places: Places): number => panelsOf(columns, places) * places.panelColumns;

const bytesOfPanels = (k: number, columns: number, places: Places): number => 4 * k * padded(columns, places);

/** b [k, n], columns first … first + columns − 1, → panels. */
export function packPanels(
  { b, k, n, first = 0, columns = n }: { b: number; k: number; n: number; first?: number; columns?: number },
  places: Places,
  panels: number = places.scratch(bytesOfPanels(k, columns, places)),
): { panels: number; launch: Launch } {
  const blocks = Math.ceil(k / blockRows);
  const words = Object.values({ b, panels, k, n, first, blocks, blockRows });
  return { panels, launch: { kernel: "packPanels", words, tasks: panelsOf(columns, places) * blocks } };
}

/** w [taps, c, o] → panels of c's columns first … first + columns − 1, taps reversed. */
export function packTransposed(
  {
    w,
    taps,
    c,
    o,
    first = 0,
    columns = c,
  }: { w: number; taps: number; c: number; o: number; first?: number; columns?: number },
  places: Places,
  panels: number = places.scratch(bytesOfPanels(taps * o, columns, places)),
): { panels: number; launch: Launch } {
  const words = Object.values({ w, panels, taps, c, o, first });
  return { panels, launch: { kernel: "packTransposed", words, tasks: panelsOf(columns, places) * taps } };
}

// Lowering of linear layers: y = x·w, dx = dy·wᵀ and dw = xᵀ·dy, each a product with its right side packed into panels.

import type { Operation } from "../../../program/program.ts";
import type { Launch, Places } from "../launch.ts";
import { packPanels, packTransposed, padded } from "./packing.ts";

/** Bytes of a right side that are packed at a time; a wider one is taken in several spans of columns. */
const packedBytes = 64 * 1024 * 1024;
/** A block of A [48, 256] takes 48 KiB and a panel of B [256, 8 or 16] 8 or 16 KiB: second and first level of cache. */
const blockRows = 48;
const blockSteps = 256;
const blockColumns = 256;
/** With fewer tasks than this, blocks are halved. */
const fewTasks = 32;

interface Product {
  /** Addresses. */
  readonly a: number;
  readonly c: number;
  /** C [m, n] = A [m, k] · B [k, n]. */
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** A stands as [k, m]. */
  readonly transposed: boolean;
  readonly pack: (first: number, columns: number, panels?: number) => { panels: number; launch: Launch };
}

function product({ a, c, m, k, n, transposed, pack }: Product, places: Places): Launch[] {
  const { panelColumns } = places;
  const span = Math.min(n, Math.max(1, Math.floor(packedBytes / (4 * panelColumns * k))) * panelColumns);
  const launches: Launch[] = [];
  let panels: number | undefined;
  for (let first = 0; first < n; first += span) {
    const columns = Math.min(span, n - first);
    const packed = pack(first, columns, panels);
    panels = packed.panels;
    const columnBlocks = Math.ceil(columns / blockColumns);
    const rows = Math.ceil(m / blockRows) * columnBlocks < fewTasks ? blockRows / 2 : blockRows;
    const copyBytes = 4 * rows * Math.min(blockSteps, k);
    const resultBytes = 4 * rows * Math.min(blockColumns, padded(columns, places));
    const words = {
      a,
      panels,
      c,
      m,
      n,
      k,
      transposed: transposed ? 1 : 0,
      first,
      columns,
      blockRows: rows,
      blockColumns,
      blockSteps,
      copyBytes,
    };
    launches.push(packed.launch, {
      kernel: "linearProduct",
      words: Object.values(words),
      tasks: Math.ceil(m / rows) * columnBlocks,
      scratchBytes: copyBytes + resultBytes,
    });
  }
  return launches;
}

/** x [n, c] · w [c, o] → y [n, o]. */
export function lowerLinear({ inputs: { x, w }, outputs: { y } }: Operation<"linear">, places: Places): Launch[] {
  const [m, k] = x.shape as [number, number];
  const n = w.shape[1];
  const b = places.at(w);
  return product(
    {
      a: places.at(x),
      c: places.at(y),
      m,
      k,
      n,
      transposed: false,
      pack: (first, columns, panels) => packPanels({ b, k, n, first, columns }, places, panels),
    },
    places,
  );
}

/** dy [n, o] · wᵀ [o, c] → dx [n, c]. */
export function lowerLinearInputGradient(
  { inputs: { dy, w }, outputs: { dx } }: Operation<"linearInputGradient">,
  places: Places,
): Launch[] {
  const [m, k] = dy.shape as [number, number];
  const n = w.shape[0];
  const from = places.at(w);
  return product(
    {
      a: places.at(dy),
      c: places.at(dx),
      m,
      k,
      n,
      transposed: false,
      pack: (first, columns, panels) =>
        packTransposed({ w: from, taps: 1, c: n, o: k, first, columns }, places, panels),
    },
    places,
  );
}

/** xᵀ [c, n] · dy [n, o] → dw [c, o]. */
export function lowerLinearWeightGradient(
  { inputs: { x, dy }, outputs: { dw } }: Operation<"linearWeightGradient">,
  places: Places,
): Launch[] {
  const [k, m] = x.shape as [number, number];
  const n = dy.shape[1];
  const b = places.at(dy);
  return product(
    {
      a: places.at(x),
      c: places.at(dw),
      m,
      k,
      n,
      transposed: true,
      pack: (first, columns, panels) => packPanels({ b, k, n, first, columns }, places, panels),
    },
    places,
  );
}

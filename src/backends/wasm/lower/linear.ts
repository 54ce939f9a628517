// Lowering of linear layers: y = x·w, dx = dy·wᵀ and dw = xᵀ·dy, each a product with its right side packed into panels; where there are
// few units, dx and dw read their wide side in place.

import { type NarrowProduct, narrowProduct } from "../../../program/fusion.ts";
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

/** Rows of a task of rowProducts, and with many rows. */
const [rowsPerTask, manyRowsPerTask] = [16, 32];
const manyRows = 2048;
/** Floats of a row that are taken at a time: of ten units as many take 20 KiB. */
const rowBlock = 512;
/** Columns of a task of columnProducts: their sums for ten units take 20 KiB. */
const columnsPerTask = 512;
/** Rows that are summed by themselves, so that rounding does not grow with the number of rows. */
const summedRows = 512;
/** Addresses of rows in columnProducts' scratch, in bytes: kernels/narrow.ts. */
const addressBytes = 64;

/** dy [n, k] with w [o, k] → [n, o], or x [n, o] with dy [n, k] → [o, k]; dy's rows stand in a table where there is a gather. */
export function lowerNarrow(product: NarrowProduct, { at }: Places, gather?: Operation<"gatherRows">): Launch[] {
  const { dy } = product.inputs;
  const [n, k] = dy.shape as [number, number];
  const wide = gather ? [at(gather.inputs.table), at(gather.inputs.indices)] : [at(dy), 0];
  if (product.kind === "linearInputGradient") {
    const o = product.inputs.w.shape[0];
    const perTask = n < manyRows ? rowsPerTask : manyRowsPerTask;
    return [
      {
        kernel: "rowProducts",
        words: [...wide, at(product.inputs.w), at(product.outputs.dx), n, k, o, perTask, rowBlock],
        tasks: Math.ceil(n / perTask),
        scratchBytes: 32 * perTask * o,
      },
    ];
  }
  const o = product.inputs.x.shape[1];
  return [
    {
      kernel: "columnProducts",
      words: [...wide, at(product.inputs.x), at(product.outputs.dw), n, k, o, columnsPerTask, summedRows],
      tasks: Math.ceil(k / columnsPerTask),
      scratchBytes: 4 * columnsPerTask * o + addressBytes,
    },
  ];
}

/** dy [n, o] · wᵀ [o, c] → dx [n, c]. */
export function lowerLinearInputGradient(operation: Operation<"linearInputGradient">, places: Places): Launch[] {
  const narrow = narrowProduct(operation);
  if (narrow) return lowerNarrow(narrow, places);
  const {
    inputs: { dy, w },
    outputs: { dx },
  } = operation;
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
export function lowerLinearWeightGradient(operation: Operation<"linearWeightGradient">, places: Places): Launch[] {
  const narrow = narrowProduct(operation);
  if (narrow) return lowerNarrow(narrow, places);
  const {
    inputs: { x, dy },
    outputs: { dw },
  } = operation;
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

// The three products of a linear layer: C [m, n] = A · B with B in panels; A [m, k], or its transpose [k, m] for the weight gradient.
import { panelColumns } from "./micro-kernels";
import { multiplyColumns, multiplyRows, panelPitch, panelsOf } from "./product";
import { copyFloats } from "./vectors";

@unmanaged
class LinearProduct {
  a: usize;
  panels: usize;
  c: usize;
  m: i32;
  n: i32;
  k: i32;
  /** 1: A stands as [k, m]. */
  transposed: i32;
  /** Columns first … first + columns − 1 of C are computed; the panels start at `first`. */
  first: i32;
  columns: i32;
  blockRows: i32;
  blockColumns: i32;
  /** Steps of the sum that are copied at a time, so that a block of A and a panel of B stay in cache. */
  blockSteps: i32;
  /** Bytes of the copied block of A in scratch; the block of C follows. */
  copyBytes: i32;
}

/** Task = block of rows × block of columns. */
export function linearProduct(p: usize, task: i32, scratch: usize): void {
  const job = changetype<LinearProduct>(p);
  const columnBlocks = (job.columns + job.blockColumns - 1) / job.blockColumns;
  const row = (task / columnBlocks) * job.blockRows;
  const rows = min(job.blockRows, job.m - row);
  const column = (task % columnBlocks) * job.blockColumns;
  const columns = min(job.blockColumns, job.columns - column);
  const panels = panelsOf(columns);
  const pitchC = <usize>panels * panelPitch;
  const result = scratch + <usize>job.copyBytes;
  memory.fill(result, 0, <usize>rows * pitchC);
  for (let step = 0; step < job.k; step += job.blockSteps) {
    const steps = min(job.blockSteps, job.k - step);
    const panel = job.panels + (<usize>(column / panelColumns) * <usize>job.k + <usize>step) * panelPitch;
    // A copy without gaps: A's own rows often stand a power of two apart and then evict one another.
    if (job.transposed) {
      for (let s = 0; s < steps; s++)
        copyFloats(
          scratch + <usize>((s * rows) << 2),
          job.a + ((<usize>(step + s) * <usize>job.m + <usize>row) << 2),
          rows,
        );
    } else {
      for (let r = 0; r < rows; r++)
        copyFloats(
          scratch + <usize>((r * steps) << 2),
          job.a + ((<usize>(row + r) * <usize>job.k + <usize>step) << 2),
          steps,
        );
    }
    for (let i = 0; i < panels; i++) {
      const b = panel + <usize>i * <usize>job.k * panelPitch;
      const c = result + <usize>i * panelPitch;
      if (job.transposed)
        multiplyColumns(false, rows, 1, steps, 0, scratch, <usize>(rows << 2), b, panelPitch, c, pitchC);
      else multiplyRows(false, rows, 1, steps, 0, scratch, <usize>(steps << 2), b, c, pitchC);
    }
  }
  for (let r = 0; r < rows; r++)
    copyFloats(
      job.c + ((<usize>(row + r) * <usize>job.n + <usize>(job.first + column)) << 2),
      result + <usize>r * pitchC,
      columns,
    );
}

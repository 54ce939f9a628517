// Packing: matrices into panels, [panel][k][panelColumns], and partial sums of such panels back into a matrix.
import { panelColumns } from "./micro-kernels";
import { panelPitch } from "./product";
import { loadFirst, storeFirst } from "./vectors";

/** b [k, n] (rows `n` floats apart) from column `first` on → panels; task = panel × block of rows. */
@unmanaged
class PackPanels {
  b: usize;
  panels: usize;
  k: i32;
  n: i32;
  first: i32;
  blocks: i32;
  blockRows: i32;
}

export function packPanels(p: usize, task: i32, scratch: usize): void {
  const job = changetype<PackPanels>(p);
  const panel = task / job.blocks;
  const start = (task % job.blocks) * job.blockRows;
  const end = min(start + job.blockRows, job.k);
  const column = job.first + panel * panelColumns;
  const columns = job.n - column;
  let from = job.b + <usize>((start * job.n + column) << 2);
  let to = job.panels + (<usize>panel * <usize>job.k + <usize>start) * panelPitch;
  for (let k = start; k < end; k++) {
    for (let i = 0; i < panelColumns; i += 4) {
      const at = <usize>(i << 2);
      v128.store(to + at, i < columns ? loadFirst(from + at, columns - i) : f32x4.splat(0));
    }
    from += <usize>(job.n << 2);
    to += panelPitch;
  }
}

/**
 * w [taps, c, o] → panels of c's columns, k = (taps − 1 − tap)·o + j: the transposed weights with the taps reversed, which turn
 * a convolution into its input gradient; with one tap, the transposed matrix. Task = panel × tap.
 */
@unmanaged
class PackTransposed {
  w: usize;
  panels: usize;
  taps: i32;
  c: i32;
  o: i32;
  /** First of c's columns that is packed. */
  first: i32;
}

export function packTransposed(p: usize, task: i32, scratch: usize): void {
  const job = changetype<PackTransposed>(p);
  const panel = task / job.taps;
  const tap = task % job.taps;
  const column = job.first + panel * panelColumns;
  const columns = min(panelColumns, job.c - column);
  const pitch = <usize>(job.o << 2);
  const from = job.w + <usize>(tap * job.c + column) * pitch;
  const to = job.panels + (<usize>panel * <usize>job.taps + <usize>(job.taps - 1 - tap)) * <usize>job.o * panelPitch;
  let j = 0;
  if (columns == panelColumns) {
    for (; j + 4 <= job.o; j += 4)
      for (let i = 0; i < panelColumns; i += 4)
        transpose4(from + <usize>i * pitch + <usize>(j << 2), pitch, to + <usize>j * panelPitch + <usize>(i << 2));
  }
  for (; j < job.o; j++) {
    const row = to + <usize>j * panelPitch;
    for (let i = 0; i < panelColumns; i++)
      store<f32>(row + <usize>(i << 2), i < columns ? load<f32>(from + <usize>i * pitch + <usize>(j << 2)) : 0);
  }
}

/** Four rows `pitch` bytes apart → four columns in panel rows. */
@inline
function transpose4(from: usize, pitch: usize, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + pitch);
  const c = v128.load(from + pitch * 2);
  const d = v128.load(from + pitch * 3);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(to, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), panelPitch);
  v128.store(to, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), 2 * panelPitch);
  v128.store(to, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), 3 * panelPitch);
}

/**
 * partials [groups][panels][k + 1][panelColumns] → dw [k, o], the sum over groups in their order, and db [o] from the last row where it is wanted.
 * Task = panel × block of rows.
 */
@unmanaged
class ReducePartials {
  partials: usize;
  /** 0: not wanted. */
  dw: usize;
  /** 0: not wanted. */
  db: usize;
  groups: i32;
  panels: i32;
  k: i32;
  o: i32;
  blocks: i32;
  blockRows: i32;
}

export function reducePartials(p: usize, task: i32, scratch: usize): void {
  const job = changetype<ReducePartials>(p);
  const panel = task / job.blocks;
  const start = (task % job.blocks) * job.blockRows;
  const end = min(start + job.blockRows, job.k + 1);
  const columns = job.o - panel * panelColumns;
  const groupPitch = <usize>job.panels * <usize>(job.k + 1) * panelPitch;
  let from = job.partials + (<usize>panel * <usize>(job.k + 1) + <usize>start) * panelPitch;
  for (let row = start; row < end; row++) {
    const to = row == job.k ? job.db : job.dw == 0 ? 0 : job.dw + <usize>row * <usize>(job.o << 2);
    if (to != 0)
      for (let i = 0; i < min(panelColumns, columns); i += 8) {
        const offset = <usize>(i << 2);
        let at = from + offset;
        let left = v128.load(at);
        let right = v128.load(at, 16);
        for (let g = 1; g < job.groups; g++) {
          at += groupPitch;
          left = f32x4.add(left, v128.load(at));
          right = f32x4.add(right, v128.load(at, 16));
        }
        const place = to + <usize>panel * panelPitch + offset;
        storeFirst(place, left, columns - i);
        if (columns - i > 4) storeFirst(place + 16, right, columns - i - 4);
      }
    from += panelPitch;
  }
}

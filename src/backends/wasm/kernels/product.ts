// Products of matrices from micro-kernels: how the rows of a product are cut into tiles.
import { freshOuter, freshTile, outer, panelColumns, tile, tileRows } from "./micro-kernels";

/** Bytes of one row of a packed panel. */
export const panelPitch: usize = <usize>(panelColumns << 2);

/** Panels that hold so many columns. */
@inline
export function panelsOf(columns: i32): i32 {
  return (columns + panelColumns - 1) / panelColumns;
}

/** Height of the next tile when `left` rows are left: full tiles, and no tile of one or two rows where two of four or three do. */
@inline
function nextTile(left: i32): i32 {
  if (tileRows == 6 && (left == 7 || left == 8)) return 4;
  return min(left, tileRows);
}

/**
 * C [rows × panelColumns] += A [rows × segments·length] · B, one panel. A's rows stand `pitch` bytes apart; along a row, the numbers come in
 * segments that start `segmentPitch` bytes apart (the rows of a convolution's window). `fresh`: C is overwritten. One call of the micro-kernel per segment: a loop
 * around the sums inside one function would spill them.
 */
export function multiplyRows(
  fresh: bool,
  rows: i32,
  segments: i32,
  length: i32,
  segmentPitch: usize,
  a: usize,
  pitch: usize,
  b: usize,
  c: usize,
  pitchC: usize,
): void {
  const segmentOfB = <usize>length * panelPitch;
  while (rows > 0) {
    const height = nextTile(rows);
    let segmentA = a;
    let segmentB = b;
    for (let s = 0; s < segments; s++) {
      if (fresh && s == 0) freshTile(height, length, segmentA, pitch, segmentB, c, pitchC);
      else tile(height, length, segmentA, pitch, segmentB, c, pitchC);
      segmentA += segmentPitch;
      segmentB += segmentOfB;
    }
    a += <usize>height * pitch;
    c += <usize>height * pitchC;
    rows -= height;
  }
}

/**
 * C [rows × panelColumns] += Aᵀ · B, or = where `fresh`, summed over `runs` runs of `length` steps. A step's `rows` numbers stand side by side; steps stand
 * `pitch` bytes apart, runs `runPitch`. B's steps stand `pitchB` bytes apart throughout.
 */
export function multiplyColumns(
  fresh: bool,
  rows: i32,
  runs: i32,
  length: i32,
  runPitch: usize,
  a: usize,
  pitch: usize,
  b: usize,
  pitchB: usize,
  c: usize,
  pitchC: usize,
): void {
  const runOfB = <usize>length * pitchB;
  while (rows > 0) {
    const height = nextTile(rows);
    let runA = a;
    let runB = b;
    for (let r = 0; r < runs; r++) {
      if (fresh && r == 0) freshOuter(height, length, runA, pitch, runB, pitchB, c, pitchC);
      else outer(height, length, runA, pitch, runB, pitchB, c, pitchC);
      runA += runPitch;
      runB += runOfB;
    }
    a += <usize>(height << 2);
    c += <usize>height * pitchC;
    rows -= height;
  }
}

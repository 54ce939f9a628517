// Products of a linear layer with few units: both read the rows of a wide matrix where they stand, once, without packing it.
//
// Where there are indices, the rows are a table's: row i of the matrix is row indices[i] of the table.
import { dotRows, dots, narrowColumns, stripFloats, strips } from "./micro-kernels";

@unmanaged
class NarrowProduct {
  /** The wide matrix, or the table. */
  wide: usize;
  /** i32 [n], or 0. */
  indices: usize;
  /** The other factor: [o, k] of rowProducts, [n, o] of columnProducts. */
  narrow: usize;
  /** [n, o] of rowProducts, [o, k] of columnProducts. */
  result: usize;
  n: i32;
  k: i32;
  o: i32;
  /** Rows of a task of rowProducts, columns of one of columnProducts. */
  perTask: i32;
  /** Floats of each row that are taken at a time, so that as much of the other factor stays in cache; rows that are, so that they do. */
  block: i32;
}

@inline
function rowAt(job: NarrowProduct, i: i32): usize {
  const row = job.indices == 0 ? i : load<i32>(job.indices + ((<usize>i) << 2));
  return job.wide + <usize>row * ((<usize>job.k) << 2);
}

/** Even shares of at most `narrowColumns`. */
@inline
function shareOf(left: i32): i32 {
  const shares = (left + narrowColumns - 1) / narrowColumns;
  return (left + shares - 1) / shares;
}

/** wide [n, k], narrow [o, k] → wide · narrowᵀ [n, o]. Task: `perTask` rows. Scratch: eight lanes for each of their sums. */
export function rowProducts(p: usize, task: i32, scratch: usize): void {
  const job = changetype<NarrowProduct>(p);
  const k = job.k;
  const o = job.o;
  const first = task * job.perTask;
  const rows = min(job.perTask, job.n - first);
  const even = k & ~7;
  const pitchB = (<usize>k) << 2;
  const pitchSums = (<usize>o) << 5;
  memory.fill(scratch, 0, <usize>rows * pitchSums);
  for (let at = 0; at < even; at += job.block) {
    const length = min(job.block, even - at);
    const offset = (<usize>at) << 2;
    for (let i = 0; i < rows; ) {
      const pair = dotRows == 2 && i + 1 < rows;
      const a0 = rowAt(job, first + i) + offset;
      const a1 = pair ? rowAt(job, first + i + 1) + offset : a0;
      const sums = scratch + <usize>i * pitchSums;
      for (let j = 0; j < o; ) {
        const columns = shareOf(o - j);
        const b = job.narrow + <usize>j * pitchB + offset;
        dots(pair, columns, length, a0, a1, b, pitchB, sums + ((<usize>j) << 5), pitchSums);
        j += columns;
      }
      i += pair ? 2 : 1;
    }
  }
  for (let i = 0; i < rows; i++) {
    const a = rowAt(job, first + i);
    const sums = scratch + <usize>i * pitchSums;
    const to = job.result + ((<usize>(first + i) * <usize>o) << 2);
    for (let j = 0; j < o; j++) {
      const lanes = sums + ((<usize>j) << 5);
      const four = f32x4.add(v128.load(lanes), v128.load(lanes, 16));
      let sum =
        f32x4.extract_lane(four, 0) +
        f32x4.extract_lane(four, 2) +
        (f32x4.extract_lane(four, 1) + f32x4.extract_lane(four, 3));
      const b = job.narrow + <usize>j * pitchB;
      for (let at = (<usize>even) << 2; at < pitchB; at += 4) sum += load<f32>(a + at) * load<f32>(b + at);
      store<f32>(to + ((<usize>j) << 2), sum);
    }
  }
}

/** Columns that are not a multiple of this are summed one by one, in every build alike, whatever `stripFloats` is. */
const wholeStrips = 16;

/** Rows that are read side by side: about as many as a first-level cache has ways, for rows often stand a power of two apart. */
const together = 10;

/**
 * narrow [n, o], wide [n, k] → narrowᵀ · wide [o, k]. Task: `perTask` columns. The sum goes over blocks of rows, each summed by itself.
 * Scratch: a block's sums [o, perTask], then the addresses of rows.
 */
export function columnProducts(p: usize, task: i32, scratch: usize): void {
  const job = changetype<NarrowProduct>(p);
  const k = job.k;
  const o = job.o;
  const first = task * job.perTask;
  const columns = min(job.perTask, k - first);
  const even = columns - (columns % wholeStrips);
  const pitchA = (<usize>o) << 2;
  const pitchC = (<usize>job.perTask) << 2;
  const addresses = scratch + <usize>o * pitchC;
  const offset = (<usize>first) << 2;
  for (let start = 0; start < job.n; start += job.block) {
    const end = min(start + job.block, job.n);
    memory.fill(scratch, 0, <usize>o * pitchC);
    for (let i = start; i < end; i += together) {
      const rows = min(together, end - i);
      for (let r = 0; r < rows; r++) store<u32>(addresses + ((<usize>r) << 2), <u32>rowAt(job, i + r));
      const a = job.narrow + <usize>i * pitchA;
      for (let c = 0; c < even; c += stripFloats) {
        const at = (<usize>c) << 2;
        for (let j = 0; j < o; ) {
          const some = shareOf(o - j);
          const to = scratch + <usize>j * pitchC + at;
          strips(some, rows, a + ((<usize>j) << 2), pitchA, addresses, offset + at, to, pitchC);
          j += some;
        }
      }
      for (let c = even; c < columns; c++) {
        const at = (<usize>c) << 2;
        for (let j = 0; j < o; j++) {
          const to = scratch + <usize>j * pitchC + at;
          let sum = load<f32>(to);
          for (let r = 0; r < rows; r++)
            sum +=
              load<f32>(a + <usize>r * pitchA + ((<usize>j) << 2)) *
              load<f32>(<usize>load<u32>(addresses + ((<usize>r) << 2)) + offset + at);
          store<f32>(to, sum);
        }
      }
    }
    for (let j = 0; j < o; j++) {
      const from = scratch + <usize>j * pitchC;
      const to = job.result + ((<usize>j * <usize>k) << 2) + offset;
      if (start == 0) memory.copy(to, from, (<usize>columns) << 2);
      else
        for (let at: usize = 0; at < (<usize>columns) << 2; at += 4)
          store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
    }
  }
}

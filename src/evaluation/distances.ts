// Squared Euclidean distances of rows, one row to all at a time, in float64: plain differences, so that equal rows are at distance 0.

/** Calls `visit` for each row with its squared distances to all rows [count], itself at 0; the array is written anew for every row. */
export function visitDistances(
  rows: ArrayLike<number>,
  count: number,
  width: number,
  visit: (row: number, squares: Float64Array) => void,
): void {
  const x = Float64Array.from(rows);
  const squares = [0, 1, 2, 3].map(() => new Float64Array(count));
  const [first, second, third, fourth] = squares;
  // Four rows at a time, for whose sums a row of the others is read once.
  for (let i = 0; i < count; i += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((more) => Math.min(i + more, count - 1) * width);
    for (let j = 0, at = 0; j < count; j++) {
      let p = 0;
      let q = 0;
      let r = 0;
      let s = 0;
      for (let k = 0; k < width; k++, at++) {
        const value = x[at];
        const dp = value - x[a + k];
        const dq = value - x[b + k];
        const dr = value - x[c + k];
        const ds = value - x[d + k];
        p += dp * dp;
        q += dq * dq;
        r += dr * dr;
        s += ds * ds;
      }
      first[j] = p;
      second[j] = q;
      third[j] = r;
      fourth[j] = s;
    }
    for (let more = 0; more < 4 && i + more < count; more++) visit(i + more, squares[more]);
  }
}

/** The `k` rows nearest to `row`, nearest first, the earlier one on a tie; not the row itself. */
export function nearestRowsOf(row: number, squares: Float64Array, k: number): number[] {
  const best: number[] = [];
  let farthest = Number.POSITIVE_INFINITY;
  for (let j = 0; j < squares.length; j++) {
    if (j === row || (best.length === k && squares[j] >= farthest)) continue;
    if (best.length === k) best.pop();
    let at = best.length;
    while (at > 0 && squares[best[at - 1]] > squares[j]) at--;
    best.splice(at, 0, j);
    farthest = squares[best[best.length - 1]];
  }
  return best;
}

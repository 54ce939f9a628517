// A curve as text: Braille's dots, two columns and four rows of them in a letter.

/** Dot (column, row) of a letter of Braille, as a bit. */
const bits = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

export interface TextPlot {
  /** In ascending order of x; what is not finite is left out. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Letters. */
  readonly width: number;
  readonly height: number;
  /** y is drawn by its logarithm; all must be above 0. */
  readonly logarithmic?: boolean;
}

export interface DrawnPlot {
  /** From the top. */
  readonly lines: readonly string[];
  /** Values of y at the lowest and at the highest row of dots; NaN where there is nothing to draw. */
  readonly low: number;
  readonly high: number;
}

/** Each column of dots is the mean of the points that fall into it, joined to the one before. */
export function textPlot({ points, width, height, logarithmic = false }: TextPlot): DrawnPlot {
  const [columns, rows] = [2 * width, 4 * height];
  const finite = points
    .map(({ x, y }) => ({ x, y: logarithmic ? Math.log(y) : y }))
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  let [low, high] = [Number.NaN, Number.NaN];
  const letters = Array.from({ length: height }, () => new Uint8Array(width));
  if (finite.length > 0) {
    const [from, to] = [finite[0].x, finite[finite.length - 1].x];
    const sums = Array.from({ length: columns }, () => ({ sum: 0, count: 0 }));
    for (const { x, y } of finite) {
      const own = sums[to > from ? Math.round(((columns - 1) * (x - from)) / (to - from)) : 0];
      own.sum += y;
      own.count++;
    }
    const means = sums.flatMap(({ sum, count }, column) => (count > 0 ? [{ column, y: sum / count }] : []));
    [low, high] = means.reduce(([a, b], { y }) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
    const rowOf = (y: number): number =>
      high > low ? Math.round(((rows - 1) * (high - y)) / (high - low)) : Math.floor(rows / 2);
    const dot = (column: number, row: number): void => {
      letters[row >> 2][column >> 1] |= bits[column & 1][row & 3];
    };
    for (const [i, { column, y }] of means.entries()) {
      const before = means[i - 1] ?? { column, y };
      const steps = Math.max(column - before.column, Math.abs(rowOf(y) - rowOf(before.y)), 1);
      for (let step = 1; step <= steps; step++) {
        const share = step / steps;
        dot(
          Math.round(before.column + share * (column - before.column)),
          Math.round(rowOf(before.y) + share * (rowOf(y) - rowOf(before.y))),
        );
      }
    }
  }
  const value = (y: number): number => (logarithmic ? Math.exp(y) : y);
  return {
    lines: letters.map((line) => String.fromCodePoint(...[...line].map((letter) => 0x2800 + letter))),
    ...{ low: value(low), high: value(high) },
  };
}

// Growth of a measurement over time, by least squares over the samples of the last half, when what only fills up once has filled up.

export interface Growth {
  /** Of a unit of `x`. */
  readonly slope: number;
  readonly standardError: number;
  readonly first: number;
  readonly last: number;
}

export function growth<Sample>(
  samples: readonly Sample[],
  x: (one: Sample) => number,
  y: (one: Sample) => number,
): Growth {
  const half = samples.slice(Math.floor(samples.length / 2));
  const n = half.length;
  const [xs, ys] = [half.map(x), half.map(y)];
  const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / n;
  const [mx, my] = [mean(xs), mean(ys)];
  const spread = xs.reduce((sum, one) => sum + (one - mx) ** 2, 0);
  const slope = xs.reduce((sum, one, i) => sum + (one - mx) * (ys[i] - my), 0) / spread;
  const rest = xs.reduce((sum, one, i) => sum + (ys[i] - my - slope * (one - mx)) ** 2, 0);
  return { slope, standardError: Math.sqrt(rest / (n - 2) / spread), first: ys[0], last: ys[n - 1] };
}

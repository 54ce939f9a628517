// The core of the benchmark: validate, warm up, a fixed number of iterations, least and median. Nothing is ever thrown away as an outlier.

export interface Timing {
  /** Wall-clock seconds of each iteration, in their order. */
  readonly seconds: readonly number[];
  readonly least: number;
  readonly median: number;
}

export function timing(seconds: readonly number[]): Timing {
  const sorted = [...seconds].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
  return { seconds, least: sorted[0], median };
}

/** Seconds that one call takes. */
export async function clock(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

export interface Measured {
  /** Throws where the result is wrong: what is wrong is not timed. */
  readonly validate: () => Promise<void>;
  readonly run: () => Promise<unknown>;
}

export interface Repetition {
  readonly warmUp: number;
  readonly iterations: number;
}

export async function measure({ validate, run }: Measured, { warmUp, iterations }: Repetition): Promise<Timing> {
  await validate();
  for (let i = 0; i < warmUp; i++) await run();
  const seconds: number[] = [];
  for (let i = 0; i < iterations; i++) seconds.push(await clock(run));
  return timing(seconds);
}

/** A B C A B C …: what disturbs the machine for a while disturbs all of them. Each contender returns the seconds of its turn. */
export async function interleave<Name extends string>(
  contenders: Readonly<Record<Name, () => Promise<readonly number[]>>>,
  rounds: number,
): Promise<Record<Name, Timing>> {
  const names = Object.keys(contenders) as Name[];
  const seconds = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++)
    for (const name of names) seconds[name].push(...(await contenders[name]()));
  return Object.fromEntries(names.map((name) => [name, timing(seconds[name])])) as Record<Name, Timing>;
}

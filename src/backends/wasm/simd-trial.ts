// A trial of the micro-kernels of one build: does the largest tile compute what plain loops do, and how fast.

/** What the largest micro-kernel of a build did. */
export interface Trial {
  /** Whether its three kinds gave exactly the sums of plain loops. */
  readonly exact: boolean;
  /** Multiplications and additions in 10⁹ a second, on one thread. */
  readonly gigaflops: number;
  /** Rows × columns. */
  readonly tile: readonly [number, number];
}

interface MicroKernels {
  readonly firstFreeByte: () => number;
  readonly tileRows: WebAssembly.Global;
  readonly panelColumns: WebAssembly.Global;
}

type RowKernel = (k: number, a: number, pitch: number, b: number, c: number, pitchC: number) => void;
type ColumnKernel = (k: number, a: number, pitch: number, b: number, pitchB: number, c: number, pitchC: number) => void;

/** Steps of the sum. */
const steps = 256;
/** Milliseconds of a slice, the best of which counts; of a trial; and of one that is still slower than it should be. */
const slice = 2;
const enough = 30;
const most = 200;

/** Whole numbers of at most ±127: a sum of 256 products stays below 2²⁴, so that every order and rounding gives the same float32. */
const numberAt = (i: number): number => ((i * 7919) % 255) - 127;

/**
 * Goes on past its usual time while it is slower than `atLeast`: V8 compiles a kernel twice, quickly and then well, and on a busy machine
 * the second can be late.
 */
export function tryKernels(module: WebAssembly.Module, atLeast = 0): Trial {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { firstFreeByte, tileRows, panelColumns } = exports as unknown as MicroKernels;
  const rows: number = tileRows.value;
  const columns: number = panelColumns.value;
  const [tile, fresh] = [exports[`tile${rows}`], exports[`freshTile${rows}`]] as RowKernel[];
  const [outer, freshOuter] = [exports[`outer${rows}`], exports[`freshOuter${rows}`]] as ColumnKernel[];

  const floats = new Float32Array(memory.buffer);
  const a = Math.ceil(firstFreeByte() / 64) * 64;
  const b = a + 4 * rows * steps;
  const c = b + 4 * columns * steps;
  const last = c + 4 * rows * columns;
  for (let i = a / 4; i < c / 4; i++) floats[i] = numberAt(i);
  const run: Readonly<Record<string, () => void>> = {
    tile: () => tile(steps, a, 4 * steps, b, c, 4 * columns),
    fresh: () => fresh(steps, a, 4 * steps, b, c, 4 * columns),
    outer: () => outer(steps, a, 4 * rows, b, 4 * columns, c, 4 * columns),
    freshOuter: () => freshOuter(steps, a, 4 * rows, b, 4 * columns, c, 4 * columns),
  };

  /** Calls in one slice, and what that made. */
  function speed(kernel: () => void): number {
    let calls = 0;
    const start = performance.now();
    let now = start;
    for (; now < start + slice; now = performance.now(), calls += 16) for (let i = 0; i < 16; i++) kernel();
    return (2 * rows * columns * steps * calls) / (now - start) / 1e6;
  }

  function exactly(kind: keyof typeof run, start: number, at: (row: number, step: number) => number): boolean {
    floats.fill(start, c / 4, last / 4);
    run[kind]();
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        let sum = kind === "fresh" || kind === "freshOuter" ? 0 : start;
        for (let step = 0; step < steps; step++)
          sum += floats[a / 4 + at(row, step)] * floats[b / 4 + step * columns + column];
        if (floats[c / 4 + row * columns + column] !== sum) return false;
      }
    return true;
  }

  const sleep = new Int32Array(memory.buffer);
  const began = performance.now();
  let gigaflops = 0;
  for (let spent = 0; spent < enough || (spent < most && gigaflops <= atLeast); spent = performance.now() - began) {
    for (const kernel of Object.values(run)) gigaflops = Math.max(gigaflops, speed(kernel));
    // Leaves the core to V8's compiler.
    if (gigaflops <= atLeast) Atomics.wait(sleep, 0, 0, slice);
  }
  const byRow = (row: number, step: number): number => row * steps + step;
  const byStep = (row: number, step: number): number => step * rows + row;
  return {
    exact:
      exactly("tile", 5, byRow) &&
      exactly("fresh", 5, byRow) &&
      exactly("outer", 5, byStep) &&
      exactly("freshOuter", 5, byStep),
    gigaflops,
    tile: [rows, columns],
  };
}

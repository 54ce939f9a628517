// A trial of a device: does a matrix product give what plain loops give, and how fast.

import { recordProgram } from "../../program/program.ts";
import { persistent, rows } from "../../program/tensor.ts";
import type { Backend } from "../backend.ts";

export interface DeviceTrial {
  /** Whether a row of the product was exactly the sums of plain loops. */
  readonly exact: boolean;
  /** Multiplications and additions in 10⁹ a second, of a product of square matrices. */
  readonly gigaflops: number;
}

/** Rows and columns of the matrices: enough to fill a device. */
const side = 512;
/** Milliseconds that count as measured, clocks being coarse. */
const enough = 30;

/** Whole numbers of at most ±31: their sums stay below 2²⁴, so that every order of addition gives the same float32. */
const numberAt = (i: number): number => ((i * 7919) % 63) - 31;

export async function tryDevice(backend: Backend): Promise<DeviceTrial> {
  const record = recordProgram("trial");
  const x = persistent("trial.x", [side, side], "input");
  const w = persistent("trial.w", [side, side], "input");
  const { y } = record.linear({ x, w }, {}, { y: "trial.y" });
  const program = record.finish([y]);
  const engine = await backend.prepare([program]);
  try {
    const [a, b] = [Float32Array.from({ length: side * side }, (_, i) => numberAt(i)), new Float32Array(side * side)];
    for (let i = 0; i < b.length; i++) b[i] = numberAt(3 * i + 1);
    engine.write(x, a);
    engine.write(w, b);
    const times = async (count: number): Promise<number> => {
      const began = performance.now();
      for (let i = 0; i < count; i++) await engine.run(program);
      await engine.read(rows(y, 0, 1));
      return performance.now() - began;
    };
    // Once to warm up.
    await times(1);
    let count = 1;
    let took = await times(count);
    while (took < enough) {
      count *= 2;
      took = await times(count);
    }
    const got = await engine.read(rows(y, side - 1, 1));
    const exact = got.every((value, column) => {
      let sum = 0;
      for (let k = 0; k < side; k++) sum += a[(side - 1) * side + k] * b[k * side + column];
      return value === sum;
    });
    return { exact, gigaflops: (count * 2 * side ** 3) / took / 1e6 };
  } finally {
    await engine.dispose();
  }
}

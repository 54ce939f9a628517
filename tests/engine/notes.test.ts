// What runs note: the values that a reading after each run would have given, whatever ran since, all read at once.

import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { recordProgram } from "../../src/program/program.ts";
import { persistent, rows } from "../../src/program/tensor.ts";
import { float32Backends } from "../support/backends.ts";

const backends = [{ name: "reference", backend: referenceBackend }, ...float32Backends];

/** Two programs that take turns: y = 2x, and z = the sum of x. */
function record() {
  const x = persistent("x", [3, 100], "input");
  const [first, second] = [recordProgram("double"), recordProgram("sum")];
  const { y } = first.combine({ a: x, b: x }, { alpha: 1, beta: 1 }, { y: "y" });
  const { y: z } = second.reduce({ x }, { kind: "sum" }, { y: "z" });
  return { x, y, z, double: first.finish([y]), sum: second.finish([z]) };
}

test.each(backends)("on $name", async ({ backend }) => {
  const { x, y, z, double, sum } = record();
  const engine = await backend.prepare([double, sum]);
  const numbers = (run: number): number[] => Array.from({ length: 300 }, (_, i) => run + i);
  try {
    expect(await engine.notes()).toEqual([]);
    // More than a page of them, twice, so that pages are used again.
    for (const runs of [60, 45]) {
      for (let run = 0; run < runs; run++) {
        engine.write(x, Float32Array.from(numbers(run)));
        if (run % 3 === 0) await engine.run(sum, [z]);
        else if (run % 3 === 1) await engine.run(double, [rows(y, 1, 1), x]);
        else await engine.run(double);
      }
      const notes = await engine.notes();
      const wanted = Array.from({ length: runs }, (_, run) => run).filter((run) => run % 3 < 2);
      expect(notes).toHaveLength(wanted.length);
      for (const [i, run] of wanted.entries()) {
        const all = numbers(run);
        const expected =
          run % 3 === 0
            ? [[all.reduce((total, value) => total + value)]]
            : [all.slice(100, 200).map((value) => 2 * value), all];
        expect(
          notes[i].map((one) => [...one]),
          `run ${run}`,
        ).toEqual(expected);
      }
      expect(await engine.notes()).toEqual([]);
    }
    await engine.run(sum);
    await expect(engine.run(sum, [y])).rejects.toThrow('engine: "y" is neither a persistent tensor');
  } finally {
    await engine.dispose();
  }
});

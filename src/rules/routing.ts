// The way back through what follows a convolution: exact pooling routes and activation derivatives, under every rule.

import type { BlockTrace } from "../encoders/forward.ts";
import type { Recorder } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";
import { learningRows } from "./update.ts";

/** Error at a block's output [n, h', w', o] → error at its convolution's output [n, h, w, o]. */
export function recordRouting(record: Recorder, { block, steps }: BlockTrace, error: Tensor, firstRow: number): Tensor {
  let dy = error;
  for (const step of [...steps].reverse()) {
    const dx = `${block.name}.${step.name}Error`;
    if (step.kind === "maxPool") {
      const { size, height, width } = step;
      const names = { dx: `${block.name}.${step.name.replace("maxPool", "unpooled")}` };
      dy = record.maxPoolGradient(
        { dy, argmax: learningRows(step.argmax, firstRow) },
        { size, height, width },
        names,
      ).dx;
    } else if (step.kind === "averagePool") {
      const { size, height, width } = step;
      dy = record.averagePoolGradient({ dy }, { size, height, width }, { dx }).dx;
    } else {
      const operands = { dy, y: learningRows(step.y, firstRow) };
      dy =
        step.kind === "triangle"
          ? record.triangleGradient(operands, {}, { dx }).dx
          : record.activationGradient(operands, { kind: step.activation }, { dx }).dx;
    }
  }
  return dy;
}

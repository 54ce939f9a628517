// The way back through what follows a convolution: exact pooling routes and activation derivatives, under every rule.

import type { BlockTrace } from "../encoders/forward.ts";
import type { Recorder } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";
import { learningRows } from "./update.ts";

/** Error at a block's output [n, h', w', o] → error at its convolution's output [n, h, w, o]. */
export function recordRouting(record: Recorder, { block, steps }: BlockTrace, error: Tensor, firstRow: number): Tensor {
  let dy = error;
  for (const step of [...steps].reverse()) {
    if (step.kind === "maxPool") {
      const { height, width } = step;
      dy = record.maxPoolGradient(
        { dy, argmax: learningRows(step.argmax, firstRow) },
        { size: 2, height, width },
        { dx: `${block.name}.unpooled` },
      ).dx;
    } else {
      dy = record.activationGradient(
        { dy, y: learningRows(step.y, firstRow) },
        { kind: step.activation },
        { dx: `${block.name}.${step.activation}Error` },
      ).dx;
    }
  }
  return dy;
}

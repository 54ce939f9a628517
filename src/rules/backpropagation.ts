// BP: the error travels back through the forward weights themselves.

import { reshape } from "../program/tensor.ts";
import { recordRouting } from "./routing.ts";
import { type Change, learningRows, type Update } from "./update.ts";

/** ΔW = Σ pre-activity × error; the error of the layer below is the error carried back by Wᵀ. */
export const backpropagation: Update = {
  name: "BP",
  record: (record, { blocks, head }, error, firstRow) => {
    const changes: Change[] = [];
    const x = learningRows(head.input, firstRow);
    const w = head.synapses.weight;
    const { dw } = record.linearWeightGradient({ x, dy: error }, {}, { dw: "head.weight.gradient" });
    changes.push({ weight: w, gradient: dw });
    const { dx } = record.linearInputGradient({ dy: error, w }, {}, { dx: "head.inputError" });

    const [, height, width, channels] = head.picture.shape;
    const { averagePool: size } = head.head;
    const pooled = [dx.shape[0], Math.floor(height / size), Math.floor(width / size), channels];
    let dy = reshape(dx, pooled);
    if (size > 1) dy = record.averagePoolGradient({ dy }, { size, height, width }, { dx: "head.pictureError" }).dx;

    for (const trace of [...blocks].reverse()) {
      const { block, synapses, input } = trace;
      const { name, kernel, stride, padding } = block;
      const routed = recordRouting(record, trace, dy, firstRow);
      if (synapses.bias) {
        const { db } = record.biasGradient({ dy: routed }, {}, { db: `${name}.bias.gradient` });
        changes.push({ weight: synapses.bias, gradient: db });
      }
      const gradient = record.conv2dWeightGradient(
        { x: learningRows(input, firstRow), dy: routed },
        { stride, padding, kernel: [kernel, kernel] },
        { dw: `${name}.weight.gradient` },
      ).dw;
      changes.push({ weight: synapses.weight, gradient });
      // Nothing below the first layer learns, so no error goes there.
      if (trace === blocks[0]) break;
      const [, inputHeight, inputWidth] = input.shape;
      dy = record.conv2dInputGradient(
        { dy: routed, w: synapses.weight },
        { stride, padding, height: inputHeight, width: inputWidth },
        { dx: `${name}.inputError` },
      ).dx;
    }
    return changes;
  },
};

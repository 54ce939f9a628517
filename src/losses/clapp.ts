// CLAPP's loss (Illing et al. 2021) on the paper's deformations: which of the other views does the context of this one predict?
//
// As the paper's authors ran it for Table 1: the last feature map instead of a 64-d head, a 1 × 1 convolution with bias as context.

import { createSynapses, places } from "../encoders/model.ts";
import { flatten, reshape, rows, sizeOf } from "../program/tensor.ts";
import type { Loss } from "./loss.ts";

/**
 * u_st = ⟨W_c z_s, z′_t⟩ over the whole map, z_s the map of A_s and z′_t that of B_t; L = Σ_s [1 − u_ss]₊ + Σ_{t ≠ s} [1 + u_st]₊.
 */
export const clapp: Loss = {
  name: "CLAPP",
  views: 2,
  labelled: false,
  reduction: "sum",
  head: () => undefined,
  prepare: (picture, block) => {
    const channels = picture[2];
    const place = [places.context, block];
    const { synapses, parameters } = createSynapses(`context${block}`, [1, 1, channels, channels], true, place);
    const { weight, bias } = synapses;
    if (bias === undefined) throw new Error("the context has a bias");
    return {
      parameters,
      record: (record, { output }) => {
        const [count, height, width] = output.shape;
        const n = count / 2;
        const a = rows(output, 0, n);
        const b = flatten(rows(output, n, n));
        const window = { stride: 1, padding: 0 };
        const predicted = record.conv2d({ x: a, w: weight }, window, { y: "context.convolution" }).y;
        const context = flatten(record.addBias({ x: predicted, b: bias }, {}, { y: "context" }).y);
        // C · Bᵀ: every context's inner product with every view.
        const scores = record.linearInputGradient({ dy: context, w: b }, {}, { dx: "scores" }).dx;
        const { gates, loss, active } = record.scoreGates(
          { scores },
          {},
          { gates: "gates", loss: "loss", active: "activeGates" },
        );
        const contextError = reshape(record.linear({ x: gates, w: b }, {}, { y: "context.error" }).y, predicted.shape);
        const error = record.tensor("picture.error", [count, sizeOf(output.shape.slice(1))], "error");
        record.linearWeightGradient({ x: gates, dy: context }, {}, { dw: rows(error, n, n) });
        const whole = reshape(error, output.shape);
        record.conv2dInputGradient(
          { dy: contextError, w: weight },
          { ...window, height, width },
          { dx: rows(whole, 0, n) },
        );
        const gradient = record.conv2dWeightGradient(
          { x: a, dy: contextError },
          { ...window, kernel: [1, 1] },
          { dw: `${weight.name}.gradient` },
        ).dw;
        const { db } = record.biasGradient({ dy: contextError }, {}, { db: `${bias.name}.gradient` });
        return {
          value: loss,
          error: whole,
          firstRow: 0,
          metrics: [
            { name: "activePositives", tensor: active, index: 0, per: n },
            { name: "activeNegatives", tensor: active, index: 1, per: n * (n - 1) },
          ],
          changes: [
            { weight, gradient },
            { weight: bias, gradient: db },
          ],
        };
      },
    };
  },
};

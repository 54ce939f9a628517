// The way back that BP, RF and URF share: each layer's error is the one above it, carried down through a matrix of the weights' shape.

import type { BlockTrace, HeadTrace, LinearTrace } from "../encoders/forward.ts";
import type { Synapses } from "../encoders/model.ts";
import type { Change } from "../losses/loss.ts";
import type { Recorder } from "../program/program.ts";
import { reshape, type Tensor } from "../program/tensor.ts";
import { recordRouting } from "./routing.ts";
import { learningRows, type Signal, type Trace } from "./update.ts";

/** The tensor, of a layer's weight's shape, through which the error leaves the layer downwards. */
export type Carrier = (synapses: Synapses) => Tensor;

/** ΔW = Σ pre-activity × error in every layer; the error below is the error above carried down by `carrier`. */
export function recordErrorPath(record: Recorder, { blocks, head }: Trace, signal: Signal, carrier: Carrier): Change[] {
  const { firstRow } = signal;
  const changes: Change[] = [];
  let error = signal.error;
  if (head) {
    const way = recordHeadPath(record, head, signal, carrier);
    changes.push(...way.changes);
    error = way.error;
  }
  for (const trace of [...blocks].reverse()) {
    const routed = recordRouting(record, trace, error, firstRow);
    changes.push(...recordBlockChange(record, trace, routed, firstRow));
    // Nothing below the first layer learns, so no error goes there.
    if (trace !== blocks[0]) error = recordBlockError(record, trace, routed, carrier(trace.synapses));
  }
  return changes;
}

/** The changes of a head's layers, top first, and the error at the picture below: carried down as between blocks, through ReLUs. */
export function recordHeadPath(
  record: Recorder,
  head: HeadTrace,
  { error: top, firstRow }: Signal,
  carrier: Carrier,
): { readonly changes: Change[]; readonly error: Tensor } {
  let error = top;
  let above: LinearTrace = head;
  const changes = recordHeadChange(record, head, error, firstRow);
  for (const layer of head.hidden.toReversed()) {
    const { weight } = above.synapses;
    const { dx } = record.linearInputGradient(
      { dy: error, w: carrier(above.synapses) },
      {},
      { dx: `${weight.name}.inputError` },
    );
    error = recordHiddenError(record, layer, dx, firstRow);
    changes.push(...recordHeadChange(record, layer, error, firstRow));
    above = layer;
  }
  return { changes, error: recordHeadError(record, head, error, carrier(above.synapses)) };
}

/** The error behind a hidden layer's ReLU → before it. */
export const recordHiddenError = (
  record: Recorder,
  { output, synapses: { weight } }: LinearTrace,
  dy: Tensor,
  firstRow: number,
): Tensor =>
  record.activationGradient(
    { dy, y: learningRows(output, firstRow) },
    { kind: "relu" },
    { dx: `${weight.name}.reluError` },
  ).dx;

/** The Hebbian product of one of a head's layers: its inputs × δ. */
export function recordHeadChange(
  record: Recorder,
  { input, synapses: { weight, bias } }: LinearTrace,
  error: Tensor,
  firstRow: number,
): Change[] {
  const x = learningRows(input, firstRow);
  const { dw } = record.linearWeightGradient({ x, dy: error }, {}, { dw: `${weight.name}.gradient` });
  if (!bias) return [{ weight, gradient: dw }];
  const { db } = record.biasGradient({ dy: error }, {}, { db: `${bias.name}.gradient` });
  return [
    { weight, gradient: dw },
    { weight: bias, gradient: db },
  ];
}

/** δ [n, outputs] of a head's lowest layer → error at the picture [n, h, w, c] below the head, through `w` [features, outputs]. */
export function recordHeadError(record: Recorder, { head, picture }: HeadTrace, error: Tensor, w: Tensor): Tensor {
  const { dx } = record.linearInputGradient({ dy: error, w }, {}, { dx: "head.inputError" });
  const [, height, width, channels] = picture.shape;
  const { averagePool: size } = head;
  const dy = reshape(dx, [dx.shape[0], Math.floor(height / size), Math.floor(width / size), channels]);
  if (size === 1) return dy;
  return record.averagePoolGradient({ dy }, { size, height, width }, { dx: "head.pictureError" }).dx;
}

/** The Hebbian product of a block: pre-activity × the error at its convolution's output. */
export function recordBlockChange(
  record: Recorder,
  { block: { kernel, stride, padding }, synapses: { weight, bias }, input }: BlockTrace,
  routed: Tensor,
  firstRow: number,
): Change[] {
  const changes: Change[] = [];
  if (bias) {
    const { db } = record.biasGradient({ dy: routed }, {}, { db: `${bias.name}.gradient` });
    changes.push({ weight: bias, gradient: db });
  }
  const { dw } = record.conv2dWeightGradient(
    { x: learningRows(input, firstRow), dy: routed },
    { stride, padding, kernel: [kernel, kernel] },
    { dw: `${weight.name}.gradient` },
  );
  changes.push({ weight, gradient: dw });
  return changes;
}

/** The error at a block's convolution → the error at its input, through `w` of the weight's shape. */
export function recordBlockError(
  record: Recorder,
  { block: { name, stride, padding }, input }: BlockTrace,
  routed: Tensor,
  w: Tensor,
): Tensor {
  const [, height, width] = input.shape;
  return record.conv2dInputGradient({ dy: routed, w }, { stride, padding, height, width }, { dx: `${name}.inputError` })
    .dx;
}

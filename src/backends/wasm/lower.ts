// Lowering: a stage of a program becomes launches of WASM kernels. One row per operation kind; a missing one does not compile.

import { type ConvolutionBackwardStage, narrowProduct, type Stage } from "../../program/fusion.ts";
import type { Kind } from "../../program/operations.ts";
import type { AnyOperation, Operation } from "../../program/program.ts";
import { bytesOf, offsetOf, ownerOf, sizeOf, type Tensor } from "../../program/tensor.ts";
import type { Launch, Places } from "./launch.ts";
import { lowerConvolution, lowerConvolutionBackward } from "./lower/convolution.ts";
import { lowerLinear, lowerLinearInputGradient, lowerLinearWeightGradient, lowerNarrow } from "./lower/linear.ts";
import { lowerSimple } from "./lower/simple.ts";
import { lowerTransposed } from "./lower/transposed.ts";
import { chooseConvolution, lowerWinograd, lowerWinogradBackward } from "./lower/winograd.ts";

type Lowering<K extends Kind> = (operation: Operation<K>, places: Places) => Launch[];

/** The direct form of a way back. An input gradient alone that strides is the transposed convolution. */
function lowerDirectBackward(stage: ConvolutionBackwardStage, places: Places): Launch[] | undefined {
  const { input, weight, bias, routing } = stage;
  const alone = weight === undefined && bias === undefined && routing.length === 0;
  if (input && alone && input.attributes.stride > 1) return lowerTransposed(input, places);
  return lowerConvolutionBackward(stage, places);
}

/** A single operation without routing or epilogue always has a form. */
const certainly = (launches: Launch[] | undefined): Launch[] => launches as Launch[];

const lowerings: { readonly [K in Kind]: Lowering<K> } = {
  ...lowerSimple,
  conv2d: (convolution, places) =>
    certainly(lowerConvolution({ kind: "convolution", convolution, epilogue: [] }, places)),
  conv2dInputGradient: (input, places) =>
    certainly(lowerDirectBackward({ kind: "convolutionBackward", routing: [], input, optimiser: [] }, places)),
  conv2dWeightGradient: (weight, places) =>
    certainly(lowerConvolutionBackward({ kind: "convolutionBackward", routing: [], weight, optimiser: [] }, places)),
  linear: lowerLinear,
  linearInputGradient: lowerLinearInputGradient,
  linearWeightGradient: lowerLinearWeightGradient,
};

function lowerOperation(operation: AnyOperation, places: Places): Launch[] {
  // Row and operation are of one kind; the table's type holds both together.
  return (lowerings[operation.kind] as Lowering<Kind>)(operation as Operation, places);
}

/** Places that put a stage's elided tensors into its scratch, each when it is first asked for. */
function withElided({ elided }: Stage, places: Places): Places {
  const scratch = new Map<Tensor, number>();
  return {
    ...places,
    at: (tensor) => {
      const owner = ownerOf(tensor);
      if (!elided.has(owner)) return places.at(tensor);
      const start = scratch.get(owner) ?? places.scratch(bytesOf(owner));
      scratch.set(owner, start);
      return start + (offsetOf(tensor) * bytesOf(owner)) / sizeOf(owner.shape);
    },
  };
}

/** The fused form of a stage, or undefined where it has to be done operation by operation. */
function lowerFused(stage: Stage, places: Places): Launch[] | undefined {
  switch (stage.kind) {
    case "convolution":
      return chooseConvolution(stage) === "winograd" ? lowerWinograd(stage, places) : lowerConvolution(stage, places);
    case "convolutionBackward": {
      const launches =
        chooseConvolution(stage) === "winograd"
          ? lowerWinogradBackward(stage, places)
          : lowerDirectBackward(stage, places);
      return launches && [...launches, ...stage.optimiser.flatMap((step) => lowerOperation(step, places))];
    }
    case "gathered":
      return lowerNarrow(stage.product, places, stage.gather);
    case "linearUpdate": {
      const product = stage.gather && narrowProduct(stage.gradient);
      return product && [...lowerNarrow(product, places, stage.gather), ...lowerOperation(stage.optimiser, places)];
    }
    case "single":
      return undefined;
    default:
      return stage satisfies never;
  }
}

export function lowerStage(stage: Stage, outside: Places): Launch[] {
  const places = withElided(stage, outside);
  return lowerFused(stage, places) ?? stage.operations.flatMap((operation) => lowerOperation(operation, places));
}

// Lowering: a stage of a program becomes kernels. One row per operation kind; a missing one does not compile.

import type { Stage } from "../../program/fusion.ts";
import type { Kind } from "../../program/operations.ts";
import type { AnyOperation, Operation } from "../../program/program.ts";
import type { Dispatch } from "./kernel.ts";
import { lowerConvolution, lowerConvolutions, lowerRouting } from "./lower/convolution.ts";
import { lowerLinear } from "./lower/linear.ts";
import { lowerLosses } from "./lower/losses.ts";
import { type Lowering, lowerSimple } from "./lower/simple.ts";
import { lowerViews } from "./lower/views.ts";

const lowerings: { readonly [K in Kind]: Lowering<K> } = {
  ...lowerSimple,
  ...lowerConvolutions,
  ...lowerLinear,
  ...lowerLosses,
  ...lowerViews,
};

// Row and operation are of one kind; the table's type holds both together.
const lowerOperation = (operation: AnyOperation): Dispatch[] =>
  (lowerings[operation.kind] as Lowering<Kind>)(operation as Operation);

/** The kernels of a stage, in order. What lies between them is the caller's to place: by the tensors and scratch that they bind. */
export function lowerStage(stage: Stage): Dispatch[] {
  switch (stage.kind) {
    case "convolution":
      return lowerConvolution(stage) ?? stage.operations.flatMap(lowerOperation);
    case "convolutionBackward": {
      const { routing, operations } = stage;
      const rest = operations.filter((operation) => !routing.some((step) => step === operation));
      return [...(routing.length > 0 ? lowerRouting(routing) : []), ...rest.flatMap(lowerOperation)];
    }
    case "linearUpdate":
    case "gathered":
    case "single":
      return stage.operations.flatMap(lowerOperation);
    default:
      return stage satisfies never;
  }
}

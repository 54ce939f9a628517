// Which views the rows of a tensor are about: pre- and post-synaptic activity meet at a synapse only where both are of the same view.

import { operationTable } from "../operations.ts";
import { type AnyOperation, outputsOf, type Program } from "../program.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../tensor.ts";
import type { Dataflow } from "./dataflow.ts";

/** The operand that holds the other view's activity. */
export const remembers: Readonly<Record<string, string | undefined>> = {
  hingeAnchorError: "b",
  hingeViewError: "a",
  pairErrors: "other",
};

/** Numbers of the views that the first row of `tensor`, as operation `reader` finds it, takes its numbers from; none where rows are no views. */
export type FirstViews = (reader: number, tensor: Tensor) => ReadonlySet<number>;

/** `origins` own activities whose rows are counted as they stand: a superposition of two views is a view of its own. */
export function firstViews({ program, writersOf }: Dataflow, origins: ReadonlySet<Tensor>): FirstViews {
  const known = new Map<string, ReadonlySet<number>>();

  const find: FirstViews = (reader, tensor) => {
    const key = `${reader} ${tensor.name}`;
    const found = known.get(key) ?? trace(reader, tensor);
    known.set(key, found);
    return found;
  };

  function trace(reader: number, tensor: Tensor): ReadonlySet<number> {
    const owner = ownerOf(tensor);
    const at = offsetOf(tensor) / rowSize(owner);
    if (origins.has(owner)) return new Set([at]);
    return new Set(
      writersOf(reader, tensor).flatMap((writer) => {
        const written = outputsOf(program.operations[writer]).find((output) => ownerOf(output) === owner);
        if (written === undefined) return [];
        const from = offsetOf(written) / rowSize(owner);
        return viewsWritten(writer, written).map((view) => view - from + at);
      }),
    );
  }

  /** Row by row, but for `w` and what is remembered; a product, a gate or a statistic has no rows of views. */
  function viewsWritten(writer: number, { shape: [count] }: Tensor): number[] {
    const { kind, inputs } = program.operations[writer];
    if (!rowByRow.has(operationTable[kind].computation)) return [];
    return Object.entries<Tensor>(inputs).flatMap(([argument, operand]) =>
      argument !== "w" && argument !== remembers[kind] && operand.shape[0] === count ? [...find(writer, operand)] : [],
    );
  }

  return find;
}

/**
 * Whether an error sums to zero over the views, unit by unit, whatever the images: where distances of a and b are compared, every sign
 * that one of them is sent goes to the other reversed.
 */
export function sumsToZero({ program: { operations }, writersOf }: Dataflow, reader: number, error: Tensor): boolean {
  const writers = writersOf(reader, error).map((number) => operations[number]);
  const anchors = writers.find(({ kind }) => kind === "hingeAnchorError");
  const views = writers.find(({ kind }) => kind === "hingeViewError");
  if (anchors?.kind !== "hingeAnchorError" || views?.kind !== "hingeViewError") return false;
  const same = (["a", "b", "gates"] as const).every((name) => anchors.inputs[name] === views.inputs[name]);
  return same && writers.length === 2 && rowsOf(anchors.outputs.error) + rowsOf(views.outputs.error) === rowsOf(error);
}

const rowByRow: ReadonlySet<string> = new Set([
  "transmission",
  "unit",
  "pooling",
  "inhibition",
  "comparison",
  "normalisation",
  "division",
]);

/** Rows of its owner that a tensor looks at, whatever its own shape makes of them. */
export const rowsOf = (tensor: Tensor): number => sizeOf(tensor.shape) / rowSize(ownerOf(tensor));

/** Elements of one row. */
const rowSize = ({ shape }: Tensor): number => sizeOf(shape) / shape[0];

/** Views of other images that the error of one view depends on. */
export function negativesOf(operation: AnyOperation): number | undefined {
  switch (operation.kind) {
    case "hingeGates": {
      const [n] = operation.inputs.distances.shape;
      const { negatives } = operation.attributes;
      return negatives.kind === "all"
        ? n - 1
        : negatives.kind === "authorsCode"
          ? negatives.count - 1
          : negatives.count;
    }
    case "pairGates":
      return operation.attributes.negatives;
    case "scoreGates":
      return operation.inputs.scores.shape[0] - 1;
    // A negative is a picture joined with one other.
    case "goodnessGates":
      return 1;
    case "ntXent":
      return operation.inputs.similarities.shape[0] - 2;
    default:
      return undefined;
  }
}

/** Are views compared with views, so that a step has two of every image? */
export const comparesViews = ({ operations }: Program): boolean =>
  operations.some((operation) => negativesOf(operation) !== undefined);

/**
 * Views that must be remembered, in order of time, for the error of one: its partner, and as many others as it has negatives. Where
 * these lie `gap` behind and `spacing` apart, what lies between must be remembered as well; `all` needs the batch, what is still to come
 * included.
 */
export function rememberedOf(operation: AnyOperation): number | undefined {
  switch (operation.kind) {
    case "hingeGates": {
      const { negatives } = operation.attributes;
      if (negatives.kind !== "past") return (negativesOf(operation) ?? 0) + 1;
      return 1 + negatives.gap + (negatives.count - 1) * negatives.spacing;
    }
    case "pairGates":
    case "scoreGates":
    case "ntXent":
      return (negativesOf(operation) ?? 0) + 1;
    // The other half of a superposition.
    case "goodnessGates":
      return 1;
    default:
      return undefined;
  }
}

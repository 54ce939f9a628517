// The layers of a program and what the change of each layer's synapses is made of, read from the operations themselves.

import { type Computation, operationTable } from "../operations.ts";
import { type AnyOperation, inputsOf, outputsOf } from "../program.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../tensor.ts";
import type { Dataflow } from "./dataflow.ts";

/** A synapse tensor that the program changes. */
export interface SynapseChange {
  readonly synapse: Tensor;
  readonly gradient: Tensor;
  /** Number of the optimiser's operation. */
  readonly optimiser: number;
}

/** Forward synapses and the units that they reach. */
export interface Layer {
  readonly name: string;
  readonly weight: Tensor;
  /** Number of the operation through which activity passes the weights first. */
  readonly forward: number;
  /** A linear layer, as heads are. */
  readonly head: boolean;
  /** Pre-synaptic activity. */
  readonly pre: Tensor;
  /** Owners of the activities of the layer's own units, after activation and pooling too. */
  readonly post: ReadonlySet<Tensor>;
  /** Changes of weight and bias; none where the layer only runs forward. */
  readonly changes: readonly SynapseChange[];
}

export const computationOf = ({ kind }: AnyOperation): Computation => operationTable[kind].computation;

/** The operand that stands where synapses do. */
export const weightOperand = ({ inputs }: AnyOperation): Tensor | undefined => (inputs as { w?: Tensor }).w;

const isSynapse = (tensor: Tensor): boolean => {
  const { role } = ownerOf(tensor);
  return role === "weight" || role === "feedback";
};

/** Does the operation hand an error on? */
export const carriesError = (operation: AnyOperation): boolean =>
  [...outputsOf(operation), ...inputsOf(operation).filter((tensor) => tensor !== weightOperand(operation))].some(
    (tensor) => ownerOf(tensor).role === "error",
  );

/** A transmission through forward weights that hands an activity on. */
export const isForward = (operation: AnyOperation): boolean => {
  const w = weightOperand(operation);
  return (
    computationOf(operation) === "transmission" &&
    w !== undefined &&
    ownerOf(w).role === "weight" &&
    !carriesError(operation)
  );
};

export function layersOf({ program: { operations } }: Dataflow): Layer[] {
  const layers: Layer[] = [];
  const seen = new Set<Tensor>();
  operations.forEach((operation, forward) => {
    const weight = weightOperand(operation);
    if (weight === undefined || !isForward(operation) || seen.has(ownerOf(weight))) return;
    seen.add(ownerOf(weight));
    const { post, biases } = unitsBehind(operations, forward);
    const own = new Set([ownerOf(weight), ...biases]);
    layers.push({
      name: weight.name.replace(/\.weight$/, ""),
      weight: ownerOf(weight),
      forward,
      head: operation.kind === "linear",
      pre: (operation.inputs as { x: Tensor }).x,
      post,
      changes: operations.flatMap((change, optimiser) =>
        change.kind === "adam" && own.has(ownerOf(change.updates.weight))
          ? [{ synapse: change.updates.weight, gradient: change.inputs.gradient, optimiser }]
          : [],
      ),
    });
  });
  return layers;
}

/** Owners of the activities of the units that a transmission reaches, after activation and pooling too, and their biases. */
function unitsBehind(operations: readonly AnyOperation[], forward: number) {
  const post = new Set(outputsOf(operations[forward]).map(ownerOf));
  const biases = new Set<Tensor>();
  for (const after of operations.slice(forward + 1)) {
    const computation = computationOf(after);
    const { x, b } = after.inputs as { x?: Tensor; b?: Tensor };
    if ((computation !== "unit" && computation !== "pooling") || x === undefined || !post.has(ownerOf(x))) continue;
    if (after.kind === "addBias" && b) biases.add(ownerOf(b));
    for (const output of outputsOf(after)) if (output.role === "activity") post.add(ownerOf(output));
  }
  return { post, biases };
}

/** Owners of all activities that the forward pass leaves: what comes in, and the units behind forward weights. */
export function forwardActivities({ program: { operations } }: Dataflow): Set<Tensor> {
  return new Set(
    operations.flatMap((operation, number) => {
      if (isForward(operation)) return [...unitsBehind(operations, number).post];
      return computationOf(operation) === "sensing" ? outputsOf(operation).map(ownerOf) : [];
    }),
  );
}

/**
 * What a change reads, followed back to what is at hand at the synapse: `pre`-synaptic activity; the `post`-synaptic units' own;
 * the same of another view, kept in `memory`; an `error` that reached the units through synapses; a `parameter` of theirs; a gate
 * that is `broadcast` to all units; a `label`; and what is `foreign` to the layer.
 */
export interface Source {
  readonly kind: "pre" | "post" | "memory" | "error" | "parameter" | "broadcast" | "label" | "foreign";
  readonly tensor: Tensor;
  /** Number of the operation that reads it. */
  readonly reader: number;
  /** Number of the operation that alone brings it, where others may write beside it. */
  readonly writer?: number;
}

export interface Sources {
  readonly sources: readonly Source[];
  /** Operations on the way that no unit can do by itself, with what each mixes. */
  readonly mixing: readonly string[];
}

/** Follows one change of a layer among all back to what is at hand at its synapses. */
export function sourcesOf(
  flow: Dataflow,
  layers: readonly Layer[],
  layer: Layer,
  { gradient, optimiser }: SynapseChange,
): Sources {
  const { operations } = flow.program;
  const sources = new Map<string, Source>();
  const mixed = new Set<string>();
  const seen = new Set<string>();

  function found(source: Source): void {
    const { kind, tensor } = source;
    const key = `${kind} ${ownerOf(tensor).name} ${offsetOf(tensor)} ${sizeOf(tensor.shape)}`;
    if (!sources.has(key)) sources.set(key, source);
  }

  /** `remembered`: the operand through which an operation looks at another view. */
  function follow(reader: number, tensor: Tensor, remembered = false): void {
    const owner = ownerOf(tensor);
    const key = `${reader} ${tensor.name}`;
    const writers = flow.writersOf(reader, tensor);
    if (layer.post.has(owner)) found({ kind: remembered ? "memory" : "post", tensor, reader });
    else if (layers.some(({ post }) => post.has(owner))) found({ kind: "foreign", tensor, reader });
    else if (writers.length === 0 || owner.lifetime === "run")
      found({ kind: operations[reader].kind === "addBias" ? "parameter" : "foreign", tensor, reader });
    else if (!seen.has(key)) {
      seen.add(key);
      for (const writer of writers) followOperation(writer, tensor, reader);
    }
  }

  function followOperation(number: number, written: Tensor, reader: number): void {
    const operation = operations[number];
    const w = weightOperand(operation);
    const throughSynapses = w !== undefined && isSynapse(w);
    const computation = computationOf(operation);
    const mixes = mixing(operation);
    const brought = outputsOf(operation).find((output) => ownerOf(output) === ownerOf(written)) ?? written;
    const bring = (kind: Source["kind"]): void => found({ kind, tensor: brought, reader, writer: number });
    if (mixes !== undefined) mixed.add(`${operation.kind}: ${mixes}`);
    if (computation === "gate") bring("broadcast");
    else if (computation === "teaching") bring("label");
    else if (computation === "sensing" || computation === "plasticity" || computation === "signs") bring("foreign");
    else if (throughSynapses) bring(carriesError(operation) ? "error" : "foreign");
    else {
      // A change has what came in as one operand. Elsewhere a product weighs remembered activities by gates.
      const isChange = computation === "product" && brought.shape.join() === gradient.shape.join();
      const recalls = computation === "transmission" || (computation === "product" && !isChange);
      for (const [argument, tensor] of Object.entries<Tensor>(operation.inputs))
        if (isChange && ownerOf(tensor) === ownerOf(layer.pre)) found({ kind: "pre", tensor, reader: number });
        else follow(number, tensor, recalls || argument === remembers[operation.kind]);
    }
  }

  follow(optimiser, gradient);
  return { sources: [...sources.values()], mixing: [...mixed] };
}

/** The operand that holds the other view's activity. */
const remembers: Readonly<Partial<Record<AnyOperation["kind"], string>>> = {
  hingeAnchorError: "b",
  hingeViewError: "a",
  pairErrors: "other",
};

/** A transmission whose `w` is no synapse sums over units, or, where it sums over the rows of `w`, over views. */
const acrossUnits = ({ kind }: AnyOperation): boolean => kind !== "linear";

/** What an operation does that condition (ii) forbids, in words; undefined where it does no such thing. */
export function forbidden(operation: AnyOperation): string | undefined {
  const w = weightOperand(operation);
  switch (computationOf(operation)) {
    case "transmission":
      return w !== undefined && !isSynapse(w) && acrossUnits(operation) ? "inner product across units" : undefined;
    case "innerProduct":
      return "inner product across units";
    case "normalisation":
      return "normalisation over units";
    case "division":
      return "ratio of sums of exponentials";
    case "statistic":
      return "statistic of many units";
    default:
      return undefined;
  }
}

/** What it does that no unit can do by itself: the same, and a distance read as more than a gate. */
const mixing = (operation: AnyOperation): string | undefined =>
  computationOf(operation) === "distance" ? "sum over units" : forbidden(operation);

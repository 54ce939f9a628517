// The layers of a program and what the change of each layer's synapses is made of, read from the operations themselves.

import { type Computation, operationTable } from "../operations.ts";
import { type AnyOperation, inputsOf, isPlasticity, outputsOf, type Program } from "../program.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../tensor.ts";
import type { Dataflow } from "./dataflow.ts";
import { comparesViews, firstViews, remembers } from "./views.ts";

/** A synapse tensor that the program changes. */
export interface SynapseChange {
  readonly synapse: Tensor;
  readonly gradient: Tensor;
  /** Number of the optimiser's operation. */
  readonly optimiser: number;
}

/** Synapses and the units that they reach: forward weights, or feedback that learns. */
export interface Layer {
  readonly name: string;
  readonly way: "forward" | "feedback";
  readonly weight: Tensor;
  /** Number of the operation through which activity passes the forward weights first: its own, or those that the feedback belongs to. */
  readonly forward: number;
  /** A linear layer, as heads are. */
  readonly head: boolean;
  /** What the synapses are given first. */
  readonly pre: Tensor;
  /** Owners of all that is at hand where they start: pre-synaptic activity, and, of feedback, the errors that it carries. */
  readonly given: ReadonlySet<Tensor>;
  /** Owners of the activities of the units that they reach, after activation and pooling too. */
  readonly post: ReadonlySet<Tensor>;
  /** Rows of a step at the layer: views. */
  readonly views: number;
  /** Changes of weight and bias; none where the layer only runs forward. */
  readonly changes: readonly SynapseChange[];
}

export const computationOf = ({ kind }: AnyOperation): Computation => operationTable[kind].computation;

/** The operand that stands where synapses do. */
export const weightOperand = ({ inputs }: AnyOperation): Tensor | undefined => (inputs as { w?: Tensor }).w;

/** Owners of tensors that stand for synapses, and the weights and feedback that each is made of: persistent ones of themselves. */
export type SynapticTensors = ReadonlyMap<Tensor, ReadonlySet<Tensor>>;

/** A step may make a carrier of weights and feedback alone, element by element. */
export function synapticTensors({ operations }: Program): SynapticTensors {
  const found = new Map<Tensor, Set<Tensor>>();
  const others = new Set<Tensor>();
  const madeOf = (tensor: Tensor): ReadonlySet<Tensor> | undefined => {
    const owner = ownerOf(tensor);
    const { lifetime, role } = owner;
    const persists = lifetime === "run" && (role === "weight" || role === "feedback");
    if (persists && !found.has(owner)) found.set(owner, new Set([owner]));
    return others.has(owner) ? undefined : found.get(owner);
  };
  for (const operation of operations) {
    const computation = computationOf(operation);
    const parts = inputsOf(operation).map(madeOf);
    const synaptic = (computation === "unit" || computation === "signs") && parts.every((part) => part !== undefined);
    for (const output of outputsOf(operation).map(ownerOf)) {
      if (!synaptic) others.add(output);
      else found.set(output, new Set([...(found.get(output) ?? []), ...parts.flatMap((part) => [...(part ?? [])])]));
    }
  }
  for (const owner of others) found.delete(owner);
  return found;
}

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

/** Every feedback that learns stands behind the layer that it belongs to. */
export function layersOf(flow: Dataflow): Layer[] {
  const forward = forwardLayersOf(flow);
  const feedback = feedbackLayersOf(flow, forward);
  return [...forward, ...feedback].sort((a, b) => a.forward - b.forward);
}

function forwardLayersOf({ program: { operations } }: Dataflow): Layer[] {
  const layers: Layer[] = [];
  const seen = new Set<Tensor>();
  operations.forEach((operation, forward) => {
    const weight = weightOperand(operation);
    if (weight === undefined || !isForward(operation) || seen.has(ownerOf(weight))) return;
    seen.add(ownerOf(weight));
    const { post, biases } = unitsBehind(operations, forward);
    const pre = (operation.inputs as { x: Tensor }).x;
    layers.push({
      name: nameOf(weight),
      way: "forward",
      weight: ownerOf(weight),
      forward,
      head: operation.kind === "linear",
      pre,
      given: new Set([ownerOf(pre)]),
      post,
      views: ownerOf(pre).shape[0],
      changes: changesOf(operations, [ownerOf(weight), ...biases]),
    });
  });
  return layers;
}

/**
 * All else that learns: feedback from a layer's units down to those that feed it. Where it starts, all activities of the former are at
 * hand and what it carries; where it ends, the latter's activities and what it brings.
 */
function feedbackLayersOf(flow: Dataflow, forward: readonly Layer[]): Layer[] {
  const { operations } = flow.program;
  const synaptic = synapticTensors(flow.program);
  const changes = new Set(forward.flatMap((layer) => layer.changes.map(({ synapse }) => ownerOf(synapse))));
  const learns = new Set(
    operations.flatMap((operation) => {
      const owner = isPlasticity(operation) ? ownerOf(operation.updates.weight) : undefined;
      return owner === undefined || changes.has(owner) ? [] : [owner];
    }),
  );
  const layers = [...learns].map((weight): Layer => {
    const carries = operations.flatMap((operation, number) => {
      const w = weightOperand(operation);
      return w !== undefined && synaptic.get(ownerOf(w))?.has(weight) ? [number] : [];
    });
    const carried = carries.flatMap((number) =>
      inputsOf(operations[number]).filter((tensor) => tensor !== weightOperand(operations[number])),
    );
    const owners = carried.map(ownerOf);
    const behind = carries.map((number) => unitsBehind(operations, number));
    const above = forward
      .filter((layer) => layer.weight.shape.join() === weight.shape.join())
      .map((layer) => ({ layer, units: allUnitsOf(flow, layer) }))
      .find(({ layer, units }) => owners.some((owner) => units.has(owner) || errorsAt(flow, layer).has(owner)));
    const below = above ? [ownerOf(above.layer.pre)] : [];
    const reached = forward.filter(({ post }) => below.some((owner) => post.has(owner)));
    return {
      name: nameOf(weight),
      way: "feedback",
      weight,
      forward: above?.layer.forward ?? carries[0] ?? 0,
      head: above?.layer.head ?? false,
      // What carries nothing is given nothing, whatever it learns.
      pre: carried[0] ?? weight,
      given: new Set([...owners, ...(above?.units ?? [])]),
      post: new Set([
        ...below,
        ...reached.flatMap((layer) => [...allUnitsOf(flow, layer)]),
        ...behind.flatMap(({ post }) => [...post]),
      ]),
      views: above?.layer.views ?? carried[0]?.shape[0] ?? 1,
      changes: changesOf(operations, [weight, ...behind.flatMap(({ biases }) => [...biases])]),
    };
  });
  const biases = new Set(
    layers.flatMap(({ weight, changes: own }) => own.map(({ synapse }) => synapse).filter((one) => one !== weight)),
  );
  return layers.filter(({ weight }) => !biases.has(weight));
}

const nameOf = (weight: Tensor): string => weight.name.replace(/\.weight$/, "");

const changesOf = (operations: readonly AnyOperation[], synapses: readonly Tensor[]): SynapseChange[] =>
  operations.flatMap((change, optimiser) =>
    isPlasticity(change) && synapses.includes(ownerOf(change.updates.weight))
      ? [{ synapse: change.updates.weight, gradient: change.inputs.gradient, optimiser }]
      : [],
  );

/** Owners of the activities of a layer's units, in whatever pass of the step. */
const allUnitsOf = ({ program: { operations } }: Dataflow, { weight }: Layer): Set<Tensor> =>
  new Set(
    operations.flatMap((operation, number) => {
      const w = weightOperand(operation);
      return w !== undefined && ownerOf(w) === weight && isForward(operation)
        ? [...unitsBehind(operations, number).post]
        : [];
    }),
  );

/** Owners of the errors at a layer's units, from which its weights learn. */
const errorsAt = (flow: Dataflow, { changes }: Layer): Set<Tensor> =>
  new Set(
    changes.flatMap(({ gradient, optimiser }) =>
      flow.writersOf(optimiser, gradient).flatMap((writer) => {
        const { dy } = flow.program.operations[writer].inputs as { dy?: Tensor };
        return dy ? [ownerOf(dy)] : [];
      }),
    ),
  );

/** What the units of a layer make of their own activity. */
const ofUnits: ReadonlySet<Computation> = new Set(["unit", "pooling", "inhibition"]);

/** Owners of the activities of the units that a transmission reaches, after activation and pooling too, and their biases. */
function unitsBehind(operations: readonly AnyOperation[], forward: number) {
  const post = new Set(outputsOf(operations[forward]).map(ownerOf));
  const biases = new Set<Tensor>();
  for (const after of operations.slice(forward + 1)) {
    const computation = computationOf(after);
    const { x, b } = after.inputs as { x?: Tensor; b?: Tensor };
    if (!ofUnits.has(computation) || x === undefined || !post.has(ownerOf(x))) continue;
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
 * What a change reads, followed back to what is at hand at the synapse: `pre`-synaptic activity; the same of the image's other view,
 * kept as a `trace`; the `post`-synaptic units' own; the same of another view, kept in `memory`; an `error` that reached the units through synapses; a `parameter` of theirs; the
 * `synapse`'s own strength; a gate that is `broadcast` to all units; a `label`; and what is `foreign` to the layer.
 */
export interface Source {
  readonly kind:
    | "pre"
    | "trace"
    | "post"
    | "memory"
    | "error"
    | "parameter"
    | "synapse"
    | "broadcast"
    | "label"
    | "foreign";
  readonly tensor: Tensor;
  /** Of a `pre`: the number of the first view of its rows. */
  readonly firstView?: number;
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
  const synaptic = synapticTensors(flow.program);
  /** The operand of a change's product that stands for where the synapses start. */
  const start = layer.way === "forward" ? "x" : "dy";
  const views = firstViews(flow, new Set(layers.flatMap(({ way, pre }) => (way === "forward" ? [ownerOf(pre)] : []))));
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
    else if (layers.some(({ way, post }) => way === "forward" && post.has(owner)))
      found({ kind: "foreign", tensor, reader });
    else if (owner === layer.weight && tensor.shape.join() === gradient.shape.join())
      found({ kind: "synapse", tensor, reader });
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
    const throughSynapses = w !== undefined && synaptic.has(ownerOf(w));
    const computation = computationOf(operation);
    const mixes = mixing(operation, synaptic);
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
        if (isChange && argument === start && layer.given.has(ownerOf(tensor))) given(number, tensor);
        // What noise there is, the units make themselves.
        else if (operation.kind !== "gaussianNoise" || argument === "x")
          follow(number, tensor, recalls || argument === remembers[operation.kind]);
    }
  }

  /** What a product takes from where the synapses start, beside what it takes from where they end. */
  function given(number: number, tensor: Tensor): void {
    const viewsOf = (argument: string, operand: Tensor): number[] =>
      argument === start ? [] : [...views(number, operand)];
    const theirs = Object.entries<Tensor>(operations[number].inputs).flatMap(([argument, operand]) =>
      viewsOf(argument, operand),
    );
    const own = [...views(number, tensor)];
    const apart = own.flatMap((one) => theirs.map((other) => Math.abs(one - other)));
    const [firstView] = own;
    // Views s and n + s are of one image, where an image has two.
    const other = comparesViews(flow.program) ? layer.views / 2 : 0;
    const otherView = apart.every((distance) => distance === 0 || distance === other);
    if (apart.every((distance) => distance === 0)) found({ kind: "pre", tensor, reader: number, firstView });
    else found({ kind: otherView ? "trace" : "foreign", tensor, reader: number });
    if (!otherView)
      mixed.add(
        `${operations[number].kind}: ${tensor.name} beside another image's ${layer.way === "forward" ? "error" : "activity"}`,
      );
  }

  follow(optimiser, gradient);
  return { sources: [...sources.values()], mixing: [...mixed] };
}

/** A transmission whose `w` is no synapse sums over units, or, where it sums over the rows of `w`, over views. */
const acrossUnits = ({ kind }: AnyOperation): boolean => kind !== "linear";

/** What an operation does that condition (ii) forbids, in words; undefined where it does no such thing. */
export function forbidden(operation: AnyOperation, synaptic: SynapticTensors): string | undefined {
  const w = weightOperand(operation);
  switch (computationOf(operation)) {
    case "transmission":
      return w !== undefined && !synaptic.has(ownerOf(w)) && acrossUnits(operation)
        ? "inner product across units"
        : undefined;
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

/** What an operation does that condition (ii) names neither way: it takes off what other units have, and divides nothing. */
export const inhibition = (operation: AnyOperation): string | undefined =>
  computationOf(operation) === "inhibition" ? "mean over the units of a place" : undefined;

/** What it does that no unit can do by itself: the same, and a distance read as more than a gate. */
const mixing = (operation: AnyOperation, synaptic: SynapticTensors): string | undefined =>
  computationOf(operation) === "distance"
    ? "sum over units"
    : (inhibition(operation) ?? forbidden(operation, synaptic));

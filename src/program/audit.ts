// The locality audit: what a program shows about how much a synapse would have to know (paper, sections 3.1 and 3.2).
//
// Every verdict is read off the operations and the roles of the tensors, never off the name of a rule.

import { type Dataflow, dataflow } from "./audit/dataflow.ts";
import {
  carriesError,
  computationOf,
  forbidden,
  inhibition,
  isForward,
  type Layer,
  layersOf,
  type Source,
  type SynapseChange,
  type SynapticTensors,
  sourcesOf,
  synapticTensors,
  weightOperand,
} from "./audit/layers.ts";
import { comparesViews, negativesOf, rememberedOf, rowsOf, sumsToZero } from "./audit/views.ts";
import { type AnyOperation, inputsOf, isPlasticity, outputsOf, type Program } from "./program.ts";
import { bytesOf, ownerOf, sizeOf, type Tensor } from "./tensor.ts";

export type { Source } from "./audit/layers.ts";

/** `partial` says less than `fail`: its `word` says what holds and what does not. */
export interface Verdict {
  readonly verdict: "pass" | "partial" | "fail";
  /** For a table. */
  readonly word: string;
  readonly because: readonly string[];
}

export interface HeldActivity {
  readonly tensor: string;
  readonly bytes: number;
  /** Operations of the step from its being written to its last reading. */
  readonly operations: number;
}

/** What must outlast the views of a stream that come one by one, for the error of one of them. */
export interface Remembered {
  /** Views whose activity is still needed. */
  readonly views: number;
  /** Of them all, at the width at which the layer compares them. */
  readonly bytes: number;
}

export interface LayerAudit {
  readonly layer: string;
  readonly synapses: readonly string[];
  /** (i) Changes from pre- and post-synaptic activity, the error that reaches the units, and short-term memory. */
  readonly activities: Verdict;
  /** (ii) No normalisation, inner product across units, or division on the way to the error. */
  readonly arithmetic: Verdict;
  /** (iii) No forward weight carries an error. */
  readonly transport: Verdict;
  /** (iv) No labels. */
  readonly labels: Verdict;
  readonly sources: readonly { readonly kind: Source["kind"]; readonly tensor: string }[];
  readonly locking: {
    /** Layers above that must have passed activity on. */
    readonly forward: readonly string[];
    /** Whether views must have been compared, or labels seen. */
    readonly loss: boolean;
    /** Synapses through which an error must have come down. */
    readonly backward: readonly string[];
    /** Operations of the step that must be done between the layer's own forward pass and its change. */
    readonly operations: number;
  };
  readonly held: readonly HeldActivity[];
  /** Views of other images that one view's error needs; undefined where views are not compared. */
  readonly negatives: number | undefined;
  /** Undefined where the layer compares no views itself: its error comes from another, or from labels. */
  readonly remembers: Remembered | undefined;
  /** What the paper's conditions do not ask, and the change uses all the same. */
  readonly leftAside: readonly string[];
  /** Whether its biases never change, because what they sum over the views cancels. */
  readonly biasesCancel: boolean;
}

export interface ProgramAudit {
  readonly program: string;
  readonly operations: number;
  readonly layers: readonly LayerAudit[];
}

export const conditions = ["activities", "arithmetic", "transport", "labels"] as const;
export type Condition = (typeof conditions)[number];

/** What a program shows about how much each synapse would have to know: the paper's conditions, layer by layer. */
export function auditProgram(program: Program): ProgramAudit {
  const flow = dataflow(program);
  const layers = layersOf(flow);
  return {
    program: program.name,
    operations: program.operations.length,
    layers: layers.filter(({ changes }) => changes.length > 0).map((layer) => auditLayer(flow, layers, layer)),
  };
}

function auditLayer(flow: Dataflow, layers: readonly Layer[], layer: Layer): LayerAudit {
  const { operations } = flow.program;
  const synaptic = synapticTensors(flow.program);
  const parts = layer.changes.map((change) => sourcesOf(flow, layers, layer, change));
  const sources = unique(
    parts.flatMap((part) => part.sources),
    ({ kind, tensor }) => `${kind} ${tensor.name}`,
  );
  const cone = new Set(layer.changes.flatMap(({ optimiser, gradient }) => [...flow.cone(optimiser, gradient)]));
  const inCone = [...cone].sort((a, b) => a - b).map((number) => operations[number]);
  const negatives = inCone.flatMap((operation) => negativesOf(operation) ?? [])[0];
  const labelled = inCone.some((operation) => computationOf(operation) === "teaching" || "labels" in operation.inputs);
  const carriers = inCone.filter(
    (operation) =>
      computationOf(operation) === "transmission" && carriesError(operation) && carrierOf(operation, synaptic, layer),
  );
  return {
    layer: layer.name,
    synapses: layer.changes.map(({ synapse }) => synapse.name),
    activities: activitiesVerdict(
      sources,
      parts.flatMap(({ mixing }) => mixing),
      comparesViews(flow.program) && readsBothViews(sources, layer.views),
    ),
    arithmetic: arithmeticVerdict(inCone, synaptic),
    transport: transportVerdict(inCone, layers, layer),
    labels: labelled ? fail("used", ["labels"]) : pass("none"),
    sources: sources.map(({ kind, tensor }) => ({ kind, tensor: tensor.name })),
    locking: {
      forward: layers
        .filter((one) => one.way === "forward" && one.forward > layer.forward && cone.has(one.forward))
        .map(({ name }) => name),
      loss: inCone.some((operation) => lossComputations.has(computationOf(operation))),
      backward: unique(carriers.map((operation) => ownerOf(weightOperand(operation) as Tensor).name)),
      operations: [...cone].filter((number) => number > layer.forward).length,
    },
    held: heldActivities(flow, cone, sources),
    negatives,
    remembers: remembered(flow, layer, cone, sources),
    leftAside: leftAside(flow, layer, inCone),
    biasesCancel: layer.changes.some(({ optimiser, gradient }) =>
      flow.writersOf(optimiser, gradient).some((number) => {
        const operation = operations[number];
        return operation.kind === "biasGradient" && sumsToZero(flow, number, operation.inputs.dy);
      }),
    ),
  };
}

const pass = (word = "pass"): Verdict => ({ verdict: "pass", word, because: [] });
const fail = (word: string, because: readonly string[]): Verdict => ({ verdict: "fail", word, because });

function activitiesVerdict(sources: readonly Source[], mixing: readonly string[], bothViews: boolean): Verdict {
  const foreign = sources.filter(({ kind }) => kind === "foreign").map(({ tensor }) => `reads ${tensor.name}`);
  const because = unique([...foreign, ...mixing]);
  if (because.length > 0) return fail("fail", because);
  // The paper's temporal locality: without the gradient block the anchor's inputs must be kept in memory as well.
  return bothViews
    ? { verdict: "partial", word: "both views", because: ["inputs and errors of both views, at once or remembered"] }
    : pass();
}

/** Does the layer learn from more views than there are images, or from one by what it keeps of the other? */
function readsBothViews(sources: readonly Source[], views: number): boolean {
  const read = sources.flatMap(({ kind, tensor, firstView = 0 }) =>
    kind === "pre" ? Array.from({ length: rowsOf(tensor) }, (_, i) => firstView + i) : [],
  );
  return 2 * new Set(read).size > views || sources.some(({ kind }) => kind === "trace");
}

function arithmeticVerdict(inCone: readonly AnyOperation[], synaptic: SynapticTensors): Verdict {
  const found = (what: (operation: AnyOperation) => string | undefined): string[] =>
    unique(
      inCone.flatMap((operation) => {
        const word = what(operation);
        return word === undefined ? [] : [`${word} (${operation.kind} → ${outputsOf(operation)[0].name})`];
      }),
    );
  const because = found((operation) => forbidden(operation, synaptic));
  if (because.length > 0) return fail("fail", because);
  const inhibited = found(inhibition);
  return inhibited.length > 0 ? { verdict: "partial", word: "inhibition", because: inhibited } : pass();
}

function transportVerdict(inCone: readonly AnyOperation[], layers: readonly Layer[], layer: Layer): Verdict {
  /** Step tensors made of weights by something else than passing activity through them. */
  const made = new Map<Tensor, { weight: Tensor; signs: boolean }[]>();
  const weightsIn = (tensor: Tensor): { weight: Tensor; signs: boolean }[] => {
    const owner = ownerOf(tensor);
    return owner.role === "weight" ? [{ weight: owner, signs: false }] : (made.get(owner) ?? []);
  };
  const whole = new Set<Tensor>();
  const signs = new Set<Tensor>();
  const feedback = new Set(layers.filter(({ way }) => way === "feedback").map(({ weight }) => weight));
  /** Feedback that learns from weights carries them, if not in this step then in the next. */
  const learn = ({ synapse, gradient }: Pick<SynapseChange, "synapse" | "gradient">): void => {
    if (feedback.has(ownerOf(synapse))) for (const { weight } of weightsIn(gradient)) whole.add(weight);
  };
  for (const operation of inCone) {
    if (isPlasticity(operation)) learn({ synapse: operation.updates.weight, gradient: operation.inputs.gradient });
    if (isForward(operation) || isPlasticity(operation)) continue;
    // Of the two that signs are matched between, one gives its signs, the other its sizes.
    const only = (argument: string): boolean => computationOf(operation) === "signs" && argument === "w";
    const read = Object.entries<Tensor>(operation.inputs).flatMap(([argument, tensor]) =>
      weightsIn(tensor).map((one) => ({ ...one, signs: one.signs || only(argument) })),
    );
    if (read.length === 0) continue;
    if (carriesError(operation)) {
      for (const { weight, signs: only } of read) (only ? signs : whole).add(weight);
      continue;
    }
    // A bias joins its own units' activity; it carries nothing on.
    if (operation.kind === "addBias") continue;
    for (const output of outputsOf(operation)) made.set(ownerOf(output), read);
  }
  for (const change of layer.changes) learn(change);
  const heads = new Set(layers.filter(({ head }) => head).map(({ weight }) => weight));
  const names = (set: Iterable<Tensor>): string[] => [...set].map(({ name }) => name);
  if (whole.size > 0) return fail([...whole].every((weight) => heads.has(weight)) ? "head only" : "fail", names(whole));
  if (signs.size > 0) return { verdict: "partial", word: "signs only", because: names(signs) };
  return pass();
}

/** The synapses through which an error comes down to a layer; its own feedback brings it nothing. */
function carrierOf(operation: AnyOperation, synaptic: SynapticTensors, layer: Layer): Tensor | undefined {
  const w = weightOperand(operation);
  return w !== undefined && synaptic.has(ownerOf(w)) && ownerOf(w) !== layer.weight ? ownerOf(w) : undefined;
}

const lossComputations: ReadonlySet<string> = new Set([
  "distance",
  "innerProduct",
  "gate",
  "comparison",
  "normalisation",
  "division",
]);

/** Activities that must outlast the forward pass, because the change reads them. */
function heldActivities(flow: Dataflow, cone: ReadonlySet<number>, sources: readonly Source[]): HeldActivity[] {
  const kept = sources.filter(({ kind }) => ["pre", "trace", "post", "memory"].includes(kind));
  return unique(
    kept.map(({ tensor, reader }) => {
      const owner = ownerOf(tensor);
      const readers = [...cone].filter((number) =>
        inputsOf(flow.program.operations[number]).map(ownerOf).includes(owner),
      );
      const written = flow.writersOf(reader, tensor).at(-1) ?? 0;
      return { tensor: tensor.name, bytes: bytesOf(tensor), operations: Math.max(...readers) - written };
    }),
    ({ tensor }) => tensor,
  );
}

function remembered(
  flow: Dataflow,
  { way, pre }: Layer,
  cone: ReadonlySet<number>,
  sources: readonly Source[],
): Remembered | undefined {
  const { operations } = flow.program;
  const has = (kind: Source["kind"]): boolean => sources.some((source) => source.kind === kind);
  const gates = [...cone].find((number) => rememberedOf(operations[number]) !== undefined);
  if (gates === undefined || way === "feedback" || (has("error") && !has("broadcast"))) return undefined;
  const gate = operations[gates];
  // What is superposed, or what the numbers of pairs of views are made from.
  const [numbers] = inputsOf(gate);
  const [writer] = flow.writersOf(gates, numbers);
  const kept = gate.kind === "goodnessGates" ? pre : inputsOf(operations[writer])[0];
  const views = rememberedOf(gate) ?? 0;
  return { views, bytes: (views * bytesOf(kept)) / kept.shape[0] };
}

function leftAside(
  flow: Dataflow,
  { way, pre, weight, forward, changes }: Layer,
  inCone: readonly AnyOperation[],
): string[] {
  const has = (kind: AnyOperation["kind"]): boolean => inCone.some((operation) => operation.kind === kind);
  const relative = inCone.some((operation) => operation.kind === "gaussianNoise" && operation.attributes.relative);
  const shared = flow.program.operations.some(
    (operation) =>
      isPlasticity(operation) &&
      operation.updates.weight.role === (way === "forward" ? "feedback" : "weight") &&
      changes.some(({ gradient }) => gradient === operation.inputs.gradient),
  );
  const joined = flow.writersOf(forward, pre).some((number) => flow.program.operations[number].kind === "combine");
  const [, height = 1, width = 1] = pre.shape.length === 4 ? pre.shape : [];
  return [
    height * width > 1 && weight.shape.length === 4 ? "weights shared across positions" : "",
    has("maxPoolGradient") ? "exact pooling routes on the way back" : "",
    has("activationGradient") || has("triangleGradient") ? "exact activation derivatives" : "",
    has("hingeGates") ? "a distance over all units of the embedding gates each pair" : "",
    has("goodnessGates") ? "a goodness over all units of a place gates each of them, by degrees" : "",
    joined ? "the activities of two views superposed at the layer's input" : "",
    shared ? "feedback receives the weights' own increments" : "",
    way === "feedback" && has("gaussianNoise") ? "a second pass of every view, with noise" : "",
    relative ? "noise scaled to the standard deviation of a whole layer" : "",
    optimisersMemory(flow, changes),
  ].filter((line) => line !== "");
}

/** What the optimiser keeps and divides by at every synapse: what it divides by is the synapse's own, so that (ii) is not touched. */
function optimisersMemory({ program: { operations } }: Dataflow, changes: readonly SynapseChange[]): string {
  const numbers = changes.reduce((sum, { synapse }) => sum + sizeOf(synapse.shape), 0);
  const [operation] = changes.map(({ optimiser }) => operations[optimiser]);
  if (operation?.kind !== "sgd")
    return `Adam's 2 numbers per synapse (${2 * numbers}); each divides its change by the size of its own past gradients`;
  return operation.attributes.momentum > 0
    ? `SGD's velocity per synapse (${numbers}); nothing is divided`
    : "SGD keeps nothing and divides nothing";
}

function unique<T>(items: readonly T[], key: (item: T) => unknown = (item) => item): T[] {
  const seen = new Set<unknown>();
  return items.filter((item) => !seen.has(key(item)) && seen.add(key(item)));
}

const order: readonly Verdict["verdict"][] = ["pass", "partial", "fail"];

/** The verdict on a set of layers: the worst of theirs, and all reasons. */
export function summarise(condition: Condition, layers: readonly LayerAudit[]): Verdict {
  const all = layers.map((layer) => layer[condition]);
  const worst = order[Math.max(...all.map(({ verdict }) => order.indexOf(verdict)))];
  const those = all.filter(({ verdict }) => verdict === worst);
  return {
    verdict: worst,
    // "fail" outweighs "head only".
    word: those.find(({ word }) => word === "fail")?.word ?? those[0].word,
    because: unique(those.flatMap(({ because }) => because)),
  };
}

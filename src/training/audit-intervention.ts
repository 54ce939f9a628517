// The audit's second witness: programs are run with noise in place of what a rule claims not to need, and of what it claims to need.

import type { Backend, Numbers } from "../backends/backend.ts";
import { coneProgram, dataflow, type Held } from "../program/audit/dataflow.ts";
import { forwardActivities, layersOf, type Source, sourcesOf } from "../program/audit/layers.ts";
import { type Program, persistentTensors } from "../program/program.ts";
import { randomStream, type Stream } from "../program/random.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../program/tensor.ts";

export type Outcome = "identical" | "changed";

/** What became of the change of one synapse; "identical" is to the bit. */
export interface LayerIntervention {
  readonly layer: string;
  /** Whether the synapse is a bias. */
  readonly bias: boolean;
  /** Numbers of the pre- and the post-synaptic unit: those of the largest change. A bias starts at no unit; its first number is 0. */
  readonly synapse: readonly [pre: number, post: number];
  /** Nothing changes there on these images: nothing can be shown. */
  readonly silent: boolean;
  /** Noise in every tensor outside the declared locality, and in it in the numbers of all other units. */
  readonly outside: Outcome;
  /** Noise in one tensor of the declared locality, all else as it was. */
  readonly inside: readonly { readonly tensor: string; readonly kind: Source["kind"]; readonly outcome: Outcome }[];
  /** Noise in all forward weights, while every activity of the forward pass is held; a synapse that reads its own strength keeps it. */
  readonly weights: Outcome;
  /** Other labels, while every activity is held. */
  readonly labels: Outcome;
}

/** Persistent tensors and their values before the step. */
export type StepValues = ReadonlyMap<Tensor, Numbers>;

/** Noise may hit the very value that stood there: so often it is drawn anew. */
const draws = 8;

/**
 * The declared locality of a synapse j → i: its own strength; pre-synaptic activity j, or a trace of it; of the post-synaptic unit i its activity, the errors that
 * reached it, its parameters and what it remembers; broadcast gates and labels.
 */
export async function intervene(
  program: Program,
  start: StepValues,
  backend: Backend,
  seed: number,
): Promise<LayerIntervention[]> {
  const flow = dataflow(program);
  const all = layersOf(flow);
  const random = randomStream(seed, interventions);
  const pairs = all.flatMap((layer) => layer.changes.map((change) => ({ layer, change })));
  const audited = pairs.map(({ layer, change }) => {
    const { sources } = sourcesOf(flow, all, layer, change);
    const declared = sources.filter(({ kind }) => kind !== "foreign");
    const wanted = { reader: change.optimiser, tensor: change.gradient };
    const readsItself = sources.some(({ tensor }) => ownerOf(tensor) === layer.weight);
    return { layer, change, declared, readsItself, wanted, local: coneProgram(flow, [wanted], heldBy(declared)) };
  });
  const forward = forwardActivities(flow);
  const carried = coneProgram(
    flow,
    audited.map(({ wanted }) => wanted),
    new Map([...forward].map((owner) => [owner, "all"])),
  );
  const observed = new Set([
    ...forward,
    ...audited.flatMap(({ declared }) => declared.map(({ tensor }) => ownerOf(tensor))),
  ]);
  const whole: Program = { ...program, results: [...observed].filter(({ lifetime }) => lifetime === "step") };
  const programs = [whole, carried.program, ...audited.map(({ local }) => local.program)];
  const engine = await backend.prepare(programs);

  /** Runs a program from the step's start, but for `replaced`. */
  async function run(one: Program, instead: StepValues): Promise<void> {
    for (const tensor of persistentTensors([one])) {
      const values = instead.get(tensor) ?? start.get(tensor);
      if (values) engine.write(tensor, values);
    }
    await engine.run(one);
  }

  await run(whole, new Map());
  const recorded = new Map<Tensor, Numbers>();
  for (const owner of observed) recorded.set(owner, await engine.read(owner));

  const held = ({ held: places }: { held: ReadonlyMap<Tensor, Tensor> }): Map<Tensor, Numbers> =>
    new Map([...places].map(([owner, place]) => [place, recorded.get(owner) as Numbers]));
  const gradientsOfCarried = async (instead: StepValues): Promise<Numbers[]> => {
    await run(carried.program, new Map([...held(carried), ...instead]));
    return Promise.all(carried.program.results.map((gradient) => engine.read(gradient)));
  };
  const roots = persistentTensors([carried.program]);
  const replaced = (wanted: (tensor: Tensor) => boolean, by: (values: Numbers) => Numbers): StepValues =>
    new Map(
      roots.flatMap((tensor) => {
        const values = start.get(tensor);
        return values && wanted(tensor) ? [[tensor, by(values)]] : [];
      }),
    );
  const labels = new Set(
    program.operations.flatMap((operation) => (operation.kind === "gatherLabels" ? [operation.inputs.table] : [])),
  );
  const asItWas = await gradientsOfCarried(new Map());
  const withoutWeights = (own?: Tensor): Promise<Numbers[]> =>
    gradientsOfCarried(
      replaced(
        (tensor) => tensor.role === "weight" && tensor !== own,
        (values) => noise(values, random),
      ),
    );
  const withoutAllWeights = await withoutWeights();
  const withoutLabels = await gradientsOfCarried(
    replaced(
      (tensor) => labels.has(tensor),
      (values) => values.map((_, at) => values[(at + 1) % values.length]),
    ),
  );

  const results: LayerIntervention[] = [];
  for (const [number, { layer, change, declared, readsItself, local }] of audited.entries()) {
    const [c, o] = [1, ...change.synapse.shape].slice(-2);
    /** Feedback starts where the forward synapse ends. */
    const turned = layer.way === "feedback" && change.synapse === layer.weight;
    const widths = turned ? ([o, c] as const) : ([c, o] as const);
    const heldValues = held(local);
    const gradient = async (instead: StepValues): Promise<Numbers> => {
      await run(local.program, instead);
      return engine.read(local.program.results[0]);
    };
    const base = await gradient(heldValues);
    const largest = indexOfLargest(base);
    const element = largest % (c * o);
    const [row, column] = [Math.floor(element / o), element % o];
    const synapse = turned ? ([column, row] as const) : ([row, column] as const);
    const own = (values: Numbers): number[] => {
      const numbers: number[] = [];
      for (let at = element; at < values.length; at += c * o) numbers.push(values[at]);
      return numbers;
    };
    const ownBase = own(base);
    const outcome = (got: Numbers): Outcome => (sameBits(own(got), ownBase) ? "identical" : "changed");

    const place = (tensor: Tensor): Tensor => local.held.get(ownerOf(tensor)) as Tensor;
    /** Writes `from` into the numbers of `into` that the synapse has at hand in this source. */
    const copyOwn = (source: Source, from: Numbers, into: Numbers): void => {
      const at = offsetOf(source.tensor);
      for (let k = 0; k < sizeOf(source.tensor.shape); k++)
        if (source.kind === "synapse" ? k % (c * o) === element : isOwn(source.kind, k, synapse, widths))
          into[at + k] = from[at + k];
    };
    const outside = new Map<Tensor, Numbers>();
    for (const tensor of persistentTensors([local.program])) {
      const values = heldValues.get(tensor) ?? start.get(tensor);
      if (values) outside.set(tensor, noise(values, random));
    }
    for (const source of declared)
      copyOwn(source, recorded.get(ownerOf(source.tensor)) as Numbers, outside.get(place(source.tensor)) as Numbers);

    const inside: { tensor: string; kind: Source["kind"]; outcome: Outcome }[] = [];
    for (const source of declared) {
      let found: Outcome = "identical";
      for (let draw = 0; draw < draws && found === "identical"; draw++) {
        const values = (recorded.get(ownerOf(source.tensor)) as Numbers).slice();
        copyOwn(source, noise(values, random), values);
        found = outcome(await gradient(new Map([...heldValues, [place(source.tensor), values]])));
      }
      inside.push({ tensor: source.tensor.name, kind: source.kind, outcome: found });
    }
    const compare = (got: readonly Numbers[]): Outcome =>
      sameBits(got[number], asItWas[number]) ? "identical" : "changed";
    results.push({
      layer: layer.name,
      bias: change.synapse !== layer.weight,
      synapse,
      silent: base[largest] === 0,
      outside: outcome(await gradient(outside)),
      inside,
      weights: compare(readsItself ? await withoutWeights(layer.weight) : withoutAllWeights),
      labels: compare(withoutLabels),
    });
  }
  await engine.dispose();
  return results;
}

/** First word of every path of random numbers that intervene. */
const interventions = 0x1e7e;

/** The locality as what the host gives in place of the operations that would write it. */
function heldBy(declared: readonly Source[]): Held {
  const held = new Map<Tensor, "all" | Set<number>>();
  for (const { tensor, writer } of declared) {
    const owner = ownerOf(tensor);
    const part = held.get(owner) ?? new Set<number>();
    if (writer === undefined || part === "all") held.set(owner, "all");
    else held.set(owner, part.add(writer));
  }
  return held;
}

/** Is element `k` of a source one that the synapse j → i has at hand? Channels stand last. */
function isOwn(
  kind: Exclude<Source["kind"], "synapse">,
  k: number,
  [j, i]: readonly [number, number],
  [c, o]: readonly [number, number],
): boolean {
  switch (kind) {
    case "pre":
    case "trace":
      return k % c === j;
    case "post":
    case "memory":
    case "error":
    case "parameter":
      return k % o === i;
    case "broadcast":
    case "label":
      return true;
    case "foreign":
      return false;
    default:
      return kind satisfies never;
  }
}

/** Uniform noise, twice as large as what stood there and as a unit's largest slope reaches; whole numbers are drawn from those that stood there, so that they stay in range. */
function noise(values: Numbers, random: Stream): Numbers {
  const result = values.slice();
  if (result instanceof Int32Array || result instanceof Uint8Array) {
    for (let at = 0; at < result.length; at++) result[at] = values[random.integer(values.length)];
    return result;
  }
  const size = 2 * Math.max(1, Math.abs(values[indexOfLargest(values)]));
  return result.map(() => (2 * random.uniform() - 1) * size);
}

function sameBits(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let at = 0; at < a.length; at++) if (!Object.is(a[at], b[at])) return false;
  return true;
}

function indexOfLargest(values: Numbers): number {
  let best = 0;
  for (const [at, value] of values.entries()) if (Math.abs(value) > Math.abs(values[best])) best = at;
  return best;
}

// The numbers of an X-ray: what a lesson's program has left in the engine, reduced to a few per layer, in float64.

import type { Engine, Numbers } from "../backends/backend.ts";
import type { Activation } from "../encoders/encoder.ts";
import { sizeOf, type Tensor } from "../program/tensor.ts";
import type { Optimiser } from "../rules/optimiser.ts";
import type { LayerXray, LessonXray } from "../rules/xray.ts";
import type { Config } from "./config.ts";

/** Angles in degrees; one is left out where a side of it is zero, or where the rule has no such side. */
export interface LayerNumbers {
  /** The block's number, from 1; a head has none. */
  readonly layer?: number;
  readonly name: string;
  /** Between the weight and what carries the error down in its place. */
  readonly angleWB?: number;
  /** Between the rule's ∂L/∂W and BP's, before the optimiser; biases are left out. */
  readonly angleBP?: number;
  /**
   * 95 % of the angles between two independent directions in as many dimensions as the weight has. Changes fill fewer
   * dimensions than that, above all in narrow layers, so theirs may lie outside and still be chance.
   */
  readonly chance: readonly [number, number];
  /** Share of synapses, of those that either would change, that the rule changes in BP's direction. */
  readonly signAgreement?: number;
  /** Share of units (places × channels) whose activity is the same in every picture. */
  readonly dead: number;
  /** Share of activities (units × pictures) on the flat of the activation, where its derivative is under 1 %. */
  readonly saturated?: number;
  /**
   * Share of the layer's last update that Adam's ε eats: 1 − Σ |m̂| / (√v̂ + ε) ÷ Σ |m̂| / √v̂. Left out before the first update, and under
   * an optimiser without ε.
   */
  readonly epsilonShare?: number;
  /** ‖g(f(x)) − x‖² / ‖x‖² of the layer's inverse g; 1 is what silence would score. */
  readonly reconstruction?: number;
}

/** What an X-ray saw of the layers that learn together. */
export interface Xray {
  /** The layer, from 1, where one learns at a time. */
  readonly layer?: number;
  /** Of the probe batch; summed or averaged over it as the loss says. */
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Bottom first. */
  readonly layers: readonly LayerNumbers[];
  readonly synapses: readonly SynapseNumbers[];
}

/** A layer's W, ∂L/∂W as the rule has it, and what carries the error down in W's place, where something does. */
export interface SynapseNumbers {
  readonly name: string;
  readonly weights: Numbers;
  readonly changes: Numbers;
  readonly feedback?: Numbers;
}

/** Images of the probe batch: the first of the dataset, and enough for the loss to find its negatives among them. */
export function probeImages({ batch, loss }: Pick<Config, "batch" | "loss">): number {
  const few = loss.kind === "contrastiveHinge" && loss.negatives !== "all" ? loss : undefined;
  const reach = few ? (few.gap ?? 1) + ((few.negatives as number) - 1) * (few.spacing ?? 1) + 1 : 0;
  return Math.min(batch, Math.max(64, reach));
}

/** Reads an X-ray whose program has just run; `optimiser` has made `updates` updates. */
export async function readXray(
  engine: Engine,
  { loss, metrics, layers }: LessonXray,
  optimiser: Optimiser,
  updates: number,
): Promise<Omit<Xray, "layer">> {
  const taken = new Map<Tensor, Numbers>();
  const numbersOf = async (tensor: Tensor): Promise<Numbers> => {
    const numbers = taken.get(tensor) ?? (await engine.read(tensor));
    taken.set(tensor, numbers);
    return numbers;
  };
  const shares: Record<string, number> = {};
  for (const { name, tensor, index, per } of metrics) shares[name] = (await numbersOf(tensor))[index] / per;
  const numbers: LayerNumbers[] = [];
  const synapses: SynapseNumbers[] = [];
  for (const layer of layers) {
    const { name, weight, change, feedback } = layer;
    const eaten = updates > 0 ? await readEpsilonShare(numbersOf, optimiser, weight, updates) : undefined;
    const read = await readLayer(numbersOf, layer);
    numbers.push({ ...read, ...(eaten === undefined ? {} : { epsilonShare: eaten }) });
    const carried = feedback ? { feedback: await numbersOf(feedback) } : {};
    synapses.push({ name, weights: await numbersOf(weight), changes: await numbersOf(change), ...carried });
  }
  return { loss: (await numbersOf(loss))[0], metrics: shares, layers: numbers, synapses };
}

async function readEpsilonShare(
  numbersOf: (tensor: Tensor) => Promise<Numbers>,
  { options, state }: Optimiser,
  weight: Tensor,
  updates: number,
): Promise<number | undefined> {
  const moments = state.get(weight);
  if (options.kind !== "adam" || moments === undefined) return undefined;
  const [m, v] = moments;
  return epsilonShare(await numbersOf(m), await numbersOf(v), options, updates);
}

/** Of an update from Adam's moments after `updates` updates; undefined where nothing moves. */
export function epsilonShare(
  m: Numbers,
  v: Numbers,
  { beta2, epsilon }: { readonly beta2: number; readonly epsilon: number },
  updates: number,
): number | undefined {
  const correction = 1 - beta2 ** updates;
  let [made, whole] = [0, 0];
  for (let i = 0; i < m.length; i++) {
    const root = Math.sqrt(v[i] / correction);
    if (root === 0) continue;
    made += Math.abs(m[i]) / (root + epsilon);
    whole += Math.abs(m[i]) / root;
  }
  return whole === 0 ? undefined : 1 - made / whole;
}

async function readLayer(numbersOf: (tensor: Tensor) => Promise<Numbers>, layer: LayerXray): Promise<LayerNumbers> {
  const { name, layer: number, weight, feedback, change, exact, input, output, rebuilt, activation } = layer;
  const [own, bp, activity] = [await numbersOf(change), await numbersOf(exact), await numbersOf(output)];
  const angleWB = feedback && angle(await numbersOf(weight), await numbersOf(feedback));
  const angleBP = angle(own, bp);
  const signs = signAgreement(own, bp);
  return {
    ...(number === undefined ? {} : { layer: number }),
    name,
    ...(angleWB === undefined ? {} : { angleWB }),
    ...(angleBP === undefined ? {} : { angleBP }),
    chance: chanceBand(sizeOf(weight.shape)),
    ...(signs === undefined ? {} : { signAgreement: signs }),
    dead: deadShare(activity, output.shape[0]),
    ...(activation ? { saturated: saturatedShare(activity, activation) } : {}),
    ...(rebuilt ? { reconstruction: relativeError(await numbersOf(rebuilt), await numbersOf(input)) } : {}),
  };
}

/** Between two directions, in degrees; undefined where one of them is zero. */
export function angle(a: Numbers, b: Numbers): number | undefined {
  const [lengthA, lengthB] = [norm(a), norm(b)];
  if (lengthA === 0 || lengthB === 0) return undefined;
  let [apart, along] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] / lengthA, b[i] / lengthB];
    apart += (x - y) ** 2;
    along += (x + y) ** 2;
  }
  // Kahan's formula: the arc cosine would lose half the digits where the directions are close.
  return degrees(2 * Math.atan2(Math.sqrt(apart), Math.sqrt(along)));
}

/** The cosine of two independent random directions in d dimensions is N(0, 1/d), nearly. */
export function chanceBand(d: number): readonly [number, number] {
  const low = degrees(Math.acos(Math.min(1, 1.959964 / Math.sqrt(d))));
  return [low, 180 - low];
}

export function signAgreement(a: Numbers, b: Numbers): number | undefined {
  let [equal, all] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (a[i] === 0 && b[i] === 0) continue;
    all++;
    if (Math.sign(a[i]) === Math.sign(b[i])) equal++;
  }
  return all === 0 ? undefined : equal / all;
}

/** `activity` holds `pictures` rows of units. */
export function deadShare(activity: Numbers, pictures: number): number {
  const units = activity.length / pictures;
  let still = Array.from({ length: units }, (_, unit) => unit);
  for (let row = 1; row < pictures && still.length > 0; row++)
    still = still.filter((unit) => activity[row * units + unit] === activity[unit]);
  return still.length / units;
}

export function saturatedShare(activity: Numbers, kind: Activation): number {
  const flat = flats[kind];
  let count = 0;
  for (let i = 0; i < activity.length; i++) if (flat(activity[i])) count++;
  return count / activity.length;
}

/** Whether an output stands where the derivative is under 1 %. */
const flats: Readonly<Record<Activation, (y: number) => boolean>> = {
  hardtanh: (y) => Math.abs(y) >= 1,
  tanh: (y) => 1 - y * y < 0.01,
  relu: (y) => y <= 0,
  triangle: (y) => y <= 0,
};

function relativeError(rebuilt: Numbers, input: Numbers): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < input.length; i++) {
    error += (rebuilt[i] - input[i]) ** 2;
    size += input[i] ** 2;
  }
  return error / size;
}

function norm(numbers: Numbers): number {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += numbers[i] ** 2;
  return Math.sqrt(sum);
}

const degrees = (radians: number): number => (radians * 180) / Math.PI;

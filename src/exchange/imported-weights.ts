// Weights that were trained elsewhere, out of PyTorch's state_dict in safetensors. What would change what the blocks compute is taken or refused.

import { fileURLToPath } from "node:url";
import { standIn } from "../datasets/formats/stand-ins.ts";
import { countParameters, type Encoder } from "../encoders/encoder.ts";
import { createModel, tensorsOf } from "../encoders/model.ts";
import { withBiases } from "../encoders/networks.ts";
import { readBytes, shellWord } from "../files/files.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { requireNumbers } from "../program/finite.ts";
import type { Normalise } from "../program/views.ts";
import { decodeSafetensors, type FoundTensors, notFloat32 } from "../training/safetensors.ts";
import { type Array32, fromTorch, torchShape } from "../training/torch-layout.ts";
import { type BatchNorm, foldBatchNorm, isBatchNorm } from "./batch-norm.ts";

export interface ImportOptions {
  /** What stands before the encoder's names in the file. */
  readonly prefix?: string | undefined;
  /** Every BatchNorm follows its convolution directly: it is folded in, with this much added to the variance. */
  readonly foldBatchNorm?: number | undefined;
  /** Beginnings of names that are known to lie behind the last block, or to compute nothing. */
  readonly leaveOut?: readonly string[] | undefined;
}

export interface ImportedWeights {
  /** The one that was asked for, or the same with biases where the weights have some that it has not. */
  readonly network: Encoder;
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** `bn1 into conv1` */
  readonly folded: readonly string[];
  /** Names of what the encoder does not have, such as a classifier behind it. */
  readonly leftOut: readonly string[];
  /** What pixel values 0 and 255 were in training, and then became, as the file says it: saccade export writes it. */
  readonly valueRange: readonly [number, number] | undefined;
  readonly normalise: Normalise | undefined;
}

/** Reads an encoder's weights, strictly: every one of them, in its shape, finite, and nothing that would change what the blocks compute. */
export function readStateDict(path: string, asked: Encoder, options: ImportOptions = {}): ImportedWeights {
  const { foldBatchNorm: epsilon } = options;
  // `module` means `module.`.
  const prefix = options.prefix?.replace(/([^.])$/, "$1.") ?? "";
  const bytes = readBytes(path);
  refuseArchive(path, bytes);
  const file = decodeSafetensors(bytes, path);
  const { metadata } = file;
  if (metadata.network !== undefined && ![asked, withBiases(asked)].some(({ name }) => name === metadata.network))
    throw wrong(
      path,
      "network",
      `${asked.name}, as --network says`,
      metadata.network,
      `set --network ${metadata.encoder === undefined ? metadata.network : "to a file that has its encoder"}`,
    );
  const taken = new Map<string, Array32>();
  for (const { name, shape } of createModel(asked).blocks.flatMap(tensorsOf))
    if (name.endsWith(".weight")) taken.set(name, find(path, file, asked, prefix, name, torchShape(shape)));
  for (const { name, outputs } of asked.blocks)
    if (file.tensors.has(`${prefix}${name}.bias`))
      taken.set(`${name}.bias`, find(path, file, asked, prefix, `${name}.bias`, [outputs]));

  const rest = [...file.tensors.keys(), ...file.others.keys()].filter(
    (name) => !(name.startsWith(prefix) && taken.has(name.slice(prefix.length))),
  );
  const norms = epsilon === undefined ? [] : pairNorms(path, asked, prefix, rest, file);
  for (const { block, norm } of norms) {
    const weight = taken.get(`${block}.weight`) as Array32;
    const folded = foldBatchNorm(path, { weight, bias: taken.get(`${block}.bias`) }, norm, epsilon as number);
    for (const [end, tensor] of Object.entries(folded)) {
      requireNumbers(path, `${block}.${end} with ${norm.name} folded in`, tensor.data);
      taken.set(`${block}.${end}`, tensor);
    }
  }
  const leftOut = rest.filter((name) => !norms.some(({ norm }) => name.startsWith(`${prefix}${norm.name}.`)));
  requireBehind(path, asked, leftOut, file, { ...options, prefix });

  const known = asked.blocks.every(({ name, bias }) => bias || !taken.has(`${name}.bias`));
  const network = known ? asked : withBiases(asked);
  const weights = new Map<string, Float32Array>();
  for (const { name, shape } of createModel(network).blocks.flatMap(tensorsOf)) {
    const tensor = taken.get(name);
    // Some blocks may have biases and others none.
    weights.set(name, tensor ? fromTorch(tensor).data : new Float32Array(shape[0]));
  }
  return {
    network,
    weights,
    folded: norms.map(({ block, norm }) => `${norm.name} into ${block}`),
    leftOut,
    valueRange: rangeIn(path, metadata.valueRange),
    normalise: normaliseIn(path, metadata.normalise),
  };
}

function find(
  path: string,
  { tensors, others }: FoundTensors,
  network: Encoder,
  prefix: string,
  name: string,
  wanted: readonly number[],
): Array32 {
  const whole = `${prefix}${name}`;
  const other = others.get(whole);
  if (other) throw notFloat32(path, whole, other.type);
  const found = tensors.get(whole);
  if (found?.shape.join() !== wanted.join())
    throw wrong(
      path,
      whole,
      `[${wanted.join(", ")}], as network ${network.name} has it`,
      found?.shape ?? "nothing",
      found
        ? "--network must name theirs, and the layout be PyTorch's, [out, in, height, width]"
        : whereElse([...tensors.keys(), ...others.keys()], network, name),
    );
  requireNumbers(path, whole, found.data);
  return found;
}

/** What helps where a tensor is not found: the beginning that its name has in the file, or the names that there are. */
function whereElse(names: readonly string[], network: Encoder, name: string): string {
  const prefixes = names.flatMap((one) => (one.endsWith(`.${name}`) ? [one.slice(0, -name.length)] : []));
  // Renamed to what is missing, one of the parts would be another weight.
  const parts = `${name}_(g|v|orig|mask|u)$|${name.replace(/([^.]+)$/, "parametrizations\\.$1")}\\.`;
  const part = names.find((one) => new RegExp(`(^|\\.)(${parts})`).test(one));
  if (part !== undefined)
    return `the file has ${part}, of which it is computed; before saving, in PyTorch: torch.nn.utils.remove_weight_norm, remove_spectral_norm, prune.remove or parametrize.remove_parametrizations`;
  if (prefixes.length > 0) return `set ${prefixes.map((prefix) => `--prefix ${shellWord(prefix)}`).join(" or ")}`;
  const most = 12;
  const more = names.length > most ? ` and ${names.length - most} more` : "";
  const wanted = network.blocks.map((block) => `${block.name}.weight`).join(", ");
  return `the file has ${names.slice(0, most).join(", ") || "none"}${more}; give the tensors these names: ${wanted}`;
}

/** BatchNorms of the file with the blocks that they follow: by where they stand, or by the number at the end of their names. */
function pairNorms(
  path: string,
  { blocks }: Encoder,
  prefix: string,
  rest: readonly string[],
  { tensors, others }: FoundTensors,
): { readonly block: string; readonly norm: BatchNorm }[] {
  const own = rest.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const names = new Set(
    own.flatMap((name) => (name.endsWith(".running_mean") ? [name.slice(0, -".running_mean".length)] : [])),
  );
  const pairs: { block: string; norm: BatchNorm }[] = [];
  for (const name of names) {
    const number = /(\d+)\D*$/.exec(name)?.[1];
    const block = blocks.find(
      (one) => name.startsWith(`${one.name}.`) || (!name.includes(".") && one.name === `conv${number}`),
    );
    if (block === undefined) continue;
    const ends = own.flatMap((one) => (one.startsWith(`${name}.`) ? [one.slice(name.length + 1)] : []));
    if (!isBatchNorm(ends)) continue;
    if (pairs.some((pair) => pair.block === block.name))
      throw new SaccadeError(
        `${path}: ${block.name} must have one BatchNorm after it, got two; --leave-out the one that comes after the last block`,
      );
    const found = ends.flatMap((end): [string, Array32][] => {
      const whole = `${prefix}${name}.${end}`;
      const [tensor, other] = [tensors.get(whole), others.get(whole)];
      // A count of batches is a whole number, and not needed.
      if (other && end !== "num_batches_tracked") throw notFloat32(path, whole, other.type);
      return tensor ? [[end, tensor]] : [];
    });
    pairs.push({ block: block.name, norm: { name, tensors: new Map(found) } });
  }
  return pairs;
}

/**
 * Refuses what may stand between the blocks, for leaving it out would compute something else. Behind the last block lies a linear layer that
 * reads its features, and what reads that; a network of its own lies elsewhere; the rest is known to the user alone.
 */
function requireBehind(
  path: string,
  encoder: Encoder,
  names: readonly string[],
  { tensors, others }: FoundTensors,
  { prefix = "", leaveOut = [], foldBatchNorm }: ImportOptions,
): void {
  const above = prefix.split(".").filter(Boolean);
  const groups = new Map<string, { readonly inside: boolean; readonly members: string[] }>();
  for (const name of names) {
    const parts = name.split(".");
    let common = 0;
    while (common < above.length && parts[common] === above[common]) common++;
    const inside = name.startsWith(prefix);
    const key = inside ? `${prefix}${name.slice(prefix.length).split(".")[0]}` : parts.slice(0, common + 1).join(".");
    const group = groups.get(key) ?? { inside, members: [] };
    group.members.push(name);
    groups.set(key, group);
  }
  for (const left of leaveOut) {
    const named = [left, `${prefix}${left}`].find((key) => groups.has(key));
    if (named === undefined)
      throw wrong(path, "--leave-out", `one of ${[...groups.keys()].join(", ") || "none"}`, left);
    groups.delete(named);
  }
  const shapeOf = (name: string): readonly number[] => tensors.get(name)?.shape ?? others.get(name)?.shape ?? [];
  const widths = new Set([countParameters(encoder).features]);
  for (let left = Number.POSITIVE_INFINITY; groups.size < left; ) {
    left = groups.size;
    for (const [key, { inside, members }] of groups) {
      const matrices = members.map(shapeOf).filter((shape) => shape.length === 2);
      const reads = matrices.some(([, inputs]) => widths.has(inputs));
      const apart = !inside && members.some((name) => shapeOf(name).length >= 2);
      if (!(reads || apart) || encoder.blocks.some(({ name }) => key === `${prefix}${name}`)) continue;
      if (reads) for (const [outputs] of matrices) widths.add(outputs);
      groups.delete(key);
    }
  }
  for (const [key, { members }] of groups) {
    const ends = members.map((name) => name.slice(name.lastIndexOf(".") + 1));
    const shown = `${members.slice(0, 3).join(", ")}${members.length > 3 ? ` and ${members.length - 3} more` : ""}`;
    const mend = isBatchNorm(ends)
      ? foldBatchNorm === undefined
        ? `if every BatchNorm follows its convolution directly, before the activation, set --fold-batch-norm; if this one comes after the last block, --leave-out ${key}`
        : `its name must say which convolution it follows, as bn1 does for conv1; if it comes after the last block, --leave-out ${key}`
      : `if it comes after the last block, or computes nothing, set --leave-out ${key}; else the encoder is not ${encoder.name}`;
    throw new SaccadeError(
      `${path}: must hold nothing else that could change what the blocks compute, got ${shown}; ${mend}`,
    );
  }
}

/** `[-1, 1]` as JSON or as Python writes it. */
function rangeIn(path: string, text: string | undefined): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const range = numbersIn(text.replace(/^\s*\(/, "[").replace(/\)\s*$/, "]"));
  if (range?.length !== 2 || !(range[0] < range[1])) throw wrong(path, "valueRange", "[low, high]", text.slice(0, 60));
  return [range[0], range[1]];
}

function numbersIn(text: string): readonly number[] | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) && found.every((one) => typeof one === "number") ? found : undefined;
  } catch {
    return undefined;
  }
}

function normaliseIn(path: string, text: string | undefined): Normalise | undefined {
  if (text === undefined) return undefined;
  try {
    const { mean, std } = JSON.parse(text);
    if ([mean, std].every((list) => numbersIn(JSON.stringify(list)))) return { mean, std };
  } catch {}
  throw wrong(path, "normalise", '{"mean": […], "std": […]}', text.slice(0, 60));
}

/** What turns the files of PyTorch and NumPy into safetensors. */
const converter = fileURLToPath(new URL("../../tools/to-safetensors.py", import.meta.url));

/**
 * PyTorch's own files are programs for Python's pickle: a zip archive since version 1.6, before it the bare pickle. NumPy's .npz are
 * archives too, of .npy files.
 */
function refuseArchive(path: string, bytes: Uint8Array): void {
  const other = standIn(bytes);
  if (other) throw new SaccadeError(`${path}: must be a safetensors file, got ${other}`);
  const [a, b, , , , , , , ninth] = bytes;
  const safetensors = ninth === 0x7b;
  if (safetensors || !((a === 0x50 && b === 0x4b) || (a === 0x80 && b <= 5))) return;
  const stem = path.replace(/\.[^./]*$/, "");
  const target = path === `${stem}.safetensors` ? `${stem}-converted.safetensors` : `${stem}.safetensors`;
  // The first member's name begins at byte 30.
  const first = new TextDecoder().decode(bytes.subarray(30, 30 + bytes[26]));
  const got =
    a === 0x50 && first.endsWith(".npy")
      ? "an .npz archive of NumPy's"
      : "a pickle of PyTorch's, which can run any program";
  throw new SaccadeError(
    `${path}: must be a safetensors file, got ${got}; turn it into one: python3 ${[converter, path, target].map(shellWord).join(" ")}`,
  );
}

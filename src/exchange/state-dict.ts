// A network's weights as PyTorch's state_dict in safetensors: out of a checkpoint, and in from elsewhere.

import { createModel, tensorsOf } from "../encoders/model.ts";
import { type NetworkName, networkNamed, networks } from "../encoders/networks.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { requireNumbers } from "../program/finite.ts";
import type { Checkpoint } from "../training/checkpoints.ts";
import { readBytes } from "../training/files.ts";
import { decodeSafetensors, encodeSafetensors } from "../training/safetensors.ts";
import { type Array32, fromTorch, torchShape, toTorch } from "../training/torch-layout.ts";

/** `conv1.weight` [out, in, 3, 3] and so on, and `head.weight` [64, features] where one head was trained on the whole network. */
export function encodeStateDict(
  network: NetworkName,
  { state, shapes }: Pick<Checkpoint, "state" | "shapes">,
  facts: Readonly<Record<string, string>>,
): Uint8Array {
  const { blocks } = networks[network];
  const channels = blocks[blocks.length - 1].outputs;
  const names = [...blocks.map(({ name }) => name), "head"].flatMap((name) => [`${name}.weight`, `${name}.bias`]);
  const tensors = new Map<string, Array32>();
  for (const name of names) {
    const [data, shape] = [state.get(name), shapes.get(name)];
    if (!data || !shape) continue;
    requireNumbers("export", name, data);
    tensors.set(name, toTorch({ shape, data }, channels));
  }
  return encodeSafetensors({ tensors, metadata: { format: "pt", network, ...facts } });
}

export interface ImportedWeights {
  /** What pixel values 0 and 255 were in training, as the file says it: saccade export writes it. */
  readonly valueRange: readonly [number, number] | undefined;
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Names of what the encoder does not have, such as a classifier behind it. */
  readonly leftOut: readonly string[];
}

/** Reads an encoder's weights, strictly: every one of them, in its shape, finite, and nothing more within a block. */
export function readStateDict(path: string, network: NetworkName): ImportedWeights {
  const bytes = readBytes(path);
  refuseArchive(path, bytes);
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  if (metadata.network !== undefined && metadata.network !== network)
    throw wrong(
      path,
      "network",
      `${network}, as --network says`,
      metadata.network,
      `set --network ${metadata.network}`,
    );
  const { encoder, blocks } = createModel(networkNamed("import", network));
  const weights = new Map<string, Float32Array>();
  for (const { name, shape } of blocks.flatMap(tensorsOf)) {
    const wanted = torchShape(shape);
    const found = tensors.get(name);
    if (found?.shape.join() !== wanted.join())
      throw wrong(
        path,
        name,
        `[${wanted.join(", ")}], as network ${network} has it`,
        found?.shape ?? "nothing",
        found
          ? "--network must name theirs, and the layout be PyTorch's, [out, in, height, width]"
          : `give the tensors these names: ${named(blocks.flatMap(tensorsOf))}`,
      );
    requireNumbers(path, name, found.data);
    weights.set(name, fromTorch(found).data);
  }
  const leftOut = [...tensors.keys()].filter((name) => !weights.has(name));
  const strange = leftOut.find((name) => encoder.blocks.some((block) => name.startsWith(`${block.name}.`)));
  if (strange !== undefined)
    throw wrong(
      path,
      strange,
      "left out",
      "a tensor",
      `a block of network ${network} has none, and would compute something else`,
    );
  return { weights, leftOut, valueRange: rangeIn(path, metadata.valueRange) };
}

function rangeIn(path: string, text: string | undefined): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const [, low, high] = /^\[(-?[\d.e+-]+),(-?[\d.e+-]+)\]$/.exec(text) ?? [];
  const range = [Number(low), Number(high)] as const;
  if (!(range[0] < range[1])) throw wrong(path, "valueRange", "[low, high]", text.slice(0, 60));
  return range;
}

const named = (tensors: readonly { readonly name: string }[]): string => tensors.map(({ name }) => name).join(", ");

/**
 * PyTorch's own files are programs for Python's pickle: a zip archive since version 1.6, before it the bare pickle. NumPy's .npz are
 * archives too, of .npy files.
 */
function refuseArchive(path: string, bytes: Uint8Array): void {
  const [a, b, , , , , , , ninth] = bytes;
  const safetensors = ninth === 0x7b;
  if (safetensors || !((a === 0x50 && b === 0x4b) || (a === 0x80 && b <= 5))) return;
  const stem = path.replace(/\.[^./]*$/, "");
  // The first member's name begins at byte 30.
  const first = new TextDecoder().decode(bytes.subarray(30, 30 + bytes[26]));
  if (a === 0x50 && first.endsWith(".npy"))
    throw new SaccadeError(
      `${path}: must be a safetensors file, got an .npz archive of NumPy's; turn it into one: ` +
        `python3 -c "import numpy, safetensors.numpy as s; s.save_file(dict(numpy.load('${path}')), '${stem}.safetensors')"`,
    );
  throw new SaccadeError(
    `${path}: must be a safetensors file, got a pickle of PyTorch's, which can run any program; turn it into one: ` +
      `python3 -c "import torch, safetensors.torch as s; s.save_file(torch.load('${path}', weights_only=True), '${stem}.safetensors')"`,
  );
}

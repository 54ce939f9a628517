// A network's weights as PyTorch's state_dict in safetensors; imported-weights.ts is the way back.

import { type NetworkName, networks } from "../encoders/networks.ts";
import { requireNumbers } from "../program/finite.ts";
import type { Checkpoint } from "../runs/checkpoints.ts";
import { encodeSafetensors } from "../training/safetensors.ts";
import { type Array32, toTorch } from "../training/torch-layout.ts";

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

// A network's weights as PyTorch's state_dict in safetensors; imported-weights.ts is the way back.

import { type Encoder, hiddenName } from "../encoders/encoder.ts";
import { networkData } from "../encoders/networks.ts";
import { requireNumbers } from "../program/finite.ts";
import type { Checkpoint } from "../record/checkpoint-file.ts";
import { encodeSafetensors } from "../training/safetensors.ts";
import { type Array32, toTorch } from "../training/torch-layout.ts";

/** `conv1.weight` [out, in, 3, 3] and so on, and `head.weight` [64, features], with `head.hidden1.weight` and so on, where one head was trained on the whole network. */
export function encodeStateDict(
  network: Encoder,
  { state, shapes }: Pick<Checkpoint, "state" | "shapes">,
  facts: Readonly<Record<string, string>>,
): Uint8Array {
  const { blocks, head } = network;
  const channels = blocks[blocks.length - 1].outputs;
  const hidden = (head.hidden ?? []).map((_, i) => hiddenName("head", i));
  /** The layer that reads the last block's picture. */
  const [reader] = [...hidden, "head"];
  const names = [...blocks.map(({ name }) => name), ...hidden, "head"].flatMap((name) => [
    `${name}.weight`,
    `${name}.bias`,
  ]);
  const tensors = new Map<string, Array32>();
  for (const name of names) {
    const [data, shape] = [state.get(name), shapes.get(name)];
    if (!data || !shape) continue;
    requireNumbers("export", name, data);
    tensors.set(name, toTorch({ shape, data }, name.startsWith(`${reader}.weight`) ? channels : 1));
  }
  return encodeSafetensors({ tensors, metadata: { format: "pt", ...networkFacts(network), ...facts } });
}

/** Which network it is, as metadata of a file: its name, and all of it where that is not one of the library's. */
export function networkFacts(network: Encoder): Readonly<Record<string, string>> {
  const data = networkData(network);
  return { network: network.name, ...(typeof data === "string" ? {} : { encoder: JSON.stringify(data) }) };
}

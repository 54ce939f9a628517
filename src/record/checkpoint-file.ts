// The bytes of a checkpoint: synapses in PyTorch's layout and names, optimiser state and position, enough to go on bit-exactly.

import { hiddenName } from "../encoders/encoder.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { requireNumbers } from "../program/finite.ts";
import type { Shape, Tensor } from "../program/tensor.ts";
import type { Lesson, RecordedRule } from "../rules/rule.ts";
import { requireFiniteState } from "../training/alarms.ts";
import { decodeSafetensors, notFloat32, safetensorsParts, type TensorFile } from "../training/safetensors.ts";
import { type Array32, fromTorch, toTorch } from "../training/torch-layout.ts";
import type { Position } from "../training/trainer.ts";

export interface Checkpoint {
  readonly position: Position;
  /** In the layout of the programs, as `shapes` says. */
  readonly state: ReadonlyMap<string, Float32Array>;
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly losses: Losses;
  /** Fingerprint of the configuration that wrote it. */
  readonly config: string;
  /** How many lines metrics.jsonl had, but for evaluations; the first checkpoints did not say it. */
  readonly metrics?: number | undefined;
  readonly path: string;
}

/** Training losses that lie behind a checkpoint. */
export interface Losses {
  /** Of the steps since the last checkpoint that the configuration asks for. */
  readonly sum: number;
  readonly steps: number;
  /** The checkpoint with the lowest mean loss of those steps; under checkpointBest kNN the one with the highest accuracy by it. */
  readonly best?: { readonly step: number; readonly loss: number; readonly kNN?: number };
}

/** CRC-32 of bytes, or of a text's UTF-8, going on from the sum of those before: Node has one, a page its own. */
export type Crc32 = (data: Uint8Array | string, before?: number) => number;

const format = "saccade-checkpoint-2";
export const fileName = (step: number): string => `step-${String(step).padStart(8, "0")}.safetensors`;
export const stepOf = (name: string): number => Number.parseInt(name.slice("step-".length), 10);

/** The file of a checkpoint from beginning to end, never one with numbers that are none. */
export function checkpointParts(
  recorded: Pick<RecordedRule, "state" | "lessons">,
  { position, state, losses, config, metrics }: Omit<Checkpoint, "path" | "shapes">,
  crc32: Crc32,
): Generator<Uint8Array> {
  requireFiniteState(state, position.step);
  const channels = channelsRead(recorded.lessons);
  const tensors = new Map(
    recorded.state.map(({ name, shape }): [string, Array32] => {
      const data = state.get(name);
      if (data === undefined) throw new Error(`checkpoint: no numbers for ${name}`);
      return [name, toTorch({ shape, data }, channels[ownerOf(name)])];
    }),
  );
  const facts = { position, losses, channels, ...(metrics === undefined ? {} : { metrics }) };
  const texts = Object.entries(facts).map(([key, value]) => [key, JSON.stringify(value)]);
  const metadata = { format, config, ...Object.fromEntries(texts) };
  return safetensorsParts({ tensors, metadata: { ...metadata, crc32: checksum({ tensors, metadata }, crc32) } });
}

/** CRC-32 of all that a checkpoint says: a safetensors file has none of its own. */
export function checksum({ tensors, metadata: { crc32: _, ...metadata } }: TensorFile, crc32: Crc32): string {
  let sum = crc32(JSON.stringify(Object.entries(metadata).sort()));
  for (const [name, { shape, data }] of tensors) {
    sum = crc32(JSON.stringify([name, shape]), sum);
    sum = crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), sum);
  }
  return sum.toString(16).padStart(8, "0");
}

/** `conv3` of `conv3.direct.weight.m`, `head.hidden1` of `head.hidden1.feedback.weight`: the layer that a tensor belongs to. */
const ownerOf = (name: string): string => /^[^.]+(\.hidden\d+)?/.exec(name)?.[0] ?? name;

/** Channels of what is before each of a head's layers and behind each block: what their matrices read. */
function channelsRead(lessons: readonly Lesson[]): Record<string, number> {
  const channels: Record<string, number> = {};
  for (const { learners } of lessons.map(({ parts }) => parts)) {
    const { blocks, head, pictures } = learners;
    for (const [i, { name }] of blocks.entries()) channels[name] = pictures[i + 1][2];
    if (head === undefined) continue;
    const layers = [...head.hidden.map((_, i) => hiddenName(head.name, i)), head.name];
    // The lowest reads the picture, the others units.
    for (const [i, name] of layers.entries()) channels[name] = i === 0 ? pictures[pictures.length - 1][2] : 1;
  }
  return channels;
}

/** `path` names the file in every error. */
export function decodeCheckpoint(bytes: Uint8Array, path: string, crc32: Crc32): Checkpoint {
  const { tensors, others, metadata } = decodeSafetensors(bytes, path);
  if (metadata.format !== format) {
    const got = (metadata.format ?? "none").slice(0, 60);
    const mend = got.startsWith("saccade-checkpoint-")
      ? "another version of Saccade wrote it, and that version reads it"
      : "Saccade did not write it; saccade import takes weights from elsewhere";
    throw new SaccadeError(`${path}: format must be ${format}, got ${got}; ${mend}`);
  }
  for (const [name, { type }] of others) throw notFloat32(path, name, type);
  const sum = checksum({ tensors, metadata }, crc32);
  if (metadata.crc32 !== sum)
    throw new SaccadeError(
      `${path}: its checksum must be ${metadata.crc32?.slice(0, 8) ?? "there"}, as it says itself, got ${sum}; the file is damaged`,
    );
  const read = <T>(key: string, holds: string, right: (value: T) => boolean): T => {
    try {
      const value = JSON.parse(metadata[key]) as T;
      if (right(value)) return value;
    } catch {}
    throw new SaccadeError(
      `${path}: ${key} must say ${holds}, got ${metadata[key]?.slice(0, 60) || "nothing"}; the file is damaged`,
    );
  };
  const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const position = read<Position>("position", "the step", (at) => whole(at.step));
  const losses = read<Losses>(
    "losses",
    "sum and steps",
    ({ sum, steps, best }) =>
      typeof sum === "number" &&
      whole(steps) &&
      (best === undefined || (whole(best.step) && Number.isFinite(best.loss))),
  );
  const metrics = metadata.metrics === undefined ? undefined : read<number>("metrics", "a number of lines", whole);
  const channels = read<Record<string, number>>("channels", "channels by layer", (all) =>
    Object.values(all).every((count) => whole(count) && count > 0),
  );
  const state = new Map<string, Float32Array>();
  const shapes = new Map<string, Shape>();
  for (const [name, stored] of tensors) {
    const count = channels[ownerOf(name)] ?? 1;
    if (stored.shape.length === 2 && stored.shape[1] % count !== 0)
      throw new SaccadeError(
        `${path}: ${name} must read pictures of ${count} channels, got ${stored.shape[1]} columns; the file is damaged`,
      );
    requireNumbers(path, name, stored.data, "the training had diverged when it was written");
    const { shape, data } = fromTorch(stored, count);
    state.set(name, data);
    shapes.set(name, shape);
  }
  return { position, losses, config: metadata.config ?? "", metrics, state, shapes, path };
}

/** Refuses a checkpoint that lacks tensors, or has them for another architecture. */
export function requireTensors({ path, shapes }: Pick<Checkpoint, "path" | "shapes">, wanted: readonly Tensor[]): void {
  for (const { name, shape } of wanted) {
    const got = shapes.get(name);
    if (got?.join() !== shape.join())
      throw wrong(
        path,
        name,
        `[${shape.join(", ")}]`,
        got ?? "nothing",
        "the checkpoint is of another network or rule",
      );
  }
}

// Checkpoints: synapses, optimiser state and position, enough to go on bit-exactly. Random numbers need none: they are keyed.

import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { SaccadeError } from "../program/errors.ts";
import type { RecordedRule } from "../rules/rule.ts";
import { notRead, readBytes, writeWhole } from "./files.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import type { Position } from "./trainer.ts";

export interface Checkpoint {
  readonly position: Position;
  readonly state: ReadonlyMap<string, Float32Array>;
  /** Fingerprint of the configuration that wrote it. */
  readonly config: string;
  readonly path: string;
}

const format = "saccade-checkpoint-1";
const fileName = (step: number): string => `step-${String(step).padStart(8, "0")}.safetensors`;

/** Writes a checkpoint and removes all but the newest `keep`. */
export async function saveCheckpoint(
  folder: string,
  recorded: RecordedRule,
  checkpoint: Omit<Checkpoint, "path">,
  keep = 3,
): Promise<string> {
  const { position, state, config } = checkpoint;
  const tensors = new Map(
    recorded.state.map(({ name, shape }) => {
      const data = state.get(name);
      if (data === undefined) throw new Error(`checkpoint: no numbers for ${name}`);
      return [name, { shape, data }] as const;
    }),
  );
  const path = join(folder, fileName(position.step));
  const metadata = { format, config, position: JSON.stringify(position) };
  await writeWhole(path, encodeSafetensors({ tensors, metadata }));
  for (const old of checkpointFiles(folder).slice(0, -keep)) await rm(join(folder, old), { force: true });
  return path;
}

/** File names, oldest first. */
export function checkpointFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw notRead(folder, error);
  }
  return names.filter((name) => /^step-\d{8}\.safetensors$/.test(name)).sort();
}

export function loadCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) throw new SaccadeError(`${path}: no such checkpoint`);
  return decodeCheckpoint(readBytes(path), path);
}

function decodeCheckpoint(bytes: Uint8Array, path: string): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  if (metadata.format !== format)
    throw new SaccadeError(
      `${path}: format must be ${format}, got ${metadata.format ?? "none"}; it was not written by this version`,
    );
  const position = readPosition(metadata.position);
  if (position === undefined)
    throw new SaccadeError(`${path}: position must say the step, got ${metadata.position ?? "nothing"}`);
  return {
    position,
    config: metadata.config ?? "",
    state: new Map([...tensors].map(([name, { data }]) => [name, data])),
    path,
  };
}

function readPosition(text: string | undefined): Position | undefined {
  try {
    const position = JSON.parse(text ?? "null") as Position | null;
    return Number.isSafeInteger(position?.step) && position !== null && position.step >= 0 ? position : undefined;
  } catch {
    return undefined;
  }
}

/** The newest checkpoint of a run, if it has any. */
export function latestCheckpoint(folder: string): Checkpoint | undefined {
  const [before, newest] = [undefined, ...checkpointFiles(folder)].slice(-2);
  if (newest === undefined) return undefined;
  const path = join(folder, newest);
  const bytes = readBytes(path);
  try {
    return decodeCheckpoint(bytes, path);
  } catch (error) {
    if (!(error instanceof SaccadeError) || before === undefined) throw error;
    throw new SaccadeError(`${error.message}; remove it to go on from ${before}`);
  }
}

// A run's folder out of a zip, of files, or of one checkpoint: looked at with limits before anything of it is taken apart, and checked as the command line does.

import { unzipSync } from "fflate";
import { SaccadeError } from "../../src/program/errors.ts";
import { type Checkpoint, decodeCheckpoint, stepOf } from "../../src/record/checkpoint-file.ts";
import { asItWas, parseYaml } from "../../src/record/config-text.ts";
import { type Metric, parseMetrics } from "../../src/record/metrics.ts";
import type { Config } from "../../src/training/config.ts";
import { base, type Raw } from "../configuration.ts";
import type { Files } from "../file-messages.ts";
import { crc32 } from "./crc32.ts";
import { configKey } from "./digests.ts";
import { parseForPage } from "./limits.ts";

/** Of a zip: members, bytes of one, bytes of all that is read; of texts: bytes. */
const most = { members: 2000, bytes: 256e6, config: 100e3 } as const;

export interface Unpacked {
  /** Undefined where it came without one: it belongs to the configuration that is there. */
  readonly config: Config | undefined;
  readonly metrics: readonly Metric[];
  /** None of a run that has not begun. */
  readonly checkpoint: Checkpoint | undefined;
  /** The file of the best checkpoint, where that is another. */
  readonly best: { readonly path: string; readonly bytes: Uint8Array } | undefined;
}

const member = /(?:^|\/)(config\.yaml|metrics\.jsonl|checkpoints\/step-\d{8}\.safetensors)$/;
const mend = "take the zip that Export makes, or zip a run's folder as it is";

/** `current`: what a checkpoint without a configuration has to belong to. */
export async function unpack(name: string, from: Uint8Array | Files, current: Config): Promise<Unpacked> {
  if (from instanceof Uint8Array && !isZip(from)) {
    const checkpoint = decodeCheckpoint(from, name, crc32);
    await requireKey(checkpoint, current, "open the run’s folder as a zip, which holds it");
    return { config: undefined, metrics: [], checkpoint, best: undefined };
  }
  const files = from instanceof Uint8Array ? membersOf(name, from) : from;
  const [root] = [...files.keys()].filter((path) => /(?:^|\/)config\.yaml$/.test(path)).sort(shortest);
  if (root === undefined) throw new SaccadeError(`${name}: holds no config.yaml, so it is no run's folder; ${mend}`);
  const folder = root.slice(0, -"config.yaml".length);
  const bytes = files.get(root) as Uint8Array;
  if (bytes.length > most.config)
    throw new SaccadeError(
      `${name}: config.yaml has ${bytes.length} bytes, and a configuration takes at most ${most.config}`,
    );
  const text = new TextDecoder().decode(bytes);
  const config = parseForPage(asItWas(parseYaml(`${name}: config.yaml`, text)) as Raw);
  const steps = [...files.keys()].filter((path) => path.startsWith(`${folder}checkpoints/`)).sort();
  const newest = steps.at(-1);
  if (newest === undefined) return { config, metrics: [], checkpoint: undefined, best: undefined };
  const checkpoint = decodeCheckpoint(files.get(newest) as Uint8Array, `${name}: ${newest}`, crc32);
  await requireKey(checkpoint, config, "restore config.yaml");
  const lines = new TextDecoder().decode(files.get(`${folder}metrics.jsonl`) ?? new Uint8Array()).split("\n");
  const metrics = parseMetrics(lines.slice(0, -1), `${name}: metrics.jsonl`).filter(
    ({ step }) => step <= checkpoint.position.step,
  );
  const bestStep = checkpoint.losses.best?.step;
  const path = steps.find((one) => one !== newest && stepOf(one.slice(one.lastIndexOf("/") + 1)) === bestStep);
  const best = path && { path: path.slice(folder.length), bytes: files.get(path) as Uint8Array };
  return { config, metrics, checkpoint, best: best || undefined };
}

const isZip = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && bytes[1] === 0x4b;

const shortest = (a: string, b: string): number => a.length - b.length;

/** Members that a run is made of; names and sizes are looked at before the first is inflated, and none becomes larger than it said. */
function membersOf(name: string, zip: Uint8Array): Files {
  const refuse = (sentence: string): never => {
    throw new SaccadeError(`${name}: ${sentence}`);
  };
  let [members, bytes] = [0, 0];
  const sizes = new Map<string, number>();
  let found: Record<string, Uint8Array> = {};
  try {
    found = unzipSync(zip, {
      filter: ({ name: path, originalSize, compression }) => {
        if (++members > most.members) refuse(`has more than ${most.members} files; ${mend}`);
        if (path.length > 300 || /^[/\\]|^[a-z]:|\\|(^|\/)\.\.(\/|$)|\0/i.test(path))
          refuse(`has a file that leads out of its folder, ${JSON.stringify(path.slice(0, 60))}; ${mend}`);
        if (!member.test(path)) return false;
        if (compression !== 0 && compression !== 8) refuse(`packs ${path} in a way that browsers cannot unpack`);
        bytes += originalSize;
        if (bytes > most.bytes) refuse(`unpacks to more than ${most.bytes / 1e6} MB; saccade train --resume takes it`);
        if (sizes.has(path)) refuse(`has ${path} twice; ${mend}`);
        sizes.set(path, originalSize);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof SaccadeError) throw error;
    refuse(`is no sound zip (${(error as Error).message}); ${mend}`);
  }
  for (const [path, size] of sizes)
    if (found[path]?.length !== size) refuse(`says that ${path} has ${size} bytes, and it has others; it is damaged`);
  return new Map(Object.entries(found));
}

async function requireKey({ path, config: key }: Checkpoint, config: Config, then: string): Promise<void> {
  if (key === "imported")
    throw new SaccadeError(
      `${path}: holds imported weights without an optimiser's state; saccade probe evaluates them`,
    );
  if (key !== (await configKey(config)))
    throw new SaccadeError(`${path}: was written by another configuration than the one beside it; ${then}`);
}

/** A resolved configuration as the page's controls would have made it: what it shares with the page's own is said as there. */
export function rawOf(config: Config): Raw {
  const own = parseForPage(base) as unknown as Raw;
  const changed = Object.entries(config).filter(([key, value]) => !same(value, own[key]));
  return {
    ...base,
    ...Object.fromEntries(changed.map(([key, value]) => [key, shortened(value, own[key], base[key])])),
  };
}

/** A group of the same kind, without what it need not say. */
function shortened(value: unknown, own: unknown, said: unknown): unknown {
  if (!isGroup(value) || !isGroup(own) || !isGroup(said) || value.kind !== own.kind) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key, part]) => Object.hasOwn(said, key) || !same(part, own[key])),
  );
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const isGroup = (value: unknown): value is Raw => typeof value === "object" && value !== null && !Array.isArray(value);

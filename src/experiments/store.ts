// The folder of a reproduction: tasks, results, encoders and runs by key, and results of records that somebody kept.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readBytes, readText, writeWhole } from "../files/files.ts";
import { SaccadeError } from "../program/errors.ts";
import type { Checkpoint } from "../record/checkpoint-file.ts";
import { decodeSafetensors, safetensorsParts } from "../training/safetensors.ts";
import type { Results, Task } from "./task.ts";

/** What came out of a task, with all that is needed to believe it. */
export interface Outcome<Kind extends Task["kind"] = Task["kind"]> {
  readonly key: string;
  readonly kind: Kind;
  readonly title: string;
  readonly value: Results[Kind];
  readonly seconds: number;
  readonly saccade: string;
  readonly commit: string | null;
  readonly processor: string;
  readonly cores: number;
  readonly backend: string;
}

export interface Store {
  readonly path: string;
  /** Where runs of a key stand. */
  readonly runs: (key: string) => string;
  readonly task: (key: string) => Promise<unknown>;
  readonly putTask: (key: string, task: object) => Promise<void>;
  /** Of this folder, or of a record. */
  readonly outcome: (key: string) => Outcome | undefined;
  readonly putOutcome: (outcome: Outcome) => Promise<void>;
  readonly hasEncoder: (key: string) => boolean;
  readonly encoder: (key: string) => Weights & { readonly path: string };
  readonly putEncoder: (key: string, weights: Weights) => Promise<void>;
}

/** Some tensors of a checkpoint, in the layout of the programs. */
export type Weights = Pick<Checkpoint, "state" | "shapes">;

/** Name of the file of a record that holds outcomes, one a line. */
export const recordFile = "results.jsonl";

/** `records` are outcomes from elsewhere, by key. */
export function openStore(path: string, records: ReadonlyMap<string, Outcome> = new Map()): Store {
  const file = (folder: string, key: string, ending: string): string => join(path, folder, `${key}.${ending}`);
  const encoderFile = (key: string): string => file("encoders", key, "safetensors");
  const outcomes = new Map<string, Outcome>();
  return {
    path,
    runs: (key) => join(path, "runs", key),
    task: async (key) => parseJson(file("tasks", key, "json")),
    putTask: (key, task) => writeWhole(file("tasks", key, "json"), JSON.stringify(task)),
    outcome: (key) => {
      const known = outcomes.get(key) ?? records.get(key);
      if (known !== undefined || !existsSync(file("results", key, "json"))) return known;
      const read = parseJson(file("results", key, "json")) as Outcome;
      outcomes.set(key, read);
      return read;
    },
    putOutcome: (outcome) => writeWhole(file("results", outcome.key, "json"), `${JSON.stringify(outcome)}\n`),
    hasEncoder: (key) => existsSync(encoderFile(key)),
    encoder: (key) => {
      const path = encoderFile(key);
      const tensors = [...decodeSafetensors(readBytes(path), path).tensors];
      return {
        path,
        state: new Map(tensors.map(([name, { data }]) => [name, data])),
        shapes: new Map(tensors.map(([name, { shape }]) => [name, shape])),
      };
    },
    putEncoder: (key, { state, shapes }) =>
      writeWhole(
        encoderFile(key),
        safetensorsParts({
          tensors: new Map(
            [...state].map(([name, data]) => [name, { shape: shapes.get(name) ?? [data.length], data }]),
          ),
          metadata: { format: "saccade-weights" },
        }),
      ),
  };
}

/** Whether a run has ended with numbers that are none, and so without an encoder. */
export function isDiverged(store: Store, key: string): boolean {
  const value = store.outcome(key)?.value;
  return value !== undefined && "diverged" in value;
}

/** Whether nothing is left to do of a task: it has a result, and a run that did not diverge its encoder too. */
export function isDone(store: Store, key: string): boolean {
  const outcome = store.outcome(key);
  return outcome !== undefined && (outcome.kind !== "train" || store.hasEncoder(key) || isDiverged(store, key));
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new SaccadeError(`${path}: is not JSON; remove it, and its results will be computed again`);
    throw error;
  }
}

/** Outcomes of every record under a folder: `<folder>/results.jsonl` and `<folder>/*\/results.jsonl`. */
export function readRecords(folder: string): Map<string, Outcome> {
  const found = new Map<string, Outcome>();
  if (!existsSync(folder)) return found;
  if (!statSync(folder).isDirectory())
    throw new SaccadeError(`--records: must be a folder, got ${folder}, which is a file`);
  const files = [folder, ...readdirSync(folder).map((name) => join(folder, name))]
    .map((place) => join(place, recordFile))
    .filter((file) => existsSync(file));
  for (const file of files)
    for (const [i, line] of readText(file).split("\n").entries()) {
      if (line === "") continue;
      try {
        const outcome = JSON.parse(line) as Outcome;
        found.set(outcome.key, outcome);
      } catch {
        throw new SaccadeError(`${file}: line ${i + 1} is not JSON; remove it, and its results will be computed again`);
      }
    }
  return found;
}

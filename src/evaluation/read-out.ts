// What a read-out is to the probe: prepared once for draws of labels of certain sizes, then measured on the rows of one encoder after another.

import type { Backend } from "../backends/backend.ts";
import { wrong } from "../program/errors.ts";
import { type Features, requireFeatures } from "./features.ts";
import type { Linear } from "./standardise.ts";

/** Labelled rows, and the draws of labels from them that a read-out is to learn from. */
export interface Draws {
  readonly rows: Features;
  /** Numbers of the rows of each draw, ascending. */
  readonly draws: readonly Int32Array[];
  /** Of everything random: validation splits, initial weights, order. */
  readonly seed: number;
}

export interface OpenReadOut<Result> {
  /** Bytes of its engine's memory. */
  readonly bytes: number;
  /** A result for each draw, in their order; the draws are of the sizes that the read-out was opened for. */
  readonly measure: (drawn: Draws, test: Features) => AsyncGenerator<Result>;
  readonly dispose: () => Promise<void>;
}

/** A read-out that learns a linear classifier. */
export interface OpenLinearReadOut<Result> extends OpenReadOut<Result> {
  /** What it learns from each draw, for any number of test sets: classifiers of rows as they are, which need the read-out no longer. */
  readonly fit: (drawn: Draws) => Promise<Linear[]>;
}

/** Prepares a read-out for draws of the sizes of `like`, and sets of its width and classes. */
export type Open<Result> = (like: Draws, backend: Backend) => Promise<OpenReadOut<Result>>;

/** One result: of all rows of one set. */
export async function measureOnce<Result>(
  operation: string,
  open: Open<Result>,
  { train, test, seed }: { readonly train: Features; readonly test: Features; readonly seed: number },
  backend: Backend,
): Promise<Result> {
  requireFeatures(operation, train, test);
  const drawn = { rows: train, draws: [Int32Array.from(train.labels.keys())], seed };
  const readOut = await open(drawn, backend);
  try {
    for await (const result of readOut.measure(drawn, test)) return result;
    throw wrong(operation, "draws", "at least one", 0);
  } finally {
    await readOut.dispose();
  }
}

/** What was prepared for sets of `count` rows, or an error. */
export function preparedFor<Value>(operation: string, prepared: ReadonlyMap<number, Value>, count: number): Value {
  const value = prepared.get(count);
  if (value === undefined)
    throw wrong(operation, "draws", `of the sizes it was opened for, ${[...prepared.keys()].join(", ")} rows`, count);
  return value;
}

// Data flow of a program: which operations a value depends on, and those operations alone as a program of their own.

import { type AnyOperation, inputsOf, outputsOf, type Program, updatesOf } from "../program.ts";
import { offsetOf, ownerOf, sizeOf, type Tensor } from "../tensor.ts";

/** What the host gives: of each owner everything, or only what these operations would have written. */
export type Held = ReadonlyMap<Tensor, "all" | ReadonlySet<number>>;

export interface Dataflow {
  readonly program: Program;
  /** Numbers of the operations that wrote what operation `reader` finds in `tensor`. None: the value that the step began with. */
  readonly writersOf: (reader: number, tensor: Tensor) => number[];
  /** Numbers of all operations that this value depends on, but for what is held. */
  readonly cone: (reader: number, tensor: Tensor, held?: Held) => ReadonlySet<number>;
}

interface Write {
  readonly operation: number;
  readonly start: number;
  readonly end: number;
  /** What stood there before goes into it. */
  readonly inPlace: boolean;
}

export function dataflow(program: Program): Dataflow {
  const writes = new Map<Tensor, Write[]>();
  program.operations.forEach((operation, i) => {
    const written = [
      ...outputsOf(operation).map((tensor) => ({ tensor, inPlace: false })),
      ...updatesOf(operation).map((tensor) => ({ tensor, inPlace: true })),
    ];
    for (const { tensor, inPlace } of written) {
      const start = offsetOf(tensor);
      const list = writes.get(ownerOf(tensor)) ?? [];
      list.push({ operation: i, start, end: start + sizeOf(tensor.shape), inPlace });
      writes.set(ownerOf(tensor), list);
    }
  });

  function writersOf(reader: number, tensor: Tensor): number[] {
    const start = offsetOf(tensor);
    const end = start + sizeOf(tensor.shape);
    const found: number[] = [];
    for (const write of (writes.get(ownerOf(tensor)) ?? []).toReversed()) {
      if (write.operation >= reader || write.end <= start || write.start >= end) continue;
      found.push(write.operation);
      if (write.start <= start && write.end >= end && !write.inPlace) break;
    }
    return found;
  }

  function cone(reader: number, tensor: Tensor, held: Held = new Map()): ReadonlySet<number> {
    const found = new Set<number>();
    const open: [number, Tensor][] = [[reader, tensor]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const owner = ownerOf(next[1]);
      for (const writer of writersOf(...next)) {
        if (found.has(writer) || holds(held, owner, writer)) continue;
        found.add(writer);
        const operation = program.operations[writer];
        for (const operand of [...inputsOf(operation), ...updatesOf(operation)]) open.push([writer, operand]);
      }
    }
    return found;
  }

  return { program, writersOf, cone };
}

function holds(held: Held, owner: Tensor, writer: number): boolean {
  const part = held.get(owner);
  return part === "all" || (part?.has(writer) ?? false);
}

/** The operations that some values depend on, as a program of its own tensors whose host gives what is held. */
export interface ConeProgram {
  readonly program: Program;
  /** For each held owner that the program reads: the persistent tensor that the host writes in its place. */
  readonly held: ReadonlyMap<Tensor, Tensor>;
}

/** `wanted` are tensors as operation `reader` finds them; they become the results, in this order. */
export function coneProgram(
  { program, cone }: Dataflow,
  wanted: readonly { readonly reader: number; readonly tensor: Tensor }[],
  given: Held,
): ConeProgram {
  const held = new Map<Tensor, Tensor>();
  const copies = new Map<Tensor, Tensor>();
  function ownerFor(owner: Tensor): Tensor {
    if (!given.has(owner) && owner.lifetime === "run") return owner;
    const copy = copies.get(owner) ?? { ...owner, lifetime: given.has(owner) ? ("run" as const) : owner.lifetime };
    copies.set(owner, copy);
    if (given.has(owner)) held.set(owner, copy);
    return copy;
  }
  const place = (one: Tensor): Tensor => {
    const owner = ownerFor(ownerOf(one));
    return one.window ? { ...one, lifetime: owner.lifetime, window: { of: owner, offset: offsetOf(one) } } : owner;
  };
  /** An operation may write a held tensor beside one that is wanted; that goes nowhere. */
  const target = (one: Tensor, writer: number): Tensor => {
    if (!holds(given, ownerOf(one), writer)) return place(one);
    const { name, shape, dtype, role } = one;
    return { name: `${name}, not read`, shape, dtype, role, lifetime: "step" };
  };
  const map = (tensors: Readonly<Record<string, Tensor>>, change: (one: Tensor) => Tensor): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).map(([argument, one]) => [argument, change(one)]));
  const numbers = new Set(wanted.flatMap(({ reader, tensor }) => [...cone(reader, tensor, given)]));
  const operations = program.operations.flatMap((operation, number) => {
    const { kind, inputs, outputs, updates, attributes } = operation;
    if (!numbers.has(number)) return [];
    const moved = {
      kind,
      inputs: map(inputs, place),
      outputs: map(outputs, (one) => target(one, number)),
      updates: map(updates, place),
      attributes,
    };
    return [moved as unknown as AnyOperation];
  });
  const results = wanted.map(({ tensor }) => place(tensor));
  return {
    program: { name: `${program.name}: ${results.map(({ name }) => name).join(", ")}`, operations, results },
    held,
  };
}

// The memory plan: every tensor's place in one arena, by lifetime. Persistent tensors first, step tensors reuse what is free.

import type { Stage } from "./fusion.ts";
import { inputsOf, outputsOf, type Program, persistentTensors, updatesOf } from "./program.ts";
import { bytesOf, ownerOf, type Tensor } from "./tensor.ts";

export interface MemoryPlan {
  /** Byte offset of every owner tensor from the arena's start. */
  readonly offsets: ReadonlyMap<Tensor, number>;
  /** Bytes of persistent tensors: weights, optimiser state, inputs, datasets. */
  readonly persistentBytes: number;
  /** Bytes that the step tensors of the hungriest program need at once. */
  readonly stepBytes: number;
  readonly totalBytes: number;
}

/** One program and the stages it was cut into. */
export interface StagedProgram {
  readonly program: Program;
  readonly stages: readonly Stage[];
}

/** Cache lines apart, so that two threads never write one line for two tensors. */
const alignment = 64;
const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/**
 * Places the tensors of several programs that take turns: they share their persistent tensors and their arena.
 * A step tensor lives from the stage that first writes it to the last stage that reads it; results live to the end.
 */
export function planMemory(staged: readonly StagedProgram[]): MemoryPlan {
  const offsets = new Map<Tensor, number>();
  let persistentBytes = 0;
  for (const tensor of persistentTensors(staged.map(({ program }) => program))) {
    offsets.set(tensor, persistentBytes);
    persistentBytes += align(bytesOf(tensor));
  }
  let stepBytes = 0;
  for (const { program, stages } of staged)
    for (const { tensor, offset } of placeStep(program, stages)) {
      offsets.set(tensor, persistentBytes + offset);
      stepBytes = Math.max(stepBytes, offset + align(bytesOf(tensor)));
    }
  return { offsets, persistentBytes, stepBytes, totalBytes: persistentBytes + stepBytes };
}

interface Life {
  readonly tensor: Tensor;
  readonly first: number;
  last: number;
}

/** First and last stage of every step tensor that is stored. */
export function lifetimes(program: Program, stages: readonly Stage[]): Life[] {
  const lives = new Map<Tensor, Life>();
  stages.forEach(({ operations, elided }, i) => {
    for (const operation of operations)
      for (const tensor of [...inputsOf(operation), ...outputsOf(operation), ...updatesOf(operation)].map(ownerOf)) {
        if (tensor.lifetime === "run" || elided.has(tensor)) continue;
        const life = lives.get(tensor);
        if (life) life.last = i;
        else lives.set(tensor, { tensor, first: i, last: i });
      }
  });
  for (const tensor of program.results.map(ownerOf)) {
    const life = lives.get(tensor);
    if (life) life.last = stages.length;
  }
  return [...lives.values()];
}

/** Greedy by size: the largest tensor first, each at the lowest offset free during its whole life. */
function placeStep(program: Program, stages: readonly Stage[]): { tensor: Tensor; offset: number }[] {
  const placed: (Life & { offset: number; end: number })[] = [];
  const bySize = lifetimes(program, stages).sort((a, b) => bytesOf(b.tensor) - bytesOf(a.tensor) || a.first - b.first);
  for (const life of bySize) {
    const bytes = align(bytesOf(life.tensor));
    let offset = 0;
    for (const other of placed.filter(({ first, last }) => first <= life.last && life.first <= last)) {
      if (offset + bytes <= other.offset) break;
      offset = Math.max(offset, other.end);
    }
    placed.push({ ...life, offset, end: offset + bytes });
    placed.sort((a, b) => a.offset - b.offset);
  }
  return placed;
}

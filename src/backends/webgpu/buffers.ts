// Which buffer holds what: persistent tensors have their own, and what lives for part of a step shares buffers with what lives at other times.

import type { Program } from "../../program/program.ts";
import { bytesOf, ownerOf } from "../../program/tensor.ts";
import { type Dispatch, isScratch, type Place } from "./kernel.ts";

/** One buffer to be made. */
export interface Slot {
  /** The first and largest of what it holds, for messages. */
  readonly place: Place;
  readonly bytes: number;
}

export interface BufferPlan {
  readonly slots: readonly Slot[];
  readonly slotOf: ReadonlyMap<Place, Slot>;
}

interface Life {
  readonly place: Place;
  readonly bytes: number;
  readonly first: number;
  last: number;
}

/** Whole vectors of four, which is also what a copy needs. */
const round = (bytes: number): number => Math.ceil(bytes / 16) * 16;

const sizeOfPlace = (place: Place): number => round(isScratch(place) ? place.bytes : bytesOf(place));

/** What a program's kernels bind that does not persist, from its first kernel to its last; results live to the end. */
function livesOf(program: Program, dispatches: readonly Dispatch[]): Life[] {
  const lives = new Map<Place, Life>();
  dispatches.forEach(({ bindings }, i) => {
    for (const { place } of bindings) {
      if (!isScratch(place) && place.lifetime === "run") continue;
      const life = lives.get(place);
      if (life) life.last = i;
      else lives.set(place, { place, bytes: sizeOfPlace(place), first: i, last: i });
    }
  });
  for (const result of program.results) {
    const life = lives.get(ownerOf(result));
    if (life) life.last = dispatches.length;
  }
  return [...lives.values()];
}

/** Greedy by size, the largest first: each goes into the first buffer that is free all its life. Programs take turns, so they share. */
export function planBuffers(
  programs: readonly { readonly program: Program; readonly dispatches: readonly Dispatch[] }[],
  persistent: readonly Place[],
): BufferPlan {
  const slotOf = new Map<Place, Slot>();
  const slots: Slot[] = [];
  const add = (place: Place): Slot => {
    const slot = { place, bytes: sizeOfPlace(place) };
    slots.push(slot);
    slotOf.set(place, slot);
    return slot;
  };
  for (const place of persistent) add(place);
  const lives = programs.flatMap(({ program, dispatches }, index) =>
    livesOf(program, dispatches).map((life) => ({ ...life, index })),
  );
  lives.sort((a, b) => b.bytes - a.bytes || a.index - b.index || a.first - b.first);
  const held = new Map<Slot, (typeof lives)[number][]>();
  for (const life of lives) {
    const free = [...held].find(([, others]) =>
      others.every(({ index, first, last }) => index !== life.index || last < life.first || life.last < first),
    );
    if (free) {
      slotOf.set(life.place, free[0]);
      free[1].push(life);
    } else held.set(add(life.place), [life]);
  }
  return { slots, slotOf };
}

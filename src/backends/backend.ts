// What a backend is: it prepares a set of programs once and then runs them many times.

import { SaccadeError } from "../program/errors.ts";
import type { Program } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";

/** Numbers of a tensor, row-major, in the type that the backend holds them in. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Something that runs programs: the float64 reference, WebAssembly, or a graphics processor. */
export interface Backend {
  /** `reference`, `wasm`, `webgpu`. */
  readonly name: string;
  /** What ran, for a run's record: threads, instruction set, adapter. */
  readonly description: string;
  /** Where two backends of one name have one arithmetic too, their results are the same to the bit. */
  readonly arithmetic: string;
  /** Runs whose notes are best asked for together, where asking makes a device wait; 1 unless told. */
  readonly notesEvery?: number;
  /** Places the tensors of programs that take turns; persistent tensors start at zero and are shared by all of them. */
  readonly prepare: (programs: readonly Program[]) => Promise<Engine>;
}

/** Programs that were prepared together: they share one memory and take turns. */
export interface Engine {
  /** Bytes of the arena: persistent and step tensors, and what the kernels need beside them. */
  readonly bytes: number;
  /** Copies numbers into a persistent tensor; length must be the tensor's. Not while a run is in flight. */
  readonly write: (tensor: Tensor, numbers: Numbers) => void;
  /**
   * Runs one program; resolves when its results may be read and inputs written. What the tensors of `noted`, which are small and
   * may be read, hold after it is noted, whatever runs then.
   */
  readonly run: (program: Program, noted?: readonly Tensor[]) => Promise<void>;
  /** What was noted since this was last asked, for each run that noted something: one round trip to the device for all of them. */
  readonly notes: () => Promise<Numbers[][]>;
  /** A copy of a persistent tensor, or of a result of the program that ran last. */
  readonly read: (tensor: Tensor) => Promise<Numbers>;
  /** Ends workers and frees memory; the engine must not be used after it. */
  readonly dispose: () => Promise<void>;
}

/** What every engine says of a tensor that it cannot read or write. */
export const notHere = (tensor: Tensor): SaccadeError =>
  new SaccadeError(
    `engine: "${tensor.name}" is neither a persistent tensor of the prepared programs nor a result of the last run`,
  );

/** Notes of an engine whose memory is at hand. */
export function notesAtHand(read: Engine["read"]): Pick<Engine, "notes"> & {
  readonly note: (tensors: readonly Tensor[]) => Promise<void>;
} {
  let noted: Numbers[][] = [];
  return {
    note: async (tensors) => {
      if (tensors.length > 0) noted.push(await Promise.all(tensors.map(read)));
    },
    notes: async () => {
      const all = noted;
      noted = [];
      return all;
    },
  };
}

// A launch: one kernel of the WASM module called once for each of its tasks, by whichever thread comes first.
//
// Tasks of one launch write disjoint places, so the result does not depend on who ran which. Between launches all threads meet, but between launches of one task each.
import type { Tensor } from "../../program/tensor.ts";

/** A word of a kernel's parameter block: a whole number (address, extent) or a float32. */
export type Word = number | { readonly f32: number };

export interface Launch {
  /** Exported as `kernel(parameters: usize, task: i32, scratch: usize): void`. */
  readonly kernel: string;
  /** Written once, at preparation, into shared memory; the kernel loads word i at `parameters + 4·i`. */
  readonly words: readonly Word[];
  readonly tasks: number;
  /** Bytes of private memory that a thread needs for one task. */
  readonly scratchBytes?: number;
}

/** Where tensors stand and where a lowering may put memory of its own, in bytes from the start of the WASM memory; how panels are cut. */
export interface Places {
  /** Columns of a packed panel, as the module's micro-kernels take them. */
  readonly panelColumns: number;
  /** Address of a tensor's first element (windows included). */
  readonly at: (tensor: Tensor) => number;
  /** Memory for one stage's intermediate numbers (packed weights, partial sums), free again after the stage. */
  readonly scratch: (bytes: number) => number;
}

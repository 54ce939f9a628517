// What the page and the worker that reads the visitor's own pictures tell each other.

export interface ToDecoder {
  readonly files: readonly File[];
  /** Pixels: each picture is brought to each of them. */
  readonly sides: readonly number[];
}

export type FromDecoder =
  | { readonly kind: "progress"; readonly done: number }
  | {
      readonly kind: "decoded";
      readonly count: number;
      /** RGB of one side after another: [count, side, side, 3]. */
      readonly pixels: readonly Uint8Array<ArrayBuffer>[];
      /** Files that are left out, and the first of them. */
      readonly skipped: number;
      readonly first: { readonly name: string; readonly why: string } | undefined;
    };

// How Saccade says that something is wrong: operation, argument, wanted, got, and the mend where it is known.

/** An error a person can act on; the command line prints its message alone, without a stack. */
export class SaccadeError extends Error {
  override readonly name = "SaccadeError";
}

/** `conv2d: x must be [n, h, w, 3], got [128, 3, 32, 32]; put the channels last`. */
export function wrong(operation: string, argument: string, wanted: string, got: unknown, mend?: string): SaccadeError {
  const shown = typeof got === "string" ? got : Array.isArray(got) ? `[${got.join(", ")}]` : String(got);
  return new SaccadeError(`${operation}: ${argument} must be ${wanted}, got ${shown}${mend ? `; ${mend}` : ""}`);
}

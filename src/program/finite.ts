// Numbers that are numbers: what is asked of weights wherever they are kept, read, or leave.

import { wrong } from "./errors.ts";

const wentWrong = "take weights from before the training went wrong";

/** Refuses NaN and infinities. */
export function requireNumbers(operation: string, name: string, numbers: Float32Array, mend = wentWrong): void {
  for (let i = 0; i < numbers.length; i++)
    if (!Number.isFinite(numbers[i])) throw wrong(operation, name, "finite", numbers[i], mend);
}

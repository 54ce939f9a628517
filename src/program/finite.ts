// Numbers that are numbers: what is asked of weights wherever they are kept, read, or leave.

import { wrong } from "./errors.ts";

const wentWrong = "take weights from before the training went wrong";

/** Refuses NaN and infinities. */
export function requireNumbers(operation: string, name: string, numbers: Float32Array, mend = wentWrong): void {
  if (areFinite(numbers)) return;
  throw wrong(
    operation,
    name,
    "finite",
    numbers.find((number) => !Number.isFinite(number)),
    mend,
  );
}

/** 0 · x is 0 but for NaN and infinities; four sums, so that no product waits for the one before. */
function areFinite(numbers: Float32Array): boolean {
  const { length } = numbers;
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    a += 0 * numbers[i];
    b += 0 * numbers[i + 1];
    c += 0 * numbers[i + 2];
    d += 0 * numbers[i + 3];
  }
  for (; i < length; i++) a += 0 * numbers[i];
  return a + b + c + d === 0;
}

// Damage as files suffer it, for tests of what reads them.

import type { Stream } from "../../src/program/random.ts";

/** Bytes changed, cut out, put in, doubled, or the end cut off; most damage near the beginning, where headers are. */
export function damaged(valid: Buffer, random: Stream): Buffer {
  const place = (): number => Math.floor(valid.length * random.uniform() ** 3);
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.integer(256));
  const at = place();
  switch (random.integer(5)) {
    case 0: {
      const copy = Buffer.from(valid);
      for (let i = random.integer(4); i >= 0; i--) copy[place()] = random.integer(256);
      return copy;
    }
    case 1:
      return valid.subarray(0, at);
    case 2:
      return Buffer.concat([valid.subarray(0, at), valid.subarray(at + 1 + random.integer(8))]);
    case 3:
      return Buffer.concat([valid.subarray(0, at), bytes(1 + random.integer(8)), valid.subarray(at)]);
    default:
      return Buffer.concat([valid.subarray(0, at), valid]);
  }
}

// SHA-256 of bytes, however many: one call of the system takes 2 GiB at most.

import { createHash } from "node:crypto";

export function checksum(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    if (typeof part === "string") hash.update(part);
    else for (const piece of pieces(part)) hash.update(piece);
  }
  return hash.digest("hex");
}

/** What one call takes, piece by piece. */
export function* pieces(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 2 ** 30) yield bytes.subarray(at, at + 2 ** 30);
}

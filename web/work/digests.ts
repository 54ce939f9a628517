// The checksums that a run's files carry, by the browser's own SHA-256.

import type { ImageSet } from "../../src/data/images.ts";
import { checkedParts } from "../../src/record/data-record.ts";
import { decisive } from "../../src/record/decisive.ts";
import type { Config } from "../../src/training/config.ts";

async function sha256(...parts: readonly (Uint8Array | string)[]): Promise<string> {
  const blob = new Blob(parts as BlobPart[]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** As src/runs/run-folder.ts makes them. */
export const fingerprint = async (value: unknown): Promise<string> =>
  (await sha256(JSON.stringify(value))).slice(0, 12);

/** Fingerprint of what decides the numbers of a run, as src/runs/resume.ts makes it. */
export const configKey = (config: Config): Promise<string> => fingerprint(decisive(config));

export const dataSum = (set: ImageSet): Promise<string> => sha256(...checkedParts(set));

// Locks of runs whose jobs were killed: from another machine nobody sees that a process has died, but Slurm knows that its job has ended.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Planned } from "../../experiments/plan.ts";
import type { Store } from "../../experiments/store.ts";
import { readText } from "../../files/files.ts";
import { isLive, statesOf } from "./slurm-commands.ts";

/** Removes the locks of these runs that jobs hold which have ended. */
export async function freeRuns(store: Store, runs: readonly Planned[]): Promise<void> {
  for (const { key } of runs) {
    const root = store.runs(key);
    const folders = existsSync(root) ? readdirSync(root) : [];
    for (const lock of folders.map((folder) => join(root, folder, "lock.json")).filter((file) => existsSync(file))) {
      const job = jobOf(readText(lock));
      if (job === undefined) continue;
      const states = await statesOf([job]);
      if (!("silent" in states) && !states.some(isLive)) rmSync(lock, { force: true });
    }
  }
}

function jobOf(lock: string): string | undefined {
  try {
    return (JSON.parse(lock) as { readonly job?: string } | null)?.job;
  } catch {
    return undefined;
  }
}

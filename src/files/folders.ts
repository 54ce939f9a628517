// Folders: making them with those above them, and the home that ~ stands for, which a shell puts only where a word begins.

import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** Node's own recursive mkdir never returns where the system says that there is no such place, as in /proc. */
export function makeFolders(path: string): void {
  const whole = resolve(path);
  if (existsSync(whole)) return;
  makeFolders(dirname(whole));
  try {
    mkdirSync(whole);
  } catch (error) {
    // Another process may have made it.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** `~/pictures` → `/home/me/pictures`. */
export const fromHome = (path: string): string => (/^~(\/|$)/.test(path) ? join(homedir(), path.slice(1)) : path);

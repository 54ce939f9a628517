// Makes folders with those above them. Node's own recursive mkdir never returns where the system says that there is no such place, as in /proc.

import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

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

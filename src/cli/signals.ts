// What SIGINT, SIGTERM, SIGHUP and the two signals of the user's do to a command at work: whatever the handler that was given last says.

import { exitCodes } from "./exit-codes.ts";

const codes = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.terminated,
  SIGHUP: exitCodes.hungUp,
  // Batch systems are often told to send these before the time is up. Left alone, Node opens a debugger on the one, and dies of the other.
  SIGUSR1: exitCodes.terminated,
  SIGUSR2: exitCodes.terminated,
} as const;

export interface Signals {
  /** From now on a signal calls this with its exit code. */
  readonly handle: (handler: (code: number) => void) => void;
  /** Signals do again what they do without us. */
  readonly end: () => void;
}

/** Until told otherwise a signal ends the process at once, in the way that gives a lock back. */
export function catchSignals(): Signals {
  let handler = (code: number): void => process.exit(code);
  const caught = (name: NodeJS.Signals): void => handler(codes[name as keyof typeof codes]);
  const names = Object.keys(codes) as (keyof typeof codes)[];
  for (const name of names) process.on(name, caught);
  return {
    handle: (next) => {
      handler = next;
    },
    end: () => {
      for (const name of names) process.off(name, caught);
    },
  };
}

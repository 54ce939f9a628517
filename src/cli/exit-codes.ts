// Exit codes of the command line, so that scripts can tell a mistake from a stop.

export const exitCodes = {
  done: 0,
  /** Bad input: the message says what to mend. */
  refused: 1,
  /** The command line itself was not understood. */
  usage: 2,
  /** A defect of Saccade. */
  bug: 70,
  /** Stopped by SIGHUP, SIGINT, or SIGTERM and what batch systems send like it; training after a checkpoint. */
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

// The page of tests/engine/browser.test.ts: hangs the training run where the test can call it.

import { type Trained, train } from "./training.ts";

declare global {
  /** Trains on so many threads, or in the page's own; what went wrong comes back as `name: message`. */
  var saccadeTrain: (threads: number | "here") => Promise<Trained | string>;
}

globalThis.saccadeTrain = (threads) => train(threads).catch((error: Error) => `${error.name}: ${error.message}`);

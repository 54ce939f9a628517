// The page of tests/engine/browser.test.ts: hangs training runs, and WebGPU's conformance, where the test can call them.

import { type Trained, train } from "./training.ts";
import * as webgpu from "./webgpu.ts";

declare global {
  /** Trains on so many threads, or in the page's own; what went wrong comes back as `name: message`. */
  var saccadeTrain: (threads: number | "here") => Promise<Trained | string>;
  var saccadeWebgpu: typeof webgpu;
}

globalThis.saccadeTrain = (threads) => train(threads).catch((error: Error) => `${error.name}: ${error.message}`);
globalThis.saccadeWebgpu = webgpu;

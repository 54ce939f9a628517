// Which build of the kernels runs in this process: `wide` on a V8 that turns pairs of vectors into one of 256 bits, else `relaxed` with
// multiply-add in one instruction, else `plain`. `wide` rests on an experimental part of V8, so it is checked and timed before it is chosen.

import { SaccadeError } from "../../program/errors.ts";
import { environmentVariable, readKernels, readKernelsNow, revectorize, revectorizes } from "./platform.ts";
import { type Trial, tryKernels } from "./simd-trial.ts";

export const simdKinds = ["wide", "relaxed", "plain"] as const;
export type Simd = (typeof simdKinds)[number];

export const simdNames: Readonly<Record<Simd, string>> = {
  wide: "256-bit SIMD (V8's revectorizer, 6×16)",
  relaxed: "relaxed SIMD (multiply-add)",
  plain: "plain SIMD",
};

/** The smallest module that uses f32x4.relaxed_madd. */
// biome-ignore format: one line per section
const relaxedModule = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00,
  0x0a, 0x13, 0x01, 0x11, 0x00, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0x41, 0x00, 0xfd, 0x11, 0xfd, 0x85, 0x02, 0x0b,
);
const hasRelaxed = (): boolean => WebAssembly.validate(relaxedModule);

/** Why a build does not run here; undefined for one that does. */
export function simdObstacle(simd: Simd): string | undefined {
  if (simd !== "plain" && !hasRelaxed()) return "this engine has no relaxed SIMD";
  if (simd === "wide" && !revectorizes) return "it needs Node 24 or newer on an x64 processor";
  return undefined;
}

/** The word of `SACCADE_SIMD`, where it is set. */
export function askedSimd(): Simd | undefined {
  const word = environmentVariable("SACCADE_SIMD") ?? "";
  if (word === "") return undefined;
  const asked = simdKinds.find((kind) => kind === word);
  if (asked === undefined) throw new SaccadeError(`SACCADE_SIMD: must be wide, relaxed or plain, got ${word}`);
  return asked;
}

// A process has one V8 with its flags: what was compiled, tried and chosen holds for all of it.
const modules = new Map<Simd, WebAssembly.Module>();
const trials = new Map<Simd, Trial>();
let chosen: Simd | undefined;

const notLoaded = (error: unknown): SaccadeError =>
  new SaccadeError(
    `wasm: the kernels could not be loaded (${error instanceof Error ? error.message : error}); build them with npm run build`,
  );

function tried(simd: Simd, atLeast?: number): Trial {
  const known = trials.get(simd);
  if (known) return known;
  if (simd === "wide") revectorize(true);
  try {
    const module = modules.get(simd) ?? new WebAssembly.Module(readKernelsNow(simd));
    modules.set(simd, module);
    const trial = tryKernels(module, atLeast);
    trials.set(simd, trial);
    return trial;
  } catch (error) {
    throw notLoaded(error);
  }
}

/** The fastest build that computes rightly here; the first time it is asked on a V8 with a revectorizer, some 0.1 s. */
export function chooseSimd(): Simd {
  chosen ??= simdObstacle("relaxed") ? "plain" : simdObstacle("wide") ? "relaxed" : wideOrRelaxed();
  return chosen;
}

function wideOrRelaxed(): "wide" | "relaxed" {
  const relaxed = tried("relaxed");
  const wide = tried("wide", relaxed.gigaflops);
  if (wide.exact && wide.gigaflops > relaxed.gigaflops) return "wide";
  revectorize(false);
  return "relaxed";
}

/** Trials of all builds that run here, in the order of `simdKinds`; in Node. */
export function trySimd(): ReadonlyMap<Simd, Trial> {
  const running = simdKinds.filter((simd) => simdObstacle(simd) === undefined);
  // The wide one last: it would have V8 compile the others its way too.
  for (const simd of running.toReversed()) if (simd !== "wide") tried(simd);
  chooseSimd();
  return new Map(running.map((simd) => [simd, tried(simd)]));
}

/** A build's module; refused where it does not run or, `wide`, computes wrongly. */
export async function kernelModule(simd: Simd): Promise<WebAssembly.Module> {
  const why = simdObstacle(simd);
  if (why) throw new SaccadeError(`wasm: ${simd} SIMD does not run here: ${why}; leave the choice to Saccade`);
  if (simd === "wide") {
    revectorize(true);
    if (!tried(simd).exact)
      throw new SaccadeError("wasm: this V8 compiles the wide kernels wrongly; take relaxed or plain");
  }
  const known = modules.get(simd);
  if (known) return known;
  try {
    const module = await WebAssembly.compile(await readKernels(simd));
    modules.set(simd, module);
    return module;
  } catch (error) {
    throw notLoaded(error);
  }
}

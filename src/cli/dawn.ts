// WebGPU in Node: Dawn, from the npm package webgpu, which is there only where somebody installed it.

import { SaccadeError } from "../program/errors.ts";

/** Not written into the import, so that neither a bundler nor the type checker looks for what may be missing. */
const packageName = "webgpu";

let gpu: Promise<GPU> | undefined;

/** What a page has as navigator.gpu; one for the process, which must outlive whatever is made of it. */
export function dawnGpu(): Promise<GPU> {
  gpu ??= loadDawn();
  return gpu;
}

async function loadDawn(): Promise<GPU> {
  // Mesa's drivers look for it, and complain on stderr where there is none.
  process.env.XDG_RUNTIME_DIR ??= "/tmp";
  let dawn: { readonly create: (flags: readonly string[]) => GPU };
  try {
    dawn = await import(packageName);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_MODULE_NOT_FOUND")
      throw new SaccadeError(
        "webgpu: in Node it needs the package webgpu (132 MB), which is not installed; npm install webgpu, or use --device wasm",
      );
    throw new SaccadeError(`webgpu: the package webgpu does not load here: ${message}; use --device wasm`);
  }
  return dawn.create([]);
}

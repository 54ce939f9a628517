// The WASM backend: float32 with SIMD on all cores, in Node and in a browser page. It places all tensors in one shared memory, lowers
// every stage to kernel launches once, and lets a pool of threads run them.

import { SaccadeError, wrong } from "../../program/errors.ts";
import { fuse } from "../../program/fusion.ts";
import { planMemory } from "../../program/plan.ts";
import { type Program, persistentTensors } from "../../program/program.ts";
import { bytesOf, offsetOf, ownerOf, sizeOf, type Tensor } from "../../program/tensor.ts";
import { type Backend, type Engine, type Numbers, notesAtHand, notHere } from "../backend.ts";
import { runHere } from "./here.ts";
import type { Launch, Places, Word } from "./launch.ts";
import { lowerStage } from "./lower.ts";
import { availableThreads } from "./platform.ts";
import { askedSimd, chooseSimd, kernelModule, type Simd, simdNames } from "./simd.ts";
import { control, controlPitch, type PreparedKernel, type PreparedLaunch } from "./thread-job.ts";
import { startThreads } from "./threads.ts";

export interface WasmOptions {
  /**
   * Compute threads; all cores, at most 16, unless told. `here`: none, programs run in the calling thread, which is all that a page can
   * do that is not cross-origin isolated. Results do not depend on it.
   */
  readonly threads?: number | "here";
  /**
   * `wide`: vectors of 256 bits, in Node 24 or newer on x64; it sets V8's flag --experimental-wasm-revectorize for the process. `relaxed`:
   * multiply-add in one instruction, where the engine has it; the same results as `wide`, bit for bit. `plain`: two
   * instructions, everywhere. Unless told, `SACCADE_SIMD`, and else the fastest of those that compute rightly here.
   */
  readonly simd?: Simd;
}

const mostThreads = 16;
/** A page's memory may be shared with workers only where it is cross-origin isolated. */
const shares = typeof SharedArrayBuffer !== "undefined";
/** Threads, unless told: all cores, to 16. */
export const defaultThreads = (): number => Math.min(mostThreads, availableThreads());

const pageBytes = 65536;
/** One page short of 4 GiB: the end of the memory stays a number that 32 bits hold. */
const mostPages = 65535;

/**
 * Float32 WebAssembly on all cores, in Node and in a page; its bytes do not depend on the number of threads. Throws where threads are
 * asked for in a page that is not cross-origin isolated, and for a number of them that is no whole number of at least 1.
 */
export function wasmBackend(options: WasmOptions = {}): Backend {
  const threads = options.threads ?? (shares ? defaultThreads() : "here");
  if (threads !== "here" && !shares)
    throw new SaccadeError(
      "wasm: this page has no SharedArrayBuffer; leave threads out, or serve it and its scripts with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, over https or from localhost",
    );
  if (threads !== "here" && !(Number.isInteger(threads) && threads >= 1))
    throw new SaccadeError(`wasm: threads must be a whole number of at least 1, got ${threads}`);
  const asked = options.simd ?? askedSimd();
  return {
    name: "wasm",
    get description() {
      const where = threads === "here" ? "the calling thread" : `${threads} ${threads === 1 ? "thread" : "threads"}`;
      return `float32, ${where}, ${simdNames[asked ?? chooseSimd()]}`;
    },
    get arithmetic() {
      const plain = (asked ?? chooseSimd()) === "plain";
      return plain ? "float32, multiplications and additions apart" : "float32, multiply-add in one";
    },
    prepare: async (programs) => wasmEngine(programs, await kernelModule(asked ?? chooseSimd()), threads),
  };
}

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** What a module says of itself. */
interface Constants {
  /** First byte of a memory that the module's own constants leave free. */
  readonly firstFreeByte: number;
  readonly panelColumns: number;
}

function constantsOf(module: WebAssembly.Module): Constants {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return {
    firstFreeByte: (exports.firstFreeByte as () => number)(),
    panelColumns: (exports.panelColumns as WebAssembly.Global).value,
  };
}

interface Layout {
  /** Address of a tensor's first element; undefined for one that is stored nowhere. */
  readonly addressOf: (tensor: Tensor) => number | undefined;
  readonly control: number;
  readonly programs: readonly (readonly PreparedLaunch[])[];
  /** What the parameter blocks hold. */
  readonly parameters: readonly { readonly at: number; readonly words: readonly Word[] }[];
  readonly scratchOf: (thread: number) => number;
  readonly bytes: number;
}

/** Memory from low to high: constants, control words, tensors, the stages' scratch, parameter blocks, the threads' scratch. */
function layOut(programs: readonly Program[], { firstFreeByte, panelColumns }: Constants, threads: number): Layout {
  const controlAt = align(firstFreeByte);
  const tensorsAt = controlAt + Object.keys(control).length * controlPitch;
  const staged = programs.map((program) => ({ program, stages: fuse(program) }));
  const plan = planMemory(staged);
  const addressOf = (tensor: Tensor): number | undefined => {
    const offset = plan.offsets.get(ownerOf(tensor));
    return offset === undefined
      ? undefined
      : tensorsAt + offset + (offsetOf(tensor) * bytesOf(tensor)) / sizeOf(tensor.shape);
  };
  const stageScratchAt = tensorsAt + align(plan.totalBytes);
  let stageScratchBytes = 0;

  const lowered: Launch[][] = staged.map(({ stages }) =>
    stages.flatMap((stage) => {
      let used = 0;
      const places: Places = {
        panelColumns,
        at: (tensor) => {
          const address = addressOf(tensor);
          if (address === undefined) throw new SaccadeError(`wasm: "${tensor.name}" has no place in memory`);
          return address;
        },
        scratch: (bytes) => {
          const at = stageScratchAt + used;
          used += align(bytes);
          return at;
        },
      };
      const launches = lowerStage(stage, places);
      stageScratchBytes = Math.max(stageScratchBytes, used);
      return launches;
    }),
  );

  let end = stageScratchAt + stageScratchBytes;
  let scratchBytes = 0;
  const parameters: { at: number; words: readonly Word[] }[] = [];
  const prepared = lowered.map((launches) => {
    const met: { kernels: PreparedKernel[]; tasks: number }[] = [];
    for (const { kernel, words, tasks, scratchBytes: needed = 0 } of launches) {
      const at = end;
      parameters.push({ at, words });
      end += align(4 * words.length);
      scratchBytes = Math.max(scratchBytes, align(needed));
      const before = met.at(-1);
      // One task after another needs no meeting: whichever thread has the first goes on with the second.
      if (tasks === 1 && before?.tasks === 1) before.kernels.push({ kernel, parameters: at });
      else met.push({ kernels: [{ kernel, parameters: at }], tasks });
    }
    return met;
  });
  return {
    addressOf,
    control: controlAt,
    programs: prepared,
    parameters,
    scratchOf: (thread) => end + thread * scratchBytes,
    bytes: end + threads * scratchBytes,
  };
}

function openMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / pageBytes);
  const gibi = (bytes / 2 ** 30).toFixed(1);
  if (pages > mostPages)
    throw new SaccadeError(
      `wasm: the programs need ${bytes} bytes (${gibi} GiB), and WebAssembly memory is limited to 4 GiB; make the batch smaller`,
    );
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    throw new SaccadeError(
      `wasm: ${bytes} bytes (${gibi} GiB) of memory could not be allocated: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function view(
  { dtype, shape }: Tensor,
  memory: WebAssembly.Memory,
  address: number,
): Float32Array | Int32Array | Uint8Array {
  const size = sizeOf(shape);
  switch (dtype) {
    case "f32":
      return new Float32Array(memory.buffer, address, size);
    case "i32":
      return new Int32Array(memory.buffer, address, size);
    case "u8":
      return new Uint8Array(memory.buffer, address, size);
    default:
      return dtype satisfies never;
  }
}

async function wasmEngine(
  programs: readonly Program[],
  module: WebAssembly.Module,
  wanted: number | "here",
): Promise<Engine> {
  const threads = wanted === "here" ? 1 : wanted;
  const layout = layOut(programs, constantsOf(module), threads);
  const known = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  for (const { kernel } of layout.programs.flat().flatMap(({ kernels }) => kernels))
    if (!known.has(kernel)) throw new SaccadeError(`wasm: the built module has no kernel ${kernel}; npm run build`);
  const memory = openMemory(layout.bytes);
  const words = new DataView(memory.buffer);
  for (const block of layout.parameters)
    block.words.forEach((word, i) => {
      if (typeof word === "number") words.setUint32(block.at + 4 * i, word, true);
      else words.setFloat32(block.at + 4 * i, word.f32, true);
    });

  const jobs = Array.from({ length: threads }, (_, thread) => ({
    module,
    memory,
    control: layout.control,
    scratch: layout.scratchOf(thread),
    threads,
    programs: layout.programs,
  }));
  const pool = wanted === "here" ? runHere(jobs[0]) : await startThreads(jobs);
  const persistent = new Set(persistentTensors(programs));
  const results = new Map(programs.map((program) => [program, new Set(program.results.map(ownerOf))]));
  let ran: Program | undefined;
  const read = async (tensor: Tensor): Promise<Numbers> => {
    const owner = ownerOf(tensor);
    const here = persistent.has(owner) || (ran !== undefined && results.get(ran)?.has(owner));
    const address = here ? layout.addressOf(tensor) : undefined;
    if (address === undefined) throw notHere(tensor);
    return view(tensor, memory, address).slice();
  };
  const { note, notes } = notesAtHand(read);

  return {
    bytes: layout.bytes,
    write: (tensor, numbers) => {
      const address = persistent.has(ownerOf(tensor)) ? layout.addressOf(tensor) : undefined;
      if (address === undefined) throw notHere(tensor);
      if (numbers.length !== sizeOf(tensor.shape))
        throw wrong("write", tensor.name, `${sizeOf(tensor.shape)} numbers`, `${numbers.length}`);
      view(tensor, memory, address).set(numbers);
    },
    run: async (program, noted = []) => {
      const index = programs.indexOf(program);
      if (index < 0) throw new SaccadeError(`wasm: program "${program.name}" was not prepared`);
      ran = program;
      if (layout.programs[index].length > 0) await pool.run(index);
      await note(noted);
    },
    notes,
    read,
    dispose: pool.end,
  };
}

// What differs between Node and a browser page: reading the kernels, starting a worker, talking to its parent, counting cores.

/** A started worker, seen from the thread that started it. */
export interface WorkerHandle {
  /** Resolves when the worker is gone; it has been told to return, and is ended by force where it does not. */
  readonly end: () => Promise<void>;
  /** Whether the worker keeps a Node process alive. */
  readonly keepAlive: (alive: boolean) => void;
}

export interface WorkerEvents<Message> {
  readonly message: (message: Message) => void;
  /** The worker threw or ended by itself. */
  readonly failed: (reason: string) => void;
}

/** Node's own module, where there is a Node; a bundler sees no import. */
const node = globalThis.process?.getBuiltinModule;

export const availableThreads = (): number =>
  node ? node("node:os").availableParallelism() : (globalThis.navigator?.hardwareConcurrency ?? 1);

/** A variable of the process's environment; a page has none. */
export const environmentVariable = (name: string): string | undefined => globalThis.process?.env?.[name];

/** Whether this V8 can turn pairs of 128-bit vectors into one of 256 bits. */
export const revectorizes =
  node !== undefined && process.arch === "x64" && Number.parseInt(process.versions.node, 10) >= 24;

/** Switches it on or off for what V8 compiles from now on, in the whole process. */
export const revectorize = (on: boolean): void =>
  node?.("node:v8").setFlagsFromString(`--${on ? "" : "no-"}experimental-wasm-revectorize`);

/** Where build/*.wasm stand, from src/backends/wasm and from dist/backends/wasm. */
const kernelFiles = {
  wide: new URL("../../../build/kernels-wide.wasm", import.meta.url),
  relaxed: new URL("../../../build/kernels.wasm", import.meta.url),
  plain: new URL("../../../build/kernels-simd.wasm", import.meta.url),
};

/** The bytes of a build of the kernels. */
export async function readKernels(build: keyof typeof kernelFiles): Promise<Uint8Array<ArrayBuffer>> {
  const url = kernelFiles[build];
  if (node && url.protocol === "file:") return Uint8Array.from(await node("node:fs/promises").readFile(url));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The same at once, in Node. */
export function readKernelsNow(build: keyof typeof kernelFiles): Uint8Array<ArrayBuffer> {
  if (!node) throw new Error("a page cannot wait for a file");
  return Uint8Array.from(node("node:fs").readFileSync(kernelFiles[build]));
}

/** Milliseconds that a worker has for its task in hand before it is ended by force. */
const patience = 5000;

/** Starts worker.ts (worker.js in dist) and hands it its job. */
export function startWorker<Message>(job: object, { message, failed }: WorkerEvents<Message>): WorkerHandle {
  if (node) {
    const { Worker: NodeWorker } = node("node:worker_threads");
    // Not in the form `new URL(…, import.meta.url)`, or a bundler would copy the file into its output.
    const file = new URL(import.meta.url.replace(/platform(\.[jt]s)$/, "worker$1"));
    const worker = new NodeWorker(file, { workerData: job });
    let ended = false;
    worker.on("message", message);
    worker.on("error", (error) => failed(error.message));
    const gone = new Promise<void>((resolve) => {
      worker.on("exit", (code) => {
        if (!ended) failed(`it ended with exit code ${code}`);
        resolve();
      });
    });
    return {
      // Not terminate() at once: on a busy machine it now and then never resolves for a thread that sleeps in Atomics.wait.
      end: async () => {
        ended = true;
        worker.ref();
        const force = setTimeout(() => void worker.terminate(), patience);
        await gone;
        clearTimeout(force);
      },
      keepAlive: (alive) => (alive ? worker.ref() : worker.unref()),
    };
  }
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => message(data);
  // A script that cannot be loaded is an event without a message.
  worker.onerror = ({ message: reason }) =>
    failed(reason || "its script could not be loaded; it needs the page's Cross-Origin-Embedder-Policy header too");
  worker.postMessage(job);
  return { end: async () => worker.terminate(), keepAlive: () => {} };
}

/** Inside a worker: hands over its job, once, and the way to speak to its parent. No promise: a classic script cannot await one. */
export function onJob<Job, Message>(start: (job: Job, post: (message: Message) => void) => void): void {
  if (node) {
    const { parentPort, workerData } = node("node:worker_threads");
    start(workerData, (message) => parentPort?.postMessage(message));
    return;
  }
  const scope = globalThis as unknown as Worker;
  scope.onmessage = ({ data }) => start(data, (message) => scope.postMessage(message));
}

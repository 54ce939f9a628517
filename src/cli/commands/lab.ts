// saccade lab: serves the built page of web/ to browsers on this machine, with the headers that let it use all cores, and a run that the page opens.

import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SaccadeError } from "../../program/errors.ts";
import { checkpointFiles } from "../../runs/checkpoints.ts";
import { openRun, type RunFolder } from "../../runs/run-folder.ts";
import { exitCodes } from "../exit-codes.ts";
import { catchSignals } from "../signals.ts";

interface LabOptions {
  readonly port: number;
  readonly open: boolean;
  readonly json?: boolean;
}

/** Where `npm run build:lab` puts the page, from src/cli/commands and from dist/cli/commands. */
const page = fileURLToPath(new URL("../../../build/lab", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
};

const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
};

/** Serves until a signal ends it. `path`: a run's folder. */
export async function labCommand(path: string | undefined, { port, open, json = false }: LabOptions): Promise<number> {
  const run = path === undefined ? undefined : openRun(path).run;
  if (!(await isFile(join(page, "index.html"))))
    throw new SaccadeError("lab: the page is not built; in a clone, npm run build:lab builds it");
  const server = createServer((request, response) => void answer(run, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new SaccadeError(`lab: port ${port} is in use; choose another with --port, or 0 for any free one`)
          : new SaccadeError(`lab: cannot listen on port ${port} (${error.message})`),
      ),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${run ? "?run" : ""}`;
  process.stdout.write(
    json ? `${JSON.stringify({ address })}\n` : `The lab is at ${address} until you press Ctrl-C.\n`,
  );
  if (open) openInBrowser(address);
  const code = await new Promise<number>((resolve) => catchSignals().handle(resolve));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  // Ctrl-C is how a server ends, no accident.
  return code === exitCodes.interrupted ? exitCodes.done : code;
}

/** What the page opens a run by: its configuration, its metrics and its newest checkpoint, by their paths in the folder. */
function filesOf(run: RunFolder): string[] {
  const newest = checkpointFiles(run.checkpoints).at(-1);
  return ["config.yaml", "metrics.jsonl", ...(newest ? [`checkpoints/${newest}`] : [])].filter((name) =>
    existsSync(join(run.path, name)),
  );
}

async function answer(
  run: RunFolder | undefined,
  { method, url = "/", headers: asked }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const refuse = (status: number, sentence: string): void => {
    response.writeHead(status, { ...headers, "Content-Type": "text/plain; charset=utf-8" }).end(`${sentence}\n`);
  };
  // A page elsewhere may have its own name point here (DNS rebinding); it gets nothing.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(asked.host ?? "")) return refuse(421, "This server is 127.0.0.1.");
  if (method !== "GET" && method !== "HEAD") return refuse(405, "Only GET.");
  // Names of the build alone: no dot begins one, so none leads out of the folder.
  const path = /^\/((?:[\w-][\w.-]*\/)*[\w-][\w.-]*)?(?:\?.*)?$/.exec(url);
  const name = path?.[1] ?? "index.html";
  if (run && name === "run/files.json") {
    response.writeHead(200, { ...headers, "Content-Type": "application/json" });
    return void response.end(JSON.stringify(filesOf(run)));
  }
  const wanted = run && filesOf(run).find((one) => name === `run/${one}`);
  const file = run && wanted ? join(run.path, wanted) : join(page, name);
  if (path === null || !(await isFile(file))) return refuse(404, "Not here.");
  response.writeHead(200, { ...headers, "Content-Type": types[extname(file)] ?? "application/octet-stream" });
  if (method === "HEAD") response.end();
  else
    createReadStream(file)
      .on("error", () => response.destroy())
      .pipe(response);
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** Where there is no browser to be had, the address has been printed. */
function openInBrowser(address: string): void {
  const [program, words] =
    process.platform === "darwin"
      ? ["open", [address]]
      : process.platform === "win32"
        ? ["cmd", ["/c", "start", "", address]]
        : ["xdg-open", [address]];
  const child = spawn(program, words, { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}

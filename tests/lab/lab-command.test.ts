// saccade lab: what it serves and what it does not, and how it ends.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = resolve("dist/cli/main.js");
const page = resolve("build/lab");
const made = !existsSync(page);
let child: ChildProcess;
let port = 0;

const start = (...words: string[]): ChildProcess =>
  spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, "lab", "--no-open", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
const ended = (of: ChildProcess): Promise<number | null> => new Promise((done) => of.on("exit", done));

beforeAll(async () => {
  // What is served is tested here; that it is the page, in lab-page.test.ts.
  if (made) {
    mkdirSync(page, { recursive: true });
    writeFileSync(`${page}/index.html`, "<!doctype html><title>Saccade lab</title>");
  }
  child = start("--port", "0", "--json");
  const line = await new Promise<string>((told) => child.stdout?.on("data", (bytes) => told(String(bytes))));
  port = Number(new URL(JSON.parse(line).address).port);
});
afterAll(() => {
  child.kill();
  if (made) rmSync(page, { recursive: true });
});

/** Not fetch, which tidies paths. */
const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  new Promise<{ status?: number; headers: Record<string, unknown>; text: string }>((done, failed) => {
    const asked = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let text = "";
      response.on("data", (bytes) => {
        text += bytes;
      });
      response.on("end", () => done({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    asked.on("error", failed).end();
  });

test("serves the page with the headers that let it share memory", async () => {
  const { status, headers, text } = await get("/?x=1");
  expect({ status, text: text.slice(0, 15) }).toEqual({ status: 200, text: "<!doctype html>" });
  expect(headers).toMatchObject({
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "content-type": "text/html; charset=utf-8",
  });
});

test.each([
  "/../package.json",
  "/..%2fpackage.json",
  "//etc/passwd",
  "/assets/../../kernels.wasm",
  "/.hidden",
  "/assets",
  "/none.js",
  "/%00",
])("%s is not here", async (path) => expect((await get(path)).status).toBe(404));

test("answers only its own name, and only GET", async () => {
  expect((await get("/", { Host: "elsewhere.example" })).status).toBe(421);
  expect((await get("/", {}, "POST")).status).toBe(405);
  expect(await get("/", {}, "HEAD")).toMatchObject({ status: 200, text: "" });
});

test("a port that is taken is refused in a sentence, and Ctrl-C ends it as done", async () => {
  const second = start("--port", String(port));
  let told = "";
  second.stderr?.on("data", (bytes) => {
    told += bytes;
  });
  expect(await ended(second)).toBe(1);
  expect(told).toBe(`saccade: lab: port ${port} is in use; choose another with --port, or 0 for any free one\n`);
  child.kill("SIGINT");
  expect(await ended(child)).toBe(0);
});

// The backends in a browser: a page trains on the bytes that Node trains on, from Vite's dev server and from its build, and WebGPU does in
// it what it does in Node.

import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build, createServer, type InlineConfig, preview } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { kinds } from "../../src/program/operations.ts";
import { layerwise, type Trained, train, trainOn } from "./browser/training.ts";

const program = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
const skipped = program === undefined && process.env.SACCADE_REQUIRE_CHROMIUM === undefined;

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const scratch = join(tmpdir(), `saccade-browser-${process.pid}`);
const vite: InlineConfig = {
  root: fileURLToPath(new URL("browser", import.meta.url)),
  cacheDir: join(scratch, "cache"),
  configFile: false,
  publicDir: false,
  logLevel: "warn",
  optimizeDeps: { noDiscovery: true },
  build: { outDir: join(scratch, "built"), emptyOutDir: true },
};
const open = { host: "127.0.0.1", port: 0 };

interface Served {
  readonly resolvedUrls: { readonly local: readonly string[] } | null;
  readonly close: () => Promise<void>;
}

/** Ways to serve the page; the built ones stand on one build. */
const serve = {
  "dev server": async (): Promise<Served> => {
    const allow = [fileURLToPath(new URL("../..", import.meta.url))];
    const server = { ...open, headers: isolation, fs: { allow }, hmr: false, watch: null } as const;
    return (await createServer({ ...vite, server })).listen();
  },
  build: (): Promise<Served> => preview({ ...vite, preview: { ...open, headers: isolation } }),
  "build, not isolated": (): Promise<Served> => preview({ ...vite, preview: open }),
};

function launch(...args: string[]): Promise<Browser> {
  if (program === undefined) throw new Error("SACCADE_REQUIRE_CHROMIUM is set, and there is no chromium on PATH");
  return chromium.launch({
    executablePath: program,
    args: ["--disable-quic", "--disable-sync", ...args],
    timeout: 50_000,
  });
}

/** Hands a new page of a browser, served in some way, to `use`. */
async function withPageOf<T>(browser: Browser, way: keyof typeof serve, use: (page: Page) => Promise<T>): Promise<T> {
  const served = await serve[way]();
  const page = await browser.newPage();
  try {
    await page.goto(served.resolvedUrls?.local[0] ?? "");
    return await use(page);
  } finally {
    await page.close();
    await served.close();
  }
}

const webgpuRequired = process.env.SACCADE_REQUIRE_WEBGPU !== undefined;

describe.skipIf(skipped)(`WebGPU in Chromium${skipped ? " (skipped: no chromium on PATH)" : ""}`, () => {
  test("on SwiftShader does every operation as the reference does, and a step of RLL-URF as WASM does, the same twice", {
    timeout: 900_000,
  }, async ({ skip }) => {
    const browser = await launch("--enable-unsafe-webgpu");
    try {
      await withPageOf(browser, "dev server", async (page) => {
        const here = await page.evaluate(() => saccadeWebgpu.webgpuHere());
        if ("obstacle" in here) {
          if (webgpuRequired) throw new Error(`SACCADE_REQUIRE_WEBGPU is set, and Chromium has none: ${here.obstacle}`);
          skip(here.obstacle);
          return;
        }
        expect(here.description).toMatch(/^float32, .*swiftshader.* \(software\)$/i);

        expect(await page.evaluate(() => saccadeWebgpu.conformance())).toEqual(
          Object.fromEntries(kinds.map((kind) => [kind, "equal"])),
        );

        const trained = await page.evaluate(() => saccadeWebgpu.trainWebgpu());
        expect(await page.evaluate(() => saccadeWebgpu.trainWebgpu())).toEqual(trained);
        const { losses } = await trainOn(wasmBackend({ threads: 1 }), layerwise);
        expect(trained.losses).toHaveLength(losses.length);
        trained.losses.forEach((loss, i) => {
          expect(Math.abs(loss / losses[i] - 1), `step ${i + 1}`).toBeLessThan(1e-3);
        });
      });
    } finally {
      await browser.close();
    }
  });
});

describe.skipIf(skipped)(`in Chromium${skipped ? " (skipped: no chromium on PATH)" : ""}`, () => {
  let browser: Browser;
  let inNode: Trained;

  beforeAll(async () => {
    [browser, inNode] = await Promise.all([launch("--disable-gpu"), train(1), build(vite)]);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const withPage = <T>(way: keyof typeof serve, use: (page: Page) => Promise<T>): Promise<T> =>
    withPageOf(browser, way, use);

  test("Node's own runs are alike and learn", async () => {
    expect(await train(2)).toEqual(inNode);
    expect(await train("here")).toEqual(inNode);
    expect(inNode.losses.every(Number.isFinite)).toBe(true);
    expect(new Set(inNode.losses).size).toBe(inNode.losses.length);
  });

  test.each(["dev server", "build"] as const)("%s: 1 and 2 threads leave Node's bytes", async (way) => {
    await withPage(way, async (page) => {
      for (const threads of [1, 2])
        expect(await page.evaluate((count) => saccadeTrain(count), threads)).toEqual(inNode);
    });
  });

  test("a page that is not isolated trains in its own thread, and leaves Node's bytes", async () => {
    expect(await withPage("build, not isolated", (page) => page.evaluate(() => saccadeTrain("here")))).toEqual(inNode);
  });

  test("a page that is not isolated and asks for threads is told which headers it needs", async () => {
    expect(await withPage("build, not isolated", (page) => page.evaluate(() => saccadeTrain(2)))).toMatch(
      /^SaccadeError: wasm: this page has no SharedArrayBuffer; .*Cross-Origin-Opener-Policy: same-origin .*Cross-Origin-Embedder-Policy: require-corp/,
    );
  });

  test("a worker whose script does not come is named as the reason", async () => {
    const told = await withPage("build", async (page) => {
      await page.route(/worker/, (route) => route.abort());
      return page.evaluate(() => saccadeTrain(2));
    });
    expect(told).toMatch(/^SaccadeError: wasm: a compute thread failed: its script could not be loaded/);
  });
});

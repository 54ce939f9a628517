// The WASM backend in a browser: a page trains on the bytes that Node trains on, from Vite's dev server and from its build.

import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build, createServer, type InlineConfig, preview } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Trained, train } from "./browser/training.ts";

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

describe.skipIf(skipped)(`in Chromium${skipped ? " (skipped: no chromium on PATH)" : ""}`, () => {
  let browser: Browser;
  let inNode: Trained;

  beforeAll(async () => {
    if (program === undefined) throw new Error("SACCADE_REQUIRE_CHROMIUM is set, and there is no chromium on PATH");
    const args = ["--disable-gpu", "--disable-quic", "--disable-sync"];
    [browser, inNode] = await Promise.all([
      chromium.launch({ executablePath: program, args, timeout: 50_000 }),
      train(1),
      build(vite),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function withPage<T>(way: keyof typeof serve, use: (page: Page) => Promise<T>): Promise<T> {
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

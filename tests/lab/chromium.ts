// The lab as it is built, in real Chromium: opens pages, and says what their tests have to know of them.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { build, type InlineConfig, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, expect } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import type { Config } from "../../src/training/config.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import { base, type Raw } from "../../web/configuration.ts";
import { toHash } from "../../web/share.ts";
import vite from "../../web/vite.config.ts";

const program = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
export const skipped = program === undefined && process.env.SACCADE_REQUIRE_CHROMIUM === undefined;
export const inChromium = `in Chromium${skipped ? " (skipped: no chromium on PATH)" : ""}`;

/** Milliseconds: a machine may have much else to do. */
const patience = 100_000;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const built = join(tmpdir(), `saccade-lab-${process.pid}`);
const settings: InlineConfig = {
  ...vite,
  configFile: false,
  logLevel: "warn",
  build: { ...vite.build, outDir: built },
  preview: { ...vite.preview, port: 0, strictPort: false },
};
/** Few pictures, so that a page is ready soon. */
export const small: Raw = { ...base, data: { ...(base.data as Raw), limit: 60 }, batch: 10, epochs: 5 };

export interface PageOptions {
  readonly width?: number;
  readonly colorScheme?: "light" | "dark";
  readonly hash?: string;
  /** Instead of the server of these tests. */
  readonly at?: string;
  /** Whether the page may have its service worker, behind which a test sees no request. */
  readonly serviceWorker?: boolean;
  readonly before?: (page: Page) => Promise<void>;
}

export interface Lab {
  readonly address: () => string;
  /** What went wrong in the page is a failure of the test. */
  readonly withPage: (options: PageOptions, use: (page: Page) => Promise<void>) => Promise<void>;
}

/** Builds and serves the lab for the tests of a file, and takes it down behind them. */
export function openLab(): Lab {
  let browser: Browser;
  let server: PreviewServer;
  let address = "";
  beforeAll(async () => {
    if (program === undefined) throw new Error("SACCADE_REQUIRE_CHROMIUM is set, and there is no chromium on PATH");
    const args = ["--disable-gpu", "--disable-quic", "--disable-sync"];
    [browser] = await Promise.all([
      chromium.launch({ executablePath: program, args, timeout: 50_000 }),
      build(settings),
    ]);
    server = await preview(settings);
    address = server.resolvedUrls?.local[0] ?? "";
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(built, { recursive: true, force: true });
  });
  return {
    address: () => address,
    withPage: async (
      { width = 1440, colorScheme = "light", hash = toHash(small), at = address, serviceWorker = false, before },
      use,
    ) => {
      const serviceWorkers = serviceWorker ? "allow" : "block";
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, serviceWorkers });
      const page = await context.newPage();
      page.setDefaultTimeout(patience);
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => {
        const blocked = message.text() === "Service Worker registration blocked by Playwright";
        if ((message.type() === "error" || message.type() === "warning") && !blocked) errors.push(message.text());
      });
      try {
        await before?.(page);
        await page.goto(at + hash);
        await use(page);
        expect(errors).toEqual([]);
      } finally {
        await context.close();
      }
    },
  };
}

export const ready = (page: Page) => page.locator("button.play:not([disabled])").first().waitFor();
export const stepped = (page: Page, step: number) =>
  page.waitForFunction((wanted) => Number(document.querySelector(".where b")?.textContent) >= wanted, step);
export const hashOf = (page: Page): Raw =>
  JSON.parse(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("c") ?? "{}");
export const eventually = <Value>(see: () => Value): ReturnType<typeof expect.poll> =>
  expect.poll(see, { timeout: patience });

/** Newest first, as the page tells them. */
export async function losses(page: Page): Promise<number[]> {
  await page
    .locator("section", { has: page.locator("#loss-title") })
    .locator("summary")
    .click();
  const cells = await page.locator("section:has(#loss-title) .data td").allTextContents();
  return cells.map(Number);
}

/** Losses of the first steps of the same configuration in Node, newest first. */
export async function inNode(config: Config, steps: number): Promise<number[]> {
  const { split, limit: count = 1, seed, size = 32 } = config.data;
  const dataset = proceduralObjects({ split, count, seed, size });
  const trainer = await createTrainer({ config, dataset, backend: wasmBackend({ threads: "here" }) });
  const all: number[] = [];
  for (let step = 0; step < steps; step++) all.push((await trainer.step()).loss);
  await trainer.dispose();
  return all.reverse();
}

export async function violations(page: Page): Promise<unknown> {
  await page.evaluate(axe);
  const found = (await page.evaluate(`axe.run({ resultTypes: ["violations"] })`)) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations.map(({ id, nodes }) => [
    id,
    nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
  ]);
}

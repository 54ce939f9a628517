// The lab as it is built, in real Chromium: opens pages, and says what their tests have to know of them.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import type { Raw } from "../../web/configuration.ts";
import { toHash } from "../../web/share.ts";
import { axe, type BuiltLab, builtLab, small } from "../support/built-lab.ts";

const program = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
export const skipped = program === undefined && process.env.SACCADE_REQUIRE_CHROMIUM === undefined;
export const inChromium = `in Chromium${skipped ? " (skipped: no chromium on PATH)" : ""}`;

/** Milliseconds: a machine may have much else to do. */
const patience = 100_000;

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
  /** Where the built page lies. */
  readonly folder: () => string;
  /** What went wrong in the page is a failure of the test. */
  readonly withPage: (options: PageOptions, use: (page: Page) => Promise<void>) => Promise<void>;
}

/** Builds and serves the lab for the tests of a file, and takes it down behind them. */
export function openLab(): Lab {
  let browser: Browser;
  let lab: BuiltLab;
  beforeAll(async () => {
    if (program === undefined) throw new Error("SACCADE_REQUIRE_CHROMIUM is set, and there is no chromium on PATH");
    const args = ["--disable-gpu", "--disable-quic", "--disable-sync"];
    [browser, lab] = await Promise.all([
      chromium.launch({ executablePath: program, args, timeout: 50_000 }),
      builtLab("lab"),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await lab?.close();
  });
  return {
    address: () => lab.address,
    folder: () => lab.folder,
    withPage: async (
      { width = 1440, colorScheme = "light", hash = toHash(small), at = lab.address, serviceWorker = false, before },
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

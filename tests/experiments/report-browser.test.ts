// The report's page in Chromium: on a phone and on a desk, light and dark, without JavaScript, on paper; axe finds nothing.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportHtml } from "../../src/experiments/report/html.ts";
import { fixture } from "../support/report-fixture.ts";

const program = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path));
const skipped = program === undefined && process.env.SACCADE_REQUIRE_CHROMIUM === undefined;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe.skipIf(skipped)(`in Chromium${skipped ? " (skipped: no chromium on PATH)" : ""}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "saccade-report-"));
  const address = pathToFileURL(join(folder, "index.html")).href;
  let browser: Browser;

  beforeAll(async () => {
    if (program === undefined) throw new Error("SACCADE_REQUIRE_CHROMIUM is set, and there is no chromium on PATH");
    writeFileSync(join(folder, "index.html"), reportHtml(await fixture()));
    browser = await chromium.launch({
      executablePath: program,
      args: ["--disable-gpu", "--disable-quic", "--disable-sync"],
      timeout: 50_000,
    });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function withPage<T>(options: BrowserContextOptions, use: (page: Page) => Promise<T>): Promise<T> {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      await page.goto(address);
      return await use(page);
    } finally {
      await context.close();
    }
  }

  const sizes = [
    { width: 390, height: 844 },
    { width: 1440, height: 900 },
  ];

  test.each(
    sizes.flatMap((viewport) => (["light", "dark"] as const).map((colorScheme) => ({ viewport, colorScheme }))),
  )("$viewport.width px, $colorScheme: axe finds nothing, and the page does not scroll sideways", async (options) => {
    await withPage(options, async (page) => {
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(options.viewport.width);
      await page.evaluate(axe);
      const scrolls = options.viewport.width < 1000;
      const { violations, passes } = (await page.evaluate(`axe.run({ resultTypes: ["violations"] })`)) as {
        violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
        passes: { id: string }[];
      };
      expect(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)]),
      ).toEqual([]);
      expect(passes.map(({ id }) => id)).toEqual(
        expect.arrayContaining(["color-contrast", "svg-img-alt", ...(scrolls ? ["scrollable-region-focusable"] : [])]),
      );
    });
  });

  test("without JavaScript everything can be read, evidence opened and read-outs hidden", async () => {
    const report = await fixture();
    await withPage({ javaScriptEnabled: false, viewport: sizes[1] }, async (page) => {
      const parts = report.experiments.flatMap(({ title, claims, tables }) => [
        title,
        ...claims.flatMap(({ text, evidence }) => (text.includes("`") || evidence.length === 0 ? [] : [text])),
        ...tables.flatMap(({ caption, rows }) => [caption, ...rows.map((row) => row.title)]),
      ]);
      expect(parts.length).toBeGreaterThan(20);
      const sections = page.locator(".experiment");
      for (const part of parts)
        expect(await sections.getByText(part, { exact: false }).first().isVisible(), part).toBe(true);
      const [evidence] = report.experiments[0].claims[1].evidence;
      expect(await page.getByText(evidence).isVisible()).toBe(false);
      await page.locator("#table1-claim-2 summary").click();
      expect(await page.getByText(evidence).isVisible()).toBe(true);

      const cell = page.locator("#table1-main td.g1").first();
      expect(await cell.isVisible()).toBe(true);
      await page.getByLabel("scale-free probe").uncheck();
      expect(await cell.isVisible()).toBe(false);
      expect(await page.locator("#table1-main td.g2").first().isVisible()).toBe(true);
    });
  });

  test("nothing is fetched and no script runs, even one that is put into the page", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const asked: string[] = [];
    const refused: string[] = [];
    const dialogs: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("requestfailed", (request) => refused.push(`${request.url()} ${request.failure()?.errorText}`));
    page.on("dialog", async (dialog) => {
      dialogs.push(dialog.message());
      await dialog.dismiss();
    });
    const others = (): string[] => asked.filter((url) => !/^(file|data):/.test(url));
    await page.goto(address);
    expect(others()).toEqual([]);

    const picture = "http://127.0.0.1:9/x.png";
    const open = readFileSync(join(folder, "index.html"), "utf8").replace(
      "</main>",
      `<script>alert(1)</script><img src="${picture}" alt=""></main>`,
    );
    writeFileSync(join(folder, "open.html"), open);
    await page.goto(pathToFileURL(join(folder, "open.html")).href);
    expect(dialogs).toEqual([]);
    expect(others()).toEqual([picture]);
    expect(refused).toEqual([`${picture} csp`]);
    await context.close();
  });

  test("on paper, evidence is open and nothing is cut off", async () => {
    await withPage({ viewport: { width: 690, height: 1000 }, colorScheme: "dark" }, async (page) => {
      await page.emulateMedia({ media: "print", colorScheme: "dark" });
      const { clip, background, heights } = await page.evaluate(() => ({
        clip: document.documentElement.scrollWidth,
        background: getComputedStyle(document.body).backgroundColor,
        heights: [...document.querySelectorAll(".evidence")].map((one) => one.getBoundingClientRect().height),
      }));
      expect(clip).toBe(690);
      expect(background).toBe("rgb(255, 255, 255)");
      expect(heights.length).toBeGreaterThan(5);
      expect(Math.min(...heights)).toBeGreaterThan(10);
    });
  });

  test("the first screen of a desk has the title, the counts, scope, what was done and results", async () => {
    await withPage({ viewport: sizes[1] }, async (page) => {
      for (const name of ["What holds, and what does not", "Scope", "What was done", "Results"]) {
        const box = await page.getByRole("heading", { name, exact: true }).boundingBox();
        expect(box?.y, name).toBeLessThan(800);
      }
      expect((await page.locator(".counts").boundingBox())?.y).toBeLessThan(400);
    });
  });
});

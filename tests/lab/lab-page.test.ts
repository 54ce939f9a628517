// The lab in real Chromium, as it is built: every control, the address to the byte, axe in every state, and the budgets.

import { gzipSync } from "node:zlib";
import type { Page, Route } from "playwright-core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../src/training/parse-config.ts";
import type { Raw } from "../../web/configuration.ts";
import { toHash } from "../../web/share.ts";
import { lossesInNode, small } from "../support/built-lab.ts";
import { eventually, hashOf, inChromium, losses, openLab, ready, skipped, stepped, violations } from "./chromium.ts";

declare global {
  /** In the page: what kept its main thread for more than 50 ms. */
  var longTasks: PerformanceEntry[];
}

describe.skipIf(skipped)(inChromium, () => {
  const { address, withPage } = openLab();

  test("Play, Pause, Step, Reset and the keys do what they say", async () => {
    await withPage({}, async (page) => {
      await ready(page);
      const step = async (): Promise<number> => Number(await page.locator(".where b").textContent());
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, 1);
      await page.keyboard.press("s");
      await stepped(page, 2);
      expect(await step()).toBe(2);
      await page.locator("h1").click();
      await page.keyboard.press("Space");
      await page.getByRole("button", { name: "Pause" }).waitFor();
      await stepped(page, 5);
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("button", { name: "Play" }).waitFor();
      await eventually(async () => {
        const paused = await step();
        await page.waitForTimeout(300);
        return (await step()) - paused;
      }).toBe(0);
      await page.getByLabel("Pace").selectOption("2 steps a second");
      await page.getByRole("button", { name: "Play" }).click();
      const began = await step();
      await page.waitForTimeout(1200);
      expect((await step()) - began).toBeLessThanOrEqual(4);
      await page.keyboard.press("r");
      await ready(page);
      expect(await step()).toBe(0);
      await page.getByLabel("Pace").selectOption("as fast as it goes");
      await page.getByRole("button", { name: "Play" }).click();
      await page.getByText("of 30, done").waitFor();
      expect(await page.getByRole("button", { name: "Play" }).isDisabled()).toBe(true);
    });
  });

  test("every choice changes the configuration and its audit, and a refused one says why", async () => {
    await withPage({}, async (page) => {
      await ready(page);
      const verdict = (title: string) => page.locator(".verdicts li", { hasText: title });
      await eventually(() => verdict("No weight transport").getAttribute("class")).toBe("fail");
      await page.getByLabel("URF", { exact: true }).check({ force: true });
      await eventually(() => verdict("No weight transport").getAttribute("class")).toBe("pass");
      await page.getByLabel("GLL", { exact: true }).check({ force: true });
      await page.getByLabel("Gradient block").check();
      await eventually(() => verdict("Local activity").getAttribute("class")).toBe("pass");
      await page.getByText("All four of the paper’s conditions hold").waitFor();
      expect(hashOf(page)).toMatchObject({ update: "URF", learning: "GLL", loss: { gradientBlock: true } });

      // A pointer that the page scrolls under asks about what comes to lie there.
      await page.mouse.move(0, 0);
      await page.getByLabel("DTP", { exact: true }).focus();
      await page.getByText("targets travel between layers").waitFor();
      await page.getByLabel("DTP", { exact: true }).click({ force: true });
      expect(await page.getByLabel("URF", { exact: true }).isChecked()).toBe(true);
      expect(hashOf(page)).toMatchObject({ update: "URF" });

      await page.locator('input[name="negatives"][value="all"]').check({ force: true });
      await eventually(() => hashOf(page)).toMatchObject({ loss: { negatives: "all" } });
      await page.getByLabel("E2E", { exact: true }).check({ force: true });
      await page.getByLabel("cross-entropy").check({ force: true });
      await eventually(() => verdict("No labels").getAttribute("class")).toBe("fail");
      expect(hashOf(page)).toMatchObject({ loss: { kind: "crossEntropy" }, data: { split: "train" } });
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, 1);
    });
  });

  test("numbers are typed, and one that cannot be says so and changes nothing", async () => {
    await withPage({}, async (page) => {
      await ready(page);
      await page.getByText("Network and numbers").click();
      for (const [title, value, hash] of [
        ["Learning rate", "0.003", { optimiser: { learningRate: 0.003 } }],
        ["Margin m1", "0.5", { loss: { m1: 0.5 } }],
        ["Margin m2", "5", { loss: { m2: 5 } }],
        ["Pictures a batch", "12", { batch: 12 }],
        ["Epochs", "7", { epochs: 7 }],
        ["Seed", "11", { seed: 11 }],
      ] as const) {
        await page.getByLabel(title).fill(value);
        await page.getByLabel(title).press("Enter");
        await page.getByLabel(title).blur();
        await eventually(() => hashOf(page)).toMatchObject(hash);
      }
      await page.getByLabel("Margin m1").fill("9");
      await page.getByLabel("Margin m1").blur();
      await page.getByText("A number from 0 to 5.").waitFor();
      expect(hashOf(page)).toMatchObject({ loss: { m1: 0.5 } });
      await page.locator(".numbers select").selectOption("cifar");
      await page.locator(".layers.of-5").waitFor();
      expect(hashOf(page)).toMatchObject({ encoder: "cifar", data: { size: 32 } });
    });
  });

  test("an address and its YAML take the steps of Node, to the bit, before and after a reload", async () => {
    const raw: Raw = { ...small, learning: "RLL", update: "KP", seed: 5 };
    const config = parseConfig(raw, "test");
    const expected = await lossesInNode(config, 3);
    await withPage({ hash: toHash(raw) }, async (page) => {
      for (let time = 0; time < 2; time++) {
        await ready(page);
        for (let step = 1; step <= 3; step++) {
          await page.getByRole("button", { name: "Step" }).click();
          await stepped(page, step);
        }
        expect(await losses(page)).toEqual(expected);
        await page.reload();
      }
      await ready(page);
      await page.getByRole("button", { name: "Share" }).click();
      expect(await page.getByLabel("Address").inputValue()).toBe(address() + toHash(raw));
      expect(parseConfig(parse((await page.locator("dialog pre").textContent()) ?? ""), "yaml")).toEqual(config);
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
      expect(await page.locator("dialog").isVisible()).toBe(false);
    });
  });

  test("reads out beside the untrained network, class by class, and keeps the curves of the run before", async () => {
    await withPage({}, async (page) => {
      await ready(page);
      await page.getByRole("button", { name: "Play" }).click();
      await page.getByText("of 30, done").waitFor();
      await page.getByText("untrained network").first().waitFor();
      await page.getByText("at step 30. The network never sees").waitFor();
      const sphere = page.getByRole("button", { name: /sphere/ });
      expect(await sphere.textContent()).toMatch(/\d+ % named rightly, untrained \d+ %/);
      await sphere.click();
      expect(await sphere.getAttribute("aria-pressed")).toBe("true");
      await page.getByRole("button", { name: "Confirm by experiment" }).click();
      await page.getByText("Borne out:").waitFor();
      expect(await page.locator(".angles tbody tr").count()).toBe(4);
      await page.getByLabel("RF", { exact: true }).check({ force: true });
      await ready(page);
      await page.getByRole("button", { name: "Step" }).click();
      await page.locator(".legend li.before", { hasText: "E2E BP, contrastive hinge" }).first().waitFor();
      expect(await page.locator(".wire.feedback").first().textContent()).toMatch(/^B \d+°$/);
    });
  });

  test("a hostile hash is one sentence, nothing runs, and the page’s own configuration is a button away", async () => {
    await withPage({ hash: `#v=1&c=${"%7B".repeat(900)}` }, async (page) => {
      await page.getByRole("alert").getByText("damaged, or cut off").waitFor();
      await ready(page);
      for (const [changed, sentence] of [
        [{ updat: "RF", "<script>": 1 }, 'unknown key "updat"'],
        [{ data: { dataset: "cifar-10" } }, "no dataset cifar-10"],
      ] as const) {
        await page.evaluate(
          (hash) => {
            location.hash = hash;
          },
          `#v=1&c=${encodeURIComponent(JSON.stringify(changed))}`,
        );
        await page.getByRole("alert").getByText(sentence).waitFor();
        expect(await page.getByRole("button", { name: "Play" }).isDisabled()).toBe(true);
      }
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Start with the page’s own" }).click();
      await ready(page);
      expect(new URL(page.url()).hash).toBe("");
      expect(await page.getByRole("alert").count()).toBe(0);
    });
  });

  test.each([
    [1440, "light"],
    [1280, "dark"],
    [820, "dark"],
    [390, "light"],
  ] as const)(
    "at %s px, %s: axe finds nothing while it plays, and nothing scrolls sideways",
    async (width, colorScheme) => {
      await withPage({ width, colorScheme, hash: toHash({ ...small, epochs: 500, update: "RF" }) }, async (page) => {
        await ready(page);
        await page.getByRole("button", { name: "Play" }).click();
        await page.locator(".data").first().waitFor();
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
        expect(await violations(page)).toEqual([]);
        if (width === 390)
          for (const box of await page.locator("button:visible:not(.term button)").all())
            expect((await box.boundingBox())?.height, (await box.textContent()) ?? "").toBeGreaterThanOrEqual(44);
      });
    },
  );

  test("plays before audit and read-outs are fetched, and keeps its budgets", async () => {
    const loaded = new Map<string, number>();
    const held: Route[] = [];
    let holding = true;
    const before = async (page: Page): Promise<void> => {
      await page.route(
        /\/(audit|keep|saved|readings|curves|network|angles|learnt|rule|intervene|stages|stories|apart)-/,
        async (route) => {
          if (holding) held.push(route);
          else await route.continue();
        },
      );
      page.on("response", async (response) => {
        const url = response.url();
        if (url.endsWith(".js")) loaded.set(url, gzipSync(await response.body(), { level: 9 }).length);
      });
      await page.addInitScript(() => {
        const watch = new PerformanceObserver((list) => globalThis.longTasks.push(...list.getEntries()));
        globalThis.longTasks = [];
        watch.observe({ type: "longtask", buffered: true });
      });
    };
    await withPage({ hash: "", before }, async (page) => {
      const start = performance.now();
      await ready(page);
      const prepared = performance.now() - start;
      const clicked = performance.now();
      await page.getByRole("button", { name: "Play" }).click();
      await stepped(page, 1);
      const first = performance.now() - clicked;
      const bytes = [...loaded.values()].reduce((sum, one) => sum + one, 0);
      holding = false;
      await Promise.all(held.map((route) => route.continue()));
      const { frames, longest } = await page.evaluate(async () => {
        globalThis.longTasks = [];
        const began = performance.now();
        let seen = 0;
        while (performance.now() - began < 2000) {
          await new Promise(requestAnimationFrame);
          seen++;
        }
        const durations = globalThis.longTasks.map(({ duration }) => duration);
        return { frames: (1000 * seen) / (performance.now() - began), longest: Math.max(0, ...durations) };
      });
      console.log(
        `the lab: ${(bytes / 1000).toFixed(1)} kB of JavaScript before Play, gzipped; ready after ${prepared.toFixed(0)} ms, first step ${first.toFixed(0)} ms after Play; while it trains ${frames.toFixed(0)} frames/s, longest task of the page ${longest < 50 ? "under 50" : longest.toFixed(0)} ms`,
      );
      expect(held.length).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(50_000);
      expect(bytes).toBeLessThanOrEqual(90_000);
      await page.getByText("untrained network").first().waitFor();
    });
  });
});

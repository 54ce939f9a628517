// Interventions on the page: made while it plays and while it rests, in the address and the YAML, the same bytes as a run from the start.

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../src/training/parse-config.ts";
import type { Raw } from "../../web/configuration.ts";
import { toHash } from "../../web/share.ts";
import { lossesInNode, small } from "../support/built-lab.ts";
import { eventually, hashOf, inChromium, losses, openLab, ready, skipped, stepped, violations } from "./chromium.ts";

describe.skipIf(skipped)(inChromium, () => {
  const { withPage } = openLab();
  const panel = (page: Page) => page.locator(".intervene");
  const press = (page: Page, name: string) => panel(page).getByRole("button", { name, exact: true }).click();
  const count = async (page: Page, wanted: number): Promise<void> => {
    await eventually(() => (hashOf(page).interventions as unknown[] | undefined)?.length ?? 0).toBe(wanted);
  };
  const takeSteps = async (page: Page, from: number, to: number): Promise<void> => {
    for (let step = from + 1; step <= to; step++) {
      await page.getByRole("button", { name: "Step", exact: true }).click();
      await stepped(page, step);
    }
  };

  test("what is changed at rest and in play trains on as the same configuration does in Node from the start, to the bit", async () => {
    const raw: Raw = { ...small, update: "RF", seed: 3 };
    await withPage({ hash: toHash(raw) }, async (page) => {
      await ready(page);
      await page.getByText("Once it has taken a step").waitFor();
      await takeSteps(page, 0, 2);
      await press(page, "Cut head");
      await count(page, 1);
      await press(page, "Freeze conv1");
      await count(page, 2);
      await takeSteps(page, 2, 3);
      await press(page, "URF");
      await count(page, 3);
      await press(page, "Shuffle conv2");
      await count(page, 4);
      await page.getByLabel("Pace").selectOption("2 steps a second");
      await page.getByRole("button", { name: "Play" }).click();
      await stepped(page, 5);
      await press(page, "0");
      await count(page, 5);
      await page.getByLabel("Pace").selectOption("as fast as it goes");
      await page.getByText("of 30, done").waitFor();
      const made = hashOf(page);
      expect(made.interventions).toEqual([
        { step: 2, cutFeedback: "head" },
        { step: 2, freeze: "conv1" },
        { step: 3, set: { update: "URF" } },
        { step: 3, shuffleFeedback: "conv2" },
        { step: expect.any(Number), set: { loss: { negatives: 0 } } },
      ]);
      const config = parseConfig({ ...raw, interventions: made.interventions }, "test");
      const told = await losses(page);
      expect(told).toEqual((await lossesInNode(config, 30)).slice(0, 10));
      expect(told).not.toEqual((await lossesInNode(parseConfig(raw, "test"), 30)).slice(0, 10));
      await page.getByRole("button", { name: "Share" }).click();
      expect(parseConfig(parse((await page.locator("dialog pre").textContent()) ?? ""), "yaml")).toEqual(config);
      await page.keyboard.press("Escape");

      // The same again from the address alone.
      await page.reload();
      await ready(page);
      await page.getByText("(to come)").first().waitFor();
      await page.getByRole("button", { name: "Play" }).click();
      await page.getByText("of 30, done").waitFor();
      expect(await losses(page)).toEqual(told);
      expect(hashOf(page)).toEqual(made);
    });
  });

  test("they are listed, marked and audited, and taken back one by one or all at once", async () => {
    await withPage({ hash: toHash({ ...small, epochs: 500 }) }, async (page) => {
      await ready(page);
      const verdict = page.locator(".verdicts li", { hasText: "No weight transport" });
      await eventually(() => verdict.getAttribute("class")).toBe("fail");
      await takeSteps(page, 0, 1);
      const cut = panel(page).getByRole("button", { name: "Cut conv2" });
      expect(await cut.getAttribute("aria-disabled")).toBe("true");
      await cut.click({ force: true });
      await panel(page).getByText("BP has no wires of its own").waitFor();
      expect(hashOf(page).interventions).toBeUndefined();

      await press(page, "RF");
      await panel(page).getByText("The error comes down by RF").waitFor();
      await eventually(() => verdict.getAttribute("class")).toBe("pass");
      await press(page, "Cut conv2");
      await panel(page).getByText("the feedback wires of conv2 are cut").waitFor();
      await takeSteps(page, 1, 2);
      await page.locator(".wire.feedback", { hasText: "cut" }).waitFor();
      expect(await page.locator(".mark text").allTextContents()).toEqual([
        "update RF",
        "feedback of conv2 cut",
        "update RF",
        "feedback of conv2 cut",
      ]);
      expect(await violations(page)).toEqual([]);
      // What it began with stays where it is chosen.
      expect(await page.getByLabel("BP", { exact: true }).first().isChecked()).toBe(true);

      await press(page, "Take the last back");
      await ready(page);
      expect(hashOf(page).interventions).toEqual([{ step: 1, set: { update: "RF" } }]);
      await eventually(() => page.locator(".where b").textContent()).toBe("0");
      await takeSteps(page, 0, 2);
      await press(page, "Freeze conv1");
      await count(page, 2);
      await press(page, "Unfreeze conv1");
      await count(page, 3);
      await press(page, "Take all back");
      await ready(page);
      expect(hashOf(page).interventions).toBeUndefined();
      expect(await page.locator(".interventions li").count()).toBe(0);
    });
  });

  test("a control of the start begins anew without them, another seed with them", async () => {
    const interventions = [{ step: 2, set: { update: "RF" } }];
    await withPage({ hash: toHash({ ...small, interventions }) }, async (page) => {
      await ready(page);
      await page.getByText("Network and numbers").click();
      await page.getByLabel("Seed").fill("4");
      await page.getByLabel("Seed").press("Enter");
      await eventually(() => hashOf(page).seed).toBe(4);
      expect(hashOf(page).interventions).toEqual(interventions);
      await ready(page);
      await page.getByLabel("KP", { exact: true }).check({ force: true });
      await eventually(() => hashOf(page).update).toBe("KP");
      expect(hashOf(page).interventions).toBeUndefined();
    });
  });

  test("one step is taken apart, the next one too, and after an intervention once it has been taken", async () => {
    await withPage({ hash: toHash({ ...small, epochs: 500 }) }, async (page) => {
      await ready(page);
      await page.getByText("One step, taken apart").click();
      await page.getByText("Let it take one step.").waitFor();
      await takeSteps(page, 0, 1);
      const told = page.locator(".apart-steps figcaption");
      await page.getByText(/Here B is [\d.]+ away, so its gate is/).waitFor();
      const first = await told.allTextContents();
      expect(first).toHaveLength(7);
      await takeSteps(page, 1, 2);
      await eventually(async () => JSON.stringify(await told.allTextContents()) === JSON.stringify(first)).toBe(false);
      await press(page, "RF");
      await page.getByText("The error of A").waitFor();
      await takeSteps(page, 2, 3);
      await page.getByText("The error comes down by RF; a synapse").waitFor();
      expect(await violations(page)).toEqual([]);
    });
  });

  test("on a phone it is a sheet that a tap opens, and the keyboard reaches all of it", async () => {
    await withPage({ width: 390, hash: toHash({ ...small, update: "KP", epochs: 500 }) }, async (page) => {
      await ready(page);
      await takeSteps(page, 0, 1);
      const sheet = await panel(page).boundingBox();
      expect((sheet?.y ?? 0) + (sheet?.height ?? 0)).toBe(900);
      expect(sheet?.height).toBeLessThan(60);
      await panel(page).locator("summary").first().focus();
      await page.keyboard.press("Enter");
      await panel(page).getByRole("button", { name: "Shuffle conv3" }).focus();
      await page.keyboard.press("Enter");
      await count(page, 1);
      await panel(page).getByText("the feedback wires of conv3 are shuffled").waitFor();
      expect((await panel(page).boundingBox())?.height).toBeLessThanOrEqual(0.72 * 900 + 1);
      for (const box of await panel(page).locator("button:visible").all())
        expect((await box.boundingBox())?.height, (await box.textContent()) ?? "").toBeGreaterThanOrEqual(44);
      expect(await violations(page)).toEqual([]);
    });
  });
});

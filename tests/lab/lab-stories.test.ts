// The stories on the page: a guess before anything runs, what happened beside the record, and the recorded run in its place.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Recorded } from "../../web/recorded.ts";
import { toHash } from "../../web/share.ts";
import { stories } from "../../web/stories.ts";
import { hashOf, inChromium, openLab, ready, skipped, violations } from "./chromium.ts";

const recordOf = (id: string): Recorded => JSON.parse(readFileSync(`records/stories/${id}.json`, "utf8"));

describe.skipIf(skipped)(inChromium, () => {
  const { withPage } = openLab();

  test("a story asks first, runs the record’s own configuration, and ends where the record did", async () => {
    const [story] = stories;
    const record = recordOf(story.id);
    await withPage({ hash: "" }, async (page) => {
      await page.locator(".stories").getByRole("button", { name: story.title }).click();
      await page.getByText(story.setting).waitFor();
      await ready(page);
      expect(toHash({ ...story.raw })).toContain(encodeURIComponent(JSON.stringify(hashOf(page))));
      await page.locator(".telling .play").click();
      await page.getByText(story.question).waitFor();
      expect(await page.locator(".telling .play").isDisabled()).toBe(true);
      await page.getByLabel(story.answers[0]).check();
      await page.locator(".telling .play").click();
      await page.getByRole("button", { name: "Run it here" }).click();
      await page.getByText("It has run.").waitFor({ timeout: 280_000 });
      await page.locator(".telling .play").click();
      await page.getByText("You guessed otherwise.").waitFor();
      await page.getByText(story.seen(record)).waitFor();
      const last = record.runs[0].readings.at(-1);
      const told = `Here, at step ${last?.step}: ${Math.round(100 * (last?.all ?? 0))} % named rightly; the untrained network ${Math.round(100 * record.runs[0].random)} %`;
      await page.getByText(told).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.locator(".telling .play").click();
      await page.getByText(story.meaning).waitFor();
      await page.getByRole("button", { name: `Next: ${stories[1].title}` }).click();
      await page.getByText(stories[1].setting).waitFor();
      await page.getByRole("button", { name: "Leave the story" }).click();
      expect(await page.locator(".telling").count()).toBe(0);
    });
  }, 400_000);

  test.each(stories.map((story) => [story.title, story] as const))(
    "%s: its recorded run stands in for one, on a phone too",
    async (_, story) => {
      const record = recordOf(story.id);
      await withPage({ width: 390, colorScheme: "dark", hash: "" }, async (page) => {
        await page.locator(".stories").getByRole("button", { name: story.title }).click();
        await page.locator(".telling .play").click();
        await page.getByLabel(story.answers[story.right]).check();
        await page.locator(".telling .play").click();
        await page.getByRole("button", { name: "Show a recorded run instead" }).click();
        await page.getByText("This is a recorded run, of seed 0.").waitFor();
        expect(await page.locator(".where b").textContent()).toBe(String(record.shown.length));
        await page.locator("#loss-title").scrollIntoViewIfNeeded();
        expect(await violations(page)).toEqual([]);
        await page.locator(".telling .play").click();
        await page.getByText("You guessed it.").waitFor();
        await page.getByText(story.seen(record)).waitFor();
        // A change of the page ends it, and says so.
        await page.locator(".bar").getByRole("button", { name: "Reset" }).click();
        await ready(page);
        expect(await page.locator(".where b").textContent()).toBe("0");
        await page.getByLabel("RLL", { exact: true }).check({ force: true });
        await page.getByText("The page no longer stands as this story sets it up.").waitFor();
      });
    },
  );
});

// The stories of the lab: what they claim was seen on seeds 0–4, on the configuration that the page trains, and by an engine that still does so.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import type { Recorded } from "../../web/recorded.ts";
import { stories } from "../../web/stories.ts";
import { auditOf } from "../../web/work/audit.ts";
import { parseForPage } from "../../web/work/limits.ts";

const recordOf = (id: string): Recorded => JSON.parse(readFileSync(`records/stories/${id}.json`, "utf8"));

describe.each(stories.map((story) => [story.id, story] as const))("%s", (id, story) => {
  const record = recordOf(id);

  test("its record is of this configuration, on seeds 0–4", () => {
    expect(record.raw).toEqual(story.raw);
    expect(record.runs.map(({ seed }) => seed)).toEqual([0, 1, 2, 3, 4]);
    const { batch, data, epochs, learning } = parseForPage(story.raw);
    const steps = ((data.limit ?? 0) / batch) * epochs * (learning === "GLL" ? 3 : 1);
    expect(record.shown).toHaveLength(steps);
    for (const { readings, losses, looks } of record.runs)
      expect([readings.at(-1)?.step, losses.length * record.lossEvery, looks.at(-1)?.step]).toEqual([
        steps,
        steps,
        steps,
      ]);
  });

  test("what it says holds on each of them, and a run that learnt nothing would not be as it says", () => {
    expect(record.runs.map(story.holds)).toEqual([true, true, true, true, true]);
    const { random, losses, looks } = record.runs[0];
    const idle = {
      ...record.runs[0],
      readings: record.runs[0].readings.map(({ step }) => ({ step, all: random })),
      losses: losses.map(() => losses[0]),
      looks: looks.map(({ step }) => ({ ...looks[0], step })),
    };
    expect(story.holds(idle)).toBe(false);
    expect(story.seen(record)).toMatch(/seeds 0–4/);
    expect(story.seen(record)).not.toMatch(/NaN|undefined/);
  });

  test("the engine still takes its first steps", async () => {
    const config = parseForPage(story.raw);
    const { split, limit: count = 1, seed, size = 32 } = config.data;
    const dataset = proceduralObjects({ split, count, seed, size });
    const trainer = await createTrainer({ config, dataset, backend: wasmBackend({ threads: "here" }) });
    const losses: number[] = [];
    for (let step = 0; step < 3; step++) losses.push(Number((await trainer.step()).loss.toPrecision(4)));
    await trainer.dispose();
    expect(losses).toEqual(record.shown.slice(0, 3));
  });
});

test("one layer at a time: all four conditions hold", () => {
  const { raw } = stories.find(({ id }) => id === "layers") ?? stories[0];
  const { summary } = auditOf(parseForPage(raw));
  expect(Object.values(summary).map(({ verdict }) => verdict)).toEqual(["pass", "pass", "pass", "pass"]);
});

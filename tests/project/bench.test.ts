// The benchmark's own parts: what it times is the step, what is wrong is not timed, and its picture can be read.
import { expect, test } from "vitest";
import { clock, interleave, measure, timing } from "../../bench/measure.ts";
import { overlap, placeLabels } from "../../bench/roofline.ts";
import { openStages } from "../../bench/validate.ts";
import { configOf, randomImages } from "../../bench/workloads.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { createModel } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { updatesOf } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { recordConfigured } from "../../src/training/configured-rule.ts";

test("the stages, run one after another, are the step to the bit", async () => {
  const { stages, numbers } = openStages("mnist", 2);
  const cut = await referenceBackend.prepare(stages.map(({ program }) => program));
  for (const [tensor, values] of numbers) cut.write(tensor, values);
  for (const { program } of stages) await cut.run(program);

  const config = configOf({ network: "mnist", learning: "E2E", update: "BP", loss: "contrastiveHinge" }, 2);
  const dataset = { ...randomImages("mnist", 2), classes: 1 };
  const { lessons } = recordConfigured(config, createModel(networks.mnist), dataset);
  const [{ program }] = lessons;
  const whole = await referenceBackend.prepare([program]);
  const byName = new Map([...numbers].map(([tensor, values]) => [tensor.name, values]));
  const inputs = program.operations.flatMap(({ inputs, updates }) => [
    ...Object.values(inputs),
    ...Object.values(updates),
  ]);
  for (const tensor of new Set(inputs)) {
    const values = byName.get(tensor.name);
    if (values) whole.write(tensor, values);
  }
  await whole.run(program);

  const updated = program.operations.flatMap(updatesOf);
  const cutByName = new Map(
    stages.flatMap((stage) => stage.program.operations.flatMap(updatesOf)).map((tensor) => [tensor.name, tensor]),
  );
  expect(updated.length).toBe(12);
  for (const tensor of updated) {
    const twin = cutByName.get(tensor.name);
    if (twin === undefined) throw new Error(`no stage updates ${tensor.name}`);
    const [got, wanted] = [await cut.read(twin), await whole.read(tensor)];
    expect(got.findIndex((value, i) => value !== wanted[i])).toBe(-1);
  }
});

test("least and median", () => {
  expect(timing([3, 1, 2])).toEqual({ seconds: [3, 1, 2], least: 1, median: 2 });
  expect(timing([4, 1, 2, 3])).toMatchObject({ least: 1, median: 2.5 });
});

test("what is wrong is not timed", async () => {
  let runs = 0;
  const run = async (): Promise<void> => {
    runs++;
  };
  const wrong = async (): Promise<void> => {
    throw new Error("wrong");
  };
  await expect(measure({ validate: wrong, run }, { warmUp: 1, iterations: 3 })).rejects.toThrow("wrong");
  expect(runs).toBe(0);
  const { seconds } = await measure({ validate: run, run }, { warmUp: 2, iterations: 3 });
  expect([runs, seconds.length]).toEqual([6, 3]);
  expect(await clock(run)).toBeGreaterThanOrEqual(0);
});

test("contenders take turns", async () => {
  const turns: string[] = [];
  const turn = (name: string, seconds: number[]) => async () => {
    turns.push(name);
    return seconds;
  };
  const times = await interleave({ a: turn("a", [1, 3]), b: turn("b", [5]) }, 2);
  expect(turns.join("")).toBe("abab");
  expect([times.a.median, times.b.median]).toEqual([2, 5]);
});

test("labels of the roofline cover neither dots nor each other, and none is lost where there is room", () => {
  const random = randomStream(3, 0);
  const spots = Array.from({ length: 14 }, (_, i) => ({
    label: `conv${i % 7}`,
    prefer: i % 2 === 0 ? (1 as const) : (-1 as const),
    left: 350 + 120 * random.uniform(),
    top: 100 + 40 * random.uniform(),
  }));
  const within = { left: 60, right: 700, top: 0, bottom: 270 };
  const labels = placeLabels(spots, within);
  expect(labels).toHaveLength(spots.length);
  const boxes = labels.map(({ box }) => box);
  boxes.forEach((box, i) => {
    expect(box.left >= 60 && box.right <= 700 && box.top >= 0 && box.bottom <= 270).toBe(true);
    for (const other of boxes.slice(i + 1)) expect(overlap(box, other)).toBe(false);
    for (const { left, top } of spots)
      expect(overlap(box, { left, right: left + 1, top, bottom: top + 1 })).toBe(false);
  });
});

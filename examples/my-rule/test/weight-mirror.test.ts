// What makes the rule what it is. Everything that any rule must do, checkPlugin does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlugin, createTrainer, parseConfig, proceduralObjects, referenceBackend, wasmBackend } from "saccade";
import weightMirror from "../weight-mirror.ts";

test("the rule passes saccade check", async () => {
  const { checks } = await checkPlugin(weightMirror, {
    reference: referenceBackend,
    fast: (threads) => wasmBackend({ threads }),
  });
  for (const { name, outcome, detail } of checks) assert.notEqual(outcome, "failed", `${name}: ${detail}`);
});

test("feedback turns towards the weights", async () => {
  const config = parseConfig(
    {
      name: "mirrors",
      data: { dataset: "procedural-objects" },
      encoder: "tiny",
      update: "WM",
      batch: 8,
      epochs: 30,
    },
    "mirrors",
    [weightMirror],
  );
  const dataset = proceduralObjects({ split: "train", count: 16, seed: 1, size: 16 });
  const trainer = await createTrainer({ config, dataset, backend: wasmBackend({ threads: 1 }) });
  const angles = async () => {
    const [{ layers }] = await trainer.xray();
    return layers.flatMap(({ angleWB }) => (angleWB === undefined ? [] : [angleWB]));
  };
  const before = await angles();
  while (trainer.position().step < trainer.totalSteps) await trainer.step();
  const after = await angles();
  await trainer.dispose();
  assert.equal(before.length, 3);
  for (const [i, angle] of after.entries()) {
    assert.ok(Math.abs(before[i] - 90) < 10, `at first ${before[i]}°`);
    assert.ok(angle < 60, `after ${trainer.totalSteps} steps ${angle}°`);
  }
});

// The forecast of a probe's memory against what a process of its own takes at its peak, as Linux tells it.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { ImageSet } from "../../src/data/images.ts";
import { networks } from "../../src/encoders/networks.ts";
import { probeMemory } from "../../src/evaluation/memory.ts";
import type { ProbeOptions, ReadOut } from "../../src/evaluation/probe.ts";
import type { Probed } from "../support/probed-process.ts";

const script = fileURLToPath(new URL("../support/probed-process.ts", import.meta.url));
const seconds = 240;

/** Rows of 8,192 numbers, as the CIFAR network's: features and engines are most of what is taken. */
const wide = { counts: [2500, 1000], shape: [64, 128, 1] } as const;
const labelsPerClass = ["all"] as const;
/** How much of L-BFGS waits to be collected differs from one process to the next. */
const cases: [ReadOut, number][] = [
  ["paper", 0.1],
  ["kNN", 0.1],
  ["scaleFree", 0.16],
];

// Only Linux tells a process's peak.
describe.skipIf(process.platform !== "linux")("what is taken", () => {
  test.each(cases)(
    "by the read-out %s is the forecast, but for at most %d of it",
    { timeout: 1000 * seconds },
    async (readOut, share) => {
      const probed: Probed = { ...wide, options: { readOuts: [readOut], labelsPerClass, subjects: ["pixels"] } };
      const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(probed)], {
        timeout: 1000 * seconds,
      });
      const { taken, forecast } = JSON.parse(stdout) as { taken: number; forecast: number };
      expect(Math.abs(forecast / taken - 1)).toBeLessThan(share);
    },
  );
});

test("grows with rows and read-outs, and with the encoder's width where that is read", () => {
  const set = (count: number): Pick<ImageSet, "count" | "height" | "width" | "channels" | "classes"> => ({
    count,
    height: 32,
    width: 32,
    channels: 3,
    classes: [..."abcdefghij"],
  });
  const bytes = (count: number, more: Partial<ProbeOptions> = {}): number =>
    probeMemory(
      { network: networks.cifar, train: set(count), test: set(1000) },
      { readOuts: ["kNN"], labelsPerClass: ["all"], seeds: 1, epochs: 1, learningRate: 1, batch: 1, ...more },
    );
  // Another 10,000 rows stand among the features and in the engine.
  expect(bytes(20_000) - bytes(10_000)).toBeGreaterThan(2 * 10_000 * 8192 * 4);
  expect(bytes(1000, { readOuts: ["kNN", "paper"] })).toBeGreaterThan(bytes(1000));
  expect(bytes(10_000, { subjects: ["pixels"] })).toBeLessThan(0.6 * bytes(10_000));
  expect(bytes(10_000, { labelsPerClass: [10] })).toBeLessThan(0.6 * bytes(10_000));
});

// Read-outs of every layer: what is read of a block, how scores are told apart, and that a probe without `layers` is what it was.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { probeRows } from "../../src/cli/table.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { featurePool, layerWidth } from "../../src/encoders/encoder.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { encoderFeatures } from "../../src/evaluation/features.ts";
import { probeMemory } from "../../src/evaluation/memory.ts";
import { ofLastLayer, type ProbeOptions, probe, summarise } from "../../src/evaluation/probe.ts";
import { layerPanels } from "../../src/figures/layer-panels.ts";
import { drawProbeFigure } from "../../src/figures/probe-figure.ts";
import { randomStream } from "../../src/program/random.ts";
import { configKey } from "../../src/runs/resume.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

/** Noise, brighter class by class. */
function pictures(count: number, seed: number): ImageSet {
  const random = randomStream(seed, 3);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const pixels = Uint8Array.from(
    { length: count * 768 },
    (_, i) => random.integer(100) + 70 * (Math.floor(i / 768) % 3),
  );
  return { name: `noise ${seed}`, pixels, count, height: 16, width: 16, channels: 3, labels, classes: ["a", "b", "c"] };
}

const weightsOf = (seed: number): Map<string, Float32Array> =>
  new Map([...initialise(createModel(networks.tiny), seed)].map(([{ name }, values]) => [name, values]));
const options: ProbeOptions = {
  readOuts: ["kNN"],
  labelsPerClass: [2, 4],
  seeds: 2,
  epochs: 1,
  learningRate: 1e-3,
  batch: 4,
};
const probed = { network: networks.tiny, valueRange: [0, 1], encoders: { trained: weightsOf(5) }, seed: 0 } as const;
const [train, tested] = [pictures(15, 1), pictures(9, 2)];
const measure = (more: Partial<ProbeOptions>) =>
  probe(probed, train, tested, { ...options, ...more }, referenceBackend);

describe("features of a block", () => {
  test("are its output, as plain loops have it", async () => {
    const weights = weightsOf(5);
    const encoder = { network: networks.tiny, valueRange: [0, 1], weights, layer: "conv1" } as const;
    const { features } = await encoderFeatures(encoder, [tested], referenceBackend);
    expect(features[0].width).toBe(16 * 16 * 16);
    const weight = weights.get("conv1.weight") ?? new Float32Array();
    const [y, x, o] = [3, 15, 7];
    let sum = 0;
    for (let dy = 0; dy < 3; dy++)
      for (let dx = 0; dx < 3; dx++)
        for (let c = 0; c < 3; c++) {
          const [row, column] = [y + dy - 1, x + dx - 1];
          if (row > 15 || column > 15) continue;
          sum += weight[((dy * 3 + dx) * 3 + c) * 16 + o] * (tested.pixels[(row * 16 + column) * 3 + c] / 255);
        }
    const found = features[0].rows[(y * 16 + x) * 16 + o];
    expect(found).toBeCloseTo(Math.max(-1, Math.min(1, sum)), 6);
  });

  test("of the last are those that are read unless told", async () => {
    const encoder = { network: networks.tiny, valueRange: [0, 1], weights: weightsOf(5) } as const;
    const last = await encoderFeatures({ ...encoder, layer: "conv3" }, [tested], referenceBackend);
    expect(last).toEqual(await encoderFeatures(encoder, [tested], referenceBackend));
  });

  test("are average pooled as the head's, where a map is large enough; a layer that there is not is refused", () => {
    expect(layerWidth(networks.vgg6, "conv1")).toBe(32 * 32 * 128);
    expect(layerWidth(networks.vgg6)).toBe(4096);
    expect(layerWidth(networks.cifar, "conv1")).toBe(32 * 32 * 32);
    expect(featurePool({ averagePool: 2 }, [1, 3, 8])).toBe(1);
    expect(() => layerWidth(networks.tiny, "conv9")).toThrow(
      "features: layer must be a block of tiny: conv1, conv2, conv3, got conv9",
    );
  });
});

describe("a probe of every layer", () => {
  test("has scores of each block for each encoder, of pixels once, and of the last block those of a probe without", async () => {
    const [plain, all] = [await measure({}), await measure({ layers: "all" })];
    expect(plain.scores.some((score) => "layer" in score)).toBe(false);
    expect(plain.options).not.toHaveProperty("layers");
    const codes = [...new Set(all.scores.map(({ subject, layer }) => `${subject} ${layer}`))];
    const layers = ["conv1", "conv2", "conv3"];
    expect(codes).toEqual([
      ...["trained", "random"].flatMap((subject) => layers.map((layer) => `${subject} ${layer}`)),
      "pixels undefined",
    ]);
    expect(all.scores).toHaveLength(codes.length * 4);
    const withoutLayer = ofLastLayer(all.scores).map(({ layer, ...score }) => score);
    expect(withoutLayer).toEqual(plain.scores);
    expect(ofLastLayer(plain.scores)).toEqual(plain.scores);
    expect(all.encoderHashes).toEqual(plain.encoderHashes);
    expect(all.measured).toContain("output of each block");
    expect((await measure({ layers: "last" })).scores).toEqual(plain.scores);

    expect(summarise(all.scores)).toHaveLength(codes.length * 2);
    const [heading, ...rows] = probeRows(all);
    expect(heading.slice(0, 4)).toEqual(["read-out", "labels", "layer", "trained"]);
    expect(rows.map((row) => row.slice(1, 3))).toEqual(
      ["2 a class", "4 a class"].flatMap((labels) => layers.map((layer) => [labels, layer])),
    );
    expect(probeRows(plain)[0].slice(0, 3)).toEqual(["read-out", "labels", "trained"]);

    const folder = mkdtempSync(join(tmpdir(), "saccade-layers-"));
    try {
      await drawProbeFigure(folder, all);
      const svg = readFileSync(join(folder, "probe.svg"), "utf8");
      for (const word of ["Accuracy of each layer", "kNN, 4 a class", "conv2", "random", "pixels", "chance"])
        expect(svg).toContain(word);
      expect(svg).not.toMatch(/NaN|undefined/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("takes the memory of its widest layer", () => {
    const shapes = { train: { ...pictures(0, 0), count: 2000 }, test: { ...pictures(0, 0), count: 1000 } };
    const bytes = (layers: "last" | "all"): number =>
      probeMemory({ network: networks.tiny, ...shapes }, { ...options, labelsPerClass: ["all"], seeds: 1, layers });
    // conv1 has 4,096 numbers, conv3 1,024: features of both sets, and the keys in the engine.
    expect(bytes("all") - bytes("last")).toBeGreaterThan(4 * (4096 - 1024) * (3000 + 2000));
    expect(bytes("all") - bytes("last")).toBeLessThan(4 * 4096 * 8000 * 2);
  });

  test("is asked for in a configuration, where it changes no run's fingerprint, and nothing else is", () => {
    const config = (more: object) =>
      parseConfig(
        {
          ...{ name: "x", data: { dataset: "procedural-objects" }, encoder: "cifar", batch: 10, epochs: 1 },
          probe: {
            train: { dataset: "procedural-objects" },
            test: { dataset: "procedural-objects", split: "test" },
            ...more,
          },
        },
        "x.yaml",
      );
    expect(config({}).probe).not.toHaveProperty("layers");
    expect(config({ layers: "all" }).probe?.layers).toBe("all");
    expect(configKey(config({ layers: "all" }))).toBe(configKey(config({})));
    expect(() => config({ layers: "conv1" })).toThrow(/probe\.layers must be one of last, all, got "conv1"/);
  });
});

test("panels refuse a line with another number of values, and say that there are none", async () => {
  const frame = { title: "t", caption: "c", layers: ["conv1", "conv2"] };
  await expect(
    layerPanels({ ...frame, panels: [{ heading: "CKA", lines: [{ name: "trained", values: [1] }] }] }),
  ).rejects.toThrow("layerPanels: trained of CKA must be 2 values, one for each layer, got 1");
  const nothing = await layerPanels({
    ...frame,
    panels: [{ heading: "CKA", lines: [{ name: "a", values: [NaN, NaN] }] }],
  });
  expect(nothing).toContain("nothing measured yet");
});

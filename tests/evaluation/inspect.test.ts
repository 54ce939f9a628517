// The whole of an inspection on a small network: what must be 1, what must not move, and what is refused; and files of responses.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { networks } from "../../src/encoders/networks.ts";
import { encoderFeatures } from "../../src/evaluation/features.ts";
import { encodersOf, type InspectReport, inspect } from "../../src/evaluation/neuro/inspect.ts";
import type { NeuroReadOut } from "../../src/evaluation/neuro/scores.ts";
import { readResponses } from "../../src/exchange/response-file.ts";
import { drawInspection } from "../../src/figures/inspect-figures.ts";
import { npy, npz } from "../support/numpy-files.ts";

const backend = wasmBackend({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), "saccade-inspect-"));
afterAll(() => rmSync(folder, { recursive: true }));

const set: ImageSet = proceduralObjects({ split: "test", count: 60, size: 16, seed: 0 });
const random = encodersOf({ network: networks.tiny, weights: new Map(), valueRange: [-1, 1], seed: 3 }).random;
const other = encodersOf({ network: networks.tiny, weights: new Map(), valueRange: [-1, 1], seed: 4 }).random;
const few = { halves: 10, noise: 300 };

const of = ({ scores }: InspectReport, readOut: NeuroReadOut, subject: string, layer?: string) => {
  const found = scores.find((score) => score.readOut === readOut && score.subject === subject && score.layer === layer);
  if (found === undefined) throw new Error(`no ${readOut} of ${subject} ${layer}`);
  return found;
};

describe("an inspection", () => {
  test("of an encoder that has not moved says 1 where it is beside the random one, and the same of both elsewhere", async () => {
    const report = await inspect({ ...random, seed: 3 }, set, few, backend);
    for (const layer of report.layers) {
      for (const readOut of ["rsaRandom", "ckaRandom"] as const) {
        const { value, low, high } = of(report, readOut, "trained", layer);
        expect([value, low, high]).toEqual([expect.closeTo(1, 6), expect.closeTo(1, 6), expect.closeTo(1, 6)]);
      }
      for (const readOut of [
        "rsaPixels",
        "rsaClasses",
        "dimensionality",
        "effectiveRank",
        "lifetimeSparsity",
        "gaborFit",
      ] as const)
        expect(of(report, readOut, "trained", layer).value).toBeCloseTo(of(report, readOut, "random", layer).value, 6);
    }
    report.cka.trained.forEach((row, i) => {
      expect(row[i]).toBeCloseTo(1, 6);
      row.forEach((value, j) => {
        expect(value).toBeCloseTo(report.cka.trained[j][i], 9);
        expect(report.cka.trainedRandom[i][j]).toBeCloseTo(value, 6);
      });
    });
  });

  test("finds the layer whose responses it is given, says the same twice, and draws it", async () => {
    const { features } = await encoderFeatures({ ...other, layer: "conv2" }, [set], backend);
    const inspected = { ...other, seed: 3 };
    const options = { ...few, responses: features[0] };
    const report = await inspect(inspected, set, options, backend);
    const values = report.layers.map((layer) => of(report, "rsaResponses", "trained", layer).value);
    expect(values[1]).toBeCloseTo(1, 6);
    expect(Math.max(values[0], values[2])).toBeLessThan(0.999);
    expect(of(report, "ckaResponses", "trained", "conv2").value).toBeCloseTo(1, 6);
    expect(of(report, "ckaResponses", "random", "conv2").value).toBeLessThan(0.999);
    expect(of(report, "rsaResponses", "pixels").value).toBeLessThan(0.999);
    for (const { value, low, high } of report.scores)
      if (Number.isFinite(low)) expect(low <= value && value <= high).toBe(true);
    expect(await inspect(inspected, set, options, backend)).toEqual(report);
    await drawInspection(folder, report, "tiny");
  });

  test("refuses responses to other pictures than it shows", async () => {
    const responses = { rows: new Float64Array(50 * 7), count: 50, width: 7 };
    await expect(inspect({ ...random, seed: 3 }, set, { ...few, responses }, backend)).rejects.toThrow(
      /inspect: responses must be \[60, neurons\], a row for every picture of .*, got \[50, 7\]; if they are of its first pictures, add limit=50/,
    );
  });
});

describe("files of responses", () => {
  const doubles = (...values: number[]): Buffer => Buffer.from(Float64Array.from(values).buffer);
  const write = (name: string, bytes: Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const matrix = npy("<f8", [2, 3], doubles(1, 2, 3, 4, 5, 6));

  test("are read from .npy, and from .npz by name or where one alone has two axes", async () => {
    const wanted = { rows: Float64Array.of(1, 2, 3, 4, 5, 6), count: 2, width: 3 };
    expect(await readResponses(write("a.npy", matrix))).toEqual(wanted);
    const bytes = npy("|u1", [2, 3], Buffer.of(1, 2, 3, 4, 5, 6));
    expect(await readResponses(write("b.npz", npz({ labels: npy("|u1", [2], Buffer.of(0, 1)), x: bytes })))).toEqual(
      wanted,
    );
    const two = npz({ other: npy("<f8", [1, 1], doubles(9)), responses: matrix });
    expect(await readResponses(write("c.npz", two))).toEqual(wanted);
    const wide = npy("<i8", [2, 1], Buffer.from(BigInt64Array.of(-7n, 8n).buffer));
    expect((await readResponses(write("d.npy", wide))).rows).toEqual(Float64Array.of(-7, 8));
  });

  test.each<[string, Buffer, RegExp]>([
    [
      "three.npy",
      npy("<f8", [1, 2, 3], doubles(1, 2, 3, 4, 5, 6)),
      /an array \[stimuli, neurons\], got \[1, 2, 3\]; average over trials/,
    ],
    ["text.npy", npy("|S1", [1, 2], Buffer.from("ab")), /must be numbers, got \|S1/],
    ["nan.npy", npy("<f8", [2, 2], doubles(1, 2, 3, NaN)), /stimulus 1, neuron 1 must be finite, got NaN/],
    [
      "two.npz",
      npz({ a: matrix, b: matrix }),
      /must hold an array responses \[stimuli, neurons\], got a \[2, 3\], b \[2, 3\]/,
    ],
    ["responses.csv", Buffer.from("1,2"), /the file must be one that ends in \.npy or \.npz, got/],
  ])("%s is refused", async (name, bytes, why) => {
    await expect(readResponses(write(name, bytes))).rejects.toThrow(why);
  });
});

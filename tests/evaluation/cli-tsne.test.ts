// saccade tsne as a person meets it: the table, the files that it leaves, its JSON, and what it refuses.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "saccade-tsne-"));
afterAll(() => rmSync(folder, { recursive: true }));

let run: string;

function saccade(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = resolve("dist/cli/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}

function tsne(...words: string[]): string {
  const { status, stdout, stderr } = saccade("tsne", run, ...words);
  expect(status, stderr).toBe(0);
  return stdout;
}

beforeAll(() => {
  const small = ["encoder=tiny", "data.size=16", "data.limit=40", "batch=10", "epochs=1"];
  const probe = ["probe.train.size=16", "probe.test.size=16", "probe.test.limit=80"];
  const config = resolve("configs/quickstart.yaml");
  const made = saccade("train", config, ...small, ...probe, "--no-probe", "--json");
  expect(made.status, made.stderr).toBe(0);
  run = JSON.parse(made.stdout).run;
});

const file = (...parts: string[]): string => join(folder, run, ...parts);

describe("saccade tsne", () => {
  test("draws every layer of the probe's test set, prints its numbers, and leaves them with the coordinates", () => {
    const said = tsne("--perplexity", "15");
    const rows = said.split("\n").map((line) => line.trim().split(/ {2,}/));
    for (const name of ["classes", "groups"]) {
      const at = rows.findIndex(([first, second]) => first === "layer" && second === name);
      expect(rows.slice(at + 2, at + 6).map(([layer]) => layer)).toEqual([
        "conv1",
        "conv2",
        "conv3",
        "conv3, untrained",
      ]);
    }
    expect(said.replaceAll(/\s+/g, " ")).toContain("80 pictures of procedural objects test. In %");

    const report = JSON.parse(readFileSync(file("tsne.json"), "utf8"));
    expect(report).toMatchObject({ dataset: "procedural objects test", perplexity: 15, seed: 0, step: 4 });
    expect(report.images).toEqual(Array.from({ length: 80 }, (_, i) => i));
    expect(report.labellings.groups.names).toEqual(["round solids", "angular solids"]);
    expect(report.layers.map(({ layer, subject }: Record<string, string>) => [layer, subject])).toEqual([
      ["conv1", "trained"],
      ["conv2", "trained"],
      ["conv3", "trained"],
      ["conv3", "random"],
    ]);
    const [{ coordinates, numbers }] = report.layers;
    expect(coordinates).toHaveLength(80);
    const printed = rows.find(([layer]) => layer === "conv1")?.[1];
    expect(printed).toBe((100 * numbers.labellings.classes.representation.purity).toFixed(1));
    expect(PNG.sync.read(readFileSync(file("figures", "tsne.png"))).width).toBe(1440);
    expect(readFileSync(file("figures", "tsne.svg"), "utf8")).toContain(">conv3, untrained<");
  });

  test("takes some pictures of another split, the same each time, and groups of a file", () => {
    writeFileSync(
      join(folder, "groups.yaml"),
      "pointed: [cone, octahedron, pyramid, star]\nnot: [sphere, cube, cylinder, torus, capsule, cross]\n",
    );
    const words = ["split=train", "limit=100", "--points", "50", "--perplexity", "10", "--json"];
    const told = tsne(...words, "--groups", "groups.yaml");
    const { images, labellings, layers } = JSON.parse(told);
    expect(images).toHaveLength(50);
    expect(images).toEqual([...new Set<number>(images)].sort((a, b) => a - b));
    expect(images[49]).toBeGreaterThan(50);
    expect(labellings.groups.names).toEqual(["pointed", "not"]);
    const { classes, groups } = labellings;
    const pointed = ["cone", "octahedron", "pyramid", "star"];
    for (const [i, label] of classes.labels.entries())
      expect(groups.labels[i]).toBe(pointed.includes(classes.names[label]) ? 0 : 1);
    expect(layers[0].coordinates).toHaveLength(50);
    expect(tsne(...words, "--groups", "groups.yaml")).toBe(told);
    expect(JSON.parse(tsne(...words, "--seed", "5")).images).not.toEqual(images);
  });

  test.each([
    [["--perplexity", "30"], /^saccade: tsne: --perplexity must be below 27, a third of 80 pictures of .*, got 30$/m],
    [
      ["dataset=stl-10", "split=unlabelled"],
      /^saccade: tsne: STL-10 unlabelled must be labelled with two classes or more, got 1$/m,
    ],
    [
      ["dataset=mnist", "split=test"],
      /^saccade: tsne: MNIST test must be of 3 channels, as the encoder reads, got 1$/m,
    ],
    [["--groups", "none.yaml"], /^saccade: none.yaml: cannot be read \(ENOENT\); write groups with their classes/m],
    [["--points", "3"], /It must be a whole number from 4 to 20000/],
  ])("refuses %j", (words, message) => {
    const { status, stderr } = saccade("tsne", run, ...words);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

// saccade audit as a person meets it: the table that it prints, its JSON, and its picture.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "saccade-audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

function audit(...words: string[]): string {
  const all = [
    resolve("dist/cli/main.js"),
    "audit",
    resolve("configs/quickstart.yaml"),
    "encoder=tiny",
    "batch=8",
    ...words,
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: folder, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return stdout;
}

/** Lines of the table as lists of words: the first five columns, which hold no spaces but in (i). */
const row = (text: string, layer: string): string =>
  text
    .split("\n")
    .find((line) => line.startsWith(`${layer} `))
    ?.replaceAll(/ +/g, " ")
    .trim() ?? "";

test("the whole claim of the paper in one table: hinge, RLL, RF and the gradient block pass all four", () => {
  const said = audit("learning=RLL", "update=RF", "loss.gradientBlock=true");
  expect(said).toContain("quickstart: learning RLL, update RF, loss contrastiveHinge, 8 images a step");
  for (const layer of ["conv1", "conv2", "conv3"])
    expect(row(said, layer)).toMatch(new RegExp(`^${layer} pass pass pass none .* 5 – yes$`));
  for (const layer of ["head1", "head2", "head3"])
    expect(row(said, layer)).toMatch(new RegExp(`^${layer} pass pass pass none .* 5 6 \\(1.50 KiB\\) yes$`));
  expect(row(said, "all")).toBe("all pass pass pass none – – – – – –");
  expect(said).toContain("remembers: views, in order of time");
  expect(said).toContain("left aside by the paper: weights shared across positions");
  expect(said).not.toContain("NOT CONFIRMED");
});

test("BP transports weights, and the table names them", () => {
  const said = audit();
  expect(row(said, "all")).toBe("all both views pass fail none – – – – – –");
  expect(said.replaceAll(/\s+/g, " ")).toContain(
    "(iii) no forward weight carries an error; fail: head.weight, conv3.weight, conv2.weight",
  );
});

test("--json gives the report, --out the picture", () => {
  const report = JSON.parse(audit("update=RF", "--json", "--out", "figures"));
  expect(report).toMatchObject({
    name: "quickstart",
    learning: "E2E",
    update: "RF",
    encoder: "tiny",
    batch: 8,
    summary: { transport: { verdict: "pass" }, labels: { word: "none" } },
  });
  const { layers } = report.lessons[0];
  expect(layers.map(({ layer }: { layer: string }) => layer)).toEqual(["conv1", "conv2", "conv3", "head"]);
  expect(layers.at(-1).remembers).toEqual({ views: 6, bytes: 6 * 64 * 4 });
  for (const { disagreements, intervention } of layers) {
    expect(disagreements).toEqual([]);
    expect(intervention.outside).toBe("identical");
  }
  expect(readdirSync(join(folder, "figures")).sort()).toEqual(["audit.png", "audit.svg"]);
  expect(readFileSync(join(folder, "figures", "audit.svg"), "utf8")).toContain("conv1");
});

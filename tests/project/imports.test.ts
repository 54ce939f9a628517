// Imports run one way. This table is the whole rule; cycles between files are found by the linter.
import { globSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { expect, test } from "vitest";

const engine = ["program", "encoders", "losses", "rules"];
const implementations = ["backends/reference", "backends/wasm", "backends/webgpu"];
const inner = [...engine, "data", "backends"];
const disk = ["files", "datasets", "figures"];

/** Folder of src/ → the folders that it may import, besides itself. "backends" is the interface, src/backends/*.ts. */
const allowed: Record<string, string[]> = {
  program: [],
  backends: ["program"],
  "backends/reference": ["program", "backends"],
  "backends/wasm": ["program", "backends"],
  "backends/webgpu": ["program", "backends"],
  encoders: ["program"],
  losses: ["program", "encoders"],
  data: ["program"],
  rules: ["program", "encoders", "losses"],
  training: inner,
  evaluation: [...inner, "training"],
  conformance: [...inner, "training", "evaluation"],
  files: ["program"],
  datasets: ["program", "data", "files"],
  figures: [...inner, "training", "evaluation", "files"],
  // What a run's files hold, for whoever writes them: a folder, or a page.
  record: [...inner, "training", "evaluation"],
  runs: [...inner, "training", "evaluation", ...disk, "record"],
  exchange: [...inner, "training", "evaluation", ...disk, "record", "runs"],
  experiments: [...inner, "training", "evaluation", ...disk, "record", "runs"],
  cli: [
    ...[...inner, "training", "evaluation", ...disk, "record", "runs", "exchange", "experiments", "conformance"],
    ...implementations,
  ],
  // The public lists: what a page can run, and all of it.
  browser: [...inner, "training", "evaluation", "conformance", ...implementations],
  index: [
    "browser",
    ...inner,
    "training",
    "evaluation",
    ...disk,
    "record",
    "runs",
    "exchange",
    "experiments",
    ...implementations,
  ],
};

/** What a page can run has nothing of Node; of packages, only what it needs to check a configuration. Other folders may import any. */
const packages: Record<string, RegExp> = Object.fromEntries([
  ...[...engine, "data", "backends", "backends/webgpu", "evaluation", "conformance"].map((folder) => [folder, /^$/]),
  ["training", /^zod$/],
  ["record", /^yaml$/],
  // The z that plugins write their schemas with.
  ["browser", /^zod$/],
  ...["backends/reference", "backends/wasm"].map((folder) => [folder, /^node:/]),
]);

const specifier =
  /^(?:import|export)\s[^"'`;]*?\bfrom\s*["'](.+?)["']|^import\s*["'](.+?)["']|\bimport\(\s*["'`](.+?)["'`]\s*\)/gm;

function folderOf(file: string): string {
  const [, first = "", second = ""] = file.split("/");
  if (first === "backends" && !second.endsWith(".ts")) return `backends/${second}`;
  return first.replace(/\.ts$/, "");
}

function violations(file: string, source: string): string[] {
  const from = folderOf(file);
  const may = allowed[from];
  if (may === undefined)
    return [`${file} is in src/${from}, which the table in tests/project/imports.test.ts does not know`];
  return [...source.matchAll(specifier)].flatMap(([, fixed, bare, dynamic]) => {
    const target = fixed ?? bare ?? dynamic ?? "";
    if (!target.startsWith(".")) {
      return (packages[from] ?? /./).test(target)
        ? []
        : [`${file} imports ${target}: src/${from} imports no such package`];
    }
    const path = posix.join(dirname(file), target);
    const to = path.startsWith("src/") ? folderOf(path) : path;
    if (to === from || may.includes(to)) return [];
    return [`${file} imports ${target}: src/${from} may import ${may.join(", ") || "nothing outside itself"}`];
  });
}

const sources = globSync("src/**/*.ts")
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => !file.startsWith("src/backends/wasm/kernels/"));

test("every import follows the table", () => {
  expect(sources.flatMap((file) => violations(file, readFileSync(file, "utf8")))).toEqual([]);
});

test.each([
  ["src/rules/a.ts", 'import { x } from "../backends/wasm/x.ts";'],
  ["src/training/a.ts", 'import {\n  x,\n} from "../backends/reference/x.ts";'],
  ["src/training/a.ts", 'const x = await import("../backends/wasm/x.ts");'],
  ["src/losses/deep/a.ts", 'export * from "../../rules/x.ts";'],
  ["src/data/a.ts", 'import type { X } from "../backends/backend.ts";'],
  ["src/program/a.ts", 'import { z } from "zod";'],
  ["src/rules/a.ts", 'import { join } from "node:path";'],
  ["src/training/a.ts", 'import { join } from "node:path";'],
  ["src/data/a.ts", 'import { readFileSync } from "node:fs";'],
  ["src/record/a.ts", 'import { crc32 } from "node:zlib";'],
  ["src/record/a.ts", 'import { x } from "../runs/x.ts";'],
  ["src/evaluation/a.ts", 'import sharp from "sharp";'],
  ["src/evaluation/a.ts", 'import { x } from "../figures/x.ts";'],
  ["src/browser.ts", 'export { x } from "./runs/x.ts";'],
  ["src/cli/a.ts", 'import "../../bench/main.ts";'],
  ["src/somewhere/a.ts", ""],
])("%s with %j is refused", (file, source) => {
  expect(violations(file, source)).toHaveLength(1);
});

test.each([
  ["src/training/a.ts", 'import type { Backend } from "../backends/backend.ts";'],
  ["src/evaluation/a.ts", 'import { train } from "../training/trainer.ts";'],
  ["src/cli/main.ts", 'import { wasm } from "../backends/wasm/x.ts";'],
  ["src/backends/wasm/a.ts", 'import { Worker } from "node:worker_threads";'],
  ["src/program/a.ts", 'export function f(mode: "from" | "to"): void {}\nexport const from = "zod";'],
  ["src/index.ts", 'export * from "./program/tensor.ts";'],
])("%s with %j is allowed", (file, source) => {
  expect(violations(file, source)).toEqual([]);
});

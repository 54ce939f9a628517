// The package as its users have it: packed, installed in an empty project, imported, type-checked, run, and bundled for a page.

import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { type Browser, chromium } from "playwright-core";
import { x as extract } from "tar";
import { build, type InlineConfig, preview } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** Two steps on rendered solids: the same lines in Node and in a page. */
const training = (entry: string): string => `
import { createTrainer, parseConfig, proceduralObjects, wasmBackend } from "${entry}";

export async function train(): Promise<readonly number[]> {
  const data = { dataset: "procedural-objects", limit: 20, size: 16 };
  const config = parseConfig({ name: "two-steps", data, encoder: "tiny", batch: 10, epochs: 1, xrayEvery: 0 }, "consumer");
  const trainer = await createTrainer({ config, dataset: proceduralObjects({ split: "train", count: 20, seed: 0, size: 16 }), backend: wasmBackend({ threads: 1 }) });
  const losses: number[] = [];
  for (let step = 0; step < trainer.totalSteps; step++) losses.push((await trainer.step()).loss);
  await trainer.dispose();
  return losses;
}
`;

const folder = mkdtempSync(join(tmpdir(), "saccade-package-"));
const project = join(folder, "project");
let files: readonly string[];

beforeAll(async () => {
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    encoding: "utf8",
  });
  const [{ filename, files: listed }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  files = listed.map(({ path }) => path);
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "saccade"), { recursive: true });
  await extract({ file: join(folder, filename), cwd: join(modules, "saccade"), strip: 1 });
  // What `npm install` would fetch beside it stands in the checkout already.
  for (const name of readdirSync("node_modules"))
    if (!name.startsWith(".")) symlinkSync(resolve("node_modules", name), join(modules, name));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  writeFileSync(join(project, "train.ts"), training("saccade"));
  writeFileSync(
    join(project, "main.ts"),
    'import { train } from "./train.ts";\nconsole.log(JSON.stringify(await train()));\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("holds what is built and what it needs, no sources and no tests", () => {
  expect(files.filter((path) => /^(src|tests|bench|records|docs)\//.test(path))).toEqual([]);
  for (const path of [
    "dist/index.js",
    "dist/browser.d.ts",
    "dist/cli/main.js",
    "build/kernels.wasm",
    "configs/quickstart.yaml",
    "LICENSE",
  ])
    expect(files).toContain(path);
});

test("publishes without a complaint", () => {
  const { status, stderr } = spawnSync("npm", ["publish", "--dry-run", "--ignore-scripts"], { encoding: "utf8" });
  const complaints = stderr
    .split("\n")
    .filter((line) => /^npm (warn|error)/.test(line) && !line.includes("requires you to be logged in"));
  expect({ status, complaints }).toEqual({ status: 0, complaints: [] });
});

/** What a Node prints that runs a program in the project. */
const run = (node = "", ...words: string[]): string =>
  execFileSync(node, ["--disable-warning=ExperimentalWarning", ...words], { cwd: project, encoding: "utf8" });

/** This Node, and the oldest that is supported, where SACCADE_OLDEST_NODE names one. */
const oldest = process.env.SACCADE_OLDEST_NODE;

describe.each([
  ["this Node", process.execPath],
  ["the oldest Node", oldest],
])("under %s", (_, program) => {
  test.skipIf(program === undefined)("trains and has its command line", () => {
    const losses = JSON.parse(run(program, "main.ts"));
    expect(losses).toHaveLength(2);
    for (const loss of losses) expect(loss).toBeGreaterThan(0);
    expect(run(program, "node_modules/saccade/dist/cli/main.js", "--version")).toMatch(/^saccade \d+\.\d+\.\d+\n/);
  });

  test.skipIf(program === undefined)(
    "trains a network of one's own that lies outside the checkout, and exports it",
    () => {
      const saccade = (...words: string[]): string => run(program, "node_modules/saccade/dist/cli/main.js", ...words);
      cpSync("examples/my-network", join(project, "my-network"), { recursive: true });
      const network = "my-network/network.yaml";
      expect(saccade("explain", network)).toMatch(/^narrow +in +out +parameters +MACs$/m);
      const short = ["data.limit=50", "batch=25", "epochs=1", "--no-probe", "--json"];
      const { run: made } = JSON.parse(
        saccade("train", network, ...short)
          .trim()
          .split("\n")
          .at(-1) ?? "",
      );
      expect(saccade("export", made, "--to", "weights.safetensors")).toMatch(/^wrote weights\.safetensors: narrow/);
      rmSync(join(project, "weights.safetensors"));
    },
  );
});

test("has whole types: a strict project that checks its libraries compiles, with both resolutions", () => {
  writeFileSync(join(project, "page.ts"), training("saccade/browser"));
  const options = {
    strict: true,
    noEmit: true,
    target: "es2024",
    lib: ["es2024", "dom", "esnext"],
    types: ["node"],
    allowImportingTsExtensions: true,
    skipLibCheck: false,
  };
  for (const kind of [{ module: "nodenext" }, { module: "esnext", moduleResolution: "bundler" }]) {
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, ...kind }, files: ["main.ts", "page.ts"] }),
    );
    const { stdout } = spawnSync(process.execPath, [resolve("node_modules/typescript-7/bin/tsc"), "-p", project], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  }
});

test("documents everything that it exports", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["node_modules/typedoc/bin/typedoc", "--emit", "none"],
    { encoding: "utf8" },
  );
  expect({ status, told: stdout + stderr }).toMatchObject({ status: 0 });
});

const page = ["chromium", "chromium-browser"].map((name) => join("/usr/bin", name)).find((path) => existsSync(path));
const skipped = page === undefined && process.env.SACCADE_REQUIRE_CHROMIUM === undefined;

describe("in a page", () => {
  const warnings: string[] = [];
  const vite: InlineConfig = {
    root: project,
    configFile: false,
    logLevel: "warn",
    customLogger: {
      info: () => {},
      warn: (text) => warnings.push(text),
      warnOnce: (text) => warnings.push(text),
      error: (text) => warnings.push(text),
      clearScreen: () => {},
      hasErrorLogged: () => false,
      hasWarned: false,
    },
    worker: { format: "es" },
    build: { outDir: join(project, "built"), emptyOutDir: true, target: "es2022" },
  };

  beforeAll(async () => {
    writeFileSync(
      join(project, "index.html"),
      '<!doctype html><title>page</title><script type="module" src="./page-main.ts"></script>',
    );
    writeFileSync(
      join(project, "page-main.ts"),
      'import { train } from "./train.ts";\n(globalThis as { train?: unknown }).train = train;\n',
    );
    await build(vite);
  });

  test("bundles without a Node built-in", () => {
    const assets = join(project, "built", "assets");
    const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
    const text = scripts.map((name) => readFileSync(join(assets, name), "utf8")).join("\n");
    console.log(
      `the page's part of the package: ${Math.round(gzipSync(text).length / 1000)} kB of JavaScript, gzipped`,
    );
    expect(warnings).toEqual([]);
    expect(text).not.toMatch(/\b(?:from|import|require)\s*\(?\s*["'`]node:/);
    for (const heavy of ["sharp", "resvg", "linkedom", "commander"]) expect(text).not.toContain(`"${heavy}`);
  });

  test.skipIf(skipped)("trains to the losses of Node", async () => {
    if (page === undefined) throw new Error("SACCADE_REQUIRE_CHROMIUM is set, and there is no chromium in /usr/bin");
    const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
    const server = await preview({ ...vite, preview: { host: "127.0.0.1", port: 0, headers } });
    let browser: Browser | undefined;
    try {
      browser = await chromium.launch({ executablePath: page, args: ["--disable-gpu"], timeout: 50_000 });
      const tab = await browser.newPage();
      await tab.goto(server.resolvedUrls?.local[0] ?? "");
      await tab.waitForFunction(() => "train" in globalThis);
      const seen = await tab.evaluate(() => (globalThis as unknown as { train: () => Promise<number[]> }).train());
      expect(seen).toEqual(JSON.parse(run(process.execPath, "main.ts")));
    } finally {
      await browser?.close();
      await server.close();
    }
  });
});

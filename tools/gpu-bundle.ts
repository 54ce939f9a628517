// Packs what a bare Linux machine with a GPU lacks to test and measure this checkout: Node, the packages, Dawn, and the build, in one file.
//
//     npm install --no-save webgpu && node_modules/node/bin/node tools/gpu-bundle.ts [--out .gpu] [--fast]
//
// There, in a copy of the checkout that has this folder too, `bash tools/gpu-run.sh RESULTS` does the rest. --fast packs quickly, into a
// file a third larger.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatBytes } from "../src/program/explain.ts";

/** Packages of development that neither the tests of the engine nor the benchmark load. */
const development = `@biomejs @shikijs @types @typescript assemblyscript axe-core binaryen fflate markdown-it onnxruntime-web
  playwright-core preact @preact protobufjs sharp @img typedoc typescript typescript-7 .bin .cache .vite .vite-temp`;
/** Of Node and Dawn, parts are packed. */
const leftOut: ReadonlySet<string> = new Set([...development.split(/\s+/), "node", "webgpu"]);

const { values } = parseArgs({ options: { out: { type: "string", default: ".gpu" }, fast: { type: "boolean" } } });
const root = fileURLToPath(new URL("..", import.meta.url));
const out = resolve(values.out);

const run = (command: string, words: readonly string[], folder = root): void => {
  const { status, error } = spawnSync(command, words, { cwd: folder, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? `exit code ${status}`}`);
};

if (`${process.platform} ${process.arch}` !== "linux x64")
  throw new Error(`the bundle is made on Linux on x64, where it runs; this is ${process.platform} on ${process.arch}`);
const modules = join(root, "node_modules");
if (!existsSync(join(modules, "webgpu")))
  throw new Error("the package webgpu is not installed; npm install --no-save webgpu");
run(process.execPath, ["tools/prepare.mjs"]);

const packages = readdirSync(modules)
  .filter((name) => !leftOut.has(name))
  .map((name) => join("node_modules", name));
// Of Dawn's five platforms one; it may be a link.
const dawn = realpathSync(join(modules, "webgpu"));
const dawnFiles = ["package.json", "index.js", "dist/linux-x64"].map((name) => join(basename(dawn), name));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const tar = join(out, "bundle.tar");
const quiet = ["*.map", "*.d.ts", "*.d.mts", "*.d.cts", "*.md"].map((pattern) => `--exclude=${pattern}`);
run("tar", ["-cf", tar, ...quiet, ...packages, "node_modules/node/bin/node", "dist", "build"]);
run("tar", ["-rf", tar, `--transform=s,^,node_modules/,`, ...dawnFiles], dirname(dawn));
run("xz", ["-T0", values.fast ? "-0" : "-6", tar]);
// The loader that finds a driver for Vulkan: not everywhere where a driver is.
const loader = spawnSync("apt-get", ["download", "-qq", "libvulkan1"], { cwd: out, stdio: "ignore" });
if (loader.status !== 0) process.stderr.write("libvulkan1 was not fetched: the machine must have libvulkan.so.1\n");
for (const name of readdirSync(out))
  process.stdout.write(`${relative(process.cwd(), join(out, name))}  ${formatBytes(statSync(join(out, name)).size)}\n`);

// Makes a checkout ready to run: installs the packages and builds build/*.wasm and dist/, each only when it is missing or out of date.
// Plain JavaScript that Node 20 runs with nothing installed; tools/start.mjs and tools/test.mjs call it, `npm run build` is it.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const windows = process.platform === "win32";
export const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const bundledNode = join(modules, "node", "bin", windows ? "node.exe" : "node");
const stampFile = join(root, "build", "stamps.json");

/** What a person is told, and nothing more, when a step cannot be done. */
class Stop extends Error {}

/** Runs `main` and turns a Stop into its sentence and exit code 1. */
export async function run(main) {
  try {
    const [major] = process.versions.node.split(".").map(Number);
    if (major < 20) throw new Stop(`Saccade needs Node 20 or newer, and this is Node ${process.versions.node}.`);
    await main();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Installs what package-lock.json asks for. `part` is the "1/3" in front of the progress line; without it only work is mentioned. */
export async function install(part = "") {
  if (installed()) return say(part, "packages are installed");
  await timed(part, "installing packages (some 220 MB, once)", async () => {
    const options = "--include=dev --loglevel=error --no-audit --no-fund --no-progress --engine-strict=false";
    const patience = "--fetch-retry-mintimeout=2000 --fetch-retry-maxtimeout=10000";
    const { code, output } = await quietly("npm", ["ci", ...options.split(" "), ...patience.split(" ")], {
      // The folder that npm is about to replace may hold the very `node` that npm would start with.
      env: { ...process.env, PATH: withoutModules(process.env.PATH ?? "") },
      shell: windows,
    });
    if (code !== 0) throw new Stop(installFailure(code, output));
  });
  nodeProgram();
}

/** Builds the kernels and the library where their sources have changed since. */
export async function build(part = "") {
  const lock = join(root, "package-lock.json");
  const kernels = fingerprint(
    lock,
    join(root, "tools/build-kernels.ts"),
    join(root, "tools/winograd-transforms.ts"),
    join(root, "src/backends/wasm"),
  );
  const library = fingerprint(lock, join(root, "tsconfig.json"), join(root, "tsconfig.build.json"), join(root, "src"));
  const stamps = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, "utf8")) : {};
  const todo = [];
  if (stamps.kernels !== kernels || !existsSync(join(root, "build/kernels.wasm"))) {
    todo.push({ stamp: { kernels }, command: ["tools/build-kernels.ts"] });
  }
  if (stamps.library !== library || !existsSync(join(root, "dist/cli/main.js"))) {
    const command = ["node_modules/typescript-7/bin/tsc", "-p", "tsconfig.build.json"];
    todo.push({ stamp: { library }, command, after: nameWorker });
  }
  if (todo.length === 0) return say(part, "the build is up to date");
  await timed(part, "building", async () => {
    for (const { stamp, command, after } of todo) {
      const { code, output } = await quietly(nodeProgram(), command);
      if (code !== 0)
        throw new Stop(`${output.trimEnd()}\nThe build failed in \`node ${command.join(" ")}\`; see above.`);
      after?.();
      mkdirSync(join(root, "build"), { recursive: true });
      writeFileSync(stampFile, `${JSON.stringify(Object.assign(stamps, stamp))}\n`);
    }
    removeOrphans();
  });
}

/** The Node that runs Saccade: the development dependency; without it (npm's ignore-scripts) a recent enough system Node. */
export function nodeProgram() {
  if (existsSync(bundledNode)) return bundledNode;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  throw new Stop(
    "Node 24 was not fetched, probably because npm is set to ignore install scripts: run `npm rebuild node --ignore-scripts=false`, then try again.",
  );
}

/** Prints a progress line for which there is nothing to wait here. */
export function say(part, words) {
  if (part !== "") console.log(`${part} ${words}`);
}

async function timed(part, words, work) {
  process.stdout.write(`${part} ${words} … `.trimStart());
  const start = performance.now();
  try {
    await work();
  } catch (error) {
    process.stdout.write("failed\n");
    throw error;
  }
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`${seconds.toFixed(seconds < 10 ? 1 : 0)} s\n`);
}

/** True where npm's own note of what it laid down has every package that the lock file asks for, at that version. */
function installed() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const present = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages;
    nodeProgram();
    return Object.entries(wanted).every(
      ([path, { version, optional }]) =>
        path === "" || (optional && !present[path]) || present[path]?.version === version,
    );
  } catch {
    return false;
  }
}

function installFailure(code, output) {
  if (code === "ENOENT" || code === 127) return "npm was not found on PATH; it comes with Node.";
  const [, reason] = /npm (?:error|ERR!) code (\w+)/.exec(output) ?? [];
  if (/ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|SOCKET_TIMEOUT|ENOTCACHED/.test(reason ?? "")) {
    return `The npm registry could not be reached (${reason}), and the first run installs from it: connect to the network, then try again.`;
  }
  const lines = output.split("\n").map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim());
  const told =
    lines.find((line) => line.startsWith("Error: ")) ?? lines.find((line) => line !== "" && !line.startsWith("code "));
  return `\`npm ci\` failed${reason ? ` (${reason})` : ""}: ${told ?? `exit code ${code}`}`;
}

/** Runs a program without showing its output, which comes back together with the exit code. */
function quietly(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], ...options });
    let output = "";
    child.stdout.on("data", (bytes) => (output += bytes));
    child.stderr.on("data", (bytes) => (output += bytes));
    child.on("error", (error) => resolve({ code: error.code, output: error.message }));
    child.on("close", (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

function withoutModules(path) {
  return path
    .split(delimiter)
    .filter((folder) => !folder.startsWith(modules))
    .join(delimiter);
}

/** Every file under the given paths, by name. */
function files(path) {
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** One hash over the names and contents of files and folders: unlike times, it survives a clone and a change of branch. */
function fingerprint(...paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    for (const file of path.endsWith("src") || path.endsWith("wasm") ? files(path).sort() : [path]) {
      if (existsSync(file)) hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
    }
  }
  return hash.digest("hex");
}

/** A bundler finds the worker by this text, in which tsc does not change the file's ending. */
function nameWorker() {
  const file = join(root, "dist/backends/wasm/platform.js");
  writeFileSync(file, readFileSync(file, "utf8").replace('URL("./worker.ts"', 'URL("./worker.js"'));
}

/** Deletes from dist/ what has no source any more; tsc leaves it there. */
function removeOrphans() {
  for (const file of files(join(root, "dist"))) {
    const source = join(root, "src", `${file.slice(join(root, "dist").length).replace(/(\.d\.ts|\.js)$/, "")}.ts`);
    if (!existsSync(source)) rmSync(file);
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))) {
  await run(async () => {
    await install();
    await build();
  });
}

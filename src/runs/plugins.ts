// Loads plugins: files, or packages, that a command line names. Nothing else makes a file run: no configuration, no run folder.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire, findPackageJSON, registerHooks } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { checksum } from "../files/checksum.ts";
import { fromHome } from "../files/folders.ts";
import { SaccadeError } from "../program/errors.ts";
import { asPlugin, type Plugin, type PluginSource } from "../training/plugin.ts";

/** Every plugin of a command line, in its order. `from` is the folder that names are meant from. */
export async function loadPlugins(names: readonly string[], from = process.cwd()): Promise<Plugin[]> {
  const loaded: Plugin[] = [];
  for (const name of names) loaded.push(await loadPlugin(name, from));
  return loaded;
}

async function loadPlugin(name: string, from: string): Promise<Plugin> {
  const { path, source } = find(name, from);
  provideSaccade();
  if (source.package === undefined) modules.add(pathToFileURL(path).href);
  let module: { readonly default?: unknown };
  try {
    module = await import(/* @vite-ignore */ pathToFileURL(path).href);
  } catch (error) {
    throw new SaccadeError(`--plugin ${name}: ${whyNot(error as NodeJS.ErrnoException, path)}`, { cause: error });
  }
  return { ...asPlugin(module.default, name), source };
}

/** A path is a file, as is what ends like one; all else is a package, found as from `from`. */
function find(name: string, from: string): { readonly path: string; readonly source: PluginSource } {
  const isFile = /^[./~]|\.[cm]?[jt]s$/.test(name);
  const path = isFile ? resolve(from, fromHome(name)) : entryOf(name, from);
  if (!existsSync(path)) throw new SaccadeError(`--plugin ${name}: there is no such file`);
  if (statSync(path).isDirectory())
    throw new SaccadeError(
      `--plugin ${name}: must be a file or a package, got a folder; give the path of the rule's file`,
    );
  if (isFile && !/\.[cm]?[jt]s$/.test(path))
    throw new SaccadeError(`--plugin ${name}: must be a module, .ts or .js, got ${basename(path)}`);
  const bytes = readFileSync(path);
  if (isFile) return { path, source: { file: basename(path), sha256: checksum(bytes) } };
  const manifest = findPackageJSON(pathToFileURL(path)) ?? join(dirname(path), "package.json");
  const { name: own = name, version = "0" } = JSON.parse(readFileSync(manifest, "utf8")) as Record<string, string>;
  return {
    path,
    source: {
      file: relative(dirname(manifest), path).replaceAll("\\", "/"),
      package: `${own}@${version}`,
      sha256: checksum(bytes),
    },
  };
}

function entryOf(name: string, from: string): string {
  try {
    return createRequire(join(from, "package.json")).resolve(name);
  } catch {
    throw new SaccadeError(
      `--plugin ${name}: no such package is installed in ${from} or above it; a file is given by its path with its extension, as ./my-rule.ts`,
    );
  }
}

let provided = false;

/** A plugin's `import … from "saccade"` is this very Saccade, wherever the file lies and whatever is installed beside it. */
function provideSaccade(): void {
  if (provided) return;
  provided = true;
  const own = new URL(`../index${import.meta.url.slice(-3)}`, import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "saccade" ? { url: own, shortCircuit: true } : next(specifier, context),
    load: (url, context, next) => {
      const format = modules.has(url) ? formats[url.slice(-3)] : undefined;
      return next(url, format ? { ...context, format } : context);
    },
  });
}

/** Files of plugins: modules, whatever a package.json above them says of its own. */
const modules = new Set<string>();
const formats: Readonly<Record<string, string>> = { ".ts": "module-typescript", ".js": "module" };

function whyNot(error: NodeJS.ErrnoException, path: string): string {
  const { message = String(error), code, name, stack = "" } = error;
  const [first] = message.split("\n");
  if (code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING")
    return "within node_modules Node runs JavaScript alone; the package must be built, or give the file of its sources by another path";
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX")
    return `has TypeScript that cannot be erased (enum, namespace, parameter properties), and no build step makes it JavaScript: ${lineOf(stack, path)}${last(message)}`;
  if (code === "ERR_MODULE_NOT_FOUND" || /does not provide an export/.test(message))
    return `imports what is not there: ${first}`;
  if (code === "ERR_INVALID_TYPESCRIPT_SYNTAX" || name === "SyntaxError")
    return `cannot be parsed: ${lineOf(stack, path)}${last(message)}`;
  return `failed while it was loaded: ${lineOf(stack, path)}${first}`;
}

/** `my-rule.ts:3: `, where the stack says it. */
function lineOf(stack: string, path: string): string {
  const file = basename(path);
  const at = stack.indexOf(`${file}:`);
  const line = at < 0 ? undefined : /^:(\d+)/.exec(stack.slice(at + file.length));
  return line ? `${file}:${line[1]}: ` : "";
}

/** Of a message of several lines with a picture of the source, the last that says something. */
const last = (message: string): string =>
  message
    .split("\n")
    .filter((line) => line.trim() !== "")
    .at(-1)
    ?.trim() ?? "";

/** Files to pass to another process: paths that mean the same from anywhere. */
export const fromAnywhere = (names: readonly string[]): string[] =>
  names.map((name) => (/^[./~]|\.[cm]?[jt]s$/.test(name) ? resolve(fromHome(name)) : name));

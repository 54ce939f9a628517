// How the lab is served while it is worked on, and built: a folder of static files that stands under any address.

import { createHash } from "node:crypto";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Plugin, transformWithOxc, type UserConfig } from "vite";

/** They let the page share memory between threads; a host that cannot send them leaves it with one. */
export const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Zod's way to JSON schemas hangs on every schema, and nothing here goes it; nor are its own English sentences told, since
 * src/training/config-mistakes.ts has better ones; nor has a string here one of Zod's formats. 9 kB of what is fetched before Play, gzipped.
 */
const leanZod: Plugin = {
  name: "lean-zod",
  enforce: "pre",
  load: (id) => {
    if (/\/zod\/v4\/locales\/en\.js$/.test(id)) return "export default () => ({ localeError: () => undefined });";
    if (/\/zod\/v4\/core\/regexes\.js$/.test(id))
      return readFileSync(id, "utf8")
        .replace(
          /^export const (email|guid|cuid2?|ulid|xid|ksuid|nanoid|ipv[46]|cidrv[46]|base64(?:url)?|duration|hostname|domain|e164) = \/.*;$/gm,
          "export const $1 = /$^/;",
        )
        .replace(/^const dateSource = .*;$/m, 'const dateSource = "";')
        .replace(
          /^export function (datetime|time|emoji|nanoidOfLength)\([\s\S]*?^\}/gm,
          "export const $1 = () => /$^/;",
        )
        .replace(/^export const (uuid|mac) = \([\s\S]*?^\};/gm, "export const $1 = () => /$^/;");
    if (!/\/zod\/v4\/core\/(to-json-schema|json-schema-processors)\.js$/.test(id)) return undefined;
    const exported = readFileSync(id, "utf8").matchAll(/^export (?:const|function|class) (\w+)/gm);
    return Array.from(exported, ([, name]) => `export const ${name} = () => undefined;`).join("\n");
  },
};

/** Kernels are tried and timed where there is a revectorizer, in Node alone. */
const withoutTrial: Plugin = {
  name: "without-trial",
  enforce: "pre",
  load: (id) =>
    id.endsWith("/backends/wasm/simd-trial.ts") ? "export const tryKernels = () => undefined;" : undefined,
};

/** web/service-worker.ts beside the built page, with the names of its files. */
const serviceWorker: Plugin = {
  name: "service-worker",
  apply: "build",
  config: () => ({ define: { SACCADE_BUILT: "true" } }),
  writeBundle: async ({ dir = "" }) => {
    const own = "service-worker.js";
    const names = globSync("**/*.*", { cwd: dir }).map((name) => name.replaceAll("\\", "/"));
    const files = names.filter((name) => name !== own && name !== "index.html").sort();
    const sum = createHash("sha256");
    for (const name of [...files, "index.html"]) sum.update(name).update(readFileSync(join(dir, name)));
    const source = folder("service-worker.ts");
    const { code } = await transformWithOxc(readFileSync(source, "utf8"), source);
    const constants = { FILES: ["./", ...files], VERSION: sum.digest("hex").slice(0, 12) };
    const lines = Object.entries(constants).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
    writeFileSync(join(dir, own), lines.join("") + code);
  },
};

const { version } = JSON.parse(readFileSync(folder("../package.json"), "utf8")) as { version: string };

const config: UserConfig = {
  root: folder("."),
  base: "./",
  cacheDir: folder("../node_modules/.vite-lab"),
  publicDir: false,
  plugins: [serviceWorker],
  define: { SACCADE_VERSION: JSON.stringify(version) },
  server: { host: "127.0.0.1", port: 8421, headers: isolation, fs: { allow: [folder("..")] } },
  preview: { host: "127.0.0.1", port: 8421, headers: isolation },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es", plugins: () => [leanZod, withoutTrial] },
  build: { outDir: folder("../build/lab"), emptyOutDir: true, modulePreload: false, target: "es2022" },
};

export default config;

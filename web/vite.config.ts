// How the lab is served while it is worked on, and built: a folder of static files that stands under any address.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin, UserConfig } from "vite";

/** They let the page share memory between threads; a host that cannot send them leaves it with one. */
export const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Zod's way to JSON schemas hangs on every schema, and nothing here goes it; nor are its own English sentences told, since
 * src/training/config-mistakes.ts has better ones. 8 kB of what is fetched before Play, gzipped.
 */
const leanZod: Plugin = {
  name: "lean-zod",
  enforce: "pre",
  load: (id) => {
    if (/\/zod\/v4\/locales\/en\.js$/.test(id)) return "export default () => ({ localeError: () => undefined });";
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

const { version } = JSON.parse(readFileSync(folder("../package.json"), "utf8")) as { version: string };

const config: UserConfig = {
  root: folder("."),
  base: "./",
  cacheDir: folder("../node_modules/.vite-lab"),
  publicDir: false,
  define: { SACCADE_VERSION: JSON.stringify(version) },
  server: { host: "127.0.0.1", port: 8421, headers: isolation, fs: { allow: [folder("..")] } },
  preview: { host: "127.0.0.1", port: 8421, headers: isolation },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es", plugins: () => [leanZod, withoutTrial] },
  build: { outDir: folder("../build/lab"), emptyOutDir: true, modulePreload: false, target: "es2022" },
};

export default config;

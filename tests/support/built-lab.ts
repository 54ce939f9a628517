// The lab as it is built, served as `npm run preview` would: for the tests of the page in browsers.

import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type InlineConfig, preview } from "vite";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import type { Config } from "../../src/training/config.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import { base, type Raw } from "../../web/configuration.ts";
import vite from "../../web/vite.config.ts";

export interface BuiltLab {
  readonly address: string;
  readonly folder: string;
  readonly close: () => Promise<void>;
}

export async function builtLab(name: string): Promise<BuiltLab> {
  const folder = join(tmpdir(), `saccade-${name}-${process.pid}`);
  const settings: InlineConfig = {
    ...vite,
    configFile: false,
    logLevel: "warn",
    build: { ...vite.build, outDir: folder },
    preview: { ...vite.preview, port: 0, strictPort: false },
  };
  await build(settings);
  const server = await preview(settings);
  return {
    address: server.resolvedUrls?.local[0] ?? "",
    folder,
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Few pictures, so that a page is ready soon. */
export const small: Raw = { ...base, data: { ...(base.data as Raw), limit: 60 }, batch: 10, epochs: 5 };

/** Source of the accessibility checker, to be evaluated in a page. */
export const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Losses of the first steps, the newest first, as the page tells them. */
export async function lossesInNode(config: Config, steps: number): Promise<number[]> {
  const { split, limit: count = 1, seed, size = 32 } = config.data;
  const dataset = proceduralObjects({ split, count, seed, size });
  const trainer = await createTrainer({ config, dataset, backend: wasmBackend({ threads: "here" }) });
  const all: number[] = [];
  for (let step = 0; step < steps; step++) all.push((await trainer.step()).loss);
  await trainer.dispose();
  return all.reverse();
}

// Options that every command shares, read strictly: device, threads, seed, and the configuration with its overrides.

import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Backend } from "../backends/backend.ts";
import { decodeText } from "../files/files.ts";
import { fromHome } from "../files/folders.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { parseYaml } from "../record/config-text.ts";
import { describeData } from "../runs/configured-data.ts";
import { loadPlugins } from "../runs/plugins.ts";
import type { Config } from "../training/config.ts";
import { override, parseConfig } from "../training/parse-config.ts";
import { type Plugin, whose } from "../training/plugin.ts";
import type { DeviceName } from "./device-names.ts";

export interface CommonOptions {
  readonly json?: boolean;
  readonly seed?: number;
  readonly threads?: number;
  readonly device: DeviceName;
  /** Files and packages whose rules, losses and augmentations configurations may name. */
  readonly plugin?: readonly string[];
}

export async function openBackend({ device, threads }: CommonOptions): Promise<Backend> {
  if (device === "reference") {
    if (threads !== undefined && threads !== 1)
      throw wrong("--device reference", "--threads", "1 or left out, it has one thread", threads);
    return (await import("../backends/reference/backend.ts")).referenceBackend;
  }
  if (device === "webgpu") {
    if (threads !== undefined) throw wrong("--device webgpu", "--threads", "left out, the GPU has its own", threads);
    const { dawnGpu } = await import("./dawn.ts");
    const { webgpuBackend } = await import("../backends/webgpu/backend.ts");
    return webgpuBackend(await dawnGpu());
  }
  if (device === "auto") {
    const { chooseDevice } = await import("./choose-device.ts");
    const { device: chosen } = await chooseDevice();
    return openBackend({ device: chosen, ...(chosen === "webgpu" || threads === undefined ? {} : { threads }) });
  }
  const { wasmBackend } = await import("../backends/wasm/backend.ts");
  return wasmBackend(threads === undefined ? {} : { threads });
}

/**
 * A configuration whose dataset exists by name and fits its network; but for a researcher's own, its files may still be missing. Of its
 * probe's datasets nothing is known yet.
 */
export async function readConfig(
  path: string,
  overrides: readonly string[],
  { seed, plugin = [] }: CommonOptions,
): Promise<Config> {
  const raw = readYaml(path);
  for (const assignment of overrides) override(raw, assignment, parseValue);
  if (seed !== undefined) (raw as Record<string, unknown>).seed = seed;
  const plugins = await loadPlugins(plugin);
  const config = parseConfig(raw, path, plugins);
  for (const one of plugins)
    if (config.plugins?.[one.name] === undefined)
      process.stderr.write(`warning: ${whose(one)} is not used by this configuration; ${naming(one)}\n`);
  await describeData(config, path);
  return config;
}

/** How a configuration names a plugin. */
const naming = ({ kind, name }: Plugin): string =>
  `set ${kind === "update" ? `update=${name}` : `${kind}='{kind: ${name}}'`} to use it`;

export function parseValue(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** Keys and values of a file; `mend` is what to do where it cannot be read. */
export function readYaml(path: string, mend = "configs/ has examples, e.g. configs/quickstart.yaml"): object {
  let bytes: Buffer;
  try {
    bytes = readFileSync(fromHome(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SaccadeError(`${path}: cannot be read (${code === "EISDIR" ? "it is a folder" : code}); ${mend}`);
  }
  const text = decodeText(path, bytes);
  const raw = parseYaml(path, text);
  if (typeof raw !== "object" || raw === null || Array.isArray(raw))
    throw new SaccadeError(
      `${path}: must hold keys and values, got ${raw === null ? "nothing" : Array.isArray(raw) ? "a list" : typeof raw}`,
    );
  return raw;
}

// Where a run was made: commit, versions, processor, threads, backend. Written beside every run and record.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { Backend } from "../backends/backend.ts";

export interface Environment {
  readonly saccade: string;
  /** Commit of the checkout, with `-dirty` where files differ from it; null outside a checkout. */
  readonly commit: string | null;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly backend: string;
  readonly backendDescription: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));

export const version = (): string =>
  (JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string }).version;

export function environment(backend: Backend): Environment {
  return {
    saccade: version(),
    commit: commit(),
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    backend: backend.name,
    backendDescription: backend.description,
  };
}

export function commit(): string | null {
  const git = (...words: string[]): string =>
    execFileSync("git", ["-C", root, ...words], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    // Installed as a package, the folder may lie inside somebody else's checkout.
    if (git("rev-parse", "--show-prefix") !== "") return null;
    return git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain") === "" ? "" : "-dirty");
  } catch {
    return null;
  }
}

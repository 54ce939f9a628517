// Where a run was made: commit, versions, processor, threads, backend. Written beside every run and record, anew where a run goes on elsewhere.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Backend } from "../backends/backend.ts";
import { readText, writeWhole } from "../files/files.ts";

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
  /** Under which the same steps are the same to the bit. */
  readonly arithmetic: string;
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
    arithmetic: backend.arithmetic,
  };
}

/** environment.json says where a run in this folder began; environment-2.json, environment-3.json, … where it went on. */
const environmentFile = (folder: string, session: number): string =>
  join(folder, session === 1 ? "environment.json" : `environment-${session}.json`);

export const writeEnvironment = (folder: string, content: object, session = 1): Promise<void> =>
  writeWhole(environmentFile(folder, session), `${JSON.stringify(content, null, 2)}\n`);

/**
 * Notes that a run goes on from `step` in this environment, where that is not the one it was in before. A sentence comes back if the
 * arithmetic of the steps before was another, or is not known.
 */
export async function continueEnvironment(folder: string, step: number, now: Environment): Promise<string | undefined> {
  let sessions = 0;
  while (existsSync(environmentFile(folder, sessions + 1))) sessions++;
  const before = sessions === 0 ? undefined : readEnvironment(environmentFile(folder, sessions));
  const { fromStep, ...known } = before ?? {};
  if (JSON.stringify(known) === JSON.stringify(now)) return undefined;
  await writeEnvironment(folder, { fromStep: step, ...now }, sessions + 1);
  if (before?.backend === now.backend && before.arithmetic === now.arithmetic) return undefined;
  const engine = before === undefined ? "an engine that environment.json does not name" : engineOf(before);
  return `until step ${step} this run was computed by ${engine}; from here on by ${engineOf(now)}: what follows may differ in its last bits`;
}

type Noted = Partial<Environment> & { readonly fromStep?: number };

function readEnvironment(file: string): Noted | undefined {
  try {
    const noted = JSON.parse(readText(file)) as Noted | null;
    return typeof noted?.backend === "string" ? noted : undefined;
  } catch {
    return undefined;
  }
}

const engineOf = ({ backend, arithmetic, backendDescription }: Partial<Environment>): string =>
  `${backend}: ${arithmetic ?? backendDescription}`;

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

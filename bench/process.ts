// Part (e): what a process takes: peak memory of training, and how long the command line needs to start.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { measure, type Timing, timing } from "./measure.ts";
import { batchOf } from "./workloads.ts";

export interface ProcessCosts {
  /** The CIFAR step on 2 threads in a fresh process. */
  readonly memory: { readonly batch: number; readonly peakBytes: number; readonly engineBytes: number };
  readonly help: Timing;
  /** From `saccade train` to the first line of metrics.jsonl: one step of 100 rendered images, before it the first checkpoint. */
  readonly firstStep: Timing;
}

const run = promisify(execFile);
const file = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const cli = file("dist/cli/main.js");

export async function measureProcess(quick: boolean): Promise<ProcessCosts> {
  const batch = batchOf("cifar", quick);
  const { stdout } = await run(process.execPath, [file("bench/peak-memory.ts"), String(batch), "3"]);
  const validate = async (): Promise<void> => {
    const { stdout: help } = await run(process.execPath, [cli, "--help"]);
    if (!help.includes("Usage: saccade")) throw new Error(`saccade --help printed: ${help.slice(0, 200)}`);
  };
  const showHelp = (): Promise<unknown> => run(process.execPath, [cli, "--help"]);
  const help = await measure({ validate, run: showHelp }, { warmUp: 1, iterations: quick ? 2 : 7 });
  const seconds: number[] = [];
  for (let i = 0; i < (quick ? 1 : 5); i++) seconds.push(await firstStep());
  return {
    memory: { batch, ...(JSON.parse(stdout) as { peakBytes: number; engineBytes: number }) },
    help,
    firstStep: timing(seconds),
  };
}

async function firstStep(): Promise<number> {
  const runs = mkdtempSync(join(tmpdir(), "saccade-bench-"));
  const words = ["train", file("configs/quickstart.yaml"), "data.limit=100", "batch=100", "epochs=1", "--no-probe"];
  const start = performance.now();
  const child = spawn(process.execPath, [cli, ...words, "--runs", runs], { stdio: "ignore" });
  try {
    const ended = once(child, "exit") as Promise<[number | null]>;
    const stepped = (): boolean => globSync(join(runs, "*", "metrics.jsonl")).some((path) => statSync(path).size > 0);
    while (!stepped()) {
      if (child.exitCode !== null) throw new Error(`saccade train ended with ${child.exitCode} before its first step`);
      await setTimeout(5);
    }
    const seconds = (performance.now() - start) / 1000;
    await ended;
    return seconds;
  } finally {
    rmSync(runs, { recursive: true, force: true });
  }
}

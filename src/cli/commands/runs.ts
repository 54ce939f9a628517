// saccade runs: what has been trained.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { ProbeReport } from "../../evaluation/probe.ts";
import { wrong } from "../../program/errors.ts";
import { listRuns, type RunSummary, summariseRun } from "../../training/run-folder.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommonOptions } from "../options.ts";
import { formatTable } from "../table.ts";
import { printProbe } from "./probe.ts";

interface RunsOptions extends CommonOptions {
  readonly runs: string;
}

export async function runsCommand(what: string, path: string | undefined, options: RunsOptions): Promise<number> {
  if (what === "list") list(options);
  else if (what === "show") {
    if (path === undefined)
      throw wrong("runs show", "run", "a run folder", "nothing", "`saccade runs list` shows them");
    show(path, options);
  } else throw wrong("runs", "what", "list or show", what);
  return exitCodes.done;
}

function list({ runs: root, json }: RunsOptions): void {
  const runs = listRuns(root);
  if (json) {
    process.stdout.write(`${JSON.stringify(runs)}\n`);
    return;
  }
  if (runs.length === 0) {
    process.stdout.write(`no runs in ${root}; start one: saccade train configs/quickstart.yaml\n`);
    return;
  }
  const rows = runs.map(({ name, config, step, epoch, loss }) => [
    name,
    `${config.learning} ${config.update}, ${config.data.dataset}`,
    String(step),
    `${epoch.toFixed(1)} of ${config.epochs}`,
    loss === undefined ? "–" : loss.toPrecision(4),
  ]);
  process.stdout.write(`${formatTable([["run", "what", "steps", "epochs", "loss"], ...rows])}\n`);
}

function show(path: string, { json }: RunsOptions): void {
  const summary: RunSummary = summariseRun(path);
  const probeFile = join(path, "probe.json");
  const report = existsSync(probeFile) ? (JSON.parse(readFileSync(probeFile, "utf8")) as ProbeReport) : undefined;
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...summary, probe: report })}\n`);
    return;
  }
  const { config, step, epoch, loss } = summary;
  process.stdout.write(
    `${path}: ${step} steps, ${epoch.toFixed(1)} of ${config.epochs} epochs, loss ${loss?.toPrecision(4) ?? "–"}\n\n${stringify(config)}`,
  );
  if (report) printProbe(report);
}

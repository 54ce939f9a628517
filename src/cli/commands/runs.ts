// saccade runs: what has been trained.

import { imported } from "../../training/resume.ts";
import { configText, listRuns, type RunSummary, summariseRun } from "../../training/run-folder.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommonOptions } from "../options.ts";
import { formatTable } from "../table.ts";
import { printProbe, readProbe } from "./probe.ts";

interface RunsOptions extends CommonOptions {
  readonly runs: string;
}

/** Shows the run at `path`, or lists all. */
export async function runsCommand(path: string | undefined, options: RunsOptions): Promise<number> {
  if (path === undefined) list(options);
  else show(path, options);
  return exitCodes.done;
}

function list({ runs: root, json }: RunsOptions): void {
  const runs = listRuns(root, (message) => process.stderr.write(`left out: ${message}\n`));
  if (json) {
    process.stdout.write(`${JSON.stringify(runs)}\n`);
    return;
  }
  if (runs.length === 0) {
    process.stdout.write(`no runs in ${root}; start one: saccade train configs/quickstart.yaml\n`);
    return;
  }
  const rows = runs.map(({ name, config, epoch, epochs, loss }) => [
    name,
    config.data.dataset === imported
      ? `imported, ${config.encoder}`
      : `${config.learning} ${config.update}, ${config.data.dataset}`,
    `${Number(epoch.toFixed(1))}/${epochs}`,
    loss === undefined ? "–" : loss.toPrecision(4),
  ]);
  process.stdout.write(`${formatTable([["run", "what", "epochs", "loss"], ...rows])}\n`);
}

function show(path: string, { json }: RunsOptions): void {
  const summary: RunSummary = summariseRun(path);
  const report = readProbe(path);
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...summary, probe: report })}\n`);
    return;
  }
  const { config, step, epoch, epochs, loss } = summary;
  process.stdout.write(
    `${path}\n${step} steps, ${Number(epoch.toFixed(1))} of ${epochs} epochs, loss ${loss?.toPrecision(4) ?? "–"}\n\n${configText(config)}`,
  );
  if (report) printProbe(report);
}

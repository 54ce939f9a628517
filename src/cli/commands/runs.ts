// saccade runs list and show: what has been trained.

import { networkOf } from "../../encoders/networks.ts";
import { ofLastLayer, summarise } from "../../evaluation/probe.ts";
import { SaccadeError } from "../../program/errors.ts";
import { configText } from "../../record/config-text.ts";
import { imported } from "../../runs/resume.ts";
import { listRuns, type RunSummary, runFolder, summariseRun } from "../../runs/run-folder.ts";
import { type RunState, runState } from "../../runs/run-state.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommonOptions } from "../options.ts";
import { formatTable, textWidth } from "../table.ts";
import { currentProbe, printProbe } from "./probe.ts";

interface RunsOptions extends CommonOptions {
  readonly runs: string;
}

/** Shows the run at `path`, or lists all. */
export async function runsCommand(path: string | undefined, options: RunsOptions): Promise<number> {
  if (path === undefined) list(options);
  else show(path, options);
  return exitCodes.done;
}

export const stateOf = (summary: RunSummary): RunState => runState({ ...summary, run: runFolder(summary.path) });

/** Epochs done of those wanted. */
export const epochsText = ({ epoch, epochs }: RunSummary): string => `${Number(epoch.toFixed(1))}/${epochs}`;

export const lossText = ({ loss }: RunSummary): string => loss?.toPrecision(4) ?? "–";

function list({ runs: root, json }: RunsOptions): void {
  const leftOut = (message: string): void => void process.stderr.write(`left out: ${message}\n`);
  const runs = listRuns(root, leftOut).map((run) => ({
    ...run,
    state: stateOf(run),
    accuracy: accuracyOf(run, leftOut),
  }));
  if (json) {
    process.stdout.write(`${JSON.stringify(runs)}\n`);
    return;
  }
  if (runs.length === 0) {
    process.stdout.write(`no runs in ${root}; start one: saccade train configs/quickstart.yaml\n`);
    return;
  }
  const table = (withData: boolean): string =>
    formatTable([
      ["run", "what", "epochs", "state", "loss", "probe %"],
      ...runs.map((run) => [
        run.name,
        whatOf(run, withData),
        epochsText(run),
        run.state,
        lossText(run),
        run.accuracy === undefined ? "–" : (100 * run.accuracy).toFixed(1),
      ]),
    ]);
  const whole = table(true);
  const fits = whole.indexOf("\n") <= textWidth();
  process.stdout.write(`${fits ? whole : table(false)}\n`);
}

function whatOf({ config }: RunSummary, withData: boolean): string {
  const { learning, update, data, encoder } = config;
  if (data.dataset === imported) return `imported, ${networkOf(encoder).name}`;
  return `${learning} ${update}${withData ? `, ${data.dataset}` : ""}`;
}

/** Of the trained code, as the newest probe found it: by the paper's read-out or else the first, with the most labels. */
function accuracyOf({ path }: RunSummary, leftOut: (message: string) => void): number | undefined {
  try {
    const trained = summarise(ofLastLayer(currentProbe(path)?.scores ?? [])).filter(
      ({ subject }) => subject === "trained",
    );
    const labels = ({ labelsPerClass }: (typeof trained)[number]): number =>
      labelsPerClass === "all" ? Infinity : labelsPerClass;
    const readOut = trained.find((mean) => mean.readOut === "paper")?.readOut ?? trained[0]?.readOut;
    return trained.filter((mean) => mean.readOut === readOut).sort((a, b) => labels(b) - labels(a))[0]?.mean;
  } catch (error) {
    if (!(error instanceof SaccadeError)) throw error;
    leftOut(error.message);
    return undefined;
  }
}

function show(path: string, { json }: RunsOptions): void {
  const summary: RunSummary = summariseRun(path);
  const report = currentProbe(path);
  const state = stateOf(summary);
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...summary, state, probe: report })}\n`);
    return;
  }
  const { config, step, epoch, epochs } = summary;
  process.stdout.write(
    `${path}\n${state}, ${step} steps, ${Number(epoch.toFixed(1))} of ${epochs} epochs, loss ${lossText(summary)}\n\n${configText(config)}`,
  );
  if (report) printProbe(report);
}

// saccade reproduce: the paper's tables and figures, cell by cell, and a report that sets the published numbers beside ours.

import { join } from "node:path";
import { nearest } from "../../data/nearest.ts";
import { assemble, planExperiments } from "../../experiments/assemble.ts";
import { experiments } from "../../experiments/experiments.ts";
import { createPlan, type Planned } from "../../experiments/plan.ts";
import type { PresetName } from "../../experiments/recipes.ts";
import { writeReport } from "../../experiments/report/write.ts";
import type { Report } from "../../experiments/report.ts";
import { type ScaleName, scales } from "../../experiments/scales.ts";
import { openStore, readRecords, recordFile, type Store } from "../../experiments/store.ts";
import type { Study } from "../../experiments/study.ts";
import { shellWord, writeWhole } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { exitCodes } from "../exit-codes.ts";
import { openBackend } from "../options.ts";
import { listPlan, type PlanOptions, runPlan } from "../run-plan.ts";
import { wrap } from "../table.ts";

export interface ReproduceOptions extends PlanOptions {
  readonly scale: ScaleName;
  readonly preset: PresetName;
  readonly seeds: number;
  readonly substitute?: boolean;
  readonly out?: string;
  /** Where the report is put; default inside `out`. */
  readonly report?: string;
  readonly records: string;
}

export async function reproduceCommand(names: readonly string[], options: ReproduceOptions): Promise<number> {
  const { scale, preset, substitute = false, seed = 0 } = options;
  const chosen = chosenExperiments(names);
  const study: Study = {
    scale: scales[scale],
    preset,
    seeds: Array.from({ length: options.seeds }, (_, i) => seed + i),
    substitute,
  };
  const out = options.out ?? join("reproduced", preset === "ours" ? scale : `${scale}-${preset}`);
  const store = openStore(out, readRecords(options.records));
  const plan = createPlan();
  const planned = await planExperiments(chosen, study, plan);
  for (const { experiment, missing } of planned)
    if (missing !== undefined) process.stderr.write(`${wrap(`left out: ${experiment.name}: ${missing}`)}\n`);
  if (planned.every(({ missing }) => missing !== undefined))
    throw new SaccadeError("reproduce: none of the requested tasks can be run here");
  if (options.list) {
    process.stdout.write(listPlan(plan, store, options.only));
    return exitCodes.done;
  }
  const ended = await runPlan(plan, store, options);
  if (options.dryRun) return ended ?? exitCodes.done;
  const report = await assemble(planned, study, plan.tasks(), {
    outcomeOf: store.outcome,
    command: commandOf(names, options),
    backend: await openBackend(options),
  });
  const folder = options.report ?? join(out, "report");
  await writeReport(folder, report);
  await writeOutcomes(folder, plan.tasks(), store);
  if (options.json)
    process.stdout.write(`${JSON.stringify({ report: join(folder, "index.html"), ...summary(report) })}\n`);
  else process.stdout.write(`${text(report, folder)}\n`);
  return ended ?? exitCodes.done;
}

function chosenExperiments(names: readonly string[]): typeof experiments {
  const known = experiments.map(({ name }) => name);
  for (const name of names)
    if (name !== "all" && !known.includes(name)) {
      const close = nearest(name, known);
      throw wrong("reproduce", "what", `all, ${known.join(", ")}`, name, close && `did you mean ${close}?`);
    }
  return experiments.filter(({ name }) => names.includes("all") || names.includes(name));
}

function commandOf(names: readonly string[], options: ReproduceOptions): string {
  const { scale, preset, seeds, seed, substitute, only } = options;
  const words = [
    "saccade reproduce",
    ...names,
    `--scale ${scale}`,
    ...(preset === "ours" ? [] : [`--preset ${preset}`]),
    ...(seeds === 1 ? [] : [`--seeds ${seeds}`]),
    ...(seed === undefined ? [] : [`--seed ${seed}`]),
    ...(substitute ? ["--substitute"] : []),
    ...(only === undefined ? [] : [`--only ${shellWord(only.source)}`]),
  ];
  return words.join(" ");
}

/** The results themselves, in the order and by the names of the plan, as a later reproduction may take them. */
export async function writeOutcomes(folder: string, tasks: readonly Planned[], store: Store): Promise<void> {
  const lines = tasks.flatMap(({ key, title }) => {
    const outcome = store.outcome(key);
    return outcome === undefined ? [] : [`${JSON.stringify({ ...outcome, title })}\n`];
  });
  await writeWhole(join(folder, recordFile), lines.join(""));
}

const summary = ({ done, results, experiments: parts }: Report): object => ({
  done,
  results,
  claims: parts.flatMap(({ claims }) => claims.map(({ text, source, decision }) => ({ text, source, decision }))),
});

function text({ done, results, experiments: parts }: Report, folder: string): string {
  const claims = parts.flatMap((part) => part.claims);
  const lists = (["does not hold", "holds", "not decided"] as const).flatMap((decision) => {
    const list = claims
      .filter((claim) => claim.decision === decision)
      .map((claim) => `${claim.text} (${claim.source})`);
    return list.length === 0 ? [] : [`${decision}: ${list.join("; ")}`];
  });
  return [...done, ...results, ...lists, `The report is ${join(folder, "index.html")}`]
    .map((line) => wrap(line))
    .join("\n");
}

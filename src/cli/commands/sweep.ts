// saccade sweep: a configuration under every combination of some values and seeds, in one table with its picture.

import { basename, join } from "node:path";
import type { z } from "zod";
import { bestRows, methodsOf, tableFigures } from "../../experiments/assemble.ts";
import { createPlan } from "../../experiments/plan.ts";
import { writeReport } from "../../experiments/report/write.ts";
import type { Report, ReportTable } from "../../experiments/report.ts";
import { planRows } from "../../experiments/rows.ts";
import { type Outcome, openStore, readRecords } from "../../experiments/store.ts";
import { type Sweep, sweepRows, sweepSchema, testedOnTestSet, valuesOf, varied } from "../../experiments/sweep.ts";
import { shellWord } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { loadPlugins } from "../../runs/plugins.ts";
import { exitCodes } from "../exit-codes.ts";
import { parseValue, readYaml } from "../options.ts";
import { tableRows } from "../report-table.ts";
import { listPlan, type PlanOptions, runPlan } from "../run-plan.ts";
import { formatTable, wrap } from "../table.ts";
import { writeOutcomes } from "./reproduce.ts";

export interface SweepOptions extends PlanOptions {
  readonly seeds: number;
  readonly holdOut?: number;
  readonly teraflops?: number;
  readonly out?: string;
  readonly report?: string;
  readonly records: string;
}

export async function sweepCommand(path: string, overrides: readonly string[], options: SweepOptions): Promise<number> {
  const sweep = sweepOf(path, overrides, options);
  const name = basename(path).replace(/\.ya?ml$/, "");
  const { rows, probe } = await sweepRows(
    sweep,
    () => readYaml(sweep.base),
    parseValue,
    await loadPlugins(options.plugin ?? []),
  );
  const { seed = 0 } = options;
  const seeds = Array.from({ length: options.seeds }, (_, i) => seed + i);
  const out = options.out ?? join("swept", name);
  const store = openStore(out, readRecords(options.records));
  const plan = createPlan();
  const { holdOut } = sweep;
  const planned = await planRows({ seeds }, plan, { experiment: name, rows, probe, holdOut });
  if (options.list) {
    process.stdout.write(listPlan(plan, store, options.only));
    return exitCodes.done;
  }
  const ended = await runPlan(plan, store, options);
  if (options.dryRun) return ended ?? exitCodes.done;
  const read: Parameters<typeof planned.table>[0] = ({ key }) => store.outcome(key)?.value as never;
  const what = varied(sweep);
  const title = what.length === 0 ? name : `${name}: ${what.join(" × ")}`;
  const table = { ...planned.table(read, { name: "sweep", caption: captionOf(sweep, seeds) }), title };
  const notes = holdOut === undefined ? [testedOnTestSet(probe)] : [];
  const outcomes = plan.tasks().flatMap(({ key }) => store.outcome(key) ?? []);
  const command = commandOf(path, overrides, options);
  const report = await reportOf(name, table, planned.methods(read), { outcomes, seeds, command, notes });
  const folder = options.report ?? join(out, "report");
  await writeReport(folder, report);
  await writeOutcomes(folder, plan.tasks(), store);
  if (options.json) process.stdout.write(`${JSON.stringify({ report: join(folder, "index.html"), table, notes })}\n`);
  else
    process.stdout.write(
      `${formatTable(tableRows(table), 1)}\n\n${[table.caption, ...notes].map((line) => wrap(line)).join("\n")}\n${wrap(`The report is ${join(folder, "index.html")}`)}\n`,
    );
  return ended ?? exitCodes.done;
}

/** A file is a sweep where it has a base, and else the configuration itself, whose sweep the command line says. */
function sweepOf(path: string, overrides: readonly string[], { holdOut, teraflops }: SweepOptions): Sweep {
  const raw = readYaml(path);
  const more = { ...(holdOut === undefined ? {} : { holdOut }), ...(teraflops === undefined ? {} : { teraflops }) };
  const given = overrides.map(valuesOf);
  const vary = Object.fromEntries(
    given.filter(({ values }) => values.length > 1).map(({ key, values }) => [key, [...values]]),
  );
  const set = given.filter(({ values }) => values.length === 1).map(({ key, values }) => `${key}=${values[0]}`);
  if (!("base" in raw)) return sweepSchema.parse({ base: path, set, vary, ...more });
  const parsed = sweepSchema.safeParse({ ...raw, ...more });
  if (!parsed.success) throw new SaccadeError(`${path}: ${parsed.error.issues.map(issueText).join("; ")}`);
  const { data } = parsed;
  return { ...data, set: [...data.set, ...set], vary: { ...data.vary, ...vary } };
}

const issueText = ({ path, message }: z.core.$ZodIssue): string => `${path.join(".") || "the file"}: ${message}`;

function captionOf({ holdOut, teraflops }: Sweep, seeds: readonly number[]): string {
  const tested =
    holdOut === undefined
      ? "the test set"
      : `the last ${holdOut} pictures of probe.train; nothing was read of the test set`;
  const budget = teraflops === undefined ? "" : ` Every run costs about ${teraflops} TFLOP.`;
  return `Accuracy in %, ${seeds.length === 1 ? `seed ${seeds[0]}` : `mean ± sd over ${seeds.length} seeds`}, tested on ${tested}.${budget}`;
}

function commandOf(
  path: string,
  overrides: readonly string[],
  { seeds, seed, holdOut, teraflops, plugin = [] }: SweepOptions,
): string {
  return [
    "saccade sweep",
    ...[path, ...overrides].map(shellWord),
    ...(seeds === 1 ? [] : [`--seeds ${seeds}`]),
    ...(seed === undefined ? [] : [`--seed ${seed}`]),
    ...(holdOut === undefined ? [] : [`--hold-out ${holdOut}`]),
    ...(teraflops === undefined ? [] : [`--teraflops ${teraflops}`]),
    ...plugin.map((name) => `--plugin ${shellWord(name)}`),
  ].join(" ");
}

async function reportOf(
  name: string,
  table: ReportTable,
  text: readonly string[],
  {
    outcomes,
    seeds,
    command,
    notes,
  }: {
    readonly outcomes: readonly Outcome[];
    readonly seeds: readonly number[];
    readonly command: string;
    readonly notes: readonly string[];
  },
): Promise<Report> {
  if (table.rows.length === 0) throw wrong("sweep", "rows", "at least one", 0);
  const part = {
    name: "sweep",
    title: "Every setting",
    text: [],
    training: text,
    substitutes: [],
    claims: [],
    ledger: [],
  };
  const figures = await tableFigures({ tables: [table], ledger: [] });
  return {
    title: `Sweep: ${name}`,
    scope: [table.caption, ...notes],
    done: [`${outcomes.length} results.`],
    results: bestRows(table),
    experiments: [{ ...part, tables: [table], figures }],
    methods: [["seeds", seeds.join(", ")], ...methodsOf(outcomes)],
    seconds: outcomes.reduce((sum, { seconds }) => sum + seconds, 0),
    deviations: [],
    command,
  };
}

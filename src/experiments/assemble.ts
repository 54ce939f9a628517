// From experiments and results to a report: each experiment's part, what its claims come to, and how all of it was made.

import type { Backend } from "../backends/backend.ts";
import { knownDatasets } from "../datasets/known-datasets.ts";
import type { Experiment, ExperimentPart, MakePart } from "./experiment.ts";
import type { Plan, Planned, Read } from "./plan.ts";
import { accuracyFigure } from "./report/accuracy-figure.ts";
import { plausibilityFigure } from "./report/plausibility-figure.ts";
import { statistics } from "./report/summary.ts";
import type { Decision, ExperimentReport, Report, ReportFigure, ReportTable } from "./report.ts";
import type { Outcome } from "./store.ts";
import { missingDataset, type Study, standIn } from "./study.ts";

export interface PlannedExperiment {
  readonly experiment: Experiment;
  /** Why it is not run. */
  readonly missing: string | undefined;
  readonly part: MakePart | undefined;
}

/** Asks every experiment for its tasks; one whose dataset is missing has none. */
export async function planExperiments(
  chosen: readonly Experiment[],
  study: Study,
  plan: Plan,
): Promise<PlannedExperiment[]> {
  const planned: PlannedExperiment[] = [];
  for (const experiment of chosen) {
    const missing = experiment.roles.map((role) => missingDataset(role, study)).find((why) => why !== undefined);
    const part = missing === undefined ? await experiment.plan(study, plan) : undefined;
    planned.push({ experiment, missing, part });
  }
  return planned;
}

export interface Sources {
  readonly outcomeOf: (key: string) => Outcome | undefined;
  /** How the report is made again. */
  readonly command: string;
  readonly backend: Backend;
}

export async function assemble(
  planned: readonly PlannedExperiment[],
  study: Study,
  tasks: readonly Planned[],
  { outcomeOf, command, backend }: Sources,
): Promise<Report> {
  const read: Read = ({ key }) => outcomeOf(key)?.value as never;
  const parts: ExperimentReport[] = [];
  for (const { experiment, missing, part } of planned) {
    const { name, title, roles } = experiment;
    const nothing: ExperimentPart = { text: [], tables: [], claims: [], figures: [], ledger: [] };
    const made = part ? await part(read, backend) : nothing;
    const substitutes = missing === undefined ? roles.flatMap((role) => standIn(role, study) ?? []) : [];
    // What rendered pictures say is nothing of the paper's.
    const claims = made.claims.map((claim) =>
      study.scale.rendered && claim.decision ? { ...claim, decision: "not decided" as const } : claim,
    );
    const figures = [...(await tableFigures(made)), ...made.figures];
    parts.push({ name, title, substitutes, missing, ...made, claims, figures });
  }
  const outcomes = tasks.flatMap(({ key }) => outcomeOf(key) ?? []);
  return {
    title: "Tang, Yang & Amit (2022), reproduced",
    scale: study.scale.name,
    preset: study.preset,
    scope: [
      "Biologically Plausible Training Mechanisms for Self-Supervised Learning in Deep Networks (doi 10.3389/fncom.2022.789253): do encoders that learn from pairs of views by local rules represent pictures as well as those that backpropagation trains?",
      `Scale ${study.scale.name}: ${study.scale.about}. Preset ${study.preset}: ${presetWords[study.preset]}.`,
    ],
    done: doneWords(tasks, outcomes, study),
    results: resultWords(parts),
    experiments: parts,
    methods: [...studyMethods(study), ...methodsOf(outcomes)],
    seconds: outcomes.reduce((sum, { seconds }) => sum + seconds, 0),
    deviations: deviationsOf(study),
    command,
  };
}

/** Every table as a picture with all seeds, and accuracy against cost and plausibility where configurations were audited. */
export async function tableFigures({
  tables,
  ledger,
}: Pick<ExperimentPart, "tables" | "ledger">): Promise<ReportFigure[]> {
  const figures: ReportFigure[] = [];
  for (const table of tables) {
    if (!table.rows.some(({ cells }) => cells.some((cell) => typeof cell !== "string"))) continue;
    const svg = await accuracyFigure(table);
    const caption = `${table.title ?? table.caption.replace(/\.$/, "")}. Every seed is a dot.`;
    figures.push({ name: `${table.name}-accuracies`, caption, svg });
  }
  if (ledger.some(({ gain }) => gain !== undefined)) {
    const svg = await plausibilityFigure(ledger);
    const caption =
      "What a rule gains over the random encoder (mean of the read-outs), against what a pair of views costs; marks say how many of the paper's conditions (i)–(iv) it satisfies.";
    figures.push({ name: "plausibility-cost-accuracy", caption, svg });
  }
  return figures;
}

const presetWords = {
  ours: "our own learning rates and schedules, inputs in [−1, 1]",
  "paper-text": "what the paper's text says",
  "authors-code": "what the authors' code does where it differs from the paper's text",
} as const;

function doneWords(tasks: readonly Planned[], outcomes: readonly Outcome[], { seeds }: Study): string[] {
  const runs = tasks.filter(({ task }) => task.kind === "train").length;
  const trained = outcomes.filter(({ kind }) => kind === "train");
  const diverged = trained.filter(({ value }) => "diverged" in value);
  const measured = outcomes.length - trained.length;
  const one = seeds.length === 1;
  return [
    `${trained.length} of ${runs} networks were trained, with ${one ? "one seed" : `${seeds.length} seeds`} (${seeds.join(", ")}); ${measured} of ${tasks.length - runs} measurements were made.`,
    ...(diverged.length > 0
      ? [`${diverged.length} of the networks diverged: ${diverged.map(({ title }) => title).join("; ")}.`]
      : []),
  ];
}

/** Counts of the claims, and of every table its best row beside the random encoder. */
function resultWords(parts: readonly ExperimentReport[]): string[] {
  const claims = parts.flatMap((part) => part.claims);
  const counted = (wanted: Decision | undefined, one: string, several: string): string => {
    const count = claims.filter(({ decision }) => decision === wanted).length;
    return `${count} ${count === 1 ? one : several}`;
  };
  const unmeasured = claims.some(({ decision }) => decision === undefined);
  return [
    ...(claims.length === 0
      ? []
      : [
          `Claims of the paper: ${[
            counted("holds", "holds", "hold"),
            counted("does not hold", "does not hold", "do not hold"),
            counted("not decided", "is not decided by these runs", "are not decided by these runs"),
            ...(unmeasured ? [counted(undefined, "was not measured", "were not measured")] : []),
          ].join(", ")}.`,
        ]),
    ...parts.flatMap(({ title, tables }) =>
      tables.slice(0, 1).flatMap((table) => bestRows(table, title.split(":")[0])),
    ),
  ];
}

/** "Table 1, kNN, all labels: random encoder 33.1 %, best of 23 rows 40.2 % (hinge, GLL, URF)." Nothing of a table without a random encoder. */
export function bestRows({ columns, rows }: ReportTable, name?: string): string[] {
  const random = rows.find(({ floor, title }) => floor && title.startsWith("random"));
  return columns.flatMap((column, i) => {
    const next = columns[i + 1];
    // The last number of labels of every read-out.
    if (next !== undefined && next.group === column.group) return [];
    const measured = rows.flatMap(({ title, floor, cells }) => {
      const cell = floor ? undefined : statistics(cells[i]);
      return cell === undefined ? [] : [{ title, accuracy: cell.mean }];
    });
    if (measured.length === 0 || random === undefined) return [];
    const beside = statistics(random.cells[i]);
    const best = measured.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
    const where = [name, column.group, column.title].filter((word) => word !== undefined).join(", ");
    return [
      `${where}: random encoder ${beside ? percent(beside.mean) : "not measured"}, ${measured.length === 1 ? "the one row" : `best of ${measured.length} rows`} ${percent(best.accuracy)} (${best.title}).`,
    ];
  });
}

const percent = (accuracy: number): string => `${accuracy.toFixed(1)}\u00a0%`;

/** Versions and machines of some results. */
export function methodsOf(outcomes: readonly Outcome[]): [string, string][] {
  const of = (pick: (outcome: Outcome) => string): string => [...new Set(outcomes.map(pick))].sort().join("; ");
  return [
    ["Saccade", of(({ saccade, commit }) => `${saccade}${commit === null ? "" : `, commit ${commit}`}`)],
    ["machine", of(({ processor, cores, backend }) => `${processor}, ${cores} cores, ${backend}`)],
  ];
}

function studyMethods(study: Study): [string, string][] {
  const data = Object.entries(study.scale.settings).map(
    ([name, { images, batch, epochs, labelled, tested }]) =>
      `${name}: ${images.toLocaleString("en-US")} pictures, batches of ${batch}, ${epochs} epochs end to end; labels of ${labelled.toLocaleString("en-US")}, tested on ${tested.toLocaleString("en-US")}`,
  );
  return [
    ["scale", study.scale.name],
    ["preset", study.preset],
    ["seeds", study.seeds.join(", ")],
    ["sizes", data.join("; ")],
    [
      "layers that learn alone",
      study.scale.sameCompute
        ? "as many epochs as cost the same floating-point operations as BP end to end in the same column"
        : "as many epochs each as the network has end to end",
    ],
  ];
}

function deviationsOf({ scale, preset }: Study): string[] {
  const rendered = scale.rendered ? ["All pictures are rendered solids: no number says anything of the paper's."] : [];
  const shorter =
    scale.name === "paper"
      ? [`${knownDatasets["stl-10"].title} is trained in batches of 100; the authors' are of 250.`]
      : [
          `The paper trains far longer (400 epochs of all pictures on CIFAR-100): its numbers stand beside ours, not against them.`,
        ];
  const own =
    preset === "ours" ? ["Learning rates, schedules and the range of inputs are ours, found on rendered solids."] : [];
  return [
    ...rendered,
    ...shorter,
    ...own,
    "The paper prints single numbers without a spread, and for Tables 3 and 4 and Supplement C none are at hand: there the order that its text claims is checked.",
    "The paper's classifier alone also measures how large the features are: two other read-outs stand beside it.",
  ];
}

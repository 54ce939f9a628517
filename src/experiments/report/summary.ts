// What every form of a report says alike: means and spreads in per cent, claims by verdict, what was not run, where figures stand.

import { type Condition, conditions } from "../../program/audit.ts";
import { mean } from "../../program/mean.ts";
import type {
  Decision,
  ExperimentReport,
  Ledger,
  Measured,
  Report,
  ReportedClaim,
  ReportFigure,
  ReportTable,
  TableCell,
  TableRow,
} from "../report.ts";

/** Of the seeds that have a number, in per cent. */
export interface Statistics {
  readonly values: readonly number[];
  readonly mean: number;
  /** Sample standard deviation, Σ (x − mean)² / (n − 1) under a root; undefined of one seed. */
  readonly sd: number | undefined;
}

/** Undefined of words, and where no seed has a number. */
export function statistics(cell: TableCell): Statistics | undefined {
  if (typeof cell === "string") return undefined;
  const values = cell.values.filter(Number.isFinite).map((share) => 100 * share);
  if (values.length === 0) return undefined;
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return {
    values,
    mean: centre,
    sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : undefined,
  };
}

/** `61.2 ± 0.4`, `61.2`. */
export const spreadText = ({ mean: centre, sd }: Statistics): string =>
  sd === undefined ? centre.toFixed(1) : `${centre.toFixed(1)} ± ${sd.toFixed(1)}`;

/** Points with their sign: `+1.3`, `−0.4`, `0.0`. */
export function signed(points: number): string {
  const digits = Math.abs(points).toFixed(1);
  return Number(digits) === 0 ? digits : `${points < 0 ? "−" : "+"}${digits}`;
}

/** Ours − published, for every number that the paper prints: `−10.2`, `−10.2 / −8.8`. */
export const differenceText = ({ mean: ours }: Statistics, published: readonly number[]): string =>
  published.map((paper) => signed(ours - paper)).join(" / ");

/** In per cent, with the two decimals of the paper's tables. */
export const publishedText = ({ published = [] }: Pick<TableRow, "published">, between = " / "): string =>
  published.map((paper) => paper.toFixed(2)).join(between);

export const hasPublished = (rows: readonly TableRow[]): boolean => rows.some(({ published = [] }) => published.length);

export const tableTitle = ({ title, caption }: ReportTable): string => title ?? caption;

/** Whether a difference to a published number means something in it. */
export const isCompared = ({ rows, columns }: ReportTable): boolean =>
  hasPublished(rows) && columns.some(({ asPublished }) => asPublished);

export const hasGains = ({ rows }: ReportTable): boolean =>
  rows.some(({ floor, cells }) => !floor && cells.some((cell) => typeof cell !== "string" && cell.gain !== undefined));

/** `1 of 3 failed`, where a seed has no number. */
export function failureText({ values }: Measured): string | undefined {
  const failed = values.filter((share) => !Number.isFinite(share)).length;
  return failed === 0 ? undefined : `${failed} of ${values.length} failed`;
}

export type Verdict = Decision | "not measured";
export const verdicts = ["holds", "does not hold", "not decided", "not measured"] as const satisfies readonly Verdict[];

export const verdictOf = ({ decision }: ReportedClaim): Verdict => decision ?? "not measured";

/** A sweep claims nothing, so that a page of it opens with its results. */
export const hasClaims = ({ experiments }: Report): boolean => experiments.some(({ claims }) => claims.length > 0);

export interface PlacedClaim {
  readonly claim: ReportedClaim;
  readonly experiment: ExperimentReport;
  /** Among the experiment's claims, from 0. */
  readonly index: number;
}

/** Every claim under its verdict, in the order of the experiments. */
export function claimsByVerdict({ experiments }: Report): ReadonlyMap<Verdict, readonly PlacedClaim[]> {
  const all = experiments.flatMap((experiment) =>
    experiment.claims.map((claim, index) => ({ claim, experiment, index })),
  );
  return new Map(verdicts.map((verdict) => [verdict, all.filter(({ claim }) => verdictOf(claim) === verdict)]));
}

/** Every reason why something was not run, once, with the experiments that it stopped. */
export function notRun({ experiments }: Report): ReadonlyMap<string, readonly ExperimentReport[]> {
  const reasons = new Map<string, ExperimentReport[]>();
  for (const experiment of experiments)
    if (experiment.missing !== undefined)
      reasons.set(experiment.missing, [...(reasons.get(experiment.missing) ?? []), experiment]);
  return reasons;
}

export const figureName = ({ name }: ExperimentReport, figure: ReportFigure): string => `${name}-${figure.name}`;

export const conditionTexts: Readonly<Record<Condition, readonly [numeral: string, demand: string]>> = {
  activities: ["(i)", "a synapse uses only the activities on either side of it, and short-term memory"],
  arithmetic: ["(ii)", "no normalisation, inner product across units, or division on the way to the error"],
  transport: ["(iii)", "no forward weight carries an error"],
  labels: ["(iv)", "no labels"],
};

/** How a verdict's word is to be taken; `partial` where it says what holds and what does not: "both views", "head only". */
export function weight(word: string): "pass" | "partial" | "fail" {
  if (word === "pass" || word === "none") return "pass";
  return word === "fail" || word === "used" ? "fail" : "partial";
}

/** How many of the conditions a configuration satisfies in full. */
export const conditionsPassed = ({ verdicts: words }: Ledger): number =>
  conditions.filter((condition) => weight(words[condition]) === "pass").length;

// What a report says, as data: the page, the Markdown and the tables for a spreadsheet are made of it alone.

import type { Condition } from "../program/audit.ts";

/** An accuracy over seeds of training; shares, from 0 to 1. */
export interface Measured {
  /** One for each seed, in the order of the seeds; NaN for one that has no number, as a run that diverged. */
  readonly values: readonly number[];
  /** Gain over the random encoder of the same seeds, in per cent points. */
  readonly gain?: number | undefined;
}

/** A cell of a table: words, or an accuracy. */
export type TableCell = string | Measured;

export interface TableColumn {
  readonly title: string;
  /** Columns that stand side by side under one heading, such as a read-out. */
  readonly group?: string | undefined;
  /** Measures what the paper's number measures, so that the difference to it means something: the paper's read-out, all labels. */
  readonly asPublished?: boolean | undefined;
}

export interface TableRow {
  /** What was trained: "hinge, GLL, URF, block + 5 negatives". */
  readonly title: string;
  /** Not trained: what the others are measured beside. */
  readonly floor?: boolean;
  /** What the paper prints, in per cent; more than one where a cell of the paper holds two. */
  readonly published?: readonly number[] | undefined;
  /** How the number is repeated: a command. */
  readonly command?: string | undefined;
  /** Why there is no number, or what a reader must know of it: an alarm, a run that diverged. */
  readonly notes: readonly string[];
  /** As many as there are columns. */
  readonly cells: readonly TableCell[];
}

export interface ReportTable {
  /** Letters, digits, `-` and `_`. */
  readonly name: string;
  /** A heading, where the caption is no heading. */
  readonly title?: string;
  readonly caption: string;
  /** Without the rows' titles and the published numbers, which a table has where a row brings one. */
  readonly columns: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}

export type Decision = "holds" | "does not hold" | "not decided";

/** A claim of the paper, held against what was measured. */
export interface ReportedClaim {
  readonly text: string;
  /** Where the paper makes it: "Table 1". */
  readonly source: string;
  /** Undefined where nothing was measured yet. */
  readonly decision: Decision | undefined;
  /** The differences that it rests on: "GLL URF against GLL BP, kNN, 100 labels: +1.3 ± 0.6". */
  readonly evidence: readonly string[];
}

export interface ReportFigure {
  /** With the experiment's name before it the name of its files, without ending: letters, digits, `-` and `_`. */
  readonly name: string;
  readonly caption: string;
  readonly svg: string;
  /** Where the picture is of pixels. */
  readonly png?: Uint8Array | undefined;
}

/** What one configuration asks of a synapse, and what it costs. */
export interface Ledger {
  readonly title: string;
  readonly verdicts: Readonly<Record<Condition, string>>;
  /** Multiply–accumulates of one pair of views in training, all layers that learn. */
  readonly macs: number;
  /** Bytes of activity that are held for one pair of views until the update. */
  readonly held: number;
  /** Embeddings of other images that the error of one view needs. */
  readonly negatives: number | string;
  /** Feedback weights: wires that carry errors and are no forward weights. */
  readonly feedback: number;
  /** Whether interventions bore out every verdict. */
  readonly confirmed: boolean;
  /** What the rows of the main table read under the middle number of labels, as a gain over the random encoder in points, where measured. */
  readonly gain?: number | undefined;
}

export interface ExperimentReport {
  /** As it is called on the command line: table1; letters, digits, `-` and `_`. */
  readonly name: string;
  readonly title: string;
  /** Paragraphs: what was done, on which data, at which size. */
  readonly text: readonly string[];
  /** Datasets that stand in for the paper's: "rendered solids of 96 × 96 stand in for STL-10". */
  readonly substitutes: readonly string[];
  /** Why it was not run: a dataset that is missing, with the command that gets it. */
  readonly missing?: string | undefined;
  readonly tables: readonly ReportTable[];
  readonly claims: readonly ReportedClaim[];
  readonly figures: readonly ReportFigure[];
  readonly ledger: readonly Ledger[];
  /** How each row was trained, a sentence each: optimiser, steps, cost, losses, the last X-ray. */
  readonly training?: readonly string[];
}

export interface Report {
  readonly title: string;
  /** Of a reproduction. */
  readonly scale?: string;
  readonly preset?: string;
  /** First screen: what it is about, what was done, what came out; sentences. */
  readonly scope: readonly string[];
  readonly done: readonly string[];
  readonly results: readonly string[];
  readonly experiments: readonly ExperimentReport[];
  /** Name and value: preset, scale, data, seeds, commit, machine, versions. */
  readonly methods: readonly (readonly [string, string])[];
  /** Wall time of all tasks, seconds: the one part that differs when a report is made again. */
  readonly seconds: number;
  readonly deviations: readonly string[];
  /** How to make all of it again. */
  readonly command: string;
}

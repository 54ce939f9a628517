// A report as Markdown, as GitHub shows it: figures are links to files.

import { conditions } from "../../program/audit.ts";
import { duration } from "../../program/duration.ts";
import { formatBytes, formatCount } from "../../program/explain.ts";
import type { ExperimentReport, Report, ReportTable, TableCell, TableColumn, TableRow } from "../report.ts";
import { checkReport } from "./check.ts";
import { citation } from "./citation.ts";
import { printable } from "./markup.ts";
import {
  claimsByVerdict,
  conditionsPassed,
  conditionTexts,
  differenceText,
  failureText,
  figureName,
  hasClaims,
  hasGains,
  hasPublished,
  isCompared,
  notRun,
  publishedText,
  signed,
  spreadText,
  statistics,
  tableTitle,
  verdictOf,
} from "./summary.ts";

/** `figures` is the folder of the figures' files as seen from the page: "figures". */
export function reportMarkdown(report: Report, { figures }: { readonly figures: string }): string {
  checkReport(report);
  const { title, scale, preset, scope, done, results, experiments } = report;
  const parts = [
    `# ${plain(title)}`,
    scale === undefined || preset === undefined ? "" : `Scale ${plain(scale)}, preset ${plain(preset)}.`,
    section("Scope", prose(scope.join(" "))),
    section("What was done", prose(done.join(" "))),
    section("Results", list(results)),
    hasClaims(report) ? section("What holds, and what does not", overview(report)) : "",
    section(
      "Not run",
      list([...notRun(report)].map(([reason, stopped]) => `${stopped.map((one) => one.title).join(", ")}: ${reason}`)),
    ),
    ...experiments.map((experiment) => experimentPart(experiment, figures)),
    ending(report),
  ];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

const section = (heading: string, content: string): string => (content === "" ? "" : `## ${heading}\n\n${content}`);
const list = (items: readonly string[]): string => items.map((item) => `- ${prose(item)}`).join("\n");

/** What Markdown or HTML would take as its own, and line breaks. */
const plain = (text: string): string =>
  printable(text)
    .replace(/\s+/g, " ")
    .replace(/[\\`*_{}[\]<>#|~&$!]/g, "\\$&")
    .replace(/^(\s*)([-+=]|\d+[.)])/, (_, space, sign) => `${space}${sign.replace(/(.)$/, "\\$1")}`);

/** The same, but backticks hold code. */
const prose = (text: string): string =>
  text
    .split(/`([^`]+)`/)
    .map((part, i) => (i % 2 === 1 ? code(part) : part === "" ? "" : spaced(part)))
    .join("");
/** `plain` for a part of a sentence, whose spaces at the ends count. */
const spaced = (part: string): string =>
  `${/^\s/.test(part) ? " " : ""}${plain(part.trim())}${/\S\s+$/.test(part) ? " " : ""}`;

/** A code span that may stand in a table. */
function code(text: string): string {
  const line = printable(text).replace(/\s+/g, " ");
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const inner = longest > 0 ? ` ${line} ` : line;
  return `${fence}${inner.replaceAll("|", "\\|")}${fence}`;
}

function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}sh\n${printable(text)}\n${fence}`;
}

const tableRow = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

function overview(report: Report): string {
  const all = [...claimsByVerdict(report)].filter(([, claims]) => claims.length > 0);
  if (all.length === 0) return "";
  const counts = all.map(([verdict, { length }]) => `${verdict}: **${length}**`).join("; ");
  const lines = all.flatMap(([verdict, claims]) =>
    claims.map(({ claim }) => tableRow([verdict, prose(claim.text), plain(claim.source)])),
  );
  return [
    `${counts[0].toUpperCase()}${counts.slice(1)}.`,
    "",
    tableRow(["verdict", "claim", "where"]),
    "| --- | --- | --- |",
    ...lines,
  ].join("\n");
}

function experimentPart(experiment: ExperimentReport, folder: string): string {
  const { title, text, substitutes, missing, claims, tables, figures, ledger, training = [] } = experiment;
  const parts = [
    ...substitutes.map((substitute) => `> **Substitute:** ${prose(substitute)}`),
    ...text.map(prose),
    missing === undefined ? "" : "**Not run**: see above.",
    ...claims.map((claim) =>
      [
        `- **${verdictOf(claim)}**: ${prose(claim.text)} (${plain(claim.source)})`,
        ...claim.evidence.map((one) => `  - ${prose(one)}`),
      ].join("\n"),
    ),
    ...tables.map(markdownTable),
    ...figures.map((figure) => {
      const file = `${figureName(experiment, figure)}.${figure.png === undefined ? "svg" : "png"}`;
      return `![${plain(figure.caption)}](${encodeURI(`${folder}/${file}`)})\n\n*${plain(figure.caption)}*`;
    }),
    ledger.length === 0 ? "" : ledgerTable(experiment),
    training.length === 0
      ? ""
      : `### How each row was trained\n\n${training.map((one) => `- ${prose(one)}`).join("\n")}`,
  ];
  return section(plain(title), parts.filter(Boolean).join("\n\n"));
}

function markdownTable(table: ReportTable): string {
  const { columns, rows } = table;
  const published = hasPublished(rows);
  const notes = [...new Set(rows.flatMap((row) => row.notes))];
  const headings = columns.map(({ title, group }) => plain(group === undefined ? title : `${group}, ${title}`));
  const lines = rows.map((row) => {
    const marks = row.notes.map((note) => notes.indexOf(note) + 1).join(", ");
    return tableRow([
      `${plain(row.title)}${marks && ` (note ${marks})`}`,
      ...(published ? [publishedText(row) || "–"] : []),
      ...row.cells.map((cell, x) => cellText(cell, row, columns[x])),
    ]);
  });
  return [
    `### ${plain(tableTitle(table))}`,
    "",
    `${[
      "Accuracy in %, mean ± sd over seeds of training",
      ...(hasGains(table) ? ["in brackets points above the random encoder"] : []),
      ...(isCompared(table) ? ["“paper”: points above the paper’s number"] : []),
    ].join("; ")}.`,
    "",
    tableRow(["", ...(published ? ["paper"] : []), ...headings]),
    tableRow(["---", ...(published ? ["--:"] : []), ...columns.map(() => "--:")]),
    ...lines,
    ...(notes.length > 0 ? ["", ...notes.map((note, i) => `${i + 1}. ${prose(note)}`)] : []),
  ].join("\n");
}

function cellText(cell: TableCell, { published = [], floor }: TableRow, { asPublished }: TableColumn): string {
  if (typeof cell === "string") return prose(cell);
  const measured = statistics(cell);
  const failure = failureText(cell);
  if (measured === undefined) return failure ?? "–";
  const gain = cell.gain === undefined || floor ? "" : ` (${signed(cell.gain)})`;
  return [
    `${spreadText(measured)}${gain}`,
    ...(asPublished && published.length > 0 ? [`paper ${differenceText(measured, published)}`] : []),
    ...(failure === undefined ? [] : [failure]),
  ].join("; ");
}

function ledgerTable({ ledger }: ExperimentReport): string {
  const numerals = conditions.map((condition) => conditionTexts[condition][0]);
  const headings = [
    "",
    ...numerals,
    "met",
    "MACs a pair",
    "held for a pair",
    "negatives",
    "feedback weights",
    "confirmed",
    "gain",
  ];
  return [
    "### What a synapse has to know, and what it costs",
    "",
    `${conditions.map((condition) => conditionTexts[condition].join(" ")).join("; ")}.`,
    "",
    tableRow(headings),
    tableRow(headings.map((_, i) => (i <= conditions.length ? "---" : "--:"))),
    ...ledger.map((one) =>
      tableRow([
        plain(one.title),
        ...conditions.map((condition) => plain(one.verdicts[condition])),
        `${conditionsPassed(one)} of ${conditions.length}`,
        formatCount(one.macs),
        formatBytes(one.held),
        plain(String(one.negatives)),
        formatCount(one.feedback),
        one.confirmed ? "yes" : "**no**",
        one.gain === undefined ? "–" : signed(one.gain),
      ]),
    ),
  ].join("\n");
}

function ending({ methods, deviations, command, experiments, seconds }: Report): string {
  const { software, paper, doi, licence } = citation();
  const rows = experiments.flatMap((experiment) =>
    experiment.tables.flatMap((table) =>
      table.rows.flatMap(({ title, command: one }) =>
        one === undefined ? [] : [tableRow([plain(experiment.title), plain(title), code(one)])],
      ),
    ),
  );
  return [
    section("Methods", methods.map(([name, value]) => `- **${plain(name)}**: ${prose(value)}`).join("\n")),
    section("Known deviations", list(deviations)),
    section("How to repeat each number", fenced(command)),
    rows.length > 0 ? [tableRow(["experiment", "row", "command"]), "| --- | --- | --- |", ...rows].join("\n") : "",
    section(
      "Appendix",
      [
        `To cite: ${plain(paper)} [doi:${doi}](https://doi.org/${doi})`,
        plain(software),
        `The software has the ${licence} licence. The same numbers: [report.json](report.json), [report.csv](report.csv). All tasks together took ${duration(seconds)}.`,
      ].join("\n\n"),
    ),
  ]
    .filter(Boolean)
    .join("\n\n");
}

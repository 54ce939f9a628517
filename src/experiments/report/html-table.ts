// A table of accuracies in HTML: as the paper has it, with every seed as a dot, the gain over the random encoder and the published number.

import type { ExperimentReport, Measured, ReportTable, TableCell, TableColumn, TableRow } from "../report.ts";
import { html, type Markup, prose } from "./markup.ts";
import {
  differenceText,
  failureText,
  hasGains,
  hasPublished,
  isCompared,
  publishedText,
  signed,
  spreadText,
  statistics,
  tableTitle,
} from "./summary.ts";

/** Groups of columns that a reader can hide; the style knows as many. */
export const mostGroups = 12;

/** Where the command of a row stands, and where the table does. */
export const tableId = (experiment: ExperimentReport, table: ReportTable): string => `${experiment.name}-${table.name}`;
export const commandId = (experiment: ExperimentReport, table: ReportTable, row: number): string =>
  `repeat-${tableId(experiment, table)}-${row + 1}`;

export function htmlTable(experiment: ExperimentReport, table: ReportTable): Markup {
  const { columns, rows } = table;
  const id = tableId(experiment, table);
  const groups = groupsOf(columns);
  const grouped = columns.some(({ group }) => group !== undefined);
  const published = hasPublished(rows);
  const strips = columns.map((column, x) => stripOf(column, rows, x));
  const notes = [...new Set(rows.flatMap((row) => row.notes))];
  const seeds = usualSeeds(rows);
  const head = grouped ? html` rowspan="2"` : undefined;
  const classOf = (x: number): string => `g${groups.findIndex(({ from, count }) => x >= from && x < from + count)}`;
  const heading = (column: TableColumn, x: number): Markup =>
    html`<th scope="col" class="${classOf(x)}">${column.title}${axis(strips[x])}</th>`;
  return html`<div class="table" id="${id}">
<h3 id="${id}-caption">${tableTitle(table)}</h3>
${legend(table, seeds)}${grouped && groups.length > 1 && toggles(groups)}
<div class="scroll" role="region" aria-labelledby="${id}-caption" tabindex="0"><table aria-labelledby="${id}-caption">
<thead><tr><th scope="col" class="title"${head}>Trained</th>${published && html`<th scope="col" class="paper"${head}>Paper, %</th>`}${
    grouped
      ? groups.map(
          ({ title, from, count }) =>
            html`<th scope="colgroup" class="${classOf(from)} group" colspan="${count}">${title ?? ""}</th>`,
        )
      : columns.map(heading)
  }</tr>${grouped && html`<tr>${columns.map(heading)}</tr>`}</thead>
<tbody>
${rows.map((row, y) => {
  const marks = row.notes.map((note) => noteMark(notes.indexOf(note)));
  const name =
    row.command === undefined ? row.title : html`<a href="#${commandId(experiment, table, y)}">${row.title}</a>`;
  return html`<tr${row.floor && html` class="floor"`}><th scope="row">${name}${
    marks.length > 0 &&
    html`<sup>${marks.map((mark, i) => html`${i > 0 && ", "}<a href="#${id}-note-${mark}">${mark}</a>`)}</sup>`
  }</th>${published && html`<td class="paper">${publishedText(row) || "–"}</td>`}${row.cells.map(
    (cell, x) => html`<td class="${classOf(x)}">${htmlCell(cell, row, columns[x], strips[x], seeds)}</td>`,
  )}</tr>
`;
})}</tbody></table></div>
${
  notes.length > 0 &&
  html`<ol class="notes">${notes.map((note, i) => html`<li id="${id}-note-${noteMark(i)}">${prose(note)}</li>`)}</ol>`
}</div>
`;
}

/** a, b … z, aa, ab …, as an ordered list of type a counts. */
const noteMark = (index: number): string =>
  (index >= 26 ? noteMark(Math.floor(index / 26) - 1) : "") + String.fromCharCode(97 + (index % 26));

interface Group {
  readonly title: string | undefined;
  readonly from: number;
  readonly count: number;
}

/** Columns that stand side by side under one heading. */
function groupsOf(columns: readonly TableColumn[]): Group[] {
  const groups: { title: string | undefined; from: number; count: number }[] = [];
  for (const [x, { group }] of columns.entries()) {
    const last = groups.at(-1);
    if (last !== undefined && last.title === group) last.count++;
    else groups.push({ title: group, from: x, count: 1 });
  }
  return groups;
}

const toggles = (groups: readonly Group[]): Markup =>
  html`<fieldset class="toggles"><legend>Show</legend>${groups.map(
    ({ title }, i) =>
      title !== undefined &&
      i < mostGroups &&
      html`<label><input type="checkbox" checked class="show-${i}"> ${title}</label>`,
  )}</fieldset>`;

/** The number of seeds that most accuracies have. */
function usualSeeds(rows: readonly TableRow[]): number {
  const counts = new Map<number, number>();
  for (const cell of rows.flatMap(({ cells }) => cells))
    if (typeof cell !== "string") counts.set(cell.values.length, (counts.get(cell.values.length) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}

function legend(table: ReportTable, seeds: number): Markup | false {
  if (seeds === 0) return false;
  const { rows } = table;
  const floor = rows.find((row) => row.floor);
  return html`<p class="legend"><span>Accuracy in %${seeds > 1 && html`, mean ± sd over ${seeds} seeds of training`}</span>
<span>${sample(html`<circle class="seed" cx="9" cy="8" r="3.5"/>`)} a seed</span>${
    floor &&
    html` <span>${sample(html`<path class="floor" d="M9 0V16"/>`)} ${floor.title}${hasGains(table) && "; gain: points above it"}</span>`
  }${isCompared(table) && html` <span>${sample(diamond(9))} the paper’s number; paper: points above it</span>`}${
    rows.some(({ command }) => command !== undefined) &&
    html` <span>A row’s name leads to the command that repeats it.</span>`
  }</p>`;
}

const sample = (mark: Markup): Markup =>
  html`<svg class="sample" width="18" height="16" viewBox="0 0 18 16" aria-hidden="true">${mark}</svg>`;

/** What a column's strips of dots span, in per cent, and where the untrained encoder stands in them. */
interface Strip {
  readonly low: number;
  readonly high: number;
  readonly floor: number | undefined;
}

const stripWidth = 104;

function stripOf({ asPublished }: TableColumn, rows: readonly TableRow[], x: number): Strip | undefined {
  const values = rows.flatMap(({ cells }) => statistics(cells[x])?.values ?? []);
  if (values.length === 0) return undefined;
  const shown = [...values, ...(asPublished ? rows.flatMap(({ published = [] }) => published) : [])];
  const floor = rows.find((row) => row.floor);
  const low = Math.floor(Math.min(...shown));
  return {
    low,
    high: Math.max(low + 2, Math.ceil(Math.max(...shown))),
    floor: floor && statistics(floor.cells[x])?.mean,
  };
}

const axis = (strip: Strip | undefined): Markup | undefined =>
  strip && html`<span class="axis"><span>${strip.low}</span><span>${strip.high} %</span></span>`;

function htmlCell(
  cell: TableCell,
  row: TableRow,
  { asPublished }: TableColumn,
  strip: Strip | undefined,
  seeds: number,
): Markup {
  if (typeof cell === "string") return html`<span class="words">${prose(cell)}</span>`;
  const measured = statistics(cell);
  const failure = failureText(cell);
  if (measured === undefined || strip === undefined) return html`<span class="words">${failure ?? "–"}</span>`;
  const published = asPublished ? (row.published ?? []) : [];
  return html`<span class="mean">${spreadText(measured)}</span>${dots(cell, published, strip)}${
    cell.gain !== undefined && !row.floor && html`<span class="small">gain ${signed(cell.gain)}</span>`
  }${published.length > 0 && html`<span class="small">paper ${differenceText(measured, published)}</span>`}${
    failure === undefined
      ? cell.values.length !== seeds && html`<span class="small">n = ${cell.values.length}</span>`
      : html`<span class="small alarm">${failure}</span>`
  }`;
}

function dots(cell: Measured, published: readonly number[], { low, high, floor }: Strip): Markup {
  const place = (percent: number): string => (5 + ((stripWidth - 10) * (percent - low)) / (high - low)).toFixed(1);
  const values = statistics(cell)?.values ?? [];
  const said = values.map((value) => value.toFixed(1)).join(", ");
  return html`<svg class="strip" width="${stripWidth}" height="16" viewBox="0 0 ${stripWidth} 16" role="img"><title>${
    values.length === 1 ? "seed" : "seeds"
  }: ${said} %${published.length > 0 && `; the paper: ${publishedText({ published }, ", ")} %`}</title><path class="base" d="M0 8H${stripWidth}"/>${
    floor !== undefined && html`<path class="floor" d="M${place(floor)} 0V16"/>`
  }${published.map((paper) => diamond(Number(place(paper))))}${values.map(
    (value) => html`<circle class="seed" cx="${place(value)}" cy="8" r="3.5"/>`,
  )}</svg>`;
}

const diamond = (x: number): Markup => html`<path class="published" d="M${x} 2.5l4.5 5.5l-4.5 5.5l-4.5 -5.5z"/>`;

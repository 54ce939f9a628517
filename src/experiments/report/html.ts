// A report as one HTML page that stands alone: nothing is fetched, no script runs, and its policy forbids both.

import { duration } from "../../program/duration.ts";
import type { ExperimentReport, Report, ReportFigure } from "../report.ts";
import { checkReport } from "./check.ts";
import { citation } from "./citation.ts";
import { claimsOverview, experimentClaims } from "./html-claims.ts";
import { htmlLedger } from "./html-ledger.ts";
import { commandId, htmlTable } from "./html-table.ts";
import { html, Markup, prose } from "./markup.ts";
import { style } from "./style.ts";
import { figureName, hasClaims, notRun, tableTitle } from "./summary.ts";

/** Throws a SaccadeError where the report is incomplete. */
export function reportHtml(report: Report): string {
  checkReport(report);
  const { title, experiments } = report;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
${summary(report)}
${contents(report)}
${experiments.map(experimentSection)}
${ending(report)}
</main>
</body>
</html>
`.text;
}

const paragraph = (sentences: readonly string[]): Markup | false =>
  sentences.length > 0 && html`<p>${prose(sentences.join(" "))}</p>`;
const list = (items: readonly string[]): Markup => html`<ul>${items.map((item) => html`<li>${prose(item)}</li>`)}</ul>`;

function summary(report: Report): Markup {
  const { title, scale, preset, scope, done, results, experiments } = report;
  const missing = notRun(report);
  const stopped = [...missing.values()].flat().length;
  const tags = [
    ...(scale === undefined ? [] : [`scale ${scale}`]),
    ...(preset === undefined ? [] : [`preset ${preset}`]),
    ...(experiments.length === 1 && stopped === 0
      ? []
      : [
          `${experiments.length} ${experiments.length === 1 ? "experiment" : "experiments"}${stopped > 0 ? `, ${stopped} not run` : ""}`,
        ]),
  ];
  const found = results.length > 0 ? list(results) : html`<p>Nothing was measured.</p>`;
  const claimed = hasClaims(report);
  return html`<header>
<h1>${title}</h1>
${tags.length > 0 && html`<p class="tags">${tags.map((tag, i) => html`${i > 0 && " "}<span>${tag}</span>`)}</p>`}
</header>
<div class="summary">
${
  claimed
    ? html`<section aria-labelledby="claims"><h2 id="claims">What holds, and what does not</h2>
${claimsOverview(report)}</section>`
    : html`<section aria-labelledby="results"><h2 id="results">Results</h2>
${found}</section>`
}
<section aria-labelledby="about"><h2 id="about">Scope</h2>
${paragraph(scope)}
<h2>What was done</h2>
${paragraph(done)}
${
  claimed &&
  html`<h2>Results</h2>
${found}`
}
${
  missing.size > 0 &&
  html`<h2 id="not-run">Not run</h2>
<ul>${[...missing].map(
    ([reason, stoppedHere]) =>
      html`<li>${stoppedHere.map((one, i) => html`${i > 0 && ", "}<a href="#${one.name}">${one.title}</a>`)}: ${prose(reason)}</li>`,
  )}</ul>`
}</section>
</div>`;
}

function contents(report: Report): Markup {
  const { experiments, deviations } = report;
  return html`<nav aria-label="Contents"><h2>Contents</h2>
<ol>
<li>${hasClaims(report) ? html`<a href="#claims">What holds, and what does not</a>` : html`<a href="#results">Results</a>`}</li>
${experiments.map(
  (experiment) =>
    html`<li><a href="#${experiment.name}">${experiment.title}</a>${experiment.missing !== undefined && html` <span class="source">not run</span>`}</li>
`,
)}<li><a href="#methods">Methods</a></li>
${
  deviations.length > 0 &&
  html`<li><a href="#deviations">Known deviations</a></li>
`
}<li><a href="#repeat">How to repeat each number</a></li>
<li><a href="#appendix">Appendix</a></li>
</ol></nav>`;
}

function experimentSection(experiment: ExperimentReport): Markup {
  const { name, title, text, substitutes, missing, tables, figures, training = [] } = experiment;
  return html`<section class="experiment" aria-labelledby="${name}"><h2 id="${name}">${title}</h2>
${substitutes.map((substitute) => html`<p class="substitute"><b>Substitute</b> ${prose(substitute)}</p>`)}
${text.map((one) => html`<p>${prose(one)}</p>`)}
${missing !== undefined && html`<p class="missing"><b>Not run</b> <a href="#not-run">What is missing, and how to get it</a></p>`}
${experimentClaims(experiment)}
${tables.map((table) => htmlTable(experiment, table))}
${figures.map((figure) => htmlFigure(experiment, figure))}
${htmlLedger(experiment)}
${training.length > 0 && html`<details><summary>How each row was trained</summary>${list(training)}</details>`}
</section>`;
}

/** An SVG is one picture with one name; names of its parts, such as "dot", say nothing, and a group may have none. */
function htmlFigure(experiment: ExperimentReport, figure: ReportFigure): Markup {
  const { caption, svg, png } = figure;
  const id = figureName(experiment, figure);
  const picture =
    png === undefined
      ? new Markup(svg.trim().replace(/(<g\b[^>]*?) aria-label="[^"]*"/g, "$1"))
      : html`<img alt="${caption}" src="data:image/png;base64,${Buffer.from(png).toString("base64")}">`;
  return html`<figure id="figure-${id}"><div class="sheet">${picture}</div><figcaption>${prose(caption)}</figcaption></figure>
`;
}

function ending({ methods, deviations, command, experiments, seconds }: Report): Markup {
  const { software, paper, doi, licence } = citation();
  return html`<section aria-labelledby="methods"><h2 id="methods">Methods</h2>
<dl class="methods">${methods.map(([name, value]) => html`<div><dt>${name}</dt><dd>${prose(value)}</dd></div>`)}</dl></section>
${
  deviations.length > 0 &&
  html`<section aria-labelledby="deviations"><h2 id="deviations">Known deviations</h2>
${list(deviations)}</section>
`
}<section aria-labelledby="repeat"><h2 id="repeat">How to repeat each number</h2>
<p>All of it:</p>
<pre tabindex="0"><code>${command}</code></pre>
${experiments.map((experiment) =>
  experiment.tables.map((table) => {
    const rows = table.rows.map((row, y) => ({ ...row, id: commandId(experiment, table, y) }));
    const repeatable = rows.filter(({ command: one }) => one !== undefined);
    return (
      repeatable.length > 0 &&
      html`<h3>${experiment.title}: ${tableTitle(table)}</h3>
<dl class="commands">${repeatable.map((row) => html`<div id="${row.id}"><dt>${row.title}</dt><dd><code>${row.command}</code></dd></div>`)}</dl>`
    );
  }),
)}</section>
<section aria-labelledby="appendix"><h2 id="appendix">Appendix</h2>
<h3>To cite</h3>
<p>${paper} <a href="https://doi.org/${doi}">doi:${doi}</a></p>
<p>${software}</p>
<h3>Licence and reuse</h3>
<p>The software has the ${licence} licence. The same numbers stand beside this page as <code>report.json</code>, and with a line for every seed as <code>report.csv</code>; its figures stand in <code>figures/</code>.</p>
<h3>Environment</h3>
<p>Commit, machine and versions stand under <a href="#methods">Methods</a>. All tasks together took ${duration(seconds)}.</p></section>`;
}

// Claims in HTML: how many hold, which, and on what each verdict rests.

import type { ExperimentReport, Report } from "../report.ts";
import { html, type Markup, prose } from "./markup.ts";
import { claimsByVerdict, type Verdict, verdictOf } from "./summary.ts";

/** A shape for each verdict, so that none is told by its colour alone. */
const marks: Readonly<Record<Verdict, Markup>> = {
  holds: html`<circle cx="9" cy="9" r="8" class="full"/><path d="M5 9.5l2.8 2.8l5.2 -6" class="cut"/>`,
  "does not hold": html`<path d="M2 2H16V16H2Z" class="full"/><path d="M5.5 5.5l7 7M12.5 5.5l-7 7" class="cut"/>`,
  "not decided": html`<path d="M9 1.5L16.5 9L9 16.5L1.5 9Z" class="line"/><path d="M5.8 9h6.4" class="line"/>`,
  "not measured": html`<circle cx="9" cy="9" r="7" class="line" stroke-dasharray="2.5 2.5"/>`,
};
/** Under a number. */
const counted: Readonly<Record<Verdict, readonly [one: string, more: string]>> = {
  holds: ["holds", "hold"],
  "does not hold": ["does not hold", "do not hold"],
  "not decided": ["not decided", "not decided"],
  "not measured": ["not measured", "not measured"],
};

const className = (verdict: Verdict): string => verdict.replaceAll(" ", "-");
const mark = (verdict: Verdict): Markup =>
  html`<svg class="mark" width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">${marks[verdict]}</svg>`;
const claimId = ({ name }: ExperimentReport, index: number): string => `${name}-claim-${index + 1}`;

/** For the first screen: counts of all verdicts alike in size, then the claims under each. */
export function claimsOverview(report: Report): Markup {
  const all = [...claimsByVerdict(report)].filter(
    ([verdict, claims]) => verdict !== "not measured" || claims.length > 0,
  );
  return html`<ul class="counts">${all.map(
    ([verdict, { length }]) =>
      html`<li class="${className(verdict)}"><strong>${length} ${mark(verdict)}</strong> <span>${counted[verdict][length === 1 ? 0 : 1]}</span></li>`,
  )}</ul>
${all.map(
  ([verdict, claims]) =>
    claims.length > 0 &&
    html`<h3 class="verdict ${className(verdict)}">${mark(verdict)} ${verdict[0].toUpperCase()}${verdict.slice(1)}</h3>
<ul class="claims">${claims.map(
      ({ claim, experiment, index }) =>
        html`<li><a href="#${claimId(experiment, index)}">${prose(claim.text)}</a> <span class="source">${claim.source}</span></li>`,
    )}</ul>
`,
)}`;
}

/** An experiment's claims, each with its evidence. */
export function experimentClaims(experiment: ExperimentReport): Markup | false {
  if (experiment.claims.length === 0) return false;
  return html`<h3>What the paper claims, and what was measured</h3>
${experiment.claims.map((claim, i) => {
  const verdict = verdictOf(claim);
  const line = html`<span class="badge ${className(verdict)}">${mark(verdict)} ${verdict}</span> <span class="text">${prose(claim.text)} <span class="source">${claim.source}</span></span>`;
  return claim.evidence.length === 0
    ? html`<div class="claim" id="${claimId(experiment, i)}">${line}</div>
`
    : html`<details class="claim" id="${claimId(experiment, i)}"><summary>${line}</summary>
<ul class="evidence">${claim.evidence.map((one) => html`<li>${prose(one)}</li>`)}</ul></details>
`;
})}`;
}

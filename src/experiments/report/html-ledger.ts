// The locality audit and what each configuration costs, as a table in HTML.

import { conditions } from "../../program/audit.ts";
import { formatBytes, formatCount } from "../../program/explain.ts";
import type { ExperimentReport } from "../report.ts";
import { html, type Markup } from "./markup.ts";
import { conditionsPassed, conditionTexts, signed, weight } from "./summary.ts";

export function htmlLedger({ name, ledger }: ExperimentReport): Markup | false {
  if (ledger.length === 0) return false;
  const id = `${name}-ledger`;
  return html`<div class="table" id="${id}">
<h3 id="${id}-caption">What a synapse has to know, and what it costs</h3>
<p>The verdicts are read off the recorded programs; “confirmed” says whether interventions bore out every one of them.</p>
<ul class="conditions">${conditions.map((condition) => html`<li><b>${conditionTexts[condition][0]}</b> ${conditionTexts[condition][1]}</li>`)}</ul>
<div class="scroll" role="region" aria-labelledby="${id}-caption" tabindex="0"><table class="ledger" aria-labelledby="${id}-caption">
<thead><tr><th scope="col" class="title">Configuration</th>${conditions.map(
    (condition) => html`<th scope="col">${conditionTexts[condition][0]}</th>`,
  )}<th scope="col">met</th><th scope="col">MACs a pair</th><th scope="col">held for a pair</th><th scope="col">negatives</th><th scope="col">feedback weights</th><th scope="col">confirmed</th><th scope="col">gain, points</th></tr></thead>
<tbody>
${ledger.map(
  (one) => html`<tr><th scope="row">${one.title}</th>${conditions.map((condition) => {
    const word = one.verdicts[condition];
    return html`<td class="${weight(word)}">${word}</td>`;
  })}<td>${conditionsPassed(one)} of ${conditions.length}</td><td>${formatCount(one.macs)}</td><td>${formatBytes(one.held)}</td><td>${one.negatives}</td><td>${formatCount(one.feedback)}</td><td${!one.confirmed && html` class="fail"`}>${one.confirmed ? "yes" : "no"}</td><td>${one.gain === undefined ? "–" : signed(one.gain)}</td></tr>
`,
)}</tbody></table></div>
<p class="legend">MACs: multiply–accumulates of one pair of views in training, all layers that learn. Held: activity kept until the update. Negatives: embeddings of other images that the error of one view needs. Gain: over the random encoder.</p></div>
`;
}

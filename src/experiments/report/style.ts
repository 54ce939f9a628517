// The report's style sheet: one column of text with the contents beside it where there is room, both colour schemes, and paper.
// Okabe and Ito's blue and vermilion, darkened or lightened until text in them has a contrast of 4.5:1.

import { mostGroups } from "./html-table.ts";

const hiddenGroups = Array.from(
  { length: mostGroups },
  (_, i) => `.table:has(.show-${i}:not(:checked)) .g${i} { display: none; }`,
).join("\n");

export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1a1a1a; --quiet: #595959; --rule: #d9d9d9; --faint: #f5f5f3; --link: #005a94;
  --holds: #005f9e; --not: #a63d00; --open: #595959; --mark: #0072b2; --cut: #ffffff;
  --tint: rgb(60 60 40 / .05); --shade: rgb(0 0 0 / .32);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --ink: #e9e9e6; --quiet: #aeb3b8; --rule: #3a3f45; --faint: #1e2125; --link: #8ccbff;
    --holds: #7cc4fa; --not: #ffa06a; --open: #b9bdc1; --mark: #56b4e9; --cut: #15171a;
    --tint: rgb(220 230 255 / .05); --shade: rgb(0 0 0 / .9);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: clamp(1.5rem, 1.1rem + 1.6vw, 2.2rem); line-height: 1.2; margin: 0 0 .6rem; max-width: 40ch; text-wrap: balance; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .6rem; }
h3 { font-size: 1.05rem; line-height: 1.35; margin: 1.8rem 0 .5rem; max-width: 60ch; }
p, ul, ol, dl { margin: 0 0 .9rem; max-width: 68ch; }
ul, ol { padding-left: 1.25rem; }
li { margin: .15rem 0; }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: 1px; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
:target { background: var(--faint); box-shadow: 0 0 0 .4rem var(--faint); }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
code { overflow-wrap: anywhere; }
pre { margin: 0 0 1rem; padding: .7rem .9rem; background: var(--faint); border-radius: 4px; overflow-x: auto; }
section { margin-top: 3.5rem; }
header { margin-bottom: 1.6rem; }
.tags { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0 0 1.6rem; font-size: .875rem; }
.tags span { border: 1px solid var(--rule); border-radius: 1rem; padding: .05rem .7rem; color: var(--quiet); }
.source, .small, .axis, .legend, .conditions, figcaption { color: var(--quiet); font-size: .875rem; }
.source { display: inline-block; }

.summary section { margin-top: 0; }
.summary section + section { margin-top: 2rem; }
.summary section + section h2 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; }
.summary section + section h2:first-child { margin-top: 0; }
.counts { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: .6rem; padding: 0; max-width: none; }
.counts:has(> :nth-child(4)) { grid-template-columns: repeat(2, 1fr); }
.counts li { border: 1px solid var(--rule); border-top: 4px solid currentColor; border-radius: 4px; padding: .4rem .7rem .6rem; margin: 0; }
.counts strong { display: flex; justify-content: space-between; align-items: center; font-size: 2.1rem; line-height: 1.15; font-variant-numeric: tabular-nums; }
.counts span { white-space: nowrap; font-size: .9rem; }
.verdict { margin: 1.1rem 0 .2rem; font-size: .95rem; }
.claims { list-style: none; padding-left: 1.6rem; margin-bottom: .4rem; }
.claims a { color: inherit; text-decoration-color: var(--rule); }
.holds { color: var(--holds); } .does-not-hold { color: var(--not); } .not-decided, .not-measured { color: var(--open); }
.mark { vertical-align: -.2em; flex: none; }
.mark .full { fill: currentColor; } .mark .line { fill: none; stroke: currentColor; stroke-width: 2; }
.mark .cut { fill: none; stroke: var(--cut); stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }

nav { margin-top: 2.5rem; padding: 1rem; background: var(--faint); border-radius: 4px; font-size: .9rem; line-height: 1.4; }
nav h2 { font-size: 1rem; }
nav ol { list-style: none; padding: 0; margin: 0; }
nav ol ol { padding-left: .9rem; }
nav li { margin: 0; }
nav a { display: inline-block; padding: .22rem 0; color: inherit; text-decoration-color: transparent; }
nav a:hover { text-decoration-color: currentColor; }
nav ol ol a { color: var(--quiet); }

.experiment, .experiment ~ section { border-top: 1px solid var(--rule); padding-top: 1.6rem; }
.substitute, .missing { border: 1px solid var(--not); border-left-width: 5px; border-radius: 4px; padding: .5rem .8rem; width: fit-content; }
.substitute b, .missing b { color: var(--not); margin-right: .4rem; }

.claim { border-bottom: 1px solid var(--rule); padding: .55rem 0; max-width: 62rem; }
.claim summary, div.claim { display: flex; gap: .3rem .9rem; align-items: baseline; }
.claim summary { cursor: pointer; list-style: none; }
.claim summary::-webkit-details-marker { display: none; }
.claim summary::after { content: "evidence ▸"; margin-left: auto; color: var(--quiet); font-size: .875rem; white-space: nowrap; }
.claim[open] summary::after { content: "evidence ▾"; }
.badge { flex: 0 0 9.4rem; font-weight: 600; white-space: nowrap; }
.evidence { margin: .4rem 0 .4rem 10.3rem; font-size: .9rem; font-variant-numeric: tabular-nums; }

.table { margin-top: 1.8rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; max-width: none; }
.sample { vertical-align: -.2em; }
.toggles { border: 0; padding: 0; margin: 0 0 .8rem; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .875rem; }
.toggles legend { float: left; padding: .3rem .9rem .3rem 0; color: var(--quiet); }
.toggles label { display: inline-flex; align-items: center; gap: .4rem; min-height: 2rem; }
.toggles input { width: 1.1rem; height: 1.1rem; accent-color: var(--mark); }
.scroll { overflow-x: auto; border-block: 1px solid var(--ink); max-width: 100%; width: fit-content; }
/* A shade where columns are scrolled away: paper that moves with them covers it where they end. */
.scroll { background:
  linear-gradient(to right, var(--paper) 40%, transparent) left / 3.5rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 40%, transparent) right / 3.5rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / 1.4rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) right / 1.4rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; line-height: 1.35; }
th, td { padding: .45rem .6rem; vertical-align: top; text-align: left; }
thead th { vertical-align: bottom; border-bottom: 1px solid var(--ink); }
thead .group { border-bottom: 1px solid var(--rule); padding-bottom: .25rem; }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
tbody th { font-weight: 400; min-width: 8.5rem; max-width: 18rem; }
tbody th a { color: inherit; text-decoration-color: var(--rule); }
tbody sup a { color: var(--link); padding: 0 .2rem; }
sup { line-height: 0; font-size: .85em; }
.floor > * { background: var(--tint); }
.mean { display: block; font-weight: 600; white-space: nowrap; }
.axis { display: flex; justify-content: space-between; width: 104px; font-weight: 400; font-size: .8rem; }
.strip { display: block; margin: .15rem 0; }
.strip .base { stroke: var(--rule); }
svg .floor { stroke: var(--quiet); stroke-width: 1.5; stroke-dasharray: 3 2; fill: none; }
svg .published { fill: none; stroke: var(--not); stroke-width: 2; }
svg .seed { fill: var(--mark); fill-opacity: .75; stroke: var(--paper); stroke-width: .8; }
.small { display: block; font-size: .8125rem; white-space: nowrap; }
.alarm { color: var(--not); }
.words { color: var(--quiet); }
.notes { list-style: lower-alpha; font-size: .875rem; margin-top: .6rem; }
.conditions { list-style: none; padding: 0; }
.ledger td { white-space: nowrap; }
.ledger td:nth-last-child(-n+7), .ledger thead th:nth-last-child(-n+7) { text-align: right; }
td.pass { color: var(--holds); } td.partial { color: var(--open); font-style: italic; } td.fail { color: var(--not); font-weight: 600; }

figure { margin: 2rem 0; }
.sheet { background: #fff; border: 1px solid var(--rule); border-radius: 4px; padding: 4px; width: fit-content; max-width: 100%; color: #1a1a1a; }
.sheet svg, .sheet img { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: .5rem; max-width: 68ch; }
.methods div, .commands div { padding: .4rem 0; border-bottom: 1px solid var(--rule); }
.methods, .commands { max-width: 62rem; }
dt { color: var(--quiet); } dd { margin: 0; }
.commands dt { font-size: .9rem; }
${hiddenGroups}

@media (max-width: 40rem) {
  .claim summary, div.claim { flex-wrap: wrap; }
  .badge { flex-basis: auto; }
  .claim .text { flex-basis: 100%; order: 1; }
  .evidence { margin-left: 0; }
}
@media (min-width: 48rem) {
  main { padding: 2.5rem 2rem 5rem; }
  tbody th, thead .title { min-width: 11rem; position: sticky; left: 0; background: var(--paper); }
  tbody .floor th { background: var(--faint); }
  .methods div { display: grid; grid-template-columns: 14rem 1fr; gap: 1rem; }
}
@media (min-width: 64rem) {
  .summary { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 3rem; }
  .summary section + section { margin-top: 0; }
}
@media screen and (min-width: 80rem) {
  body { padding-left: 15.5rem; }
  main { margin: 0; padding-left: 2.5rem; }
  nav { position: fixed; inset: 0 auto 0 0; width: 15.5rem; margin: 0; padding: 2.5rem 1.25rem; overflow-y: auto; border-radius: 0; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --quiet: #444; --rule: #bbb; --faint: #f2f2f2; --link: #000; --holds: #005f9e; --not: #a63d00; --open: #444; --mark: #0072b2; --cut: #fff; color-scheme: light; }
  @page { margin: 16mm 14mm; }
  html { font-size: 9.5pt; }
  main { max-width: none; padding: 0; }
  nav, .toggles, .claim summary::after { display: none; }
  section { margin-top: 1.6rem; }
  .summary { display: block; }
  .summary section + section { margin-top: 1.2rem; }
  details::details-content { content-visibility: visible; height: auto; display: block; }
  h2, h3, .legend, .substitute { break-after: avoid; }
  tr, figure, .claim, .commands div, .counts, .legend { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; background: none; }
  tbody th, thead .title { position: static; }
  table { font-size: 7.5pt; }
  th, td { padding: .25rem .4rem; }
  tbody th { min-width: 7rem; }
  .small { font-size: 6.5pt; }
  .strip, .axis { width: 74px; }
  pre { white-space: pre-wrap; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;

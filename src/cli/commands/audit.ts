// saccade audit: what a configuration's synapses would have to know, as a table, as JSON and as a picture. It reads no data.

import { auditFigure } from "../../figures/audit.ts";
import { svgToPng } from "../../figures/png.ts";
import { writeFigure } from "../../figures/write-figure.ts";
import { conditions } from "../../program/audit.ts";
import { formatBytes } from "../../program/explain.ts";
import { describeKnownProbe } from "../../runs/configured-data.ts";
import { type AuditedLayer, type AuditReport, auditConfigured } from "../../training/audit-rule.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, openBackend, readConfig } from "../options.ts";
import { formatTable, wrap } from "../table.ts";

interface AuditOptions extends CommonOptions {
  readonly out?: string;
}

export async function auditCommand(path: string, overrides: readonly string[], options: AuditOptions): Promise<number> {
  const config = await readConfig(path, overrides, options);
  await describeKnownProbe(config, path);
  const report = await auditConfigured(config, await openBackend(options));
  if (options.out !== undefined) {
    const svg = await auditFigure(report);
    await writeFigure(options.out, "audit", svg, await svgToPng(svg));
  }
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${formatAudit(report)}\n`);
  return exitCodes.done;
}

const numerals = ["i", "ii", "iii", "iv"] as const;
/** What each condition demands. */
const demands = [
  "changes from pre- and post-synaptic activity, the error that reaches the units, and short-term memory",
  "no normalisation, inner product across units, or division on the way to the error",
  "no forward weight carries an error",
  "no labels",
] as const;

function formatAudit({ name, learning, update, loss, batch, summary, lessons, interventions }: AuditReport): string {
  const layers = lessons.flatMap((lesson) => lesson.layers);
  const table = [
    [
      "layer",
      ...numerals.map((numeral) => `(${numeral})`),
      "waits for",
      "holds",
      "for",
      "negatives",
      "remembers",
      "confirmed",
    ],
    ...layers.map((layer) => [
      layer.layer,
      ...conditions.map((condition) => layer[condition].word),
      waits(layer),
      formatBytes(layer.held.reduce((sum, { bytes }) => sum + bytes, 0)),
      `${Math.max(...layer.held.map(({ operations }) => operations))} ops`,
      layer.negatives === undefined ? "–" : String(layer.negatives),
      layer.remembers === undefined ? "–" : `${layer.remembers.views} (${formatBytes(layer.remembers.bytes)})`,
      layer.disagreements.length === 0 ? "yes" : "NO",
    ]),
    ["all", ...conditions.map((condition) => summary[condition].word), "–", "–", "–", "–", "–", "–"],
  ];
  const explained = conditions.map((condition, i) => {
    const { word, because } = summary[condition];
    const reasons = because.length === 0 ? "" : `; ${word}: ${because.join(", ")}`;
    return wrap(`(${numerals[i]}) ${demands[i]}${reasons}`, 6);
  });
  // Without the counts, in which layers differ.
  const leftAside = new Set(layers.flatMap((layer) => layer.leftAside.map((line) => line.replace(/ \(\d+\)/, ""))));
  const disagreements = layers.flatMap(({ layer, disagreements: lines }) => lines.map((line) => `${layer}: ${line}`));
  return [
    `${name}: learning ${learning}, update ${update}, loss ${loss.kind}, ${batch} images a step`,
    "",
    formatTable(table),
    "",
    ...explained,
    "",
    wrap("waits for: layers above that pass activity on ↑, the loss, synapses through which an error comes down ↓", 2),
    wrap("holds … for: activities that the change reads, and the number of operations for which they must be kept", 2),
    wrap("negatives: views of other images that one view's error needs", 2),
    wrap(
      "remembers: views, in order of time, whose activity one view's error needs: its partner, its negatives, and what lies " +
        "between; the memory of the layer that compares them",
      2,
    ),
    wrap(`left aside by the paper: ${[...leftAside].map((line) => line.replace("; ", ", and ")).join("; ")}`, 2),
    wrap(
      `confirmed: on ${interventions.images} random pictures (${interventions.backend}), a synapse's change is the same to the ` +
        "bit with noise in everything that it must not know if (i) passes, and in all forward weights if (iii) passes, and " +
        "only then; noise in any one thing that it reads changes it",
      2,
    ),
    ...disagreements.map((line) => wrap(`NOT CONFIRMED: ${line}`, 2)),
  ].join("\n");
}

function waits({ locking }: AuditedLayer): string {
  const { forward, loss, backward } = locking;
  return [`${forward.length}↑`, loss ? "loss" : "", `${backward.length}↓`].filter(Boolean).join(" ");
}

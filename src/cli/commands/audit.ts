// saccade audit: what a configuration's synapses would have to know, as a table, as JSON and as a picture. It reads no data.

import { conditions } from "../../program/audit.ts";
import { formatBytes } from "../../program/explain.ts";
import { type AuditedLayer, type AuditReport, auditConfigured } from "../../training/audit-rule.ts";
import { auditFigure, svgToPng, writeFigure } from "../../training/figures.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, openBackend, readConfig } from "../options.ts";
import { formatTable, wrap } from "../table.ts";

interface AuditOptions extends CommonOptions {
  readonly out?: string;
}

export async function auditCommand(path: string, overrides: readonly string[], options: AuditOptions): Promise<number> {
  const config = readConfig(path, overrides, options);
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
  const blank = lessons.length > 1 ? "its own layer" : "";
  const table = [
    ["layer", ...numerals.map((numeral) => `(${numeral})`), "waits for", "holds", "negatives", "confirmed"],
    ...layers.map((layer) => [
      layer.layer,
      ...conditions.map((condition) => layer[condition].word),
      waits(layer),
      formatBytes(heldBytes(layer)),
      layer.negatives === undefined ? "–" : String(layer.negatives),
      layer.disagreements.length === 0 ? "yes" : "NO",
    ]),
    ["all", ...conditions.map((condition) => summary[condition].word), blank, "", "", ""],
  ];
  const reasons = conditions.flatMap((condition, i) => {
    const { word, because } = summary[condition];
    return because.length === 0 ? [] : [wrap(`(${numerals[i]}) ${word}: ${because.join("; ")}`, 6)];
  });
  const leftAside = [
    ...new Set(layers.flatMap((layer) => layer.leftAside.filter((line) => !line.includes("optimiser")))),
  ];
  const disagreements = layers.flatMap(({ layer, disagreements: lines }) => lines.map((line) => `${layer}: ${line}`));
  return [
    `${name}: learning ${learning}, update ${update}, loss ${loss.kind}, ${batch} images a step`,
    "",
    formatTable(table),
    "",
    ...demands.map((demand, i) => wrap(`(${numerals[i]}) ${demand}`, 6)),
    "",
    ...reasons,
    ...(reasons.length > 0 ? [""] : []),
    wrap(
      "waits for: layers above that pass activity on ↑, the loss, synapses that an error comes down ↓. holds: activities " +
        "that must outlast the forward pass. negatives: other images that one view's error needs.",
    ),
    wrap(`left aside by the paper: ${[...leftAside, "Adam's two numbers per synapse"].join("; ")}.`, 2),
    wrap(
      `confirmed: on ${interventions.images} random pictures (${interventions.backend}), noise in everything else leaves one ` +
        "synapse's change the same to the bit, noise in each thing that it reads changes it.",
    ),
    ...disagreements.map((line) => wrap(`NOT CONFIRMED: ${line}`, 2)),
  ].join("\n");
}

function waits({ locking }: AuditedLayer): string {
  const { forward, loss, backward } = locking;
  return [`${forward.length}↑`, loss ? "loss" : "", `${backward.length}↓`].filter(Boolean).join(" ");
}

const heldBytes = ({ held }: AuditedLayer): number => held.reduce((sum, { bytes }) => sum + bytes, 0);

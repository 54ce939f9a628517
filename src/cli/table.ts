// Tables of text: what a probe found, for a terminal and for a record.

import { type Mean, type ProbeReport, type ReadOut, type Subject, summarise } from "../evaluation/probe.ts";

export const readOutNames: Readonly<Record<ReadOut, string>> = {
  paper: "linear probe (paper's)",
  scaleFree: "linear probe (scale-free)",
  kNN: "k nearest neighbours",
};

const subjects: readonly Subject[] = ["trained", "random", "pixels"];

export const percent = ({ mean, sd }: Pick<Mean, "mean" | "sd">): string =>
  `${(100 * mean).toFixed(1)}${Number.isFinite(sd) ? ` ± ${(100 * sd).toFixed(1)}` : ""}`;

export const labelsPerClassText = (labels: number | "all"): string =>
  labels === "all" ? "all labels" : `${labels} ${labels === 1 ? "label" : "labels"} a class`;

/** Accuracies in per cent, mean ± sd over probe seeds: one row per read-out and number of labels. */
export function probeRows({ scores }: ProbeReport): string[][] {
  const means = summarise(scores);
  const rows = new Map<string, Mean[]>();
  for (const mean of means) {
    const key = `${mean.readOut}/${mean.labelsPerClass}`;
    rows.set(key, [...(rows.get(key) ?? []), mean]);
  }
  const order = [...rows.values()].sort(
    ([a], [b]) => Object.keys(readOutNames).indexOf(a.readOut) - Object.keys(readOutNames).indexOf(b.readOut),
  );
  return [
    ["read-out", "labels", ...subjects, "gain over random"],
    ...order.map((group) => {
      const of = (subject: Subject): Mean | undefined => group.find((mean) => mean.subject === subject);
      const trained = of("trained");
      const random = of("random");
      const gain = trained && random ? 100 * (trained.mean - random.mean) : Number.NaN;
      return [
        readOutNames[group[0].readOut],
        labelsPerClassText(group[0].labelsPerClass),
        ...subjects.map((subject) => {
          const mean = of(subject);
          return mean ? percent(mean) : "–";
        }),
        `${gain >= 0 ? "+" : ""}${gain.toFixed(1)}`,
      ];
    }),
  ];
}

/** Columns padded with spaces; the first two to the left, numbers to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  return [line(rows[0]), widths.map((width) => "─".repeat(width)).join("  "), ...rows.slice(1).map(line)].join("\n");
}

/** The same rows as a Markdown table. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(rows[0]), line(rows[0].map((_, i) => (i < 2 ? "---" : "--:"))), ...rows.slice(1).map(line)].join("\n");
}

// Tables of text: what a probe found, for a terminal and for a record.

import { floors, type Mean, type ProbeReport, type ReadOut, type Score, summarise } from "../evaluation/probe.ts";

export const readOutNames: Readonly<Record<ReadOut, string>> = {
  paper: "linear, the paper's",
  scaleFree: "linear, scale-free",
  kNN: "k nearest neighbours",
};

export const percent = ({ mean, sd }: Pick<Mean, "mean" | "sd">): string =>
  `${(100 * mean).toFixed(1)}${Number.isFinite(sd) ? ` ± ${(100 * sd).toFixed(1)}` : ""}`;

export const labelsPerClassText = (labels: number | "all"): string =>
  labels === "all" ? "all labels" : `${labels} ${labels === 1 ? "label" : "labels"} a class`;

/** `+8.3`, `−2.5`, `0.0`. */
export const signed = (value: number): string => {
  const digits = Math.abs(value).toFixed(1);
  return digits === "0.0" ? digits : `${value < 0 ? "−" : "+"}${digits}`;
};

/**
 * Accuracies in per cent, mean ± sd over probe seeds: one row per read-out, number of labels and, where all were read, layer, with each
 * encoder's gain over the random one. Pixels have no layers and stand in every row.
 */
export function probeRows({ scores }: ProbeReport): string[][] {
  const means = summarise(scores);
  const known: readonly string[] = floors;
  const found = [...new Set(means.map(({ subject }) => subject))].filter((subject) => !known.includes(subject));
  const encoders = found.length > 0 ? found : ["trained"];
  const layers = [...new Set(means.flatMap(({ layer }) => layer ?? []))];
  const rows = new Map<string, Mean[]>();
  for (const mean of means)
    for (const layer of layers.length > 0 ? layers : [undefined])
      if (mean.layer === layer || mean.layer === undefined) {
        const key = `${mean.readOut}/${mean.labelsPerClass}/${layer}`;
        rows.set(key, [...(rows.get(key) ?? []), mean]);
      }
  const labels = [...new Set(means.map(({ labelsPerClass }) => labelsPerClass))];
  const place = ({ readOut, labelsPerClass }: Mean): number =>
    Object.keys(readOutNames).indexOf(readOut) * labels.length + labels.indexOf(labelsPerClass);
  // Within them the layers keep their order.
  const order = [...rows.values()].sort(([a], [b]) => place(a) - place(b));
  const gains = encoders.length === 1 ? ["gain"] : encoders.map((encoder) => `${encoder} gains`);
  return [
    ["read-out", "labels", ...(layers.length > 0 ? ["layer"] : []), ...encoders, ...floors, ...gains],
    ...order.map((group) => {
      const of = (subject: string): Mean | undefined => group.find((mean) => mean.subject === subject);
      const random = of("random");
      return [
        readOutNames[group[0].readOut],
        group[0].labelsPerClass === "all" ? "all" : `${group[0].labelsPerClass} a class`,
        ...(layers.length > 0 ? [group.find(({ layer }) => layer !== undefined)?.layer ?? "–"] : []),
        ...[...encoders, ...floors].map((subject) => {
          const mean = of(subject);
          return mean ? percent(mean) : "–";
        }),
        ...encoders.map((encoder) => {
          const mean = of(encoder);
          return mean && random ? signed(100 * (mean.mean - random.mean)) : "–";
        }),
      ];
    }),
  ];
}

/** What a reader must know of scores besides their numbers: choices at the end of a grid, and minima that were not reached. */
export function probeNotes(scores: readonly Score[]): string[] {
  const whose = ({ subject, labelsPerClass, seed }: Score): string =>
    `${subject}, ${labelsPerClassText(labelsPerClass)}, draw ${seed}`;
  const atEnd = scores.filter(({ details }) => details.atGridEnd === true);
  const short = scores.filter(({ details }) => details.converged === false);
  return [
    ...(atEnd.length > 0
      ? [
          `Scale-free: λ is at the end of its grid, and one beyond might do better: ${atEnd.map((score) => `${whose(score)}: ${score.details.strength}`).join("; ")}.`,
        ]
      : []),
    ...(short.length > 0 ? [`Scale-free: not converged: ${short.map(whose).join("; ")}.`] : []),
  ];
}

/** Columns of the terminal, or 80 where there is none. */
export const textWidth = (): number => process.stdout.columns || 80;

/** Breaks a line after a space so that it fits; what follows is indented by `indent` spaces. `[2, 3]` stays in one piece. */
export function wrap(line: string, indent = 0, columns = textWidth()): string {
  const lines: string[] = [];
  let current = "";
  for (const word of line.match(/ *(?:\[[^\]]*\]|[^ ])+/g) ?? []) {
    if (current !== "" && current.length + word.length > columns) {
      lines.push(current);
      current = " ".repeat(indent) + word.trimStart();
    } else current += word;
  }
  return [...lines, current].join("\n");
}

/** Columns padded with spaces; the first `left` to the left, numbers to the right. */
export function formatTable(rows: readonly (readonly string[])[], left = 2): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  return [line(rows[0]), widths.map((width) => "─".repeat(width)).join("  "), ...rows.slice(1).map(line)].join("\n");
}

/** `▂▃▅▇`: some numbers as bars between the lowest and the highest of them, the last `most`. */
export function sparkline(values: readonly number[], most: number): string {
  const shown = values.slice(-most);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const bars = "▁▂▃▄▅▆▇█";
  return shown
    .map((value) => bars[high > low ? Math.round(((bars.length - 1) * (value - low)) / (high - low)) : 3])
    .join("");
}

/** The same rows as a Markdown table. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(rows[0]), line(rows[0].map((_, i) => (i < 2 ? "---" : "--:"))), ...rows.slice(1).map(line)].join("\n");
}

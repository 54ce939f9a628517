// What of a run TensorBoard shows: RUN/tensorboard/events.out.tfevents.*, written beside metrics.jsonl as training goes on.

import { appendFileSync, existsSync, readdirSync } from "node:fs";
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Numbers } from "../backends/backend.ts";
import { flushFile, notRead, notWritten, readBytes, writeWhole } from "../files/files.ts";
import { configText } from "../record/config-text.ts";
import { type Metric, ofLastBlock } from "../record/metrics.ts";
import type { Config } from "../training/config.ts";
import type { SynapseNumbers } from "../training/xray.ts";
import { type RunFolder, readMetrics } from "./run-folder.ts";
import {
  type Content,
  decodeEvents,
  encodeEvent,
  type Histogram,
  type SeenEvent,
  type Summary,
} from "./tensorboard/event-file.ts";

export interface EventLog {
  /** What appendMetric writes into metrics.jsonl. */
  readonly metric: (metric: Metric) => void;
  readonly histograms: (step: number, synapses: readonly SynapseNumbers[]) => void;
  /** PNGs by name; left out at a step whose pictures the file before has. */
  readonly images: (step: number, pngs: ReadonlyMap<string, Uint8Array>) => void;
  /** All of the above is on the disk when this is done. */
  readonly flush: () => Promise<void>;
}

/**
 * Begins the file anew: metrics and configuration as the run's folder has them now, and from the file before what only it
 * remembers, images and histograms to step `upTo`, the checkpoint's. So what a crash has cut off or a checkpoint takes back is neither
 * there twice nor missing. A session that starts at step 0 tells a TensorBoard that looks on to forget the file before.
 */
export async function openEvents(
  run: RunFolder,
  config: Config,
  upTo: number,
  onWarning?: (sentence: string) => void,
): Promise<EventLog> {
  const folder = join(run.path, "tensorboard");
  const before = eventFiles(folder);
  const newest = before.at(-1);
  const { seen, damage } = newest === undefined ? { seen: [] } : readEvents(join(folder, newest), upTo);
  const metrics = readMetrics(run);
  const loss = damage ?? lostHistograms(folder, seen, metrics, upTo);
  if (loss) onWarning?.(`${loss}; its numbers are written again from metrics.jsonl`);
  // Of metrics.jsonl that has gone this file alone has the numbers.
  const first = metrics[0]?.step ?? Number.POSITIVE_INFINITY;
  const pictured = new Set(seen.filter(({ holds }) => holds === "images").map(({ step }) => step));
  const times = new Map(seen.map(({ step, wallTime }) => [step, wallTime]));
  const began = now();
  const at = (step: number, content: Content): { step: number; record: Uint8Array } => ({
    step,
    record: encodeEvent(times.get(step) ?? began, step, content),
  });
  const records = [
    at(0, { version: true }),
    at(0, { start: true }),
    at(0, { summaries: [{ tag: "config", text: fenced(configText(config)) }] }),
    ...[
      ...seen.filter(({ holds, step }) => holds !== undefined && (holds !== "numbers" || step < first)),
      ...metrics.map((metric) => at(metric.step, content(metric))),
    ].sort((a, b) => a.step - b.step),
  ];
  const path = join(folder, fileName(Math.max(Math.floor(began), newest === undefined ? 0 : secondsOf(newest) + 1)));
  await writeWhole(path, Buffer.concat(records.map(({ record }) => record)));
  // A TensorBoard that looks on without its data server must find the file that it reads, if only to see that it has ended.
  for (const old of before) {
    if (old === newest) await truncate(join(folder, old));
    else await rm(join(folder, old), { force: true });
  }

  const append = (step: number, summaries: readonly Summary[]): void => {
    try {
      appendFileSync(path, encodeEvent(now(), step, { summaries }));
    } catch (error) {
      throw notWritten(path, error);
    }
  };
  return {
    metric: (metric) => append(metric.step, content(metric).summaries),
    histograms: (step, synapses) =>
      append(
        step,
        synapses.flatMap(({ name, ...kinds }) =>
          Object.entries(kinds).map(([kind, numbers]) => ({ tag: `${kind}/${name}`, histogram: histogram(numbers) })),
        ),
      ),
    images: (step, pngs) => {
      if (pictured.has(step)) return;
      const summaries = [...pngs].map(([name, png]) => ({ tag: `figures/${name}`, png }));
      append(step, summaries);
    },
    flush: () => flushFile(path),
  };
}

/** What a file holds to a step, and what damage before it has cost. */
function readEvents(file: string, upTo: number): { seen: SeenEvent[]; damage?: string } {
  let damaged: number | undefined;
  const events = decodeEvents(readBytes(file), (at, step) => {
    if (step <= upTo) damaged ??= at;
  });
  const seen = events.filter(({ step }) => step <= upTo);
  return damaged === undefined
    ? { seen }
    : { seen, damage: `${file}: is damaged at byte ${damaged}, so histograms and pictures there are lost` };
}

/** Every X-ray has histograms beside its line of metrics: what is lost of them to a step. */
function lostHistograms(
  folder: string,
  seen: readonly SeenEvent[],
  metrics: readonly Metric[],
  upTo: number,
): string | undefined {
  const there = new Set(seen.filter(({ holds }) => holds === "histograms").map(({ step }) => step));
  const wanted = new Set(metrics.filter(({ kind, step }) => kind === "xray" && step <= upTo).map(({ step }) => step));
  const lost = [...wanted].filter((step) => !there.has(step));
  return lost.length === 0
    ? undefined
    : `${folder}: lacks the histograms of ${lost.length} of ${wanted.size} X-rays, lost or not asked for, and perhaps pictures`;
}

const now = (): number => Date.now() / 1000;

const fileName = (seconds: number): string => `events.out.tfevents.${String(seconds).padStart(10, "0")}.saccade`;
const secondsOf = (name: string): number => Number(name.split(".")[3]);

/** Those of ours, oldest first. */
function eventFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  try {
    return readdirSync(folder)
      .filter((name) => /^events\.out\.tfevents\.\d{10}\.saccade$/.test(name))
      .sort();
  } catch (error) {
    throw notRead(folder, error);
  }
}

/** TensorBoard reads text as Markdown. */
const fenced = (text: string): string => `\`\`\`\n${text}\`\`\`\n`;

/** The part of a tag before the slash, for the numbers of a step. */
const groups: Readonly<Record<string, string>> = {
  activePositives: "gates",
  activeNegatives: "gates",
  positiveGoodness: "goodness",
  negativeGoodness: "goodness",
  positivesAbove: "goodness",
  negativesBelow: "goodness",
  spread: "embeddings",
  effectiveRank: "embeddings",
};

/** A line of metrics.jsonl as TensorBoard shows it. */
function content(metric: Metric): { readonly summaries: readonly Summary[] } {
  const { kind, step, ...rest } = metric;
  if (metric.kind === "alarm") return { summaries: [{ tag: "alarm", text: metric.message }] };
  if (metric.kind === "intervention") return { summaries: [{ tag: "intervention", text: metric.what }] };
  if (metric.kind === "step") return { summaries: scalars(rest, (name) => `${groups[name] ?? "train"}/${name}`) };
  if (metric.kind === "evaluation") {
    const [last] = ofLastBlock(metric);
    return {
      summaries: metric.scores.flatMap(({ layer, readOut, accuracy, random }) => {
        const tag = `evaluation/${layer === last.layer ? "" : `${layer}/`}${readOut}`;
        return scalars({ [tag]: accuracy, [`${tag}/random`]: random }, (name) => name);
      }),
    };
  }
  const { layer, layers, ...numbers } = rest as Omit<typeof metric, "kind" | "step">;
  const prefix = layer === undefined ? "xray" : `xray/layer${layer}`;
  return {
    summaries: [
      ...scalars(numbers, (name) => `${prefix}/${name}`),
      ...layers.flatMap(({ layer: _, name: block, ...own }) => scalars(own, (name) => `xray/${block}/${name}`)),
    ],
  };
}

/** Numbers alone, and of them what JSON can hold: so a file made anew from metrics.jsonl has the same points. */
const scalars = (values: object, tagOf: (name: string) => string): Summary[] =>
  Object.entries(values).flatMap(([name, value]) =>
    Number.isFinite(value) ? [{ tag: tagOf(name), scalar: value as number }] : [],
  );

/** In equal buckets from the lowest number to the highest; what is not finite is left out. */
export function histogram(numbers: Numbers, buckets = 50): Histogram {
  let [min, max, sum, sumOfSquares, count] = [Infinity, -Infinity, 0, 0, 0];
  // Indexed, not for…of: that takes several times as long, and a network has a million weights.
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i];
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    sumOfSquares += value * value;
    count++;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumOfSquares, limits: [0], buckets: [0] };
  if (min === max) return { min, max, count, sum, sumOfSquares, limits: [max], buckets: [count] };
  const held = new Array<number>(buckets).fill(0);
  const scale = buckets / (max - min);
  for (let i = 0; i < numbers.length; i++)
    if (Number.isFinite(numbers[i])) held[Math.min(buckets - 1, Math.floor((numbers[i] - min) * scale))]++;
  const limits = held.map((_, i) => (i === buckets - 1 ? max : min + (i + 1) / scale));
  return { min, max, count, sum, sumOfSquares, limits, buckets: held };
}

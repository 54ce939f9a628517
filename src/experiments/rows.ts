// Rows of a table: configurations that are trained with every seed, read out, and set beside the random encoder and the pixels.

import type { Score } from "../evaluation/probe.ts";
import { mean } from "../program/mean.ts";
import type { Config, ProbeConfig } from "../training/config.ts";
import { describeRate } from "../training/rate-schedule.ts";
import type { Combination } from "../training/registry.ts";
import type { Plan, Promised, Read } from "./plan.ts";
import type { Ledger, Measured, ReportTable, TableColumn, TableRow } from "./report.ts";
import type { Study } from "./study.ts";
import type { TrainResult } from "./task.ts";

export interface Row {
  readonly title: string;
  /** What the paper prints, in per cent. */
  readonly published?: readonly number[] | undefined;
  readonly config: (seed: number) => Promise<Config>;
  /** Its read-outs, where they are others than the table's. */
  readonly probe?: ProbeConfig;
}

export interface PlannedRows {
  /** The table of what has been measured. */
  readonly table: (read: Read, facts: Pick<ReportTable, "name" | "caption">, columns?: Columns) => ReportTable;
  /** Scores of a row by its title, or of `random` and `pixels`: one group for each seed that has some. */
  readonly runsOf: (read: Read, title: string) => (readonly Score[])[];
  readonly trainingOf: (read: Read, title: string) => (TrainResult | undefined)[];
  readonly ledger: (read: Read) => Ledger[];
  readonly configs: ReadonlyMap<string, readonly Config[]>;
  /** How each row was trained, in a sentence. */
  readonly methods: (read: Read) => string[];
}

export interface Columns {
  readonly readOuts: ProbeConfig["readOuts"];
  readonly labelsPerClass: ProbeConfig["labelsPerClass"];
}

export const readOutTitles = { paper: "paper's probe", scaleFree: "scale-free", kNN: "kNN" } as const;

const lossTitles: Readonly<Record<string, string>> = {
  contrastiveHinge: "hinge",
  simclr: "SimCLR",
  clapp: "CLAPP",
  clappPatches: "CLAPP on patches",
};

/** "hinge, GLL, URF". */
export const ruleTitle = ({ loss, learning, update }: Pick<Combination, "loss" | "learning" | "update">): string =>
  `${lossTitles[loss] ?? loss}, ${learning}, ${update}`;

/** What no training has made: what stands in a table above its rows. */
const floors = [
  { subject: "random", title: "random encoder" },
  { subject: "pixels", title: "pixels" },
] as const;

export async function planRows(
  { seeds }: Pick<Study, "seeds">,
  plan: Plan,
  {
    experiment,
    rows,
    probe,
    publishedRandom,
    audited = false,
    holdOut,
    command,
  }: {
    readonly experiment: string;
    readonly rows: readonly Row[];
    readonly probe: ProbeConfig;
    readonly publishedRandom?: number;
    readonly audited?: boolean;
    /** Repeats a row: of its title. */
    readonly command?: (title: string) => string;
    /** Tested on the last so many pictures of the labelled ones. */
    readonly holdOut?: number | undefined;
  },
): Promise<PlannedRows> {
  const held = holdOut === undefined ? {} : { holdOut };
  const configs = new Map<string, readonly Config[]>();
  const trained = new Map<string, Promised<"train">[]>();
  const probed = new Map<string, Promised<"probe">[]>();
  const audits = new Map<string, Promised<"audit">>();
  for (const { title, config } of rows) configs.set(title, await Promise.all(seeds.map(config)));
  // Every row with the first seed, then every row with the second: whoever stops early has looked at all.
  for (const [i, seed] of seeds.entries())
    for (const { title, probe: own = probe } of rows) {
      const config = configs.get(title)?.[i];
      if (config === undefined) continue;
      const name = `${experiment}: ${title}, seed ${seed}`;
      const runs = trained.get(title) ?? [];
      trained.set(title, [...runs, plan.add(name, { kind: "train", of: { config, trained: true } })]);
      const reads = probed.get(title) ?? [];
      const task = { kind: "probe", of: { config, trained: true }, probe: own, ...held } as const;
      probed.set(title, [...reads, plan.add(`${name}, read-outs`, task)]);
    }
  const ordinary = rows.find((row) => row.probe === undefined) ?? rows[0];
  const random = seeds.map((seed, i) => {
    const config = configs.get(ordinary.title)?.[i] as Config;
    const task = { kind: "probe", of: { config, trained: false }, probe, ...held } as const;
    return plan.add(`${experiment}: random encoder, seed ${seed}, read-outs`, task);
  });
  if (audited)
    for (const { title } of rows) {
      const config = configs.get(title)?.[0] as Config;
      audits.set(title, plan.add(`${experiment}: ${title}, audit`, { kind: "audit", of: { config, trained: false } }));
    }

  const floorOf = (title: string): string | undefined =>
    floors.find((floor) => floor.title === title || floor.subject === title)?.subject;
  const runsOf: PlannedRows["runsOf"] = (read, title) => {
    const subject = floorOf(title) ?? "trained";
    const promised = floorOf(title) ? random : (probed.get(title) ?? []);
    return promised.flatMap((one) => {
      const scores = read(one)?.scores.filter((score) => score.subject === subject) ?? [];
      return scores.length > 0 ? [scores] : [];
    });
  };
  const trainingOf: PlannedRows["trainingOf"] = (read, title) => (trained.get(title) ?? []).map((one) => read(one));

  return {
    configs,
    runsOf,
    trainingOf,
    table: (read, facts, { readOuts, labelsPerClass } = probe) => {
      const kinds = readOuts.flatMap((readOut) => labelsPerClass.map((labels) => ({ readOut, labels })));
      const columns = kinds.map(
        ({ readOut, labels }): TableColumn => ({
          title: labels === "all" ? "all labels" : `${labels} a class`,
          group: readOutTitles[readOut],
          ...(readOut === "paper" && labels === "all" ? { asPublished: true } : {}),
        }),
      );
      const beside = runsOf(read, "random");
      const cells = (title: string): TableRow["cells"] => {
        const runs = runsOf(read, title);
        return kinds.map(({ readOut, labels }): Measured | string => {
          const values = accuracies(runs, readOut, labels);
          const random = accuracies(beside, readOut, labels);
          if (values.length === 0) return "–";
          const gain =
            random.length === 0 || title === "random encoder" ? undefined : 100 * (mean(values) - mean(random));
          return { values, ...(gain === undefined || floorOf(title) ? {} : { gain }) };
        });
      };
      return {
        ...facts,
        columns,
        rows: [
          ...floors.map(
            ({ title, subject }): TableRow => ({
              title,
              floor: true,
              published: subject === "random" && publishedRandom !== undefined ? [publishedRandom] : undefined,
              notes: [],
              cells: cells(title),
            }),
          ),
          ...rows.map(
            ({ title, published }): TableRow => ({
              title,
              published,
              ...(command ? { command: command(title) } : {}),
              notes: [...new Set(trainingOf(read, title).flatMap(notesOf))],
              cells: cells(title),
            }),
          ),
        ],
      };
    },
    ledger: (read) => {
      const middle = probe.labelsPerClass[Math.floor((probe.labelsPerClass.length - 1) / 2)];
      const beside = runsOf(read, "random");
      return [...audits].flatMap(([title, promised]): Ledger[] => {
        const audit = read(promised);
        if (audit === undefined) return [];
        const gains = probe.readOuts.flatMap((readOut) => {
          const [own, random] = [runsOf(read, title), beside].map((runs) => accuracies(runs, readOut, middle));
          return own.length === 0 || random.length === 0 ? [] : [100 * (mean(own) - mean(random))];
        });
        return [{ title, ...audit, gain: gains.length === 0 ? undefined : mean(gains) }];
      });
    },
    methods: (read) =>
      rows.flatMap(({ title }) => {
        const config = configs.get(title)?.[0];
        const [first] = trainingOf(read, title);
        if (config === undefined || first === undefined) return [];
        const losses = lossText(first);
        const look = xrayText(first);
        return [
          `${title}: ${config.optimiser.kind} ${describeRate(config.optimiser)}, ${first.steps.toLocaleString("en-US")} steps of ${config.batch}, ${(first.flops / 1e12).toPrecision(3)} TFLOP${losses}${look}.`,
        ];
      }),
  };
}

/** The mean accuracy of each run under a read-out and number of labels. */
function accuracies(runs: readonly (readonly Score[])[], readOut: Score["readOut"], labels: number | "all"): number[] {
  return runs.flatMap((scores) => {
    const own = scores.filter((one) => one.readOut === readOut && one.labelsPerClass === labels);
    return own.length === 0 ? [] : [mean(own.map(({ accuracy }) => accuracy))];
  });
}

const notesOf = (result: TrainResult | undefined): string[] =>
  result === undefined
    ? []
    : [...(result.diverged === undefined ? [] : [`diverged: ${result.diverged}`]), ...result.alarms];

/** Of the layer that learnt last, or of all together: means of its first and last noted losses. */
function lossText({ curve }: TrainResult): string {
  const last = curve.at(-1);
  if (last === undefined) return "";
  const own = curve.filter(({ layer }) => layer === last.layer).map(({ loss }) => loss);
  // Never the same losses at both ends.
  const count = Math.max(1, Math.min(10, Math.floor(own.length / 2)));
  const [first, end] = [own.slice(0, count), own.slice(-count)].map((some) => Number(mean(some).toPrecision(3)));
  return `, loss ${first.toLocaleString("en-US")} → ${end.toLocaleString("en-US")}`;
}

/** The X-ray in a few words: angles to BP's changes, and of feedback to the weights. */
function xrayText({ xray }: TrainResult): string {
  const words = xray.flatMap(({ name, angleBP, angleWB, dead }) => {
    const facts = [
      angleBP === undefined ? "" : `${angleBP.toFixed(0)}° to BP`,
      angleWB === undefined ? "" : `W–B ${angleWB.toFixed(1)}°`,
      dead > 0.005 ? `${(100 * dead).toFixed(0)} % dead` : "",
    ].filter((word) => word !== "");
    return facts.length === 0 ? [] : [`${name} ${facts.join(", ")}`];
  });
  return words.length === 0 ? "" : `; X-ray at the end: ${words.join("; ")}`;
}

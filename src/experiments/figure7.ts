// Figure 7 of the paper: linear evaluation of every layer, end to end and layer by layer, under each update.

import { networkOf } from "../encoders/networks.ts";
import type { Score } from "../evaluation/probe.ts";
import { layerPanels } from "../figures/layer-panels.ts";
import { mean } from "../program/mean.ts";
import type { ProbeConfig } from "../training/config.ts";
import type { Experiment } from "./experiment.ts";
import type { Promised, Read } from "./plan.ts";
import type { Measured, ReportTable } from "./report.ts";
import { readOutTitles, ruleTitle } from "./rows.ts";
import { type Cell, cellConfig, probeConfig, rolesOf, type Study } from "./study.ts";
import { table1Cell } from "./table1.ts";

const learnings = ["E2E", "GLL", "RLL"] as const;
const updates = ["BP", "URF", "RF"] as const;
const ruleOf = (learning: Cell["learning"], update: Cell["update"]) =>
  ({ loss: "contrastiveHinge", learning, update }) as const;

/** First layers have many features: fewer pictures are tested, with one number of labels. */
const mostTested = 4_000;

function layersProbe(study: Study): ProbeConfig {
  const probe = probeConfig(study, "cifar");
  const { labelsPerClass, test } = probe;
  const labels = labelsPerClass[Math.floor((labelsPerClass.length - 1) / 2)];
  const limit = study.scale.name === "paper" ? test.limit : Math.min(test.limit ?? mostTested, mostTested);
  return { ...probe, labelsPerClass: [labels], test: { ...test, limit }, layers: "all" };
}

export const figure7: Experiment = {
  name: "figure7",
  title: "Figure 7: linear evaluation of every layer",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const probe = layersProbe(study);
    const probed = new Map<string, Promised<"probe">[]>();
    const first = study.seeds[0];
    const encoder = (await cellConfig(study, table1Cell(ruleOf("E2E", "BP"), false), first)).encoder;
    const layers = networkOf(encoder).blocks.map(({ name }) => name);
    const ask = async (title: string, rule: ReturnType<typeof ruleOf>, trained: boolean): Promise<void> => {
      const asked: Promised<"probe">[] = [];
      for (const seed of study.seeds) {
        const config = await cellConfig(study, table1Cell(rule, false), seed);
        const task = { kind: "probe", of: { config, trained }, probe } as const;
        asked.push(plan.add(`figure7: ${title}, seed ${seed}, read-outs of every layer`, task));
      }
      probed.set(title, asked);
    };
    await ask("random", ruleOf("E2E", "BP"), false);
    for (const update of updates)
      for (const learning of learnings) await ask(ruleTitle(ruleOf(learning, update)), ruleOf(learning, update), true);

    return async (read) => {
      const valuesOf = (title: string, readOut: Score["readOut"]): number[][] =>
        layers.map((layer) =>
          (probed.get(title) ?? []).flatMap((promised) => {
            const scores = read(promised)?.scores.filter((one) => one.layer === layer && one.readOut === readOut) ?? [];
            return scores.length === 0 ? [] : [mean(scores.map(({ accuracy }) => accuracy))];
          }),
        );
      const chance = chanceOf(read, [...probed.values()].flat());
      const panels = probe.readOuts.flatMap((readOut) =>
        updates.map((update) => ({
          heading: `${update}, ${readOutTitles[readOut]}`,
          times: 100,
          lines: [
            ...learnings.map((learning) => ({ name: learning as string, title: ruleTitle(ruleOf(learning, update)) })),
            { name: "random", title: "random" },
          ].flatMap(({ name, title }) => {
            const values = valuesOf(title, readOut);
            return values.some((some) => some.length > 0)
              ? [{ name, values: values.map((some) => (some.length === 0 ? Number.NaN : mean(some))) }]
              : [];
          }),
          levels: chance === undefined ? [] : [{ name: "chance", value: chance }],
        })),
      );
      const drawn = panels.filter(({ lines }) => lines.length > 0);
      if (drawn.length === 0) return { text: [], tables: [], claims: [], figures: [], ledger: [] };
      const [labels] = probe.labelsPerClass;
      const svg = await layerPanels({
        title: "Accuracy of each layer",
        caption: `accuracy in %, ${labels === "all" ? "all labels" : `${labels} labels a class`}, ${probe.test.limit ?? "all"} test pictures`,
        layers,
        panels: drawn,
      });
      return {
        text: [],
        tables: [tableOf([...probed.keys()], layers, probe, valuesOf)],
        claims: [],
        figures: [
          {
            name: "layers",
            caption:
              "Linear evaluation of every layer of encoders trained end to end (E2E), greedily (GLL) and at random (RLL), all negatives, under each update, beside the random encoder.",
            svg,
          },
        ],
        ledger: [],
      };
    };
  },
};

function chanceOf(read: Read, promised: readonly Promised<"probe">[]): number | undefined {
  return promised.map((one) => read(one)?.chance).find((chance) => chance !== undefined);
}

/** The numbers of the figure; the first column group is the paper's probe. */
function tableOf(
  titles: readonly string[],
  layers: readonly string[],
  { readOuts }: ProbeConfig,
  valuesOf: (title: string, readOut: Score["readOut"]) => number[][],
): ReportTable {
  return {
    name: "figure7",
    caption: "The numbers of the figure, layer by layer.",
    columns: readOuts.flatMap((readOut) => layers.map((layer) => ({ title: layer, group: readOutTitles[readOut] }))),
    rows: titles.map((title) => ({
      title: title === "random" ? "random encoder" : title,
      floor: title === "random",
      notes: [],
      cells: readOuts.flatMap((readOut) =>
        valuesOf(title, readOut).map((values): Measured | string => (values.length === 0 ? "–" : { values })),
      ),
    })),
  };
}

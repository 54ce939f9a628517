// Table 3 of the paper: deformed CIFAR-10, self-supervised encoders with a classifier beside supervised networks. Its numbers are not at hand.

import { cifarDeformation } from "../data/deformations.ts";
import { type Claim, judge } from "./claims.ts";
import type { Experiment } from "./experiment.ts";
import { planRobustness, type RobustRow } from "./robustness-rows.ts";
import { ruleTitle } from "./rows.ts";
import { cellConfig, picturesOf, probeConfig, rolesOf, type Study, supervisedConfig } from "./study.ts";
import { rowTitle, table1Cell } from "./table1.ts";

const classes = 10;

/** The paper's 5,000 and 50,000 labels, or the same tenth and whole of what a scale has. */
function labelsOf({ scale }: Study): { readonly few: number; readonly all: number } {
  const { labelled } = scale.settings.cifar;
  const all = labelled === 45_000 ? 50_000 : labelled;
  return { few: Math.max(2, all / 10 / classes), all };
}

const rules = [
  { rule: { loss: "contrastiveHinge", learning: "E2E", update: "BP" }, constrained: false },
  { rule: { loss: "contrastiveHinge", learning: "GLL", update: "URF" }, constrained: true },
] as const;

function rowsOf(study: Study): RobustRow[] {
  const { few, all } = labelsOf(study);
  const supervised = [
    { count: few * classes, labelsPerClass: few },
    { count: all, labelsPerClass: "all" as const },
  ];
  return [
    ...rules.map(({ rule, constrained }) => ({
      title: rowTitle(rule, constrained),
      config: (seed: number) => cellConfig(study, table1Cell(rule, constrained), seed),
    })),
    ...supervised.map(({ count, labelsPerClass }) => ({
      title: supervisedTitle(count),
      labelsPerClass,
      config: async (seed: number) => supervisedConfig(study, { setting: "cifar", labelled: count }, seed),
    })),
  ];
}

const supervisedTitle = (count: number): string => `supervised, BP, ${count.toLocaleString("en-US")} labels`;

export const table3: Experiment = {
  name: "table3",
  title: "Table 3: deformed CIFAR-10, self-supervised against supervised",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const { few, all } = labelsOf(study);
    const pictures = picturesOf("cifar-10", study);
    const own = probeConfig(study, "cifar");
    const probe = { ...own, train: { ...own.train, limit: all }, labelsPerClass: [few, "all" as const] };
    const planned = await planRobustness(study, plan, {
      experiment: "table3",
      setting: "cifar",
      rows: rowsOf(study),
      probe,
      recipe: cifarDeformation,
      single: ["rotation", "shift", "scale", "hue", "saturation"],
    });
    const claims: Claim[] = [
      {
        text: "on deformed CIFAR-10 a classifier on self-supervised features is above the supervised network with as many labels",
        ...{ source: "Table 3", kind: "above", by: 0 },
        pairs: rules.flatMap(({ rule, constrained }) =>
          ([few, "all"] as const).map(
            (labels) =>
              [
                `${rowTitle(rule, constrained)}|${labels}`,
                `${supervisedTitle(labels === "all" ? all : few * classes)}|${labels}`,
              ] as const,
          ),
        ),
      },
    ];
    return async (read) => ({
      text: [
        `The paper's deformed test set was made by a generator whose strength is not recorded; ours is drawn anew from a seed with p = ${cifarDeformation.perturb}. Learning rule of the first row: ${ruleTitle(rules[0].rule)}.`,
        "The table's numbers are not at hand: the order that its text claims is checked.",
      ],
      tables: [
        planned.table(read, {
          name: "table3",
          caption: `Accuracy on the test set of ${pictures} as it is, and deformed. Supervised networks answer with the classifier that they learnt.`,
        }),
      ],
      claims: judge(
        claims,
        (side) => {
          const [title, labels] = side.split("|");
          return planned.runsOf(read, title, labels === "all" ? "all" : Number(labels), 1);
        },
        study.scale.settings.cifar.deformed,
      ).map((claim) => ({ ...claim, evidence: claim.evidence.map((line) => line.replace(/\|\w+/g, "")) })),
      figures: await planned.figures(read, {
        name: "strength",
        caption: `Accuracy on ${pictures} against the strength of each deformation.`,
      }),
      ledger: [],
    });
  },
};

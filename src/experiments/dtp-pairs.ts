// Target propagation with pooling against strides, self-supervised and supervised: what the paper says of it in its text.

import { cifarDeformation } from "../data/deformations.ts";
import { mean } from "../program/mean.ts";
import { type Claim, judge } from "./claims.ts";
import type { Experiment } from "./experiment.ts";
import type { Promised } from "./plan.ts";
import { planRows, type Row } from "./rows.ts";
import { cellConfig, probeConfig, repeatCommand, rolesOf, type Study, supervisedConfig } from "./study.ts";
import { table1Cell } from "./table1.ts";

const dtp = { loss: "contrastiveHinge", learning: "E2E", update: "DTP" } as const;
const pooling = "hinge, E2E, DTP, max pooling";
const strided = "hinge, E2E, DTP, strides";

const rowsOf = (study: Study): Row[] => [
  { title: pooling, published: [71.29], config: (seed) => cellConfig(study, table1Cell(dtp, false), seed) },
  {
    title: strided,
    published: [39.42],
    config: (seed) => cellConfig(study, { ...table1Cell(dtp, false), encoder: "cifar-strided" }, seed),
    probe: probeConfig(study, "cifar", { encoder: "cifar-strided" }),
  },
];

/** Supervised networks, with the accuracy that the paper prints. */
const supervised = [
  { title: "supervised, DTP, max pooling", published: 71, encoder: undefined },
  { title: "supervised, DTP, strides", published: 58, encoder: "cifar-strided" },
] as const;

const claims: readonly Claim[] = [
  {
    text: "DTP learns far better with max pooling than with strides",
    ...{ source: "section on DTP", kind: "above", by: 5 },
    pairs: [[pooling, strided]],
  },
];
const supervisedClaim: Claim = {
  text: "supervised DTP too is better with max pooling than with strides",
  ...{ source: "section on DTP", kind: "above", by: 0 },
  pairs: [[supervised[0].title, supervised[1].title]],
};

export const dtpPairs: Experiment = {
  name: "dtp",
  title: "DTP with max pooling and with strides",
  roles: rolesOf("cifar"),
  plan: async (study, plan) => {
    const { labelled, tested } = study.scale.settings.cifar;
    const planned = await planRows(study, plan, {
      experiment: "dtp",
      command: (title) => repeatCommand(study, "dtp", title),
      rows: rowsOf(study),
      probe: probeConfig(study, "cifar"),
    });
    const own = new Map<string, Promised<"robustness">[]>();
    for (const { title, encoder } of supervised) {
      const other = encoder === undefined ? {} : { encoder };
      const asked = study.seeds.map((seed) => {
        const config = supervisedConfig(study, { setting: "cifar", labelled, update: "DTP", ...other }, seed);
        const probe = { ...probeConfig(study, "cifar", other), labelsPerClass: ["all" as const] };
        // On the test set as it is, alone.
        const curves = [{ deformation: cifarDeformation, strengths: [] }];
        const task = { kind: "robustness", of: { config, trained: true }, probe, curves, seed: 0 } as const;
        return plan.add(`dtp: ${title}, seed ${seed}, own classifier`, task);
      });
      own.set(title, asked);
    }
    return async (read) => {
      const accuracies = (title: string): number[] =>
        (own.get(title) ?? []).flatMap((promised) => {
          const scores = read(promised)?.scores ?? [];
          return scores.length === 0 ? [] : [mean(scores.map(({ accuracy }) => accuracy))];
        });
      return {
        text: [],
        training: planned.methods(read),
        tables: [
          planned.table(read, {
            name: "dtp",
            caption: "Self-supervised: linear evaluation of DTP with pooling and with strides.",
          }),
          {
            name: "dtp-supervised",
            caption: `Supervised: networks that learnt ${labelled.toLocaleString("en-US")} labels of CIFAR-10 by DTP, with their own classifier.`,
            columns: [{ title: "test accuracy" }],
            rows: supervised.map(({ title, published }) => {
              const values = accuracies(title);
              return { title, published: [published], notes: [], cells: [values.length === 0 ? "–" : { values }] };
            }),
          },
        ],
        claims: [
          ...judge(claims, (title) => planned.runsOf(read, title), tested),
          ...judge(
            [supervisedClaim],
            (title) =>
              accuracies(title).map((accuracy) => [
                { subject: "trained", readOut: "paper", labelsPerClass: "all", seed: 0, accuracy, details: {} },
              ]),
            tested,
          ),
        ],
        figures: [],
        ledger: [],
      };
    };
  },
};

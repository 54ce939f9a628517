// What stands ready to answer of any test set: a subject's own classifier, or all read-outs once they have learnt from labelled pictures.

import type { Backend, Engine } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { accuracyOf, createClassifier, recordScoring, type Scoring } from "./classifier.ts";
import { type Features, selectRows } from "./features.ts";
import { openKnn } from "./knn.ts";
import { openLinearProbe } from "./linear-probe.ts";
import { drawAll, type ProbeOptions, type ReadOut } from "./probe.ts";
import type { Draws } from "./read-out.ts";
import { openScaleFreeProbe } from "./scale-free-probe.ts";
import type { Linear } from "./standardise.ts";
import { only } from "./subsets.ts";

/** Who answers: a read-out that learnt from a draw of labels, or the classifier that a supervised network has of its own. */
export interface Answerer {
  readonly readOut: ReadOut | "own";
  /** Of `own` all that the network was trained on. */
  readonly labelsPerClass: number | "all";
  /** Draw of labels. */
  readonly seed: number;
}

export interface Learnt {
  readonly answerers: readonly Answerer[];
  /** Shares of right answers on a set, one for each of `answerers`. */
  readonly accuracies: (test: Features) => Promise<number[]>;
  readonly dispose: () => Promise<void>;
}

/** What there is to learn from: labelled pictures, and how their features come about. */
export interface Lessons {
  readonly pool: ImageSet;
  readonly featuresOf: (set: ImageSet) => Promise<Features>;
  readonly options: ProbeOptions;
}

/** Opens a classifier that is there already, or those of all read-outs; of engines stay open a small one and those of kNN. */
export async function learn(
  from: Linear | Lessons,
  { width, classes }: Pick<Features, "width" | "classes">,
  backend: Backend,
): Promise<Learnt> {
  const answerers: Answerer[] = [];
  const ways: ((test: Features) => Promise<number[]>)[] = [];
  const open: { dispose: () => Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const engine of open) await engine.dispose();
  };
  const classifier = createClassifier(width, classes);
  const scoring = recordScoring(classifier);
  const engine = await backend.prepare([scoring.program]);
  open.push(engine);
  const linear = (own: readonly Linear[]) => (test: Features) => score(engine, scoring, classifier, own, test);
  try {
    if ("weight" in from) {
      answerers.push({ readOut: "own", labelsPerClass: "all", seed: 0 });
      ways.push(linear([from]));
    } else {
      const { pool, featuresOf, options } = from;
      const { labelsPerClass, readOuts } = options;
      const drawn = drawAll(pool, labelsPerClass, options.seeds);
      const features = await featuresOf(only(pool, drawn.images));
      for (const [seed, { rows, draws }] of drawn.seeds.entries()) {
        const own = { rows: rows.length === features.count ? features : selectRows(features, rows), draws, seed };
        for (const readOut of readOuts) {
          answerers.push(...labelsPerClass.map((labels) => ({ readOut, labelsPerClass: labels, seed })));
          if (readOut === "kNN") {
            const opened = await openKnn(own, backend);
            open.push(opened);
            ways.push(await opened.fit(own));
          } else ways.push(linear(await fitLinear(readOut, own, options, backend)));
        }
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    answerers,
    accuracies: async (test) => {
      const all: number[] = [];
      for (const way of ways) all.push(...(await way(test)));
      return all;
    },
    dispose: close,
  };
}

/** Opened, fitted and closed: large engines do not stay. */
async function fitLinear(
  readOut: "paper" | "scaleFree",
  own: Draws,
  { epochs, learningRate, batch }: ProbeOptions,
  backend: Backend,
): Promise<Linear[]> {
  const opened =
    readOut === "paper"
      ? await openLinearProbe(own, { epochs, learningRate, batch }, backend)
      : await openScaleFreeProbe(own, backend);
  try {
    return await opened.fit(own);
  } finally {
    await opened.dispose();
  }
}

/** Share of right answers of each of some classifiers. */
async function score(
  engine: Engine,
  scoring: Scoring,
  { weight, bias }: ReturnType<typeof createClassifier>,
  classifiers: readonly Linear[],
  test: Features,
): Promise<number[]> {
  const shares: number[] = [];
  for (const own of classifiers) {
    engine.write(weight, own.weight);
    engine.write(bias, own.bias);
    shares.push(await accuracyOf(engine, scoring, test));
  }
  return shares;
}

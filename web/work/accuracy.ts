// Share of right answers by k nearest neighbours, of all test pictures and of each class: src/evaluation/knn.ts, one class at a time.

import type { Backend } from "../../src/backends/backend.ts";
import { type Features, requireFeatures, selectRows } from "../../src/evaluation/features.ts";
import { openKnn } from "../../src/evaluation/knn.ts";
import type { Accuracy } from "../messages.ts";

export async function accuracyOf(train: Features, test: Features, seed: number, backend: Backend): Promise<Accuracy> {
  requireFeatures("accuracy", train, test);
  const drawn = { rows: train, draws: [Int32Array.from(train.labels.keys())], seed };
  const knn = await openKnn(drawn, backend);
  try {
    const accuracies = await knn.fit(drawn);
    const classes: number[] = [];
    let right = 0;
    for (let label = 0; label < test.classes; label++) {
      const rows = Int32Array.from([...test.labels.keys()].filter((row) => test.labels[row] === label));
      const [share] = rows.length > 0 ? await accuracies(selectRows(test, rows)) : [0];
      classes.push(share);
      right += Math.round(share * rows.length);
    }
    return { all: right / test.count, classes };
  } finally {
    await knn.dispose();
  }
}

// A linear classifier on rows of features: its parameters, its logits, and how many of its answers are right.

import type { Engine } from "../backends/backend.ts";
import { type Program, type Recorder, recordProgram } from "../program/program.ts";
import { persistent, type Tensor } from "../program/tensor.ts";
import type { Features } from "./features.ts";

/** Classes stand first, so that weights and features are rows of one length: products with few classes read both in place. */
export interface Classifier {
  /** [classes, width]. */
  readonly weight: Tensor;
  /** [classes]. */
  readonly bias: Tensor;
}

export const createClassifier = (width: number, classes: number, name = "classifier"): Classifier => ({
  weight: persistent(`${name}.weight`, [classes, width], "weight"),
  bias: persistent(`${name}.bias`, [classes], "weight"),
});

/** x [n, width] → x·weightᵀ + bias [n, classes]; `suffix` tells the names of several in one program apart. */
export function recordLogits(record: Recorder, x: Tensor, { weight, bias }: Classifier, suffix = ""): Tensor {
  const { dx: product } = record.linearInputGradient({ dy: x, w: weight }, {}, { dx: `product${suffix}` });
  return record.addBias({ x: product, b: bias }, {}, { y: `logits${suffix}` }).y;
}

/** Rows of one run of a scoring program. */
const chunk = 500;

/** A program that scores some rows at a time. */
export interface Scoring {
  readonly program: Program;
  readonly rows: Tensor;
  readonly logits: Tensor;
  /** What is written to `rows`. */
  readonly some: Float32Array;
}

export function recordScoring(classifier: Classifier): Scoring {
  const width = classifier.weight.shape[1];
  const rows = persistent("scored.rows", [chunk, width], "input");
  const record = recordProgram("scoring");
  const logits = recordLogits(record, rows, classifier);
  return { program: record.finish([logits]), rows, logits, some: new Float32Array(chunk * width) };
}

/** Share of a set's rows, or of some of them, whose first largest logit is their label. */
export async function accuracyOf(
  engine: Engine,
  { program, rows: scored, logits, some }: Scoring,
  { rows, labels, count, width, classes }: Features,
  chosen: Int32Array = Int32Array.from({ length: count }, (_, i) => i),
): Promise<number> {
  let right = 0;
  for (let start = 0; start < chosen.length; start += chunk) {
    const now = chosen.subarray(start, start + chunk);
    now.forEach((from, to) => {
      some.set(rows.subarray(from * width, (from + 1) * width), to * width);
    });
    engine.write(scored, some);
    await engine.run(program);
    const scores = await engine.read(logits);
    now.forEach((row, i) => {
      let best = 0;
      for (let j = 1; j < classes; j++) if (scores[i * classes + j] > scores[i * classes + best]) best = j;
      if (best === labels[row]) right++;
    });
  }
  return right / chosen.length;
}

// The scale-free linear probe: standardised features, L2-regularised multinomial logistic regression run to convergence,
// its regularisation chosen on a validation split. Multiplying an encoder's output by a constant changes nothing here.
//
// Where there are far fewer rows than columns it runs in the rows' span, with the same minima and the same answers (row-space.ts).

import type { Backend } from "../backends/backend.ts";
import { persistent, rows as rowsOf, type Tensor } from "../program/tensor.ts";
import { accuracyOf, createClassifier, recordScoring } from "./classifier.ts";
import type { Features } from "./features.ts";
import type { Minimum } from "./lbfgs.ts";
import {
  measureCovariance,
  minimiseRegression,
  type Regression,
  recordRegression,
  trainAccuracyOf,
} from "./logistic-regression.ts";
import { type Draws, measureOnce, type OpenLinearReadOut, preparedFor } from "./read-out.ts";
import { isWorthwhile, recordSpan, type SpanPrograms, spanOf } from "./row-space.ts";
import { type Linear, momentsOf, ofRawRows, ofStandardRows, standardise } from "./standardise.ts";
import { splitRows } from "./subsets.ts";

/** Strengths λ of the penalty λ/2·‖W‖² beside the mean cross-entropy, strongest first: each start is where those before lead. */
export const strengths: readonly number[] = [100, 10, 1, 0.1, 0.01, 1e-3];
/** How far the grid goes on, decade by decade, while its end alone does best. */
const [strongest, weakest] = [1e5, 1e-8];

/** Rows that are standardised at a time. */
const chunk = 500;

export interface ScaleFreeResult {
  readonly accuracy: number;
  readonly trainAccuracy: number;
  /** λ that did best on the validation split; of equals the stronger one, but one inside the grid before its ends. */
  readonly strength: number;
  /** λ is the strongest or the weakest of the grid, as far as it goes: one beyond might do better. */
  readonly atGridEnd: boolean;
  readonly validationAccuracy: number;
  readonly iterations: number;
  /** Every fit reached its minimum, those of the validation split too. */
  readonly converged: boolean;
}

/** Test accuracy of a linear read-out that a factor on the features does not change. Throws for features of different widths or classes. */
export function scaleFreeProbe(
  train: Features,
  test: Features,
  seed: number,
  backend: Backend,
): Promise<ScaleFreeResult> {
  return measureOnce("scaleFreeProbe", openScaleFreeProbe, { train, test, seed }, backend);
}

/** A regression on rows that the engine holds until the next one is opened; its parameters belong to these rows alone. */
interface OpenRegression {
  readonly fit: (strength: number, start: Float64Array) => Promise<Minimum>;
  readonly trainAccuracy: (parameters: Float64Array) => Promise<number>;
  readonly zero: Float64Array;
  /** The classifier of rows as they are that parameters mean, and the parameters for one. */
  readonly toRaw: (parameters: Float64Array) => Promise<Linear>;
  readonly fromRaw: (linear: Linear) => Promise<Float64Array>;
}

/** What is recorded for regressions on some number of rows. */
interface Prepared {
  /** Standardised rows. */
  readonly table: Tensor;
  readonly span: SpanPrograms | undefined;
  /** On these rows, or on their coordinates in their span. */
  readonly regression: Regression;
}

export async function openScaleFreeProbe(like: Draws, backend: Backend): Promise<OpenLinearReadOut<ScaleFreeResult>> {
  const { width, classes, count } = like.rows;
  const table = persistent("features", [count, width], "input");
  const labels = persistent("labels", [count], "input", "i32");
  const prepared = new Map(sizesOf(like).map((n) => [n, prepare(n)]));
  const classifier = createClassifier(width, classes);
  const scoring = recordScoring(classifier);
  const programs = [...prepared.values()].flatMap(({ regression, span }) => [
    regression.objective,
    ...(regression.covariance ? [regression.covariance.program] : []),
    ...(span ? span.programs : []),
  ]);
  const engine = await backend.prepare([...programs, scoring.program]);

  function prepare(n: number): Prepared {
    const own = rowsOf(table, 0, n);
    const span = isWorthwhile(n, width) ? recordSpan(own, classes) : undefined;
    const features = span ? persistent(`coordinates ${n}`, [n, n], "input") : own;
    return { table: own, span, regression: recordRegression(features, rowsOf(labels, 0, n), classes) };
  }

  async function open(rows: Features, chosen: Int32Array): Promise<OpenRegression> {
    const { table: own, span: spanPrograms, regression } = preparedFor("scaleFreeProbe", prepared, chosen.length);
    const moments = momentsOf(rows, chosen);
    const some = new Float32Array(Math.min(chunk, chosen.length) * width);
    for (let start = 0; start < chosen.length; start += chunk) {
      const now = chosen.subarray(start, start + chunk);
      engine.write(rowsOf(own, start, now.length), standardise(rows, now, moments, some));
    }
    engine.write(
      regression.labels,
      chosen.map((row) => rows.labels[row]),
    );
    const span = spanPrograms && (await spanOf(engine, spanPrograms));
    if (span) engine.write(regression.features, span.coordinates);
    // Every column that varies has a mean square of 1, and a rotation leaves their sum as it is.
    const varying = moments.scale.reduce((sum, scale) => sum + Math.sign(scale), 0);
    const covariance = await measureCovariance(engine, regression, varying);
    const weights = classes * regression.features.shape[1];
    return {
      fit: (strength, start) => minimiseRegression(engine, regression, { strength, start, covariance }),
      trainAccuracy: (parameters) => trainAccuracyOf(engine, regression, parameters),
      zero: new Float64Array(weights + classes),
      toRaw: async (parameters) => {
        const weight = parameters.subarray(0, weights);
        const bias = parameters.subarray(weights);
        return ofRawRows({ weight: span ? await span.leave(weight) : weight, bias }, moments);
      },
      fromRaw: async (linear) => {
        const { weight, bias } = ofStandardRows(linear, moments);
        const parameters = new Float64Array(weights + classes);
        parameters.set(span ? await span.enter(weight) : weight);
        parameters.set(bias, weights);
        return parameters;
      },
    };
  }

  /** Share of right answers of a classifier of rows as they are. */
  async function score({ weight, bias }: Linear, rows: Features, chosen?: Int32Array): Promise<number> {
    engine.write(classifier.weight, weight);
    engine.write(classifier.bias, bias);
    return accuracyOf(engine, scoring, rows, chosen);
  }

  async function learn(rows: Features, draw: Int32Array, seed: number) {
    const { fit, held } = splitRows(rows, draw, seed);
    const chosen = held.length > 0 ? await choose(rows, fit, held) : undefined;
    const regression = await open(rows, draw);
    const start = chosen ? await regression.fromRaw(chosen.linear) : regression.zero;
    const strength = chosen?.strength ?? strengths[0];
    const { x, iterations, converged } = await regression.fit(strength, start);
    const trainAccuracy = await regression.trainAccuracy(x);
    const details = {
      trainAccuracy,
      strength,
      atGridEnd: chosen?.atGridEnd ?? false,
      validationAccuracy: chosen?.accuracy ?? Number.NaN,
      iterations,
      converged: converged && (chosen?.converged ?? true),
    };
    return { linear: await regression.toRaw(x), details };
  }

  /** The strength that does best on the rows held out, with what was found there. */
  async function choose(rows: Features, fit: Int32Array, held: Int32Array) {
    const regression = await open(rows, fit);
    const fitted = async (strength: number, start: Float64Array): Promise<Fitted> => {
      const { x, converged } = await regression.fit(strength, start);
      return { strength, x, converged, accuracy: await score(await regression.toRaw(x), rows, held) };
    };
    const grid: Fitted[] = [];
    for (const strength of strengths) grid.push(await fitted(strength, ahead(grid) ?? regression.zero));
    for (let s = decade(strengths[strengths.length - 1], -1); s >= weakest && isAloneBest(grid, -1); s = decade(s, -1))
      grid.push(await fitted(s, ahead(grid) ?? regression.zero));
    for (let s = decade(strengths[0], 1); s <= strongest && isAloneBest(grid, 0); s = decade(s, 1))
      grid.unshift(await fitted(s, grid[0].x));
    const best = bestOf(grid.map(({ accuracy }) => accuracy));
    return {
      ...grid[best],
      linear: await regression.toRaw(grid[best].x),
      atGridEnd: best === 0 || best === grid.length - 1,
      converged: grid.every(({ converged }) => converged),
    };
  }

  return {
    bytes: engine.bytes,
    async *measure({ rows, draws, seed }, test) {
      for (const draw of draws) {
        const { linear, details } = await learn(rows, draw, seed);
        yield { accuracy: await score(linear, test), ...details };
      }
    },
    fit: async ({ rows, draws, seed }) => {
      const learnt: Linear[] = [];
      for (const draw of draws) learnt.push((await learn(rows, draw, seed)).linear);
      return learnt;
    },
    dispose: () => engine.dispose(),
  };
}

interface Fitted {
  readonly strength: number;
  readonly x: Float64Array;
  readonly converged: boolean;
  readonly accuracy: number;
}

/** How many rows the regressions of such draws have, each number once. */
function sizesOf({ rows, draws, seed }: Draws): number[] {
  const sizes = draws.flatMap((draw) => {
    const { fit, held } = splitRows(rows, draw, seed);
    return held.length > 0 ? [fit.length, draw.length] : [draw.length];
  });
  return [...new Set(sizes)];
}

/** As far again as from the last minimum but one to the last: along the grid minima move steadily. */
function ahead(grid: readonly Fitted[]): Float64Array | undefined {
  const [before, last] = [grid.at(-2)?.x, grid.at(-1)?.x];
  return before && last ? last.map((value, i) => 2 * value - before[i]) : last;
}

const decade = (strength: number, by: 1 | -1): number => Number((strength * 10 ** by).toPrecision(1));

function isAloneBest(grid: readonly Fitted[], at: 0 | -1): boolean {
  const end = grid.at(at);
  return end !== undefined && grid.every((other) => other === end || other.accuracy < end.accuracy);
}

/** The first of the best inside the grid, or else of all. */
export function bestOf(accuracies: readonly number[]): number {
  const most = Math.max(...accuracies);
  const inside = accuracies.slice(1, -1).indexOf(most);
  return inside >= 0 ? inside + 1 : accuracies.indexOf(most);
}

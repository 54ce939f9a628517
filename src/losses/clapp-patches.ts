// CLAPP's loss (Illing et al. 2021) on the patches of a picture: does what is seen at one predict what is seen further down its column?

import { createSynapses, type Parameter, places } from "../encoders/model.ts";
import type { Stream } from "../program/random.ts";
import { flatten, reshape, rows, sizeOf, type Tensor } from "../program/tensor.ts";
import type { Change, Loss, PairDraw } from "./loss.ts";

export interface ClappPatches {
  /** Patches along a side of the grid. A step's rows are its places row by row, at each place all images. */
  readonly side: number;
  /** Of how many places further down each has predictions of its own. */
  readonly steps: number;
  /** Places between a context and the first that it predicts. */
  readonly skip: number;
  /** Patches that do not belong to a context, for each that does. */
  readonly negatives: number;
  /** Any patch of the batch, drawn anew for each pair; or the same place in another image, one and the same image for all places. */
  readonly negativesFrom: "batch" | "otherImage";
  /** The context learns through weights of its own, R_k, instead of through W_k backwards: no weight is transported. */
  readonly retrodiction: boolean;
  /** For each image a coin decides whether its contexts learn from what belongs to them, or from what does not. */
  readonly eitherOr: boolean;
  /** Scores from whole maps, or from their means over space. */
  readonly score: "map" | "mean";
}

/**
 * z_y,x is the map of the patch in row y and column x of the grid, c_y,x the same where it is context. For k = 1 … steps:
 * u = ⟨W_k c_y,x, z_y+k+skip,x⟩, and L = Σ_k ( mean [1 − u⁺]₊ + mean [1 + u⁻]₊ ), the means over places and images.
 *
 * With retrodiction both sides have a hinge: that of ⟨W_k c, z⟩ moves W_k and z alone, that of ⟨c, R_k z⟩ moves R_k and c alone;
 * the value is the sum of both.
 */
export function clappPatches(options: ClappPatches): Loss {
  const { side, negatives, retrodiction, score } = options;
  const steps = predicted(options);
  return {
    name: "CLAPP on patches",
    views: side * side,
    labelled: false,
    reduction: "mean",
    head: () => undefined,
    pairs: { perImage: steps.at(-1)?.end ?? 0, draw: (images, random) => drawPairs(options, images, random) },
    prepare: (picture, block) => {
      const channels = picture[2];
      const parameters: Parameter[] = [];
      const weightsOf = (name: "prediction" | "retrodiction"): Tensor[] =>
        steps.map(({ k }) => {
          const place = [places[name], block, k];
          const made = createSynapses(`${name}${block}.${k}`, [1, 1, channels, channels], false, place);
          parameters.push(...made.parameters);
          return made.synapses.weight;
        });
      const predictions = weightsOf("prediction");
      const retrodictions = retrodiction ? weightsOf("retrodiction") : [];
      return {
        parameters,
        record: (record, { output, pairs }) => {
          if (pairs === undefined) throw new Error("CLAPP on patches needs its pairs");
          const [count, height, width] = output.shape;
          const images = count / (side * side);
          const mean = score === "mean" && sizeOf([height, width]) > 1;
          const z = mean ? record.averagePool({ x: output }, { size: height }, { y: "means" }).y : output;
          const flat = flatten(z);
          const window = { stride: 1, padding: 0 };
          const place = { ...window, height: z.shape[1], width: z.shape[2] };
          /** A step's part of a list of pairs, or of a number for each. */
          const own = (list: Tensor, { start, end }: Step): Tensor =>
            rows(list, start * images, (end - start) * images);

          /** Pairs of rows of (a, b), one of them through `weights`: scores, then gates. */
          const compare = (name: string, weights: readonly Tensor[], through: "a" | "b") => {
            const maps = weights.map((w) => record.conv2d({ x: z, w }, window, { y: `${w.name}.map` }).y);
            const scores = record.tensor(`${name}.scores`, [pairs.weights.shape[0]], "activity");
            for (const [i, step] of steps.entries()) {
              const [a, b] = through === "a" ? [flatten(maps[i]), flat] : [flat, flatten(maps[i])];
              record.pairProducts({ a, b, pairs: own(pairs.rows, step) }, {}, { scores: own(scores, step) });
            }
            const made = record.pairGates(
              { scores, weights: pairs.weights },
              { negatives },
              { gates: `${name}.gates`, loss: `${name}.loss`, active: `${name}.activeGates` },
            );
            return { ...made, maps };
          };
          const errorOf = (name: string, other: Tensor, gates: Tensor, step: Step, at: 0 | 1): Tensor => {
            const list = { other, gates: own(gates, step), pairs: own(pairs.rows, step) };
            const { error } = record.pairErrors(list, { side: at, rows: count }, { error: name });
            return reshape(error, z.shape);
          };
          const changeOf = (weight: Tensor, dy: Tensor): Change => ({
            weight,
            gradient: record.conv2dWeightGradient(
              { x: z, dy },
              { ...window, kernel: [1, 1] },
              { dw: `${weight.name}.gradient` },
            ).dw,
          });

          const forward = compare("prediction", predictions, "a");
          const back = retrodiction ? compare("retrodiction", retrodictions, "b") : undefined;
          const errors: Tensor[] = [];
          const changes: Change[] = [];
          for (const [i, step] of steps.entries()) {
            const w = predictions[i];
            const mapError = errorOf(`${w.name}.mapError`, flat, forward.gates, step, 0);
            changes.push(changeOf(w, mapError));
            errors.push(errorOf(`${w.name}.targetError`, flatten(forward.maps[i]), forward.gates, step, 1));
            if (back) {
              const r = retrodictions[i];
              changes.push(changeOf(r, errorOf(`${r.name}.mapError`, flat, back.gates, step, 1)));
              errors.push(errorOf(`${r.name}.contextError`, flatten(back.maps[i]), back.gates, step, 0));
            } else {
              const dx = `${w.name}.contextError`;
              errors.push(record.conv2dInputGradient({ dy: mapError, w }, place, { dx }).dx);
            }
          }
          const error = errors.reduce(
            (a, b, i) => record.combine({ a, b }, { alpha: 1, beta: 1 }, { y: `maps.errors${i}` }).y,
          );
          const value = back
            ? record.combine({ a: forward.loss, b: back.loss }, { alpha: 1, beta: 1 }, { y: "loss" }).y
            : forward.loss;
          const positivesOf = ({ start, end }: Step): number => ((end - start) * images) / (1 + negatives);
          const positives = steps.reduce((sum, step) => sum + positivesOf(step), 0);
          return {
            value,
            error: mean
              ? record.averagePoolGradient({ dy: error }, { size: height, height, width }, { dx: "picture.error" }).dx
              : error,
            firstRow: 0,
            metrics: [
              { name: "activePositives", tensor: forward.active, index: 0, per: positives },
              { name: "activeNegatives", tensor: forward.active, index: 1, per: negatives * positives },
            ],
            changes,
          };
        },
      };
    },
  };
}

/** Pairs of step k: numbers `start` … `end` − 1 of the list, for one image. */
interface Step {
  readonly k: number;
  readonly start: number;
  readonly end: number;
}

function predicted({ side, steps, skip, negatives }: ClappPatches): Step[] {
  let end = 0;
  return Array.from({ length: steps }, (_, i) => {
    const start = end;
    end += (side - (i + 1 + skip)) * side * (1 + negatives);
    return { k: i + 1, start, end };
  });
}

/** Step after step; in each, after the patches that belong to the contexts, round after round of such that do not. */
function drawPairs(options: ClappPatches, images: number, random: Stream): PairDraw {
  const { side, skip, negatives, negativesFrom, eitherOr } = options;
  const steps = predicted(options);
  const count = (steps.at(-1)?.end ?? 0) * images;
  const rowsDrawn = new Int32Array(2 * count);
  const weights = new Float32Array(count);
  const patches = side * side * images;
  const otherOf = (s: number): number => (s + 1 + random.integer(images - 1)) % images;
  const others = Array.from({ length: negatives }, () => Array.from({ length: images }, (_, s) => otherOf(s)));
  /** What an image's contexts learn from. */
  const sides = Array.from({ length: images }, () => (random.uniform() < 0.5 ? "positives" : "negatives"));
  let pair = 0;
  for (const { k } of steps) {
    const down = (k + skip) * side * images;
    const positives = patches - down;
    for (let round = 0; round <= negatives; round++)
      for (let context = 0; context < positives; context++) {
        const s = context % images;
        const kind = round === 0 ? "positives" : "negatives";
        const own = context + down;
        const other = negativesFrom === "batch" ? random.integer(patches) : own - s + (others[round - 1]?.[s] ?? s);
        rowsDrawn.set([context, round === 0 ? own : other], 2 * pair);
        const weight = round === 0 ? 1 / positives : -1 / (negatives * positives);
        weights[pair] = eitherOr && sides[s] !== kind ? 0 : weight;
        pair++;
      }
  }
  return { rows: rowsDrawn, weights };
}

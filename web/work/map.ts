// The map of pictures: the plane in which the last layer's responses spread most, turned so that it moves little from one to the next.

import type { Features } from "../../src/evaluation/features.ts";
import { principalPlane } from "../../src/evaluation/principal-plane.ts";

/** Means over places of rows [count, places · channels]. */
export function overPlaces({ rows, count, width }: Features, channels: number): Float32Array {
  const places = width / channels;
  const means = new Float32Array(count * channels);
  for (let i = 0; i < count; i++)
    for (let k = 0; k < width; k++) means[i * channels + (k % channels)] += rows[i * width + k] / places;
  return means;
}

/** Share of the coordinates that lie within the map; the others are drawn at its edge. */
const within = 0.99;

/** Points [count, 2] of rows [count, width], turned and mirrored to lie as near as can be to `before`. */
export function planeOf(
  rows: Float32Array,
  count: number,
  width: number,
  before: Float64Array | undefined,
): Float64Array {
  const points = principalPlane(rows, count, width, 0);
  return before?.length === points.length ? turned(points, before) : points;
}

/** The same with nearly all of them between −1 and 1, and as far apart as that allows. */
export function fitted(points: Float64Array): Float64Array {
  const axes = [0, 1].map((axis) => {
    const sorted = points.filter((_, at) => at % 2 === axis).sort();
    const skipped = Math.floor((sorted.length * (1 - within)) / 2);
    const [low, high] = [sorted[skipped], sorted[sorted.length - 1 - skipped]];
    return { middle: (low + high) / 2, reach: (high - low) / 2 };
  });
  const reach = Math.max(...axes.map((axis) => axis.reach)) || 1;
  return points.map((value, at) => (value - axes[at % 2].middle) / reach);
}

/** Procrustes in the plane: the better of the best rotation and the best rotation of the mirror image. */
function turned(points: Float64Array, to: Float64Array): Float64Array {
  const candidates = [1, -1].map((mirror) => {
    let [along, across] = [0, 0];
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [points[i], mirror * points[i + 1]];
      along += x * to[i] + y * to[i + 1];
      across += x * to[i + 1] - y * to[i];
    }
    return { mirror, along, across, agreement: Math.hypot(along, across) };
  });
  const [one, other] = candidates;
  const { mirror, along, across, agreement } = one.agreement >= other.agreement ? one : other;
  const [cosine, sine] = agreement > 0 ? [along / agreement, across / agreement] : [1, 0];
  const result = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i], mirror * points[i + 1]];
    result[i] = cosine * x - sine * y;
    result[i + 1] = sine * x + cosine * y;
  }
  return result;
}

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
const within = 0.98;

/** Points [count, 2] of rows [count, width], between −1 and 1, turned and mirrored to lie as near as can be to `before`. */
export function mapOf(
  rows: Float32Array,
  count: number,
  width: number,
  before: Float64Array | undefined,
): Float64Array {
  const points = principalPlane(rows, count, width, 0);
  const reach = points.map(Math.abs).sort()[Math.floor(within * (points.length - 1))];
  const scaled = points.map((value) => value / (reach || 1));
  return before?.length === scaled.length ? turned(scaled, before) : scaled;
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

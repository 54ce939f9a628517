// Draws one solid in front of a background: a z-buffer rasteriser with one light, four samples per pixel.

import type { Mesh } from "./solids.ts";

/** Red, green and blue from 0 to 1, as displayed. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Behind the solid: a blend of two colours, by a ramp, by waves or by smooth noise. Lengths are in picture widths. */
export interface Background {
  readonly from: Colour;
  readonly to: Colour;
  readonly pattern:
    | { readonly kind: "plain" }
    | { readonly kind: "gradient"; readonly angle: number }
    | { readonly kind: "waves"; readonly angle: number; readonly length: number; readonly phase: number }
    /** Bilinear between the values (0 to 1) of a square grid, `side`² of them. */
    | { readonly kind: "noise"; readonly side: number; readonly values: Float32Array };
}

/** Everything that decides a picture. Angles are in radians. */
export interface Scene {
  readonly mesh: Mesh;
  /** Turn about the vertical, tilt of the camera from above, and turn of the picture. */
  readonly yaw: number;
  readonly elevation: number;
  readonly roll: number;
  /** Centre in picture widths, from the top left corner. */
  readonly x: number;
  readonly y: number;
  /** Picture widths per unit of the mesh. */
  readonly scale: number;
  readonly colour: Colour;
  /** Unit vector towards the light: x right, y up, z to the viewer. */
  readonly light: readonly [x: number, y: number, z: number];
  /** Light that reaches every side, 0 to 1. */
  readonly ambient: number;
  /** Strength of the highlight. */
  readonly shine: number;
  readonly background: Background;
  /** The finished picture: `tint · exposure · (0.5 + contrast · (value − 0.5))`. */
  readonly tint: Colour;
  readonly exposure: number;
  readonly contrast: number;
}

/** Distance of the eye in units of the mesh: a mild perspective. */
const eye = 6;
/** Samples per pixel along each side. */
const samples = 2;

export interface Canvas {
  readonly size: number;
  /** Inverse distance of the nearest surface per sample, 0 where there is none. */
  readonly nearness: Float32Array;
  /** Normal of that surface, three per sample. */
  readonly normals: Float32Array;
}

/** Buffers for pictures of `size` × `size` pixels, used again for every picture. */
export function createCanvas(size: number): Canvas {
  const count = (size * samples) ** 2;
  return { size, nearness: new Float32Array(count), normals: new Float32Array(3 * count) };
}

/** Writes the picture as `size · size · 3` bytes, row by row from the top. */
export function render(scene: Scene, canvas: Canvas, pixels: Uint8Array): void {
  canvas.nearness.fill(0);
  rasterise(scene, canvas);
  compose(scene, canvas, pixels);
}

/** Row-major 3 × 3: the picture's turn, after the camera's tilt, after the solid's own turn. */
function rotation({ yaw, elevation, roll }: Scene): readonly number[] {
  const [cy, sy] = [Math.cos(yaw), Math.sin(yaw)];
  const [ce, se] = [Math.cos(elevation), Math.sin(elevation)];
  const [cr, sr] = [Math.cos(roll), Math.sin(roll)];
  const tilted = [
    [cy, 0, sy],
    [sy * se, ce, -cy * se],
    [-sy * ce, se, cy * ce],
  ];
  const [right, up, near] = tilted;
  return [...right.map((v, i) => cr * v - sr * up[i]), ...right.map((v, i) => sr * v + cr * up[i]), ...near];
}

function rasterise(scene: Scene, { size, nearness, normals }: Canvas): void {
  const { positions, normals: vertexNormals, triangles } = scene.mesh;
  const side = size * samples;
  const [r0, r1, r2, r3, r4, r5, r6, r7, r8] = rotation(scene);
  const count = positions.length / 3;
  // x and y in samples, then inverse distance; and the turned normal.
  const screen = new Float32Array(positions.length);
  const turned = new Float32Array(positions.length);
  for (let v = 0; v < 3 * count; v += 3) {
    const [x, y, z] = [positions[v], positions[v + 1], positions[v + 2]];
    const inverse = 1 / (eye - (r6 * x + r7 * y + r8 * z));
    const perspective = eye * inverse * scene.scale;
    screen[v] = side * (scene.x + perspective * (r0 * x + r1 * y + r2 * z));
    screen[v + 1] = side * (scene.y - perspective * (r3 * x + r4 * y + r5 * z));
    screen[v + 2] = inverse;
    const [nx, ny, nz] = [vertexNormals[v], vertexNormals[v + 1], vertexNormals[v + 2]];
    turned[v] = r0 * nx + r1 * ny + r2 * nz;
    turned[v + 1] = r3 * nx + r4 * ny + r5 * nz;
    turned[v + 2] = r6 * nx + r7 * ny + r8 * nz;
  }
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const [ax, ay, bx, by] = [screen[a], screen[a + 1], screen[b], screen[b + 1]];
    const [cx, cy] = [screen[c], screen[c + 1]];
    // Twice the area; y runs down, so a face that looks at the viewer has it positive.
    const area = (bx - ax) * (ay - cy) - (ay - by) * (cx - ax);
    if (area <= 0) continue;
    const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const right = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const bottom = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    for (let row = top; row <= bottom; row++) {
      const y = row + 0.5;
      for (let column = left; column <= right; column++) {
        const x = column + 0.5;
        // Barycentric weights.
        const u = ((cx - bx) * (by - y) - (by - cy) * (x - bx)) / area;
        const v = ((ax - cx) * (cy - y) - (cy - ay) * (x - cx)) / area;
        const w = 1 - u - v;
        if (u < 0 || v < 0 || w < 0) continue;
        const near = u * screen[a + 2] + v * screen[b + 2] + w * screen[c + 2];
        const at = row * side + column;
        if (near <= nearness[at]) continue;
        nearness[at] = near;
        normals[3 * at] = u * turned[a] + v * turned[b] + w * turned[c];
        normals[3 * at + 1] = u * turned[a + 1] + v * turned[b + 1] + w * turned[c + 1];
        normals[3 * at + 2] = u * turned[a + 2] + v * turned[b + 2] + w * turned[c + 2];
      }
    }
  }
}

/** Shades the samples, puts the background where the solid is not, and averages. */
function compose(scene: Scene, { size, nearness, normals }: Canvas, pixels: Uint8Array): void {
  const { light, ambient, shine, colour, background, tint, exposure, contrast } = scene;
  const side = size * samples;
  const half = Math.hypot(light[0], light[1], light[2] + 1);
  const [hx, hy, hz] = [light[0] / half, light[1] / half, (light[2] + 1) / half];
  const { from, to } = background;
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      let covered = 0;
      let diffuse = 0;
      let highlight = 0;
      for (let k = 0; k < samples * samples; k++) {
        const at = (row * samples + (k >> 1)) * side + column * samples + (k & 1);
        if (nearness[at] === 0) continue;
        covered++;
        let [nx, ny, nz] = [normals[3 * at], normals[3 * at + 1], normals[3 * at + 2]];
        const scale = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz);
        nx *= scale;
        ny *= scale;
        nz *= scale;
        diffuse += ambient + (1 - ambient) * Math.max(0, nx * light[0] + ny * light[1] + nz * light[2]);
        const towards = Math.max(0, nx * hx + ny * hy + nz * hz);
        highlight += shine * towards ** 16;
      }
      const share = covered / samples ** 2;
      const blend = share < 1 ? patternAt(background, (column + 0.5) / size, (row + 0.5) / size) : 0;
      for (let k = 0; k < 3; k++) {
        const behind = (1 - share) * (from[k] + blend * (to[k] - from[k]));
        const value = behind + (colour[k] * diffuse + highlight) / samples ** 2;
        const shown = tint[k] * exposure * (0.5 + contrast * (value - 0.5));
        pixels[3 * (row * size + column) + k] = Math.round(255 * Math.min(1, Math.max(0, shown)));
      }
    }
}

/** How far the background has gone from its first colour to its second, at a point in picture widths. */
function patternAt({ pattern }: Background, x: number, y: number): number {
  switch (pattern.kind) {
    case "plain":
      return 0;
    case "gradient": {
      const along = (x - 0.5) * Math.cos(pattern.angle) + (y - 0.5) * Math.sin(pattern.angle);
      return Math.min(1, Math.max(0, 0.5 + along));
    }
    case "waves": {
      const along = x * Math.cos(pattern.angle) + y * Math.sin(pattern.angle);
      return 0.5 + 0.5 * Math.sin((2 * Math.PI * along) / pattern.length + pattern.phase);
    }
    case "noise": {
      const { side, values } = pattern;
      const [u, v] = [x * (side - 1), y * (side - 1)];
      const [i, j] = [Math.min(side - 2, Math.floor(u)), Math.min(side - 2, Math.floor(v))];
      const [fu, fv] = [u - i, v - j];
      const at = j * side + i;
      const upper = values[at] + fu * (values[at + 1] - values[at]);
      const lower = values[at + side] + fu * (values[at + side + 1] - values[at + side]);
      return upper + fv * (lower - upper);
    }
    default:
      return pattern satisfies never;
  }
}

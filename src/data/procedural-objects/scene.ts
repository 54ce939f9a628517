// What varies in a procedural object: draws pose, light, colours and background of one picture.
//
// The ranges are chosen so that place, size, light, colours and background carry most of the pixels' variance, and shape alone the
// class: most of it is what augmentation varies too. Light and shade differ enough in nearly every picture for a person to name the solid.

import type { Stream } from "../../program/random.ts";
import type { Background, Colour, Scene } from "./render.ts";
import type { Mesh } from "./solids.ts";

const degrees = Math.PI / 180;

export function drawScene(mesh: Mesh, random: Stream): Scene {
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const colour = drawColour(between);
  const background = drawBackground(random, between, colour);
  return {
    mesh,
    yaw: between(0, 360) * degrees,
    elevation: between(5, 40) * degrees,
    roll: between(-25, 25) * degrees,
    x: between(0.4, 0.6),
    y: between(0.4, 0.6),
    scale: between(0.27, 0.42),
    colour,
    light: drawLight(between),
    ambient: between(0.25, 0.5),
    shine: between(0, 0.4),
    background,
    tint: [between(0.55, 1), between(0.55, 1), between(0.55, 1)],
    exposure: between(0.45, 1.5),
    contrast: between(0.45, 1.2),
  };
}

type Between = (low: number, high: number) => number;

function drawColour(between: Between): Colour {
  return fromHsv(between(0, 1), between(0, 0.35), between(0.45, 1));
}

/** From the viewer's side, above. */
function drawLight(between: Between): Scene["light"] {
  const around = between(-80, 80) * degrees;
  const above = between(10, 65) * degrees;
  return [Math.sin(around) * Math.cos(above), Math.sin(above), Math.cos(around) * Math.cos(above)];
}

const luminance = ([r, g, b]: Colour): number => 0.3 * r + 0.59 * g + 0.11 * b;

function drawBackground(random: Stream, between: Between, object: Colour): Background {
  const drawBackdrop = (): Colour => fromHsv(between(0, 1), between(0, 0.35), between(0.05, 0.9));
  // A background as light as the object's average would hide its outline.
  let from = drawBackdrop();
  while (Math.abs(luminance(from) - 0.75 * luminance(object)) < 0.2) from = drawBackdrop();
  const other = drawBackdrop();
  const share = between(0.1, 0.3);
  const towards = (k: number): number => from[k] + share * (other[k] - from[k]);
  const to: Colour = [towards(0), towards(1), towards(2)];
  const angle = between(0, 360) * degrees;
  const kind = (["plain", "gradient", "waves", "noise"] as const)[random.integer(4)];
  switch (kind) {
    case "plain":
      return { from, to, pattern: { kind } };
    case "gradient":
      return { from, to: other, pattern: { kind, angle } };
    case "waves":
      return { from, to, pattern: { kind, angle, length: between(0.15, 0.6), phase: between(0, 360) * degrees } };
    case "noise": {
      const side = 4 + random.integer(6);
      const values = Float32Array.from({ length: side * side }, random.uniform);
      return { from, to, pattern: { kind, side, values } };
    }
    default:
      return kind satisfies never;
  }
}

/** Hue in turns. */
function fromHsv(hue: number, saturation: number, value: number): Colour {
  const channel = (offset: number): number => {
    const k = (offset + 6 * hue) % 6;
    return value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

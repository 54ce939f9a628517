// Deformed sets of pictures: what data/deformations.ts draws, made by the view kernels, as bytes.

import type { Backend } from "../backends/backend.ts";
import { type Deformation, drawDeformation, isRecipe, requireDeformation, singles } from "../data/deformations.ts";
import type { ImageSet } from "../data/images.ts";
import { wrong } from "../program/errors.ts";
import { recordProgram } from "../program/program.ts";
import { persistent } from "../program/tensor.ts";
import { viewParameters } from "../program/views.ts";

export interface DeformOptions {
  readonly strength: number;
  readonly seed: number;
}

/** Pictures that are made at a time. */
const chunk = 250;
/** Levels: more than float32 errs by. So what lies half way between two, which plain fractions give, goes down on every backend. */
const tie = 2 ** -12;

/**
 * The set with every picture deformed, [n, h, w, c] as before and with the same labels. A level is 255 times the view's value, rounded. The
 * bytes are the same for any number of threads; two backends may differ by one level in some values of ten thousand.
 */
export async function deform(
  set: ImageSet,
  deformation: Deformation,
  { strength, seed }: DeformOptions,
  backend: Backend,
): Promise<ImageSet> {
  const { height, width, channels, count, pixels } = set;
  requireDeformation("deform", deformation, [strength], set);
  if (set.streamed)
    throw wrong("deform", set.name, "a set that memory holds", "one that is streamed", "take a labelled split");
  const size = height * width * channels;
  const images = persistent("images", [chunk, height, width, channels], "input", "u8");
  const indices = persistent("indices", [chunk], "input", "i32");
  const parameters = persistent("viewParameters", [chunk, viewParameters], "input");
  const record = recordProgram("deformed pictures");
  const inputs = { images, indices, parameters };
  const { x } = record.makeViews(inputs, { height, width, low: 0, high: 1, normalise: undefined }, { x: "deformed" });
  const program = record.finish([x]);
  const engine = await backend.prepare([program]);
  try {
    engine.write(
      indices,
      Int32Array.from({ length: chunk }, (_, i) => i),
    );
    const deformed = new Uint8Array(count * size);
    const some = new Uint8Array(chunk * size);
    const rows = new Float32Array(chunk * viewParameters);
    for (let start = 0; start < count; start += chunk) {
      const now = Math.min(chunk, count - start);
      some.set(pixels.subarray(start * size, (start + now) * size));
      for (let i = 0; i < now; i++) {
        const row = rows.subarray(i * viewParameters, (i + 1) * viewParameters);
        drawDeformation(deformation, { height, width }, { strength, seed, picture: start + i }, row);
      }
      engine.write(images, some);
      engine.write(parameters, rows);
      await engine.run(program);
      const values = await engine.read(x);
      for (let i = 0; i < now * size; i++) deformed[start * size + i] = Math.floor(255 * values[i] + 0.5 - tie);
    }
    return { ...set, name: `${set.name}, ${deformationText(deformation, strength)}`, pixels: deformed };
  } finally {
    await engine.dispose();
  }
}

/** `deformed by recipe cifar`, `rotation of 30 degrees`. */
export function deformationText(deformation: Deformation, strength: number): string {
  const { kind } = deformation;
  if (isRecipe(deformation)) return `deformed by recipe ${kind}${strength === 1 ? "" : ` at strength ${strength}`}`;
  const { unit } = singles[deformation.kind];
  return `${kind} ${unit === "times" ? `${strength} times` : `of ${strength} ${unit}`}`;
}

// Reads a researcher's own responses, [stimuli, neurons], from a .npy or an .npz file.

import { holdsNumbers, type Npy, npyNumbers, readNpy } from "../datasets/formats/npy.ts";
import { openNpz } from "../datasets/formats/npz.ts";
import type { Responses } from "../evaluation/neuro/geometry.ts";
import { SaccadeError, wrong } from "../program/errors.ts";

/** Of an .npz the array `responses`, or the only one that has two axes. */
export async function readResponses(path: string): Promise<Responses> {
  const { header, shape, data } = await arrayOf(path);
  const [count, width] = shape;
  if (shape.length !== 2 || count === 0 || width === 0)
    throw wrong("responses", path, "an array [stimuli, neurons]", [...shape], "average over trials and time first");
  if (!holdsNumbers(header)) throw wrong("responses", path, "numbers", header.type, "save x.astype(float)");
  const rows = Float64Array.from(npyNumbers({ header, shape, data }) as Iterable<number | bigint>, Number);
  const at = rows.findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    throw wrong(
      "responses",
      `${path}, stimulus ${Math.floor(at / width)}, neuron ${at % width}`,
      "finite",
      rows[at],
      "leave out neurons that were not recorded throughout",
    );
  return { rows, count, width };
}

async function arrayOf(path: string): Promise<Npy> {
  if (path.endsWith(".npy")) return readNpy(path);
  if (!path.endsWith(".npz")) throw wrong("responses", "the file", "one that ends in .npy or .npz", path);
  const arrays = await openNpz(path);
  const named = arrays.get("responses");
  if (named) return named.read();
  const headers = await Promise.all(
    [...arrays].map(async ([name, array]) => ({ name, array, ...(await array.header()) })),
  );
  const matrices = headers.filter(({ shape }) => shape.length === 2);
  if (matrices.length === 1) return matrices[0].array.read();
  const found = headers.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(", ") || "none";
  throw new SaccadeError(
    `${path}: must hold an array responses [stimuli, neurons], got ${found}; name it: numpy.savez(file, responses=x)`,
  );
}

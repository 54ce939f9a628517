// Reads the golden files beside this one: what PyTorch says. README.md says how they are made and laid out.

import { readFileSync } from "node:fs";
import type { Negatives } from "../../src/program/operations.ts";
import { threefry2x32 } from "../../src/program/random.ts";

/** The version that `tools/golden.py` writes. */
const version = 1;

export interface GoldenTensor {
  readonly shape: number[];
  readonly data: Float32Array | Int32Array;
}

/** What every golden file states. */
export interface GoldenHeader {
  readonly version: number;
  /** The command that writes the files. */
  readonly regenerate: string;
  readonly torch: string;
  readonly torchvision: string;
  readonly about: string;
  /** In the .bin file: `length` elements from byte `offset`. */
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: number[];
    readonly dtype: "float32" | "int32";
    readonly offset: number;
    readonly length: number;
  }[];
  /** Not stored: Threefry numbers, float32((2u − 1)·bound) or, where there is a rowScale, float32(u·rowScale[row]). */
  readonly generated: readonly ({
    readonly name: string;
    readonly shape: number[];
    readonly seed: number;
    readonly stream: number;
  } & ({ readonly bound: number } | { readonly rowScale: readonly number[] }))[];
}

/** What the hinge goldens state besides. */
export interface HingeGolden {
  readonly network: "cifar" | "mnist";
  readonly images: number;
  readonly seed: number;
  readonly loss: {
    readonly m1: number;
    readonly m2: number;
    readonly negatives: Negatives;
    readonly gradientBlock: boolean;
  };
  /** Terms of the loss above 0, and terms in all. */
  readonly gates: {
    readonly positives: number;
    readonly ofPositives: number;
    readonly negatives: number;
    readonly ofNegatives: number;
  };
  readonly lossValue: number;
  /** The loss before each step of Adam on the same batch. */
  readonly adam: readonly {
    readonly options: {
      readonly learningRate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
    };
    readonly losses: readonly number[];
    /** How far, relatively, PyTorch itself in float32 has been off up to and including each step. */
    readonly float32Drift: readonly number[];
  }[];
  /** Of the gradient of each weight, kept as tensor `${weight}.gradient`. */
  readonly gradients: readonly ({ readonly weight: string; readonly shape: readonly number[] } & SampledFacts)[];
}

/** Of an array of which every stride-th element, from the first, is kept. */
export interface SampledFacts {
  readonly stride: number;
  readonly sum: number;
  readonly norm: number;
  /** Product with the vector of +1 where Threefry's u is below 1/2 and −1 elsewhere. */
  readonly dot: number;
  readonly dotStream: number;
}

/** What the goldens of the other rules state besides: blocks `first` … `end` − 1 learn. */
export interface RuleGolden extends HingeGolden {
  readonly update: "RF" | "URF" | "DTP";
  readonly first: number;
  readonly end: number;
  /** URF: how far a weight and its feedback both went in all the steps of Adam, kept as tensor `${weight}.move`. */
  readonly moves?: readonly ({ readonly weight: string; readonly feedback: string } & SampledFacts)[];
  /** DTP: the target of each block, kept as the tensor of its name. */
  readonly targets?: readonly ({ readonly target: string } & SampledFacts)[];
}

export interface Golden<Facts> {
  /** A tensor by its name, stored or generated. */
  readonly tensor: (name: string) => GoldenTensor;
  readonly json: GoldenHeader & Facts;
}

/** Number `index` of a stream: a multiple of 2⁻²⁴ in [0, 1). */
export const goldenUniform = (seed: number, stream: number, index: number): number =>
  (threefry2x32(seed, stream, index, 0)[0] >>> 8) * 2 ** -24;

/** Reads NAME.json and NAME.bin. */
export function readGolden<Facts = unknown>(name: string): Golden<Facts> {
  const json = JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), "utf8")) as GoldenHeader & Facts;
  if (json.version !== version)
    throw new Error(
      `golden ${name} is of version ${json.version}, the tests read ${version}: run ${json.regenerate ?? "python tools/golden.py"}`,
    );
  const file = readFileSync(new URL(`${name}.bin`, import.meta.url));
  const end = json.tensors.reduce((most, { offset, length }) => Math.max(most, offset + 4 * length), 0);
  if (file.length !== end)
    throw new Error(`golden ${name}.bin has ${file.length} bytes, ${name}.json wants ${end}: run ${json.regenerate}`);
  // A copy, aligned to 4 bytes.
  const bytes = new Uint8Array(file).buffer;

  const tensor = (wanted: string): GoldenTensor => {
    const stored = json.tensors.find((entry) => entry.name === wanted);
    if (stored) {
      const Numbers = stored.dtype === "int32" ? Int32Array : Float32Array;
      return { shape: stored.shape, data: new Numbers(bytes, stored.offset, stored.length) };
    }
    const made = json.generated.find((entry) => entry.name === wanted);
    if (!made) {
      const names = [...json.tensors, ...json.generated].map((entry) => entry.name);
      throw new Error(`golden ${name} has no tensor ${wanted}; it has ${names.join(", ")}`);
    }
    const length = made.shape.reduce((product, extent) => product * extent, 1);
    const u = (index: number): number => goldenUniform(made.seed, made.stream, index);
    const rowLength = length / made.shape[0];
    const value =
      "bound" in made
        ? (index: number): number => (2 * u(index) - 1) * made.bound
        : (index: number): number => u(index) * made.rowScale[Math.floor(index / rowLength)];
    return { shape: made.shape, data: Float32Array.from({ length }, (_, index) => value(index)) };
  };
  return { tensor, json };
}

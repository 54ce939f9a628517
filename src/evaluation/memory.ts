// What a probe takes of memory at its peak, counted before anything is read: features, the read-outs' engines, and what waits to be collected.
//
// tests/evaluation/probe-memory.test.ts holds it against what a process has taken.

import type { ImageSet } from "../data/images.ts";
import { type Encoder, layerWidth } from "../encoders/encoder.ts";
import { fuse } from "../program/fusion.ts";
import { planMemory } from "../program/plan.ts";
import { featuresProgram, pixelWidth } from "./features.ts";
import { keptBytes, layersRead, type ProbeOptions, type ReadOut } from "./probe.ts";
import { isWorthwhile } from "./row-space.ts";

/** The two sets of a probe, as far as memory minds. */
export interface ProbedSets {
  readonly train: SetShape;
  readonly test: SetShape;
}

type SetShape = Pick<ImageSet, "count" | "height" | "width" | "channels" | "classes">;

const mebi = 2 ** 20;
/** Code and threads' own memory. */
const fixed = 48 * mebi;
/** Right sides of products that are packed at a time. */
const packed = 64 * mebi;
/** What V8 lets lie of L-BFGS before it collects it, which comes as so many copies of the parameters; and of an encoder's results. */
const [ofMinimising, parameterCopies, ofEncoding] = [170 * mebi, 250, 40 * mebi];
/** Rows that are scored at a time, and rows that are sought neighbours for at a time. */
const [scored, sought] = [500, 1024];
/** Copies of a product of all keys that lie about beside the one in use: the engine's result is read anew for each. */
const productCopies = 2;

interface Shape {
  /** Rows of the largest draw of labels. */
  readonly rows: number;
  readonly draws: readonly number[];
  readonly width: number;
  readonly classes: number;
}

/** Bytes of an engine, beside it, and of what waits to be collected. */
interface Taken {
  readonly engine: number;
  readonly beside: number;
  readonly loose: number;
}

const float = 4;

const ofReadOut: Readonly<Record<ReadOut, (shape: Shape) => Taken>> = {
  paper: ({ rows, width, classes }) => ({
    engine: float * width * (rows + scored + 4 * classes) + wide(classes, rows, width),
    beside: float * width * scored,
    loose: 0,
  }),
  scaleFree: ({ rows, draws, width, classes }) => {
    const inSpan = Math.max(0, ...draws.filter((n) => isWorthwhile(n, width)));
    const packing = Math.max(wide(classes, rows, width), wide(inSpan, inSpan, width));
    const regressions = 2 * draws.length * (2 * classes + 64) * width;
    const spans = 4 * draws.length * inSpan * inSpan;
    return {
      engine: float * (width * (rows + scored) + regressions + spans) + packing,
      beside: float * width * (scored + Math.min(scored, rows)) + 7 * float * inSpan * inSpan,
      loose: Math.min(ofMinimising, parameterCopies * 8 * classes * width),
    };
  },
  kNN: ({ rows, draws, width }) => {
    const keys = rows + 2 * draws.length;
    const products = float * sought * keys;
    return {
      engine: float * width * (keys + sought) + products + wide(keys, keys, width),
      beside: float * width * sought + products,
      loose: productCopies * products,
    };
  },
};

/** A product with many units packs its right side [rows, width]. */
const wide = (units: number, rows: number, width: number): number =>
  units > 32 ? Math.min(packed, float * rows * width) : 0;

/** Bytes that a probe asks for beyond what the process has. */
export function probeMemory(
  { network: encoder, train, test }: { readonly network: Encoder } & ProbedSets,
  { subjects, readOuts, labelsPerClass, seeds, layers }: ProbeOptions,
): number {
  const classes = train.classes.length;
  const draws = labelsPerClass.map((labels) =>
    labels === "all" ? train.count : Math.min(train.count, labels * classes),
  );
  const rows = Math.max(...draws);
  /** Draws of several seeds are of different images. */
  const images = Math.min(train.count, seeds * rows);
  const pixels = pixelWidth(test);
  // Of several layers one is held at a time.
  const widths = layersRead(encoder, layers).map((layer) => layerWidth(encoder, layer));
  const all = (subjects ?? ["trained", "pixels"]).flatMap((subject) => (subject === "pixels" ? pixels : widths));
  const [width, narrower] = [...new Set(all)].sort((a, b) => b - a);
  const features = float * width * (images + test.count + (images > rows ? 2 * rows : 0));
  const copied = images < train.count ? images * pixels : 0;
  const encodes = subjects?.every((subject) => subject === "pixels") !== true;
  const at = (columns: number): Taken[] =>
    readOuts.map((readOut) => ofReadOut[readOut]({ rows, draws, width: columns, classes }));
  const taken = at(width);
  const loose = Math.max(
    ...taken.map((one) => one.loose),
    // Engines for one width may still lie there when those for the other are opened.
    narrower === undefined ? 0 : enginesOf(at(narrower)),
  );
  return (
    fixed +
    features +
    copied +
    (encodes ? encoderBytes(encoder, train) + ofEncoding : 0) +
    enginesOf(taken) +
    Math.max(...taken.map(({ beside }) => beside)) +
    loose
  );
}

/** Engines that are kept stay beside the largest of the others. */
function enginesOf(taken: readonly Taken[]): number {
  const all = taken.map(({ engine }) => engine);
  const kept = all.filter((engine) => engine <= keptBytes).reduce((sum, engine) => sum + engine, 0);
  return kept + Math.max(0, ...all.filter((engine) => engine > keptBytes));
}

function encoderBytes(network: Encoder, set: SetShape): number {
  const program = featuresProgram(network, set);
  return planMemory([{ program, stages: fuse(program) }]).totalBytes;
}

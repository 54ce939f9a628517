// Loads datasets: where their files are looked for, and how each is read. What each holds stands in known-datasets.ts.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { greyscale, type ImageSet } from "../data/images.ts";
import { proceduralMovie, proceduralObjects } from "../data/procedural-objects.ts";
import { fromHome } from "../files/folders.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { type CifarLayout, cifar10Layout, cifar100Layout, readCifar } from "./formats/cifar.ts";
import { type PythonLayout, readCifarPython } from "./formats/cifar-python.ts";
import { type Idx, readIdx } from "./formats/idx.ts";
import { openStl10Images, readStl10Images, readStl10Labels } from "./formats/stl10.ts";
import { emnistParts, type KnownDataset, knownDatasets, mostBytes, openDataset } from "./known-datasets.ts";
import { cacheFolder } from "./picture-cache.ts";
import { requirePublished } from "./published.ts";
import type { DatasetRequest, LoadEvents, Split } from "./request.ts";

/** Reads the first images of a split, at most `limit`. */
type Reader = (
  known: KnownDataset,
  folder: string,
  split: Split,
  limit: number | undefined,
) => Omit<ImageSet, "name" | "classes">;

const readers: Readonly<Record<string, Reader>> = {
  mnist: idxReader({ folder: "MNIST", stem: mnistStem }),
  "fashion-mnist": idxReader({ folder: "FashionMNIST", stem: mnistStem }),
  ...Object.fromEntries(
    emnistParts.map((part) => [
      `emnist-${part}`,
      idxReader({
        folder: "EMNIST",
        stem: (split) => `emnist-${part}-${split}`,
        // EMNIST counts its letters from 1.
        firstLabel: part === "letters" ? 1 : 0,
        transposed: true,
      }),
    ]),
  ),
  "cifar-10": cifarReader({
    binary: { folder: "cifar-10-batches-bin", ending: ".bin", layout: cifar10Layout },
    python: { folder: "cifar-10-batches-py", ending: "", layout: { labels: "labels", classes: 10 } },
    train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`),
    test: ["test_batch"],
  }),
  "cifar-100": cifarReader({
    binary: { folder: "cifar-100-binary", ending: ".bin", layout: cifar100Layout },
    python: { folder: "cifar-100-python", ending: "", layout: { labels: "fine_labels", classes: 100 } },
    train: ["train"],
    test: ["test"],
  }),
  "stl-10": readStl10,
};

/** Reads or renders a dataset. */
export async function loadDataset(request: DatasetRequest, events: LoadEvents = {}): Promise<ImageSet> {
  const set = await load(request, events);
  if (set.count === 0) throw new SaccadeError(`${set.name}: its files hold no images; fetch them again`);
  return request.grey ? greyscale(set) : set;
}

async function load(request: DatasetRequest, events: LoadEvents): Promise<ImageSet> {
  const { described, read } = await openDataset(request);
  if (read) return { ...described, ...(await read(events)) };
  const { name, classes, count, height, width, channels } = described;
  const { dataset, split, limit, seed = 0, size } = request;
  const folder = request.folder === undefined ? defaultFolder() : fromHome(request.folder);
  const known = knownDatasets[dataset];
  if (known.rendered) {
    const most = Math.floor(mostBytes / (height * width * channels));
    if (count > most) throw wrong("loadDataset", "limit", `at most ${most}, which is 4 GiB of pictures`, count);
    const rendered = { split, count, seed, ...(size === undefined ? {} : { size }) };
    return known.rendered === "movie" ? proceduralMovie(rendered) : proceduralObjects(rendered);
  }
  await requirePublished(dataset, split, folder, events);
  return { name, classes, ...readers[dataset](known, folder, split, limit) };
}

/** Where datasets are looked for unless a folder is given. */
export function defaultFolder(): string {
  return fromHome(process.env.SACCADE_DATA || cacheFolder());
}

/** The paths of files, each in its first spelling that exists; else an error that says what to do. */
function locate(title: string, folder: string, files: readonly (readonly string[])[]): string[] {
  const found = files.map((spellings) => spellings.find((file) => existsSync(join(folder, file))));
  const missing = files.filter((_, i) => found[i] === undefined).map((spellings) => spellings.join(" or "));
  if (missing.length > 0 && existsSync(folder) && !statSync(folder).isDirectory())
    throw new SaccadeError(
      `${title}: looked in ${folder}, which must be a folder, got a file; set SACCADE_DATA or the folder to another`,
    );
  if (missing.length > 0) {
    const name = Object.keys(knownDatasets).find((one) => knownDatasets[one].title === title);
    throw new SaccadeError(
      `${title}: looked in ${folder} and did not find ${missing.join(", ")}; fetch it: saccade data get ${name}, or put the files there, or set SACCADE_DATA to the folder that holds them (dataset procedural-objects needs none)`,
    );
  }
  return found.map((file) => join(folder, file as string));
}

interface IdxOptions {
  readonly folder: string;
  /** How the names of a split's two files begin. */
  readonly stem: (split: "train" | "test") => string;
  /** The label of the first class; default 0. */
  readonly firstLabel?: number;
  /** Pictures are stored column by column; default false. */
  readonly transposed?: boolean;
}

function mnistStem(split: "train" | "test"): string {
  return split === "train" ? "train" : "t10k";
}

function idxReader({ folder: inner, stem, firstLabel = 0, transposed = false }: IdxOptions): Reader {
  return ({ title, classes }, folder, split, limit) => {
    const named = stem(split as "train" | "test");
    const files = [`${named}-images-idx3-ubyte`, `${named}-labels-idx1-ubyte`];
    const spellings = files.map((file) => [join(inner, "raw", file), join(inner, "raw", `${file}.gz`)]);
    const [imagePath, labelPath] = locate(title, folder, spellings);
    const images = checkShape(imagePath, readIdx(imagePath), "[images, height, width]");
    const stored = checkShape(labelPath, readIdx(labelPath), "[labels]");
    const [total, rows, columns] = images.shape;
    if (stored.shape[0] !== total)
      throw new SaccadeError(
        `${labelPath}: must hold ${total} labels, one for each image, got ${stored.shape[0]}; fetch both files again`,
      );
    const count = Math.min(limit ?? total, total);
    const pixels = images.bytes.slice(0, count * rows * columns);
    const [height, width] = transposed ? [columns, rows] : [rows, columns];
    if (transposed) for (let i = 0; i < count; i++) transpose(pixels, i * rows * columns, rows, columns);
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const label = stored.bytes[i] - firstLabel;
      if (label < 0 || label >= classes.length)
        throw new SaccadeError(
          `${labelPath}: label ${i} must be from ${firstLabel} to ${firstLabel + classes.length - 1}, got ${stored.bytes[i]}; fetch the file again`,
        );
      labels[i] = label;
    }
    return { pixels, labels, count, height, width, channels: 1 };
  };
}

function checkShape(path: string, idx: Idx, wanted: "[images, height, width]" | "[labels]"): Idx {
  if (idx.shape.length !== wanted.split(",").length)
    throw new SaccadeError(
      `${path}: must be ${wanted}, got [${idx.shape.join(", ")}]; the files of images and labels may be swapped`,
    );
  return idx;
}

/** [rows, columns] → [columns, rows], in place. */
function transpose(pixels: Uint8Array, at: number, rows: number, columns: number): void {
  const stored = pixels.slice(at, at + rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) pixels[at + column * rows + row] = stored[row * columns + column];
}

interface CifarOptions {
  /** The two layouts that are published, the first of which is looked for first. */
  readonly binary: { readonly folder: string; readonly ending: string; readonly layout: CifarLayout };
  readonly python: { readonly folder: string; readonly ending: string; readonly layout: PythonLayout };
  readonly train: readonly string[];
  readonly test: readonly string[];
}

function cifarReader({ binary, python, ...files }: CifarOptions): Reader {
  return ({ title, counts, side, channels }, folder, split, limit) => {
    const names = files[split as "train" | "test"];
    const paths = ({ folder: inner, ending }: { folder: string; ending: string }): string[] =>
      names.map((file) => join(inner, `${file}${ending}`));
    const records = (counts[split] ?? 0) / names.length;
    const pickled = existsSync(join(folder, python.folder)) && !existsSync(join(folder, binary.folder));
    const found = locate(
      title,
      folder,
      paths(pickled ? python : binary).map((path) => [path]),
    );
    const { pixels, labels, count } = pickled
      ? readCifarPython(found, { ...python.layout, records }, limit)
      : readCifar(found, { ...binary.layout, records }, limit);
    return { pixels, labels, count, height: side, width: side, channels };
  };
}

/** The labels of the unlabelled split are all 0, and its pictures stay in their file. */
function readStl10(
  { title, classes, counts, side, channels }: KnownDataset,
  folder: string,
  split: Split,
  limit: number | undefined,
): ReturnType<Reader> {
  const stem = split === "unlabelled" ? "unlabeled" : split;
  const names = split === "unlabelled" ? ["X"] : ["X", "y"];
  const [images, labels] = locate(
    title,
    folder,
    names.map((name) => [join("stl10_binary", `${stem}_${name}.bin`)]),
  );
  const records = counts[split] ?? 0;
  const size = { height: side, width: side, channels };
  if (labels === undefined) {
    const count = Math.min(limit ?? records, records);
    const read = openStl10Images(images, records);
    return { pixels: new Uint8Array(), read, streamed: true, count, labels: new Int32Array(count), ...size };
  }
  const { pixels, count } = readStl10Images(images, records, limit);
  return { pixels, count, labels: readStl10Labels(labels, records, count, classes.length), ...size };
}

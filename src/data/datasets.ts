// The datasets by name: where their files are looked for, how each is read, and what its classes are called.

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { SaccadeError, wrong } from "../program/errors.ts";
import { cifar10Layout, cifar100Layout, readCifar } from "./formats/cifar.ts";
import { type Idx, readIdx } from "./formats/idx.ts";
import { greyscale, type ImageSet } from "./images.ts";
import { nearest } from "./nearest.ts";
import { proceduralMovie, proceduralObjects } from "./procedural-objects.ts";

export type Split = "train" | "test" | "unlabelled";

export interface DatasetRequest {
  /** One of `datasetNames`. */
  readonly dataset: string;
  /** `unlabelled` exists for what is rendered alone. */
  readonly split: Split;
  /** Where the files are; default $SACCADE_DATA, else saccade/ in $XDG_CACHE_HOME, else ~/.cache/saccade. */
  readonly folder?: string | undefined;
  /** The first so many images; default all, or of rendered data 10,000 unlabelled, 2,000 train, 2,000 test. */
  readonly limit?: number | undefined;
  /** Seed of rendered data, 0 to 4294967295; default 0. Files ignore it. */
  readonly seed?: number | undefined;
  /** Pixels along each side of rendered pictures, 8 to 256; default 32. */
  readonly size?: number | undefined;
  /** Colours become grey levels; default false. */
  readonly grey?: boolean | undefined;
}

interface FileSet {
  /** What a person calls it. */
  readonly title: string;
  readonly classes: readonly string[];
  readonly read: (folder: string, split: "train" | "test", limit: number | undefined) => Omit<ImageSet, NameAndClasses>;
}

type NameAndClasses = "name" | "classes";

const digits = Array.from("0123456789");
const capitals = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
const smalls = capitals.map((letter) => letter.toLowerCase());
/** Letters whose two cases EMNIST's merged splits keep apart. */
const merged = [...digits, ...capitals, ..."abdefghnqrt"];

const fashionClasses = [
  "T-shirt/top",
  "trouser",
  "pullover",
  "dress",
  "coat",
  "sandal",
  "shirt",
  "sneaker",
  "bag",
  "ankle boot",
];

const cifar10Classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** The fine classes, in the order of their numbers. */
const cifar100Classes =
  `apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain
plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm`.split(/\s+/);

/** EMNIST's splits; its letters begin with label 1. */
const emnistSplits: Readonly<Record<string, { classes: readonly string[]; firstLabel: number }>> = {
  balanced: { classes: merged, firstLabel: 0 },
  byclass: { classes: [...digits, ...capitals, ...smalls], firstLabel: 0 },
  bymerge: { classes: merged, firstLabel: 0 },
  digits: { classes: digits, firstLabel: 0 },
  letters: { classes: smalls, firstLabel: 1 },
  mnist: { classes: digits, firstLabel: 0 },
};

const procedural = "procedural-objects";
const movie = "procedural-movie";
const proceduralCounts: Readonly<Record<Split, number>> = { unlabelled: 10_000, train: 2_000, test: 2_000 };

/** Bytes of rendered pictures at most: where the memory of the wasm engine ends. */
const mostRendered = 2 ** 32;

const fileSets: Readonly<Record<string, FileSet>> = {
  mnist: idxSet({ title: "MNIST", classes: digits, folder: "MNIST", stem: mnistStem }),
  "fashion-mnist": idxSet({
    title: "Fashion-MNIST",
    classes: fashionClasses,
    folder: "FashionMNIST",
    stem: mnistStem,
  }),
  ...Object.fromEntries(
    Object.entries(emnistSplits).map(([part, { classes, firstLabel }]) => [
      `emnist-${part}`,
      idxSet({
        title: `EMNIST ${part}`,
        classes,
        folder: "EMNIST",
        stem: (split) => `emnist-${part}-${split}`,
        firstLabel,
        transposed: true,
      }),
    ]),
  ),
  "cifar-10": cifarSet("CIFAR-10", cifar10Classes, "cifar-10-batches-bin", {
    layout: cifar10Layout,
    train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
    test: ["test_batch.bin"],
  }),
  "cifar-100": cifarSet("CIFAR-100", cifar100Classes, "cifar-100-binary", {
    layout: cifar100Layout,
    train: ["train.bin"],
    test: ["test.bin"],
  }),
};

export const datasetNames: readonly string[] = [...Object.keys(fileSets), procedural, movie];

/** Reads or renders a dataset. */
export async function loadDataset(request: DatasetRequest): Promise<ImageSet> {
  const set = load(request);
  return request.grey ? greyscale(set) : set;
}

function load({ dataset, split, limit, seed = 0, size, folder = defaultFolder() }: DatasetRequest): ImageSet {
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1))
    throw wrong("loadDataset", "limit", "a whole number of at least 1", limit);
  if (dataset === procedural || dataset === movie) {
    const most = Math.floor(mostRendered / ((size ?? 32) ** 2 * 3));
    if (limit !== undefined && limit > most)
      throw wrong("loadDataset", "limit", `at most ${most}, which is 4 GiB of pictures`, limit);
    const rendered = { split, count: limit ?? proceduralCounts[split], seed, ...(size ? { size } : {}) };
    return dataset === movie ? proceduralMovie(rendered) : proceduralObjects(rendered);
  }
  if (!Object.hasOwn(fileSets, dataset)) {
    const close = nearest(dataset, datasetNames);
    throw wrong(
      "loadDataset",
      "dataset",
      `one of ${datasetNames.join(", ")}`,
      dataset,
      close && `did you mean ${close}?`,
    );
  }
  if (size !== undefined)
    throw wrong("loadDataset", "size", `left out for ${dataset}`, size, "its pictures have a size of their own");
  const { title, classes, read } = fileSets[dataset];
  if (split !== "train" && split !== "test")
    throw wrong(
      "loadDataset",
      "split",
      `train or test for ${title}`,
      split,
      `take ${procedural} for unlabelled images`,
    );
  return { name: `${title} ${split}`, classes, ...read(folder, split, limit) };
}

/** Where datasets are looked for unless a folder is given. */
function defaultFolder(): string {
  const { SACCADE_DATA: data, XDG_CACHE_HOME: cache } = process.env;
  return data || join(cache || join(homedir(), ".cache"), "saccade");
}

/** The paths of files, each in its first spelling that exists; else an error that says what to do. */
function locate(title: string, folder: string, files: readonly (readonly string[])[]): string[] {
  const found = files.map((spellings) => spellings.find((file) => existsSync(join(folder, file))));
  const missing = files.filter((_, i) => found[i] === undefined).map((spellings) => spellings.join(" or "));
  if (missing.length > 0)
    throw new SaccadeError(
      `${title}: looked in ${folder} and did not find ${missing.join(", ")}; put the files there, or set SACCADE_DATA to the folder that holds them (dataset ${procedural} needs none)`,
    );
  const paths = found.map((file) => join(folder, file as string));
  for (const path of paths) checkReadable(path);
  return paths;
}

function checkReadable(path: string): void {
  if (!statSync(path).isFile()) throw new SaccadeError(`${path}: must be a file, got a folder or a device`);
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new SaccadeError(`${path}: cannot be read: ${(error as Error).message}`);
  }
}

interface IdxSetOptions {
  readonly title: string;
  readonly classes: readonly string[];
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

function idxSet({ title, classes, folder: inner, stem, firstLabel = 0, transposed = false }: IdxSetOptions): FileSet {
  return {
    title,
    classes,
    read: (folder, split, limit) => {
      const files = [`${stem(split)}-images-idx3-ubyte`, `${stem(split)}-labels-idx1-ubyte`];
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
    },
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

interface CifarFiles {
  readonly layout: typeof cifar10Layout;
  readonly train: readonly string[];
  readonly test: readonly string[];
}

function cifarSet(title: string, classes: readonly string[], inner: string, files: CifarFiles): FileSet {
  return {
    title,
    classes,
    read: (folder, split, limit) => {
      const wanted = files[split].map((file) => [join(inner, file)]);
      const { pixels, labels, count } = readCifar(locate(title, folder, wanted), files.layout, limit);
      return { pixels, labels, count, height: 32, width: 32, channels: 3 };
    },
  };
}

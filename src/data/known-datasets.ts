// The datasets that Saccade knows by name: what each holds, known without reading a file.

import { wrong } from "../program/errors.ts";
import type { ImageSet } from "./images.ts";
import { nearest } from "./nearest.ts";
import { movieClips, proceduralClasses } from "./procedural-objects.ts";

export type Split = "train" | "test" | "unlabelled";

export interface DatasetRequest {
  /** One of `datasetNames`. */
  readonly dataset: string;
  /** `unlabelled` exists for STL-10 and for what is rendered. */
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

export interface KnownDataset {
  /** What a person calls it. */
  readonly title: string;
  readonly classes: readonly string[];
  /** Images of each split; of what is rendered, as many as are made unless told. */
  readonly counts: Readonly<Partial<Record<Split, number>>>;
  /** Pixels along each side. */
  readonly side: number;
  readonly channels: 1 | 3;
  /** Made on the spot, of any number and size. */
  readonly rendered?: "pictures" | "movie";
}

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

const stl10Classes = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

/** The six parts of EMNIST (Cohen et al. 2017), as long as their files are. */
const emnist = {
  balanced: { classes: merged, counts: { train: 112_800, test: 18_800 } },
  byclass: { classes: [...digits, ...capitals, ...smalls], counts: { train: 697_932, test: 116_323 } },
  bymerge: { classes: merged, counts: { train: 697_932, test: 116_323 } },
  digits: { classes: digits, counts: { train: 240_000, test: 40_000 } },
  letters: { classes: smalls, counts: { train: 124_800, test: 20_800 } },
  mnist: { classes: digits, counts: { train: 60_000, test: 10_000 } },
};

export type EmnistPart = keyof typeof emnist;
export const emnistParts = Object.keys(emnist) as EmnistPart[];

const digitPictures = { counts: { train: 60_000, test: 10_000 }, side: 28, channels: 1 } as const;
const cifarPictures = { counts: { train: 50_000, test: 10_000 }, side: 32, channels: 3 } as const;
const solids = {
  classes: proceduralClasses,
  counts: { unlabelled: 10_000, train: 2_000, test: 2_000 },
  side: 32,
  channels: 3,
} as const;

export const knownDatasets: Readonly<Record<string, KnownDataset>> = {
  mnist: { title: "MNIST", classes: digits, ...digitPictures },
  "fashion-mnist": { title: "Fashion-MNIST", classes: fashionClasses, ...digitPictures },
  ...Object.fromEntries(
    emnistParts.map((part) => [`emnist-${part}`, { title: `EMNIST ${part}`, ...digitPictures, ...emnist[part] }]),
  ),
  "cifar-10": { title: "CIFAR-10", classes: cifar10Classes, ...cifarPictures },
  "cifar-100": { title: "CIFAR-100", classes: cifar100Classes, ...cifarPictures },
  "stl-10": {
    title: "STL-10",
    classes: stl10Classes,
    counts: { train: 5_000, test: 8_000, unlabelled: 100_000 },
    side: 96,
    channels: 3,
  },
  "procedural-objects": { title: "procedural objects", ...solids, rendered: "pictures" },
  "procedural-movie": { title: "procedural movie", ...solids, rendered: "movie" },
};

export const datasetNames: readonly string[] = Object.keys(knownDatasets);

/** A dataset without its pictures and labels. */
export type DescribedDataset = Omit<ImageSet, "pixels" | "labels">;

/**
 * What `loadDataset` will bring, or the refusal of what no dataset has. `operation` and `path` say where the request stands: a
 * configuration's file, and "data." in it.
 */
export function describeDataset(
  { dataset, split, limit, size, grey }: DatasetRequest,
  operation = "loadDataset",
  path = "",
): DescribedDataset {
  const refuse = (argument: string, wanted: string, got: unknown, mend?: string): never => {
    throw wrong(operation, `${path}${argument}`, wanted, got, mend);
  };
  if (!Object.hasOwn(knownDatasets, dataset)) {
    const close = nearest(String(dataset), datasetNames);
    refuse("dataset", `one of ${datasetNames.join(", ")}`, dataset, close && `did you mean ${close}?`);
  }
  const { title, classes, counts, side, channels, rendered } = knownDatasets[dataset];
  const whole = counts[split];
  if (whole === undefined) {
    const mend = split === "unlabelled" ? "take stl-10 or procedural-objects for unlabelled images" : undefined;
    return refuse("split", `${Object.keys(counts).join(" or ")} for ${title}`, split, mend);
  }
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1))
    refuse("limit", "a whole number of at least 1", limit);
  if (size !== undefined && !rendered)
    refuse("size", `left out for ${dataset}`, size, "its pictures have a size of their own");
  const count = rendered ? (limit ?? whole) : Math.min(limit ?? whole, whole);
  const [height, width] = [size ?? side, size ?? side];
  const made = { name: `${title} ${split}`, classes, count, height, width };
  return {
    ...made,
    ...(grey && channels === 3 ? { name: `${made.name}, grey`, channels: 1 } : { channels }),
    ...(rendered === "movie" ? { clips: movieClips(count) } : {}),
  };
}

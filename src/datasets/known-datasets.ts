// The datasets that Saccade knows by name: what each holds, known without reading a file, and what a researcher's own hold, looked up.

import { nearest } from "../data/nearest.ts";
import { movieClips, proceduralClasses } from "../data/procedural-objects.ts";
import { fromHome } from "../files/folders.ts";
import { wrong } from "../program/errors.ts";
import { openArrays } from "./arrays.ts";
import { openImageFolder } from "./image-folder.ts";
import {
  type DatasetRequest,
  type DescribedDataset,
  type OpenedDataset,
  type Refuse,
  type Split,
  unlabelledClass,
} from "./request.ts";

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

/** A researcher's own, each with the keys of a request that are for it. */
const ownDatasets: Readonly<
  Record<
    string,
    {
      readonly open: (request: DatasetRequest, refuse: Refuse) => Promise<OpenedDataset>;
      readonly keys: readonly (keyof DatasetRequest)[];
    }
  >
> = {
  "image-folder": { open: openImageFolder, keys: ["skipBroken", "valueRange"] },
  arrays: { open: openArrays, keys: ["file", "classes", "valueRange"] },
};

export const datasetNames: readonly string[] = [...Object.keys(knownDatasets), ...Object.keys(ownDatasets)];

/** Whether a dataset is a researcher's own: what it holds is known only where its files are. */
export const isOwn = (dataset: string): boolean => Object.hasOwn(ownDatasets, dataset);

/** Bytes of pictures at most: where the memory of the wasm engine ends. */
export const mostBytes = 2 ** 32;

/** What `openDataset` says of a dataset, in grey where that is asked for. */
export async function describeDataset(
  request: DatasetRequest,
  operation?: string,
  path?: string,
): Promise<DescribedDataset> {
  const { described } = await openDataset(request, operation, path);
  if (!request.grey || described.channels === 1) return described;
  return { ...described, name: `${described.name}, grey`, channels: 1 };
}

/**
 * What `loadDataset` will bring, or the refusal of what no dataset has. `operation` and `path` say where the request stands: a
 * configuration's file, and "data." in it. A researcher's own files are looked at, and can be read from here; no others are.
 */
export async function openDataset(
  request: DatasetRequest,
  operation = "loadDataset",
  path = "",
): Promise<Pick<OpenedDataset, "described"> & Partial<OpenedDataset>> {
  const refuse: Refuse = (argument, wanted, got, mend) => {
    throw wrong(operation, `${path}${argument}`, wanted, got, mend);
  };
  const { dataset, limit, size } = request;
  if (!datasetNames.includes(dataset)) {
    const close = nearest(String(dataset), datasetNames);
    refuse("dataset", `one of ${datasetNames.join(", ")}`, dataset, close && `did you mean ${close}?`);
  }
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1))
    refuse("limit", "a whole number of at least 1", limit);
  if (size !== undefined && dataset !== "image-folder" && !knownDatasets[dataset]?.rendered)
    refuse("size", `left out for ${dataset}`, size, "its pictures have a size of their own");
  const own = isOwn(dataset) ? ownDatasets[dataset].keys : [];
  for (const [name, { keys }] of Object.entries(ownDatasets))
    for (const key of keys)
      if (request[key] !== undefined && !own.includes(key))
        refuse(key, `left out for ${dataset}`, request[key], `it is for ${name}`);
  if (!isOwn(dataset)) return { described: describeKnown(request, refuse) };
  const [file, folder] = [request.file, request.folder].map((place) => place && fromHome(place));
  const opened = await ownDatasets[dataset].open({ ...request, file, folder }, refuse);
  const { count, height, width, channels } = opened.described;
  const most = Math.floor(mostBytes / (height * width * channels));
  if (count > most) refuse("limit", `at most ${most}, which is 4 GiB of pictures`, count);
  return opened;
}

function describeKnown({ dataset, split, limit, size }: DatasetRequest, refuse: Refuse): DescribedDataset {
  const { title, classes, counts, side, channels, rendered } = knownDatasets[dataset];
  const whole = counts[split];
  if (whole === undefined) {
    const mend = split === "unlabelled" ? "take stl-10 or procedural-objects for unlabelled images" : undefined;
    return refuse("split", `${Object.keys(counts).join(" or ")} for ${title}`, split, mend);
  }
  const count = rendered ? (limit ?? whole) : Math.min(limit ?? whole, whole);
  const [height, width] = [size ?? side, size ?? side];
  const described = { name: `${title} ${split}`, classes, count, height, width, channels };
  if (split === "unlabelled" && !rendered) return { ...described, classes: [unlabelledClass], streamed: true };
  return rendered === "movie" ? { ...described, clips: movieClips(count) } : described;
}

// Where the files of the known datasets come from: addresses, sizes, checksums, licence. What they hold stands in known-datasets.ts.
//
// MD5 and addresses are torchvision's, of CIFAR's binary archives their authors'; those of CIFAR's single binary files are from
// rai-project/dldataset. Against bytes at hand were checked: MNIST, Fashion-MNIST, CIFAR-10's binary files. No address was tried.

import { type EmnistPart, emnistParts, knownDatasets } from "./known-datasets.ts";
import type { Split } from "./request.ts";

/** Bytes that a publisher hands out. */
export interface Published {
  readonly name: string;
  readonly bytes: number;
  readonly md5: string;
}

/** A file that a reader reads; what is not known of it is left out. */
export interface DataFile {
  readonly name: string;
  readonly split: Split;
  readonly bytes?: number;
  readonly md5?: string;
  /** Of a gzip file, what is inside: it may lie there unpacked, without the ending, and is then what is read. */
  readonly plain?: { readonly bytes: number; readonly md5?: string };
}

export interface Archive extends Published {
  readonly kind: "tar.gz" | "zip";
  /** The folder in it that holds the files. */
  readonly inside: string;
  /** All that is taken out of it. */
  readonly files: readonly DataFile[];
}

/** One way in which a dataset may lie on disk. */
export type Layout = {
  /** Within the folder of all data. */
  readonly folder: string;
  readonly form: "idx" | "binary" | "python";
  /** Addresses, in the order in which they are tried, that a published name goes behind. */
  readonly addresses: readonly string[];
} & (
  | { readonly archive: Archive; readonly files: readonly DataFile[] }
  /** Each file is published by itself. */
  | { readonly archive?: undefined; readonly files: readonly (DataFile & Published)[] }
);

export interface Source {
  /** The first is the one that is fetched. */
  readonly layouts: readonly Layout[];
  /** As the publisher says it, or "none stated". */
  readonly licence: string;
  /** Whom to cite. */
  readonly citation: string;
}

/** Files of MNIST's shape: the bytes, MD5 and MD5 unpacked of training images and labels, then of test images and labels. */
function idxFiles(stored: readonly (readonly [bytes: number, md5: string, plain: string])[]): (DataFile & Published)[] {
  return (["train", "test"] as const).flatMap((split, s) =>
    (["images-idx3", "labels-idx1"] as const).map((what, w) => {
      const [bytes, md5, plain] = stored[2 * s + w];
      const count = split === "train" ? 60_000 : 10_000;
      const unpacked = w === 0 ? 16 + 784 * count : 8 + count;
      const name = `${split === "train" ? "train" : "t10k"}-${what}-ubyte.gz`;
      return { name, split, bytes, md5, plain: { bytes: unpacked, md5: plain } };
    }),
  );
}

const mnist: Source = {
  layouts: [
    {
      folder: "MNIST/raw",
      form: "idx",
      files: idxFiles([
        [9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"],
        [28_881, "d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"],
        [1_648_877, "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"],
        [4_542, "ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"],
      ]),
      addresses: [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
      ],
    },
  ],
  licence: "CC BY-SA 3.0",
  citation: "LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition",
};

const fashionMnist: Source = {
  layouts: [
    {
      folder: "FashionMNIST/raw",
      form: "idx",
      files: idxFiles([
        [26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"],
        [29_515, "25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"],
        [4_422_102, "bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"],
        [5_148, "bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"],
      ]),
      addresses: ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    },
  ],
  licence: "MIT",
  citation: "Xiao, Rasul & Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747",
};

const emnistFiles = (part: EmnistPart): DataFile[] =>
  (["train", "test"] as const).flatMap((split) =>
    ["images-idx3", "labels-idx1"].map((what) => ({ name: `emnist-${part}-${split}-${what}-ubyte.gz`, split })),
  );

/** One archive brings all six parts. */
const emnist = (part: EmnistPart): Source => ({
  layouts: [
    {
      folder: "EMNIST/raw",
      form: "idx",
      files: emnistFiles(part),
      archive: {
        name: "gzip.zip",
        bytes: 561_753_746,
        md5: "58c8d27c78d21e728a6bc7b3cc06412e",
        kind: "zip",
        inside: "gzip",
        files: emnistParts.flatMap(emnistFiles),
      },
      addresses: ["https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"],
    },
  ],
  licence: "none stated",
  citation: "Cohen, Afshar, Tapson & van Schaik 2017, EMNIST, arXiv:1702.05373",
});

/** A layout whose archive holds its folder. */
function tarball(
  folder: string,
  form: Layout["form"],
  published: Published,
  files: readonly DataFile[],
  addresses: readonly string[],
): Layout {
  return { folder, form, files, archive: { ...published, kind: "tar.gz", inside: folder, files }, addresses };
}

/** Files of a split, by name and MD5. */
const files = (split: Split, stored: Readonly<Record<string, string>>, bytes?: number): DataFile[] =>
  Object.entries(stored).map(([name, md5]) => ({ name, split, md5, ...(bytes === undefined ? {} : { bytes }) }));

const cifarAddresses = ["https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"];
const cifarTerms = {
  licence: "none stated",
  citation: "Krizhevsky 2009, Learning multiple layers of features from tiny images",
};

const cifar10: Source = {
  layouts: [
    tarball(
      "cifar-10-batches-bin",
      "binary",
      { name: "cifar-10-binary.tar.gz", bytes: 170_052_171, md5: "c32a1d4ab5d03f1284b67883e8d87530" },
      [
        ...files(
          "train",
          {
            "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
            "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
            "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
            "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
            "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
          },
          30_730_000,
        ),
        ...files("test", { "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d" }, 30_730_000),
      ],
      cifarAddresses,
    ),
    tarball(
      "cifar-10-batches-py",
      "python",
      { name: "cifar-10-python.tar.gz", bytes: 170_498_071, md5: "c58f30108f718f92721af3b95e74349a" },
      [
        ...files("train", {
          data_batch_1: "c99cafc152244af753f735de768cd75f",
          data_batch_2: "d4bba439e000b95fd0a9bffe97cbabec",
          data_batch_3: "54ebc095f3ab1f0389bbae665268c751",
          data_batch_4: "634d18415352ddfa80567beed471001a",
          data_batch_5: "482c414d41f54cd18b22e5b47cb7c3cb",
        }),
        ...files("test", { test_batch: "40351d587109b95175f43aff81a1287e" }),
      ],
      cifarAddresses,
    ),
  ],
  ...cifarTerms,
};

const cifar100: Source = {
  layouts: [
    tarball(
      "cifar-100-binary",
      "binary",
      { name: "cifar-100-binary.tar.gz", bytes: 168_513_733, md5: "03b5dce01913d631647c71ecec9e9cb8" },
      [
        ...files("train", { "train.bin": "6172c7755cfe09b2fe270c85cebc1b15" }, 153_700_000),
        ...files("test", { "test.bin": "4499cfba6c016c1be1438163640a0898" }, 30_740_000),
      ],
      cifarAddresses,
    ),
    tarball(
      "cifar-100-python",
      "python",
      { name: "cifar-100-python.tar.gz", bytes: 169_001_437, md5: "eb9058c3a382ffc7106e4002c42a8d85" },
      [
        ...files("train", { train: "16019d7e3df5f24257cddd939b257f8d" }),
        ...files("test", { test: "f0ef6b0ae62326f3e7ffdfab6717acfc" }),
      ],
      cifarAddresses,
    ),
  ],
  ...cifarTerms,
};

const stl10: Source = {
  layouts: [
    tarball(
      "stl10_binary",
      "binary",
      { name: "stl10_binary.tar.gz", bytes: 2_640_397_119, md5: "91f7769df0f17e558f3565bffb0c7dfb" },
      [
        ...files("train", { "train_X.bin": "918c2871b30a85fa023e0c44e0bee87f" }, 138_240_000),
        ...files("train", { "train_y.bin": "5a34089d4802c674881badbb80307741" }, 5_000),
        ...files("test", { "test_X.bin": "7f263ba9f9e0b06b93213547f721ac82" }, 221_184_000),
        ...files("test", { "test_y.bin": "36f9794fa4beb8a2c72628de14fa638e" }, 8_000),
        ...files("unlabelled", { "unlabeled_X.bin": "5242ba1fed5e4be9e1e742405eb56ca4" }, 2_764_800_000),
      ],
      ["https://cs.stanford.edu/~acoates/stl10/", "http://ai.stanford.edu/~acoates/stl10/"],
    ),
  ],
  licence: "none stated",
  citation: "Coates, Lee & Ng 2011, An analysis of single-layer networks in unsupervised feature learning",
};

/** Sources by the name of their dataset; what is rendered has none. */
export const sources: Readonly<Record<string, Source>> = {
  mnist,
  "fashion-mnist": fashionMnist,
  ...Object.fromEntries(emnistParts.map((part) => [`emnist-${part}`, emnist(part)])),
  "cifar-10": cifar10,
  "cifar-100": cifar100,
  "stl-10": stl10,
};

/** Of datasets that Saccade does not know, and whose files have the names of some that it does: Kuzushiji-MNIST's, as torchvision has them. */
const strangers: Readonly<Record<string, string>> = {
  bdb82020997e1d708af4cf47b453dcf7: "train-images-idx3-ubyte.gz",
  e144d726b3acfaa3e44228e80efcd344: "train-labels-idx1-ubyte.gz",
  "5c965bf0a639b31b8f53240b1b52f4d7": "t10k-images-idx3-ubyte.gz",
  "7320c461ea6c1c855c0b718fb2a4b134": "t10k-labels-idx1-ubyte.gz",
};

/** The file that has a checksum, by what its dataset is called; and the dataset's name where it has one. */
export function whose(
  md5: string,
): { readonly title: string; readonly file: string; readonly dataset?: string } | undefined {
  if (Object.hasOwn(strangers, md5)) return { title: "Kuzushiji-MNIST", file: strangers[md5] };
  for (const [dataset, { layouts }] of Object.entries(sources))
    for (const { name, md5: own, plain } of layouts.flatMap(({ files: all }) => all))
      if (own === md5 || plain?.md5 === md5) return { title: knownDatasets[dataset].title, file: name, dataset };
  return undefined;
}

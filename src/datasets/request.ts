// What is asked of a dataset, and what is known of it before and told of it while it is read.

import type { ImageSet } from "../data/images.ts";

export type Split = "train" | "test" | "unlabelled";

export interface DatasetRequest {
  /** One of `datasetNames`. */
  readonly dataset: string;
  /** `unlabelled` exists for STL-10, for what is rendered and for a researcher's own. */
  readonly split: Split;
  /** Where the files are; default $SACCADE_DATA, else saccade/ in $XDG_CACHE_HOME, else ~/.cache/saccade. A researcher's own have no default. */
  readonly folder?: string | undefined;
  /** Of arrays: the .npz file. */
  readonly file?: string | undefined;
  /** The first so many images; default all, or of rendered data 10,000 unlabelled, 2,000 train, 2,000 test. */
  readonly limit?: number | undefined;
  /** Seed of rendered data, 0 to 4294967295; default 0. Files ignore it. */
  readonly seed?: number | undefined;
  /** Pixels along each side of rendered pictures, 8 to 256, and of a folder's, brought to it; default 32. */
  readonly size?: number | undefined;
  /** Of a folder of pictures: files that are none, or broken, are left out instead of refused; default false. */
  readonly skipBroken?: boolean | undefined;
  /** Of arrays: what the classes are called, in the order of their numbers; default their numbers. */
  readonly classes?: readonly string[] | undefined;
  /** Which numbers are black and white, of arrays that are no bytes, and of a folder's pictures of 16 bits. */
  readonly valueRange?: readonly [number, number] | undefined;
  /** Colours become grey levels; default false. */
  readonly grey?: boolean | undefined;
}

/** A dataset without its pictures and labels. */
export type DescribedDataset = Omit<ImageSet, "pixels" | "labels" | "read">;

/** Refuses one argument of a request. */
export type Refuse = (argument: string, wanted: string, got: unknown, mend?: string) => never;

/** Who loads a dataset may be told how it goes. */
export interface LoadEvents {
  /** Pictures decoded so far, of how many. */
  readonly onPicture?: (done: number, total: number) => void;
  /** Where decoded pictures are cached. */
  readonly onNote?: (sentence: string) => void;
  /** What may be wrong with what was loaded, or was left out of it. */
  readonly onWarning?: (sentence: string) => void;
}

/** A researcher's own dataset that was looked at; reading brings as many images as described, fewer where broken ones are left out. */
export interface OpenedDataset {
  readonly described: DescribedDataset;
  readonly read: (
    events: LoadEvents,
  ) => Promise<Pick<ImageSet, "pixels" | "labels" | "count"> & Partial<Pick<ImageSet, "files" | "leftOut">>>;
}

/** The one class of a split without labels. */
export const unlabelledClass = "unlabelled";

/** `a.txt, b.txt, c.txt and 4 more`. */
export function few(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

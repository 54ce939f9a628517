// How splits are called, in folders and in arrays: the usual names, in any case, and what looks like one without being called so.

import type { Split } from "./request.ts";

const [train, test, val, unlabelled] = [
  ["train", "training"],
  ["test", "testing"],
  ["val", "valid", "validation"],
  ["unlabelled", "unlabeled"],
];

/** Names for each split, one beside the other; the first group that is there is taken. Without labels the pictures to train on will do. */
export const splitNames: Readonly<Record<Split, readonly (readonly string[])[]>> = {
  train: [train],
  test: [test, val],
  unlabelled: [unlabelled, train],
};
export const allSplitNames: readonly string[] = [train, test, val, unlabelled].flat();

export const isSplitName = (name: string): boolean => allSplitNames.includes(name.toLowerCase());

/** Words that speak of a split, alone or before "set", "data" and the like: train2017, TestSet, seg_pred, trainA, minival, Trainingsdaten. */
const after = "(set|data|images?|imgs?|split|part)?";
const before = "(mini|tiny|small|sub)?";
const kinds: readonly RegExp[] = [
  `(${before}(train|training|trn)${after}|train[a-z]*)`,
  `(${before}(test|testing|tst|eval|evaluation|holdout|pred|prediction)${after}|test[a-z]*)`,
  `${before}(val|valid|validation|dev)${after}`,
  `(unlabell?ed|unsupervised)${after}`,
].map((words) => new RegExp(`^${words}$`));
/** Short forms, which are splits where there is nothing else: tr and te are languages too. */
const short = /^(tr|te|ts|va)$/i;
/** Parts for cross-validation: fold1, split_2. */
const fold = /^(cv|fold|split|partition)[ _.-]?\d+$/i;

/** Which kind of split a name speaks of; undefined where of none. */
function kindOf(name: string): number | undefined {
  if (fold.test(name)) return kinds.length;
  const words = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/);
  const kind = kinds.findIndex((pattern) => words.some((word) => pattern.test(word)));
  return kind < 0 ? undefined : kind;
}

/** Those of some folders that look like splits, where they cannot well be classes: of two kinds, or all that there are. One `freight_train` can. */
export function lookLikeSplits(names: readonly string[]): string[] {
  const found = names.filter((name) => kindOf(name) !== undefined);
  const all = names.every((name) => found.includes(name) || (names.length > 1 && short.test(name)));
  if (all) return [...names];
  return new Set(found.map(kindOf)).size > 1 ? found : [];
}

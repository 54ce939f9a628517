// Loads a dataset for a command: pictures that are being decoded and what is to be known of them go to stderr.

import type { ImageSet } from "../data/images.ts";
import { loadDataset } from "../datasets/datasets.ts";
import type { DatasetRequest } from "../datasets/request.ts";
import { showProgress } from "./progress.ts";

/** `told` are sentences that need no saying again: a run and its probe may read the same files. */
export async function loadShown(request: DatasetRequest, told = new Set<string>()): Promise<ImageSet> {
  const progress = showProgress("decoding", "pictures");
  const notes: string[] = [];
  try {
    return await loadDataset(request, {
      onPicture: (done, total) => progress.update(done, total, `${done} of ${total}`),
      onNote: (sentence) => notes.push(sentence),
    });
  } finally {
    progress.end();
    for (const note of notes) if (!told.has(note)) process.stderr.write(`note: ${note}\n`);
    for (const note of notes) told.add(note);
  }
}

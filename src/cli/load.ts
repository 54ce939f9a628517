// Loads a dataset for a command: pictures that are being decoded and what is to be known of them go to stderr.

import type { ImageSet } from "../data/images.ts";
import { loadDataset } from "../datasets/datasets.ts";
import type { DatasetRequest } from "../datasets/request.ts";
import { showProgress } from "./progress.ts";

/** `told` are lines that are not printed again: a run and its probe may read the same files. */
export async function loadShown(request: DatasetRequest, told = new Set<string>()): Promise<ImageSet> {
  const progress = showProgress("decoding", "pictures");
  const lines: string[] = [];
  try {
    return await loadDataset(request, {
      onPicture: (done, total) => progress.update(done, total, `${done} of ${total}`),
      onNote: (sentence) => lines.push(`note: ${sentence}\n`),
      onWarning: (sentence) => lines.push(`warning: ${sentence}\n`),
    });
  } finally {
    progress.end();
    for (const line of lines) if (!told.has(line)) process.stderr.write(line);
    for (const line of lines) told.add(line);
  }
}

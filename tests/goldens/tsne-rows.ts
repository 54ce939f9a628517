// The rows of the golden tsne: overlapping classes, row i of class i mod 5.

import { readGolden } from "./read.ts";

interface Separation {
  readonly purity: number;
  readonly betweenWithin: number;
  readonly silhouette: number;
}

/** What the golden states besides its tensors. */
export interface TsneGolden {
  readonly divergences: readonly { readonly perplexity: number; readonly divergence: number }[];
  readonly numbers: readonly {
    readonly k: number;
    readonly trustworthiness: number;
    readonly preserved: number;
    readonly representation: Separation;
    readonly picture: Separation;
  }[];
}

/** Rows [250, width] and their labels. */
export function goldenRows(): { rows: Float32Array; width: number; labels: Int32Array } {
  const { tensor } = readGolden<TsneGolden>("tsne");
  const [noise, centres] = [tensor("noise"), tensor("centres")];
  const [count, width] = noise.shape;
  const [classes] = centres.shape;
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const rows = Float32Array.from(
    noise.data,
    (value, at) => value + centres.data[labels[Math.floor(at / width)] * width + (at % width)],
  );
  return { rows, width, labels };
}

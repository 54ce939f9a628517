// Figures of a dataset: some pictures of every class, and what a run under a configuration would see of them in its first step.

import type { Backend } from "../backends/backend.ts";
import { drawViews } from "../data/augmentation.ts";
import { copyPictures, type ImageSet } from "../data/images.ts";
import { pairings } from "../data/pairing.ts";
import { pictureGrid } from "../figures/picture-grid.ts";
import { recordProgram } from "../program/program.ts";
import { persistent } from "../program/tensor.ts";
import { viewParameters } from "../program/views.ts";
import type { Config } from "../training/config.ts";
import { configuredModel, configuredPairs } from "../training/configured-rule.ts";
import { madeAugmentation, madeLoss } from "../training/registry.ts";
import { boxes } from "./run-figures.ts";

/** Levels of a place without a picture, as those of the box around it. */
const empty = 0xd9;
/** Pixels of the figure along a picture at least, and along a box of pictures at most. */
const [pictureWidth, boxWidth] = [72, 560];
/** Of what has no classes, boxes. */
const rows = 10;

/** Pictures of every class, evenly spaced through the set; where classes are not known, of the whole. */
export function contactSheet(set: ImageSet, labelled: boolean): Promise<{ svg: string; png: Uint8Array }> {
  const { height, width, channels, count, labels, classes, name } = set;
  const scale = Math.max(1, Math.floor(pictureWidth / Math.max(height, width)));
  const along = Math.max(1, Math.floor(boxWidth / (scale * width + 4)));
  const most = classes.length > 50 ? Math.min(3, along) : along;
  const all = Array.from({ length: count }, (_, i) => i);
  const some = spread(all, rows * along);
  const groups = labelled
    ? classes.map((label, c) => ({
        label,
        images: spread(
          all.filter((i) => labels[i] === c),
          most,
        ),
      }))
    : Array.from({ length: rows }, (_, row) => ({ label: "", images: some.slice(row * along, (row + 1) * along) }));
  const seen = groups.filter(({ images }) => images.length > 0);
  const widest = Math.max(...seen.map(({ images }) => images.length));
  const even = seen.length === groups.length && seen.every(({ images }) => images.length === widest);
  const size = height * width * channels;
  const picture = (image: number | undefined): Float32Array => {
    const levels = new Uint8Array(size).fill(empty);
    if (image !== undefined) copyPictures(set, [image], levels);
    return Float32Array.from(levels);
  };
  return pictureGrid({
    title: name,
    caption: `${count.toLocaleString("en")} pictures of ${height} × ${width}${labelled ? `, ${even ? "" : "at most "}${widest} of each class` : ""}`,
    boxes: seen.map(({ images }) => Array.from({ length: widest }, (_, k) => picture(images[k]))),
    ...(labelled ? { labels: seen.map(({ label }) => label) } : {}),
    height,
    width,
    channels,
    range: [0, 255],
    scale,
  });
}

/** At most so many of the items, evenly spaced. */
function spread(items: readonly number[], most: number): number[] {
  const count = Math.min(items.length, most);
  return Array.from({ length: count }, (_, k) => items[Math.floor((k * items.length) / count)]);
}

/** The first views of a run, [rows, h, w, c] of as many images as are shown. */
export async function firstViews(
  config: Config,
  set: ImageSet,
  backend: Backend,
): Promise<{ views: Float32Array; images: number }> {
  const { height, width, channels } = configuredModel(config).encoder;
  const { views } = madeLoss(config);
  const pairing = pairings[config.pairing ?? "augmentation"];
  const pairs = configuredPairs(config, set);
  const anchors = pairing.order(pairs.anchors, config.seed, 0).subarray(0, Math.min(boxes, config.batch));
  const n = anchors.length;
  const count = views * n;
  const size = set.height * set.width * channels;
  const pixels = new Uint8Array(2 * n * size);
  const seen = [...anchors, ...anchors.map(pairs.partnerOf)];
  copyPictures(set, seen, pixels);
  const images = persistent("images", [2 * n, set.height, set.width, channels], "input", "u8");
  const indices = persistent("indices", [count], "input", "i32");
  const parameters = persistent("viewParameters", [count, viewParameters], "input");
  const record = recordProgram("first views");
  const [low, high] = config.valueRange;
  const { x } = record.makeViews(
    { images, indices, parameters },
    { height, width, low, high, normalise: config.normalise },
    { x: "views" },
  );
  const program = record.finish([x]);
  const engine = await backend.prepare([program]);
  try {
    engine.write(images, pixels);
    // The first view shows the anchors, every other their partners.
    engine.write(
      indices,
      Int32Array.from({ length: count }, (_, row) => (row < n ? row : n + (row % n))),
    );
    const sizes = { from: set, to: { height, width } };
    engine.write(
      parameters,
      drawViews(madeAugmentation(config), sizes, { seed: config.seed, epoch: 0, samples: anchors, views }),
    );
    await engine.run(program);
    return { views: Float32Array.from(await engine.read(x)), images: n };
  } finally {
    await engine.dispose();
  }
}

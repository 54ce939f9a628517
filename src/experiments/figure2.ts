// Figure 2 of the paper: what each deformation does to a picture by itself, and all of them together.

import type { Backend } from "../backends/backend.ts";
import type { ImageSet } from "../data/images.ts";
import { loadDataset } from "../datasets/datasets.ts";
import { networks } from "../encoders/networks.ts";
import { pictureGrid } from "../figures/picture-grid.ts";
import { firstViews } from "../runs/data-figures.ts";
import type { Config } from "../training/config.ts";
import { configuredModel } from "../training/configured-rule.ts";
import { parseConfig } from "../training/parse-config.ts";
import type { Experiment } from "./experiment.ts";
import { pictures, type Study } from "./study.ts";

/** All of them off, but for what a deformation turns on. */
const none = { kind: "simclr", scale: [1, 1], ratio: [1, 1], flip: 0, jitter: 0, grey: 0 };
const deformations: readonly { readonly title: string; readonly augmentation: object }[] = [
  { title: "original", augmentation: none },
  { title: "crop, resized", augmentation: { ...none, scale: [0.08, 1], ratio: [3 / 4, 4 / 3] } },
  { title: "flip", augmentation: { ...none, flip: 1 } },
  { title: "colours", augmentation: { ...none, jitter: 1 } },
  { title: "grey", augmentation: { ...none, grey: 1 } },
  { title: "all", augmentation: { kind: "simclr" } },
];
/** Pictures of the figure. */
const shown = 4;

export const figure2: Experiment = {
  name: "figure2",
  title: "Figure 2: the deformations, one by one",
  roles: ["stl-10"],
  plan: async (study) => async (_, backend) => {
    const { svg, png } = await drawDeformations(study, backend);
    return {
      text: [],
      tables: [],
      claims: [],
      figures: [
        {
          name: "deformations",
          caption:
            "Pictures of STL-10's unlabelled split, each under every deformation of the views, and under all of them.",
          svg,
          png,
        },
      ],
      ledger: [],
    };
  },
};

async function drawDeformations(study: Study, backend: Backend): Promise<{ svg: string; png: Uint8Array }> {
  const data = pictures("stl-10", "unlabelled", shown, study);
  const configOf = (augmentation: object): Config =>
    parseConfig(
      { name: "figure2", data, augmentation, encoder: "vgg6", batch: shown, epochs: 1, valueRange: [0, 1] },
      "figure2",
    );
  const set = await pictureSet(configOf(none));
  const { height, width, channels } = configuredModel(configOf(none)).encoder;
  const size = height * width * channels;
  const columns: Float32Array[][] = [];
  for (const { augmentation } of deformations) {
    const { views } = await firstViews(configOf(augmentation), set, backend);
    columns.push(Array.from({ length: shown }, (_, i) => views.slice(i * size, (i + 1) * size)));
  }
  return pictureGrid({
    title: "Deformations",
    caption: `from left to right: ${deformations.map(({ title }) => title).join(" | ")}`,
    boxes: Array.from({ length: shown }, (_, i) => columns.map((column) => column[i])),
    height,
    width,
    channels,
    scale: 2,
  });
}

/** Pictures that are streamed are read into memory: there are few. */
async function pictureSet({ data }: Config): Promise<ImageSet> {
  const set = await loadDataset(data);
  const { channels } = networks.vgg6;
  if (!set.read) return set;
  const size = set.height * set.width * channels;
  const pixels = new Uint8Array(set.count * size);
  for (let i = 0; i < set.count; i++) set.read(i, pixels.subarray(i * size, (i + 1) * size));
  return { ...set, pixels };
}

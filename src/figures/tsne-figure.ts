// A picture by t-SNE of every layer of an encoder, with its numbers beside those of the encoder before training: the paper's Figure 8.

import type { ImageSet } from "../data/images.ts";
import {
  type EmbeddingNumbers,
  embeddingNumbers,
  type Labellings,
  type Separation,
  separationOf,
} from "../evaluation/embedding-numbers.ts";
import type { LayerEmbedding } from "../evaluation/layer-embeddings.ts";
import { type Tsne, type TsneOptions, tsne } from "../evaluation/tsne.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { svgToPng } from "./png.ts";
import { tsneFigure } from "./tsne.ts";
import { writeFigure } from "./write-figure.ts";

/** The picture of one layer, with its numbers. */
export interface LayerPicture extends Tsne {
  /** "conv3". */
  readonly layer: string;
  readonly subject: "trained" | "random";
  /** Numbers of an embedding. */
  readonly width: number;
  readonly numbers: EmbeddingNumbers;
  /** Of the same layer of the random encoder, without a picture, for each labelling. */
  readonly random: Readonly<Record<string, Separation>>;
}

export interface PictureOptions extends Omit<TsneOptions, "onIterations"> {
  /** Told every 50 iterations of each picture, and waited for. */
  readonly onIterations?: (layer: string, picture: number, of: number, share: number) => void | Promise<void>;
}

/** One picture for each layer of the trained encoder, and one for the random encoder's last layer; of both all layers are given. */
export async function pictureLayers(
  trained: readonly LayerEmbedding[],
  random: readonly LayerEmbedding[],
  labellings: Labellings,
  { onIterations, ...options }: PictureOptions = {},
): Promise<LayerPicture[]> {
  if (trained.length !== random.length)
    throw wrong("pictureLayers", "random", `${trained.length} layers, as trained`, random.length);
  const last = random[random.length - 1];
  const wanted = [
    ...trained.map((embedding) => ({ subject: "trained" as const, embedding })),
    { subject: "random" as const, embedding: last },
  ];
  for (const { subject, embedding } of wanted) requireSpread(subject, embedding);
  const pictures: LayerPicture[] = [];
  for (const [i, { subject, embedding }] of wanted.entries()) {
    const { layer, rows, width } = embedding;
    const drawn = await tsne(rows, width, {
      ...options,
      ...(onIterations
        ? { onIterations: (done, of) => onIterations(`${layer}, ${subject}`, i, wanted.length, done / of) }
        : {}),
    });
    pictures.push({
      ...drawn,
      layer,
      subject,
      width,
      numbers: embeddingNumbers(rows, width, drawn.coordinates, labellings),
      random: separationOf((random[i] ?? last).rows, width, labellings),
    });
  }
  return pictures;
}

function requireSpread(subject: string, { layer, rows, width }: LayerEmbedding): void {
  if (rows.every((value, at) => value === rows[at % width]))
    throw new SaccadeError(
      `tsne: ${layer} of the ${subject} encoder must tell pictures apart, got one embedding for all; it has collapsed`,
    );
}

/** How points are coloured: what the numbers of a labelling stand for. */
export interface Colouring {
  readonly heading: string;
  readonly names: readonly string[];
  readonly labels: Int32Array;
}

/** Coarse groups of classes. */
export interface Groups {
  readonly names: readonly string[];
  /** The group of every class. */
  readonly of: Int32Array;
}

/** By class, and by group where there are some. */
export function coloursOf(
  { classes, labels }: Pick<ImageSet, "classes" | "labels">,
  groups: Groups | undefined,
): Record<string, Colouring> {
  const byClass = { heading: "By class", names: classes, labels };
  if (groups === undefined) return { classes: byClass };
  const { names, of } = groups;
  return { classes: byClass, groups: { heading: "By group", names, labels: labels.map((label) => of[label]) } };
}

export interface TsneDrawing {
  readonly title: string;
  readonly caption: string;
  readonly pictures: readonly LayerPicture[];
  /** For each labelling of the pictures' numbers. */
  readonly colourings: Readonly<Record<string, Colouring>>;
}

/** Writes tsne.svg and tsne.png into `folder`. */
export async function drawTsne(folder: string, drawing: TsneDrawing): Promise<void> {
  const svg = tsneSvg(drawing);
  await writeFigure(folder, "tsne", svg, await svgToPng(svg));
}

export function tsneSvg({ title, caption, pictures, colourings }: TsneDrawing): string {
  return tsneFigure({
    title,
    caption,
    panels: pictures.map(({ layer, subject, coordinates }) => ({
      heading: subject === "random" ? `${layer}, untrained` : layer,
      coordinates,
    })),
    colourings: Object.entries(colourings).map(([name, colouring]) => {
      const { neighbours, labellings } = pictures[0].numbers;
      const chance = percent(labellings[name].chance);
      return {
        ...colouring,
        note: `Of the ${neighbours} nearest, alike: in the layer / in the picture; by chance ${chance}`,
        lines: pictures.map(({ subject, numbers, random }) => {
          const { representation, picture } = numbers.labellings[name];
          const own = `${percent(representation.purity)} / ${percent(picture.purity)}`;
          return subject === "random" ? [own] : [own, `untrained ${percent(random[name].purity)}`];
        }),
      };
    }),
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

// Scales: how much of the paper's training a reproduction spends. The experiments are the same at every scale; sizes alone differ.

import type { NetworkName } from "../encoders/networks.ts";

/** Sizes of one of the paper's three settings. */
export interface Sizes {
  /** Unlabelled pictures, pictures of a batch, and passes over them of what learns end to end. */
  readonly images: number;
  readonly batch: number;
  readonly epochs: number;
  /** Labelled pictures to draw labels from, and to test on. */
  readonly labelled: number;
  readonly tested: number;
  /** Pictures to deform, and to test on then. */
  readonly deformed: number;
  readonly labelsPerClass: readonly (number | "all")[];
  /** Of the paper's read-out. */
  readonly probeEpochs: number;
  readonly probeBatch: number;
  /** Passes over its labelled pictures of a supervised network. */
  readonly supervisedEpochs: number;
  /** A small network and small pictures, where they are not the paper's. */
  readonly small?: { readonly encoder: NetworkName; readonly side: number };
}

export type SettingName = "cifar" | "stl" | "letters";

export interface Scale {
  readonly name: ScaleName;
  /** One sentence: what it costs and what it can show. */
  readonly about: string;
  /** Rendered solids stand in for every dataset. */
  readonly rendered: boolean;
  /** Layers that learn alone get as many epochs as cost the same as BP end to end; else as many as it has, each layer, as in the paper. */
  readonly sameCompute: boolean;
  readonly settings: Readonly<Record<SettingName, Sizes>>;
}

export type ScaleName = "smoke" | "small" | "medium" | "paper";

export const scales: Readonly<Record<ScaleName, Scale>> = {
  smoke: {
    name: "smoke",
    about:
      "a step or two of everything, mostly with a tiny network on rendered solids: shows that every cell runs, and nothing of what it learns",
    rendered: true,
    sameCompute: false,
    settings: {
      cifar: { ...smoke({ images: 20, batch: 10 }), small: { encoder: "tiny", side: 16 } },
      stl: { ...smoke({ images: 20, batch: 10 }), small: { encoder: "tiny", side: 16 } },
      letters: smoke({ images: 20, batch: 10 }),
    },
  },
  small: {
    name: "small",
    about: "an evening on two cores; far too short for the paper's numbers, and often for its orders",
    rendered: false,
    sameCompute: true,
    settings: {
      cifar: {
        ...{
          images: 10_000,
          batch: 100,
          epochs: 5,
          labelled: 10_000,
          tested: 10_000,
          deformed: 2_000,
          labelsPerClass: [10, 100, "all"],
        },
        ...{ probeEpochs: 60, probeBatch: 500, supervisedEpochs: 10 },
      },
      stl: {
        ...{
          images: 1_000,
          batch: 50,
          epochs: 2,
          labelled: 2_000,
          tested: 2_000,
          deformed: 2_000,
          labelsPerClass: [10, 100],
        },
        ...{ probeEpochs: 60, probeBatch: 250, supervisedEpochs: 10 },
      },
      letters: {
        ...{
          images: 20_000,
          batch: 200,
          epochs: 10,
          labelled: 20_000,
          tested: 10_000,
          deformed: 2_000,
          labelsPerClass: [10, 100, "all"],
        },
        ...{ probeEpochs: 60, probeBatch: 500, supervisedEpochs: 10 },
      },
    },
  },
  medium: {
    name: "medium",
    about: "all pictures, a twentieth of the paper's epochs: some 30 hours of one core for each seed of Table 1",
    rendered: false,
    sameCompute: true,
    settings: {
      cifar: {
        ...{
          images: 50_000,
          batch: 250,
          epochs: 20,
          labelled: 45_000,
          tested: 10_000,
          deformed: 5_000,
          labelsPerClass: [10, 100, "all"],
        },
        ...{ probeEpochs: 100, probeBatch: 500, supervisedEpochs: 40 },
      },
      stl: {
        ...{
          images: 20_000,
          batch: 100,
          epochs: 10,
          labelled: 5_000,
          tested: 8_000,
          deformed: 5_000,
          labelsPerClass: [10, 100, "all"],
        },
        ...{ probeEpochs: 100, probeBatch: 250, supervisedEpochs: 40 },
      },
      letters: {
        ...{
          images: 124_800,
          batch: 500,
          epochs: 20,
          labelled: 60_000,
          tested: 10_000,
          deformed: 5_000,
          labelsPerClass: [10, 100, "all"],
        },
        ...{ probeEpochs: 100, probeBatch: 500, supervisedEpochs: 20 },
      },
    },
  },
  paper: {
    name: "paper",
    about: "the paper's pictures, batches and epochs: weeks of two cores",
    rendered: false,
    sameCompute: false,
    settings: {
      cifar: {
        ...{
          images: 50_000,
          batch: 500,
          epochs: 400,
          labelled: 45_000,
          tested: 10_000,
          deformed: 10_000,
          labelsPerClass: ["all"],
        },
        ...{ probeEpochs: 400, probeBatch: 500, supervisedEpochs: 400 },
      },
      stl: {
        // The authors' batches of 250 do not fit into WebAssembly's 4 GiB beside the pictures.
        ...{
          images: 50_000,
          batch: 100,
          epochs: 100,
          labelled: 5_000,
          tested: 8_000,
          deformed: 8_000,
          labelsPerClass: ["all"],
        },
        ...{ probeEpochs: 200, probeBatch: 250, supervisedEpochs: 100 },
      },
      letters: {
        ...{
          images: 124_800,
          batch: 1_000,
          epochs: 400,
          labelled: 60_000,
          tested: 10_000,
          deformed: 10_000,
          labelsPerClass: ["all"],
        },
        ...{ probeEpochs: 200, probeBatch: 1_000, supervisedEpochs: 200 },
      },
    },
  },
};

function smoke(size: Pick<Sizes, "images" | "batch">): Sizes {
  return {
    ...size,
    ...{ epochs: 1, labelled: 60, tested: 60, deformed: 60, labelsPerClass: [2] },
    ...{ probeEpochs: 2, probeBatch: 20, supervisedEpochs: 1 },
  };
}

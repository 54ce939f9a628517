// The public API of Saccade in Node, as one list: what a page can run too, and what needs files and picture libraries.

export * from "./browser.ts";
export { loadDataset } from "./datasets/datasets.ts";
export { augmentedProbe } from "./evaluation/augmented-probe.ts";
export { deform } from "./evaluation/deform.ts";
export { type LayerEmbedding, layerEmbeddings } from "./evaluation/layer-embeddings.ts";
export { geometryOf, type Responses } from "./evaluation/neuro/geometry.ts";
export {
  encodersOf,
  type Inspected,
  type InspectOptions,
  type InspectReport,
  inspect,
} from "./evaluation/neuro/inspect.ts";
export { layerScores } from "./evaluation/neuro/layer-scores.ts";
export type { LayerScore } from "./evaluation/neuro/scores.ts";
export { unitScores } from "./evaluation/neuro/unit-scores.ts";
export { type RobustnessReport, robustness } from "./evaluation/robustness.ts";
export { readResponses } from "./exchange/response-file.ts";
export { drawTsne, type LayerPicture, pictureLayers } from "./figures/tsne-figure.ts";
export { ownClassifier } from "./runs/own-classifier.ts";
export { loadPlugins } from "./runs/plugins.ts";

// The public API of Saccade, as one list.

export type { Backend, Engine, Numbers } from "./backends/backend.ts";
export { referenceBackend } from "./backends/reference/backend.ts";
export { wasmBackend } from "./backends/wasm/backend.ts";
export {
  type AffineAugmentation,
  type Augmentation,
  affineDefaults,
  drawViews,
  type RandomCrop,
  type SimclrAugmentation,
  simclrDefaults,
} from "./data/augmentation.ts";
export { affineDeformation, cifarDeformation, type Deformation } from "./data/deformations.ts";
export type { ImageSet } from "./data/images.ts";
export { proceduralMovie, proceduralObjects, turningMovie } from "./data/procedural-objects.ts";
export { loadDataset } from "./datasets/datasets.ts";
export { type Block, countParameters, type Encoder } from "./encoders/encoder.ts";
export { createModel, initialise, type Model } from "./encoders/model.ts";
export { type NetworkData, networkOf, networks } from "./encoders/networks.ts";
export { augmentedProbe } from "./evaluation/augmented-probe.ts";
export { deform } from "./evaluation/deform.ts";
export { type EmbeddingNumbers, embeddingNumbers } from "./evaluation/embedding-numbers.ts";
export { encoderFeatures, type Features, pixelFeatures } from "./evaluation/features.ts";
export { kNearest } from "./evaluation/knn.ts";
export { type LayerEmbedding, layerEmbeddings } from "./evaluation/layer-embeddings.ts";
export { linearProbe } from "./evaluation/linear-probe.ts";
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
export { type ProbedEncoders, type ProbeReport, probe, summarise } from "./evaluation/probe.ts";
export { type RobustnessReport, robustness } from "./evaluation/robustness.ts";
export { scaleFreeProbe } from "./evaluation/scale-free-probe.ts";
export { type Tsne, type TsneOptions, tsne } from "./evaluation/tsne.ts";
export { readResponses } from "./exchange/response-file.ts";
export { drawTsne, type LayerPicture, pictureLayers } from "./figures/tsne-figure.ts";
export { type ContrastiveHinge, contrastiveHinge } from "./losses/contrastive-hinge.ts";
export type { Loss } from "./losses/loss.ts";
export { auditProgram } from "./program/audit.ts";
export { SaccadeError } from "./program/errors.ts";
export { explain, formatExplanation } from "./program/explain.ts";
export { type Program, type Recorder, recordProgram } from "./program/program.ts";
export { persistent, reshape, rows, type Tensor } from "./program/tensor.ts";
export { backpropagation } from "./rules/backpropagation.ts";
export { type Learning, learnings } from "./rules/learning.ts";
export { type Lesson, type RecordedRule, recordRule } from "./rules/rule.ts";
export type { Update } from "./rules/update.ts";
export { ownClassifier } from "./runs/own-classifier.ts";
export { type AuditReport, auditConfigured } from "./training/audit-rule.ts";
export { type Config, parseConfig } from "./training/config.ts";
export { createTrainer, type Trainer } from "./training/trainer.ts";

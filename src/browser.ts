// The part of Saccade that a page can run, as one list: no Node built-in, no file, no picture library behind any of it.

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
export { type Block, countParameters, type Encoder } from "./encoders/encoder.ts";
export { createModel, initialise, type Model } from "./encoders/model.ts";
export { type NetworkName, networks } from "./encoders/networks.ts";
export { type EmbeddingNumbers, embeddingNumbers } from "./evaluation/embedding-numbers.ts";
export { encoderFeatures, type Features, pixelFeatures } from "./evaluation/features.ts";
export { kNearest } from "./evaluation/knn.ts";
export { linearProbe } from "./evaluation/linear-probe.ts";
export { type ProbedEncoders, type ProbeReport, probe, summarise } from "./evaluation/probe.ts";
export { scaleFreeProbe } from "./evaluation/scale-free-probe.ts";
export { type Tsne, type TsneOptions, tsne } from "./evaluation/tsne.ts";
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
export { type AuditReport, auditConfigured } from "./training/audit-rule.ts";
export { type Config, parseConfig } from "./training/config.ts";
export { createTrainer, type Trainer } from "./training/trainer.ts";

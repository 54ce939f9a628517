// The part of Saccade that a page can run, as one list: no Node built-in, no file, no picture library behind any of it.

export { z } from "zod";
export type { Backend, Engine, Numbers } from "./backends/backend.ts";
export { referenceBackend } from "./backends/reference/backend.ts";
export { wasmBackend } from "./backends/wasm/backend.ts";
export { webgpuBackend } from "./backends/webgpu/backend.ts";
export {
  type Check,
  type CheckBackends,
  type CheckOptions,
  type Conformance,
  checkPlugin,
} from "./conformance/check-plugin.ts";
export {
  type AffineAugmentation,
  type Augmentation,
  affineDefaults,
  type DrawnView,
  drawViews,
  flip,
  type OwnAugmentation,
  plainView,
  type RandomCrop,
  type SimclrAugmentation,
  setAffine,
  setCrop,
  simclrDefaults,
} from "./data/augmentation.ts";
export { affineDeformation, cifarDeformation, type Deformation } from "./data/deformations.ts";
export type { ImageSet } from "./data/images.ts";
export { proceduralMovie, proceduralObjects, turningMovie } from "./data/procedural-objects.ts";
export { type Block, countParameters, type Encoder } from "./encoders/encoder.ts";
export type { BlockTrace, HeadTrace } from "./encoders/forward.ts";
export {
  createModel,
  createSynapses,
  initialise,
  type Model,
  type Parameter,
  places,
  type Synapses,
} from "./encoders/model.ts";
export { type NetworkData, type NetworkName, networkOf, networks } from "./encoders/networks.ts";
export { type EmbeddingNumbers, embeddingNumbers } from "./evaluation/embedding-numbers.ts";
export { encoderFeatures, type Features, pixelFeatures } from "./evaluation/features.ts";
export { kNearest } from "./evaluation/knn.ts";
export { linearProbe } from "./evaluation/linear-probe.ts";
export { type ProbedEncoders, type ProbeReport, probe, summarise } from "./evaluation/probe.ts";
export { scaleFreeProbe } from "./evaluation/scale-free-probe.ts";
export { type Tsne, type TsneOptions, tsne } from "./evaluation/tsne.ts";
export { type ContrastiveHinge, contrastiveHinge } from "./losses/contrastive-hinge.ts";
export type { Change, Loss, LossInput, LossTrace, PreparedLoss } from "./losses/loss.ts";
export { auditProgram } from "./program/audit.ts";
export { SaccadeError, wrong } from "./program/errors.ts";
export { explain, formatExplanation } from "./program/explain.ts";
export { type Program, type Recorder, recordProgram } from "./program/program.ts";
export { randomStream, type Stream } from "./program/random.ts";
export { persistent, reshape, rows, type Shape, sizeOf, type Tensor } from "./program/tensor.ts";
export { view, viewParameters } from "./program/views.ts";
export { backpropagation } from "./rules/backpropagation.ts";
export {
  type Carrier,
  recordBlockChange,
  recordBlockError,
  recordErrorPath,
  recordHeadChange,
  recordHeadError,
} from "./rules/error-path.ts";
export { carriedBy, createFeedback, type Feedback, feedbackChanges } from "./rules/feedback.ts";
export { type Learning, learnings } from "./rules/learning.ts";
export { recordUpdates } from "./rules/optimiser.ts";
export { recordRouting } from "./rules/routing.ts";
export { type Lesson, type RecordedRule, recordRule } from "./rules/rule.ts";
export {
  type Inspection,
  type Learners,
  learningRows,
  type PreparedUpdate,
  type Signal,
  type StepRecorder,
  type Trace,
  type Update,
} from "./rules/update.ts";
export { type AuditReport, auditConfigured } from "./training/audit-rule.ts";
export type { Config } from "./training/config.ts";
export { parseConfig } from "./training/parse-config.ts";
export type {
  AugmentationPlugin,
  Beside,
  Identity,
  LossPlugin,
  Plugin,
  UpdatePlugin,
} from "./training/plugin.ts";
export { createTrainer, type Trainer, type TrainerOptions } from "./training/trainer.ts";

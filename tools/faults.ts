// Plants one-line faults, one at a time, in a copy of the project and demands that the tests notice each: `node tools/faults.ts [NAME…]`.
// The copy is the working tree as it stands, uncommitted changes included. The tests named are first run without a fault.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Fault {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly breaks: string;
  /** Files in tests/, without `.test.ts`. Each of them must fail. */
  readonly tests: readonly string[];
  /** A pattern of test names, where a file's other tests take long. */
  readonly only?: string;
}

const kernels = "src/backends/wasm/kernels";
const reference = "src/backends/reference/kernels.ts";

/** What breaks the engine, the data, training or the read-outs under any rule. */
const foundation: readonly Fault[] = [
  {
    name: "derivative-dropped",
    file: "src/rules/routing.ts",
    find: "    } else {",
    replace: "    } else if (step === undefined) {",
    breaks: "the error passes an activation as if it were linear",
    tests: ["rules/bp", "rules/losses"],
  },
  {
    name: "wrong-gate",
    file: reference,
    find: "if (s === t && !(distance <= m1)) {",
    replace: "if (s === t && distance < m1) {",
    breaks: "positive pairs pull when they are near, not when they are far",
    tests: ["rules/losses", "engine/conformance"],
  },
  {
    name: "positive-missing",
    file: `${kernels}/loss.ts`,
    find: "      store<f32>(gates + ((<usize>s) << 2), 1);",
    replace: "      store<f32>(gates + ((<usize>s) << 2), 0);",
    breaks: "the hinge loss pushes negatives apart and never pulls a pair together",
    tests: ["engine/conformance", "rules/goldens"],
  },
  {
    name: "unrouted-pooling",
    file: reference,
    find: "      const xColumn = column * size + (place % size);\n      out[",
    replace: "      const xColumn = column * size;\n      out[",
    breaks: "errors go to the left of a window instead of its maximum",
    tests: ["engine/operation-gradients", "rules/bp"],
  },
  {
    name: "last-maximum",
    file: `${kernels}/pooling.ts`,
    find: "f32x4.gt(value, best));",
    replace: "f32x4.ge(value, best));",
    breaks: "of equal maxima the last one gets the error",
    tests: ["engine/conformance"],
  },
  {
    name: "negatives-off-by-one",
    file: `${kernels}/loss.ts`,
    find: "openNegatives(distances, gates, 0, s + 1 + count - n, m2, 1, partials);",
    replace: "openNegatives(distances, gates, 0, s + count - n, m2, 1, partials);",
    breaks: "the wrap-around of T negatives ends one too early",
    tests: ["engine/conformance"],
  },
  {
    name: "wrap-around-off-by-one",
    file: reference,
    find: "(t - s + n) % n <= negatives.count ? 1 : 0;",
    replace: "(t - s + n) % n < negatives.count ? 1 : 0;",
    breaks: "T negatives are T − 1",
    tests: ["rules/losses"],
  },
  {
    name: "swapped-views",
    file: "src/losses/contrastive-hinge.ts",
    find: "        const a = rows(embeddings, 0, n);\n        const b = rows(embeddings, n, n);",
    replace: "        const a = rows(embeddings, n, n);\n        const b = rows(embeddings, 0, n);",
    breaks: "anchors and views change places, so that the errors go to the other one",
    tests: ["rules/losses", "rules/goldens"],
  },
  {
    name: "block-ignored",
    file: "src/training/registry.ts",
    find: "contrastiveHinge({ ...options, negatives",
    replace: "contrastiveHinge({ ...options, gradientBlock: false, negatives",
    breaks: "the configured gradient block has no effect",
    tests: ["rules/behaviour"],
    only: "constraints",
  },
  {
    name: "bias-correction-dropped",
    file: `${kernels}/optimiser.ts`,
    find: "    <f32>(1 / (1 - power(beta2, t))),",
    replace: "    <f32>1,",
    breaks: "Adam's second moment is not corrected for its start at zero",
    tests: ["engine/conformance", "rules/goldens"],
  },
  {
    name: "aliased",
    file: "src/data/augmentation.ts",
    find: "row.set(antialias ? supportOf({ from: { height, width }, to }) : [1, 1], view.support);",
    replace: "row.set([1, 1], view.support);",
    breaks: "crops that shrink leave pixels out",
    tests: ["data/augmentation", "rules/goldens"],
  },
  {
    name: "narrow-tents",
    file: `${kernels}/views.ts`,
    find: "for (let i = leastX; i <= mostX; i++, pixel += 16)",
    replace: "for (let i = leastX; i < mostX; i++, pixel += 16)",
    breaks: "the last column of an antialiased sample is left out",
    tests: ["engine/conformance"],
  },
  {
    name: "one-crop",
    file: "src/evaluation/augmented-probe.ts",
    find: "randomStream(seed, probeViews, epoch, image)",
    replace: "randomStream(seed, probeViews, 0, image)",
    breaks: "the read-out sees the same crops in every epoch",
    tests: ["evaluation/augmented-probe"],
  },
  {
    name: "one-augmentation",
    file: "src/data/augmentation.ts",
    find: "view: Math.floor(i / n) };",
    replace: "view: 0 };",
    breaks: "both views of an image are the same picture",
    tests: ["rules/behaviour"],
    only: "batches",
  },
  {
    name: "orientation-ignored",
    file: "src/datasets/formats/picture.ts",
    find: "autoOrient: true",
    replace: "autoOrient: false",
    breaks: "pictures of a phone lie on their side",
    tests: ["data/own-data"],
    only: "EXIF",
  },
  {
    name: "stale-pictures",
    file: "src/datasets/image-folder.ts",
    find: "return [path, bytes, mtimeMs];",
    replace: "return [path];",
    breaks: "a run learns from pictures that were changed since",
    tests: ["data/own-data"],
    only: "but not after",
  },
  {
    name: "wrong-partner",
    file: "src/data/pairing.ts",
    find: "(_, i) => i), partnerOf: (anchor) => anchor }),",
    replace: "(_, i) => i), partnerOf: (anchor) => (anchor > 0 ? anchor - 1 : 0) }),",
    breaks: "the second view shows another image",
    tests: ["rules/behaviour"],
    only: "batches",
  },
  {
    name: "one-order",
    file: "src/data/pairing.ts",
    find: "randomStream(seed, dataOrder, epoch).shuffle(order);",
    replace: "randomStream(seed, dataOrder).shuffle(order);",
    breaks: "every epoch goes through the images in the same order",
    tests: ["rules/behaviour"],
    only: "batches",
  },
  {
    name: "no-order",
    file: "src/data/pairing.ts",
    find: "randomStream(seed, dataOrder, epoch).shuffle(order);",
    replace: "",
    breaks: "the images are never shuffled",
    tests: ["rules/behaviour"],
    only: "batches",
  },
  {
    name: "moments-not-saved",
    file: "src/rules/rule.ts",
    find: ", ...recorded.flatMap(({ optimiserState }) => optimiserState)],",
    replace: "],",
    breaks: "a checkpoint holds no optimiser state",
    tests: ["training/training", "rules/behaviour"],
    only: "resumed|RLL RF contrastiveHinge",
  },
  {
    name: "looks-at-nothing",
    file: "src/training/trainer.ts",
    find: "last = lesson;\n    learnt.add(lesson);",
    replace: "last = lesson;",
    breaks: "numbers that are not finite are not noticed before a checkpoint",
    tests: ["training/training"],
    only: "that the loss hides|tells the state",
  },
  {
    name: "finished-on-other-pictures",
    file: "src/runs/resume.ts",
    find: " && learntFrom(run, dataset)",
    replace: "",
    breaks: "compare takes a run of the same configuration that learnt from other pictures",
    tests: ["training/training"],
    only: "is finished",
  },
  {
    name: "schedule-not-told",
    file: "src/training/trainer.ts",
    find: "clockValues(lesson, updatesOfOptimiser[number], factor)",
    replace: "clockValues(lesson, updatesOfOptimiser[number])",
    breaks: "the learning rate stays what it is at first, whatever the schedule",
    tests: ["rules/optimiser"],
  },
  {
    name: "schedule-of-all-layers-together",
    file: "src/training/trainer.ts",
    find: "rateAt(config.optimiser.schedule, updates[number], updatesInAll[number])",
    replace: "rateAt(config.optimiser.schedule, done + 1, totalSteps)",
    breaks: "under GLL and RLL a layer's learning rate follows the run's steps, not its own",
    tests: ["rules/optimiser"],
  },
  {
    name: "channels-last-on-disk",
    file: "src/training/torch-layout.ts",
    find: "reversed(data, [from / channels, channels, to])",
    replace: "reversed(data, [1, from, to])",
    breaks: "a checkpoint's matrices read pictures with their channels last, which PyTorch does not",
    tests: ["training/training"],
    only: "as PyTorch has them",
  },
  {
    name: "best-removed",
    file: "src/runs/checkpoints.ts",
    find: "if (losses.best) stays.add",
    replace: "if (losses.best && position.step < 0) stays.add",
    breaks: "the best checkpoint goes with the old ones",
    tests: ["training/training"],
    only: "newest and the best",
  },
  {
    name: "best-across-layers",
    file: "src/record/bookkeeping.ts",
    find: 'config.learning === "GLL" &&',
    replace: 'config.learning === "E2E" && step < 0 &&',
    breaks: "under GLL the losses of different layers are compared",
    tests: ["training/training"],
    only: "under GLL are the best",
  },
  {
    name: "stop-forgets-losses",
    file: "src/record/bookkeeping.ts",
    find: "options.losses ?? { sum: 0, steps: 0 }",
    replace: "{ sum: 0, steps: 0 }",
    breaks: "what a checkpoint says of the losses depends on where the run was stopped",
    tests: ["training/training"],
    only: "a stop is not among",
  },
  {
    name: "checksum-of-nothing",
    file: "src/record/checkpoint-file.ts",
    find: "if (metadata.crc32 !== sum)",
    replace: "if (metadata.crc32 === undefined)",
    breaks: "a flipped bit in a checkpoint is trained on",
    tests: ["runs/run-folder"],
    only: "damaged anywhere|one bit of a weight",
  },
  {
    name: "onnx-without-pooling",
    file: "src/exchange/onnx.ts",
    find: "if (head.averagePool > 1) value =",
    replace: "if (head.averagePool > 99) value =",
    breaks: "VGG6's features leave for ONNX before their average pooling",
    tests: ["exchange/exchange"],
    only: "ONNX",
  },
  {
    name: "embeddings-channels-last",
    file: "src/exchange/embeddings.ts",
    find: "yield new Uint8Array(turned.buffer);",
    replace: "yield new Uint8Array(some.buffer);",
    breaks: "the .npz has another order of features than PyTorch and ONNX",
    tests: ["exchange/exchange"],
    only: "embeddings",
  },
  {
    name: "import-loses-biases",
    file: "src/exchange/imported-weights.ts",
    find: "weights.set(name, tensor ? fromTorch(tensor).data : new Float32Array(shape[0]));",
    replace:
      'weights.set(name, tensor && !name.endsWith("bias") ? fromTorch(tensor).data : new Float32Array(shape[0]));',
    breaks: "weights of a network with biases come in without them",
    tests: ["exchange/exchange"],
    only: "biases",
  },
  {
    name: "import-leaves-norms-out",
    file: "src/exchange/imported-weights.ts",
    find: "if (!(reads || apart) ||",
    replace: "if (",
    breaks: "what stands between the blocks is left out in silence",
    tests: ["exchange/exchange"],
    only: "between the blocks",
  },
  {
    name: "fold-without-the-mean",
    file: "src/exchange/batch-norm.ts",
    find: "((bias?.data[o] ?? 0) - mean[o]) * scales[o] + value",
    replace: "(bias?.data[o] ?? 0) * scales[o] + value",
    breaks: "a folded BatchNorm does not take its mean away",
    tests: ["exchange/exchange"],
    only: "folded exactly",
  },
  {
    name: "normalised-by-the-first-channel",
    file: "src/program/views.ts",
    find: "const [mean, std] = [normalise.mean[c], normalise.std[c]];",
    replace: "const [mean, std] = [normalise.mean[0], normalise.std[0]];",
    breaks: "every channel is normalised as the first",
    tests: ["exchange/exchange"],
    only: "normalised",
  },
  {
    name: "probe-trains-on-test",
    file: "src/evaluation/probe.ts",
    find: "(await opened.of(readOut, own)).measure(own, tested);",
    replace: "(await opened.of(readOut, own)).measure({ ...own, rows: tested }, tested);",
    breaks: "read-outs are trained on the rows that they are tested on",
    tests: ["rules/behaviour"],
    only: "read-outs",
  },
  {
    name: "probe-keeps-overlap",
    file: "src/evaluation/probe.ts",
    find: "const pool = without(train, shared);",
    replace: "const pool = train;",
    breaks: "pictures of the test set stay among the labelled ones",
    tests: ["evaluation/evaluation"],
  },
  {
    name: "neighbours-chosen-on-known-rows",
    file: "src/evaluation/knn.ts",
    find: "nearest(fits[d], found,",
    replace: "nearest(wholes[d], found,",
    breaks: "the number of neighbours is chosen on rows that are among the neighbours themselves",
    tests: ["evaluation/evaluation"],
  },
  {
    name: "tsne-meets-itself",
    file: "src/evaluation/quadtree.ts",
    find: "z += weights - 1;",
    replace: "z += weights;",
    breaks: "every point of a t-SNE counts itself among those that it keeps away",
    tests: ["evaluation/tsne"],
    only: "the gradient",
  },
  {
    name: "false-neighbours-forgiven",
    file: "src/evaluation/embedding-numbers.ts",
    find: "let rank = 1;",
    replace: "let rank = 0;",
    breaks: "a picture's false neighbours weigh less than trustworthiness says",
    tests: ["evaluation/embedding-numbers"],
  },
  {
    name: "events-not-taken-back",
    file: "src/runs/tensorboard.ts",
    find: ".filter(({ step }) => step <= upTo)",
    replace: "",
    breaks: "a resumed run shows histograms and pictures twice that its checkpoint takes back",
    tests: ["runs/tensorboard"],
  },
  {
    name: "inhibition-not-differentiated",
    file: reference,
    find: "for (let k = at; k < at + c; k++) dx.data[k] -= mean;",
    replace: "for (let k = at; k < at + c; k++) dx.data[k] -= 0 * mean;",
    breaks: "the error passes a triangle as if its units did not inhibit each other",
    tests: ["engine/operation-gradients", "rules/own-network"],
  },
  {
    name: "triangle-inhibits-itself-away",
    file: `${kernels}/inhibition.ts`,
    find: "storeFirst(y + ((<usize>k) << 2), f32x4.pmax(above, f32x4.splat(0)), c - k);",
    replace: "storeFirst(y + ((<usize>k) << 2), above, c - k);",
    breaks: "units of a triangle below the mean of their place are negative instead of silent",
    tests: ["engine/conformance"],
    only: "triangle",
  },
];

/** What makes a rule another rule, or none. */
const rules: readonly Fault[] = [
  {
    name: "zero-feedback",
    file: "src/encoders/model.ts",
    find: "const bound = 1 / Math.sqrt(fanIn);",
    replace: 'const bound = tensor.role === "feedback" ? 0 : 1 / Math.sqrt(fanIn);',
    breaks: "feedback is zero, so that only the head learns",
    tests: ["rules/rules", "rules/behaviour"],
    only: "RF with feedback|E2E (RF|DFA) contrastiveHinge",
  },
  {
    name: "feedback-not-updated",
    file: "src/rules/feedback.ts",
    find: "return [...changes, ...feedbackChanges(changes, of)];",
    replace: "return changes;",
    breaks: "URF is RF",
    tests: ["rules/rules", "rules/behaviour"],
    only: "URF that starts|E2E URF contrastiveHinge",
  },
  {
    name: "rf-transports-weights",
    file: "src/rules/feedback.ts",
    find: "      record: ({ record }, trace, signal) => recordErrorPath(record, trace, signal, carriedBy(of)),",
    replace:
      "      record: ({ record }, trace, signal) => recordErrorPath(record, trace, signal, ({ weight }) => weight),",
    breaks: "RF is BP",
    tests: ["rules/rules"],
  },
  {
    name: "kp-without-decay",
    file: "src/rules/kolen-pollack.ts",
    find: "of.has(change.weight) ? { ...change, decay } : change",
    replace: "change",
    breaks: "KP is URF",
    tests: ["rules/rules"],
  },
  {
    name: "kp-forward-decay-only",
    file: "src/rules/kolen-pollack.ts",
    find: "...feedbackChanges(changes, of)]",
    replace: "...feedbackChanges(changes.map((change) => ({ ...change, decay: 0 })), of)]",
    breaks: "the weights shrink and their feedback does not",
    tests: ["rules/rules"],
  },
  {
    name: "ssf-transports-sizes",
    file: "src/rules/sign-symmetry.ts",
    find: "record.matchSigns({ w, b }, {}",
    replace: "record.matchSigns({ w: b, b: w }, {}",
    breaks: "feedback has the weights' sizes and signs of its own",
    tests: ["rules/rules"],
  },
  {
    name: "inverse-ascends",
    file: "src/rules/difference-target-propagation.ts",
    find: "{ x: rebuilt.output, target: noisy },",
    replace: "{ x: noisy, target: rebuilt.output },",
    breaks: "inverses learn to rebuild ever worse",
    tests: ["rules/rules"],
  },
  {
    name: "no-difference",
    file: "src/rules/difference-target-propagation.ts",
    find: "{ a: ofTarget.output, b: ofActivity.output },",
    replace: "{ a: ofTarget.output, b: activities[l - 1] },",
    breaks: "targets are what the inverse gives, without the difference",
    tests: ["rules/rules"],
  },
  {
    name: "target-ascends",
    file: "src/rules/difference-target-propagation.ts",
    find: "{ alpha: 1, beta: -eta },",
    replace: "{ alpha: 1, beta: eta },",
    breaks: "the first target lies up the loss's gradient",
    tests: ["rules/rules"],
  },
  {
    name: "order-ignored",
    file: "src/rules/difference-target-propagation.ts",
    find: "  const { order, inverseLearningRate } = options;",
    replace: '  const { order, inverseLearningRate } = { ...options, order: "targetsFirst" as DtpOptions["order"] };',
    breaks: "targets are set by the inverses as they were, whatever the order",
    tests: ["rules/rules"],
  },
  {
    name: "inverse-removes-the-noise",
    file: "src/rules/difference-target-propagation.ts",
    find: "{ x: rebuilt.output, target: noisy },",
    replace: "{ x: rebuilt.output, target: input },",
    breaks: "inverses learn to give the input back without its noise",
    tests: ["rules/rules"],
  },
  {
    name: "dfa-unrouted",
    file: "src/rules/direct-feedback.ts",
    find: "const routed = recordRouting(record, block, picture, firstRow);",
    replace: "const routed = i === 0 ? picture : recordRouting(record, block, picture, firstRow);",
    breaks: "under DFA saturated units of the first block learn",
    tests: ["rules/rules"],
  },
  {
    name: "sum-taken-for-a-mean",
    file: "src/rules/rule.ts",
    find: "reduction: loss.reduction, images: batch };",
    replace: 'reduction: "mean" as const, images: batch };',
    breaks: "DTP steps by as many times its target step as there are images",
    tests: ["rules/lessons"],
  },
  {
    name: "labels-of-another-image",
    file: "src/training/trainer.ts",
    find: "if (to.labelIndices) engine.write(to.labelIndices, images);",
    replace: "",
    breaks: "every image has the label of the first",
    tests: ["rules/behaviour"],
    only: "batches",
  },
  {
    name: "probe-batch-in-the-batch",
    file: "src/training/trainer.ts",
    find: "to === stage.recorded.inputs ? 0 : config.batch)",
    replace: "0)",
    breaks: "of a streamed dataset the X-ray looks at the batch instead of the probe batch",
    tests: ["data/streamed"],
  },
  {
    name: "partner-of-the-same-class",
    file: "src/training/trainer.ts",
    find: "[images, images.map(partnerOf)];",
    replace: "[images, images.map((i) => dataset.labels.indexOf(dataset.labels[i]))];",
    breaks: "the labels choose the second view, so that a self-supervised run is taught the classes",
    tests: ["rules/behaviour"],
    only: "whatever the labels",
  },
  {
    name: "head-reads-labels",
    file: "src/rules/rule.ts",
    find: "{ images, indices, parameters },",
    replace: `{
      images,
      indices:
        inputs.labels && inputs.labelIndices
          ? record.gatherLabels({ table: inputs.labels, indices: inputs.labelIndices }, {}, { y: "leak" }).y
          : indices,
      parameters,
    },`,
    breaks: "the picture that a supervised network sees is chosen by the label",
    tests: ["rules/lessons"],
  },
  {
    name: "classifier-ascends",
    file: `${kernels}/loss.ts`,
    find: "(share - (j == label ? 1 : 0)) / <f64>n",
    replace: "((j == label ? 1 : 0) - share) / <f64>n",
    breaks: "the supervised error has the wrong sign",
    tests: ["engine/conformance", "rules/behaviour"],
    only: "softmaxCrossEntropy|BP crossEntropy",
  },
  {
    name: "always-layer-0",
    file: "src/rules/learning.ts",
    find: "randomStream(seed, layerDraw, step).integer(lessons)",
    replace: "randomStream(seed, layerDraw, step).integer(1)",
    breaks: "RLL trains its first layer alone",
    tests: ["rules/behaviour"],
    only: "RLL BP contrastiveHinge",
  },
  {
    name: "one-draw-of-layers",
    file: "src/rules/learning.ts",
    find: "lessonOf: (step, { lessons, seed }) => randomStream(seed, layerDraw, step).integer(lessons),",
    replace: "lessonOf: (step, { lessons }) => step % lessons,",
    breaks: "RLL goes round its layers instead of drawing them",
    tests: ["rules/behaviour"],
    only: "RLL BP contrastiveHinge",
  },
  {
    name: "intervention-keeps-the-clock",
    file: "src/training/trainer.ts",
    find: "if (next.fresh) updatesOfOptimiser.fill(0);",
    replace: "",
    breaks: "after a change of rule Adam's moments are new and its bias correction is not",
    tests: ["runs/interventions"],
  },
  {
    name: "intervention-one-step-late-on-resume",
    file: "src/training/trainer.ts",
    find: "stages.findLast(({ from }) => from < step)",
    replace: "stages.findLast(({ from }) => from + 1 < step)",
    breaks: "what a configuration changes after step k is changed after step k + 1",
    tests: ["runs/interventions"],
  },
  {
    name: "shared-optimiser",
    file: "src/training/trainer.ts",
    find: "clockValues(lesson, updatesOfOptimiser[number], factor)",
    replace: "clockValues(lesson, done + 1, factor)",
    breaks: "a layer that learns alone begins with a used optimiser",
    tests: ["rules/behaviour"],
    only: "LL BP contrastiveHinge",
  },
  {
    name: "updates-not-counted-on-resume",
    file: "src/training/trainer.ts",
    find: "if (step >= begun) updatesOfOptimiser[lessonOf(step)]++;",
    replace: "",
    breaks: "a resumed optimiser corrects for a start that is long past",
    tests: ["rules/behaviour", "training/training"],
    only: "RLL BP contrastiveHinge|resumed",
  },
  {
    name: "prefix-not-frozen",
    file: "src/rules/learning.ts",
    find: "(_, first) => ({ first, end: first + 1 })",
    replace: "(_, first) => ({ first: 0, end: first + 1 })",
    breaks: "the layers below learn along with the one whose turn it is",
    tests: ["rules/behaviour"],
    only: "LL RF contrastiveHinge",
  },
  {
    name: "simclr-partner",
    file: `${kernels}/loss.ts`,
    find: "const partner = (<usize>((i + m / 2) % m)) << 2;",
    replace: "const partner = (<usize>((i + 1) % m)) << 2;",
    breaks: "SimCLR pulls a view to its neighbour in the batch",
    tests: ["engine/conformance"],
  },
  {
    name: "clapp-context-not-learnt",
    file: "src/losses/clapp.ts",
    find: "            { weight, gradient },\n",
    replace: "",
    breaks: "CLAPP's context stays random",
    tests: ["rules/behaviour", "rules/losses"],
    only: "BP clapp|CLAPP",
  },
  {
    name: "patch-target-in-the-row",
    file: "src/losses/clapp-patches.ts",
    find: "const down = (k + skip) * side * images;",
    replace: "const down = (k + skip) * images;",
    breaks: "CLAPP's patches predict what stands beside them, not below",
    tests: ["rules/clapp-patches"],
  },
  {
    name: "retrodiction-moves-the-target",
    file: "src/losses/clapp-patches.ts",
    find: "flatten(back.maps[i]), back.gates, step, 0)",
    replace: "flatten(back.maps[i]), back.gates, step, 1)",
    breaks: "retrodiction's error goes to the predicted patch instead of the context",
    tests: ["rules/clapp-patches"],
  },
  {
    name: "negative-of-itself",
    file: "src/losses/scff.ts",
    find: "rows(x, n + 1, n - 1), rows(joined, n, n - 1)",
    replace: "rows(x, n, n - 1), rows(joined, n, n - 1)",
    breaks: "SCFF's negatives are pictures joined with themselves",
    tests: ["rules/losses"],
    only: "SCFF",
  },
  {
    name: "negatives-taught-as-positives",
    file: `${kernels}/loss.ts`,
    find: "gatePlaces(p, m + first, count, load<f32>(p, 28), 1, partials, 16);",
    replace: "gatePlaces(p, m + first, count, load<f32>(p, 28), -1, partials, 16);",
    breaks: "SCFF raises the goodness of negatives as well",
    tests: ["engine/conformance"],
    only: "goodnessGates",
  },
  {
    name: "goodness-of-silenced-units",
    file: reference,
    find: "total += Math.max(0, x.data[place * c + k]) ** 2;",
    replace: "total += x.data[place * c + k] ** 2;",
    breaks: "units below 0 add to the goodness",
    tests: ["rules/losses", "engine/operation-gradients"],
    only: "SCFF|goodness",
  },
  {
    name: "refused-combination",
    file: "src/training/registry.ts",
    find: "differenceTargetPropagation({ ...options, seed }),\n    refuses: (beside: Beside) =>\n      layerWise(beside)",
    replace:
      "differenceTargetPropagation({ ...options, seed }),\n    refuses: (beside: Beside) =>\n      beside.labelled",
    breaks: "DTP is accepted for layers that learn alone",
    tests: ["rules/behaviour"],
    only: "every other combination",
  },
];

export const faults: readonly Fault[] = [...foundation, ...rules];

/** What a run of test files came to. */
interface Outcome {
  readonly failed: number;
  /** Name of the first test that failed, or why there is no count. */
  readonly first: string;
  readonly seconds: number;
}

interface VitestReport {
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const root = fileURLToPath(new URL("..", import.meta.url));

function runTests(copy: string, file: string, only?: string): Outcome {
  const report = join(copy, "outcome.json");
  rmSync(report, { force: true });
  const started = performance.now();
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", `tests/${file}.test.ts`, ...(only ? ["-t", only] : [])],
    { cwd: copy, env: { ...process.env, SACCADE_TEST_JSON: report }, encoding: "utf8", timeout: 600_000 },
  );
  const seconds = (performance.now() - started) / 1000;
  if (!existsSync(report))
    return { failed: 0, first: `vitest wrote no report: ${(stderr || stdout).slice(-500)}`, seconds };
  const { numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as VitestReport;
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const first =
    all.find(({ status }) => status === "failed")?.fullName ?? testResults.find(({ message }) => message)?.message;
  return { failed: numFailedTests, first: first ?? "", seconds };
}

function buildKernels(copy: string): void {
  const { status, stderr } = spawnSync(process.execPath, ["tools/build-kernels.ts"], { cwd: copy, encoding: "utf8" });
  if (status !== 0) throw new Error(`the kernels could not be built:\n${stderr}`);
}

/** The working tree without what git ignores, and a link to the packages. */
function copyTree(copy: string): void {
  const { stdout } = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const file of stdout.split("\0")) {
    const from = join(root, file);
    if (file === "" || !existsSync(from)) continue;
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(from, join(copy, file));
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
}

/** The file with the fault in it. */
export function faulty(text: string, { name, file, find, replace }: Fault): string {
  const found = text.split(find).length - 1;
  if (found !== 1)
    throw new Error(`fault ${name}: "${find}" must stand in ${file} once, and stands there ${found} times`);
  return text.replace(find, () => replace);
}

function row(fault: string, file: string, verdict: string, seconds: number, note: string): void {
  console.log(
    `${fault.padEnd(30)} ${file.padEnd(20)} ${verdict.padEnd(16)} ${seconds.toFixed(0).padStart(4)} s  ${note}`,
  );
}

function tryFaults(chosen: readonly Fault[]): boolean {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), "saccade-faults-")));
  try {
    copyTree(copy);
    buildKernels(copy);
    cpSync(join(copy, "build"), join(copy, "sound-build"), { recursive: true });
    for (const file of [...new Set(chosen.flatMap(({ tests }) => tests))].sort()) {
      const patterns = chosen.filter(({ tests }) => tests.includes(file)).map(({ only }) => only);
      const only = patterns.includes(undefined) ? undefined : patterns.map((pattern) => `(${pattern})`).join("|");
      const { failed, first, seconds } = runTests(copy, file, only);
      row("none", file, failed > 0 ? `${failed} failed` : "passes", seconds, first);
      if (failed > 0 || first !== "") {
        console.error("tests must pass before a fault is planted");
        return false;
      }
    }
    let all = true;
    for (const fault of chosen) {
      const path = join(copy, fault.file);
      const text = readFileSync(path, "utf8");
      writeFileSync(path, faulty(text, fault));
      const inKernels = fault.file.startsWith(kernels);
      if (inKernels) buildKernels(copy);
      for (const file of fault.tests) {
        const { failed, first, seconds } = runTests(copy, file, fault.only);
        row(
          fault.name,
          file,
          failed > 0 ? `noticed by ${failed}` : "NOT NOTICED",
          seconds,
          failed > 0 ? first : fault.breaks,
        );
        if (failed === 0) all = false;
      }
      writeFileSync(path, text);
      if (inKernels) cpSync(join(copy, "sound-build"), join(copy, "build"), { recursive: true });
    }
    return all;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))) {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => faults.every((fault) => fault.name !== name));
  if (unknown.length > 0) {
    console.error(`no fault is called ${unknown.join(", ")}; there are ${faults.map(({ name }) => name).join(", ")}`);
    process.exitCode = 1;
  } else if (!tryFaults(names.length === 0 ? faults : faults.filter(({ name }) => names.includes(name))))
    process.exitCode = 1;
}

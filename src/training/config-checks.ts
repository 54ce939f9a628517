// Combinations that make no sense, each value of which is fine by itself.

import type { z } from "zod";
import { patchesPerSide } from "../data/augmentation.ts";
import { movieClip } from "../data/procedural-objects.ts";
import { pictures, requireShapes } from "../encoders/encoder.ts";
import { networkOf, networks } from "../encoders/networks.ts";
import { SaccadeError } from "../program/errors.ts";
import { type Config, evaluationData, type ProbeConfig } from "./config.ts";
import { type Recorded, updatesAmong } from "./config-plugins.ts";
import { ownKey } from "./plugin.ts";
import { entryOf, factsOf, type hinge, madeLoss, refusalOf, updates } from "./registry.ts";

/** Updates that optimiser.feedback is for. */
const sharing = updates.flatMap((entry) => ("learningFeedback" in entry ? [entry.name] : [])).join(" or ");

/** What no single value shows: combinations that make no sense. */
export function checkCombination(config: Config, plugins: readonly Recorded[], where: string): void {
  const { loss, learning, update, optimiser, batch, augmentation, valueRange } = config;
  const { pairing, framesApart, data } = config;
  const refuse = (sentence: string): never => {
    throw new SaccadeError(`${where}: ${sentence}`);
  };
  checkPatches(augmentation, loss, refuse);
  const [rule, lossRule] = [entryOf("update", config, update), entryOf("loss", config, loss.kind)];
  // Of a plugin that is not loaded nothing is known.
  const made = lossRule && madeLoss(config);
  const facts = made && factsOf(made);
  const nonsense = rule && made && refusalOf(learning, rule, lossRule, made);
  if (nonsense) refuse(nonsense);
  for (const entry of updatesAmong(plugins)) {
    const key = ownKey(entry);
    if (entry.name !== update && (config as Record<string, unknown>)[key] !== undefined)
      refuse(`${key} is for update ${entry.name}, got update ${update}; leave it out`);
  }
  if (optimiser.feedback !== 1 && rule && !rule.learningFeedback)
    refuse(
      `optimiser.feedback is for feedback that receives the weights' increments (update ${sharing}), got update ${update}; leave it out`,
    );
  if (optimiser.head !== 1 && facts?.headless)
    refuse(`optimiser.head is for a loss with a projection head, got loss ${loss.kind}; leave it out`);
  const supervised = facts?.labelled ?? false;
  if (supervised && data.split === "unlabelled")
    refuse(`loss ${loss.kind} reads labels, data.split must be train or test, got unlabelled`);
  if (batch < 2 && !supervised) refuse("batch must be at least 2, so that an image has a negative, got 1");
  if (loss.kind === "contrastiveHinge") checkHinge(loss, batch, refuse);
  const inFrames = pairing === "frames" || pairing === "shuffledFrames";
  if (framesApart !== undefined && !inFrames)
    refuse(`framesApart is for pairing frames, got ${pairing ?? "augmentation"}; leave it out`);
  if (inFrames) {
    if (data.dataset !== "procedural-movie")
      refuse(`pairing ${pairing} needs a movie, got dataset ${data.dataset}; take procedural-movie`);
    if (framesApart !== undefined && framesApart >= movieClip.frames)
      refuse(`framesApart must be below ${movieClip.frames}, the frames of a clip, got ${framesApart}`);
    if (loss.kind !== "contrastiveHinge" || loss.negativesReading !== "past")
      refuse(
        `pairing ${pairing} needs loss contrastiveHinge with negativesReading past: any other loss reads labels, or uses the frames just before and after as negatives, which show the same thing`,
      );
  }
  if (pairing === "shuffledImages" && !["contrastiveHinge", "simclr", "clapp"].includes(loss.kind))
    refuse(`pairing shuffledImages is for a loss that compares two views, got loss ${loss.kind}; leave it out`);
  if (augmentation.kind === "simclr") {
    for (const key of ["scale", "ratio"] as const)
      if (augmentation[key][0] > augmentation[key][1])
        refuse(`augmentation.${key} must be [least, most], got [${augmentation[key].join(", ")}]`);
  }
  checkEvaluation(config, supervised, refuse);
  const untold = config.probe && probeRefusal(config.probe);
  if (untold) refuse(untold);
  if (valueRange[0] >= valueRange[1])
    refuse(`valueRange must be [low, high] with low below high, got [${valueRange.join(", ")}]`);
  checkNetwork(config, where, refuse);
  const { name, channels } = networkOf(config.encoder);
  for (const [key, numbers] of Object.entries(config.normalise ?? {}))
    if (numbers.length !== channels)
      refuse(
        `normalise.${key} must be ${channels} ${channels === 1 ? "number" : "numbers"}, one for each channel of ${name}, got [${numbers.join(", ")}]`,
      );
}

/** What no single number of a network that is spelt out shows. The library's own fit. */
function checkNetwork(
  { encoder, augmentation }: Pick<Config, "encoder" | "augmentation">,
  where: string,
  refuse: (sentence: string) => never,
): void {
  if (typeof encoder === "string") return;
  if (Object.hasOwn(networks, encoder.name))
    refuse(`encoder.name must be a name of its own, got ${encoder.name}, which is one of the library's; rename it`);
  const network = networkOf(encoder);
  if (augmentation.kind !== "patches") requireShapes(network, `${where}: encoder`);
  else pictures({ ...network, height: augmentation.size, width: augmentation.size }, `${where}: encoder`);
}

function checkEvaluation(config: Config, supervised: boolean, refuse: (sentence: string) => never): void {
  const { evaluateEvery = 0, checkpointBest, checkpointEvery, probe, data, loss } = config;
  if (checkpointBest === "kNN" && evaluateEvery === 0)
    refuse("checkpointBest kNN needs evaluateEvery, which measures it, got none; set evaluateEvery=1");
  if (checkpointBest === "kNN" && evaluateEvery % checkpointEvery !== 0)
    refuse(
      `evaluateEvery must be a multiple of checkpointEvery = ${checkpointEvery} under checkpointBest kNN, so that the evaluated checkpoint is kept, got ${evaluateEvery}`,
    );
  if (evaluateEvery === 0) return;
  if (!probe && data.split === "unlabelled")
    refuse(
      "evaluateEvery needs labelled pictures, and there are none: data.split is unlabelled, and there is no probe; add a probe section",
    );
  const same = (["dataset", "split", "folder", "file", "seed"] as const).every(
    (key) => evaluationData(config)[key] === data[key],
  );
  if (supervised && same)
    refuse(
      `evaluateEvery needs labels that the run does not learn from, and loss ${loss.kind} learns those of ${probe ? "probe.train" : "data"}; leave evaluateEvery out, or give probe.train other pictures`,
    );
}

/** What makes no sense in a probe, in a sentence. */
export function probeRefusal({
  augmentation,
  readOuts,
}: Pick<ProbeConfig, "augmentation" | "readOuts">): string | undefined {
  if (augmentation.kind === "none" || readOuts.includes("paper")) return undefined;
  return `probe.augmentation is for the read-out paper, got readOuts ${readOuts.join(", ")}; add paper, or set probe.augmentation='{kind: none}'`;
}

function checkPatches(
  augmentation: Config["augmentation"],
  loss: Config["loss"],
  refuse: (sentence: string) => never,
): void {
  if (augmentation.kind !== "patches") {
    if (loss.kind === "clappPatches")
      refuse(`loss clappPatches needs augmentation.kind patches, got ${augmentation.kind}`);
    return;
  }
  if (loss.kind !== "clappPatches")
    refuse(`augmentation patches is for loss clappPatches, got ${loss.kind}; take augmentation.kind simclr or affine`);
  const { crop, size } = augmentation;
  if (size > crop) refuse(`augmentation.size must be at most augmentation.crop = ${crop}, got ${size}`);
  const side = patchesPerSide(augmentation);
  if (loss.steps + loss.skip >= side)
    refuse(
      `loss.steps + loss.skip must be below ${side}, the patches of a column, got ${loss.steps} + ${loss.skip}; shorten them, or augmentation.stride`,
    );
}

function checkHinge(
  { m1, m2, negatives, negativesReading, gap, spacing }: z.infer<typeof hinge>,
  batch: number,
  refuse: (sentence: string) => never,
): void {
  if (m2 <= m1) refuse(`loss.m2 must be above loss.m1 = ${m1}, got ${m2}`);
  if (negativesReading !== "past" && gap !== undefined)
    refuse(`loss.gap is for negativesReading past, got ${negativesReading}; leave it out`);
  if (negativesReading !== "past" && spacing !== undefined)
    refuse(`loss.spacing is for negativesReading past, got ${negativesReading}; leave it out`);
  if (negatives === "all") {
    if (negativesReading === "past")
      refuse("loss.negatives must be a number under negativesReading past, got all; give the length of the buffer");
    return;
  }
  if (negatives === 0 && negativesReading !== "paper-text")
    refuse(`loss.negatives must be at least 1 under negativesReading ${negativesReading}, got 0`);
  const reach = (gap ?? 1) + (negatives - 1) * (spacing ?? 1);
  if (negativesReading === "past" && reach >= batch)
    refuse(
      `the oldest of loss.negatives must be in the batch of ${batch} images, got one ${reach} back (gap ${gap ?? 1}, spacing ${spacing ?? 1}); enlarge the batch`,
    );
  const most = negativesReading === "paper-text" ? batch - 1 : batch;
  if (negatives > most)
    refuse(`loss.negatives must be at most ${most} in a batch of ${batch}, got ${negatives}; enlarge the batch`);
  if (negativesReading === "authors-code" && negatives < 2)
    refuse(`loss.negatives must be at least 2 under negativesReading authors-code (T means T − 1 negatives), got 1`);
}

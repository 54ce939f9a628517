// Interventions: changes of a run in mid-course. Each is made when so many steps are done, and part of the configuration, so that it is made again
// at the same step whenever the run is repeated.

import { layerOf } from "../encoders/model.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import { randomStream } from "../program/random.ts";
import type { Tensor } from "../program/tensor.ts";
import type { Config, Intervention } from "./config.ts";
import { changedConfig } from "./parse-config.ts";

/** What a run is between two interventions: a configuration, and the layers that do not learn. */
export interface Stage {
  /** Steps that are done when it begins; −1: it is there from the start. */
  readonly from: number;
  readonly config: Config;
  readonly frozen: ReadonlySet<string>;
  /** Whether the optimiser begins anew: what it remembers is of another error, or of other layers. */
  readonly fresh: boolean;
  /** What happens to feedback as it begins. */
  readonly feedback: readonly FeedbackChange[];
}

export interface FeedbackChange {
  readonly kind: "cut" | "shuffle";
  /** Name of a block or a head. */
  readonly layer: string;
}

/** The stages of a run, in order; one where nothing intervenes. */
export function stagesOf(config: Config): Stage[] {
  const stages: Stage[] = [{ from: -1, config, frozen: new Set(), fresh: true, feedback: [] }];
  for (const [i, intervention] of (config.interventions ?? []).entries()) {
    const { step, set, freeze, unfreeze, cutFeedback, shuffleFeedback } = intervention;
    const before = stages[stages.length - 1];
    const frozen = new Set(before.frozen);
    if (freeze !== undefined) frozen.add(freeze);
    if (unfreeze !== undefined && !frozen.delete(unfreeze))
      throw wrong("train", `interventions.${i}.unfreeze`, "a layer that is frozen", unfreeze);
    const changes: FeedbackChange[] = [];
    if (cutFeedback !== undefined) changes.push({ kind: "cut", layer: cutFeedback });
    if (shuffleFeedback !== undefined) changes.push({ kind: "shuffle", layer: shuffleFeedback });
    const other = set?.update !== undefined || set?.loss !== undefined;
    const stage = {
      from: step,
      fresh: other || freeze !== undefined || unfreeze !== undefined,
      config: set ? changedConfig(before.config, set, `interventions.${i}`) : before.config,
      frozen,
      feedback: changes,
    };
    if (before.from === step)
      stages.splice(-1, 1, {
        ...stage,
        fresh: before.fresh || stage.fresh,
        feedback: [...before.feedback, ...changes],
      });
    else stages.push(stage);
  }
  return stages;
}

/** In words: "update RF", "feedback of conv3 shuffled". */
export function describeIntervention({ set, freeze, unfreeze, cutFeedback, shuffleFeedback }: Intervention): string {
  const parts = Object.entries(set ?? {}).map(([key, value]) =>
    typeof value === "object"
      ? `${key} ${Object.entries(value)
          .map(([name, own]) => (name === "kind" ? own : `${name} ${own}`))
          .join(", ")}`
      : `${key} ${value}`,
  );
  if (cutFeedback !== undefined) parts.push(`feedback of ${cutFeedback} cut`);
  if (shuffleFeedback !== undefined) parts.push(`feedback of ${shuffleFeedback} shuffled`);
  if (freeze !== undefined) parts.push(`${freeze} frozen`);
  if (unfreeze !== undefined) parts.push(`${unfreeze} learns again`);
  return parts.join("; ");
}

/** Feedback of a layer among the tensors that a step keeps. Throws where there is none. */
export function feedbackOf(layer: string, state: readonly Tensor[], update: string): Tensor[] {
  const all = state.filter(({ role }) => role === "feedback");
  const own = all.filter((tensor) => layerOf(tensor) === layer);
  if (own.length > 0) return own;
  const layers = [...new Set(all.map(layerOf))];
  throw new SaccadeError(
    layers.length === 0
      ? `train: update ${update} carries errors down through the weights, so that there is no feedback of ${layer} to change; set update first`
      : `train: interventions: there is no feedback of ${layer}, but of ${layers.join(", ")}`,
  );
}

/** First word of the paths of random numbers that shuffle feedback. */
const shuffling = 0x5f1e;

/** What a change makes of a layer's feedback weights: zeros, or the same numbers in another order, drawn from the run's seed and the step. */
export function changedFeedback(
  { kind }: FeedbackChange,
  values: Float32Array,
  seed: number,
  step: number,
): Float32Array {
  if (kind === "cut") return new Float32Array(values.length);
  const order = Int32Array.from(values, (_, i) => i);
  randomStream(seed, shuffling, step).shuffle(order);
  return Float32Array.from(order, (i) => values[i]);
}

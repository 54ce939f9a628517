// A run's course: what its interventions make of it, stage by stage, for the page. Loaded after all that Play waits for.

import { layerOf } from "../../src/encoders/model.ts";
import { describeIntervention, type FeedbackChange, stagesOf } from "../../src/training/interventions.ts";
import { type Combination, refusal, updateNames } from "../../src/training/registry.ts";
import type { Trainer } from "../../src/training/trainer.ts";
import type { Raw } from "../configuration.ts";
import type { Change, Course, StageSeen } from "../messages.ts";

/** The configuration with one more intervention, behind those of its step and before those to come. */
export function withIntervention(raw: Raw, step: number, change: Change): Raw {
  const all = [...((raw.interventions ?? []) as { readonly step: number }[]), { step, ...change }];
  return { ...raw, interventions: all.sort((a, b) => a.step - b.step) };
}

export function courseOf({ config, ruleOf }: Trainer, raw: Raw): Course {
  let [changed, update]: [Record<string, FeedbackChange["kind"]>, string] = [{}, config.update];
  const stages = stagesOf(config).map((stage): StageSeen => {
    const own = stage.config.update;
    changed = {
      ...(own === update ? changed : {}),
      ...Object.fromEntries(stage.feedback.map(({ layer, kind }) => [layer, kind] as const)),
    };
    update = own;
    const { parameters, state } = ruleOf(stage.from + 1);
    return {
      from: stage.from,
      config: stage.config,
      layers: [...new Set(parameters.map(({ tensor }) => layerOf(tensor)))],
      frozen: [...stage.frozen],
      wires: [...new Set(state.filter(({ role }) => role === "feedback").map(layerOf))],
      changed,
      refusals: refusedUpdates({ ...stage.config, loss: stage.config.loss.kind } as Combination),
    };
  });
  const marks = (config.interventions ?? []).map((one) => ({ step: one.step, text: describeIntervention(one) }));
  return { raw, stages, marks };
}

function refusedUpdates(now: Combination): Record<string, string> {
  return Object.fromEntries(
    updateNames.flatMap((update) => {
      const sentence = refusal({ ...now, update });
      return sentence === undefined ? [] : [[update, sentence]];
    }),
  );
}

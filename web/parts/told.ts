// Interventions in plain words: what is listed on the page.

import { lossTitles } from "../configuration.ts";
import type { Change } from "../messages.ts";

const keys: Readonly<Record<string, (value: unknown) => string>> = {
  negatives: (count) =>
    count === 0 ? "no more negatives" : `${count === 1 ? "1 negative" : `${count} negatives`} for each view`,
  gradientBlock: (on) => `gradient block ${on ? "on" : "off"}`,
  m1: (value) => `margin m1 is ${value}`,
  m2: (value) => `margin m2 is ${value}`,
};

export function sentenceOf({ set, cutFeedback, shuffleFeedback, freeze, unfreeze }: Change): string {
  const { kind, ...loss } = set?.loss ?? {};
  const parts = [
    ...(set?.update === undefined ? [] : [`the error comes down by ${set.update}`]),
    ...(kind === undefined ? [] : [`the loss is ${lossTitles[kind as keyof typeof lossTitles] ?? kind}`]),
    ...Object.entries(loss).map(([key, value]) => keys[key]?.(value) ?? `${key} is ${value}`),
    ...(set?.learningRate === undefined ? [] : [`learning rate ${set.learningRate}`]),
    ...(cutFeedback === undefined ? [] : [`the feedback wires of ${cutFeedback} are cut`]),
    ...(shuffleFeedback === undefined ? [] : [`the feedback wires of ${shuffleFeedback} are shuffled`]),
    ...(freeze === undefined ? [] : [`${freeze} learns no more`]),
    ...(unfreeze === undefined ? [] : [`${unfreeze} learns again`]),
  ];
  const text = parts.join("; ");
  // Names of layers stay as they are written elsewhere.
  return /^(conv|head)/.test(text) ? text : `${text[0].toUpperCase()}${text.slice(1)}`;
}

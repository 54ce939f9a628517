// The stories: five experiments that the page sets up by itself. What a story says it has seen holds on seeds 0–4: tools/stories.ts ran them,
// records/stories has the numbers, and a test holds each sentence to them.

import { base, type Raw } from "./configuration.ts";
import type { Recorded, RecordedRun } from "./recorded.ts";

export interface Story {
  readonly id: "glimpses" | "random" | "wires" | "collapse" | "layers";
  readonly title: string;
  readonly raw: Raw;
  /** What is set up. */
  readonly setting: string;
  /** Asked before anything runs. */
  readonly question: string;
  readonly answers: readonly [string, string, string];
  /** Which of them the runs gave. */
  readonly right: 0 | 1 | 2;
  /** Where to look while it runs. */
  readonly watch: string;
  /** What was seen on seeds 0–4, with their range. */
  readonly seen: (recorded: Recorded) => string;
  /** Whether a run is as `seen` says. */
  readonly holds: (run: RecordedRun) => boolean;
  readonly meaning: string;
  readonly next: string;
}

/** Three times the page's own rate: what there is to see comes within half a minute. */
const faster: Raw = { ...base, optimiser: { ...(base.optimiser as Raw), learningRate: 3e-3 } };

type Measure = (run: RecordedRun) => number;

/** No line ends here: a word joiner, and a space that does not break. */
const unbroken = "\u2060";
const percentSign = "\u00a0%";

/** "41–44 %", or one number where all seeds agree. */
function range({ runs }: Recorded, measure: Measure, told: (value: number) => string, unit = ""): string {
  const values = runs.map(measure);
  const [low, high] = [told(Math.min(...values)), told(Math.max(...values))];
  return `${low === high ? low : `${low}${unbroken}–${unbroken}${high}`}${unit}`;
}

const percent = (value: number): string => String(Math.round(100 * value));
const whole = (value: number): string => String(Math.round(value));
const short = (value: number): string => String(Number(value.toPrecision(2)));

const accuracyAt =
  (step: number): Measure =>
  ({ readings }) => {
    const found = readings.find((one) => one.step === step);
    if (found === undefined) throw new Error(`no reading at step ${step}`);
    return found.all;
  };

const lookAt = ({ looks }: RecordedRun, step: number) => {
  const found = looks.find((one) => one.step === step);
  if (found === undefined) throw new Error(`no look at step ${step}`);
  return found;
};

const angleAt =
  (step: number, layer: string): Measure =>
  (run) =>
    lookAt(run, step).layers.find(({ name }) => name === layer)?.angleBP ?? Number.NaN;

const spreadAt =
  (step: number): Measure =>
  (run) =>
    lookAt(run, step).spread;

const rankAt =
  (step: number): Measure =>
  (run) =>
    lookAt(run, step).effectiveRank;

/** Mean loss of the 20 steps before `step`. */
const lossAt =
  (step: number): Measure =>
  ({ losses }) =>
    losses[step / 20 - 1];

export const stories: readonly Story[] = [
  {
    id: "glimpses",
    title: "Two glimpses",
    raw: { ...faster, epochs: 20 },
    setting:
      "Each pair shows one solid twice: another crop, other colours. The network is asked for one thing: to make the two views of a pair more alike than views of different pictures. Nobody tells it that there are spheres, cones or stars.",
    question:
      "After 400 steps of this, how many of 500 new pictures will be named rightly by their nearest neighbours in its code?",
    answers: ["One in ten, as by guessing: it never heard a name", "About two in five", "Nearly all"],
    right: 1,
    watch: "The loss falls. Beside it, every few seconds, what the code is good for.",
    seen: (recorded) =>
      `On seeds 0–4 the loss fell from ${range(recorded, lossAt(20), whole)} to ${range(recorded, lossAt(400), whole)}, and ${range(recorded, accuracyAt(400), percent, percentSign)} of new solids were named rightly. Guessing reaches 10 %.`,
    holds: (run) =>
      lossAt(400)(run) < 0.75 * lossAt(20)(run) && accuracyAt(400)(run) > 0.35 && accuracyAt(400)(run) < 0.5,
    meaning:
      "What stays the same between two glimpses of a thing is, in good part, what the thing is. That is all the teaching there was.",
    next: "But is two in five much? The next story asks what a network knows that has learnt nothing.",
  },
  {
    id: "random",
    title: "Better than a random network?",
    raw: { ...faster, epochs: 30 },
    setting:
      "The dashed line is this very network before its first step, with random weights. The dotted line is no network at all: nearest neighbours of the pixels. Learning has to beat both.",
    question: "Guessing names 10 % rightly. How many will the untrained network’s code name?",
    answers: [
      "10 %: random weights know nothing",
      "Twice that and more, about as many as the pixels",
      "As many as after 600 steps",
    ],
    right: 1,
    watch: "The dashed line stands before anything is trained. Then see how far the curve rises above it.",
    seen: (recorded) =>
      `On seeds 0–4 the untrained network named ${range(recorded, ({ random }) => random, percent, percentSign)}, the pixels ${range(recorded, ({ pixels }) => pixels, percent, percentSign)}, and the same network after 600 steps ${range(recorded, accuracyAt(600), percent, percentSign)}.`,
    holds: (run) =>
      run.random > 0.2 &&
      Math.abs(run.random - run.pixels) < 0.05 &&
      accuracyAt(600)(run) > 1.5 * Math.max(run.random, run.pixels),
    meaning:
      "A random network keeps much of what is in a picture, so a number without it says little. What a rule has learnt is what stands above the dashed line.",
    next: "Change the rule and look at the same distance. With another seed the dashed line moves too.",
  },
  {
    id: "wires",
    title: "Cut the wires",
    raw: { ...faster, epochs: 30, interventions: [{ step: 200, set: { update: "RF" } }] },
    setting:
      "The network learns by backpropagation: the error comes down by the very weights that the signal goes up by, and no brain is known to have such wires. After 200 steps they are cut. Fixed random wires (RF) carry the error down instead, and all weights keep what they have learnt.",
    question: "What will become of the code after step 200?",
    answers: [
      "It goes on getting better: an error is an error",
      "It is lost, down to an untrained network’s",
      "It stays: nothing more is learnt, and nothing is lost",
    ],
    right: 1,
    watch:
      "The X-ray: each layer’s change lies at 0° to backpropagation’s until step 200. Then look at the loss, and at the code.",
    seen: (recorded) =>
      `On seeds 0–4 conv2’s change stood at ${range(recorded, angleAt(300, "conv2"), whole, "°")} to backpropagation’s at step 300: unrelated. Named rightly were ${range(recorded, accuracyAt(200), percent, percentSign)} of new solids at step 200, ${range(recorded, accuracyAt(300), percent, percentSign)} at step 300 and ${range(recorded, accuracyAt(600), percent, percentSign)} at the end; the untrained network names ${range(recorded, ({ random }) => random, percent, percentSign)}. The loss rose from ${range(recorded, lossAt(200), whole)} to ${range(recorded, lossAt(600), whole)}.`,
    holds: (run) =>
      Math.abs(angleAt(300, "conv2")(run) - 90) < 15 &&
      accuracyAt(300)(run) < 0.7 * accuracyAt(200)(run) &&
      accuracyAt(600)(run) < run.random + 0.03 &&
      lossAt(600)(run) > 1.5 * lossAt(200)(run),
    meaning:
      "Wires that know nothing of the weights send every layer in a direction of its own. At this rate that undoes what was learnt. How a brain could have wires that fit without copying weights is what rules such as URF and KP are about: their feedback starts at random and learns too.",
    next: "Set it up again, pause at step 100 and choose URF or KP under Intervene. Or take RF from the first step, or a tenth of the rate: does it learn then?",
  },
  {
    id: "collapse",
    title: "Collapse",
    raw: {
      ...faster,
      epochs: 40,
      interventions: [
        { step: 200, set: { loss: { negatives: 0 } } },
        { step: 400, set: { loss: { m1: 0 } } },
        { step: 600, set: { loss: { negatives: 1, m1: 2 } } },
      ],
    },
    setting:
      "Until step 200 a view is drawn to its partner and pushed away from five strangers. Then no stranger is pushed away any more. From step 400 on partners are never near enough either (margin m1 is 0). At step 600 one stranger comes back, and the margin.",
    question: "Between steps 200 and 600 there is nothing but being drawn together. What will become of loss and code?",
    answers: [
      "The loss falls to next to nothing, and the code gets better: pairs have never been so alike",
      "The loss falls to next to nothing, and the code is lost: everything has become alike",
      "The loss rises: without strangers there is nothing to learn from",
    ],
    right: 1,
    watch:
      "The loss, and the spread below it: how far apart the embeddings of a batch lie. The effective rank beside it says in how many directions, however near they are.",
    seen: (recorded) =>
      `On seeds 0–4 the loss was ${range(recorded, lossAt(200), whole)} at step 200, ${range(recorded, lossAt(400), short)} at step 400 and ${range(recorded, lossAt(600), short)} at step 600; the spread went from ${range(recorded, spreadAt(200), short)} to ${range(recorded, spreadAt(600), short)}, the effective rank from ${range(recorded, rankAt(200), whole)} to ${range(recorded, rankAt(600), whole)}, and what is named rightly from ${range(recorded, accuracyAt(200), percent, percentSign)} to ${range(recorded, accuracyAt(600), percent, percentSign)}; the untrained network names ${range(recorded, ({ random }) => random, percent, percentSign)}. With one stranger back it was ${range(recorded, accuracyAt(800), percent, percentSign)} at step 800.`,
    holds: (run) =>
      lossAt(400)(run) < 0.01 * lossAt(200)(run) &&
      lossAt(600)(run) < 0.01 * lossAt(200)(run) &&
      rankAt(600)(run) > rankAt(200)(run) &&
      spreadAt(600)(run) < 0.05 * spreadAt(200)(run) &&
      accuracyAt(600)(run) < 0.75 * accuracyAt(200)(run) &&
      accuracyAt(600)(run) < run.random + 0.03 &&
      accuracyAt(800)(run) > accuracyAt(600)(run),
    meaning:
      "A loss that only draws together is content with a network that says the same to everything. It takes a stranger to keep things apart; one was enough. The loss does not tell: it fell to less than a hundredth while the code got worse. Nor does the effective rank, which went up: it asks in how many directions embeddings lie apart, and not how far.",
    next: "Set it up again and let it run on without the last intervention, or take the strangers away under RLL: does it collapse as well?",
  },
  {
    id: "layers",
    title: "One layer at a time",
    raw: {
      ...faster,
      epochs: 10,
      learning: "GLL",
      update: "URF",
      loss: { ...(base.loss as Raw), gradientBlock: true },
    },
    setting:
      "No error comes down from the top. Each layer has a loss of its own (GLL): the first learns for 200 steps and is frozen, then the second, then the third. The feedback weights of their heads learn too (URF), and only the second view of a pair learns (gradient block). All four of the audit’s conditions hold: a synapse could do it.",
    question: "After three times 200 steps, what will the last layer’s code be worth?",
    answers: [
      "No more than the untrained network’s: layers that learn alone do not fit together",
      "More than the untrained network’s and the pixels’",
      "Less than the untrained network’s: each layer throws away what the next one needs",
    ],
    right: 1,
    watch:
      "Which layer learns, in the network; the marks on the curves say when the next one begins. The loss leaps there, since another layer starts from nothing.",
    seen: (recorded) =>
      `On seeds 0–4 the last layer’s code named ${range(recorded, accuracyAt(600), percent, percentSign)} of new solids rightly, the untrained network’s ${range(recorded, ({ random }) => random, percent, percentSign)}, the pixels ${range(recorded, ({ pixels }) => pixels, percent, percentSign)}.`,
    holds: (run) => accuracyAt(600)(run) > Math.max(run.random, run.pixels) + 0.05,
    meaning:
      "A loss for each layer, feedback that learns, one view at a time: what each synapse has to know is at hand to it, and the code is better for it all the same.",
    next: "Switch the gradient block off, or take BP in the place of URF: how much is lost by doing without? The audit says which condition falls.",
  },
];

// What the choices of a rule are, each in a sentence or two, for somebody who knows what a neural network is and has not read the paper.

import type { LearningName, LossName, UpdateName } from "../src/training/registry.ts";

export const learningWords: Readonly<Record<LearningName, string>> = {
  E2E: "End to end: one loss at the top, and all layers learn together from it.",
  GLL: "Greedy, layer by layer: each layer has a loss of its own. The first learns, is frozen, then the next one learns.",
  RLL: "A random layer for each batch: each has a loss of its own, and chance says whose turn it is.",
};

export const updateWords: Readonly<Record<UpdateName, string>> = {
  BP: "Backpropagation: the error comes down through the very weights that the signal went up by. No brain is known to have such wires.",
  RF: "Random feedback: the error comes down through fixed random weights of its own.",
  URF: "Updated random feedback: feedback weights start at random and receive the same changes as the forward weights.",
  DTP: "Difference target propagation: layers above send down targets, by way of inverses that learn too, instead of errors.",
  DFA: "Direct feedback: the error at the top goes to every layer at once, through a random matrix for each.",
  SSF: "Sign-symmetric feedback: random sizes, but each feedback weight has the sign of its forward weight.",
  KP: "Kolen–Pollack: feedback and forward weights receive the same changes, and both slowly forget, so that they come to agree.",
};

export const lossWords: Readonly<Record<LossName, string>> = {
  contrastiveHinge:
    "Two views of one picture should lie closer than a margin, views of different pictures further apart than another. Simple enough for a synapse.",
  simclr:
    "Each view should be nearer to its partner than to all others, as a softmax over the batch. Asks for more than a neuron could compute.",
  clapp: "Each layer predicts one view from the other; a saccade to another picture is what it should not predict.",
  clappPatches: "CLAPP on patches of a picture; trained by the command line.",
  scff: "Self-contrastive Forward-Forward: a layer should be active for two views of one picture laid over each other, and quiet for two of different ones.",
  crossEntropy: "Supervised: the labels are told. For comparison.",
  amitHinge: "Supervised, with a hinge for each class instead of a softmax. For comparison.",
};

export const blockWords = "Only the second view of a pair learns: the first is past, and what it did need not be kept.";

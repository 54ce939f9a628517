// What the page's other words mean, in a sentence or two, for who hovers, focuses or taps them.

import type { Condition } from "../src/program/audit.ts";

export const conditionWords: Readonly<Record<Condition, { readonly title: string; readonly words: string }>> = {
  activities: {
    title: "(i) Local activity",
    words:
      "A synapse changes from the activity of the two neurons it joins and the error that reaches them, with no more than a short memory.",
  },
  arithmetic: {
    title: "(ii) Plain arithmetic",
    words: "The error is made of sums and thresholds: no division, no norm over many neurons, no inner products.",
  },
  transport: {
    title: "(iii) No weight transport",
    words: "The way down knows nothing of the weights of the way up: a synapse cannot read another synapse’s strength.",
  },
  labels: { title: "(iv) No labels", words: "Nobody tells the network what is in a picture." },
};

export const terms = {
  rank: "In how many directions the embeddings of a batch really spread (exp of the entropy of their covariance’s spectrum), however far. Near 1 the network has collapsed to a line.",
  spread:
    "How far apart the embeddings of a batch lie: the mean of their 64 standard deviations. Near 0 the network has collapsed to a point: everything looks alike.",
  angleBP:
    "Between the change that this rule gives a layer’s weights and the one that backpropagation would give. 0°: the same. 90°: unrelated, as at random. Beyond: against it.",
  angleWB: "Between a layer’s forward weights and the feedback weights that carry the error down in their place.",
  chance:
    "Where 95 % of angles between two random directions lie, in as many dimensions as the layer has weights. Changes fill fewer dimensions, so theirs may lie outside and still be chance.",
  kNN: "Nothing is trained for this: each new picture is given the class that most of its nearest neighbours have among 500 labelled ones. The network itself never sees a label.",
  random: "The same network before training. What it can do already is worth nothing to the rule.",
  pixels: "No network at all: nearest neighbours of the pictures themselves.",
  dead: "Units that answer the same to every picture.",
} as const;

export const metricWords: Readonly<Record<string, { readonly title: string; readonly words: string }>> = {
  activePositives: {
    title: "pairs still pulled together",
    words:
      "Open gates: the share of pairs whose two views are not yet as alike as the loss asks. Only these still teach.",
  },
  activeNegatives: {
    title: "strangers still pushed apart",
    words: "Open gates: the share of views of different pictures that are still too alike. Only these still teach.",
  },
  accuracy: { title: "right in this batch", words: "Share of the batch that the network’s own output names rightly." },
  positivesAbove: {
    title: "pairs active enough",
    words:
      "Share of places where two views of one picture, laid over each other, make the layer as active as the loss asks.",
  },
  negativesBelow: {
    title: "strangers quiet enough",
    words:
      "Share of places where views of two pictures, laid over each other, leave the layer as quiet as the loss asks.",
  },
};

// Learning: which layers learn together, and which of them a step is about.

import { randomStream } from "../program/random.ts";

/** Blocks `first` … `end` − 1 learn together from a head above the last of them; those below only run forward. */
export interface LessonSpan {
  readonly first: number;
  readonly end: number;
}

export interface Schedule {
  /** Steps of the configured epochs: E2E's whole run, one layer's share of a layer-wise run. */
  readonly stepsPerLesson: number;
  readonly lessons: number;
  readonly seed: number;
}

/** Which blocks learn together: E2E, GLL or RLL. */
export interface Learning {
  readonly name: "E2E" | "GLL" | "RLL";
  /** Spans of blocks that learn together, of so many blocks, in the order of the layers. */
  readonly lessons: (blocks: number) => readonly LessonSpan[];
  /** Number of the lesson that step `step` (from 0) belongs to. */
  readonly lessonOf: (step: number, schedule: Schedule) => number;
}

const layerByLayer = (blocks: number): LessonSpan[] =>
  Array.from({ length: blocks }, (_, first) => ({ first, end: first + 1 }));

/** All layers learn together from one loss at the top. */
const endToEnd: Learning = {
  name: "E2E",
  lessons: (blocks) => [{ first: 0, end: blocks }],
  lessonOf: () => 0,
};

/** Greedy layer-wise (Belilovsky et al. 2019): one layer after another, each with its own head and a fresh optimiser. */
const greedyLayerWise: Learning = {
  name: "GLL",
  lessons: layerByLayer,
  lessonOf: (step, { stepsPerLesson }) => Math.floor(step / stepsPerLesson),
};

/** First word of every path of random numbers that draw layers. */
const layerDraw = 0x1a7e;

/** Randomised layer-wise: every batch draws the layer that learns from it, uniformly; each has its own head and optimiser. */
const randomizedLayerWise: Learning = {
  name: "RLL",
  lessons: layerByLayer,
  lessonOf: (step, { lessons, seed }) => randomStream(seed, layerDraw, step).integer(lessons),
};

/** The three by name. */
export const learnings = {
  E2E: endToEnd,
  GLL: greedyLayerWise,
  RLL: randomizedLayerWise,
} as const satisfies Record<Learning["name"], Learning>;

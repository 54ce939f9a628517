// Procedural objects: pictures of ten small solids, rendered on the spot, so that Saccade has data without a download.

import { wrong } from "../program/errors.ts";
import { randomStream, type Stream } from "../program/random.ts";
import type { ImageSet } from "./images.ts";
import { type Canvas, createCanvas, render } from "./procedural-objects/render.ts";
import { drawScene } from "./procedural-objects/scene.ts";
import { solids } from "./procedural-objects/solids.ts";

/** The ten solids, in the order of their class numbers. */
export const proceduralClasses: readonly string[] = Object.keys(solids);

const meshes = Object.values(solids);

/** First words of the paths of random numbers; splits never share one. */
const splitNumbers = { unlabelled: 0x0b1, train: 0x0b2, test: 0x0b3 } as const;
const turningNumbers = 0x0b4;
const movieNumbers = 0x0b5;

export interface ProceduralObjectsOptions {
  /** `train` and `test` hold every class equally often in each ten images; `unlabelled` draws classes at random. */
  readonly split: "unlabelled" | "train" | "test";
  /** How many images; image i is the same however many are made. */
  readonly count: number;
  /** 0 to 4294967295. */
  readonly seed: number;
  /** Pixels along each side, 8 to 256; default 32. */
  readonly size?: number;
}

/** The labels of the unlabelled split are for diagnostics only. */
export function proceduralObjects({ split, count, seed, size = 32 }: ProceduralObjectsOptions): ImageSet {
  const operation = "proceduralObjects";
  if (!Object.hasOwn(splitNumbers, split)) throw wrong(operation, "split", "unlabelled, train or test", split);
  checkCount(operation, "count", count);
  checkSeed(operation, seed);
  checkSize(operation, size);
  const set = emptySet(`procedural objects ${split}`, count, size);
  const canvas = createCanvas(size);
  const order = new Int32Array(meshes.length);
  for (let i = 0; i < count; i++) {
    const random = randomStream(seed, splitNumbers[split], 0, i);
    const place = i % meshes.length;
    if (split === "unlabelled") set.labels[i] = random.integer(meshes.length);
    else {
      if (place === 0) {
        for (let label = 0; label < meshes.length; label++) order[label] = label;
        randomStream(seed, splitNumbers[split], 1, i).shuffle(order);
      }
      set.labels[i] = order[place];
    }
    render(drawScene(meshes[set.labels[i]], random), canvas, pixelsOf(set, i));
  }
  return set;
}

export interface TurningMovieOptions {
  /** 0 to 4294967295. */
  readonly seed: number;
  readonly frames: number;
  /** Pixels along each side, 8 to 256; default 32. */
  readonly size?: number;
  /** Turn about the object's axis from one frame to the next; the axis sways once per full turn. */
  readonly degreesPerFrame: number;
}

/** One object turning, in light, colours and background that stay: neighbouring frames are views of one thing. */
export function turningMovie({ seed, frames, size = 32, degreesPerFrame }: TurningMovieOptions): ImageSet {
  const operation = "turningMovie";
  checkCount(operation, "frames", frames);
  checkSeed(operation, seed);
  checkSize(operation, size);
  if (!Number.isFinite(degreesPerFrame))
    throw wrong(operation, "degreesPerFrame", "a number of degrees", degreesPerFrame);
  const set = emptySet("procedural objects movie", frames, size);
  const canvas = createCanvas(size);
  const random = randomStream(seed, turningNumbers);
  // Not the sphere, the first of the solids: turning does not show on it.
  const label = 1 + random.integer(meshes.length - 1);
  renderClip(set, canvas, { first: 0, end: frames, label, degreesPerFrame, fixation: frames }, random);
  return set;
}

export interface ProceduralMovieOptions {
  /** The splits show different objects. */
  readonly split: "unlabelled" | "train" | "test";
  /** How many frames in all; frame i is the same however many are made. */
  readonly count: number;
  /** 0 to 4294967295. */
  readonly seed: number;
  /** Pixels along each side, 8 to 256; default 32. */
  readonly size?: number;
}

/**
 * Frames that an object turns for before a cut to the next, its turn from one to the next in degrees, and frames of a fixation: a saccade
 * after it brings the object to another place and size on the retina, before another background, in another light.
 */
export const movieClip = { frames: 12, degreesPerFrame: 15, fixation: 4 } as const;

/** The first frame of each clip of a movie of `count` frames. */
export const movieClips = (count: number): Int32Array =>
  Int32Array.from({ length: Math.ceil(count / movieClip.frames) }, (_, clip) => clip * movieClip.frames);

/** One object after another, drawn at random, each turning in a clip of its own and looked at in several fixations. */
export function proceduralMovie({ split, count, seed, size = 32 }: ProceduralMovieOptions): ImageSet {
  const operation = "proceduralMovie";
  if (!Object.hasOwn(splitNumbers, split)) throw wrong(operation, "split", "unlabelled, train or test", split);
  checkCount(operation, "count", count);
  checkSeed(operation, seed);
  checkSize(operation, size);
  const { frames, degreesPerFrame, fixation } = movieClip;
  const clips = movieClips(count);
  const set = { ...emptySet(`procedural movie ${split}`, count, size), clips };
  const canvas = createCanvas(size);
  for (const [clip, first] of clips.entries()) {
    const random = randomStream(seed, movieNumbers, splitNumbers[split], clip);
    const label = random.integer(meshes.length);
    renderClip(set, canvas, { first, end: Math.min(first + frames, count), label, degreesPerFrame, fixation }, random);
  }
  return set;
}

interface Clip {
  readonly first: number;
  readonly end: number;
  readonly label: number;
  readonly degreesPerFrame: number;
  readonly fixation: number;
}

/** Images `first` … `end` − 1: an object turning; at every saccade all but the object and its turning is drawn anew. */
function renderClip(
  set: ImageSet,
  canvas: Canvas,
  { first, end, label, degreesPerFrame, fixation }: Clip,
  random: Stream,
): void {
  let scene = drawScene(meshes[label], random);
  const { yaw, colour } = scene;
  const phase = 2 * Math.PI * random.uniform();
  set.labels.fill(label, first, end);
  for (let frame = first; frame < end; frame++) {
    if (frame > first && (frame - first) % fixation === 0) scene = { ...drawScene(meshes[label], random), colour };
    const turn = ((frame - first) * degreesPerFrame * Math.PI) / 180;
    // It wobbles like a top, within the poses of the other pictures: else turning would not show on a cone.
    const elevation = ((22.5 + 15 * Math.sin(phase + turn)) * Math.PI) / 180;
    const roll = (15 * Math.cos(phase + turn) * Math.PI) / 180;
    render({ ...scene, yaw: yaw + turn, elevation, roll }, canvas, pixelsOf(set, frame));
  }
}

function emptySet(name: string, count: number, size: number): ImageSet {
  return {
    name,
    pixels: new Uint8Array(count * size * size * 3),
    count,
    height: size,
    width: size,
    channels: 3,
    labels: new Int32Array(count),
    classes: proceduralClasses,
  };
}

function pixelsOf({ pixels, height, width }: ImageSet, index: number): Uint8Array {
  const length = height * width * 3;
  return pixels.subarray(index * length, (index + 1) * length);
}

function checkCount(operation: string, argument: string, count: number): void {
  if (!(Number.isInteger(count) && count >= 1)) throw wrong(operation, argument, "a whole number of at least 1", count);
}

function checkSeed(operation: string, seed: number): void {
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw wrong(operation, "seed", "a whole number from 0 to 4294967295", seed);
}

function checkSize(operation: string, size: number): void {
  if (!(Number.isInteger(size) && size >= 8 && size <= 256))
    throw wrong(operation, "size", "a whole number of pixels from 8 to 256", size);
}

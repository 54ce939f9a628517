// The augmentations of the paper and its code (docs/names.md): each view, or patch, as one row of numbers for makeViews.
//
// Every number is keyed by (seed, epoch, sample, view): the same pictures on every backend and after any resume.

import { wrong } from "../program/errors.ts";
import { randomStream, type Stream } from "../program/random.ts";
import { view, viewParameters } from "../program/views.ts";

/** Augmentation A, the SimCLR pipeline of the paper's text and figure 2. */
export interface SimclrAugmentation {
  readonly kind: "simclr";
  /** Area of the crop as a share of the picture, least and most. */
  readonly scale: readonly [number, number];
  /** Width over height of the crop, least and most. */
  readonly ratio: readonly [number, number];
  /** Probability of a horizontal flip. */
  readonly flip: number;
  /** Probability that colours are jittered at all. */
  readonly jitter: number;
  /** Factors are drawn from [1 − x, 1 + x], not below 0. */
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** Hue shift is drawn from [−x, x], in turns. */
  readonly hue: number;
  /** Probability of a grey view. */
  readonly grey: number;
  /** Where a crop is shrunk, all its pixels count, as in torchvision and PIL; false: the four around each place. */
  readonly antialias: boolean;
}

/** Augmentation B, the affine deformation of the authors' code. */
export interface AffineAugmentation {
  readonly kind: "affine";
  /** p: the six numbers of the map are drawn from [−p/2, p/2], shifts doubled, in half-widths of the picture. */
  readonly perturb: number;
  /** Share of the views that are deformed at all; the authors' CIFAR code deforms half. */
  readonly share: number;
  /** What lies outside the picture: black, or the border's own pixels. */
  readonly outside: "zeros" | "border";
  /** Saturation is multiplied by 2^v, v from [−x/2, x/2]. */
  readonly saturation: number;
  /** Hue shift is drawn from [−x/2, x/2], in turns. */
  readonly hue: number;
  readonly flip: number;
  /**
   * Where the picture is larger than the view, it is read as if it were shrunk with all its pixels; false: the four around each place. The
   * deformation itself is never smoothed, as in PyTorch's grid_sample.
   */
  readonly antialias: boolean;
}

/** A grid of patches instead of views, as CLAPP sees a picture: a random crop, flipped or not, cut into overlapping squares. */
export interface Patches {
  readonly kind: "patches";
  /** Side of the crop, in pixels. */
  readonly crop: number;
  /** Side of a patch, and from one to the next, in pixels. */
  readonly size: number;
  readonly stride: number;
  /** Probability that the crop is flipped horizontally. */
  readonly flip: number;
}

/** Patches along a side of the grid. */
export const patchesPerSide = ({ crop, size, stride }: Pick<Patches, "crop" | "size" | "stride">): number =>
  Math.floor((crop - size) / stride) + 1;

/** The picture as it is. */
export interface NoAugmentation {
  readonly kind: "none";
}

/** A piece of the picture of the view's size, at random, flipped or not: what the authors' code trains STL-10's read-out on. */
export interface RandomCrop {
  readonly kind: "crop";
  /** Probability of a horizontal flip. */
  readonly flip: number;
}

/** One that somebody else wrote. */
export interface OwnAugmentation {
  /** Its name, none of those above. */
  readonly kind: string;
  /** Fills `row`, in which the picture as it is stands already (program/views.ts says what its 20 numbers mean). */
  readonly draw: (view: DrawnView, row: Float32Array) => void;
}

/** What an augmentation is told of the view that it draws. */
export interface DrawnView extends ViewSizes {
  /** 0 for the anchor, 1 for its partner. */
  readonly view: number;
  /** Its random numbers: the same for the same view of the same run, and for no other. */
  readonly random: Stream;
}

/** How two views are made of one picture. */
export type Augmentation = SimclrAugmentation | AffineAugmentation | Patches | NoAugmentation | OwnAugmentation;

/** The defaults of `augmentation: { kind: simclr }`, as of SimCLR and the paper's CIFAR experiments. */
export const simclrDefaults: SimclrAugmentation = {
  kind: "simclr",
  scale: [0.08, 1],
  ratio: [3 / 4, 4 / 3],
  flip: 0.5,
  jitter: 0.8,
  brightness: 0.8,
  contrast: 0.8,
  saturation: 0.8,
  hue: 0.2,
  grey: 0.2,
  antialias: true,
};

/** The defaults of `augmentation: { kind: affine }`, as of the authors' EMNIST experiments. */
export const affineDefaults: AffineAugmentation = {
  kind: "affine",
  perturb: 0.5,
  share: 0.5,
  outside: "zeros",
  saturation: 4,
  hue: 0.2,
  flip: 0.5,
  antialias: true,
};

/** CLAPP's 7 × 7 patches (Illing et al. 2021). */
export const patchesDefaults: Patches = { kind: "patches", crop: 64, size: 16, stride: 8, flip: 0.5 };

export const cropDefaults: RandomCrop = { kind: "crop", flip: 0.5 };

/** Sizes in pixels of the picture that is read and of the view that is made. */
export interface ViewSizes {
  readonly from: { readonly height: number; readonly width: number };
  readonly to: { readonly height: number; readonly width: number };
}

/** First word of every path of random numbers that make views. */
const viewNumbers = 0x71e3;

/** Which view: `sample` is the picture's place in its dataset, `view` 0 for the anchor and 1 for its partner, or the number of a patch. */
export interface ViewKey {
  readonly seed: number;
  readonly epoch: number;
  readonly sample: number;
  readonly view: number;
}

/** Fills one row of makeViews' parameters. */
export function drawView(augmentation: Augmentation, sizes: ViewSizes, key: ViewKey, row: Float32Array): void {
  const place = [key.seed, viewNumbers, key.epoch, key.sample] as const;
  plainView(sizes, row);
  // All patches of a picture are cut from one crop.
  const random = augmentation.kind === "patches" ? randomStream(...place) : randomStream(...place, key.view);
  if ("draw" in augmentation) augmentation.draw({ ...sizes, view: key.view, random }, row);
  else if (augmentation.kind === "patches") cutPatch(augmentation, sizes, key.view, random, row);
  else if (augmentation.kind === "simclr") drawSimclr(augmentation, sizes, random, row);
  else if (augmentation.kind === "affine") drawAffine(augmentation, sizes, random, row);
}

/** The rows of a whole batch, [views · n, 20]: the first view of all `samples` (the anchors), then the second, and so on. */
export function drawViews(
  augmentation: Augmentation,
  sizes: ViewSizes,
  { seed, epoch, samples, views }: { seed: number; epoch: number; samples: Int32Array; views: number },
): Float32Array {
  const n = samples.length;
  const parameters = new Float32Array(views * n * viewParameters);
  for (let i = 0; i < views * n; i++) {
    const key = { seed, epoch, sample: samples[i % n], view: Math.floor(i / n) };
    drawView(augmentation, sizes, key, parameters.subarray(i * viewParameters, (i + 1) * viewParameters));
  }
  return parameters;
}

/** Pixels of the picture that one of a view reads, on average over some hundred views: 4, or more where pictures are shrunk. */
export function meanTaps(augmentation: Augmentation, sizes: ViewSizes): number {
  const samples = Int32Array.from({ length: 256 }, (_, i) => i);
  const rows = drawViews(augmentation, sizes, { seed: 0, epoch: 0, samples, views: 1 });
  const taps = (i: number): number => {
    const [x, y] = rows.subarray(i * viewParameters + view.support);
    return 4 * x * y;
  };
  return samples.reduce((sum, i) => sum + taps(i) / samples.length, 0);
}

/** The row of the picture itself: the centre of it where the view is smaller, resized where it is larger. */
export function plainView({ from, to }: ViewSizes, row: Float32Array): void {
  row.fill(0);
  const left = Math.max(0, Math.round((from.width - to.width) / 2));
  const top = Math.max(0, Math.round((from.height - to.height) / 2));
  setCrop({ left, top, width: Math.min(from.width, to.width), height: Math.min(from.height, to.height) }, to, row);
  row.set([1, 1, 1], view.brightness);
}

/** What that shows of pictures of another size than the view's: `the middle 32×32 of pictures of 48×48`. */
export function plainlySeen({ from, to }: ViewSizes): string | undefined {
  if (from.height === to.height && from.width === to.width) return undefined;
  const [height, width] = [Math.min(from.height, to.height), Math.min(from.width, to.width)];
  const size = (of: { height: number; width: number }): string => `${of.height}×${of.width}`;
  const cut = height < from.height || width < from.width ? `the middle ${size({ height, width })} of ` : "";
  const enlarged = height < to.height || width < to.width ? `, enlarged to ${size(to)}` : "";
  return `${cut}pictures of ${size(from)}${enlarged}`;
}

interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Resizes a box of whole pixels to the view: bilinear, centres at half pixels. Nothing outside the box is read. Where it shrinks and
 * `antialias` is set, the tent of bilinear weights is as many times wider.
 */
export function setCrop(
  { left, top, width, height }: Crop,
  to: ViewSizes["to"],
  row: Float32Array,
  antialias = true,
): void {
  const [sx, sy] = [width / to.width, height / to.height];
  row.set([sx, 0, left + 0.5 * sx - 0.5, 0, sy, top + 0.5 * sy - 0.5], view.affine);
  row[view.outside] = 0;
  row.set([left, top, left + width - 1, top + height - 1], view.box);
  row.set(antialias ? supportOf({ from: { height, width }, to }) : [1, 1], view.support);
}

/** How far samples read along x and y when a picture is shrunk. */
const supportOf = ({ from, to }: ViewSizes): [number, number] => [
  Math.max(1, from.width / to.width),
  Math.max(1, from.height / to.height),
];

/** Mirrors the view: output column X reads what column width − 1 − X would have read. */
export function flip(width: number, row: Float32Array): void {
  for (const at of [view.affine, view.affine + 3]) {
    row[at + 2] += row[at] * (width - 1);
    row[at] = -row[at];
  }
}

const uniform = (random: Stream, low: number, high: number): number => low + (high - low) * random.uniform();

function drawSimclr(
  augmentation: SimclrAugmentation,
  { from, to }: ViewSizes,
  random: Stream,
  row: Float32Array,
): void {
  setCrop(drawCrop(augmentation, from, random), to, row, augmentation.antialias);
  if (random.uniform() < augmentation.flip) flip(to.width, row);
  if (random.uniform() < augmentation.jitter) {
    row[view.colour] = 1;
    const factor = (spread: number): number => uniform(random, Math.max(0, 1 - spread), 1 + spread);
    row[view.brightness] = factor(augmentation.brightness);
    row[view.contrast] = factor(augmentation.contrast);
    row[view.saturation] = factor(augmentation.saturation);
    row[view.hue] = uniform(random, -augmentation.hue, augmentation.hue);
    row[view.order] = random.integer(24);
  }
  if (random.uniform() < augmentation.grey) row[view.grey] = 1;
}

/** torchvision's RandomResizedCrop: ten tries for a box of the drawn area and ratio, then the largest central one. */
function drawCrop(
  { scale, ratio }: SimclrAugmentation,
  { height: h, width: w }: ViewSizes["from"],
  random: Stream,
): Crop {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = h * w * uniform(random, ...scale);
    const aspect = Math.exp(uniform(random, Math.log(ratio[0]), Math.log(ratio[1])));
    const width = Math.round(Math.sqrt(area * aspect));
    const height = Math.round(Math.sqrt(area / aspect));
    if (width < 1 || height < 1 || width > w || height > h) continue;
    return { left: random.integer(w - width + 1), top: random.integer(h - height + 1), width, height };
  }
  const aspect = Math.min(Math.max(w / h, ratio[0]), ratio[1]);
  const width = Math.min(w, Math.round(h * aspect));
  const height = Math.min(h, Math.round(w / aspect));
  return { left: Math.floor((w - width) / 2), top: Math.floor((h - height) / 2), width, height };
}

/** Fills one row with a random crop. */
export function drawRandomCrop(
  { flip: probability }: RandomCrop,
  { from, to }: ViewSizes,
  random: Stream,
  row: Float32Array,
): void {
  plainView({ from, to }, row);
  const top = random.integer(from.height - to.height + 1);
  const left = random.integer(from.width - to.width + 1);
  setCrop({ left, top, width: to.width, height: to.height }, to, row);
  if (random.uniform() < probability) flip(to.width, row);
}

/** Refuses pictures that no crop fits into, and crops that are all the same. */
export function requireCrops({ flip: probability }: RandomCrop, { from, to }: ViewSizes): void {
  const [got, size] = [from, to].map(({ height, width }) => `${height}×${width}`);
  const mend = "take probe.augmentation kind none";
  if (from.height < to.height || from.width < to.width)
    throw wrong("probe", "probe.train", `pictures of at least ${size} for probe.augmentation kind crop`, got, mend);
  if (got === size && probability === 0)
    throw wrong(
      "probe",
      "probe.train",
      `pictures larger than ${size} for probe.augmentation kind crop without flips`,
      got,
      mend,
    );
}

/** Patch number `patch` of the grid, row by row. */
function cutPatch(
  { crop, size, stride, flip: probability }: Patches,
  { from, to }: ViewSizes,
  patch: number,
  random: Stream,
  row: Float32Array,
): void {
  const side = patchesPerSide({ crop, size, stride });
  const top = random.integer(from.height - crop + 1) + Math.floor(patch / side) * stride;
  const start = random.integer(from.width - crop + 1);
  const column = (patch % side) * stride;
  const flipped = random.uniform() < probability;
  const left = start + (flipped ? crop - size - column : column);
  setCrop({ left, top, width: size, height: size }, to, row);
  if (flipped) flip(to.width, row);
}

/** theta = [[1 + u0, u1, 2·u2], [u3, 1 + u4, 2·u5]] on coordinates from −1 to 1 at the centres of the border pixels. */
function drawAffine(
  augmentation: AffineAugmentation,
  { from, to }: ViewSizes,
  random: Stream,
  row: Float32Array,
): void {
  const { perturb, share, outside, saturation, hue, antialias } = augmentation;
  const u = Array.from({ length: 6 }, () => uniform(random, -perturb / 2, perturb / 2));
  if (random.uniform() >= share) u.fill(0);
  setAffine([1 + u[0], u[1], 2 * u[2], u[3], 1 + u[4], 2 * u[5]], { from, to }, row);
  row[view.outside] = outside === "zeros" ? 1 : 0;
  row.set([0, 0, from.width - 1, from.height - 1], view.box);
  row.set(antialias ? supportOf({ from, to }) : [1, 1], view.support);
  if (saturation > 0 || hue > 0) {
    row[view.colour] = 2;
    row[view.saturation] = 2 ** uniform(random, -saturation / 2, saturation / 2);
    row[view.hue] = uniform(random, -hue / 2, hue / 2);
  }
  if (random.uniform() < augmentation.flip) flip(to.width, row);
}

/** A map on normalised coordinates (PyTorch's affine_grid with align_corners) as a map on pixels. */
export function setAffine(theta: readonly number[], { from, to }: ViewSizes, row: Float32Array): void {
  const normalised = (extent: number): [number, number] => (extent > 1 ? [2 / (extent - 1), -1] : [0, 0]);
  const [kx, bx] = normalised(to.width);
  const [ky, by] = normalised(to.height);
  const place = ([a, b, c]: readonly number[], extent: number): number[] => {
    const half = (extent - 1) / 2;
    return [half * a * kx, half * b * ky, half * (a * bx + b * by + c + 1)];
  };
  row.set([...place(theta.slice(0, 3), from.width), ...place(theta.slice(3, 6), from.height)], view.affine);
}

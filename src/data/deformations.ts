// Deformed versions of test pictures (Tables 3 and 4, Figure 9), each as one row of numbers for makeViews: what is drawn, and how far it goes.
//
// Every number is a function of (seed, picture), and strength multiplies what was drawn: at every strength a picture is deformed in one direction.

import { wrong } from "../program/errors.ts";
import { randomStream, type Stream } from "../program/random.ts";
import { view } from "../program/views.ts";
import { flip, plainView, setAffine, type ViewSizes } from "./augmentation.ts";
import { nearest } from "./nearest.ts";

/**
 * Everything at once. Places are read through [[1 + u0, u1, 2·u2], [u3, 1 + u4, 2·u5]] on coordinates from −1 to 1 (augmentation B of the
 * authors' code), bilinear and never smoothed. Colours change where there are some.
 */
export interface Recipe {
  /** `cifar`: |u_k| ~ U(p/4, 5p/4) with a random sign, so never near 0. `affine`: u_k ~ U(−p/2, p/2), as augmentation B draws. */
  readonly kind: "cifar" | "affine";
  /** p. */
  readonly perturb: number;
  /** Share of the pictures whose places are deformed; colours and flips are those of all. */
  readonly share: number;
  /** What lies outside the picture: black, or the border's own pixels. */
  readonly outside: "zeros" | "border";
  /** Saturation is multiplied by 2^v, v from [−x/2, x/2], and is 1 at most. */
  readonly saturation: number;
  /** Hue shift is drawn from [−x/2, x/2], in turns. */
  readonly hue: number;
  /** Probability of a horizontal flip. */
  readonly flip: number;
}

/** One thing alone, of the same size for every picture, to either side at random. */
export interface SingleDeformation {
  readonly kind: SingleKind;
  readonly outside: "zeros" | "border";
}

export type SingleKind = "rotation" | "shift" | "scale" | "shear" | "hue" | "saturation";

/** How pictures are deformed: by a recipe of several transformations, such as the paper's, or by one alone. */
export type Deformation = Recipe | SingleDeformation;
export type DeformationKind = Deformation["kind"];

/** The authors' deformed CIFAR-10; how large its p was is not recorded. */
export const cifarDeformation: Recipe = {
  kind: "cifar",
  perturb: 0.2,
  share: 0.5,
  outside: "border",
  saturation: 4,
  hue: 0.2,
  flip: 0.5,
};

/** Transformed MNIST, as far as it is known: every picture by augmentation B, unflipped, since a mirrored digit is none. */
export const affineDeformation: Recipe = {
  kind: "affine",
  perturb: 0.5,
  share: 1,
  outside: "zeros",
  saturation: 0,
  hue: 0,
  flip: 0,
};

export const recipes = { cifar: cifarDeformation, affine: affineDeformation } as const;
export type RecipeName = keyof typeof recipes;

export interface SingleFacts {
  /** Of a strength. */
  readonly unit: "degrees" | "pixels" | "times";
  /** The strength that changes nothing, which is the least. */
  readonly neutral: 0 | 1;
  /** Strengths for a curve. */
  readonly strengths: readonly number[];
  readonly colour: boolean;
}

export const singles: Readonly<Record<SingleKind, SingleFacts>> = {
  rotation: { unit: "degrees", neutral: 0, strengths: [15, 30, 45, 60], colour: false },
  shift: { unit: "pixels", neutral: 0, strengths: [2, 4, 6, 8], colour: false },
  scale: { unit: "times", neutral: 1, strengths: [1.25, 1.5, 1.75, 2], colour: false },
  shear: { unit: "degrees", neutral: 0, strengths: [10, 20, 30, 40], colour: false },
  hue: { unit: "degrees", neutral: 0, strengths: [18, 36, 90, 180], colour: true },
  saturation: { unit: "times", neutral: 1, strengths: [2, 4, 8, 16], colour: true },
};
export const singleKinds = Object.keys(singles) as SingleKind[];

/** Whether all of it is done at once. */
export const isRecipe = (deformation: Deformation): deformation is Recipe => Object.hasOwn(recipes, deformation.kind);

/** The strength at which a picture stays as it is. */
export const neutralStrength = (deformation: Deformation): number =>
  isRecipe(deformation) ? 0 : singles[deformation.kind].neutral;

/** First words of the paths of random numbers that deform pictures. */
const recipeNumbers = 0xdef0;
const singleNumbers = 0xdef1;

export interface DeformationKey {
  /** Of a recipe a factor on all that it draws: 0 leaves pictures as they are, 1 is the recipe. Of a single deformation, in its unit. */
  readonly strength: number;
  readonly seed: number;
  /** The picture's place in its set. */
  readonly picture: number;
}

/** Fills one row of makeViews' parameters: the picture, deformed, at its own size. */
export function drawDeformation(
  deformation: Deformation,
  size: ViewSizes["from"],
  { strength, seed, picture }: DeformationKey,
  row: Float32Array,
): void {
  const sizes = { from: size, to: size };
  plainView(sizes, row);
  if (isRecipe(deformation)) drawRecipe(deformation, sizes, strength, randomStream(seed, recipeNumbers, picture), row);
  else {
    const random = randomStream(seed, singleNumbers, singleKinds.indexOf(deformation.kind), picture);
    drawSingle(deformation, sizes, strength, random, row);
  }
}

function drawRecipe(recipe: Recipe, sizes: ViewSizes, strength: number, random: Stream, row: Float32Array): void {
  const { kind, perturb, share, outside, saturation, hue } = recipe;
  // All is drawn whether it is used or not, so that one key changes nothing of the others.
  const sizesOfU = Array.from({ length: 6 }, random.uniform);
  const signs = Array.from({ length: 6 }, () => random.integer(2));
  const [deformed, saturated, turned, flipped] = Array.from({ length: 4 }, random.uniform);
  const u = sizesOfU.map((x, k) =>
    kind === "cifar" ? (signs[k] === 1 ? 1 : -1) * perturb * (0.25 + x) : perturb * (x - 0.5),
  );
  if (deformed < share) {
    const [a, b, c, d, e, f] = u.map((x) => strength * x);
    setAffine([1 + a, b, 2 * c, d, 1 + e, 2 * f], sizes, row);
    row[view.outside] = outside === "zeros" ? 1 : 0;
  }
  setColour(2 ** (strength * saturation * (saturated - 0.5)), strength * hue * (turned - 0.5), row);
  if (flipped < recipe.flip * Math.min(1, strength)) flip(sizes.to.width, row);
}

function drawSingle(
  { kind, outside }: SingleDeformation,
  sizes: ViewSizes,
  strength: number,
  random: Stream,
  row: Float32Array,
): void {
  const sign = random.integer(2) === 1 ? 1 : -1;
  const either = sign === 1 ? strength : 1 / strength;
  const radians = (sign * strength * Math.PI) / 180;
  /** The picture moves by (right, down) pixels after the map on pixels about its centre, which says where to read. */
  const place = (map: readonly [number, number, number, number], right = 0, down = 0): void => {
    const { height, width } = sizes.to;
    const [x, y] = [(width - 1) / 2, (height - 1) / 2];
    const [a, b, c, d] = map;
    const [atX, atY] = [x + right, y + down];
    row.set([a, b, x - a * atX - b * atY, c, d, y - c * atX - d * atY], view.affine);
    row[view.outside] = outside === "zeros" ? 1 : 0;
  };
  switch (kind) {
    case "rotation":
      place([Math.cos(radians), Math.sin(radians), -Math.sin(radians), Math.cos(radians)]);
      break;
    case "shift": {
      const angle = 2 * Math.PI * random.uniform();
      place([1, 0, 0, 1], strength * Math.cos(angle), strength * Math.sin(angle));
      break;
    }
    case "scale":
      place([1 / either, 0, 0, 1 / either]);
      break;
    case "shear":
      place([1, Math.tan(radians), 0, 1]);
      break;
    case "hue":
      setColour(1, (sign * strength) / 360, row);
      break;
    case "saturation":
      setColour(either, 0, row);
      break;
    default:
      kind satisfies never;
  }
}

/** Saturation times a factor, at most 1, and hue turned, in turns. */
function setColour(saturation: number, hue: number, row: Float32Array): void {
  if (saturation === 1 && hue === 0) return;
  row[view.colour] = 2;
  row[view.saturation] = saturation;
  row[view.hue] = hue;
}

/** Refuses what would not mean anything of such pictures. */
export function requireDeformation(
  operation: string,
  deformation: Deformation,
  strengths: readonly number[],
  { name, channels }: { readonly name: string; readonly channels: 1 | 3 },
): void {
  const { kind } = deformation;
  if (!isRecipe(deformation) && !Object.hasOwn(singles, kind))
    throw wrong(operation, "deformation.kind", `one of ${[...Object.keys(recipes), ...singleKinds].join(", ")}`, kind);
  if (!["zeros", "border"].includes(deformation.outside))
    throw wrong(operation, "deformation.outside", "zeros or border", deformation.outside);
  if (isRecipe(deformation)) {
    const most = { perturb: 2, share: 1, saturation: 20, hue: 1, flip: 1 };
    for (const key of Object.keys(most) as (keyof typeof most)[]) {
      const value = deformation[key];
      if (!(value >= 0 && value <= most[key]))
        throw wrong(operation, `deformation.${key}`, `a number from 0 to ${most[key]}`, value);
    }
  } else if (singles[kind as SingleKind].colour && channels === 1)
    throw wrong(operation, "deformation.kind", `one that moves pixels, because ${name} has no colours`, kind);
  const least = neutralStrength(deformation);
  const most = kind === "shear" ? 80 : Number.MAX_VALUE;
  for (const strength of strengths)
    if (!(strength >= least && strength <= most))
      throw wrong(
        operation,
        `the strength of ${kind}`,
        kind === "shear" ? "a number from 0 to 80" : `a number of at least ${least}`,
        strength,
      );
}

/** A recipe with keys of its own, as `{ perturb: 0.4 }`; a key that it does not have is refused. */
export function recipeWith(operation: string, name: RecipeName, given: Readonly<Record<string, unknown>>): Recipe {
  const recipe = recipes[name];
  const known = Object.keys(recipe).filter((key) => key !== "kind");
  for (const [key, value] of Object.entries(given)) {
    if (!known.includes(key)) {
      const close = nearest(key, known);
      throw wrong(operation, "recipe", `keys among ${known.join(", ")}`, key, close && `did you mean ${close}?`);
    }
    const like = typeof recipe[key as keyof Recipe];
    if (typeof value !== like)
      throw wrong(operation, `recipe.${key}`, like === "number" ? "a number" : "zeros or border", value);
  }
  return { ...recipe, ...given };
}

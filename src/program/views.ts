// What the columns of makeViews' parameter rows mean: one row makes one view of one image.

/** Column of each parameter; `affine` and `box` are the first of six and of four. */
export const view = {
  /** Source x = a0·X + a1·Y + a2, y = a3·X + a4·Y + a5 for output pixel (X, Y), in input pixels, centres at whole numbers. */
  affine: 0,
  /** 0: source places are clamped to the box. 1: what lies outside the picture is 0. */
  outside: 6,
  /** x0, y0, x1, y1: first and last source column and row that may be read, in pixels. */
  box: 7,
  /** 0: none. 1: jitter (brightness, contrast, saturation, hue in some order). 2: HSV (saturation factor and hue shift). */
  colour: 11,
  /** Factors, 1 leaves the picture as it is. */
  brightness: 12,
  contrast: 13,
  saturation: 14,
  /** Hue shift in turns. */
  hue: 15,
  /** Row of `orders`. */
  order: 16,
  /** 1: all channels become the luma. */
  grey: 17,
} as const;

/** Columns of a parameter row. */
export const viewParameters = 18;

export type JitterStep = "brightness" | "contrast" | "saturation" | "hue";

/** The 24 orders of the four jitter steps, lexicographic. */
export const orders: readonly (readonly JitterStep[])[] = permutations(["brightness", "contrast", "saturation", "hue"]);

function permutations(steps: readonly JitterStep[]): JitterStep[][] {
  if (steps.length === 0) return [[]];
  return steps.flatMap((first) => permutations(steps.filter((step) => step !== first)).map((rest) => [first, ...rest]));
}

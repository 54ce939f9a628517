// What makeViews is told: one row of numbers makes one view of one image, and what its pixel values become.

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

/** What is done to each channel last: less its mean, over its standard deviation, as torchvision's Normalize does it. */
export interface Normalise {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What pixel values become: 0 and 255 `low` and `high`, and then each channel what `normalise` says. */
export interface PixelValues {
  readonly low: number;
  readonly high: number;
  readonly normalise?: Normalise | undefined;
}

/** What 0 and 255 become in each of the channels, in the end. */
export const channelEnds = (
  { low, high, normalise }: PixelValues,
  channels: number,
): { readonly low: number; readonly high: number }[] =>
  Array.from({ length: channels }, (_, c) => {
    if (normalise === undefined) return { low, high };
    const [mean, std] = [normalise.mean[c], normalise.std[c]];
    return { low: (low - mean) / std, high: (high - mean) / std };
  });

export type JitterStep = "brightness" | "contrast" | "saturation" | "hue";

/** The 24 orders of the four jitter steps, lexicographic. */
export const orders: readonly (readonly JitterStep[])[] = permutations(["brightness", "contrast", "saturation", "hue"]);

function permutations(steps: readonly JitterStep[]): JitterStep[][] {
  if (steps.length === 0) return [[]];
  return steps.flatMap((first) => permutations(steps.filter((step) => step !== first)).map((rest) => [first, ...rest]));
}

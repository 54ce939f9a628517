// Stimuli that we render, as bytes of a network's input size: sinusoidal gratings, white noise, and the uniform grey that both vary about.

import type { ImageSet } from "../../data/images.ts";
import type { Encoder } from "../../encoders/encoder.ts";
import { randomStream } from "../../program/random.ts";

type Size = Pick<Encoder, "height" | "width" | "channels">;

/** The level of the grey picture, and how far from it gratings reach. */
const [grey, contrast] = [128, 127];
/** First word of the path of random numbers of the noise. */
const noise = 0x5a7e;

/** Orientations 15° apart; wavelengths in pixels; phases. */
const [orientationCount, wavelengths, phaseCount] = [12, [3, 4, 6, 8, 12, 16], 8] as const;

export interface Gratings {
  readonly set: ImageSet;
  /** Angle of the bars in degrees, counter-clockwise: 0 horizontal, 90 vertical. */
  readonly orientations: readonly number[];
  /** Cycles a pixel. */
  readonly frequencies: readonly number[];
  readonly phases: number;
}

/** All orientations × frequencies × phases, in this order, at full contrast, and after them the grey picture. */
export function renderGratings(size: Size): Gratings {
  const { height, width, channels } = size;
  const orientations = Array.from({ length: orientationCount }, (_, i) => (180 * i) / orientationCount);
  const frequencies = wavelengths.filter((length) => length <= Math.min(height, width)).map((length) => 1 / length);
  const pictures: Uint8Array[] = [];
  for (const orientation of orientations)
    for (const frequency of frequencies)
      for (let phase = 0; phase < phaseCount; phase++) {
        // Across the bars; y grows downwards.
        const [dx, dy] = [Math.sin, Math.cos].map((of) => of((orientation * Math.PI) / 180));
        const picture = new Uint8Array(height * width * channels);
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const across = (x - (width - 1) / 2) * dx + (y - (height - 1) / 2) * dy;
            const wave = Math.cos(2 * Math.PI * (frequency * across - phase / phaseCount));
            const at = (y * width + x) * channels;
            picture.fill(Math.round(grey + contrast * wave), at, at + channels);
          }
        pictures.push(picture);
      }
  pictures.push(new Uint8Array(height * width * channels).fill(grey));
  return { set: asSet("gratings", size, pictures), orientations, frequencies, phases: phaseCount };
}

/** White noise: every value of every pixel black or full, with equal probability; after `count` such pictures the grey one. */
export function renderNoise(size: Size, count: number, seed: number): ImageSet {
  const length = size.height * size.width * size.channels;
  const random = randomStream(seed, noise);
  const pictures = Array.from({ length: count }, () => {
    const picture = new Uint8Array(length);
    for (let i = 0; i < length; i += 16) {
      let bits = random.integer(2 ** 16);
      for (let k = i; k < Math.min(i + 16, length); k++, bits >>= 1) picture[k] = bits & 1 ? 255 : 0;
    }
    return picture;
  });
  return asSet("white noise", size, [...pictures, new Uint8Array(length).fill(grey)]);
}

function asSet(name: string, { height, width, channels }: Size, pictures: readonly Uint8Array[]): ImageSet {
  const size = height * width * channels;
  const pixels = new Uint8Array(pictures.length * size);
  for (const [i, picture] of pictures.entries()) pixels.set(picture, i * size);
  return {
    ...{ name, pixels, height, width, channels: channels === 1 ? 1 : 3, count: pictures.length },
    labels: new Int32Array(pictures.length),
    classes: [name],
  };
}

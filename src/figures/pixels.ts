// A small picture within a figure: its pixels as a PNG, magnified without smoothing.

export interface Pixels {
  readonly height: number;
  readonly width: number;
  /** 1 for grey, 3 for red, green and blue. */
  readonly channels: number;
  /** [height, width, channels]. */
  readonly picture: Float32Array;
  /** The values of black and of full brightness; what lies outside is clamped. */
  readonly range: readonly [number, number];
}

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** SVG markup. */
export async function pixelImage({ height, width, channels, picture, range }: Pixels, place: Place): Promise<string> {
  const [low, high] = range;
  const data = Buffer.alloc(height * width * 4, 255);
  for (let pixel = 0; pixel < height * width; pixel++)
    for (let k = 0; k < 3; k++) {
      const value = picture[pixel * channels + (k % channels)];
      data[4 * pixel + k] = Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low))));
    }
  const { PNG } = await import("pngjs");
  const uri = `data:image/png;base64,${PNG.sync.write({ width, height, data }, { colorType: 2 }).toString("base64")}`;
  return `<image x="${place.x}" y="${place.y}" width="${place.width}" height="${place.height}" preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering:pixelated" href="${uri}"/>`;
}

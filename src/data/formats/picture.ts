// Decodes PNG, JPEG and WebP pictures of any size and kind into squares of bytes, red, green and blue.
//
// What is not one of these is refused by its first bytes, whatever its name. The picture is turned as its EXIF says, put on white where it
// is transparent, brought to sRGB (from palettes, grey, CMYK, 16 bits, colour profiles), scaled so that its shorter side is `size`
// (Lanczos, smoothed where it shrinks), and cut to its centre. Of an animation the first frame is taken.

import { readFile } from "node:fs/promises";
import { SaccadeError } from "../../program/errors.ts";

export interface PictureDecoder {
  /** Versions of what decodes: another one may round otherwise. */
  readonly version: string;
  /** [size, size, 3] of a file. */
  readonly decode: (path: string, size: number) => Promise<Uint8Array>;
}

/** Pixels of a picture at most: four are decoded at a time, at 4 to 8 bytes a pixel. */
const mostPixels = 2 ** 27;

const beginnings: readonly ((start: Buffer) => boolean)[] = [
  (start) => start.subarray(0, 8).equals(Buffer.from("\x89PNG\r\n\x1a\n", "latin1")),
  (start) => start.subarray(0, 3).equals(Buffer.of(0xff, 0xd8, 0xff)),
  (start) => start.toString("latin1", 0, 4) === "RIFF" && start.toString("latin1", 8, 12) === "WEBP",
];

/** Loads sharp, which only those need who have pictures to decode. */
export async function pictureDecoder(): Promise<PictureDecoder> {
  const sharp = await loadSharp();
  return {
    version: `sharp ${sharp.versions.sharp}, vips ${sharp.versions.vips}`,
    decode: async (path, size) => {
      const bytes = await readFile(path).catch((error) => {
        throw new SaccadeError(`${path}: cannot be read (${error.code}); it must be a file that you may read`);
      });
      if (!beginnings.some((known) => known(bytes)))
        throw new SaccadeError(
          `${path}: must begin as a PNG, JPEG or WebP picture, got ${bytes.length === 0 ? "an empty file" : "something else"}; convert it, or take it out`,
        );
      try {
        const picture = sharp(bytes, { autoOrient: true, limitInputPixels: mostPixels, failOn: "warning" });
        const { data, info } = await picture
          .flatten({ background: "#fff" })
          .resize(size, size, { fit: "cover", position: "centre" })
          .toColourspace("srgb")
          .raw({ depth: "uchar" })
          .toBuffer({ resolveWithObject: true });
        if (info.channels !== 3 || data.length !== size * size * 3)
          throw new Error(`${info.width} × ${info.height} × ${info.channels} instead of ${size} × ${size} × 3`);
        return data;
      } catch (error) {
        const [why] = (error as Error).message.split("\n");
        if (/exceeds pixel limit/.test(why))
          throw new SaccadeError(
            `${path}: must have at most ${mostPixels} pixels (2²⁷), got more; scale it down, or take it out`,
          );
        throw new SaccadeError(
          `${path}: must be a whole picture, got a damaged one (${why.slice(0, 80)}); mend it, or take it out`,
        );
      }
    },
  };
}

async function loadSharp(): Promise<typeof import("sharp").default> {
  try {
    return (await import("sharp")).default;
  } catch (error) {
    const [why] = (error as Error).message.split("\n");
    throw new SaccadeError(
      `image-folder: sharp, which decodes pictures, cannot be loaded (${why}); install again with npm's optional packages, or take dataset arrays`,
    );
  }
}

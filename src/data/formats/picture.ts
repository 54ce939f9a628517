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
  /** Whether a picture has 16 bits a colour. */
  readonly isDeep: (path: string) => Promise<boolean>;
  /** [size, size, 3] of a file. Of pictures of 16 bits `range` says which of their 65,536 levels are black and white. */
  readonly decode: (path: string, size: number, range?: readonly [number, number]) => Promise<Uint8Array>;
}

/** Pixels of a picture at most: four are decoded at a time, at 4 to 8 bytes a pixel. */
const mostPixels = 2 ** 27;

const isJpeg = (start: Buffer): boolean => start.subarray(0, 3).equals(Buffer.of(0xff, 0xd8, 0xff));

const beginnings: readonly ((start: Buffer) => boolean)[] = [
  (start) => start.subarray(0, 8).equals(Buffer.from("\x89PNG\r\n\x1a\n", "latin1")),
  isJpeg,
  (start) => start.toString("latin1", 0, 4) === "RIFF" && start.toString("latin1", 8, 12) === "WEBP",
];

/**
 * Of what libjpeg warns of, this has cost pixels: data that end too early, codes that are none, restarts that do not fit. Odd revisions and
 * parameters, and bytes between segments, have not: PIL and browsers read them too.
 */
const lost = /premature end|bad Huffman code|instead of RST/;
/** Counts changes of what is refused: pictures that were kept under other rules are decoded anew. */
const rules = 2;

/** Loads sharp, which only those need who have pictures to decode. */
export async function pictureDecoder(): Promise<PictureDecoder> {
  const sharp = await loadSharp();
  const { together, alone } = takeTurns();
  const open = (bytes: Buffer, failOn: FailOn) =>
    sharp(bytes, { autoOrient: true, limitInputPixels: mostPixels, failOn });

  /** [size, size, 3], or why there is none. */
  async function square(
    bytes: Buffer,
    { size, range }: { readonly size: number; readonly range: readonly [number, number] | undefined },
    failOn: FailOn,
  ): Promise<Uint8Array | string> {
    try {
      const picture = open(bytes, failOn)
        .flatten({ background: "#fff" })
        .resize(size, size, { fit: "cover", position: "centre" });
      const deep = range
        ? picture.toColourspace("rgb16").raw({ depth: "ushort" })
        : picture.toColourspace("srgb").raw({ depth: "uchar" });
      const { data, info } = await deep.toBuffer({ resolveWithObject: true });
      const pixels = range ? windowed(data, range) : data;
      if (info.channels === 3 && pixels.length === size * size * 3) return pixels;
      return `${info.width} × ${info.height} × ${info.channels} instead of ${size} × ${size} × 3`;
    } catch (error) {
      return firstLine(error);
    }
  }

  /** Sums over every pixel, at full size: two pictures of the same sums are the same. Or why there are none. */
  async function sums(bytes: Buffer, failOn: FailOn): Promise<readonly number[] | string> {
    try {
      const { channels } = await open(bytes, failOn).stats();
      return channels.flatMap(({ sum, squaresSum }) => [sum, squaresSum]);
    } catch (error) {
      return firstLine(error);
    }
  }

  /** A picture that libvips complains of, or may have cause to. */
  async function second(bytes: Buffer, wanted: Parameters<typeof square>[1]): Promise<Uint8Array | string> {
    const complaint = await sums(bytes, "warning");
    if (typeof complaint !== "string") return square(bytes, wanted, "warning");
    if (!isJpeg(bytes) || lost.test(complaint)) return complaint;
    // libjpeg says its first warning alone. Whether others are of data that end too early, more data tell: they are not read, or change what is seen.
    const [own, longer] = [await sums(bytes, "error"), await sums(lengthened(bytes), "error")];
    if (typeof own === "string") return own;
    return own.join() === longer.toString() ? square(bytes, wanted, "error") : "its data end before the picture does";
  }

  /** Whether a picture has 16 bits a colour; of one whose header cannot be read, its decoding says why. */
  const isDeep = (bytes: Buffer): Promise<boolean> =>
    open(bytes, "error")
      .metadata()
      .then(
        ({ depth }) => depth === "ushort",
        () => true,
      );

  return {
    version: `sharp ${sharp.versions.sharp}, vips ${sharp.versions.vips}, rules ${rules}`,
    isDeep: async (path) => isDeep(await readFile(path)),
    decode: async (path, size, range) => {
      const bytes = await readFile(path).catch((error) => {
        throw new SaccadeError(`${path}: cannot be read (${error.code}); it must be a file that you may read`);
      });
      if (!beginnings.some((known) => known(bytes)))
        throw new SaccadeError(
          `${path}: must begin as a PNG, JPEG or WebP picture, got ${bytes.length === 0 ? "an empty file" : "something else"}; convert it, or take it out`,
        );
      if (range && !(await isDeep(bytes)))
        throw new SaccadeError(
          `${path}: must have 16 bits a colour, as valueRange is given, got fewer; leave valueRange out for such pictures`,
        );
      const first = await together(() => square(bytes, { size, range }, "warning"));
      if (typeof first !== "string" && !(isJpeg(bytes) && hasGreyCorner(first))) return first;
      const found = await alone(() => second(bytes, { size, range }));
      if (typeof found !== "string") return found;
      if (/exceeds pixel limit/.test(found))
        throw new SaccadeError(
          `${path}: must have at most ${mostPixels} pixels (2²⁷), got more; scale it down, or take it out`,
        );
      throw new SaccadeError(
        `${path}: must be a whole picture, got a damaged one (${found.slice(0, 80)}); mend it, or take it out`,
      );
    },
  };
}

/** 16 bits a colour, lowest byte first → bytes: `low` is 0, `high` 255, and what lies beyond, as after smoothing it may, at the nearer end. */
function windowed(data: Buffer, [low, high]: readonly [number, number]): Uint8Array {
  return Uint8Array.from({ length: data.length / 2 }, (_, i) => {
    const level = Math.round((255 * (data.readUInt16LE(2 * i) - low)) / (high - low));
    return Math.min(255, Math.max(0, level));
  });
}

type FailOn = "warning" | "error";

function firstLine(error: unknown): string {
  const [line] = (error as Error).message.split("\n");
  return line.replace(/^Input buffer has corrupt header: */, "") || "in its header";
}

/** A JPEG with more data before its end marker. */
function lengthened(bytes: Buffer): Buffer {
  const end = bytes.lastIndexOf(Buffer.of(0xff, 0xd9));
  return Buffer.concat([bytes.subarray(0, end), Buffer.alloc(4096, 0x55), bytes.subarray(end)]);
}

/** libjpeg fills up with grey what is missing at a picture's end; where it decodes a smaller one, libvips does not notice. */
function hasGreyCorner(pixels: Uint8Array): boolean {
  const side = Math.sqrt(pixels.length / 3);
  return [0, side - 1, side * (side - 1), side * side - 1].some((pixel) =>
    pixels.subarray(3 * pixel, 3 * pixel + 3).every((level) => Math.abs(level - 128) <= 2),
  );
}

/**
 * Work that goes on side by side, and work that waits until nothing else does and holds back what comes after it: libvips keeps its complaints
 * in one place for all pictures, so that of two at a time one may get the other's.
 */
function takeTurns() {
  const going = new Set<Promise<unknown>>();
  let last: Promise<unknown> = Promise.resolve();
  return {
    together: async <T>(work: () => Promise<T>): Promise<T> => {
      for (let before: unknown; before !== last; ) {
        before = last;
        await before;
      }
      const own = work();
      going.add(own);
      try {
        return await own;
      } finally {
        going.delete(own);
      }
    },
    alone: <T>(work: () => Promise<T>): Promise<T> => {
      const own = last.then(() => Promise.all(going)).then(work);
      last = own.catch(() => {});
      return own;
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

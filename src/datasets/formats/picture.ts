// Decodes PNG, JPEG and WebP pictures of any size and kind into squares of bytes, red, green and blue.
//
// What is not one of these is refused by its first bytes, whatever its name. The picture is turned as its EXIF says, put on white where it
// is transparent, brought to sRGB (from palettes, grey, CMYK, 16 bits, colour profiles), scaled so that its shorter side is `size`
// (Lanczos, smoothed where it shrinks), and cut to its centre. Of an animation the first frame is taken.

import { readFile } from "node:fs/promises";
import { SaccadeError } from "../../program/errors.ts";
import { standIn } from "./stand-ins.ts";

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

/** What else stands under a picture's name, by its first bytes, and what helps. */
const otherKinds: readonly (readonly [RegExp, string])[] = [
  [/^$/, "an empty file; take it out"],
  [/^\x89PNG\n/, "a PNG whose line ends were changed, as a transfer as text does; copy it again, as binary"],
  [/^GIF8/, "a GIF; convert it"],
  [/^BM/, "a BMP; convert it"],
  [/^(II\*\0|MM\0\*)/, "a TIFF; convert it"],
  [/^.{4}ftyp/s, "an AVIF or HEIC; convert it"],
];

function otherKind(bytes: Buffer): string {
  const start = bytes.toString("latin1", 0, 64);
  const [, got] = otherKinds.find(([known]) => known.test(start)) ?? [];
  return got ?? standIn(bytes) ?? "something else; convert it, or take it out";
}

/**
 * Of what libjpeg warns of, this has cost pixels: data that end too early, codes that are none, restarts that do not fit. Odd revisions and
 * parameters, and bytes between segments, have not: PIL and browsers read them too.
 */
const lost = /premature end|bad Huffman code|instead of RST/;
/** Counts changes of what is refused: pictures that were kept under other rules are decoded anew. */
const rules = 3;

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

  /** What libjpeg warns of anywhere in a JPEG. */
  async function complaintOf(bytes: Buffer): Promise<string | undefined> {
    const small = await square(readWholeFirst(bytes), { size: 8, range: undefined }, "warning");
    return typeof small === "string" ? small : undefined;
  }

  /** A picture that libvips complains of. */
  async function second(bytes: Buffer, wanted: Parameters<typeof square>[1]): Promise<Uint8Array | string> {
    if (!isJpeg(bytes)) return square(bytes, wanted, "warning");
    const complaint = await complaintOf(bytes);
    if (complaint !== undefined && lost.test(complaint)) return complaint;
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
        throw new SaccadeError(
          `${path}: cannot be read (${error.code}); it must be a file that you have permission to read`,
        );
      });
      if (!beginnings.some((known) => known(bytes)))
        throw new SaccadeError(`${path}: must be a PNG, JPEG or WebP picture, got ${otherKind(bytes)}`);
      if (range && !(await isDeep(bytes)))
        throw new SaccadeError(
          `${path}: must have 16 bits a colour, as valueRange is given, got fewer; leave valueRange out for such pictures`,
        );
      const first = await together(async () => {
        const pixels = await square(bytes, { size, range }, "warning");
        if (typeof pixels === "string" || !isJpeg(bytes)) return pixels;
        return (await complaintOf(bytes)) ?? pixels;
      });
      if (typeof first !== "string") return first;
      const found = await alone(() => second(bytes, { size, range }));
      if (typeof found !== "string") return found;
      if (/exceeds pixel limit/.test(found))
        throw new SaccadeError(
          `${path}: must have at most ${mostPixels} pixels (2²⁷), got more; scale it down or remove it`,
        );
      throw new SaccadeError(
        `${path}: must be an intact picture, got a damaged one (${found.slice(0, 80)}); repair it or remove it`,
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

/** Markers of the frames of JPEGs whose rows are decoded as they are read: baseline, extended, arithmetic. */
const sequential = [0xc0, 0xc1, 0xc9];

/**
 * A JPEG with a component more, of which there are no data. libjpeg then reads it to its end before it hands out the first row, as it does
 * progressive ones; else what is lost in the last rows goes unnoticed, for libvips asks for warnings before each strip, and never after.
 */
function readWholeFirst(bytes: Buffer): Buffer {
  for (let at = 2; at + 10 < bytes.length; ) {
    const [start, code] = bytes.subarray(at, at + 2);
    // Stray bytes, or those that fill up before a marker.
    if (start !== 0xff || code === 0xff || code === 0) at++;
    else if (code === 0xda) break;
    else if (sequential.includes(code)) {
      const length = bytes.readUInt16BE(at + 2);
      const head = Buffer.from(bytes.subarray(at, at + 2 + length));
      if (head.length < 2 + length || length < 8) break;
      head.writeUInt16BE(length + 3, 2);
      head[9]++;
      const ids = head.subarray(10).filter((_, i) => i % 3 === 0);
      const free = [1, 2, 3, 4, 5].find((id) => !ids.includes(id)) ?? 6;
      return Buffer.concat([bytes.subarray(0, at), head, Buffer.of(free, 0x11, 0), bytes.subarray(at + 2 + length)]);
    } else at += 2 + bytes.readUInt16BE(at + 2);
  }
  return bytes;
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

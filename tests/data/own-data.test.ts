// A researcher's own pictures and arrays as datasets: what is read, in which order, what is refused, and what damage does.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { PNG } from "pngjs";
import sharp, { type Sharp } from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { type PictureDecoder, pictureDecoder } from "../../src/datasets/formats/picture.ts";
import { describeDataset } from "../../src/datasets/known-datasets.ts";
import type { DatasetRequest } from "../../src/datasets/request.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { randomStream } from "../../src/program/random.ts";
import { damaged } from "../support/damaged.ts";
import { npy, npz } from "../support/numpy-files.ts";

const root = mkdtempSync(join(tmpdir(), "saccade-own-"));
const cache = join(root, "cache");
const cachedBefore = process.env.XDG_CACHE_HOME;
let decoder: PictureDecoder;
beforeAll(async () => {
  process.env.XDG_CACHE_HOME = cache;
  decoder = await pictureDecoder();
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));
afterAll(() => {
  if (cachedBefore === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cachedBefore;
  rmSync(root, { recursive: true });
});

function write(path: string, bytes: Uint8Array | string): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, bytes);
  return whole;
}

const random = randomStream(11, 0x0117);
const randomBytes = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, () => random.integer(256)));

/** A picture of bytes [height, width, channels], for sharp to write. */
const raw = (height: number, width: number, values: Uint8Array | Uint16Array): Sharp =>
  sharp(values, { raw: { height, width, channels: (values.length / height / width) as 1 | 2 | 3 | 4 } });

/** A PNG by pngjs, of red, green and blue. */
function png(height: number, width: number, rgb: Uint8Array): Buffer {
  const data = Buffer.alloc(height * width * 4, 255);
  for (let i = 0; i < height * width; i++) data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  return PNG.sync.write({ height, width, data }, { colorType: 2 });
}

/** One of one colour, which says who it is. */
const plain = (value: number, side = 4): Buffer => png(side, side, new Uint8Array(side * side * 3).fill(value));

/** The sentence of a refusal, without the folder of this test. */
async function refusal(of: Promise<unknown>): Promise<string> {
  const error = await of.then(
    () => new Error("nothing was refused"),
    (refused) => refused,
  );
  if (!(error instanceof SaccadeError)) throw error;
  return error.message.replaceAll(`${root}/`, "");
}

const folderRequest = (folder: string, more: Partial<DatasetRequest> = {}): DatasetRequest => ({
  dataset: "image-folder",
  folder: join(root, folder),
  split: "train",
  size: 8,
  ...more,
});
/** What every picture of one colour says: its first byte. */
const firstBytes = ({ pixels, count }: { pixels: Uint8Array; count: number }): number[] =>
  Array.from({ length: count }, (_, i) => pixels[(i * pixels.length) / count]);

describe("a picture is decoded", () => {
  const decode = async (bytes: Uint8Array, size = 4): Promise<number[]> => [
    ...(await decoder.decode(write("one", bytes), size)),
  ];
  const rgb = randomBytes(4 * 4 * 3);

  test("to the very pixels of a file that keeps them and has the size", async () => {
    expect(await decode(png(4, 4, rgb))).toEqual([...rgb]);
    expect(await decode(await raw(4, 4, rgb).webp({ lossless: true }).toBuffer())).toEqual([...rgb]);
    expect(await decode(await raw(4, 4, rgb).png({ progressive: true }).toBuffer())).toEqual([...rgb]);
  });

  test("from JPEG and from lossy WebP, closely", async () => {
    const smooth = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => 40 + 3 * (Math.floor(i / 3) % 32) + 30 * (i % 3));
    for (const file of [
      await raw(32, 32, smooth).jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(),
      await raw(32, 32, smooth).jpeg({ quality: 95, progressive: true }).toBuffer(),
      await raw(32, 32, smooth).webp({ quality: 95 }).toBuffer(),
    ]) {
      const got = await decode(file, 32);
      const mean = got.reduce((sum, value, i) => sum + Math.abs(value - smooth[i]), 0) / got.length;
      expect(mean).toBeLessThan(3);
    }
  });

  test("grey in three equal channels, from 8 and from 16 bits, whose upper byte counts", async () => {
    const grey = randomBytes(16);
    const three = [...grey].flatMap((value) => [value, value, value]);
    expect(await decode(await raw(4, 4, grey).toColourspace("b-w").png().toBuffer())).toEqual(three);
    const deep = Uint16Array.from(grey, (value, i) => value * 256 + i * 15);
    const grey16 = await raw(4, 4, deep).toColourspace("grey16").png().toBuffer();
    expect((await sharp(grey16).metadata()).depth).toBe("ushort");
    expect(await decode(grey16)).toEqual(three);
  });

  test("16-bit colours, by their upper byte", async () => {
    const deep = Uint16Array.from(rgb, (value, i) => value * 256 + i);
    expect(await decode(await raw(4, 4, deep).toColourspace("rgb16").png().toBuffer())).toEqual([...rgb]);
  });

  test("a palette", async () => {
    const two = Uint8Array.from({ length: 48 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 10 : 200));
    const file = await raw(4, 4, two).png({ palette: true, colours: 2, dither: 0 }).toBuffer();
    expect((await sharp(file).metadata()).isPalette).toBe(true);
    expect(await decode(file)).toEqual([...two]);
  });

  test("transparency on white", async () => {
    const rgba = Uint8Array.from({ length: 64 }, (_, i) => (i % 4 === 3 ? [0, 255, 128, 255][(i >> 2) % 4] : 100));
    const white = [255, 100, 255 - Math.round((155 * 128) / 255), 100];
    const got = await decode(await raw(4, 4, rgba).png().toBuffer());
    expect(got.every((value, i) => Math.abs(value - white[Math.floor(i / 3) % 4]) <= 1)).toBe(true);
  });

  test("CMYK brought to red, green and blue", async () => {
    const red = Uint8Array.from({ length: 48 }, (_, i) => (i % 3 === 0 ? 220 : 30));
    const file = await raw(4, 4, red).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(file).metadata()).space).toBe("cmyk");
    const [r, g, b] = await decode(file);
    expect([r > 180, g < 80, b < 80]).toEqual([true, true, true]);
  });

  test.each([
    ["upright", 1, [0, 1, 2, 3]],
    ["mirrored", 2, [1, 0, 3, 2]],
    ["upside down", 3, [3, 2, 1, 0]],
    ["a quarter turned clockwise", 6, [2, 0, 3, 1]],
    ["a quarter turned anticlockwise", 8, [1, 3, 0, 2]],
  ])("%s, as its EXIF says", async (_, orientation, quarters) => {
    // Four quarters of one grey each, in two rows.
    const greys = [20, 90, 160, 230];
    const picture = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => {
      const [y, x] = [Math.floor(i / 48), Math.floor(i / 3) % 16];
      return greys[2 * Math.floor(y / 8) + Math.floor(x / 8)];
    });
    for (const file of [
      await raw(16, 16, picture).withMetadata({ orientation }).png().toBuffer(),
      await raw(16, 16, picture).withMetadata({ orientation }).jpeg({ quality: 100 }).toBuffer(),
    ]) {
      const got = await decode(file, 16);
      const seen = [0, 8].flatMap((y) => [0, 8].map((x) => got[((y + 4) * 16 + x + 4) * 3]));
      seen.forEach((value, i) => {
        expect(Math.abs(value - greys[quarters[i]])).toBeLessThan(4);
      });
    }
  });

  test("scaled by its shorter side and cut to its centre", async () => {
    // Thirds: dark, bright, dark. The centre of a picture three times as wide as high is the bright third.
    const wide = Uint8Array.from({ length: 30 * 90 * 3 }, (_, i) => (Math.floor(i / 90) % 3 === 1 ? 200 : 10));
    const got = await decode(png(30, 90, wide), 10);
    expect(got.every((value) => Math.abs(value - 200) <= 40)).toBe(true);
    expect(got[(5 * 10 + 5) * 3]).toBe(200);
    // A checkerboard of single pixels is grey when it is smoothed, and black and white when pixels are dropped.
    const board = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return ((pixel % 64) + Math.floor(pixel / 64)) % 2 === 0 ? 0 : 255;
    });
    const small = await decode(png(64, 64, board), 8);
    expect(small.every((value) => Math.abs(value - 127.5) < 12)).toBe(true);
    // A smaller one is enlarged.
    expect(await decode(plain(77, 2), 8)).toEqual(new Array(8 * 8 * 3).fill(77));
  });

  const pillow = (() => {
    try {
      execFileSync("python3", ["-c", "import numpy, PIL"], { stdio: "ignore" });
      return "";
    } catch {
      return " (skipped: no python3 with numpy and Pillow)";
    }
  })();
  test.skipIf(pillow)(`as Pillow does it, which torchvision takes${pillow}`, async () => {
    const smooth = Uint8Array.from({ length: 50 * 70 * 3 }, (_, i) => {
      const [y, x, c] = [Math.floor(i / 210), Math.floor(i / 3) % 70, i % 3];
      return 128 + 60 * Math.sin(y / 5 + c) + 60 * Math.cos(x / 7);
    });
    const path = write("smooth.png", png(50, 70, smooth));
    const script = [
      "import sys, numpy, PIL.Image as I",
      "i = I.open(sys.argv[1]).convert('RGB').resize((28, 20), I.LANCZOS).crop((4, 0, 24, 20))",
      "print(numpy.asarray(i).ravel().tolist())",
    ].join("\n");
    const wanted: number[] = JSON.parse(execFileSync("python3", ["-c", script, path], { encoding: "utf8" }));
    const got = [...(await decoder.decode(path, 20))];
    const apart = got.map((value, i) => Math.abs(value - wanted[i]));
    expect(Math.max(...apart)).toBeLessThanOrEqual(6);
    expect(apart.reduce((sum, value) => sum + value, 0) / apart.length).toBeLessThan(1);
  });

  /** A PNG of a few bytes that says it is 12,000 × 12,000. */
  function bomb(): Buffer {
    const file = plain(0);
    file.writeUInt32BE(12_000, 16);
    file.writeUInt32BE(12_000, 20);
    file.writeUInt32BE(crc32(file.subarray(12, 29)), 29);
    return file;
  }
  test.each<[string, () => Promise<Uint8Array> | Uint8Array, string]>([
    ["a bomb of pixels", bomb, "one: must have at most 134217728 pixels (2²⁷), got more; scale it down or remove it"],
    ["nothing", () => new Uint8Array(), "one: must be a PNG, JPEG or WebP picture, got an empty file; take it out"],
    [
      "a drawing that calls itself a picture",
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'),
      "one: must be a PNG, JPEG or WebP picture, got a page of HTML or XML; fetch the file again",
    ],
    [
      "a pointer of Git LFS",
      () => Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
      "one: must be a PNG, JPEG or WebP picture, got a pointer of Git LFS; fetch what it stands for: git lfs pull",
    ],
    [
      "a PNG that a transfer has taken for text",
      () => Buffer.from(png(4, 4, rgb).toString("latin1").replaceAll("\r\n", "\n"), "latin1"),
      "one: must be a PNG, JPEG or WebP picture, got a PNG whose line ends were changed, as a transfer as text does; copy it again, as binary",
    ],
    ["a GIF", () => raw(4, 4, rgb).gif().toBuffer(), "one: must be a PNG, JPEG or WebP picture, got a GIF; convert it"],
    [
      "a TIFF",
      () => raw(4, 4, rgb).tiff().toBuffer(),
      "one: must be a PNG, JPEG or WebP picture, got a TIFF; convert it",
    ],
    [
      "other bytes",
      () => Buffer.from("other bytes"),
      "one: must be a PNG, JPEG or WebP picture, got something else; convert it, or take it out",
    ],
    [
      "a JPEG cut short",
      async () =>
        (
          await raw(64, 64, randomBytes(64 * 64 * 3))
            .jpeg()
            .toBuffer()
        ).subarray(0, -500),
      "one: must be an intact picture, got a damaged one (VipsJpeg: premature end of JPEG image); repair it",
    ],
    ["a PNG cut short", () => png(4, 4, rgb).subarray(0, -20), "one: must be an intact picture, got a damaged one ("],
  ])("%s is refused", async (_, bytes, wanted) => {
    const sentence = await refusal(decoder.decode(write("one", await bytes()), 4));
    expect(sentence.slice(0, wanted.length)).toBe(wanted);
  });
});

describe("of damage that libjpeg only warns of", () => {
  const smooth = Uint8Array.from({ length: 64 * 80 * 3 }, (_, i) => {
    const [y, x] = [Math.floor(i / 240), Math.floor(i / 3) % 80];
    return 128 + 60 * Math.sin(y / 5 + (i % 3)) + 60 * Math.cos(x / 7);
  });
  const jpeg = (options: object = {}): Promise<Buffer> => raw(64, 80, smooth).jpeg(options).toBuffer();
  const marker = (bytes: Buffer, code: number): number => bytes.indexOf(Buffer.of(0xff, code));
  const splice = (bytes: Buffer, at: number, ...put: number[]): Buffer =>
    Buffer.concat([bytes.subarray(0, at), Buffer.from(put), bytes.subarray(at)]);
  const set = (bytes: Buffer, at: number, ...values: number[]): Buffer => {
    const copy = Buffer.from(bytes);
    copy.set(values, at);
    return copy;
  };
  /** The last three bytes of the SOS header. */
  const spectral = (bytes: Buffer): number => {
    const at = marker(bytes, 0xda);
    return at + 2 + bytes.readUInt16BE(at + 2) - 3;
  };
  const withJfif = (bytes: Buffer): Buffer =>
    marker(bytes, 0xe0) === 2
      ? bytes
      : splice(bytes, 2, 0xff, 0xe0, 0, 16, ...Buffer.from("JFIF\0"), 1, 1, 0, 0, 1, 0, 1, 0, 0);

  const harmless: readonly [string, object, (bytes: Buffer) => Buffer][] = [
    ["odd last bytes of the SOS header, all zero", {}, (b) => set(b, spectral(b), 0, 0, 0)],
    ["odd last bytes of the SOS header, 0 63 1", {}, (b) => set(b, spectral(b), 0, 63, 1)],
    ["JFIF revision 0.00", {}, (b) => set(withJfif(b), marker(withJfif(b), 0xe0) + 9, 0, 0)],
    ["JFIF revision 2.01", {}, (b) => set(withJfif(b), marker(withJfif(b), 0xe0) + 9, 2, 1)],
    ["stray bytes between segments", {}, (b) => splice(b, marker(b, 0xc0), 1, 2, 3)],
    ["stray bytes before the first scan", {}, (b) => splice(b, marker(b, 0xda), 0x55)],
    ["stray bytes between the scans of a progressive one", { progressive: true }, (b) => splice(b, marker(b, 0xda), 7)],
    ["stray bytes before a progressive one's end", { progressive: true }, (b) => splice(b, b.length - 2, 9, 9, 9, 9)],
    [
      "a colour transform of Adobe's that is unknown",
      {},
      (b) => splice(b, 2, 0xff, 0xee, 0, 14, ...Buffer.from("Adobe"), 0, 100, 0, 0, 0, 0, 7),
    ],
    ["bytes behind the end", {}, (b) => Buffer.concat([b, Buffer.from("what a phone leaves there")])],
    ["two of them", {}, (b) => splice(set(b, spectral(b), 0, 0, 0), marker(b, 0xc0), 1, 2, 3)],
  ];
  test.each(harmless)("%s cost nothing: the very pixels come out", async (_, options, change) => {
    const whole = await jpeg(options);
    const odd = change(whole);
    expect(odd.equals(whole)).toBe(false);
    for (const size of [16, 64])
      expect([...(await decoder.decode(write("odd", odd), size))]).toEqual([
        ...(await decoder.decode(write("whole", whole), size)),
      ]);
  });

  test.each([
    ["", {}, (b: Buffer) => b],
    [", progressive,", { progressive: true }, (b: Buffer) => b],
    [" with an odd SOS header", {}, (b: Buffer) => set(b, spectral(b), 0, 0, 0)],
    [" of JFIF revision 0.00", {}, (b: Buffer) => set(withJfif(b), marker(withJfif(b), 0xe0) + 9, 0, 0)],
  ])(
    "a JPEG%s that is cut short anywhere is refused, also where an end marker was put behind it",
    async (_, options, change) => {
      const bytes = change(await jpeg(options));
      const sentence = /^cut: must be an intact picture, got a damaged one \(.+\); repair it or remove it$/;
      for (let cut = 60; cut < bytes.length - 20; cut += 211)
        for (const end of [[], [0xff, 0xd9]]) {
          // Of a progressive one a scan that is missing as a whole is no damage: it is less sharp.
          if ("progressive" in options && end.length > 0) continue;
          const path = write("cut", Buffer.concat([bytes.subarray(0, -cut), Buffer.from(end)]));
          for (const size of [16, 64])
            expect(await refusal(decoder.decode(path, size)), `${cut} of ${bytes.length}, ${end}`).toMatch(sentence);
        }
    },
  );

  test.each<[string, "srgb" | "b-w" | "cmyk", string]>([
    ["4:4:4", "srgb", "4:4:4"],
    ["4:2:0", "srgb", "4:2:0"],
    ["grey", "b-w", "4:2:0"],
    ["CMYK", "cmyk", "4:2:0"],
  ])(
    "a large JPEG (%s) that is scaled down is refused too, however little of its last rows is missing",
    async (_, colours, chromaSubsampling) => {
      const noise = Uint8Array.from(
        { length: 256 * 256 * 3 },
        (_, i) => 128 + 60 * Math.sin(i / 900) + (random.integer(60) - 30),
      );
      const picture = raw(256, 256, noise).toColourspace(colours);
      const whole = await picture.jpeg({ quality: 90, chromaSubsampling }).toBuffer();
      expect(await decoder.decode(write("whole", whole), 16)).toHaveLength(16 * 16 * 3);
      for (const cut of [60, 300, 1500])
        for (const end of [[0xff, 0xd9], []])
          for (const size of [16, 100, 256]) {
            const path = write("cut", Buffer.concat([whole.subarray(0, -cut), Buffer.from(end)]));
            expect(await refusal(decoder.decode(path, size)), `${cut}, ${end}, ${size}`).toMatch(
              /^cut: must be an intact picture, got a damaged one \(.+\); repair it or remove it$/,
            );
          }
    },
  );

  test("a piece missing from its middle is refused", async () => {
    const whole = await jpeg();
    const start = spectral(whole) + 3;
    const bytes = Buffer.concat([whole.subarray(0, start + 100), whole.subarray(start + 160)]);
    expect(await refusal(decoder.decode(write("holed", bytes), 64))).toMatch(
      /^holed: must be an intact picture, got a damaged one \(VipsJpeg: Corrupt JPEG data: [a-zA-Z ]+\)/,
    );
  });

  test("a picture that is as grey as what libjpeg fills up with is read", async () => {
    const grey = await raw(64, 80, new Uint8Array(64 * 80 * 3).fill(128))
      .jpeg()
      .toBuffer();
    expect(new Set(await decoder.decode(write("grey", grey), 16))).toEqual(new Set([128]));
  });

  test("each broken one of many has its own reason, however many are decoded side by side", async () => {
    const whole = await jpeg();
    const icc = splice(whole, 2, 0xff, 0xe2, 0, 18, ...Buffer.from("ICC_PROFILE\0"), 1, 1, 7, 7);
    const files: Record<string, Buffer> = {
      "cut.jpg": whole.subarray(0, -300),
      "cut.png": png(40, 40, randomBytes(4800)).subarray(0, -900),
      "cut.webp": (await raw(64, 80, smooth).webp().toBuffer()).subarray(0, -40),
      "restart.jpg": whole.subarray(0, 200),
      "odd.jpg": set(whole, spectral(whole), 0, 0, 0),
      "icc.jpg": icc,
      "text.png": Buffer.from("text"),
      "whole.jpg": whole,
    };
    for (const [name, bytes] of Object.entries(files)) for (const i of [1, 2, 3]) write(`side/${i}/${i}${name}`, bytes);
    const reasons = async (path: string): Promise<string> =>
      decoder.decode(path, 16).then(
        () => "read",
        (error) => error.message.replace(/^.*?: /, ""),
      );
    const alone = new Map<string, string>();
    for (const name of Object.keys(files)) alone.set(name, await reasons(join(root, `side/1/1${name}`)));
    expect(alone.get("cut.png")).toMatch(/\(vipspng: /);
    expect(alone.get("cut.jpg")).toMatch(/\(VipsJpeg: premature end of JPEG image\)/);
    expect(alone.get("cut.webp")).toMatch(/webp/);
    for (let round = 0; round < 3; round++) {
      rmSync(cache, { recursive: true, force: true });
      const { leftOut = [] } = await loadDataset(folderRequest("side", { skipBroken: true, size: 16 }));
      const got = leftOut.map(({ file, why }) => [file, why]);
      const wanted = [...alone].flatMap(([name, why]) =>
        why === "read" ? [] : [1, 2, 3].map((i) => [`${i}/${i}${name}`, why]),
      );
      expect(got.sort()).toEqual(wanted.sort());
    }
  });
});

describe("a folder of pictures", () => {
  test("has a class for each subfolder, whose pictures come in turn", async () => {
    write("order/dog/b.png", plain(11));
    write("order/dog/a.JPG", plain(10));
    write("order/cat/deep/z.png", plain(22));
    write("order/cat/1.webp", plain(20));
    write("order/cat/2.jpeg", plain(21));
    write("order/Zebra/x.png", plain(30));
    for (const litter of ["order/.DS_Store", "order/cat/Thumbs.db", "order/cat/.hidden.png", "order/__MACOSX/a.png"])
      write(litter, "x");
    const request = folderRequest("order");
    const set = await loadDataset(request);
    expect(set).toMatchObject({ name: "order train", count: 6, height: 8, width: 8, channels: 3 });
    expect(set.classes).toEqual(["Zebra", "cat", "dog"]);
    expect(firstBytes(set)).toEqual([30, 20, 10, 21, 11, 22]);
    expect([...set.labels]).toEqual([0, 1, 2, 1, 2, 1]);
    const { pixels, labels, ...rest } = set;
    expect(await describeDataset(request)).toEqual(rest);
    const some = await loadDataset({ ...request, limit: 4 });
    expect([some.count, ...some.labels]).toEqual([4, 0, 1, 2, 1]);
    expect([...some.pixels]).toEqual([...pixels.subarray(0, 4 * 192)]);
    const grey = await loadDataset({ ...request, grey: true });
    expect([grey.name, grey.channels, ...firstBytes(grey)]).toEqual(["order train, grey", 1, 30, 20, 10, 21, 11, 22]);
    expect((await describeDataset({ ...request, grey: true })).channels).toBe(1);
    const whole = await loadDataset({ ...request, size: undefined });
    expect([whole.height, whole.width]).toEqual([32, 32]);
  });

  test("may have subfolders for its splits", async () => {
    for (const [i, path] of ["train/a/1", "train/b/1", "val/a/1", "val/b/1", "val/b/2"].entries())
      write(`splits/${path}.png`, plain(10 * i));
    const of = async (split: DatasetRequest["split"], folder = "splits") => {
      const { name, classes, ...set } = await loadDataset(folderRequest(folder, { split }));
      return [name, classes.join(), ...firstBytes(set), ...set.labels];
    };
    expect(await of("train")).toEqual(["splits train", "a,b", 0, 10, 0, 1]);
    expect(await of("test")).toEqual(["splits val", "a,b", 20, 30, 40, 0, 1, 1]);
    expect(await of("unlabelled")).toEqual(["splits train", "unlabelled", 0, 10, 0, 0]);
    write("splits/test/a/1.png", plain(50));
    write("splits/unlabeled/1.png", plain(60));
    expect(await of("test")).toEqual(["splits test", "a", 50, 0]);
    expect(await of("unlabelled")).toEqual(["splits unlabeled", "unlabelled", 60, 0]);
  });

  test("needs no classes where no label is wanted", async () => {
    write("flat/b.png", plain(2));
    write("flat/a.png", plain(1));
    write("flat/more/deep/c.png", plain(3));
    const set = await loadDataset(folderRequest("flat", { split: "unlabelled" }));
    expect([...firstBytes(set), ...set.labels]).toEqual([1, 3, 2, 0, 0, 0]);
  });

  test("may hold links, but none that leads back", async () => {
    write("elsewhere/1.png", plain(5));
    mkdirSync(join(root, "links/a"), { recursive: true });
    symlinkSync(join(root, "elsewhere"), join(root, "links/b"));
    symlinkSync(join(root, "elsewhere/1.png"), join(root, "links/a/2.png"));
    const set = await loadDataset(folderRequest("links"));
    expect([set.classes.join(), ...firstBytes(set)]).toEqual(["a,b", 5, 5]);
    symlinkSync(join(root, "links"), join(root, "links/a/back"));
    expect(await refusal(loadDataset(folderRequest("links")))).toMatch(
      /^links\/a\/back\/a: must not link back to a folder that contains it, got a link to .*links\/a; remove it$/,
    );
  });

  test.each<[string, () => void, Partial<DatasetRequest>, string]>([
    [
      "of no folder",
      () => {},
      {},
      "bad: cannot be read (ENOENT); pictures must be in folders that you have permission to read",
    ],
    [
      "no folder given",
      () => {},
      { folder: undefined },
      "loadDataset: folder must be the folder of your pictures, got nothing",
    ],
    [
      "a file",
      () => write("bad", ""),
      {},
      "bad: cannot be read (ENOTDIR); pictures must be in folders that you have permission to read",
    ],
    [
      "no classes",
      () => write("bad/1.png", plain(1)),
      {},
      "bad: must hold a subfolder of pictures for each class, got none; make them, or set split: unlabelled",
    ],
    [
      "a picture beside the classes",
      () => {
        write("bad/1.png", plain(1));
        write("bad/a/1.png", plain(1));
      },
      {},
      "bad: every picture must be in its class's subfolder, got 1.png; move or remove them",
    ],
    [
      "an empty class",
      () => {
        mkdirSync(join(root, "bad/empty"), { recursive: true });
        write("bad/a/1.png", plain(1));
      },
      {},
      "bad: every class must have pictures (.png, .jpg, .jpeg, .webp), got none in empty; fill or remove the subfolder",
    ],
    [
      "no pictures",
      () => write("bad/a/.DS_Store", ""),
      { split: "unlabelled" },
      "bad: must hold pictures (.png, .jpg, .jpeg, .webp), got none",
    ],
    [
      "other files",
      () => {
        write("bad/a/1.png", plain(1));
        write("bad/a/1.gif", plain(1));
        for (const name of ["x.txt", "y.txt", "z.txt"]) write(`bad/a/${name}`, "");
      },
      {},
      "bad: must hold only pictures (.png, .jpg, .jpeg, .webp), got a/1.gif, a/x.txt, a/y.txt and 1 more; move them out, convert them, or set skipBroken: true",
    ],
    [
      "a link that leads nowhere",
      () => {
        write("bad/a/1.png", plain(1));
        symlinkSync(join(root, "nowhere"), join(root, "bad/a/2.png"));
      },
      {},
      "bad: must hold only pictures (.png, .jpg, .jpeg, .webp), got a/2.png; move them out, convert them, or set skipBroken: true",
    ],
    [
      "splits beside classes",
      () => {
        for (const name of ["train", "bus", "car"]) write(`bad/${name}/1.png`, plain(1));
      },
      {},
      "bad: must hold folders of splits (train, training, test, testing, val, valid, validation, unlabelled, unlabeled) or of classes, got both: train beside bus, car; move or rename them",
    ],
    [
      "a split that is not there",
      () => write("bad/train/a/1.png", plain(1)),
      { split: "test" },
      "loadDataset: split must be one that bad has a subfolder for (it has train), got test",
    ],
    [
      "a test split of a folder without splits",
      () => write("bad/a/1.png", plain(1)),
      { split: "test" },
      "loadDataset: split must be train or unlabelled for bad, which has no subfolder test or val, got test",
    ],
    ["a size that is none", () => {}, { size: 0.5 }, "loadDataset: size must be a whole number from 8 to 256, got 0.5"],
    [
      "keys of another dataset",
      () => {},
      { file: "x.npz" },
      "loadDataset: file must be left out for image-folder, got x.npz; it is for arrays",
    ],
  ])("%s is refused", async (_, make, more, wanted) => {
    rmSync(join(root, "bad"), { recursive: true, force: true });
    make();
    expect(await refusal(loadDataset(folderRequest("bad", more)))).toBe(wanted);
  });

  test.skipIf(process.getuid?.() === 0)(
    "a class that may not be read is refused (skipped as root, who may)",
    async () => {
      write("locked/a/1.png", plain(1));
      chmodSync(join(root, "locked/a"), 0);
      expect(await refusal(loadDataset(folderRequest("locked")))).toBe(
        "locked/a: cannot be read (EACCES); pictures must be in folders that you have permission to read",
      );
      chmodSync(join(root, "locked/a"), 0o700);
    },
  );

  test("names that are not UTF-8 are refused, byte by byte; others are read", async ({ skip }) => {
    write("named/café/ü.png", plain(1));
    const file = Buffer.concat([Buffer.from(join(root, "named/café/")), Buffer.from("caf\xe9 ü.png", "latin1")]);
    try {
      writeFileSync(file, plain(2));
    } catch {
      skip("this file system takes names in UTF-8 alone");
    }
    for (const split of ["train", "unlabelled"] as const)
      expect(await refusal(loadDataset(folderRequest("named", { split, skipBroken: true })))).toBe(
        "named/café: must hold names in UTF-8, got caf\\xe9 \\xfc.png; rename them, from Latin-1 with convmv -f latin1 -t utf8 -r --notest",
      );
    rmSync(file);
    const { classes, count } = await loadDataset(folderRequest("named"));
    expect([...classes, count]).toEqual(["café", 1]);
  });

  test("broken pictures are named, or left out and said to be", async () => {
    for (let i = 0; i < 4; i++) write(`broken/a/${i}.png`, i % 2 === 0 ? plain(i) : plain(i).subarray(0, -30));
    write("broken/b/0.png", plain(9));
    expect(await refusal(loadDataset(folderRequest("broken")))).toMatch(
      /^broken\/a\/1\.png: must be an intact picture, got a damaged one \(.+\); repair it or remove it; the same of a\/3\.png; or set skipBroken: true$/,
    );
    write("broken/b/notes.txt", "");
    for (const way of ["decoded", "kept"]) {
      const notes: string[] = [];
      const set = await loadDataset(folderRequest("broken", { skipBroken: true }), {
        onWarning: (note) => notes.push(note.replaceAll(`${root}/`, "")),
      });
      expect([set.count, ...firstBytes(set), ...set.labels], way).toEqual([3, 0, 9, 2, 0, 1, 0]);
      expect(notes[0]).toMatch(
        /^2 of 5 pictures cannot be read and are left out: broken\/a\/1\.png: must be an intact/,
      );
      expect(notes.slice(1)).toEqual(["left out, because they are not pictures: b/notes.txt"]);
    }
    write("allbroken/a/1.png", "x");
    expect(await refusal(loadDataset(folderRequest("allbroken", { skipBroken: true })))).toMatch(
      /^allbroken: must hold pictures that can be read, got none; allbroken\/a\/1\.png: must be a PNG/,
    );
  });

  test("every broken picture is listed with its class and its reason, and counted by class", async () => {
    for (let i = 0; i < 70; i++) {
      const name = `many-broken/${["ant", "bee", "cat"][i % 3]}/${String(i).padStart(2, "0")}.png`;
      write(name, i % 7 < 4 ? plain(i).subarray(0, -30) : plain(i));
    }
    write("many-broken/bee/notes.txt", "");
    for (const way of ["decoded", "kept"]) {
      const notes: string[] = [];
      const set = await loadDataset(folderRequest("many-broken", { skipBroken: true }), {
        onWarning: (note) => notes.push(note.replaceAll(`${root}/`, "")),
      });
      const leftOut = set.leftOut ?? [];
      const broken = leftOut.filter(({ file }) => file.endsWith(".png"));
      expect([set.count, broken.length, leftOut.length], way).toEqual([30, 40, 41]);
      expect(set.files).toHaveLength(30);
      // What is in the set and what is left out are all files, each once.
      expect(new Set([...(set.files ?? []), ...broken.map(({ file }) => file)]).size).toBe(70);
      for (const [i, file] of (set.files ?? []).entries()) {
        expect(file).toBe(`${set.classes[set.labels[i]]}/${file.slice(4)}`);
        expect(firstBytes(set)[i]).toBe(Number(file.slice(4, 6)));
      }
      for (const { file, class: name, why } of broken) {
        expect(file.startsWith(`${name}/`)).toBe(true);
        expect(why).toMatch(
          /^must be an intact picture, got a damaged one \((vipspng: .+|in its header)\); repair it or remove it$/,
        );
      }
      expect(leftOut.find(({ file }) => file.endsWith(".txt"))).toEqual({
        file: "bee/notes.txt",
        class: "bee",
        why: "is not a picture by its name",
      });
      expect(notes.find((note) => note.startsWith("40 of 70"))).toMatch(
        /^40 of 70 pictures cannot be read and are left out: many-broken\/ant\/00\.png: .+; 14 of 24 in ant, 13 of 23 in bee, 13 of 23 in cat$/,
      );
    }
  });

  test("a class of broken pictures alone is refused, as an empty one is", async () => {
    write("hollow/ant/1.png", plain(1));
    write("hollow/bee/1.png", "text");
    write("hollow/bee/2.png", plain(2).subarray(0, -30));
    expect(await refusal(loadDataset(folderRequest("hollow", { skipBroken: true })))).toMatch(
      /^hollow: every class must have pictures that can be read, got none in bee; fill or remove the subfolder \(hollow\/bee\/1\.png: must be a PNG.*\)$/,
    );
    write("hollow/bee/3.png", plain(3));
    expect((await loadDataset(folderRequest("hollow", { skipBroken: true }))).count).toBe(2);
    expect(
      (await loadDataset(folderRequest("hollow", { skipBroken: true, split: "unlabelled" }))).leftOut,
    ).toMatchObject([{ file: "bee/1.png", class: "unlabelled" }, { file: "bee/2.png" }]);
  });

  test("a reason that is kept speaks of the file as it is called now", async () => {
    write("called/a/1.png", plain(1));
    write("called/a/2.png", plain(1).subarray(0, -30));
    const noted = async (folder: string): Promise<string | undefined> => {
      const notes: string[] = [];
      await loadDataset(folderRequest(folder, { skipBroken: true }), { onWarning: (note) => notes.push(note) });
      return notes.find((note) => /cannot be read/.test(note))?.replaceAll(`${root}/`, "");
    };
    expect(await noted("called")).toMatch(/left out: called\/a\/2\.png: must/);
    symlinkSync(join(root, "called"), join(root, "otherwise"));
    expect(await noted("otherwise")).toMatch(/left out: otherwise\/a\/2\.png: must/);
  });

  test.each([
    ["Train", "Test", "Test"],
    ["TRAIN", "VAL", "VAL"],
    ["Training", "Testing", "Testing"],
    ["training", "validation", "validation"],
    ["train", "Valid", "Valid"],
    ["train", "TEST", "TEST"],
  ])("splits called %s and %s are splits", async (train, test, chosen) => {
    rmSync(join(root, "cased"), { recursive: true, force: true });
    for (const [i, path] of [`${train}/a/1`, `${train}/b/1`, `${test}/a/1`, `${test}/b/1`].entries())
      write(`cased/${path}.png`, plain(10 * i));
    const of = async (split: DatasetRequest["split"]) =>
      firstBytes(await loadDataset(folderRequest("cased", { split })));
    expect([await of("train"), await of("unlabelled"), await of("test")]).toEqual([
      [0, 10],
      [0, 10],
      [20, 30],
    ]);
    expect((await loadDataset(folderRequest("cased", { split: "test" }))).name).toBe(`cased ${chosen}`);
    mkdirSync(join(root, "cased", "Training-2"), { recursive: true });
    expect(await refusal(loadDataset(folderRequest("cased")))).toMatch(
      /^cased: must hold folders of splits \(.*\) or of classes, got both: /,
    );
  });

  test("two folders for one split are refused", async () => {
    for (const name of ["train", "Training"]) write(`doubled/${name}/a/1.png`, plain(1));
    expect(await refusal(loadDataset(folderRequest("doubled")))).toBe(
      "doubled: must hold one folder called train or training, got Training and train; move them into one",
    );
  });

  test.each([
    ["seg_train and seg_test", ["seg_train/a", "seg_test/a", "seg_pred/a"], "", "seg_pred, seg_test, seg_train"],
    ["train2017 and val2017", ["train2017/a", "val2017/a"], "", "train2017, val2017"],
    ["Training Set and Test Set", ["Training Set/a", "Test Set/a"], "", "Test Set, Training Set"],
    ["trainA and testA", ["trainA", "testA"], "", "testA, trainA"],
    ["TrainData alone", ["TrainData/a"], "", "TrainData"],
    ["folds", ["fold1/a", "fold2/a", "fold3/a"], "", "fold1, fold2, fold3"],
    ["splits within a class", ["bottle/train", "bottle/test", "cable/train"], "/bottle", "test, train"],
    [
      "splits within a class within a split",
      ["train/cat/Train", "train/cat/Test", "train/dog"],
      "/train/cat",
      "Test, Train",
    ],
    ["tr and te", ["tr/a", "te/a"], "", "te, tr"],
    ["Trainingsdaten and Testdaten", ["Trainingsdaten/a", "Testdaten/a"], "", "Testdaten, Trainingsdaten"],
    ["minitrain and minival", ["minitrain/a", "minival/a"], "", "minitrain, minival"],
    ["a split within its split", ["train/seg_train/a", "test/seg_test/a"], "/train", "seg_train"],
  ])("%s would be classes, and are refused", async (_, paths, where, names) => {
    rmSync(join(root, "hidden"), { recursive: true, force: true });
    for (const [i, path] of paths.entries()) write(`hidden/${path}/1.png`, plain(i));
    const sentence = `hidden${where}: must hold folders of splits called train, training, test, testing, val, valid, validation, unlabelled, unlabeled, or classes, got ${names}, which look like splits; if they are splits, give them these names, directly in the dataset's folder; if they are classes, rename them`;
    expect(await refusal(loadDataset(folderRequest("hidden")))).toBe(sentence);
    // Pictures without labels would be the test pictures too.
    if (where !== "/train")
      expect(await refusal(loadDataset(folderRequest("hidden", { split: "unlabelled" })))).toBe(sentence);
  });

  test.each([
    [["freight_train", "bus", "car"]],
    [["test_tube", "beaker"]],
    [["protest", "strain"]],
    [["contest", "validity", "training_shoe_and_more"]],
  ])("%j are classes", async (names) => {
    rmSync(join(root, "classes"), { recursive: true, force: true });
    for (const name of names) write(`classes/${name}/1.png`, plain(1));
    expect((await loadDataset(folderRequest("classes"))).classes).toEqual([...names].sort());
  });

  test("of 16 bits have a range of their own, and are said to be nearly black where fewer bits are used without one", async () => {
    const levels = Uint16Array.from({ length: 64 }, (_, i) => 65 * i);
    const deep = (values: Uint16Array, space: "grey16" | "rgb16"): Promise<Buffer> =>
      raw(8, 8, values).toColourspace(space).png().toBuffer();
    write("deep/a/1.png", await deep(levels, "grey16"));
    write(
      "deep/a/2.png",
      await deep(
        Uint16Array.from({ length: 192 }, (_, i) => levels[Math.floor(i / 3)]),
        "rgb16",
      ),
    );
    const wanted = [...levels].flatMap((level) => Array(3).fill(Math.round((255 * level) / 4095)));
    const ranged = await loadDataset(folderRequest("deep", { valueRange: [0, 4095] }));
    expect([...ranged.pixels]).toEqual([...wanted, ...wanted]);
    expect([
      ...(await loadDataset(folderRequest("deep", { valueRange: [1000, 2000] }))).pixels.subarray(0, 192),
    ]).toEqual(
      [...levels].flatMap((level) =>
        Array(3).fill(Math.min(255, Math.max(0, Math.round((255 * (level - 1000)) / 1000)))),
      ),
    );
    const notes: string[] = [];
    await loadDataset(folderRequest("deep"), { onWarning: (note) => notes.push(note.replaceAll(`${root}/`, "")) });
    expect(notes).toContain(
      "deep: nothing in its pictures is brighter than level 15 of 255; for 12-bit pictures in 16-bit files, set valueRange: [0, 4095]",
    );
    for (const range of [
      [0, 65536],
      [-1, 5],
      [5, 5],
    ] as const)
      expect(await refusal(loadDataset(folderRequest("deep", { valueRange: range })))).toBe(
        `loadDataset: valueRange must be [low, high] from 0 to 65535, of pictures of 16 bits, got [${range.join(", ")}]`,
      );
    write("deep/a/3.png", plain(3));
    expect(await refusal(loadDataset(folderRequest("deep", { valueRange: [0, 4095] })))).toMatch(
      /^deep\/a\/3\.png: must have 16 bits a colour, as valueRange is given, got fewer; leave valueRange out for such pictures/,
    );
  });

  test("a class has one name, however its accents are written", async ({ skip }) => {
    const [composed, apart] = ["caf\u00e9", "cafe\u0301"];
    for (const [split, name] of [
      ["train", composed],
      ["test", apart],
    ])
      for (const other of ["cafz", name, "zoo"]) write(`accents/${split}/${other}/1.png`, plain(other.length));
    if (readdirSync(join(root, "accents/test")).includes(composed)) skip("this file system composes names itself");
    const [train, test] = [
      await loadDataset(folderRequest("accents")),
      await loadDataset(folderRequest("accents", { split: "test" })),
    ];
    expect(train.classes).toEqual(["cafz", composed, "zoo"]);
    expect(test.classes).toEqual(train.classes);
    expect(firstBytes(test)).toEqual([4, 5, 3]);
    write(`accents/test/${composed}/1.png`, plain(1));
    expect(await refusal(loadDataset(folderRequest("accents", { split: "test" })))).toBe(
      `accents/test: must hold one folder for each class, got two called ${composed}, which differ only in their Unicode normalisation; move them into one`,
    );
  });

  test("more than 4 GiB of pictures is refused before any is read", async () => {
    mkdirSync(join(root, "many/a"), { recursive: true });
    const most = Math.floor(2 ** 32 / (256 * 256 * 3));
    for (let i = 0; i <= most; i++) symlinkSync("nothing.png", join(root, `many/a/${i}.png`));
    write("many/a/nothing.png", "");
    expect(await refusal(describeDataset(folderRequest("many", { size: 256 })))).toBe(
      `loadDataset: limit must be at most ${most}, which is 4 GiB of pictures, got ${most + 2}`,
    );
  });
});

describe("decoded pictures are kept", () => {
  const load = async (more: Partial<DatasetRequest> = {}) => {
    let decoded = 0;
    const notes: string[] = [];
    const set = await loadDataset(folderRequest("kept", more), {
      onPicture: () => decoded++,
      onNote: (note) => notes.push(note),
      onWarning: (warning) => notes.push(warning),
    });
    return { decoded, notes, values: firstBytes(set) };
  };
  const kept = join(cache, "saccade", "pictures");
  const files = (): string[] => readdirSync(kept);
  const make = (): void => {
    rmSync(join(root, "kept"), { recursive: true, force: true });
    write("kept/a/1.png", plain(1));
    write("kept/b/1.png", plain(2));
  };

  test("and decoded once, for every size and number", async () => {
    make();
    const { decoded, notes, values } = await load();
    expect([decoded, ...values]).toEqual([2, 1, 2]);
    expect(notes).toEqual([`the decoded pictures are cached: 384 B in ${join(kept, files()[0])}`]);
    expect(await load()).toEqual({ decoded: 0, notes: [], values: [1, 2] });
    expect((await load({ size: 16 })).decoded).toBe(2);
    expect((await load({ limit: 1 })).decoded).toBe(1);
    expect((await load()).decoded).toBe(0);
    expect(files()).toHaveLength(3);
  });

  test.each<[string, () => void, number[]]>([
    ["a picture more", () => write("kept/b/2.png", plain(3)), [1, 2, 3]],
    ["a picture less", () => rmSync(join(root, "kept/a"), { recursive: true }), [2]],
    ["a renamed class", () => renameSync(join(root, "kept/a"), join(root, "kept/c")), [2, 1]],
    ["another picture", () => write("kept/a/1.png", plain(7, 5)), [7, 2]],
    [
      "a picture of the same size at another time",
      () => {
        const [before, after] = [plain(2), plain(9)];
        expect(after).toHaveLength(before.length);
        write("kept/b/1.png", after);
        utimesSync(join(root, "kept/b/1.png"), 1000, 1000);
      },
      [1, 9],
    ],
  ])("but not after %s", async (_, change, wanted) => {
    make();
    await load();
    change();
    const { decoded, values } = await load();
    expect([decoded, ...values]).toEqual([wanted.length, ...wanted]);
    expect((await load()).decoded).toBe(0);
  });

  test("but not after two of one size and time have changed places", async () => {
    rmSync(join(root, "kept"), { recursive: true, force: true });
    const [one, other] = [write("kept/a/1.png", plain(2)), write("kept/b/1.png", plain(9))];
    for (const path of [one, other]) utimesSync(path, 1000, 1000);
    expect((await load()).values).toEqual([2, 9]);
    renameSync(join(root, "kept/a"), join(root, "kept/c"));
    expect((await load()).values).toEqual([9, 2]);
  });

  test.each<[string, (path: string) => void]>([
    ["cut short", (path) => truncateSync(path, 200)],
    ["empty", (path) => truncateSync(path, 0)],
    [
      "of other bytes",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 1] ^= 1;
        writeFileSync(path, bytes);
      },
    ],
  ])("and a file of them that is %s counts as none", async (_, damage) => {
    make();
    await load();
    damage(join(cache, "saccade", "pictures", files()[0]));
    expect(await load()).toMatchObject({ decoded: 2, values: [1, 2] });
    expect((await load()).decoded).toBe(0);
    expect(files()).toHaveLength(1);
  });

  test("or not, where they cannot be, which is said", async () => {
    make();
    writeFileSync(cache, "a file where the folder should be");
    const { decoded, notes, values } = await load();
    expect([decoded, ...values]).toEqual([2, 1, 2]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^the decoded pictures could not be cached, so every run will decode them again: E/);
  });
});

/** Labels as NumPy makes them by default. */
function i8(...values: number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => {
    bytes.writeBigInt64LE(BigInt(value), 8 * i);
  });
  return npy("<i8", [values.length], bytes);
}

describe("arrays", () => {
  const pixels = randomBytes(4 * 5 * 6 * 3);
  const x = npy("|u1", [4, 5, 6, 3], pixels);
  const y = i8(0, 1, 1, 0);
  const arrays = (more: Partial<DatasetRequest> = {}): DatasetRequest => ({
    dataset: "arrays",
    split: "train",
    file: join(root, "a.npz"),
    ...more,
  });
  const save = (content: Record<string, Buffer>, deflated = false): string => write("a.npz", npz(content, deflated));

  test.each([false, true])("of an .npz, deflated %s, as many as are wanted", async (deflated) => {
    save({ x, y }, deflated);
    const set = await loadDataset(arrays());
    expect(set).toMatchObject({ name: "a.npz", count: 4, height: 5, width: 6, channels: 3, classes: ["0", "1"] });
    expect([...set.pixels]).toEqual([...pixels]);
    expect([...set.labels]).toEqual([0, 1, 1, 0]);
    const some = await loadDataset(arrays({ limit: 3 }));
    expect([...some.pixels, ...some.labels]).toEqual([...pixels.subarray(0, 270), 0, 1, 1]);
    const { pixels: _, labels, ...rest } = some;
    expect(await describeDataset(arrays({ limit: 3 }))).toEqual(rest);
    expect((await loadDataset(arrays({ grey: true }))).channels).toBe(1);
  });

  test("of a folder of .npy files", async () => {
    write("npys/images.npy", x);
    write("npys/labels.npy", npy("|u1", [4, 1], Buffer.of(2, 0, 1, 1)));
    write("npys/readme.txt", "");
    const set = await loadDataset(arrays({ file: undefined, folder: join(root, "npys") }));
    expect([set.name, ...set.labels]).toEqual(["npys", 2, 0, 1, 1]);
    expect([...set.pixels]).toEqual([...pixels]);
  });

  test("channels last, channels first, and none", async () => {
    const first = Buffer.alloc(pixels.length);
    for (let n = 0; n < 4; n++)
      for (let c = 0; c < 3; c++)
        for (let i = 0; i < 30; i++) first[(n * 3 + c) * 30 + i] = pixels[(n * 30 + i) * 3 + c];
    save({ x: npy("|u1", [4, 3, 5, 6], first), y });
    const set = await loadDataset(arrays());
    expect([set.height, set.width, set.channels]).toEqual([5, 6, 3]);
    expect([...set.pixels]).toEqual([...pixels]);
    for (const shape of [
      [4, 5, 6],
      [4, 5, 6, 1],
      [4, 1, 5, 6],
    ]) {
      save({ x: npy("|u1", shape, pixels.subarray(0, 120)), y });
      const one = await loadDataset(arrays());
      expect([one.height, one.width, one.channels, ...one.pixels]).toEqual([5, 6, 1, ...pixels.subarray(0, 120)]);
    }
  });

  test("splits by the arrays' names", async () => {
    const rows = (count: number, value: number): Buffer => npy("|u1", [count, 4, 4], Buffer.alloc(16 * count, value));
    save({
      x_train: rows(3, 1),
      y_train: i8(0, 2, 1),
      test_images: rows(2, 2),
      Test_Labels: i8(1, 0),
      val_images: rows(1, 3),
      val_labels: i8(0),
    });
    const of = async (split: DatasetRequest["split"]) => {
      const { name, classes, ...set } = await loadDataset(arrays({ split }));
      return [name, classes.length, ...firstBytes(set), ...set.labels];
    };
    expect(await of("train")).toEqual(["a.npz train", 3, 1, 1, 1, 0, 2, 1]);
    // The highest class is not among these two, and is one all the same.
    expect(await of("test")).toEqual(["a.npz test", 3, 2, 2, 1, 0]);
    expect(await of("unlabelled")).toEqual(["a.npz train", 1, 1, 1, 1, 0, 0, 0]);
    save({ X: rows(2, 5) });
    expect(await of("unlabelled")).toEqual(["a.npz", 1, 5, 5, 0, 0]);
  });

  test("classes by name", async () => {
    save({ x, y: i8(3, 1, 1, 3) });
    const set = await loadDataset(arrays({ classes: ["ant", "bee", "cat", "dog"] }));
    expect([...set.classes, ...set.labels]).toEqual(["ant", "bee", "cat", "dog", 3, 1, 1, 3]);
  });

  test("classes as text: the same class has one number in every split, whichever of them a split has", async () => {
    const text = (...names: string[]): Buffer => {
      const values = Buffer.alloc(names.length * 16);
      names.forEach((name, i) => {
        Array.from(name).forEach((letter, k) => {
          values.writeUInt32LE(letter.codePointAt(0) ?? 0, 16 * i + 4 * k);
        });
      });
      return npy("<U4", [names.length], values);
    };
    const rows = (count: number): Buffer => npy("|u1", [count, 4, 4], Buffer.alloc(16 * count));
    save({ x_train: rows(3), y_train: text("cat", "bee", "ant"), x_test: rows(2), y_test: text("cat", "ant") });
    const [train, test] = [await loadDataset(arrays()), await loadDataset(arrays({ split: "test" }))];
    expect([train.classes, test.classes]).toEqual([
      ["ant", "bee", "cat"],
      ["ant", "bee", "cat"],
    ]);
    expect([...train.labels, ...test.labels]).toEqual([2, 1, 0, 2, 0]);
    const named = { classes: ["dog", "cat", "bee", "ant"] };
    expect([...(await loadDataset(arrays(named))).labels]).toEqual([1, 2, 3]);
    expect(await refusal(loadDataset(arrays({ classes: ["cat", "ant"] })))).toBe(
      'a.npz: y_train: label 1 must be one of the classes cat, ant, got "bee"; name every class',
    );
    save({ x_train: rows(3), y_train: text("1", "0", "2"), x_test: rows(2), y_test: i8(0, 1) });
    expect(await refusal(loadDataset(arrays()))).toBe(
      "a.npz: y_train, a.npz: y_test: labels must be numbers in every split, or text in every split, got both; save all as text: y.astype(str)",
    );
    save({ x: rows(2), y: npy("|S4", [2], Buffer.from("cat\0ant\0")) });
    expect([...(await loadDataset(arrays())).labels]).toEqual([1, 0]);
  });

  test("labels of every type that says whole numbers", async () => {
    for (const labels of [
      npy("<f4", [4], Buffer.from(Float32Array.of(0, 1, 1, 0).buffer)),
      npy(">f8", [4, 1], Buffer.from(Float64Array.of(0, 1, 1, 0).buffer).swap64()),
      npy("|b1", [4], Buffer.of(0, 1, 1, 0)),
      npy(">i8", [4], Buffer.from(BigInt64Array.of(0n, 1n, 1n, 0n).buffer).swap64()),
      npy("<u2", [4, 1, 1], Buffer.from(Uint16Array.of(0, 1, 1, 0).buffer)),
    ]) {
      save({ x, y: labels });
      const set = await loadDataset(arrays());
      expect([...set.labels, ...set.classes]).toEqual([0, 1, 1, 0, "0", "1"]);
    }
  });

  describe("of other numbers than bytes have a valueRange", () => {
    /** 4 pictures of 5 × 6 in three channels, from numbers that `store` makes of levels. */
    const stored = (type: string, of: (numbers: number[]) => ArrayBufferLike, low: number, high: number): Buffer =>
      npy(
        type,
        [4, 5, 6, 3],
        Buffer.from(of([...pixels].map((level) => low + ((high - low) * level) / 255)) as ArrayBuffer),
      );

    test.each<[string, (numbers: number[]) => ArrayBufferLike, number, number]>([
      ["<u2", (n) => Uint16Array.from(n, Math.round).buffer, 0, 65535],
      ["<u2", (n) => Uint16Array.from(n, Math.round).buffer, 0, 4095],
      [">u2", (n) => Buffer.from(Uint16Array.from(n, Math.round).buffer).swap16().buffer, 100, 3000],
      ["<i2", (n) => Int16Array.from(n, Math.round).buffer, -1024, 3071],
      ["|i1", (n) => Int8Array.from(n, Math.round).buffer, -128, 127],
      ["<u4", (n) => Uint32Array.from(n, Math.round).buffer, 0, 4e9],
      ["<i8", (n) => BigInt64Array.from(n, (value) => BigInt(Math.round(value))).buffer, 0, 1e12],
      ["<f4", (n) => Float32Array.from(n).buffer, 0, 1],
      ["<f4", (n) => Float32Array.from(n).buffer, -1, 1],
      ["<f8", (n) => Float64Array.from(n).buffer, 0, 255],
      ["<f4", (n) => Float32Array.from(n).buffer, -2.118, 2.64],
    ])("%s, %#: %d is black, %d is white", async (type, of, low, high) => {
      save({ x: stored(type, of, low, high), y });
      const set = await loadDataset(arrays({ valueRange: [low, high] }));
      expect([...set.pixels]).toEqual([...pixels]);
      const { pixels: _, labels, ...rest } = set;
      expect(await describeDataset(arrays({ valueRange: [low, high] }))).toEqual(rest);
    });

    test("and where they are bytes of a few levels, that is said", async () => {
      const notes: string[] = [];
      for (const most of [1, 15, 16]) {
        save({ x: npy("|u1", [1, 2, 2], Buffer.of(0, most, 0, 1)), y: i8(0) });
        const {
          pixels: [, level],
        } = await loadDataset(arrays(), { onWarning: (note) => notes.push(note) });
        expect(level).toBe(most);
      }
      expect(notes.map((note) => note.replaceAll(`${root}/`, ""))).toEqual(
        [1, 15].map(
          () =>
            "a.npz: x: nothing in its pictures is brighter than level 15 of 255; for levels from 0 to 1, set valueRange: [0, 1]",
        ),
      );
    });

    test("of their own, too: bits and few levels", async () => {
      save({ x: npy("|b1", [1, 2, 2], Buffer.of(0, 1, 1, 0)), y: i8(0) });
      expect([...(await loadDataset(arrays({ valueRange: [0, 1] }))).pixels]).toEqual([0, 255, 255, 0]);
      save({ x: npy("|u1", [1, 2, 2], Buffer.of(0, 8, 16, 4)), y: i8(0) });
      expect([...(await loadDataset(arrays({ valueRange: [0, 16] }))).pixels]).toEqual([0, 128, 255, 64]);
    });

    test("and what lies beyond it is refused, by more than half a level", async () => {
      save({ x: npy("<f4", [1, 2, 2], Buffer.from(Float32Array.of(0, 1, 1.001, 0.5).buffer)), y: i8(0) });
      expect([...(await loadDataset(arrays({ valueRange: [0, 1] }))).pixels]).toEqual([0, 255, 255, 128]);
      for (const value of [1.01, Number.NEGATIVE_INFINITY]) {
        const numbers = Float32Array.of(0, value, 0.5, 1);
        save({ x: npy("<f4", [1, 2, 2], Buffer.from(numbers.buffer)), y: i8(0) });
        expect(await refusal(loadDataset(arrays({ valueRange: [0, 1] })))).toBe(
          `a.npz: x: pictures must lie within their valueRange, [0, 1], got ${numbers[1]}; widen it, or save numpy.clip(x, 0, 1)`,
        );
      }
      // No clipping mends what is no number.
      save({ x: npy("<f4", [1, 2, 2], Buffer.from(Float32Array.of(0, Number.NaN, 0.5, 1).buffer)), y: i8(0) });
      expect(await refusal(loadDataset(arrays({ valueRange: [0, 1] })))).toBe(
        "a.npz: x: pictures must lie within their valueRange, [0, 1], got NaN; leave out pictures with NaN: x[numpy.isfinite(x.reshape(len(x), -1)).all(1)], and their labels",
      );
      save({ x, y });
      expect(await refusal(loadDataset(arrays({ valueRange: [255, 0] })))).toBe(
        "loadDataset: valueRange must be [low, high], the values that are black and white, got [255, 0]",
      );
      expect(await refusal(loadDataset({ dataset: "mnist", split: "train", valueRange: [0, 1] }))).toBe(
        "loadDataset: valueRange must be left out for mnist, got [0, 1]; it is for image-folder",
      );
    });

    test.each<[string, Buffer, string]>([
      ["<u2", npy("<u2", [1, 2, 2], Buffer.from(Uint16Array.of(3, 4071, 9, 9).buffer)), "from 3 to 4071"],
      ["|i1", npy("|i1", [1, 2, 2], Buffer.from(Int8Array.of(-128, 127, 9, 9).buffer)), "from -128 to 127"],
      ["<f4", npy("<f4", [1, 2, 2], Buffer.from(Float32Array.of(0, 1, 0.5, 0.5).buffer)), "from 0 to 1"],
      ["<f8", npy("<f8", [1, 2, 2], Buffer.from(Float64Array.of(0, Number.NaN, 1, 1).buffer)), "from 0 to 1, and NaN"],
      ["|b1", npy("|b1", [1, 2, 2], Buffer.of(0, 1, 1, 1)), "from 0 to 1"],
    ])("without which they are refused, with what is in them: %s", async (type, content, extent) => {
      save({ x: content, y: i8(0) });
      expect(await refusal(describeDataset(arrays()))).toBe(
        `a.npz: x: pictures must be bytes, 0 to 255 (uint8), or have a valueRange, got ${type} ${extent}; set valueRange: [low, high] to the values that are black and white, the same in every split`,
      );
    });
  });

  test.each<[string, Record<string, Buffer>, Partial<DatasetRequest>, string]>([
    [
      "fractions as labels",
      { x, y: npy("<f8", [4], Buffer.from(Float64Array.of(0, 0.5, 1, 1).buffer)) },
      {},
      "a.npz: y: labels must be whole numbers, got 0.5 as label 1; number the classes from 0",
    ],
    [
      "fractions as labels of the other split",
      {
        x_train: x,
        y_train: y,
        x_test: x,
        y_test: npy("<f4", [4, 1], Buffer.from(Float32Array.of(0, 1, 1, Number.NaN).buffer)),
      },
      {},
      "a.npz: y_test: labels must be whole numbers, got NaN as label 3; number the classes from 0",
    ],
    [
      "objects as labels",
      { x, y: npy("|O", [4], Buffer.alloc(48)) },
      {},
      "a.npz: y: labels must be whole numbers, or the names of classes as text, got Python's objects (|O); save y.astype(str)",
    ],
    [
      "objects as pictures",
      { x: npy("|O", [4], Buffer.alloc(48)), y },
      {},
      "a.npz: x: pictures must be numbers, got Python's objects (|O); save pictures of one size: numpy.array(x.tolist())",
    ],
    [
      "objects as pictures of one size",
      { x: npy("|O", [4, 2, 2], Buffer.alloc(48)), y },
      {},
      "a.npz: x: pictures must be numbers, got Python's objects (|O); save pictures of one size: numpy.array(x.tolist())",
    ],
    [
      "names of files as pictures",
      { x: npy("<U3", [4], Buffer.alloc(48)), y },
      {},
      "a.npz: x: pictures must be numbers, got text (<U3); save the pictures themselves, not their names",
    ],
    [
      "complex numbers",
      { x: npy("<c8", [1, 2, 2], Buffer.alloc(32)), y: i8(0) },
      {},
      "a.npz: x: pictures must be numbers, got others (<c8); save real numbers",
    ],
    [
      "half precision",
      { x: npy("<f2", [1, 2, 2], Buffer.alloc(8)), y: i8(0) },
      {},
      "a.npz: x: pictures must be numbers, got half precision (<f2); save x.astype('float32')",
    ],
    [
      "channels that may be rows",
      { x: npy("|u1", [1, 3, 8, 3], Buffer.alloc(72)), y: i8(0) },
      {},
      "a.npz: x: channels must be recognisable by a 1 or 3 at the first or last place of the shape, got [1, 3, 8, 3], which has it at both; save pictures of one channel as [n, h, w], others larger than 3 × 3",
    ],
    [
      "four channels",
      { x: npy("|u1", [1, 8, 8, 4], Buffer.alloc(256)), y: i8(0) },
      {},
      "a.npz: x: pictures must be [n, h, w], [n, h, w, c] or [n, c, h, w] with 1 or 3 channels, got [1, 8, 8, 4]; scale pictures of several sizes to one size, and leave out a fourth channel",
    ],
    [
      "no pictures",
      { x: npy("|u1", [0, 8, 8], Buffer.alloc(0)), y: i8() },
      {},
      "a.npz: x: must hold at least one picture, got [0, 8, 8]; save some",
    ],
    [
      "labels from 1",
      { x, y: i8(1, 2, 2, 1) },
      {},
      "a.npz: y: labels must be 0 to 1, as they are of 2 classes, got 1 to 2; save y - 1, in every split alike",
    ],
    [
      "a class left out",
      { x, y: i8(0, 1, 3, 1_000_000) },
      {},
      "a.npz: y: labels must be 0 to 3, as they are of 4 classes, got 0 to 1000000; number them so, in every split alike",
    ],
    [
      "negative labels",
      { x, y: i8(0, -1, 1, 0) },
      {},
      "a.npz: y: labels must be 0 to 2, as they are of 3 classes, got -1 to 1; number them so, in every split alike",
    ],
    [
      "a label beyond the named classes",
      { x, y: i8(0, 2, 1, 0) },
      { classes: ["a", "b"] },
      "a.npz: y: label 1 must be from 0 to 1, as there are 2 classes, got 2; number them so, or name every class",
    ],
    [
      "too few labels",
      { x, y: i8(0, 1) },
      {},
      "a.npz: y: must hold 4 labels, one for each picture, got 2; save one for each",
    ],
    [
      "one-hot labels",
      { x, y: npy("|u1", [4, 2], Buffer.of(1, 0, 0, 1, 0, 1, 1, 0)) },
      {},
      "a.npz: y: labels must be one number for each picture, [4], got [4, 2]; save y.argmax(1)",
    ],
    [
      "labels of several classes at once",
      { x, y: npy("|u1", [4, 2], Buffer.of(1, 1, 0, 1, 0, 1, 1, 0)) },
      {},
      "a.npz: y: labels must be one number for each picture, [4], got [4, 2]; save the number of its class for each picture",
    ],
    [
      "a class left out of few",
      { x, y: i8(0, 1, 3, 1) },
      {},
      "a.npz: y: labels must be 0 to 2, as they are of 3 classes, got 0 to 3; number them so, in every split alike, or name the classes of all numbers from 0 to 3: classes: [cat, dog, …]",
    ],
    [
      "no labels",
      { x },
      {},
      "a.npz: must hold labels beside the pictures, called labels or y, got x; or set split: unlabelled",
    ],
    [
      "names that say nothing",
      { arr_0: x, arr_1: y },
      {},
      "a.npz: must hold an array of pictures called images or x, or train_images, x_test and so on, got arr_0, arr_1; save them as numpy.savez(file, images=…, labels=…) does",
    ],
    [
      "two arrays for one",
      { x, images: x, y },
      {},
      "a.npz: must hold one array of images, got x and images; save it without the others",
    ],
    [
      "a split that is not there",
      { x_train: x, y_train: y },
      { split: "test" },
      "loadDataset: split must be one that a.npz has pictures of (it has train), got test",
    ],
    [
      "a test split of arrays without splits",
      { x, y },
      { split: "test" },
      "loadDataset: split must be left out for a.npz, whose arrays are of one split, got test",
    ],
    [
      "a size",
      { x, y },
      { size: 32 },
      "loadDataset: size must be left out for arrays, got 32; its pictures have a size of their own",
    ],
    [
      "file and folder",
      { x, y },
      { folder: "b" },
      "loadDataset: file must be an .npz file, or folder a folder of .npy files, got both",
    ],
  ])("%s is refused", async (_, content, more, wanted) => {
    save(content);
    expect(await refusal(loadDataset(arrays(more)))).toBe(wanted);
  });

  test("an .npz that lies about its size or holds another checksum is refused", async () => {
    const whole = npz({ x, y });
    const place = whole.indexOf(pixels);
    whole[place] ^= 1;
    write("a.npz", whole);
    expect(await refusal(loadDataset(arrays()))).toBe(
      "a.npz: must be an intact .npz file, got a damaged one (another checksum); save it again with numpy.savez",
    );
    // The directory says that 4 GiB are in a few hundred bytes.
    const bomb = npz({ x, y }, true);
    bomb.writeUInt32LE(0xfffffff0, bomb.indexOf("PK\x01\x02") + 24);
    write("a.npz", bomb);
    expect(await refusal(loadDataset(arrays()))).toMatch(
      /^a\.npz: must be an intact \.npz file, got a damaged one \(4294967280 bytes in \d+\); save it again with numpy\.savez$/,
    );
    write("a.npz", x);
    expect(await refusal(loadDataset(arrays()))).toBe(
      "a.npz: must be an .npz file, of pictures and labels, got a single .npy array; save both: numpy.savez(file, images=x, labels=y)",
    );
    write("a.npz", Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"));
    expect(await refusal(loadDataset(arrays()))).toBe(
      "a.npz: must be an .npz file, got a pointer of Git LFS; fetch what it stands for: git lfs pull",
    );
    write("a.npz", pixels);
    expect(await refusal(loadDataset(arrays()))).toBe(
      "a.npz: must be an intact .npz file, got a damaged one (End of central directory record signature not found); save it again with numpy.savez",
    );
    expect(await refusal(loadDataset(arrays({ file: join(root, "none.npz") })))).toBe(
      "none.npz: cannot be read (ENOENT); it must be a file that you have permission to read",
    );
  });

  const numpy = (() => {
    try {
      execFileSync("python3", ["-c", "import numpy"], { stdio: "ignore" });
      return "";
    } catch {
      return " (skipped: no python3 with numpy)";
    }
  })();
  test.skipIf(numpy)(`are what NumPy writes${numpy}`, async () => {
    for (const how of ["savez", "savez_compressed"]) {
      const script = `import numpy as n; n.${how}(${JSON.stringify(join(root, "a.npz"))}, x=(n.arange(300) % 251).astype('u1').reshape(4, 5, 5, 3), y=n.array([1, 0, 2, 1]))`;
      execFileSync("python3", ["-c", script]);
      const set = await loadDataset(arrays());
      expect([...set.pixels]).toEqual(Array.from({ length: 300 }, (_, i) => i % 251));
      expect([...set.labels]).toEqual([1, 0, 2, 1]);
    }
  });

  test.skipIf(numpy).each<[string, string, Partial<DatasetRequest>]>([
    ["x in Fortran order", "x = n.asfortranarray(x)", {}],
    ["half precision", "x = (x / 255).astype('f2')", { valueRange: [0, 1] }],
    ["objects that are pictures", "o = n.empty(4, object); o[:] = list(x); x = o", {}],
    ["objects that are numbers", "x = x.astype(object)", { valueRange: [0, 255] }],
    ["objects as labels", "y = n.array(['no', 'yes', 'yes', 'no'], object)", {}],
    ["one-hot labels", "y = n.eye(2, dtype='u1')[y]", {}],
    ["labels from 1", "y = (y + 1).astype('u1')", {}],
    ["long doubles", "x = (x / 255).astype('longdouble')", { valueRange: [0, 1] }],
    ["outliers", "x = x / 255; x[0, 0, 0] = [1.5, -0.5, 1]", { valueRange: [0, 1] }],
  ])(`%s: the mend that is named, done to the letter, gives the right data${numpy}`, async (_, spoil, more) => {
    const file = JSON.stringify(join(root, "a.npz"));
    const run = (script: string): string => execFileSync("python3", ["-c", script], { encoding: "utf8" });
    run(
      `import numpy as n; x = (n.arange(300) % 251).astype('u1').reshape(4, 5, 5, 3); x[0, 0, 0] = [255, 0, 255]; y = n.array([0, 1, 1, 0]); n.savez(${JSON.stringify(join(root, "truth.npz"))}, x=x, y=y); ${spoil}; n.savez(${file}, x=x, y=y)`,
    );
    const sentence = await refusal(loadDataset(arrays(more)));
    const [, what, mend] =
      /^a\.npz: ([xy]): .*(?:; save|or save|:) (\S.*?)(?:, in every split alike)?$/.exec(sentence) ?? [];
    run(
      `import numpy; import numpy as n; a = dict(n.load(${file}, allow_pickle=True)); x, y = a['x'], a['y']; a['${what}'] = ${mend}; n.savez(${file}, **a)`,
    );
    const [set, truth] = [
      await loadDataset(arrays(more)),
      await loadDataset(arrays({ file: join(root, "truth.npz") })),
    ];
    const apart = set.pixels.map((level, i) => Math.abs(level - truth.pixels[i]));
    // Half precision has 11 bits.
    expect(Math.max(...apart), sentence).toBeLessThanOrEqual(/half/.test(sentence) ? 1 : 0);
    expect([...set.labels], sentence).toEqual([...truth.labels]);
  });
});

describe("many damaged files", () => {
  const rgb = randomBytes(6 * 6 * 3);
  const arrays = { x: npy("|u1", [3, 4, 4], randomBytes(48)), y: i8(0, 1, 2) };
  const readArrays = async (file: string): Promise<number[]> => {
    const { pixels, labels } = await loadDataset({ dataset: "arrays", split: "train", file });
    return [...pixels, ...labels];
  };
  const decode = async (path: string): Promise<number[]> => [...(await decoder.decode(path, 6))];
  /** Those with checksums come back as they were or not at all. */
  const kinds: readonly {
    name: string;
    valid: () => Promise<Buffer>;
    read: (path: string) => Promise<number[]>;
    checked: boolean;
  }[] = [
    { name: ".npz, stored", valid: async () => npz(arrays), read: readArrays, checked: true },
    { name: ".npz, deflated", valid: async () => npz(arrays, true), read: readArrays, checked: true },
    { name: "PNG", valid: async () => png(6, 6, rgb), read: decode, checked: true },
    { name: "JPEG", valid: () => raw(6, 6, rgb).jpeg().toBuffer(), read: decode, checked: false },
    { name: "WebP", valid: () => raw(6, 6, rgb).webp().toBuffer(), read: decode, checked: false },
  ];

  test.each(kinds)(
    "$name: an error that says what to do, or what is whole",
    async ({ name, valid, read, checked }) => {
      // A JPEG is decoded up to five times.
      const files = name === "JPEG" ? 200 : 500;
      const file = await valid();
      const whole = await read(write("valid", file));
      let refused = 0;
      for (let i = 0; i < files; i++) {
        // A zip has its directory at its end: half of the damage begins there.
        const bytes = i % 2 === 0 ? damaged(file, random) : damaged(Buffer.from(file).reverse(), random).reverse();
        const path = write("damaged", bytes);
        try {
          const got = await read(path);
          expect(got).toHaveLength(whole.length);
          if (checked) expect(got).toEqual(whole);
        } catch (error) {
          if (!(error instanceof SaccadeError)) throw error;
          expect(error.message.startsWith(path)).toBe(true);
          expect(error.message.length).toBeLessThan(path.length + 250);
          expect(error.message).toMatch(/, got [^\n]+; [^\n]+$/);
          refused++;
        }
      }
      expect(refused).toBeGreaterThan(files / 4);
      expect(process.memoryUsage().rss).toBeLessThan(2 ** 31);
    },
    180_000,
  );
});

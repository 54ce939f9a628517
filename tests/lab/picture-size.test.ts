// The size in a picture's header, against what sharp wrote: PNG, JPEG with and without a long profile in front, WebP in its three forms.

import sharp, { type Sharp } from "sharp";
import { describe, expect, test } from "vitest";
import { pictureSize } from "../../web/work/picture-size.ts";

const made = (width: number, height: number, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: { r: 200, g: 40, b: 90, alpha: 0.5 } } });
const long = { exif: { IFD0: { ImageDescription: "x".repeat(60_000) } } };

describe("pictureSize", () => {
  test.each([
    ["png", "PNG", () => made(301, 17).png()],
    ["jpeg", "JPEG", () => made(301, 17).jpeg()],
    ["jpeg", "progressive JPEG", () => made(301, 17).jpeg({ progressive: true })],
    ["jpeg", "JPEG behind 60 kB of EXIF", () => made(301, 17).withMetadata(long).jpeg()],
    ["webp", "lossy WebP", () => made(301, 17).webp()],
    ["webp", "lossless WebP", () => made(301, 17).webp({ lossless: true })],
    ["webp", "WebP with a canvas", () => made(301, 17, 4).withMetadata(long).webp()],
  ] as const)("%s: %s", async (kind, _, picture) => {
    const bytes = new Uint8Array(await picture().toBuffer());
    expect(pictureSize(bytes)).toEqual({ kind, width: 301, height: 17 });
    // In the middle of a larger buffer, as a view.
    const around = new Uint8Array(bytes.length + 20).fill(255);
    around.set(bytes, 7);
    expect(pictureSize(around.subarray(7, 7 + bytes.length))).toEqual({ kind, width: 301, height: 17 });
    for (let length = 0; length < 20; length++) expect(pictureSize(bytes.subarray(0, length))).toBeUndefined();
  });

  test("the three forms of WebP are three", async () => {
    const form = async (picture: Sharp) => (await picture.toBuffer()).toString("latin1", 12, 16);
    expect(await form(made(301, 17).webp())).toBe("VP8 ");
    expect(await form(made(301, 17).webp({ lossless: true }))).toBe("VP8L");
    expect(await form(made(301, 17, 4).withMetadata(long).webp())).toBe("VP8X");
  });

  test.each([
    ["text", new TextEncoder().encode("GIF89a or whatever else is written here, no picture")],
    [
      "a PNG of no width",
      new Uint8Array([0x89, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, ...Array(13).fill(0)]),
    ],
    ["a JPEG without a frame", new Uint8Array([0xff, 0xd8, 0xff, 0xda, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9])],
    ["a JPEG whose segments lead out of it", new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 1, 2, 3, 4])],
    ["zeros", new Uint8Array(100)],
  ])("%s has none", (_, bytes) => {
    expect(pictureSize(bytes)).toBeUndefined();
  });
});

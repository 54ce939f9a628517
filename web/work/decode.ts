// The worker that reads the visitor's own pictures: each is decoded by the browser, cut to its central square and scaled.

import type { FromDecoder, ToDecoder } from "../picture-messages.ts";
import { pictureSize } from "./picture-size.ts";

/** Pixels of a picture, 4 bytes each while it is decoded, and bytes of its file. */
const most = { pixels: 64e6, bytes: 100e6 } as const;
/** Milliseconds between messages about how far it is. */
const tellEvery = 2000;

const scope = globalThis as unknown as Worker;
const post = (message: FromDecoder, moved: Transferable[] = []): void => scope.postMessage(message, moved);

scope.onmessage = async ({ data: { files, sides } }: MessageEvent<ToDecoder>) => {
  const canvases = sides.map(canvasOf);
  const pixels = sides.map((side) => new Uint8Array(files.length * side * side * 3));
  const skipped: { readonly name: string; readonly why: string }[] = [];
  let count = 0;
  let told = performance.now();
  for (const [i, file] of files.entries()) {
    try {
      const bitmap = await decoded(file);
      for (const [k, canvas] of canvases.entries()) await draw(canvas, bitmap, count, pixels[k]);
      bitmap.close();
      count++;
    } catch (error) {
      skipped.push({ name: file.name, why: error instanceof Unfit ? error.message : "cannot be read" });
    }
    if (performance.now() - told < tellEvery) continue;
    told = performance.now();
    post({ kind: "progress", done: i + 1 });
  }
  const parts = sides.map((side, k) => pixels[k].slice(0, count * side * side * 3));
  post(
    { kind: "decoded", count, pixels: parts, skipped: skipped.length, first: skipped.at(0) },
    parts.map(({ buffer }) => buffer),
  );
};

/** A file that is left out, with the reason. */
class Unfit extends Error {}

async function decoded(file: File): Promise<ImageBitmap> {
  if (file.size > most.bytes)
    throw new Unfit(`has ${Math.ceil(file.size / 1e6)} MB, and this page reads at most ${most.bytes / 1e6}`);
  const bytes = await file.arrayBuffer();
  const size = pictureSize(new Uint8Array(bytes));
  if (size === undefined) throw new Unfit("is no PNG, JPEG or WebP picture");
  const pixels = size.width * size.height;
  if (pixels > most.pixels)
    throw new Unfit(
      `has ${size.width} × ${size.height} pixels, ${Math.ceil(pixels / 1e6)} million, and this page decodes at most ${most.pixels / 1e6} million`,
    );
  try {
    return await createImageBitmap(new Blob([bytes], { type: `image/${size.kind}` }));
  } catch {
    throw new Unfit("is damaged: the browser cannot decode it");
  }
}

type Canvas = OffscreenCanvasRenderingContext2D;

function canvasOf(side: number): Canvas {
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("this browser has no canvas in a worker");
  return context;
}

/** The central square as picture `at` of [count, side, side, 3], on white where it is transparent. */
async function draw(context: Canvas, whole: ImageBitmap, at: number, pixels: Uint8Array): Promise<void> {
  const side = context.canvas.width;
  const square = Math.min(whole.width, whole.height);
  const [x, y] = [whole.width, whole.height].map((length) => Math.floor((length - square) / 2));
  const scaled = { resizeWidth: side, resizeHeight: side, resizeQuality: "high" } as const;
  const small = await createImageBitmap(whole, x, y, square, square, scaled);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.drawImage(small, 0, 0);
  small.close();
  const { data } = context.getImageData(0, 0, side, side);
  for (let pixel = 0, to = at * side * side * 3; pixel < side * side; pixel++)
    for (let k = 0; k < 3; k++) pixels[to++] = data[4 * pixel + k];
}

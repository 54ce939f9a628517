// A grid of boxes of pictures, as an anchor beside its view or some of a class: pixels magnified without smoothing.

import { wrong } from "../program/errors.ts";
import { svgToPng } from "./png.ts";
import { clip, colours, emptyPicture, fontSize, label, margin, sheet, sheetWidth } from "./sheet.ts";

export interface PictureGrid {
  readonly title: string;
  /** What the pictures of a box are, from left to right. */
  readonly caption: string;
  /** Pictures [height, width, channels], as many in every box. */
  readonly boxes: readonly (readonly (Float32Array | Float64Array)[])[];
  readonly height: number;
  readonly width: number;
  /** 1 for grey, 3 for red, green and blue. */
  readonly channels: number;
  /** The values of black and of full brightness; what lies outside is clamped. Default [0, 1]. */
  readonly range?: readonly [number, number];
  /** What stands above each box; default nothing. */
  readonly labels?: readonly string[];
  /** Pixels of the figure along a side of a value; default 4, and 3 from 64 values on. */
  readonly scale?: number;
}

/** In pixels of the grid: around the pictures of a box and between them; between boxes; the widest grid. */
const [padding, gutter, widest] = [4, 20, 1240];
/** Colours as red, green, blue, alpha in 32 bits. */
const white = 0xffffffff;
const boxGrey = 0xd9d9d9ff;
/** Of the size of the caption's letters, a label's. */
const labelShare = 0.8;
/** For a value that is not a number. */
const magenta = 0xff00ffff;

/** The figure, and the same as a PNG of its natural size, in which a value is exactly `scale` × `scale` pixels. */
export async function pictureGrid(grid: PictureGrid): Promise<{ svg: string; png: Uint8Array }> {
  const svg = await drawGrid(grid);
  return { svg, png: await svgToPng(svg, 1) };
}

async function drawGrid(grid: PictureGrid): Promise<string> {
  const { title, caption, boxes, height, width, channels, range = [0, 1], labels } = grid;
  check(boxes, height, width, channels, range);
  if (labels && labels.length !== boxes.length)
    throw wrong("pictureGrid", "labels", `${boxes.length}, one for each box`, labels.length);
  if (boxes.length === 0)
    return sheet({ title, picture: emptyPicture("no pictures yet", sheetWidth, 200), pictureHeight: 200 });

  const { scale = Math.max(height, width) >= 64 ? 3 : 4 } = grid;
  const [imageHeight, imageWidth] = [height * scale, width * scale];
  const [boxHeight, boxWidth] = [imageHeight + 2 * padding, padding + boxes[0].length * (imageWidth + padding)];
  const columns = Math.max(1, Math.min(boxes.length, Math.floor((widest + gutter) / (boxWidth + gutter))));
  const rows = Math.ceil(boxes.length / columns);
  const pictureWidth = columns * (boxWidth + gutter) - gutter;
  // Text grows with the sheet, and with it the margin: sheet = picture + 2 × margin × sheet / 720, in whole pixels.
  const sheetSize = Math.max(sheetWidth, Math.ceil(pictureWidth / (1 - (2 * margin) / sheetWidth) / 2) * 2);
  const left = Math.round((margin * sheetSize) / sheetWidth);
  const labelSize = (labelShare * fontSize * sheetSize) / sheetWidth;
  const labelHeight = labels ? Math.ceil(1.35 * labelSize) : 0;
  const rowHeight = labelHeight + boxHeight + gutter;
  const picture = blank(rows * rowHeight - gutter, pictureWidth);

  let holes = 0;
  const words: string[] = [];
  boxes.forEach((box, i) => {
    const row = Math.floor(i / columns) * rowHeight;
    const top = row + labelHeight;
    const at = (i % columns) * (boxWidth + gutter);
    if (labels)
      words.push(label(clip(labels[i], labelSize, boxWidth), left + at, row + labelSize, labelSize, colours.ink));
    fill(picture, top, at, boxHeight, boxWidth, boxGrey);
    box.forEach((image, side) => {
      const x = at + padding + side * (imageWidth + padding);
      for (let pixel = 0; pixel < height * width; pixel++) {
        const values = image.subarray(pixel * channels, (pixel + 1) * channels);
        const hole = values.some(Number.isNaN);
        if (hole) holes++;
        const [red, green, blue] = [0, 1, 2].map((c) => byte(values[c % channels], range));
        const colour = hole ? magenta : ((red << 24) | (green << 16) | (blue << 8) | 255) >>> 0;
        const [row, column] = [Math.floor(pixel / width), pixel % width];
        fill(picture, top + padding + row * scale, x + column * scale, scale, scale, colour);
      }
    });
  });

  const { PNG } = await import("pngjs");
  const uri = `data:image/png;base64,${PNG.sync.write(picture, { colorType: 2 }).toString("base64")}`;
  return sheet({
    title,
    caption,
    notes: holes > 0 ? [`magenta: ${holes} pixels that are not numbers`] : [],
    width: sheetSize,
    picture: `<image x="${left}" width="${picture.width}" height="${picture.height}" image-rendering="optimizeSpeed" style="image-rendering:pixelated" href="${uri}"/>${words.join("")}`,
    pictureHeight: picture.height + left / 2,
  });
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Buffer;
}

function blank(height: number, width: number): Picture {
  const picture = { width, height, data: Buffer.alloc(height * width * 4) };
  fill(picture, 0, 0, height, width, white);
  return picture;
}

function fill(picture: Picture, top: number, left: number, height: number, width: number, colour: number): void {
  for (let row = top; row < top + height; row++)
    for (let column = left; column < left + width; column++)
      picture.data.writeUInt32BE(colour, (row * picture.width + column) * 4);
}

function byte(value: number, [low, high]: readonly [number, number]): number {
  return Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * 255);
}

function check(
  boxes: PictureGrid["boxes"],
  height: number,
  width: number,
  channels: number,
  range: readonly [number, number],
): void {
  if (channels !== 1 && channels !== 3) throw wrong("pictureGrid", "channels", "1 or 3", channels);
  if (!(range[0] < range[1])) throw wrong("pictureGrid", "range", "[low, high] with low < high", [...range]);
  const size = height * width * channels;
  boxes.forEach((box, i) => {
    if (box.length !== boxes[0].length)
      throw wrong("pictureGrid", `boxes[${i}]`, `${boxes[0].length} pictures, as many as the first`, box.length);
    box.forEach((picture, j) => {
      if (picture.length !== size)
        throw wrong(
          "pictureGrid",
          `boxes[${i}][${j}]`,
          `[${height}, ${width}, ${channels}] = ${size} values`,
          picture.length,
        );
    });
  });
}

// Receptive fields as small pictures: for every layer a row of the trained encoder's and a row of the random one's, each about its own grey.

import { pixelImage } from "./pixels.ts";
import { clip, colours, fontSize, label, margin, sheet, sheetWidth } from "./sheet.ts";

export interface FieldsFigure {
  readonly title: string;
  readonly caption: string;
  readonly layers: readonly {
    readonly heading: string;
    readonly side: number;
    readonly channels: number;
    readonly rows: readonly { readonly name: string; readonly fields: readonly (Float64Array | null)[] }[];
  }[];
}

/** Pixels of a picture's side, about: where a renderer smooths what it magnifies, few are left to be smoothed. */
const sharp = 90;
const perRow = 14;
const nameWidth = 78;
const pitch = (sheetWidth - 2 * margin - nameWidth) / perRow;
const size = 0.75 * fontSize;

export async function fieldsFigure({ title, caption, layers }: FieldsFigure): Promise<string> {
  const parts: string[] = [];
  let y = 0;
  for (const { heading, side, channels, rows } of layers) {
    y += 0.85 * fontSize;
    parts.push(label(clip(heading, 0.85 * fontSize, sheetWidth - 2 * margin), margin, y, 0.85 * fontSize, colours.ink));
    y += 12;
    for (const { name, fields } of rows) {
      parts.push(label(clip(name, size, nameWidth), margin, y + pitch / 2 + size / 3, size, colours.quiet));
      for (const [i, field] of fields.slice(0, perRow).entries()) {
        const x = margin + nameWidth + i * pitch;
        const place = { x, y, width: pitch - 4, height: pitch - 4 };
        if (field === null) {
          parts.push(
            `<rect x="${x}" y="${y}" width="${pitch - 4}" height="${pitch - 4}" fill="none" stroke="${colours.grid}"/>`,
          );
          continue;
        }
        const most = field.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
        const times = Math.max(1, Math.round(sharp / side));
        const picture = magnified(field, { side, channels, times });
        const extent = side * times;
        parts.push(await pixelImage({ height: extent, width: extent, channels, picture, range: [-most, most] }, place));
      }
      y += pitch;
    }
    y += 16;
  }
  return sheet({ title, caption, picture: parts.join(""), pictureHeight: y });
}

/** Every pixel `times` × `times`. */
function magnified(
  field: Float64Array,
  { side, channels, times }: { readonly side: number; readonly channels: number; readonly times: number },
): Float32Array {
  const extent = side * times;
  const picture = new Float32Array(extent * extent * channels);
  for (let y = 0, at = 0; y < extent; y++)
    for (let x = 0; x < extent; x++)
      for (let c = 0; c < channels; c++)
        picture[at++] = field[(Math.floor(y / times) * side + Math.floor(x / times)) * channels + c];
  return picture;
}

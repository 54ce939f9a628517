// SVG to PNG with a font that we bring along: the same bytes on every machine, with or without fonts of its own.

import { createRequire } from "node:module";
import { SaccadeError } from "../program/errors.ts";
import { fontFamily } from "./sheet.ts";

/** Arimo has the widths of Arial and Helvetica, so a browser sets the SVG as the PNG shows it. */
const fontFile = "@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf";

/** `scale` is PNG pixels per SVG unit. */
export async function svgToPng(svg: string, scale = 2): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  return new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: { fontFiles: [fontPath()], loadSystemFonts: false, defaultFontFamily: fontFamily },
  })
    .render()
    .asPng();
}

function fontPath(): string {
  try {
    return createRequire(import.meta.url).resolve(fontFile);
  } catch {
    throw new SaccadeError(`svgToPng: the font ${fontFile} is not installed; run \`npm install\``);
  }
}

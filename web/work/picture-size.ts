// What a picture's file says of its size, read from its first bytes, so that what is too large is never decoded. PNG, JPEG and WebP.

export interface PictureSize {
  readonly kind: "png" | "jpeg" | "webp";
  /** Pixels, as stored: a JPEG that lies on its side is not turned. */
  readonly width: number;
  readonly height: number;
}

/** Undefined where the bytes are none of the three, or end before their size is told. */
export function pictureSize(bytes: Uint8Array): PictureSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const size = png(view) ?? jpeg(view) ?? webp(view);
    return size && size.width > 0 && size.height > 0 ? size : undefined;
  } catch (error) {
    // Past the last byte.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Whether the four letters stand there. */
const says = (view: DataView, at: number, letters: string): boolean =>
  [...letters].every((letter, i) => view.getUint8(at + i) === letter.charCodeAt(0));

/** Its first chunk is IHDR, which begins with the size. */
function png(view: DataView): PictureSize | undefined {
  if (view.getUint32(0) !== 0x89504e47 || view.getUint32(4) !== 0x0d0a1a0a || !says(view, 12, "IHDR")) return undefined;
  return { kind: "png", width: view.getUint32(16), height: view.getUint32(20) };
}

/** From segment to segment up to the frame header, SOF0 to SOF15 without DHT, JPG and DAC, which lie among them. */
function jpeg(view: DataView): PictureSize | undefined {
  if (view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; ; ) {
    // Bytes between segments are passed over, as decoders do; a marker may be filled up with more of 0xff.
    while (view.getUint8(at) !== 0xff) at++;
    while (view.getUint8(at) === 0xff) at++;
    const marker = view.getUint8(at++);
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return { kind: "jpeg", height: view.getUint16(at + 3), width: view.getUint16(at + 5) };
    // The scan, or the end: no frame before it.
    if (marker === 0xda || marker === 0xd9) return undefined;
    const alone = marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8);
    if (!alone) at += view.getUint16(at);
  }
}

/** Lossy, lossless, or with a canvas in front. */
function webp(view: DataView): PictureSize | undefined {
  if (!says(view, 0, "RIFF") || !says(view, 8, "WEBP")) return undefined;
  if (says(view, 12, "VP8 ")) {
    // Three bytes of the frame's tag, and its start code.
    if (view.getUint16(23) !== 0x9d01 || view.getUint8(25) !== 0x2a) return undefined;
    return { kind: "webp", width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  if (says(view, 12, "VP8L")) {
    if (view.getUint8(20) !== 0x2f) return undefined;
    const bits = view.getUint32(21, true);
    return { kind: "webp", width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (!says(view, 12, "VP8X")) return undefined;
  const side = (at: number): number => (view.getUint16(at, true) | (view.getUint8(at + 2) << 16)) + 1;
  return { kind: "webp", width: side(24), height: side(27) };
}

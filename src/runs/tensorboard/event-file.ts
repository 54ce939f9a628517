// TensorBoard's event file as bytes: records of length, payload and their checksums, each payload one Event message.
// Numbers of fields are those of event.proto, summary.proto, tensor.proto and types.proto in tensorflow/core.

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** One value of a summary: a tag and what stands under it. */
export type Summary = { readonly tag: string } & (
  | { readonly scalar: number }
  | { readonly text: string }
  | { readonly png: Uint8Array }
  | { readonly histogram: Histogram }
);

export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Upper ends of the buckets, rising, and what each holds. */
  readonly limits: readonly number[];
  readonly buckets: readonly number[];
}

/** What an event says: the version, that a session begins, or the summaries of a step. */
export type Content =
  | { readonly version: true }
  | { readonly start: true }
  | { readonly summaries: readonly Summary[] };

/** An event as a record of the file; `wallTime` in seconds since 1970. */
export function encodeEvent(wallTime: number, step: number, content: Content): Uint8Array {
  const event = new BinaryWriter().tag(1, WireType.Bit64).double(wallTime).tag(2, WireType.Varint).int64(step);
  if ("version" in content) event.tag(3, WireType.LengthDelimited).string("brain.Event:2");
  else if ("start" in content) message(event, 7, (session) => session.tag(1, WireType.Varint).int32(1));
  else
    message(event, 5, (summary) => {
      for (const value of content.summaries) message(summary, 1, (writer) => writeValue(writer, value));
    });
  return frame(event.finish());
}

function writeValue(writer: BinaryWriter, value: Summary): void {
  writer.tag(1, WireType.LengthDelimited).string(value.tag);
  if ("scalar" in value) writer.tag(2, WireType.Bit32).float(value.scalar);
  else if ("png" in value) message(writer, 4, (image) => writeImage(image, value.png));
  else if ("histogram" in value) message(writer, 5, (histogram) => writeHistogram(histogram, value.histogram));
  else {
    const stringType = 7;
    message(writer, 8, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(stringType);
      tensor.tag(8, WireType.LengthDelimited).string(value.text);
    });
    message(writer, 9, (metadata) =>
      message(metadata, 1, (plugin) => plugin.tag(1, WireType.LengthDelimited).string("text")),
    );
  }
}

function writeImage(writer: BinaryWriter, png: Uint8Array): void {
  // Both stand in a PNG's first chunk, big-endian.
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const rgba = 4;
  writer.tag(1, WireType.Varint).int32(height).tag(2, WireType.Varint).int32(width);
  writer.tag(3, WireType.Varint).int32(rgba).tag(4, WireType.LengthDelimited).bytes(png);
}

function writeHistogram(
  writer: BinaryWriter,
  { min, max, count, sum, sumOfSquares, limits, buckets }: Histogram,
): void {
  [min, max, count, sum, sumOfSquares].forEach((value, i) => {
    writer.tag(i + 1, WireType.Bit64).double(value);
  });
  [limits, buckets].forEach((values, i) => {
    message(writer, i + 6, (packed) => {
      for (const value of values) packed.double(value);
    });
  });
}

function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => unknown): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

/** What a resumed run asks of an event that stands in its file. */
export interface SeenEvent {
  readonly wallTime: number;
  readonly step: number;
  /** What it holds: the first two nothing but the file remembers, numbers also metrics.jsonl. */
  readonly holds: "images" | "histograms" | "numbers" | undefined;
  /** As it stands in the file. */
  readonly record: Uint8Array;
}

/**
 * The events of a file. A last record that is cut short is left out, as a crash leaves it; so is one that is damaged, and what follows
 * where its length cannot be trusted: `onDamage` is told its place, and the step of the event before.
 */
export function decodeEvents(bytes: Uint8Array, onDamage?: (at: number, step: number) => void): SeenEvent[] {
  const events: SeenEvent[] = [];
  const { buffer, byteOffset } = bytes;
  for (let at = 0; bytes.length - at >= overhead; ) {
    const view = new DataView(buffer, byteOffset + at, bytes.length - at);
    const length = Number(view.getBigUint64(0, true));
    const known = view.getUint32(8, true) === maskedCrc(bytes.subarray(at, at + 8));
    if (known && length > view.byteLength - overhead) break;
    const payload = known ? bytes.subarray(at + 12, at + 12 + length) : undefined;
    const end = at + length + overhead;
    if (payload && view.getUint32(12 + length, true) === maskedCrc(payload))
      events.push({ ...decodeEvent(payload), record: bytes.subarray(at, end) });
    else onDamage?.(at, events.at(-1)?.step ?? 0);
    if (!known) break;
    at = end;
  }
  return events;
}

function decodeEvent(payload: Uint8Array): Omit<SeenEvent, "record"> {
  let [wallTime, step] = [0, 0];
  let holds: SeenEvent["holds"];
  eachField(payload, (event, field, wire) => {
    if (field === 1) wallTime = event.double();
    else if (field === 2) step = Number(event.int64());
    else if (field === 5)
      eachField(event.bytes(), (summary, _, valueWire) => {
        if (valueWire !== WireType.LengthDelimited) return summary.skip(valueWire);
        eachField(summary.bytes(), (value, kind, kindWire) => {
          if (kind === 2) holds = "numbers";
          else if (kind === 4) holds = "images";
          else if (kind === 5) holds = "histograms";
          value.skip(kindWire);
        });
      });
    else event.skip(wire);
  });
  return { wallTime, step, holds };
}

function eachField(bytes: Uint8Array, read: (reader: BinaryReader, field: number, wire: WireType) => unknown): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    read(reader, field, wire);
  }
}

/** Bytes of a record besides its payload: 8 of length, 4 + 4 of checksums. */
const overhead = 16;

function frame(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(payload.length + overhead);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(payload, 12);
  view.setUint32(12 + payload.length, maskedCrc(payload), true);
  return record;
}

/** TensorFlow's mask, so that the checksum of bytes that hold checksums is no special one. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C (Castagnoli), RFC 3720 section 12.1. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcOfByte[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const crcOfByte = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

// safetensors files: an 8-byte length, a JSON header, raw little-endian numbers. Read strictly, written atomically by the caller.

import { SaccadeError } from "../program/errors.ts";

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
  readonly metadata: Readonly<Record<string, string>>;
}

export function encodeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  // The header is padded with spaces so that the numbers start at a multiple of 8.
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json + " ".repeat((8 - (new TextEncoder().encode(json).length % 8)) % 8));
  const file = new Uint8Array(8 + text.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let at = 8 + text.length;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** `where` names the file in every error. */
export function decodeSafetensors(file: Uint8Array, where: string): TensorFile {
  const fail = (wanted: string, got: unknown): never => {
    throw new SaccadeError(`${where}: wanted ${wanted}, got ${got}; the file is damaged or not a safetensors file`);
  };
  if (file.length < 8) fail("at least 8 bytes", `${file.length}`);
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (length > BigInt(file.length - 8)) fail(`a header of at most ${file.length - 8} bytes`, length);
  const start = 8 + Number(length);
  let header: Record<string, unknown> = {};
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, start)));
  } catch {
    fail("a JSON header", "something else");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) fail("a JSON object as header", header);
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const { __metadata__: metadata = {}, ...entries } = header;
  if (!isMetadata(metadata)) fail("texts by name as __metadata__", JSON.stringify(metadata));
  let expected = 0;
  for (const [name, value] of Object.entries(entries)) {
    const entry = value as Entry;
    if (!isEntry(entry)) fail(`dtype, shape and data_offsets for "${name}"`, JSON.stringify(value));
    const { dtype, shape, data_offsets: offsets } = entry;
    if (dtype !== "F32") fail(`F32 numbers for "${name}"`, dtype);
    const [from, to] = offsets;
    const bytes = 4 * shape.reduce((product, extent) => product * extent, 1);
    if (from !== expected || to - from !== bytes || start + to > file.length)
      fail(`${bytes} bytes from ${expected} on for "${name}"`, `${from} to ${to} of ${file.length - start}`);
    expected = to;
    // A copy that starts at its buffer's first byte; a Buffer's own slice would be a view into a shared pool.
    tensors.set(name, {
      shape,
      data: new Float32Array(Uint8Array.from(file.subarray(start + from, start + to)).buffer),
    });
  }
  if (start + expected !== file.length) fail(`${start + expected} bytes`, file.length);
  return { tensors, metadata: metadata as Record<string, string> };
}

const isMetadata = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((text) => typeof text === "string");

function isEntry(value: unknown): value is Entry {
  const entry = value as Entry | null;
  const whole = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
  return (
    typeof entry === "object" &&
    entry !== null &&
    typeof entry.dtype === "string" &&
    Array.isArray(entry.shape) &&
    entry.shape.every(whole) &&
    Array.isArray(entry.data_offsets) &&
    entry.data_offsets.length === 2 &&
    entry.data_offsets.every(whole)
  );
}

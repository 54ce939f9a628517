// safetensors files: an 8-byte length, a JSON header, raw little-endian float32. Read strictly, written atomically by the caller.

import { SaccadeError } from "../program/errors.ts";
import { sizeOf } from "../program/tensor.ts";

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A file as it is read: it may hold tensors of other types than float32, of which the shape alone is. */
export interface FoundTensors extends TensorFile {
  readonly others: ReadonlyMap<string, { readonly shape: readonly number[]; readonly type: string }>;
}

export function encodeSafetensors(file: TensorFile): Uint8Array {
  const parts = [...safetensorsParts(file)];
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The file from beginning to end, its header and tensor by tensor, so that it need not be in memory as a whole. */
export function* safetensorsParts({ tensors, metadata }: TensorFile): Generator<Uint8Array> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape }] of tensors) {
    const end = offset + 4 * sizeOf(shape);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, end] };
    offset = end;
  }
  // The header is padded with spaces so that the numbers start at a multiple of 8.
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json + " ".repeat((8 - (new TextEncoder().encode(json).length % 8)) % 8));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  yield length;
  yield text;
  for (const { data } of tensors.values()) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Bytes of a header at most, as in the format's own library. */
const longestHeader = 100_000_000;

/** `where` names the file in every error. */
export function decodeSafetensors(file: Uint8Array, where: string): FoundTensors {
  const fail = (wanted: string, got: unknown, mend = "the file is damaged or not a safetensors file"): never => {
    throw new SaccadeError(`${where}: wanted ${wanted}, got ${short(String(got))}; ${mend}`);
  };
  if (file.length < 8) fail("at least 8 bytes", `${file.length}`);
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  const longest = Math.min(file.length - 8, longestHeader);
  if (length > BigInt(longest)) fail(`a header of at most ${longest} bytes`, length);
  const start = 8 + Number(length);
  let text = "";
  let header: Record<string, unknown> = {};
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, start));
    header = JSON.parse(text);
  } catch {
    fail("a JSON header", "something else");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    fail("a JSON object as header", JSON.stringify(header));
  const seen = new Set<string>();
  for (const name of namesOf(text)) {
    if (seen.has(name)) fail(`${quoted(name)} once`, "it twice");
    seen.add(name);
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  if (!isMetadata(metadata)) fail("texts by name as __metadata__", JSON.stringify(metadata));
  const inOrder = Object.entries(entries)
    .map(([name, value]): [string, Entry] => {
      if (!isEntry(value)) fail(`dtype, shape and data_offsets for ${quoted(name)}`, JSON.stringify(value));
      return [name, value as Entry];
    })
    .sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const others = new Map<string, { shape: readonly number[]; type: string }>();
  let expected = 0;
  for (const [name, { dtype, shape, data_offsets: offsets }] of inOrder) {
    const bits = Number(/\d+$/.exec(dtype)?.[0] ?? 8);
    const [from, to] = offsets;
    const bytes = Math.ceil((bits * shape.reduce((product, extent) => product * extent, 1)) / 8);
    if (from !== expected || to - from !== bytes || start + to > file.length)
      fail(`${bytes} bytes from ${expected} on for ${quoted(name)}`, `${from} to ${to} of ${file.length - start}`);
    expected = to;
    if (dtype !== "F32") {
      others.set(name, { shape, type: dtype });
      continue;
    }
    // A copy that starts at its buffer's first byte; a Buffer's own slice would be a view into a shared pool.
    tensors.set(name, {
      shape,
      data: new Float32Array(Uint8Array.from(file.subarray(start + from, start + to)).buffer),
    });
  }
  if (start + expected !== file.length) fail(`${start + expected} bytes`, file.length);
  return { tensors, others, metadata: metadata as Record<string, string> };
}

/** What is said of a tensor that is not of float32 where it must be. */
export const notFloat32 = (where: string, name: string, type: string): SaccadeError =>
  new SaccadeError(
    `${where}: wanted F32 numbers for ${quoted(name)}, got ${short(type)}; save it as float32: in PyTorch, tensor.float()`,
  );

/** Names on the first level of a JSON object, as often as they stand there; JSON.parse keeps the last of equal ones. */
function namesOf(json: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token.endsWith(":")) names.push(JSON.parse(token.slice(0, -1)));
  }
  return names;
}

const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

const quoted = (name: string): string => short(JSON.stringify(name));

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

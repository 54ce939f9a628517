// CRC-32 as zlib has it: what a checkpoint's checksum is made of.

import type { Crc32 } from "../../src/record/checkpoint-file.ts";

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export const crc32: Crc32 = (data, before = 0) => {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let sum = ~before;
  for (let i = 0; i < bytes.length; i++) sum = table[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
};

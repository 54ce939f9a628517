// Files as NumPy writes them, for tests of what reads them.

import { crc32, deflateRawSync } from "node:zlib";

/** As numpy.save writes it. */
export function npy(type: string, shape: readonly number[], values: Buffer): Buffer {
  const plain = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const header = `${plain.padEnd(Math.ceil((plain.length + 11) / 64) * 64 - 11)}\n`;
  const length = Buffer.of(header.length & 255, header.length >> 8);
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(header, "latin1"), values]);
}

const little =
  (bytes: number) =>
  (...values: readonly number[]): Buffer => {
    const buffer = Buffer.alloc(bytes * values.length);
    for (const [i, value] of values.entries()) buffer.writeUIntLE(value, bytes * i, bytes);
    return buffer;
  };
const [u16, u32] = [little(2), little(4)];

/** As numpy.savez writes it, a zip of .npy files, or numpy.savez_compressed. */
export function npz(arrays: Readonly<Record<string, Buffer>>, deflated = false): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [key, content] of Object.entries(arrays)) {
    const name = Buffer.from(`${key}.npy`);
    const stored = deflated ? deflateRawSync(content) : content;
    const common = Buffer.concat([
      // Version, flags, method, time, date.
      u16(20, 0, deflated ? 8 : 0, 0, 33),
      u32(crc32(content), stored.length, content.length),
      // Lengths of the name and of an extra field.
      u16(name.length, 0),
    ]);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, stored]);
    centrals.push(Buffer.from("PK\x01\x02"), u16(20), common, u16(0, 0, 0), u32(0, offset), name);
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(centrals);
  const count = Object.keys(arrays).length;
  const end = Buffer.concat([u16(0, 0, count, count), u32(central.length, offset), u16(0)]);
  return Buffer.concat([...locals, central, Buffer.from("PK\x05\x06"), end]);
}

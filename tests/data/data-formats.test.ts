// The layouts that torchvision leaves, read strictly: CIFAR's pickles and STL-10's binary files; and every reader on damaged files.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { cifar10Layout, readCifar } from "../../src/datasets/formats/cifar.ts";
import { readCifarPython } from "../../src/datasets/formats/cifar-python.ts";
import { readIdx } from "../../src/datasets/formats/idx.ts";
import { holdsNumbers, holdsText, npyNumbers, npyTexts, readNpy } from "../../src/datasets/formats/npy.ts";
import { type PickledArray, readPickle } from "../../src/datasets/formats/pickle.ts";
import { readStl10Images, readStl10Labels, stl10Side } from "../../src/datasets/formats/stl10.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { randomStream } from "../../src/program/random.ts";
import { damaged } from "../support/damaged.ts";
import { npy } from "../support/numpy-files.ts";

const folder = mkdtempSync(join(tmpdir(), "saccade-formats-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

const random = randomStream(7, 0xf11e);
const randomBytes = (count: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: count }, () => random.integer(256)));
const latin = (text: string): Buffer => Buffer.from(text, "latin1");
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** A CIFAR batch, instruction by instruction as Python 2's cPickle wrote it in protocol 2. */
function python2Batch(data: Buffer, labels: readonly number[], key = "labels"): Buffer {
  const rows = labels.length;
  const short = (text: string): Buffer => Buffer.concat([latin("U"), Buffer.of(text.length), latin(text)]);
  return Buffer.concat([
    latin("\x80\x02}q\x01("),
    ...[short("batch_label"), latin("q\x02"), short("testing batch 1 of 1"), latin("q\x03")],
    ...[short(key), latin("q\x04]q\x05("), ...labels.map((label) => Buffer.of(0x4b, label)), latin("e")],
    ...[short("data"), latin("q\x06"), latin("cnumpy.core.multiarray\n_reconstruct\nq\x07")],
    ...[latin("cnumpy\nndarray\nq\x08K\x00\x85"), short("b"), latin("\x87Rq\x09")],
    // State: (version, shape, dtype, Fortran order, data).
    ...[latin("(K\x01"), latin("M"), Buffer.of(rows & 255, rows >> 8), latin("M\x00\x0c\x86q\x0a")],
    ...[latin("cnumpy\ndtype\nq\x0b"), short("u1"), latin("K\x00K\x01\x87Rq\x0c(K\x03"), short("|")],
    ...[latin("NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"), latin("\x89"), latin("T"), u32(data.length), data],
    ...[
      latin("tb"),
      short("filenames"),
      latin("q\x0d]q\x0e("),
      ...labels.map(() => short("a.png")),
      latin("e"),
      latin("u."),
    ],
  ]);
}

const python = (() => {
  try {
    execFileSync("python3", ["-c", "import numpy"], { stdio: "ignore" });
    return "";
  } catch {
    return " (skipped: no python3 with numpy)";
  }
})();

const planes = 3 * 32 * 32;
const labels = [6, 9, 0, 4];
const data = randomBytes(labels.length * planes);
const batch = python2Batch(data, labels);

/** Channels last, from planes [3, h·w]. */
const channelsLast = (stored: Uint8Array, pixels: number): number[] =>
  Array.from({ length: 3 * pixels }, (_, i) => stored[(i % 3) * pixels + Math.floor(i / 3)]);

describe("CIFAR as pickles", () => {
  const path = write("data_batch_1", batch);
  const layout = { labels: "labels", classes: 10, records: 4 } as const;

  test("pictures and labels, over several files, as many as are wanted", () => {
    const more = randomBytes(4 * planes);
    const second = write("data_batch_2", python2Batch(more, [1, 2, 3, 4]));
    const read = readCifarPython([path, second], layout);
    expect([read.count, ...read.labels]).toEqual([8, ...labels, 1, 2, 3, 4]);
    expect([...read.pixels.subarray(planes, 2 * planes)]).toEqual(
      channelsLast(data.subarray(planes, 2 * planes), 1024),
    );
    expect([...read.pixels.subarray(5 * planes, 6 * planes)]).toEqual(
      channelsLast(more.subarray(planes, 2 * planes), 1024),
    );
    const some = readCifarPython([path, join(folder, "not read")], layout, 3);
    expect([some.count, ...some.labels]).toEqual([3, 6, 9, 0]);
    expect([...some.pixels]).toEqual([...read.pixels.subarray(0, 3 * planes)]);
  });

  test("are the pictures of the binary layout", () => {
    const records = labels.map((label, i) =>
      Buffer.concat([Buffer.of(label), data.subarray(i * planes, (i + 1) * planes)]),
    );
    const binary = readCifar([write("data_batch_1.bin", Buffer.concat(records))], { ...cifar10Layout, records: 4 });
    expect(readCifarPython([path], layout)).toEqual(binary);
  });

  test.skipIf(python)(`are what Python reads in them, and in what it writes today, in protocol 4${python}`, () => {
    const script = [
      "import pickle, sys, numpy as np",
      "d = pickle.load(open(sys.argv[1], 'rb'), encoding='latin1')",
      "print(d['labels'], int(d['data'].astype(np.int64).sum()), d['data'].shape, d['data'].dtype)",
      "pickle.dump({'data': d['data'], 'labels': d['labels']}, open(sys.argv[1] + '.4', 'wb'), protocol=4)",
    ].join("\n");
    const said = execFileSync("python3", ["-c", script, path], { encoding: "utf8" }).trim();
    const sum = data.reduce((total, byte) => total + byte, 0);
    expect(said).toBe(`[6, 9, 0, 4] ${sum} (4, 3072) uint8`);
    expect(readCifarPython([`${path}.4`], layout)).toEqual(readCifarPython([path], layout));
  });

  const sentence = (bytes: Uint8Array, wanted = layout): string => {
    try {
      readCifarPython([write("bad", bytes)], wanted);
    } catch (error) {
      if (error instanceof SaccadeError) return error.message.replace(`${folder}/`, "");
      throw error;
    }
    return "read";
  };

  test.each([
    ["nothing", Buffer.alloc(0), "bad: a pickle of 0 bytes must be whole, got its end at byte 0; fetch the file again"],
    [
      "a pickle that runs a program",
      latin("\x80\x02cposix\nsystem\nU\x02ls\x85R."),
      "bad: a pickle of pictures may only name NumPy's arrays, got posix.system at byte 16; fetch the file again",
    ],
    [
      "another instruction",
      latin("\x80\x02}q\x01I5\n."),
      "bad: a pickle of pictures must have plain data, got instruction 0x49 at byte 5; fetch the file again",
    ],
    ["a list", latin("\x80\x02]."), "bad: data must be an array of bytes [4, 3072], got none; fetch the file again"],
    [
      "a label missing",
      python2Batch(data, labels.slice(1)),
      "bad: an array of unsigned bytes [3, 3072] must hold 9216 bytes, got 12288 at byte",
    ],
    [
      "a label too high",
      python2Batch(data, [6, 9, 10, 4]),
      "bad: labels[2] must be a class from 0 to 9, got 10; fetch the file again",
    ],
    [
      "CIFAR-100's keys",
      python2Batch(data, labels, "fine_labels"),
      "bad: labels must be a list of 4 classes, one for each picture, got none; fetch the file again",
    ],
  ])("%s is refused", (_, bytes, wanted) => {
    expect(sentence(bytes).startsWith(wanted)).toBe(true);
  });

  test("one array that is meant many times is kept once", () => {
    const one = python2Batch(data, labels).subarray(0, -1);
    const read = readPickle(Buffer.concat([latin("("), one, latin("h\x09h\x09t.")]), "p");
    const [first, again, third] = read as [Map<string, unknown>, PickledArray, PickledArray];
    expect(again).toBe(third);
    expect(first.get("data")).toBe(again);
  });
});

describe("STL-10", () => {
  const pixels = stl10Side * stl10Side;
  const stored = randomBytes(2 * 3 * pixels);
  const path = write("train_X.bin", stored);

  test("columns become rows, channels come last", () => {
    const { pixels: read, count } = readStl10Images(path, 2);
    expect(count).toBe(2);
    for (const [row, column, c] of [
      [0, 0, 0],
      [3, 7, 1],
      [95, 20, 2],
    ])
      expect(read[3 * pixels + (row * stl10Side + column) * 3 + c]).toBe(
        stored[3 * pixels + c * pixels + column * stl10Side + row],
      );
    expect(readStl10Images(path, 2, 1).pixels).toEqual(read.subarray(0, 3 * pixels));
  });

  test("labels begin with 1", () => {
    const file = write("train_y.bin", Buffer.of(1, 10));
    expect([...readStl10Labels(file, 2, 2, 10)]).toEqual([0, 9]);
    expect([...readStl10Labels(file, 2, 1, 10)]).toEqual([0]);
    expect(() => readStl10Labels(file, 3, 3, 10)).toThrow("must hold 3 labels, one for each picture, got 2");
    expect(() => readStl10Labels(write("zero", Buffer.of(0)), 1, 1, 10)).toThrow("label 0 must be from 1 to 10, got 0");
  });

  test("a broken file is refused", () => {
    expect(() => readStl10Images(write("short", stored.subarray(0, 100)), 2)).toThrow(
      "must hold 2 pictures of 27648 bytes, 55296 bytes, got 100; fetch the file again",
    );
  });
});

describe(".npy", () => {
  const bytes = randomBytes(2 * 3 * 4);
  const path = write("images.npy", npy("|u1", [2, 3, 4], bytes));

  const numbersOf = (path: string, limit?: number): unknown => {
    const array = readNpy(path, limit);
    return { shape: array.shape, values: npyNumbers(array) };
  };

  test("numbers of every type, as many rows as are wanted", () => {
    expect(numbersOf(path)).toEqual({ shape: [2, 3, 4], values: new Uint8Array(bytes) });
    expect(numbersOf(path, 1)).toEqual({ shape: [1, 3, 4], values: new Uint8Array(bytes.subarray(0, 12)) });
    const types: readonly [string, { readonly buffer: ArrayBufferLike; readonly length: number }][] = [
      ["|b1", Uint8Array.of(0, 1, 1)],
      ["|i1", Int8Array.of(-128, 0, 127)],
      ["<u2", Uint16Array.of(1, 65535, 256)],
      ["<i2", Int16Array.of(-32768, 3, 32767)],
      ["<u4", Uint32Array.of(1, 2 ** 32 - 1)],
      ["<i4", Int32Array.of(-5, 7)],
      ["<u8", BigUint64Array.of(1n, 2n ** 64n - 1n)],
      ["<i8", BigInt64Array.of(-5n, 7n)],
      ["<f4", Float32Array.of(0.5, -3e38)],
      ["<f8", Float64Array.of(0.1, -1e300)],
    ];
    for (const [type, values] of types) {
      const stored = Buffer.from(values.buffer as ArrayBuffer);
      const file = write("numbers.npy", npy(type, [values.length], stored));
      expect(numbersOf(file), type).toEqual({ shape: [values.length], values });
      const width = Number(type[2]);
      const turned = Buffer.from(stored);
      for (let at = 0; at < turned.length; at += width) turned.subarray(at, at + width).reverse();
      const other = write("turned.npy", npy(type.replace("<", ">"), [values.length], turned));
      expect(numbersOf(other), `${type}, highest byte first`).toEqual({ shape: [values.length], values });
    }
  });

  test("text, of four bytes a letter or one", () => {
    const wide = Buffer.concat(
      Array.from("aß🐈\0", (letter) => {
        const four = Buffer.alloc(4);
        four.writeUInt32LE(letter.codePointAt(0) ?? 0);
        return four;
      }),
    );
    expect(npyTexts(readNpy(write("text.npy", npy("<U2", [2], wide))))).toEqual(["aß", "🐈"]);
    expect(npyTexts(readNpy(write("text.npy", npy(">U2", [2], Buffer.from(wide).swap32()))))).toEqual(["aß", "🐈"]);
    const narrow = Buffer.from("cat\0ü\0\0");
    expect(npyTexts(readNpy(write("text.npy", npy("|S4", [2], narrow))))).toEqual(["cat", "ü"]);
  });

  /** A file whose header is written in another way. */
  const spelt = (header: string, values: Buffer, version = 1): Buffer => {
    const text = Buffer.from(header, version === 3 ? "utf8" : "latin1");
    const length = Buffer.alloc(version === 1 ? 2 : 4);
    if (version === 1) length.writeUInt16LE(text.length);
    else length.writeUInt32LE(text.length);
    return Buffer.concat([Buffer.from("\x93NUMPY", "latin1"), Buffer.of(version, 0), length, text, values]);
  };
  const six = Buffer.of(1, 2, 3, 4, 5, 6);
  test.each([
    ["as cnpy writes it", "{'descr': '<u1', 'fortran_order': False, 'shape': (2, 3), }     \n", 1],
    ["with its keys in another order", "{'shape': (2, 3), 'fortran_order': False, 'descr': '|u1'}\n", 1],
    ["without spaces", "{'descr':'|u1','fortran_order':False,'shape':(2,3)}", 1],
    ["with many", "{ 'descr' : '|u1' , \t'fortran_order' : False ,\n 'shape' : ( 2 , 3 , ) , }  \n\n", 1],
    ["with double quotes", '{"descr": "|u1", "fortran_order": False, "shape": (2, 3)}\n', 1],
    ["with Python 2's long numbers", "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L), }\n", 1],
    ["with the machine's own order of bytes", "{'descr': '=u1', 'fortran_order': False, 'shape': (2, 3), }\n", 1],
    ["with another order of bytes", "{'descr': '>u1', 'fortran_order': False, 'shape': (2, 3), }\n", 1],
    ["with a type without an order", "{'descr': 'u1', 'fortran_order': False, 'shape': (2, 3), }\n", 1],
    ["with a type by its name", "{'descr': 'uint8', 'fortran_order': False, 'shape': (2, 3), }\n", 1],
    ["of version 2", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", 2],
    ["of version 3", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", 3],
  ])("a header %s", (_, header, version) => {
    const wanted = { shape: [2, 3], values: new Uint8Array(six) };
    expect(numbersOf(write("spelt.npy", spelt(header, six, version)))).toEqual(wanted);
  });

  test.each([
    "{'descr': '|u1', 'fortran_order': True, 'shape': (6,), }\n",
    "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 6, 1), }\n",
  ])("Fortran's order where it is the same as C's: %s", (header) => {
    expect(npyNumbers(readNpy(write("column.npy", spelt(header, six))))).toEqual(new Uint8Array(six));
  });

  test.each([
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-6,), }\n",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2.5,), }\n",
    "{'descr': '|u1', 'fortran_order': 0, 'shape': (6,), }\n",
    "{'descr': '|u1', 'fortran_order': False}\n",
    "{'descr': '|u1', 'fortran_order': False, 'shape': 6}\n",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), } and more\n",
    "('|u1', False, (6,))\n",
    "null",
    "",
  ])("no array by its header: %j", (header) => {
    const path = write("odd.npy", spelt(header, six));
    expect(() => readNpy(path)).toThrow(
      `${path}: its header must describe a plain array, got something else; save it with numpy.save`,
    );
  });

  test.each([
    ["'<M8[D]'", "<M8[D]"],
    ["[('a', '|u1', (32, 32))]", '[["a","|u1",[32,32]]]'],
  ])("a type that is neither numbers nor text is named: %s", (type, shown) => {
    const path = write("odd.npy", spelt(`{'descr': ${type}, 'fortran_order': False, 'shape': (6,), }`, six));
    expect(() => readNpy(path)).toThrow(
      `${path}: must hold plain numbers or text, got the type ${shown}; save dates and the like as x.astype(str), and records field by field`,
    );
  });

  test.each([
    ["too few bytes", npy("|u1", [5, 5], bytes), "as its shape [5, 5] of |u1 says, got 152; save it with numpy.save"],
    [
      "columns before rows",
      Buffer.from(npy("|u1", [2, 3], six).toString("latin1").replace("False", "True").replace(" \n", "  \n"), "latin1"),
      "must be in C order, got Fortran order; save numpy.ascontiguousarray(x)",
    ],
    ["no .npy file", bytes, "must begin as a .npy file of version 1 to 3, got something else; save it"],
  ])("%s are refused", (_, file, wanted) => {
    expect(() => readNpy(write("bad.npy", file))).toThrow(wanted);
  });

  test.skipIf(python)(`is what NumPy writes${python}`, () => {
    const file = join(folder, "by-numpy.npy");
    execFileSync("python3", [
      "-c",
      `import numpy; numpy.save(${JSON.stringify(file)}, numpy.arange(6).reshape(2, 3) - 2)`,
    ]);
    expect(numbersOf(file)).toEqual({ shape: [2, 3], values: BigInt64Array.of(-2n, -1n, 0n, 1n, 2n, 3n) });
  });
});

describe("five hundred damaged files each", () => {
  const idx = Buffer.concat([Buffer.of(0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3), randomBytes(60)]);
  const small = python2Batch(data.subarray(0, planes), [3]);
  const record = Buffer.concat([Buffer.of(4), randomBytes(planes)]);
  const fine = (labels: Int32Array, classes: number): boolean => labels.every((label) => label >= 0 && label < classes);
  const readers: readonly { name: string; valid: Buffer; read: (path: string) => boolean }[] = [
    {
      name: "idx",
      valid: idx,
      read: (path) => {
        const { shape, bytes } = readIdx(path);
        return bytes.length === shape.reduce((product, extent) => product * extent, 1);
      },
    },
    {
      name: "gzipped idx",
      valid: gzipSync(idx),
      read: (path) => {
        const { shape, bytes } = readIdx(path);
        return bytes.length === shape.reduce((product, extent) => product * extent, 1);
      },
    },
    {
      name: "CIFAR, binary",
      valid: Buffer.concat([record, record]),
      read: (path) => {
        const { pixels, labels: found, count } = readCifar([path], { ...cifar10Layout, records: 2 });
        return pixels.length === count * planes && found.length === count && fine(found, 10);
      },
    },
    {
      name: "CIFAR, pickled",
      valid: small,
      read: (path) => {
        const { pixels, labels: found, count } = readCifarPython([path], { labels: "labels", classes: 10, records: 1 });
        return pixels.length === count * planes && found.length === count && fine(found, 10);
      },
    },
    {
      name: ".npy",
      valid: npy("<i4", [5, 3], randomBytes(60)),
      read: (path) => {
        const array = readNpy(path);
        const { shape, header } = array;
        const values = holdsNumbers(header) ? npyNumbers(array) : holdsText(header) ? npyTexts(array) : array.data;
        return header.kind === "O" || values.length === shape.reduce((product, extent) => product * extent, 1);
      },
    },
    {
      name: "STL-10's labels",
      valid: Buffer.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
      read: (path) => fine(readStl10Labels(path, 10, 10, 10), 10),
    },
  ];

  test.each(readers)("$name: an error that says what to do, or an array that is whole", ({ valid, read }) => {
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      const path = write("damaged", damaged(valid, random));
      try {
        expect(read(path)).toBe(true);
      } catch (error) {
        if (!(error instanceof SaccadeError)) throw error;
        expect(error.message.startsWith(path)).toBe(true);
        expect(error.message.length).toBeLessThan(path.length + 200);
        expect(error.message).toMatch(/, got .+; (fetch|choose|save) /);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(125);
    expect(process.memoryUsage().rss).toBeLessThan(2 ** 31);
  });
});

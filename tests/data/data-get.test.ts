// Fetching datasets: from a server that behaves badly in every way that servers do, and from folders; nothing half placed, ever.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { unpack } from "../../src/datasets/archives.ts";
import { checkDataset } from "../../src/datasets/check-dataset.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { type GetOptions, getDataset } from "../../src/datasets/get-dataset.ts";
import { knownDatasets } from "../../src/datasets/known-datasets.ts";
import { findDataset } from "../../src/datasets/on-disk.ts";
import type { Split } from "../../src/datasets/request.ts";
import { type DataFile, type Layout, type Source, sources } from "../../src/datasets/sources.ts";
import { randomStream } from "../../src/program/random.ts";

const root = mkdtempSync(join(tmpdir(), "saccade-get-"));
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
/** Bytes that hardly compress. */
function noise(length: number, seed: number): Uint8Array {
  const stream = randomStream(seed);
  return Uint8Array.from({ length }, () => 256 * stream.uniform());
}

/** Every file under the folder, and empty folders. */
const tree = (at = folder): string[] => readdirSync(at, { recursive: true, encoding: "utf8" }).sort();

interface Member {
  readonly name: string;
  readonly bytes?: Uint8Array;
  /** Tar's type; default "0", a file. */
  readonly type?: string;
  /** What the header says; default the truth. */
  readonly size?: number;
}

function tar(members: readonly Member[]): Uint8Array {
  const blocks = members.flatMap(({ name, bytes = new Uint8Array(), type = "0", size = bytes.length }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write("0000644\0", 100);
    header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
    header.write(`00000000000\0        ${type}`, 136);
    header.write(type === "2" ? "elsewhere" : "", 157);
    header.write("ustar\u000000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function zip(members: readonly Member[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, bytes = new Uint8Array(), type = "0", size = bytes.length } of members) {
    const stored = deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(stored.length, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), stored]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(type === "2" ? 0o120777 * 2 ** 16 : 0, 6);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, tail, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

const [pictures, labels] = [noise(30_000, 1), noise(200, 2)];
const archived: readonly DataFile[] = [
  { name: "pictures.bin", split: "train", bytes: 30_000, md5: md5(pictures) },
  { name: "labels.bin", split: "train", bytes: 200, md5: md5(labels) },
];
const tarball = tar([
  { name: "small-bin/", type: "5" },
  { name: "small-bin/readme.html", bytes: noise(700, 3) },
  { name: "./small-bin/pictures.bin", bytes: pictures },
  { name: "small-bin/labels.bin", bytes: labels },
]);
const published = { name: "small.tar.gz", bytes: tarball.length, md5: md5(tarball) };
const [half, whole] = [Math.floor(tarball.length / 2), tarball.length];

const layout = (addresses: readonly string[]): Layout => ({
  folder: "small-bin",
  form: "binary",
  addresses,
  files: archived,
  archive: { ...published, kind: "tar.gz", inside: "small-bin", files: archived },
});
const source = (...addresses: string[]): Source => ({
  layouts: [layout(addresses)],
  licence: "none stated",
  citation: "nobody",
});

/** Addresses where nobody listens: tests with a folder never ask. */
const nobody = source("http://127.0.0.1:9/");
const quick = { tries: 3, pause: 1, patience: 10_000 };

function get(from: Source, options: Partial<GetOptions> = {}): ReturnType<typeof getDataset> {
  return getDataset("small", from, { folder, ...quick, ...options });
}

/** Whole: all files, and nothing else. */
function expectPlaced(): void {
  expect(tree()).toEqual(["small-bin", "small-bin/labels.bin", "small-bin/pictures.bin"]);
  expect(new Uint8Array(readFileSync(join(folder, "small-bin/pictures.bin")))).toEqual(pictures);
  expect(new Uint8Array(readFileSync(join(folder, "small-bin/labels.bin")))).toEqual(labels);
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let servers: Server[] = [];
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
});

/** A server whose requests are answered in turn, the last answer for all that follow. */
async function serve(...answers: Answer[]): Promise<{ address: string; asked: IncomingMessage["headers"][] }> {
  const asked: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers);
    answers[Math.min(asked.length, answers.length) - 1](request, response);
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

interface Good {
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** The line is cut after so many bytes. */
  readonly cut?: number;
  /** Answers a range whatever If-Range says. */
  readonly careless?: boolean;
}

/** Bytes of the tarball that have come so far, from whatever address. */
function partSize(): number {
  const downloads = join(folder, "downloads", "small-bin");
  const sizes = readdirSync(downloads).map((name) =>
    name.endsWith(".part") ? statSync(join(downloads, name)).size : 0,
  );
  return Math.max(0, ...sizes);
}

/** A server as it should be, but for what it is told. */
function good({ bytes = tarball, headers = { etag: '"one"' }, cut, careless = false }: Good = {}): Answer {
  return (request, response) => {
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
    const same = careless || request.headers["if-range"] === undefined || request.headers["if-range"] === headers.etag;
    const start = from !== undefined && same ? Number(from) : 0;
    const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    const partial = from !== undefined && same;
    response.writeHead(partial ? 206 : 200, {
      ...headers,
      "content-length": bytes.length - start,
      ...(partial ? { "content-range": range } : {}),
    });
    if (cut === undefined) response.end(bytes.subarray(start));
    else {
      response.write(bytes.subarray(start, start + cut));
      // Bytes on their way are lost with the line: it is cut when they have come.
      const timer = setInterval(() => {
        if (partSize() >= start + cut) response.destroy();
      }, 5);
      response.on("close", () => clearInterval(timer));
    }
  };
}

const status =
  (code: number): Answer =>
  (_, response) => {
    response.writeHead(code).end("no");
  };

const byHand = (base: string): string =>
  `; fetch ${base}small.tar.gz in another way, put it into ${join(folder, "downloads", "small-bin")} and run again: saccade data get small`;

async function refusal(from: Source, options: Partial<GetOptions> = {}): Promise<string> {
  const { message, name } = await get(from, options).then(
    () => new Error("none"),
    (error: Error) => error,
  );
  expect(name).toBe("SaccadeError");
  // Nothing is placed, and nothing is left lying beside the place but what a next try goes on from.
  expect(tree().filter((path) => !path.startsWith("downloads"))).toEqual([]);
  return message;
}

describe("from a server", () => {
  test("brings the files, whole, and nothing else; a second time there is nothing to do", async () => {
    const { address, asked } = await serve(good());
    const seen: number[] = [];
    const got = await get(source(address), { onProgress: (_, done, total) => seen.push(done / total) });
    expect(got.fetched).toBe(true);
    expectPlaced();
    expect(seen.at(-1)).toBe(1);
    expect((await get(source(address))).fetched).toBe(false);
    expect(asked).toHaveLength(1);
  });

  test("goes on where the line was cut, and only if it is the same version", async () => {
    const { address, asked } = await serve(good({ cut: half }), good({ cut: 10 }), good());
    await get(source(address));
    expectPlaced();
    expect(asked.map(({ range }) => range)).toEqual([undefined, `bytes=${half}-`, `bytes=${half + 10}-`]);
    expect(asked.map((headers) => headers["if-range"])).toEqual([undefined, '"one"', '"one"']);
  });

  test("goes on where a server ends early as if that were all", async () => {
    const { address, asked } = await serve((_, response) => {
      response.writeHead(200, { etag: '"one"' });
      response.end(tarball.subarray(0, half));
    }, good());
    await get(source(address));
    expectPlaced();
    expect(asked.map(({ range }) => range)).toEqual([undefined, `bytes=${half}-`]);
  });

  test("says where it broke off", async () => {
    const { address } = await serve(good({ cut: half }));
    expect(await refusal(source(address), { tries: 1 })).toBe(
      `small.tar.gz: could not be downloaded: ${address}small.tar.gz broke off after ${half} of ${whole} bytes (ECONNRESET)${byHand(address)}`,
    );
  });

  test("goes on in another process", async () => {
    const { address, asked } = await serve(good({ cut: half }), status(404), good());
    expect(await refusal(source(address))).toBe(
      `small.tar.gz: could not be downloaded: ${address}small.tar.gz answered 404${byHand(address)}`,
    );
    await get(source(address));
    expectPlaced();
    expect(asked.at(-1)?.range).toBe(`bytes=${half}-`);
  });

  test("gives up where the line breaks again and again", async () => {
    const { address, asked } = await serve(good({ cut: half }), (request) => request.socket.destroy());
    expect(await refusal(source(address))).toBe(
      `small.tar.gz: could not be downloaded: ${address}small.tar.gz does not answer (ECONNRESET)${byHand(address)}`,
    );
    expect(asked).toHaveLength(3);
  });

  test("begins again where ranges are ignored", async () => {
    const { address, asked } = await serve(good({ cut: half }), (request, response) => {
      request.headers.range = undefined;
      good()(request, response);
    });
    await get(source(address));
    expectPlaced();
    expect(asked).toHaveLength(2);
  });

  test("begins again where a server joins another version to what came", async () => {
    const other = { etag: '"two"' };
    const { address, asked } = await serve(good({ cut: half }), good({ headers: other, careless: true }));
    await get(source(address));
    expectPlaced();
    expect(asked.map(({ range }) => range)).toEqual([undefined, `bytes=${half}-`, undefined]);
  });

  test("begins again where the file has another length, or another beginning", async () => {
    const longer = good({ bytes: noise(whole + 5, 9), careless: true });
    const { address } = await serve(good({ cut: half }), longer, good());
    await get(source(address));
    expectPlaced();
  });

  test("begins again where a server without versions has changed the file in between", async () => {
    const { address, asked } = await serve(
      good({ headers: {}, cut: half, bytes: noise(whole, 4) }),
      good({ headers: {} }),
    );
    await get(source(address));
    expectPlaced();
    expect(asked).toHaveLength(3);
  });

  test("refuses other bytes of the right length", async () => {
    const { address, asked } = await serve(good({ bytes: noise(whole, 5) }));
    expect(await refusal(source(address))).toBe(
      `small.tar.gz: could not be downloaded: ${address}small.tar.gz sends other bytes: their MD5 is ${md5(noise(whole, 5))}, published is ${published.md5}${byHand(address)}`,
    );
    expect(asked).toHaveLength(1);
    expect(tree()).toEqual(["downloads", "downloads/small-bin"]);
  });

  test("refuses another length before the first byte, and more bytes than are published", async () => {
    const length = await serve(good({ bytes: noise(whole + 1, 5) }));
    const flood = await serve((_, response) => {
      const timer = setInterval(() => response.write(noise(4096, 6)), 1);
      response.on("close", () => clearInterval(timer));
    });
    expect(await refusal(source(length.address, flood.address))).toBe(
      `small.tar.gz: could not be downloaded: ${length.address}small.tar.gz has ${whole + 1} bytes where ${whole} are published; ${flood.address}small.tar.gz sends more than the ${whole} bytes that are published${byHand(length.address)}`,
    );
    expect(tree()).toEqual(["downloads", "downloads/small-bin"]);
  });

  test("asks the next address at once where the first refuses, and again where it is only busy", async () => {
    const [first, second] = [await serve(status(404)), await serve(status(500), status(503), good())];
    await get(source(first.address, second.address));
    expectPlaced();
    expect([first.asked, second.asked].map(({ length }) => length)).toEqual([1, 3]);
  });

  test("never joins bytes of two servers", async () => {
    const [first, second] = [await serve(good({ cut: half }), status(404)), await serve(good())];
    await get(source(first.address, second.address));
    expectPlaced();
    expect(second.asked[0].range).toBe(undefined);
  });

  test("gives up on a server that falls silent, before or after its first words", async () => {
    const mute = await serve(() => {});
    const slow = await serve((_, response) => {
      response.writeHead(200, { etag: '"one"' });
      response.write(tarball.subarray(0, 100));
    });
    expect(await refusal(source(mute.address, slow.address), { tries: 1, patience: 400 })).toBe(
      `small.tar.gz: could not be downloaded: ${mute.address}small.tar.gz does not answer (silent for 0.4 s); ${slow.address}small.tar.gz broke off after 100 of ${whole} bytes (silent for 0.4 s)${byHand(mute.address)}`,
    );
  });

  test("waits for a server that is slow but not silent", async () => {
    const { address, asked } = await serve((_, response) => {
      response.writeHead(200);
      let sent = 0;
      const timer = setInterval(() => {
        response.write(tarball.subarray(sent, sent + 4096));
        sent += 4096;
        if (sent >= whole) response.end();
      }, 200);
      response.on("close", () => clearInterval(timer));
    });
    const began = performance.now();
    await get(source(address), { patience: 1000 });
    expect(performance.now() - began).toBeGreaterThan(1000);
    expectPlaced();
    expect(asked).toHaveLength(1);
  });

  test("says where nobody answers, which file to fetch and where to put it", async () => {
    expect(await refusal(nobody)).toBe(
      `small.tar.gz: could not be downloaded: http://127.0.0.1:9/small.tar.gz cannot be reached (ECONNREFUSED)${byHand("http://127.0.0.1:9/")}`,
    );
    writeFileSync(join(folder, "downloads", "small-bin", "small.tar.gz"), tarball);
    await get(nobody);
    expectPlaced();
  });

  test("follows redirects, but not for ever", async () => {
    const { address } = await serve(good());
    const redirect = await serve((_, response) => response.writeHead(302, { location: `${address}x` }).end());
    const circle = await serve((_, response) => response.writeHead(302, { location: "/small.tar.gz" }).end());
    await get(source(circle.address, redirect.address));
    expectPlaced();
    expect(circle.asked).toHaveLength(6);
    rmSync(join(folder, "small-bin"), { recursive: true });
    const away = await serve((_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end());
    expect(await refusal(source(away.address))).toContain("small.tar.gz is no http or https address");
  });

  test("keeps the published bytes where a server labels them as gzip", async () => {
    const { address } = await serve(good({ headers: { etag: '"one"', "content-encoding": "x-gzip" } }));
    await get(source(address));
    expectPlaced();
  });

  test("a stop leaves what came for the next time", async () => {
    const stop = new AbortController();
    const { address, asked } = await serve((_, response) => {
      response.writeHead(200, { etag: '"one"', "content-length": whole });
      response.write(tarball.subarray(0, half));
    }, good());
    const stopped = get(source(address), { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
    expect(existsSync(join(folder, "small-bin"))).toBe(false);
    await get(source(address));
    expectPlaced();
    expect(asked[1].range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test("--from an address takes the place of the published ones", async () => {
    const { address } = await serve(good());
    await get(nobody, { from: address.slice(0, -1) });
    expectPlaced();
  });
});

describe("files that are published one by one", () => {
  const one = (name: string, bytes: Uint8Array): DataFile & { bytes: number; md5: string } => ({
    name,
    split: "train",
    bytes: bytes.length,
    md5: md5(bytes),
  });
  const [images, digits] = [gzipSync(pictures), gzipSync(labels)];
  const single = (address: string): Source => ({
    ...nobody,
    layouts: [
      { folder: "SINGLE/raw", form: "idx", addresses: [address], files: [one("i.gz", images), one("l.gz", digits)] },
    ],
  });
  const both: Answer = (request, response) => {
    good({ bytes: request.url === "/i.gz" ? images : digits })(request, response);
  };

  test("are placed together", async () => {
    const { address } = await serve(both);
    await get(single(address));
    expect(tree()).toEqual(["SINGLE", "SINGLE/raw", "SINGLE/raw/i.gz", "SINGLE/raw/l.gz"]);
    rmSync(join(folder, "SINGLE"), { recursive: true });
    writeFileSync(join(folder, "i.gz"), images);
    writeFileSync(join(folder, "l.gz"), digits);
    await get(single("http://127.0.0.1:9/"), { from: folder });
    expect(tree()).toEqual(["SINGLE", "SINGLE/raw", "SINGLE/raw/i.gz", "SINGLE/raw/l.gz", "i.gz", "l.gz"]);
    for (const path of ["SINGLE", "i.gz", "l.gz"]) rmSync(join(folder, path), { recursive: true });
    const broken = await serve(both, status(404));
    expect(await refusal(single(broken.address))).toContain("/l.gz answered 404");
  });

  test("only what is missing is fetched, and an unpacked file counts", async () => {
    mkdirSync(join(folder, "SINGLE/raw"), { recursive: true });
    writeFileSync(join(folder, "SINGLE/raw/i"), pictures);
    writeFileSync(join(folder, "SINGLE/raw/notes.txt"), "mine");
    const { address, asked } = await serve(both);
    await get(single(address));
    expect(tree(join(folder, "SINGLE/raw"))).toEqual(["i", "l.gz", "notes.txt"]);
    expect(asked).toHaveLength(1);
    expect((await get(single(address))).fetched).toBe(false);
  });
});

describe("from a folder, onto a disk", () => {
  let carried: string;
  beforeEach(() => {
    carried = join(root, `carried-${count}`);
    mkdirSync(carried);
  });

  test("takes what was carried here, and leaves it there; of downloads only its own are cleared away", async () => {
    writeFileSync(join(carried, "small.tar.gz"), tarball);
    const { address } = await serve(good({ cut: half }), status(404));
    await refusal(source(address));
    await get(nobody, { from: carried });
    expectPlaced();
    expect(tree(carried)).toEqual(["small.tar.gz"]);
    rmSync(join(folder, "small-bin"), { recursive: true });
    mkdirSync(join(folder, "downloads", "small-bin"), { recursive: true });
    writeFileSync(join(folder, "downloads", "small-bin", "mine"), labels);
    await get(nobody, { from: carried });
    expect(tree(join(folder, "downloads"))).toEqual(["small-bin", "small-bin/mine"]);
  });

  test("takes another layout where its archive is the one that is there", async () => {
    writeFileSync(join(carried, "small.tar.gz"), tarball);
    const { layouts, ...rest } = nobody;
    const absent = { ...layouts[0], folder: "large-bin", archive: { ...layouts[0].archive, name: "large.tar.gz" } };
    const two = { ...rest, layouts: [absent as Layout, ...layouts] };
    expect((await get(two, { from: carried })).layout.folder).toBe("small-bin");
    expectPlaced();
    // What is here already, in whatever layout, is not fetched again.
    expect((await get(two)).fetched).toBe(false);
  });

  test("refuses other bytes, and a folder without", async () => {
    expect(await refusal(nobody, { from: carried })).toBe(
      `--from ${carried}: must hold small.tar.gz as published, got a folder without it`,
    );
    expect(await refusal(nobody, { from: join(carried, "x") })).toBe(
      `--from ${join(carried, "x")}: must be a folder with the files as they are published, or an http or https address, got no such folder`,
    );
    const path = join(carried, "small.tar.gz");
    writeFileSync(path, labels);
    expect(await refusal(nobody, { from: carried })).toBe(
      `${path}: is not the published file: its MD5 is ${md5(labels)}, published is ${published.md5}; remove it, and fetch it anew`,
    );
  });

  test("refuses before the first byte where there is no room", async () => {
    const { address, asked } = await serve(good());
    const room = whole + 30_200;
    const free = async (): Promise<number> => room - 1;
    expect(await refusal(source(address), { free })).toBe(
      `${folder}: must have ${(room / 1024).toFixed(1)} KiB free for small-bin, has ${((room - 1) / 1024).toFixed(1)} KiB; make room, or set SACCADE_DATA to a folder that has it`,
    );
    expect(asked).toEqual([]);
    await get(source(address), { free: async () => room });
    expectPlaced();
  });

  test("writes over nothing: adds what is missing, refuses where a file is another", async () => {
    const at = join(folder, "small-bin");
    mkdirSync(at);
    writeFileSync(join(at, "labels.bin"), labels);
    writeFileSync(join(carried, "small.tar.gz"), tarball);
    await get(nobody, { from: carried });
    expectPlaced();
    for (const [bytes, says] of [
      [noise(200, 8), `is not the published file: its MD5 is ${md5(noise(200, 8))}, published is ${md5(labels)}`],
      [noise(100, 8), "has 100 bytes where 200 are published"],
    ] as const) {
      writeFileSync(join(at, "labels.bin"), bytes);
      await expect(get(nobody, { from: carried })).rejects.toThrow(
        `${join(at, "labels.bin")}: ${says}; move it away, then run again: saccade data get small`,
      );
      expect(new Uint8Array(readFileSync(join(at, "labels.bin")))).toEqual(bytes);
    }
    // Nor where the other files are still to come.
    rmSync(join(at, "pictures.bin"));
    await expect(get(nobody, { from: carried })).rejects.toThrow("labels.bin: has 100 bytes where 200 are published");
    expect(tree(at)).toEqual(["labels.bin"]);
  });

  test("an unpacking that was killed is done anew", async () => {
    mkdirSync(join(folder, "small-bin.unpacking"));
    writeFileSync(join(folder, "small-bin.unpacking", "pictures.bin"), labels);
    writeFileSync(join(carried, "small.tar.gz"), tarball);
    await get(nobody, { from: carried });
    expectPlaced();
  });

  test("an archive that is damaged inside leaves nothing", async () => {
    const cut = tarball.subarray(0, half);
    writeFileSync(join(carried, "small.tar.gz"), cut);
    const { archive, ...rest } = layout([]);
    const told = { ...rest, archive: { ...archive, bytes: half, md5: md5(cut) } } as Layout;
    expect(await refusal({ ...nobody, layouts: [told] }, { from: carried })).toBe(
      `${join(carried, "small.tar.gz")}: cannot be unpacked (unexpected end of file); fetch the archive again`,
    );
  });
});

describe.each([
  { kind: "tar.gz", make: tar },
  { kind: "zip", make: zip },
] as const)("unpack $kind", ({ kind, make }) => {
  const wanted = { kind, inside: "in", files: archived };
  const honest: readonly Member[] = [
    { name: "in/pictures.bin", bytes: pictures },
    { name: "in/labels.bin", bytes: labels },
  ];

  async function unpacked(bytes: Uint8Array, files: readonly DataFile[] = archived): Promise<string> {
    const path = join(folder, "archive");
    writeFileSync(path, bytes);
    mkdirSync(join(folder, "to"));
    const message = await unpack(path, { ...wanted, files }, join(folder, "to")).then(
      () => "done",
      (error: Error) => `${error.name} ${error.message}`,
    );
    // Whatever happened, it happened in the folder.
    expect(tree().filter((file) => !/^to\/(pictures|labels)\.bin$/.test(file))).toEqual(["archive", "to"]);
    return message.replace(path, "A");
  }

  test("takes what is wanted", async () => {
    expect(await unpacked(make([...honest, { name: "in/other.bin", bytes: labels }]))).toBe("done");
    expect(new Uint8Array(readFileSync(join(folder, "to/pictures.bin")))).toEqual(pictures);
  });

  test.each(["../labels.bin", "in/../../labels.bin", "/labels.bin", "..\\labels.bin", "C:\\labels.bin"])(
    "refuses a member %s",
    async (name) => {
      const message = await unpacked(make([{ name, bytes: labels }, ...honest]));
      // yauzl has words of its own.
      expect(message).toMatch(
        /^SaccadeError A: (member ".*" must be a path within the archive, got one that leads out of it|cannot be unpacked \((invalid relative path|absolute path|invalid characters in fileName): .*\)); fetch the archive again$/,
      );
    },
  );

  test.each(["in/labels.bin", "in/other"])("refuses a link, %s", async (name) => {
    expect(await unpacked(make([{ name, type: "2" }, ...honest]))).toBe(
      `SaccadeError A: member "${name}" must be a file or a folder, got a link or a device; fetch the archive again`,
    );
  });

  test("refuses a member of another size than is known, before it is unpacked", async () => {
    const bomb = make([honest[0], { name: "in/labels.bin", bytes: new Uint8Array(300_000) }]);
    expect(await unpacked(bomb)).toBe(
      'SaccadeError A: member "in/labels.bin" must be of 200 bytes, got 300000; fetch the archive again',
    );
  });

  test("refuses a member of unknown size that is larger than the archive", async () => {
    const unknown = archived.map(({ name, split }) => ({ name, split }));
    expect(
      await unpacked(make([honest[0], { name: "in/labels.bin", bytes: new Uint8Array(300_000) }]), unknown),
    ).toMatch(
      /^SaccadeError A: member "in\/labels.bin" must be of at most \d+ bytes, which is the archive, got 300000; fetch/,
    );
  });

  test("refuses a member that is there twice", async () => {
    expect(await unpacked(make([...honest, honest[1]]))).toBe(
      'SaccadeError A: member "in/labels.bin" must be there once, got it twice; fetch the archive again',
    );
  });

  test("refuses an archive without a wanted member, and what is none", async () => {
    expect(await unpacked(make([honest[0]]))).toBe(
      'SaccadeError A: member "in/labels.bin" must be in the archive, got none; fetch the archive again',
    );
    rmSync(join(folder, "to"), { recursive: true });
    expect(await unpacked(noise(3000, 1))).toMatch(
      /^SaccadeError A: cannot be unpacked \(.+\); fetch the archive again$/,
    );
  });
});

test("a tarball that unpacks to much more than the dataset is refused on the way", async () => {
  const path = join(folder, "bomb");
  writeFileSync(path, tar([{ name: "in/readme", bytes: new Uint8Array(66 * 2 ** 20) }]));
  await expect(unpack(path, { kind: "tar.gz", inside: "in", files: archived }, folder)).rejects.toThrow(
    `${path}: what it unpacks to must be little more than the dataset, got much more; fetch the archive again`,
  );
});

test("a zip whose member holds more than its header says is refused", async () => {
  const path = join(folder, "liar");
  writeFileSync(path, zip([{ name: "in/labels.bin", bytes: new Uint8Array(90_000), size: 200 }]));
  await expect(unpack(path, { kind: "zip", inside: "in", files: [archived[1]] }, folder)).rejects.toThrow(
    /^.*liar: cannot be unpacked \(too many bytes in the stream.*\); fetch the archive again$/,
  );
});

describe("sources", () => {
  const names = Object.keys(sources);

  test("are there for all that is not rendered", () => {
    expect(names).toEqual(Object.keys(knownDatasets).filter((name) => !knownDatasets[name].rendered));
  });

  const cases = names.flatMap((name) =>
    sources[name].layouts.flatMap((one) =>
      (Object.keys(knownDatasets[name].counts) as Split[]).map((split) => ({ name, split, one, folder: one.folder })),
    ),
  );

  test.each(cases)(
    "of $name $split in $folder are the files that the reader looks for",
    async ({ name, split, one }) => {
      mkdirSync(join(folder, one.folder), { recursive: true });
      const { message } = await loadDataset({ dataset: name, split, folder }).then(
        () => new Error("none"),
        (error: Error) => error,
      );
      const [, missing] = /did not find (.*?);/.exec(message) ?? [];
      const looked = missing.split(", ").map((spellings) => spellings.split(" or ").at(-1));
      expect(looked.sort()).toEqual(
        one.files
          .filter((file) => file.split === split)
          .map((file) => join(one.folder, file.name))
          .sort(),
      );
    },
  );

  test.each(["cifar-10", "cifar-100", "stl-10"])("of %s have the sizes that the counts say", (name) => {
    const { counts, side, channels } = knownDatasets[name];
    const labelBytes = name === "cifar-100" ? 2 : 1;
    for (const [split, images] of Object.entries(counts)) {
      const stored = sources[name].layouts[0].files.filter((file) => file.split === split);
      const total = stored.reduce((sum, { bytes = Number.NaN }) => sum + bytes, 0);
      expect(total).toBe(images * (side * side * channels + (split === "unlabelled" ? 0 : labelBytes)));
    }
  });

  test("have checksums that could be checksums, and addresses that a name goes behind", () => {
    for (const { layouts } of Object.values(sources))
      for (const { addresses, archive, files } of layouts) {
        for (const address of addresses) expect(address).toMatch(/^https?:\/\/.*\/$/);
        for (const { md5: sum } of [...(archive ? [archive] : []), ...files])
          if (sum !== undefined) expect(sum).toMatch(/^[0-9a-f]{32}$/);
      }
  });

  const real = process.env.SACCADE_DATA ?? "";
  const here = (name: string): boolean => real !== "" && findDataset(sources[name], real)?.presence === "whole";
  for (const name of ["mnist", "fashion-mnist", "cifar-10"])
    test.skipIf(!here(name))(
      `of ${name} have the checksums of the real files (skipped where $SACCADE_DATA lacks them)`,
      async () => {
        const found = findDataset(sources[name], real);
        if (!found) throw new Error("gone");
        const checked = await checkDataset(name, found, real);
        expect(checked.map(({ by, fault }) => ({ by, fault }))).toEqual(found.files.map(() => ({ by: "MD5" })));
      },
    );
});

describe("checkDataset", () => {
  /** EMNIST's digits, which have no checksum of their own, in a few pictures. */
  function digits(pictures: number, change: (bytes: Buffer) => void = () => {}): string {
    for (const split of ["train", "test"]) {
      const images = Buffer.alloc(16 + 784 * pictures);
      images.set([0, 0, 8, 3, 0, 0, 0, pictures, 0, 0, 0, 28, 0, 0, 0, 28]);
      const marks = Buffer.alloc(8 + pictures);
      marks.set([0, 0, 8, 1, 0, 0, 0, pictures]);
      if (split === "test") change(marks);
      for (const [what, bytes] of Object.entries({ "images-idx3": images, "labels-idx1": marks })) {
        const path = join(folder, `EMNIST/raw/emnist-digits-${split}-${what}-ubyte.gz`);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, gzipSync(bytes));
      }
    }
    return folder;
  }

  async function faults(): Promise<(string | undefined)[]> {
    const found = findDataset(sources["emnist-digits"], folder);
    if (!found) throw new Error("absent");
    return (await checkDataset("emnist-digits", found, folder)).map(({ by, fault }) =>
      fault ? `${by}: ${fault}` : by,
    );
  }

  test("reads to the end what has no published checksum, and blames the file", async () => {
    digits(3);
    expect(await faults()).toEqual(["reading", "reading", "reading", "reading"]);
    digits(3, (marks) => marks.set([77], 9));
    expect(await faults()).toEqual([
      "reading",
      "reading",
      "reading",
      "reading: label 1 must be from 0 to 9, got 77; fetch the file again",
    ]);
    const path = join(folder, "EMNIST/raw/emnist-digits-train-images-idx3-ubyte.gz");
    writeFileSync(path, readFileSync(path).subarray(0, 30));
    expect((await faults())[0]).toMatch(/^reading: must be an intact gzip file, got a damaged one/);
  });

  test("says presence alone where a split is not whole", async () => {
    digits(3);
    rmSync(join(folder, "EMNIST/raw/emnist-digits-test-labels-idx1-ubyte.gz"));
    expect(findDataset(sources["emnist-digits"], folder)?.presence).toBe("incomplete");
    expect(await faults()).toEqual(["reading", "reading", "presence"]);
    expect(findDataset(sources["emnist-letters"], folder)?.presence).toBe("absent");
    expect(findDataset(sources.mnist, folder)).toBe(undefined);
  });
});

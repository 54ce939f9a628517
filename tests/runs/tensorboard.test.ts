// The event files: what a reader of our own and the real TensorBoard find in them is what metrics.jsonl says, once, through any stop.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { PNG } from "pngjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { latestCheckpoint } from "../../src/runs/checkpoints.ts";
import { appendMetric, createRun, type RunFolder, readMetrics, runFolder } from "../../src/runs/run-folder.ts";
import { crc32c, decodeEvents } from "../../src/runs/tensorboard/event-file.ts";
import { histogram, openEvents } from "../../src/runs/tensorboard.ts";
import { train } from "../../src/runs/train.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

let root: string;
/** Three steps an epoch, two epochs, X-rays at 0, 2, 4 and 6; all layers by random feedback. */
let whole: RunFolder;
/** Layers take turns: a loss for each, and an X-ray of one layer at a time. */
let inTurn: RunFolder;
/** As `whole`, but stopped after its first step and resumed. */
let stopped: RunFolder;

const images = proceduralObjects({ split: "train", count: 24, seed: 0, size: 16 });
const backend = wasmBackend({ threads: 2 });
const configured = (change: object = {}): Config =>
  parseConfig(
    {
      name: "logged",
      seed: 5,
      data: { dataset: "procedural-objects" },
      encoder: "tiny",
      update: "RF",
      batch: 8,
      epochs: 2,
      xrayEvery: 2,
      ...change,
    },
    "logged",
  );

/** Trains until `stop`, or to the end; goes on from the newest checkpoint where there is one. */
async function go(run: RunFolder, config: Config, stop?: number): Promise<void> {
  const controller = new AbortController();
  const from = latestCheckpoint(run.checkpoints);
  await train({
    ...{ config, dataset: images, backend, run, signal: controller.signal },
    ...(from ? { from } : {}),
    onStep: ({ position }) => {
      if (position.step === stop) controller.abort();
    },
  });
}

async function trained(name: string, config: Config, ...stops: (number | undefined)[]): Promise<RunFolder> {
  const run = await createRun(join(root, name), config, {});
  for (const stop of stops) await go(run, config, stop);
  return run;
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "saccade-tensorboard-"));
  whole = await trained("whole", configured(), undefined);
  stopped = await trained("stopped", configured(), 1, undefined);
  inTurn = await trained("in-turn", configured({ learning: "RLL", update: "BP", epochs: 1 }), undefined);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A reader of protobuf's wire and of the records that shares nothing with what writes them. */
type Field = { readonly field: number; readonly bytes: Buffer; readonly number: number };

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [tag >> 3, tag & 7];
    if (wire === 0) fields.push({ field, bytes: Buffer.of(), number: varint() });
    else {
      const length = wire === 1 ? 8 : wire === 5 ? 4 : varint();
      const own = bytes.subarray(at, at + length);
      at += length;
      const number = wire === 1 ? own.readDoubleLE() : wire === 5 ? own.readFloatLE() : Number.NaN;
      fields.push({ field, bytes: own, number });
    }
  }
  return fields;
}

const get = (fields: readonly Field[], field: number): Field =>
  fields.find((one) => one.field === field) ?? { field, bytes: Buffer.of(), number: 0 };
const doubles = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));

function slowCrc(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc ^ (byte >> bit)) & 1 ? 0x82f63b78 : 0);
  return ~crc >>> 0;
}
const masked = (bytes: Buffer): number => {
  const crc = slowCrc(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

interface Point {
  readonly wallTime: number;
  readonly step: number;
  readonly tag: string;
  readonly scalar?: number;
  readonly text?: string;
  readonly image?: { height: number; width: number; colours: number; png: Buffer };
  readonly histogram?: { min: number; max: number; count: number; sum: number; limits: number[]; buckets: number[] };
}

const folderOf = (run: RunFolder): string => join(run.path, "tensorboard");
/** The newest; what is left of the one before it, where the run has been resumed, is empty. */
function fileOf(run: RunFolder): string {
  const files = readdirSync(folderOf(run)).sort();
  for (const name of files) expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\.saccade$/);
  const sizes = files.map((name) => statSync(join(folderOf(run), name)).size);
  expect(sizes.length).toBeLessThanOrEqual(2);
  expect(sizes.slice(0, -1).filter(Boolean)).toEqual([]);
  return join(folderOf(run), files[files.length - 1]);
}

/** Changes one bit. */
function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] ^= 1;
  writeFileSync(path, bytes);
}

/** Payloads of all records; a byte that no record owns fails. */
function payloadsOf(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const payloads: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const payload = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(payload));
    payloads.push(payload);
    at += 16 + length;
  }
  return payloads;
}

function pointsOf(run: RunFolder): Point[] {
  return payloadsOf(fileOf(run)).flatMap((payload) => {
    const event = fieldsOf(payload);
    const [wallTime, step] = [get(event, 1).number, get(event, 2).number];
    return fieldsOf(get(event, 5).bytes).map((summary): Point => {
      const value = fieldsOf(summary.bytes);
      const tag = get(value, 1).bytes.toString();
      const at = { wallTime, step, tag };
      const kinds = value.map(({ field }) => field);
      if (kinds.includes(2)) return { ...at, scalar: get(value, 2).number };
      if (kinds.includes(8)) return { ...at, text: get(fieldsOf(get(value, 8).bytes), 8).bytes.toString() };
      if (kinds.includes(4)) {
        const image = fieldsOf(get(value, 4).bytes);
        const [height, width, colours] = [1, 2, 3].map((field) => get(image, field).number);
        return { ...at, image: { height, width, colours, png: get(image, 4).bytes } };
      }
      const own = fieldsOf(get(value, 5).bytes);
      const [min, max, count, sum] = [1, 2, 3, 4].map((field) => get(own, field).number);
      const [limits, buckets] = [6, 7].map((field) => doubles(get(own, field).bytes));
      return { ...at, histogram: { min, max, count, sum, limits, buckets } };
    });
  });
}

/** By tag, without wall times: what a resumed run must have as an undisturbed one has it. */
const timeless = (run: RunFolder): object[] =>
  pointsOf(run)
    .map(({ wallTime: _, image, ...point }) => ({ ...point, ...(image ? { png: crc32c(image.png) } : {}) }))
    .sort((a, b) => (a.tag < b.tag ? -1 : a.tag > b.tag ? 1 : 0));

/** `tag@step = value` of every number of metrics.jsonl, in float32, sorted. */
function expectedScalars(run: RunFolder): string[] {
  const told: string[] = [];
  const tell = (tag: string, step: number, value: unknown): void => {
    if (typeof value === "number") told.push(`${tag}@${step} = ${Math.fround(value)}`);
  };
  const tags: Record<string, string> = {
    epoch: "train/epoch",
    loss: "train/loss",
    layer: "train/layer",
    activePositives: "gates/activePositives",
    activeNegatives: "gates/activeNegatives",
    spread: "embeddings/spread",
    effectiveRank: "embeddings/effectiveRank",
  };
  for (const { kind, step, ...line } of readMetrics(run)) {
    if (kind === "step") for (const [name, value] of Object.entries(line)) tell(tags[name], step, value);
    if (kind !== "xray" || !("layers" in line)) continue;
    const { layers, layer, ...own } = line;
    for (const [name, value] of Object.entries(own)) tell(`xray/${layer ? `layer${layer}/` : ""}${name}`, step, value);
    for (const { layer: _, name: block, ...numbers } of layers)
      for (const [name, value] of Object.entries(numbers)) tell(`xray/${block}/${name}`, step, value);
  }
  return told.sort();
}

const scalarsOf = (run: RunFolder): string[] =>
  pointsOf(run)
    .filter(({ scalar }) => scalar !== undefined)
    .map(({ tag, step, scalar }) => `${tag}@${step} = ${scalar}`)
    .sort();

test("the checksum is that of RFC 3720, B.4", () => {
  const bytes = (value: (i: number) => number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => value(i));
  const readCommand = Buffer.from(
    "01c00000000000000000000000000000140000000000040000000014000000182800000000000000" + "0200000000000000",
    "hex",
  );
  expect([
    crc32c(bytes(() => 0)),
    crc32c(bytes(() => 0xff)),
    crc32c(bytes((i) => i)),
    crc32c(bytes((i) => 31 - i)),
    crc32c(readCommand),
  ]).toEqual([0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c, 0xd9963a56]);
});

describe("a run's events", () => {
  test("begin with the version and a session's start at step 0, in order of steps", () => {
    const [version, start, ...rest] = payloadsOf(fileOf(whole)).map(fieldsOf);
    expect(get(version, 3).bytes.toString()).toBe("brain.Event:2");
    expect(fieldsOf(get(start, 7).bytes)).toMatchObject([{ field: 1, number: 1 }]);
    expect(get(start, 2).number).toBe(0);
    const steps = rest.map((event) => get(event, 2).number);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    for (const event of rest) expect(Math.abs(Date.now() / 1000 - get(event, 1).number)).toBeLessThan(600);
  });

  test("have every number of metrics.jsonl under its tag, once", () => {
    for (const run of [whole, inTurn]) expect(scalarsOf(run)).toEqual(expectedScalars(run));
    const tags = new Set(pointsOf(whole).map(({ tag }) => tag));
    for (const tag of ["train/loss", "gates/activePositives", "embeddings/spread", "xray/conv2/angleWB"])
      expect(tags).toContain(tag);
    expect(new Set(pointsOf(inTurn).map(({ tag }) => tag))).toContain("xray/layer2/loss");
  });

  test("have a histogram of weights, changes and feedback at every X-ray", () => {
    const found = pointsOf(whole).filter(({ histogram: own }) => own !== undefined);
    const looks = readMetrics(whole).filter((metric) => metric.kind === "xray");
    const names = looks[0].layers.map(({ name }) => name);
    const carried = names.filter((name) => name !== "conv1");
    const tags = [
      ...names.flatMap((name) => [`weights/${name}`, `changes/${name}`]),
      ...carried.map((name) => `feedback/${name}`),
    ];
    expect(found.map(({ tag, step }) => `${tag}@${step}`).sort()).toEqual(
      looks.flatMap(({ step }) => tags.map((tag) => `${tag}@${step}`)).sort(),
    );
    const state = latestCheckpoint(whole.checkpoints)?.state;
    for (const { tag, step, histogram: own } of found) {
      const [kind, name] = tag.split("/");
      const weights = state?.get(`${name}.weight`);
      if (weights === undefined || own === undefined) throw new Error(`no ${tag}`);
      expect(own.buckets.reduce((sum, held) => sum + held, 0)).toBe(weights.length);
      expect(own.count).toBe(weights.length);
      expect(own.limits).toEqual([...own.limits].sort((a, b) => a - b));
      if (kind !== "weights" || step !== 6) continue;
      expect([own.min, own.max, own.limits.at(-1)]).toEqual([Math.min(...weights), Math.max(...weights), own.max]);
      expect(own.sum).toBeCloseTo(
        weights.reduce((sum, weight) => sum + weight, 0),
        3,
      );
    }
  });

  test("show views at the start, and the figures at the end", () => {
    const found = pointsOf(whole).flatMap(({ tag, step, image }) => (image ? [{ tag, step, image }] : []));
    expect(found.map(({ tag, step }) => `${tag}@${step}`)).toEqual([
      "figures/views@1",
      "figures/loss@6",
      "figures/xray@6",
      "figures/views@6",
    ]);
    for (const { tag, image } of found) {
      const { height, width } = PNG.sync.read(image.png);
      expect({ tag, height: image.height, width: image.width, colours: image.colours }).toEqual({
        ...{ tag, height, width },
        colours: 4,
      });
    }
    expect(found[1].image.png.equals(readFileSync(join(whole.figures, "loss.png")))).toBe(true);
  });

  test("tell the configuration", () => {
    const config = readFileSync(join(whole.path, "config.yaml"), "utf8");
    expect(pointsOf(whole).filter(({ text }) => text !== undefined)).toMatchObject([
      { tag: "config", step: 0, text: `\`\`\`\n${config}\`\`\`\n` },
    ]);
  });

  test("leave out what is no number, as metrics.jsonl has to", async () => {
    const run = runFolder(join(root, "no number"));
    mkdirSync(run.path);
    const line = { kind: "step", step: 1, epoch: 0.25, loss: 3, spread: Number.NaN, effectiveRank: Infinity } as const;
    const events = await openEvents(run, configured(), 0);
    appendMetric(run, line);
    events.metric(line);
    const written = timeless(run);
    expect(scalarsOf(run)).toEqual(["train/epoch@1 = 0.25", "train/loss@1 = 3"]);
    await openEvents(run, configured(), 1);
    expect(timeless(run)).toEqual(written);
  });

  test("are left out where the configuration says so", async () => {
    const run = await trained("silent", configured({ logs: { tensorboard: false }, epochs: 1 }), undefined);
    expect(readdirSync(run.path)).not.toContain("tensorboard");
  });
});

describe("a run that was stopped", () => {
  /** Stopped after step 4 with a checkpoint, then lost all checkpoints that came after; and how long its events were after step 4. */
  let killed: RunFolder;
  let afterFour: number;
  beforeAll(async () => {
    killed = await trained("killed", configured(), 4);
    const kept = join(root, "kept");
    cpSync(killed.checkpoints, kept, { recursive: true });
    afterFour = statSync(fileOf(killed)).size;
    await go(killed, configured());
    rmSync(killed.checkpoints, { recursive: true });
    cpSync(kept, killed.checkpoints, { recursive: true });
  });

  function copyOfKilled(name: string): RunFolder {
    const path = join(root, name);
    cpSync(killed.path, path, { recursive: true });
    return runFolder(path);
  }

  test("has the points of an undisturbed one, each once", () => expect(timeless(stopped)).toEqual(timeless(whole)));

  test("by a crash after its last checkpoint does the rest again; what is kept keeps its time", async () => {
    const run = copyOfKilled("again");
    const times = new Map(pointsOf(run).map(({ step, wallTime }) => [step, wallTime]));
    await go(run, configured());
    expect(timeless(run)).toEqual(timeless(whole));
    for (const { step, wallTime } of pointsOf(run))
      if (step <= 4) expect(wallTime).toBe(times.get(step));
      else expect(wallTime).toBeGreaterThan(times.get(6) ?? Infinity);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["payload", (bytes) => bytes.subarray(0, -7)],
    ["length", (bytes) => bytes.subarray(0, afterFour + 5)],
  ])("by a crash in a record's %s loses that record alone", async (name, cut) => {
    const run = copyOfKilled(`cut ${name}`);
    writeFileSync(fileOf(run), cut(readFileSync(fileOf(run))));
    await openEvents(run, configured(), 4);
    const upToFour = (point: object): boolean => "step" in point && Number(point.step) <= 4;
    expect(timeless(run).filter(upToFour)).toEqual(timeless(whole).filter(upToFour));
  });

  test("has every number again where the file is damaged early, or was never written", async () => {
    const [hurt, late] = [copyOfKilled("hurt"), copyOfKilled("late")];
    flip(fileOf(hurt), 100);
    rmSync(folderOf(late), { recursive: true });
    for (const run of [hurt, late]) {
      await openEvents(run, configured(), 4);
      expect(scalarsOf(run)).toEqual(expectedScalars(run));
    }
  });

  /** Where the records begin that hold histograms or pictures, and the steps of those. */
  const heldIn = (file: string): { readonly at: number; readonly step: number }[] => {
    const bytes = readFileSync(file);
    return decodeEvents(bytes)
      .filter(({ holds }) => holds === "histograms" || holds === "images")
      .map(({ record, step }) => ({ at: record.byteOffset - bytes.byteOffset, step }));
  };

  test("with a damaged record loses that alone, and says so; where its length is damaged, all behind it", async () => {
    for (const [name, byte, left] of [
      ["payload", 12, 1],
      ["length", 5, 0],
    ] as const) {
      const run = copyOfKilled(`damaged ${name}`);
      const file = fileOf(run);
      const [first, ...later] = heldIn(file).filter(({ step }) => step <= 4);
      expect(later.length).toBeGreaterThan(0);
      flip(file, first.at + byte);
      const notes: string[] = [];
      await openEvents(run, configured(), 4, (note) => notes.push(note));
      expect(notes).toEqual([
        `${file}: is damaged at byte ${first.at}, so histograms and pictures there are lost; its numbers are written again from metrics.jsonl`,
      ]);
      expect(heldIn(fileOf(run))).toHaveLength(left * later.length);
      expect(scalarsOf(run)).toEqual(expectedScalars(run));
    }
  });

  test("says nothing of damage behind the checkpoint, nor of a record that a crash has cut", async () => {
    const notes: string[] = [];
    const [behind, cut] = [copyOfKilled("damaged behind"), copyOfKilled("cut short")];
    flip(fileOf(behind), (heldIn(fileOf(behind)).at(-1)?.at ?? 0) + 12);
    const bytes = readFileSync(fileOf(cut));
    for (const run of [behind, cut]) {
      if (run === cut) writeFileSync(fileOf(cut), bytes.subarray(0, afterFour + 5));
      await openEvents(run, configured(), 4, (note) => notes.push(note));
      expect(scalarsOf(run)).toEqual(expectedScalars(run));
    }
    expect(notes).toEqual([]);
  });

  test("keeps the numbers of its file where metrics.jsonl has gone", async () => {
    const run = copyOfKilled("metrics gone");
    rmSync(run.metrics);
    // To its end, and once more, when metrics.jsonl has but the lines since.
    for (let i = 0; i < 2; i++) {
      await go(run, configured());
      expect(readMetrics(run)[0].step).toBe(5);
      expect(scalarsOf(run)).toEqual(expectedScalars(whole));
    }
  });

  test("at its end gains nothing by being resumed, and goes on when it is lengthened", async () => {
    const run = runFolder(join(root, "lengthened"));
    cpSync(whole.path, run.path, { recursive: true });
    await go(run, configured());
    expect(timeless(run)).toEqual(timeless(whole));
    await go(run, configured({ epochs: 3 }));
    expect(scalarsOf(run)).toEqual(expectedScalars(run));
    expect(pointsOf(run).filter(({ tag }) => tag === "figures/loss")).toMatchObject([{ step: 6 }, { step: 9 }]);
  });

  test("leaves the files of others alone", async () => {
    const run = copyOfKilled("others");
    const other = join(folderOf(run), "events.out.tfevents.1700000000.host.1.0");
    writeFileSync(other, "theirs");
    await openEvents(run, configured(), 4);
    expect(readdirSync(folderOf(run))).toHaveLength(3);
    expect(readFileSync(other, "utf8")).toBe("theirs");
  });
});

describe("what cannot be written or read is named:", () => {
  test("a file where the folder should be", async () => {
    const run = runFolder(join(root, "taken"));
    mkdirSync(run.path);
    const folder = folderOf(run);
    writeFileSync(folder, "");
    await expect(openEvents(run, configured(), 0)).rejects.toThrow(
      new SaccadeError(
        `${folder}: cannot be read: ENOTDIR: not a directory, scandir '${folder}'; a part of this path is a file; name a folder there`,
      ),
    );
  });

  test("a folder that has gone", async () => {
    const run = runFolder(join(root, "gone"));
    mkdirSync(run.path);
    const events = await openEvents(run, configured(), 0);
    const file = fileOf(run);
    rmSync(folderOf(run), { recursive: true });
    expect(() => events.metric({ kind: "alarm", step: 1, about: "collapse", message: "collapse" })).toThrow(
      new SaccadeError(`${file}: cannot be written: ENOENT: no such file or directory, open '${file}'`),
    );
  });
});

test("a histogram counts every finite number once, at the edges too", () => {
  expect(histogram(Float32Array.of(0, 1, 2, 3, 4, Number.NaN, Infinity), 4)).toEqual({
    ...{ min: 0, max: 4, count: 5, sum: 10, sumOfSquares: 30 },
    ...{ limits: [1, 2, 3, 4], buckets: [1, 1, 1, 2] },
  });
  expect(histogram(Float32Array.of(2, 2))).toMatchObject({ min: 2, max: 2, limits: [2], buckets: [2] });
  expect(histogram(new Float32Array())).toMatchObject({ count: 0, limits: [0], buckets: [0] });
});

const readBack = `
import json, logging, sys
logging.disable(logging.CRITICAL)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
kinds = dict(scalars=0, images=0, histograms=0, tensors=0)
events = EventAccumulator(sys.argv[1], size_guidance=kinds).Reload()
tags = events.Tags()
print(json.dumps(dict(
    scalars=[[tag, e.step, e.value] for tag in tags["scalars"] for e in events.Scalars(tag)],
    images=[[tag, e.step, e.width, e.height, e.encoded_image_string[:8].hex()]
            for tag in tags["images"] for e in events.Images(tag)],
    histograms=[[tag, e.step, sum(e.histogram_value.bucket), e.histogram_value.num]
                for tag in tags["histograms"] for e in events.Histograms(tag)],
    texts=[[tag, e.step, e.tensor_proto.string_val[0].decode()]
           for tag in tags["tensors"] for e in events.Tensors(tag)],
)))`;

const python = spawnSync("python3", ["-c", "import tensorboard"], { encoding: "utf8" });
const reason = python.status === 0 ? "" : " (skipped: python3 has no tensorboard here)";

describe.skipIf(reason !== "")(`the real TensorBoard${reason}`, () => {
  interface ReadBack {
    readonly scalars: [string, number, number][];
    readonly images: [string, number, number, number, string][];
    readonly histograms: [string, number, number, number][];
    readonly texts: [string, number, string][];
  }

  function read(run: RunFolder): ReadBack {
    const { status, stdout, stderr } = spawnSync("python3", ["-c", readBack, folderOf(run)], {
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout);
  }

  test("reads a file that a crash has cut, up to the record that is cut", () => {
    const run = runFolder(join(root, "cut for TensorBoard"));
    mkdirSync(folderOf(run), { recursive: true });
    const cut = readFileSync(fileOf(whole)).subarray(0, -7);
    writeFileSync(join(folderOf(run), basename(fileOf(whole))), cut);
    const { scalars, images: shown } = read(run);
    expect(scalars.map(([tag, step, value]) => `${tag}@${step} = ${value}`).sort()).toEqual(expectedScalars(whole));
    expect(shown.map(([tag, step]) => [tag, step])).toEqual([["figures/views", 1]]);
  });

  test("reads what metrics.jsonl says, in an undisturbed run and in one that was stopped", async () => {
    for (const run of [whole, inTurn, stopped]) {
      const { scalars, images: shown, histograms, texts } = read(run);
      expect(scalars.map(([tag, step, value]) => `${tag}@${step} = ${value}`).sort()).toEqual(expectedScalars(run));
      const points = pointsOf(run);
      expect(shown).toHaveLength(4);
      for (const [tag, step, width, height, magic] of shown) {
        const own = points.find((point) => point.tag === tag && point.step === step)?.image;
        expect({ width, height, magic }).toEqual({ width: own?.width, height: own?.height, magic: "89504e470d0a1a0a" });
      }
      expect(histograms).toHaveLength(points.filter((point) => point.histogram).length);
      for (const [tag, , sum, count] of histograms) {
        const weights = latestCheckpoint(run.checkpoints)?.state.get(`${basename(tag)}.weight`);
        expect([sum, count], tag).toEqual([weights?.length, weights?.length]);
      }
      expect(texts).toMatchObject([["config", 0, expect.stringContaining("name: logged")]]);
    }
  });
});

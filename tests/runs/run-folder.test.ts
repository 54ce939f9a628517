// The run folder and its files: metrics, checkpoints and safetensors survive a crash, and damage is named, never half read.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 as crc32Of } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { SimclrAugmentation } from "../../src/data/augmentation.ts";
import { notRead, notWritten, writeWhole } from "../../src/files/files.ts";
import { makeFolders } from "../../src/files/folders.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent } from "../../src/program/tensor.ts";
import { checksum, requireTensors } from "../../src/record/checkpoint-file.ts";
import type { Metric } from "../../src/record/metrics.ts";
import { bestCheckpoint, latestCheckpoint, loadCheckpoint } from "../../src/runs/checkpoints.ts";
import { continueEnvironment, environment } from "../../src/runs/environment.ts";
import { configKey } from "../../src/runs/resume.ts";
import {
  appendMetric,
  createRun,
  listRuns,
  openRun,
  readMetrics,
  runFolder,
  summariseRun,
  truncateMetrics,
} from "../../src/runs/run-folder.ts";
import { lockRun } from "../../src/runs/run-lock.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  safetensorsParts,
  type TensorFile,
} from "../../src/training/safetensors.ts";
import { damaged } from "../support/damaged.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "saccade-run-folder-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const config: Config = parseConfig(
  { name: "least", data: { dataset: "mnist" }, encoder: "mnist", batch: 10, epochs: 2 },
  "least",
);

const stepLine = (step: number): Metric => ({
  kind: "step",
  step,
  epoch: step / 10,
  loss: 100 / step,
  activePositives: 0.5,
  activeNegatives: 0.25,
});

const never = (message: string): never => {
  throw new Error(message);
};

describe("a run folder", () => {
  test("holds the resolved configuration and the environment, and opens again", async () => {
    const made = await createRun(join(root, "opens"), config, { node: "24" });
    expect(readdirSync(made.path).sort()).toEqual(["checkpoints", "config.yaml", "environment.json", "figures"]);
    const { run, config: read } = openRun(made.path);
    expect(run).toEqual(made);
    expect(read).toEqual(config);
    expect(JSON.parse(readFileSync(join(made.path, "environment.json"), "utf8"))).toEqual({ node: "24" });
    expect(made.path).toMatch(/\/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_least_[0-9a-f]{6}$/);
  });

  test("from before there was antialiasing is read as it was made, and goes on from its checkpoints", async () => {
    const { path } = await createRun(join(root, "older"), config, {});
    const file = join(path, "config.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^ *antialias: true\n/m, ""));
    const { augmentation, ...rest } = openRun(path).config;
    expect({ ...rest, augmentation: { ...augmentation, antialias: true } }).toEqual(config);
    expect(augmentation).toMatchObject({ kind: "simclr", antialias: false });
    const { antialias, ...older } = augmentation as SimclrAugmentation;
    expect(configKey({ ...rest, augmentation })).toBe(configKey({ ...rest, augmentation: older } as Config));
    expect(configKey({ ...rest, augmentation })).not.toBe(configKey(config));
  });

  test("from before there were crops for the read-out is measured as it was", async () => {
    const sets = { train: { dataset: "stl-10" }, test: { dataset: "stl-10", split: "test" } };
    const authors = parseConfig({ ...config, encoder: "vgg6", preset: "authors-code", probe: sets }, "authors");
    const { path } = await createRun(join(root, "older-probe"), authors, {});
    expect(openRun(path).config.probe?.augmentation).toEqual({ kind: "crop", flip: 0.5 });
    const file = join(path, "config.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^ {2}augmentation:\n {4}kind: crop\n {4}flip: 0.5\n/m, ""));
    expect(openRun(path).config.probe?.augmentation).toEqual({ kind: "none" });
  });

  test("is never shared by runs that start in the same second", async () => {
    const runs = await Promise.all(Array.from({ length: 5 }, () => createRun(join(root, "same"), config, {})));
    expect(new Set(runs.map(({ path }) => path)).size).toBe(5);
  });

  test("that cannot be made is refused with its path", async () => {
    const file = join(root, "a-file");
    writeFileSync(file, "");
    await expect(createRun(file, config, {})).rejects.toThrow(/a-file.*: cannot be written: E/);
    await expect(createRun(join(file, "below"), config, {})).rejects.toThrow(/below.*: cannot be written: ENOTDIR/);
    if (process.platform === "linux") expect(() => makeFolders("/proc/nowhere/below")).toThrow(/ENOENT/);
  });

  test("elsewhere is named as not a run folder", () => {
    expect(() => openRun(join(root, "nowhere"))).toThrow(
      `${join(root, "nowhere")}: not a run folder, it has no config.yaml; \`saccade runs list\` shows the runs`,
    );
    expect(() => summariseRun(root)).toThrow(/not a run folder/);
  });

  test("whose configuration is not YAML is named", () => {
    mkdirSync(join(root, "broken"));
    const file = join(root, "broken", "config.yaml");
    writeFileSync(file, "a: [1,\nb: }");
    expect(() => openRun(join(root, "broken"))).toThrow(
      new SaccadeError(
        `${file}: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ] at line 2, column 1; mend it there`,
      ),
    );
  });
});

describe("metrics", () => {
  const fresh = (name: string) => {
    const run = runFolder(join(root, name));
    mkdirSync(run.path);
    return run;
  };

  test("come back line by line; a run without any has none", () => {
    const run = fresh("metrics");
    expect(readMetrics(run)).toEqual([]);
    for (const step of [1, 2, 3]) appendMetric(run, stepLine(step));
    expect(readMetrics(run)).toEqual([stepLine(1), stepLine(2), stepLine(3)]);
  });

  test("lose a last line that was cut short, at any byte of it, and nothing else", () => {
    const run = fresh("cut");
    for (const step of [1, 2, 3]) appendMetric(run, stepLine(step));
    const whole = readFileSync(run.metrics, "utf8");
    const lastLine = whole.lastIndexOf("\n", whole.length - 2) + 1;
    for (let length = lastLine; length < whole.length; length++) {
      writeFileSync(run.metrics, whole.slice(0, length));
      expect(readMetrics(run), `cut after ${length} bytes`).toEqual([stepLine(1), stepLine(2)]);
    }
  });

  test("name a damaged line in the middle", () => {
    const run = fresh("damaged");
    writeFileSync(run.metrics, `${JSON.stringify(stepLine(1))}\n{"kind":\n${JSON.stringify(stepLine(3))}\n`);
    expect(() => readMetrics(run)).toThrow(`${run.metrics}: line 2 is not JSON`);
  });

  test.each([
    ["null", "null"],
    ["a number", "3"],
    ["another kind", '{"kind":"stop","step":1}'],
    ["a step without its loss", '{"kind":"step","step":1,"epoch":0.1}'],
    ["an X-ray without layers", '{"kind":"xray","step":1}'],
    ["an alarm without words", '{"kind":"alarm","step":1}'],
  ])("name a line that is %s", (name, line) => {
    const run = fresh(`metrics of ${name}`);
    writeFileSync(run.metrics, `${JSON.stringify(stepLine(1))}\n${line}\n`);
    expect(() => readMetrics(run)).toThrow(
      `${run.metrics}: line 2 is not a line of metrics, got ${line}; mend the line`,
    );
  });

  test("after a cut and a resume go on as if nothing had happened", async () => {
    const run = fresh("resumed");
    for (const step of [1, 2, 3, 4]) appendMetric(run, stepLine(step));
    const undisturbed = readFileSync(run.metrics, "utf8");
    appendMetric(run, { kind: "alarm", step: 4, about: "loss", message: "late" });
    writeFileSync(run.metrics, readFileSync(run.metrics, "utf8").slice(0, -5));
    await truncateMetrics(run, 2);
    expect(readMetrics(run)).toEqual([stepLine(1), stepLine(2)]);
    for (const step of [3, 4]) appendMetric(run, stepLine(step));
    expect(readFileSync(run.metrics, "utf8")).toBe(undisturbed);
    await truncateMetrics(run, 0);
    expect(readFileSync(run.metrics, "utf8")).toBe("");
  });
});

describe("the list of runs", () => {
  test("is newest first, says how far each got, and names what it leaves out", async () => {
    const folder = join(root, "list");
    const older = await createRun(folder, { ...config, name: "before" }, {});
    const newer = await createRun(folder, { ...config, name: "since" }, {});
    for (const step of [1, 2]) appendMetric(older, stepLine(step));
    appendMetric(older, { kind: "alarm", step: 3, about: "loss", message: "not a step" });
    utimesSync(older.metrics, 1000, 1000);
    mkdirSync(join(folder, "notes"));
    mkdirSync(join(folder, "of-another-version"));
    writeFileSync(join(folder, "of-another-version", "config.yaml"), "name: x\nflux: 3\n");
    const left: string[] = [];
    const runs = listRuns(folder, (message) => left.push(message));
    expect(runs.map(({ config: { name }, step, epoch, loss }) => ({ name, step, epoch, loss }))).toEqual([
      { name: "since", step: 0, epoch: 0, loss: undefined },
      { name: "before", step: 2, epoch: 0.2, loss: 50 },
    ]);
    expect(runs.map(({ path }) => path)).toEqual([newer.path, older.path]);
    expect(left).toHaveLength(1);
    expect(left[0]).toMatch(/of-another-version\/config\.yaml: .*unknown key "flux"/);
  });

  test("leaves out a run whose metrics are damaged, and a file in the place of the folder is named", async () => {
    const folder = join(root, "hurt-list");
    const [sound, hurt] = [await createRun(folder, config, {}), await createRun(folder, config, {})];
    writeFileSync(hurt.metrics, "null\n");
    const left: string[] = [];
    expect(listRuns(folder, (message) => left.push(message)).map(({ path }) => path)).toEqual([sound.path]);
    expect(left).toEqual([expect.stringContaining(`${hurt.metrics}: line 1 is not a line of metrics`)]);
    expect(() => listRuns(hurt.metrics, never)).toThrow(`${hurt.metrics}: cannot be read: ENOTDIR`);
  });

  test("of no folder is empty", () => expect(listRuns(join(root, "none"), never)).toEqual([]));
});

describe("the lock of a run", () => {
  const locked = (name: string, lock?: string) => {
    const run = runFolder(join(root, name));
    mkdirSync(run.path);
    if (lock !== undefined) writeFileSync(join(run.path, "lock.json"), lock);
    return run;
  };
  const lock = (pid: number, host = hostname()): string => JSON.stringify({ pid, host, started: "2026-11-24" });

  test("names this process, and is gone when given back", () => {
    const run = locked("locked");
    const release = lockRun(run);
    expect(JSON.parse(readFileSync(join(run.path, "lock.json"), "utf8"))).toMatchObject({
      pid: process.pid,
      host: hostname(),
    });
    release();
    expect(readdirSync(run.path)).toEqual([]);
  });

  test.each([
    ["a living process", lock(process.ppid), /is in use by process \d+ since 2026-11-24; wait for it or end it; /],
    [
      "another machine",
      lock(1, "elsewhere"),
      /is in use by process 1 on elsewhere since 2026-11-24; if that has ended/,
    ],
    ["nobody", "", /lock\.json does not say which process uses the run; remove it if none does$/],
    ["null", "null", /lock\.json does not say which process uses the run/],
  ])("of %s holds", (name, text, sentence) => {
    const run = locked(`lock of ${name}`, text);
    expect(() => lockRun(run)).toThrow(sentence);
    expect(readFileSync(join(run.path, "lock.json"), "utf8")).toBe(text);
  });

  test.skipIf(process.platform !== "linux")(
    "of a process whose number another one has now is taken over (skipped where there is no /proc)",
    () => {
      const own = locked("own");
      const release = lockRun(own);
      const { born } = JSON.parse(readFileSync(join(own.path, "lock.json"), "utf8"));
      release();
      const [boot, tick] = born.split(" ");
      expect(readFileSync("/proc/sys/kernel/random/boot_id", "utf8")).toBe(`${boot}\n`);
      // 100 ticks a second: this process is younger than the machine, and older than a moment.
      const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
      expect(Math.abs(uptime - process.uptime() - tick / 100)).toBeLessThan(2);

      const [, parent] = /^.*\)(?: \S+){19} (\d+)/s.exec(readFileSync(`/proc/${process.ppid}/stat`, "utf8")) ?? [];
      const held = (name: string, born: string) =>
        locked(name, JSON.stringify({ ...JSON.parse(lock(process.ppid)), born }));
      expect(() => lockRun(held("same tick", `${boot} ${parent}`))).toThrow(/is in use by process/);
      lockRun(held("other tick", `${boot} ${Number(parent) - 1}`))();
      lockRun(held("other boot", `00000000-1c44-416f-8419-c680699b19d0 ${parent}`))();
    },
  );

  test("is not given back once another process has it", () => {
    const run = locked("lost");
    const release = lockRun(run);
    writeFileSync(join(run.path, "lock.json"), lock(process.ppid));
    release();
    expect(readdirSync(run.path)).toEqual(["lock.json"]);
  });
});

describe("where a run was computed", () => {
  const plain = environment(wasmBackend({ threads: 1, simd: "plain" }));
  const relaxed = environment(wasmBackend({ threads: 2, simd: "relaxed" }));
  const noted = (path: string): string[] => readdirSync(path).filter((name) => name.startsWith("environment"));

  test("is noted again only where it changes, and told only where the arithmetic does", async () => {
    const { path } = await createRun(join(root, "sessions"), config, plain);
    expect(await continueEnvironment(path, 4, plain)).toBeUndefined();
    expect(noted(path)).toEqual(["environment.json"]);
    expect(
      await continueEnvironment(path, 4, environment(wasmBackend({ threads: 16, simd: "plain" }))),
    ).toBeUndefined();
    expect(noted(path)).toEqual(["environment-2.json", "environment.json"]);
    expect(await continueEnvironment(path, 8, relaxed)).toBe(
      "until step 8 this run was computed by wasm: float32, multiplications and additions apart; from here on by wasm: float32, multiply-add in one: what follows may differ in its last bits",
    );
    expect(JSON.parse(readFileSync(join(path, "environment.json"), "utf8"))).toEqual(plain);
    expect(JSON.parse(readFileSync(join(path, "environment-3.json"), "utf8"))).toEqual({
      fromStep: 8,
      ...relaxed,
    });
    expect(await continueEnvironment(path, 9, relaxed)).toBeUndefined();
    expect(noted(path)).toHaveLength(3);
    // The same to the bit: noted, with nothing to tell.
    expect(await continueEnvironment(path, 9, { ...relaxed, backendDescription: "float32, wide" })).toBeUndefined();
    expect(noted(path)).toHaveLength(4);
  });

  test.each(["null", "{", "{}"])("is told where the file before says %s", async (text) => {
    const { path } = await createRun(join(root, "unknown"), config, plain);
    writeFileSync(join(path, "environment.json"), text);
    expect(await continueEnvironment(path, 4, plain)).toMatch(
      /computed by an engine that environment\.json does not name/,
    );
  });
});

describe("a file written whole", () => {
  test("replaces the old one and leaves nothing beside it", async () => {
    const path = join(root, "whole", "deep", "file");
    await writeWhole(path, "old");
    await writeWhole(path, Uint8Array.of(1, 2, 3));
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    expect(readdirSync(join(root, "whole", "deep"))).toEqual(["file"]);
  });

  test("that cannot be put in place leaves the old one and nothing beside it", async () => {
    const path = join(root, "taken");
    mkdirSync(join(path, "inside"), { recursive: true });
    await expect(writeWhole(path, "text")).rejects.toThrow(`${path}: cannot be written: `);
    expect(existsSync(join(path, "inside"))).toBe(true);
    expect(readdirSync(root).filter((name) => name.startsWith("taken"))).toEqual(["taken"]);
  });
});

describe("what the system refuses is a sentence with its mend, where one is known:", () => {
  test.each([
    ["ENOSPC", "; make room on the disk, then go on"],
    ["EDQUOT", "; make room on the disk, then go on"],
    ["EROFS", "; take a folder on a disk that may be written to"],
    ["EACCES", "; take a folder that you may write in"],
    ["EIO", ""],
  ])("%s when writing", (code, mend) => {
    expect(notWritten("a/file", Object.assign(new Error(`${code}: why`), { code }))).toEqual(
      new SaccadeError(`a/file: cannot be written: ${code}: why${mend}`),
    );
  });

  test.each([
    ["ENOENT", "; look how its name is written, and from which folder it is meant"],
    ["EACCES", "; change its permissions"],
    ["EISDIR", "; name a file"],
    ["EIO", ""],
  ])("%s when reading", (code, mend) => {
    expect(notRead("a/file", Object.assign(new Error(`${code}: why`), { code }))).toEqual(
      new SaccadeError(`a/file: cannot be read: ${code}: why${mend}`),
    );
  });
});

const numbers = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i) * 1e3));

/** Tensors of odd sizes, one of them a window into a larger buffer. */
const tensorFile = (): TensorFile => ({
  tensors: new Map([
    ["conv1.weight", { shape: [3, 3, 1, 7], data: numbers(63) }],
    ["a scalar", { shape: [], data: Float32Array.of(-0) }],
    ["window", { shape: [5], data: numbers(100).subarray(17, 22) }],
    ["nothing", { shape: [0, 4], data: new Float32Array() }],
    ['häd "quoted"', { shape: [1, 1], data: Float32Array.of(Number.NaN) }],
    [
      "ends",
      { shape: [3], data: Float32Array.of(3.4028234663852886e38, 1.401298464324817e-45, Number.NEGATIVE_INFINITY) },
    ],
  ]),
  metadata: { format: "test", note: "ünïcode" },
});

describe("safetensors", () => {
  test("round trip, from memory and through a file", () => {
    const file = tensorFile();
    const bytes = encodeSafetensors(file);
    const found = { ...file, others: new Map() };
    expect(decodeSafetensors(bytes, "memory")).toEqual(found);
    const path = join(root, "round.safetensors");
    writeFileSync(path, bytes);
    expect(decodeSafetensors(readFileSync(path), path)).toEqual(found);
    // The header ends at a multiple of eight, as the format wants it.
    expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
  });

  test("tensors own their numbers, whatever buffer the file came in", () => {
    const bytes = encodeSafetensors(tensorFile());
    // Node hands small files out of a shared pool: odd offset, foreign bytes on both sides.
    const pool = Buffer.alloc(bytes.length + 100, 0xff);
    pool.set(bytes, 13);
    const { tensors } = decodeSafetensors(pool.subarray(13, 13 + bytes.length), "pool");
    pool.fill(0);
    expect(tensors).toEqual(tensorFile().tensors);
    for (const { data } of tensors.values()) {
      expect(data.byteOffset).toBe(0);
      expect(data.buffer.byteLength).toBe(data.byteLength);
    }
  });

  test("the parts of a file are views of its tensors, not copies", () => {
    const file = tensorFile();
    const [length, header, ...rest] = safetensorsParts(file);
    expect(Buffer.concat([length, header, ...rest]).equals(encodeSafetensors(file))).toBe(true);
    expect(rest).toHaveLength(file.tensors.size);
    for (const [i, { data }] of [...file.tensors.values()].entries()) expect(rest[i].buffer).toBe(data.buffer);
  });

  test("the layout is the format's: length, JSON, little-endian numbers", () => {
    const bytes = encodeSafetensors({
      tensors: new Map([["x", { shape: [2], data: Float32Array.of(1, -2) }]]),
      metadata: {},
    });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      __metadata__: {},
      x: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    });
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  test("a file cut short anywhere is refused", () => {
    const bytes = encodeSafetensors(tensorFile());
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeSafetensors(bytes.subarray(0, length), "cut"), `${length} bytes`).toThrow(
        /^cut: wanted .*damaged/,
      );
    expect(() => decodeSafetensors(Uint8Array.of(...bytes, 0), "long")).toThrow(/^long: wanted \d+ bytes, got \d+; /);
  });

  const withHeader = (header: string, data = 8): Uint8Array => {
    const text = new TextEncoder().encode(header);
    const bytes = new Uint8Array(8 + text.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };
  const entry = (fields: object): string =>
    JSON.stringify({ x: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });

  test("the header that the damaged ones are made from is sound", () => {
    expect(decodeSafetensors(withHeader(entry({})), "sound").tensors.get("x")?.shape).toEqual([2]);
  });

  test.each([
    ["not JSON", "{", "wanted a JSON header, got something else"],
    ["a list", "[]", "wanted a JSON object as header, got []"],
    ["null", "null", "wanted a JSON object as header, got null"],
    ["metadata of numbers", '{"__metadata__":{"a":1}}', 'wanted texts by name as __metadata__, got {"a":1}'],
    ["metadata null", '{"__metadata__":null}', "wanted texts by name as __metadata__, got null"],
    [
      "no shape",
      entry({ shape: undefined }),
      'wanted dtype, shape and data_offsets for "x", got {"dtype":"F32","data_offsets":[0,8]}',
    ],
    [
      "a negative extent",
      entry({ shape: [-1, -2] }),
      'wanted dtype, shape and data_offsets for "x", got {"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}',
    ],
    [
      "a fractional extent",
      entry({ shape: [0.5, 4] }),
      'wanted dtype, shape and data_offsets for "x", got {"dtype":"F32","shape":[0.5,4],"data_offsets":[0,8]}',
    ],
    ["too small a shape", entry({ shape: [1] }), 'wanted 4 bytes from 0 on for "x", got 0 to 8 of 8'],
    [
      "too large a shape",
      entry({ shape: [2 ** 40, 2 ** 40] }),
      'wanted 4.835703278458517e+24 bytes from 0 on for "x", got 0 to 8 of 8',
    ],
    ["a hole", entry({ data_offsets: [4, 12] }), 'wanted 8 bytes from 0 on for "x", got 4 to 12 of 8'],
    ["offsets backwards", entry({ data_offsets: [8, 0] }), 'wanted 8 bytes from 0 on for "x", got 8 to 0 of 8'],
    [
      "an end beyond the file",
      entry({ shape: [3], data_offsets: [0, 12] }),
      'wanted 12 bytes from 0 on for "x", got 0 to 12 of 8',
    ],
    ["bytes that nobody owns", "{}", "wanted 10 bytes, got 18"],
    [
      "a shape that is NaN",
      '{"x":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}',
      "wanted a JSON header, got something else",
    ],
    [
      "a shape beyond all numbers",
      entry({}).replace("[2]", "[1e999]"),
      'wanted dtype, shape and data_offsets for "x", got {"dtype":"F32","shape":[null],"data_offsets":[0,8]}',
    ],
    ["one name twice", `${entry({}).slice(0, -1)},"\\u0078":null}`, 'wanted "x" once, got it twice'],
    [
      "tensors that overlap",
      JSON.stringify({
        x: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
        y: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
      }),
      'wanted 4 bytes from 8 on for "y", got 4 to 8 of 8',
    ],
  ])("a header with %s is refused", (_, header, sentence) => {
    expect(() => decodeSafetensors(withHeader(header), "bad")).toThrow(
      new SaccadeError(`bad: ${sentence}; the file is damaged or not a safetensors file`),
    );
  });

  test.each([
    ["BF16", 4],
    ["F64", 16],
    ["BOOL", 2],
    ["F8_E4M3", 2],
    ["F8_E5M2", 2],
    ["F4", 1],
  ])("numbers of type %s are read over, their shape and %d bytes known", (dtype, bytes) => {
    const file = withHeader(entry({ dtype, data_offsets: [0, bytes] }), bytes);
    const { tensors, others } = decodeSafetensors(file, "half");
    expect([...tensors.keys()]).toEqual([]);
    expect(others).toEqual(new Map([["x", { shape: [2], type: dtype }]]));
    expect(() =>
      decodeSafetensors(withHeader(entry({ dtype, data_offsets: [0, bytes + 1] }), bytes + 1), "half"),
    ).toThrow(
      new SaccadeError(
        `half: wanted ${bytes} bytes from 0 on for "x", got 0 to ${bytes + 1} of ${bytes + 1}; the file is damaged or not a safetensors file`,
      ),
    );
  });

  test("tensors are read in any order in which the header names them", () => {
    const header = JSON.stringify({
      10: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
      2: { dtype: "F32", shape: [0], data_offsets: [4, 4] },
      x: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
    });
    const bytes = withHeader(header);
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 3, true);
    const { tensors } = decodeSafetensors(bytes, "order");
    expect([...tensors.keys()]).toEqual(["x", "2", "10"]);
    expect(tensors.get("10")?.data).toEqual(Float32Array.of(3));
  });

  test("a header beyond the format's 100 MB is refused, though the file has it", () => {
    const bytes = new Uint8Array(100_000_100);
    new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
    expect(() => decodeSafetensors(bytes, "huge")).toThrow(
      new SaccadeError(
        "huge: wanted a header of at most 100000000 bytes, got 100000001; the file is damaged or not a safetensors file",
      ),
    );
  });

  test("long texts and many names in a header are read in a moment", () => {
    const names = Array.from({ length: 50_000 }, (_, i) => `layer.${i}`);
    const text = 'a "quoted" text: {[\\ '.repeat(500_000);
    const empty = { dtype: "F32", shape: [0], data_offsets: [0, 0] };
    const header = { __metadata__: { text }, ...Object.fromEntries(names.map((name) => [name, empty])) };
    const { tensors, metadata } = decodeSafetensors(withHeader(JSON.stringify(header), 0), "long");
    expect([...tensors.keys()]).toEqual(names);
    expect(metadata.text === text).toBe(true);
  });

  test("a header that claims to be longer than the file, up to 2⁶⁴ bytes, is refused", () => {
    for (const length of [11n, 2n ** 53n, 2n ** 64n - 1n]) {
      const bytes = withHeader("{}");
      new DataView(bytes.buffer).setBigUint64(0, length, true);
      expect(() => decodeSafetensors(bytes, "bad")).toThrow(
        new SaccadeError(
          `bad: wanted a header of at most 10 bytes, got ${length}; the file is damaged or not a safetensors file`,
        ),
      );
    }
  });
});

describe("a checkpoint", () => {
  const tensors = (): TensorFile["tensors"] =>
    new Map([
      ["conv1.weight", { shape: [2, 3, 3, 3], data: numbers(54) }],
      ["head.weight", { shape: [4, 8], data: numbers(32) }],
      ["head.bias", { shape: [4], data: numbers(4) }],
    ]);
  const sound = {
    format: "saccade-checkpoint-2",
    config: "key",
    position: '{"step":10,"epoch":0,"batch":10}',
    losses: '{"sum":3,"steps":2,"best":{"step":8,"loss":1.5}}',
    channels: '{"head":2}',
  };
  const write = (name: string, change: object = {}, damage?: (bytes: Uint8Array) => Uint8Array): string => {
    const path = join(root, name);
    mkdirSync(join(path, ".."), { recursive: true });
    const metadata = JSON.parse(JSON.stringify({ ...sound, ...change })) as Record<string, string>;
    const crc32 = checksum({ tensors: tensors(), metadata }, crc32Of);
    const bytes = encodeSafetensors({ tensors: tensors(), metadata: { ...metadata, crc32 } });
    writeFileSync(path, damage?.(bytes) ?? bytes);
    return path;
  };
  const at = (step: number) => ({ position: JSON.stringify({ step, epoch: 0, batch: step }) });
  const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length - 1);

  test("holds weights as PyTorch has them: out, in, height, width; pictures with their channels first", () => {
    const { state, shapes, losses } = loadCheckpoint(write("layout"));
    expect(losses).toEqual({ sum: 3, steps: 2, best: { step: 8, loss: 1.5 } });
    expect(Object.fromEntries(shapes)).toEqual({
      "conv1.weight": [3, 3, 3, 2],
      "head.weight": [8, 4],
      "head.bias": [4],
    });
    const stored = tensors();
    const ours = (name: string) => state.get(name) as Float32Array;
    const theirs = (name: string) => stored.get(name)?.data as Float32Array;
    for (let o = 0; o < 2; o++)
      for (let i = 0; i < 3; i++)
        for (let y = 0; y < 3; y++)
          for (let x = 0; x < 3; x++)
            expect(ours("conv1.weight")[((y * 3 + x) * 3 + i) * 2 + o]).toBe(
              theirs("conv1.weight")[((o * 3 + i) * 3 + y) * 3 + x],
            );
    // A picture of 4 pixels and 2 channels before the head.
    for (let o = 0; o < 4; o++)
      for (let pixel = 0; pixel < 4; pixel++)
        for (let c = 0; c < 2; c++)
          expect(ours("head.weight")[(pixel * 2 + c) * 4 + o]).toBe(theirs("head.weight")[o * 8 + c * 4 + pixel]);
    expect(ours("head.bias")).toEqual(theirs("head.bias"));
  });

  /** Each with the whole of its sentence, after the file's path. */
  test.each([
    [
      "empty",
      {},
      () => new Uint8Array(),
      "wanted at least 8 bytes, got 0; the file is damaged or not a safetensors file",
    ],
    [
      "cut short",
      {},
      cut,
      'wanted 16 bytes from 344 on for "head.bias", got 344 to 360 of 359; the file is damaged or not a safetensors file',
    ],
    [
      "changed in one bit of a weight",
      {},
      (bytes) => bytes.with(-1, bytes[bytes.length - 1] ^ 1),
      "its checksum must be e4100d62, as it says itself, got 93173df4; the file is damaged",
    ],
    [
      "foreign",
      { format: undefined },
      undefined,
      "format must be saccade-checkpoint-2, got none; Saccade did not write it; saccade import takes weights from elsewhere",
    ],
    [
      "another version's",
      { format: "saccade-checkpoint-1" },
      undefined,
      "format must be saccade-checkpoint-2, got saccade-checkpoint-1; another version of Saccade wrote it, and that version reads it",
    ],
    ...["", "{", "3", "null", '{"step":-1}', '{"step":"2"}', undefined].map((position) => [
      `without a position: ${position}`,
      { position },
      undefined,
      `position must say the step, got ${position || "nothing"}; the file is damaged`,
    ]),
    ...['{"sum":1}', '{"sum":1,"steps":1,"best":{"step":1}}', "[]"].map((losses) => [
      `without losses: ${losses}`,
      { losses },
      undefined,
      `losses must say sum and steps, got ${losses}; the file is damaged`,
    ]),
    ...["-1", "1.5", "many"].map((metrics) => [
      `without a number of lines: ${metrics}`,
      { metrics },
      undefined,
      `metrics must say a number of lines, got ${metrics}; the file is damaged`,
    ]),
    [
      "with channels that are none",
      { channels: '{"head":0}' },
      undefined,
      'channels must say channels by layer, got {"head":0}; the file is damaged',
    ],
    [
      "with channels that do not fit",
      { channels: '{"head":3}' },
      undefined,
      "head.weight must read pictures of 3 channels, got 8 columns; the file is damaged",
    ],
  ] as [string, object, ((bytes: Uint8Array) => Uint8Array) | undefined, string][])(
    "that is %s is refused",
    (name, change, damage, sentence) => {
      const path = write(`damaged/${name.replaceAll(/\W/g, "-")}`, change, damage);
      expect(() => loadCheckpoint(path)).toThrow(new SaccadeError(`${path}: ${sentence}`));
    },
  );

  test("that is missing is refused by name", () => {
    expect(() => loadCheckpoint(join(root, "none"))).toThrow(`${join(root, "none")}: no such checkpoint`);
  });

  test("of another architecture is refused: the tensor, its shape there and here", () => {
    const path = write("other");
    const checkpoint = loadCheckpoint(path);
    requireTensors(checkpoint, [persistent("conv1.weight", [3, 3, 3, 2], "weight")]);
    for (const [name, shape, got] of [
      ["conv1.weight", [3, 3, 3, 32], "[3, 3, 3, 2]"],
      ["conv2.weight", [3, 3, 32, 32], "nothing"],
    ] as const)
      expect(() => requireTensors(checkpoint, [persistent(name, shape, "weight")])).toThrow(
        new SaccadeError(
          `${path}: ${name} must be [${shape.join(", ")}], got ${got}; the checkpoint is of another network or rule`,
        ),
      );
  });

  test("that is the newest counts, by its step and not by its time", () => {
    const newest = write("steps/step-00000010.safetensors", at(10));
    write("steps/step-00000009.safetensors", at(9));
    write("steps/step-00000011.safetensors.1a2b3c4d.part", at(11));
    const found = latestCheckpoint(join(root, "steps"));
    expect(found).toMatchObject({ path: newest, config: "key", position: { step: 10 } });
    expect(latestCheckpoint(join(root, "no-steps"))).toBeUndefined();
  });

  test("that is the best is the one that the newest remembers", () => {
    const folder = join(root, "bests");
    const best = write("bests/step-00000008.safetensors", at(8));
    write("bests/step-00000009.safetensors", at(9));
    write("bests/step-00000010.safetensors", at(10));
    expect(bestCheckpoint(folder)?.path).toBe(best);
    write("bests/step-00000010.safetensors", { ...at(10), losses: '{"sum":0,"steps":0,"best":{"step":10,"loss":1}}' });
    expect(bestCheckpoint(folder)?.position.step).toBe(10);
    write("bests/step-00000010.safetensors", { ...at(10), losses: '{"sum":0,"steps":0}' });
    expect(() => bestCheckpoint(folder)).toThrow(
      /no checkpoint has a training loss or an evaluation yet; leave --best out, or train on$/,
    );
    expect(bestCheckpoint(join(root, "no-bests"))).toBeUndefined();
  });

  test("that cannot be read is named", () => {
    const path = join(root, "unread", "step-00000001.safetensors");
    mkdirSync(path, { recursive: true });
    expect(() => latestCheckpoint(join(root, "unread"))).toThrow(`${path}: cannot be read: EISDIR`);
    writeFileSync(join(root, "no-folder"), "");
    expect(() => latestCheckpoint(join(root, "no-folder"))).toThrow(/no-folder: cannot be read: ENOTDIR/);
  });

  test("that is damaged is named, together with the newest that is sound", () => {
    write("hurt/step-00000001.safetensors", at(1));
    write("hurt/step-00000002.safetensors", at(2), cut);
    const hurt = (): unknown => latestCheckpoint(join(root, "hurt"));
    expect(hurt).toThrow(
      /step-00000002\.safetensors: wanted .* damaged.*; remove it to go on from step-00000001\.safetensors$/,
    );
    write("hurt/step-00000003.safetensors", at(3), cut);
    expect(hurt).toThrow(
      /step-00000003\.safetensors: .*; remove all that are newer to go on from step-00000001\.safetensors$/,
    );
    write("hurt/step-00000001.safetensors", { format: "saccade-checkpoint-1" });
    expect(hurt).toThrow(/step-00000003\.safetensors: wanted .* not a safetensors file$/);
  });

  test("that an older version wrote of a run gone wrong is named, together with the newest that is sound", () => {
    write("wrong/step-00000001.safetensors", at(1));
    const spoilt = tensors();
    spoilt.get("head.weight")?.data.fill(Number.NaN, 3, 4);
    const metadata = { ...sound, ...at(2) };
    const crc32 = checksum({ tensors: spoilt, metadata }, crc32Of);
    const path = join(root, "wrong/step-00000002.safetensors");
    writeFileSync(path, encodeSafetensors({ tensors: spoilt, metadata: { ...metadata, crc32 } }));
    expect(() => latestCheckpoint(join(root, "wrong"))).toThrow(
      new SaccadeError(
        `${path}: head.weight must be finite, got NaN; the training had diverged when it was written; remove it to go on from step-00000001.safetensors`,
      ),
    );
  });

  test("damaged anywhere is refused with a sentence, or read as it was: 2,000 times", () => {
    const random = randomStream(7, 0x5afe);
    const valid = readFileSync(write("valid"));
    const whole = loadCheckpoint(join(root, "valid"));
    const path = join(root, "mutant");
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      writeFileSync(path, damaged(valid, random));
      try {
        expect(loadCheckpoint(path)).toEqual({ ...whole, path });
      } catch (error) {
        if (!(error instanceof SaccadeError)) throw error;
        expect(error.message).toMatch(/^\S+: [^\n]*, got [^\n]+; [^\n]+$/);
        expect(error.message.startsWith(`${path}: `)).toBe(true);
        expect(error.message.length).toBeLessThan(path.length + 250);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1900);
  });
});

// Own pictures from the command line, as docs/own-data.md has it: train, probe, resume, explain, audit; the same pixels as arrays.

import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { plainlySeen } from "../../src/data/augmentation.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { randomStream } from "../../src/program/random.ts";
import { npy, npz } from "../support/numpy-files.ts";

const main = resolve("dist/cli/main.js");
const page = readFileSync("docs/own-data.md", "utf8");
const root = mkdtempSync(join(tmpdir(), "saccade-own-cli-"));
afterAll(() => rmSync(root, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function saccade(...words: string[]): Promise<Ended> {
  const env = { ...process.env, XDG_CACHE_HOME: join(root, "cache") };
  return new Promise((done) => {
    const child = execFile(process.execPath, [main, ...words], { cwd: root, env }, (_, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

async function output(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await saccade(...words);
  expect(code, `saccade ${words.join(" ")}\n${stderr}`).toBe(0);
  return stdout;
}

const runOf = (stdout: string): string => join(root, /^run +(.+)$/m.exec(stdout)?.[1] ?? "none");
const lines = (run: string): Record<string, unknown>[] =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const last = (run: string): Buffer => {
  const folder = join(run, "checkpoints");
  return readFileSync(join(folder, readdirSync(folder).sort().at(-1) ?? ""));
};

const classes = ["cat", "dog"];
/** Eight pictures of a class to train on and three to test with, in three formats and several sizes: stripes along rows or columns. */
async function makePictures(folder: string): Promise<void> {
  for (const [split, count] of [
    ["train", 8],
    ["test", 3],
  ] as const)
    for (const [label, name] of classes.entries()) {
      mkdirSync(join(root, folder, split, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const random = randomStream(label, i, count);
        const [height, width] = [34 + random.integer(20), 34 + random.integer(20)];
        const pixels = Uint8Array.from({ length: height * width * 3 }, (_, at) => {
          const place = label === 0 ? Math.floor(at / 3 / width) : Math.floor(at / 3) % width;
          return (Math.floor(place / 4) % 2) * 150 + random.integer(100);
        });
        const picture = sharp(pixels, { raw: { height, width, channels: 3 } });
        const format = (["png", "jpeg", "webp"] as const)[i % 3];
        writeFileSync(
          join(root, folder, split, name, `${i}.${format}`),
          await picture.toFormat(format, format === "webp" ? { lossless: true } : {}).toBuffer(),
        );
      }
    }
}

/** What makes the page's configuration short. */
const short = [
  "batch=4",
  "loss.negatives=2",
  "epochs=2",
  // A run that is to be lengthened: no schedule that ends with it.
  "optimiser.schedule={kind: constant}",
  "xrayEvery=0",
  "probe.readOuts=[kNN]",
  "probe.labelsPerClass=[all]",
];
let fromFolder: string;

beforeAll(async () => {
  await makePictures("pictures");
  mkdirSync(join(root, "configs"));
  cpSync("configs/own-pictures.yaml", join(root, "configs/own-pictures.yaml"));
  const [, quoted] = /^npx saccade (train .+)$/m.exec(page) ?? [];
  const stdout = await output(...quoted.split(" "), ...short);
  expect(stdout).toMatch(/^data +pictures train: 16 images of 32×32×3$/m);
  expect(stdout).toMatch(/^trained +8 steps/m);
  expect(stdout).toMatch(/^k nearest neighbours/m);
  fromFolder = runOf(stdout);
});

test("a dry run says that it keeps the decoded pictures, and leaves nothing else", async () => {
  await makePictures("dry/pictures");
  const data = ["data.folder=dry/pictures", "probe.train.folder=dry/pictures", "probe.test.folder=dry/pictures"];
  const words = ["train", "configs/own-pictures.yaml", ...short, ...data, "--dry-run", "--runs", "dry/runs"];
  const before = readdirSync(root, { recursive: true }) as string[];
  const { code, stderr } = await saccade(...words);
  expect(code, stderr).toBe(0);
  const made = (readdirSync(root, { recursive: true }) as string[]).filter((path) => !before.includes(path));
  const told = [...stderr.matchAll(/^note: the decoded pictures are cached: [\d.]+ KiB in (.+)$/gm)];
  expect(told.map(([, path]) => path).sort()).toEqual(made.map((path) => join(root, path)).sort());
  expect((await saccade(...words)).stderr).not.toContain("kept");
});

test("the run says what it learnt from", () => {
  const { sha256, ...data } = JSON.parse(readFileSync(join(fromFolder, "data.json"), "utf8"));
  const described = { count: 16, height: 32, width: 32, channels: 3, classes: ["unlabelled"] };
  expect(data).toEqual({ name: "pictures train", ...described });
  expect(sha256).toMatch(/^[0-9a-f]{64}$/);
});

test("a run that stops and goes on ends where one does that does not stop, bit for bit", async () => {
  const half = runOf(await output("train", "configs/own-pictures.yaml", ...short, "epochs=1", "--no-probe"));
  expect(lines(half)).toHaveLength(4);
  await output("train", "--resume", half, "epochs=2", "--no-probe");
  const steps = (run: string) => lines(run).map(({ spread, effectiveRank, ...line }) => line);
  expect(steps(half)).toEqual(steps(fromFolder));
  expect(last(half).equals(last(fromFolder))).toBe(true);
});

test("a run does not go on when its pictures have changed, but does when they have moved", async () => {
  await makePictures("moved");
  const words = ["train", "configs/own-pictures.yaml", ...short, "epochs=1", "--no-probe", "data.folder=moved"];
  const run = runOf(await output(...words));
  const before = readFileSync(join(run, "metrics.jsonl"));
  cpSync(join(root, "moved"), join(root, "elsewhere"), { recursive: true });
  writeFileSync(join(root, "moved/train/cat/0.png"), readFileSync(join(root, "moved/train/dog/0.png")));
  const { code, stderr } = await saccade("train", "--resume", run, "epochs=2");
  expect([code, stderr.replaceAll(`${root}/`, "")]).toEqual([
    1,
    expect.stringMatching(
      /^decoding: [\s\S]+saccade: runs\/\S+: must be resumed with the pictures that it began with, 16 of moved train, got 16 others of moved train; restore them, or start a new run\n$/,
    ),
  ]);
  expect(readFileSync(join(run, "metrics.jsonl")).equals(before)).toBe(true);
  const record = readFileSync(join(run, "data.json"));
  writeFileSync(join(run, "data.json"), record.subarray(0, 20));
  expect((await saccade("train", "--resume", run, "epochs=2", "data.folder=elsewhere")).stderr).toMatch(
    /data\.json: must describe the pictures that the run learns from, got something else; remove it to resume/,
  );
  writeFileSync(join(run, "data.json"), record);
  await output("train", "--resume", run, "epochs=2", "--no-probe", "data.folder=elsewhere");
});

test("the same pixels as arrays give the same numbers", async () => {
  const arrays: Record<string, Buffer> = {};
  const cached = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = join(root, "cache");
  try {
    for (const split of ["train", "test"] as const) {
      const set = await loadDataset({ dataset: "image-folder", folder: join(root, "pictures"), split });
      arrays[`${split}_images`] = npy("|u1", [set.count, 32, 32, 3], Buffer.from(set.pixels));
      arrays[`${split}_labels`] = npy("<i4", [set.count], Buffer.from(set.labels.buffer));
    }
  } finally {
    if (cached === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = cached;
  }
  writeFileSync(join(root, "cells.npz"), npz(arrays, true));
  const [, quoted] = /```yaml\n([\s\S]+?)```/.exec(page) ?? [];
  const { data, probe } = parse(quoted);
  const inline = (value: object): string => JSON.stringify(value);
  const places = [`data=${inline(data)}`, `probe.train=${inline(probe.train)}`, `probe.test=${inline(probe.test)}`];
  const stdout = await output("train", "configs/own-pictures.yaml", ...short, ...places);
  expect(stdout).toMatch(/^data +cells\.npz train: 16 images of 32×32×3$/m);
  const run = runOf(stdout);
  expect(lines(run)).toEqual(lines(fromFolder));
  const scores = (folder: string) => JSON.parse(readFileSync(join(folder, "probe.json"), "utf8")).scores;
  expect(scores(run)).toEqual(scores(fromFolder));
  expect(JSON.parse(readFileSync(join(run, "data.json"), "utf8")).sha256).toBe(
    JSON.parse(readFileSync(join(fromFolder, "data.json"), "utf8")).sha256,
  );
});

/** 48 × 48 pictures in two classes, and a configuration of a network that reads 16 × 16. */
function writeLarge(): void {
  const pixels = Buffer.alloc(12 * 48 * 48 * 3, 90);
  const labels = Buffer.from(Int32Array.from({ length: 12 }, (_, i) => i % 2).buffer);
  const arrays = { images: npy("|u1", [12, 48, 48, 3], pixels), labels: npy("<i4", [12], labels) };
  writeFileSync(join(root, "large.npz"), npz(arrays));
  writeFileSync(
    join(root, "large.yaml"),
    "name: large\ndata: { dataset: arrays, file: large.npz }\nencoder: tiny\nbatch: 4\nepochs: 1\nxrayEvery: 0\nloss: { kind: contrastiveHinge, negatives: 2 }\n",
  );
}

test("pictures of another size than the network's input are said to be, and how they are read", async () => {
  writeLarge();
  const viewsOf = async (...words: string[]): Promise<string | undefined> =>
    /^views +(.*)$/m.exec(await output("train", "large.yaml", ...words))?.[1];
  expect(await viewsOf()).toBe("pictures of 48×48 are scaled to 16×16 in the views");
  expect(await viewsOf("augmentation={kind: none}")).toBe("the middle 16×16 of pictures of 48×48");
  const patches = ["augmentation={kind: patches, crop: 40, size: 16, stride: 4}", "loss={kind: clappPatches}"];
  expect(await viewsOf(...patches, "learning=GLL")).toBeUndefined();
  expect(await viewsOf("data={dataset: procedural-objects, limit: 8, size: 16}")).toBeUndefined();
  const run = runOf(await output("train", "large.yaml"));
  const { code, stderr } = await saccade("export", run, "--to", "large-embeddings.npz");
  expect([code, stderr.split("\n")[0]]).toEqual([
    0,
    "warning: the encoder reads the middle 16×16 of pictures of 48×48",
  ]);
});

test.each([
  [{ height: 48, width: 16 }, "the middle 32×16 of pictures of 48×16, enlarged to 32×32"],
  [{ height: 8, width: 32 }, "pictures of 8×32, enlarged to 32×32"],
  [{ height: 33, width: 32 }, "the middle 32×32 of pictures of 33×32"],
  [{ height: 32, width: 32 }, undefined],
])("what an encoder of 32 × 32 reads of pictures of %j", (from, wanted) => {
  expect(plainlySeen({ from, to: { height: 32, width: 32 } })).toBe(wanted);
});

test("an .npz that has moved since the run began is asked for, and found where it is said to be", async () => {
  writeLarge();
  const run = runOf(await output("train", "large.yaml"));
  renameSync(join(root, "large.npz"), join(root, "moved.npz"));
  expect(await saccade("train", "--resume", run, "epochs=2")).toEqual({
    code: 1,
    stdout: "",
    stderr: `saccade: ${run}: data.file must be where the pictures are, got large.npz, where nothing is; say where they are now: data.file=…\n`,
  });
  await output("train", "--resume", run, "epochs=2", "data.file=moved.npz");
});

test("explain, audit and probe know own data", async () => {
  expect(await output("explain", "configs/own-pictures.yaml", "batch=6")).toMatch(/6 images/);
  expect(await output("audit", "configs/own-pictures.yaml", "batch=6")).toMatch(/6 images a step/);
  expect(await output("probe", fromFolder)).toMatch(
    /Labels from pictures train \(16 images\), tested on pictures test \(6\)/,
  );
});

describe("without a probe, its data need not be there", () => {
  const gone = ["probe.train.folder=gone", "probe.test.folder=gone"];

  test.each([
    [["train", "--no-probe"]],
    [["train", "--dry-run", "--no-probe"]],
    [["train", "probe=null"]],
    [["train", "--resume", "auto", "--no-probe", "--runs", "auto"]],
    [["explain"]],
    [["audit"]],
    [["data", "show", "--out", "shown"]],
  ])("%j", async ([command, ...more]) => {
    const what = command === "data" ? ["data", "show"] : [command];
    const options = more.filter((word) => word !== "show");
    const given = options.includes("probe=null") ? [] : gone;
    const { code, stderr } = await saccade(...what, "configs/own-pictures.yaml", ...short, ...given, ...options);
    expect(code, stderr).toBe(0);
  });

  test("also when a run goes on; and the run keeps its probe for later", async () => {
    const stdout = await output("train", "configs/own-pictures.yaml", ...short, ...gone, "epochs=1", "--no-probe");
    const run = runOf(stdout);
    await output("train", "--resume", run, "epochs=2", "--no-probe");
    expect((await saccade("probe", run)).stderr).toMatch(/saccade: gone: cannot be read \(ENOENT\)/);
    expect(await output("probe", run, "train.folder=pictures", "test.folder=pictures")).toMatch(/^k nearest/m);
  });

  test("but with one it must be, before anything is trained", async () => {
    const { code, stdout, stderr } = await saccade("train", "configs/own-pictures.yaml", ...short, ...gone);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^saccade: gone: cannot be read \(ENOENT\)/);
  });
});

test("~ is the home, wherever a place is named", async () => {
  const env = { ...process.env, XDG_CACHE_HOME: "~/cache", HOME: root, SACCADE_DATA: "~/nothing" };
  const at = (...words: string[]): string =>
    execFileSync(process.execPath, [main, ...words], { cwd: join(root, "configs"), env, encoding: "utf8" });
  const places = ["data.folder=~/pictures", "probe.train.folder=~/pictures", "probe.test.folder=~/pictures"];
  const stdout = at("train", "own-pictures.yaml", ...short, ...places, "epochs=1", "--runs=~/homely");
  expect(stdout).toMatch(/^data +pictures train: 16 images/m);
  const [run] = readdirSync(join(root, "homely"));
  at("train", `--resume=~/homely/${run}`, "epochs=2", "--no-probe");
  at("export", join(root, "homely", run), "--to=~/homely.npz");
  expect(existsSync(join(root, "homely.npz"))).toBe(true);
  expect(JSON.parse(at("data", "list", "--json")).folder).toBe(join(root, "nothing"));
  expect(existsSync(join(root, "configs/~"))).toBe(false);
});

test("a class with too few pictures is called by its name", async () => {
  const { code, stderr } = await saccade("train", "configs/own-pictures.yaml", ...short, "probe.labelsPerClass=[9]");
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/saccade: probe: labelsPerClass must be at most 8, the images of class cat, got 9\n$/),
  ]);
});

describe("refused before anything is written", () => {
  const runs = (): number => (existsSync(join(root, "runs")) ? readdirSync(join(root, "runs")).length : 0);

  test.each<[string, string[], RegExp]>([
    [
      "a batch that is larger than the folder",
      ["batch=50"],
      /train: batch must be at most the 16 images of the dataset, got 50/,
    ],
    [
      "no such folder",
      ["data.folder=nowhere"],
      /nowhere: cannot be read \(ENOENT\); pictures must be in folders that you have permission to read/,
    ],
    [
      "a probe whose test set has other classes",
      [
        `probe.test={dataset: image-folder, folder: pictures/test/..}`,
        "probe.test.folder=uneven",
        "probe.test.split=test",
      ],
      /probe\.train and probe\.test must be of the same classes, got pictures train \(cat, dog\) and uneven test \(cat\)/,
    ],
    [
      "a probe without labels",
      ["probe.train.split=unlabelled", "probe.test.split=unlabelled"],
      /probe\.train and probe\.test must be of at least 2 classes, got pictures train, of unlabelled alone/,
    ],
    [
      "labels of one class for a loss that reads them",
      ["loss={kind: crossEntropy}", "data.folder=uneven", "data.split=train", "batch=1"],
      /data must be of at least 2 classes, got uneven train, of cat alone/,
    ],
    [
      "colours for a network that reads grey",
      ["encoder=mnist"],
      /image-folder has 3 channels, the mnist network reads 1; set data\.grey=true/,
    ],
  ])("%s", async (_, overrides, sentence) => {
    for (const split of ["train", "test"])
      cpSync(join(root, "pictures", split, "cat"), join(root, "uneven", split, "cat"), { recursive: true });
    const before = runs();
    const { code, stderr } = await saccade("train", "configs/own-pictures.yaml", ...short, ...overrides);
    expect([code, stderr]).toEqual([1, expect.stringMatching(sentence)]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(runs()).toBe(before);
  });
});

test("broken pictures that are left out are said to be", async () => {
  await makePictures("hurt");
  writeFileSync(join(root, "hurt/train/cat/3.png"), "not a picture");
  const words = ["train", "configs/own-pictures.yaml", ...short, "epochs=1", "--no-probe", "data.folder=hurt"];
  const refused = await saccade(...words);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(/saccade: hurt\/train\/cat\/3\.png: must be a PNG, JPEG or WebP picture/),
  ]);
  const { code, stdout, stderr } = await saccade(...words, "data.skipBroken=true");
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^data +hurt train: 15 images/m);
  expect(stderr).toMatch(/^warning: 1 of 16 pictures cannot be read and are left out: hurt\/train\/cat\/3\.png/m);
  const record = JSON.parse(readFileSync(join(runOf(stdout), "data.json"), "utf8"));
  expect(record).toMatchObject({
    count: 15,
    byClass: { unlabelled: { pictures: 15, leftOut: 1 } },
    leftOut: [{ file: "cat/3.png", class: "unlabelled", why: expect.stringMatching(/^must be a PNG/) }],
  });
  const probed = [
    "data.folder=pictures",
    "probe.train.folder=hurt",
    "probe.test.folder=hurt",
    "probe.train.skipBroken=true",
  ];
  const measured = runOf(await output("train", "configs/own-pictures.yaml", ...short, "epochs=1", ...probed));
  expect(JSON.parse(readFileSync(join(measured, "probe.json"), "utf8")).leftOut).toEqual({
    train: {
      byClass: { cat: { pictures: 7, leftOut: 1 }, dog: { pictures: 8, leftOut: 0 } },
      leftOut: [{ file: "cat/3.png", class: "cat", why: expect.stringMatching(/^must be a PNG/) }],
    },
    test: {},
  });
});

test("the decoder is loaded for pictures alone", () => {
  const loaded = (then: string): string =>
    execFileSync(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `await import(${JSON.stringify(resolve("dist/cli/commands/train.js"))}); ${then}
         console.log(process.report.getReport().sharedObjects.some((path) => /libvips/.test(path)));`,
      ],
      { encoding: "utf8" },
    ).trim();
  expect(loaded("")).toBe("false");
  const picture = JSON.stringify(resolve("dist/datasets/formats/picture.js"));
  expect(loaded(`await (await import(${picture})).pictureDecoder();`)).toBe("true");
});

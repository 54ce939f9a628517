// The command line as a person meets it: a child process, its exit code, what it prints, and what it leaves on disk.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../../src/cli/options.ts";
import { showProgress } from "../../src/cli/progress.ts";
import { formatTable, probeRows, wrap } from "../../src/cli/table.ts";
import { sources } from "../../src/datasets/sources.ts";
import { createModel, initialise } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import type { ProbeReport, Score } from "../../src/evaluation/probe.ts";
import { encodeStateDict } from "../../src/exchange/state-dict.ts";
import { randomStream } from "../../src/program/random.ts";

const main = resolve("dist/cli/main.js");
const commands = [
  "train",
  "probe",
  "robustness",
  "inspect",
  "compare",
  "reproduce",
  "sweep",
  "explain",
  "audit",
  "check",
  "export",
  "import",
  "tsne",
  "runs",
  "watch",
  "data",
  "lab",
  "devices",
  "version",
];
const exampleRuns = ["runs/2026-11-24_10-00-00_quickstart_1a2b3c", "runs/2026-11-25_09-00-00_quickstart_4d5e6f"];
let root: string;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function start(...words: string[]): Started {
  // Data of this machine are not looked at.
  const env = { ...process.env, SACCADE_DATA: join(root, "nothing") };
  const child = spawn(process.execPath, [main, ...words], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<Ended>((done, failed) => {
    const told = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (bytes) => (told[stream] += bytes));
    child.on("error", failed);
    child.on("close", (code) => done({ code, ...told }));
  });
  return { child, ended };
}

const saccade = (...words: string[]): Promise<Ended> => start(...words).ended;

/** Resolves once a child has printed what is waited for; a child that ends without it fails the test. */
function printed(child: ChildProcess, sentence: RegExp): Promise<RegExpExecArray> {
  return new Promise((done, failed) => {
    let told = "";
    child.stdout?.on("data", (bytes) => {
      told += bytes;
      const found = sentence.exec(told);
      if (found) done(found);
    });
    child.on("close", () => failed(new Error(`ended without ${sentence}: ${told}`)));
  });
}

/** What a good end prints; a bad one fails with what it said. */
async function output(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await saccade(...words);
  expect(code, `saccade ${words.join(" ")}\n${stderr}`).toBe(0);
  return stdout;
}

/** MNIST in its own files: digits are bars at ten slopes, with noise; ten of each a hundred images. */
function writeMnist(folder: string, split: "train" | "t10k", count: number): void {
  const images = new Uint8Array(16 + count * 784);
  const labels = new Uint8Array(8 + count);
  new DataView(images.buffer).setUint32(0, 0x803);
  [count, 28, 28].forEach((extent, i) => {
    new DataView(images.buffer).setUint32(4 + 4 * i, extent);
  });
  new DataView(labels.buffer).setUint32(0, 0x801);
  new DataView(labels.buffer).setUint32(4, count);
  for (let i = 0; i < count; i++) {
    const random = randomStream(split === "train" ? 1 : 2, i);
    const slope = Math.tan(((i % 10) / 10 - 0.5) * 2.6);
    const place = 8 + random.uniform() * 12;
    labels[8 + i] = i % 10;
    for (let y = 0; y < 28; y++)
      for (let x = 0; x < 28; x++)
        images[16 + (i * 28 + y) * 28 + x] =
          Math.abs(x - place - slope * (y - 14)) < 2 ? 200 + random.integer(56) : random.integer(40);
  }
  mkdirSync(join(folder, "MNIST", "raw"), { recursive: true });
  writeFileSync(join(folder, "MNIST", "raw", `${split}-images-idx3-ubyte`), images);
  writeFileSync(join(folder, "MNIST", "raw", `${split}-labels-idx1-ubyte`), labels);
}

/** Lets the folder's memory of checksums say that the digits are the published ones, so that no note is in the way. */
function pretendPublished(folder: string): void {
  const [{ files }] = sources.mnist.layouts;
  const entries = files.map(({ name, plain }) => {
    const path = join("MNIST", "raw", name.replace(".gz", ""));
    const { size, mtimeMs } = statSync(join(folder, path));
    return [path, { size, mtimeMs, sums: [plain?.md5] }];
  });
  writeFileSync(join(folder, ".saccade-checksums.json"), JSON.stringify(Object.fromEntries(entries)));
}

const tiny = (name: string, limit: number): string => `
name: ${name}
data: { dataset: mnist, folder: files, limit: ${limit} }
augmentation: { kind: affine }
loss: { kind: contrastiveHinge }
encoder: mnist
optimiser: { learningRate: 1e-3 }
batch: 10
epochs: 1
probe:
  train: { dataset: mnist, folder: files }
  test: { dataset: mnist, folder: files, split: test }
  readOuts: [kNN]
  labelsPerClass: [10]
  seeds: 1
`;

/** Trained once, on procedural objects, and shown, probed and listed by the tests below. */
let trainedRun: string;
let trained: Ended;
/** The same on the small digits, without its probe. */
let digitsRun: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "saccade-cli-"));
  writeMnist(join(root, "files"), "train", 200);
  writeMnist(join(root, "files"), "t10k", 100);
  pretendPublished(join(root, "files"));
  // CIFAR-10 of which the last file is cut short; a folder for MNIST's images.
  mkdirSync(join(root, "cut", "cifar-10-batches-bin"), { recursive: true });
  for (const i of [1, 2, 3, 4, 5])
    writeFileSync(
      join(root, "cut", "cifar-10-batches-bin", `data_batch_${i}.bin`),
      new Uint8Array(i < 5 ? 30_730_000 : 3000),
    );
  mkdirSync(join(root, "wrong-kind", "MNIST", "raw", "train-images-idx3-ubyte"), { recursive: true });
  writeFileSync(join(root, "wrong-kind", "MNIST", "raw", "train-labels-idx1-ubyte"), "");
  mkdirSync(join(root, "configs"));
  // An example explains cifar-bp with batches of 100.
  for (const [name, limit] of Object.entries({ quickstart: 20, plausible: 20, "cifar-bp": 100, "cifar-bp-block": 20 }))
    writeFileSync(join(root, "configs", `${name}.yaml`), tiny(name, limit));
  cpSync("configs/quickstart.yaml", join(root, "objects.yaml"));
  const small = ["data.limit=40", "batch=10", "epochs=1", "probe.train.limit=40", "probe.test.limit=20"];
  const probe = ["probe.readOuts=[kNN]", "probe.labelsPerClass=[2]"];
  trained = await saccade(
    "train",
    "objects.yaml",
    ...small,
    ...probe,
    "--seed",
    "7",
    "--threads",
    "1",
    "--json",
    "--runs",
    "trained",
  );
  trainedRun = trained.code === 0 ? JSON.parse(trained.stdout).run : "";
  digitsRun = JSON.parse(
    await output("train", "configs/quickstart.yaml", "--no-probe", "--json", "--runs", "digits"),
  ).run;
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lines = (text: string): string[] => text.split("\n");
const widest = (text: string): number => Math.max(...lines(text).map((line) => line.length));

/** The commands under "Examples:" in a help text, as words; quotes hold a word together. */
const examplesIn = (help: string): string[][] =>
  lines(help.split("Examples:")[1] ?? "")
    .filter((line) => line.startsWith("  $ saccade "))
    .map((line) =>
      [...line.slice("  $ saccade ".length).matchAll(/"([^"]*)"|\S+/g)].flatMap(([word, quoted]) =>
        // A shell's glob is a shell's work.
        word.endsWith("*") ? exampleRuns.filter((run) => run.startsWith(word.slice(0, -1))) : [quoted ?? word],
      ),
    );

/** A reader's rule, with a key of its own. */
const myRule = `import { type UpdatePlugin, recordErrorPath, z } from "saccade";
const schema = z.strictObject({ gain: z.number().gt(0).default(1) });
export default {
  kind: "update",
  name: "MyRule",
  schema,
  create: ({ gain }) => ({
    name: "MyRule",
    prepare: () => ({
      parameters: [],
      record: ({ record }, trace, signal) =>
        recordErrorPath(record, trace, signal, ({ weight }) => weight).map((change) => ({ ...change, factor: gain })),
    }),
  }),
} satisfies UpdatePlugin<typeof schema>;
`;

describe("help", () => {
  test("of the whole names every command and fits 80 columns", async () => {
    const help = await output("--help");
    for (const name of commands) expect(help).toMatch(new RegExp(`^  ${name} +[A-Z]`, "m"));
    expect(widest(help)).toBeLessThanOrEqual(80);
  });

  test.each(commands)("of %s shows its options and examples, and fits 80 columns", async (name) => {
    const help = await output(name, "--help");
    expect(help).toContain("--json");
    expect(examplesIn(help).length).toBeGreaterThanOrEqual(2);
    for (const [command] of examplesIn(help)) expect(command).toBe(name);
    expect(widest(help)).toBeLessThanOrEqual(80);
  });

  test("gives examples that work, each run here on small data", { timeout: 900_000 }, async () => {
    for (const run of [...exampleRuns, "runs/mine"])
      cpSync(join(root, digitsRun), join(root, run), { recursive: true });
    const theirs = initialise(createModel(networks.cifar), 1);
    const state = new Map([...theirs].map(([{ name }, values]) => [name, values]));
    const shapes = new Map([...theirs.keys()].map(({ name, shape }) => [name, shape]));
    cpSync("sweeps", join(root, "sweeps"), { recursive: true });
    writeFileSync(join(root, "my-rule.ts"), myRule);
    writeFileSync(join(root, "theirs.safetensors"), encodeStateDict(networks.cifar, { state, shapes }, {}));
    const examples = (await Promise.all(commands.map((name) => output(name, "--help")))).flatMap(examplesIn);
    expect(examples.length).toBeGreaterThanOrEqual(10);
    for (const words of examples) {
      // These ask the network, or for files that are here: tests/data/cli-data.test.ts has both.
      if (words[0] === "data" && ["get", "check"].includes(words[1])) continue;
      // A server ends when it is told to: tests/lab/lab-command.test.ts.
      if (words[0] === "lab") continue;
      // Real datasets are not here; what is rendered is planned, and run by tests/experiments/reproduce.test.ts.
      if (words[0] === "reproduce" && !words.includes("smoke")) continue;
      const planned = ["reproduce", "sweep"].includes(words[0]) && !words.includes("--list");
      const stdout = await output(...words, ...(planned ? ["--list"] : []));
      if (words.includes("--json")) expect(() => JSON.parse(stdout), words.join(" ")).not.toThrow();
      // The shipped configuration takes the example's overrides too.
      const [command, path = ""] = words;
      const overrides = words.filter((word) => /^[\w.]+=/.test(word));
      // A sweep's are lists of values.
      if (/^configs\//.test(path) && command !== "sweep")
        expect((await readConfig(path, overrides, { device: "wasm" })).name, command).toBeTruthy();
    }
  });
});

describe("a command line that is not understood", () => {
  test.each([
    [[], /^Usage: saccade/],
    [["trian"], /unknown command 'trian'\n\(Did you mean train\?\)/],
    [["train"], /missing argument 'config'/],
    [["train", "configs/quickstart.yaml", "--sed", "1"], /unknown option '--sed'\n\(Did you mean --seed\?\)/],
    [
      ["train", "configs/quickstart.yaml", "--seed", "x"],
      /'--seed <number>' argument 'x' is invalid\. It must be a whole/,
    ],
    [["train", "configs/quickstart.yaml", "--seed", ""], /'--seed <number>' argument '' is invalid/],
    [["train", "configs/quickstart.yaml", "--threads", "0"], /a whole number from 1 to 256/],
    [["train", "configs/quickstart.yaml", "--device", "gpu"], /Allowed choices are wasm, webgpu, auto, reference/],
    [["probe"], /missing required argument 'run'/],
    [["explain"], /missing required argument 'config'/],
    [["runs"], /missing required argument 'what'/],
    [["runs", "delete"], /Allowed choices are list, show, compare, rm\./],
    [["runs", "show"], /missing argument 'run'/],
    [["version", "more"], /too many arguments/],
    [["runs", "list", "--version"], /unknown option '--version'/],
  ])("%j ends with 2 and says why", async (words, sentence) => {
    const { code, stdout, stderr } = await saccade(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

describe("input that is refused", () => {
  const quick = "configs/quickstart.yaml";
  test.each([
    [["train", "none.yaml"], /^saccade: none\.yaml: cannot be read \(ENOENT\)/],
    [["train", "files"], /^saccade: files: cannot be read \(it is a folder\)/],
    [["train", quick, "batc=3"], /^saccade: configs\/quickstart\.yaml: unknown key "batc", did you mean "batch"\?/],
    [["train", quick, "batch=many"], /batch must be a number, got "many"/],
    [["train", quick, "batch"], /override: must look like key=value, got "batch"/],
    [["train", quick, "data.dataset=mnits"], /dataset must be one of .*, got mnits; did you mean mnist\?/],
    [["train", quick, "data.folder=elsewhere"], /MNIST: looked in elsewhere and did not find/],
    [["train", quick, "data.split=unlabelled"], /split must be train or test for MNIST/],
    [["train", quick, "adam=null"], /adam must be a group of keys and values, got null/],
    [["train", quick, "encoder=cifar", "--no-probe"], /: data\.dataset mnist has 1 channel/],
    [["train", quick, "batch=30"], /batch must be at most the 20 images of the dataset, got 30/],
    [["train", quick, "probe.test.dataset=cifar-1"], /dataset must be one of .*, got cifar-1; did you mean cifar-10\?/],
    [["train", quick, "probe.train.folder=elsewhere"], /MNIST: looked in elsewhere/],
    [
      [
        "train",
        quick,
        "probe.train={dataset: cifar-10, grey: true, folder: cut}",
        "probe.test={dataset: cifar-10, grey: true, folder: cut}",
      ],
      /data_batch_5\.bin: must hold 30730000 bytes, 10000 records of 3073, got 3000/,
    ],
    [["train", quick, "probe.labelsPerClass=[50]"], /labelsPerClass must be at most 20, the images of class 0, got 50/],
    [
      ["train", quick, "probe.test.split=train"],
      /probe\.train must hold images that are not in probe\.test, got MNIST tr/,
    ],
    [
      [
        "train",
        quick,
        "probe.train={dataset: procedural-objects, grey: true, size: 28}",
        "probe.test={dataset: procedural-objects, split: test, grey: true, limit: 10}",
      ],
      /probe\.test must be \[n, 28, 28, 1\] like probe\.train, got \[10, 32, 32, 1\]/,
    ],
    [
      ["train", quick, "data.folder=wrong-kind"],
      /train-images-idx3-ubyte: cannot be read \(EISDIR\); it must be a file/,
    ],
    [
      ["train", "objects.yaml", "data.limit=1e12"],
      /limit must be at most 1398101, which is 4 GiB of pictures, got 1000000000000/,
    ],
    [["train", quick, "--device", "reference", "--threads", "2"], /--threads must be 1 or left out, it has one thread/],
    [["train", quick, "--runs", "files/MNIST/raw/train-images-idx3-ubyte"], /ubyte.*: cannot be written: /],
    [["train", "--resume", "files"], /^saccade: files: not a run folder, it has no config\.yaml/],
    [["explain", quick, "batch=1"], /batch must be at least 2/],
    [["explain", quick, "data.dataset=mnits"], /: data\.dataset must be one of .*, got mnits; did you mean mnist\?/],
    [["audit", quick, "data.dataset=mnits"], /: data\.dataset must be one of .*, got mnits; did you mean mnist\?/],
    [["explain", quick, "data.split=unlabelled"], /: data\.split must be train or test for MNIST, got unlabelled/],
    [["explain", quick, "data.size=64"], /: data\.size must be left out for mnist, got 64/],
    [["explain", quick, "encoder=cifar"], /: data\.dataset mnist has 1 channel, the cifar network reads 3/],
    [
      ["explain", quick, "data.dataset=cifar-10"],
      /: data\.dataset cifar-10 has 3 channels, the mnist network reads 1; set data\.grey=true/,
    ],
    [["explain", quick, "data.limit=9"], /batch must be at most the 9 images of the dataset, got 10/],
    [
      ["explain", quick, "interventions=[{step: 1, freeze: conv9}]"],
      /interventions must be about one of .*, got conv9/,
    ],
    [
      ["explain", quick, "interventions=[{step: 999, freeze: conv1}]"],
      /interventions\.0\.step must be below \d+, .* 999/,
    ],
    [
      ["explain", quick, "probe.test.dataset=fashion-mnist"],
      /: probe\.train and probe\.test must be of the same classes, got MNIST train \(0, 1, 2, …\) and Fashion-MNIST test \(T-shirt/,
    ],
    [["probe", "files"], /files: not a run folder/],
    [["runs", "show", "files"], /files: not a run folder/],
    [["runs", "list", "--runs", "objects.yaml"], /^saccade: objects\.yaml: cannot be read: .*ENOTDIR/],
  ])("%j ends with 1 and one sentence", async (words, sentence) => {
    const before = existsSync(join(root, "runs")) ? readdirSync(join(root, "runs")) : [];
    const { code, stdout, stderr } = await saccade(...words);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^(warning: [^\n]+: not as published, [^\n]+\n)?saccade: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
    expect(existsSync(join(root, "runs")) ? readdirSync(join(root, "runs")) : [], "no folder is left behind").toEqual(
      before,
    );
  });

  test.each<[string, () => string[], string]>([
    [
      "a configuration beside --resume",
      () => ["train", quick, "--resume", trainedRun, "epochs=9"],
      "--resume: the configuration must be left out, because a run has its own, got configs/quickstart.yaml; give changes as key=value",
    ],
    [
      "a configuration that is not YAML",
      () => ["train", "colons.yaml"],
      "colons.yaml: not valid YAML: Nested mappings are not allowed in compact mappings at line 2, column 7; mend it there",
    ],
    [
      "a configuration that is a list",
      () => ["train", "list.yaml"],
      "list.yaml: must hold keys and values, got a list",
    ],
    [
      "weights that are not there",
      () => ["import", "nowhere.safetensors", "--network", "cifar"],
      "nowhere.safetensors: cannot be read: ENOENT: no such file or directory, open 'nowhere.safetensors'; look how its name is written, and from which folder it is meant",
    ],
    [
      "a folder of pictures that has moved since the run began",
      () => ["train", "--resume", digitsRun, "data.folder=gone"],
      "RUN: data.folder must be where the pictures are, got gone, where nothing is; say where they are now: data.folder=…",
    ],
    [
      "a folder of a probe's pictures that has moved since",
      () => ["train", "--resume", digitsRun, "probe.test.folder=gone"],
      "RUN: probe.test.folder must be where the pictures are, got gone, where nothing is; say where they are now: probe.test.folder=…",
    ],
  ])("%s is refused in one sentence", async (_, words, sentence) => {
    writeFileSync(join(root, "colons.yaml"), "name: a\ndata: dataset: mnist\n");
    writeFileSync(join(root, "list.yaml"), "- name: a\n");
    expect(await saccade(...words())).toEqual({
      code: 1,
      stdout: "",
      stderr: `saccade: ${sentence.replace("RUN", digitsRun)}\n`,
    });
  });

  test("a resumed run keeps what decides its numbers", async () => {
    const first = await saccade("train", "--resume", trainedRun, "--seed", "8");
    expect(first).toMatchObject({ code: 1, stderr: expect.stringMatching(/^saccade: --resume: a run keeps its seed/) });
    const second = await saccade("train", "--resume", trainedRun, "optimiser.learningRate=1");
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /was written by another configuration: optimiser\.learningRate is 0\.001 there and 1 here; /,
      ),
    });
    expect(readFileSync(join(root, trainedRun, "config.yaml"), "utf8")).toContain("learningRate: 0.001");
  });
});

describe("train", () => {
  test("--json prints one object, and progress as plain lines beside it", () => {
    expect(trained.code, trained.stderr).toBe(0);
    const result = JSON.parse(trained.stdout);
    expect(lines(trained.stdout)).toHaveLength(2);
    expect(result).toMatchObject({ end: "done", steps: 4, probe: { options: { readOuts: ["kNN"] } } });
    expect(result.probe.scores).toHaveLength(3);
    expect(trained.stderr).not.toContain("\u001b");
    expect(trained.stderr).not.toContain("\r");
    expect(
      lines(trained.stderr)
        .filter((line) => line.startsWith("training: "))
        .at(-1),
    ).toMatch(/^training: 100 %, epoch 1\.0 of 1, loss [\d.]+, [\d.]+ images\/s$/);
    expect(trained.stderr).toMatch(/^probing: 100 %, .*k nearest neighbours, 2 labels a class: [\d.]+ %/m);
  });

  test("makes a whole run folder", async () => {
    const inside = (...path: string[]): string => join(root, trainedRun, ...path);
    expect(readdirSync(inside()).sort()).toEqual(
      [
        "checkpoints",
        "config.yaml",
        "data.json",
        "environment.json",
        "figures",
        "metrics.jsonl",
        "probe.json",
        "tensorboard",
      ].sort(),
    );
    const figures = ["loss", "probe", "views", "xray"].flatMap((name) => [`${name}.png`, `${name}.svg`]);
    expect(readdirSync(inside("figures")).sort()).toEqual(figures);
    for (const figure of figures) expect(statSync(inside("figures", figure)).size, figure).toBeGreaterThan(500);
    expect(readdirSync(inside("checkpoints")).at(-1)).toBe("step-00000004.safetensors");
    const kinds = lines(readFileSync(inside("metrics.jsonl"), "utf8"))
      .slice(0, -1)
      .map((line) => JSON.parse(line).kind);
    expect(kinds).toEqual(["xray", "step", "step", "step", "step", "xray"]);
    const { seed, batch, data, probe } = await readConfig(inside("config.yaml"), [], { device: "wasm" });
    expect({ seed, batch, limit: data.limit, readOuts: probe?.readOuts }).toEqual({
      seed: 7,
      batch: 10,
      limit: 40,
      readOuts: ["kNN"],
    });
    expect(JSON.parse(readFileSync(inside("environment.json"), "utf8"))).toMatchObject({
      node: process.versions.node,
      backend: "wasm",
      backendDescription: expect.stringContaining("1 thread,"),
    });
    expect(JSON.parse(readFileSync(inside("probe.json"), "utf8"))).toMatchObject({
      step: 4,
      trainImages: 40,
      testImages: 20,
    });
  });

  test("SIGTERM saves and ends with 143; resume finishes, longer if told so", async () => {
    const { child, ended } = start("train", "configs/quickstart.yaml", "epochs=500", "--no-probe", "--runs", "stopped");
    child.stderr?.once("data", () => child.kill("SIGTERM"));
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(143);
    expect(stderr).toContain("stopping after this step, with a checkpoint; signal again to stop at once");
    const [, steps, run] =
      /^stopped {2}after (\d+) steps?; resume with: saccade train --resume (\S+)$/m.exec(stdout) ?? [];
    expect(Number(steps)).toBeGreaterThan(0);
    expect(readdirSync(join(root, run, "checkpoints")).at(-1)).toBe(`step-${steps.padStart(8, "0")}.safetensors`);
    // Not to the configured end, which is far; to the second epoch after the stop.
    const epochs = Math.ceil(Number(steps) / 2) + 2;
    const rest = await output("train", "--resume", run, `epochs=${epochs}`, "--no-probe");
    expect(rest).toMatch(new RegExp(`^trained  \\d+ steps in .*, ${2 * epochs} in all; peak memory`, "m"));
    const metrics = lines(readFileSync(join(root, run, "metrics.jsonl"), "utf8"))
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .filter(({ kind }) => kind === "step");
    expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: 2 * epochs }, (_, i) => i + 1));
    expect((await readConfig(join(root, run, "config.yaml"), [], { device: "wasm" })).epochs).toBe(epochs);
  });

  test("--device reference trains as well, and says so", async () => {
    const stdout = await output(
      "train",
      "configs/quickstart.yaml",
      "data.limit=2",
      "batch=2",
      "--no-probe",
      "--device",
      "reference",
      "--runs",
      "reference",
    );
    expect(stdout).toMatch(/^device {3}reference: float64/m);
    expect(stdout).toMatch(/^trained {2}1 step in /m);
  });
});

describe("export and import", () => {
  test("take a run's encoder out and back, and the probe finds it as it was", async () => {
    const out = async (...words: string[]): Promise<string> => output("export", digitsRun, "--to", ...words);
    expect(await out("digits.safetensors")).toBe(
      `wrote digits.safetensors: mnist, 3 convolutions, step 2 of ${digitsRun}\n`,
    );
    expect(JSON.parse(await out("digits.onnx", "--best", "--json"))).toEqual({
      file: "digits.onnx",
      network: "mnist",
      valueRange: [0, 1],
      step: 2,
    });
    const embedded = await out("digits.npz", "split=test", "limit=30");
    expect(embedded).toBe(`wrote digits.npz: 1152 features of 30 images of MNIST test, step 2 of ${digitsRun}\n`);
    expect(await out("digits.npz", "dataset=mnist", "folder=files")).toMatch(/ of 200 images of MNIST train, /);
    const { run, leftOut } = JSON.parse(
      await output("import", "digits.safetensors", "--network", "mnist", "--runs", "imported", "--json"),
    );
    expect(leftOut).toEqual(["head.weight"]);
    expect(run).toMatch(/^imported\/[\d_-]+_digits_[0-9a-f]{6}$/);
    const data = ["train", "test"].flatMap((set) => [`${set}.dataset=mnist`, `${set}.folder=files`]);
    const probe = [...data, "test.split=test", "readOuts=[kNN]", "labelsPerClass=[1]", "seeds=1", "--json"];
    const [ours, theirs] = [digitsRun, run].map(async (path) => JSON.parse(await output("probe", path, ...probe)));
    expect((await theirs).encoderHashes.trained).toBe((await ours).encoderHashes.trained);
    expect((await theirs).scores[0]).toEqual((await ours).scores[0]);
    expect(await output("runs", "list", "--runs", "imported")).toMatch(/_digits_\w+ +imported, mnist +0\/1 /);
    const { sha256 } = JSON.parse(readFileSync(join(root, run, "environment.json"), "utf8")).imported;
    expect(sha256).toBe(
      createHash("sha256")
        .update(readFileSync(join(root, "digits.safetensors")))
        .digest("hex"),
    );
    expect(await saccade("train", "--resume", run)).toEqual({
      code: 1,
      stdout: "",
      stderr: `saccade: ${run}: must be a run that was trained here, got imported weights without an optimiser's state; saccade probe evaluates them\n`,
    });
  });

  test.each([
    [
      ["export", "--to", "x.pt"],
      /^export: --to must be a file that ends in \.safetensors, \.onnx or \.npz, got x\.pt$/,
    ],
    [
      ["export", "--to", "x.onnx", "split=test"],
      /^export: split=test must be left out for \.onnx, got it; a dataset is for/,
    ],
    [["export", "--to", "x.onnx", "--seed", "1"], /^export: --seed must be left out, got 1; a run keeps its seed$/],
    [
      ["export", "--to", "x.npz", "dataset=mnits"],
      /^export: dataset must be one of .*, got mnits; did you mean mnist\?$/,
    ],
    [["export", "--to", "x.npz", "splt=test"], /^export of .*: unknown key "data\.splt", did you mean "split"\?/],
    [
      ["export", "--to", "x.npz", "dataset=procedural-objects", "limit=2"],
      /\[n, 32, 32, 1\] for mnist, got \[2, 32, 32, 3\]/,
    ],
    [["export", "--to", "not-there/x.onnx/", "--best"], /^export: --to must be a file that ends in/],
  ])("%j is refused, and nothing is written", async (words, sentence) => {
    const before = readdirSync(root);
    const [command, ...rest] = words;
    const { code, stdout, stderr } = await saccade(command, digitsRun, ...rest);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.replace(/^saccade: |\n$/g, "")).toMatch(sentence);
    expect(readdirSync(root)).toEqual(before);
  });

  test("that is interrupted leaves nothing behind and ends with 130", async () => {
    const before = readdirSync(root);
    const objects = ["dataset=procedural-objects", "grey=true", "size=28", "limit=5000"];
    const { child, ended } = start("export", digitsRun, "--to", "long.npz", ...objects);
    child.stderr?.once("data", () => child.kill("SIGINT"));
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(130);
    expect(stderr).toMatch(/^stopped the export; nothing was written$/m);
    expect(readdirSync(root)).toEqual(before);
  });

  test("of weights that are not the network's make no run folder", async () => {
    writeFileSync(join(root, "short.safetensors"), "short");
    const fresh = initialise(createModel(networks.cifar), 1);
    const state = new Map([...fresh].map(([{ name }, values]) => [name, values]));
    const shapes = new Map([...fresh.keys()].map(({ name, shape }) => [name, shape]));
    const ranged = encodeStateDict(networks.cifar, { state, shapes }, { valueRange: "[-1,1]" });
    writeFileSync(join(root, "ranged.safetensors"), ranged);
    for (const [words, sentence] of [
      [
        ["short.safetensors", "--network", "cifar"],
        /^saccade: short\.safetensors: wanted at least 8 bytes, got 5; .*\n$/,
      ],
      [["short.safetensors", "--network", "cifra"], /^saccade: import: network must be one of .*, got cifra\n$/],
      [["short.safetensors", "--network", "cifar", "batch=1"], /^saccade: import of short\.safetensors: batch must be/],
      [
        ["ranged.safetensors", "--network", "cifar", "valueRange=[0,1]"],
        /^saccade: import: valueRange must be \[-1, 1\], as ranged\.safetensors says, got \[0, 1\]; leave it out\n$/,
      ],
    ] as [string[], RegExp][]) {
      const { code, stderr } = await saccade("import", ...words, "--runs", "refused");
      expect(code, stderr).toBe(1);
      expect(stderr).toMatch(sentence);
    }
    expect(existsSync(join(root, "refused"))).toBe(false);
    const { run } = JSON.parse(await output("import", "ranged.safetensors", "--network", "cifar", "--json"));
    expect(readFileSync(join(root, run, "config.yaml"), "utf8")).toMatch(/^valueRange: \[-1, 1\]$/m);
    // It has no data of its own to be embedded.
    for (const more of [[], ["split=test"]])
      expect(await saccade("export", run, "--to", "of-imported.npz", ...more)).toEqual({
        code: 1,
        stdout: "",
        stderr: `saccade: export: dataset must be given, as ${run} has imported weights and none of its own, got nothing; add it, for example dataset=cifar-10 split=test\n`,
      });
    const given = ["dataset=procedural-objects", "limit=2"];
    expect(await output("export", run, "--to", "of-imported.npz", ...given)).toMatch(/^wrote of-imported\.npz: /);
  });
});

/** A copy of the digits' run that a test may go on with or damage. */
function digitsCopy(name: string): { path: string; inside: (...names: string[]) => string } {
  cpSync(join(root, digitsRun), join(root, name), { recursive: true });
  return { path: name, inside: (...names) => join(root, name, ...names) };
}

describe("a run that is resumed", () => {
  const lockOf = (child: ChildProcess) => ({ pid: child.pid, host: hostname(), started: expect.any(String) });

  test("belongs to one process at a time", async () => {
    const { child, ended } = start("train", "configs/quickstart.yaml", "epochs=5000", "--no-probe", "--runs", "held");
    const [, run] = await printed(child, /^run +(\S+)\n[\s\S]*^device/m);
    const inUse = `saccade: ${run}: is in use by process ${child.pid} since `;
    try {
      expect(JSON.parse(readFileSync(join(root, run, "lock.json"), "utf8"))).toMatchObject(lockOf(child));
      for (const words of [
        ["train", "--resume", run],
        ["probe", run],
      ]) {
        const { code, stdout, stderr } = await saccade(...words);
        expect({ code, stdout }, words.join(" ")).toEqual({ code: 1, stdout: "" });
        expect(stderr.startsWith(inUse), stderr).toBe(true);
        expect(stderr).toContain("wait for it or end it");
      }
    } finally {
      child.kill("SIGTERM");
    }
    expect((await ended).code).toBe(143);
    expect(existsSync(join(root, run, "lock.json")), "released").toBe(false);
  });

  test("goes on once, however many want to at the same time", async () => {
    const { path, inside } = digitsCopy("raced");
    const { child, ended } = start("version");
    await ended;
    writeFileSync(inside("lock.json"), JSON.stringify({ pid: child.pid, host: hostname(), started: "long ago" }));
    const runs = Array.from({ length: 3 }, () => start("train", "--resume", path, "epochs=5000", "--no-probe"));
    const codes: (number | null)[] = [];
    await new Promise<void>((done) => {
      for (const run of runs) void run.ended.then(({ code }) => codes.push(code) === 2 && done());
    });
    for (const run of runs) run.child.kill("SIGTERM");
    await Promise.all(runs.map((run) => run.ended));
    expect(codes).toEqual([1, 1, 143]);
    const steps = lines(readFileSync(inside("metrics.jsonl"), "utf8"))
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .filter(({ kind }) => kind === "step");
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1));
  });

  test("is taken over from a process that is dead, but not from another machine", async () => {
    const { path, inside } = digitsCopy("left-behind");
    const { child, ended } = start("version");
    await ended;
    const lock = { pid: child.pid, host: hostname(), started: new Date().toISOString() };
    writeFileSync(inside("lock.json"), JSON.stringify({ ...lock, host: "elsewhere" }));
    const refused = await saccade("train", "--resume", path, "epochs=2", "--no-probe");
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`process ${child.pid} on elsewhere since`),
    });
    expect(refused.stderr).toContain("lock.json");
    writeFileSync(inside("lock.json"), JSON.stringify(lock));
    await output("train", "--resume", path, "epochs=2", "--no-probe");
    expect(readdirSync(inside()).filter((name) => name.startsWith("lock"))).toEqual([]);
  });

  test("on another engine says so, and keeps what both were", async () => {
    const { path, inside } = digitsCopy("other-engine");
    const same = await saccade("train", "--resume", path, "epochs=2", "--no-probe", "--threads", "1");
    expect(same).toMatchObject({ code: 0, stderr: expect.not.stringContaining("alarm") });
    const before = readFileSync(inside("environment.json"), "utf8");
    const other = await saccade("train", "--resume", path, "epochs=3", "--no-probe", "--device", "reference");
    expect(other.code, other.stderr).toBe(0);
    expect(other.stderr).toMatch(
      /^alarm: until step 4 this run was computed by wasm: float32, .*; from here on by reference: float64: what follows may differ in its last bits/m,
    );
    expect(readFileSync(inside("environment.json"), "utf8")).toBe(before);
    const later = readdirSync(inside()).filter((name) => /^environment-\d+\.json$/.test(name));
    const newest = JSON.parse(readFileSync(inside(later.sort().at(-1) ?? ""), "utf8"));
    expect(newest).toMatchObject({ fromStep: 4, backend: "reference", node: process.versions.node });
    expect(await output("runs", "show", path)).toMatch(/^done, 6 steps, 3 of 3 epochs/m);
  });

  test("that cannot go on is left as it is", async () => {
    const { path, inside } = digitsCopy("left-alone");
    await output("train", "--resume", path, "epochs=3", "--no-probe");
    const files = (): string[] =>
      readdirSync(inside(), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
        .map((file) => `${file} ${statSync(file).mtimeMs} ${readFileSync(file).toString("base64")}`);
    let before = files();
    const shorter = await saccade("train", "--resume", path, "epochs=2", "--no-probe");
    expect(shorter).toMatchObject({ code: 1, stdout: "" });
    expect(shorter.stderr).toMatch(/^saccade: left-alone: epochs must be at least 3, as 6 steps are done, got 2\n$/);
    expect(files()).toEqual(before);

    writeFileSync(inside("metrics.jsonl"), `null\n${readFileSync(inside("metrics.jsonl"), "utf8")}`);
    before = files();
    const damaged = await saccade("train", "--resume", path, "epochs=5", "--no-probe", "--device", "reference");
    expect(damaged).toMatchObject({ code: 1, stdout: "" });
    expect(damaged.stderr).toBe(
      "saccade: left-alone/metrics.jsonl: line 1 is not a line of metrics, got null; mend the line or take it out\n",
    );
    expect(files()).toEqual(before);
  });

  /** What of a run may get lost while nobody looks; a sentence each, and the files as they were. */
  test.each<[string, (text: string) => string, string]>([
    [
      "are empty",
      () => "",
      "must have 4 lines up to step 2, as PATH/checkpoints/step-00000002.safetensors says, got 0",
    ],
    [
      "lack their end",
      (text) => text.slice(0, text.indexOf("\n", text.indexOf('"step"')) + 1),
      "must have 4 lines up to step 2, as PATH/checkpoints/step-00000002.safetensors says, got 1",
    ],
    [
      "lack their beginning",
      (text) => text.slice(text.indexOf("\n") + 1),
      "must have 4 lines up to step 2, as PATH/checkpoints/step-00000002.safetensors says, got 3",
    ],
  ])("but whose metrics %s is refused", async (name, change, sentence) => {
    const { path, inside } = digitsCopy(`metrics/${name}`);
    const text = change(readFileSync(inside("metrics.jsonl"), "utf8"));
    writeFileSync(inside("metrics.jsonl"), text);
    const before = readdirSync(inside(), { recursive: true }).sort();
    expect(await saccade("train", "--resume", path, "epochs=2", "--no-probe")).toEqual({
      code: 1,
      stdout: "",
      stderr: `saccade: ${path}/metrics.jsonl: ${sentence.replace("PATH", path)}; restore it, or move it away to resume the run without it\n`,
    });
    expect(readFileSync(inside("metrics.jsonl"), "utf8")).toBe(text);
    expect(readdirSync(inside(), { recursive: true }).sort()).toEqual(before);
  });

  test("but whose metrics lack lines before its checkpoint is refused, also where there are as many behind", async () => {
    const { path, inside } = digitsCopy("metrics/behind");
    await output("train", "--resume", path, "epochs=2", "--no-probe");
    rmSync(inside("checkpoints", "step-00000004.safetensors"));
    const text = readFileSync(inside("metrics.jsonl"), "utf8");
    writeFileSync(inside("metrics.jsonl"), text.slice(text.indexOf("\n") + 1));
    expect((await saccade("train", "--resume", path, "--no-probe")).stderr).toBe(
      `saccade: ${path}/metrics.jsonl: must have 4 lines up to step 2, as ${path}/checkpoints/step-00000002.safetensors says, got 3; restore it, or move it away to resume the run without it\n`,
    );
  });

  test("but has lines twice is refused", async () => {
    const { path, inside } = digitsCopy("metrics/twice");
    const text = readFileSync(inside("metrics.jsonl"), "utf8");
    writeFileSync(inside("metrics.jsonl"), text + text);
    expect(await saccade("train", "--resume", path, "epochs=2", "--no-probe")).toEqual({
      code: 1,
      stdout: "",
      stderr: `saccade: ${path}/metrics.jsonl: line 5 must be of step 2 or later, got step 0; remove the duplicate lines\n`,
    });
    expect(readFileSync(inside("metrics.jsonl"), "utf8")).toBe(text + text);
    const [first, second, ...rest] = text.split("\n");
    writeFileSync(inside("metrics.jsonl"), [first, second, second, ...rest.slice(1)].join("\n"));
    expect(await saccade("train", "--resume", path, "epochs=2", "--no-probe")).toEqual({
      code: 1,
      stdout: "",
      stderr: `saccade: ${path}/metrics.jsonl: line 3 is line 2 again; remove the duplicate lines\n`,
    });
  });

  /** Of what goes on: what it prints besides its progress. */
  const notesOf = async (path: string, ...more: string[]): Promise<string[]> => {
    const { code, stderr } = await saccade("train", "--resume", path, "--no-probe", ...more);
    expect(code, stderr).toBe(0);
    return stderr.split("\n").filter((line) => line && !/^training: /.test(line));
  };
  const stepsIn = (file: string): number[] =>
    readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).step);

  test("without metrics.jsonl, set aside or lost, goes on with a note, and once more without; put back it is whole", async () => {
    const { path, inside } = digitsCopy("metrics-aside");
    const text = readFileSync(inside("metrics.jsonl"), "utf8");
    rmSync(inside("metrics.jsonl"));
    expect(await notesOf(path, "epochs=2")).toEqual([
      `warning: ${path}/metrics.jsonl: is missing, so the run's numbers and figures begin after step 2`,
    ]);
    expect(stepsIn(inside("metrics.jsonl"))).toEqual([3, 4, 4]);
    expect(await notesOf(path, "epochs=3")).toEqual([]);
    writeFileSync(inside("metrics.jsonl"), text + readFileSync(inside("metrics.jsonl"), "utf8"));
    expect(await notesOf(path, "epochs=4")).toEqual([]);
    expect(stepsIn(inside("metrics.jsonl"))).toEqual([0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8]);
  });

  test("without metrics.jsonl, and killed before its next checkpoint, goes on all the same", async () => {
    const { path, inside } = digitsCopy("metrics-aside-killed");
    rmSync(inside("metrics.jsonl"));
    const far = ["epochs=5000", "checkpointEvery=5000", "--no-probe"];
    const { child, ended } = start("train", "--resume", path, ...far);
    while (!existsSync(inside("metrics.jsonl")) || statSync(inside("metrics.jsonl")).size === 0)
      await new Promise((done) => setTimeout(done, 5));
    child.kill("SIGKILL");
    expect((await ended).code).toBe(null);
    expect(readdirSync(inside("checkpoints")).at(-1)).toBe("step-00000002.safetensors");
    expect(await notesOf(path, "epochs=2", "checkpointEvery=1")).toEqual([]);
    expect(stepsIn(inside("metrics.jsonl"))).toEqual([3, 4, 4]);
  });

  test("without data.json goes on with a note, and has one again", async () => {
    const { path, inside } = digitsCopy("data-lost");
    const record = readFileSync(inside("data.json"), "utf8");
    rmSync(inside("data.json"));
    expect(await notesOf(path, "epochs=2")).toEqual([
      `warning: ${path}/data.json: is missing, so nobody knows whether the pictures are those that the run began with; from now on the run requires the present ones`,
    ]);
    expect(readFileSync(inside("data.json"), "utf8")).toBe(record);
    expect(await notesOf(path, "epochs=3")).toEqual([]);
  });

  test("without its event files says what is lost", async () => {
    const { path, inside } = digitsCopy("events-lost");
    rmSync(inside("tensorboard"), { recursive: true });
    expect(await notesOf(path, "epochs=2")).toEqual([
      `warning: ${path}/tensorboard: lacks the histograms of 2 of 2 X-rays, lost or not asked for, and perhaps pictures; its numbers are written again from metrics.jsonl`,
    ]);
  });

  test("with a damaged event file says what is lost", async () => {
    const { path, inside } = digitsCopy("events-damaged");
    const [name] = readdirSync(inside("tensorboard"));
    const bytes = readFileSync(inside("tensorboard", name));
    bytes[20] ^= 1;
    writeFileSync(inside("tensorboard", name), bytes);
    expect(await notesOf(path, "epochs=2")).toEqual([
      `warning: ${path}/tensorboard/${name}: is damaged at byte 0, so histograms and pictures there are lost; its numbers are written again from metrics.jsonl`,
    ]);
  });
});

describe("a stop", () => {
  test("by SIGHUP saves and ends with 129; the advice quotes a path with spaces", async () => {
    const { child, ended } = start(
      "train",
      "configs/quickstart.yaml",
      "epochs=5000",
      "--no-probe",
      "--runs",
      "my runs",
    );
    child.stderr?.once("data", () => child.kill("SIGHUP"));
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(129);
    const [, steps, run] =
      /^stopped {2}after (\d+) steps?; resume with: saccade train --resume '(.+)'$/m.exec(stdout) ?? [];
    expect(run).toMatch(/^my runs\/[^/]+$/);
    expect(readdirSync(join(root, run, "checkpoints")).at(-1)).toBe(`step-${steps.padStart(8, "0")}.safetensors`);
  });

  test("of the probe by SIGINT ends with 130 and says how to go on", async () => {
    const probe = ["probe.readOuts=[paper]", "probe.epochs=1000000"];
    const { child, ended } = start("train", "configs/quickstart.yaml", ...probe, "--runs", "probed");
    const [, run] = await printed(child, /^run +(\S+)\n[\s\S]*^trained/m);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(130);
    expect(stderr).toContain(`stopped the probe; start it again with: saccade probe ${run}\n`);
    expect(readdirSync(join(root, run)).sort()).toEqual([
      "checkpoints",
      "config.yaml",
      "data.json",
      "environment.json",
      "figures",
      "metrics.jsonl",
      "tensorboard",
    ]);
  });
});

describe("a run that is damaged", () => {
  test.each([
    ["a line that is null", "metrics.jsonl", "null\n", /metrics\.jsonl: line 1 is not a line of metrics, got null; /],
    ["a line without a step", "metrics.jsonl", '{"kind":"step"}\n', /metrics\.jsonl: line 1 is not a line of metrics/],
    [
      "a probe that is cut short",
      "probe.json",
      '{"scores": [',
      /probe\.json: not JSON; evaluate again: saccade probe /,
    ],
    [
      "a probe without scores",
      "probe.json",
      "{}",
      /probe\.json: is not a probe's report; evaluate again: saccade probe /,
    ],
    ["a folder as configuration", "config.yaml", undefined, /config\.yaml: cannot be read: .*EISDIR/],
    ["a folder as metrics", "metrics.jsonl", undefined, /metrics\.jsonl: cannot be read: .*EISDIR/],
  ])("by %s is shown with one sentence", async (name, file, text, sentence) => {
    const { path, inside } = digitsCopy(`damaged/${name}`);
    rmSync(inside(file), { force: true });
    if (text === undefined) mkdirSync(inside(file));
    else writeFileSync(inside(file), text);
    const { code, stdout, stderr } = await saccade("runs", "show", path);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^saccade: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
  });

  test.each([
    [
      "probe",
      /step-00000009\.safetensors: conv1\.weight must be \[3, 3, 1, 32\], got \[3, 3, 3, 32\]; the checkpoint is of/,
    ],
    [
      "export",
      /step-00000009\.safetensors: conv1\.weight must be \[3, 3, 1, 32\], got \[3, 3, 3, 32\]; the checkpoint is of/,
    ],
    ["train", /step-00000009\.safetensors: was written by another configuration than the present config\.yaml; /],
  ])("by another network's checkpoint is refused with one sentence: %s", async (command, sentence) => {
    const { path, inside } = digitsCopy(`damaged/${command} of another network`);
    cpSync(
      join(root, trainedRun, "checkpoints", "step-00000004.safetensors"),
      inside("checkpoints", "step-00000009.safetensors"),
    );
    const words = {
      probe: ["probe", path],
      export: ["export", path, "--to", "x.onnx"],
      train: ["train", "--resume", path],
    };
    const { code, stdout, stderr } = await saccade(...words[command as keyof typeof words]);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^saccade: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
    expect(existsSync(join(root, "x.onnx"))).toBe(false);
  });

  test("is left out of the list, and the others stand", async () => {
    cpSync(join(root, digitsRun), join(root, "some", "sound"), { recursive: true });
    cpSync(join(root, digitsRun), join(root, "some", "hurt"), { recursive: true });
    writeFileSync(join(root, "some", "hurt", "metrics.jsonl"), "null\n");
    const { code, stdout, stderr } = await saccade("runs", "list", "--runs", "some");
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^sound {2}/m);
    expect(stdout).not.toMatch(/^hurt {2}/m);
    expect(stderr).toMatch(/^left out: some\/hurt\/metrics\.jsonl: line 1 /);
  });
});

describe("a standard output that cannot be written", () => {
  const full = "/dev/full";

  /** What is said on stderr when stdout is a disk without room. */
  async function onFullDisk(...words: string[]): Promise<Omit<Ended, "stdout">> {
    const disk = openSync(full, "w");
    const child = spawn(process.execPath, [main, ...words], { cwd: root, stdio: ["ignore", disk, "pipe"] });
    closeSync(disk);
    let stderr = "";
    child.stderr?.on("data", (bytes) => (stderr += bytes));
    return new Promise((done) => child.on("close", (code) => done({ code, stderr })));
  }

  test.skipIf(!existsSync(full))("is told in one sentence", async () => {
    for (const words of [["version"], ["explain", "configs/quickstart.yaml"], ["runs", "list"], ["--help"]]) {
      const { code, stderr } = await onFullDisk(...words);
      expect(stderr, words.join(" ")).toMatch(/^saccade: standard output cannot be written: .*ENOSPC[^\n]*\n$/);
      expect(code).toBe(1);
    }
  });

  test.skipIf(!existsSync(full))("does not lose a training run, whose end is 1 all the same", async () => {
    const { code, stderr } = await onFullDisk("train", "configs/quickstart.yaml", "--no-probe", "--runs", "no-room");
    expect(stderr.match(/standard output cannot be written/g)).toHaveLength(1);
    expect(code).toBe(1);
    const [run] = readdirSync(join(root, "no-room"));
    expect(readdirSync(join(root, "no-room", run, "checkpoints")).at(-1)).toBe("step-00000002.safetensors");
  });

  test("because its reader has gone does not end a training run", async () => {
    const { child, ended } = start("train", "configs/quickstart.yaml", "--no-probe", "--runs", "unread");
    child.stdout?.destroy();
    expect((await ended).code).toBe(0);
    const [run] = readdirSync(join(root, "unread"));
    expect(readdirSync(join(root, "unread", run, "checkpoints")).at(-1)).toBe("step-00000002.safetensors");
  });
});

describe("probe", () => {
  test("prints a table that fits 80 columns, and writes probe.json", async () => {
    const text = await output("probe", digitsRun, "labelsPerClass=[1]", "seeds=2");
    expect(text).toMatch(/^read-out +labels +trained +random +pixels +gain$/m);
    expect(text).toMatch(/^k nearest neighbours +1 a class( +[\d.]+ ± [\d.]+){3} +[+−]?[\d.]+$/m);
    expect(text).toContain("\nAccuracy in %, mean ± sd over 2 draws of labels; chance is 10.\n");
    expect(text).toContain("MNIST train (200 images), tested on MNIST test (100); no");
    expect(widest(text)).toBeLessThanOrEqual(80);
    const { options, chance, encoderHashes } = JSON.parse(readFileSync(join(root, digitsRun, "probe.json"), "utf8"));
    expect({ options, chance }).toMatchObject({ options: { labelsPerClass: [1], seeds: 2 }, chance: 0.1 });
    expect(encoderHashes.trained).not.toBe(encoderHashes.random);
  });

  test("of a run without a probe section asks for its two sets, and measures with them", async () => {
    const run = join(root, "probeless");
    cpSync(join(root, digitsRun), run, { recursive: true });
    const [before] = readFileSync(join(run, "config.yaml"), "utf8").split(/^probe:/m);
    writeFileSync(join(run, "config.yaml"), before);
    const sentence =
      "saccade: probeless: its configuration has no probe section; give train.dataset=… test.dataset=… test.split=test\n";
    for (const overrides of [[], ["seeds=1"], ["train.dataset=mnist"]])
      expect(await saccade("probe", "probeless", ...overrides)).toMatchObject({ code: 1, stderr: sentence });
    const sets = ["train", "test"].flatMap((set) => [
      `${set}.dataset=mnist`,
      `${set}.folder=files`,
      `${set}.split=${set}`,
    ]);
    const text = await output("probe", "probeless", ...sets, "readOuts=[kNN]", "labelsPerClass=[1]", "seeds=1");
    expect(text).toMatch(/^k nearest neighbours/m);
  });

  test("of sets of different classes is refused", async () => {
    const words = ["test.dataset=procedural-objects", "test.grey=true", "test.limit=10"];
    expect(await saccade("probe", digitsRun, ...words)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(
        /^saccade: probe: train and test must be of the same classes, got MNIST train \(0, 1, 2, …\) and procedural objects test, grey \(/,
      ),
    });
  });

  test("--json prints the report, and nothing else", async () => {
    const report = JSON.parse(await output("probe", digitsRun, "--json"));
    expect(report).toMatchObject({ chance: 0.1, overlapping: 0, options: { labelsPerClass: [10] } });
  });
});

describe("runs", () => {
  test("list prints a line for each run, also as JSON", async () => {
    const text = await output("runs", "list", "--runs", "trained");
    const name = trainedRun.split("/").at(-1);
    expect(text).toMatch(new RegExp(`^${name}  E2E BP +1/1 +done +[\\d.]+ +[\\d.]+$`, "m"));
    expect(widest(text)).toBeLessThanOrEqual(80);
    const listed = JSON.parse(await output("runs", "list", "--runs", "trained", "--json"));
    expect(listed).toMatchObject([{ name, path: trainedRun, step: 4, epoch: 1, epochs: 1, config: { seed: 7 } }]);
  });

  test("list of nothing says how to start", async () => {
    expect(await output("runs", "list", "--runs", "none")).toBe(
      "no runs in none; start one: saccade train configs/quickstart.yaml\n",
    );
    expect(await output("runs", "list", "--runs", "none", "--json")).toBe("[]\n");
  });

  test("show prints the configuration and the probe, also as JSON", async () => {
    const text = await output("runs", "show", trainedRun);
    expect(text).toMatch(/^done, 4 steps, 1 of 1 epochs, loss [\d.]+$/m);
    expect(text).toMatch(/^ {2}readOuts: \[kNN\]$/m);
    expect(text).toMatch(/^k nearest neighbours/m);
    expect(widest(text)).toBeLessThanOrEqual(80);
    const shown = JSON.parse(await output("runs", "show", trainedRun, "--json"));
    expect(shown).toMatchObject({ path: trainedRun, step: 4, config: { batch: 10 }, probe: { chance: 0.1 } });
  });
});

describe("explain and version", () => {
  test("explain lists stages in lines of at most 80 columns, and reads no data", async () => {
    const text = await output("explain", "configs/quickstart.yaml", "data.folder=elsewhere");
    expect(text).toMatch(/^ {2}1 {2}makeViews$/m);
    expect(text).toMatch(/^memory: .* kept from step to step, .* within one$/m);
    expect(widest(text)).toBeLessThanOrEqual(80);
  });

  test("explain's memory holds the dataset, whole and at its own size", async () => {
    const input = async (...words: string[]): Promise<number> => {
      const [first] = JSON.parse(await output("explain", ...words, "--json"));
      return first.persistentByRole.input;
    };
    const cifar = resolve("configs/cifar-bp.yaml");
    expect((await input(cifar)) - (await input(cifar, "data.limit=1000"))).toBe(49_000 * 3072);
    expect((await input("objects.yaml", "data.size=64")) - (await input("objects.yaml"))).toBe(
      2700 * 3 * (64 * 64 - 1024),
    );
  });

  test("a reader that closes early is no error", async () => {
    const { child, ended } = start("explain", "configs/quickstart.yaml");
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("devices says which SIMD was chosen and how fast each is", async () => {
    const { default: first, auto, devices } = JSON.parse(await output("devices", "--json"));
    expect(first).toBe("wasm");
    expect(devices.map(({ name }: { name: string }) => name)).toEqual(["wasm", "webgpu", "reference"]);
    const [{ simd, chosenBy, candidates }, webgpu] = devices;
    // An adapter with its speed, or the reason why there is none.
    if (webgpu.adapter) expect(webgpu).toMatchObject({ exact: true, adapter: { name: expect.stringMatching(/./) } });
    else expect(webgpu.obstacle).toMatch(/^webgpu: .*--device wasm$/);
    expect(auto).toMatchObject({
      device: expect.stringMatching(/^(wasm|webgpu)$/),
      because: expect.stringMatching(/./),
    });
    expect(chosenBy).toBe("speed");
    expect(candidates.map((candidate: { simd: string }) => candidate.simd)).toEqual(["wide", "relaxed", "plain"]);
    expect(candidates.find((candidate: { simd: string }) => candidate.simd === simd)).toMatchObject({ exact: true });
    for (const { obstacle, gigaflopsPerThread } of candidates)
      if (obstacle === undefined) expect(gigaflopsPerThread).toBeGreaterThan(0.1);
    expect(await output("devices")).toMatch(new RegExp(`^ {2}\\* ${simd} .* \\d+$`, "m"));
  });

  test("version says what runs, on every device", async () => {
    const described = JSON.parse(await output("version", "--json", "--threads", "2"));
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(described).toMatchObject({ saccade: version, node: process.versions.node, backend: "wasm" });
    expect(described.backendDescription).toContain("2 threads");
    const onReference = await output("version", "--device", "reference");
    expect(onReference).toMatch(/^reference: float64/m);
    expect(await output("--version", "--device", "reference")).toBe(onReference);
    // Without the package, without a driver, or with threads: in any case it says what to do.
    const threaded = await saccade("version", "--device", "webgpu", "--threads", "2");
    expect(threaded).toMatchObject({
      code: 1,
      stderr: "saccade: --device webgpu: --threads must be left out, the GPU has its own, got 2\n",
    });
  });
});

describe("what a terminal shows", () => {
  /** What showProgress writes to a terminal of so many columns. */
  function drawn(columns: number): string[] {
    const written: string[] = [];
    const stream = { isTTY: true, columns, write: (text: string) => written.push(text) };
    const progress = showProgress("training", "images", stream as unknown as NodeJS.WriteStream);
    progress.update(100, 600_000, "epoch 0.1 of 400, loss 1.234e+5");
    progress.update(600_000, 600_000, "epoch 400.0 of 400, loss 1.234e+5");
    progress.end();
    return written;
  }

  test.each([20, 60, 80, 200])("one moving line that fits %i columns", (columns) => {
    const [first, last, end] = drawn(columns);
    expect(end).toBe("\n");
    for (const line of [first, last]) {
      expect(line.startsWith("\r\u001b[2K")).toBe(true);
      expect(line.length - "\r\u001b[2K".length).toBeLessThan(columns);
    }
    if (columns >= 80) expect(last).toMatch(/training █+ 100 %, epoch 400\.0 of 400, loss 1\.234e\+5/);
  });

  test("no rate before there is one to measure", () => {
    expect(drawn(100)[0]).toMatch(/0 %, epoch 0\.1 of 400, loss 1\.234e\+5$/);
  });

  const score = (change: Partial<Score>): Score => ({
    subject: "trained",
    readOut: "scaleFree",
    labelsPerClass: "all",
    seed: 0,
    accuracy: 0.5,
    details: {},
    ...change,
  });
  const report = (scores: Score[]): ProbeReport => ({ scores }) as unknown as ProbeReport;

  test("the widest table of a probe fits 80 columns", () => {
    const scores = (["paper", "scaleFree", "kNN"] as const).flatMap((readOut) =>
      ([1000, "all"] as const).flatMap((labelsPerClass) =>
        (["trained", "random", "pixels"] as const).flatMap((subject) =>
          [0.1, 0.9].map((accuracy, seed) => score({ readOut, labelsPerClass, subject, accuracy, seed })),
        ),
      ),
    );
    expect(widest(formatTable(probeRows(report(scores))))).toBeLessThanOrEqual(80);
  });

  test("gains have a sign, zero has none, and what is missing is a dash", () => {
    const gain = (trainedAccuracy: number, random?: number): string | undefined =>
      probeRows(
        report([
          score({ accuracy: trainedAccuracy }),
          ...(random === undefined ? [] : [score({ subject: "random", accuracy: random })]),
        ]),
      )[1].at(-1);
    expect([gain(0.5, 0.4), gain(0.4, 0.5), gain(0.5, 0.5004), gain(0.5)]).toEqual(["+10.0", "−10.0", "0.0", "–"]);
  });

  test("lines break at spaces outside brackets and go on indented", () => {
    expect(wrap("     reads  a [1, 2, 3], b [4, 5, 6], c", 5, 24)).toBe(
      "     reads  a [1, 2, 3],\n     b [4, 5, 6], c",
    );
    expect(wrap("short", 5, 24)).toBe("short");
    expect(wrap("", 5, 24)).toBe("");
    expect(wrap(`a ${"b".repeat(30)} c`, 2, 10)).toBe(`a\n  ${"b".repeat(30)}\n  c`);
  });
});

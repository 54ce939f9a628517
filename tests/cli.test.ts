// The command line as a person meets it: a child process, its exit code, what it prints, and what it leaves on disk.

import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../src/cli/options.ts";
import { showProgress } from "../src/cli/progress.ts";
import { formatTable, probeRows, wrap } from "../src/cli/table.ts";
import type { ProbeReport, Score } from "../src/evaluation/probe.ts";
import { randomStream } from "../src/program/random.ts";

const main = resolve("dist/cli/main.js");
const commands = ["train", "probe", "explain", "audit", "runs", "devices", "version"];
const exampleRun = "runs/2026-11-24_10-00-00_quickstart_1a2b3c";
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
  const child = spawn(process.execPath, [main, ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<Ended>((done, failed) => {
    const told = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (bytes) => (told[stream] += bytes));
    child.on("error", failed);
    child.on("close", (code) => done({ code, ...told }));
  });
  return { child, ended };
}

const saccade = (...words: string[]): Promise<Ended> => start(...words).ended;

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

const tiny = (name: string, epochs: number): string => `
name: ${name}
data: { dataset: mnist, folder: files, limit: 20 }
augmentation: { kind: affine }
encoder: mnist
adam: { learningRate: 1e-3 }
batch: 10
epochs: ${epochs}
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
  mkdirSync(join(root, "configs"));
  for (const name of ["quickstart", "cifar-bp", "cifar-bp-block"])
    writeFileSync(join(root, "configs", `${name}.yaml`), tiny(name, 1));
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
      [...line.slice("  $ saccade ".length).matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word),
    );

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

  test("gives examples that work, each run here on small data", async () => {
    cpSync(join(root, digitsRun), join(root, exampleRun), { recursive: true });
    const examples = (await Promise.all(commands.map((name) => output(name, "--help")))).flatMap(examplesIn);
    expect(examples.length).toBeGreaterThanOrEqual(10);
    for (const words of examples) {
      const stdout = await output(...words);
      if (words.includes("--json")) expect(() => JSON.parse(stdout), words.join(" ")).not.toThrow();
      // The shipped configuration takes the example's overrides too.
      const [command, path = ""] = words;
      const overrides = words.filter((word) => /^[\w.]+=/.test(word));
      if (/^configs\//.test(path)) expect(readConfig(path, overrides, { device: "wasm" }).name, command).toBeTruthy();
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
    [["train", "configs/quickstart.yaml", "--device", "gpu"], /Allowed choices are wasm, reference/],
    [["probe"], /missing required argument 'run'/],
    [["explain"], /missing required argument 'config'/],
    [["runs"], /missing required argument 'what'/],
    [["runs", "delete"], /Allowed choices are list, show/],
    [["runs", "show"], /missing argument 'run'/],
    [["version", "more"], /too many arguments/],
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
    [["train", "files"], /^saccade: files: cannot be read \(EISDIR\)/],
    [["train", quick, "batc=3"], /^saccade: configs\/quickstart\.yaml: unknown key "batc", did you mean "batch"\?/],
    [["train", quick, "batch=many"], /batch must be a number, got "many"/],
    [["train", quick, "batch"], /override: must look like key=value, got "batch"/],
    [["train", quick, "data.dataset=mnits"], /dataset must be one of .*, got mnits; did you mean mnist\?/],
    [["train", quick, "data.folder=elsewhere"], /MNIST: looked in elsewhere and did not find/],
    [["train", quick, "data.split=unlabelled"], /split must be train or test for MNIST/],
    [["train", quick, "encoder=cifar", "probe=null"], /probe must be a group of keys and values, got null/],
    [["train", quick, "encoder=cifar", "--no-probe"], /probe\.train\.dataset mnist has 1 channel/],
    [["train", quick, "batch=30"], /batch must be at most the 20 images of the dataset, got 30/],
    [["train", quick, "probe.test.dataset=cifar-1"], /dataset must be one of .*, got cifar-1; did you mean cifar-10\?/],
    [["train", quick, "probe.train.folder=elsewhere"], /MNIST: looked in elsewhere/],
    [["train", quick, "--device", "reference", "--threads", "2"], /--threads must be 1 or left out, it has one thread/],
    [["train", quick, "--runs", "files/MNIST/raw/train-images-idx3-ubyte"], /ubyte.*: cannot be written: /],
    [["train", "--resume", "files"], /^saccade: files: not a run folder, it has no config\.yaml/],
    [["explain", quick, "batch=1"], /batch must be at least 2/],
    [["probe", "files"], /files: not a run folder/],
    [["runs", "show", "files"], /files: not a run folder/],
  ])("%j ends with 1 and one sentence", async (words, sentence) => {
    const before = existsSync(join(root, "runs")) ? readdirSync(join(root, "runs")) : [];
    const { code, stdout, stderr } = await saccade(...words);
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^saccade: [^\n]+\n$/);
    expect(stderr).toMatch(sentence);
    expect(existsSync(join(root, "runs")) ? readdirSync(join(root, "runs")) : [], "no folder is left behind").toEqual(
      before,
    );
  });

  test("a resumed run keeps what decides its numbers", async () => {
    const first = await saccade("train", "--resume", trainedRun, "--seed", "8");
    expect(first).toMatchObject({ code: 1, stderr: expect.stringMatching(/^saccade: --resume: a run keeps its seed/) });
    const second = await saccade("train", "--resume", trainedRun, "adam.learningRate=1");
    expect(second).toMatchObject({ code: 1, stderr: expect.stringMatching(/was written by another configuration/) });
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

  test("makes a whole run folder", () => {
    const inside = (...path: string[]): string => join(root, trainedRun, ...path);
    expect(readdirSync(inside()).sort()).toEqual(
      ["checkpoints", "config.yaml", "environment.json", "figures", "metrics.jsonl", "probe.json"].sort(),
    );
    const figures = ["loss", "probe", "views", "xray"].flatMap((name) => [`${name}.png`, `${name}.svg`]);
    expect(readdirSync(inside("figures")).sort()).toEqual(figures);
    for (const figure of figures) expect(statSync(inside("figures", figure)).size, figure).toBeGreaterThan(500);
    expect(readdirSync(inside("checkpoints")).at(-1)).toBe("step-00000004.safetensors");
    const kinds = lines(readFileSync(inside("metrics.jsonl"), "utf8"))
      .slice(0, -1)
      .map((line) => JSON.parse(line).kind);
    expect(kinds).toEqual(["xray", "step", "step", "step", "step", "xray"]);
    const { seed, batch, data, probe } = readConfig(inside("config.yaml"), [], { device: "wasm" });
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
    expect(stderr).toContain("stopping after this step, with a checkpoint; again to stop at once");
    const [, steps, run] =
      /^stopped {2}after (\d+) steps?; go on with: saccade train --resume (\S+)$/m.exec(stdout) ?? [];
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
    expect(readConfig(join(root, run, "config.yaml"), [], { device: "wasm" }).epochs).toBe(epochs);
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

  test("--json prints the report, and nothing else", async () => {
    const report = JSON.parse(await output("probe", digitsRun, "--json"));
    expect(report).toMatchObject({ chance: 0.1, overlapping: 0, options: { labelsPerClass: [10] } });
  });
});

describe("runs", () => {
  test("list prints a line for each run, also as JSON", async () => {
    const text = await output("runs", "list", "--runs", "trained");
    const name = trainedRun.split("/").at(-1);
    expect(text).toMatch(new RegExp(`^${name}  E2E BP, procedural-objects +1/1 +[\\d.]+$`, "m"));
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
    expect(text).toMatch(/^4 steps, 1 of 1 epochs, loss [\d.]+$/m);
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

  test("a reader that closes early is no error", async () => {
    const { child, ended } = start("explain", "configs/quickstart.yaml");
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("devices says which SIMD was chosen and how fast each is", async () => {
    const { default: first, devices } = JSON.parse(await output("devices", "--json"));
    expect(first).toBe("wasm");
    expect(devices.map(({ name }: { name: string }) => name)).toEqual(["wasm", "reference"]);
    const [{ simd, chosenBy, candidates }] = devices;
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
    expect(await output("version", "--device", "reference")).toMatch(/^reference: float64/m);
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

// saccade data as a person meets it: a child process, a folder of data, a server that is there or not.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { PNG } from "pngjs";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { findDataset } from "../../src/datasets/on-disk.ts";
import { sources } from "../../src/datasets/sources.ts";

const main = resolve("dist/cli/main.js");
const root = mkdtempSync(join(tmpdir(), "saccade-cli-data-"));
afterAll(() => rmSync(root, { recursive: true }));
const real = process.env.SACCADE_DATA ?? "";

let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function serve(answer: RequestListener): Promise<string> {
  const made = createServer(answer);
  server = made;
  await new Promise<void>((listening) => made.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}/`;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const env = { ...process.env, SACCADE_DATA: folder, ...environment };
  const child = spawn(process.execPath, [main, "data", ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
  const told = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (bytes) => (told[stream] += bytes));
  return { child, ended: new Promise((done) => child.on("close", (code) => done({ code, ...told }))) };
}

const data = (...words: string[]): Promise<Ended> => start(words).ended;

/** EMNIST's digits have no checksum of their own, so that two pictures will do. */
function writeDigits(label = 1): void {
  const images = Buffer.alloc(16 + 2 * 784);
  images.set([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]);
  const labels = Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 0, label]);
  for (const split of ["train", "test"])
    for (const [what, bytes] of Object.entries({ "images-idx3": images, "labels-idx1": labels })) {
      const path = join(folder, `EMNIST/raw/emnist-digits-${split}-${what}-ubyte`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
}

test("list says what there is, what is here and in which layout, in 80 columns", async () => {
  writeDigits();
  mkdirSync(join(folder, "cifar-100-python"));
  writeFileSync(join(folder, "cifar-100-python", "train"), "pickle");
  const { code, stdout } = await data("list");
  expect(code).toBe(0);
  const rows = stdout.split("\n");
  for (const row of rows.slice(0, 15)) expect(row.length).toBeLessThanOrEqual(80);
  const row = (name: string): string | undefined =>
    rows.find((line) => line.startsWith(`${name} `))?.replace(/ +/g, " ");
  expect(row("emnist-digits")).toBe("emnist-digits idx 280,000 28×28×1 10 3.11 KiB none stated");
  expect(row("emnist-letters")).toBe("emnist-letters no 145,600 28×28×1 26 536 MiB none stated");
  expect(row("cifar-100")).toBe("cifar-100 in part 60,000 32×32×3 100 6 B none stated");
  expect(row("mnist")).toBe("mnist no 70,000 28×28×1 10 11.1 MiB CC BY-SA 3.0");
  expect(row("procedural-movie")).toBe("procedural-movie rendered any 32×32×3 10 – MIT");
  expect(stdout).toContain(folder);

  const json = JSON.parse((await data("list", "--json")).stdout);
  expect(json.folder).toBe(folder);
  const digits = json.datasets.find(({ name }: { name: string }) => name === "emnist-digits");
  expect(digits).toMatchObject({
    here: "whole",
    folder: join(folder, "EMNIST/raw"),
    bytes: 3188,
    licence: "none stated",
  });
  expect(digits.citation).toContain("Cohen");
  expect(json.datasets).toHaveLength(13);
});

test("list calls a dataset damaged whose file has not its published size", async () => {
  mkdirSync(join(folder, "MNIST/raw"), { recursive: true });
  for (const { name, bytes = 0 } of sources.mnist.layouts[0].files)
    writeFileSync(join(folder, "MNIST/raw", name), Buffer.alloc(name.startsWith("t10k-labels") ? bytes - 1 : bytes));
  mkdirSync(join(folder, "FashionMNIST/raw"), { recursive: true });
  for (const { name, bytes } of sources["fashion-mnist"].layouts[0].files)
    writeFileSync(join(folder, "FashionMNIST/raw", name), Buffer.alloc(bytes ?? 0));
  const { code, stdout } = await data("list");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^mnist +damaged /m);
  expect(stdout).toMatch(/^fashion-mnist +idx /m);
  expect(stdout.replaceAll("\n", " ")).toContain(
    "Damaged: a file has another size than was published; saccade data check",
  );
  const { datasets } = JSON.parse((await data("list", "--json")).stdout);
  expect(datasets.slice(0, 2).map(({ here }: { here: string }) => here)).toEqual(["damaged", "whole"]);
});

test("check says of each dataset that is here whether it is right, and ends with 1 where one is not, or none is here", async () => {
  const none = `saccade: ${folder}: must hold a dataset, got none; saccade data list shows what can be fetched\n`;
  expect(await data("check")).toEqual({ code: 1, stdout: "", stderr: none });
  const empty = `${JSON.stringify({ folder, datasets: [] })}\n`;
  expect(await data("check", "--json")).toEqual({ code: 1, stdout: empty, stderr: none });
  writeDigits();
  expect(await data("check")).toEqual({ code: 0, stdout: "emnist-digits: right; 4 files by reading\n", stderr: "" });
  expect((await data("get", "emnist-digits")).stdout.split("\n")[0]).toBe(
    `EMNIST digits: is already in ${join(folder, "EMNIST/raw")}; to check it: saccade data check emnist-digits`,
  );
  const images = join(folder, "EMNIST/raw/emnist-digits-train-images-idx3-ubyte");
  rmSync(images);
  expect(await data("check")).toEqual({
    code: 1,
    stdout: `emnist-digits: right as far as it is here; 2 files by reading, 1 file unchecked, as their split is not whole\n  ${images}.gz: is missing\n`,
    stderr: "",
  });
  writeDigits(99);
  const path = join(folder, "EMNIST/raw/emnist-digits-test-labels-idx1-ubyte");
  rmSync(images);
  const sentence = "label 1 must be from 0 to 9, got 99; fetch the file again";
  const { code, stdout } = await data("check", "emnist-digits");
  expect(code).toBe(1);
  expect(stdout.split("\n")).toEqual([
    "emnist-digits: not as published; 2 files by reading, 1 file unchecked, as their split is not whole",
    `  ${path}: ${sentence}`,
    `  ${images}.gz: is missing`,
    "",
  ]);
  const json = await data("check", "--json");
  expect(json.code).toBe(1);
  const [{ name, files }] = JSON.parse(json.stdout).datasets;
  expect(name).toBe("emnist-digits");
  expect(files.map(({ fault }: { fault?: string }) => fault)).toEqual([undefined, undefined, sentence]);
  expect(await data("check", "mnist")).toMatchObject({
    code: 1,
    stderr: `saccade: mnist: is not in ${folder}; fetch it: saccade data get mnist\n`,
  });
});

test("get says which file to fetch and where to put it, and leaves nothing", async () => {
  const address = await serve((_, response) => response.writeHead(404).end());
  const { code, stdout, stderr } = await data("get", "cifar-10", "--from", address);
  expect(stderr).toBe(
    `saccade: cifar-10-binary.tar.gz: could not be downloaded: ${address}cifar-10-binary.tar.gz answered 404; fetch https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz in another way, put it into ${join(folder, "downloads", "cifar-10-batches-bin")} and run again: saccade data get cifar-10\n`,
  );
  expect([code, stdout]).toEqual([1, ""]);
  expect(readdirSync(folder)).toEqual(["downloads"]);
});

test.each([
  [["list"], ""],
  [["check"], ""],
  [["get", "mnist"], ""],
  [["get", "mnist"], "/below"],
])("%j where SACCADE_DATA names a file%s says what to set", async (words, below) => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(await start(words, { SACCADE_DATA: `${file}${below}` }).ended).toEqual({
    code: 1,
    stdout: "",
    stderr: `saccade: ${file}: the place of the datasets must be a folder, got a file; set SACCADE_DATA to a folder\n`,
  });
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("get stops at a signal, keeps what came, and lets nobody else in meanwhile", async () => {
  const address = await serve((_, response) => {
    response.writeHead(200, { etag: '"one"' });
    response.write(Buffer.alloc(5000));
  });
  const { child, ended } = start(["get", "mnist", "--from", address]);
  const parts = (): string[] =>
    existsSync(join(folder, "downloads/MNIST")) ? readdirSync(join(folder, "downloads/MNIST")) : [];
  while (!parts().some((name) => name.endsWith(".part"))) await new Promise((later) => setTimeout(later, 20));
  const other = await data("get", "mnist", "--from", address);
  expect(other.stderr).toMatch(new RegExp(`^saccade: ${folder}: is in use by process ${child.pid} since `));
  expect(other.code).toBe(1);
  child.kill("SIGINT");
  expect(await ended).toEqual({
    code: 130,
    stdout: "",
    stderr: "stopped; what has come stays, and the same command goes on from there\n",
  });
  expect(readdirSync(folder)).toEqual(["downloads"]);
  expect(parts()).toHaveLength(2);
});

test("get goes through a proxy that the environment names", async () => {
  const asked: (string | undefined)[] = [];
  const proxy = await serve((request, response) => {
    asked.push(request.url);
    response.writeHead(404).end();
  });
  const { code } = await start(["get", "stl-10", "--from", "http://data.example/"], { http_proxy: proxy, no_proxy: "" })
    .ended;
  expect(code).toBe(1);
  expect(asked).toEqual(["http://data.example/stl10_binary.tar.gz"]);
  expect(await start(["get", "stl-10"], { http_proxy: "nonsense" }).ended).toMatchObject({
    code: 1,
    stderr:
      "saccade: data get: http_proxy and https_proxy must be addresses of a proxy, such as http://host:3128, got nonsense\n",
  });
});

const mnistHere =
  real !== "" && findDataset(sources.mnist, real)?.files.every(({ path, size }) => size && path.endsWith(".gz"));
test.skipIf(!mnistHere)("get brings the real MNIST (skipped where $SACCADE_DATA lacks it)", async () => {
  const raw = join(real, "MNIST/raw");
  const address = await serve((request, response) => response.end(readFileSync(join(raw, request.url ?? ""))));
  const at = join(folder, "MNIST/raw");
  const citation = "LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition";
  expect(await data("get", "mnist", "--from", address)).toEqual({
    code: 0,
    stdout: `MNIST: fetched into ${at}, checked\nlicence: CC BY-SA 3.0; to cite: ${citation}\n`,
    stderr: "",
  });
  expect(readdirSync(folder)).toEqual(["MNIST"]);
  expect(readdirSync(at).sort()).toEqual(readdirSync(raw).sort());
  const again = await data("get", "mnist", "--json");
  expect(JSON.parse(again.stdout)).toMatchObject({ dataset: "mnist", folder: at, fetched: false });
  expect((await data("check")).stdout).toBe("mnist: right; 4 files by published checksum\n");
  rmSync(at, { recursive: true });
  expect(await data("get", "mnist", "--from", raw)).toMatchObject({ code: 0 });
});

test("show draws pictures of every class, and a config's views", async () => {
  const out = join(folder, "pictures");
  const size = ({ width, height }: ReturnType<typeof PNG.sync.read>): boolean => width >= 720 && height > 200;
  expect(await data("show", "procedural-objects", "--out", out)).toMatchObject({
    code: 0,
    stdout: `${join(out, "procedural-objects-pictures.png")}\n`,
  });
  const words = ["configs/quickstart.yaml", "data.limit=50", "batch=10", "name=quick", "--out", out, "--json"];
  expect(JSON.parse((await data("show", ...words)).stdout)).toEqual({
    dataset: "procedural objects unlabelled",
    figures: ["quick-pictures.png", "quick-views.png"].map((file) => join(out, file)),
  });
  expect(readdirSync(out).sort()).toEqual(["procedural-objects-pictures.png", "quick-pictures.png", "quick-views.png"]);
  for (const file of readdirSync(out)) expect(size(PNG.sync.read(readFileSync(join(out, file))))).toBe(true);
});

test.each([
  [["get"], 2, /missing argument 'name', for example: saccade data get cifar-10/],
  [["fetch", "mnist"], 2, /Allowed choices are list, get, check, show/],
  [["get", "mnits"], 1, /^saccade: data: the dataset must be one of mnist, .*, got mnits; did you mean mnist\?\n$/],
  [["check", "procedural-movie"], 1, /^saccade: procedural-movie: has no files, it is rendered; saccade data show/],
  [["list", "--from", "x"], 1, /^saccade: data: --from must be left out, except for get, got --from with list\n$/],
  [["get", "mnist", "emnist-letters"], 1, /arguments must be one dataset, got \[mnist, emnist-letters\]/],
  [["get", "mnist", "--from", "nowhere"], 1, /^saccade: --from nowhere: must be a folder .*, got no such folder\n$/],
  [
    ["show", "cifar10"],
    1,
    /what to show must be a dataset or a configuration's file, got cifar10; did you mean cifar-10\?/,
  ],
  [["show", "cifar-10"], 1, /did not find .*; fetch it: saccade data get cifar-10, or put the files there/],
  [
    ["show", "mnist", "seed=1"],
    1,
    /overrides must be left out for a dataset, got \[seed=1\]; they go with a configuration/,
  ],
] as const)("%j is refused", async (words, code, sentence) => {
  const ended = await data(...words);
  expect(ended.code).toBe(code);
  expect(ended.stderr).toMatch(sentence);
  expect(readdirSync(folder)).toEqual([]);
});

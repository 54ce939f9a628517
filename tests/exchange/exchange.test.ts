// What leaves for PyTorch, ONNX and NumPy is what the probe reads, and what comes back is what left; each held by the real program.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-web";
import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { npyTexts } from "../../src/datasets/formats/npy.ts";
import { openNpz, type StoredArray } from "../../src/datasets/formats/npz.ts";
import { pictures } from "../../src/encoders/encoder.ts";
import { recordBlocks, recordFeatures } from "../../src/encoders/forward.ts";
import { createHead, createModel, initialise, synapsesOf } from "../../src/encoders/model.ts";
import { type NetworkName, networks } from "../../src/encoders/networks.ts";
import { encoderFeatures } from "../../src/evaluation/features.ts";
import { channelsFirst, encodeEmbeddings } from "../../src/exchange/embeddings.ts";
import { readStateDict } from "../../src/exchange/imported-weights.ts";
import { encodeNpz } from "../../src/exchange/npz.ts";
import { encodeOnnx, pixelFacts } from "../../src/exchange/onnx.ts";
import { encodeStateDict } from "../../src/exchange/state-dict.ts";
import { writeWhole } from "../../src/files/files.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { recordProgram } from "../../src/program/program.ts";
import { persistent, type Shape, sizeOf } from "../../src/program/tensor.ts";
import { saveCheckpoint } from "../../src/runs/checkpoints.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/training/safetensors.ts";
import { npy, npz } from "../support/numpy-files.ts";
import { compare } from "../support/tolerances.ts";

const folder = mkdtempSync(join(tmpdir(), "saccade-exchange-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

const backend = wasmBackend({ threads: 2 });
const valueRange = [-1, 1] as const;
const papers = ["cifar", "vgg6", "mnist"] as const satisfies readonly NetworkName[];

/** Multiples of 2⁻²³ in ±bound by a linear congruence: the largest network has 17 million of them. */
function numbers(length: number, bound: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = ((state >> 8) / 2 ** 23) * bound;
  }
  return values;
}

/** Weights under which Hardtanh and tanh have both linear and saturated units. */
function network(name: NetworkName) {
  const model = createModel(networks[name]);
  const shapes = pictures(model.encoder);
  const head = createHead("head", model.encoder.head, shapes[shapes.length - 1], shapes.length);
  const tensors = [...synapsesOf(model), head.synapses.weight];
  const state = new Map(
    tensors.map((tensor, i) => [
      tensor.name,
      numbers(sizeOf(tensor.shape), 3 / Math.sqrt(sizeOf(tensor.shape.slice(0, -1))), i + 1),
    ]),
  );
  const checkpoint = { state, shapes: new Map(tensors.map((tensor): [string, Shape] => [tensor.name, tensor.shape])) };
  return { name, model, head, checkpoint };
}

/** Every block's picture and the features, all with channels first, of two pictures [2, c, h, w] of our own engine's. */
async function forward({ model, head, checkpoint }: ReturnType<typeof network>) {
  const { encoder } = model;
  const { height, width, channels } = encoder;
  const x = persistent("x", [2, height, width, channels], "input");
  const record = recordProgram("forward");
  const blocks = recordBlocks(record, model, x).map(({ output }) => output);
  const features = recordFeatures(record, encoder.head, blocks[blocks.length - 1]);
  const embeddings = record.linear({ x: features, w: head.synapses.weight }, {}, { y: "embeddings" }).y;
  const program = record.finish([...blocks, features, embeddings]);
  const engine = await backend.prepare([program]);
  const pixels = numbers(sizeOf(x.shape), 1, 77);
  engine.write(x, pixels);
  for (const tensor of [...synapsesOf(model), head.synapses.weight])
    engine.write(tensor, checkpoint.state.get(tensor.name) as Float32Array);
  await engine.run(program);
  const read = async (tensor: (typeof blocks)[number]) => Float32Array.from(await engine.read(tensor));
  const results = new Map<string, Float32Array>();
  for (const [i, block] of blocks.entries())
    results.set(encoder.blocks[i].name, channelsFirst(await read(block), sizeOf(block.shape) / 2, block.shape[3]));
  const last = blocks[blocks.length - 1].shape[3];
  results.set("features", channelsFirst(await read(features), features.shape[1], last));
  results.set("embeddings", await read(embeddings));
  await engine.dispose();
  return {
    pictures: channelsFirst(pixels, sizeOf(x.shape) / 2, channels),
    shape: [2, channels, height, width],
    results,
  };
}

/** Random pictures with the labels 0, 1, 2, …, 0, … */
function pictureSet(count: number, side: number, channels: 1 | 3): ImageSet {
  const pixels = Uint8Array.from(numbers(count * side * side * channels, 128, 5), (value) => value + 128);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
  const classes = Array.from({ length: 10 }, (_, i) => `class ${i}`);
  return { name: "random", pixels, count, height: side, width: side, channels, labels, classes };
}

/** Terms of the deepest sum, for the tolerance: five or six convolutions one after the other. */
const close = (what: string) => ({ kind: "conv2d", terms: 9 * 1024 * 36, what }) as const;

const pythonWith = (...modules: string[]): string => {
  const missing = `import sys, importlib.util as u; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))`;
  try {
    execFileSync("python3", ["-c", missing, ...modules], { stdio: "ignore" });
    return "";
  } catch {
    return ` (skipped: no python3 with ${modules.join(" and ")})`;
  }
};
const noTorch = pythonWith("torch", "safetensors", "numpy");
const noOnnx = pythonWith("onnx");
const noNumpy = pythonWith("numpy");

/** One Python for all scripts, since importing torch takes seconds: a line in is a script as JSON, a line out what it printed or why not. */
const interpreter = `
import contextlib, io, json, sys, traceback
for line in sys.stdin:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(json.loads(line), {})
        print(json.dumps({"said": said.getvalue()}), flush=True)
    except Exception:
        print(json.dumps({"failed": traceback.format_exc()}), flush=True)
`;
let running: { readonly child: ChildProcess; readonly lines: AsyncIterator<string> } | undefined;
afterAll(() => running?.child.stdin?.end());

async function python(script: string): Promise<string> {
  if (running === undefined) {
    const child = spawn("python3", ["-c", interpreter], { cwd: folder, stdio: ["pipe", "pipe", "inherit"] });
    running = { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  }
  running.child.stdin?.write(`${JSON.stringify(script)}\n`);
  const { said, failed } = JSON.parse((await running.lines.next()).value);
  if (failed !== undefined) throw new Error(failed);
  return said;
}

const floats = (path: string): Float32Array => new Float32Array(Uint8Array.from(readFileSync(path)).buffer);

/** Builds a network from its description, loads the weights strictly, and writes what comes of the pictures. */
const torchForward = `
import json
from collections import OrderedDict
import numpy as np, torch
from safetensors.torch import load_file
from torch import nn
about = json.load(open("about.json"))
torch.set_num_threads(2)
layers = {"hardtanh": nn.Hardtanh, "tanh": nn.Tanh, "maxPool": lambda: nn.MaxPool2d(2)}
parts, c = OrderedDict(), about["channels"]
for b in about["blocks"]:
    parts[b["name"]] = nn.Conv2d(c, b["outputs"], b["kernel"], b["stride"], b["padding"], bias=b["bias"])
    c = b["outputs"]
    for step in b["after"]:
        parts[b["name"] + step] = layers[step]()
parts["pool"], parts["flatten"] = nn.AvgPool2d(about["head"]["averagePool"]), nn.Flatten()
parts["head"] = nn.Linear(about["features"], about["head"]["outputs"], bias=False)
network = nn.Sequential(parts)
network.load_state_dict(load_file(about["weights"]))
x = torch.from_numpy(np.fromfile(about["pictures"], np.float32).reshape(about["shape"]))
with torch.no_grad():
    features = network[:-1](x)
    features.numpy().tofile("features.bin")
    network.head(features).numpy().tofile("embeddings.bin")
`;

describe.each(papers)("%s", (name) => {
  const made = network(name);
  const ours = forward(made);

  test("as an ONNX model gives the same blocks and features in ONNX Runtime", async () => {
    const { encoder } = made.model;
    const bytes = encodeOnnx({ network: networks[name], weights: made.checkpoint.state, valueRange, about: "a test" });
    const session = await InferenceSession.create(bytes);
    expect(session.inputNames).toEqual(["pictures"]);
    expect(session.outputNames).toEqual(["features", ...encoder.blocks.map((block) => block.name)]);
    const { pictures: x, shape, results } = await ours;
    const said = await session.run({ pictures: new OnnxTensor("float32", x, shape) });
    for (const output of session.outputNames)
      expect(compare(said[output].data as Float32Array, results.get(output) as Float32Array, close(output))).toBe(
        "equal",
      );
    // n is free.
    const one = await session.run({
      pictures: new OnnxTensor("float32", x.subarray(0, x.length / 2), [1, ...shape.slice(1)]),
    });
    expect(one.features.dims).toEqual([1, (results.get("features") as Float32Array).length / 2]);
    await session.release();
  });

  test.skipIf(noTorch)(`as a state_dict gives the same features and embeddings in PyTorch${noTorch}`, async () => {
    const { pictures: x, shape, results } = await ours;
    writeFileSync(file("weights"), encodeStateDict(networks[name], made.checkpoint, {}));
    writeFileSync(file("pictures"), new Uint8Array(x.buffer));
    const features = (results.get("features") as Float32Array).length / 2;
    const about = { ...networks[name], features, shape, weights: "weights", pictures: "pictures" };
    writeFileSync(file("about.json"), JSON.stringify(about));
    await python(torchForward);
    for (const output of ["features", "embeddings"])
      expect(compare(floats(file(`${output}.bin`)), results.get(output) as Float32Array, close(output))).toBe("equal");
  });

  test.skipIf(noOnnx)(`as an ONNX model passes ONNX's own checker, shapes and all${noOnnx}`, async () => {
    writeFileSync(
      file("encoder.onnx"),
      encodeOnnx({ network: networks[name], weights: made.checkpoint.state, valueRange, about: "a test" }),
    );
    await python("import onnx; onnx.checker.check_model('encoder.onnx', full_check=True)");
  });

  test("comes back from its state_dict as it was, without its head", () => {
    writeFileSync(file("there"), encodeStateDict(networks[name], made.checkpoint, {}));
    const { weights, leftOut } = readStateDict(file("there"), networks[name]);
    expect(leftOut).toEqual(["head.weight"]);
    expect([...weights.keys()]).toEqual(synapsesOf(made.model).map((tensor) => tensor.name));
    for (const [of, values] of weights)
      expect(
        Buffer.compare(
          Buffer.from(values.buffer),
          new Uint8Array(made.checkpoint.state.get(of)?.buffer ?? new ArrayBuffer()),
        ),
        of,
      ).toBe(0);
  });
});

describe("weights that are not finite", () => {
  const { checkpoint } = network("mnist");
  const broken = (value: number) => ({
    ...checkpoint,
    state: new Map(
      [...checkpoint.state].map(([name, data]) => [name, name === "conv2.weight" ? data.with(9, value) : data]),
    ),
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("do not leave: %d", (value) => {
    const { state, shapes } = broken(value);
    const sentence = `conv2.weight must be finite, got ${value}; take weights from before the training went wrong`;
    expect(() => encodeStateDict(networks.mnist, { state, shapes }, {})).toThrow(
      new SaccadeError(`export: ${sentence}`),
    );
    const encoder = { network: networks.mnist, weights: state, valueRange, about: "a test" } as const;
    expect(() => encodeOnnx(encoder)).toThrow(new SaccadeError(`onnx: ${sentence}`));
  });

  test("nor do features that are not, of weights that are", async () => {
    const made = network("cifar").checkpoint.state;
    const weights = new Map([...made].map(([name, data]) => [name, data.map((value) => value * 1e30)]));
    const set = pictureSet(3, 32, 3);
    await expect(encoderFeatures({ network: networks.cifar, weights, valueRange }, [set], backend)).rejects.toThrow(
      new RegExp(`^features: the features of ${set.name} must be finite, got (NaN|-?Infinity); `),
    );
  });
});

describe("embeddings", () => {
  const { checkpoint } = network("mnist");
  const encoder = { network: networks.mnist, weights: checkpoint.state, valueRange } as const;
  const set = pictureSet(300, 28, 1);
  const archive = async (): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of encodeEmbeddings(encoder, set, backend)) parts.push(part);
    return Buffer.concat(parts);
  };

  /** The features with channels first, as the probe's own reading has them. */
  async function wanted(): Promise<Float32Array> {
    const { features } = await encoderFeatures(encoder, [set], backend);
    return channelsFirst(features[0].rows, 1152, 128);
  }

  test("are the probe's features with channels first, and the same bytes again", async () => {
    const bytes = await archive();
    expect(bytes.equals(await archive())).toBe(true);
    const start = bytes.indexOf("\n", bytes.indexOf("NUMPY")) + 1;
    const data = new Float32Array(Uint8Array.from(bytes.subarray(start, start + 300 * 1152 * 4)).buffer);
    // Not toEqual on the numbers: a difference would print all of them.
    expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from((await wanted()).buffer))).toBe(0);
    expect(bytes.subarray(0, start).toString("latin1")).toMatch(
      /features\.npy.*'descr': '<f4', 'fortran_order': False, 'shape': \(300, 1152\), \} *\n$/s,
    );
  });

  test.skipIf(noNumpy)(`are read by NumPy${noNumpy}`, async () => {
    writeFileSync(file("embeddings.npz"), await archive());
    const said = await python(
      "import numpy as np; z = np.load('embeddings.npz'); f, l = z['features'], z['labels']; " +
        "print(sorted(z), f.shape, f.dtype, l.shape, l.dtype, l[:12].tolist()); f.tofile('read.bin')",
    );
    expect(said).toBe(
      "['classes', 'features', 'labels'] (300, 1152) float32 (300,) int64 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]\n",
    );
    expect(readFileSync(file("read.bin")).equals(Buffer.from((await wanted()).buffer))).toBe(true);
  });

  test.skipIf(noTorch)(`are what PyTorch makes of the pictures' bytes in the run's value range${noTorch}`, async () => {
    writeFileSync(file("embeddings.npz"), await archive());
    writeFileSync(file("bytes"), set.pixels);
    writeFileSync(file("mnist.safetensors"), encodeStateDict(networks.mnist, checkpoint, {}));
    const script = `
import numpy as np, torch
from safetensors.torch import load_file
from torch import nn
w = load_file("mnist.safetensors")
x = torch.from_numpy(np.fromfile("bytes", np.uint8)).reshape(300, 28, 28, 1).permute(0, 3, 1, 2) / 255 * 2 - 1
for i in (1, 2, 3):
    x = torch.tanh(nn.functional.max_pool2d(nn.functional.conv2d(x, w[f"conv{i}.weight"], padding=1), 2))
x.flatten(1).numpy().tofile("torch.bin")`;
    await python(script);
    expect(compare(await wanted(), floats(file("torch.bin")), close("embeddings"))).toBe("equal");
  });

  test("say what the classes are called, and of which file each row is", async () => {
    const files = Array.from({ length: 300 }, (_, i) => `größe/${"🐈".repeat(i % 3)}${i}.png`);
    const classes = ["größe", "", "c", "d", "e", "f", "g", "h", "i", "a longer name"];
    const parts: Uint8Array[] = [];
    for await (const part of encodeEmbeddings(encoder, { ...set, classes, files }, backend)) parts.push(part);
    writeFileSync(file("named.npz"), Buffer.concat(parts));
    const arrays = await openNpz(file("named.npz"));
    expect([...arrays.keys()]).toEqual(["features", "labels", "classes", "files"]);
    const texts = async (name: string): Promise<string[]> => npyTexts(await (arrays.get(name) as StoredArray).read());
    expect([await texts("classes"), await texts("files")]).toEqual([classes, files]);
  });

  test("are made only as fast as they are written", async () => {
    let made = 0;
    function* parts(): Generator<Uint8Array> {
      for (; made < 1000; made++) yield new Uint8Array(4000);
    }
    for await (const _ of encodeNpz({ x: { shape: [1000, 1000], type: "<f4", parts: parts() } })) if (made >= 20) break;
    expect(made).toBeLessThan(50);
  });

  test("that fail half-way leave the old file, and nothing beside it", async () => {
    writeFileSync(file("old.npz"), "old");
    const before = readdirSync(folder);
    const weights = new Map([
      ...checkpoint.state,
      ["conv2.weight", checkpoint.state.get("conv2.weight")?.with(5, Number.NaN)],
    ]);
    const broken = encodeEmbeddings({ ...encoder, weights: weights as typeof checkpoint.state }, set, backend);
    await expect(writeWhole(file("old.npz"), broken)).rejects.toThrow(
      new SaccadeError(
        "features: conv2.weight must be finite, got NaN; take weights from before the training went wrong",
      ),
    );
    expect(readFileSync(file("old.npz"), "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe("weights from elsewhere", () => {
  const { checkpoint } = network("mnist");
  const bytes = (change: Readonly<Record<string, { shape: Shape; data: Float32Array } | undefined>>): Uint8Array => {
    const all = new Map(
      [
        ["conv1.weight", [32, 1, 3, 3]],
        ["conv2.weight", [64, 32, 3, 3]],
        ["conv3.weight", [128, 64, 3, 3]],
      ].map(([name, shape]) => [
        name as string,
        { shape: shape as Shape, data: numbers(sizeOf(shape as Shape), 1, 3) },
      ]),
    );
    for (const [name, tensor] of Object.entries(change))
      if (tensor === undefined) all.delete(name);
      else all.set(name, tensor);
    return encodeSafetensors({ tensors: all, metadata: {} });
  };
  const array = (shape: Shape, value = 1) => ({ shape, data: new Float32Array(sizeOf(shape)).fill(value) });
  const names = "conv1.weight, conv2.weight, conv3.weight";

  test.each([
    [
      "without a block",
      bytes({ "conv2.weight": undefined }),
      `conv2.weight must be [64, 32, 3, 3], as network mnist has it, got nothing; the file has conv1.weight, conv3.weight; give the tensors these names: ${names}`,
    ],
    [
      "of another network",
      bytes({ "conv1.weight": array([32, 3, 3, 3]) }),
      "conv1.weight must be [32, 1, 3, 3], as network mnist has it, got [32, 3, 3, 3]; --network must name theirs, and the layout be PyTorch's, [out, in, height, width]",
    ],
    [
      "with channels last",
      bytes({ "conv2.weight": array([3, 3, 32, 64]) }),
      "conv2.weight must be [64, 32, 3, 3], as network mnist has it, got [3, 3, 32, 64]; --network must name theirs, and the layout be PyTorch's, [out, in, height, width]",
    ],
    [
      "with a bias of another length",
      bytes({ "conv1.bias": array([31]) }),
      "conv1.bias must be [32], as network mnist has it, got [31]; --network must name theirs, and the layout be PyTorch's, [out, in, height, width]",
    ],
    [
      "that are no numbers",
      bytes({ "conv3.weight": array([128, 64, 3, 3], Number.NaN) }),
      "conv3.weight must be finite, got NaN; take weights from before the training went wrong",
    ],
    ["of no bytes", new Uint8Array(), "wanted at least 8 bytes, got 0; the file is damaged or not a safetensors file"],
  ])("%s are refused", (what, content, sentence) => {
    const path = file(what.replaceAll(" ", "-"));
    writeFileSync(path, content);
    expect(() => readStateDict(path, networks.mnist)).toThrow(new SaccadeError(`${path}: ${sentence}`));
  });

  test("that are missing are refused", () => {
    const path = file("none");
    expect(() => readStateDict(path, networks.mnist)).toThrow(
      new SaccadeError(
        `${path}: cannot be read: ENOENT: no such file or directory, open '${path}'; look how its name is written, and from which folder it is meant`,
      ),
    );
  });

  test("whose header begins as a pickle or an archive would are read all the same", () => {
    for (const length of [0x0280, 0x4b50]) {
      const header = `{"__metadata__":{"pad":""},`.length;
      const plain = bytes({});
      const size = Number(new DataView(plain.buffer).getBigUint64(0, true));
      const text = new TextDecoder().decode(plain.subarray(8, 8 + size)).trimEnd();
      expect(length).toBeGreaterThan(text.length + header);
      const padded = Buffer.concat([Buffer.alloc(8), Buffer.from(text.padEnd(length)), plain.subarray(8 + size)]);
      padded.writeBigUInt64LE(BigInt(length));
      writeFileSync(file("looks"), padded);
      expect(readStateDict(file("looks"), networks.mnist).weights.size).toBe(3);
    }
  });

  test("bring the range of values that they were trained in, and only into their own network", () => {
    const [network, other] = [networks.tiny, networks.cifar];
    const weights = new Map([...initialise(createModel(network), 1)].map(([{ name }, data]) => [name, data]));
    const shapes = new Map(synapsesOf(createModel(network)).map(({ name, shape }) => [name, shape]));
    const facts = (valueRange: string): void =>
      writeFileSync(file("w.safetensors"), encodeStateDict(network, { state: weights, shapes }, { valueRange }));
    for (const text of ["[-1,1]", "[-1, 1]", " [ -1 , 1 ]\n", "[-1.0, 1e0]", "(-1, 1)", "(-1.0, 1.0)"]) {
      facts(text);
      expect(readStateDict(file("w.safetensors"), network).valueRange, text).toEqual([-1, 1]);
    }
    for (const text of ["[1,-1]", "[1,1]", "[-1]", "[-1,0,1]", "-1, 1", '["-1",1]', "[NaN,1]", ""]) {
      facts(text);
      expect(() => readStateDict(file("w.safetensors"), network), text).toThrow("valueRange must be [low, high], got");
    }
    facts("[-1,1]");
    expect(() => readStateDict(file("w.safetensors"), other)).toThrow(
      new SaccadeError(
        `${file("w.safetensors")}: network must be cifar, as --network says, got tiny; set --network tiny`,
      ),
    );
    facts("wide");
    expect(() => readStateDict(file("w.safetensors"), network)).toThrow(
      new SaccadeError(`${file("w.safetensors")}: valueRange must be [low, high], got wide`),
    );
  });

  const script = resolve("tools/to-safetensors.py");
  test.each([
    ["archive", "w.pt", Buffer.from("PK\x03\x04 archive/data.pkl", "latin1"), "w.safetensors"],
    ["pickle", "w.ckpt", Buffer.from("\x80\x02}q\x00.", "latin1"), "w.safetensors"],
    [
      "pickle that calls itself safetensors",
      "w.safetensors",
      Buffer.from("\x80\x02}q\x00.", "latin1"),
      "w-converted.safetensors",
    ],
    ["pickle with spaces in its name", "my w.pt", Buffer.from("\x80\x02}q\x00.", "latin1"), "my w.safetensors"],
  ])("as a %s of PyTorch's are refused with the way out of it", (_, name, content, target) => {
    writeFileSync(file(name), content);
    const quoted = (path: string): string => (path.includes(" ") ? `'${path}'` : path);
    expect(() => readStateDict(file(name), networks.mnist)).toThrow(
      new SaccadeError(
        `${file(name)}: must be a safetensors file, got a pickle of PyTorch's, which can run any program; turn it into one: python3 ${script} ${quoted(file(name))} ${quoted(file(target))}`,
      ),
    );
  });

  test.each([
    [
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
      "a pointer of Git LFS; fetch what it stands for: git lfs pull",
    ],
    ["<!DOCTYPE html>\n<html><title>404</title></html>", "a page of HTML or XML; fetch the file again"],
  ])("that are %j are called so", (content, got) => {
    writeFileSync(file("w.safetensors"), content);
    expect(() => readStateDict(file("w.safetensors"), networks.mnist)).toThrow(
      new SaccadeError(`${file("w.safetensors")}: must be a safetensors file, got ${got}`),
    );
  });

  test.each(["conv1.weight_v", "net.conv1.weight_orig", "conv1.parametrizations.weight.original1"])(
    "whose weight is computed of parts, as of %s, are refused with what puts them together",
    (part) => {
      writeFileSync(
        file("parts.safetensors"),
        encodeSafetensors({
          tensors: new Map([[part, { shape: [32, 1, 3, 3], data: new Float32Array(288) }]]),
          metadata: {},
        }),
      );
      expect(() => readStateDict(file("parts.safetensors"), networks.mnist)).toThrow(
        `got nothing; the file has ${part}, of which it is computed; before saving, in PyTorch: torch.nn.utils.remove_weight_norm, remove_spectral_norm, prune.remove or parametrize.remove_parametrizations`,
      );
    },
  );

  test.each([false, true])("as an .npz of NumPy's, deflated %s, are refused with the way out of it", (deflated) => {
    writeFileSync(file("w.npz"), npz({ "conv1.weight": npy("<f4", [1], Buffer.alloc(4)) }, deflated));
    expect(() => readStateDict(file("w.npz"), networks.mnist)).toThrow(
      new SaccadeError(
        `${file("w.npz")}: must be a safetensors file, got an .npz archive of NumPy's; turn it into one: python3 ${script} ${file("w.npz")} ${file("w")}.safetensors`,
      ),
    );
  });

  /** What makes a file of weights `w`, and the prefix that they have once it is converted. */
  test.skipIf(noTorch).each([
    ["a state_dict", "torch.save(w, 'NAME.pt')", ""],
    ["a state_dict in the old format", "torch.save(w, 'NAME.pt', _use_new_zipfile_serialization=False)", ""],
    [
      "Lightning's checkpoint",
      "torch.save({'epoch': 3, 'state_dict': {'net.' + k: v for k, v in w.items()}, 'hyper_parameters': argparse.Namespace(path=pathlib.Path('x'), f=functools.partial(print)), 'optimizer_states': [{'state': {0: {'exp_avg': torch.zeros(3, 3)}}}]}, 'NAME.ckpt')",
      "state_dict.net.",
    ],
    [
      "nested dictionaries",
      "torch.save({'model': {'encoder': {'module.' + k: v for k, v in w.items()}}, 'args': [1, {2: 'x'}]}, 'NAME.pth')",
      "model.encoder.module.",
    ],
    ["a whole model of a class that is not here", "torch.save(Net(w), 'NAME.pt')", ""],
    ["a whole model in the old format", "torch.save(Net(w), 'NAME.pt', _use_new_zipfile_serialization=False)", ""],
    ["a model in DataParallel", "torch.save(torch.nn.DataParallel(Net(w)), 'NAME.pt')", "module."],
    [
      "TorchScript",
      "torch.jit.save(torch.jit.script(torch.nn.Sequential(collections.OrderedDict((k, getattr(Net(w), k)) for k in ['conv1', 'conv2', 'conv3']))), 'NAME.pt')",
      "",
    ],
    ["a pickle that calls itself safetensors", "torch.save(w, 'NAME.safetensors')", ""],
    ["half precision, which is widened", "torch.save({k: v.bfloat16() for k, v in w.items()}, 'NAME.pt')", ""],
    [
      "views of one storage, transposed",
      "torch.save({k: v.transpose(2, 3).contiguous().transpose(2, 3) for k, v in w.items()}, 'NAME.pt')",
      "",
    ],
    [
      "a pickle of tensors, without torch.save",
      "import pickle; pickle.dump({'net': w}, open('NAME.pkl', 'wb'))",
      "net.",
    ],
    [
      "a pickle of NumPy's arrays",
      "import pickle; pickle.dump({k: v.numpy() for k, v in w.items()}, open('NAME.pkl', 'wb'))",
      "",
    ],
    ["an .npz, of doubles", "numpy.savez('NAME.npz', **{k: v.double().numpy() for k, v in w.items()})", ""],
    [
      "an .npz in Fortran order",
      "numpy.savez('NAME.npz', **{k: numpy.asfortranarray(v.numpy()) for k, v in w.items()})",
      "",
    ],
  ])(`come in by the line that the refusal gives, out of %s${noTorch}`, async (what, save, prefix) => {
    const name = `real-${what.replaceAll(/[^a-zA-Z]/g, "-")}`;
    writeFileSync(file("from.safetensors"), encodeStateDict(networks.mnist, checkpoint, {}));
    const said =
      await python(`import argparse, collections, functools, numpy, os, pathlib, sys, torch, types, warnings, safetensors.torch as s
warnings.simplefilter("ignore")
os.chdir(${JSON.stringify(folder)})
w = s.load_file('from.safetensors')
w.pop('head.weight')
home = sys.modules.setdefault('theirs', types.ModuleType('theirs'))
class Net(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        for k, (i, o) in dict(conv1=(1, 32), conv2=(32, 64), conv3=(64, 128)).items():
            setattr(self, k, torch.nn.Conv2d(i, o, 3, padding=1, bias=False))
        self.load_state_dict(w)
        self.act = torch.nn.Tanh()
Net.__module__, Net.__qualname__ = 'theirs', 'Net'
home.Net = Net
${save.replaceAll("NAME", name)}
print([f for f in os.listdir() if f.startswith('${name}.')][0])`);
    const path = file(said.trim());
    const before = readFileSync(path);
    let line = "";
    try {
      readStateDict(path, networks.mnist);
    } catch (error) {
      line = (error as Error).message.split("; turn it into one: ")[1];
    }
    execFileSync("sh", ["-c", line], { stdio: "pipe" });
    expect(readFileSync(path).equals(before), "the original stays").toBe(true);
    const { weights, leftOut } = readStateDict(line.split(" ").at(-1) ?? "", networks.mnist, { prefix });
    expect(leftOut.every((one) => !one.startsWith(prefix) || prefix === "")).toBe(true);
    for (const [name, values] of weights) {
      const theirs = checkpoint.state.get(name) as Float32Array;
      const apart = values.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i])), 0);
      expect(apart, name).toBeLessThanOrEqual(/half/.test(what) ? 2 ** -8 : 0);
    }
    // Nothing is written over, not even what the line itself made.
    expect(() => execFileSync("sh", ["-c", line], { stdio: "pipe" })).toThrow("is there already; name another file");
  });

  test.skipIf(noTorch)(`that would have one name are not taken${noTorch}`, async () => {
    await python(`import os, torch
os.chdir(${JSON.stringify(folder)})
torch.save({"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}}, "same.pt")`);
    expect(() =>
      execFileSync("python3", [script, file("same.pt"), file("same.safetensors")], { stdio: "pipe" }),
    ).toThrow("two tensors would be called a.b; save them under other names");
    expect(existsSync(file("same.safetensors"))).toBe(false);
  });

  test.skipIf(noTorch)(`of a pickle that would run something are taken without running it${noTorch}`, async () => {
    await python(`import os, torch
os.chdir(${JSON.stringify(folder)})
class Evil:
    def __reduce__(self):
        return (os.system, ("touch ran",))
torch.save({"state_dict": {"conv1.weight": torch.ones(1)}, "more": Evil()}, "evil.pt")`);
    execFileSync("python3", [script, file("evil.pt"), file("evil.safetensors")], { cwd: folder, stdio: "pipe" });
    expect(decodeSafetensors(readFileSync(file("evil.safetensors")), "evil").tensors.size).toBe(1);
    expect(existsSync(file("ran"))).toBe(false);
  });

  /** A file with tensors of any type; those of float32 as numbers. */
  function stored(
    name: string,
    tensors: Readonly<
      Record<string, { shape: Shape; data: Float32Array } | { shape: Shape; type: string; bytes: number }>
    >,
  ): string {
    const header: Record<string, object> = {};
    const parts: Buffer[] = [];
    let at = 0;
    for (const [tensor, content] of Object.entries(tensors)) {
      const part = "data" in content ? Buffer.from(content.data.buffer) : Buffer.alloc(content.bytes, 7);
      header[tensor] = {
        dtype: "data" in content ? "F32" : content.type,
        shape: content.shape,
        data_offsets: [at, at + part.length],
      };
      parts.push(part);
      at += part.length;
    }
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(file(name), Buffer.concat([length, text, ...parts]));
    return file(name);
  }
  const shapes = { conv1: [32, 1, 3, 3], conv2: [64, 32, 3, 3], conv3: [128, 64, 3, 3] };
  const convolutions = (prefix = ""): Record<string, { shape: Shape; data: Float32Array }> =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [
        `${prefix}${name}.weight`,
        { shape, data: numbers(sizeOf(shape), 0.5, i + 3) },
      ]),
    );
  const count = { shape: [], type: "I64", bytes: 8 };
  const norm = (name: string, outputs: number, seed: number) => ({
    [`${name}.weight`]: { shape: [outputs], data: numbers(outputs, 1, seed) },
    [`${name}.bias`]: { shape: [outputs], data: numbers(outputs, 1, seed + 1) },
    [`${name}.running_mean`]: { shape: [outputs], data: numbers(outputs, 1, seed + 2) },
    [`${name}.running_var`]: {
      shape: [outputs],
      data: numbers(outputs, 1, seed + 3).map((value) => 0.1 + Math.abs(value)),
    },
    [`${name}.num_batches_tracked`]: count,
  });
  const norms = (names: (i: number) => string, prefix = "") =>
    Object.assign({}, ...[32, 64, 128].map((outputs, i) => norm(`${prefix}${names(i + 1)}`, outputs, 10 * i + 5)));
  const linear = (outputs: number, inputs: number) => ({
    shape: [outputs, inputs],
    data: numbers(outputs * inputs, 1, 9),
  });

  test.each([
    ["bn1", (i: number) => `bn${i}`, 1e-5, false],
    ["a BatchNorm within its block", (i: number) => `conv${i}.bn`, 1e-5, false],
    ["norm_1, with another epsilon, behind biases", (i: number) => `norm_${i}`, 1e-3, true],
  ])("with a BatchNorm behind each convolution are folded exactly: %s", (what, names, epsilon, withBias) => {
    const biases = withBias ? { "conv2.bias": { shape: [64], data: numbers(64, 1, 99) } } : {};
    const tensors = {
      ...convolutions(),
      ...biases,
      ...norms(names),
      "fc.weight": linear(10, 1152),
      "fc.bias": array([10]),
    };
    const path = stored("normed", tensors);
    const { network, weights, folded, leftOut } = readStateDict(path, networks.mnist, { foldBatchNorm: epsilon });
    expect(network).toEqual(networks["mnist-bias"]);
    expect(folded).toEqual([1, 2, 3].map((i) => `${names(i)} into conv${i}`));
    expect(leftOut).toEqual(["fc.weight", "fc.bias"]);
    const at = (of: string, i: number): number => (tensors[of] as { data: Float32Array }).data[i];
    for (const [i, [block, [outputs, inputs]]] of Object.entries(shapes).entries()) {
      const bn = names(i + 1);
      const [weight, bias] = [weights.get(`${block}.weight`), weights.get(`${block}.bias`)];
      // One place of the picture: the sum over nine pixels of every channel, whichever they are.
      const patch = Float64Array.from({ length: inputs * 9 }, (_, k) => Math.sin(k));
      for (let o = 0; o < outputs; o++) {
        const convolved = (w: (k: number) => number, b: number): number =>
          patch.reduce((sum, x, k) => sum + x * w(k), b);
        const y = convolved(
          (k) => at(`${block}.weight`, o * inputs * 9 + k),
          withBias && block === "conv2" ? at("conv2.bias", o) : 0,
        );
        const scale = at(`${bn}.weight`, o) / Math.sqrt(at(`${bn}.running_var`, o) + epsilon);
        const wanted = scale * (y - at(`${bn}.running_mean`, o)) + at(`${bn}.bias`, o);
        // Inside, [row, column, from, to].
        const got = convolved(
          (k) => weight?.[((k % 9) * inputs + Math.floor(k / 9)) * outputs + o] ?? Number.NaN,
          bias?.[o] ?? Number.NaN,
        );
        expect(Math.abs(got - wanted), `${what}, ${block}, ${o}`).toBeLessThan(1e-5 * (1 + Math.abs(wanted)));
      }
    }
  });

  test.each<[string, Parameters<typeof stored>[1], string]>([
    [
      "a BatchNorm",
      norm("bn2", 64, 4),
      "got bn2.weight, bn2.bias, bn2.running_mean and 2 more; if every BatchNorm follows its convolution directly, before the activation, set --fold-batch-norm; if this one comes after the last block, --leave-out bn2",
    ],
    [
      "a BatchNorm within a block",
      norm("conv2.norm", 64, 4),
      "got conv2.norm.weight, conv2.norm.bias, conv2.norm.running_mean and 2 more; if every BatchNorm",
    ],
    [
      "a PReLU",
      { "act1.weight": array([1]) },
      "got act1.weight; if it comes after the last block, or computes nothing, set --leave-out act1; else the encoder is not mnist",
    ],
    ["a GroupNorm", { "gn1.weight": array([32]), "gn1.bias": array([32]) }, "got gn1.weight, gn1.bias; if it"],
    ["a convolution more", { "conv4.weight": array([128, 128, 3, 3]) }, "got conv4.weight; if it"],
    ["a shortcut", { "shortcut.weight": array([64, 32, 1, 1]) }, "got shortcut.weight; if it"],
    [
      "squeeze and excitation",
      { "se2.fc1.weight": linear(4, 64), "se2.fc2.weight": linear(64, 4) },
      "got se2.fc1.weight, se2.fc2.weight; if it",
    ],
    ["weight normalisation", { "conv1.weight_g": array([32, 1, 1, 1]) }, "got conv1.weight_g; if it"],
    ["a scale of the block's own", { scale: array([128]) }, "got scale; if it"],
    ["means of the inputs", { mean: array([1, 1, 1, 1]), std: array([1, 1, 1, 1]) }, "got mean; if it"],
    ["a linear layer that does not read the features", { "fc.weight": linear(10, 128) }, "got fc.weight; if it"],
  ])("with %s between the blocks are refused, unless it is known to lie elsewhere", (_, more, sentence) => {
    const path = stored("more", { ...convolutions(), ...more });
    expect(() => readStateDict(path, networks.mnist)).toThrow(
      `${path}: must hold nothing else that could change what the blocks compute, ${sentence}`,
    );
    const groups = [...new Set(Object.keys(more).map((name) => name.split(".")[0]))];
    expect(readStateDict(path, networks.mnist, { leaveOut: groups }).leftOut).toEqual(Object.keys(more));
    expect(() => readStateDict(path, networks.mnist, { leaveOut: ["nothing"] })).toThrow(
      new SaccadeError(`${path}: --leave-out must be one of ${groups.join(", ")}, got nothing`),
    );
  });

  test("with BatchNorms that cannot be placed are refused: which convolution they follow is not guessed", () => {
    const path = stored("unplaced", {
      ...convolutions(),
      ...norm("bn0", 32, 1),
      ...norm("bn1", 64, 2),
      ...norm("bn2", 128, 3),
    });
    expect(() => readStateDict(path, networks.mnist, { foldBatchNorm: 1e-5 })).toThrow(
      /bn1\.running_mean must be \[32\]|its name must say which convolution/,
    );
    const even = stored("even", { ...convolutions(), ...norm("bns.0", 32, 1) });
    expect(() => readStateDict(even, networks.mnist, { foldBatchNorm: 1e-5 })).toThrow(
      "its name must say which convolution it follows, as bn1 does for conv1; if it comes after the last block, --leave-out bns",
    );
    const half = stored("half", {
      ...convolutions(),
      ...norm("bn1", 32, 1),
      "bn1.running_mean": { shape: [32], type: "F16", bytes: 64 },
    });
    expect(() => readStateDict(half, networks.mnist, { foldBatchNorm: 1e-5 })).toThrow(
      'wanted F32 numbers for "bn1.running_mean", got F16',
    );
    const double = stored("double", {
      ...convolutions(),
      "conv2.weight": { shape: [64, 32, 3, 3], type: "F64", bytes: 8 * 64 * 288 },
    });
    expect(() => readStateDict(double, networks.mnist)).toThrow(
      'wanted F32 numbers for "conv2.weight", got F64; save it as float32',
    );
  });

  test.each<[string, Parameters<typeof stored>[1]]>([
    ["a classifier", { "fc.weight": linear(10, 1152), "fc.bias": array([10]) }],
    [
      "two layers, one after the other",
      { "fc2.weight": linear(10, 50), "fc1.weight": linear(50, 1152), "fc1.bias": array([50]) },
    ],
    [
      "a projector with a BatchNorm of its own",
      {
        "projector.0.weight": linear(256, 1152),
        ...norm("projector.1", 256, 3),
        "projector.3.weight": linear(64, 256),
      },
    ],
  ])("bring %s behind the last block, which is left out and named", (_, more) => {
    const { leftOut, network } = readStateDict(stored("behind", { ...convolutions(), ...more }), networks.mnist);
    expect([...leftOut].sort()).toEqual(Object.keys(more).sort());
    expect(network).toBe(networks.mnist);
  });

  test("with biases, in some blocks or in all, are taken with them", () => {
    const bias = numbers(64, 1, 8);
    const { network, weights } = readStateDict(
      stored("biased", { ...convolutions(), "conv2.bias": { shape: [64], data: bias } }),
      networks.mnist,
    );
    expect(network).toEqual(networks["mnist-bias"]);
    expect(weights.get("conv2.bias")).toEqual(bias);
    expect(weights.get("conv1.bias")).toEqual(new Float32Array(32));
    expect([...weights.keys()]).toEqual(synapsesOf(createModel(networks["mnist-bias"])).map((tensor) => tensor.name));
  });

  test.each(["module.", "encoder.", "_orig_mod.", "backbone.", "state_dict.model.encoder_q."])(
    "whose names begin with %s are read with --prefix",
    (prefix) => {
      const more = {
        [`${prefix}fc.weight`]: linear(10, 1152),
        "optimizer.0.exp_avg": array([3, 3]),
        "elsewhere.conv1.weight": array([3, 3, 1, 1]),
      };
      const path = stored("prefixed", { ...convolutions(prefix), ...more });
      expect(() => readStateDict(path, networks.mnist)).toThrow(
        new SaccadeError(
          `${path}: conv1.weight must be [32, 1, 3, 3], as network mnist has it, got nothing; set --prefix ${prefix} or --prefix elsewhere.`,
        ),
      );
      for (const given of [prefix, prefix.slice(0, -1)]) {
        const { weights, leftOut } = readStateDict(path, networks.mnist, { prefix: given });
        expect(weights.size).toBe(3);
        expect(leftOut).toEqual(Object.keys(more));
      }
      const normed = stored("prefixed", { ...convolutions(prefix), ...norms((i) => `bn${i}`, prefix) });
      expect(readStateDict(normed, networks.mnist, { prefix, foldBatchNorm: 1e-5 }).folded).toHaveLength(3);
      // A norm that stands beside the prefix may be between the blocks all the same.
      const beside = stored("prefixed", { ...convolutions(prefix), ...norm("norms1", 32, 2) });
      expect(() => readStateDict(beside, networks.mnist, { prefix })).toThrow(
        "must hold nothing else that could change what the blocks compute, got norms1.weight",
      );
    },
  );

  test("under other names are refused with the names that the file has", () => {
    const path = stored("sequential", {
      "features.0.weight": array([32, 1, 3, 3]),
      "features.3.weight": array([64, 32, 3, 3]),
    });
    expect(() => readStateDict(path, networks.mnist)).toThrow(
      new SaccadeError(
        `${path}: conv1.weight must be [32, 1, 3, 3], as network mnist has it, got nothing; the file has features.0.weight, features.3.weight; give the tensors these names: ${names}`,
      ),
    );
  });
});

describe("pictures that are normalised", () => {
  const normalise = { mean: [0.49, 0.48, 0.45], std: [0.25, 0.24, 0.26] };
  const { checkpoint, model } = network("tiny" as (typeof papers)[number]);
  const set = pictureSet(20, 16, 3);
  const encoder = { network: networks.tiny, weights: checkpoint.state, valueRange: [0, 1], normalise } as const;

  test("are what torchvision's ToTensor and Normalize make of them, channel by channel", async () => {
    const { features } = await encoderFeatures(encoder, [set], backend);
    const x = persistent("x", [20, 16, 16, 3], "input");
    const record = recordProgram("by hand");
    const blocks = recordBlocks(record, model, x);
    const result = recordFeatures(record, model.encoder.head, blocks[blocks.length - 1].output);
    const program = record.finish([result]);
    const engine = await backend.prepare([program]);
    engine.write(
      x,
      Float32Array.from(set.pixels, (level, i) => (level / 255 - normalise.mean[i % 3]) / normalise.std[i % 3]),
    );
    for (const tensor of synapsesOf(model)) engine.write(tensor, checkpoint.state.get(tensor.name) as Float32Array);
    await engine.run(program);
    const wanted = Float32Array.from(await engine.read(result));
    await engine.dispose();
    expect(compare(wanted, features[0].rows, close("features"))).toBe("equal");
    const plain = await encoderFeatures({ ...encoder, normalise: undefined }, [set], backend);
    expect(compare(plain.features[0].rows, features[0].rows, close("features"))).not.toBe("equal");
  });

  test("are told so in every file that leaves", () => {
    const bytes = encodeOnnx({ ...encoder, about: "a test" });
    const text = Buffer.from(bytes).toString("latin1");
    expect(text).toContain('{"mean":[0.49,0.48,0.45],"std":[0.25,0.24,0.26]}');
    expect(text).toContain(
      "pixel value 0 is 0, 255 is 1, then less the mean [0.49, 0.48, 0.45], over [0.25, 0.24, 0.26]",
    );
    const facts = pixelFacts(encoder);
    writeFileSync(file("normalised.safetensors"), encodeStateDict(networks.tiny, checkpoint, facts));
    expect(readStateDict(file("normalised.safetensors"), networks.tiny)).toMatchObject({
      valueRange: [0, 1],
      normalise,
    });
    for (const text of ["{}", "[1]", '{"mean": [1], "std": "a"}', "x"]) {
      writeFileSync(file("odd.safetensors"), encodeStateDict(networks.tiny, checkpoint, { normalise: text }));
      expect(() => readStateDict(file("odd.safetensors"), networks.tiny)).toThrow(
        'normalise must be {"mean": […], "std": […]}, got',
      );
    }
  });
});

test.skipIf(noTorch)(`a checkpoint is opened by safetensors' own library${noTorch}`, async () => {
  const { model, checkpoint } = network("mnist");
  const losses = { sum: 0, steps: 0 };
  const whole = { position: { step: 7, epoch: 1, batch: 3 }, state: checkpoint.state, losses, config: "key" };
  const path = await saveCheckpoint(file("checkpoints"), { state: synapsesOf(model), lessons: [] }, whole, {
    newest: 1,
    every: 1,
  });
  const said = await python(
    `from safetensors import safe_open; f = safe_open(${JSON.stringify(path)}, 'pt'); ` +
      "print(sorted(f.keys()), f.get_tensor('conv2.weight').shape, f.get_tensor('conv2.weight')[5, 3, 2, 1].item(), f.metadata()['position'])",
  );
  // [3, 3, 32, 64] inside: row 2, column 1, from 3, to 5.
  const value = checkpoint.state.get("conv2.weight")?.[((2 * 3 + 1) * 32 + 3) * 64 + 5];
  expect(said).toBe(
    `['conv1.weight', 'conv2.weight', 'conv3.weight'] torch.Size([64, 32, 3, 3]) ${value} {"step":7,"epoch":1,"batch":3}\n`,
  );
});

test.skipIf(noTorch)(`the page's PyTorch loads the file that it names${noTorch}`, async () => {
  const page = readFileSync("docs/exchange.md", "utf8");
  const [, code] = /```python\n([\s\S]+?)```/.exec(page) ?? [];
  const { checkpoint } = network("cifar");
  writeFileSync(file("weights.safetensors"), encodeStateDict(networks.cifar, checkpoint, {}));
  expect(existsSync(file("weights.safetensors"))).toBe(true);
  expect(await python(`${code}\nimport torch\nprint(encoder(torch.zeros(2, 3, 32, 32)).shape)`)).toBe(
    "torch.Size([2, 8192])\n",
  );
});

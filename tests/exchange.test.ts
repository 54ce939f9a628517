// What leaves for PyTorch, ONNX and NumPy is what the probe reads, and what comes back is what left; each held by the real program.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-web";
import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../src/backends/wasm/backend.ts";
import type { ImageSet } from "../src/data/images.ts";
import { pictures } from "../src/encoders/encoder.ts";
import { recordBlocks, recordFeatures } from "../src/encoders/forward.ts";
import { createHead, createModel, initialise, synapsesOf } from "../src/encoders/model.ts";
import { type NetworkName, networks } from "../src/encoders/networks.ts";
import { encoderFeatures } from "../src/evaluation/features.ts";
import { channelsFirst, encodeEmbeddings } from "../src/exchange/embeddings.ts";
import { encodeNpz } from "../src/exchange/npz.ts";
import { encodeOnnx } from "../src/exchange/onnx.ts";
import { encodeStateDict, readStateDict } from "../src/exchange/state-dict.ts";
import { SaccadeError } from "../src/program/errors.ts";
import { recordProgram } from "../src/program/program.ts";
import { persistent, type Shape, sizeOf } from "../src/program/tensor.ts";
import { saveCheckpoint } from "../src/training/checkpoints.ts";
import { writeWhole } from "../src/training/files.ts";
import { encodeSafetensors } from "../src/training/safetensors.ts";
import { npy, npz } from "./numpy-files.ts";
import { compare } from "./tolerances.ts";

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
    const bytes = encodeOnnx({ network: name, weights: made.checkpoint.state, valueRange, about: "a test" });
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
    writeFileSync(file("weights"), encodeStateDict(name, made.checkpoint, {}));
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
      encodeOnnx({ network: name, weights: made.checkpoint.state, valueRange, about: "a test" }),
    );
    await python("import onnx; onnx.checker.check_model('encoder.onnx', full_check=True)");
  });

  test("comes back from its state_dict as it was, without its head", () => {
    writeFileSync(file("there"), encodeStateDict(name, made.checkpoint, {}));
    const { weights, leftOut } = readStateDict(file("there"), name);
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
    expect(() => encodeStateDict("mnist", { state, shapes }, {})).toThrow(new SaccadeError(`export: ${sentence}`));
    const encoder = { network: "mnist", weights: state, valueRange, about: "a test" } as const;
    expect(() => encodeOnnx(encoder)).toThrow(new SaccadeError(`onnx: ${sentence}`));
  });

  test("nor do features that are not, of weights that are", async () => {
    const made = network("cifar").checkpoint.state;
    const weights = new Map([...made].map(([name, data]) => [name, data.map((value) => value * 1e30)]));
    const set = pictureSet(3, 32, 3);
    await expect(encoderFeatures({ network: "cifar", weights, valueRange }, [set], backend)).rejects.toThrow(
      new RegExp(`^features: the features of ${set.name} must be finite, got (NaN|-?Infinity); `),
    );
  });
});

describe("embeddings", () => {
  const { checkpoint } = network("mnist");
  const encoder = { network: "mnist", weights: checkpoint.state, valueRange } as const;
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
    expect(said).toBe("['features', 'labels'] (300, 1152) float32 (300,) int64 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]\n");
    expect(readFileSync(file("read.bin")).equals(Buffer.from((await wanted()).buffer))).toBe(true);
  });

  test.skipIf(noTorch)(`are what PyTorch makes of the pictures' bytes in the run's value range${noTorch}`, async () => {
    writeFileSync(file("embeddings.npz"), await archive());
    writeFileSync(file("bytes"), set.pixels);
    writeFileSync(file("mnist.safetensors"), encodeStateDict("mnist", checkpoint, {}));
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
      `conv2.weight must be [64, 32, 3, 3], as network mnist has it, got nothing; give the tensors these names: ${names}`,
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
      "with a bias",
      bytes({ "conv1.bias": array([32]) }),
      "conv1.bias must be left out, got a tensor; a block of network mnist has none, and would compute something else",
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
    expect(() => readStateDict(path, "mnist")).toThrow(new SaccadeError(`${path}: ${sentence}`));
  });

  test("that are missing are refused", () => {
    const path = file("none");
    expect(() => readStateDict(path, "mnist")).toThrow(
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
      expect(readStateDict(file("looks"), "mnist").weights.size).toBe(3);
    }
  });

  test("bring the range of values that they were trained in, and only into their own network", () => {
    const [network, other] = ["tiny", "cifar"] as const;
    const weights = new Map([...initialise(createModel(networks[network]), 1)].map(([{ name }, data]) => [name, data]));
    const shapes = new Map(synapsesOf(createModel(networks[network])).map(({ name, shape }) => [name, shape]));
    const facts = (valueRange: string): void =>
      writeFileSync(file("w.safetensors"), encodeStateDict(network, { state: weights, shapes }, { valueRange }));
    facts("[-1,1]");
    expect(readStateDict(file("w.safetensors"), network).valueRange).toEqual([-1, 1]);
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

  test.each([
    ["archive", Buffer.from("PK\x03\x04 archive/data.pkl", "latin1")],
    ["pickle", Buffer.from("\x80\x02}q\x00.", "latin1")],
  ])("as a %s of PyTorch's are refused with the way out of it", (_, content) => {
    writeFileSync(file("w.pt"), content);
    expect(() => readStateDict(file("w.pt"), "mnist")).toThrow(
      new SaccadeError(
        `${file("w.pt")}: must be a safetensors file, got a pickle of PyTorch's, which can run any program; turn it into one: python3 -c "import torch, safetensors.torch as s; s.save_file(torch.load('${file("w.pt")}', weights_only=True), '${file("w")}.safetensors')"`,
      ),
    );
  });

  test.each([false, true])("as an .npz of NumPy's, deflated %s, are refused with the way out of it", (deflated) => {
    writeFileSync(file("w.npz"), npz({ "conv1.weight": npy("<f4", [1], Buffer.alloc(4)) }, deflated));
    expect(() => readStateDict(file("w.npz"), "mnist")).toThrow(
      new SaccadeError(
        `${file("w.npz")}: must be a safetensors file, got an .npz archive of NumPy's; turn it into one: python3 -c "import numpy, safetensors.numpy as s; s.save_file(dict(numpy.load('${file("w.npz")}')), '${file("w")}.safetensors')"`,
      ),
    );
  });

  test.skipIf(noTorch)(`in a real .npz come in by the line that the refusal gives${noTorch}`, async () => {
    writeFileSync(file("from.safetensors"), encodeStateDict("mnist", checkpoint, {}));
    await python("import numpy, safetensors.numpy as s; numpy.savez('np.npz', **s.load_file('from.safetensors'))");
    let line = "";
    try {
      readStateDict(file("np.npz"), "mnist");
    } catch (error) {
      line = (error as Error).message.split("; turn it into one: ")[1];
    }
    execFileSync("sh", ["-c", line]);
    const { weights } = readStateDict(file("np.safetensors"), "mnist");
    expect(weights.size).toBe(3);
    for (const [name, values] of weights) expect(values).toEqual(checkpoint.state.get(name));
  });

  test.skipIf(noTorch)(`in a real .pt come in by the line that the refusal gives${noTorch}`, async () => {
    writeFileSync(file("theirs.safetensors"), encodeStateDict("mnist", checkpoint, {}));
    await python("import torch, safetensors.torch as s; torch.save(s.load_file('theirs.safetensors'), 'real.pt')");
    let line = "";
    try {
      readStateDict(file("real.pt"), "mnist");
    } catch (error) {
      line = (error as Error).message.split("; turn it into one: ")[1];
    }
    execFileSync("sh", ["-c", line]);
    const { weights } = readStateDict(file("real.safetensors"), "mnist");
    for (const [name, values] of weights) expect(values).toEqual(checkpoint.state.get(name));
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
  writeFileSync(file("weights.safetensors"), encodeStateDict("cifar", checkpoint, {}));
  expect(existsSync(file("weights.safetensors"))).toBe(true);
  expect(await python(`${code}\nimport torch\nprint(encoder(torch.zeros(2, 3, 32, 32)).shape)`)).toBe(
    "torch.Size([2, 8192])\n",
  );
});
